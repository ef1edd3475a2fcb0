//! Where in a segment the records of a tag stand: in memory while the segment grows, then in a file of
//! its own beside it, sorted. Tags are as good as random, so the place of one is known within a few
//! hundred entries from its own bits, and one read finds it.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Bytes of an entry in a file.
pub(super) const ENTRY: usize = 16;

/// A record's place: the first bits of its tag, its offset, and how many predictions it has (none if it
/// amends one).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) bits: u64,
    pub(super) offset: u32,
    pub(super) rows: u32,
}

impl Entry {
    fn to_bytes(self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        bytes[..8].copy_from_slice(&self.bits.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.offset.to_be_bytes());
        bytes[12..].copy_from_slice(&self.rows.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; ENTRY]) -> Self {
        let whole = u128::from_be_bytes(*bytes);
        Self {
            bits: u64::try_from(whole >> 64).unwrap_or(0),
            offset: u32::try_from(whole >> 32 & u128::from(u32::MAX)).unwrap_or(0),
            rows: u32::try_from(whole & u128::from(u32::MAX)).unwrap_or(0),
        }
    }
}

/// The entries of a segment.
#[derive(Debug)]
pub(super) enum Index {
    Memory(BTreeSet<Entry>),
    File { file: File, entries: u64 },
}

impl Index {
    /// How many entries there are.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Memory(entries) => entries.len() as u64,
            Self::File { entries, .. } => *entries,
        }
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Memory(_) => 0,
            Self::File { entries, .. } => entries * ENTRY as u64,
        }
    }

    /// Writes what is in memory into a file, and forgets it in memory. Without success nothing changes.
    pub(super) fn put_down(&mut self, path: &Path) -> io::Result<()> {
        let Self::Memory(entries) = self else {
            return Ok(());
        };
        let mut bytes = Vec::with_capacity(entries.len() * ENTRY);
        for entry in entries.iter() {
            bytes.extend_from_slice(&entry.to_bytes());
        }
        let known = fs::read(path).is_ok_and(|before| before == bytes);
        if !known {
            let mut file = OpenOptions::new();
            let file = file.write(true).create(true).truncate(true).mode(0o600);
            file.open(path)?.write_all(&bytes)?;
        }
        let file = File::open(path)?;
        *self = Self::File {
            file,
            entries: entries.len() as u64,
        };
        Ok(())
    }

    /// Entries whose tag begins so, in the order they were written.
    pub(super) fn find(&self, bits: u64) -> io::Result<Vec<Entry>> {
        match self {
            Self::Memory(entries) => {
                let at = |offset, rows| Entry { bits, offset, rows };
                let range = at(0, 0)..=at(u32::MAX, u32::MAX);
                Ok(entries.range(range).copied().collect())
            }
            Self::File { file, entries } => find(file, *entries, bits),
        }
    }

    /// All entries.
    pub(super) fn all(&self) -> io::Result<Vec<Entry>> {
        match self {
            Self::Memory(entries) => Ok(entries.iter().copied().collect()),
            Self::File { file, entries } => read(file, 0, *entries),
        }
    }

    /// Forgets entries from an offset on.
    pub(super) fn cut(&mut self, from: u32) {
        if let Self::Memory(entries) = self {
            entries.retain(|e| e.offset < from);
        }
    }
}

fn find(file: &File, entries: u64, bits: u64) -> io::Result<Vec<Entry>> {
    // The expected place, and four times the deviation of it on each side.
    let place = (u128::from(bits) * u128::from(entries)) >> 64;
    let place = u64::try_from(place).unwrap_or(0);
    let around = 2 * (entries.isqrt() + 1) + 8;
    let (from, to) = (place.saturating_sub(around), (place + around).min(entries));
    let mut near = read(file, from, to)?;
    let before = from == 0 || near.first().is_some_and(|e| e.bits < bits);
    let after = to == entries || near.last().is_some_and(|e| e.bits > bits);
    if !before || !after {
        near = read(file, 0, entries)?;
    }
    near.retain(|e| e.bits == bits);
    Ok(near)
}

fn read(file: &File, from: u64, to: u64) -> io::Result<Vec<Entry>> {
    let number = usize::try_from(to - from).unwrap_or(0);
    let mut bytes = vec![0; number * ENTRY];
    file.read_exact_at(&mut bytes, from * ENTRY as u64)?;
    let (whole, _) = bytes.as_chunks::<ENTRY>();
    Ok(whole.iter().map(Entry::from_bytes).collect())
}
