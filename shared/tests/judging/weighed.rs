//! Accuracy where labels come by the score: what weighing by scores takes out.

use std::collections::BTreeMap;

use clause9_shared::inference::{Inference, Tensor, Values};
use clause9_shared::metric::{Beside, Estimate, MetricId, Seen};
use clause9_shared::objective::document::{Scalar, Subject};
use clause9_shared::plan::{CapturePlan, Outcome};
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::Timestamp;

use crate::fixture::{SplitMix64, baseline, document};

fn column(name: &str, values: Vec<f64>) -> Tensor {
    Tensor {
        name: name.into(),
        columns: 1,
        values: Values::Float(values),
    }
}

/// A window of cases with scores that are chances, of which labels come as `comes` says of the score: what
/// is kept of it, and the share of right decisions among all cases.
fn window(
    plan: &CapturePlan,
    random: &mut SplitMix64,
    comes: impl Fn(f64) -> f64,
) -> (PaneSummary, PaneSummary, f64) {
    let scores: Vec<f64> = (0..2000).map(|_| random.uniform()).collect();
    let inference = Inference {
        model: "car-loan".into(),
        model_version: "1".into(),
        request_id: None,
        arrived_at: Timestamp::EPOCH,
        rows: scores.len(),
        inputs: vec![column("age", vec![40.0; scores.len()])],
        outputs: vec![column("probability", scores.clone())],
    };
    let (mut traffic, mut outcomes) = (plan.empty_traffic(), plan.empty_outcomes());
    let mut known = Vec::new();
    plan.observe_all(&inference, &mut traffic, &mut known)
        .unwrap();
    let mut right = 0_u32;
    for (score, prediction) in scores.iter().zip(&mut known) {
        let positive = random.uniform() < *score;
        right += u32::from(positive == (*score >= 0.5));
        if random.uniform() < comes(*score) {
            let outcome = Outcome {
                request_id: String::new(),
                row: 0,
                label: Some(Scalar::Number(f64::from(u8::from(positive)))),
                attributes: BTreeMap::new(),
                available_at: None,
            };
            plan.join(prediction, &outcome, &mut outcomes);
        }
    }
    (traffic, outcomes, f64::from(right) / scores.len() as f64)
}

fn measured(
    metric: MetricId,
    plan: &CapturePlan,
    of: &(PaneSummary, PaneSummary, f64),
) -> Estimate {
    let seen = Seen {
        document: plan.document(),
        baseline: plan.baseline(),
        of: &Subject::default(),
        summary: &of.1,
        beside: Beside {
            traffic: Some(&of.0),
            ..Beside::default()
        },
    };
    metric.measure(seen).unwrap()
}

#[test]
fn labels_that_come_for_sure_scores_first_do_not_flatter_it() {
    let plan = CapturePlan::new(&document(), &baseline()).unwrap();
    let mut random = SplitMix64(9);
    let (mut naive, mut weighed, mut held) = (0.0, 0.0, 0);
    for _ in 0..200 {
        let of = window(&plan, &mut random, |score| {
            0.05 + 0.9 * (2.0 * score - 1.0).abs()
        });
        naive += (measured(MetricId::Accuracy, &plan, &of).value - of.2) / 200.0;
        let found = measured(MetricId::PostStratifiedAccuracy, &plan, &of);
        weighed += (found.value - of.2) / 200.0;
        let (low, high) = found.interval.unwrap();
        held += u32::from(low <= of.2 && of.2 <= high);
    }
    assert!(naive > 0.05, "labelled cases alone: {naive}");
    assert!(weighed.abs() < 0.006, "weighed by scores: {weighed}");
    assert!(
        held >= 186,
        "{held} of 200 intervals hold what all cases show"
    );
}

#[test]
fn with_all_labels_there_it_is_accuracy() {
    let plan = CapturePlan::new(&document(), &baseline()).unwrap();
    let mut random = SplitMix64(3);
    for _ in 0..5 {
        let of = window(&plan, &mut random, |_| 1.0);
        let found = measured(MetricId::PostStratifiedAccuracy, &plan, &of);
        assert!(
            (found.value - of.2).abs() < 0.003,
            "{} and {}",
            found.value,
            of.2
        );
    }
}
