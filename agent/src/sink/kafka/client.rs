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

use crate::config::{KafkaConfig, Mechanism, Start};
use crate::telemetry::Telemetry;

/// How often offsets of what was counted are committed, in milliseconds.
const COMMIT: &str = "1000";
/// How often lag is looked at, in milliseconds.
const STATISTICS: &str = "2000";
/// How often it is looked for new topics and partitions, in milliseconds.
const METADATA: &str = "10000";
/// Longest pause between attempts to reach a broker, in milliseconds.
const RECONNECT: &str = "10000";
/// How long a question to the brokers may take.
const ASK: Duration = Duration::from_secs(1);
/// Longest password in bytes.
const MAX_PASSWORD: usize = 4096;

/// A key of the configuration and what is wrong with it.
pub(super) type Wrong = (&'static str, String);

/// The settings of librdkafka. Errors name what is at fault, never what is secret.
pub(super) fn settings(config: &KafkaConfig, system: &str) -> Result<ClientConfig, Wrong> {
    let mut settings = ClientConfig::new();
    let session = config.session.micros() / 1000;
    let group = config.group.clone();
    let start = match config.start {
        Start::Earliest => "earliest",
        Start::Latest => "latest",
    };
    let (fetch, piece) = (config.fetch_bytes, config.fetch_bytes.min(1 << 20));
    for (key, value) in [
        ("bootstrap.servers", config.brokers.join(",")),
        ("group.id", group.unwrap_or(format!("clause9-{system}"))),
        ("client.id", "clause9-agent".into()),
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
        ("reconnect.backoff.max.ms", RECONNECT.into()),
        ("topic.metadata.refresh.interval.ms", METADATA.into()),
        ("allow.auto.create.topics", "false".into()),
        ("statistics.interval.ms", STATISTICS.into()),
    ] {
        settings.set(key, value);
    }
    protect(config, &mut settings)?;
    Ok(settings)
}

/// TLS and who the agent is.
fn protect(config: &KafkaConfig, settings: &mut ClientConfig) -> Result<(), Wrong> {
    let protocol = match (&config.tls, &config.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    settings.set("security.protocol", protocol);
    if let Some(tls) = &config.tls {
        for (key, what, path) in [
            ("ssl.ca.location", "sink.kafka.tls.roots", &tls.roots),
            (
                "ssl.certificate.location",
                "sink.kafka.tls.certificate",
                &tls.certificate,
            ),
            ("ssl.key.location", "sink.kafka.tls.key", &tls.key),
        ] {
            let Some(path) = path else { continue };
            // librdkafka says which file only in its log.
            std::fs::metadata(path)
                .map_err(|e| (what, format!("cannot read {}: {e}", path.display())))?;
            settings.set(key, path.to_string_lossy());
        }
    }
    if let Some(sasl) = &config.sasl {
        let mechanism = match sasl.mechanism {
            Mechanism::Plain => "PLAIN",
            Mechanism::Scram256 => "SCRAM-SHA-256",
            Mechanism::Scram512 => "SCRAM-SHA-512",
        };
        let path = &sasl.password_file;
        let what = "sink.kafka.sasl.password_file";
        let read = std::fs::read_to_string(path);
        let password = read.map_err(|e| (what, format!("cannot read {}: {e}", path.display())))?;
        let password = password.strip_suffix('\n').unwrap_or(&password);
        let password = password.strip_suffix('\r').unwrap_or(password);
        if password.is_empty() || password.len() > MAX_PASSWORD {
            let path = path.display();
            let message = format!("{path} must hold a password of 1 to {MAX_PASSWORD} bytes");
            return Err((what, message));
        }
        settings.set("sasl.mechanisms", mechanism);
        settings.set("sasl.username", &sasl.user);
        settings.set("sasl.password", password);
    }
    Ok(())
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
        // Errors come a second time, as such.
        let is_loud = matches!(
            level,
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical
        );
        if is_loud {
            tracing::warn!(facility, "kafka: {line}");
        } else {
            tracing::debug!(facility, "kafka: {line}");
        }
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

/// The word of telemetry for an error.
fn reason(error: &KafkaError) -> &'static str {
    use RDKafkaErrorCode as Code;
    let Some(code) = error.rdkafka_error_code() else {
        return "other";
    };
    let is = |codes: &[Code]| codes.contains(&code);
    if is(&[
        Code::BrokerTransportFailure,
        Code::AllBrokersDown,
        Code::Resolve,
        Code::OperationTimedOut,
        Code::RequestTimedOut,
        Code::NetworkException,
        Code::BrokerNotAvailable,
        Code::LeaderNotAvailable,
        Code::NotLeaderForPartition,
        Code::CoordinatorNotAvailable,
        Code::CoordinatorLoadInProgress,
        Code::NotCoordinator,
    ]) {
        "broker"
    } else if is(&[
        Code::SSL,
        Code::Authentication,
        Code::SaslAuthenticationFailed,
        Code::UnsupportedSASLMechanism,
    ]) {
        "authentication"
    } else if is(&[
        Code::TopicAuthorizationFailed,
        Code::GroupAuthorizationFailed,
        Code::ClusterAuthorizationFailed,
    ]) {
        "authorization"
    } else if is(&[
        Code::UnknownTopic,
        Code::UnknownTopicOrPartition,
        Code::UnknownPartition,
        Code::AutoOffsetReset,
        Code::OffsetOutOfRange,
    ]) {
        "topic"
    } else {
        "other"
    }
}
