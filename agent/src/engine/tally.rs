//! What the engine counted since it was last asked. Telemetry only; coverage stands in the panes.

use clause9_shared::window::{DropReason, UndecodableReason};

/// Counts since the last time they were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Exchanges decoded, kept and observed.
    pub sampled: u64,
    /// Exchanges left out by the sampling rule.
    pub sampled_out: u64,
    /// Exchanges let go by the monitor, by reason (index = position in [`DropReason::ALL`]).
    pub dropped: [u64; DropReason::ALL.len()],
    /// Exchanges not understood, by reason (index = position in [`UndecodableReason::ALL`]).
    pub undecodable: [u64; UndecodableReason::ALL.len()],
    /// Exchanges that came after their pane was closed.
    pub late: u64,
    /// Rows observed.
    pub rows: u64,
    /// Panes closed.
    pub panes: u64,
    /// Predictions forgotten because of the bound.
    pub evicted: u64,
    /// Outcomes that added something.
    pub joined: u64,
    /// Outcomes that repeated what was known.
    pub repeated: u64,
    /// Outcomes whose request stayed unknown.
    pub unknown_id: u64,
    /// Outcomes whose request has no such row.
    pub unknown_row: u64,
    /// Outcomes with a value that is not listed.
    pub unlisted_value: u64,
    /// Outcomes let go because a bound was reached.
    pub outcomes_dropped: u64,
}
