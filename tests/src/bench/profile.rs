//! Profiling a million rows of 20 numeric and 5 string columns in memory, against a reference of
//! 100,000, beside other tools on the same data. Contenders take turns, each run in a process of its
//! own, one core; CPU seconds are compared.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use clap::Args;
use clause9_shared::baseline::BaselineBuilder;
use clause9_shared::digest::Digest;
use clause9_shared::inference::{Cell, Inference, Tensor, Values};
use clause9_shared::metric::{MetricId, Needs, Seen, StreamKind};
use clause9_shared::objective::Document;
use clause9_shared::objective::document::Subject;
use clause9_shared::plan::CapturePlan;
use clause9_shared::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::profile_data as data;
use super::{Bench, median, meter};

/// One timed part of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// What was done.
    pub phase: String,
    /// CPU seconds, user and system: of the process, or of our own only thread.
    pub cpu: f64,
}

/// One contender's run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    /// Round, from 1.
    pub round: usize,
    /// `clause9`, or the peer's script.
    pub contender: String,
    /// Its parts.
    pub phases: Vec<Phase>,
}

/// All runs, and medians by contender and part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The profile this program was built with.
    pub profile: String,
    /// Every run, in order.
    pub runs: Vec<Run>,
    /// Median CPU seconds by `contender: part`.
    pub medians: BTreeMap<String, f64>,
}

/// Peers: the script, and the virtual environment that it runs in.
const PEERS: [(&str, &str); 4] = [
    ("whylogs", "whylogs"),
    ("evidently", "evidently"),
    ("sketches", "sketches"),
    ("numpy", "sketches"),
];

/// Runs every contender in turns.
pub fn measure(
    rounds: usize,
    folder: &Path,
    peers: Option<&Path>,
    told: &mut dyn FnMut(&Run),
) -> anyhow::Result<Report> {
    data::write(folder)?;
    let mut runs = Vec::new();
    for round in 1..=rounds {
        let own = std::env::current_exe()?;
        let mut contenders = vec![(
            "clause9",
            command(&own, &["profile-self", "--data"], folder),
        )];
        for (script, environment) in PEERS {
            let Some(python) = peers.map(|p| p.join(environment).join("bin/python")) else {
                continue;
            };
            if python.exists() {
                let script_file = scripts().join(format!("peer_{script}.py"));
                let file = script_file.to_string_lossy().into_owned();
                contenders.push((script, command(&python, &[&file], folder)));
            }
        }
        for (name, mut command) in contenders {
            let output = command
                .output()
                .with_context(|| format!("cannot run {name}"))?;
            anyhow::ensure!(
                output.status.success(),
                "{name} failed: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            let text = String::from_utf8(output.stdout)?;
            let lines = text.lines().filter(|line| line.starts_with('{'));
            let run = Run {
                round,
                contender: name.to_owned(),
                phases: lines.map(serde_json::from_str).collect::<Result<_, _>>()?,
            };
            anyhow::ensure!(!run.phases.is_empty(), "{name} timed nothing");
            told(&run);
            runs.push(run);
        }
    }
    let mut all: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for run in &runs {
        for phase in &run.phases {
            let key = format!("{}: {}", run.contender, phase.phase);
            all.entry(key).or_default().push(phase.cpu);
        }
    }
    let medians = all
        .into_iter()
        .filter_map(|(key, cpu)| Some((key, median(cpu)?)));
    Ok(Report {
        profile: super::profile()?,
        medians: medians.collect(),
        runs,
    })
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/peers")
}

fn command(program: &Path, arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(folder);
    for threads in [
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "ARROW_NUM_THREADS",
    ] {
        command.env(threads, "1");
    }
    command
}

/// CPU seconds of what is done.
fn timed<T>(phase: &str, done: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Phase)> {
    let before = meter::cpu_nanoseconds(std::process::id())?;
    let result = done()?;
    let after = meter::cpu_nanoseconds(std::process::id())?;
    Ok((
        result,
        Phase {
            phase: phase.to_owned(),
            cpu: (after - before) as f64 / 1e9,
        },
    ))
}

/// Our own run: loads the data into memory, then times building the baseline, counting and measuring.
pub fn run_self(folder: &Path) -> anyhow::Result<Vec<Phase>> {
    let document = document()?;
    let reference = load(folder, "ref", 0..data::ROWS[0].1)?;
    let mut batches = Vec::new();
    for first in (0..data::ROWS[1].1).step_by(BATCH) {
        batches.push(load(
            folder,
            "cur",
            first..(first + BATCH).min(data::ROWS[1].1),
        )?);
    }
    let (baseline, built) = timed("build the baseline from 100,000 rows", || {
        let mut builder = BaselineBuilder::new(&document, "ref");
        for row in 0..reference.rows {
            for (index, tensor) in reference.inputs.iter().enumerate() {
                builder.observe(index, tensor.cell(row, 0));
            }
            builder.end_row();
        }
        Ok(builder.finish(Digest::of(b"ref"))?)
    })?;
    let plan = CapturePlan::new(&document, &baseline)?;
    let count = |which: std::ops::Range<usize>, phase: &str| {
        let some: Vec<Inference> = batches.iter().map(|batch| columns(batch, &which)).collect();
        timed(phase, || {
            let (mut traffic, mut known) = (plan.empty_traffic(), Vec::new());
            for batch in &some {
                known.clear();
                plan.observe_all(batch, &mut traffic, &mut known)?;
            }
            Ok(traffic)
        })
    };
    let all = data::NUMERIC + data::CATEGORIES.len();
    let (summary, counted) = count(0..all, "count 1,000,000 rows of 25 columns")?;
    let (_, numbers) = count(0..data::NUMERIC, "of these, 20 numeric columns alone")?;
    let (_, strings) = count(data::NUMERIC..all, "of these, 5 string columns alone")?;
    let (values, measured) = timed("measure every metric of every column", || {
        let mut values = 0;
        for metric in MetricId::ALL {
            let spec = metric.spec();
            let of_feature = matches!(
                spec.needs,
                Needs::Feature | Needs::NumericFeature | Needs::CategoricalFeature
            );
            if !of_feature || spec.stream != StreamKind::Traffic {
                continue;
            }
            for feature in &document.features {
                let of = Subject {
                    feature: Some(feature.name.clone()),
                    ..Subject::default()
                };
                let seen = Seen {
                    document: &document,
                    baseline: &baseline,
                    of: &of,
                    summary: &summary,
                    beside: clause9_shared::metric::Beside::default(),
                };
                values += usize::from(metric.measure(seen).is_ok());
            }
        }
        Ok(values)
    })?;
    anyhow::ensure!(values > 25, "only {values} values were measured");
    Ok(vec![built, counted, numbers, strings, measured])
}

/// A batch with some of its columns only; what is not there counts as missing, at next to no cost.
fn columns(batch: &Inference, which: &std::ops::Range<usize>) -> Inference {
    let mut some = batch.clone();
    some.inputs = some.inputs[which.clone()].to_vec();
    some
}

/// Rows of a batch.
const BATCH: usize = 8192;

pub(super) fn document() -> anyhow::Result<Document> {
    let names = (0..data::NUMERIC).map(|i| (format!("n{i:02}"), "numeric"));
    let names = names.chain((0..data::CATEGORIES.len()).map(|i| (format!("c{i}"), "categorical")));
    let features = names.map(|(name, kind)| {
        let mut feature =
            serde_json::json!({ "name": name, "type": kind, "from": { "input": name } });
        if kind == "numeric" {
            feature["unit"] = "1".into();
        }
        feature
    });
    Ok(serde_json::from_value(serde_json::json!({
        "clause9": "objectives/v1",
        "system": {
            "id": "bench", "name": "bench", "intended_purpose": "measuring speed", "owner": "nobody",
            "role": "developer", "models": [{ "name": "model", "source": "own" }],
        },
        "panes": { "length": "1d" },
        "features": features.collect::<Vec<_>>(),
        "outputs": {},
        "objectives": [],
    }))?)
}

fn load(folder: &Path, name: &str, rows: std::ops::Range<usize>) -> anyhow::Result<Inference> {
    let tensor = |name: String, values: Values| Tensor {
        name: name.into(),
        columns: 1,
        values,
    };
    let mut inputs = Vec::new();
    for column in 0..data::NUMERIC {
        let all = data::numbers(folder, name, column)?;
        let part = all
            .get(rows.clone())
            .context("the data is shorter than it should be")?;
        inputs.push(tensor(
            format!("n{column:02}"),
            Values::Float(part.to_vec()),
        ));
    }
    for column in 0..data::CATEGORIES.len() {
        let all = data::codes(folder, name, column)?;
        let part = all
            .get(rows.clone())
            .context("the data is shorter than it should be")?;
        let texts = part.iter().map(|code| data::category(column, *code).into());
        inputs.push(tensor(format!("c{column}"), Values::Text(texts.collect())));
    }
    // What is read of a row is what a model would have been sent.
    debug_assert_ne!(inputs.first().map(|t| t.cell(0, 0)), Some(Cell::Missing));
    Ok(Inference {
        model: "model".into(),
        model_version: "".into(),
        request_id: None,
        arrived_at: Timestamp::EPOCH,
        rows: rows.len(),
        inputs,
        outputs: Vec::new(),
    })
}

/// What is asked for.
#[derive(Args, Debug)]
pub struct Options {
    /// Rounds; each contender runs once in each.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Where the data is written, once.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// A folder of Python virtual environments: `whylogs`, `evidently`, `sketches`. Those that are
    /// not there are left out.
    #[arg(long, value_name = "DIR")]
    peers: Option<PathBuf>,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

impl Bench for Options {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let report = measure(self.rounds, &self.data, self.peers.as_deref(), &mut |run| {
            if !self.json {
                for phase in &run.phases {
                    let _ = writeln!(
                        out,
                        "round {} {}: {}: {:.3} CPU s",
                        run.round, run.contender, phase.phase, phase.cpu
                    );
                }
            }
        })?;
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
            return Ok(());
        }
        writeln!(out, "built with the profile `{}`; medians:", report.profile)?;
        let own = report
            .medians
            .iter()
            .find(|(name, _)| name.contains("count 1,000,000"));
        let own = own.map_or(f64::NAN, |(_, cpu)| *cpu);
        for (name, cpu) in &report.medians {
            writeln!(
                out,
                "{cpu:9.3} s, {:7.1} times counting here: {name}",
                cpu / own
            )?;
        }
        Ok(())
    }
}

/// One run of our own, in a process of its own.
#[derive(Args, Debug)]
pub struct OwnOptions {
    /// Where the data is.
    #[arg(long)]
    data: PathBuf,
}

impl Bench for OwnOptions {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        for phase in run_self(&self.data)? {
            writeln!(out, "{}", serde_json::to_string(&phase)?)?;
        }
        Ok(())
    }
}
