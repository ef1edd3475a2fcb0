//! The car-loan case: real production rows, whose population changes half-way, against the second
//! half of the reference. Labels come with their row here; the order of rows is that of time.

use std::collections::BTreeMap;
use std::io::Read;

use clause9_shared::baseline::{Baseline, Law};
use clause9_shared::judge::Compiled;
use clause9_shared::metric::{Estimate, MetricId, Needs, Seen, Unmeasurable};
use clause9_shared::objective::document::{Document, Subject};
use clause9_shared::sketch::{
    Confusion, CutCounts, Hygiene, PaneSummary, ScoreCells, Summary, SummaryKey, SummaryKind,
    SummaryOf,
};
use clause9_shared::verdict::VerdictState;
use serde_json::json;

use crate::fixture::{baseline as small_baseline, document, objective};

const ROWS: usize = 1000;

fn table(bytes: &[u8]) -> Vec<BTreeMap<String, String>> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes)
        .read_to_string(&mut text)
        .unwrap();
    csv::Reader::from_reader(text.as_bytes())
        .deserialize()
        .map(Result::unwrap)
        .collect()
}

/// The fixture's system, its feature being the car's value.
fn loans() -> Document {
    let mut text = serde_json::to_value(document()).unwrap();
    text["features"][0] = json!({
        "name": "car_value", "type": "numeric", "unit": "[EUR]", "from": { "input": "car_value" }
    });
    serde_json::from_value(text).unwrap()
}

/// Deciles of the second half of the reference.
fn frozen() -> Baseline {
    let rows = table(include_bytes!(
        "../../../demo/cases/car_loan/reference.csv.gz"
    ));
    let half = rows.len() / 2;
    let mut values: Vec<f64> = rows[half..]
        .iter()
        .map(|row| row["car_value"].parse().unwrap())
        .collect();
    values.sort_by(f64::total_cmp);
    let cuts: Vec<f64> = (1..10).map(|i| values[values.len() * i / 10]).collect();
    let mut cells = CutCounts::new(&cuts).unwrap();
    for value in &values {
        cells.add(*value);
    }
    let mut baseline = small_baseline();
    let law = Law::Numeric {
        center: values[values.len() / 2],
        scale_exponent: 14,
        cuts,
        counts: cells.counts(),
        missing: 0,
        invalid: 0,
        shape: None,
    };
    baseline.features = [("car_value".parse().unwrap(), law)].into();
    baseline
}

fn subject(metric: MetricId) -> Subject {
    let feature = (metric.spec().needs == Needs::Feature).then(|| "car_value".parse().unwrap());
    Subject {
        feature,
        ..Subject::default()
    }
}

fn pane(rows: &[(f64, f64, bool, bool)], baseline: &Baseline) -> PaneSummary {
    let Some(Law::Numeric { cuts, .. }) = baseline.features.values().next() else {
        panic!("a numeric law")
    };
    let mut cells = CutCounts::new(cuts).unwrap();
    let mut hygiene = Hygiene::new();
    let mut scores = ScoreCells::new(1).unwrap();
    let mut confusion = Confusion::new(1).unwrap();
    for (value, score, decision, label) in rows {
        cells.add(*value);
        hygiene.add_usable(false, false);
        scores.add(Some(*score), Some(*label), Some(0));
        confusion.add(Some(*label), Some(*decision), Some(0));
    }
    let feature = |kind| SummaryKey::new(SummaryOf::Feature("car_value".parse().unwrap()), kind);
    PaneSummary::new(vec![
        (feature(SummaryKind::CutCounts), Summary::CutCounts(cells)),
        (feature(SummaryKind::Hygiene), Summary::Hygiene(hygiene)),
        (
            SummaryKey::new(SummaryOf::ScoreByLabel(None), SummaryKind::ScoreCells),
            Summary::ScoreCells(scores),
        ),
        (
            SummaryKey::new(SummaryOf::DecisionByLabel(None), SummaryKind::Confusion),
            Summary::Confusion(confusion),
        ),
    ])
}

fn production() -> Vec<(f64, f64, bool, bool)> {
    let rows = table(include_bytes!(
        "../../../demo/cases/car_loan/analysis.csv.gz"
    ));
    let labels: BTreeMap<String, bool> =
        table(include_bytes!("../../../demo/cases/car_loan/labels.csv.gz"))
            .into_iter()
            .map(|row| (row["id"].clone(), row["repaid"] == "1"))
            .collect();
    rows.iter()
        .map(|row| {
            (
                row["car_value"].parse().unwrap(),
                row["y_pred_proba"].parse().unwrap(),
                row["y_pred"] == "1",
                labels[&row["id"]],
            )
        })
        .collect()
}

fn measure(
    metric: MetricId,
    document: &Document,
    baseline: &Baseline,
    pane: &PaneSummary,
) -> Result<Estimate, Unmeasurable> {
    let of = subject(metric);
    metric.measure(Seen {
        document,
        baseline,
        of: &of,
        summary: pane,
        beside: clause9_shared::metric::Beside::default(),
    })
}

#[test]
fn the_change_in_the_car_loan_data_is_found_after_it_began_and_not_before() {
    let (document, baseline) = (loans(), frozen());
    let panes: Vec<PaneSummary> = production()
        .chunks(ROWS)
        .map(|rows| pane(rows, &baseline))
        .collect();
    let objectives = [
        json!({ "id": "car-value", "metric": "psi", "of": { "feature": "car_value" },
                "comparator": "at_most", "levels": { "action": 0.2 }, "cycle": "365d" }),
        json!({ "id": "accuracy", "metric": "accuracy", "levels": { "action": 0.9 }, "cycle": "365d" }),
        json!({ "id": "ranking", "metric": "roc_auc", "levels": { "action": 0.95 }, "cycle": "365d" }),
    ];
    let mut found = String::new();
    for changes in objectives {
        let compiled = Compiled::new(&document, &objective(&changes), &baseline).unwrap();
        let metric = compiled.objective.metric;
        let mut state = compiled.start();
        let mut before = None;
        for (number, pane) in panes.iter().enumerate() {
            let block = measure(metric, &document, &baseline, pane);
            compiled.step(&mut state, &block);
            let verdict = compiled.verdict(&state, &block);
            if number + 1 == 25 {
                before = Some(verdict.state);
            }
        }
        let last = compiled.verdict(&state, &measure(metric, &document, &baseline, &panes[49]));
        let line = format!(
            "{}: after 25 blocks {}, after 50 {}, confirmed at {:?}, since {:?}\n",
            compiled.objective.id,
            before.map_or("nothing", VerdictState::as_str),
            last.state.as_str(),
            last.confirmed_at,
            last.since,
        );
        found.push_str(&line);
    }
    // In the data, the population changes after row 25,000 and the model with it.
    expect_test::expect![[r"
        car-value: after 25 blocks conforming, after 50 nonconforming, confirmed at Some(26), since Some(26)
        accuracy: after 25 blocks conforming, after 50 conforming, confirmed at None, since None
        ranking: after 25 blocks conforming, after 50 watch, confirmed at None, since None
    "]].assert_eq(&found);
}
