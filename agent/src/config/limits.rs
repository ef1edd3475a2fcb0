//! Section `limits`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bounds on memory and disk. What exceeds one is let go and counted; traffic is never held up.
/// How many clients may connect follows from the limit of open files (`LimitNOFILE`, `ulimit -n`): half of
/// what it permits beyond 256, and 16384 at most.
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
    /// Most bytes of batches waiting for the collector, on disk. Beyond it the oldest are let go, counted and told to the
    /// collector. What the disk does not take waits in memory, at most 16 MiB.
    /// Default: 67108864.
    pub outbox_bytes: usize,
    /// Most bytes on disk (folder `quarantine` of the state folder) of batches of which the collector refused something. Beyond it,
    /// or beyond 1024 batches, what was refused first is let go and counted; what was refused last is kept in any case.
    /// Default: 67108864.
    pub quarantine_bytes: u64,
    /// Most predictions (rows) remembered for their outcomes. Default: 1000000.
    pub remembered_predictions: usize,
    /// Most bytes for remembering them; whichever bound is reached first, the oldest ones are
    /// forgotten, unless they are on disk. A request of one row takes 56 bytes (with more than 6
    /// attributes, or more rows, besides 9 and one per attribute for each row): about 18000 single-row
    /// requests per MiB. Default: 16777216.
    pub remembered_bytes: usize,
    /// Most bytes on disk (folder `joins` of the state folder) for predictions that memory has no room
    /// for, or that were made before a restart. A request of one row takes about 52 bytes and one per
    /// attribute: about 16000 per MiB, and an outcome 46 more; besides, 2 bytes of memory for each. With
    /// 0, memory is all there is, and a restart forgets everything. Outcomes that come later than that
    /// many requests are not joined. Default: 67108864.
    pub remembered_disk_bytes: u64,
    /// Most outcomes waiting for a request that is not known yet, and never more than take 4 MiB.
    /// Default: 65536.
    pub waiting_outcomes: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            queue_exchanges: 1024,
            queue_bytes: 32 << 20,
            outbox_bytes: 64 << 20,
            quarantine_bytes: 64 << 20,
            remembered_predictions: 1_000_000,
            remembered_bytes: 16 << 20,
            remembered_disk_bytes: 64 << 20,
            waiting_outcomes: 65_536,
        }
    }
}
