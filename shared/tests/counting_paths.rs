//! Counting column by column, row by row and in pieces gives the same bytes; and those are what the
//! summaries give that are counted one value at a time.
#![expect(clippy::unwrap_used, reason = "a test's own values are what they are")]

use std::sync::Arc;

use clause9_shared::baseline::{Baseline, BaselineBuilder};
use clause9_shared::digest::Digest;
use clause9_shared::inference::{Inference, Named, Owned, Tensor, Values};
use clause9_shared::objective::Document;
use clause9_shared::plan::{CapturePlan, MAX_WAITING_ROWS, Prediction};
use clause9_shared::sketch::{
    CutCounts, Histogram, Moments, Sketch as _, SummaryKey, SummaryKind, SummaryOf,
};
use clause9_shared::time::Timestamp;
use clause9_shared::wire::codec::Encode as _;
use proptest::prelude::*;
use serde_json::json;

const NUMERIC: usize = 4;

fn document() -> Document {
    let numeric = (0..NUMERIC).map(|i| {
        let missing = if i == 1 { json!([-999.0, 7]) } else { json!([]) };
        json!({
            "name": format!("n{i}"), "type": "numeric", "unit": "1",
            "from": if i < 2 { json!({ "input": format!("n{i}") }) } else { json!({ "input": "block", "column": i - 2 }) },
            "missing": { "values": missing, "nan": i % 2 == 0 },
            "range": if i == 0 { json!({ "min": -2.0, "max": 3.0 }) } else { json!(null) },
        })
    });
    let categorical = (0..2).map(|i| {
        json!({
            "name": format!("c{i}"), "type": "categorical", "from": { "input": format!("c{i}") },
            "missing": { "values": if i == 0 { json!(["unknown"]) } else { json!([]) } },
        })
    });
    let mut document = json!({
        "clause9": "objectives/v1",
        "system": {
            "id": "paths", "name": "paths", "intended_purpose": "counting", "owner": "nobody",
            "role": "developer", "models": [{ "name": "model", "source": "own" }],
        },
        "panes": { "length": "1d" },
        "features": numeric.chain(categorical).collect::<Vec<_>>(),
        "outputs": {
            "score": { "from": { "output": "p" } },
            "decision": { "rule": { "score_at_least": 0.5 }, "positive_means": "granted" },
        },
        "attributes": [
            { "name": "sex", "from": { "request": { "input": "sex" } }, "groups": ["a", "b"], "reference": "a" },
            { "name": "kind", "from": { "request": { "input": "c0" } }, "groups": ["v0", "v1", "v2"], "reference": "v0" },
        ],
        "objectives": [],
    });
    for feature in document["features"].as_array_mut().unwrap() {
        let feature = feature.as_object_mut().unwrap();
        feature.retain(|_, value| !value.is_null());
    }
    serde_json::from_value(document).unwrap()
}

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Mostly around zero, some equal to others, a few that are odd.
    fn number(&mut self, odd: u64) -> f64 {
        if self.below(100) < odd {
            let bits = self.next();
            let any = [
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                0.0,
                -0.0,
                5e-324,
                -1e-310,
                1e300,
                f64::MIN,
                -999.0,
                7.0,
                1e12,
                f64::from_bits(bits),
            ];
            return any[usize::try_from(self.below(any.len() as u64)).unwrap()];
        }
        if self.below(3) == 0 {
            return self.below(40) as f64 / 8.0 - 2.0;
        }
        (self.unit() + self.unit() + self.unit() - 1.5) * 2.0
    }

    fn name(&mut self, names: u64) -> String {
        match self.below(20) {
            0 => "unknown".to_owned(),
            1 => String::new(),
            2 => "an unusual name that is long".to_owned(),
            _ => format!("v{}", self.below(names)),
        }
    }
}

fn baseline(document: &Document) -> Baseline {
    let mut dice = Dice(1);
    let mut builder = BaselineBuilder::new(document, "reference");
    let reference = exchange(&mut dice, 3000, 1);
    for row in 0..reference.rows {
        for (index, (tensor, column)) in [(0, 0), (1, 0), (2, 0), (2, 1), (3, 0), (4, 0)]
            .into_iter()
            .enumerate()
        {
            builder.observe(index, reference.inputs[tensor].cell(row, column));
        }
        builder.observe_score(reference.outputs[0].cell(row, 0).number().unwrap());
        builder.end_row();
    }
    builder.finish(Digest::of(b"reference")).unwrap()
}

fn exchange(dice: &mut Dice, rows: usize, odd: u64) -> Inference {
    let tensor = |name: &str, columns: usize, values: Values| Tensor {
        name: name.into(),
        columns,
        values,
    };
    let mut floats = |n: usize| (0..n).map(|_| dice.number(odd)).collect::<Vec<f64>>();
    let inputs = vec![
        tensor("n0", 1, Values::Float(floats(rows))),
        tensor("n1", 1, Values::Float(floats(rows))),
        tensor("block", 2, Values::Float(floats(2 * rows))),
    ];
    let names: Vec<String> = (0..rows).map(|_| dice.name(4)).collect();
    let more: Vec<String> = (0..rows).map(|_| dice.name(200)).collect();
    let mut inputs = inputs;
    inputs.push(tensor(
        "c0",
        1,
        Values::Text(names.iter().map(|n| n.as_str().into()).collect()),
    ));
    inputs.push(tensor("c1", 1, named(&more)));
    let sexes = (0..rows).map(|_| match dice.below(4) {
        0 => Owned::Missing,
        1 => Owned::Text("x".into()),
        2 => Owned::Text("a".into()),
        _ => Owned::Text("b".into()),
    });
    inputs.push(tensor("sex", 1, Values::Mixed(sexes.collect())));
    let scores = (0..rows).map(|_| {
        if dice.below(50) < odd {
            dice.number(100)
        } else {
            dice.unit()
        }
    });
    Inference {
        model: "model".into(),
        model_version: "".into(),
        request_id: None,
        arrived_at: Timestamp::EPOCH,
        rows,
        outputs: vec![tensor("p", 1, Values::Float(scores.collect()))],
        inputs,
    }
}

/// By their places in a list; the empty name is missing.
fn named(texts: &[String]) -> Values {
    let mut names: Vec<Box<str>> = Vec::new();
    let codes = texts.iter().map(|text| {
        if text.is_empty() {
            return u32::MAX;
        }
        let place = names
            .iter()
            .position(|name| **name == **text)
            .unwrap_or_else(|| {
                names.push(text.as_str().into());
                names.len() - 1
            });
        u32::try_from(place).unwrap()
    });
    let codes = codes.collect();
    Values::Named(Named {
        codes,
        names: Arc::new(names),
    })
}

/// The same values, each with a type of its own.
fn mixed(inference: &Inference) -> Inference {
    let owned = |tensor: &Tensor| {
        let cells = (0..tensor.values.len()).map(|i| {
            use clause9_shared::inference::Cell;
            match tensor.cell(i / tensor.columns, i % tensor.columns) {
                Cell::Missing => Owned::Missing,
                Cell::Float(x) => Owned::Float(x),
                Cell::Int(x) => Owned::Int(x),
                Cell::Uint(x) => Owned::Uint(x),
                Cell::Bool(x) => Owned::Bool(x),
                Cell::Text(x) => Owned::Text(x.into()),
            }
        });
        Tensor {
            values: Values::Mixed(cells.collect()),
            ..tensor.clone()
        }
    };
    let mut mixed = inference.clone();
    for tensor in mixed.inputs.iter_mut().chain(&mut mixed.outputs) {
        *tensor = owned(tensor);
    }
    mixed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn all_at_once_in_pieces_and_row_by_row_count_the_same(
        seed: u64, rows in prop_oneof![1..40_usize, 900..3000_usize], odd in prop_oneof![Just(0), Just(3), Just(60)],
        piece in prop_oneof![1..20_usize, 1000..2000_usize],
    ) {
        let document = document();
        let plan = CapturePlan::new(&document, &baseline(&document)).unwrap();
        let inference = exchange(&mut Dice(seed), rows, odd);
        let (mut whole, mut known) = (plan.empty_traffic(), Vec::new());
        plan.observe_all(&inference, &mut whole, &mut known).unwrap();
        let (mut single, mut known_singly) = (plan.empty_traffic(), Vec::<Prediction>::new());
        for observation in plan.observations(&inference).unwrap() {
            known_singly.push(plan.observe(observation, &mut single));
        }
        prop_assert_eq!(&known, &known_singly);
        prop_assert!(whole == single);
        prop_assert_eq!(whole.to_bytes(), single.to_bytes());
        let (mut pieces, mut known_in_pieces) = (plan.empty_traffic(), Vec::new());
        let fitting = plan.fit(&inference).unwrap();
        for first in (0..rows).step_by(piece) {
            plan.observe_fitting(&fitting, first..first + piece, &mut pieces, &mut known_in_pieces);
        }
        prop_assert_eq!(&known, &known_in_pieces);
        prop_assert_eq!(whole.to_bytes(), pieces.to_bytes());
        let (mut typed, mut known_typed) = (plan.empty_traffic(), Vec::new());
        plan.observe_all(&mixed(&inference), &mut typed, &mut known_typed).unwrap();
        prop_assert_eq!(&known, &known_typed);
        prop_assert_eq!(whole.to_bytes(), typed.to_bytes());
    }

    #[test]
    fn rows_that_wait_to_be_counted_together_count_the_same(
        seed: u64, sizes in prop::collection::vec(prop_oneof![6 => 1..6_usize, 1 => 0..150_usize], 1..120),
        odd in prop_oneof![Just(0), Just(3), Just(60)], reads in prop::collection::vec(0..120_usize, 0..3),
    ) {
        let document = document();
        let plan = CapturePlan::new(&document, &baseline(&document)).unwrap();
        let mut dice = Dice(seed);
        let (mut whole, mut known) = (plan.empty_traffic(), Vec::new());
        let (mut gathered, mut known_gathered) = (plan.gathering(), Vec::new());
        for (turn, rows) in sizes.into_iter().enumerate() {
            let mut inference = exchange(&mut dice, rows, odd);
            if turn % 5 == 4 {
                inference = mixed(&inference);
            }
            if turn % 7 == 6 {
                // Of a request without its answer, inputs only.
                let fitting = plan.fit_request(&inference).unwrap();
                plan.observe_fitting(&fitting, 0..rows, &mut whole, &mut known);
                plan.gather(&fitting, &mut gathered, &mut known_gathered);
            } else {
                plan.observe_all(&inference, &mut whole, &mut known).unwrap();
                plan.gather(&plan.fit(&inference).unwrap(), &mut gathered, &mut known_gathered);
            }
            prop_assert!(gathered.waiting() <= MAX_WAITING_ROWS);
            if reads.contains(&turn) {
                // Read without being settled, and settled.
                prop_assert_eq!(plan.summary_of(&gathered).to_bytes(), whole.to_bytes());
                if turn % 2 == 0 {
                    plan.settle(&mut gathered);
                    prop_assert_eq!(gathered.waiting(), 0);
                }
            }
        }
        prop_assert_eq!(&known, &known_gathered);
        plan.settle(&mut gathered);
        prop_assert!(*plan.summary_of(&gathered) == whole);
        prop_assert_eq!(plan.summary_of(&gathered).to_bytes(), whole.to_bytes());
    }

    #[test]
    fn a_column_counts_what_single_values_do(seed: u64, rows in 1000..4000_usize, odd in prop_oneof![Just(0), Just(40)]) {
        let document = document();
        let plan = CapturePlan::new(&document, &baseline(&document)).unwrap();
        let inference = exchange(&mut Dice(seed), rows, odd);
        let mut whole = plan.empty_traffic();
        plan.observe_all(&inference, &mut whole, &mut Vec::new()).unwrap();
        let of = |kind| SummaryKey::new(SummaryOf::Feature(document.features[0].name.clone()), kind);
        let empty = plan.empty_traffic();
        let mut histogram = Histogram::of(empty.get(&of(SummaryKind::Histogram)).unwrap()).unwrap().clone();
        let mut moments = Moments::of(empty.get(&of(SummaryKind::Moments)).unwrap()).unwrap().clone();
        let mut cuts = CutCounts::of(empty.get(&of(SummaryKind::CutCounts)).unwrap()).unwrap().clone();
        let Values::Float(values) = &inference.inputs[0].values else { unreachable!() };
        for x in values {
            histogram.add(*x);
            moments.add(*x);
            cuts.add(*x);
        }
        prop_assert_eq!(Histogram::of(whole.get(&of(SummaryKind::Histogram)).unwrap()).unwrap(), &histogram);
        prop_assert_eq!(Moments::of(whole.get(&of(SummaryKind::Moments)).unwrap()).unwrap(), &moments);
        prop_assert_eq!(CutCounts::of(whole.get(&of(SummaryKind::CutCounts)).unwrap()).unwrap(), &cuts);
        prop_assert!(histogram.clone().merge(&histogram).is_ok());
    }
}
