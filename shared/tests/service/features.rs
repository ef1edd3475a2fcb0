//! Features of type text, of answers, and with their different values counted.

use clause9_shared::baseline::{Baseline, BaselineBuilder};
use clause9_shared::digest::Digest;
use clause9_shared::inference::{Cell, Inference, Owned, Tensor, Values};
use clause9_shared::metric::{Beside, Measurement, MetricId, Seen, Unmeasurable};
use clause9_shared::objective::document::{Document, Subject};
use clause9_shared::plan::CapturePlan;
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::Timestamp;
use clause9_shared::wire::codec::Encode;
use serde_json::json;

fn document() -> Document {
    serde_json::from_value(json!({
        "clause9": "objectives/v1",
        "system": {
            "id": "chat", "name": "Chat", "intended_purpose": "Answers.", "owner": "support",
            "role": "user", "models": [{ "name": "chat", "source": "own" }]
        },
        "panes": { "length": "1m" },
        "features": [
            { "name": "prompt", "type": "text", "from": { "input": "prompt" } },
            { "name": "user", "type": "categorical", "from": { "input": "user" }, "distinct": true },
            { "name": "answer", "type": "text", "from": { "output": "text" },
              "numbers": ["words", "repetition"] },
            { "name": "tokens", "type": "numeric", "unit": "1", "from": { "output": "tokens" } }
        ],
        "outputs": { "score": { "from": { "output": "p" } } },
        "objectives": []
    }))
    .unwrap()
}

/// Prompt, user, answer and tokens of one row.
type Row<'a> = (Cell<'a>, &'a str, &'a str, f64);

fn baseline(document: &Document, rows: &[Row<'_>]) -> Baseline {
    let mut builder = BaselineBuilder::new(document, "reference.csv");
    for (prompt, user, answer, tokens) in rows {
        for (i, feature) in document.features.iter().enumerate() {
            let cell = match feature.name.as_str().split('.').next().unwrap() {
                "prompt" => *prompt,
                "user" => Cell::Text(user),
                "answer" => Cell::Text(answer),
                _ => Cell::Float(*tokens),
            };
            builder.observe(i, cell);
        }
        builder.end_row();
    }
    builder.finish(Digest::of(b"reference")).unwrap()
}

fn inference(rows: &[Row<'_>]) -> Inference {
    let tensor = |name: &str, values| Tensor {
        name: name.into(),
        columns: 1,
        values,
    };
    let texts = |of: &dyn Fn(&Row<'_>) -> String| {
        Values::Text(rows.iter().map(|row| of(row).into()).collect())
    };
    let prompts = rows.iter().map(|(prompt, ..)| match prompt {
        Cell::Text(text) => Owned::Text((*text).into()),
        Cell::Float(x) => Owned::Float(*x),
        Cell::Missing | Cell::Int(_) | Cell::Uint(_) | Cell::Bool(_) => Owned::Missing,
    });
    Inference {
        model: "chat".into(),
        model_version: "1".into(),
        request_id: None,
        arrived_at: Timestamp::EPOCH,
        rows: rows.len(),
        inputs: vec![
            tensor("prompt", Values::Mixed(prompts.collect())),
            tensor("user", texts(&|row| row.1.to_owned())),
        ],
        outputs: vec![
            tensor("p", Values::Float(vec![0.5; rows.len()])),
            tensor("text", texts(&|row| row.2.to_owned())),
            tensor(
                "tokens",
                Values::Float(rows.iter().map(|row| row.3).collect()),
            ),
        ],
    }
}

const ROWS: [Row<'static>; 4] = [
    (Cell::Text("What is due?"), "ann", "Ten euro.", 5.0),
    (
        Cell::Text("What is due now?"),
        "bob",
        "Nothing is due.",
        6.0,
    ),
    (Cell::Text("Hello"), "ann", "Hello.", 2.0),
    (Cell::Text("Bye"), "cem", "Goodbye to you.", 3.0),
];

fn counted(rows: &[Row<'_>]) -> (CapturePlan, PaneSummary) {
    let document = document();
    let plan = CapturePlan::new(&document, &baseline(&document, &ROWS)).unwrap();
    let mut pane = plan.empty_traffic();
    let mut inference = inference(rows);
    plan.prepare(&mut inference);
    plan.observe_all(&inference, &mut pane, &mut Vec::new())
        .unwrap();
    (plan, pane)
}

fn measure(plan: &CapturePlan, pane: &PaneSummary, metric: &str, feature: &str) -> Measurement {
    let of = Subject {
        feature: Some(feature.parse().unwrap()),
        ..Subject::default()
    };
    MetricId::by_name(metric).unwrap().measure(Seen {
        document: plan.document(),
        baseline: plan.baseline(),
        of: &of,
        summary: pane,
        beside: Beside::default(),
    })
}

#[test]
fn a_text_is_written_as_one_feature_and_watched_as_its_numbers() {
    let document = document();
    let names: Vec<&str> = document.features.iter().map(|f| f.name.as_str()).collect();
    // Places of what people wrote stay as they are.
    assert_eq!(
        names[..4],
        ["prompt.bytes", "user", "answer.words", "tokens"]
    );
    assert_eq!(names.len(), 28 + 1 + 2 + 1);
    assert!(names.contains(&"prompt.compression") && names.contains(&"answer.repetition"));
    let written = serde_json::to_value(&document).unwrap();
    let read: Document = serde_json::from_value(written).unwrap();
    assert_eq!(read, document);
}

#[test]
fn numbers_of_texts_of_requests_and_answers_are_counted_as_features() {
    let (plan, pane) = counted(&ROWS);
    let mean = |feature: &str| measure(&plan, &pane, "mean", feature).unwrap().value;
    assert!((mean("prompt.words") - 9.0 / 4.0).abs() < 1e-9);
    assert!((mean("answer.words") - 9.0 / 4.0).abs() < 1e-9);
    assert!((mean("tokens") - 4.0).abs() < 1e-9);
    assert!((mean("prompt.bytes") - 9.0).abs() < 1e-9);
    // The same rows as the reference: no drift.
    let psi = measure(&plan, &pane, "psi.smoothed", "prompt.words").unwrap();
    assert!(psi.value.abs() < 1e-9, "{psi:?}");
}

#[test]
fn what_is_no_text_is_of_the_wrong_type_and_what_is_absent_is_missing() {
    let odd = [
        (Cell::Float(4.0), "ann", "a", 1.0),
        (Cell::Missing, "ann", "b", 1.0),
        ROWS[0],
        ROWS[1],
    ];
    let (plan, pane) = counted(&odd);
    let share = |metric: &str| measure(&plan, &pane, metric, "prompt.words").unwrap().value;
    assert!((share("missing_rate") - 0.25).abs() < 1e-12);
    assert!((share("type_conformity") - 2.0 / 3.0).abs() < 1e-12);
}

#[test]
fn no_text_is_in_any_summary() {
    let secret = "Zanzibar-4711";
    let (_, pane) = counted(&[(Cell::Text(secret), secret, secret, 1.0)]);
    let bytes = pane.to_bytes();
    let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
    assert!(!found);
}

#[test]
fn different_values_are_counted_where_that_is_asked_for() {
    let users: Vec<String> = (0..3000).map(|i| format!("u{}", i % 1000)).collect();
    let rows: Vec<Row<'_>> = users
        .iter()
        .map(|user| (ROWS[0].0, user.as_str(), "a", 1.0))
        .collect();
    let (plan, pane) = counted(&rows);
    let found = measure(&plan, &pane, "distinct_count", "user").unwrap();
    assert!((found.value - 1000.0).abs() < 70.0, "{found:?}");
    let (low, high) = found.interval.unwrap();
    assert!(low < 1000.0 && 1000.0 < high, "{found:?}");
    let (least, most) = found.bound.unwrap();
    assert!(least <= 1000.0 && most >= 3000.0);
    let share = measure(&plan, &pane, "uniqueness", "user").unwrap().value;
    assert!((share - found.value / 3000.0).abs() < 1e-12);
    let elsewhere = measure(&plan, &pane, "distinct_count", "tokens");
    assert!(matches!(elsewhere, Err(Unmeasurable::LacksSummary(_))));
}
