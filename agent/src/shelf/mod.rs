//! Predictions on disk, so that labels find them after the memory's bound and after a restart: segments
//! that are written in one go from front to back, never changed, and deleted as a whole. Nothing waits
//! for the disk but the monitor's thread, and nothing is synced: what a loss of power takes is torn off
//! and noticed. A disk that fails is counted, and the agent goes on with what memory has.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clause9_shared::digest::Digest;
use clause9_shared::time::{Clock, Span, Timestamp};
use clause9_shared::window::PaneStart;

use crate::engine::Origin;
use crate::engine::filter::Forgotten;
use crate::engine::shelf::{Kept, Reason, Shelf, ShelfTally};
use crate::sample::Tag;

mod index;
mod record;
mod segment;

use record::{FRAME, Header, Record};
use segment::{Restored, Segment, Trust};

/// Largest segment.
const MAX_SEGMENT: u64 = 8 << 20;
/// Most segments, however short: each takes two open files.
const MAX_SEGMENTS: usize = 128;
/// Of how many requests nothing is written after a write failed, until it is tried again.
const REST: u32 = 1024;
/// Bytes that wait to be written, at most.
const PENDING: u64 = 256 << 10;
/// Largest file that is taken for a segment.
const MAX_FILE: u64 = 64 << 20;

/// What a shelf is set up with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The folder of the segments.
    pub folder: PathBuf,
    /// Most bytes on disk.
    pub bytes: u64,
    /// Name of the capture plan.
    pub plan: Digest,
    /// The public name of the system's key.
    pub salt: Digest,
    /// Which clock panes run on.
    pub clock: Clock,
    /// Bytes of one packed prediction.
    pub stride: usize,
    /// Which run of the agent.
    pub boot: u64,
    /// How long outcomes are waited for.
    pub horizon: Span,
    /// What an earlier run had put by of its open panes and was found: the run and the number.
    pub restored: Option<(u64, u64)>,
}

/// Predictions in files.
#[derive(Debug)]
pub struct DiskShelf {
    setup: Setup,
    header: Header,
    /// The oldest first.
    segments: VecDeque<Segment>,
    /// Whether the last one grows.
    growing: bool,
    next: u64,
    resting: u32,
    /// Whether outcomes were kept since it was last said until when they are handed over.
    unsaid: bool,
    /// Whether outcomes were kept since open panes were last put by, or it was never said that they were.
    not_put_by: bool,
    forgotten: Forgotten,
    tally: ShelfTally,
}

impl DiskShelf {
    /// The shelf in that folder, with what an earlier run left there.
    pub fn open(setup: Setup) -> Self {
        let header = Header {
            plan: setup.plan,
            salt: setup.salt,
            clock: setup.clock,
            stride: setup.stride,
            boot: setup.boot,
        };
        let mut shelf = Self {
            header,
            segments: VecDeque::new(),
            growing: false,
            next: 1,
            resting: 0,
            unsaid: false,
            not_put_by: true,
            forgotten: Forgotten::default(),
            tally: ShelfTally::default(),
            setup,
        };
        let mut folder = DirBuilder::new();
        let made = folder
            .recursive(true)
            .mode(0o700)
            .create(&shelf.setup.folder);
        if let Err(error) = made {
            shelf.failed(&error);
        }
        shelf.restore();
        shelf
    }

    /// Takes over what earlier runs wrote.
    fn restore(&mut self) {
        let mut restored = Vec::new();
        for path in left_behind(&self.setup.folder) {
            let name = path.file_stem().and_then(|n| n.to_str());
            let number = name.and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
            self.next = self.next.max(number.saturating_add(1));
            match restore_one(&path, self.setup.stride) {
                Ok(Some(found)) if found.header.fits(&self.header) => {
                    self.note_damage(found.damaged, &path);
                    restored.push(found);
                }
                Ok(Some(found)) => {
                    let rows = found.segment.rows();
                    tracing::warn!(
                        rows,
                        "predictions of other objectives, another baseline or key are forgotten"
                    );
                    self.tally.forgotten[Reason::OtherPlan as usize] += rows;
                    self.let_go(found.segment);
                }
                Ok(None) => {
                    self.note_damage(true, &path);
                    let _ = segment::delete(&path);
                }
                Err(error) => {
                    self.note_damage(true, &path);
                    tracing::error!(%error, file = %path.display(), "remembered predictions cannot be read");
                }
            }
        }
        let found = self.setup.restored;
        self.tally.lost_outcomes = settle(&mut restored, found);
        for mut found in restored {
            if let Err(error) = found.segment.close() {
                self.failed(&error);
            }
            self.segments.push_back(found.segment);
        }
        self.resting = 0;
        if self.tally.lost_outcomes > 0 || found.is_some() {
            // Told once: the next run finds this one between.
            if let (Some(last), Some(found)) = (self.ready(None), found) {
                last.restored(found);
            }
            self.flush();
        }
    }

    fn note_damage(&mut self, damaged: bool, path: &Path) {
        if damaged {
            self.tally.damaged_files += 1;
            tracing::error!(file = %path.display(), "a file of remembered predictions is damaged; what stands behind the damage is forgotten");
        }
    }

    fn failed(&mut self, error: &io::Error) {
        if self.resting == 0 {
            tracing::warn!(%error, folder = %self.setup.folder.display(), "predictions cannot be written; they are remembered in memory only");
        }
        self.tally.write_failures += 1;
        self.resting = REST;
    }

    /// How large a segment grows.
    fn piece(&self) -> u64 {
        (self.setup.bytes / 16).min(MAX_SEGMENT)
    }

    /// The segment that grows, made if there is none or the last one is full.
    fn ready(&mut self, pane: Option<PaneStart>) -> Option<&mut Segment> {
        if self.resting > 0 {
            self.resting -= 1;
            return None;
        }
        let full = self.segments.back().is_some_and(|last| {
            let age = pane
                .zip(last.first_pane())
                .map(|(now, then)| now.0.since(then.0));
            let old = age.is_some_and(|age| age.micros() > self.setup.horizon.micros() / 4);
            last.data_bytes() >= self.piece() || old
        });
        if self.growing && full {
            self.seal();
        }
        if !self.growing
            && let Err(error) = self.grow()
        {
            self.failed(&error);
            return None;
        }
        self.segments.back_mut()
    }

    fn grow(&mut self) -> io::Result<()> {
        let record = (FRAME + 18 + self.setup.stride) as u64;
        let records = usize::try_from(self.piece() / record).unwrap_or(1).max(64);
        loop {
            let path = self.setup.folder.join(format!("{:020}.seg", self.next));
            self.next += 1;
            match Segment::create(path, &self.header, records) {
                // An agent that has not ended yet writes beside this one.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(segment) => {
                    self.segments.push_back(segment);
                    self.growing = true;
                    return Ok(());
                }
            }
        }
    }

    /// The last segment grows no more.
    fn seal(&mut self) {
        self.flush();
        if let (true, Some(last)) = (self.growing, self.segments.back_mut()) {
            self.growing = false;
            if let Err(error) = last.close() {
                self.failed(&error);
            }
        }
    }

    /// Deletes a segment.
    fn let_go(&mut self, segment: Segment) {
        let (filter, deleted) = segment.delete();
        self.forgotten.adopt(filter);
        if let Err(error) = deleted {
            tracing::warn!(%error, "a file of predictions that are over cannot be deleted");
            self.tally.write_failures += 1;
        }
    }

    fn trim_horizon(&mut self, horizon: PaneStart) {
        let over = |s: &Segment| s.last_pane().is_none_or(|last| last < horizon);
        if self.growing
            && self
                .segments
                .back()
                .is_some_and(|s| !s.is_empty() && over(s))
        {
            self.seal();
        }
        while self.segments.front().is_some_and(over) {
            if self.growing && self.segments.len() == 1 {
                return;
            }
            if let Some(segment) = self.segments.pop_front() {
                self.tally.forgotten[Reason::Horizon as usize] += segment.rows();
                self.let_go(segment);
            }
        }
    }

    fn gather(&self, tag: Tag) -> io::Result<Option<Kept>> {
        let mut amended = Vec::new();
        for segment in self.segments.iter().rev().filter(|s| s.may_hold(tag)) {
            for (at, record) in segment.records(tag)? {
                match record {
                    Record::Amended {
                        row,
                        arrival,
                        packed,
                        ..
                    } => {
                        if segment.trust.covers(arrival, at) {
                            amended.push((row, packed));
                        }
                    }
                    Record::Request { origin, rows, .. } => {
                        let Some(origin) = segment.origin(origin) else {
                            return Ok(None);
                        };
                        let origin = origin.clone();
                        let rows = self.amended(rows, amended);
                        return Ok(Some(Kept { origin, rows }));
                    }
                    Record::Header(_)
                    | Record::Origin(_)
                    | Record::HandedOver(_)
                    | Record::PutBy(_)
                    | Record::Restored { .. } => {}
                }
            }
        }
        Ok(None)
    }

    /// Rows with what became of them, the latest first.
    fn amended(&self, mut rows: Vec<u8>, amended: Vec<(u32, Vec<u8>)>) -> Vec<u8> {
        for (row, packed) in amended.into_iter().rev() {
            let row = usize::try_from(row).unwrap_or(usize::MAX);
            let place = rows.chunks_exact_mut(self.setup.stride).nth(row);
            if let Some(place) = place.filter(|p| p.len() == packed.len()) {
                place.copy_from_slice(&packed);
            }
        }
        rows
    }
}

impl Shelf for DiskShelf {
    fn put(&mut self, tag: Tag, origin: &Origin, rows: &[u8]) {
        // What is larger than a segment is left to memory.
        if rows.len() as u64 > self.piece() {
            return;
        }
        let stride = self.setup.stride;
        let Some(segment) = self.ready(Some(origin.0)) else {
            return;
        };
        segment.put(tag, origin, rows, stride);
        if self.pending() > PENDING {
            self.flush();
        }
    }

    fn amend(&mut self, tag: Tag, row: u32, packed: &[u8], arrival: PaneStart) {
        if let Some(segment) = self.ready(Some(arrival)) {
            segment.amend(tag, row, packed, arrival);
            self.unsaid = true;
            self.not_put_by = true;
        }
    }

    fn find(&mut self, tag: Tag) -> Option<Kept> {
        if !self.may_hold(tag) {
            return None;
        }
        self.flush();
        match self.gather(tag) {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(%error, "remembered predictions cannot be read");
                self.tally.damaged_files += 1;
                None
            }
        }
    }

    fn may_hold(&self, tag: Tag) -> bool {
        self.segments.iter().rev().any(|s| s.may_hold(tag))
    }

    fn has_forgotten(&self, tag: Tag) -> bool {
        self.forgotten.has(tag)
    }

    fn handed_over(&mut self, before: Timestamp) {
        if !self.unsaid {
            return;
        }
        if let Some(last) = self.ready(None) {
            last.handed_over(before);
            self.unsaid = false;
            self.flush();
        }
    }

    fn put_by(&mut self, number: u64) {
        if !self.not_put_by {
            return;
        }
        let Some(last) = self.ready(None) else {
            return;
        };
        last.put_by(number);
        self.not_put_by = false;
        self.flush();
        // Before what was put by can be found, it must be known which outcomes are in it.
        let synced = self.segments.back().map_or(Ok(()), Segment::sync);
        if let Err(error) = synced {
            self.failed(&error);
        }
    }

    fn trim(&mut self, horizon: Option<PaneStart>, known: &dyn Fn(u64) -> bool) {
        if let Some(horizon) = horizon {
            self.trim_horizon(horizon);
        }
        // The last one may grow by a segment and its index until it is looked at again.
        let most = self.setup.bytes.saturating_sub(2 * self.piece());
        while self.segments.len() > MAX_SEGMENTS || (self.bytes() > most && self.segments.len() > 1)
        {
            let Some(segment) = self.segments.pop_front() else {
                return;
            };
            self.tally.forgotten[Reason::Bound as usize] += segment.rows_unless(known);
            self.let_go(segment);
        }
    }

    fn flush(&mut self) {
        if !self.growing {
            return;
        }
        let written = self.segments.back_mut().map_or(Ok(()), Segment::flush);
        if let Err(error) = written {
            self.failed(&error);
            self.growing = false;
            if let Some(last) = self.segments.back_mut() {
                // Without room for its index it stays in memory.
                let _ = last.close();
            }
        }
    }

    fn take_tally(&mut self) -> ShelfTally {
        std::mem::take(&mut self.tally)
    }

    fn rows(&self) -> u64 {
        self.segments.iter().map(Segment::rows).sum()
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(Segment::bytes).sum()
    }
}

impl DiskShelf {
    fn pending(&self) -> u64 {
        self.segments.back().map_or(0, Segment::pending)
    }
}

/// Says of each earlier run what it had handed over; counts what the last one had not. `found` is what was
/// put by, by which run and under which number, and is found now.
fn settle(restored: &mut [Restored], found: Option<(u64, u64)>) -> u64 {
    let mut ends = BTreeMap::<u64, Timestamp>::new();
    let mut put_by: BTreeMap<u64, u64> = found.into_iter().collect();
    for one in restored.iter() {
        let end = ends.entry(one.header.boot).or_insert(Timestamp::EPOCH);
        *end = (*end).max(one.said.handed_over.unwrap_or(Timestamp::EPOCH));
        put_by.extend(one.said.restored.iter().copied());
    }
    let last = ends.keys().next_back().copied();
    let mut lost = 0;
    for at in 0..restored.len() {
        let boot = restored[at].segment.boot;
        let end = ends.get(&boot).copied().unwrap_or(Timestamp::EPOCH);
        let number = put_by.get(&boot);
        let offset = number.map_or(0, |number| put_by_until(restored, at, *number));
        let trust = Trust::Before(end, offset);
        restored[at].segment.trust = trust;
        if Some(boot) == last {
            let mut arrivals = restored[at].said.arrivals.iter();
            let covered = |(arrival, at): &&(PaneStart, u64)| !trust.covers(*arrival, *at);
            lost += arrivals.by_ref().filter(covered).count() as u64;
        }
    }
    lost
}

/// Up to where what stands in a segment was put by under that number or before.
fn put_by_until(restored: &[Restored], at: usize, number: u64) -> u64 {
    let boot = restored[at].segment.boot;
    let marks = |one: &Restored| {
        let marks = one.said.put_by.iter().filter(|(n, _)| *n <= number);
        marks.map(|(_, offset)| *offset).max()
    };
    let same = |one: &&Restored| one.segment.boot == boot;
    if let Some(offset) = marks(&restored[at]) {
        let later = restored[at + 1..]
            .iter()
            .filter(same)
            .any(|r| marks(r).is_some());
        return if later { u64::MAX } else { offset };
    }
    let elsewhere = |rest: &[Restored]| rest.iter().filter(same).any(|r| marks(r).is_some());
    // Segments before the one that says so; all of them, if the saying itself was torn off.
    if elsewhere(&restored[at..]) || !elsewhere(restored) {
        u64::MAX
    } else {
        0
    }
}

fn restore_one(path: &Path, stride: usize) -> io::Result<Option<Restored>> {
    if fs::metadata(path)?.len() > MAX_FILE {
        return Ok(None);
    }
    Segment::restore(path.to_owned(), stride)
}

/// Segments of earlier runs, the oldest first. An index without its segment is deleted.
fn left_behind(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|e| e.ok().map(|e| e.path()));
    let (mut segments, others): (Vec<_>, Vec<_>) =
        paths.partition(|p| p.extension().is_some_and(|e| e == "seg"));
    for index in others {
        let is_index = index.extension().is_some_and(|e| e == "idx");
        if is_index && !index.with_extension("seg").exists() {
            let _ = fs::remove_file(index);
        }
    }
    segments.sort();
    segments
}

#[cfg(test)]
mod tests;
