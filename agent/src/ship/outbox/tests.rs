use clause9_shared::ids::SystemId;
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::wire::batch::Batch;
use ed25519_dalek::SigningKey;

use super::*;

fn envelope_of(sequence: u64) -> Bytes {
    let batch = Batch {
        boot: BootId(1),
        sequence: Sequence(sequence),
        created_at: Timestamp::EPOCH,
        clock: Clock::Live,
        system: SystemId::new("s").unwrap(),
        watermark: Timestamp::EPOCH,
        watching_since: Timestamp::EPOCH,
        items: vec![],
    };
    batch::seal(&batch, &SigningKey::from_bytes(&[3; 32])).into()
}

fn opened(folder: &Path, limit: usize) -> (Outbox, Telemetry) {
    let telemetry = Telemetry::new().unwrap();
    (
        Outbox::open(folder.to_owned(), limit, telemetry.clone()),
        telemetry,
    )
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

fn first(outbox: &Outbox) -> Waiting {
    outbox.lock().batches.front().cloned().unwrap()
}

#[test]
fn a_restart_sends_what_was_not_stored_in_the_same_order() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, _) = opened(folder.path(), 1 << 20);
    for sequence in 1..=12 {
        outbox.push(BootId(1), Sequence(sequence), envelope_of(sequence));
    }
    outbox.persist();
    let sent = first(&outbox);
    outbox.release(&sent);
    drop(outbox);
    fs::write(folder.path().join("half.tmp"), "x").unwrap();
    let (again, telemetry) = opened(folder.path(), 1 << 20);
    let names: Vec<_> = again
        .lock()
        .batches
        .iter()
        .map(|b| b.envelope.clone())
        .collect();
    assert_eq!(names, (2..=12).map(envelope_of).collect::<Vec<_>>());
    assert_eq!(
        (files(folder.path()), telemetry.outbox_batches.get()),
        (11, 11)
    );
}

#[test]
fn beyond_its_bound_the_oldest_batch_goes_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let size = envelope_of(1).len();
    let (outbox, telemetry) = opened(folder.path(), 2 * size);
    for sequence in 1..=3 {
        outbox.push(BootId(1), Sequence(sequence), envelope_of(sequence));
        outbox.persist();
    }
    assert_eq!(outbox.size(), (2, 2 * size));
    assert_eq!(first(&outbox).envelope, envelope_of(2));
    assert_eq!(
        telemetry.outbox_dropped.with_label_values(&["full"]).get(),
        1
    );
    assert_eq!(files(folder.path()), 2);
}

#[test]
fn a_damaged_file_is_counted_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = envelope_of(1).to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(folder.path().join("00001-00001.batch"), bytes).unwrap();
    let (outbox, telemetry) = opened(folder.path(), 1 << 20);
    assert_eq!(outbox.size().0, 0);
    assert_eq!(
        telemetry
            .outbox_dropped
            .with_label_values(&["damaged"])
            .get(),
        1
    );
    assert_eq!(files(folder.path()), 1);
}

#[test]
fn a_folder_that_cannot_be_written_is_counted_and_memory_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox");
    fs::write(&path, "a file, not a folder").unwrap();
    let (outbox, telemetry) = opened(&path, 1 << 20);
    outbox.push(BootId(1), Sequence(1), envelope_of(1));
    outbox.persist();
    assert_eq!(outbox.size().0, 1);
    assert_eq!(
        telemetry
            .state_write_failures
            .with_label_values(&["outbox"])
            .get(),
        2
    );
}
