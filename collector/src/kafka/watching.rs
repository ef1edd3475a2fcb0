//! What the consumer tells between messages: errors, how far behind it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::Deserialize;

use super::settings;
use crate::telemetry::Telemetry;

/// How long a question to the brokers may take.
const ASK: Duration = Duration::from_secs(1);

/// Counts what the client tells.
pub(super) struct Watching {
    topic: String,
    telemetry: Arc<Telemetry>,
    /// Whether partitions are paused, so that statistics know nothing of their ends.
    held: AtomicBool,
    /// Whether others are read than before.
    assigned: AtomicBool,
}

impl Watching {
    pub(super) const fn new(topic: String, telemetry: Arc<Telemetry>) -> Self {
        Self {
            topic,
            telemetry,
            held: AtomicBool::new(false),
            assigned: AtomicBool::new(false),
        }
    }

    /// Notes that partitions are paused, or no longer are.
    pub(super) fn hold(&self, held: bool) {
        self.held.store(held, Ordering::Relaxed);
    }

    /// Whether partitions came since this was asked last.
    pub(super) fn take_assigned(&self) -> bool {
        self.assigned.swap(false, Ordering::Relaxed)
    }

    /// Counts what went wrong; it is tried again.
    pub(super) fn note(&self, error: &KafkaError) {
        let reason = settings::reason(error);
        let times = self.telemetry.kafka.count_error(reason);
        // The first is news, then fewer and fewer are.
        if times.is_power_of_two() {
            tracing::warn!(%error, reason, times, topic = self.topic, "kafka: tried again until it works");
        }
    }

    /// Asks how far behind the collector is: while partitions are paused, nothing else tells.
    pub(super) fn show_lag(&self, consumer: &BaseConsumer<Self>) {
        let looked = consumer.position().and_then(|positions| {
            let mut ends = TopicPartitionList::new();
            for one in positions.elements() {
                ends.add_partition_offset(one.topic(), one.partition(), Offset::End)?;
            }
            Ok((positions, consumer.offsets_for_times(ends, ASK)?))
        });
        let (positions, ends) = match looked {
            Ok(looked) => looked,
            Err(error) => return self.note(&error),
        };
        let lags = ends.elements_for_topic(&self.topic).into_iter().map(|end| {
            let position = positions.find_partition(&self.topic, end.partition());
            let position = position.and_then(|p| p.offset().to_raw()).unwrap_or(0);
            (end.offset().to_raw().unwrap_or(0) - position.max(0)).max(0)
        });
        self.telemetry.kafka.lag.set(lags.sum());
    }
}

impl ClientContext for Watching {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        settings::log(level, facility, line);
    }

    fn error(&self, error: KafkaError, _reason: &str) {
        self.note(&error);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        if self.held.load(Ordering::Relaxed) {
            return;
        }
        let Ok(told) = serde_json::from_slice::<Told>(statistics) else {
            return;
        };
        let partitions = told.topics.get(&self.topic).map(|t| t.partitions.values());
        // -1 where it is not known.
        let lags = partitions.into_iter().flatten().map(|p| p.consumer_lag);
        self.telemetry
            .kafka
            .lag
            .set(lags.filter(|lag| *lag > 0).sum());
    }
}

impl ConsumerContext for Watching {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                tracing::info!(
                    topic = self.topic,
                    partitions = list.count(),
                    "kafka: partitions are read here"
                );
                self.assigned.store(true, Ordering::Relaxed);
            }
            Rebalance::Revoke(list) => {
                tracing::info!(
                    topic = self.topic,
                    partitions = list.count(),
                    "kafka: partitions are read here no more"
                );
            }
            Rebalance::Error(error) => self.note(error),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        match result {
            // There was nothing to commit.
            Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => {}
            Err(error) => {
                self.telemetry.kafka.count_error("commit");
                tracing::warn!(%error, "kafka: offsets are not committed; batches that are stored come again, and are known");
            }
        }
    }
}

/// What is read of librdkafka's statistics.
#[derive(Debug, Deserialize)]
struct Told {
    #[serde(default)]
    topics: BTreeMap<String, OfTopic>,
}

#[derive(Debug, Deserialize)]
struct OfTopic {
    #[serde(default)]
    partitions: BTreeMap<String, OfPartition>,
}

#[derive(Debug, Deserialize)]
struct OfPartition {
    #[serde(default)]
    consumer_lag: i64,
}
