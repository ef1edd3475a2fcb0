//! Figures of the spans that are exported by OpenTelemetry's protocol.

use clause9_otlp::{Counts, Dropped, Failed, Signal};
use prometheus::{IntCounterVec, Opts};

use super::Making;

/// What the agent exports.
const EXPORTED: Signal = Signal::Traces;

/// Figures of the exporter. All zero without.
#[derive(Clone, Debug)]
pub struct Otlp {
    exported: IntCounterVec,
    dropped: IntCounterVec,
    failed: IntCounterVec,
}

impl Otlp {
    pub(super) fn new(make: &Making) -> prometheus::Result<Self> {
        let dropped = IntCounterVec::new(
            Opts::new(
                "clause9_agent_otlp_dropped_total",
                "Spans that were not exported and never will be, by reason.",
            ),
            &["signal", "reason"],
        )?;
        // Figures alone are ever superseded.
        for why in Dropped::ALL.iter().filter(|w| **w != Dropped::Superseded) {
            dropped.with_label_values(&[EXPORTED.as_str(), why.as_str()]);
        }
        make.0.register(Box::new(dropped.clone()))?;
        Ok(Self {
            exported: make.counters(
                "clause9_agent_otlp_exported_total",
                "Spans that the receiver of OpenTelemetry's protocol took.",
                "signal",
                [EXPORTED.as_str()],
            )?,
            dropped,
            failed: make.counters(
                "clause9_agent_otlp_failed_total",
                "Requests of the exporter that failed, by how.",
                "reason",
                Failed::ALL.iter().map(|how| how.as_str()),
            )?,
        })
    }
}

impl Counts for Otlp {
    fn exported(&self, signal: Signal, items: u64) {
        let exported = self.exported.with_label_values(&[signal.as_str()]);
        exported.inc_by(items);
    }

    fn dropped(&self, signal: Signal, why: Dropped, items: u64) {
        let labels = [signal.as_str(), why.as_str()];
        self.dropped.with_label_values(&labels).inc_by(items);
    }

    fn failed(&self, how: Failed) -> u64 {
        let failed = self.failed.with_label_values(&[how.as_str()]);
        failed.inc();
        failed.get()
    }
}
