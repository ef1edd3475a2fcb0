//! The metric table on real windows: what it shows of summaries is what reference libraries say of the
//! rows, exactly or within the bound that stands beside it.

use clause9_shared::baseline::Baseline;
use clause9_shared::metric::{Answers, Estimate, MetricId, Needs, Seen, Unmeasurable};
use clause9_shared::objective::document::{Document, Subject};
use clause9_shared::sketch::{
    ClassTable, Confusion, Histogram, Losses, PaneSummary, Residuals, ScoreCells, Summary,
    SummaryKey, SummaryKind, SummaryOf,
};
use serde_json::{Value, json};

use crate::oracle::{CAR_LOAN, CAR_PRICE, ELEC2, GERMAN_CREDIT, Row, each};

fn document(outputs: &Value) -> Document {
    serde_json::from_value(json!({
        "clause9": "objectives/v1",
        "system": { "id": "s", "name": "S", "intended_purpose": "Advises.", "owner": "a",
            "role": "user", "models": [{ "name": "m", "source": "own" }] },
        "panes": { "length": "1d" },
        "features": [],
        "outputs": outputs,
        "objectives": []
    }))
    .unwrap()
}

fn baseline() -> Baseline {
    let digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    serde_json::from_value(json!({
        "clause9": "baseline/v1", "system": "s", "rows": 0, "features": {},
        "source": { "name": "r.csv", "digest": digest }
    }))
    .unwrap()
}

fn measure(
    document: &Document,
    pane: &PaneSummary,
    name: &str,
    class: Option<&str>,
) -> Result<Estimate, Unmeasurable> {
    let of = Subject {
        class: class.map(ToOwned::to_owned),
        ..Subject::default()
    };
    MetricId::by_name(name).unwrap().measure(Seen {
        document,
        baseline: &baseline(),
        of: &of,
        summary: pane,
        beside: clause9_shared::metric::Beside::default(),
    })
}

fn binary() -> Document {
    document(&json!({
        "score": { "from": { "output": "p" } },
        "decision": { "rule": { "score_at_least": 0.5 }, "positive_means": "yes" },
        "label": { "positive": 1, "negative": 0 }
    }))
}

fn binary_pane(rows: &[&Row]) -> PaneSummary {
    let mut cells = ScoreCells::new(1).unwrap();
    let mut decisions = Confusion::new(1).unwrap();
    let mut losses = Losses::new(1).unwrap();
    for row in rows {
        let label = row.positive();
        cells.add(Some(row.score), Some(label), Some(0));
        decisions.add(Some(label), Some(row.decision), Some(0));
        losses.add(Some(row.score), label, Some(0));
    }
    let scored = |kind| SummaryKey::new(SummaryOf::ScoreByLabel(None), kind);
    let decided = SummaryKey::new(SummaryOf::DecisionByLabel(None), SummaryKind::Confusion);
    PaneSummary::new(vec![
        (scored(SummaryKind::ScoreCells), Summary::ScoreCells(cells)),
        (decided, Summary::Confusion(decisions)),
        (scored(SummaryKind::Losses), Summary::Losses(losses)),
    ])
}

/// Fails unless the table's value is the reference value to 1e-9, or holds it in its bound.
fn agree(found: Result<Estimate, Unmeasurable>, expected: &Value, what: &str) {
    let (found, expected) = match (found, expected.as_f64()) {
        (Ok(found), Some(expected)) => (found, expected),
        (Err(Unmeasurable::Undefined(_)), None) => return,
        (found, expected) => panic!("{what}: {found:?} {expected:?}"),
    };
    let room = 1e-9 * expected.abs() + 1e-12;
    let (low, high) = found.bound.unwrap_or((found.value, found.value));
    let inside = low - room <= expected && expected <= high + room;
    assert!(
        inside,
        "{what}: {} in {low} to {high}, not {expected}",
        found.value
    );
    if let Some((low, high)) = found.interval {
        assert!(
            low <= found.value && found.value <= high,
            "{what}: {low} {high}"
        );
    }
}

#[test]
fn every_figure_of_scores_and_decisions_is_that_of_scikit_learn() {
    let document = binary();
    let mut checked = 0;
    for case in [CAR_LOAN, GERMAN_CREDIT, ELEC2] {
        if !case.present() {
            continue;
        }
        each(&case, "performance.json", |window, rows, expected| {
            let pane = binary_pane(rows);
            for (name, oracle) in [
                ("accuracy", "accuracy"),
                ("precision", "precision"),
                ("recall", "recall"),
                ("specificity", "specificity"),
                ("false_positive_rate", "fpr"),
                ("false_negative_rate", "fnr"),
                ("negative_predictive_value", "npv"),
                ("prevalence", "prevalence"),
                ("f1", "f1"),
                ("mcc.zero", "mcc"),
                ("balanced_accuracy", "balanced_accuracy"),
                ("cohen_kappa", "cohen_kappa"),
                ("roc_auc", "roc_auc"),
                ("average_precision", "average_precision"),
                ("log_loss", "log_loss"),
                ("brier", "brier"),
                ("ece.10", "ece10"),
                ("mce.10", "mce10"),
            ] {
                let found = measure(&document, &pane, name, None);
                agree(found, &expected[oracle], &format!("{window} {name}"));
                checked += 1;
            }
        });
    }
    assert!(checked >= 18 * 53, "{checked}");
}

fn number() -> Document {
    document(&json!({
        "value": { "from": { "output": "price" }, "unit": "1" },
        "label": { "type": "numeric" }
    }))
}

fn number_pane<'a>(pairs: impl Iterator<Item = (f64, f64)> + 'a) -> PaneSummary {
    let mut residuals = Residuals::new(10_000.0, 13, 1).unwrap();
    let mut sizes = Histogram::new(0.0, 10).unwrap();
    for (label, prediction) in pairs {
        residuals.add(label, prediction, Some(0));
        sizes.add((prediction - label).abs());
    }
    let key = |kind| SummaryKey::new(SummaryOf::Error(None), kind);
    PaneSummary::new(vec![
        (key(SummaryKind::Histogram), Summary::Histogram(sizes)),
        (key(SummaryKind::Residuals), Summary::Residuals(residuals)),
    ])
}

#[test]
fn every_figure_of_predicted_numbers_is_that_of_scikit_learn() {
    let document = number();
    each(&CAR_PRICE, "performance.json", |window, rows, expected| {
        let pane = number_pane(rows.iter().map(|row| (row.label.unwrap(), row.score)));
        for (name, oracle) in [
            ("mae", "mae"),
            ("mse", "mse"),
            ("rmse", "rmse"),
            ("mape", "mape_nonzero"),
            ("mape.floor", "mape_sklearn"),
            ("r2", "r2"),
            ("explained_variance", "explained_variance"),
            ("mean_error", "mean_error"),
            ("median_absolute_error", "median_ae"),
            ("msle", "msle"),
            ("rmsle", "rmsle"),
        ] {
            let found = measure(&document, &pane, name, None);
            agree(found, &expected[oracle], &format!("{window} {name}"));
        }
        let mean = |name: &str| measure(&document, &pane, name, None).unwrap().value;
        // Both pinball losses together weigh errors of either sign alike.
        let both = mean("pinball_10") + mean("pinball_90");
        assert!((both - mean("mae")).abs() < 1e-9 * both);
        assert!(mean("absolute_error_p90") > mean("median_absolute_error"));
    });
}

fn classes() -> Document {
    document(&json!({
        "decision": { "rule": { "class": { "from": { "output": "kind" }, "classes": ["a", "b", 3] } } },
        "label": { "type": "class" }
    }))
}

fn class_pane(counts: [u64; 9]) -> PaneSummary {
    let mut table = ClassTable::new(3, 1).unwrap();
    let places = (0..3).flat_map(|label| (0..3).map(move |decision| (label, decision)));
    for ((label, decision), count) in places.zip(counts) {
        for _ in 0..count {
            table.add(Some(label), Some(decision), Some(0));
        }
    }
    let key = SummaryKey::new(SummaryOf::DecisionByLabel(None), SummaryKind::ClassTable);
    PaneSummary::new(vec![(key, Summary::ClassTable(table))])
}

#[test]
fn every_figure_of_several_classes_is_that_of_scikit_learn() {
    let (document, pane) = (classes(), class_pane([50, 3, 2, 10, 20, 5, 1, 4, 30]));
    // scikit-learn 1.9.1 of rows with these counts.
    for (name, class, expected) in [
        ("multiclass_accuracy", None, 0.8),
        ("macro_precision", None, 0.790_407_894_233_030_8),
        ("macro_precision.zero", None, 0.790_407_894_233_030_8),
        ("macro_recall", None, 0.779_220_779_220_779_1),
        ("macro_recall.zero", None, 0.779_220_779_220_779_1),
        ("macro_f1", None, 0.780_187_863_057_718_5),
        ("weighted_precision", None, 0.795_090_172_139_352_5),
        ("weighted_recall", None, 0.8),
        ("weighted_f1", None, 0.793_288_839_451_242_1),
        ("multiclass_mcc", None, 0.692_125_288_160_657_7),
        ("multiclass_kappa", None, 0.688_434_695_912_263_3),
        ("class_precision", Some("a"), 50.0 / 61.0),
        ("class_recall", Some("b"), 20.0 / 35.0),
        ("class_specificity", Some("3"), 83.0 / 90.0),
        ("class_false_positive_rate", Some("3"), 7.0 / 90.0),
        ("class_prevalence", Some("3"), 35.0 / 125.0),
        ("class_f1", Some("a"), 100.0 / 116.0),
    ] {
        let found = measure(&document, &pane, name, class);
        agree(found, &json!(expected), name);
    }
    let unknown = measure(&document, &pane, "class_recall", Some("d"));
    assert!(matches!(unknown, Err(Unmeasurable::Undefined(_))));
    let never = class_pane([5, 1, 0, 2, 6, 0, 1, 1, 0]);
    let found = measure(&document, &never, "macro_precision", None);
    assert!(matches!(found, Err(Unmeasurable::Undefined(_))));
    assert!(measure(&document, &never, "macro_precision.zero", None).is_ok());
}

#[test]
fn without_cases_every_figure_of_numbers_and_classes_is_no_data() {
    let (numbers, table) = (number_pane(std::iter::empty()), class_pane([0; 9]));
    let mut seen = 0;
    for metric in MetricId::ALL {
        let spec = metric.spec();
        // Those of groups, and those that labels are not needed for, have tests of their own.
        if !matches!(spec.needs, Needs::Nothing | Needs::Class) || !spec.needs_label {
            continue;
        }
        let (document, pane) = match spec.answers {
            // Lists and scores of classes have tests of their own.
            Answers::Any | Answers::TwoValued | Answers::List | Answers::ClassScores => continue,
            Answers::Number => (number(), &numbers),
            Answers::Classes => (classes(), &table),
        };
        let found = measure(&document, pane, spec.name, Some("a"));
        assert_eq!(found, Err(Unmeasurable::NoData), "{}", spec.name);
        let lacking = measure(&document, &PaneSummary::default(), spec.name, Some("a"));
        assert!(
            matches!(lacking, Err(Unmeasurable::LacksSummary(_))),
            "{}",
            spec.name
        );
        seen += 1;
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn degenerate_windows_have_a_defined_result() {
    let row = |score: f64, label: f64| Row {
        score,
        decision: score >= 0.5,
        label: Some(label),
        came: String::new(),
        timestamp: String::new(),
    };
    let windows = [
        vec![row(0.5, 1.0)],
        vec![row(0.0, 1.0), row(1.0, 0.0)],
        vec![row(0.3, 0.0); 5],
        vec![row(1.0, 1.0); 5],
        vec![
            row(1e-300, 1.0),
            row(f64::NAN, 0.0),
            row(2.0, 1.0),
            row(-0.0, 0.0),
        ],
    ];
    for rows in &windows {
        let pane = binary_pane(&rows.iter().collect::<Vec<_>>());
        for metric in MetricId::ALL {
            let spec = metric.spec();
            let number = *metric as u16;
            let mine = (200..300).contains(&number) && spec.answers == Answers::TwoValued;
            if !(mine && spec.needs_label) {
                continue;
            }
            if let Ok(found) = measure(&binary(), &pane, spec.name, None) {
                let ends = found.interval.into_iter().chain(found.bound);
                let all = ends
                    .flat_map(|(low, high)| [low, high])
                    .chain([found.value]);
                assert!(
                    all.into_iter().all(f64::is_finite),
                    "{} {found:?}",
                    spec.name
                );
            }
        }
    }
}

#[test]
fn what_decisions_cost_follows_from_the_counts_of_scikit_learn() {
    let mut document = serde_json::to_value(binary()).unwrap();
    document["outputs"]["decision"]["costs"] = json!({ "unit": "[EUR]", "false_positive": 500,
        "false_negative": 120, "true_positive": -30 });
    let document: Document = serde_json::from_value(document).unwrap();
    let mut windows = 0;
    for case in [CAR_LOAN, GERMAN_CREDIT] {
        each(&case, "performance.json", |window, rows, expected| {
            let count = |name: &str| expected[name].as_f64().unwrap();
            let all = count("tp") + count("fp") + count("fn") + count("tn");
            let cost = (500.0 * count("fp") + 120.0 * count("fn") - 30.0 * count("tp")) / all;
            let found = measure(&document, &binary_pane(rows), "cost", None);
            agree(found, &json!(cost), window);
            windows += 1;
        });
    }
    assert!(windows > 20, "{windows}");
    let none = measure(&binary(), &binary_pane(&[]), "cost", None);
    assert_eq!(none, Err(Unmeasurable::NoData));
}
