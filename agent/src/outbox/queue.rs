//! Batches that wait, in the order of their numbers. Pure: where they stand is told.

use std::collections::VecDeque;

use bytes::Bytes;
use clause9_shared::time::Timestamp;
use clause9_shared::wire::loss::{Loss, LossReason, Place};

use super::journal::{Entry, Restored, Spot};

/// Where a batch is.
#[derive(Debug)]
enum Where<F> {
    /// In memory; on disk as soon as the disk takes it.
    Memory(Bytes),
    /// Found there at start, and not known to survive a loss of power: to be written again.
    Unsure(Spot<F>),
    /// On disk.
    Disk(Spot<F>),
}

/// A batch that waits.
#[derive(Debug)]
struct Record<F> {
    number: u64,
    place: Place,
    /// Which batches count only together: the number of the first.
    group: u64,
    at: Where<F>,
    /// Done with, behind others that are not.
    done: bool,
}

/// What can be had of a batch.
#[derive(Debug)]
pub(super) enum Held<F> {
    Bytes(Bytes),
    Stored(Spot<F>),
}

/// A batch that is to be written.
#[derive(Debug)]
pub(super) struct Unwritten<F> {
    pub(super) number: u64,
    pub(super) place: Place,
    pub(super) held: Held<F>,
}

/// Batches that wait.
#[derive(Debug)]
pub(super) struct Queue<F> {
    records: VecDeque<Record<F>>,
    last: u64,
    waiting: usize,
    kept: u64,
    bytes: usize,
    memory: usize,
    /// The newest batch of those that nothing need be known of any more, with its number.
    passed: Option<(u64, Place)>,
}

impl<F> Queue<F> {
    /// With what was found at start.
    pub(super) fn new(found: Vec<Restored<F>>, last: u64) -> Self {
        let bytes = found.iter().map(|r| r.spot.length()).sum();
        let unsure = found.iter().find(|r| !r.sure);
        let kept = unsure.map_or(last, |r| r.number - 1);
        let records = found.into_iter().map(|restored| Record {
            number: restored.number,
            place: restored.place,
            group: restored.group,
            at: if restored.sure {
                Where::Disk(restored.spot)
            } else {
                Where::Unsure(restored.spot)
            },
            done: false,
        });
        let records: VecDeque<_> = records.collect();
        Self {
            waiting: records.len(),
            records,
            last,
            kept,
            bytes,
            memory: 0,
            passed: None,
        }
    }

    /// Puts what was found late before what waits, which gets other numbers. Gives back by how much these
    /// are higher.
    pub(super) fn adopt(&mut self, found: Vec<Restored<F>>, last: u64) -> u64 {
        let before = Self::new(found, last);
        for record in &mut self.records {
            record.number += last;
            record.group += last;
        }
        if let Some((number, _)) = &mut self.passed {
            *number += last;
        }
        self.waiting += before.waiting;
        self.kept = before.kept;
        self.bytes += before.bytes;
        self.last += last;
        let later = std::mem::replace(&mut self.records, before.records);
        self.records.extend(later);
        self.forget();
        last
    }

    /// How many wait.
    pub(super) const fn len(&self) -> usize {
        self.waiting
    }

    /// Bytes of all batches.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of those that are in memory only.
    pub(super) const fn memory(&self) -> usize {
        self.memory
    }

    /// Every number up to this one is done with.
    pub(super) fn released(&self) -> u64 {
        self.records.front().map_or(self.last, |r| r.number - 1)
    }

    /// The highest number used so far.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// The highest number that was written; those before it are on disk, done with, or lost.
    pub(super) const fn kept(&self) -> u64 {
        self.kept
    }

    /// The newest of the batches that nothing need be known of any more, with its number. It may never have
    /// been written.
    pub(super) const fn passed(&self) -> Option<(u64, Place)> {
        self.passed
    }

    /// Adds the batches of one group.
    pub(super) fn push(&mut self, group: Vec<(Place, Bytes)>) {
        let first = self.last + 1;
        for (place, batch) in group {
            self.last += 1;
            self.waiting += 1;
            self.bytes += batch.len();
            self.memory += batch.len();
            self.records.push_back(Record {
                number: self.last,
                place,
                group: first,
                at: Where::Memory(batch),
                done: false,
            });
        }
    }

    /// Lets the oldest batches go until no more than so many bytes wait, and those in memory alone until no
    /// more than so many do: what is lost.
    pub(super) fn trim(&mut self, bytes: usize, memory: usize, now: Timestamp) -> Vec<Loss> {
        let mut losses = Vec::new();
        while self.bytes > bytes && self.waiting > 1 {
            let Some(number) = self.from(0) else { break };
            losses.extend(self.lose(number, LossReason::OutboxFull, now));
        }
        while self.memory > memory {
            let mut unwritten = self.waiting_in_memory();
            let first = unwritten.next();
            let (Some(number), Some(_)) = (first, unwritten.next()) else {
                break;
            };
            drop(unwritten);
            losses.extend(self.lose(number, LossReason::DiskRefused, now));
        }
        losses
    }

    fn waiting_in_memory(&self) -> impl Iterator<Item = u64> {
        let waiting = self.records.iter().filter(|r| r.is_in_memory() && !r.done);
        waiting.map(|r| r.number)
    }

    /// Lets a batch go that did not arrive.
    pub(super) fn lose(&mut self, number: u64, reason: LossReason, now: Timestamp) -> Option<Loss> {
        let at = self.position(number)?;
        let before = at.checked_sub(1).and_then(|i| self.records.get(i));
        let loss = Loss {
            reason,
            first: number,
            last: number,
            batches: 1,
            after: before.map(|r| r.place),
            before: self.records.get(at + 1).map(|r| r.place),
            noticed_at: now,
        };
        self.finish(at);
        self.records.remove(at);
        self.forget();
        Some(loss)
    }

    /// A batch is done with; false if it is not waiting.
    pub(super) fn release(&mut self, number: u64) -> bool {
        let Some(at) = self.position(number).filter(|at| !self.records[*at].done) else {
            return false;
        };
        self.finish(at);
        let record = &mut self.records[at];
        record.done = true;
        if !record.is_sure() {
            // Its place among the others is still to be written, or its number would be missed.
            record.at = Where::Memory(Bytes::new());
        }
        self.forget();
        true
    }

    /// Takes a record out of the sums.
    fn finish(&mut self, at: usize) {
        let record = &self.records[at];
        self.waiting -= 1;
        self.bytes -= record.length();
        if record.is_in_memory() {
            self.memory -= record.length();
        }
    }

    /// Nothing before the first batch that waits need be known.
    fn forget(&mut self) {
        while self.records.front().is_some_and(|r| r.done) {
            let Some(done) = self.records.pop_front() else {
                return;
            };
            self.passed = Some((done.number, done.place));
        }
    }

    fn position(&self, number: u64) -> Option<usize> {
        self.records
            .binary_search_by_key(&number, |r| r.number)
            .ok()
    }

    /// The first batch from this number on.
    pub(super) fn from(&self, number: u64) -> Option<u64> {
        let at = self.records.partition_point(|r| r.number < number);
        let mut later = self.records.range(at..);
        later.find(|r| !r.done).map(|r| r.number)
    }

    /// What there is of a batch.
    pub(super) fn get(&self, number: u64) -> Option<(Place, Held<F>)> {
        let record = &self.records[self.position(number)?];
        if record.done {
            return None;
        }
        Some((record.place, record.held()))
    }

    /// The next group that is not sure to be on disk.
    pub(super) fn unwritten(&self) -> Vec<Unwritten<F>> {
        let mut waiting = self.records.iter().filter(|r| !r.is_sure());
        let Some(first) = waiting.next() else {
            return Vec::new();
        };
        let unwritten = |record: &Record<F>| Unwritten {
            number: record.number,
            place: record.place,
            held: record.held(),
        };
        let rest = waiting.take_while(|r| r.group == first.group);
        std::iter::once(unwritten(first))
            .chain(rest.map(unwritten))
            .collect()
    }

    /// Batches are on disk.
    pub(super) fn written(&mut self, group: &[Entry], spots: Vec<Spot<F>>) {
        let last = group.last().map_or(0, |entry| entry.number);
        self.kept = self.kept.max(last);
        for (entry, spot) in group.iter().zip(spots) {
            let Some(at) = self.position(entry.number) else {
                continue;
            };
            let record = &mut self.records[at];
            if record.is_in_memory() {
                self.memory -= record.length();
            }
            if !record.is_sure() {
                record.at = Where::Disk(spot);
            }
        }
    }
}

impl<F> Record<F> {
    const fn is_in_memory(&self) -> bool {
        matches!(self.at, Where::Memory(_))
    }

    const fn is_sure(&self) -> bool {
        match self.at {
            Where::Memory(_) | Where::Unsure(_) => false,
            Where::Disk(_) => true,
        }
    }

    const fn length(&self) -> usize {
        match &self.at {
            Where::Memory(batch) => batch.len(),
            Where::Unsure(spot) | Where::Disk(spot) => spot.length(),
        }
    }

    fn held(&self) -> Held<F> {
        match &self.at {
            Where::Memory(batch) => Held::Bytes(batch.clone()),
            Where::Unsure(spot) | Where::Disk(spot) => Held::Stored(spot.clone()),
        }
    }
}
