//! How a batch stands in a file of the outbox: a head that says what follows, with a checksum of its own,
//! and the batch. After damage the next head is looked for, so that one changed byte takes one batch.

use clause9_shared::ids::{BootId, Sequence};
use clause9_shared::wire::batch::MAX_ENVELOPE;
use clause9_shared::wire::loss::Place;

/// What every head begins with: four letters of the format, and four bytes that no text has.
const MARKER: [u8; 8] = *b"C9O1\xf5\x0b\xa7\xfe";
/// Bytes of a head: marker, number, run, sequence, flags, length, checksum of the batch, of the head.
pub(crate) const HEAD: usize = 48;
/// Set in all frames of a group but the last.
const MORE: u8 = 1;
/// Set in the first frame of a group.
const FIRST: u8 = 2;

/// Where a batch stands among those that were written in one go: these are kept together or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InGroup {
    pub(crate) first: bool,
    pub(crate) more: bool,
}

/// What a head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Number in the outbox, through all runs.
    pub(crate) number: u64,
    /// Which batch.
    pub(crate) place: Place,
    pub(crate) group: InGroup,
    /// Bytes of the batch; none if it was done with before it was written.
    pub(crate) length: usize,
    /// Its checksum.
    checksum: u32,
}

/// A frame that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) head: Head,
    /// Where the batch begins in the file.
    pub(crate) at: usize,
    /// Whether the batch is as it was written.
    pub(crate) intact: bool,
}

/// What a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Scanned {
    pub(crate) frames: Vec<Found>,
    /// Bytes that belong to no intact frame.
    pub(crate) strange: usize,
}

/// Writes a frame behind what is there. Gives back where the batch begins in it.
pub(crate) fn write(
    (number, place, group): (u64, Place, InGroup),
    batch: &[u8],
    into: &mut Vec<u8>,
) -> usize {
    let begin = into.len();
    into.extend_from_slice(&MARKER);
    into.extend_from_slice(&number.to_le_bytes());
    into.extend_from_slice(&place.boot.0.to_le_bytes());
    into.extend_from_slice(&place.sequence.0.to_le_bytes());
    let first = if group.first { FIRST } else { 0 };
    let more = if group.more { MORE } else { 0 };
    into.extend_from_slice(&[first | more, 0, 0, 0]);
    let length = u32::try_from(batch.len()).unwrap_or(u32::MAX);
    into.extend_from_slice(&length.to_le_bytes());
    into.extend_from_slice(&checksum(batch).to_le_bytes());
    let head = checksum(&into[begin..]);
    into.extend_from_slice(&head.to_le_bytes());
    into.extend_from_slice(batch);
    begin + HEAD
}

/// CRC-32, as in zlib.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

/// Everything in a file, whatever happened to it.
pub(crate) fn scan(bytes: &[u8]) -> Scanned {
    let finder = memchr::memmem::Finder::new(&MARKER);
    let mut scanned = Scanned::default();
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| finder.find(rest)) {
        scanned.strange += found;
        at += found;
        let Some(head) = head(&bytes[at..]) else {
            scanned.strange += 1;
            at += 1;
            continue;
        };
        let begin = at + HEAD;
        let batch = bytes.get(begin..begin + head.length);
        let intact = batch.is_some_and(|b| checksum(b) == head.checksum);
        scanned.frames.push(Found {
            head,
            at: begin,
            intact,
        });
        // Within a batch that is not whole, another one may begin.
        let used = if intact { HEAD + head.length } else { HEAD };
        scanned.strange += if intact { 0 } else { used };
        at += used;
    }
    scanned.strange += bytes.len().saturating_sub(at);
    scanned
}

/// Frames by the group in which they were written; and whether all of the group is there.
pub(crate) fn groups(frames: &[Found]) -> impl Iterator<Item = (&[Found], bool)> {
    frames
        .chunk_by(|one, next| one.head.group.more && !next.head.group.first)
        .map(|group| {
            let begins = group.first().is_some_and(|f| f.head.group.first);
            let ends = group.last().is_some_and(|f| !f.head.group.more);
            let follow = |pair: &[Found]| pair[1].head.number == pair[0].head.number + 1;
            let without_holes = group.windows(2).all(follow);
            let whole = begins && ends && without_holes && group.iter().all(|f| f.intact);
            (group, whole)
        })
}

/// The head at the beginning of these bytes.
fn head(bytes: &[u8]) -> Option<Head> {
    let bytes: &[u8; HEAD] = bytes.first_chunk()?;
    let word = |at: usize| -> Option<u64> {
        let bytes: [u8; 8] = bytes.get(at..at + 8)?.try_into().ok()?;
        Some(u64::from_le_bytes(bytes))
    };
    let half = |at: usize| -> Option<u32> {
        let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    };
    if bytes[..8] != MARKER || half(44)? != checksum(&bytes[..44]) {
        return None;
    }
    let length = half(36)? as usize;
    (length <= MAX_ENVELOPE).then_some(Head {
        number: word(8)?,
        place: Place {
            boot: BootId(word(16)?),
            sequence: Sequence(word(24)?),
        },
        group: InGroup {
            first: bytes[32] & FIRST != 0,
            more: bytes[32] & MORE != 0,
        },
        length,
        checksum: half(40)?,
    })
}

/// Whether these bytes are the batch that the head spoke of.
pub(crate) fn is_whole(bytes: &[u8], sum: u32) -> bool {
    checksum(bytes) == sum
}

impl Head {
    pub(crate) const fn checksum(&self) -> u32 {
        self.checksum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(sequence: u64) -> Place {
        Place {
            boot: BootId(7),
            sequence: Sequence(sequence),
        }
    }

    const ALONE: InGroup = InGroup {
        first: true,
        more: false,
    };

    /// In groups of three.
    fn group(number: u64, of: u64) -> InGroup {
        InGroup {
            first: number % 3 == 1,
            more: !number.is_multiple_of(3) && number < of,
        }
    }

    fn file(batches: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let of = batches.len() as u64;
        for (number, batch) in (1..).zip(batches) {
            write(
                (number, place(number), group(number, of)),
                batch,
                &mut bytes,
            );
        }
        bytes
    }

    proptest! {
        #[test]
        fn what_was_written_is_found(batches in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..8)) {
            let bytes = file(&batches);
            let scanned = scan(&bytes);
            prop_assert_eq!(scanned.strange, 0);
            prop_assert_eq!(scanned.frames.len(), batches.len());
            prop_assert!(groups(&scanned.frames).all(|(group, whole)| whole && group.len() <= 3));
            for (found, (number, batch)) in scanned.frames.iter().zip((1..).zip(&batches)) {
                prop_assert!(found.intact && found.head.number == number && found.head.place == place(number));
                prop_assert_eq!(found.head.group, group(number, batches.len() as u64));
                prop_assert_eq!(&bytes[found.at..found.at + found.head.length], &batch[..]);
            }
        }

        #[test]
        fn whatever_lies_between_frames_hides_none(
            batches in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..5),
            dirt in proptest::collection::vec(any::<u8>(), 0..90),
        ) {
            let mut bytes = dirt.clone();
            for (number, batch) in (1..).zip(&batches) {
                write((number, place(number), ALONE), batch, &mut bytes);
                bytes.extend_from_slice(&dirt);
            }
            let numbers: Vec<u64> = scan(&bytes).frames.iter().map(|f| f.head.number).collect();
            prop_assert_eq!(numbers, (1..=batches.len() as u64).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_group_is_whole_only_with_all_of_it() {
        let bytes = file(&[vec![1; 9], vec![2; 9], vec![3; 9], vec![4; 9]]);
        let frames = scan(&bytes).frames;
        let whole = |kept: &[Found]| groups(kept).map(|(g, w)| (g.len(), w)).collect::<Vec<_>>();
        assert_eq!(whole(&frames), [(3, true), (1, true)]);
        assert_eq!(whole(&frames[1..]), [(2, false), (1, true)]);
        assert_eq!(whole(&frames[..2]), [(2, false)]);
        assert_eq!(
            whole(&[frames[0], frames[2], frames[3]]),
            [(2, false), (1, true)]
        );
        let mut hurt = frames;
        hurt[1].intact = false;
        assert_eq!(whole(&hurt), [(3, false), (1, true)]);
    }

    #[test]
    fn a_frame_within_a_torn_frame_is_found() {
        let mut bytes = Vec::new();
        write((1, place(1), ALONE), &[1; 500], &mut bytes);
        bytes.truncate(300);
        write((2, place(2), ALONE), b"whole", &mut bytes);
        let found: Vec<_> = scan(&bytes)
            .frames
            .iter()
            .map(|f| (f.head.number, f.intact))
            .collect();
        assert_eq!(found, [(1, false), (2, true)]);
    }
}
