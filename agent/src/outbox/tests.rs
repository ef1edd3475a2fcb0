use std::fs;
use std::path::Path;

use clause9_shared::ids::{BootId, Sequence};

use super::*;

const ROOM: Room = Room {
    bytes: 1 << 20,
    memory: 1 << 20,
};

fn batch(sequence: u64) -> (Place, Bytes) {
    let place = Place {
        boot: BootId(1),
        sequence: Sequence(sequence),
    };
    (
        place,
        Bytes::from(sequence.to_le_bytes().repeat(13)[..100].to_vec()),
    )
}

fn opened(folder: &Path, room: Room) -> (Outbox, Telemetry) {
    let telemetry = Telemetry::new().unwrap();
    let disk = Folder::new(folder.to_owned());
    let outbox = Outbox::open(disk, room, telemetry.clone(), Timestamp::EPOCH);
    (outbox, telemetry)
}

fn push(outbox: &Outbox, sequence: u64) {
    outbox.push(vec![batch(sequence)], outbox.untold(), Timestamp::EPOCH);
}

fn waiting(outbox: &Outbox) -> Vec<u64> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(number) = outbox.first(from) {
        let read = outbox.read(number, Timestamp::EPOCH).unwrap();
        found.extend(read.map(|b| b.place.sequence.0));
        from = number + 1;
    }
    found
}

#[test]
fn a_restart_sends_what_was_not_stored_in_the_same_order() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, _) = opened(folder.path(), ROOM);
    (1..=12).for_each(|sequence| push(&outbox, sequence));
    assert!(outbox.persist(Timestamp::EPOCH));
    outbox.release(1);
    outbox.release(5);
    assert!(outbox.persist(Timestamp::EPOCH));
    drop(outbox);
    fs::write(folder.path().join("of-somebody-else.txt"), "x").unwrap();
    let (again, telemetry) = opened(folder.path(), ROOM);
    // What was released behind one that waits is sent again, and known at the collector.
    assert_eq!(waiting(&again), (2..=12).collect::<Vec<_>>());
    assert_eq!(telemetry.outbox_batches.get(), 11);
    assert_eq!(again.untold(), []);
}

#[test]
fn what_is_done_with_takes_no_room_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let room = Room {
        bytes: 64 << 20,
        memory: 64 << 20,
    };
    let (outbox, _) = opened(folder.path(), room);
    for round in 0..40 {
        let large = (batch(round + 1).0, Bytes::from(vec![1; 1 << 20]));
        outbox.push(vec![large], Vec::new(), Timestamp::EPOCH);
        assert!(outbox.persist(Timestamp::EPOCH));
        outbox.release(round + 1);
    }
    assert!(outbox.persist(Timestamp::EPOCH));
    let files = fs::read_dir(folder.path()).unwrap();
    let bytes: u64 = files.map(|f| f.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes < 8 << 20, "{bytes} bytes for nothing that waits");
}

#[test]
fn beyond_its_bound_the_oldest_batch_goes_is_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let room = Room {
        bytes: 200,
        memory: 200,
    };
    let (outbox, telemetry) = opened(folder.path(), room);
    for sequence in 1..=4 {
        push(&outbox, sequence);
        outbox.persist(Timestamp::EPOCH);
    }
    assert_eq!((outbox.size(), waiting(&outbox)), ((2, 200), vec![3, 4]));
    let full = telemetry.outbox_dropped.with_label_values(&["outbox_full"]);
    assert_eq!(full.get(), 2);
    // The fourth was to tell of the first; the second is told of once that has arrived.
    assert_eq!(outbox.untold(), []);
    drop(outbox);
    // After a restart it is not known what arrived: both are told.
    let (again, _) = opened(folder.path(), room);
    let told: u64 = again.untold().iter().map(|l| l.batches).sum();
    assert_eq!(told, 2);
}

#[test]
fn a_loss_is_told_until_the_collector_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let room = Room {
        bytes: 300,
        memory: 300,
    };
    let (outbox, _) = opened(folder.path(), room);
    (1..=4).for_each(|sequence| push(&outbox, sequence));
    assert_eq!(outbox.untold().len(), 1);
    push(&outbox, 5);
    // The fifth carries it; that it pushed the second out is new, and waits.
    assert_eq!(outbox.untold(), []);
    outbox.release(5);
    assert_eq!(
        outbox.untold().iter().map(|l| l.first).collect::<Vec<_>>(),
        [2]
    );
    assert!(outbox.persist(Timestamp::EPOCH));
    drop(outbox);
    let (again, _) = opened(folder.path(), room);
    assert_eq!(
        again.untold().iter().map(|l| l.first).collect::<Vec<_>>(),
        [2]
    );
}

#[test]
fn however_much_is_lost_in_however_many_stretches_each_batch_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let room = Room {
        bytes: 500,
        memory: 500,
    };
    let (outbox, telemetry) = opened(folder.path(), room);
    let mut told: Vec<Loss> = Vec::new();
    for sequence in 1..=3000 {
        push(&outbox, sequence);
        // Now and then one arrives out of turn, so that losses do not follow each other.
        if sequence % 7 == 0 {
            let number = outbox.last() - 1;
            let carried = outbox.carried(number);
            outbox.release(number);
            told.extend(carried);
        }
    }
    while let Some(number) = outbox.first(0) {
        told.extend(outbox.carried(number));
        outbox.release(number);
    }
    while !outbox.is_all_told() {
        push(&outbox, 0);
        told.extend(outbox.carried(outbox.last()));
        outbox.release(outbox.last());
    }
    let full = telemetry.outbox_dropped.with_label_values(&["outbox_full"]);
    assert!(full.get() > 2000);
    assert_eq!(told.iter().map(|l| l.batches).sum::<u64>(), full.get());
}

#[test]
fn a_folder_that_cannot_be_written_is_counted_and_memory_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox");
    fs::write(&path, "a file, not a folder").unwrap();
    let (outbox, telemetry) = opened(&path, ROOM);
    push(&outbox, 1);
    assert!(!outbox.persist(Timestamp::EPOCH));
    assert_eq!((waiting(&outbox), outbox.kept()), (vec![1], 0));
    let failures = telemetry
        .state_write_failures
        .with_label_values(&["outbox"]);
    assert_eq!(failures.get(), 2);
    // It is made room for the folder: everything is written.
    fs::remove_file(&path).unwrap();
    assert!(outbox.persist(Timestamp::EPOCH));
    assert_eq!(outbox.kept(), 1);
    drop(outbox);
    assert_eq!(waiting(&opened(&path, ROOM).0), [1]);
}
