//! What the outbox remembers beside its batches: up to which number they are on disk, and up to which they
//! are done with. Without it nobody could tell a file that was cut short from one that never held more.
//! It is written in two places in turn, so that the one that is not being written always holds.

use std::io;

use clause9_shared::ids::{BootId, Sequence};
use clause9_shared::wire::codec::{Decode, Encode, Malformed, Reader, Writer};
use clause9_shared::wire::loss::{Loss, MAX_LOSSES, Place};

use super::disk::Disk;
use super::frame;

/// The file's name.
pub(super) const NAME: &str = "mark";
const MAGIC: &[u8; 4] = b"C9M1";
/// Bytes of one of the two places.
const SLOT: usize = 8192;

/// A loss, and whether the collector was told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) loss: Loss,
    /// Told for good: kept only until nothing before it waits any more.
    pub(super) told: bool,
    /// Told with a batch that waits; not written down.
    pub(super) carried: bool,
}

impl Known {
    /// Whether it is still to be told.
    pub(super) const fn untold(&self) -> bool {
        !self.told && !self.carried
    }
}

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Counts the writings.
    pub(super) generation: u64,
    /// The highest number that was synced; 0 for none.
    pub(super) durable: u64,
    /// Every number up to this one is done with.
    pub(super) released: u64,
    /// The batch of `durable`, or a later one that was done with before it was written.
    pub(super) last: Option<Place>,
    /// Losses that are not told yet, or lie behind batches that wait.
    pub(super) losses: Vec<Known>,
}

/// Most losses that are told at once. So many others can still be remembered while they are on their way.
pub(super) const MAX_TOLD: usize = MAX_LOSSES / 2;

/// Adds a loss to those that are known: to one of its kind that it follows, and if there are too many to be
/// kept apart, to the last one that is not told yet.
pub(super) fn remember(losses: &mut Vec<Known>, loss: Loss) {
    let full = losses.len() >= MAX_LOSSES;
    if full && let Some(told) = losses.iter().position(|k| k.told) {
        losses.remove(told);
    }
    let full = losses.len() >= MAX_LOSSES;
    let near = losses.iter_mut().rev().find(|known| {
        let follows = known.loss.last.checked_add(1) == Some(loss.first);
        known.untold() && (full || (follows && known.loss.reason == loss.reason))
    });
    match near {
        Some(known) => {
            known.loss.first = known.loss.first.min(loss.first);
            known.loss.last = known.loss.last.max(loss.last);
            known.loss.batches = known.loss.batches.saturating_add(loss.batches);
            known.loss.before = loss.before;
            known.loss.noticed_at = loss.noticed_at;
        }
        None => losses.push(Known {
            loss,
            told: false,
            carried: false,
        }),
    }
}

/// Makes one of those that follow each other, are of a kind, and are both to be told.
pub(super) fn join(losses: &mut Vec<Known>) {
    let mut joined: Vec<Known> = Vec::with_capacity(losses.len());
    for known in losses.drain(..) {
        match joined.last_mut() {
            Some(before)
                if before.untold()
                    && known.untold()
                    && before.loss.reason == known.loss.reason
                    && before.loss.last.checked_add(1) == Some(known.loss.first) =>
            {
                before.loss.last = known.loss.last;
                before.loss.batches = before.loss.batches.saturating_add(known.loss.batches);
                before.loss.before = known.loss.before;
                before.loss.noticed_at = known.loss.noticed_at;
            }
            Some(_) | None => joined.push(known),
        }
    }
    *losses = joined;
}

impl Encode for Mark {
    fn encode(&self, w: &mut Writer) {
        w.unsigned(self.generation);
        w.unsigned(self.durable);
        w.unsigned(self.released);
        match self.last {
            None => w.byte(0),
            Some(place) => {
                w.byte(1);
                w.unsigned(place.boot.0);
                w.unsigned(place.sequence.0);
            }
        }
        w.unsigned(self.losses.len() as u64);
        for known in &self.losses {
            w.byte(u8::from(known.told));
            known.loss.encode(w);
        }
    }
}

impl Decode for Mark {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (generation, durable, released) = (r.unsigned()?, r.unsigned()?, r.unsigned()?);
        let last = match r.byte()? {
            0 => None,
            1 => Some(Place {
                boot: BootId(r.unsigned()?),
                sequence: Sequence(r.unsigned()?),
            }),
            _ => return Err(Malformed::Value("last")),
        };
        let losses = (0..r.count(MAX_LOSSES)?).map(|_| {
            let told = r.byte()? != 0;
            Ok(Known {
                loss: Loss::decode(r)?,
                told,
                carried: false,
            })
        });
        Ok(Self {
            generation,
            durable,
            released,
            last,
            losses: losses.collect::<Result<_, _>>()?,
        })
    }
}

/// The file, and in which of its two places the next mark goes: not where the last sure one stands.
pub(super) struct MarkFile<F> {
    file: F,
    next: u64,
}

impl<F> MarkFile<F> {
    /// The file, made if it is not there, and the newest mark in it that is whole.
    pub(super) fn open<D: Disk<File = F>>(
        disk: &D,
        length: Option<u64>,
    ) -> io::Result<(Self, Option<Mark>)> {
        let Some(length) = length else {
            let file = disk.create(NAME)?;
            return Ok((Self { file, next: 0 }, None));
        };
        let file = disk.open(NAME)?;
        let mut newest: Option<(u64, Mark, Vec<u8>)> = None;
        for slot in [0, 1] {
            let at = slot * SLOT as u64;
            let there = length.saturating_sub(at).min(SLOT as u64);
            let mut bytes = vec![0; usize::try_from(there).unwrap_or(0)];
            disk.read_at(&file, at, &mut bytes)?;
            let Some(mark) = read(&bytes) else { continue };
            let known = newest.as_ref().map(|(_, m, _)| m.generation);
            if Some(mark.generation) > known {
                newest = Some((slot, mark, bytes));
            }
        }
        let Some((slot, mark, bytes)) = newest else {
            if length > 0 {
                tracing::error!(
                    "the outbox's mark is damaged; losses before now cannot be counted"
                );
            }
            return Ok((Self { file, next: 0 }, None));
        };
        // Its sync may have failed, and then the other one is the one that holds.
        let again = disk.write_at(&file, slot * SLOT as u64, &bytes);
        let sure = again.and_then(|()| disk.sync(&file)).is_ok();
        let next = if sure { 1 - slot } else { slot };
        Ok((Self { file, next }, Some(mark)))
    }

    /// Writes a mark, and returns once it is kept.
    pub(super) fn write<D: Disk<File = F>>(&mut self, disk: &D, mark: &Mark) -> io::Result<()> {
        let body = mark.to_bytes();
        let mut bytes = Vec::with_capacity(SLOT);
        bytes.extend_from_slice(MAGIC);
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&frame::checksum(&body).to_le_bytes());
        bytes.extend_from_slice(&body);
        disk.write_at(&self.file, self.next * SLOT as u64, &bytes)?;
        disk.sync(&self.file)?;
        self.next = 1 - self.next;
        Ok(())
    }
}

fn read(slot: &[u8]) -> Option<Mark> {
    let rest = slot.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let body = rest.get(..u32::from_le_bytes(*length) as usize)?;
    if frame::checksum(body) != u32::from_le_bytes(*sum) {
        return None;
    }
    Mark::from_bytes(body).ok()
}
