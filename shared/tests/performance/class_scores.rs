//! Scores of several classes, from a document to the areas under their ROC curves: values by scikit-learn.

use std::collections::BTreeMap;

use clause9_shared::baseline::{Baseline, BaselineBuilder};
use clause9_shared::digest::Digest;
use clause9_shared::inference::{Inference, Tensor, Values};
use clause9_shared::metric::{Beside, Estimate, MetricId, Seen, Unmeasurable};
use clause9_shared::objective::document::{Document, Scalar, Subject};
use clause9_shared::plan::{CapturePlan, Outcome};
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::Timestamp;
use serde_json::{Value, json};

const CLASSES: [&str; 3] = ["car", "home", "other"];
const METRICS: [&str; 2] = ["roc_auc.ovr_macro", "roc_auc.hand_till"];

fn document(classes: &Value) -> Document {
    serde_json::from_value(json!({
        "clause9": "objectives/v1",
        "system": { "id": "s", "name": "S", "intended_purpose": "Advises.", "owner": "a",
            "role": "user", "models": [{ "name": "m", "source": "own" }] },
        "panes": { "length": "1d" },
        "features": [],
        "outputs": {
            "decision": { "rule": { "class": { "from": { "output": "kind" }, "classes": classes,
                "scores": { "output": "p" } } } },
            "label": { "type": "class" }
        },
        "objectives": []
    }))
    .unwrap()
}

fn three() -> Document {
    document(&json!(CLASSES))
}

fn baseline() -> Baseline {
    let mut builder = BaselineBuilder::new(&three(), "reference.csv");
    builder.end_row();
    builder.finish(Digest::of(b"reference")).unwrap()
}

/// Three hundred cases by a linear congruential generator that the script behind the golden values has,
/// too: the true class, and scores of the classes, rounded down to three decimals or not.
fn cases(rounded: bool) -> Vec<(usize, [f64; 3])> {
    let mut state = 20_260_102_u64;
    let mut next = || {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        state >> 16
    };
    let each = (0..300).map(|_| {
        let truth = [0, 0, 0, 1, 1, 2][usize::try_from(next() % 6).unwrap()];
        let mut weights = [0, 1, 2].map(|_| next() % 1000 + 1);
        weights[truth] += 400;
        let total: u64 = weights.iter().sum();
        let score = |weight: u64| {
            if rounded {
                (weight * 1000 / total) as f64 / 1000.0
            } else {
                weight as f64 / total as f64
            }
        };
        (truth, weights.map(score))
    });
    each.collect()
}

fn counted(plan: &CapturePlan, cases: &[(usize, [f64; 3])]) -> PaneSummary {
    let scores = cases.iter().flat_map(|(_, scores)| *scores).collect();
    let inference = Inference {
        model: "m".into(),
        model_version: "1".into(),
        request_id: Some("r".into()),
        arrived_at: Timestamp::EPOCH,
        rows: cases.len(),
        inputs: Vec::new(),
        outputs: vec![
            Tensor {
                name: "kind".into(),
                columns: 1,
                values: Values::Text(vec!["car".into(); cases.len()]),
            },
            Tensor {
                name: "p".into(),
                columns: 3,
                values: Values::Float(scores),
            },
        ],
    };
    let (mut traffic, mut outcomes) = (plan.empty_traffic(), plan.empty_outcomes());
    let mut known = Vec::new();
    plan.observe_all(&inference, &mut traffic, &mut known)
        .unwrap();
    for (row, (truth, _)) in cases.iter().enumerate() {
        let outcome = Outcome {
            request_id: "r".into(),
            row: u32::try_from(row).unwrap(),
            label: Some(Scalar::Text(CLASSES[*truth].to_owned())),
            attributes: BTreeMap::new(),
            available_at: None,
        };
        plan.join(&mut known[row], &outcome, &mut outcomes);
    }
    outcomes
}

fn measure(outcomes: &PaneSummary, metric: &str) -> Result<Estimate, Unmeasurable> {
    measure_of(outcomes, metric, None)
}

fn measure_of(
    outcomes: &PaneSummary,
    metric: &str,
    class: Option<&str>,
) -> Result<Estimate, Unmeasurable> {
    MetricId::by_name(metric).unwrap().measure(Seen {
        document: &three(),
        baseline: &baseline(),
        of: &Subject {
            class: class.map(str::to_owned),
            ..Subject::default()
        },
        summary: outcomes,
        beside: Beside::default(),
    })
}

#[test]
fn areas_of_several_classes_are_those_of_scikit_learn() {
    let plan = CapturePlan::new(&three(), &baseline()).unwrap();
    // scikit-learn 1.9.1, `roc_auc_score(y, p, multi_class="ovr" | "ovo", average="macro")`; of rounded
    // scores, which do not add up to 1, the mean of the areas of two classes each.
    for (rounded, expected) in [
        (true, [0.879_030_908_079_824, 0.882_298_431_480_462_2]),
        (false, [0.879_075_774_517_204_8, 0.882_362_639_882_590_2]),
    ] {
        let outcomes = counted(&plan, &cases(rounded));
        for (metric, value) in METRICS.iter().zip(expected) {
            let found = measure(&outcomes, metric).unwrap();
            let (low, high) = found.bound.unwrap();
            assert!(
                low - 1e-12 <= value && value <= high + 1e-12,
                "{metric} {found:?}"
            );
            assert!(high - low < 0.02, "{metric} {found:?}");
            let (from, to) = found.interval.unwrap();
            assert!(from < found.value && found.value < to && to < 1.0);
            assert_eq!(found.support, 300);
        }
    }
}

/// A reference value within the bound, the value within its interval, the bound no wider than this.
fn holds(found: &Estimate, reference: f64, width: f64, what: &str) {
    let (low, high) = found.bound.unwrap();
    let within = low - 1e-12 <= reference && reference <= high + 1e-12;
    assert!(within && high - low < width, "{what} {reference} {found:?}");
    let (from, to) = found.interval.unwrap();
    assert!(from < found.value && found.value < to, "{what} {found:?}");
    assert_eq!(found.support, 300, "{what}");
}

#[test]
fn losses_of_several_classes_are_those_of_scikit_learn() {
    let plan = CapturePlan::new(&three(), &baseline()).unwrap();
    // scikit-learn 1.9.0, `log_loss` and `brier_score_loss(scale_by_half=False)`; of rounded scores, which do
    // not add up to 1, the same sums by numpy.
    for (rounded, log_loss, brier) in [
        (true, 0.772_676_453_181_579_7, 0.454_207_496_666_666_65),
        (false, 0.771_593_994_425_861_5, 0.454_246_154_563_281_43),
    ] {
        let outcomes = counted(&plan, &cases(rounded));
        let found = measure(&outcomes, "multiclass_log_loss").unwrap();
        holds(&found, log_loss, 0.05, "log loss");
        let found = measure(&outcomes, "multiclass_brier").unwrap();
        holds(&found, brier, 0.05, "Brier score");
    }
}

#[test]
fn areas_of_each_class_are_those_of_scikit_learn_and_their_mean_that_of_all() {
    let plan = CapturePlan::new(&three(), &baseline()).unwrap();
    // scikit-learn 1.9.0, `roc_auc_score(y == class, p[:, class])`.
    for (rounded, areas) in [
        (
            true,
            [0.857_929_220_894_990_2, 0.879_363_503_344_481_7, 0.8998],
        ),
        (
            false,
            [0.857_996_077_732_216_1, 0.879_311_245_819_398, 0.899_92],
        ),
    ] {
        let outcomes = counted(&plan, &cases(rounded));
        let mut sum = 0.0;
        for (class, area) in CLASSES.iter().zip(areas) {
            let found = measure_of(&outcomes, "class_roc_auc", Some(class)).unwrap();
            holds(&found, area, 0.02, class);
            sum += found.value;
        }
        let mean = measure(&outcomes, "roc_auc.ovr_macro").unwrap().value;
        assert!((sum / 3.0 - mean).abs() < 1e-12);
    }
}

/// Groups of equal mass over raw scores, closed as soon as all so far reach their share.
fn error_by_mass(cases: &[(usize, [f64; 3])], class: usize) -> f64 {
    let mut rows: Vec<(f64, f64)> = cases
        .iter()
        .map(|(truth, scores)| (scores[class], f64::from(u8::from(*truth == class))))
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n = rows.len() as f64;
    let groups = rows.chunk_by(|a, b| a.0.to_bits() == b.0.to_bits());
    let (mut so_far, mut closed, mut error) = (0.0, 0.0, 0.0);
    let mut open = (0.0, 0.0, 0.0);
    for tied in groups {
        for (score, hit) in tied {
            open = (open.0 + 1.0, open.1 + score, open.2 + hit);
            so_far += 1.0;
        }
        if so_far * 15.0 >= (closed + 1.0) * n {
            error += (open.1 - open.2).abs() / n;
            open = (0.0, 0.0, 0.0);
            closed = (so_far * 15.0 / n).floor();
        }
    }
    error + (open.1 - open.2).abs() / n
}

#[test]
fn calibration_of_each_class_is_near_that_of_its_raw_scores() {
    let plan = CapturePlan::new(&three(), &baseline()).unwrap();
    let cases = cases(true);
    let outcomes = counted(&plan, &cases);
    for (place, class) in CLASSES.iter().enumerate() {
        let found = measure_of(&outcomes, "class_ece.mass", Some(class)).unwrap();
        let raw = error_by_mass(&cases, place);
        // Groups end with cells, not with scores: some cases stand in the next group.
        assert!((found.value - raw).abs() < 0.03, "{class} {raw} {found:?}");
        let (low, high) = found.bound.unwrap();
        assert!(low <= found.value && found.value <= high);
    }
}

#[test]
fn certain_scores_of_several_classes_cost_nothing_or_all() {
    let plan = CapturePlan::new(&three(), &baseline()).unwrap();
    let sure = |right: bool| -> Vec<(usize, [f64; 3])> {
        let each = (0..30).map(|i| {
            let (truth, mut scores) = (i % 3, [0.0; 3]);
            scores[if right { truth } else { (truth + 1) % 3 }] = 1.0;
            (truth, scores)
        });
        each.collect()
    };
    for (right, brier, log_loss) in [(true, 0.0, 0.0), (false, 2.0, 36.043_653_389_117_15)] {
        let outcomes = counted(&plan, &sure(right));
        let found = measure(&outcomes, "multiclass_brier").unwrap();
        assert!((found.value - brier).abs() < 1e-12, "{found:?}");
        let found = measure(&outcomes, "multiclass_log_loss").unwrap();
        assert!((found.value - log_loss).abs() < 1e-12, "{found:?}");
        let area = measure_of(&outcomes, "class_roc_auc", Some("car")).unwrap();
        assert!(area.value.is_finite());
    }
    let unknown = measure_of(&plan.empty_outcomes(), "class_roc_auc", Some("boat"));
    assert!(unknown.is_err());
}

#[test]
fn scores_that_are_none_are_left_out_and_a_class_that_never_comes_is_said() {
    let plan = CapturePlan::new(&three(), &baseline()).unwrap();
    for metric in METRICS {
        let empty = measure(&plan.empty_outcomes(), metric);
        assert_eq!(empty, Err(Unmeasurable::NoData), "{metric}");
        let lacking = measure(&PaneSummary::default(), metric);
        assert!(matches!(lacking, Err(Unmeasurable::LacksSummary(_))));
        let two: Vec<_> = cases(true).into_iter().filter(|(t, _)| *t < 2).collect();
        let found = measure(&counted(&plan, &two), metric);
        assert!(
            matches!(found, Err(Unmeasurable::Undefined(_))),
            "{found:?}"
        );
        let mut wild = cases(true);
        let whole = measure(&counted(&plan, &wild), metric).unwrap();
        wild.extend([
            (0, [f64::NAN, 2.0, -1.0]),
            (1, [f64::NAN, f64::INFINITY, -0.5]),
        ]);
        let found = measure(&counted(&plan, &wild), metric).unwrap();
        assert_eq!(
            (found.value.to_bits(), found.bound),
            (whole.value.to_bits(), whole.bound)
        );
    }
}

#[test]
fn ten_classes_with_scores_fit_a_batch() {
    let classes: Vec<String> = (0..10).map(|class| class.to_string()).collect();
    let document = document(&json!(classes));
    let mut builder = BaselineBuilder::new(&document, "reference.csv");
    builder.end_row();
    let baseline = builder.finish(Digest::of(b"reference")).unwrap();
    let plan = CapturePlan::new(&document, &baseline).unwrap();
    assert_eq!(plan.scored_classes(), 10);
    assert_eq!(plan.empty_outcomes().iter().count(), 11);
}
