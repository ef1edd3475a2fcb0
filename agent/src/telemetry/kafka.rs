//! Figures of the topics that are read.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};

use super::Making;

/// What becomes of a record of a topic.
pub const KAFKA_FATES: [&str; 3] = ["taken", "duplicate", "skipped"];
/// Why a record of a topic is skipped.
pub const KAFKA_SKIPS: [&str; 6] = [
    "empty",
    "too_long",
    "headers",
    "unsupported",
    "malformed",
    "failed",
];
/// What goes wrong between agent and brokers.
pub const KAFKA_ERRORS: [&str; 6] = [
    "broker",
    "authentication",
    "authorization",
    "topic",
    "commit",
    "other",
];

/// Figures of the topics that are read. All zero where none are.
#[derive(Clone, Debug)]
pub struct Kafka {
    /// Records by what became of them.
    pub records: IntCounterVec,
    /// Skipped ones by reason.
    pub skipped: IntCounterVec,
    /// What went wrong between agent and brokers.
    pub errors: IntCounterVec,
    /// Records that are in the topic and not read yet, over this agent's partitions.
    pub lag: IntGaugeVec,
    /// Partitions that are read by this agent.
    pub partitions: IntGauge,
    /// Times reading stood still because the monitor was behind.
    pub pauses: IntCounter,
}

impl Kafka {
    pub(super) fn new(make: &Making) -> prometheus::Result<Self> {
        let lag = IntGaugeVec::new(
            Opts::new(
                "clause9_kafka_lag_records",
                "Records of a topic that this agent has not read yet, in its partitions.",
            ),
            &["topic"],
        )?;
        make.0.register(Box::new(lag.clone()))?;
        Ok(Self {
            records: make.counters(
                "clause9_kafka_records_total",
                "Records of topics by what became of them.",
                "fate",
                KAFKA_FATES,
            )?,
            skipped: make.counters(
                "clause9_kafka_records_skipped_total",
                "Records of topics of which nothing could be read, by reason.",
                "reason",
                KAFKA_SKIPS,
            )?,
            errors: make.counters(
                "clause9_kafka_errors_total",
                "What went wrong between agent and Kafka's brokers, by reason.",
                "reason",
                KAFKA_ERRORS,
            )?,
            lag,
            partitions: make.gauge(
                "clause9_kafka_partitions",
                "Partitions that this agent reads.",
            )?,
            pauses: make.counter(
                "clause9_kafka_pauses_total",
                "Times that reading topics stood still because the monitor was behind.",
            )?,
        })
    }
}
