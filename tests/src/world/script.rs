//! What an agent does to its outbox, as a script from a seed, and an account of what must be there after
//! whatever happened on the way.

use std::collections::BTreeMap;

use bytes::Bytes;
use clause9_agent::outbox::{Outbox, Room};
use clause9_agent::telemetry::Telemetry;
use clause9_shared::ids::{BootId, Sequence};
use clause9_shared::time::Timestamp;
use clause9_shared::wire::loss::{Loss, Place};

use crate::sim::random::Random;
use crate::world::disk::SimDisk;

/// Room for all that a script makes.
const ROOM: Room = Room {
    bytes: 64 << 20,
    memory: 64 << 20,
};

/// One thing that the agent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Panes close: so many batches.
    Push(u64),
    /// The keeper writes.
    Persist,
    /// The collector stored one: the first waiting, or one behind it.
    Release(u64),
    /// Open panes are put by.
    PutBy,
    /// The process ends without warning and starts again.
    Restart,
}

/// A script of so many steps.
pub fn script(seed: u64, steps: usize) -> Vec<Step> {
    let mut chance = Random::new(&[seed, 1]);
    let step = |_| match chance.below(20) {
        0..=5 => Step::Push(1 + chance.below(3)),
        6..=11 => Step::Persist,
        12..=15 => Step::Release(chance.below(4)),
        16..=18 => Step::PutBy,
        _ => Step::Restart,
    };
    (0..steps).map(step).collect()
}

/// The agent's side of the outbox, with what it knows of it.
#[derive(Debug)]
pub struct Agent {
    disk: SimDisk,
    /// None while it could not be opened.
    outbox: Outbox<SimDisk>,
    boot: u64,
    sequence: u64,
    held: u64,
    /// Every batch that was ever pushed, by number; and whether it was released.
    pushed: BTreeMap<u64, (Place, Bytes, bool)>,
    last: u64,
    /// Batches up to this number were said to be kept.
    pub kept: u64,
    /// What was put by last and said to be written, unless something was pushed since.
    put_by: Option<(Place, Bytes)>,
    /// The same, not yet written.
    unwritten_put_by: Option<(Place, Bytes)>,
    /// Everything that was ever put by.
    ever_put_by: Vec<(Place, Bytes)>,
    telemetry: Telemetry,
}

/// What is wrong with what was found.
pub type Wrong = String;

impl Agent {
    /// A first run on an empty disk.
    pub fn new(disk: SimDisk) -> Self {
        let telemetry = telemetry();
        Self {
            outbox: Outbox::open(disk.clone(), ROOM, telemetry.clone(), at(0)),
            disk,
            boot: 1,
            sequence: 0,
            held: 0,
            pushed: BTreeMap::new(),
            last: 0,
            kept: 0,
            put_by: None,
            unwritten_put_by: None,
            ever_put_by: Vec::new(),
            telemetry,
        }
    }

    /// Does a step.
    pub fn step(&mut self, step: Step) {
        match step {
            Step::Push(batches) => self.push(batches),
            Step::Persist => self.persist(),
            Step::Release(behind) => self.release(behind),
            Step::PutBy => self.put_open_panes_by(),
            Step::Restart => {
                self.disk.kill();
                self.restart();
            }
        }
        self.kept = self.kept.max(self.outbox.kept());
    }

    fn push(&mut self, batches: u64) {
        let mut group = Vec::new();
        for _ in 0..batches {
            self.sequence += 1;
            self.last += 1;
            let place = self.place(self.sequence);
            let batch = bytes_of(place, self.last);
            self.pushed.insert(self.last, (place, batch.clone(), false));
            group.push((place, batch));
        }
        self.put_by = None;
        self.unwritten_put_by = None;
        self.outbox.push(group, self.outbox.untold(), at(self.last));
    }

    fn persist(&mut self) {
        let before = self.outbox.last();
        let written = self.outbox.persist(at(self.last));
        // What could not be read at the start was read now: other numbers come before.
        let shift = self.outbox.last() - before;
        let pushed = std::mem::take(&mut self.pushed).into_iter();
        self.pushed = pushed
            .map(|(number, batch)| (number + shift, batch))
            .collect();
        self.last += shift;
        // What could not be written is not tried again before it is put by anew.
        let given = self.unwritten_put_by.take().filter(|_| written);
        self.put_by = given.or_else(|| self.put_by.take());
    }

    fn release(&mut self, behind: u64) {
        let mut number = self.outbox.first(0);
        for _ in 0..behind {
            number = number.and_then(|n| self.outbox.first(n + 1)).or(number);
        }
        if let Some(number) = number {
            self.outbox.release(number);
            if let Some((_, _, released)) = self.pushed.get_mut(&number) {
                *released = true;
            }
        }
    }

    fn put_open_panes_by(&mut self) {
        self.held += 1;
        let place = self.place(self.sequence + 1);
        let batch = bytes_of(place, 1_000_000 + self.held);
        self.ever_put_by.push((place, batch.clone()));
        self.unwritten_put_by = Some((place, batch.clone()));
        self.outbox.put_by(self.held, vec![(place, batch)]);
    }

    const fn place(&self, sequence: u64) -> Place {
        Place {
            boot: BootId(self.boot),
            sequence: Sequence(sequence),
        }
    }

    /// Starts again on what the disk has. What is found is checked by [`Agent::check`].
    pub fn restart(&mut self) {
        self.telemetry = telemetry();
        self.outbox = Outbox::open(
            self.disk.clone(),
            ROOM,
            self.telemetry.clone(),
            at(self.last),
        );
        self.boot += 1;
        self.sequence = 0;
        self.held = 0;
    }

    /// What was put by need not be found: the start could not read everything.
    pub fn forget_put_by(&mut self) {
        self.put_by = None;
    }

    /// What waits now.
    pub fn waiting(&self) -> Vec<(u64, Place, Bytes)> {
        self.disk.look_at(true);
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(number) = self.outbox.first(from) {
            if let Ok(Some(batch)) = self.outbox.read(number, at(self.last)) {
                found.push((number, batch.place, batch.envelope));
            }
            from = number + 1;
        }
        self.disk.look_at(false);
        found
    }

    /// Losses that the collector would be told of.
    pub fn losses(&self) -> Vec<Loss> {
        self.outbox.untold()
    }

    /// After a restart: whether everything is there that must be, and nothing else; and takes over what
    /// is there as what was pushed. Gives the number of batches that are sent again though the collector
    /// had them, and whether open panes were restored.
    pub fn check(&mut self) -> Result<(usize, bool), Wrong> {
        let found = self.waiting();
        let places: BTreeMap<Place, &Bytes> = found.iter().map(|(_, p, b)| (*p, b)).collect();
        if places.len() != found.len() {
            return Err(format!("a batch waits twice: {:?}", numbers(&found)));
        }
        for (number, (place, batch, released)) in &self.pushed {
            let there = places.get(place).is_some_and(|found| *found == batch);
            if *number <= self.kept && !released && !there {
                return Err(format!(
                    "batch {number} {place:?} was said to be kept up to {} and is gone; there are {:?}; {:?}, {:?}",
                    self.kept,
                    numbers(&found),
                    self.outbox.size(),
                    self.losses(),
                ));
            }
        }
        let mut again = 0;
        let mut restored = None;
        for (_, place, batch) in &found {
            let pushed = self.pushed.values().find(|(_, b, _)| b == batch);
            match pushed {
                Some((_, _, true)) => again += 1,
                Some((_, _, false)) => {}
                None if self.ever_put_by.iter().any(|(_, b)| b == batch) => {
                    restored = Some((*place, batch.clone()));
                }
                None => return Err(format!("{place:?} was never pushed")),
            }
        }
        self.check_restored(restored.as_ref())?;
        self.take_over(&found);
        Ok((again, restored.is_some()))
    }

    fn check_restored(&self, restored: Option<&(Place, Bytes)>) -> Result<(), Wrong> {
        if let Some((place, _)) = restored {
            let kept = self.pushed.range(..=self.kept).map(|(_, (p, ..))| p);
            let mut stands_for =
                kept.filter(|p| p.boot == place.boot && p.sequence >= place.sequence);
            if let Some(shipped) = stands_for.next() {
                return Err(format!(
                    "{place:?} is restored beside {shipped:?}, which stands for it"
                ));
            }
        }
        let newer = |expected: &(Place, Bytes)| {
            let of = |one: &(Place, Bytes)| self.ever_put_by.iter().position(|p| p == one);
            restored.and_then(of) >= of(expected)
        };
        match &self.put_by {
            Some(expected) if !newer(expected) => {
                Err(format!("what was put by as {:?} is gone", expected.0))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn take_over(&mut self, found: &[(u64, Place, Bytes)]) {
        self.pushed = found
            .iter()
            .map(|(number, place, batch)| (*number, (*place, batch.clone(), false)))
            .collect();
        self.last = self.outbox.last();
        self.kept = self.outbox.kept();
        self.put_by = None;
        self.unwritten_put_by = None;
    }
}

fn numbers(found: &[(u64, Place, Bytes)]) -> Vec<u64> {
    found.iter().map(|(number, ..)| *number).collect()
}

fn telemetry() -> Telemetry {
    Telemetry::new().expect("the names of figures are fixed")
}

/// Bytes that no other batch has; some shorter than a sector, some of several.
fn bytes_of(place: Place, salt: u64) -> Bytes {
    let mut chance = Random::new(&[place.boot.0, place.sequence.0, salt]);
    let length = 16 + chance.below(1500);
    let mut bytes = salt.to_le_bytes().to_vec();
    bytes.extend((0..length).map(|_| chance.byte()));
    bytes.into()
}

fn at(second: u64) -> Timestamp {
    let second = i64::try_from(second).unwrap_or(0);
    Timestamp::from_micros(second * 1_000_000).unwrap_or(Timestamp::EPOCH)
}
