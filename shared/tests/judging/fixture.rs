//! A small system to judge, and deterministic chance.

use clause9_shared::baseline::Baseline;
use clause9_shared::judge::Compiled;
use clause9_shared::metric::{Estimate, Sample, Unmeasurable};
use clause9_shared::objective::document::{Document, Objective};
use serde_json::json;

/// A system with one feature, a score, a decision, a label and an attribute; panes of a day.
pub(crate) fn document() -> Document {
    let text = json!({
        "clause9": "objectives/v1",
        "system": {
            "id": "car-loan", "name": "Car loans", "intended_purpose": "Advice.",
            "owner": "head of credit", "role": "user",
            "models": [{ "name": "car-loan", "source": "own" }]
        },
        "panes": { "length": "1d" },
        "features": [{
            "name": "age", "type": "numeric", "unit": "a", "from": { "input": "age" }
        }],
        "outputs": {
            "score": { "from": { "output": "probability" } },
            "decision": { "rule": { "score_at_least": 0.5 }, "positive_means": "approved" },
            "label": { "positive": 1, "negative": 0 }
        },
        "attributes": [{
            "name": "sex", "from": "outcome", "groups": ["male", "female"], "reference": "male"
        }],
        "objectives": []
    });
    serde_json::from_value(text).unwrap()
}

/// A reference of 10,000 rows in four equal cells.
pub(crate) fn baseline() -> Baseline {
    serde_json::from_value(json!({
        "clause9": "baseline/v1", "system": "car-loan",
        "source": {
            "name": "reference.csv",
            "digest": "sha256:0000000000000000000000000000000000000000000000000000000000000000"
        },
        "rows": 10000,
        "features": { "age": {
            "kind": "numeric", "center": 40.0, "scale_exponent": 4, "cuts": [30.0, 40.0, 50.0],
            "counts": [2500, 2500, 2500, 2500], "missing": 0, "invalid": 0
        } }
    }))
    .unwrap()
}

/// An objective with what the test changes.
pub(crate) fn objective(changes: &serde_json::Value) -> Objective {
    let mut text = json!({
        "id": "accuracy", "version": 1, "statement": "Right often enough.", "policy": "4.1",
        "metric": "accuracy", "comparator": "at_least", "levels": { "action": 0.85 },
        "window": "1d", "min_support": 50, "evaluate_every": "7d",
        "owner": "head of credit", "approver": "committee",
        "effective_from": "2026-01-01T00:00:00Z", "cycle": "1000d", "references": []
    });
    for (key, value) in changes.as_object().unwrap() {
        text[key] = value.clone();
    }
    serde_json::from_value(text).unwrap()
}

pub(crate) fn compile(changes: &serde_json::Value) -> Compiled {
    Compiled::new(&document(), &objective(changes), &baseline()).unwrap()
}

pub(crate) fn rate(hits: u64, of: u64) -> Result<Estimate, Unmeasurable> {
    if of == 0 {
        return Err(Unmeasurable::NoData);
    }
    Ok(Estimate {
        value: hits as f64 / of as f64,
        interval: None,
        bound: None,
        support: of,
        sample: Sample::Rate { hits, of },
    })
}

pub(crate) fn two_rates(
    reference: (u64, u64),
    compared: (u64, u64),
) -> Result<Estimate, Unmeasurable> {
    if reference.0 == 0 {
        return Err(Unmeasurable::NoReferenceHits {
            reference,
            compared,
        });
    }
    let share = |(hits, of): (u64, u64)| hits as f64 / of as f64;
    Ok(Estimate {
        value: share(compared) / share(reference),
        interval: None,
        bound: None,
        support: reference.1 + compared.1,
        sample: Sample::TwoRates {
            reference,
            compared,
        },
    })
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "stands where blocks that may be empty stand"
)]
pub(crate) fn normal(estimate: f64, std_error: f64, of: u64) -> Result<Estimate, Unmeasurable> {
    Ok(Estimate {
        value: estimate,
        interval: None,
        bound: None,
        support: of,
        sample: Sample::Normal {
            estimate,
            std_error,
            of,
            least: of,
        },
    })
}

/// Steele, Lea and Flood's `SplitMix64`: deterministic on every machine.
pub(crate) struct SplitMix64(pub(crate) u64);

impl SplitMix64 {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    /// A standard normal number (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let far = (-2.0 * libm::log(1.0 - self.uniform())).sqrt();
        far * libm::cos(2.0 * std::f64::consts::PI * self.uniform())
    }

    pub(crate) fn binomial(&mut self, n: u64, p: f64) -> u64 {
        (0..n).map(|_| u64::from(self.uniform() < p)).sum()
    }
}
