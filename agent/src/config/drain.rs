//! Section `drain`.

use clause9_shared::time::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The end of an agent, after SIGTERM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DrainConfig {
    /// How long new requests are still taken, while whoever spreads the traffic learns that this
    /// agent goes. Default: 500ms.
    pub quiet: Span,
    /// How long exchanges under way may take to end after that; make it as long as the longest
    /// answer. Default: 20s.
    pub at_most: Span,
}

impl Default for DrainConfig {
    fn default() -> Self {
        Self {
            quiet: Span::from_millis(500),
            at_most: Span::from_secs(20),
        }
    }
}

impl DrainConfig {
    pub(crate) fn quiet(self) -> std::time::Duration {
        std::time::Duration::from_micros(self.quiet.micros().unsigned_abs())
    }

    pub(crate) fn at_most(self) -> std::time::Duration {
        std::time::Duration::from_micros(self.at_most.micros().unsigned_abs())
    }
}
