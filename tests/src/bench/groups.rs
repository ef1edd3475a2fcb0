//! Group fairness of labelled decisions: five attributes through the tables that agents keep, beside
//! fairlearn on one of them. Both read columns in memory and give differences of rates, which must be
//! the same.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::Args;
use clause9_shared::sketch::Confusion;
use serde::{Deserialize, Serialize};

use super::{Bench, median, meter};

/// How many times as fast as fairlearn, attribute by attribute.
pub const GOAL: f64 = 200.0;
/// Attributes that are looked at here; fairlearn looks at the first one.
const ATTRIBUTES: usize = 5;
const SCRIPT: &str = include_str!("groups.py");

/// What is asked for.
#[derive(Args, Debug)]
pub struct Options {
    /// A Python that has fairlearn.
    #[arg(long)]
    python: PathBuf,
    /// Rows.
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// Rounds; each contender runs once in each.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

/// Both contenders in one round.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Which round, from 1.
    pub round: usize,
    /// Processor time here, of five attributes.
    pub ours: f64,
    /// fairlearn's, of one attribute.
    pub theirs: f64,
}

impl Run {
    fn times(&self) -> f64 {
        self.theirs * ATTRIBUTES as f64 / self.ours
    }
}

/// What the script prints: demographic parity difference, equalised odds difference.
#[derive(Deserialize)]
struct Answer {
    cpu_seconds: f64,
    figures: [f64; 2],
}

struct Rows {
    labels: Vec<bool>,
    decisions: Vec<bool>,
    /// By attribute.
    groups: [Vec<u8>; ATTRIBUTES],
}

fn rows(count: usize) -> Rows {
    let mut state = 20_261_122_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut rows = Rows {
        labels: Vec::new(),
        decisions: Vec::new(),
        groups: Default::default(),
    };
    for _ in 0..count {
        for groups in &mut rows.groups {
            groups.push(u8::from(next() % 5 < 2));
        }
        let label = next() % 10 < 3;
        let granted = 4 + 2 * u64::from(label) + u64::from(rows.groups[0].last() == Some(&1));
        rows.labels.push(label);
        rows.decisions.push(next() % 10 < granted);
    }
    rows
}

/// The differences of selection rates and, the larger one, of true and false positive rates, by
/// attribute.
fn ours(rows: &Rows) -> anyhow::Result<Vec<[f64; 2]>> {
    let mut found = Vec::new();
    for groups in &rows.groups {
        let mut table = Confusion::new(2).context("two groups")?;
        for ((label, decision), group) in rows.labels.iter().zip(&rows.decisions).zip(groups) {
            table.add(Some(*label), Some(*decision), Some(*group));
        }
        let count =
            |label, decision, group| table.count(Some(label), Some(decision), Some(group)) as f64;
        let gap = |rate: &dyn Fn(u8) -> f64| (rate(0) - rate(1)).abs();
        let rate = |label: bool, group: u8| {
            let hits = count(label, true, group);
            hits / (hits + count(label, false, group))
        };
        let selected = |group: u8| {
            let hits = count(true, true, group) + count(false, true, group);
            hits / (hits + count(true, false, group) + count(false, false, group))
        };
        let odds = gap(&|g| rate(true, g)).max(gap(&|g| rate(false, g)));
        found.push([gap(&selected), odds]);
    }
    Ok(found)
}

fn theirs(python: &Path, folder: &Path) -> anyhow::Result<Answer> {
    let output = Command::new(python)
        .arg(folder.join("groups.py"))
        .arg(folder.join("rows"))
        .env("OMP_NUM_THREADS", "1")
        .env("OPENBLAS_NUM_THREADS", "1")
        .output()
        .with_context(|| format!("cannot run {}", python.display()))?;
    ensure!(
        output.status.success(),
        "{} failed; does it have fairlearn?\n{}",
        python.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

impl Bench for Options {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let rows = rows(self.rows);
        std::fs::write(folder.path().join("groups.py"), SCRIPT)?;
        let bytes = |flags: &[bool]| flags.iter().map(|flag| u8::from(*flag)).collect::<Vec<_>>();
        let columns = [
            bytes(&rows.labels),
            bytes(&rows.decisions),
            rows.groups[0].clone(),
        ];
        std::fs::write(folder.path().join("rows"), columns.concat())?;
        let mut runs = Vec::new();
        for round in 1..=self.rounds {
            let before = meter::cpu_nanoseconds(std::process::id())?;
            let found = ours(std::hint::black_box(&rows))?;
            let used = meter::cpu_nanoseconds(std::process::id())? - before;
            let answer = theirs(&self.python, folder.path())?;
            ensure!(
                used > 0 && answer.cpu_seconds > 0.0,
                "a run used no processor time"
            );
            for (mine, other) in found[0].iter().zip(answer.figures) {
                ensure!((mine - other).abs() < 1e-9, "{mine} here, {other} there");
            }
            let run = Run {
                round,
                ours: used as f64 / 1e9,
                theirs: answer.cpu_seconds,
            };
            if !self.json {
                writeln!(
                    out,
                    "round {round}: {:.4} s of {ATTRIBUTES} attributes here, {:.2} s of one by fairlearn",
                    run.ours, run.theirs
                )?;
            }
            runs.push(run);
        }
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&runs)?)?;
            return Ok(());
        }
        let times = median(runs.iter().map(Run::times).collect()).context("no rounds")?;
        writeln!(out, "built with the profile `{}`", super::profile()?)?;
        writeln!(
            out,
            "{} rows: {times:.0} times as fast for each attribute (goal {GOAL})",
            self.rows
        )?;
        Ok(())
    }
}
