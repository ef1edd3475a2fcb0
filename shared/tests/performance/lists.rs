//! Ranked lists, from a document to a judged mean: values by hand and by scikit-learn, the forms in which
//! lists and labels come, and what a ledger makes of them.

use std::fmt::Write as _;

use clause9_shared::baseline::{Baseline, BaselineBuilder};
use clause9_shared::bet::Bets;
use clause9_shared::digest::Digest;
use clause9_shared::inference::{Inference, Owned, Tensor, Values};
use clause9_shared::judge::Compiled;
use clause9_shared::metric::{Beside, Estimate, MetricId, Seen, StreamKind, Unmeasurable};
use clause9_shared::objective::document::{Document, Scalar, Subject};
use clause9_shared::plan::{CapturePlan, Joined, Outcome};
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::Timestamp;
use clause9_shared::verdict::VerdictState as State;
use serde_json::{Value, json};

const METRICS: [&str; 6] = [
    "precision_at_k",
    "recall_at_k",
    "hit_rate_at_k",
    "mrr_at_k",
    "map_at_k",
    "ndcg_at_k",
];

fn document(objectives: &Value) -> Document {
    serde_json::from_value(json!({
        "clause9": "objectives/v1",
        "system": { "id": "s", "name": "S", "intended_purpose": "Advises.", "owner": "a",
            "role": "user", "models": [{ "name": "m", "source": "own" }] },
        "panes": { "length": "1d" },
        "features": [],
        "outputs": {
            "ranking": { "from": { "output": "items" }, "at": 5 },
            "label": { "type": "relevance" }
        },
        "objectives": objectives
    }))
    .unwrap()
}

fn baseline() -> Baseline {
    let mut builder = BaselineBuilder::new(&document(&json!([])), "reference.csv");
    builder.end_row();
    builder.finish(Digest::of(b"reference")).unwrap()
}

fn plan() -> CapturePlan {
    CapturePlan::new(&document(&json!([])), &baseline()).unwrap()
}

/// A query: the list that was served, and the items that were relevant with their grades.
type Query = (Vec<String>, Vec<(String, u32)>);

/// Forty lists of the first eight of twelve items, by a linear congruential generator that the script
/// behind the golden values has, too.
fn queries() -> Vec<Query> {
    let mut state = 20_260_101_u64;
    let mut next = || {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        u32::try_from(state >> 16).unwrap()
    };
    let each = (0..40).map(|_| {
        let mut order: Vec<(u32, usize)> = (0..12).map(|item| (next(), item)).collect();
        order.sort_unstable();
        let served = order[..8].iter().map(|(_, item)| format!("i{item}"));
        let served = served.collect();
        let grades = (0..12).filter_map(|item| {
            let drawn = next();
            (drawn % 9 == 0).then(|| (format!("i{item}"), 1 + drawn / 9 % 3))
        });
        (served, grades.collect())
    });
    each.collect()
}

fn label(relevant: &[(String, u32)]) -> Scalar {
    let mut text = String::new();
    for (item, grade) in relevant {
        write!(text, "{item}={grade} ").unwrap();
    }
    Scalar::Text(text)
}

fn inference(columns: usize, values: Vec<Owned>, rows: usize) -> Inference {
    Inference {
        model: "m".into(),
        model_version: "1".into(),
        request_id: Some("r".into()),
        arrived_at: Timestamp::EPOCH,
        rows,
        inputs: Vec::new(),
        outputs: vec![Tensor {
            name: "items".into(),
            columns,
            values: Values::Mixed(values),
        }],
    }
}

fn outcome(row: usize, label: Scalar) -> Outcome {
    Outcome {
        request_id: "r".into(),
        row: u32::try_from(row).unwrap(),
        label: Some(label),
        attributes: std::collections::BTreeMap::new(),
        available_at: None,
    }
}

/// Traffic and outcomes of some lists with their labels, and what was joined.
fn counted(
    plan: &CapturePlan,
    inference: &Inference,
    labels: impl IntoIterator<Item = Scalar>,
) -> (PaneSummary, PaneSummary, Vec<Joined>) {
    let (mut traffic, mut outcomes) = (plan.empty_traffic(), plan.empty_outcomes());
    let mut known = Vec::new();
    plan.observe_all(inference, &mut traffic, &mut known)
        .unwrap();
    let labels = labels.into_iter().enumerate();
    let joined = labels.map(|(row, label)| {
        let outcome = outcome(row, label);
        plan.join(&mut known[row], &outcome, &mut outcomes)
    });
    let joined = joined.collect();
    (traffic, outcomes, joined)
}

fn text(of: &[&str]) -> Vec<Owned> {
    of.iter().map(|text| Owned::Text((*text).into())).collect()
}

fn measure(
    (traffic, outcomes): (&PaneSummary, &PaneSummary),
    metric: &str,
) -> Result<Estimate, Unmeasurable> {
    let metric = MetricId::by_name(metric).unwrap();
    metric.measure(Seen {
        document: &document(&json!([])),
        baseline: &baseline(),
        of: &Subject::default(),
        summary: match metric.spec().stream {
            StreamKind::Traffic => traffic,
            StreamKind::Outcomes | StreamKind::ByAttribute => outcomes,
        },
        beside: Beside {
            traffic: Some(traffic),
            ..Beside::default()
        },
    })
}

#[test]
fn means_over_lists_are_those_of_the_formulas_and_of_scikit_learn() {
    let (plan, queries) = (plan(), queries());
    let columns = queries.iter().flat_map(|(served, _)| served);
    let values = columns
        .map(|item| Owned::Text(item.as_str().into()))
        .collect();
    let labels = queries.iter().map(|(_, relevant)| label(relevant));
    let (traffic, outcomes, _) = counted(&plan, &inference(8, values, 40), labels);
    // By the formulas in Python; `ndcg_at_k` is the mean of scikit-learn 1.9.1's
    // `ndcg_score([grades], [[12, 11, .., 1]], k=5)` over the lists with a relevant item, to 1e-15.
    for (metric, (value, support)) in METRICS.iter().zip(EXPECTED) {
        let found = measure((&traffic, &outcomes), metric).unwrap();
        assert!(
            (found.value - value).abs() < 1e-11,
            "{metric} {}",
            found.value
        );
        assert_eq!(found.support, support, "{metric}");
        let (low, high) = found.interval.unwrap();
        assert!(
            0.0 < low && low < value && value < high && high < 1.0,
            "{metric}"
        );
        assert_eq!(found.sample.cases(), support, "{metric}");
    }
    let covered = measure((&traffic, &outcomes), "label_coverage").unwrap();
    assert!((covered.value - 1.0).abs() < 1e-15, "{covered:?}");
}

const EXPECTED: [(f64, u64); 6] = [
    (0.105, 40),
    (0.398_809_523_809_523_8, 28),
    (0.375, 40),
    (0.163_75, 40),
    (0.166_369_047_619_047_64, 28),
    (0.222_196_409_716_226_17, 28),
];

#[test]
fn a_list_in_one_text_counts_as_one_in_columns_does() {
    let plan = plan();
    let labels = || ["b=2 d".to_owned(), "7".to_owned()].map(Scalar::Text);
    let mut columns = text(&["a", "b", "c"]);
    columns.extend([Owned::Int(7), Owned::Missing, Owned::Missing]);
    let columns = counted(&plan, &inference(3, columns, 2), labels());
    for texts in [["a b c", "7"], ["['a', 'b', 'c']", "[7]"], ["a,b,c", "7;"]] {
        let texts = counted(&plan, &inference(1, text(&texts), 2), labels());
        assert_eq!(columns, texts);
    }
    let found = measure((&columns.0, &columns.1), "mrr_at_k").unwrap();
    assert!((found.value - 0.75).abs() < 1e-12);
}

#[test]
fn what_has_no_list_or_no_readable_label_is_left_out_and_seen() {
    let plan = plan();
    let lists = [
        Owned::Text("a b".into()),
        Owned::Missing,
        Owned::Text("a".into()),
        Owned::Text("a".into()),
    ];
    let labels = ["b", "b", "b=much", ""].map(|l| Scalar::Text(l.to_owned()));
    let (traffic, outcomes, joined) = counted(&plan, &inference(1, lists.to_vec(), 4), labels);
    let of = |j: &Joined| (j.labels, j.unlisted);
    assert_eq!(
        joined.iter().map(of).collect::<Vec<_>>(),
        [(1, 0), (1, 0), (0, 1), (1, 0)]
    );
    let seen = (&traffic, &outcomes);
    let precision = measure(seen, "precision_at_k").unwrap();
    assert!((precision.value - 0.1).abs() < 1e-11, "{precision:?}");
    assert_eq!(precision.support, 2);
    let recall = measure(seen, "recall_at_k").unwrap();
    assert_eq!(recall.support, 1, "nothing was relevant for the other");
    let coverage = measure(seen, "label_coverage").unwrap();
    assert!((coverage.value - 2.0 / 4.0).abs() < 1e-12, "{coverage:?}");
    let unusable = measure(seen, "unusable_answer_rate").unwrap();
    assert!((unusable.value - 1.0 / 4.0).abs() < 1e-12, "{unusable:?}");
    let mut prediction = Vec::new();
    let again = inference(1, text(&["a b"]), 1);
    plan.observe_all(&again, &mut plan.empty_traffic(), &mut prediction)
        .unwrap();
    let mut counts = plan.empty_outcomes();
    let first = plan.join(
        &mut prediction[0],
        &outcome(0, Scalar::Text("a".to_owned())),
        &mut counts,
    );
    let second = plan.join(
        &mut prediction[0],
        &outcome(0, Scalar::Text("b".to_owned())),
        &mut counts,
    );
    assert_eq!((first.labels, second.repeated), (1, 1), "the first counts");
}

#[test]
fn without_labelled_lists_every_figure_is_no_data() {
    let plan = plan();
    let (traffic, outcomes) = (plan.empty_traffic(), plan.empty_outcomes());
    for metric in METRICS {
        let found = measure((&traffic, &outcomes), metric);
        assert_eq!(found, Err(Unmeasurable::NoData), "{metric}");
        let lacking = measure((&traffic, &PaneSummary::default()), metric);
        assert!(matches!(lacking, Err(Unmeasurable::LacksSummary(_))));
    }
}

/// An objective on each figure compiles, its certificates hold, and lists that break the level are found
/// out while those that keep it are not.
#[test]
fn an_objective_on_each_figure_is_judged_by_the_cells_that_are_counted() {
    let plan = plan();
    let judged = |list: &str, metric: &str| -> State {
        let lists = vec![Owned::Text(list.into()); 50];
        let labels = (0..50).map(|_| Scalar::Text("a".to_owned()));
        let (traffic, outcomes, _) = counted(&plan, &inference(1, lists, 50), labels);
        let objective = json!([{
            "id": "o", "version": 1, "statement": "Good lists.", "policy": "4.1", "metric": metric,
            "comparator": "at_least", "levels": { "action": 0.15 }, "window": "1d", "min_support": 10,
            "evaluate_every": "7d", "owner": "a", "approver": "b", "cycle": "365d",
            "effective_from": "2026-01-01T00:00:00Z", "references": []
        }]);
        let document = document(&objective);
        let compiled = Compiled::new(&document, &document.objectives[0], &baseline()).unwrap();
        if let Bets::Cells(bets) = &compiled.action {
            assert!(bets.certified(), "{metric}");
        }
        let mut state = compiled.start();
        let found = measure((&traffic, &outcomes), metric);
        for _ in 0..20 {
            compiled.step(&mut state, &found);
        }
        compiled.verdict(&state, &found).state
    };
    for metric in METRICS {
        assert_eq!(judged("a x y", metric), State::Conforming, "{metric}");
        assert_eq!(judged("x y", metric), State::Nonconforming, "{metric}");
    }
}
