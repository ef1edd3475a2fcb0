//! Reading the topic of receipts. From its end on, without a group: what was answered before this run is answered again, since
//! the run begins by handing over all that waits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clause9_shared::digest::Digest;
use clause9_shared::wire::answer::{self, Answer, NoAnswer};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::{ClientContext, Message as _};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};

use crate::kafka;
use crate::telemetry::Telemetry;

/// How long a look for records takes at most.
const LOOK: Duration = Duration::from_millis(100);
/// How long a question to the brokers may take.
const ASK: Duration = Duration::from_secs(5);
/// Pause before it is begun anew.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked for new partitions.
const PARTITIONS: Duration = Duration::from_mins(1);

/// What librdkafka is told besides how brokers are reached.
const SETTINGS: [(&str, &str); 7] = [
    // No group is joined; librdkafka wants a name all the same.
    ("group.id", "clause9-receipts"),
    ("enable.auto.commit", "false"),
    // Where an offset is no more, rather too many than too few are read.
    ("auto.offset.reset", "earliest"),
    ("queued.max.messages.kbytes", "4096"),
    ("fetch.message.max.bytes", "1048576"),
    ("fetch.wait.max.ms", "500"),
    ("fetch.error.backoff.ms", "500"),
];

/// Reads the topic of receipts.
pub(super) struct Reader {
    pub(super) settings: ClientConfig,
    pub(super) topic: String,
    /// The agent that answers are for, as it stands in keys.
    pub(super) agent: String,
    /// Whose signature is believed.
    pub(super) collector: Digest,
    pub(super) telemetry: Telemetry,
    pub(super) answers: mpsc::Sender<Answer>,
    /// Told once the topic is read.
    pub(super) begun: watch::Sender<bool>,
}

/// Where to go on in each partition.
type Positions = BTreeMap<i32, i64>;

/// Why reading ended.
enum End {
    Stopped,
    /// There are more partitions than before.
    Grown,
    Failed(KafkaError),
}

impl From<KafkaError> for End {
    fn from(error: KafkaError) -> Self {
        Self::Failed(error)
    }
}

impl Reader {
    /// Reads until `stop` is true. Blocks its thread.
    pub(super) fn run(mut self, stop: &AtomicBool) {
        for (key, value) in SETTINGS {
            self.settings.set(key, value);
        }
        let mut positions = None;
        loop {
            match self.session(&mut positions, stop) {
                Ok(()) | Err(End::Stopped) => return,
                Err(End::Grown) => {
                    tracing::info!(topic = self.topic, "kafka: there are more partitions");
                }
                Err(End::Failed(error)) => self.note(&error),
            }
            let until = Instant::now() + PAUSE;
            while Instant::now() < until {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::sleep(LOOK);
            }
        }
    }

    /// Reads with one client, from these positions on; at first from the end.
    fn session(&self, positions: &mut Option<Positions>, stop: &AtomicBool) -> Result<(), End> {
        let consumer: BaseConsumer<Quiet> = self.settings.create_with_context(Quiet)?;
        let partitions = self.partitions(&consumer)?;
        let from = match positions {
            Some(known) => known,
            None => positions.insert(self.ends(&consumer, &partitions)?),
        };
        let mut list = TopicPartitionList::new();
        for partition in &partitions {
            let at = from
                .get(partition)
                .map_or(Offset::Beginning, |at| Offset::Offset(*at));
            list.add_partition_offset(&self.topic, *partition, at)?;
        }
        consumer.assign(&list)?;
        self.begun.send_replace(true);
        let mut looked = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            match consumer.poll(LOOK) {
                None => {}
                Some(Ok(message)) => {
                    from.insert(message.partition(), message.offset() + 1);
                    self.take(&message, stop)?;
                }
                Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => {
                    return Err(error.into());
                }
                Some(Err(error)) => self.note(&error),
            }
            if looked.elapsed() > PARTITIONS {
                looked = Instant::now();
                match self.partitions(&consumer) {
                    Ok(now) if now.len() > partitions.len() => return Err(End::Grown),
                    Ok(_) => {}
                    Err(error) => self.note(&error),
                }
            }
        }
        Ok(())
    }

    fn partitions(&self, consumer: &BaseConsumer<Quiet>) -> Result<Vec<i32>, KafkaError> {
        let metadata = consumer.fetch_metadata(Some(&self.topic), ASK)?;
        let topic = metadata.topics().iter().find(|t| t.name() == self.topic);
        let found: Vec<i32> = topic
            .filter(|topic| topic.error().is_none())
            .map(|topic| {
                topic
                    .partitions()
                    .iter()
                    .map(MetadataPartition::id)
                    .collect()
            })
            .unwrap_or_default();
        if found.is_empty() {
            let error = topic.and_then(MetadataTopic::error);
            let code = error.map_or(
                rdkafka::types::RDKafkaErrorCode::UnknownTopicOrPartition,
                Into::into,
            );
            return Err(KafkaError::MetadataFetch(code));
        }
        Ok(found)
    }

    fn ends(
        &self,
        consumer: &BaseConsumer<Quiet>,
        partitions: &[i32],
    ) -> Result<Positions, KafkaError> {
        let ends = partitions.iter().map(|partition| {
            let (_, end) = consumer.fetch_watermarks(&self.topic, *partition, ASK)?;
            Ok((*partition, end))
        });
        ends.collect()
    }

    /// Checks a record and hands the answer in it on.
    fn take(&self, message: &BorrowedMessage<'_>, stop: &AtomicBool) -> Result<(), End> {
        let count = |result| {
            let receipts = &self.telemetry.route.receipts;
            receipts.with_label_values(&[result]).inc();
        };
        if message.key() != Some(self.agent.as_bytes()) {
            count("of_others");
            return Ok(());
        }
        let opened = answer::open(message.payload().unwrap_or_default(), self.collector);
        let mut answer = match opened {
            Ok(answer) => answer,
            Err(why) => {
                count(match why {
                    NoAnswer::Malformed => "malformed",
                    NoAnswer::Stranger | NoAnswer::Signature => "unsigned",
                });
                let (partition, offset) = (message.partition(), message.offset());
                tracing::error!(
                    topic = self.topic,
                    partition,
                    offset,
                    "kafka: an answer is not believed: {why}; is collector_kafka.collector_id the collector's, and who may write there?"
                );
                return Ok(());
            }
        };
        count("taken");
        loop {
            match self.answers.try_send(answer) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Closed(_)) => return Err(End::Stopped),
                Err(TrySendError::Full(same)) => answer = same,
            }
            if stop.load(Ordering::Relaxed) {
                return Err(End::Stopped);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Counts what went wrong; it is tried again.
    fn note(&self, error: &KafkaError) {
        let count = &self.telemetry.route.unread;
        count.inc();
        if count.get().is_power_of_two() {
            let reason = kafka::reason(error);
            tracing::warn!(%error, reason, topic = self.topic, times = count.get(), "kafka: receipts cannot be read; tried again");
        }
    }
}

/// Passes on what the client says.
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        kafka::log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka: tried again by the client");
    }
}

impl ConsumerContext for Quiet {
    fn commit_callback(&self, _: KafkaResult<()>, _: &TopicPartitionList) {}
}
