//! Delivery in simulated worlds: nothing that was kept is lost, nothing is counted twice, and every fault
//! that is planted on purpose is found by the same seeds.

use clause9_agent::outbox::Room;
use clause9_tests::world::sabotage::Sabotage;
use clause9_tests::world::{self, Disks, Exercised};
use clause9_tests::world::{many, outage};

/// Worlds of a run in CI; `clause9-sim world --seeds` runs more.
const SEEDS: u64 = 2000;
/// Worlds whose disks are full and fail for long as well.
const FAILING: u64 = 300;

fn all_well(seeds: u64, disks: Disks) -> Exercised {
    let many = many::run(0..seeds, None, disks, &|_, _| {});
    assert_eq!(many.wrong, [], "clause9-sim world --seed SEED");
    many.exercised
}

#[test]
fn what_was_kept_arrives_once_whatever_goes_wrong() {
    let exercised = all_well(SEEDS, Disks::Well);
    // Duplicates and losses came about, and every kind of trouble.
    assert_eq!(exercised.troubles.len(), 8, "{exercised:?}");
    let shown = [
        exercised.duplicates,
        exercised.losses,
        exercised.restored,
        exercised.changed,
        exercised.strangers,
    ];
    assert!(shown.iter().all(|n| *n > 100), "{exercised:?}");
}

#[test]
fn disks_that_are_full_or_fail_for_long_take_nothing_with_them() {
    let exercised = all_well(FAILING, Disks::Failing);
    assert_eq!(exercised.troubles.len(), 10, "{exercised:?}");
}

#[test]
fn every_planted_fault_is_found() {
    let mut missed = Vec::new();
    for sabotage in Sabotage::ALL {
        if !(0..SEEDS).any(|seed| world::run(seed, Some(sabotage), Disks::Well).is_err()) {
            missed.push(sabotage);
        }
    }
    assert_eq!(missed, [], "not found by {SEEDS} worlds");
}

const HOURS: u64 = 72;

#[test]
fn three_days_without_the_collector_lose_nothing_that_there_is_room_for() {
    let room = Room {
        bytes: 256 << 20,
        memory: 1 << 20,
    };
    let passed = outage::run(1, HOURS, room).unwrap();
    assert!(passed.waited >= HOURS * 360, "{passed:?}");
    assert_eq!(
        (passed.stored, passed.lost.len()),
        (passed.shipped, 0),
        "{passed:?}"
    );
    // At least ten times as fast as it came about.
    let most = (HOURS * 3600) as f64 / 10.0;
    assert!(
        passed.caught_up_after.is_some_and(|took| took < most),
        "{passed:?}"
    );
}

#[test]
fn what_there_is_no_room_for_goes_oldest_first_and_is_told_once_each() {
    let room = Room {
        bytes: 1 << 20,
        memory: 1 << 20,
    };
    let passed = outage::run(2, 24, room).unwrap();
    let (first, last) = (*passed.lost.first().unwrap(), *passed.lost.last().unwrap());
    let lost = passed.lost.len() as u64;
    // Nothing between is spared, and nothing behind them is lost.
    assert_eq!(last - first + 1, lost, "{passed:?}");
    assert_eq!((passed.stored + lost, passed.told), (passed.shipped, lost));
    // The outbox was full of what came last.
    assert!(
        passed.waited > 500 && passed.waited <= passed.shipped - last,
        "{passed:?}"
    );
}

#[test]
fn the_same_seed_gives_the_same_world() {
    for seed in 0..20 {
        let again = world::run(seed, None, Disks::Well).unwrap();
        assert_eq!(world::run(seed, None, Disks::Well).unwrap(), again);
    }
}
