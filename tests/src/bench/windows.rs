//! Memory of open windows: one model of 100 features, 4 groups and 24 windows, each with traffic and
//! labels, above what the process takes with the plan alone. Each run in a process of its own.

use std::io::Write;
use std::process::Command;

use anyhow::Context as _;
use clap::Args;
use clause9_shared::baseline::BaselineBuilder;
use clause9_shared::digest::Digest;
use clause9_shared::inference::{Inference, Tensor, Values};
use clause9_shared::objective::Document;
use clause9_shared::objective::document::Scalar;
use clause9_shared::plan::{CapturePlan, Outcome};
use clause9_shared::time::Timestamp;
use clause9_shared::wire::codec::Encode as _;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Bench, median, meter, profile_data as data};

/// What 24 open windows may take, in MiB.
pub const GOAL_MIB: f64 = 16.0;
const FEATURES: usize = 100;
const CATEGORICAL: usize = 20;
const WINDOWS: usize = 24;
/// Rows of each window.
const ROWS: usize = 4000;

/// What is asked for.
#[derive(Args, Debug)]
pub struct Options {
    /// Rounds.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

/// One run in this process.
#[derive(Args, Debug)]
pub struct OwnOptions {}

/// What one process took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Resident with the plan alone, in KiB.
    pub empty_kib: u64,
    /// Resident with all windows, in KiB.
    pub full_kib: u64,
    /// Encoded bytes of one window, both streams.
    pub encoded: usize,
}

impl Run {
    fn mib(&self) -> f64 {
        self.full_kib.saturating_sub(self.empty_kib) as f64 / 1024.0
    }
}

impl Bench for Options {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut runs: Vec<Run> = Vec::new();
        for round in 1..=self.rounds {
            let this = std::env::current_exe()?;
            let output = Command::new(this).arg("windows-self").output()?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            anyhow::ensure!(output.status.success(), "the run failed: {said}");
            let run: Run = serde_json::from_slice(&output.stdout)?;
            anyhow::ensure!(run.full_kib > run.empty_kib, "the windows took nothing");
            if !self.json {
                writeln!(
                    out,
                    "round {round}: {:.1} MiB above {:.1} MiB; a window of {} rows encodes to {} bytes",
                    run.mib(),
                    run.empty_kib as f64 / 1024.0,
                    ROWS,
                    run.encoded
                )?;
            }
            runs.push(run);
        }
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&runs)?)?;
            return Ok(());
        }
        let middle = median(runs.iter().map(Run::mib).collect()).context("no rounds")?;
        writeln!(
            out,
            "{WINDOWS} windows of {FEATURES} features and 4 groups: {middle:.1} MiB (goal {GOAL_MIB} MiB)"
        )?;
        Ok(())
    }
}

impl Bench for OwnOptions {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let plan = plan()?;
        let whole = exchange(ROWS, 2);
        let mut known = Vec::with_capacity(ROWS);
        let mut windows = Vec::new();
        // Once beforehand, so that what all windows share is there.
        fill(&plan, &whole, &mut known)?;
        let empty_kib = meter::read(std::process::id())?.resident_kib;
        for _ in 0..WINDOWS {
            windows.push(fill(&plan, &whole, &mut known)?);
        }
        let full_kib = meter::read(std::process::id())?.resident_kib;
        let (traffic, outcomes) = &windows[0];
        let encoded = traffic.to_bytes().len() + outcomes.to_bytes().len();
        let run = Run {
            empty_kib,
            full_kib,
            encoded,
        };
        writeln!(out, "{}", serde_json::to_string(&run)?)?;
        Ok(())
    }
}

type Window = (
    clause9_shared::sketch::PaneSummary,
    clause9_shared::sketch::PaneSummary,
);

fn fill(
    plan: &CapturePlan,
    whole: &Inference,
    known: &mut Vec<clause9_shared::plan::Prediction>,
) -> anyhow::Result<Window> {
    let (mut traffic, mut outcomes) = (plan.empty_traffic(), plan.empty_outcomes());
    known.clear();
    plan.observe_all(whole, &mut traffic, known)?;
    for (row, prediction) in known.iter_mut().enumerate() {
        let outcome = Outcome {
            request_id: String::new(),
            row: 0,
            label: Some(Scalar::Number((row / 3 % 2) as f64)),
            attributes: std::collections::BTreeMap::new(),
            available_at: None,
        };
        plan.join(prediction, &outcome, &mut outcomes);
    }
    Ok((traffic, outcomes))
}

fn plan() -> anyhow::Result<CapturePlan> {
    let features = (0..FEATURES).map(|i| {
        let kind = if i < FEATURES - CATEGORICAL {
            "numeric"
        } else {
            "categorical"
        };
        let mut feature =
            json!({ "name": format!("f{i}"), "type": kind, "from": { "input": format!("f{i}") } });
        if kind == "numeric" {
            feature["unit"] = "1".into();
        }
        feature
    });
    let document: Document = serde_json::from_value(json!({
        "clause9": "objectives/v1",
        "system": {
            "id": "bench", "name": "bench", "intended_purpose": "measuring size", "owner": "nobody",
            "role": "developer", "models": [{ "name": "model", "source": "own" }],
        },
        "panes": { "length": "1h" },
        "features": features.collect::<Vec<_>>(),
        "outputs": {
            "score": { "from": { "output": "p" } },
            "decision": { "rule": { "score_at_least": 0.5 }, "positive_means": "granted" },
            "label": { "positive": 1, "negative": 0 },
        },
        "attributes": [{
            "name": "group", "from": { "request": { "input": "group" } },
            "groups": ["a", "b", "c", "d"], "reference": "a",
        }],
        "objectives": [],
    }))?;
    let mut builder = BaselineBuilder::new(&document, "reference");
    let reference = exchange(5000, 1);
    for row in 0..reference.rows {
        for index in 0..FEATURES {
            builder.observe(index, reference.inputs[index].cell(row, 0));
        }
        builder.end_row();
    }
    Ok(CapturePlan::new(
        &document,
        &builder.finish(Digest::of(b"reference"))?,
    )?)
}

fn exchange(rows: usize, seed: u64) -> Inference {
    let tensor = |name: String, values: Values| Tensor {
        name: name.into(),
        columns: 1,
        values,
    };
    let mut inputs = Vec::new();
    let mut lot = seed * 10;
    while inputs.len() < FEATURES - CATEGORICAL {
        for values in data::draw(rows, lot).0 {
            inputs.push(tensor(format!("f{}", inputs.len()), Values::Float(values)));
        }
        lot += 1;
    }
    while inputs.len() < FEATURES {
        for (column, codes) in data::draw(rows, lot).1.iter().enumerate() {
            let texts = codes
                .iter()
                .map(|code| data::category(column, *code).into());
            inputs.push(tensor(
                format!("f{}", inputs.len()),
                Values::Text(texts.collect()),
            ));
        }
        lot += 1;
    }
    let groups = (0..rows).map(|i| ["a", "b", "c", "d"][i % 4].into());
    inputs.push(tensor("group".to_owned(), Values::Text(groups.collect())));
    let scores = (0..rows).map(|i| (i * 619 % 4001) as f64 / 4000.0);
    Inference {
        model: "model".into(),
        model_version: "".into(),
        request_id: None,
        arrived_at: Timestamp::EPOCH,
        rows,
        inputs,
        outputs: vec![tensor("p".to_owned(), Values::Float(scores.collect()))],
    }
}
