//! Figures of the register as a log: how long it is, and how far checkpoints cover it.

use prometheus::IntCounterVec;
use prometheus::core::{AtomicU64, GenericGauge};

use super::Maker;

/// Series of the log.
#[derive(Debug)]
pub(crate) struct Log {
    size: GenericGauge<AtomicU64>,
    covered: GenericGauge<AtomicU64>,
    rounds: IntCounterVec,
}

impl Log {
    pub(super) fn new(make: &Maker) -> prometheus::Result<Self> {
        let log = Self {
            size: make.plain(
                "clause9_collector_log_records",
                "Records in the register when its checkpoint was last looked at.",
            )?,
            covered: make.plain(
                "clause9_collector_log_checkpoint_records",
                "Records that the newest checkpoint covers.",
            )?,
            rounds: make.counter(
                "clause9_collector_log_rounds_total",
                "Times that the register was looked at for a new checkpoint, by how that went.",
                &["result"],
            )?,
        };
        for result in ["ok", "failed"] {
            log.rounds.with_label_values(&[result]);
        }
        Ok(log)
    }

    /// How long the log is, and how far it is covered.
    pub(crate) fn show(&self, size: u64, covered: Option<u64>) {
        self.size.set(size);
        self.covered.set(covered.unwrap_or(0));
    }

    /// Counts a look.
    pub(crate) fn count(&self, went_well: bool) {
        let result = if went_well { "ok" } else { "failed" };
        self.rounds.with_label_values(&[result]).inc();
    }
}
