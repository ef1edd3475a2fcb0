//! Figures of the objectives in force.

use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge};

use super::Making;
use crate::pull::PlanStatus;

/// What comes of asking the collector for objectives.
pub const PULL_RESULTS: [&str; 5] = ["unchanged", "applied", "refused", "denied", "failed"];

/// Figures of the objectives in force.
#[derive(Clone, Debug)]
pub struct Plan {
    in_force: GaugeVec,
    /// Times the collector was asked.
    pub pulls: IntCounterVec,
    /// When they were last known to be what the collector has.
    pub checked: Gauge,
    /// Whether there are none yet.
    pub awaited: IntGauge,
    /// Times that what was kept on disk could not be used.
    pub damaged: IntCounter,
}

impl Plan {
    pub(super) fn new(make: &Making) -> prometheus::Result<Self> {
        Ok(Self {
            in_force: make.gauges(
                "clause9_plan_in_force",
                "The documents that panes are counted by, by their digests and where they come from; always 1.",
                &["source", "objectives", "baseline"],
            )?,
            pulls: make.counters(
                "clause9_plan_pulls_total",
                "Times the collector was asked for objectives, by what came of it.",
                "result",
                PULL_RESULTS,
            )?,
            checked: make.plain(
                "clause9_plan_checked_timestamp_seconds",
                "When the documents in force were last known to be what the collector has, or since when it is asked; 0 if they are files.",
            )?,
            awaited: make.gauge(
                "clause9_plan_awaited",
                "1 if there are no objectives yet and traffic passes uncounted.",
            )?,
            damaged: make.counter(
                "clause9_plan_cache_damaged_total",
                "Times that the objectives kept on disk could not be used.",
            )?,
        })
    }

    /// Shows what is in force, and nothing of what was before.
    pub(crate) fn show(&self, status: &PlanStatus) {
        self.in_force.reset();
        let name = |digest: Option<clause9_shared::digest::Digest>| {
            digest.map_or_else(String::new, |digest| digest.to_string())
        };
        let source = status.source.map_or("", |source| source.as_str());
        let (objectives, baseline) = (name(status.objectives), name(status.baseline));
        self.in_force
            .with_label_values(&[source, &objectives, &baseline])
            .set(1.0);
    }
}
