//! Batch, versions 1 and 2: what an agent ships and signs.
//!
//! A batch on the wire is an envelope: the magic `C9B1` or `C9B2`, the public key (32 bytes), the
//! Ed25519 signature (64 bytes) and the payload. The signature is over the version's domain tag, a zero
//! byte and the payload exactly as sent; the collector keeps the envelope as it came.
//!
//! Version 2 says besides what was lost on the way and what was brought back after a crash. A batch that
//! has nothing of that to say is written as version 1, which every collector reads.
//! Adding up, deduplicating and judging are not done here.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::ids::{AgentId, BootId, Name, Sequence, SystemId};
use crate::time::{Clock, Timestamp};
use crate::window::{Coverage, OutcomeCoverage, PaneKey, PaneStart};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};
use crate::wire::loss::{Loss, MAX_LOSSES};

/// Media type of an envelope.
pub const MEDIA_TYPE: &str = "application/vnd.clause9.batch.v1";
/// Largest envelope in bytes.
pub const MAX_ENVELOPE: usize = 16 << 20;
/// Most items in one batch.
pub const MAX_ITEMS: usize = 4096;
/// Largest encoded summary of one item in bytes.
pub const MAX_SUMMARY: usize = 8 << 20;

/// A version of the format. Append, never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// Items alone.
    One,
    /// Losses, and whether it was restored.
    Two,
}

impl Version {
    const ALL: [Self; 2] = [Self::One, Self::Two];

    const fn magic(self) -> &'static [u8; 4] {
        match self {
            Self::One => b"C9B1",
            Self::Two => b"C9B2",
        }
    }

    /// Signed together with the payload, so that no other signature of the same key fits here.
    const fn domain(self) -> &'static [u8] {
        match self {
            Self::One => b"clause9/batch/v1\0",
            Self::Two => b"clause9/batch/v2\0",
        }
    }

    /// The lowest version that can say all of it.
    const fn of(batch: &Batch) -> Self {
        if batch.losses.is_empty() && batch.restored.is_none() {
            Self::One
        } else {
            Self::Two
        }
    }
}

/// What an agent says in one go, about one AI system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Which run of the agent.
    pub boot: BootId,
    /// Position within the run, from 1 without holes.
    pub sequence: Sequence,
    /// The agent's wall clock when it signed.
    pub created_at: Timestamp,
    /// Which clock the panes are on.
    pub clock: Clock,
    /// The AI system.
    pub system: SystemId,
    /// Every pane that ends at or before this point is closed at this agent: nothing more comes
    /// for it but what a later item says.
    pub watermark: Timestamp,
    /// From when on this run of the agent has been watching, on the system's clock. What passed in a
    /// pane before it, nobody of this run saw.
    pub watching_since: Timestamp,
    /// Pane contributions.
    pub items: Vec<ClosedWindow>,
    /// Batches of this agent that were accepted for shipping and are gone.
    pub losses: Vec<Loss>,
    /// Set if the agent ended without warning and the next run found this batch as it had been put by:
    /// its panes are as of this point on the agent's wall clock, and what came after it is not in it.
    pub restored: Option<Timestamp>,
}

/// One contribution of one agent to one pane. A later batch may add to the same pane again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedWindow {
    /// What the summary may be added to.
    pub key: PaneKey,
    /// The pane of the *predictions*, in both streams.
    pub pane: PaneStart,
    /// Which stream, with its coverage.
    pub stream: Stream,
    /// The encoded [`PaneSummary`](crate::sketch::PaneSummary).
    pub summary: Vec<u8>,
}

/// The two streams of knowledge about a pane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Inputs, predictions and service, known when the pane closed.
    Traffic(Coverage),
    /// Labels and attributes that arrived in the pane `arrival`.
    Outcomes {
        /// The pane in which they arrived.
        arrival: PaneStart,
        /// What became of them.
        coverage: OutcomeCoverage,
    },
}

impl Encode for ClosedWindow {
    fn encode(&self, w: &mut Writer) {
        self.key.encode(w);
        w.signed(self.pane.0.micros());
        match &self.stream {
            Stream::Traffic(coverage) => {
                w.byte(1);
                coverage.encode(w);
            }
            Stream::Outcomes { arrival, coverage } => {
                w.byte(2);
                w.signed(arrival.0.micros());
                coverage.encode(w);
            }
        }
        w.bytes(&self.summary);
    }
}

impl Decode for ClosedWindow {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let key = PaneKey::decode(r)?;
        let pane = pane_start(r, &key)?;
        let stream = match r.byte()? {
            1 => Stream::Traffic(Coverage::decode(r)?),
            2 => Stream::Outcomes {
                arrival: pane_start(r, &key)?,
                coverage: OutcomeCoverage::decode(r)?,
            },
            _ => return Err(Malformed::Value("stream")),
        };
        Ok(Self {
            key,
            pane,
            stream,
            summary: r.bytes(MAX_SUMMARY)?.to_vec(),
        })
    }
}

fn pane_start(r: &mut Reader<'_>, key: &PaneKey) -> Result<PaneStart, Malformed> {
    let at = timestamp(r)?;
    let pane = PaneStart::of(at, key.pane);
    if pane.0 == at {
        Ok(pane)
    } else {
        Err(Malformed::Value("pane start"))
    }
}

fn timestamp(r: &mut Reader<'_>) -> Result<Timestamp, Malformed> {
    Timestamp::from_micros(r.signed()?).ok_or(Malformed::Value("timestamp"))
}

impl Batch {
    fn write(&self, version: Version, w: &mut Writer) {
        w.unsigned(self.boot.0);
        w.unsigned(self.sequence.0);
        w.signed(self.created_at.micros());
        w.byte(match self.clock {
            Clock::Live => 0,
            Clock::Replay => 1,
        });
        w.text(self.system.as_str());
        w.signed(self.watermark.micros());
        w.signed(self.watching_since.micros());
        w.unsigned(self.items.len() as u64);
        for item in &self.items {
            item.encode(w);
        }
        match version {
            Version::One => {}
            Version::Two => {
                match self.restored {
                    None => w.byte(0),
                    Some(as_of) => {
                        w.byte(1);
                        w.signed(as_of.micros());
                    }
                }
                w.unsigned(self.losses.len() as u64);
                for loss in &self.losses {
                    loss.encode(w);
                }
            }
        }
    }

    fn read(version: Version, payload: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(payload);
        let boot = BootId(r.unsigned()?);
        let sequence = Sequence(r.unsigned()?);
        let created_at = timestamp(&mut r)?;
        let clock = match r.byte()? {
            0 => Clock::Live,
            1 => Clock::Replay,
            _ => return Err(Malformed::Value("clock")),
        };
        let system = Name::new(r.text(crate::ids::MAX_NAME)?)
            .map_err(|_| Malformed::Value("system name"))?;
        let watermark = timestamp(&mut r)?;
        let watching_since = timestamp(&mut r)?;
        let count = r.count(MAX_ITEMS)?;
        let items = (0..count)
            .map(|_| ClosedWindow::decode(&mut r))
            .collect::<Result<_, _>>()?;
        let (restored, losses) = match version {
            Version::One => (None, Vec::new()),
            Version::Two => beside(&mut r)?,
        };
        r.finish()?;
        let batch = Self {
            boot,
            sequence,
            created_at,
            clock,
            system,
            watermark,
            watching_since,
            items,
            losses,
            restored,
        };
        if Version::of(&batch) != version {
            return Err(Malformed::Value("a version higher than needed"));
        }
        Ok(batch)
    }
}

/// What version 2 says besides items.
fn beside(r: &mut Reader<'_>) -> Result<(Option<Timestamp>, Vec<Loss>), Malformed> {
    let restored = match r.byte()? {
        0 => None,
        1 => Some(timestamp(r)?),
        _ => return Err(Malformed::Value("restored")),
    };
    let count = r.count(MAX_LOSSES)?;
    let losses = (0..count).map(|_| Loss::decode(r));
    Ok((restored, losses.collect::<Result<_, _>>()?))
}

/// A batch as it travels: signed bytes, not yet checked.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    version: Version,
    key: &'a [u8; 32],
    signature: &'a [u8; 64],
    payload: &'a [u8],
}

/// Signs a batch and returns the envelope's bytes.
pub fn seal(batch: &Batch, key: &SigningKey) -> Vec<u8> {
    let version = Version::of(batch);
    let mut w = Writer::default();
    batch.write(version, &mut w);
    let payload = w.into_bytes();
    let signature = key.sign(&[version.domain(), &payload].concat());
    let mut bytes = Vec::with_capacity(4 + 96 + payload.len());
    bytes.extend_from_slice(version.magic());
    bytes.extend_from_slice(key.verifying_key().as_bytes());
    bytes.extend_from_slice(&signature.to_bytes());
    bytes.extend_from_slice(&payload);
    bytes
}

impl<'a> Envelope<'a> {
    /// Takes an envelope apart; checks lengths and magic only.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_ENVELOPE {
            return Err(Malformed::TooLong);
        }
        let mut r = Reader::new(bytes);
        let magic: [u8; 4] = r.array()?;
        let version = Version::ALL.into_iter().find(|v| *v.magic() == magic);
        let version = version.ok_or(Malformed::Value("magic"))?;
        let key = r.raw(32)?.try_into().map_err(|_| Malformed::Short)?;
        let signature = r.raw(64)?.try_into().map_err(|_| Malformed::Short)?;
        Ok(Self {
            version,
            key,
            signature,
            payload: r.raw(r.remaining())?,
        })
    }

    /// Whom the envelope claims to come from.
    pub fn agent(&self) -> AgentId {
        AgentId::of_key(self.key)
    }

    /// Checks the signature over the payload as received, then reads it.
    pub fn open(&self) -> Result<Batch, OpenError> {
        let key = VerifyingKey::from_bytes(self.key).map_err(|_| OpenError::Signature)?;
        let signature = Signature::from_bytes(self.signature);
        key.verify_strict(&[self.version.domain(), self.payload].concat(), &signature)
            .map_err(|_| OpenError::Signature)?;
        Ok(Batch::read(self.version, self.payload)?)
    }

    /// Reads the payload without a look at the signature: of bytes that were [opened](Self::open) before, and are the same.
    pub fn read_again(&self) -> Result<Batch, Malformed> {
        Batch::read(self.version, self.payload)
    }
}

/// The name of an envelope: the digest of its bytes as received.
pub fn digest(envelope: &[u8]) -> Digest {
    Digest::tagged("clause9/batch-envelope/v1", envelope)
}

/// Why an envelope was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The signature does not fit key and payload.
    #[error("the signature does not fit the key and the payload")]
    Signature,
    /// The payload is signed but is not a batch.
    #[error("the payload is not a batch: {0}")]
    Malformed(#[from] Malformed),
}

/// The collector's answer to a batch: every item is accounted for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The envelope that is answered.
    pub batch: Digest,
    /// One entry per item, in the order of the batch.
    pub items: Vec<ItemReceipt>,
    /// What is remarkable but no reason to refuse, as `clock_ahead`.
    pub marks: Vec<String>,
}

/// What became of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case", deny_unknown_fields)]
pub enum ItemReceipt {
    /// Durable at the collector.
    Stored,
    /// Was durable already, from the same batch sent before.
    Duplicate,
    /// Not taken; sending it again will not help.
    Refused {
        /// A reason from a short fixed list.
        reason: RefusalReason,
        /// What exactly, for people.
        detail: String,
    },
}

/// Why a batch or an item was refused. The words are labels and records: append, never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// The envelope or payload is not in the format.
    Malformed,
    /// The body is larger than the limit.
    TooLarge,
    /// The signature does not verify.
    BadSignature,
    /// The key is not among the trusted ones.
    UnknownAgent,
    /// The agent may not write for this system, or the system is not known.
    UnknownSystem,
    /// The (boot, sequence) was used before for other bytes.
    ReplayedSequence,
    /// The item's plan or baseline is not one that the collector knows.
    UnknownPlan,
    /// The summary does not decode or does not fit the plan.
    BadSummary,
    /// The coverage does not add up.
    BadCoverage,
    /// Live and replayed time may not be mixed for one system.
    ClockMixed,
    /// The agent's clock says that a time has passed which has not yet come.
    ClockAhead,
}

impl RefusalReason {
    /// Every reason.
    pub const ALL: &'static [Self] = &[
        Self::Malformed,
        Self::TooLarge,
        Self::BadSignature,
        Self::UnknownAgent,
        Self::UnknownSystem,
        Self::ReplayedSequence,
        Self::UnknownPlan,
        Self::BadSummary,
        Self::BadCoverage,
        Self::ClockMixed,
        Self::ClockAhead,
    ];

    /// The word used in records and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::BadSignature => "bad_signature",
            Self::UnknownAgent => "unknown_agent",
            Self::UnknownSystem => "unknown_system",
            Self::ReplayedSequence => "replayed_sequence",
            Self::UnknownPlan => "unknown_plan",
            Self::BadSummary => "bad_summary",
            Self::BadCoverage => "bad_coverage",
            Self::ClockMixed => "clock_mixed",
            Self::ClockAhead => "clock_ahead",
        }
    }
}

/// The answer when a whole batch is refused (status 4xx).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchRefused {
    /// Why, from the fixed list.
    pub refused: RefusalReason,
    /// What exactly, for people.
    pub detail: String,
}
