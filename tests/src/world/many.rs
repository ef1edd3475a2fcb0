//! Many worlds at once, on every core: each depends on its seed alone.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::sabotage::Sabotage;
use super::{Disks, Exercised, Wrong, tell};

/// What came of many worlds.
#[derive(Debug, Default)]
pub struct Many {
    /// Those that are wrong, by seed.
    pub wrong: Vec<(u64, Wrong)>,
    /// What all of them put to the test.
    pub exercised: Exercised,
}

/// Runs the worlds of these seeds; `done` hears how many have ended and how many of them are wrong.
pub fn run(
    seeds: Range<u64>,
    sabotage: Option<Sabotage>,
    disks: Disks,
    done: &(dyn Fn(u64, usize) + Sync),
) -> Many {
    let next = AtomicU64::new(seeds.start);
    let many = Mutex::new((0, Many::default()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let (judged, more) = tell(seed, sabotage, disks);
            let (ended, many) = &mut *many.lock().unwrap_or_else(PoisonError::into_inner);
            *ended += 1;
            many.exercised.add(&more);
            many.wrong.extend(judged.err().map(|wrong| (seed, wrong)));
            done(*ended, many.wrong.len());
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    let (_, mut many) = many.into_inner().unwrap_or_else(PoisonError::into_inner);
    many.wrong.sort_by_key(|(seed, _)| *seed);
    many
}
