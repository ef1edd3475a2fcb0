//! Topics of Kafka as a way in. A thread of its own reads records and hands them to the monitor as the
//! door does with deliveries; what the monitor has counted is committed, and nothing before that. While
//! the monitor is behind, partitions are paused: nothing piles up here. Brokers that are away, records
//! that cannot be read, partitions that come and go are counted and never stop it for good.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clause9_shared::time::Timestamp;
use rdkafka::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use self::client::Watching;
use self::memory::{Mark, Place, Remembered};
use self::message::{Poison, Raw};
use crate::config::{Content, KafkaConfig};
use crate::monitor::Command;
use crate::sink::{Account, Delivery, Fate, Item, MAX_ITEMS, Naming};
use crate::telemetry::Telemetry;

mod client;
mod memory;
mod message;

#[cfg(test)]
mod tests;

/// What one record holds, for tests of what becomes of it.
#[cfg(test)]
pub(crate) fn read_one(
    headers: Vec<(&str, &[u8])>,
    value: &[u8],
    at: Timestamp,
    (content, most): (Content, usize),
    naming: &Naming,
) -> Result<crate::sink::reading::Read, String> {
    let raw = Raw {
        headers,
        value: Some(value),
        at: Some(at),
    };
    let read = message::read(&raw, content, most, naming);
    read.map_err(|(poison, why)| format!("{}: {why}", poison.as_str()))
}

/// Most records handed over at once.
const MAX_RECORDS: usize = 500;
/// Bytes of records after which they are handed over.
const MAX_BYTES: usize = 1 << 20;
/// How long a look for records takes at most.
const LOOK: Duration = Duration::from_millis(100);
/// How long the monitor may take before partitions are paused.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long the monitor may take for what it was handed when the agent stops.
const DRAIN: Duration = Duration::from_secs(5);
/// How often brokers are asked for the lag of partitions that are paused.
const LAG: Duration = Duration::from_secs(2);
/// The first pause after the client itself failed, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_mins(1);

/// A reader of topics, not reading yet.
pub struct Reader {
    settings: ClientConfig,
    topics: Vec<(String, Content)>,
    most: usize,
    naming: Naming,
    telemetry: Telemetry,
    monitor: mpsc::Sender<Command>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The settings hold a password.
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

/// Why reading ended.
#[derive(Debug)]
enum End {
    /// The agent stops.
    Stopped,
    /// The client cannot go on and is to be made anew.
    Failed(KafkaError),
}

impl From<KafkaError> for End {
    fn from(error: KafkaError) -> Self {
        Self::Failed(error)
    }
}

impl Reader {
    /// A reader of what the configuration names, for that system, of records up to so many bytes. The
    /// error says which key is at fault.
    pub fn new(
        config: &KafkaConfig,
        (system, most): (&str, usize),
        naming: Naming,
        telemetry: Telemetry,
        monitor: mpsc::Sender<Command>,
    ) -> Result<Self, String> {
        let settings = client::settings(config, system);
        let settings = settings.map_err(|(key, message)| format!("{key}: {message}"))?;
        let topics: Vec<_> = config
            .topics
            .iter()
            .map(|t| (t.name.clone(), t.content))
            .collect();
        for (topic, _) in &topics {
            telemetry.kafka.lag.with_label_values(&[topic]).set(0);
        }
        let reader = Self {
            settings,
            topics,
            most,
            naming,
            telemetry,
            monitor,
        };
        // What librdkafka does not like, such as a key that is none, shows at once.
        let made = reader.client();
        made.map_err(|error| format!("sink.kafka: {error}"))?;
        Ok(reader)
    }

    /// Whether the files that it names can be read; else which key is at fault, and why.
    pub fn check(config: &KafkaConfig) -> Result<(), (&'static str, String)> {
        client::settings(config, "").map(drop)
    }

    /// Reads until `stop` is true. Blocks its thread.
    pub fn run(self, stop: &AtomicBool) {
        let mut remembered = Remembered::default();
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = Instant::now();
            let Err(End::Failed(error)) = self.session(&mut remembered, stop) else {
                return;
            };
            if begun.elapsed() > LAST_PAUSE {
                pause = FIRST_PAUSE;
            }
            self.telemetry
                .kafka
                .errors
                .with_label_values(&["other"])
                .inc();
            tracing::error!(%error, again_in = ?pause, "kafka: the client failed and is made anew");
            let until = Instant::now() + pause;
            while Instant::now() < until {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                std::thread::sleep(LOOK);
            }
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    fn client(&self) -> Result<BaseConsumer<Watching>, KafkaError> {
        let names: BTreeSet<_> = self.topics.iter().map(|(name, _)| name.clone()).collect();
        let watching = Watching::new(self.telemetry.clone(), names);
        self.settings.create_with_context(watching)
    }

    /// Reads with one client.
    fn session(&self, remembered: &mut Remembered, stop: &AtomicBool) -> Result<(), End> {
        let consumer = self.client()?;
        let names: Vec<&str> = self.topics.iter().map(|(name, _)| name.as_str()).collect();
        consumer.subscribe(&names)?;
        let mut session = Session {
            reader: self,
            consumer,
            remembered,
            batch: Batch::default(),
            held: false,
            looked: None,
        };
        while !stop.load(Ordering::Relaxed) {
            session.turn(stop)?;
        }
        Ok(())
    }
}

/// Records that were read and not handed over.
#[derive(Default)]
struct Batch {
    items: Vec<(Place, Item)>,
    /// Items that are none.
    refused: Vec<(Place, String)>,
    /// Every record, also those without items, in the order read.
    places: Vec<Place>,
    bytes: usize,
}

impl Batch {
    const fn is_full(&self) -> bool {
        self.places.len() >= MAX_RECORDS || self.bytes >= MAX_BYTES || self.items.len() >= MAX_ITEMS
    }
}

/// Reading with one client.
struct Session<'a> {
    reader: &'a Reader,
    consumer: BaseConsumer<Watching>,
    remembered: &'a mut Remembered,
    batch: Batch,
    /// Whether partitions are paused.
    held: bool,
    /// When it was asked last how far behind this agent is.
    looked: Option<Instant>,
}

impl Session<'_> {
    /// Reads some records and hands them over.
    fn turn(&mut self, stop: &AtomicBool) -> Result<(), End> {
        let mut patience = LOOK;
        while !self.batch.is_full() && self.look(patience)? {
            patience = Duration::ZERO;
        }
        self.give_back();
        if self.batch.places.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        self.hand_over(batch, stop)
    }

    /// Waits for a record and reads it; whether there was one.
    fn look(&mut self, patience: Duration) -> Result<bool, End> {
        match self.consumer.poll(patience) {
            None => Ok(false),
            Some(Ok(message)) => {
                let reader = self.reader;
                reader.take(&message, self.remembered, &mut self.batch);
                Ok(true)
            }
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => Err(End::Failed(error)),
            Some(Err(error)) => {
                self.consumer.context().note(&error);
                Ok(false)
            }
        }
    }

    /// Lets go of records whose partitions others read now: they begin where this agent committed.
    fn give_back(&mut self) {
        let changes = self.consumer.context().take_changes();
        if self.held && changes.assigned {
            self.pause();
        }
        if changes.revoked.is_empty() || self.batch.places.is_empty() {
            return;
        }
        let topics = &self.reader.topics;
        let is_gone = |place: Place| {
            let topic = topics.get(place.topic).map(|(name, _)| name.clone());
            topic.is_some_and(|topic| changes.revoked.contains(&(topic, place.partition)))
        };
        let latest = self.batch.places.len();
        self.remembered.forget(is_gone, latest);
        self.batch.places.retain(|place| !is_gone(*place));
        self.batch.refused.retain(|(place, _)| !is_gone(*place));
        self.batch.items.retain(|(place, _)| !is_gone(*place));
    }

    /// Has the monitor count a batch, then notes that it was.
    fn hand_over(&mut self, batch: Batch, stop: &AtomicBool) -> Result<(), End> {
        let mut account = Account::default();
        for (place, (_, why)) in batch.refused.into_iter().enumerate() {
            account.refuse(place, why);
        }
        let mut items = Vec::with_capacity(batch.items.len());
        items.extend(batch.items.into_iter().map(|(_, item)| item));
        if !items.is_empty() {
            for (place, fate) in self.told(items, stop)?.into_iter().enumerate() {
                account.note(place, fate);
            }
        }
        let telemetry = &self.reader.telemetry;
        for (fate, count) in account.counts() {
            telemetry
                .sink_items
                .with_label_values(&[fate])
                .inc_by(count);
        }
        self.store(&batch.places);
        self.resume();
        Ok(())
    }

    /// What the monitor made of the items. Until it takes them, and until it says so, partitions are
    /// paused, and the client is looked after, or the group would think that this agent is gone.
    fn told(&mut self, items: Vec<Item>, stop: &AtomicBool) -> Result<Vec<Fate>, End> {
        let (answer, mut fates) = oneshot::channel();
        let mut command = Command::Delivery(Delivery { items, answer });
        let begun = Instant::now();
        loop {
            match self.reader.monitor.try_send(command) {
                Ok(()) => break,
                Err(TrySendError::Closed(_)) => return Err(End::Stopped),
                Err(TrySendError::Full(same)) => command = same,
            }
            if stop.load(Ordering::Relaxed) {
                return Err(End::Stopped);
            }
            self.wait(begun)?;
        }
        let mut stopping = None;
        loop {
            match fates.try_recv() {
                Ok(fates) => return Ok(fates),
                Err(oneshot::error::TryRecvError::Closed) => return Err(End::Stopped),
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
            if stop.load(Ordering::Relaxed) {
                let since = *stopping.get_or_insert_with(Instant::now);
                if since.elapsed() > DRAIN {
                    return Err(End::Stopped);
                }
            }
            self.wait(begun)?;
        }
    }

    /// A short while; after some patience with the partitions paused.
    fn wait(&mut self, since: Instant) -> Result<(), End> {
        if since.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(1));
            return Ok(());
        }
        if !self.held {
            self.held = true;
            self.reader.telemetry.kafka.pauses.inc();
            self.consumer.context().hold(true);
            self.pause();
        }
        // What is not fetched is in no statistics.
        if self.looked.is_none_or(|at| at.elapsed() > LAG) {
            self.looked = Some(Instant::now());
            self.consumer.context().show_lag(&self.consumer);
        }
        // A record that was under way is kept for the next batch.
        self.look(Duration::from_millis(20))?;
        self.give_back();
        Ok(())
    }

    fn pause(&self) {
        let assigned = self.consumer.assignment();
        if let Err(error) = assigned.and_then(|all| self.consumer.pause(&all)) {
            self.consumer.context().note(&error);
        }
    }

    fn resume(&mut self) {
        if !std::mem::take(&mut self.held) {
            return;
        }
        self.consumer.context().hold(false);
        let assigned = self.consumer.assignment();
        if let Err(error) = assigned.and_then(|all| self.consumer.resume(&all)) {
            self.consumer.context().note(&error);
        }
    }

    /// Notes how far each partition was counted, for the next commit.
    fn store(&self, places: &[Place]) {
        let mut ends = BTreeMap::new();
        for place in places {
            ends.insert((place.topic, place.partition), place.offset);
        }
        for ((topic, partition), offset) in ends {
            let Some((topic, _)) = self.reader.topics.get(topic) else {
                continue;
            };
            match self.consumer.store_offset(topic, partition, offset) {
                // Others read it now, and count these records once more.
                Ok(()) | Err(KafkaError::StoreOffset(RDKafkaErrorCode::State)) => {}
                Err(error) => self.consumer.context().note(&error),
            }
        }
    }
}

impl Reader {
    /// Reads a record into a batch.
    fn take(&self, message: &BorrowedMessage<'_>, known: &mut Remembered, batch: &mut Batch) {
        let topic = self
            .topics
            .iter()
            .position(|(name, _)| name == message.topic());
        let Some((topic, (_, content))) = topic.and_then(|at| Some((at, self.topics.get(at)?)))
        else {
            return;
        };
        let place = Place {
            topic,
            partition: message.partition(),
            offset: message.offset(),
        };
        batch.places.push(place);
        let value = message.payload();
        batch.bytes += value.map_or(0, <[u8]>::len);
        let millis = message.timestamp().to_millis();
        let mark = Mark::of(millis, message.key().unwrap_or(b""), value.unwrap_or(b""));
        if !known.enter(place, mark) {
            self.count("duplicate");
            return;
        }
        let headers = message.headers();
        let headers = headers.into_iter().flat_map(|all| all.iter());
        let raw = Raw {
            headers: headers.map(|h| (h.key, h.value.unwrap_or(b""))).collect(),
            value,
            at: millis.and_then(|millis| Timestamp::from_micros(millis.checked_mul(1000)?)),
        };
        let read = catch_unwind(AssertUnwindSafe(|| {
            message::read(&raw, *content, self.most, &self.naming)
        }));
        let failed = || Err((Poison::Failed, "the program failed at it".to_owned()));
        match read.unwrap_or_else(|_| failed()) {
            Ok(read) => {
                self.count("taken");
                for one in read {
                    match one {
                        Ok(items) => {
                            batch
                                .items
                                .extend(items.into_iter().map(|item| (place, item)));
                        }
                        Err(why) => batch.refused.push((place, why)),
                    }
                }
            }
            Err((reason, why)) => {
                batch.refused.push((place, why.clone()));
                self.skip(message, reason, &why);
            }
        }
    }

    /// Counts a record that is skipped, and says which, but not each time.
    fn skip(&self, message: &BorrowedMessage<'_>, reason: Poison, why: &str) {
        self.count("skipped");
        let reason = reason.as_str();
        let count = self.telemetry.kafka.skipped.with_label_values(&[reason]);
        count.inc();
        if count.get().is_power_of_two() {
            let (topic, partition, offset) =
                (message.topic(), message.partition(), message.offset());
            tracing::warn!(
                topic,
                partition,
                offset,
                reason,
                why,
                times = count.get(),
                "kafka: a record is skipped"
            );
        }
    }

    fn count(&self, fate: &str) {
        self.telemetry
            .kafka
            .records
            .with_label_values(&[fate])
            .inc();
    }
}
