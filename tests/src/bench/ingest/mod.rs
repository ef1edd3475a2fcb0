//! Durable ingest: windows that the collector has verified, synced and acknowledged, and merged into sealed panes,
//! in a second and for each second of processor time; beside the same bytes into SQLite under the same
//! pragmas, and beside plain writes with `fdatasync`, on the same disk, in turns. Then how long an
//! acknowledgement takes at a moderate rate, beside how long such a sync takes alone.

pub(super) mod ground;
mod raw;

use std::io::Write;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::{Bench, median, profile};
use ground::Ground;

/// Least share of SQLite's rows in a second.
pub const SHARE: f64 = 0.5;
/// Windows in a batch: traffic and outcomes.
pub const WINDOWS: usize = 2;
/// Most times the sync's p99 that an acknowledgement's may be.
pub const TIMES: f64 = 2.0;

/// What is asked for.
#[derive(Args, Clone, Copy, Debug, Serialize)]
pub struct Options {
    /// Rounds; each contender runs once in each.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Agents, each with one batch under way at a time.
    #[arg(long, default_value_t = 8)]
    agents: usize,
    /// Panes that each agent ships, a batch each.
    #[arg(long, default_value_t = 60)]
    panes: usize,
    /// Batches in a second of the moderate load.
    #[arg(long, default_value_t = 40)]
    per_second: usize,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

/// Who takes the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Contender {
    /// The collector, by its real program.
    Collector,
    /// SQLite, a window a row, committed as often as all agents have sent once.
    Sqlite,
    /// `write` and `fdatasync`, as often.
    File,
}

/// One contender in one round.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Run {
    /// Which round, from 1.
    pub round: usize,
    /// Who.
    pub contender: Contender,
    /// Windows.
    pub windows: usize,
    /// Points: summaries of one column in one window.
    pub points: usize,
    /// Seconds until all was durable and, by the collector, acknowledged.
    pub seconds: f64,
    /// Seconds until all was merged as well; of the collector only.
    pub merged_seconds: Option<f64>,
    /// Processor time in seconds, until all was merged.
    pub cpu_seconds: f64,
}

/// Times of one round at a moderate rate, in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Moderate {
    /// Which round, from 1.
    pub round: usize,
    /// Acknowledgements: the middle, and that of one in a hundred.
    pub acknowledged: [u64; 2],
    /// The same of a write and a sync of as many bytes, at the same rate, alone.
    pub synced: [u64; 2],
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Built with which profile.
    pub profile: String,
    /// Bytes of one batch.
    pub batch_bytes: usize,
    /// Every run in order.
    pub runs: Vec<Run>,
    /// Every round at the moderate rate.
    pub moderate: Vec<Moderate>,
    /// Median over rounds of windows in a second by rows of SQLite in a second.
    pub share_of_sqlite: f64,
    /// The same by plain writes.
    pub share_of_file: f64,
    /// Median over rounds of an acknowledgement's p99 by a sync's.
    pub times_a_sync: f64,
}

impl Bench for Options {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let report = self.measure(&mut |line| {
            if self.json {
                return Ok(());
            }
            Ok(writeln!(out, "{line}")?)
        })?;
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
            return Ok(());
        }
        writeln!(
            out,
            "built with the profile `{}`; batches of {} bytes; medians:\n\
             {:.2} of SQLite's rows in a second (goal {SHARE}), {:.2} of plain writes\n\
             {:.2} times a sync's p99 (goal at most {TIMES})",
            report.profile,
            report.batch_bytes,
            report.share_of_sqlite,
            report.share_of_file,
            report.times_a_sync,
        )?;
        Ok(())
    }
}

impl Options {
    fn measure(
        &self,
        told: &mut dyn FnMut(String) -> anyhow::Result<()>,
    ) -> anyhow::Result<Report> {
        anyhow::ensure!(
            self.rounds > 0 && self.agents > 0 && self.panes > 1 && self.per_second > 0,
            "no rounds, agents, panes or rate: nothing would be measured"
        );
        let ground = Ground::new(self.agents, self.panes)?;
        let (mut runs, mut moderate) = (Vec::new(), Vec::new());
        for round in 1..=self.rounds {
            for contender in [Contender::Collector, Contender::Sqlite, Contender::File] {
                let run = ground.run(contender, round)?;
                anyhow::ensure!(
                    run.seconds > 0.0 && run.cpu_seconds > 0.0,
                    "{contender:?} took no time: nothing was measured"
                );
                told(run.line())?;
                runs.push(run);
            }
            let times = ground.moderate(round, self.per_second)?;
            told(format!(
                "round {round} at {} batches a second: acknowledged after {:?} us, synced after {:?} us (p50, p99)",
                self.per_second, times.acknowledged, times.synced
            ))?;
            moderate.push(times);
        }
        let share = |of| -> anyhow::Result<f64> {
            let ratios = runs.chunks(3).map(|round| {
                let rate = |who| {
                    let run = round.iter().find(|run| run.contender == who);
                    run.map_or(f64::NAN, |run| run.windows as f64 / run.seconds)
                };
                rate(Contender::Collector) / rate(of)
            });
            median(ratios.collect()).context("no round was measured")
        };
        let times = moderate
            .iter()
            .map(|m| m.acknowledged[1] as f64 / m.synced[1] as f64);
        Ok(Report {
            profile: profile()?,
            batch_bytes: ground.batch_bytes(),
            share_of_sqlite: share(Contender::Sqlite)?,
            share_of_file: share(Contender::File)?,
            times_a_sync: median(times.collect()).context("no round was measured")?,
            runs,
            moderate,
        })
    }
}

impl Run {
    fn line(&self) -> String {
        let rate = |seconds: f64| self.windows as f64 / seconds;
        let merged = self.merged_seconds.map_or_else(String::new, |seconds| {
            format!(", {:.0} merged as well", rate(seconds))
        });
        format!(
            "round {} {:?}: {:.0} windows a second{merged}; for each second of a core {:.0} windows, {:.0} points",
            self.round,
            self.contender,
            rate(self.seconds),
            rate(self.cpu_seconds),
            self.points as f64 / self.cpu_seconds,
        )
    }
}
