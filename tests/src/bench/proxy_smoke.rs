//! What the agent adds to a request: the same load straight to a trivial model server and through
//! the agent, in turns. A smoke test of cost, not a ranking; the model server answers in no time, so
//! that the difference is the agent's own.

use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::load::{self, Seen};
use super::{Bench, Setting, median, meter};
use crate::process::{Running, free_port};
use crate::sidecar::Sidecar;

/// The objectives under which benchmarks measure.
pub const OBJECTIVES: &str = include_str!("../../it/mlserver_passthrough.objectives.yaml");

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Contender {
    /// The model server itself.
    Direct,
    /// The model server through the agent.
    Agent,
}

/// One contender in one round.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Run {
    /// Which round, from 1.
    pub round: usize,
    /// Who was asked.
    pub contender: Contender,
    /// What clients saw.
    #[serde(flatten)]
    pub seen: Seen,
    /// Processor time of the process that was asked, in seconds.
    pub cpu_seconds: f64,
    /// The same for each right answer, in microseconds.
    pub cpu_us_per_answer: f64,
    /// Its resident memory after the run, in KiB.
    pub resident_kib: u64,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// With what.
    pub setting: Setting,
    /// Built with which profile.
    pub profile: String,
    /// Every run in order.
    pub runs: Vec<Run>,
    /// Median over rounds of p50 through the agent less p50 direct, in microseconds.
    pub added_p50_us: f64,
    /// Median over rounds of the ratio of answers per second, agent to direct.
    pub throughput_ratio: f64,
    /// Median over rounds of the agent's processor time for each answer, in microseconds.
    pub agent_cpu_us_per_answer: f64,
}

/// A trivial model server in a process of its own: this program once more.
pub fn start_upstream(folder: &Path) -> anyhow::Result<(u16, Running)> {
    let port = free_port()?;
    let this = std::env::current_exe().context("cannot find this program's own file")?;
    let mut running = Running::start(
        &this,
        folder,
        &["upstream".to_owned(), "--port".to_owned(), port.to_string()],
    )?;
    running.wait_for_port(port, std::time::Duration::from_secs(10))?;
    Ok((port, running))
}

/// Rows of a reference for [`OBJECTIVES`].
pub fn reference() -> Vec<Vec<f64>> {
    (0..400)
        .map(|i| {
            (0..4)
                .map(|c| f64::from((i * 7 + c * 3) % 101) / 50.0 - 1.0)
                .collect()
        })
        .collect()
}

/// Measures.
pub fn measure(setting: Setting, told: &mut dyn FnMut(&Run)) -> anyhow::Result<Report> {
    let folder = tempfile::tempdir()?;
    let (port, model) = start_upstream(folder.path())?;
    let agent = Sidecar::start(folder.path(), port, OBJECTIVES, &reference())?;
    let mut runs = Vec::new();
    for round in 1..=setting.rounds {
        for contender in [Contender::Direct, Contender::Agent] {
            let (port, process) = match contender {
                Contender::Direct => (port, model.id()),
                Contender::Agent => (agent.port, agent.running.id()),
            };
            let run = once(round, contender, port, process, &setting)?;
            told(&run);
            runs.push(run);
        }
    }
    let fates = agent.settled_fates(std::time::Duration::from_secs(20))?;
    let asked: u64 = runs
        .iter()
        .filter(|r| r.contender == Contender::Agent)
        .map(|r| r.seen.answers)
        .sum();
    anyhow::ensure!(
        fates.seen == asked,
        "clients count {asked} answers, the agent has seen {} exchanges",
        fates.seen
    );
    anyhow::ensure!(
        fates.sampled > 0,
        "the agent measured nothing: this would be the cost of passing through only"
    );
    report(setting, runs)
}

fn once(
    round: usize,
    contender: Contender,
    port: u16,
    process: u32,
    setting: &Setting,
) -> anyhow::Result<Run> {
    let before = meter::read(process)?;
    let seen = load::run(port, setting, round)?;
    let after = meter::read(process)?;
    let cpu_seconds = after.cpu_seconds - before.cpu_seconds;
    anyhow::ensure!(
        seen.missing == 0,
        "round {round}, {contender:?}: {} answers are missing or wrong",
        seen.missing
    );
    anyhow::ensure!(seen.answers > 0, "round {round}, {contender:?}: no answers");
    anyhow::ensure!(
        cpu_seconds > 0.0,
        "round {round}, {contender:?}: process {process} used no processor time: is it the right one?"
    );
    Ok(Run {
        round,
        contender,
        seen,
        cpu_seconds,
        cpu_us_per_answer: cpu_seconds * 1e6 / seen.answers as f64,
        resident_kib: after.resident_kib,
    })
}

fn report(setting: Setting, runs: Vec<Run>) -> anyhow::Result<Report> {
    let (mut added, mut ratio, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for pair in runs.chunks_exact(2) {
        let [direct, agent] = pair else { continue };
        added.push(agent.seen.p50_us as f64 - direct.seen.p50_us as f64);
        ratio.push(agent.seen.per_second() / direct.seen.per_second());
        cpu.push(agent.cpu_us_per_answer);
    }
    Ok(Report {
        setting,
        profile: super::profile()?,
        added_p50_us: median(added).context("no rounds")?,
        throughput_ratio: median(ratio).context("no rounds")?,
        agent_cpu_us_per_answer: median(cpu).context("no rounds")?,
        runs,
    })
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
                    "round {} {:?}: {:.0} answers/s, p50 {} us, p99 {} us, {:.1} us of processor time each, {} KiB",
                    run.round,
                    run.contender,
                    run.seen.per_second(),
                    run.seen.p50_us,
                    run.seen.p99_us,
                    run.cpu_us_per_answer,
                    run.resident_kib
                );
            }
        })?;
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
            return Ok(());
        }
        writeln!(out, "built with the profile `{}`", report.profile)?;
        writeln!(
            out,
            "median of {} rounds: p50 {:+.0} us, throughput x {:.2}, agent's processor time {:.1} us for each answer",
            report.setting.rounds,
            report.added_p50_us,
            report.throughput_ratio,
            report.agent_cpu_us_per_answer
        )?;
        Ok(())
    }
}
