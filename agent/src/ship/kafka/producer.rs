//! Producing batches: idempotent, and acknowledged by every replica in sync. The outbox is the truth, so librdkafka gives up
//! soon and keeps nothing for later.

use std::sync::{Arc, Mutex, PoisonError};

use clause9_shared::wire::batch::MAX_ENVELOPE;
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};
use tokio::sync::oneshot;

use crate::kafka;
use crate::outbox::Waiting;

/// The header with a batch's name, for people: the collector works it out by itself.
const NAME: &str = "clause9-batch";
/// The header with the place in a trace that a batch comes from.
const TRACEPARENT: &str = "traceparent";

/// What librdkafka is told besides how brokers are reached.
const SETTINGS: [(&str, &str); 9] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("compression.codec", "zstd"),
    // Then it is the courier's turn again.
    ("message.timeout.ms", "30000"),
    // How long a topic that nobody knows may be on its way to all brokers.
    ("topic.metadata.propagation.max.ms", "5000"),
    // One batch for each request: one that is too large takes no other with it.
    ("batch.num.messages", "1"),
    ("linger.ms", "0"),
    // As many of the largest as may be under way.
    ("queue.buffering.max.messages", "64"),
    ("queue.buffering.max.kbytes", "278528"),
];

/// Produces batches to one topic.
pub(super) struct Producer {
    settings: ClientConfig,
    topic: String,
    system: String,
    current: Mutex<Current>,
}

type Current = Arc<ThreadedProducer<Reports>>;

impl Producer {
    /// For batches of that system.
    pub(super) fn new(
        mut settings: ClientConfig,
        topic: &str,
        system: &str,
    ) -> Result<Self, KafkaError> {
        for (key, value) in SETTINGS {
            settings.set(key, value);
        }
        // Key and headers come on top.
        let most = MAX_ENVELOPE + (1 << 16);
        settings.set("message.max.bytes", most.to_string());
        let current = Mutex::new(Arc::new(settings.create_with_context(Reports)?));
        Ok(Self {
            settings,
            topic: topic.to_owned(),
            system: system.to_owned(),
            current,
        })
    }

    /// Where it produces to.
    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Produces a batch, with the place in a trace that it comes from, and waits for the brokers' word.
    pub(super) async fn produce(
        &self,
        batch: &Waiting,
        place: Option<&str>,
    ) -> Result<(), KafkaError> {
        let current = Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner));
        let (report, reported) = oneshot::channel();
        let name = batch.digest.to_string();
        let header = |key, value| Header { key, value };
        let mut headers = OwnedHeaders::new().insert(header(NAME, Some(name.as_str())));
        if place.is_some() {
            headers = headers.insert(header(TRACEPARENT, place));
        }
        let record = BaseRecord::with_opaque_to(&self.topic, Box::new(report))
            .key(&self.system)
            .payload(batch.envelope.as_ref())
            .headers(headers);
        let told = match current.send(record) {
            Ok(()) => reported.await.unwrap_or(Err(KafkaError::MessageProduction(
                RDKafkaErrorCode::PurgeQueue,
            ))),
            Err((error, _)) => Err(error),
        };
        if told.as_ref().is_err_and(|error| !is_of_one_batch(error)) {
            self.renew(current);
        }
        told
    }

    /// Another producer in place of one that failed. One that cannot vouch any more for each batch to be there once takes no more; one that may
    /// not write takes none for minutes, whoever allows it meanwhile; and brokers have refused for ever what went on after a
    /// batch that had waited too long for them.
    fn renew(&self, failed: Current) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&current, &failed) {
            return;
        }
        tracing::debug!("kafka: the producer is made anew");
        match self.settings.create_with_context(Reports) {
            Ok(new) => *current = Arc::new(new),
            Err(error) => tracing::error!(%error, "kafka: there is no new producer"),
        }
        // Its end may take half a second, which others need not wait for.
        tokio::task::spawn_blocking(move || drop(failed));
    }
}

/// Whether an error says nothing of the producer: the batch is not for these brokers, or too many are under way.
fn is_of_one_batch(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let code = error.rdkafka_error_code();
    code.is_some_and(|code| {
        [
            Code::MessageSizeTooLarge,
            Code::InvalidMessageSize,
            Code::QueueFull,
        ]
        .contains(&code)
    })
}

/// What the client tells of what was produced.
struct Reports;

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        kafka::log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // What it means for a batch, its report says.
        tracing::debug!(%error, reason, "kafka: tried again by the client");
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<oneshot::Sender<Result<(), KafkaError>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, report: Self::DeliveryOpaque) {
        let told = match result {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error.clone()),
        };
        let _ = report.send(told);
    }
}
