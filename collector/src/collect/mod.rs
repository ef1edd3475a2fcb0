//! The one writer: a thread of its own that takes batches from a bounded queue, commits many of them
//! at once, answers only then, and seals what can be sealed, each seal in one transaction.

mod agents;
mod begin;
pub(crate) use begin::begin;
pub(crate) use sealing::progress;
mod gaps;
mod ingest;
mod sealing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use clause9_otlp::Export;
use clause9_otlp::trace::Context;
use clause9_shared::digest::Digest;
use clause9_shared::ids::SystemId;
use clause9_shared::time::{Span, Timestamp};
use clause9_shared::wire::batch::{Receipt, RefusalReason};
use tokio::sync::oneshot;

use self::sealing::Shown;
use crate::clock::WallClock;
use crate::known::{Current, Known};
use crate::store::{Appended, StoreError, WriteStore};
use crate::telemetry::Telemetry;
use crate::verify::{Opened, Refused};
use clause9_shared::evidence::pen::Pen;
use clause9_shared::sealing::due::Patience;

/// Batches that may wait for the writer.
const QUEUE: usize = 64;
/// Batches committed at once, at most.
const GROUP: usize = 32;
/// How often the clock is looked at, whatever arrives: time alone can force a seal.
const TICK: Duration = Duration::from_secs(1);

/// A batch on its way to the register.
pub(crate) struct Delivery {
    /// What checking the bytes gave.
    pub(crate) opened: Result<Opened, Refused>,
    /// The bytes.
    pub(crate) envelope: axum::body::Bytes,
    /// Where they came from.
    pub(crate) peer: String,
    /// The trace that it belongs to, if one is kept.
    pub(crate) trace: Option<Context>,
    /// Who waits for the answer.
    pub(crate) reply: oneshot::Sender<Answer>,
}

/// Something else to be written than a batch.
type Errand = Box<dyn FnOnce(&mut Writer) + Send>;

/// What waits for the writer.
enum Work {
    Batch(Box<Delivery>),
    Errand(Errand),
}

/// The answer to a batch, once everything about it is durable.
pub(crate) type Answer = Result<Result<Receipt, Refused>, Unavailable>;

/// The register cannot be written now; sending again later may help.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    /// Too many batches wait.
    #[error("too many batches wait for the register; send again")]
    Busy,
    /// The register failed.
    #[error("the register cannot be written; see the collector's log, and send again")]
    Failed,
}

/// Everything that the writer needs besides its queue.
pub(crate) struct Writer {
    pub(crate) store: WriteStore,
    pub(crate) known: Arc<Known>,
    /// What is known in the meantime.
    pub(crate) current: Current,
    pub(crate) telemetry: Arc<Telemetry>,
    /// Who else is told, if anybody is.
    pub(crate) export: Option<Export>,
    pub(crate) clock: WallClock,
    pub(crate) author: String,
    pub(crate) seal_grace: Span,
    pub(crate) clock_skew: Span,
    pub(crate) patience: BTreeMap<SystemId, Patience>,
}

/// What the program is, for its first record.
pub(crate) struct Program {
    /// Version.
    pub(crate) version: &'static str,
    /// Digest of its own file.
    pub(crate) build: Option<Digest>,
    /// Digest of the configuration.
    pub(crate) configuration: Digest,
}

/// The way to the writer.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    queue: SyncSender<Work>,
    healthy: Arc<AtomicBool>,
}

impl Inbox {
    /// Hands a batch over and waits until it is durable or refused.
    pub(crate) async fn deliver(
        &self,
        opened: Result<Opened, Refused>,
        envelope: axum::body::Bytes,
        peer: String,
        trace: Option<Context>,
    ) -> Answer {
        let answer = self.hand_in(opened, envelope, peer, trace)?;
        answer.await.unwrap_or(Err(Unavailable::Failed))
    }

    /// Hands a batch over. Who waits is told once it is durable or refused.
    pub(crate) fn hand_in(
        &self,
        opened: Result<Opened, Refused>,
        envelope: axum::body::Bytes,
        peer: String,
        trace: Option<Context>,
    ) -> Result<oneshot::Receiver<Answer>, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let delivery = Delivery {
            opened,
            envelope,
            peer,
            trace,
            reply,
        };
        self.queue
            .try_send(Work::Batch(Box::new(delivery)))
            .map_err(|e| match e {
                TrySendError::Full(_) => Unavailable::Busy,
                TrySendError::Disconnected(_) => Unavailable::Failed,
            })?;
        Ok(answer)
    }

    /// Has something written in a transaction of its own, and tells once it is durable. Waits for a place in the queue.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Appended<'_>, &Pen) -> Result<T, StoreError> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, StoreError>> {
        let (reply, answer) = oneshot::channel();
        let errand: Errand = Box::new(move |writer| {
            let pen = writer.pen(writer.clock.now());
            // Whoever asked may have gone.
            drop(reply.send(writer.store.commit(|to| act(to, &pen))));
        });
        // A thread that has ended drops the errand, and whoever waits sees that.
        drop(self.queue.send(Work::Errand(errand)));
        answer
    }

    /// Whether writing works as far as it was tried last, and not every system's sealing failed.
    pub(crate) fn healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }
}

impl Writer {
    /// Starts the thread. It ends when every [`Inbox`] is gone and the queue is empty.
    pub(crate) fn start(self) -> std::io::Result<(Inbox, std::thread::JoinHandle<()>)> {
        let (queue, deliveries) = sync_channel(QUEUE);
        let healthy = Arc::new(AtomicBool::new(true));
        let inbox = Inbox {
            queue,
            healthy: Arc::clone(&healthy),
        };
        let thread = std::thread::Builder::new()
            .name("register".to_owned())
            .spawn(move || self.run(&deliveries, &healthy))?;
        Ok((inbox, thread))
    }

    fn run(mut self, work: &Receiver<Work>, healthy: &AtomicBool) {
        let mut looked = Instant::now();
        let mut failing = false;
        loop {
            let first = match work.recv_timeout(TICK.saturating_sub(looked.elapsed())) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let (mut group, mut errands) = (Vec::new(), Vec::new());
            for work in first.into_iter().chain(work.try_iter()).take(GROUP) {
                match work {
                    Work::Batch(delivery) => group.push(*delivery),
                    Work::Errand(errand) => errands.push(errand),
                }
            }
            self.catch_up();
            let tried = !group.is_empty();
            let written = self.ingest(group);
            if tried {
                failing = written.is_err();
            }
            if let Err(error) = &written {
                tracing::error!(error = %chain(error), "the register was not written");
            }
            for errand in errands {
                errand(&mut self);
            }
            let mut sealed = Ok(());
            if looked.elapsed() >= TICK {
                sealed = self.look_at_all(written.as_ref().ok());
                failing = failing && self.store.probe().is_err();
                looked = Instant::now();
            } else if let Ok(systems) = &written {
                sealed = self.seal(systems, Shown::IfSealed);
            }
            healthy.store(!failing && sealed.is_ok(), Ordering::Relaxed);
            if let Err(error) = self.store.tidy() {
                tracing::warn!(error = %chain(&error), "the register's log stays long");
            }
        }
    }

    fn pen(&self, now: Timestamp) -> Pen {
        Pen {
            author: self.author.clone(),
            now,
        }
    }
}

/// An error with its causes, once, for the log.
fn chain(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The status that a refusal is answered with.
pub(crate) const fn status(reason: RefusalReason) -> u16 {
    match reason {
        RefusalReason::Malformed
        | RefusalReason::BadSignature
        | RefusalReason::UnknownPlan
        | RefusalReason::BadSummary
        | RefusalReason::BadCoverage
        | RefusalReason::ClockAhead => 400,
        RefusalReason::UnknownAgent | RefusalReason::UnknownSystem => 403,
        RefusalReason::ReplayedSequence | RefusalReason::ClockMixed => 409,
        RefusalReason::TooLarge => 413,
    }
}
