//! How things stand with the objectives: what is in force, where it came from, and when it was last known to be what the
//! collector has.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use clause9_shared::digest::Digest;
use clause9_shared::time::Timestamp;
use clause9_shared::wire::plan::Named;
use serde::Serialize;

use crate::telemetry::Telemetry;

/// Where objectives come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Files that are configured.
    File,
    /// The collector.
    Collector,
    /// The last good copy of what the collector gave; it was not asked since the start, or not reached.
    Cache,
}

impl Source {
    /// The word used in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Collector => "collector",
            Self::Cache => "cache",
        }
    }
}

/// How things stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlanStatus {
    /// The objectives in force; none: nothing is monitored yet.
    pub objectives: Option<Digest>,
    /// The baseline in force.
    pub baseline: Option<Digest>,
    /// Where they come from.
    pub source: Option<Source>,
    /// From when on panes are counted by what was pulled last, if not yet all are.
    pub next_from: Option<Timestamp>,
    /// When they were last known to be what the collector has.
    pub checked_at: Option<Timestamp>,
    /// Why they are not, since then.
    pub problem: Option<String>,
}

/// How things stand, for all who tell it.
#[derive(Debug)]
pub struct Standing {
    state: Mutex<PlanStatus>,
    telemetry: Telemetry,
}

impl Standing {
    /// Nothing is in force yet.
    pub fn new(telemetry: Telemetry) -> Self {
        telemetry.plan.awaited.set(1);
        Self {
            state: Mutex::default(),
            telemetry,
        }
    }

    fn state(&self) -> MutexGuard<'_, PlanStatus> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is told of it.
    pub fn status(&self) -> PlanStatus {
        self.state().clone()
    }

    /// Whether nothing is monitored for want of objectives.
    pub fn is_awaited(&self) -> bool {
        self.state().objectives.is_none()
    }

    /// From now on panes are counted by these.
    pub fn in_force(&self, names: &Named, source: Source) {
        let mut state = self.state();
        state.objectives = Some(names.objectives);
        state.baseline = Some(names.baseline);
        state.source = Some(source);
        state.next_from = None;
        self.telemetry.plan.awaited.set(0);
        self.telemetry.plan.show(&state);
    }

    /// What is pulled is asked for by the collector's word; until it was heard, what counts is since when it is asked.
    pub fn pulled_since(&self, now: Timestamp) {
        self.telemetry.plan.checked.set(now.seconds_f64());
    }

    /// What was handed over last is in force from then on.
    pub(crate) fn next(&self, from: Option<Timestamp>) {
        self.state().next_from = from;
    }

    /// The collector was asked, and what was handed over is what it has.
    pub(super) fn checked(&self, result: &str, now: Timestamp) {
        self.count(result);
        self.telemetry.plan.checked.set(now.seconds_f64());
        let mut state = self.state();
        if state.problem.take().is_some() {
            tracing::info!("the collector gives objectives again");
        }
        state.checked_at = Some(now);
        if state.source == Some(Source::Cache) && result == "unchanged" {
            state.source = Some(Source::Collector);
            self.telemetry.plan.show(&state);
        }
    }

    /// It could not be asked, or what it gave is not used.
    pub(super) fn unchecked(&self, result: &str, problem: String) {
        self.count(result);
        let mut state = self.state();
        // The same again and again is no news.
        if state.problem.as_ref() != Some(&problem) {
            let awaited = state.objectives.is_none();
            tracing::warn!(
                problem,
                awaited,
                "the objectives are not known to be the collector's"
            );
        }
        state.problem = Some(problem);
    }

    /// What was kept on disk cannot be used.
    pub(super) fn damaged(&self) {
        self.telemetry.plan.damaged.inc();
    }

    /// Whether documents could be kept on disk.
    pub(super) fn kept(&self, kept: io::Result<()>) {
        if let Err(error) = kept {
            let failures = &self.telemetry.state_write_failures;
            failures.with_label_values(&["plan"]).inc();
            tracing::error!(%error, "the objectives cannot be kept on disk; a restart without the collector would not find them");
        }
    }

    fn count(&self, result: &str) {
        self.telemetry.plan.pulls.with_label_values(&[result]).inc();
    }
}
