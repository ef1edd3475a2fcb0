use std::os::unix::fs::PermissionsExt;

use clause9_shared::time::Timestamp;
use proptest::prelude::*;

use super::record::Read;
use super::*;
use crate::sample::Sampler;

const STRIDE: usize = 11;

fn set_up(folder: &Path, bytes: u64, boot: u64) -> Setup {
    Setup {
        folder: folder.to_owned(),
        bytes,
        plan: Digest::of(b"plan"),
        salt: Digest::of(b"salt"),
        clock: Clock::Live,
        stride: STRIDE,
        boot,
        horizon: Span::from_days(30),
        restored: None,
    }
}

fn tag(id: usize) -> Tag {
    Sampler::new([1; 32], 1.0).tag(&id.to_be_bytes())
}

fn pane(minute: i64) -> PaneStart {
    PaneStart(Timestamp::from_micros(minute * 60_000_000).unwrap())
}

fn origin(minute: i64) -> Origin {
    (pane(minute), ("toy".into(), "1".into()))
}

fn row(value: usize) -> Vec<u8> {
    let mut row = vec![0; STRIDE];
    row[..8].copy_from_slice(&value.to_be_bytes());
    row
}

fn filled(folder: &Path, boot: u64, requests: usize) -> DiskShelf {
    let mut shelf = DiskShelf::open(set_up(folder, 1 << 20, boot));
    for id in 0..requests {
        shelf.put(tag(id), &origin(1), &row(id));
    }
    shelf.flush();
    shelf
}

fn nobody(_: u64) -> bool {
    false
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    left_behind(folder)
}

#[test]
fn what_was_put_is_found_in_the_growing_segment_in_closed_ones_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = filled(folder.path(), 1, 5000);
    assert!(segments(folder.path()).len() > 2);
    for again in [false, true] {
        if again {
            drop(shelf);
            shelf = DiskShelf::open(set_up(folder.path(), 1 << 20, 2));
        }
        for id in 0..5000 {
            let kept = shelf
                .find(tag(id))
                .unwrap_or_else(|| panic!("{id} {again}"));
            assert_eq!((kept.origin, kept.rows), (origin(1), row(id)));
        }
        assert!((5000..6000).all(|id| shelf.find(tag(id)).is_none()));
        assert_eq!(shelf.rows(), 5000);
    }
    assert_eq!(shelf.take_tally(), ShelfTally::default());
}

#[test]
fn files_are_the_owners_alone_and_name_no_id() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("joins");
    let _shelf = filled(&inner, 1, 2000);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    for entry in fs::read_dir(&inner).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn the_bound_on_bytes_is_kept_and_the_oldest_are_forgotten_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let bound = 256 << 10;
    let mut shelf = DiskShelf::open(set_up(folder.path(), bound, 1));
    for id in 0..20_000 {
        shelf.put(tag(id), &origin(1), &row(id));
        if id % 100 == 0 {
            shelf.flush();
            shelf.trim(None, &nobody);
            let files = fs::read_dir(folder.path()).unwrap();
            let bytes: u64 = files.map(|f| f.unwrap().metadata().unwrap().len()).sum();
            assert!(bytes <= bound, "{bytes} at {id}");
        }
    }
    let kept = shelf.rows();
    let forgotten = shelf.take_tally().forgotten[Reason::Bound as usize];
    assert_eq!(kept + forgotten, 20_000);
    assert!(kept > 3000, "{kept} predictions in 256 KiB");
    assert!(shelf.find(tag(0)).is_none() && shelf.has_forgotten(tag(0)));
    assert!(shelf.find(tag(19_999)).is_some());
}

#[test]
fn a_torn_tail_is_let_go_and_what_stands_before_it_is_found() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 1, 100));
    let path = segments(folder.path()).remove(0);
    let bytes = fs::read(&path).unwrap();
    for cut in [1, 5, 9, 30] {
        fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
        let mut shelf = DiskShelf::open(set_up(folder.path(), 1 << 20, 2));
        assert_eq!(shelf.take_tally(), ShelfTally::default());
        assert!((0..99).all(|id| shelf.find(tag(id)).is_some()));
        assert!(shelf.find(tag(99)).is_none());
    }
}

#[test]
fn a_damaged_segment_is_counted_and_the_others_are_used() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 1, 5000));
    let paths = segments(folder.path());
    let mut bytes = fs::read(&paths[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(&paths[0], &bytes).unwrap();
    fs::write(&paths[1], b"no segment at all").unwrap();
    let mut shelf = DiskShelf::open(set_up(folder.path(), 1 << 20, 2));
    assert_eq!(shelf.take_tally().damaged_files, 2);
    let found = (0..5000)
        .filter(|id| shelf.find(tag(*id)).is_some())
        .count();
    assert!((2000..4500).contains(&found), "{found}");
    assert!(shelf.find(tag(0)).is_some() && shelf.find(tag(4999)).is_some());
    // It goes on as if nothing had been.
    shelf.put(tag(9000), &origin(2), &row(9000));
    assert!(shelf.find(tag(9000)).is_some());
}

#[test]
fn damage_that_comes_later_never_gives_a_wrong_prediction() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 1, 300));
    let path = segments(folder.path()).remove(0);
    let mut shelf = DiskShelf::open(set_up(folder.path(), 1 << 20, 2));
    let mut bytes = fs::read(&path).unwrap();
    for byte in bytes.iter_mut().skip(200).step_by(7) {
        *byte ^= 0x11;
    }
    fs::write(&path, &bytes).unwrap();
    for id in 0..300 {
        if let Some(kept) = shelf.find(tag(id)) {
            assert_eq!(kept.rows, row(id));
        }
    }
}

#[test]
fn predictions_of_another_plan_or_key_are_forgotten_counted_and_deleted() {
    for other in [
        |s: &mut Setup| s.plan = Digest::of(b"other"),
        |s: &mut Setup| s.salt = Digest::of(b"other"),
        |s: &mut Setup| s.clock = Clock::Replay,
        |s: &mut Setup| s.stride = 12,
    ] {
        let folder = tempfile::tempdir().unwrap();
        drop(filled(folder.path(), 1, 100));
        let mut setup = set_up(folder.path(), 1 << 20, 2);
        other(&mut setup);
        let mut shelf = DiskShelf::open(setup);
        let tally = shelf.take_tally();
        assert_eq!(tally.forgotten[Reason::OtherPlan as usize], 100);
        assert!(shelf.find(tag(1)).is_none() && shelf.has_forgotten(tag(1)));
        assert!(segments(folder.path()).is_empty());
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_counted_and_nothing_else_happens() {
    let folder = tempfile::tempdir().unwrap();
    // A file stands where the folder should be: it can be made by nobody, whoever runs this.
    let path = folder.path().join("joins");
    fs::write(&path, b"").unwrap();
    let mut shelf = DiskShelf::open(set_up(&path, 1 << 20, 1));
    for id in 0..3000 {
        shelf.put(tag(id), &origin(1), &row(id));
        shelf.amend(tag(id), 0, &row(1), pane(2));
    }
    shelf.handed_over(Timestamp::EPOCH);
    shelf.flush();
    shelf.trim(Some(pane(1)), &nobody);
    assert!(shelf.find(tag(1)).is_none() && !shelf.may_hold(tag(1)));
    let failures = shelf.take_tally().write_failures;
    assert!(
        (2..20).contains(&failures),
        "{failures}: tried again, and not each time"
    );
    // Once it can be written, it is.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    for id in 0..3000 {
        shelf.put(tag(id), &origin(1), &row(id));
    }
    assert!(shelf.find(tag(2999)).is_some());
}

#[test]
fn the_latest_of_what_became_of_a_row_counts_and_only_if_it_was_handed_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = DiskShelf::open(set_up(folder.path(), 1 << 20, 1));
    let two = [row(1), row(2)].concat();
    shelf.put(tag(1), &origin(1), &two);
    shelf.amend(tag(1), 1, &row(20), pane(2));
    shelf.amend(tag(1), 1, &row(21), pane(2));
    shelf.handed_over(pane(3).0);
    shelf.amend(tag(1), 0, &row(10), pane(3));
    shelf.amend(tag(1), 7, &row(70), pane(3));
    shelf.flush();
    let now = [row(10), row(21)].concat();
    assert_eq!(shelf.find(tag(1)).unwrap().rows, now);
    drop(shelf);
    let mut shelf = DiskShelf::open(set_up(folder.path(), 1 << 20, 2));
    let before = [row(1), row(21)].concat();
    assert_eq!(shelf.find(tag(1)).unwrap().rows, before);
    assert_eq!(shelf.take_tally().lost_outcomes, 2);
    drop(shelf);
    let mut shelf = DiskShelf::open(set_up(folder.path(), 1 << 20, 3));
    assert_eq!(shelf.find(tag(1)).unwrap().rows, before);
    assert_eq!(shelf.take_tally().lost_outcomes, 0, "it was told once");
}

#[test]
fn an_index_that_is_lost_or_wrong_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path(), 1, 5000));
    let mut indexes = 0;
    for (number, entry) in fs::read_dir(folder.path()).unwrap().enumerate() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "idx") {
            indexes += 1;
            if number % 2 == 0 {
                fs::remove_file(path).unwrap();
            } else {
                fs::write(path, vec![7; 1600]).unwrap();
            }
        }
    }
    assert!(indexes > 1);
    let mut shelf = DiskShelf::open(set_up(folder.path(), 1 << 20, 2));
    assert!((0..5000).all(|id| shelf.find(tag(id)).is_some()));
}

#[test]
fn many_short_runs_leave_a_bounded_number_of_files() {
    let folder = tempfile::tempdir().unwrap();
    for boot in 1..200 {
        let mut shelf = DiskShelf::open(set_up(folder.path(), 1 << 20, boot));
        shelf.put(tag(usize::try_from(boot).unwrap()), &origin(1), &row(1));
        shelf.flush();
        shelf.trim(None, &nobody);
    }
    assert!(segments(folder.path()).len() <= MAX_SEGMENTS);
}

fn any_record() -> impl Strategy<Value = Record> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..40);
    (0..5_u8, any::<[u8; 16]>(), 0..1000_i64, bytes, any::<u32>()).prop_map(
        |(kind, tag, minute, bytes, number)| {
            let tag = Tag::from_bytes(tag);
            match kind {
                0 => Record::Header(Header {
                    plan: Digest::of(&bytes),
                    salt: Digest::of(b"s"),
                    clock: Clock::Replay,
                    stride: bytes.len(),
                    boot: u64::from(number),
                }),
                1 => Record::Origin(origin(minute)),
                2 => Record::Request {
                    tag,
                    origin: u64::from(number),
                    rows: bytes,
                },
                3 => Record::Amended {
                    tag,
                    row: number,
                    arrival: pane(minute),
                    packed: bytes,
                },
                _ => Record::HandedOver(pane(minute).0),
            }
        },
    )
}

proptest! {
    #[test]
    fn records_come_back_and_no_bytes_make_reading_them_fail(
        records in proptest::collection::vec(any_record(), 1..5),
        noise in proptest::collection::vec(any::<u8>(), 0..60),
        flip in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = Vec::new();
        for record in &records {
            record::write(record, &mut bytes);
        }
        let mut at = 0;
        for record in &records {
            let Read::Whole(found, used) = record::read(&bytes[at..]) else {
                return Err(TestCaseError::fail("a record is lost"));
            };
            prop_assert_eq!(&found, record);
            at += used;
        }
        prop_assert_eq!(record::read(&bytes[at..]), Read::Torn);
        let _ = record::read(&noise);
        let place = flip.index(bytes.len());
        let mut spoiled = bytes.clone();
        spoiled[place] ^= 1;
        let mut at = 0;
        let mut same = true;
        for record in &records {
            match record::read(&spoiled[at..]) {
                Read::Whole(found, used) => {
                    same &= found == *record;
                    at += used;
                }
                Read::Torn | Read::Damaged => {
                    same = false;
                    break;
                }
            }
        }
        prop_assert!(!same, "a flipped bit is noticed");
    }
}

#[test]
fn the_first_bytes_of_a_segment_stay_as_they_are() {
    let mut bytes = Vec::new();
    record::write(
        &Record::Request {
            tag: Tag::from_bytes([0xab; 16]),
            origin: 1,
            rows: vec![1, 2, 3],
        },
        &mut bytes,
    );
    let hex = clause9_shared::digest::to_hex(&bytes);
    assert_eq!(&hex[..8], "16000000", "22 bytes");
    assert_eq!(&hex[16..], "02abababababababababababababababab0103010203");
}

#[test]
#[ignore = "writes 64 MiB; says how long what takes, in a build for measuring"]
fn a_full_shelf_of_the_default_size_finds_everything_it_says_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let mut shelf = DiskShelf::open(set_up(folder.path(), 64 << 20, 1));
    let requests = 2_000_000;
    let tags: Vec<Tag> = (0..requests).map(tag).collect();
    let begun = std::time::Instant::now();
    for (id, tag) in tags.iter().enumerate() {
        shelf.put(*tag, &origin(1), &row(id));
        if id % 64 == 0 {
            shelf.flush();
            shelf.trim(None, &nobody);
        }
    }
    shelf.flush();
    let put = begun.elapsed() / u32::try_from(requests).unwrap();
    let held = usize::try_from(shelf.rows()).unwrap();
    let bytes = shelf.bytes();
    drop(shelf);
    let begun = std::time::Instant::now();
    let mut shelf = DiskShelf::open(set_up(folder.path(), 64 << 20, 2));
    let opened = begun.elapsed();
    assert_eq!(shelf.rows(), held as u64);
    let some: Vec<usize> = (requests - held..requests).step_by(17).collect();
    let begun = std::time::Instant::now();
    for id in &some {
        assert!(shelf.find(tags[*id]).is_some(), "{id}");
    }
    let found = begun.elapsed() / u32::try_from(some.len()).unwrap();
    let begun = std::time::Instant::now();
    let strangers = (requests..requests + 100_000).filter(|id| shelf.find(tag(*id)).is_some());
    assert_eq!(strangers.count(), 0);
    let unknown = begun.elapsed() / 100_000;
    println!(
        "{held} predictions in {bytes} bytes; to put one {put:?}, to open all {opened:?}, to find one {found:?}, to know that one is not there {unknown:?}"
    );
}
