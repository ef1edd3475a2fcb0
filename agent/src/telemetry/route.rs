//! Figures of topics as the way to the collector.

use prometheus::{IntCounter, IntCounterVec, IntGauge};

use super::Making;

/// Whether a batch was handed over for the first time.
const TIMES: [&str; 2] = ["first", "again"];
/// Why the brokers did not take a batch.
pub const ROUTE_FAILURES: [&str; 6] = [
    "broker",
    "authentication",
    "authorization",
    "topic",
    "too_large",
    "other",
];
/// What becomes of what stands in the topic of receipts.
pub const ROUTE_RECEIPTS: [&str; 4] = ["taken", "of_others", "unsigned", "malformed"];

/// Figures of topics as the way to the collector. All zero without.
#[derive(Clone, Debug)]
pub struct Route {
    handed_over: IntCounterVec,
    /// Batches that the brokers did not take, by reason.
    pub failed: IntCounterVec,
    /// Records of the topic of receipts, by what became of them.
    pub receipts: IntCounterVec,
    /// Failures to read that topic.
    pub unread: IntCounter,
    waiting: IntGauge,
}

impl Route {
    pub(super) fn new(make: &Making) -> prometheus::Result<Self> {
        Ok(Self {
            handed_over: make.counters(
                "clause9_route_batches_handed_over_total",
                "Batches that Kafka's brokers took, for the first time or again.",
                "attempt",
                TIMES,
            )?,
            failed: make.counters(
                "clause9_route_batches_failed_total",
                "Attempts to hand a batch to Kafka's brokers that failed, by reason.",
                "reason",
                ROUTE_FAILURES,
            )?,
            receipts: make.counters(
                "clause9_route_receipts_total",
                "Records of the topic of receipts by what became of them.",
                "result",
                ROUTE_RECEIPTS,
            )?,
            unread: make.counter(
                "clause9_route_receipts_errors_total",
                "Times that the topic of receipts could not be read.",
            )?,
            waiting: make.gauge(
                "clause9_route_batches_waiting",
                "Batches that Kafka's brokers have and the collector has not answered.",
            )?,
        })
    }

    /// Counts a batch that was handed over, for the how manieth time; 0 if its answer came first.
    pub(crate) fn handed_over(&self, times: u32) {
        let attempt = match times {
            0 | 1 => "first",
            _ => "again",
        };
        self.handed_over.with_label_values(&[attempt]).inc();
    }

    /// Shows how many batches wait for an answer.
    pub(crate) fn show_waiting(&self, batches: usize) {
        self.waiting.set(i64::try_from(batches).unwrap_or(i64::MAX));
    }
}
