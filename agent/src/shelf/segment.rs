//! One file of records, written from its beginning to its end and deleted as a whole.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;

use super::index::{Entry, Index};
use super::record::{self, FRAME, Header, MAGIC, MAX_RECORD, Read, Record};
use crate::engine::Origin;
use crate::engine::filter::Filter;
use crate::sample::Tag;

/// Which outcomes of a segment were handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// All: it is written by this run of the agent, which knows.
    All,
    /// Those that arrived before a point, and those that stand before an offset, which were put by.
    Before(Timestamp, u64),
}

impl Trust {
    /// Whether an outcome that arrived then and stands there was handed over.
    pub(super) fn covers(self, arrival: PaneStart, at: u64) -> bool {
        match self {
            Self::All => true,
            Self::Before(end, offset) => arrival.0 < end || at < offset,
        }
    }
}

/// What a segment of an earlier run says of outcomes.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The end of what was handed over, if it says so.
    pub(super) handed_over: Option<Timestamp>,
    /// When outcomes arrived, and where they stand.
    pub(super) arrivals: Vec<(PaneStart, u64)>,
    /// What was put by: numbers and offsets.
    pub(super) put_by: Vec<(u64, u64)>,
    /// What of other runs was found: runs and numbers.
    pub(super) restored: Vec<(u64, u64)>,
}

/// A file of records.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    /// Bytes in the file.
    written: u64,
    /// Bytes that are not in the file yet.
    pending: Vec<u8>,
    index: Index,
    filter: Filter,
    origins: Vec<Arc<Origin>>,
    /// Predictions (rows) of its requests.
    rows: u64,
    /// Earliest and latest pane.
    panes: Option<(PaneStart, PaneStart)>,
    pub(super) boot: u64,
    pub(super) trust: Trust,
}

/// What was found in a file of an earlier run.
pub(super) struct Restored {
    pub(super) segment: Segment,
    pub(super) header: Header,
    /// Whether bytes in it are not what was written.
    pub(super) damaged: bool,
    pub(super) said: Said,
}

impl Segment {
    /// A new file for about so many records.
    pub(super) fn create(path: PathBuf, header: &Header, records: usize) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(&path)?;
        let mut segment = Self::empty(path, file, header.boot, records);
        segment.pending.extend_from_slice(MAGIC);
        record::write(&Record::Header(header.clone()), &mut segment.pending);
        Ok(segment)
    }

    fn empty(path: PathBuf, file: File, boot: u64, records: usize) -> Self {
        Self {
            path,
            file,
            written: 0,
            pending: Vec::new(),
            index: Index::Memory(BTreeSet::new()),
            filter: Filter::sized(records),
            origins: Vec::new(),
            rows: 0,
            panes: None,
            boot,
            trust: Trust::All,
        }
    }

    /// A file of an earlier run; none if it does not begin as a segment does.
    pub(super) fn restore(path: PathBuf, stride: usize) -> io::Result<Option<Restored>> {
        let file = File::open(&path)?;
        let bytes = fs::read(&path)?;
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            return Ok(None);
        };
        let Read::Whole(Record::Header(header), used) = record::read(rest) else {
            return Ok(None);
        };
        let mut at = MAGIC.len() + used;
        let records = bytes.len() / (FRAME + 16 + stride);
        let mut segment = Self::empty(path, file, header.boot, records.max(1));
        let mut said = Said::default();
        let damaged = loop {
            match record::read(&bytes[at..]) {
                Read::Whole(record, used) => {
                    segment.note(record, at, header.stride, &mut said);
                    at += used;
                }
                Read::Torn => break false,
                Read::Damaged => break true,
            }
        };
        segment.written = bytes.len() as u64;
        Ok(Some(Restored {
            segment,
            header,
            damaged,
            said,
        }))
    }

    /// Takes in a record that stands in the file.
    fn note(&mut self, record: Record, at: usize, stride: usize, said: &mut Said) {
        let offset = at as u64;
        match record {
            Record::Header(_) => {}
            Record::Origin(origin) => self.origins.push(Arc::new(origin)),
            Record::Request { tag, origin, rows } => {
                let origin = usize::try_from(origin).ok();
                let pane = origin.and_then(|o| self.origins.get(o)).map(|o| o.0);
                self.enter(tag, at, rows.len() / stride.max(1), pane);
            }
            Record::Amended { tag, arrival, .. } => {
                said.arrivals.push((arrival, offset));
                self.enter(tag, at, 0, Some(arrival));
            }
            Record::HandedOver(before) => {
                said.handed_over = said.handed_over.max(Some(before));
            }
            Record::PutBy(number) => said.put_by.push((number, offset)),
            Record::Restored { boot, number } => said.restored.push((boot, number)),
        }
    }

    fn enter(&mut self, tag: Tag, at: usize, rows: usize, pane: Option<PaneStart>) {
        self.filter.add(tag);
        if let Index::Memory(entries) = &mut self.index {
            entries.insert(Entry {
                bits: tag.bits(),
                offset: u32::try_from(at).unwrap_or(u32::MAX),
                rows: u32::try_from(rows).unwrap_or(u32::MAX),
            });
        }
        self.rows += rows as u64;
        if let Some(pane) = pane {
            let (first, last) = self.panes.unwrap_or((pane, pane));
            self.panes = Some((first.min(pane), last.max(pane)));
        }
    }

    /// Adds a request.
    pub(super) fn put(&mut self, tag: Tag, from: &Origin, rows: &[u8], stride: usize) {
        let known = self.origins.iter().rposition(|o| **o == *from);
        let origin = known.unwrap_or_else(|| {
            self.origins.push(Arc::new(from.clone()));
            record::write(&Record::Origin(from.clone()), &mut self.pending);
            self.origins.len() - 1
        });
        let at = self.end();
        let record = Record::Request {
            tag,
            origin: origin as u64,
            rows: rows.to_vec(),
        };
        record::write(&record, &mut self.pending);
        self.enter(tag, at, rows.len() / stride.max(1), Some(from.0));
    }

    /// Adds what became of a prediction.
    pub(super) fn amend(&mut self, tag: Tag, row: u32, packed: &[u8], arrival: PaneStart) {
        let at = self.end();
        let record = Record::Amended {
            tag,
            row,
            arrival,
            packed: packed.to_vec(),
        };
        record::write(&record, &mut self.pending);
        self.enter(tag, at, 0, Some(arrival));
    }

    /// Adds until when outcomes are handed over.
    pub(super) fn handed_over(&mut self, before: Timestamp) {
        record::write(&Record::HandedOver(before), &mut self.pending);
    }

    /// Adds that what stands before is put by.
    pub(super) fn put_by(&mut self, number: u64) {
        record::write(&Record::PutBy(number), &mut self.pending);
    }

    /// Adds that what another run put by was found.
    pub(super) fn restored(&mut self, (boot, number): (u64, u64)) {
        record::write(&Record::Restored { boot, number }, &mut self.pending);
    }

    /// Returns once what was written survives a loss of power.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn end(&self) -> usize {
        usize::try_from(self.written).unwrap_or(usize::MAX) + self.pending.len()
    }

    /// Writes what is not in the file yet. What cannot be written is not kept.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all_at(&self.pending, self.written);
        if written.is_ok() {
            self.written += self.pending.len() as u64;
        } else {
            self.index.cut(u32::try_from(self.written).unwrap_or(0));
            // A part may stand there; who reads the file takes it for torn off.
            let _ = self.file.set_len(self.written);
        }
        self.pending.clear();
        self.pending.shrink_to(1 << 20);
        written
    }

    /// Writes its index down: it grows no more.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.index.put_down(&index_path(&self.path))
    }

    /// Whether a request may stand in it.
    pub(super) fn may_hold(&self, tag: Tag) -> bool {
        self.filter.has(tag)
    }

    /// Its records of a tag and where they stand, the latest first.
    pub(super) fn records(&self, tag: Tag) -> io::Result<Vec<(u64, Record)>> {
        let mut records = Vec::new();
        for entry in self.index.find(tag.bits())?.into_iter().rev() {
            match self.record(u64::from(entry.offset))? {
                Some(found) if of(&found) == Some(tag) => {
                    records.push((u64::from(entry.offset), found));
                }
                Some(_) | None => {}
            }
        }
        Ok(records)
    }

    fn record(&self, at: u64) -> io::Result<Option<Record>> {
        let mut bytes = vec![0; FRAME];
        self.file.read_exact_at(&mut bytes, at)?;
        let frame: [u8; FRAME] = bytes[..].try_into().map_err(io::Error::other)?;
        let length = record::length(frame);
        if length > MAX_RECORD {
            return Ok(None);
        }
        bytes.resize(FRAME + length, 0);
        self.file
            .read_exact_at(&mut bytes[FRAME..], at + FRAME as u64)?;
        Ok(match record::read(&bytes) {
            Read::Whole(record, _) => Some(record),
            Read::Torn | Read::Damaged => None,
        })
    }

    /// Where its request of that number comes from.
    pub(super) fn origin(&self, number: u64) -> Option<&Origin> {
        let number = usize::try_from(number).ok()?;
        self.origins.get(number).map(|o| &**o)
    }

    /// Predictions of requests that are not known otherwise.
    pub(super) fn rows_unless(&self, known: &dyn Fn(u64) -> bool) -> u64 {
        let Ok(entries) = self.index.all() else {
            return self.rows;
        };
        let unknown = entries.iter().filter(|e| !known(e.bits));
        unknown.map(|e| u64::from(e.rows)).sum()
    }

    pub(super) const fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of its files, what is pending included.
    pub(super) fn bytes(&self) -> u64 {
        self.data_bytes() + self.index.bytes()
    }

    /// Bytes of its records.
    pub(super) fn data_bytes(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    /// Bytes that are not in the file yet.
    pub(super) const fn pending(&self) -> u64 {
        self.pending.len() as u64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.index.len() == 0
    }

    pub(super) fn first_pane(&self) -> Option<PaneStart> {
        self.panes.map(|(first, _)| first)
    }

    pub(super) fn last_pane(&self) -> Option<PaneStart> {
        self.panes.map(|(_, last)| last)
    }

    /// Deletes its files; what was in it may be asked of the filter.
    pub(super) fn delete(self) -> (Filter, io::Result<()>) {
        let deleted = delete(&self.path);
        (self.filter, deleted)
    }
}

fn of(record: &Record) -> Option<Tag> {
    match record {
        Record::Request { tag, .. } | Record::Amended { tag, .. } => Some(*tag),
        Record::Header(_)
        | Record::Origin(_)
        | Record::HandedOver(_)
        | Record::PutBy(_)
        | Record::Restored { .. } => None,
    }
}

fn index_path(path: &Path) -> PathBuf {
    path.with_extension("idx")
}

/// Deletes a segment's files.
pub(super) fn delete(path: &Path) -> io::Result<()> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    };
    gone(fs::remove_file(path)).and(gone(fs::remove_file(index_path(path))))
}
