//! Counting rows as they come allocates nothing once it has warmed up. The only test of its program: what
//! it counts is what the program asks of the allocator.
#![expect(clippy::unwrap_used, reason = "a test's own values are what they are")]
#![expect(
    unsafe_code,
    reason = "an allocator that counts and hands on to the system's is declared so"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use clause9_shared::baseline::BaselineBuilder;
use clause9_shared::digest::Digest;
use clause9_shared::inference::{Inference, Tensor, Values};
use clause9_shared::objective::Document;
use clause9_shared::objective::document::Scalar;
use clause9_shared::plan::{CapturePlan, MAX_WAITING_ROWS, Outcome};
use clause9_shared::time::Timestamp;
use serde_json::json;

/// How often memory was asked for.
static ASKED: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: every call is handed on as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NUMERIC: usize = 20;
const CATEGORICAL: usize = 5;

fn document() -> Document {
    let numeric = (0..NUMERIC)
        .map(|i| json!({ "name": format!("n{i}"), "type": "numeric", "unit": "1", "from": { "input": format!("n{i}") } }));
    let categorical = (0..CATEGORICAL)
        .map(|i| json!({ "name": format!("c{i}"), "type": "categorical", "from": { "input": format!("c{i}") } }));
    let attribute = |name: &str| json!({ "name": name, "from": { "request": { "input": name } }, "groups": ["a", "b"], "reference": "a" });
    serde_json::from_value(json!({
        "clause9": "objectives/v1",
        "system": {
            "id": "memory", "name": "memory", "intended_purpose": "counting", "owner": "nobody",
            "role": "developer", "models": [{ "name": "model", "source": "own" }],
        },
        "panes": { "length": "1d" },
        "features": numeric.chain(categorical).collect::<Vec<_>>(),
        "outputs": {
            "score": { "from": { "output": "p" } },
            "decision": { "rule": { "score_at_least": 0.5 }, "positive_means": "granted" },
            "label": { "positive": 1, "negative": 0 },
        },
        "attributes": [attribute("sex"), attribute("age")],
        "objectives": [],
    }))
    .unwrap()
}

fn row(turn: usize) -> Inference {
    let tensor = |name: String, values: Values| Tensor {
        name: name.into(),
        columns: 1,
        values,
    };
    let number = |i: usize| ((turn * 31 + i * 17) % 101) as f64 / 7.0;
    let mut inputs: Vec<Tensor> = (0..NUMERIC)
        .map(|i| tensor(format!("n{i}"), Values::Float(vec![number(i)])))
        .collect();
    for i in 0..CATEGORICAL {
        let name = format!("v{}", (turn + i) % 7);
        inputs.push(tensor(format!("c{i}"), Values::Text(vec![name.into()])));
    }
    for (i, name) in ["sex", "age"].into_iter().enumerate() {
        let group = ["a", "b"][(turn >> i) % 2];
        inputs.push(tensor(name.into(), Values::Text(vec![group.into()])));
    }
    let score = (turn % 97) as f64 / 97.0;
    Inference {
        model: "model".into(),
        model_version: "".into(),
        request_id: None,
        arrived_at: Timestamp::EPOCH,
        rows: 1,
        inputs,
        outputs: vec![tensor("p".into(), Values::Float(vec![score]))],
    }
}

#[test]
fn rows_with_score_label_and_attributes_are_counted_without_an_allocation() {
    let document = document();
    let mut builder = BaselineBuilder::new(&document, "reference");
    for turn in 0..2000 {
        let row = row(turn);
        for index in 0..document.features.len() {
            builder.observe(index, row.inputs[index].cell(0, 0));
        }
        builder.end_row();
    }
    let baseline = builder.finish(Digest::of(b"reference")).unwrap();
    let plan = CapturePlan::new(&document, &baseline).unwrap();
    let rows: Vec<Inference> = (0..200 * MAX_WAITING_ROWS).map(row).collect();
    let labels = [0.0, 1.0].map(|label| Outcome {
        request_id: String::new(),
        row: 0,
        label: Some(Scalar::Number(label)),
        attributes: BTreeMap::new(),
        available_at: None,
    });
    let mut gathered = plan.gathering();
    let (mut outcomes, mut known) = (plan.empty_outcomes(), Vec::new());
    let mut count = || {
        for (turn, row) in rows.iter().enumerate() {
            known.clear();
            plan.gather(&plan.fit(row).unwrap(), &mut gathered, &mut known);
            for prediction in &mut known {
                plan.join(prediction, &labels[turn % 2], &mut outcomes);
            }
        }
    };
    let before = ASKED.load(Ordering::Relaxed);
    count();
    let warm = ASKED.load(Ordering::Relaxed);
    count();
    let after = ASKED.load(Ordering::Relaxed);
    assert!(warm > before, "the allocator is not the one that counts");
    assert_eq!(after, warm, "allocations after warming up");
    assert_eq!(plan.summary_of(&gathered).len(), plan.empty_traffic().len());
}
