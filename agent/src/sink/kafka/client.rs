//! The client of Kafka's brokers: how the configuration is put to librdkafka, and what is taken from
//! what it tells: errors, lag, partitions that come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::Deserialize;

use crate::config::{KafkaConfig, Start, Wrong};
use crate::kafka::{self, reason};
use crate::telemetry::Telemetry;

/// How often offsets of what was counted are committed, in milliseconds.
const COMMIT: &str = "1000";
/// How often lag is looked at, in milliseconds.
const STATISTICS: &str = "2000";
/// How long a question to the brokers may take.
const ASK: Duration = Duration::from_secs(1);

/// The settings of librdkafka. Errors name what is at fault, never what is secret.
pub(super) fn settings(config: &KafkaConfig, system: &str) -> Result<ClientConfig, Wrong> {
    let mut settings = kafka::settings(&config.access())?;
    let session = config.session.micros() / 1000;
    let group = config.group.clone();
    let start = match config.start {
        Start::Earliest => "earliest",
        Start::Latest => "latest",
    };
    let (fetch, piece) = (config.fetch_bytes, config.fetch_bytes.min(1 << 20));
    for (key, value) in [
        ("group.id", group.unwrap_or(format!("clause9-{system}"))),
        ("auto.offset.reset", start.into()),
        // What is committed is what was stored, and that is what was counted.
        ("enable.auto.commit", "true".into()),
        ("enable.auto.offset.store", "false".into()),
        ("auto.commit.interval.ms", COMMIT.into()),
        ("session.timeout.ms", session.to_string()),
        (
            "heartbeat.interval.ms",
            (session / 3).clamp(100, 3000).to_string(),
        ),
        ("max.poll.interval.ms", session.max(300_000).to_string()),
        ("queued.max.messages.kbytes", (fetch >> 10).to_string()),
        ("fetch.message.max.bytes", piece.to_string()),
        ("fetch.max.bytes", fetch.max(1 << 20).to_string()),
        ("statistics.interval.ms", STATISTICS.into()),
    ] {
        settings.set(key, value);
    }
    Ok(settings)
}

/// A partition of a topic.
pub(super) type Partition = (String, i32);

/// What the client tells between records.
#[derive(Debug)]
pub(super) struct Watching {
    telemetry: Telemetry,
    topics: BTreeSet<String>,
    changes: Mutex<Changes>,
    /// Partitions that this agent reads. The client is not asked: of one that is being closed, an answer may
    /// never come.
    read: Mutex<BTreeSet<Partition>>,
    /// Whether partitions are paused, so that statistics know nothing of their ends.
    held: AtomicBool,
}

/// What changed since it was last asked.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Partitions that this agent no longer reads.
    pub(super) revoked: BTreeSet<Partition>,
    /// Whether it reads others than before.
    pub(super) assigned: bool,
}

impl Watching {
    pub(super) const fn new(telemetry: Telemetry, topics: BTreeSet<String>) -> Self {
        Self {
            telemetry,
            topics,
            changes: Mutex::new(Changes {
                revoked: BTreeSet::new(),
                assigned: false,
            }),
            read: Mutex::new(BTreeSet::new()),
            held: AtomicBool::new(false),
        }
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What changed since the last time.
    pub(super) fn take_changes(&self) -> Changes {
        std::mem::take(&mut *self.changes())
    }

    /// Notes that partitions are paused, or no longer are.
    pub(super) fn hold(&self, held: bool) {
        self.held.store(held, Ordering::Relaxed);
    }

    /// Counts what went wrong; librdkafka tries again by itself.
    pub(super) fn note(&self, error: &KafkaError) {
        let reason = reason(error);
        let count = self.telemetry.kafka.errors.with_label_values(&[reason]);
        count.inc();
        // The first is news, then fewer and fewer are.
        if count.get().is_power_of_two() {
            tracing::warn!(%error, reason, times = count.get(), "kafka: tried again until it works");
        }
    }

    /// Asks how far this agent is behind: while partitions are paused, nothing else tells.
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
        for topic in &self.topics {
            let lags = ends.elements_for_topic(topic).into_iter().map(|end| {
                let position = positions.find_partition(topic, end.partition());
                let position = position.and_then(|p| p.offset().to_raw()).unwrap_or(0);
                let end = end.offset().to_raw().unwrap_or(0);
                (end - position.max(0)).max(0)
            });
            let shown = self.telemetry.kafka.lag.with_label_values(&[topic]);
            shown.set(lags.sum());
        }
    }

    /// Shows how many partitions are read, after some came or went.
    fn show_partitions(&self, change: impl FnOnce(&mut BTreeSet<Partition>)) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut read);
        let count = i64::try_from(read.len()).unwrap_or(i64::MAX);
        drop(read);
        self.telemetry.kafka.partitions.set(count);
        if count == 0 {
            for topic in &self.topics {
                self.telemetry.kafka.lag.with_label_values(&[topic]).set(0);
            }
        }
    }
}

impl ClientContext for Watching {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        kafka::log(level, facility, line);
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
        for topic in &self.topics {
            let partitions = told.topics.get(topic).map(|t| t.partitions.values());
            let lags = partitions.into_iter().flatten().map(|p| p.consumer_lag);
            // -1 where it is not known, as in partitions of others.
            let lag = lags.filter(|lag| *lag > 0).sum();
            let shown = self.telemetry.kafka.lag.with_label_values(&[topic]);
            shown.set(lag);
        }
    }
}

impl ConsumerContext for Watching {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            tracing::info!(partitions = list.count(), "kafka: partitions go to others");
            self.changes().revoked.extend(partitions(list));
        }
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                tracing::info!(partitions = list.count(), "kafka: partitions are read here");
                self.changes().assigned = true;
                self.show_partitions(|read| read.extend(partitions(list)));
            }
            Rebalance::Revoke(list) => {
                let gone = partitions(list);
                self.show_partitions(|read| read.retain(|one| !gone.contains(one)));
            }
            // After it, nothing is assigned.
            Rebalance::Error(_) => self.show_partitions(BTreeSet::clear),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        match result {
            // There was nothing to commit.
            Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => {}
            Err(error) => {
                self.telemetry
                    .kafka
                    .errors
                    .with_label_values(&["commit"])
                    .inc();
                tracing::warn!(%error, "kafka: offsets are not committed; what they stand for may be read again");
            }
        }
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<Partition> {
    let elements = list.elements();
    let all = elements
        .iter()
        .map(|one| (one.topic().to_owned(), one.partition()));
    all.collect()
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
