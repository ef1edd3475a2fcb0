//! How long the collector's core takes: compiling an objective into bets, and evaluating a thousand
//! objectives on one merged window (measuring, the ledger's step, the verdict). One thread, no I/O.

use std::io::Write;
use std::time::Instant;

use clap::Args;
use clause9_shared::baseline::Baseline;
use clause9_shared::digest::Digest;
use clause9_shared::judge::{Compiled, LedgerState};
use clause9_shared::metric::Seen;
use clause9_shared::objective::document::{Document, Objective};
use clause9_shared::plan::CapturePlan;
use clause9_shared::sketch::{
    Categories, Confusion, CutCounts, Hygiene, PaneSummary, ScoreCells, SummaryOf,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::Bench;

/// Objectives that are evaluated.
pub const OBJECTIVES: usize = 1000;
/// What compiling one drift objective and evaluating all objectives may take, in milliseconds.
pub const GOALS_MS: (f64, f64) = (50.0, 20.0);

/// Rows of the baseline.
const ROWS: u64 = 10_010;
const NUMERIC: usize = 20;
const CATEGORICAL: usize = 5;

/// What was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The profile this was built with.
    pub profile: String,
    /// Milliseconds to compile each drift objective: the longest.
    pub compile_longest_ms: f64,
    /// The middle.
    pub compile_median_ms: f64,
    /// Bets of the drift objective with the most.
    pub most_bets: usize,
    /// Milliseconds to evaluate all objectives, in each round.
    pub evaluate_ms: Vec<f64>,
    /// The middle of the rounds.
    pub evaluate_median_ms: f64,
    /// Of that, for measuring alone.
    pub measure_median_ms: f64,
}

/// Compiles and evaluates.
pub fn measure(rounds: usize) -> anyhow::Result<Report> {
    let (document, baseline) = (document()?, baseline()?);
    let plan = CapturePlan::new(&document, &baseline)?;
    let (mut compiled, mut compiling) = (Vec::new(), Vec::new());
    for objective in &document.objectives {
        let begun = Instant::now();
        let one = Compiled::new(&document, objective, &baseline)?;
        if objective.metric.spec().name == "psi" {
            compiling.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        compiled.push(one);
    }
    let window = window(&plan);
    let seen = |objective: &Objective| {
        let of = &objective.of;
        let seen = Seen {
            document: &document,
            baseline: &baseline,
            of,
            summary: &window,
            beside: clause9_shared::metric::Beside::default(),
        };
        objective.metric.measure(seen)
    };
    let mut states: Vec<LedgerState> = compiled.iter().map(Compiled::start).collect();
    let (mut evaluating, mut measuring) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let begun = Instant::now();
        let measured: Vec<_> = compiled.iter().map(|c| seen(&c.objective)).collect();
        measuring.push(begun.elapsed().as_secs_f64() * 1e3);
        let mut said = 0;
        for ((compiled, state), block) in compiled.iter().zip(&mut states).zip(&measured) {
            compiled.step(state, block);
            said += compiled.verdict(state, block).because.len();
        }
        evaluating.push(begun.elapsed().as_secs_f64() * 1e3);
        anyhow::ensure!(said > OBJECTIVES, "verdicts say nothing");
        let found = measured.iter().filter(|m| m.is_ok()).count();
        anyhow::ensure!(
            found == OBJECTIVES,
            "only {found} of {OBJECTIVES} have a value"
        );
    }
    let middle = |of: &[f64]| super::median(of.to_vec()).unwrap_or_default();
    Ok(Report {
        profile: super::profile()?,
        compile_longest_ms: compiling.iter().copied().fold(0.0, f64::max),
        compile_median_ms: middle(&compiling),
        most_bets: compiled.iter().map(|c| c.action.len()).max().unwrap_or(0),
        evaluate_median_ms: middle(&evaluating),
        measure_median_ms: middle(&measuring),
        evaluate_ms: evaluating,
    })
}

fn objectives() -> Vec<Value> {
    let features = NUMERIC + CATEGORICAL;
    let one = |number: usize| {
        let feature = json!({ "feature": format!("f{}", number % features) });
        // Levels differ, so that no two objectives are the same.
        let step = (number / features) as f64 / 1000.0;
        let (metric, of, comparator, level) = match number % 5 {
            0..=2 => ("psi", feature, "at_most", 0.1 + step),
            3 => ("missing_rate", feature, "at_most", 0.01 + step),
            _ => match number % 3 {
                0 => ("accuracy", json!({}), "at_least", 0.85 + step),
                1 => ("roc_auc", json!({}), "at_least", 0.8 + step),
                _ => (
                    "demographic_parity_ratio",
                    json!({ "attribute": "sex", "group": "b" }),
                    "at_least",
                    0.8 + step,
                ),
            },
        };
        json!({
            "id": format!("o{number}"), "version": 1, "statement": "As at approval.", "policy": "4",
            "metric": metric, "of": of, "comparator": comparator, "levels": { "action": level },
            "window": "1h", "min_support": 100, "evaluate_every": "1d", "owner": "head",
            "approver": "committee", "effective_from": "2026-01-01T00:00:00Z", "references": []
        })
    };
    (0..OBJECTIVES).map(one).collect()
}

fn document() -> anyhow::Result<Document> {
    let feature = |i: usize| {
        let (kind, unit) = if i < NUMERIC {
            ("numeric", json!("1"))
        } else {
            ("categorical", Value::Null)
        };
        let mut feature =
            json!({ "name": format!("f{i}"), "type": kind, "from": { "input": format!("f{i}") } });
        if !unit.is_null() {
            feature["unit"] = unit;
        }
        feature
    };
    let features: Vec<Value> = (0..NUMERIC + CATEGORICAL).map(feature).collect();
    Ok(serde_json::from_value(json!({
        "clause9": "objectives/v1",
        "system": {
            "id": "bench", "name": "Bench", "intended_purpose": "Measuring.", "owner": "head",
            "role": "user", "models": [{ "name": "bench", "source": "own" }]
        },
        "panes": { "length": "1h" },
        "features": features,
        "outputs": {
            "score": { "from": { "output": "p" } },
            "decision": { "rule": { "score_at_least": 0.5 }, "positive_means": "approved" },
            "label": { "positive": 1, "negative": 0 }
        },
        "attributes": [
            { "name": "sex", "from": "outcome", "groups": ["a", "b"], "reference": "a" }
        ],
        "objectives": objectives()
    }))?)
}

fn baseline() -> anyhow::Result<Baseline> {
    let mut features = serde_json::Map::new();
    for i in 0..NUMERIC + CATEGORICAL {
        let law = if i < NUMERIC {
            json!({
                "kind": "numeric", "center": 0.5, "scale_exponent": -1,
                "cuts": (1..10).map(|c| f64::from(c) / 10.0).collect::<Vec<_>>(),
                "counts": vec![1000; 10], "missing": 10, "invalid": 0
            })
        } else {
            let counts: Vec<u64> = (0..30).map(|c| 1000 / (1 + c)).collect();
            let listed: u64 = counts.iter().sum();
            json!({
                "kind": "categorical", "categories": (10..40).map(|c| c.to_string()).collect::<Vec<_>>(),
                "counts": counts, "other": ROWS - listed - 5, "missing": 5
            })
        };
        features.insert(format!("f{i}"), law);
    }
    Ok(serde_json::from_value(json!({
        "clause9": "baseline/v1", "system": "bench",
        "source": { "name": "bench", "digest": Digest::of(b"bench") },
        "rows": ROWS, "features": features
    }))?)
}

/// A window of 1,000 rows, both streams together.
fn window(plan: &CapturePlan) -> PaneSummary {
    let (traffic, outcomes) = (plan.empty_traffic(), plan.empty_outcomes());
    let mut entries: Vec<_> = Vec::new();
    for (key, summary) in traffic.iter().chain(outcomes.iter()) {
        let mut summary = summary.clone();
        for row in 0..1000_u32 {
            let share = f64::from(row * 619 % 1000) / 1000.0;
            let (label, group) = (row % 3 == 0, Some((row % 2) as u8));
            let score = if label {
                0.3 + 0.7 * share
            } else {
                0.7 * share
            };
            if let SummaryOf::Feature(_) = &key.of {
                if let Some(cuts) = CutCounts::of_mut(&mut summary) {
                    cuts.add(share);
                }
                if let Some(hygiene) = Hygiene::of_mut(&mut summary) {
                    hygiene.add_usable(false, false);
                }
                if let Some(categories) = Categories::of_mut(&mut summary) {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "a category of thirty"
                    )]
                    categories.add(Some((30.0 * share * share) as usize));
                }
            } else if let Some(table) = Confusion::of_mut(&mut summary) {
                table.add(Some(label), Some(score >= 0.5), group);
            } else if let Some(cells) = ScoreCells::of_mut(&mut summary) {
                cells.add(Some(score), Some(label), group);
            }
        }
        entries.push((key.clone(), summary));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries.dedup_by(|a, b| a.0 == b.0);
    PaneSummary::new(entries)
}

/// What is asked for.
#[derive(Args, Debug)]
pub struct Options {
    /// Rounds; all objectives are evaluated once in each.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

impl Bench for Options {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let report = measure(self.rounds)?;
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
            return Ok(());
        }
        writeln!(out, "built with the profile `{}`", report.profile)?;
        let (compile_goal, evaluate_goal) = GOALS_MS;
        writeln!(
            out,
            "compiling a drift objective: median {:.1} ms, longest {:.1} ms, at most {} bets (goal {compile_goal} ms)",
            report.compile_median_ms, report.compile_longest_ms, report.most_bets
        )?;
        for (round, ms) in report.evaluate_ms.iter().enumerate() {
            writeln!(
                out,
                "round {}: {} objectives in {ms:.1} ms",
                round + 1,
                OBJECTIVES
            )?;
        }
        writeln!(
            out,
            "median {:.1} ms, of which measuring {:.1} ms (goal {evaluate_goal} ms)",
            report.evaluate_median_ms, report.measure_median_ms
        )?;
        Ok(())
    }
}
