//! Figures about what the collector refused and the agent keeps.

use prometheus::{IntCounterVec, IntGauge};

use super::Making;

/// Why a refused batch is kept no more, other than by the collector's word.
pub const QUARANTINE_DROPS: [&str; 3] = ["full", "damaged", "forgotten"];
/// What came of sending a refused batch again.
pub const RESENT_RESULTS: [&str; 2] = ["stored", "refused"];

/// Figures about the quarantine.
#[derive(Clone, Debug)]
pub struct Quarantine {
    /// Batches that are kept.
    pub entries: IntGauge,
    /// Bytes of their files.
    pub bytes: IntGauge,
    /// Batches that are kept no more, by reason.
    pub dropped: IntCounterVec,
    /// Batches sent again, by what the collector said.
    pub resent: IntCounterVec,
}

impl Quarantine {
    pub(super) fn new(make: &Making) -> prometheus::Result<Self> {
        Ok(Self {
            entries: make.gauge(
                "clause9_quarantine_entries",
                "Batches kept of which the collector refused something.",
            )?,
            bytes: make.gauge(
                "clause9_quarantine_bytes",
                "Bytes on disk of batches kept of which the collector refused something.",
            )?,
            dropped: make.counters(
                "clause9_quarantine_dropped_total",
                "Refused batches that are kept no more, by reason.",
                "reason",
                QUARANTINE_DROPS,
            )?,
            resent: make.counters(
                "clause9_quarantine_resent_total",
                "Refused batches sent again, by what the collector said.",
                "result",
                RESENT_RESULTS,
            )?,
        })
    }
}
