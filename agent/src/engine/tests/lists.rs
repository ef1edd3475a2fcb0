//! Answers of which more is remembered than a score and a decision: ranked lists, scores of classes.

use clause9_shared::metric::{Beside, MetricId, Seen};
use clause9_shared::objective::Subject;
use serde_json::{Value, json};

use super::*;

fn answering(outputs: &Value) -> Settings {
    let before = settings(1.0);
    let mut document = serde_json::to_value(document()).unwrap();
    document["outputs"] = outputs.clone();
    document["objectives"] = json!([]);
    let document: Document = serde_json::from_value(document).unwrap();
    let mut builder = BaselineBuilder::new(&document, "reference");
    for i in 0..200 {
        builder.observe(0, Cell::Float(f64::from(i)));
        builder.end_row();
    }
    let baseline = builder.finish(Digest::of(b"reference")).unwrap();
    let plan = CapturePlan::new(&document, &baseline).unwrap();
    Settings {
        baseline: plan.baseline().digest(),
        plan: Arc::new(plan),
        ..before
    }
}

/// Each metric of the outcomes of two answers, whose labels come in the next pane.
fn measured(
    settings: &Settings,
    outputs: Vec<Tensor>,
    labels: [&str; 2],
    metrics: &[&str],
) -> Vec<f64> {
    let mut world = World::new(settings.clone());
    let answered = Inference {
        outputs,
        ..inference(Some("a"), 2)
    };
    world.tell(looked(minute(0), Ok(answered)), 0);
    world.close(0, 1);
    for (row, said) in (0..).zip(labels) {
        let outcome = Outcome {
            label: Some(Scalar::Text(said.to_owned())),
            ..label("a", row, 0.0, 70)
        };
        assert_eq!(world.join(outcome, 100).joined, 1);
    }
    let items = world.close(1, 0);
    let block = items.iter().find(|i| i.pane == minute(0)).unwrap();
    let summary = PaneSummary::from_bytes(&block.summary).unwrap();
    let each = metrics.iter().map(|metric| {
        let found = MetricId::by_name(metric).unwrap().measure(Seen {
            document: settings.plan.document(),
            baseline: settings.plan.baseline(),
            of: &Subject::default(),
            summary: &summary,
            beside: Beside::default(),
        });
        found.unwrap().value
    });
    each.collect()
}

#[test]
fn ranked_lists_are_remembered_until_it_is_known_what_was_relevant() {
    let settings = answering(&json!({
        "ranking": { "from": { "output": "items" }, "at": 2 }, "label": { "type": "relevance" }
    }));
    let items = ["hat", "shoe", "sock", "coat", "hat", "shoe"];
    let outputs = vec![Tensor {
        name: "items".into(),
        columns: 3,
        values: Values::Text(items.map(Into::into).to_vec()),
    }];
    // The second list has the hat at its second place, the first has the sock beyond it.
    let found = measured(
        &settings,
        outputs,
        ["sock", "hat coat=0"],
        &["mrr_at_k", "hit_rate_at_k"],
    );
    assert!(
        (found[0] - 0.25).abs() < 1e-12 && (found[1] - 0.5).abs() < 1e-12,
        "{found:?}"
    );
}

#[test]
fn scores_of_classes_are_remembered_until_the_class_is_known() {
    let settings = answering(&json!({
        "decision": { "rule": { "class": { "from": { "output": "kind" }, "classes": ["a", "b"],
            "scores": { "output": "p" } } } },
        "label": { "type": "class" }
    }));
    let outputs = vec![
        Tensor {
            name: "kind".into(),
            columns: 1,
            values: Values::Text(vec!["a".into(), "a".into()]),
        },
        Tensor {
            name: "p".into(),
            columns: 2,
            values: Values::Float(vec![0.9, 0.1, 0.6, 0.4]),
        },
    ];
    let metrics = ["roc_auc.ovr_macro", "roc_auc.hand_till"];
    let found = measured(&settings, outputs, ["a", "b"], &metrics);
    assert!(
        found.iter().all(|area| (area - 1.0).abs() < 1e-12),
        "{found:?}"
    );
}
