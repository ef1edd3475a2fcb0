//! Batches on disk: files of frames, each written from front to back, synced before a batch counts as kept,
//! and removed when everything in it is done with. Whatever is found at start is made the best of; nobody
//! has to lend a hand.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use clause9_shared::time::Timestamp;
use clause9_shared::wire::loss::{Loss, LossReason, Place};

use super::disk::Disk;
use super::frame;
use super::mark::{self, Known, Mark, MarkFile};

/// After how many bytes a new file is begun.
const SEGMENT: u64 = 4 << 20;
/// Largest file that is read at start: one segment, and the largest group behind it.
const MAX_FILE: u64 = 256 << 20;
/// Ending of a segment's name.
const ENDING: &str = ".log";

/// A batch that is written in one group with others.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) place: Place,
    pub(super) batch: Bytes,
}

/// Where a batch stands.
#[derive(Debug)]
pub(super) struct Spot<F> {
    file: Arc<F>,
    at: u64,
    length: usize,
    checksum: u32,
}

impl<F> Clone for Spot<F> {
    fn clone(&self) -> Self {
        Self {
            file: Arc::clone(&self.file),
            ..*self
        }
    }
}

impl<F> Spot<F> {
    pub(super) const fn length(&self) -> usize {
        self.length
    }

    /// The batch; none if other bytes stand there than were written.
    pub(super) fn read<D: Disk<File = F>>(&self, disk: &D) -> io::Result<Option<Bytes>> {
        let mut bytes = vec![0; self.length];
        match disk.read_at(&self.file, self.at, &mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        Ok(frame::is_whole(&bytes, self.checksum).then(|| bytes.into()))
    }
}

/// A file of frames.
struct Segment<F> {
    number: u64,
    file: Arc<F>,
    bytes: u64,
    /// The highest number in it.
    last: u64,
}

/// A batch that was found at start.
pub(super) struct Restored<F> {
    pub(super) number: u64,
    pub(super) place: Place,
    /// The first number of those that it was written with.
    pub(super) group: u64,
    pub(super) spot: Spot<F>,
    /// Whether its sync is known to have come back. What a killed run had written, or what a failed sync was
    /// to keep, is there until the power goes, and no later sync of that file brings it back for certain.
    pub(super) sure: bool,
}

/// What was found at start.
pub(super) struct Recovery<F> {
    /// Batches that wait, in order.
    pub(super) batches: Vec<Restored<F>>,
    /// The highest number that was ever used.
    pub(super) last: u64,
    /// The newest batch that was written, with its number, whether it waits or not.
    pub(super) newest: Option<(u64, Place)>,
    /// What is known to be gone; from earlier, and found now.
    pub(super) losses: Vec<Known>,
    /// Bytes that were no batch.
    pub(super) strange: u64,
    /// Batches found damaged or missing now.
    pub(super) damaged: u64,
}

/// The files.
pub(super) struct Journal<D: Disk> {
    disk: Arc<D>,
    segments: VecDeque<Segment<D::File>>,
    /// Whether the last segment may grow: not after a failed write or sync, which leave it uncertain what
    /// stands there, and not after a start.
    growing: bool,
    next: u64,
    mark: Mark,
    file: Option<MarkFile<D::File>>,
}

impl<D: Disk> Journal<D> {
    /// The journal in a folder, and what is in it. `forgiving` takes what cannot be read for lost; else that
    /// is an error, and it may be tried again.
    pub(super) fn open(
        disk: Arc<D>,
        now: Timestamp,
        forgiving: bool,
    ) -> io::Result<(Self, Recovery<D::File>)> {
        let mut journal = Self {
            disk,
            segments: VecDeque::new(),
            growing: false,
            next: 1,
            mark: Mark::default(),
            file: None,
        };
        let mut recovery = Recovery {
            batches: Vec::new(),
            last: 0,
            newest: None,
            losses: Vec::new(),
            strange: 0,
            damaged: 0,
        };
        journal.recover(now, forgiving, &mut recovery)?;
        Ok((journal, recovery))
    }

    fn recover(
        &mut self,
        now: Timestamp,
        forgiving: bool,
        recovery: &mut Recovery<D::File>,
    ) -> io::Result<()> {
        let files = self.disk.list()?;
        let length = files.iter().find(|(name, _)| name == mark::NAME);
        let marked = match self.open_mark(length.map(|(_, l)| *l)) {
            Err(error) if !forgiving => return Err(error),
            opened => opened.unwrap_or(false),
        };
        let mut segments: Vec<(u64, &str, u64)> = files
            .iter()
            .filter_map(|(name, length)| Some((segment(name)?, &**name, *length)))
            .collect();
        segments.sort_unstable();
        let mut found = BTreeMap::new();
        // Without a mark, what is there is all that is known of.
        let durable = marked.then_some(self.mark.durable);
        for (number, name, length) in segments {
            self.next = self.next.max(number.saturating_add(1));
            match self.look_into((number, name, length), durable, &mut found, recovery) {
                Err(error) if !forgiving => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        if !marked {
            // What came before the first that is there was done with, as far as anybody can tell.
            let first = found.first_key_value().map_or(0, |(number, _)| *number);
            self.mark.released = first.saturating_sub(1);
        }
        let highest = found.last_key_value().map_or(0, |(number, _)| *number);
        recovery.last = highest.max(self.mark.durable).max(self.mark.released);
        self.account(found, now, recovery);
        recovery.losses.clone_from(&self.mark.losses);
        Ok(())
    }

    /// Whether there is a mark that says how things stood.
    fn open_mark(&mut self, length: Option<u64>) -> io::Result<bool> {
        let (file, mark) = MarkFile::open(&*self.disk, length)?;
        let known = mark.is_some();
        self.mark = mark.unwrap_or_default();
        self.file = Some(file);
        Ok(known)
    }

    fn look_into(
        &mut self,
        (number, name, length): (u64, &str, u64),
        durable: Option<u64>,
        found: &mut BTreeMap<u64, Restored<D::File>>,
        recovery: &mut Recovery<D::File>,
    ) -> io::Result<()> {
        let file = Arc::new(self.disk.open(name)?);
        let readable = usize::try_from(length.min(MAX_FILE)).unwrap_or(0);
        let mut bytes = vec![0; readable];
        self.disk.read_at(&file, 0, &mut bytes)?;
        let scanned = frame::scan(&bytes);
        recovery.strange += scanned.strange as u64 + (length - readable as u64);
        let mut last = 0;
        for (group, whole) in frame::groups(&scanned.frames) {
            // The rest of a group that is not all there was never said to be kept.
            let kept = group
                .iter()
                .filter(|f| f.intact && (whole || f.head.number <= durable.unwrap_or(u64::MAX)));
            let first = group.first().map_or(0, |f| f.head.number);
            for found_frame in kept {
                let head = found_frame.head;
                last = last.max(head.number);
                let newer = |known: (u64, Place)| known.0 <= head.number;
                if recovery.newest.is_none_or(newer) {
                    recovery.newest = Some((head.number, head.place));
                }
                if head.number <= self.mark.released {
                    continue;
                }
                let spot = Spot {
                    file: Arc::clone(&file),
                    at: found_frame.at as u64,
                    length: head.length,
                    checksum: head.checksum(),
                };
                // What was written later under the same number is what was meant.
                let (number, place) = (head.number, head.place);
                let restored = Restored {
                    number,
                    place,
                    group: first,
                    spot,
                    sure: durable.is_some_and(|durable| number <= durable),
                };
                found.insert(number, restored);
            }
        }
        self.segments.push_back(Segment {
            number,
            file,
            bytes: length,
            last,
        });
        Ok(())
    }

    /// Tells what should be there and is not.
    fn account(
        &mut self,
        found: BTreeMap<u64, Restored<D::File>>,
        now: Timestamp,
        recovery: &mut Recovery<D::File>,
    ) {
        let mut next = self.mark.released + 1;
        let mut before: Option<Place> = None;
        let ends = found.iter().map(|(number, r)| (*number, Some(r.place)));
        let end = std::iter::once((recovery.last + 1, None));
        for (number, place) in ends.chain(end) {
            let missing = (next..number).filter(|n| !self.is_known(*n));
            if let Some((first, last, batches)) = span(missing) {
                recovery.damaged += batches;
                let loss = Loss {
                    reason: LossReason::Damaged,
                    first,
                    last,
                    batches,
                    after: before,
                    before: place,
                    noticed_at: now,
                };
                mark::remember(&mut self.mark.losses, loss);
            }
            before = place;
            next = number + 1;
        }
        let waits = |r: &Restored<D::File>| r.spot.length > 0;
        recovery.batches = found.into_values().filter(waits).collect();
    }

    fn is_known(&self, number: u64) -> bool {
        let mut known = self.mark.losses.iter();
        known.any(|k| (k.loss.first..=k.loss.last).contains(&number))
    }

    /// The newest batch that was ever written down as kept, or as done with.
    pub(super) const fn newest(&self) -> Option<Place> {
        self.mark.last
    }

    /// Writes a group, and returns where its batches stand once they are kept. After an error nothing of
    /// it is: it is to be given again.
    pub(super) fn append(&mut self, group: &[Entry]) -> io::Result<Vec<Spot<D::File>>> {
        let Some(last) = group.last() else {
            return Ok(Vec::new());
        };
        let mut bytes = Vec::new();
        let begins: Vec<usize> = group
            .iter()
            .enumerate()
            .map(|(index, entry)| {
                let of = frame::InGroup {
                    first: index == 0,
                    more: index + 1 < group.len(),
                };
                frame::write((entry.number, entry.place, of), &entry.batch, &mut bytes)
            })
            .collect();
        let written = self.write(&bytes, last.number);
        if written.is_err() {
            // What stands there now is uncertain, even what a failed sync was asked for: another file.
            self.growing = false;
        }
        let (file, begin) = written?;
        self.mark.durable = self.mark.durable.max(last.number);
        self.mark.last = Some(last.place);
        let spots = begins.into_iter().zip(group).map(|(at, entry)| Spot {
            file: Arc::clone(&file),
            at: begin + at as u64,
            length: entry.batch.len(),
            checksum: frame::checksum(&entry.batch),
        });
        Ok(spots.collect())
    }

    /// Writes behind what is there, or into a new file.
    fn write(&mut self, bytes: &[u8], last: u64) -> io::Result<(Arc<D::File>, u64)> {
        let full = self.segments.back().is_none_or(|s| s.bytes >= SEGMENT);
        let fresh = full || !self.growing;
        if fresh {
            // What kept the folder from being made may be over.
            self.disk.list()?;
            let number = self.next;
            self.next += 1;
            let file = self.disk.create(&name(number))?;
            self.segments.push_back(Segment {
                number,
                file: Arc::new(file),
                bytes: 0,
                last: 0,
            });
        }
        let Some(segment) = self.segments.back_mut() else {
            return Err(io::Error::other("no segment"));
        };
        let at = segment.bytes;
        let file = Arc::clone(&segment.file);
        // Counted before it is known: a part of it may stand there after an error.
        segment.bytes += bytes.len() as u64;
        segment.last = segment.last.max(last);
        self.growing = true;
        self.disk.write_at(&file, at, bytes)?;
        self.disk.sync(&file)?;
        if fresh {
            self.disk.sync_folder()?;
        }
        Ok((file, at))
    }

    /// Writes down how things stand: up to which number everything is done with, which batch that was, and
    /// what is lost. Then removes files that hold nothing else, the oldest first, so that no file outlives
    /// a later one that corrects it.
    pub(super) fn settle(
        &mut self,
        released: u64,
        passed: Option<(u64, Place)>,
        losses: &[Known],
    ) -> io::Result<()> {
        self.mark.released = self.mark.released.max(released);
        // It may have been done with before it was written.
        if let Some((_, place)) = passed.filter(|(number, _)| *number > self.mark.durable) {
            self.mark.last = Some(place);
        }
        self.mark.losses = losses.to_vec();
        self.write_mark()?;
        let done = |s: &Segment<D::File>| s.last <= released;
        let mut removed = Ok(());
        while self.segments.front().is_some_and(done) {
            // The one that grows stays until it is full.
            let grows = self.segments.len() == 1 && self.growing;
            if grows && self.segments.front().is_some_and(|s| s.bytes < SEGMENT) {
                break;
            }
            if let Some(done) = self.segments.pop_front() {
                removed = removed.and(self.disk.remove(&name(done.number)));
            }
        }
        removed
    }

    fn write_mark(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            let files = self.disk.list()?;
            let there = files.iter().find(|(name, _)| name == mark::NAME);
            let (file, _) = MarkFile::open(&*self.disk, there.map(|(_, l)| *l))?;
            self.file = Some(file);
        }
        let fresh = self.mark.generation == 0;
        let mark = Mark {
            generation: self.mark.generation + 1,
            ..self.mark.clone()
        };
        if let Some(file) = &mut self.file {
            file.write(&*self.disk, &mark)?;
        }
        if fresh {
            self.disk.sync_folder()?;
        }
        self.mark.generation = mark.generation;
        Ok(())
    }
}

/// First, last and number of these; none if there are none.
fn span(numbers: impl Iterator<Item = u64>) -> Option<(u64, u64, u64)> {
    numbers.fold(None, |span, n| {
        let (first, _, count) = span.unwrap_or((n, n, 0));
        Some((first, n, count + 1))
    })
}

fn name(number: u64) -> String {
    format!("{number:020}{ENDING}")
}

/// The number of a segment of that name.
fn segment(name: &str) -> Option<u64> {
    name.strip_suffix(ENDING)?.parse().ok()
}
