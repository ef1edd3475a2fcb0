//! Blocks of one to three cases: what needs a normal approximation waits for enough, by its counts, and
//! says then what the same cases say as one block.

use clause9_shared::baseline::{Baseline, BaselineBuilder};
use clause9_shared::digest::Digest;
use clause9_shared::inference::{Cell, Inference, Tensor, Values};
use clause9_shared::judge::{Compiled, LedgerState, Taken};
use clause9_shared::metric::{Beside, Measurement, Seen};
use clause9_shared::objective::document::{Document, Scalar};
use clause9_shared::plan::{CapturePlan, Outcome};
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::Timestamp;
use clause9_shared::verdict::VerdictState;
use serde_json::{Value, json};

use crate::fixture::SplitMix64;

/// A system that predicts a number, and one objective.
fn document(metric: &str, action: f64) -> Document {
    serde_json::from_value(json!({
        "clause9": "objectives/v1",
        "system": {
            "id": "prices", "name": "Prices", "intended_purpose": "Advice.", "owner": "head",
            "role": "user", "models": [{ "name": "prices", "source": "own" }]
        },
        "panes": { "length": "1m" },
        "features": [{ "name": "x", "type": "numeric", "unit": "1", "from": { "input": "x" } }],
        "outputs": {
            "value": { "from": { "output": "price" }, "unit": "1" },
            "label": { "type": "numeric" }
        },
        "objectives": [{
            "id": "error", "version": 1, "statement": "Near enough.", "policy": "4.1",
            "metric": metric, "comparator": "at_most", "levels": { "action": action },
            "window": "1m", "min_support": 50, "evaluate_every": "7d", "label_delay": "1d",
            "owner": "head", "approver": "committee", "cycle": "1d",
            "effective_from": "2026-01-01T00:00:00Z", "references": []
        }]
    }))
    .unwrap()
}

struct World {
    document: Document,
    baseline: Baseline,
    plan: CapturePlan,
    compiled: Compiled,
}

impl World {
    fn new(metric: &str, action: f64) -> Self {
        let document = document(metric, action);
        let mut builder = BaselineBuilder::new(&document, "reference");
        let mut chance = SplitMix64(1);
        for _ in 0..2000 {
            builder.observe(0, Cell::Float(chance.normal()));
            builder.observe_value(10.0 + chance.normal());
            builder.end_row();
        }
        let baseline = builder.finish(Digest::of(b"reference")).unwrap();
        let plan = CapturePlan::new(&document, &baseline).unwrap();
        let compiled = Compiled::new(&document, &document.objectives[0], &baseline).unwrap();
        Self {
            document,
            baseline,
            plan,
            compiled,
        }
    }

    /// A block of these errors.
    fn block(&self, errors: &[f64]) -> PaneSummary {
        let tensor = |name: &str| Tensor {
            name: name.into(),
            columns: 1,
            values: Values::Float(vec![10.0; errors.len()]),
        };
        let inference = Inference {
            model: "prices".into(),
            model_version: "".into(),
            request_id: None,
            arrived_at: Timestamp::from_micros(0).unwrap(),
            rows: errors.len(),
            inputs: vec![tensor("x")],
            outputs: vec![tensor("price")],
        };
        let (mut traffic, mut outcomes) = (self.plan.empty_traffic(), self.plan.empty_outcomes());
        let mut predictions = Vec::new();
        self.plan
            .observe_all(&inference, &mut traffic, &mut predictions)
            .unwrap();
        for (prediction, error) in predictions.iter_mut().zip(errors) {
            let outcome = Outcome {
                request_id: "r".to_owned(),
                row: 0,
                label: Some(Scalar::Number(10.0 - error)),
                attributes: std::collections::BTreeMap::new(),
                available_at: None,
            };
            self.plan.join(prediction, &outcome, &mut outcomes);
        }
        outcomes
    }

    fn take(&self, state: &mut LedgerState, errors: &[f64]) -> (Measurement, Taken) {
        let summary = self.block(errors);
        let seen = Seen {
            document: &self.document,
            baseline: &self.baseline,
            of: &self.compiled.objective.of,
            summary: &summary,
            beside: Beside::default(),
        };
        let (measured, step) = self.compiled.take(state, seen);
        (measured, step.taken)
    }

    /// The verdict after blocks of these errors, and how wide what is known of the mean is.
    fn judge(&self, blocks: &[Vec<f64>]) -> (VerdictState, Option<(f64, f64)>) {
        let (mut state, mut last) = (self.compiled.start(), None);
        for errors in blocks {
            last = Some(self.take(&mut state, errors).0);
            // What waits is kept with the evidence, and read again.
            let text = serde_json::to_string(&state).unwrap();
            let read: LedgerState = serde_json::from_str(&text).unwrap();
            assert_eq!(read, state);
        }
        let verdict = self.compiled.verdict(&state, &last.unwrap());
        (verdict.state, verdict.running.map(|r| (r.low, r.high)))
    }
}

fn errors(seed: u64, of: usize) -> Vec<f64> {
    let mut chance = SplitMix64(seed);
    (0..of).map(|_| chance.normal()).collect()
}

/// One by one, now and then two.
fn ones(errors: &[f64]) -> Vec<Vec<f64>> {
    let mut chance = SplitMix64(99);
    let mut blocks: Vec<Vec<f64>> = Vec::new();
    for error in errors {
        match blocks.last_mut() {
            Some(last) if last.len() == 1 && chance.uniform() < 0.03 => last.push(*error),
            Some(_) | None => blocks.push(vec![*error]),
        }
    }
    blocks
}

#[test]
fn a_mean_within_its_level_is_no_breach_however_small_the_blocks() {
    let world = World::new("mean_error", 0.1);
    for seed in 0..20 {
        let (state, _) = world.judge(&ones(&errors(1000 + seed, 1440)));
        assert_ne!(state, VerdictState::Nonconforming, "seed {seed}");
        assert_ne!(state, VerdictState::Warning, "seed {seed}");
    }
    // And one well beyond is found.
    let beyond: Vec<f64> = errors(7, 1440).iter().map(|e| e + 0.6).collect();
    assert_eq!(world.judge(&ones(&beyond)).0, VerdictState::Nonconforming);
}

#[test]
fn few_cases_are_not_known_exactly_because_they_came_one_by_one() {
    let world = World::new("mae", 0.9);
    let few = errors(3, 60);
    let (state, running) = world.judge(&ones(&few));
    let (low, high) = running.unwrap();
    assert!(high - low > 0.3, "{low} to {high}");
    assert_ne!(state, VerdictState::Conforming);
}

#[test]
fn a_quantile_of_small_blocks_is_that_of_their_cases_together() {
    // The 90 % quantile of |N(0, 1)| is 1.645; the mean of single errors is 0.8.
    let world = World::new("absolute_error_p90", 1.55);
    let (state, running) = world.judge(&ones(&errors(5, 4000)));
    let (low, high) = running.unwrap();
    assert!(low < 1.645 && 1.645 < high, "{low} to {high}");
    assert_ne!(state, VerdictState::Conforming);
}

#[test]
fn what_waits_is_said_and_counted_once() {
    let world = World::new("mean_error", 0.1);
    let mut state = world.compiled.start();
    let all = errors(11, 60);
    for error in &all[..49] {
        assert_eq!(world.take(&mut state, &[*error]).1, Taken::Pooled);
    }
    assert_eq!((state.support, state.blocks), (49, 49));
    let verdict = world
        .compiled
        .verdict(&state, &Err(clause9_shared::metric::Unmeasurable::NoData));
    assert_eq!(verdict.state, VerdictState::Inconclusive);
    assert_eq!(verdict.running, None);
    assert_eq!(world.take(&mut state, &all[49..50]).1, Taken::Judged);
    assert_eq!(state.support, 50);
    let mut at_once = world.compiled.start();
    let (measured, taken) = world.take(&mut at_once, &all[..50]);
    assert_eq!(taken, Taken::Judged);
    // The same bytes of counts, so the same evidence to the bit.
    assert_eq!(state.action.evidence(), at_once.action.evidence());
    let text = |state: &LedgerState| serde_json::to_value(&state.sums).unwrap();
    assert_eq!(text(&state), text(&at_once));
    assert_eq!(measured.unwrap().support, 50);
}

#[test]
fn a_trickle_does_not_keep_an_old_verdict_alive() {
    let world = World::new("mae", 5.0);
    let Value::Object(mut objective) = serde_json::to_value(&world.compiled.objective).unwrap()
    else {
        panic!("an objective is an object");
    };
    objective.remove("label_delay");
    let objective = serde_json::from_value(Value::Object(objective)).unwrap();
    let compiled = Compiled::new(&world.document, &objective, &world.baseline).unwrap();
    let world = World { compiled, ..world };
    let mut blocks = vec![errors(1, 1000); 5];
    assert_eq!(world.judge(&blocks).0, VerdictState::Conforming);
    // One quiet pane among others is nothing.
    blocks.push(errors(1, 1));
    assert_eq!(world.judge(&blocks).0, VerdictState::Conforming);
    for n in 0..20 {
        blocks.push(errors(n, 1));
    }
    assert_eq!(world.judge(&blocks).0, VerdictState::Inconclusive);
    // It is alive again once there are enough.
    blocks.push(errors(2, 60));
    assert_eq!(world.judge(&blocks).0, VerdictState::Conforming);
}
