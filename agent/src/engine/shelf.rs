//! What the engine asks of a place that keeps predictions longer than its own memory does.

use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;

use crate::engine::Origin;
use crate::sample::Tag;

/// A request that was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Where it comes from.
    pub origin: Origin,
    /// Its packed predictions, as they were last.
    pub rows: Vec<u8>,
}

/// A place for predictions. It never fails: what it cannot keep it counts, and does not find again.
pub trait Shelf: std::fmt::Debug + Send {
    /// Keeps a request that is not kept yet, with packed predictions of so many rows.
    fn put(&mut self, tag: Tag, origin: &Origin, rows: &[u8]);

    /// Keeps what became of one row by an outcome that arrived in that pane.
    fn amend(&mut self, tag: Tag, row: u32, packed: &[u8], arrival: PaneStart);

    /// A request that is kept.
    fn find(&mut self, tag: Tag) -> Option<Kept>;

    /// Whether a request may be kept: sometimes so of one that is not.
    fn may_hold(&self, tag: Tag) -> bool;

    /// Whether a request was kept and is no more: sometimes so of one that never was.
    fn has_forgotten(&self, tag: Tag) -> bool;

    /// What outcomes added in panes before this point is about to be handed over: an outcome of a later
    /// one is lost if the process ends now.
    fn handed_over(&mut self, before: Timestamp);

    /// What outcomes added up to now is put by under this number: if the process ends and the next run finds
    /// it, it is not lost.
    fn put_by(&mut self, number: u64);

    /// Lets go what comes from panes before the horizon, and what is over the bound. `known` says what is
    /// remembered elsewhere.
    fn trim(&mut self, horizon: Option<PaneStart>, known: &dyn Fn(u64) -> bool);

    /// Writes what is not written yet.
    fn flush(&mut self);

    /// What happened since the last call.
    fn take_tally(&mut self) -> ShelfTally;

    /// How many predictions (rows) are kept.
    fn rows(&self) -> u64;

    /// How many bytes that takes on disk.
    fn bytes(&self) -> u64;
}

/// Why a prediction is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Its outcome horizon has passed.
    Horizon,
    /// A bound on memory or disk was reached.
    Bound,
    /// It could not be written, and memory was full.
    Unwritten,
    /// What was written is damaged.
    Damaged,
    /// It was made under other objectives, another baseline or another system key.
    OtherPlan,
    /// The monitor failed.
    MonitorDown,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Horizon,
        Self::Bound,
        Self::Unwritten,
        Self::Damaged,
        Self::OtherPlan,
        Self::MonitorDown,
    ];

    /// The word used in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Horizon => "horizon",
            Self::Bound => "bound",
            Self::Unwritten => "unwritten",
            Self::Damaged => "damaged",
            Self::OtherPlan => "other_plan",
            Self::MonitorDown => "monitor_down",
        }
    }
}

/// Predictions (rows) forgotten, by reason (index = position in [`Reason::ALL`]).
pub type ForgottenRows = [u64; Reason::ALL.len()];

/// What happened at a place for predictions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShelfTally {
    /// Predictions forgotten.
    pub forgotten: ForgottenRows,
    /// Outcomes that had been joined in a pane that was not handed over before the last end of the
    /// process: they are lost.
    pub lost_outcomes: u64,
    /// Files with bytes that are not what was written.
    pub damaged_files: u64,
    /// Writes, and removals of files, that failed.
    pub write_failures: u64,
}
