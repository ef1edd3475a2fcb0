//! What happened, as the collector's API tells it, held against what the clients counted. Reads
//! only; judges nothing.

use std::collections::BTreeMap;

use clause9_shared::time::{Span, Timestamp};
use clause9_shared::window::PaneStart;
use serde::Serialize;
use serde_json::Value;

use crate::model::Quality;
use crate::replay::Counted;

mod dated;
mod onset;
mod reader;
mod register;

pub(crate) use dated::dated;
pub(crate) use reader::Reader;
pub(crate) use register::{Batches, Register, Restart};

/// Everything that is told of one case.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Account {
    /// Name of the case and of the AI system.
    pub(crate) case: &'static str,
    /// The model's quality before production.
    pub(crate) model: ModelQuality,
    /// Production rows replayed.
    pub(crate) rows: usize,
    /// First row of the changed population, if it is known to change and was replayed.
    pub(crate) drift_at: Option<usize>,
    /// What was counted by clients and by the collector.
    pub(crate) coverage: Compared,
    /// What became of late records, summed over panes.
    pub(crate) outcome_coverage: Value,
    /// Panes that were sealed.
    pub(crate) windows: Vec<PaneSeen>,
    /// The last value of every window of every objective.
    pub(crate) measurements: Vec<Measurement>,
    /// Measurement records, restated ones among them.
    pub(crate) measurement_records: usize,
    /// Where every objective stands.
    pub(crate) verdicts: Vec<Standing>,
    /// Candidates that were raised.
    pub(crate) nonconformities: Vec<Nonconformity>,
    /// How many measurements should exist and do not.
    pub(crate) missing: u64,
    /// Some of them, with their reasons.
    pub(crate) missing_examples: Vec<Value>,
    /// Batches in the register.
    pub(crate) batches: Batches,
    /// What a killed and restarted collector kept.
    pub(crate) restart: Option<Restart>,
    /// How long it took.
    pub(crate) timings: Timings,
}

/// The model's quality before production.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ModelQuality {
    /// On the rows it was fitted to.
    pub(crate) fitted: Quality,
    /// On the baseline's rows, which it never saw.
    pub(crate) held_out: Quality,
}

/// Counts of both sides.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Compared {
    /// What the clients counted.
    pub(crate) client: Counted,
    /// The collector's coverage, summed over panes.
    pub(crate) collector: Value,
    /// Whether `seen` is the sum of its parts in every pane.
    pub(crate) adds_up: bool,
    /// Whether `seen` equals the clients' own count in every pane.
    pub(crate) equals_client: bool,
}

/// One sealed pane.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PaneSeen {
    /// Its beginning.
    pub(crate) start: PaneStart,
    /// Exchanges that the agents saw.
    pub(crate) seen: u64,
    /// Exchanges that the clients sent.
    pub(crate) client: u64,
    /// Late records that the clients sent.
    pub(crate) late_records: u64,
}

/// One measured window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Measurement {
    /// The objective.
    pub(crate) objective: String,
    /// Beginning of the window.
    pub(crate) start: Timestamp,
    /// End of the window.
    pub(crate) end: Timestamp,
    /// `measured`, `insufficient` or `not_measured`.
    pub(crate) status: String,
    /// The value.
    pub(crate) value: Option<f64>,
    /// Cases it rests on.
    pub(crate) support: u64,
}

/// Where an objective stands at the end.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Standing {
    /// The objective.
    pub(crate) objective: String,
    /// What it asks for, in plain words.
    pub(crate) statement: String,
    /// Its metric.
    pub(crate) metric: String,
    /// `at_least` or `at_most`.
    pub(crate) comparator: String,
    /// The action level.
    pub(crate) action: f64,
    /// The machine's state when something was last judged.
    pub(crate) state: String,
    /// End of the pane whose seal brought what was last judged.
    pub(crate) judged_until: Option<Timestamp>,
    /// Why, in plain words.
    pub(crate) because: String,
    /// The machine's state at the end: where nothing came in any more, what was found no longer
    /// speaks for now.
    pub(crate) state_at_end: String,
    /// The newest window that was measured.
    pub(crate) newest: Option<Measurement>,
    /// Where the cycle's running mean lies: mean, low, high.
    pub(crate) running: Option<[f64; 3]>,
    /// Evidence of a breach when something was last judged, in nats; none before the first bet.
    pub(crate) evidence_nats: Option<f64>,
    /// What makes a nonconformity, in nats.
    pub(crate) nonconformity_at_nats: f64,
    /// Cases in the ledger.
    pub(crate) support: u64,
    /// How many verdicts there were of each state.
    pub(crate) states_seen: BTreeMap<String, usize>,
    /// The panes behind the ledger's steps, by the number that the register gives them.
    #[serde(skip)]
    pub(crate) steps: BTreeMap<u64, PaneStart>,
}

/// A candidate nonconformity.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Nonconformity {
    /// The objective.
    pub(crate) objective: String,
    /// Name of the record.
    pub(crate) record: String,
    /// When it was raised, on the replay's clock.
    pub(crate) detected_at: Timestamp,
    /// Why, in plain words.
    pub(crate) because: String,
    /// How often it was seen again since.
    pub(crate) seen_again: u64,
    /// Where it began; none if the register does not tell.
    pub(crate) onset: Option<Onset>,
}

/// Where a breach began.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Onset {
    /// The pane with whose seal the evidence began to grow without a further reset.
    pub(crate) evidence_since: PaneStart,
    /// First window, by the time of prediction, of the unbroken run beyond the action level that
    /// leads up to the detection.
    pub(crate) window_start: Timestamp,
    /// Its end.
    pub(crate) window_end: Timestamp,
    /// Its value as it was known when the verdict was reached.
    pub(crate) value: f64,
    /// First production row in that window.
    pub(crate) first_row: usize,
    /// Last production row in that window.
    pub(crate) last_row: usize,
    /// Whether the window lies wholly before the change that the data's makers made; none if they
    /// made none, or none was replayed.
    pub(crate) before_change: Option<bool>,
    /// Whether the window has rows from before the change and rows from after it; none as above.
    pub(crate) contains_change: Option<bool>,
}

/// How long things took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Timings {
    /// Sending everything.
    pub(crate) replay_seconds: f64,
    /// Waiting until the last pane was sealed.
    pub(crate) sealing_seconds: f64,
}

/// The system that is asked about.
#[derive(Clone, Debug)]
struct Subject {
    case: &'static str,
    pane: Span,
    model: ModelQuality,
}
