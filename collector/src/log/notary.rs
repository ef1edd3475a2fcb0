//! The thread that signs. It reads what is on disk, signs that, and has the one writer keep it: a checkpoint never covers what a
//! loss of power could take. Signing may take its time or fail; the register is written meanwhile. Shell.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use clause9_shared::digest::Digest;
use clause9_shared::evidence::checkpoint::Checkpoint;
use clause9_shared::evidence::note::{Algorithm, KeyName, Note, SignatureLine, VerifierKey};
use clause9_shared::evidence::{Evidence, RecordKind};
use tokio::sync::Notify;

use super::custody::Recorded;
use super::keys::{Keys, Ring};
use super::{Custody, KeyEvent, Signer};
use crate::clock::WallClock;
use crate::collect::Inbox;
use crate::store::{Page, Published, ReadStore, Readers, RecordFilter, StoreError};
use crate::telemetry::Telemetry;
use clause9_shared::evidence::body::KeyBody;
use clause9_shared::evidence::pen::About;

/// Most steps of one round: a rotation takes three.
const STEPS: usize = 8;

/// What it works with.
pub(crate) struct Parts {
    pub(crate) readers: Readers,
    pub(crate) inbox: Inbox,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) clock: WallClock,
    /// The configured origin.
    pub(crate) origin: Option<KeyName>,
    pub(crate) keys: Keys,
    pub(crate) every: Duration,
    /// Whoever waits for a checkpoint.
    pub(crate) news: Arc<Notify>,
}

/// The thread that signs, while it runs.
#[derive(Debug)]
pub(crate) struct Notary {
    end: Sender<()>,
    thread: JoinHandle<()>,
}

/// What the register says of itself.
struct State {
    size: u64,
    covered: Option<u64>,
    recorded: Option<Recorded>,
}

impl Notary {
    /// Signs now, and from time to time.
    pub(crate) fn start(parts: Parts) -> std::io::Result<Self> {
        let (end, ended) = channel();
        let thread = std::thread::Builder::new()
            .name("notary".to_owned())
            .spawn(move || parts.run(&ended))?;
        Ok(Self { end, thread })
    }

    /// Signs what is new since, and ends.
    pub(crate) fn end(self) {
        drop(self.end);
        if self.thread.join().is_err() {
            tracing::error!("the thread that signs checkpoints panicked");
        }
    }
}

impl Parts {
    fn run(self, ended: &Receiver<()>) {
        for turn in 0.. {
            let looked = self.readers.read(|read| read.check_tile(turn));
            let round = looked
                .map_err(anyhow::Error::from)
                .and_then(|()| self.round());
            self.telemetry.log.count(round.is_ok());
            if let Err(error) = &round {
                tracing::error!(
                    error = format!("{error:#}"),
                    "no checkpoint was signed; the register is written all the same"
                );
            }
            match ended.recv_timeout(self.every) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Err(error) = self.round() {
            tracing::error!(
                error = format!("{error:#}"),
                "no last checkpoint was signed"
            );
        }
    }

    /// Does what is due: key events, then a checkpoint if there is something new.
    fn round(&self) -> anyhow::Result<()> {
        for _ in 0..STEPS {
            if !self.step()? {
                return Ok(());
            }
        }
        anyhow::bail!("the keys do not come to rest")
    }

    /// One step; true if there is another.
    fn step(&self) -> anyhow::Result<bool> {
        let state = self.readers.read(state)?;
        self.telemetry.log.show(state.size, state.covered);
        let ring = self.keys.ring(state.recorded.is_some())?;
        let name = self.name(&state, &ring)?;
        let named =
            |signer: &Signer| VerifierKey::new(name.clone(), Algorithm::Ed25519, signer.key());
        let (current, next) = (named(&ring.current), ring.next.as_ref().map(named));
        let custody = Custody::of(state.recorded.as_ref(), &current, next.as_ref())?;
        match (custody, &ring.next, next) {
            (Custody::Begin, _, _) => {
                self.tell(KeyEvent::Begun, &current, None)?;
                Ok(true)
            }
            (Custody::HandOver, _, Some(next)) => {
                self.tell(KeyEvent::HandedOver, &next, Some(&current))?;
                Ok(true)
            }
            (Custody::Both, Some(second), _) => {
                let leaf = state.recorded.as_ref().map_or(0, |recorded| recorded.leaf);
                anyhow::ensure!(state.size > leaf, "the record of the key is gone");
                self.sign(&state, &name, &[&ring.current, second])?;
                Ok(true)
            }
            (Custody::TakeOver, Some(Signer::File(_)), _) => {
                self.keys.take_over()?;
                tracing::info!("the register's checkpoints are signed by a new key");
                Ok(true)
            }
            (Custody::TakeOver, Some(second), _) => {
                self.sign(&state, &name, &[second])?;
                Ok(false)
            }
            (Custody::Current | Custody::HandOver | Custody::Both | Custody::TakeOver, _, _) => {
                self.sign(&state, &name, &[&ring.current])?;
                Ok(false)
            }
        }
    }

    /// The log's origin: what it began with.
    fn name(&self, state: &State, ring: &Ring) -> anyhow::Result<KeyName> {
        let began = state
            .recorded
            .as_ref()
            .map(|recorded| recorded.key.name().clone());
        match (began, &self.origin) {
            (Some(began), Some(origin)) if began != *origin => anyhow::bail!(
                "the register is the log `{began}`, and `log.origin` is `{origin}`: a log keeps its origin"
            ),
            (Some(began), _) => Ok(began),
            (None, Some(origin)) => Ok(origin.clone()),
            (None, None) => {
                let key = Digest::of(ring.current.key().as_bytes());
                Ok(format!("clause9.local/log-{}", key.short()).parse()?)
            }
        }
    }

    fn sign(&self, state: &State, name: &KeyName, signers: &[&Signer]) -> anyhow::Result<()> {
        let covers_all = state.covered.is_some_and(|covered| covered >= state.size);
        // By both keys at once only what lies behind the record of the second: there is something new, then.
        if covers_all || state.size == 0 {
            return Ok(());
        }
        let root = self.readers.read(|read| read.log_root(state.size))?;
        let checkpoint = Checkpoint {
            origin: name.clone(),
            size: state.size,
            root,
        };
        let text = checkpoint.to_string();
        let line = |signer: &&Signer| -> anyhow::Result<SignatureLine> {
            let signature = signer.sign(text.as_bytes())?;
            Ok(SignatureLine::signed_elsewhere(
                name,
                &signer.key(),
                signature,
            ))
        };
        let lines = signers
            .iter()
            .map(line)
            .collect::<anyhow::Result<Vec<_>>>()?;
        let note = Note::new(text, lines)?;
        let now = self.clock.now();
        let kept = self.inbox.write(move |to, _| to.publish(&note, now));
        match kept
            .blocking_recv()
            .context("the register's thread has ended")??
        {
            Published::Kept => {
                self.telemetry.log.show(state.size, Some(state.size));
                self.news.notify_one();
            }
            Published::Overtaken => {}
        }
        Ok(())
    }

    fn tell(
        &self,
        event: KeyEvent,
        key: &VerifierKey,
        former: Option<&VerifierKey>,
    ) -> anyhow::Result<()> {
        let body = KeyBody {
            event: event.as_str().to_owned(),
            key: key.to_string(),
            former: former.map(VerifierKey::to_string),
            reason: None,
        };
        let written = self.inbox.write(move |to, pen| {
            let record = pen.write(RecordKind::Key, pen.now, About::default(), &body)?;
            to.append(&record, None)
        });
        written
            .blocking_recv()
            .context("the register's thread has ended")??;
        Ok(())
    }
}

fn state(read: &ReadStore<'_>) -> Result<State, StoreError> {
    let last = read.last_checkpoint()?;
    Ok(State {
        size: read.log_size()?,
        covered: last.map(|last| last.checkpoint.size),
        recorded: recorded(read)?,
    })
}

/// The last word of the register on its keys.
pub(super) fn recorded(read: &ReadStore<'_>) -> Result<Option<Recorded>, StoreError> {
    let filter = RecordFilter {
        kind: Some(RecordKind::Key.as_str()),
        ..RecordFilter::default()
    };
    let page = Page {
        after: None,
        limit: 1,
        newest_first: true,
    };
    let Some(row) = read.records(&filter, &page)?.pop() else {
        return Ok(None);
    };
    let wrong = || StoreError::Row("records");
    let record: Evidence = serde_json::from_slice(&row.bytes).map_err(|_| wrong())?;
    let body: KeyBody = serde_json::from_value(record.body).map_err(|_| wrong())?;
    let key: VerifierKey = body.key.parse().map_err(|_| wrong())?;
    let former: Option<VerifierKey> = body
        .former
        .map(|key| key.parse())
        .transpose()
        .map_err(|_| wrong())?;
    let covering = [read.checkpoint_over(row.leaf + 1)?, read.last_checkpoint()?];
    let handed_over = covering.iter().flatten().any(|covering| {
        let signed_by = |key: &VerifierKey| matches!(key.verify(&covering.note), Ok(Some(_)));
        covering.checkpoint.size > row.leaf
            && signed_by(&key)
            && former.as_ref().is_none_or(signed_by)
    });
    Ok(Some(Recorded {
        key,
        former,
        leaf: row.leaf,
        handed_over,
    }))
}
