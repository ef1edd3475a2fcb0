//! Section `sampling`.

use clause9_shared::sampling::Halvings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::Cap;

/// Which exchanges are kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SamplingConfig {
    /// Share of request ids that are kept, from 0 to 1, chosen by a keyed hash of the id.
    ///
    /// Lower it when the agent falls behind; intervals widen. At 0 nothing is measured. Default: 1.
    pub rate: f64,
    /// What is kept at most. While more comes, the rate is halved from pane to pane, down to 1/256.
    ///
    /// Each replica of a system needs one. `sampling.rate` must then be 1, 1/2, 1/4 and so on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<CapConfig>,
}

/// What is kept at most, on average over a pane. At least one of the two.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CapConfig {
    /// Exchanges in a second. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchanges_per_second: Option<f64>,
    /// Bytes of their requests and answers in a second. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<f64>,
}

impl Default for SamplingConfig {
    fn default() -> Self {
        Self {
            rate: 1.0,
            cap: None,
        }
    }
}

impl SamplingConfig {
    /// What is wrong with it, by key.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let Some(cap) = &self.cap else {
            return Ok(());
        };
        if Halvings::of_rate(self.rate).is_none() {
            let message = format!(
                "with `sampling.cap`, must be 1 halved up to {} times, as 0.5 or 0.25",
                Halvings::MOST.count()
            );
            return Err(("sampling.rate", message));
        }
        if cap.exchanges_per_second.is_none() && cap.bytes_per_second.is_none() {
            let message = "says nothing; name `exchanges_per_second` or `bytes_per_second`";
            return Err(("sampling.cap", message.to_owned()));
        }
        for (key, most) in [
            (
                "sampling.cap.exchanges_per_second",
                cap.exchanges_per_second,
            ),
            ("sampling.cap.bytes_per_second", cap.bytes_per_second),
        ] {
            if most.is_some_and(|most| !most.is_finite() || most <= 0.0) {
                return Err((key, "must be above 0".to_owned()));
            }
        }
        Ok(())
    }

    /// The cap as the engine knows it.
    pub fn cap(&self) -> Option<Cap> {
        let cap = self.cap?;
        Some(Cap {
            declared: Halvings::of_rate(self.rate)?,
            exchanges_per_second: cap.exchanges_per_second,
            bytes_per_second: cap.bytes_per_second,
        })
    }
}
