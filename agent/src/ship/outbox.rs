//! Batches that the collector has not stored yet: in memory, and one file each so that a restart
//! sends them again. A failing disk is counted and does not stop the shipping.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use clause9_shared::digest::Digest;
use clause9_shared::ids::{BootId, Sequence};
use clause9_shared::wire::batch::{self, Envelope, MAX_ENVELOPE};
use tokio::sync::Notify;

use crate::telemetry::Telemetry;

/// Ending of a batch's file name.
const ENDING: &str = "batch";

/// A batch that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// File name without ending: boot and sequence, so that names sort in the order of sending.
    name: Arc<str>,
    /// The envelope's name.
    pub digest: Digest,
    /// The signed bytes.
    pub envelope: Bytes,
    on_disk: OnDisk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnDisk {
    NotYet,
    Yes,
    /// Writing failed; it is not tried again.
    No,
}

/// Batches that wait, in the order of sending.
#[derive(Debug)]
pub struct Outbox {
    folder: PathBuf,
    limit: usize,
    telemetry: Telemetry,
    inner: Mutex<Inner>,
    /// Something was added.
    added: Notify,
    /// Something may have to be written.
    unwritten: Notify,
    /// Something was released.
    released: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    batches: VecDeque<Waiting>,
    bytes: usize,
}

impl Outbox {
    /// The outbox in that folder, with what an earlier run left there.
    pub fn open(folder: PathBuf, limit: usize, telemetry: Telemetry) -> Self {
        let outbox = Self {
            folder,
            limit,
            telemetry,
            inner: Mutex::default(),
            added: Notify::new(),
            unwritten: Notify::new(),
            released: Notify::new(),
        };
        if let Err(error) = fs::create_dir_all(&outbox.folder) {
            outbox.write_failed("outbox", &error);
        }
        for (name, envelope) in outbox.left_behind() {
            outbox.add(&name, envelope, OnDisk::Yes);
        }
        outbox
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Batches waiting and their bytes.
    pub fn size(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.batches.len(), inner.bytes)
    }

    /// Adds a batch of this run.
    pub fn push(&self, boot: BootId, sequence: Sequence, envelope: Bytes) {
        self.add(
            &format!("{:020}-{:020}", boot.0, sequence.0),
            envelope,
            OnDisk::NotYet,
        );
    }

    fn add(&self, name: &str, envelope: Bytes, on_disk: OnDisk) {
        let mut inner = self.lock();
        inner.bytes += envelope.len();
        let digest = batch::digest(&envelope);
        inner.batches.push_back(Waiting {
            name: name.into(),
            digest,
            envelope,
            on_disk,
        });
        let mut dropped = Vec::new();
        while inner.bytes > self.limit && inner.batches.len() > 1 {
            if let Some(oldest) = inner.batches.pop_front() {
                inner.bytes -= oldest.envelope.len();
                dropped.push(oldest);
            }
        }
        self.show(&inner);
        drop(inner);
        for oldest in dropped {
            self.telemetry
                .outbox_dropped
                .with_label_values(&["full"])
                .inc();
            self.remove_file(&oldest);
        }
        self.added.notify_one();
        self.unwritten.notify_one();
    }

    /// The batch to send next, once there is one.
    pub(super) async fn front(&self) -> Waiting {
        loop {
            let added = self.added.notified();
            if let Some(batch) = self.lock().batches.front().cloned() {
                return batch;
            }
            added.await;
        }
    }

    /// The collector is done with a batch.
    pub(super) fn release(&self, batch: &Waiting) {
        let mut inner = self.lock();
        let found = inner.batches.iter().position(|b| b.name == batch.name);
        let Some(batch) = found.and_then(|i| inner.batches.remove(i)) else {
            return;
        };
        inner.bytes -= batch.envelope.len();
        self.show(&inner);
        drop(inner);
        self.remove_file(&batch);
        self.released.notify_waiters();
    }

    /// Returns once nothing waits.
    pub(super) async fn emptied(&self) {
        loop {
            let released = self.released.notified();
            if self.lock().batches.is_empty() {
                return;
            }
            released.await;
        }
    }

    fn show(&self, inner: &Inner) {
        self.telemetry
            .outbox_batches
            .set(i64::try_from(inner.batches.len()).unwrap_or(i64::MAX));
        self.telemetry
            .outbox_bytes
            .set(i64::try_from(inner.bytes).unwrap_or(i64::MAX));
    }

    /// Writes what is not on disk yet, whenever something was added.
    pub async fn persist_forever(&self) {
        loop {
            self.persist();
            self.unwritten.notified().await;
        }
    }

    /// Writes what is not on disk yet. Blocks on the disk.
    pub fn persist(&self) {
        loop {
            let next = self
                .lock()
                .batches
                .iter()
                .find(|b| b.on_disk == OnDisk::NotYet)
                .cloned();
            let Some(batch) = next else { return };
            let on_disk = match self.write(&batch) {
                Ok(()) => OnDisk::Yes,
                Err(error) => {
                    self.write_failed("outbox", &error);
                    OnDisk::No
                }
            };
            let mut inner = self.lock();
            if let Some(waiting) = inner.batches.iter_mut().find(|b| b.name == batch.name) {
                waiting.on_disk = on_disk;
            } else {
                drop(inner);
                // It was sent or let go meanwhile.
                self.remove_file(&Waiting { on_disk, ..batch });
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.{ENDING}"))
    }

    fn write(&self, batch: &Waiting) -> std::io::Result<()> {
        let unfinished = self.folder.join(format!("{}.tmp", batch.name));
        let written = (|| {
            let mut file = File::create(&unfinished)?;
            file.write_all(&batch.envelope)?;
            file.sync_all()?;
            fs::rename(&unfinished, self.path(&batch.name))?;
            File::open(&self.folder)?.sync_all()
        })();
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    fn remove_file(&self, batch: &Waiting) {
        if batch.on_disk == OnDisk::Yes
            && let Err(error) = fs::remove_file(self.path(&batch.name))
        {
            self.write_failed("outbox_release", &error);
        }
    }

    fn write_failed(&self, what: &str, error: &std::io::Error) {
        self.telemetry
            .state_write_failures
            .with_label_values(&[what])
            .inc();
        tracing::warn!(%error, what, "the state folder cannot be written; batches are kept in memory only");
    }

    /// Batches of earlier runs, oldest first. What is no envelope is left where it is, and counted.
    fn left_behind(&self) -> Vec<(String, Bytes)> {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
        paths.sort();
        let mut found = Vec::new();
        for path in paths {
            if path.extension().is_some_and(|e| e == "tmp") {
                let _ = fs::remove_file(&path);
            }
            if path.extension().is_none_or(|e| e != ENDING) {
                continue;
            }
            let name = path.file_stem().map(|n| n.to_string_lossy().into_owned());
            if let (Some(name), Some(envelope)) = (name, envelope(&path)) {
                found.push((name, envelope));
            } else {
                self.telemetry
                    .outbox_dropped
                    .with_label_values(&["damaged"])
                    .inc();
                tracing::error!(file = %path.display(), "a file in the outbox is not a whole batch; it is not sent");
            }
        }
        found
    }
}

/// A batch's bytes, if the file holds one whole one.
fn envelope(path: &Path) -> Option<Bytes> {
    let length = fs::metadata(path).ok()?.len();
    if length > MAX_ENVELOPE as u64 {
        return None;
    }
    let bytes = fs::read(path).ok()?;
    Envelope::parse(&bytes).ok()?.open().ok()?;
    Some(bytes.into())
}

#[cfg(test)]
mod tests;
