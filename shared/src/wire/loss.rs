//! What an agent had accepted for shipping and could not deliver: said by itself, so that nobody has to
//! infer it from holes.

use serde::{Deserialize, Serialize};

use crate::ids::{BootId, Sequence};
use crate::time::Timestamp;
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Most losses in one batch.
pub const MAX_LOSSES: usize = 64;

/// Batches of one agent that are gone, next to each other in its outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Why.
    pub reason: LossReason,
    /// Numbers in the agent's outbox, which counts through all its runs: the first that is gone.
    pub first: u64,
    /// The last one; not before the first.
    pub last: u64,
    /// How many from the first to the last are gone: all of them, unless several losses are told in one.
    pub batches: u64,
    /// The batch before them, if it is known.
    pub after: Option<Place>,
    /// The batch behind them, if it is known.
    pub before: Option<Place>,
    /// When it was noticed, on the agent's wall clock.
    pub noticed_at: Timestamp,
}

/// A batch of an agent: run and position in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Which run.
    pub boot: BootId,
    /// Position in the run.
    pub sequence: Sequence,
}

/// Why batches are gone. The words are labels and records: append, never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossReason {
    /// The outbox was full: the oldest went.
    OutboxFull,
    /// The disk gave back other bytes than were written, or fewer.
    Damaged,
    /// Memory was full of batches that the disk would not take: the oldest went.
    DiskRefused,
}

impl LossReason {
    /// Every reason.
    pub const ALL: &'static [Self] = &[Self::OutboxFull, Self::Damaged, Self::DiskRefused];

    /// The word used in records and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutboxFull => "outbox_full",
            Self::Damaged => "damaged",
            Self::DiskRefused => "disk_refused",
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::OutboxFull => 1,
            Self::Damaged => 2,
            Self::DiskRefused => 3,
        }
    }
}

impl Encode for Loss {
    fn encode(&self, w: &mut Writer) {
        w.byte(self.reason.number());
        w.unsigned(self.first);
        w.unsigned(self.last);
        w.unsigned(self.batches);
        encode_place(self.after, w);
        encode_place(self.before, w);
        w.signed(self.noticed_at.micros());
    }
}

impl Decode for Loss {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let number = r.byte()?;
        let reason = LossReason::ALL.iter().find(|r| r.number() == number);
        let loss = Self {
            reason: *reason.ok_or(Malformed::Value("reason of a loss"))?,
            first: r.unsigned()?,
            last: r.unsigned()?,
            batches: r.unsigned()?,
            after: decode_place(r)?,
            before: decode_place(r)?,
            noticed_at: Timestamp::from_micros(r.signed()?).ok_or(Malformed::Value("timestamp"))?,
        };
        let room = loss.last.checked_sub(loss.first);
        if room.is_none_or(|room| loss.batches == 0 || loss.batches - 1 > room) {
            return Err(Malformed::Value("a loss of more batches than there were"));
        }
        Ok(loss)
    }
}

fn encode_place(place: Option<Place>, w: &mut Writer) {
    match place {
        None => w.byte(0),
        Some(place) => {
            w.byte(1);
            w.unsigned(place.boot.0);
            w.unsigned(place.sequence.0);
        }
    }
}

fn decode_place(r: &mut Reader<'_>) -> Result<Option<Place>, Malformed> {
    match r.byte()? {
        0 => Ok(None),
        1 => Ok(Some(Place {
            boot: BootId(r.unsigned()?),
            sequence: Sequence(r.unsigned()?),
        })),
        _ => Err(Malformed::Value("place of a batch")),
    }
}
