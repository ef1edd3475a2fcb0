//! Section `sampling`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which exchanges are kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SamplingConfig {
    /// Share of request ids that are kept, from 0 to 1, chosen by a keyed hash of the id.
    ///
    /// Lower it when the agent falls behind; intervals widen. At 0 nothing is measured. Default: 1.
    pub rate: f64,
}

impl Default for SamplingConfig {
    fn default() -> Self {
        Self { rate: 1.0 }
    }
}
