//! The route through Kafka: a batch is produced to a topic that the collector reads, and the collector's answer comes by
//! another. That the brokers have a batch means that it is handed over; only the collector's signed answer lets it go.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clause9_shared::ids::AgentId;
use clause9_shared::wire::answer::Answer;
use rdkafka::error::RDKafkaErrorCode as Code;
use tokio::sync::{mpsc, watch};

use self::producer::Producer;
use self::receipts::Reader;
use super::{Sent, ShipError};
use crate::config::{CollectorKafkaConfig, Wrong};
use crate::kafka;
use crate::outbox::Waiting;
use crate::priority;
use crate::telemetry::Telemetry;

mod producer;
mod receipts;
#[cfg(test)]
mod tests;

/// Most answers between the reader and the courier.
const MAX_TOLD: usize = 256;
/// How long a batch waits for the topic of receipts to be read before others get their turn.
const READY: Duration = Duration::from_secs(30);
/// How long the reader may take to end.
const LEAVING: Duration = Duration::from_secs(5);

/// Produces batches, and hears what becomes of them.
pub struct Kafka {
    producer: Producer,
    patience: Duration,
    told: tokio::sync::Mutex<mpsc::Receiver<Answer>>,
    /// Whether the topic of receipts is being read: before that nothing is handed over, or its answer could be missed.
    reading: watch::Receiver<bool>,
    reader: Mutex<Option<Reader>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    stop: Arc<AtomicBool>,
    telemetry: Telemetry,
}

impl std::fmt::Debug for Kafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The settings hold a password.
        f.debug_struct("Kafka").finish_non_exhaustive()
    }
}

impl Kafka {
    /// The route of that agent for that system.
    pub fn new(
        config: &CollectorKafkaConfig,
        (system, agent): (&str, AgentId),
        telemetry: Telemetry,
    ) -> Result<Self, ShipError> {
        let unfit = |(key, message): Wrong| ShipError::Kafka(format!("{key}: {message}"));
        let settings = kafka::settings(&config.access()).map_err(unfit)?;
        let producer = Producer::new(settings.clone(), &config.topic, system);
        let producer = producer.map_err(|e| ShipError::Kafka(format!("collector_kafka: {e}")))?;
        let (answers, told) = mpsc::channel(MAX_TOLD);
        let (begun, reading) = watch::channel(false);
        let reader = Reader {
            settings,
            topic: config.receipts.clone(),
            agent: agent.to_string(),
            collector: config.collector_id,
            telemetry: telemetry.clone(),
            answers,
            begun,
        };
        let patience = u64::try_from(config.patience.micros()).unwrap_or_default();
        Ok(Self {
            producer,
            patience: Duration::from_micros(patience),
            told: tokio::sync::Mutex::new(told),
            reading,
            reader: Mutex::new(Some(reader)),
            thread: Mutex::new(None),
            stop: Arc::default(),
            telemetry,
        })
    }

    /// Whether the files that the configuration names can be read; else which key is at fault, and why.
    pub fn check(config: &CollectorKafkaConfig) -> Result<(), (&'static str, String)> {
        kafka::settings(&config.access()).map(drop)
    }

    /// Begins to read receipts, on a thread of its own.
    pub(super) fn begin(&self) {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(reader) = reader.take() else { return };
        let stop = Arc::clone(&self.stop);
        let thread = std::thread::Builder::new().name("clause9-receipts".into());
        let thread = thread.spawn(move || {
            priority::lower("receipts");
            reader.run(&stop);
        });
        match thread {
            Ok(thread) => {
                *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
            }
            Err(error) => tracing::error!(%error, "no thread to read receipts: nothing is shipped"),
        }
    }

    /// How long an answer may take until the batch is produced again.
    pub(super) const fn patience(&self) -> Duration {
        self.patience
    }

    /// The next answer.
    pub(super) async fn told(&self) -> Answer {
        match self.told.lock().await.recv().await {
            Some(answer) => answer,
            // The reader ended; so will the agent.
            None => std::future::pending().await,
        }
    }

    /// Produces a batch, with the place in a trace that it comes from, and waits until the brokers have it.
    pub(super) async fn send(&self, batch: &Waiting, place: Option<&str>) -> Sent {
        let mut reading = self.reading.clone();
        let ready = async { reading.wait_for(|reading| *reading).await.is_ok() };
        if !tokio::time::timeout(READY, ready).await.unwrap_or(false) {
            return Sent::Answered(None, None);
        }
        let Err(error) = self.producer.produce(batch, place).await else {
            return Sent::HandedOver;
        };
        let too_large = matches!(
            error.rdkafka_error_code(),
            Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize)
        );
        let reason = if too_large {
            "too_large"
        } else {
            kafka::reason(&error)
        };
        let failed = self.telemetry.route.failed.with_label_values(&[reason]);
        failed.inc();
        // The first is news, then fewer and fewer are.
        if failed.get().is_power_of_two() {
            let (bytes, topic) = (batch.envelope.len(), self.producer.topic());
            let advice = match reason {
                "too_large" => "raise the topic's max.message.bytes to 17825792",
                "topic" => "create the topic",
                "authorization" => "let this agent's user write there",
                _ => "the batch is kept and tried again",
            };
            tracing::warn!(%error, reason, topic, bytes, times = failed.get(), advice, "kafka: a batch was not taken");
        }
        match reason {
            // This one alone: others go before it.
            "too_large" => Sent::NotTaken,
            _ => Sent::Answered(None, None),
        }
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(thread) = thread.take() else { return };
        let begun = Instant::now();
        while !thread.is_finished() {
            if begun.elapsed() > LEAVING {
                tracing::warn!("kafka: the topic of receipts was not left in time");
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        if thread.join().is_err() {
            tracing::error!("the thread that reads receipts panicked");
        }
    }
}
