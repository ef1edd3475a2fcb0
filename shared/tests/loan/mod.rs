//! A small AI system for the tests of counting: loans, with a feature that fills every octave.
#![expect(
    unreachable_pub,
    reason = "each test file that takes this in is a crate of its own"
)]
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "no test file uses all of it"
)]

use clause9_shared::baseline::{Baseline, BaselineBuilder};
use clause9_shared::digest::Digest;
use clause9_shared::inference::{Cell, Inference, Tensor, Values};
use clause9_shared::objective::document::Document;
use clause9_shared::plan::CapturePlan;
use clause9_shared::time::Timestamp;
use serde_json::{Value, json};

/// The objectives file as a value, for edits.
pub fn document_json() -> Value {
    json!({
        "clause9": "objectives/v1",
        "system": { "id": "loan", "name": "Loans", "intended_purpose": "Advises.", "owner": "credit",
            "role": "user", "models": [{ "name": "loan", "source": "own" }] },
        "panes": { "length": "1d" },
        "features": [
            { "name": "wild", "type": "numeric", "unit": "1", "from": { "input": "wild" }, "range": { "min": -1e3, "max": 1e3 } },
            { "name": "amount", "type": "numeric", "unit": "EUR", "from": { "input": "numbers", "column": 1 },
                "missing": { "values": [-1, "n/a"], "nan": false } },
            { "name": "purpose", "type": "categorical", "from": { "input": "purpose" }, "missing": { "values": ["unknown", 9] } }
        ],
        "outputs": {
            "score": { "from": { "output": "probability" } },
            "decision": { "rule": { "score_at_least": 0.5 }, "positive_means": "granted" },
            "label": { "positive": 1, "negative": 0 }
        },
        "attributes": [
            { "name": "region", "from": { "request": { "input": "region" } }, "groups": ["north", "south"], "reference": "north" },
            { "name": "sex", "from": "outcome", "groups": ["female", "male"], "reference": "male" }
        ],
        "objectives": [
            { "id": "drift", "version": 1, "statement": "It stays.", "policy": "4.2", "metric": "psi",
                "of": { "feature": "amount" }, "comparator": "at_most", "levels": { "action": 0.2 },
                "window": "1d", "min_support": 10, "evaluate_every": "7d", "owner": "credit",
                "approver": "risk", "effective_from": "2020-01-01T00:00:00Z", "references": [] }
        ]
    })
}

pub fn document_of(json: Value) -> Document {
    serde_json::from_value(json).unwrap()
}

pub fn document() -> Document {
    document_of(document_json())
}

/// A baseline of a thousand rows.
pub fn baseline(document: &Document) -> Baseline {
    let mut dice = Dice(1);
    let mut builder = BaselineBuilder::new(document, "reference.csv").jointly();
    for i in 0..1000 {
        builder.observe(0, Cell::Float(dice.wild()));
        builder.observe(1, Cell::Float(dice.unit() * 5000.0));
        builder.observe(2, Cell::Text(["car", "home", "travel"][i % 3]));
        builder.observe_score(dice.unit());
        builder.end_row();
    }
    builder.finish(Digest::of(b"reference")).unwrap()
}

pub fn plan() -> CapturePlan {
    let document = document();
    CapturePlan::new(&document, &baseline(&document)).unwrap()
}

/// A stream of numbers from a seed (`SplitMix64`).
#[derive(Debug)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % (n as u64)).unwrap()
    }

    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Any octave of either sign.
    pub fn wild(&mut self) -> f64 {
        let size = libm::exp2(self.unit() * 34.0 - 13.0);
        if self.next().is_multiple_of(2) {
            -size
        } else {
            size
        }
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

pub fn tensor(name: &str, columns: usize, values: Values) -> Tensor {
    Tensor {
        name: name.into(),
        columns,
        values,
    }
}

/// An exchange with these tensors.
pub fn exchange(rows: usize, inputs: Vec<Tensor>, outputs: Vec<Tensor>) -> Inference {
    Inference {
        model: "loan".into(),
        model_version: "1".into(),
        request_id: Some("r-1".into()),
        arrived_at: Timestamp::EPOCH,
        rows,
        inputs,
        outputs,
    }
}

/// An exchange of some rows, now and then with something odd in it.
pub fn random_exchange(dice: &mut Dice, rows: usize) -> Inference {
    let texts = |dice: &mut Dice, of: &[&str]| {
        Values::Text((0..rows).map(|_| of[dice.below(of.len())].into()).collect())
    };
    let wild = (0..rows).map(|_| match dice.below(40) {
        0 => f64::NAN,
        1 => f64::INFINITY,
        2 => -0.0,
        3 => f64::MIN_POSITIVE / 3.0,
        _ => dice.wild(),
    });
    let wild = Values::Float(wild.collect());
    let numbers = (0..2 * rows).map(|_| match dice.below(10) {
        0 => -1.0,
        1 => f64::NAN,
        _ => dice.unit() * 6000.0,
    });
    let numbers = Values::Float(numbers.collect());
    let mut inputs = vec![
        tensor("wild", 1, wild),
        tensor("numbers", 2, numbers),
        tensor(
            "purpose",
            1,
            texts(dice, &["car", "home", "boat", "unknown"]),
        ),
        tensor("region", 1, texts(dice, &["north", "south", "west"])),
        tensor("not watched", 1, texts(dice, &["x"])),
    ];
    dice.shuffle(&mut inputs);
    if dice.below(10) == 0 {
        inputs.pop();
    }
    let scores = (0..rows).map(|_| {
        if dice.below(30) == 0 {
            f64::NAN
        } else {
            dice.unit()
        }
    });
    let outputs = vec![tensor("probability", 1, Values::Float(scores.collect()))];
    exchange(rows, inputs, outputs)
}
