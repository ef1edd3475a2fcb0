//! Figures of the topics that batches come by.

use prometheus::{IntCounter, IntCounterVec, IntGauge};

use super::Maker;
use crate::kafka;

/// Series of reading batches from a topic.
#[derive(Debug)]
pub(crate) struct Kafka {
    pub(crate) lag: IntGauge,
    pub(crate) pauses: IntCounter,
    pub(crate) passed: IntCounter,
    errors: IntCounterVec,
    answers: IntCounterVec,
}

impl Kafka {
    pub(super) fn new(make: &Maker) -> prometheus::Result<Self> {
        let telemetry = Self {
            lag: make.plain("clause9_collector_kafka_lag_messages", "Messages of the topic that batches come by that the collector has not read yet.")?,
            pauses: make.events("clause9_collector_kafka_pauses_total", "Times that reading the topic stood still because the register was behind or could not be written.")?,
            passed: make.events("clause9_collector_kafka_passed_total", "Batches of the topic over which the register failed though it worked otherwise; their agents hand them over again.")?,
            errors: make.counter("clause9_collector_kafka_errors_total", "What went wrong between collector and Kafka's brokers, by reason.", &["reason"])?,
            answers: make.counter("clause9_collector_kafka_answers_total", "Answers to batches of the topic, by what became of them.", &["result"])?,
        };
        for reason in kafka::ERRORS {
            telemetry.errors.with_label_values(&[reason]);
        }
        for result in kafka::RESULTS {
            telemetry.answers.with_label_values(&[result]);
        }
        Ok(telemetry)
    }

    /// Counts what went wrong with brokers; gives how often by now.
    #[cfg(feature = "kafka")]
    pub(crate) fn count_error(&self, reason: &str) -> u64 {
        let count = self.errors.with_label_values(&[reason]);
        count.inc();
        count.get()
    }

    /// Counts answers; gives how many by now.
    #[cfg(feature = "kafka")]
    pub(crate) fn count_answers(&self, result: &str, times: u64) -> u64 {
        let count = self.answers.with_label_values(&[result]);
        count.inc_by(times);
        count.get()
    }
}
