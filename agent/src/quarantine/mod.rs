//! Batches of which the collector refused something for good: kept on disk, whole and as they were signed, until they are taken
//! after all, or somebody forgets them. A batch leaves the outbox only once it is here, file and name synced; it leaves
//! here only by the collector's word, by hand, or for want of room, which is counted.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use clause9_shared::digest::Digest;
use clause9_shared::time::Timestamp;
use tokio::sync::Notify;

use crate::outbox::Waiting;
use crate::outbox::disk::{Disk, Folder};
use crate::telemetry::Telemetry;

pub mod command;
mod kept;
mod listed;
mod recovery;
mod resending;
#[cfg(test)]
mod tests;

use kept::{Kept, Report};
pub use kept::{Panes, Part};
pub use listed::{Listed, Reason, Shown};
pub use resending::is_resent;

/// Most batches that are kept.
pub const MAX_ENTRIES: usize = 1024;
/// Refused batches, on a disk.
pub struct Quarantine<D: Disk = Folder> {
    disk: D,
    /// Most bytes of files.
    room: u64,
    telemetry: Telemetry,
    /// Held while the disk works.
    files: Mutex<Files>,
    /// Held for moments only.
    state: Mutex<State>,
    /// Something is to be sent again.
    asked: Notify,
}

/// How far the folder is known.
#[derive(Debug, Default)]
struct Files {
    /// How often it was tried to read it.
    tries: u32,
    read: bool,
    /// Number of the next file.
    next: u64,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<Digest, Entry>,
    /// Files that hold nothing that can be used, with their lengths.
    damaged: Vec<(String, u64)>,
    /// What is being sent again.
    tickets: BTreeMap<u64, Digest>,
    issued: u64,
}

#[derive(Debug)]
struct Entry {
    listed: Listed,
    /// Its file, and older ones that could not be removed.
    names: Vec<(String, u64)>,
    ticket: Option<u64>,
}

impl State {
    fn bytes(&self) -> u64 {
        let names = self.entries.values().flat_map(|entry| &entry.names);
        names.chain(&self.damaged).map(|(_, bytes)| bytes).sum()
    }

    fn remove(&mut self, batch: Digest) -> Option<Entry> {
        let entry = self.entries.remove(&batch)?;
        if let Some(ticket) = entry.ticket {
            self.tickets.remove(&ticket);
        }
        Some(entry)
    }

    fn oldest(&self) -> Option<Digest> {
        let oldest = self.entries.iter().min_by_key(|(_, e)| {
            (
                e.listed.first,
                e.names.last().map(|(name, _)| name.as_str()),
            )
        });
        oldest.map(|(batch, _)| *batch)
    }
}

impl<D: Disk> std::fmt::Debug for Quarantine<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quarantine")
            .field("room", &self.room)
            .finish_non_exhaustive()
    }
}

impl<D: Disk> Quarantine<D> {
    /// The quarantine on that disk, with room for so many bytes, and what earlier runs left there. A disk that cannot be read
    /// now is tried again when something is to be kept.
    pub fn open(disk: D, room: u64, telemetry: Telemetry) -> Self {
        let this = Self {
            disk,
            room,
            telemetry,
            files: Mutex::default(),
            state: Mutex::default(),
            asked: Notify::new(),
        };
        let read = this.read_folder(&mut this.files());
        if let Err(error) = read {
            this.failed(&error);
        }
        this
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a batch of which this was refused, in place of what was known of it before. Once it comes back without an error, a
    /// loss of power does not take it any more. Blocks on the disk.
    pub fn keep(&self, batch: &Waiting, parts: Vec<Part>, now: Timestamp) -> io::Result<()> {
        let mut files = self.files();
        let kept = self.write(&mut files, batch, parts, now);
        match &kept {
            Ok(()) => self.make_room(batch.digest),
            Err(error) => self.failed(error),
        }
        kept
    }

    fn write(
        &self,
        files: &mut Files,
        batch: &Waiting,
        parts: Vec<Part>,
        now: Timestamp,
    ) -> io::Result<()> {
        self.read_folder(files)?;
        let known = |state: &State| {
            let listed = &state.entries.get(&batch.digest)?.listed;
            Some((listed.first, listed.times))
        };
        let before = known(&self.state());
        let kept = Kept {
            place: batch.place,
            envelope: batch.envelope.clone(),
            report: Report::new(&batch.envelope, parts, before, now),
        };
        // Never a name that was used: what stands under it may be there only until the power goes.
        let name = kept::name(batch.digest, files.next);
        let bytes = kept.to_bytes(files.next).map_err(io::Error::other)?;
        files.next += 1;
        if let Err(error) = self.write_file(&name, &bytes) {
            let _ = self.disk.remove(&name);
            return Err(error);
        }
        let length = bytes.len() as u64;
        let listed = Listed::new(batch.digest, kept.place, &kept.report, length);
        let older = {
            let mut state = self.state();
            let before = state.entries.remove(&batch.digest);
            let (older, ticket) = before.map_or((Vec::new(), None), |e| (e.names, e.ticket));
            let entry = Entry {
                listed,
                names: vec![(name, length)],
                ticket,
            };
            state.entries.insert(batch.digest, entry);
            older
        };
        let left = self.remove_files(older);
        let mut state = self.state();
        if let Some(entry) = state.entries.get_mut(&batch.digest) {
            entry.names.splice(..0, left);
        }
        self.show(&state);
        Ok(())
    }

    fn write_file(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = self.disk.create(name)?;
        self.disk.write_at(&file, 0, bytes)?;
        self.disk.sync(&file)?;
        self.disk.sync_folder()
    }

    /// Lets go what is oldest while there is too much; never what came last.
    fn make_room(&self, newest: Digest) {
        loop {
            let mut state = self.state();
            let full = state.bytes() > self.room || state.entries.len() > MAX_ENTRIES;
            if !full {
                return;
            }
            let damaged = std::mem::take(&mut state.damaged);
            if !damaged.is_empty() {
                drop(state);
                let left = self.remove_files(damaged);
                let stuck = !left.is_empty();
                self.state().damaged = left;
                if stuck {
                    return;
                }
                continue;
            }
            let oldest = state.oldest().filter(|oldest| *oldest != newest);
            drop(state);
            let Some(batch) = oldest else { return };
            if !self.let_go(batch, "full") {
                return;
            }
            tracing::error!(
                %batch,
                "the quarantine is full: the refused batch that was there longest is lost; raise limits.quarantine_bytes, or send \
                 again and forget what is there"
            );
        }
    }

    /// The collector has everything of a batch. False if it was not here, or its file cannot be removed: then it stays, and
    /// sending it again does no harm. Blocks on the disk.
    pub fn taken(&self, batch: Digest) -> bool {
        let _files = self.files();
        self.remove(batch)
    }

    /// Somebody does not want a batch any more: counted. False as with [`taken`](Self::taken).
    pub fn forget(&self, batch: Digest) -> bool {
        let _files = self.files();
        self.let_go(batch, "forgotten")
    }

    fn let_go(&self, batch: Digest, reason: &str) -> bool {
        let removed = self.remove(batch);
        if removed {
            let dropped = &self.telemetry.quarantine.dropped;
            dropped.with_label_values(&[reason]).inc();
        }
        removed
    }

    fn remove(&self, batch: Digest) -> bool {
        let names = {
            let state = self.state();
            let Some(entry) = state.entries.get(&batch) else {
                return false;
            };
            entry.names.clone()
        };
        let left = self.remove_files(names);
        let mut state = self.state();
        if !left.is_empty() {
            if let Some(entry) = state.entries.get_mut(&batch) {
                entry.names = left;
            }
            self.show(&state);
            return false;
        }
        state.remove(batch);
        self.show(&state);
        drop(state);
        // Should the name come back with the power, it is found, and known at the collector.
        if let Err(error) = self.disk.sync_folder() {
            self.failed(&error);
        }
        true
    }

    /// Removes files, the oldest first; what could not be removed, and all behind it.
    fn remove_files(&self, names: Vec<(String, u64)>) -> Vec<(String, u64)> {
        let mut names = names.into_iter();
        while let Some((name, bytes)) = names.next() {
            match self.disk.remove(&name) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    self.failed(&error);
                    return std::iter::once((name, bytes)).chain(names).collect();
                }
            }
        }
        Vec::new()
    }

    /// Whether a batch is here.
    pub fn holds(&self, batch: Digest) -> bool {
        self.state().entries.contains_key(&batch)
    }

    /// Everything that is here, what was refused first before the others. May block on the disk.
    pub fn list(&self, now: Timestamp) -> Vec<Listed> {
        // It may not have been read so far.
        if let Err(error) = self.read_folder(&mut self.files()) {
            self.failed(&error);
        }
        let state = self.state();
        let entries = state.entries.values();
        let mut all: Vec<_> = entries
            .map(|e| e.listed.at(now, e.ticket.is_some()))
            .collect();
        drop(state);
        all.sort_by_key(|listed| (listed.first, listed.batch));
        all
    }

    /// How many batches, and the bytes of all files.
    pub fn size(&self) -> (usize, u64) {
        let state = self.state();
        (state.entries.len(), state.bytes())
    }

    /// Most bytes of files.
    pub const fn room(&self) -> u64 {
        self.room
    }

    /// What is told of one batch, and what it says if it can be read. Blocks on the disk.
    pub fn get(
        &self,
        batch: Digest,
        now: Timestamp,
    ) -> io::Result<Option<(Listed, Option<Shown>)>> {
        let _files = self.files();
        let Some(kept) = self.read(batch)? else {
            return Ok(None);
        };
        let state = self.state();
        let entry = state.entries.get(&batch);
        Ok(entry.map(|entry| {
            let listed = entry.listed.at(now, entry.ticket.is_some());
            (listed.clone(), Shown::new(listed, &kept))
        }))
    }

    /// A batch that is here; one whose file is not what was written is set aside, and counted.
    fn read(&self, batch: Digest) -> io::Result<Option<Kept>> {
        let newest = |state: &State| state.entries.get(&batch)?.names.last().cloned();
        let Some((name, length)) = newest(&self.state()) else {
            return Ok(None);
        };
        let kept = self.read_file(&name, length)?;
        let kept = kept.and_then(|bytes| Kept::read(batch, &bytes));
        if kept.is_none() {
            let mut state = self.state();
            if let Some(entry) = state.remove(batch) {
                self.set_aside(&mut state, entry.names);
            }
            self.show(&state);
        }
        Ok(kept)
    }

    fn read_file(&self, name: &str, length: u64) -> io::Result<Option<Bytes>> {
        let readable = usize::try_from(length)
            .ok()
            .filter(|_| length <= recovery::MAX_FILE);
        let Some(length) = readable else {
            return Ok(None);
        };
        let file = self.disk.open(name)?;
        let mut bytes = vec![0; length];
        match self.disk.read_at(&file, 0, &mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        Ok(Some(bytes.into()))
    }

    fn show(&self, state: &State) {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let figures = &self.telemetry.quarantine;
        figures.entries.set(number(state.entries.len() as u64));
        figures.bytes.set(number(state.bytes()));
    }

    fn failed(&self, error: &io::Error) {
        let failures = &self.telemetry.state_write_failures;
        failures.with_label_values(&["quarantine"]).inc();
        tracing::warn!(%error, "the quarantine cannot be kept on disk as it should; what is refused stays in the outbox");
    }
}
