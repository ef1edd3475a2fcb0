//! Section `limits`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bounds on memory and disk. What exceeds one is let go and counted; traffic is never held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Longest request or response body that is captured, in bytes. Longer ones pass, uncaptured.
    /// Default: 1048576.
    pub body_bytes: usize,
    /// Most exchanges waiting for the monitor. Default: 1024.
    pub queue_exchanges: usize,
    /// Most bytes of bodies held, being captured or waiting for the monitor. Default: 33554432.
    pub queue_bytes: usize,
    /// Most bytes of batches waiting for the collector, in memory and on disk each.
    /// Default: 67108864.
    pub outbox_bytes: usize,
    /// Most predictions (rows) remembered for their outcomes. Default: 1000000.
    pub remembered_predictions: usize,
    /// Most outcomes waiting for a request that is not known yet. Default: 65536.
    pub waiting_outcomes: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            queue_exchanges: 1024,
            queue_bytes: 32 << 20,
            outbox_bytes: 64 << 20,
            remembered_predictions: 1_000_000,
            waiting_outcomes: 65_536,
        }
    }
}
