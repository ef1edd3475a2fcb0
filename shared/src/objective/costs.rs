//! What right and wrong decisions cost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Largest cost of a decision, either way.
pub const MAX_COST: f64 = 1e9;

/// What decisions cost once it is known what was true. A gain is a cost below 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// Unit in UCUM, as `[EUR]` (`1` for a pure number).
    pub unit: String,
    /// Of a case that was decided positive and should not have been. Of two-valued decisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_positive: Option<f64>,
    /// Of a case that was decided negative and should not have been. Of two-valued decisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_negative: Option<f64>,
    /// Of a case that was rightly decided positive. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub true_positive: Option<f64>,
    /// Of a case that was rightly decided negative. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub true_negative: Option<f64>,
    /// Of decisions among classes: for each class that was true a list of what each decision costs, both
    /// in the order of `classes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_class: Vec<Vec<f64>>,
}

impl Costs {
    /// The costs in the order in which decisions are counted: true and false positives, false and true
    /// negatives; of classes by what was true, then by decision.
    pub fn by_cell(&self) -> Vec<f64> {
        if !self.by_class.is_empty() {
            return self.by_class.concat();
        }
        let two = [
            self.true_positive,
            self.false_positive,
            self.false_negative,
            self.true_negative,
        ];
        two.map(Option::unwrap_or_default).to_vec()
    }

    /// Those of two-valued decisions by their keys.
    pub(super) const fn named(&self) -> [(&'static str, Option<f64>); 4] {
        [
            ("false_positive", self.false_positive),
            ("false_negative", self.false_negative),
            ("true_positive", self.true_positive),
            ("true_negative", self.true_negative),
        ]
    }
}
