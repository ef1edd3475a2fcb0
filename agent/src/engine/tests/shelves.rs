//! Predictions that outlive memory and the process, on a real disk.

use clause9_shared::ids::BootId;

use super::*;
use crate::shelf::{DiskShelf, Setup};

fn set_up(settings: &Settings, folder: &std::path::Path, boot: u64) -> Setup {
    Setup {
        folder: folder.to_owned(),
        bytes: 1 << 20,
        plan: settings.plan.digest(),
        salt: settings.salt,
        clock: settings.clock,
        stride: Engine::packed_bytes(settings),
        boot: BootId(boot).0,
        horizon: Span::from_secs(3600),
        restored: None,
    }
}

/// An engine with little memory and a shelf, as a run of the agent has it.
fn run(folder: &std::path::Path, boot: u64) -> World {
    let settings = Settings {
        remembered: 10,
        waiting: 1000,
        ..settings(1.0)
    };
    let shelf = DiskShelf::open(set_up(&settings, folder, boot));
    let engine = Engine::new(settings).with_shelf(Some(Box::new(shelf)));
    World {
        engine,
        out: Vec::new(),
    }
}

#[test]
fn a_label_finds_its_prediction_after_memory_has_no_room_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = run(folder.path(), 1);
    for i in 0..200 {
        world.seen(0, &format!("id-{i}"), 2);
    }
    assert_eq!(world.engine.remembered(), 10);
    assert_eq!(world.engine.shelved().0, 400);
    for i in 0..200 {
        let fate = world.join(label(&format!("id-{i}"), 1, 1.0, 5), 10);
        assert_eq!((i, fate.joined), (i, 1));
    }
    for i in 0..200 {
        let id = format!("id-{i}");
        assert_eq!(world.join(label(&id, 1, 1.0, 5), 10).repeated, 1);
        assert_eq!(world.join(label(&id, 2, 1.0, 5), 10).unknown_row, 1);
    }
    let blocks = outcomes(&world.close(0, 200));
    assert_eq!((blocks[1].2.labels, blocks[1].2.repeated), (200, 200));
    world.engine.tidy();
    let tally = world.engine.take_tally();
    assert_eq!(tally.forgotten, shelf::ForgottenRows::default());
}

#[test]
fn an_id_that_memory_has_no_room_for_still_keeps_its_first_request() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = run(folder.path(), 1);
    for i in 0..50 {
        world.seen(0, &format!("id-{i}"), 1);
    }
    world.seen(0, "id-3", 2);
    let sum = traffic(&world.close(0, 51));
    assert_eq!((sum.sampled, sum.unidentified), (51, 1));
    assert_eq!(world.join(label("id-3", 1, 1.0, 65), 65).unknown_row, 1);
}

#[test]
fn after_a_kill_labels_join_what_was_predicted_before_and_no_label_counts_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = run(folder.path(), 1);
    for i in 0..100 {
        world.seen(0, &format!("id-{i}"), 1);
    }
    assert_eq!(world.join(label("id-0", 0, 1.0, 5), 10).joined, 1);
    let shipped = world.close(0, 100);
    assert_eq!(outcomes(&shipped)[0].2.labels, 1);
    // Joined, and never shipped: the process ends before the pane does.
    assert_eq!(world.join(label("id-1", 0, 1.0, 65), 70).joined, 1);
    world.engine.tidy();
    drop(world);

    let mut world = run(folder.path(), 2);
    world.engine.tidy();
    assert_eq!(world.join(label("id-0", 0, 1.0, 130), 130).repeated, 1);
    assert_eq!(world.join(label("id-1", 0, 1.0, 130), 130).joined, 1);
    assert_eq!(world.join(label("id-99", 0, 1.0, 130), 130).joined, 1);
    assert_eq!(world.join(label("never", 0, 1.0, 130), 130).waiting, 1);
    let items = world.close(2, 0);
    let blocks = outcomes(&items);
    let of_pane = |pane| blocks.iter().find(|b| b.0 == pane).unwrap().2.clone();
    assert_eq!(
        (of_pane(minute(0)).labels, of_pane(minute(0)).repeated),
        (2, 1)
    );
    let unjoined = of_pane(minute(2));
    assert_eq!(
        (unjoined.unknown_id, unjoined.dropped),
        (1, 1),
        "the lost one is counted"
    );
    drop(world);

    let mut world = run(folder.path(), 3);
    world.engine.tidy();
    for id in ["id-0", "id-1", "id-99"] {
        assert_eq!(world.join(label(id, 0, 1.0, 190), 190).repeated, 1);
    }
    let blocks = outcomes(&world.close(3, 0));
    assert_eq!(blocks.len(), 1, "what was lost is counted once: {blocks:?}");
}

#[test]
fn beyond_the_horizon_nothing_is_left_on_disk_and_late_labels_are_forgotten_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = run(folder.path(), 1);
    for i in 0..20 {
        world.seen(0, &format!("id-{i}"), 1);
    }
    world.close(0, 20);
    world.close(62, 0);
    assert_eq!(world.engine.shelved(), (0, 0));
    world.join(label("id-5", 0, 1.0, 63 * 60), 63 * 60);
    world.join(label("never", 0, 1.0, 63 * 60), 63 * 60);
    let blocks = outcomes(&world.close(63, 0));
    assert_eq!((blocks[0].2.forgotten, blocks[0].2.unknown_id), (1, 1));
    world.engine.tidy();
    let tally = world.engine.take_tally();
    assert_eq!(tally.forgotten[shelf::Reason::Horizon as usize], 20);
}

#[test]
fn after_a_panic_what_is_on_the_shelf_is_still_known() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = run(folder.path(), 1);
    for i in 0..30 {
        world.seen(0, &format!("id-{i}"), 1);
    }
    world.engine = world.engine.after_panic();
    let tally = world.engine.take_tally();
    assert_eq!(tally.forgotten[shelf::Reason::MonitorDown as usize], 0);
    assert_eq!(world.join(label("id-29", 0, 1.0, 5), 10).joined, 1);
}
