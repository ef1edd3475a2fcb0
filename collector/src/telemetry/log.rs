//! Figures of the register as a log: how long it is, and how far checkpoints cover it.

use prometheus::core::{AtomicU64, GenericGauge};
use prometheus::{IntCounterVec, IntGaugeVec};

use super::Maker;
use crate::log::Asked;

/// Series of the log.
#[derive(Debug)]
pub(crate) struct Log {
    size: GenericGauge<AtomicU64>,
    covered: GenericGauge<AtomicU64>,
    rounds: IntCounterVec,
    asked: IntCounterVec,
    cosigned: IntGaugeVec,
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
            asked: make.counter(
                "clause9_collector_witness_asked_total",
                "Times that a witness was asked to cosign, by what came of it.",
                &["witness", "result"],
            )?,
            cosigned: make.int_gauge(
                "clause9_collector_witness_records",
                "Records that the newest checkpoint covers that a witness cosigned in this run.",
                &["witness"],
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

    /// A witness is asked: all that may come of it is there to be seen.
    pub(crate) fn know(&self, witness: &str) {
        for asked in Asked::ALL {
            self.asked.with_label_values(&[witness, asked.as_str()]);
        }
    }

    /// Counts what came of asking a witness, and how far it cosigned.
    pub(crate) fn count_asked(&self, witness: &str, asked: Asked, cosigned: u64) {
        self.asked
            .with_label_values(&[witness, asked.as_str()])
            .inc();
        let cosigned = i64::try_from(cosigned).unwrap_or(i64::MAX);
        self.cosigned.with_label_values(&[witness]).set(cosigned);
    }

    /// Counts a look.
    pub(crate) fn count(&self, went_well: bool) {
        let result = if went_well { "ok" } else { "failed" };
        self.rounds.with_label_values(&[result]).inc();
    }
}
