//! What an objective assumes of cases that have no label.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is assumed of cases that have no label when `label_delay` has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Unlabelled {
    /// They fare as labelled ones do.
    #[default]
    AsObserved,
    /// The worst for whatever is claimed: a breach is confirmed only if it is one with every such case
    /// decided rightly, and the objective is conforming only if it is with every one decided wrongly.
    WorstCase,
    /// Their odds differ from those of labelled ones by this factor at most, either way. From 1 on.
    Sensitivity(f64),
}

impl Unlabelled {
    /// Whether nothing is assumed that labelled cases do not show.
    pub fn is_as_observed(&self) -> bool {
        *self == Self::AsObserved
    }
}
