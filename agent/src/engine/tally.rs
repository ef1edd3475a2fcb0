//! Counts: what the data path tells of a pane, and what the engine counted for telemetry.

use clause9_shared::window::{DropReason, UndecodableReason};

use crate::engine::shelf::ForgottenRows;

/// Counts since the last time they were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Exchanges decoded, kept and observed.
    pub sampled: u64,
    /// Exchanges left out by the sampling rule.
    pub sampled_out: u64,
    /// Those of them of which rows were counted for comparisons by group.
    pub for_groups: u64,
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
    /// Predictions forgotten, by reason (index = position in
    /// [`Reason::ALL`](crate::engine::shelf::Reason::ALL)).
    pub forgotten: ForgottenRows,
    /// Files of predictions with bytes that are not what was written.
    pub joins_damaged: u64,
    /// Writes of predictions that failed.
    pub joins_write_failures: u64,
    /// Outcomes joined before the process ended and not handed over.
    pub lost_outcomes: u64,
    /// Outcomes that added something.
    pub joined: u64,
    /// Outcomes that repeated what was known.
    pub repeated: u64,
    /// Outcomes whose request stayed unknown.
    pub unknown_id: u64,
    /// Outcomes whose request was remembered and is no more.
    pub outcomes_forgotten: u64,
    /// Outcomes whose request has no such row.
    pub unknown_row: u64,
    /// Outcomes with a value that is not listed.
    pub unlisted_value: u64,
    /// Outcomes let go because a bound was reached.
    pub outcomes_dropped: u64,
    /// Outcomes of requests that the sampling rule left out.
    pub outcomes_sampled_out: u64,
}

/// What the data path counted in one pane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketCounts {
    /// Requests that came in.
    pub seen: u64,
    /// Those that are no inference.
    pub not_inference: u64,
    /// Those let go here, by reason (index = position in [`DropReason::ALL`]).
    pub dropped: [u64; DropReason::ALL.len()],
}

impl SocketCounts {
    /// Adds another pane's counts.
    pub fn add(&mut self, other: &Self) {
        self.seen += other.seen;
        self.not_inference += other.not_inference;
        for (mine, theirs) in self.dropped.iter_mut().zip(other.dropped) {
            *mine += theirs;
        }
    }

    /// All requests let go here.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }
}
