//! Section `pull`.

use std::time::Duration;

use clause9_shared::time::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How objectives and baseline are pulled from the collector, where they are no files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PullConfig {
    /// How often the collector is asked whether they changed, give or take a tenth. From 1s to 1d. Default: 60s.
    pub every: Span,
}

impl Default for PullConfig {
    fn default() -> Self {
        Self {
            every: Span::from_secs(60),
        }
    }
}

impl PullConfig {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "what serde asks is asked of a reference"
    )]
    pub(super) fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn check(self) -> Result<(), (&'static str, String)> {
        if (Span::from_secs(1)..=Span::from_days(1)).contains(&self.every) {
            return Ok(());
        }
        Err(("pull.every", "must be from 1s to 1d".to_owned()))
    }

    pub(crate) fn every(self) -> Duration {
        Duration::from_micros(self.every.micros().unsigned_abs())
    }
}
