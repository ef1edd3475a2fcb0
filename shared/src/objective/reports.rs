//! What reports show.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fairness::LEAST_SHOWN;

/// What reports show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reports {
    /// Fewest cases of a group of an attribute for its figures to be shown; those of smaller groups are
    /// withheld, and so are others from which they would follow. 1 shows all. Default: 20.
    #[serde(default = "least_shown")]
    pub least_group: u64,
}

const fn least_shown() -> u64 {
    LEAST_SHOWN
}

impl Default for Reports {
    fn default() -> Self {
        Self {
            least_group: least_shown(),
        }
    }
}

impl Reports {
    /// Whether nothing else is asked for than without it.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
