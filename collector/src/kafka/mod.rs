//! Batches that come by a topic of Kafka. Each goes the way of one that is posted: the same checks, the same refusals, the
//! same writer. How far the topic was read is committed only behind what is durable; then the agent is answered, by another
//! topic. While the register cannot be written, nothing advances; what cannot be read as a batch is refused, recorded and passed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clause9_otlp::message::Kind;
use clause9_otlp::trace::Context;
use clause9_otlp::{Export, Step};
use clause9_shared::ids::AgentId;
use clause9_shared::wire::answer::{Answer, Said};
use clause9_shared::wire::batch::{BatchRefused, Envelope, MAX_ENVELOPE, Receipt};
use ed25519_dalek::SigningKey;
use rdkafka::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _};
use tokio::sync::oneshot;

use self::answers::Answers;
use self::watching::Watching;
use crate::clock::WallClock;
use crate::collect::{self, Inbox, Unavailable};
use crate::config::KafkaConfig;
use crate::known::Current;
use crate::receive::verified;
use crate::telemetry::Telemetry;
use crate::verify::{self, Refused};

mod answers;
mod settings;
mod watching;

pub(crate) use answers::RESULTS;
pub(crate) use settings::ERRORS;

/// Most batches that are with the writer at once.
const MAX_BATCHES: usize = 32;
/// Bytes of batches after which no more are taken at once.
const MAX_BYTES: usize = MAX_ENVELOPE;
/// How long a look for messages takes at most.
const LOOK: Duration = Duration::from_millis(100);
/// How long the writer may take before partitions are paused.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often brokers are asked for the lag of partitions that are paused.
const LAG: Duration = Duration::from_secs(2);
/// Pause before a batch is tried again, doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// How often the register may fail over a batch, though it works, before others go on.
const MAX_FAILURES: u32 = 8;
/// The step that takes a batch.
const STEP: (&str, Kind) = ("take batch", Kind::Consumer);
/// The header with the place in a trace that a batch comes from.
const TRACEPARENT: &str = "traceparent";
/// How long the client may take to leave.
const LEAVING: Duration = Duration::from_secs(10);

/// A reader of the topic, not reading yet.
pub(crate) struct Reader {
    settings: ClientConfig,
    topic: String,
    answers: Answers,
    inbox: Option<Inbox>,
    known: Current,
    telemetry: Arc<Telemetry>,
    export: Option<Export>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The settings hold a password.
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

/// A reader's thread.
#[derive(Debug)]
pub(crate) struct Reading {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Reading {
    /// Ends it. A client that does not come back from its brokers is left behind; it holds nothing of the register by then.
    pub(crate) fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        while !self.thread.is_finished() {
            if begun.elapsed() > LEAVING {
                tracing::warn!("kafka: the group was not left in time; it will notice by itself");
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        if self.thread.join().is_err() {
            tracing::error!("the thread that reads the topic panicked");
        }
    }
}

/// Why reading ended.
enum End {
    /// The collector stops.
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
    /// A reader of what the configuration names, which answers under that key.
    pub(crate) fn new(
        config: &KafkaConfig,
        key: SigningKey,
        (inbox, known): (Inbox, Current),
        (telemetry, export): (Arc<Telemetry>, Option<Export>),
    ) -> anyhow::Result<Self> {
        let answering = settings::answering(config)?;
        let told = Arc::clone(&telemetry);
        Ok(Self {
            settings: settings::reading(config)?,
            topic: config.topic.clone(),
            answers: Answers::new(answering, &config.receipts, key, told)?,
            inbox: Some(inbox),
            known,
            telemetry,
            export,
        })
    }

    /// Reads on a thread of its own.
    pub(crate) fn start(self) -> std::io::Result<Reading> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("kafka".to_owned());
        let thread = thread.spawn(move || self.run(&told))?;
        Ok(Reading { stop, thread })
    }

    fn run(mut self, stop: &AtomicBool) {
        // Let go before the group is left, which may take long: the register's thread ends when nobody can reach it.
        let mut inbox = self.inbox.take();
        let mut pause = FIRST_PAUSE;
        while let Err(End::Failed(error)) = self.session(&mut inbox, stop) {
            let times = self.telemetry.kafka.count_error("other");
            pause = (pause * 2).min(LAST_PAUSE);
            tracing::error!(%error, times, again_in = ?pause, "kafka: the client failed and is made anew");
            let until = Instant::now() + pause;
            while Instant::now() < until && !stop.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
            }
            if stop.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Reads with one client.
    fn session(&mut self, inbox: &mut Option<Inbox>, stop: &AtomicBool) -> Result<(), End> {
        let watching = Watching::new(self.topic.clone(), Arc::clone(&self.telemetry));
        let consumer: BaseConsumer<Watching> = self.settings.create_with_context(watching)?;
        consumer.subscribe(&[self.topic.as_str()])?;
        let mut session = Session {
            reader: self,
            consumer,
            messages: Vec::new(),
            held: false,
            looked: None,
        };
        let ended = loop {
            let Some(inbox) = inbox.as_ref().filter(|_| !stop.load(Ordering::Relaxed)) else {
                break Err(End::Stopped);
            };
            if let Err(end) = session.turn(inbox, stop) {
                break Err(end);
            }
        };
        if stop.load(Ordering::Relaxed) {
            *inbox = None;
        }
        ended
    }
}

/// A message of the topic.
struct Message {
    partition: i32,
    offset: i64,
    /// The bytes; none of one that is longer than any batch.
    envelope: Option<bytes::Bytes>,
    /// The place in a trace that it comes from, as its sender wrote it.
    trace: Option<String>,
}

/// Reading with one client.
struct Session<'a> {
    reader: &'a mut Reader,
    consumer: BaseConsumer<Watching>,
    /// Read and not delivered yet.
    messages: Vec<Message>,
    /// Whether partitions are paused.
    held: bool,
    /// When it was asked last how far behind the collector is.
    looked: Option<Instant>,
}

/// What became of a message: none where the register fails over it alone.
type Taken = Option<Result<Receipt, Refused>>;

impl Session<'_> {
    /// Reads some messages, has them stored, answers, and goes on behind them.
    fn turn(&mut self, inbox: &Inbox, stop: &AtomicBool) -> Result<(), End> {
        let mut patience = LOOK;
        while !self.is_full() && self.look(patience)? {
            patience = Duration::ZERO;
        }
        self.pause_new();
        if self.messages.is_empty() {
            return Ok(());
        }
        let messages = std::mem::take(&mut self.messages);
        let taken = self.deliver(inbox, &messages, stop)?;
        let answers = messages.iter().zip(taken);
        let answers = answers.filter_map(|(message, taken)| answer(message, taken?));
        self.reader.answers.give(answers.collect(), stop);
        self.store(&messages);
        self.resume();
        Ok(())
    }

    fn is_full(&self) -> bool {
        let bytes = |m: &Message| m.envelope.as_ref().map_or(0, bytes::Bytes::len);
        self.messages.len() >= MAX_BATCHES
            || self.messages.iter().map(bytes).sum::<usize>() >= MAX_BYTES
    }

    /// Waits for a message and keeps it; whether there was one.
    fn look(&mut self, patience: Duration) -> Result<bool, End> {
        match self.consumer.poll(patience) {
            None => Ok(false),
            Some(Ok(message)) => {
                self.messages.push(Message::of(&message));
                Ok(true)
            }
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => Err(End::Failed(error)),
            Some(Err(error)) => {
                self.consumer.context().note(&error);
                Ok(false)
            }
        }
    }

    /// Has the writer take all of them, and waits until it did: nothing goes on behind what is not durable.
    fn deliver(
        &mut self,
        inbox: &Inbox,
        messages: &[Message],
        stop: &AtomicBool,
    ) -> Result<Vec<Taken>, End> {
        let mut under_way = Vec::with_capacity(messages.len());
        for message in messages {
            let mut step = self.step(message);
            let reply = self.hand_in(inbox, message, &mut step).ok();
            under_way.push((reply, step));
        }
        let mut all = Vec::with_capacity(messages.len());
        for (message, (reply, mut step)) in messages.iter().zip(under_way) {
            let answered = match reply {
                Some(reply) => self.answered(reply, stop)?,
                None => Err(Unavailable::Busy),
            };
            let taken = match answered {
                Ok(taken) => Some(taken),
                Err(_) => self.insist(inbox, message, &mut step, stop)?,
            };
            if let Some(step) = step {
                step.end(WallClock.now(), taken.is_none(), Vec::new());
            }
            all.push(taken);
        }
        Ok(all)
    }

    /// Tries one message again and again, by itself. One over which the register fails though it works is let by, unanswered: its agent has
    /// it still, and hands it over again.
    fn insist(
        &mut self,
        inbox: &Inbox,
        message: &Message,
        step: &mut Option<Step>,
        stop: &AtomicBool,
    ) -> Result<Taken, End> {
        let (mut pause, mut failures) = (FIRST_PAUSE, 0);
        loop {
            self.reader.telemetry.count_batch("unavailable");
            let begun = Instant::now();
            while begun.elapsed() < pause || !inbox.healthy() {
                self.wait(begun, stop)?;
            }
            pause = (pause * 2).min(LAST_PAUSE);
            let Ok(reply) = self.hand_in(inbox, message, step) else {
                continue;
            };
            match self.answered(reply, stop)? {
                Ok(taken) => return Ok(Some(taken)),
                Err(Unavailable::Busy) => {}
                Err(Unavailable::Failed) => failures += 1,
            }
            if failures >= MAX_FAILURES {
                let (partition, offset) = (message.partition, message.offset);
                self.reader.telemetry.kafka.passed.inc();
                tracing::error!(
                    topic = self.reader.topic,
                    partition,
                    offset,
                    "kafka: the register fails over a batch and works otherwise; others go on, and its agent hands it over again"
                );
                return Ok(None);
            }
        }
    }

    /// The step that takes a message, in the trace of who sent it.
    fn step(&self, message: &Message) -> Option<Step> {
        let (export, trace) = (self.reader.export.as_ref(), message.trace.as_deref());
        Step::taking(export, trace, STEP, WallClock.now())
    }

    /// Hands a message to the writer. Of what nobody known signed, others are told nothing.
    fn hand_in(
        &self,
        inbox: &Inbox,
        message: &Message,
        step: &mut Option<Step>,
    ) -> Result<oneshot::Receiver<collect::Answer>, Unavailable> {
        let begun = WallClock.now();
        // Only what is posted comes over a connection that shows who is there.
        let (opened, envelope) = match &message.envelope {
            Some(bytes) => {
                let opened = verify::open(bytes, &self.reader.known.now(), None);
                (opened, bytes.clone())
            }
            None => (Err(Refused::too_large(MAX_ENVELOPE)), bytes::Bytes::new()),
        };
        *step = step.take().filter(|_| opened.is_ok());
        let trace = step.as_ref().map(Step::context);
        let export = self.reader.export.as_ref();
        verified(export, trace, (begun, WallClock.now()));
        let peer = format!("kafka:{}/{}", self.reader.topic, message.partition);
        inbox.hand_in(opened, envelope, peer, trace)
    }

    /// What the writer says.
    fn answered(
        &mut self,
        mut reply: oneshot::Receiver<collect::Answer>,
        stop: &AtomicBool,
    ) -> Result<collect::Answer, End> {
        let begun = Instant::now();
        loop {
            match reply.try_recv() {
                Ok(answer) => return Ok(answer),
                Err(oneshot::error::TryRecvError::Closed) => return Ok(Err(Unavailable::Failed)),
                Err(oneshot::error::TryRecvError::Empty) => self.wait(begun, stop)?,
            }
        }
    }

    /// A short while; after some patience with the partitions paused, and the client looked after, or the group would think that the
    /// collector is gone.
    fn wait(&mut self, since: Instant, stop: &AtomicBool) -> Result<(), End> {
        if stop.load(Ordering::Relaxed) {
            return Err(End::Stopped);
        }
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
        // A message that was under way is kept for the next turn.
        self.look(Duration::from_millis(20))?;
        self.pause_new();
        Ok(())
    }

    /// Partitions that came while reading stands still are paused, too.
    fn pause_new(&self) {
        if self.consumer.context().take_assigned() && self.held {
            self.pause();
        }
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

    /// Notes how far each partition is done with, for the next commit.
    fn store(&self, messages: &[Message]) {
        let ends = messages.iter().map(|m| (m.partition, m.offset));
        for (partition, offset) in ends.collect::<BTreeMap<_, _>>() {
            match self
                .consumer
                .store_offset(&self.reader.topic, partition, offset)
            {
                // Others read it now; what they read again is known.
                Ok(()) | Err(KafkaError::StoreOffset(RDKafkaErrorCode::State)) => {}
                Err(error) => self.consumer.context().note(&error),
            }
        }
    }
}

impl Message {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let value = message.payload().unwrap_or_default();
        let fits = value.len() <= MAX_ENVELOPE;
        Self {
            partition: message.partition(),
            offset: message.offset(),
            envelope: fits.then(|| bytes::Bytes::copy_from_slice(value)),
            trace: traceparent(message),
        }
    }
}

/// The place in a trace that a message says it comes from.
fn traceparent(message: &BorrowedMessage<'_>) -> Option<String> {
    let headers = message.headers()?;
    let found = headers.iter().find(|header| header.key == TRACEPARENT)?;
    let text = std::str::from_utf8(found.value?).ok()?;
    // What cannot be read is not kept either.
    Context::parse(text).map(|_| text.to_owned())
}

/// Whom to answer, and what. Nobody is behind what is no envelope.
fn answer(message: &Message, taken: Result<Receipt, Refused>) -> Option<(AgentId, Answer)> {
    let envelope = message.envelope.as_ref()?;
    let agent = Envelope::parse(envelope).ok()?.agent();
    let said = match taken {
        Ok(receipt) => Said::Receipt(receipt),
        Err(refused) => Said::Refused(BatchRefused {
            refused: refused.reason,
            detail: refused.detail,
        }),
    };
    let batch = clause9_shared::wire::batch::digest(envelope);
    Some((agent, Answer { batch, said }))
}
