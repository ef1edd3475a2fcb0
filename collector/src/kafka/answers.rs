//! Producing answers to the topic of receipts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clause9_shared::ids::AgentId;
use clause9_shared::wire::answer::{self, Answer};
use ed25519_dalek::SigningKey;
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};

use super::settings;
use crate::telemetry::Telemetry;

/// What becomes of an answer.
pub(crate) const RESULTS: [&str; 2] = ["sent", "failed"];

/// How long answers may take: a little longer than librdkafka tries.
const PATIENCE: Duration = Duration::from_secs(12);
/// How long a look for reports takes at most.
const LOOK: Duration = Duration::from_millis(50);

/// Signs answers and produces them.
pub(super) struct Answers {
    settings: ClientConfig,
    topic: String,
    key: SigningKey,
    producer: BaseProducer<Reports>,
    telemetry: Arc<Telemetry>,
}

impl Answers {
    pub(super) fn new(
        settings: ClientConfig,
        topic: &str,
        key: SigningKey,
        telemetry: Arc<Telemetry>,
    ) -> Result<Self, KafkaError> {
        Ok(Self {
            producer: settings.create_with_context(Reports::default())?,
            settings,
            topic: topic.to_owned(),
            key,
            telemetry,
        })
    }

    /// Produces answers and waits for the brokers' word. What they will not have is counted: the agent hands its batch over
    /// again when it has waited long enough, and is answered again.
    pub(super) fn give(&mut self, answers: Vec<(AgentId, Answer)>, stop: &AtomicBool) {
        let mut under_way = 0_u64;
        for (agent, answer) in answers {
            match self.send(agent, &answer) {
                Ok(()) => under_way += 1,
                Err(why) => self.failed(1, &why),
            }
        }
        let until = Instant::now() + PATIENCE;
        let (mut sent, mut failed, mut why) = (0, 0, None);
        while sent + failed < under_way && Instant::now() < until {
            self.producer.poll(LOOK);
            let told = self.producer.context().take();
            sent += told.sent;
            failed += told.failed;
            why = told.why.or(why);
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        self.telemetry.kafka.count_answers("sent", sent);
        if sent < under_way {
            let why = why.map_or_else(|| "no report came in time".to_owned(), |e| e.to_string());
            self.failed(under_way - sent, &why);
        }
        self.renew();
    }

    fn send(&self, agent: AgentId, answer: &Answer) -> Result<(), String> {
        let bytes = answer::seal(answer, &self.key).map_err(|e| e.to_string())?;
        let key = agent.to_string();
        let record = BaseRecord::to(&self.topic).key(&key).payload(&bytes);
        self.producer.send(record).map_err(|(e, _)| e.to_string())
    }

    fn failed(&self, times: u64, why: &str) {
        let count = self.telemetry.kafka.count_answers("failed", times);
        if times > 0 {
            tracing::warn!(
                topic = self.topic,
                times,
                count,
                why,
                "kafka: batches are stored and could not be answered; they are when they come again"
            );
        }
    }

    /// A producer that cannot vouch any more for each answer to be there once takes no more: another one takes its place.
    fn renew(&mut self) {
        let Some((code, why)) = self.producer.client().fatal_error() else {
            return;
        };
        tracing::warn!(%code, why, "kafka: the producer of answers is made anew");
        match self.settings.create_with_context(Reports::default()) {
            Ok(new) => self.producer = new,
            Err(error) => tracing::error!(%error, "kafka: there is no new producer"),
        }
    }
}

/// What the client tells of what was produced.
#[derive(Default)]
struct Reports(Mutex<Told>);

#[derive(Default)]
struct Told {
    sent: u64,
    failed: u64,
    why: Option<KafkaError>,
}

impl Reports {
    fn take(&self) -> Told {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        settings::log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // What it means for an answer, its report says.
        tracing::debug!(%error, reason, "kafka: tried again by the client");
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(_) => told.sent += 1,
            Err((error, _)) => {
                told.failed += 1;
                told.why = Some(error.clone());
            }
        }
    }
}
