//! Phrases that texts are searched for, from a document to a judged share.

use clause9_shared::baseline::{Baseline, BaselineBuilder};
use clause9_shared::digest::Digest;
use clause9_shared::inference::{Cell, Inference, Owned, Tensor, Values};
use clause9_shared::metric::{Beside, Measurement, MetricId, Sample, Seen, Unmeasurable};
use clause9_shared::objective::document::{Document, Subject};
use clause9_shared::plan::CapturePlan;
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::Timestamp;
use serde_json::{Value, json};

fn read(feature: &Value) -> Result<Document, serde_json::Error> {
    serde_json::from_value(json!({
        "clause9": "objectives/v1",
        "system": {
            "id": "chat", "name": "Chat", "intended_purpose": "Answers.", "owner": "support",
            "role": "user", "models": [{ "name": "chat", "source": "own" }]
        },
        "panes": { "length": "1m" },
        "features": [feature],
        "outputs": {},
        "objectives": []
    }))
}

fn document() -> Document {
    read(&json!({
        "name": "answer", "type": "text", "from": { "output": "text" }, "numbers": ["is_json", "words"],
        "phrases": {
            "refusal": { "builtin": "refusals", "also": ["that is a matter for a lawyer"] },
            "secret": { "also": ["Project X"] }
        }
    }))
    .unwrap()
}

fn baseline(document: &Document, answers: &[&str]) -> Baseline {
    let mut builder = BaselineBuilder::new(document, "reference.csv");
    for answer in answers {
        for feature in 0..document.features.len() {
            builder.observe(feature, Cell::Text(answer));
        }
        builder.end_row();
    }
    builder.finish(Digest::of(b"reference")).unwrap()
}

const ANSWERS: [&str; 5] = [
    "I\u{2019}m sorry, but I can\u{2019}t do that.",
    "THAT IS A MATTER FOR A LAWYER, and project x, too.",
    "{\"total\": 4}",
    "Here you are.",
    "Of course.",
];

fn counted(plan: &CapturePlan, answers: Vec<Owned>) -> PaneSummary {
    let mut inference = Inference {
        model: "chat".into(),
        model_version: "1".into(),
        request_id: None,
        arrived_at: Timestamp::EPOCH,
        rows: answers.len(),
        inputs: Vec::new(),
        outputs: vec![Tensor {
            name: "text".into(),
            columns: 1,
            values: Values::Mixed(answers),
        }],
    };
    plan.prepare(&mut inference);
    let mut pane = plan.empty_traffic();
    plan.observe_all(&inference, &mut pane, &mut Vec::new())
        .unwrap();
    pane
}

fn rate(plan: &CapturePlan, pane: &PaneSummary, feature: &str) -> Measurement {
    let of = Subject {
        feature: Some(feature.parse().unwrap()),
        ..Subject::default()
    };
    MetricId::FlagRate.measure(Seen {
        document: plan.document(),
        baseline: plan.baseline(),
        of: &of,
        summary: pane,
        beside: Beside::default(),
    })
}

#[test]
fn the_share_of_texts_with_a_listed_phrase_is_a_rate() {
    let document = document();
    let names: Vec<&str> = document.features.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "answer.words",
            "answer.is_json",
            "answer.refusal",
            "answer.secret"
        ]
    );
    // A reference without a single refusal does as well as one that has some.
    for reference in [&ANSWERS[..], &ANSWERS[2..]] {
        let baseline = baseline(&document, reference);
        let plan = CapturePlan::new(&document, &baseline).unwrap();
        let mut answers = ANSWERS.map(|text| Owned::Text(text.into())).to_vec();
        answers.push(Owned::Missing);
        let pane = counted(&plan, answers);
        for (feature, hits) in [
            ("answer.refusal", 2),
            ("answer.secret", 1),
            ("answer.is_json", 1),
        ] {
            let found = rate(&plan, &pane, feature).unwrap();
            assert!(
                matches!(found.sample, Sample::Rate { hits: h, of: 5 } if h == hits),
                "{feature} {found:?}"
            );
        }
        let words = rate(&plan, &pane, "answer.words");
        assert!(
            matches!(words, Err(Unmeasurable::Undefined(_))),
            "{words:?}"
        );
        let none = rate(&plan, &plan.empty_traffic(), "answer.refusal");
        assert_eq!(none, Err(Unmeasurable::NoData));
        let bytes = clause9_shared::wire::codec::Encode::to_bytes(&pane);
        assert!(!bytes.windows(6).any(|w| w == b"LAWYER"));
    }
}

#[test]
fn phrases_are_part_of_what_is_counted_and_survive_being_written_down() {
    let document = document();
    let written = serde_json::to_value(&document).unwrap();
    let again: Document = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(again, document);
    let mut other = written;
    other["features"][2]["find"]["also"] = json!(["another phrase"]);
    let other: Document = serde_json::from_value(other).unwrap();
    let digest = |of: &Document| {
        let baseline = baseline(of, &ANSWERS);
        CapturePlan::new(of, &baseline).unwrap().digest()
    };
    assert_ne!(digest(&document), digest(&other));
}

#[test]
fn phrases_that_cannot_be_looked_for_say_why() {
    let text = |phrases: Value| {
        json!({ "name": "answer", "type": "text", "from": { "output": "text" }, "numbers": ["words"],
            "phrases": phrases })
    };
    for (feature, said) in [
        (
            text(json!({ "refusal": {} })),
            "list `refusal` has no phrases; add some under `also`, or `builtin: refusals`",
        ),
        (
            text(json!({ "words": { "also": ["a"] } })),
            "feature `answer`: `words` is a number of every text; give the phrases another name",
        ),
        (
            text(json!({ "secret": { "also": [""] } })),
            "list `secret`: a phrase has 0 bytes; write 1 to 256",
        ),
        (
            text(json!({ "secret": { "also": vec!["x"; 1025] } })),
            "1025 phrases are more than can be looked for at once; write at most 1024",
        ),
        (
            text(json!({ "refusal": { "builtin": "insults" } })),
            "unknown variant `insults`, expected `refusals`",
        ),
        (
            json!({ "name": "a", "type": "text", "from": { "output": "t" }, "numbers": ["phrases"] }),
            "feature `a`: phrases are no number as such; name lists of them under `phrases`",
        ),
        (
            json!({ "name": "a", "type": "numeric", "unit": "1", "from": { "output": "t" }, "text": "phrases" }),
            "feature `a` looks for phrases and has none; add `find: { also: [..] }`",
        ),
        (
            json!({ "name": "a", "type": "numeric", "unit": "1", "from": { "output": "t" }, "find": { "also": ["x"] } }),
            "feature `a` does not look for phrases; remove `find`, or write `text: phrases`",
        ),
        (
            json!({ "name": "a", "type": "categorical", "from": { "output": "t" }, "phrases": { "b": { "also": ["x"] } } }),
            "feature `a` is no text; remove `phrases`, or write `type: text`",
        ),
    ] {
        let error = read(&feature).unwrap_err().to_string();
        assert!(error.starts_with(said), "{error}");
    }
}
