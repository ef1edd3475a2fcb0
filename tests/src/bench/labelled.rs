//! Labelled rows: accuracy, F1, Matthews' correlation, ROC AUC, log loss, Brier score and ECE of rows
//! in memory, through the summaries that agents keep, beside scikit-learn on the same rows.
//!
//! Both sides use one thread and are timed by the processor time of that thread, from columns in
//! memory to seven numbers. The numbers must agree, each to what its method card says, or the
//! benchmark fails.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use clap::Args;
use clause9_shared::performance::binary::Binary;
use clause9_shared::performance::calibration::{Group, expected_error};
use clause9_shared::performance::cells::Cell;
use clause9_shared::performance::roc;
use clause9_shared::sketch::{Confusion, Losses, ScoreCells};
use serde::{Deserialize, Serialize};

use super::{Bench, median, meter};

/// The figures, in the order of [`Figures`].
pub const NAMES: [&str; 7] = [
    "accuracy", "f1", "mcc", "roc_auc", "log_loss", "brier", "ece",
];
/// How far the figures may differ between both sides. All are exact but the area, known from cells.
const AGREE: [f64; 7] = [1e-9, 1e-9, 1e-9, 0.005, 1e-9, 1e-9, 1e-9];
/// What scikit-learn is asked, with the rows' file as argument. Prints seconds and the figures.
const SCRIPT: &str = include_str!("labelled.py");

/// The figures in the order of [`NAMES`].
pub type Figures = [f64; 7];

/// Who computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Contender {
    /// The summaries of this project.
    Clause9,
    /// scikit-learn.
    ScikitLearn,
}

/// One contender in one round.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Run {
    /// Which round, from 1.
    pub round: usize,
    /// Who computed.
    pub contender: Contender,
    /// Processor time in seconds, rows in memory to figures.
    pub cpu_seconds: f64,
    /// What came out.
    pub figures: Figures,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Rows.
    pub rows: usize,
    /// Built with which profile.
    pub profile: String,
    /// Every run in order.
    pub runs: Vec<Run>,
    /// Median over rounds of scikit-learn's processor time over ours.
    pub times_faster: f64,
}

/// Labelled scores in columns.
#[derive(Debug)]
struct Rows {
    scores: Vec<f64>,
    labels: Vec<bool>,
}

/// Scores that are distorted chances of the labels, from a fixed seed.
fn rows(count: usize) -> Rows {
    let mut state = 20_261_122_u64;
    let mut uniform = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let (mut scores, mut labels) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for _ in 0..count {
        let score = uniform();
        labels.push(uniform() < 0.8 * score * score + 0.1);
        scores.push(score);
    }
    Rows { scores, labels }
}

/// The figures through summaries.
fn ours(rows: &Rows) -> anyhow::Result<Figures> {
    let mut cells = ScoreCells::new(1).context("one group")?;
    let mut decisions = Confusion::new(1).context("one group")?;
    let mut losses = Losses::new(1).context("one group")?;
    for (score, label) in rows.scores.iter().zip(&rows.labels) {
        cells.add(Some(*score), Some(*label), Some(0));
        decisions.add(Some(*label), Some(*score >= 0.5), Some(0));
        losses.add(Some(*score), *label, Some(0));
    }
    let count = |label, decision| decisions.count(Some(label), Some(decision), Some(0));
    let table = Binary {
        tp: count(true, true),
        fp: count(false, true),
        fn_: count(true, false),
        tn: count(false, false),
    };
    let cells: Vec<Cell> = cells
        .cells(Some(0))
        .map(|cell| Cell {
            low: cell.low,
            high: cell.high,
            positive: cell.count.positive,
            negative: cell.count.negative,
        })
        .collect();
    let losses = losses.group(Some(0));
    let filled = losses.fifteen_bins().filter(|bin| bin.n > 0);
    let groups: Vec<Group> = filled
        .map(|bin| Group {
            cases: bin.n as f64,
            positives: bin.positives as f64,
            scores: bin.scores,
            open: 0.0,
        })
        .collect();
    let (hits, of) = table.accuracy();
    let figures = [
        Some(hits as f64 / of as f64),
        table.f_beta(1.0).map(|f| f.value),
        table.matthews().map(|f| f.value),
        roc::area(&cells).map(|a| a.area.value),
        losses.log_loss(),
        losses.brier(),
        expected_error(&groups).map(|e| e.value),
    ];
    let mut found = [0.0; 7];
    for (place, figure) in found.iter_mut().zip(figures) {
        *place = figure.context("a figure has no value")?;
    }
    Ok(found)
}

fn run_ours(round: usize, rows: &Rows) -> anyhow::Result<Run> {
    let before = meter::cpu_nanoseconds(std::process::id())?;
    let figures = ours(std::hint::black_box(rows))?;
    let used = meter::cpu_nanoseconds(std::process::id())? - before;
    ensure!(used > 0, "the run used no processor time");
    Ok(Run {
        round,
        contender: Contender::Clause9,
        cpu_seconds: used as f64 / 1e9,
        figures,
    })
}

/// What the script prints.
#[derive(Deserialize)]
struct Answer {
    cpu_seconds: f64,
    figures: Figures,
}

fn run_theirs(round: usize, python: &Path, folder: &Path) -> anyhow::Result<Run> {
    let output = Command::new(python)
        .arg(folder.join("labelled.py"))
        .arg(folder.join("rows"))
        .env("OMP_NUM_THREADS", "1")
        .env("OPENBLAS_NUM_THREADS", "1")
        .output()
        .with_context(|| format!("cannot run {}", python.display()))?;
    ensure!(
        output.status.success(),
        "{} failed; does it have numpy and scikit-learn?\n{}",
        python.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let answer: Answer = serde_json::from_slice(&output.stdout)?;
    ensure!(answer.cpu_seconds > 0.0, "the run used no processor time");
    Ok(Run {
        round,
        contender: Contender::ScikitLearn,
        cpu_seconds: answer.cpu_seconds,
        figures: answer.figures,
    })
}

/// Writes rows as both sides read them: scores as 64-bit floats, then labels as bytes.
fn write(rows: &Rows, folder: &Path) -> anyhow::Result<()> {
    std::fs::write(folder.join("labelled.py"), SCRIPT)?;
    let mut file = std::io::BufWriter::new(std::fs::File::create(folder.join("rows"))?);
    for score in &rows.scores {
        file.write_all(&score.to_le_bytes())?;
    }
    for label in &rows.labels {
        file.write_all(&[u8::from(*label)])?;
    }
    file.flush()?;
    Ok(())
}

/// Measures: both sides in turns, `rounds` times, with a Python that has scikit-learn.
pub fn measure(
    count: usize,
    rounds: usize,
    python: &Path,
    told: &mut dyn FnMut(&Run),
) -> anyhow::Result<Report> {
    let folder = tempfile::tempdir()?;
    let rows = rows(count);
    write(&rows, folder.path())?;
    let (mut runs, mut ratios) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let mine = run_ours(round, &rows)?;
        told(&mine);
        let theirs = run_theirs(round, python, folder.path())?;
        told(&theirs);
        for ((name, room), (a, b)) in NAMES
            .iter()
            .zip(AGREE)
            .zip(mine.figures.iter().zip(theirs.figures))
        {
            ensure!((a - b).abs() <= room, "{name}: {a} here, {b} there");
        }
        ratios.push(theirs.cpu_seconds / mine.cpu_seconds);
        runs.extend([mine, theirs]);
    }
    Ok(Report {
        rows: count,
        profile: super::profile()?,
        runs,
        times_faster: median(ratios).context("no round was run")?,
    })
}

/// What is asked for.
#[derive(Args, Debug)]
pub struct Options {
    /// A Python that has numpy and scikit-learn.
    #[arg(long)]
    python: PathBuf,
    /// Rows.
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// Rounds; each contender runs once in each.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

impl Bench for Options {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let (rows, rounds) = (self.rows, self.rounds);
        let report = measure(rows, rounds, &self.python, &mut |run| {
            if !self.json {
                let _ = writeln!(
                    out,
                    "round {} {:?}: {:.3} s of processor time",
                    run.round, run.contender, run.cpu_seconds
                );
            }
        })?;
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
            return Ok(());
        }
        writeln!(out, "built with the profile `{}`", report.profile)?;
        if let Some(last) = report.runs.last() {
            for (name, figure) in NAMES.iter().zip(last.figures) {
                writeln!(out, "{name}: {figure}")?;
            }
        }
        writeln!(
            out,
            "{} rows, median of {rounds} rounds: {:.2} times as fast as scikit-learn (goal 5)",
            report.rows, report.times_faster
        )?;
        Ok(())
    }
}
