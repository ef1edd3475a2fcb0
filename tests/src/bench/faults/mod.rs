//! Faults of the monitoring under load, through real agents in processes of their own: no client may notice,
//! each fault must show in a figure of the agent, and every request must be accounted for, at the agent and
//! in what it ships.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::{Bench, median};
use crate::sidecar::Fates;
use crate::tools::may_skip;
use cases::{CASES, Case, HEALTHY, Scene, ended};
use door::Door;
use ground::{Ground, PATIENCE, Under};
use load::{Load, Manner, Seen};

pub mod cases;
pub mod door;
pub mod faulty;
pub mod ground;
pub mod load;

/// p99 is judged only if the healthy runs' differ by no more than this factor.
const REPEATS: f64 = 1.25;
/// Then p99 under a fault is at most so many times the healthy one.
const SLOWER: f64 = 2.0;

/// What is asked for.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Right answers that clients get in each case.
    #[arg(long, default_value_t = 8000)]
    pub requests: u64,
    /// Clients, each with one request at a time.
    #[arg(long, default_value_t = 8)]
    pub clients: usize,
    /// Only cases whose name contains this.
    #[arg(long)]
    pub only: Option<String>,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    pub json: bool,
}

/// What came of one case.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What went wrong.
    pub case: &'static str,
    /// Right answers.
    pub answers: u64,
    /// Requests without one.
    pub failed: u64,
    /// Half of the answers came within this, in microseconds.
    pub p50_us: f64,
    /// 99 % of the answers came within this, in microseconds.
    pub p99_us: f64,
    /// How the fault showed.
    pub shown: String,
    /// Requests that the agent saw; none if it was several, one after the other.
    pub seen: Option<u64>,
    /// What became of them: fates, which add up to `seen`.
    pub fates: BTreeMap<&'static str, u64>,
    /// Dropped ones by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Requests in all the coverage that the collector's door received.
    pub arrived: u64,
    /// What does not hold.
    pub problems: Vec<String>,
}

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Built with which profile.
    pub profile: String,
    /// Requests in all.
    pub requests: u64,
    /// Requests that failed.
    pub failed: u64,
    /// p99 of the healthy runs, in microseconds.
    pub healthy_p99_us: Vec<f64>,
    /// Whether it repeats, so that others are judged by it.
    pub repeats: bool,
    /// Every case in order.
    pub rows: Vec<Row>,
}

/// Plays all cases.
pub fn measure(options: &Options, told: &mut dyn FnMut(&Row)) -> anyhow::Result<Report> {
    let asked = |case: &&Case| {
        let only = options.only.as_deref();
        only.is_none_or(|only| case.name.contains(only))
    };
    let mut rows = Vec::new();
    let all = std::iter::once(&HEALTHY)
        .chain(CASES.iter().filter(asked))
        .chain([&HEALTHY]);
    for case in all {
        let row = match play(case, options) {
            Ok(row) => row,
            Err(error) if case.under == Under::FullDisk && may_skip() => {
                not_here(case, &format!("{error:#}"))
            }
            Err(error) => return Err(error.context(format!("the case `{}`", case.name))),
        };
        told(&row);
        rows.push(row);
    }
    let healthy = rows.iter().filter(|row| row.case == HEALTHY.name);
    let healthy: Vec<f64> = healthy.map(|row| row.p99_us).collect();
    let (least, most) = healthy
        .iter()
        .fold((f64::MAX, 0.0_f64), |(least, most), p99| {
            (least.min(*p99), most.max(*p99))
        });
    let mut report = Report {
        profile: super::profile()?,
        requests: rows.iter().map(|row| row.answers + row.failed).sum(),
        failed: rows.iter().map(|row| row.failed).sum(),
        repeats: most <= least * REPEATS,
        healthy_p99_us: healthy.clone(),
        rows,
    };
    if let (true, Some(usual)) = (report.repeats, median(healthy)) {
        // Larger bodies are another load, and a restart holds requests back for as long as it takes.
        let alike = report.rows.iter_mut().filter(|row| {
            let case = CASES.iter().find(|case| case.name == row.case);
            case.is_some_and(|c| c.rows == HEALTHY.rows && c.under != Under::HandedSocket)
        });
        for row in alike.filter(|row| row.p99_us > usual * SLOWER) {
            let slow = format!("p99 of {:.0} us beside {usual:.0} us", row.p99_us);
            row.problems.push(slow);
        }
    }
    Ok(report)
}

/// One case from start to end.
pub fn play(case: &Case, options: &Options) -> anyhow::Result<Row> {
    let mut ground = Ground::lay()?;
    let door = case
        .open
        .then(|| Door::open(ground.collector))
        .transpose()?;
    (case.before)(&ground)?;
    let agent = ground.start(case.under, case.clock, case.more)?;
    let load = Load::begin(Manner {
        port: agent.port,
        clients: options.clients,
        rows: case.rows,
        mark: case.mark,
        asked_to_close: case.asked_to_close,
    });
    let mut scene = Scene {
        ground,
        agent: Some(agent),
        load,
        requests: options.requests,
        door,
        first: true,
    };
    scene.load.wait_for(options.requests / 4)?;
    let shown = (case.fault)(&mut scene)?;
    scene.load.wait_for(options.requests / 4 * 3)?;
    (case.lift)(&mut scene)?;
    scene.load.wait_for(options.requests)?;
    let Scene {
        ground,
        agent,
        load,
        door,
        first,
        ..
    } = scene;
    let mut row = row(case, shown, load.end()?);
    if let Some(mut agent) = agent {
        if first {
            account(&mut row, &agent)?;
        }
        agent.running.signal("TERM")?;
        ended(&mut agent)?;
    }
    if let Some(door) = door {
        let arrived = door.arrived();
        row.arrived = arrived.coverage.seen;
        row.problems.extend(arrived.wrong.iter().cloned());
    }
    if case.arrives && row.arrived != row.answers {
        let lost = format!("of {} answers {} arrived", row.answers, row.arrived);
        row.problems.push(lost);
    }
    drop(ground);
    Ok(row)
}

fn row(case: &Case, shown: String, seen: Seen) -> Row {
    Row {
        case: case.name,
        answers: seen.answers,
        failed: seen.failed,
        p50_us: seen.p50_us,
        p99_us: seen.p99_us,
        shown,
        seen: None,
        fates: BTreeMap::new(),
        dropped: BTreeMap::new(),
        arrived: 0,
        problems: seen.failures,
    }
}

fn not_here(case: &Case, why: &str) -> Row {
    let nobody = Seen {
        answers: 0,
        failed: 0,
        failures: Vec::new(),
        p50_us: 0.0,
        p99_us: 0.0,
    };
    row(case, format!("left out, not possible here: {why}"), nobody)
}

/// What the agent says became of the requests, and whether that adds up.
fn account(row: &mut Row, agent: &crate::sidecar::Sidecar) -> anyhow::Result<()> {
    let fates = agent.settled_fates(PATIENCE)?;
    row.seen = Some(fates.seen);
    let Fates {
        seen,
        sampled,
        sampled_out,
        not_inference,
        dropped,
        undecodable,
    } = fates;
    row.fates = BTreeMap::from([
        ("sampled", sampled),
        ("sampled_out", sampled_out),
        ("not_inference", not_inference),
        ("dropped", dropped),
        ("undecodable", undecodable),
    ]);
    for line in agent.metrics()?.lines() {
        let found = line.strip_prefix("clause9_exchanges_dropped_total{reason=\"");
        let Some((reason, times)) = found.and_then(|rest| rest.split_once("\"} ")) else {
            continue;
        };
        let times: u64 = times.parse().context("a count")?;
        if times > 0 {
            row.dropped.insert(reason.to_owned(), times);
        }
    }
    if seen != row.answers {
        let differ = format!("{} answers, {seen} seen", row.answers);
        row.problems.push(differ);
    }
    let by_reason = row.dropped.values().sum::<u64>();
    if by_reason != dropped {
        let differ = format!("{dropped} dropped, {by_reason} by reason");
        row.problems.push(differ);
    }
    Ok(())
}

/// A row in a line.
fn line(row: &Row) -> String {
    let dropped = row.dropped.iter();
    let dropped: Vec<_> = dropped
        .map(|(why, times)| format!("{times} {why}"))
        .collect();
    let parts: Vec<_> = row
        .fates
        .iter()
        .filter(|(_, times)| **times > 0)
        .map(|(fate, times)| format!("{times} {fate}"))
        .collect();
    let seen = row.seen.map_or_else(String::new, |seen| {
        format!("; seen {seen} = {}", parts.join(" + "))
    });
    let dropped = if dropped.is_empty() {
        String::new()
    } else {
        format!(" ({})", dropped.join(", "))
    };
    format!(
        "{}: {} answers, {} failed, p50 {:.0} us, p99 {:.0} us{seen}{dropped}; arrived {}; {}",
        row.case, row.answers, row.failed, row.p50_us, row.p99_us, row.arrived, row.shown
    )
}

impl Report {
    /// That every promise held.
    pub fn check(&self) -> anyhow::Result<()> {
        let problems: Vec<_> = self
            .rows
            .iter()
            .filter(|row| row.failed > 0 || !row.problems.is_empty())
            .map(|row| format!("{}: {}", line(row), row.problems.join("; ")))
            .collect();
        anyhow::ensure!(problems.is_empty(), "{}", problems.join("\n"));
        Ok(())
    }
}

impl Bench for Options {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let report = measure(self, &mut |row| {
            if !self.json {
                let _ = writeln!(out, "{}", line(row));
            }
        })?;
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        } else {
            let judged = if report.repeats {
                "judged"
            } else {
                "not judged, since it does not repeat"
            };
            writeln!(
                out,
                "{} requests, {} failed; p99 when healthy {:.0?} us, {judged}; built with the profile `{}`",
                report.requests, report.failed, report.healthy_p99_us, report.profile
            )?;
        }
        report.check()
    }
}
