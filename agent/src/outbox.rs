//! Batches that the collector has not stored yet. They are written to a log on disk, synced before they
//! count as kept, sent in the order of their numbers, and let go when the collector says that it stored
//! them. A disk that fails is counted and stops neither the shipping nor the next start; what is lost all
//! the same is counted, and told to the collector.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use clause9_shared::digest::Digest;
use clause9_shared::time::Timestamp;
use clause9_shared::wire::batch;
use clause9_shared::wire::loss::{Loss, LossReason, Place};
use tokio::sync::{Notify, watch};

use crate::clock;
use crate::export::Traces;
use crate::telemetry::Telemetry;

pub mod disk;
pub(crate) mod frame;
mod journal;
mod mark;
mod open_panes;
mod queue;

use disk::{Disk, Folder};
use journal::{Entry, Journal, Recovery};
use mark::Known;
use open_panes::{OpenPanes, PutBy};
use queue::{Held, Queue, Unwritten};

/// How often it is tried to read all that is there, before what cannot be read is taken for lost.
const TRIES: u32 = 5;
/// How often what may wait is written.
const TICK: Duration = Duration::from_secs(1);

/// What an outbox may take.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Bytes of batches that wait.
    pub bytes: usize,
    /// Bytes of those among them that the disk would not take.
    pub memory: usize,
}

/// A batch that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its number in the outbox, through all runs of the agent.
    pub number: u64,
    /// Run and position.
    pub place: Place,
    /// The envelope's name.
    pub digest: Digest,
    /// The signed bytes.
    pub envelope: Bytes,
}

/// Batches that wait, on a disk.
pub struct Outbox<D: Disk = Folder> {
    disk: Arc<D>,
    room: Room,
    telemetry: Telemetry,
    traces: Traces,
    /// Held while the disk works; never together with waiting for it from the monitor.
    files: Mutex<Files<D>>,
    state: Mutex<State<D::File>>,
    /// What an earlier run had put by and was found: run and number.
    restored: Option<(u64, u64)>,
    /// Something was added.
    added: Notify,
    /// Something may have to be written.
    unwritten: Notify,
    /// Something was released.
    released: Notify,
}

impl<D: Disk> std::fmt::Debug for Outbox<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox")
            .field("room", &self.room)
            .finish_non_exhaustive()
    }
}

enum Files<D: Disk> {
    /// What is there could not be read yet, tried so many times; nothing is written before.
    Unread(u32),
    Read(Journal<D>, OpenPanes),
}

/// What open panes hold that is not on disk as it is.
enum Open {
    /// Everything is.
    AsWritten,
    /// They hold nothing: what is on disk is to go.
    Nothing,
    Held(PutBy),
}

struct State<F> {
    queue: Queue<F>,
    losses: Vec<Known>,
    /// Losses told with a batch, by its number, until the collector has it.
    carried: Vec<(u64, Vec<Loss>)>,
    open: Open,
    /// Whether anything changed that the mark says.
    changed: bool,
}

impl<D: Disk> Outbox<D> {
    /// The outbox on that disk, with what earlier runs left there.
    pub fn open(disk: D, room: Room, telemetry: Telemetry, now: Timestamp) -> Self {
        let disk = Arc::new(disk);
        let mut outbox = Self {
            state: Mutex::new(State {
                queue: Queue::new(Vec::new(), 0),
                losses: Vec::new(),
                carried: Vec::new(),
                open: Open::Nothing,
                changed: true,
            }),
            files: Mutex::new(Files::Unread(0)),
            disk,
            room,
            telemetry,
            traces: Traces::default(),
            restored: None,
            added: Notify::new(),
            unwritten: Notify::new(),
            released: Notify::new(),
        };
        let found = outbox.read_disk(&mut outbox.files(), now);
        if let Some(put_by) = found {
            tracing::warn!(
                "the last run ended without warning; what its open panes held is shipped as it was put by last"
            );
            outbox.restored = Some((put_by.boot, put_by.number));
            outbox.push(put_by.batches, Vec::new(), now);
        }
        outbox
    }

    /// The same, telling others of the steps that batches go through.
    #[must_use]
    pub fn with_traces(mut self, traces: Traces) -> Self {
        self.traces = traces;
        self
    }

    /// Who is told of these steps.
    pub(crate) const fn traces(&self) -> &Traces {
        &self.traces
    }

    /// Reads what earlier runs left. Gives what the last one had put by, if it ended without warning.
    fn read_disk(&self, files: &mut Files<D>, now: Timestamp) -> Option<PutBy> {
        let Files::Unread(tries) = files else {
            return None;
        };
        let forgiving = *tries >= TRIES;
        *tries = tries.saturating_add(1);
        let opened = Journal::open(Arc::clone(&self.disk), now, forgiving);
        let opened = opened.and_then(|(journal, recovery)| {
            let panes = match OpenPanes::open(&*self.disk) {
                Err(_) if forgiving => Ok(Default::default()),
                panes => panes,
            };
            panes.map(|panes| (journal, recovery, panes))
        });
        let (journal, recovery, (open_panes, put_by)) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.failed("outbox", &error);
                return None;
            }
        };
        let put_by = put_by
            .into_iter()
            .find(|p| comes_next(p, &recovery, journal.newest()));
        note(&self.telemetry, &recovery);
        *files = Files::Read(journal, open_panes);
        let mut state = self.state();
        let shift = state.queue.adopt(recovery.batches, recovery.last);
        for (number, _) in &mut state.carried {
            *number += shift;
        }
        // What was lost meanwhile goes by the new numbers, too.
        let meanwhile = std::mem::replace(&mut state.losses, recovery.losses);
        for mut known in meanwhile {
            known.loss.first += shift;
            known.loss.last += shift;
            mark::remember(&mut state.losses, known.loss);
        }
        self.show(&state);
        put_by
    }

    fn files(&self) -> MutexGuard<'_, Files<D>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an earlier run had put by of its open panes and was found now: the run and the number.
    pub const fn restored(&self) -> Option<(u64, u64)> {
        self.restored
    }

    fn state(&self) -> MutexGuard<'_, State<D::File>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Batches waiting and their bytes.
    pub fn size(&self) -> (usize, usize) {
        let state = self.state();
        (state.queue.len(), state.queue.bytes())
    }

    /// The highest number used so far.
    pub fn last(&self) -> u64 {
        self.state().queue.last()
    }

    /// The highest number that a loss of power does not take any more, nor any before it but what is lost
    /// already.
    pub fn kept(&self) -> u64 {
        self.state().queue.kept()
    }

    /// Losses that the collector is to be told of with the next batch: none while others are on their way. So they come
    /// together to a few, however long it lasts, and none is told twice.
    pub fn untold(&self) -> Vec<Loss> {
        let state = self.state();
        if !state.carried.is_empty() {
            return Vec::new();
        }
        let untold = state.losses.iter().filter(|k| k.untold());
        untold.map(|k| k.loss).take(mark::MAX_TOLD).collect()
    }

    /// What a batch that waits tells of.
    #[cfg(test)]
    fn carried(&self, number: u64) -> Vec<Loss> {
        let state = self.state();
        let carried = state.carried.iter().find(|(n, _)| *n == number);
        carried.map(|(_, told)| told.clone()).unwrap_or_default()
    }

    /// Whether the collector has heard of every loss.
    pub fn is_all_told(&self) -> bool {
        self.state().losses.iter().all(|known| known.told)
    }

    /// Adds batches that count only together. `told` are the losses that the first of them speaks of.
    pub fn push(&self, group: Vec<(Place, Bytes)>, told: Vec<Loss>, now: Timestamp) {
        let mut state = self.state();
        // They stand for what was put by before.
        state.open = Open::Nothing;
        if !told.is_empty() {
            let first = state.queue.last() + 1;
            mark_carried(&mut state.losses, &told, true);
            state.carried.push((first, told));
        }
        state.queue.push(group);
        let losses = state.queue.trim(self.room.bytes, self.room.memory, now);
        for loss in losses {
            self.lose(&mut state, loss);
        }
        self.show(&state);
        drop(state);
        self.added.notify_one();
        self.unwritten.notify_one();
    }

    /// What open panes hold, in place of what was put by before: found by the next run if this one ends
    /// without warning. Numbers grow within a run.
    pub fn put_by(&self, number: u64, batches: Vec<(Place, Bytes)>) {
        let boot = batches.first().map(|(place, _)| place.boot.0);
        let put_by = boot.map(|boot| PutBy {
            boot,
            number,
            batches,
        });
        self.state().open = put_by.map_or(Open::Nothing, Open::Held);
        self.unwritten.notify_one();
    }

    fn lose(&self, state: &mut State<D::File>, loss: Loss) {
        self.telemetry
            .outbox_dropped
            .with_label_values(&[loss.reason.as_str()])
            .inc_by(loss.batches);
        // What it was to tell is untold again.
        for (_, told) in state
            .carried
            .extract_if(.., |(number, _)| *number == loss.first)
        {
            mark_carried(&mut state.losses, &told, false);
            mark::join(&mut state.losses);
        }
        mark::remember(&mut state.losses, loss);
        state.changed = true;
    }

    /// The number of the first batch from this one on that waits.
    pub fn first(&self, from: u64) -> Option<u64> {
        self.state().queue.from(from)
    }

    /// A batch that waits; none if it does no more. One that the disk does not give back as it was written
    /// is lost, and counted.
    pub fn read(&self, number: u64, now: Timestamp) -> io::Result<Option<Waiting>> {
        let Some((place, held)) = self.state().queue.get(number) else {
            return Ok(None);
        };
        let envelope = match held {
            Held::Bytes(bytes) => Some(bytes),
            Held::Stored(spot) => spot
                .read(&*self.disk)
                .inspect_err(|error| self.failed("outbox_read", error))?,
        };
        if envelope.is_none() {
            self.damaged(number, now);
        }
        Ok(envelope.map(|envelope| Waiting {
            number,
            place,
            digest: batch::digest(&envelope),
            envelope,
        }))
    }

    /// The collector is done with a batch.
    pub fn release(&self, number: u64) {
        let mut state = self.state();
        if !state.queue.release(number) {
            return;
        }
        let at = state.carried.iter().position(|(n, _)| *n == number);
        if let Some(at) = at {
            let (_, told) = state.carried.remove(at);
            for known in &mut state.losses {
                known.told |= told.contains(&known.loss);
            }
        }
        let done = state.queue.released();
        state.losses.retain(|k| !(k.told && k.loss.last <= done));
        state.changed = true;
        self.show(&state);
        drop(state);
        self.released.notify_waiters();
    }

    /// Returns once something may be there to be sent that was not before.
    pub async fn added(&self) {
        self.added.notified().await;
    }

    /// Returns once nothing waits.
    pub async fn emptied(&self) {
        loop {
            let released = self.released.notified();
            if self.size().0 == 0 {
                return;
            }
            released.await;
        }
    }

    /// Writes what comes until told to stop, and then the rest. Blocks on the disk between awaits.
    pub async fn keep(&self, mut stop: watch::Receiver<bool>) {
        loop {
            self.persist(clock::wall());
            let wake = async {
                // Releases can wait: who is sent twice says so. So can what failed.
                tokio::select! {
                    () = self.unwritten.notified() => {}
                    () = tokio::time::sleep(TICK) => {}
                }
            };
            tokio::select! {
                () = wake => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        self.persist(clock::wall());
    }

    fn show(&self, state: &State<D::File>) {
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let telemetry = &self.telemetry;
        telemetry.outbox_batches.set(number(state.queue.len()));
        telemetry.outbox_bytes.set(number(state.queue.bytes()));
        telemetry.outbox_unwritten.set(number(state.queue.memory()));
    }

    /// Writes what is not on disk yet, and removes what is done with. Blocks on the disk. False if it
    /// failed: to be tried again. `now` is the wall clock.
    pub fn persist(&self, now: Timestamp) -> bool {
        let mut files = self.files();
        if self.read_disk(&mut files, now).is_some() {
            tracing::warn!(
                "what open panes held when the last run ended is found too late, and lost"
            );
        }
        match &mut *files {
            Files::Unread(_) => false,
            Files::Read(journal, open_panes) => {
                let open = std::mem::replace(&mut self.state().open, Open::AsWritten);
                let put_by = self.write_open(open_panes, &open);
                let batches = self.write_batches(journal, now);
                let marked = self.write_mark(journal);
                // What was put by before stands until the batches that stand for it do.
                if batches {
                    return put_by && marked && self.remove_open(open_panes, &open);
                }
                let mut state = self.state();
                if let (Open::Nothing, Open::AsWritten) = (open, &state.open) {
                    state.open = Open::Nothing;
                }
                false
            }
        }
    }

    fn write_batches(&self, journal: &mut Journal<D>, now: Timestamp) -> bool {
        loop {
            let unwritten = self.state().queue.unwritten();
            if unwritten.is_empty() {
                return true;
            }
            let begun = clock::wall();
            let written = self.entries(unwritten, now).and_then(|group| {
                let spots = journal.append(&group)?;
                Ok((group, spots))
            });
            match written {
                Ok((group, spots)) => {
                    let batches = group.iter().map(|entry| &entry.batch);
                    self.traces.put(batches, (begun, clock::wall()));
                    let mut state = self.state();
                    state.queue.written(&group, spots);
                    state.changed = true;
                    self.show(&state);
                }
                Err(error) => {
                    self.failed("outbox", &error);
                    return false;
                }
            }
        }
    }

    /// The bytes of batches that are to be written: some were found at start. One that is damaged by now is
    /// lost.
    fn entries(&self, group: Vec<Unwritten<D::File>>, now: Timestamp) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for Unwritten {
            number,
            place,
            held,
        } in group
        {
            let batch = match held {
                Held::Bytes(bytes) => Some(bytes),
                Held::Stored(spot) => spot.read(&*self.disk)?,
            };
            match batch {
                Some(batch) => entries.push(Entry {
                    number,
                    place,
                    batch,
                }),
                None => self.damaged(number, now),
            }
        }
        Ok(entries)
    }

    fn damaged(&self, number: u64, now: Timestamp) {
        tracing::error!(
            number,
            "a batch in the outbox is damaged; it is lost, and the collector is told"
        );
        let mut state = self.state();
        if let Some(loss) = state.queue.lose(number, LossReason::Damaged, now) {
            self.lose(&mut state, loss);
            self.show(&state);
        }
    }

    fn write_mark(&self, journal: &mut Journal<D>) -> bool {
        let (released, passed, losses) = {
            let mut state = self.state();
            if !std::mem::take(&mut state.changed) {
                return true;
            }
            let queue = &state.queue;
            (queue.released(), queue.passed(), state.losses.clone())
        };
        let settled = journal.settle(released, passed, &losses);
        if let Err(error) = &settled {
            self.state().changed = true;
            self.failed("outbox_mark", error);
        }
        settled.is_ok()
    }

    fn write_open(&self, open_panes: &mut OpenPanes, open: &Open) -> bool {
        let written = match open {
            Open::AsWritten | Open::Nothing => Ok(()),
            Open::Held(put_by) => open_panes.write(&*self.disk, put_by),
        };
        if let Err(error) = &written {
            // What open panes hold by then is put by the next time.
            self.failed("open_panes", error);
        }
        written.is_ok()
    }

    fn remove_open(&self, open_panes: &mut OpenPanes, open: &Open) -> bool {
        let removed = match open {
            Open::AsWritten => Ok(()),
            Open::Nothing => open_panes.remove(&*self.disk, true),
            Open::Held(_) => open_panes.remove(&*self.disk, false),
        };
        if let Err(error) = &removed {
            self.failed("open_panes", error);
        }
        removed.is_ok()
    }

    fn failed(&self, what: &str, error: &io::Error) {
        self.telemetry
            .state_write_failures
            .with_label_values(&[what])
            .inc();
        tracing::warn!(%error, what, "the outbox cannot be kept on disk as it should; batches are kept in memory");
    }
}

fn mark_carried(losses: &mut [Known], told: &[Loss], carried: bool) {
    for known in losses.iter_mut().filter(|k| told.contains(&k.loss)) {
        known.carried = carried;
    }
}

/// Whether what was put by is what the run would have shipped next: no batch was shipped that stands for it,
/// and none before it is missing, which would be in what was put by earlier.
fn comes_next<F>(put_by: &PutBy, recovery: &Recovery<F>, newest: Option<Place>) -> bool {
    let Some((first, _)) = put_by.batches.first() else {
        return false;
    };
    let written = recovery.newest.map(|(_, place)| place);
    let waiting = recovery.batches.iter().map(|r| r.place);
    let places = waiting.chain(newest).chain(written);
    let of_the_run = places.filter(|place| place.boot == first.boot);
    let last = of_the_run.map(|place| place.sequence.0).max();
    last.unwrap_or(0) + 1 == first.sequence.0
}

fn note<F>(telemetry: &Telemetry, recovery: &Recovery<F>) {
    let damaged = LossReason::Damaged.as_str();
    telemetry
        .outbox_dropped
        .with_label_values(&[damaged])
        .inc_by(recovery.damaged);
    if recovery.damaged > 0 || recovery.strange > 0 {
        tracing::error!(
            batches = recovery.damaged,
            bytes = recovery.strange,
            "the outbox was damaged; what is whole is sent, and the collector is told of the rest"
        );
    }
}

#[cfg(test)]
mod tests;
