//! The collector is away for days, and nothing else is wrong: what the outbox has room for arrives, and soon; of
//! what it has no room for the oldest goes, and each batch of it is told.

use std::collections::BTreeSet;

use clause9_agent::outbox::Room;

use super::{BEGIN, CALM, Event, SECOND, Trouble, World, Wrong};
use crate::sim::random::Random;

/// How long all is well before.
const BEFORE: u64 = 600 * SECOND;

/// What came of an outage.
#[derive(Clone, Debug, PartialEq)]
pub struct Passed {
    /// Batches that were shipped since the world began: as many numbers were given.
    pub shipped: u64,
    /// Batches that waited when the collector was back.
    pub waited: u64,
    /// Batches that the collector stored.
    pub stored: u64,
    /// Numbers of batches that were told to be lost.
    pub lost: BTreeSet<u64>,
    /// How often those were told altogether.
    pub told: u64,
    /// Seconds from the collector's return until next to nothing waited, if that came.
    pub caught_up_after: Option<f64>,
}

/// One agent, whose outbox has that room, while the collector cannot be reached for so many hours.
pub fn run(seed: u64, hours: u64, room: Room) -> Result<Passed, Wrong> {
    let mut world = World::of(Random::new(&[seed, 0x58]), (1, room), None);
    let back = BEGIN + BEFORE + hours * 3600 * SECOND;
    world.stormy_until = BEGIN;
    world.settles = back;
    world.ends = back + CALM * 10;
    world.start(0);
    world.at(BEGIN + BEFORE, Event::Trouble(Trouble::Partition(0)));
    world.at(back, Event::Over(Trouble::Partition(0)));
    let mut waited = 0;
    let mut caught_up = None;
    while world.turn() {
        let (waiting, _) = world.agents[0].shipped();
        if world.now < back {
            waited = waiting;
        } else if waiting <= 2 && caught_up.is_none() {
            caught_up = Some(world.now - back);
        }
    }
    world.check()?;
    let stored = world.collector.stored.values();
    let losses: Vec<_> = stored.flat_map(|(_, batch)| &batch.losses).collect();
    let caught_up_after = caught_up.map(|took| took as f64 / SECOND as f64);
    Ok(Passed {
        shipped: world.agents[0].shipped().1,
        waited,
        stored: world.collector.stored.len() as u64,
        lost: losses.iter().flat_map(|l| l.first..=l.last).collect(),
        told: losses.iter().map(|l| l.batches).sum(),
        caught_up_after,
    })
}
