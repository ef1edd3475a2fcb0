//! Delivery in simulated worlds: nothing that was kept is lost, nothing is counted twice, and every fault
//! that is planted on purpose is found by the same seeds.

use clause9_tests::world::sabotage::Sabotage;
use clause9_tests::world::{self, Disks, Exercised};

/// Worlds of a run in CI; `clause9-sim world --seeds` runs more.
const SEEDS: u64 = 600;

#[test]
fn what_was_kept_arrives_once_whatever_goes_wrong() {
    let mut exercised = Exercised::default();
    for seed in 0..SEEDS {
        match world::run(seed, None, Disks::Well) {
            Ok(more) => exercised.add(&more),
            Err(wrong) => panic!("clause9-sim world --seed {seed}: {wrong}"),
        }
    }
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
fn every_planted_fault_is_found() {
    let mut missed = Vec::new();
    for sabotage in Sabotage::ALL {
        if !(0..SEEDS).any(|seed| world::run(seed, Some(sabotage), Disks::Well).is_err()) {
            missed.push(sabotage);
        }
    }
    assert_eq!(missed, [], "not found by {SEEDS} worlds");
}

#[test]
fn the_same_seed_gives_the_same_world() {
    for seed in 0..20 {
        let again = world::run(seed, None, Disks::Well).unwrap();
        assert_eq!(world::run(seed, None, Disks::Well).unwrap(), again);
    }
}
