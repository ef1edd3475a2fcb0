//! An agent of the world: the agent's own engine, sealer, outbox and courier on a simulated disk, with a
//! clock and a workload from outside, and an account of what it has promised.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clause9_agent::engine::{Engine, Input, Output, Settings, SocketCounts};
use clause9_agent::outbox::{Outbox, Room, Waiting};
use clause9_agent::sample::{Sampler, salt_id};
use clause9_agent::ship::{Courier, Delivered, Sealer, Shipped, Step};
use clause9_agent::telemetry::Telemetry;
use clause9_shared::digest::Digest;
use clause9_shared::ids::{AgentId, BootId, SystemId};
use clause9_shared::plan::CapturePlan;
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::window::PaneStart;
use clause9_shared::wire::batch::{self, Batch, Envelope, Stream};
use clause9_shared::wire::loss::Place;
use ed25519_dalek::SigningKey;

use super::disk::SimDisk;
use super::sabotage::Sabotage;

/// How often open panes are put by, in seconds.
const PUT_BY: u64 = 10;
/// A second.
const SECOND: u64 = 1_000_000;
/// What open panes held so long ago, no crash may take.
const BOUND: u64 = 12 * SECOND;
/// How long all must have been well for that to hold.
const WELL: u64 = 30 * SECOND;

/// Exchanges counted in panes.
pub(super) type Counts = BTreeMap<PaneStart, u64>;

/// A process of the agent.
pub(super) struct Process {
    pub(super) outbox: Outbox<SimDisk>,
    pub(super) courier: Courier,
    engine: Engine,
    sealer: Sealer,
    open: BTreeMap<PaneStart, SocketCounts>,
    closed: Option<PaneStart>,
    put_by: u64,
    /// Tells this process from others of the agent.
    pub(super) number: u64,
    began: u64,
    failures: u32,
    /// Sequences with their numbers in the outbox, pushed by this process.
    pushed: Vec<(Place, u64, Counts)>,
    /// What was given to be put by, and what of it is known to be on disk: with the place it begins at.
    given: Option<(Place, Counts)>,
    written: Option<(Place, Counts)>,
    /// What open panes held in each of the last seconds.
    past: VecDeque<(u64, Counts)>,
}

/// What an agent has promised, through all its processes.
#[derive(Default)]
pub(super) struct Account {
    /// Everything that was ever signed, by its place.
    pub(super) signed: BTreeMap<Place, BTreeSet<Digest>>,
    /// Exchanges that came, by pane.
    pub(super) produced: Counts,
    /// Batches that may not be lost unless it is told: with their numbers in the outbox.
    pub(super) promised: BTreeMap<Place, (u64, Counts)>,
    /// Exchanges in open panes that may not be lost.
    pub(super) guaranteed: Counts,
    /// Exchanges whose fate is open: what crashes may have taken.
    pub(super) excused: Counts,
    /// What the last crash added to `guaranteed`.
    last: Counts,
}

/// An agent.
pub(super) struct Agent {
    pub(super) key: SigningKey,
    pub(super) id: AgentId,
    pub(super) disk: SimDisk,
    pub(super) process: Option<Process>,
    pub(super) account: Account,
    pub(super) room: Room,
    plan: Arc<CapturePlan>,
    system: SystemId,
    processes: u64,
    /// How far its wall clock is off, in microseconds.
    pub(super) off: i64,
    /// When its disk was last ill, or its clock last set.
    pub(super) trouble: u64,
    sabotage: Option<Sabotage>,
}

impl Agent {
    pub(super) fn new(
        number: u8,
        plan: Arc<CapturePlan>,
        room: Room,
        sabotage: Option<Sabotage>,
    ) -> Self {
        let key = SigningKey::from_bytes(&[number + 1; 32]);
        let disk = SimDisk::default();
        disk.lie(
            sabotage == Some(Sabotage::FilesAreNotSynced),
            sabotage == Some(Sabotage::FolderIsNotSynced),
        );
        Self {
            id: AgentId::of_key(key.verifying_key().as_bytes()),
            key,
            disk,
            process: None,
            account: Account::default(),
            room,
            system: plan.document().system.id.clone(),
            plan,
            processes: 0,
            off: 0,
            trouble: 0,
            sabotage,
        }
    }

    fn wall(&self, now: u64) -> Timestamp {
        let micros = i64::try_from(now).unwrap_or(0) + self.off;
        Timestamp::from_micros(micros).unwrap_or(Timestamp::EPOCH)
    }

    /// Starts a process on what the disk has.
    pub(super) fn start(&mut self, now: u64) {
        self.disk.kill();
        if self.sabotage == Some(Sabotage::StartSkips) {
            self.disk.wipe();
        }
        self.processes += 1;
        let wall = self.wall(now);
        let boot = match self.sabotage {
            Some(Sabotage::RunsShareTheirName) => BootId(1),
            _ => BootId(wall.micros().unsigned_abs()),
        };
        let telemetry = Telemetry::new().expect("the names of figures are fixed");
        let bitten = self.disk.bitten().len();
        let outbox = Outbox::open(self.disk.clone(), self.room, telemetry, wall);
        let last = std::mem::take(&mut self.account.last);
        if self.disk.bitten().len() > bitten {
            // Who cannot read the disk does not find what was put by.
            for (pane, seen) in &last {
                *self.account.guaranteed.entry(*pane).or_default() -= seen;
            }
        }
        let settings = Settings {
            baseline: self.plan.baseline().digest(),
            plan: Arc::clone(&self.plan),
            sampler: Sampler::new([9; 32], 1.0),
            cap: None,
            salt: salt_id(&[9; 32]),
            clock: Clock::Live,
            remembered: 16,
            remembered_bytes: 1 << 16,
            waiting: 16,
            forward_after: None,
        };
        self.process = Some(Process {
            outbox,
            courier: Courier::default(),
            engine: Engine::new(settings),
            sealer: Sealer::new(self.key.clone(), boot, self.system.clone(), Clock::Live),
            open: BTreeMap::new(),
            closed: None,
            put_by: 0,
            number: self.processes,
            began: now,
            failures: 0,
            pushed: Vec::new(),
            given: None,
            written: None,
            past: VecDeque::new(),
        });
    }

    /// A second passes: so many exchanges come, panes that are over are closed, open ones are put by.
    pub(super) fn second(&mut self, now: u64, exchanges: u64) {
        let wall = self.wall(now);
        let panes = &self.plan.document().panes;
        let (length, lateness) = (panes.length, panes.lateness);
        let Some(process) = &mut self.process else {
            return;
        };
        // Panes never go back, whatever the wall clock does.
        let pane = PaneStart::of(wall, length).max(
            process
                .closed
                .map_or(PaneStart(Timestamp::EPOCH), |c| c.next(length)),
        );
        let counts = process.open.entry(pane).or_default();
        counts.seen += exchanges;
        counts.not_inference += exchanges;
        *self.account.produced.entry(pane).or_default() += exchanges;
        let mut shipped = Vec::new();
        while let Some((start, socket)) = process.open.first_key_value() {
            if start.end(length) + lateness > wall {
                break;
            }
            let (start, socket) = (*start, socket.clone());
            process.open.remove(&start);
            process.closed = process.closed.max(Some(start));
            let mut out = Vec::new();
            process
                .engine
                .handle(Input::Close(start, socket), wall, &mut out);
            shipped.extend(out.into_iter().filter_map(|o| match o {
                Output::Ship(items, watermark) => Some((items, watermark)),
                Output::Measured(_) | Output::Answer(_) | Output::Told(_) | Output::Held(_) => None,
            }));
        }
        let shipping = !shipped.is_empty();
        if shipping {
            self.ship(shipped, wall);
        }
        let Some(process) = &mut self.process else {
            return;
        };
        let open = process.open.iter().map(|(p, c)| (*p, c.seen)).collect();
        process.past.push_back((now, open));
        process.past.retain(|(at, _)| at + BOUND + 2 * SECOND > now);
        let due = (now - process.began) / SECOND % PUT_BY == PUT_BY - 1;
        if (due || shipping) && self.sabotage != Some(Sabotage::NothingIsPutBy) {
            self.put_by(wall);
        }
    }

    fn ship(&mut self, shipped: Vec<Shipped>, wall: Timestamp) {
        let Some(process) = &mut self.process else {
            return;
        };
        let losses = match self.sabotage {
            Some(Sabotage::LossesAreKeptQuiet) => Vec::new(),
            _ => process.outbox.untold(),
        };
        let batches = process.sealer.seal(shipped, &losses, None, wall);
        let mut number = process.outbox.last();
        for (place, bytes) in &batches {
            number += 1;
            let counts = counts_of(bytes);
            self.account
                .signed
                .entry(*place)
                .or_default()
                .insert(batch::digest(bytes));
            process.pushed.push((*place, number, counts));
        }
        // What was put by stands until these are on disk.
        process.given = None;
        process.outbox.push(batches, losses, wall);
    }

    fn put_by(&mut self, wall: Timestamp) {
        let Some(process) = &mut self.process else {
            return;
        };
        process.put_by += 1;
        let open = process.open.iter().map(|(p, c)| (*p, c.clone())).collect();
        let mut out = Vec::new();
        process
            .engine
            .handle(Input::Hold(open, process.put_by), wall, &mut out);
        let Some(Output::Held(Some(held))) = out.pop() else {
            return;
        };
        let mut batches = process.sealer.put_by(vec![held], None, wall);
        if self.sabotage == Some(Sabotage::PutByUnderOtherNumbers) {
            for (place, bytes) in &mut batches {
                place.sequence.0 += 100_000;
                *bytes = renumbered(bytes, *place, &self.key);
            }
        }
        let mut counts = Counts::new();
        for (place, bytes) in &batches {
            self.account
                .signed
                .entry(*place)
                .or_default()
                .insert(batch::digest(bytes));
            for (pane, seen) in counts_of(bytes) {
                *counts.entry(pane).or_default() += seen;
            }
        }
        process.given = batches.first().map(|(place, _)| (*place, counts));
        process.outbox.put_by(process.put_by, batches);
    }

    /// The keeper writes.
    pub(super) fn persist(&mut self, now: u64) {
        let wall = self.wall(now);
        let Some(process) = &mut self.process else {
            return;
        };
        let bitten = self.disk.bitten().len();
        let before = process.outbox.last();
        let written = process.outbox.persist(wall);
        if self.disk.bitten().len() > bitten {
            self.trouble = now;
        }
        // What could not be read at the start was read now: other numbers come before.
        let shift = process.outbox.last() - before;
        for (_, number, _) in &mut process.pushed {
            *number += shift;
        }
        // What could not be written is not tried again before it is put by anew.
        let given = process.given.take().filter(|_| written);
        process.written = given.or_else(|| process.written.take());
    }

    /// What the courier would do now.
    pub(super) fn step(&mut self, now: u64) -> Option<Step> {
        let sabotage = self.sabotage;
        let process = self.process.as_mut()?;
        if sabotage == Some(Sabotage::GivesUp) && process.failures > 5 {
            return None;
        }
        let outbox = &process.outbox;
        let first = |from| match sabotage {
            Some(Sabotage::OneStopsAll) => outbox.first(0).filter(|n| *n >= from),
            _ => outbox.first(from),
        };
        Some(
            process
                .courier
                .next(Duration::from_micros(now - process.began), first),
        )
    }

    /// A batch that is to be sent; none if it is not there, or not to be read now.
    pub(super) fn fetch(&mut self, number: u64, now: u64, chance: f64) -> Option<Waiting> {
        let wall = self.wall(now);
        let process = self.process.as_mut()?;
        match process.outbox.read(number, wall) {
            Ok(Some(waiting)) => {
                if self.sabotage == Some(Sabotage::SendingReleases) {
                    process.outbox.release(number);
                }
                Some(waiting)
            }
            Ok(None) => {
                process.courier.gone(number);
                None
            }
            Err(_) => {
                let since = Duration::from_micros(now - process.began);
                let failed = Delivered::Failed(None);
                process.courier.answered(number, failed, since, chance);
                None
            }
        }
    }

    /// What became of a delivery by that process.
    pub(super) fn answered(
        &mut self,
        (process, number): (u64, u64),
        what: Delivered,
        now: u64,
        chance: f64,
    ) {
        let Some(running) = self.process.as_mut().filter(|p| p.number == process) else {
            return;
        };
        let what = match (self.sabotage, what) {
            (Some(Sabotage::AnyAnswerReleases), Delivered::Failed(_))
            | (Some(Sabotage::StrangersGiveUp), Delivered::Stranger(_)) => Delivered::Settled,
            (Some(Sabotage::OneStopsAll), Delivered::Failed(_)) => Delivered::Unanswered(None),
            (_, what) => what,
        };
        match what {
            Delivered::Settled => {
                running.failures = 0;
                let number = match self.sabotage {
                    Some(Sabotage::AnswersAreMixedUp) => running.outbox.first(0).unwrap_or(number),
                    _ => number,
                };
                running.outbox.release(number);
            }
            Delivered::Unanswered(_)
            | Delivered::Failed(_)
            | Delivered::Stranger(_)
            | Delivered::Unkept => {
                running.failures += 1;
            }
        }
        let since = Duration::from_micros(now.saturating_sub(running.began));
        running.courier.answered(number, what, since, chance);
    }

    /// The process ends without warning: what it had promised is settled.
    pub(super) fn end(&mut self, now: u64) {
        let Some(process) = self.process.take() else {
            return;
        };
        let kept = process.outbox.kept();
        let account = &mut self.account;
        let mut stands = process.written.clone();
        for (place, number, counts) in &process.pushed {
            if *number <= kept {
                account.promised.insert(*place, (*number, counts.clone()));
                if stands
                    .as_ref()
                    .is_some_and(|(from, _)| place.sequence >= from.sequence)
                {
                    stands = None;
                }
            } else {
                add(&mut account.excused, counts);
            }
        }
        let open: Counts = process.open.iter().map(|(p, c)| (*p, c.seen)).collect();
        add(&mut account.excused, &open);
        // Of what is excused, that much was put by; or must have been, if all was well for long enough.
        let mut sure = stands.map(|(_, counts)| counts).unwrap_or_default();
        if now > self.trouble.max(process.began) + WELL {
            let past = process.past.iter().rev();
            let then = past.clone().find(|(at, _)| at + BOUND <= now);
            for (pane, seen) in then.into_iter().flat_map(|(_, counts)| counts) {
                if open.contains_key(pane) {
                    let known = sure.entry(*pane).or_default();
                    *known = (*known).max(*seen);
                }
            }
        }
        add(&mut account.guaranteed, &sure);
        account.last = sure;
    }

    /// Everything that was pushed by the process that runs is promised.
    pub(super) fn promise(&mut self) {
        if let Some(process) = &self.process {
            for (place, number, counts) in &process.pushed {
                let promise = (*number, counts.clone());
                self.account.promised.insert(*place, promise);
            }
        }
    }

    /// How many batches wait, and how many were ever shipped.
    pub(super) fn shipped(&self) -> (u64, u64) {
        let outbox = self.process.as_ref().map(|p| &p.outbox);
        outbox.map_or((0, 0), |o| (o.size().0 as u64, o.last()))
    }

    /// What waits, with when it was signed.
    pub(super) fn waiting(&self) -> Vec<(Digest, Timestamp)> {
        let Some(process) = &self.process else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(number) = process.outbox.first(from) {
            if let Ok(Some(batch)) = process.outbox.read(number, Timestamp::EPOCH) {
                let opened = Envelope::parse(&batch.envelope)
                    .ok()
                    .and_then(|e| e.open().ok());
                found.extend(opened.map(|b| (batch.digest, b.created_at)));
            }
            from = number + 1;
        }
        found
    }

    /// Exchanges of open panes of the process that runs.
    pub(super) fn open(&self) -> Counts {
        let open = self.process.iter().flat_map(|p| &p.open);
        open.map(|(pane, counts)| (*pane, counts.seen)).collect()
    }
}

pub(super) fn add(to: &mut Counts, counts: &Counts) {
    for (pane, seen) in counts {
        *to.entry(*pane).or_default() += seen;
    }
}

/// Exchanges that a batch speaks of.
pub(super) fn counts_in(batch: &Batch) -> Counts {
    let mut counts = Counts::new();
    for item in &batch.items {
        if let Stream::Traffic(coverage) = &item.stream {
            *counts.entry(item.pane).or_default() += coverage.seen;
        }
    }
    counts
}

fn counts_of(envelope: &[u8]) -> Counts {
    let opened = Envelope::parse(envelope).ok().and_then(|e| e.open().ok());
    opened.as_ref().map(counts_in).unwrap_or_default()
}

fn renumbered(envelope: &[u8], place: Place, key: &SigningKey) -> Bytes {
    let opened = Envelope::parse(envelope).ok().and_then(|e| e.open().ok());
    let renumbered = opened.map(|mut batch| {
        batch.sequence = place.sequence;
        batch::seal(&batch, key)
    });
    renumbered.unwrap_or_default().into()
}
