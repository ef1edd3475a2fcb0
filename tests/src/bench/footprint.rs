//! What an agent takes from the machine: size of its program, memory and processor time when idle
//! and when busy. The goals are shown beside the numbers; a missed goal is no error here.

use std::io::Write;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::load::Asking;
use super::proxy::{OBJECTIVES, reference, start_upstream};
use super::{Bench, Setting, median, meter};
use crate::process::program;
use crate::sidecar::{Sidecar, count};

/// Goals in MiB: resident when idle, resident when busy, size of the program.
pub const GOALS_MIB: [(&str, f64); 3] = [("idle", 12.0), ("busy", 32.0), ("binary", 15.0)];

/// One agent from start to end.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Run {
    /// Which round, from 1.
    pub round: usize,
    /// Resident memory after the idle time, in MiB.
    pub idle_mib: f64,
    /// Processor time for each idle second, as a share of one core.
    pub idle_cpu_share: f64,
    /// Most resident memory by the end of the load, in MiB.
    pub busy_mib: f64,
    /// Processor time for each busy second, as a share of one core.
    pub busy_cpu_share: f64,
    /// Right answers in a second meanwhile.
    pub answers_per_second: f64,
    /// Predictions remembered for their outcomes by then: they are part of the memory, up to the bound.
    pub remembered: u64,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// With what.
    pub setting: Setting,
    /// Built with which profile.
    pub profile: String,
    /// Size of the agent's program, in MiB. Of this build: release builds are smaller.
    pub binary_mib: f64,
    /// Every run in order.
    pub runs: Vec<Run>,
    /// Median of the runs.
    pub idle_mib: f64,
    /// Median of the runs.
    pub busy_mib: f64,
}

/// Measures.
pub fn measure(setting: Setting, told: &mut dyn FnMut(&Run)) -> anyhow::Result<Report> {
    let mut runs = Vec::new();
    for round in 1..=setting.rounds {
        let run = once(round, &setting)?;
        told(&run);
        runs.push(run);
    }
    let of = |value: fn(&Run) -> f64| median(runs.iter().map(value).collect()).context("no rounds");
    Ok(Report {
        setting,
        profile: super::profile()?,
        binary_mib: mib(program("clause9-agent")?.metadata()?.len()),
        idle_mib: of(|run| run.idle_mib)?,
        busy_mib: of(|run| run.busy_mib)?,
        runs,
    })
}

fn once(round: usize, setting: &Setting) -> anyhow::Result<Run> {
    let folder = tempfile::tempdir()?;
    let (port, _model) = start_upstream(folder.path())?;
    let agent = Sidecar::start(folder.path(), port, OBJECTIVES, &reference())?;
    let process = agent.running.id();

    let started = meter::read(process)?;
    anyhow::ensure!(
        started.cpu_seconds > 0.0 || started.resident_kib > 0,
        "process {process} has used nothing"
    );
    std::thread::sleep(setting.duration());
    let idle = meter::read(process)?;
    let seen = Asking::of(setting, agent.port, round).run()?;
    let busy = meter::read(process)?;

    anyhow::ensure!(
        seen.missing == 0,
        "round {round}: {} answers are missing or wrong",
        seen.missing
    );
    anyhow::ensure!(
        busy.cpu_seconds > idle.cpu_seconds,
        "round {round}: process {process} used no processor time under load"
    );
    let fates = agent.settled_fates(Duration::from_secs(20))?;
    anyhow::ensure!(
        fates.seen == seen.answers && fates.sampled > 0,
        "round {round}: {} answers, but {fates:?}",
        seen.answers
    );
    Ok(Run {
        round,
        idle_mib: mib(idle.resident_kib * 1024),
        idle_cpu_share: (idle.cpu_seconds - started.cpu_seconds) / setting.duration().as_secs_f64(),
        busy_mib: mib(busy.peak_kib * 1024),
        busy_cpu_share: (busy.cpu_seconds - idle.cpu_seconds) / seen.seconds,
        answers_per_second: seen.per_second(),
        remembered: count(&agent.metrics()?, "clause9_remembered_predictions")?,
    })
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// What is asked for.
#[derive(Args, Clone, Copy, Debug)]
pub struct Options {
    #[command(flatten)]
    setting: Setting,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

impl Bench for Options {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let report = measure(self.setting, &mut |run| {
            if !self.json {
                let _ = writeln!(
                    out,
                    "round {}: idle {:.1} MiB, {:.2} % of a core; busy {:.1} MiB, {:.0} % of a core at {:.0} answers/s, {} predictions remembered",
                    run.round,
                    run.idle_mib,
                    run.idle_cpu_share * 100.0,
                    run.busy_mib,
                    run.busy_cpu_share * 100.0,
                    run.answers_per_second,
                    run.remembered
                );
            }
        })?;
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
            return Ok(());
        }
        writeln!(out, "built with the profile `{}`", report.profile)?;
        let found = [report.idle_mib, report.busy_mib, report.binary_mib];
        for ((what, goal), found) in GOALS_MIB.iter().zip(found) {
            writeln!(out, "{what}: {found:.1} MiB (goal {goal} MiB)")?;
        }
        Ok(())
    }
}
