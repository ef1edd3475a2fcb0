use std::fs;
use std::path::{Path, PathBuf};

use clause9_shared::ids::{BootId, Name, Sequence};
use clause9_shared::time::{Clock, Span};
use clause9_shared::window::{Coverage, PaneKey, PaneStart};
use clause9_shared::wire::batch::{self, Batch, ClosedWindow, RefusalReason, Stream};
use clause9_shared::wire::loss::Place;
use ed25519_dalek::SigningKey;

use super::*;

const ROOM: u64 = 1 << 20;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_micros(minute * 60_000_000).unwrap()
}

fn item(minute: i64) -> ClosedWindow {
    let none = Digest::of(b"");
    ClosedWindow {
        key: PaneKey {
            system: Name::new("s").unwrap(),
            model: "m".into(),
            model_version: "1".into(),
            baseline: none,
            plan: none,
            salt: none,
            clock: Clock::Live,
            pane: Span::from_secs(60),
            shell: None,
        },
        pane: PaneStart(at(minute)),
        stream: Stream::Traffic(Coverage::default()),
        summary: vec![7; 300],
    }
}

/// A batch of three items, of the panes of that minute, the next and the next but one.
fn batch(sequence: u64, minute: i64) -> Waiting {
    let place = Place {
        boot: BootId(5),
        sequence: Sequence(sequence),
    };
    let batch = Batch {
        boot: place.boot,
        sequence: place.sequence,
        created_at: at(minute + 4),
        clock: Clock::Live,
        system: Name::new("s").unwrap(),
        watermark: at(minute + 3),
        watching_since: at(0),
        items: (minute..minute + 3).map(item).collect(),
        losses: Vec::new(),
        restored: None,
    };
    let envelope = Bytes::from(batch::seal(&batch, &SigningKey::from_bytes(&[3; 32])));
    Waiting {
        number: sequence,
        place,
        digest: batch::digest(&envelope),
        envelope,
    }
}

fn refused(item: Option<usize>, reason: RefusalReason) -> Part {
    Part {
        item,
        reason,
        detail: "give agent and collector the same objectives".to_owned(),
    }
}

fn unknown(item: usize) -> Vec<Part> {
    vec![refused(Some(item), RefusalReason::UnknownPlan)]
}

fn opened(folder: &Path, room: u64) -> (Quarantine, Telemetry) {
    let telemetry = Telemetry::new().unwrap();
    let disk = Folder::new(folder.to_owned());
    (Quarantine::open(disk, room, telemetry.clone()), telemetry)
}

fn dropped(telemetry: &Telemetry, reason: &str) -> u64 {
    telemetry
        .quarantine
        .dropped
        .with_label_values(&[reason])
        .get()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    all.sort();
    all
}

#[test]
fn what_was_refused_is_there_after_a_restart_with_what_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let (quarantine, _) = opened(folder.path(), ROOM);
    let refused = batch(4, 10);
    quarantine.keep(&refused, unknown(1), at(20)).unwrap();
    drop(quarantine);
    fs::write(folder.path().join("of-somebody-else.txt"), "x").unwrap();
    let (again, telemetry) = opened(folder.path(), ROOM);
    let list = again.list(at(21));
    let [entry] = &list[..] else {
        panic!("{list:?}")
    };
    assert_eq!(
        (entry.batch, entry.boot, entry.sequence),
        (refused.digest, BootId(5), Sequence(4))
    );
    assert_eq!(
        (entry.items, entry.refused, entry.times, entry.age_seconds),
        (3, 1, 1, 60)
    );
    assert_eq!(entry.reasons[0].reason, RefusalReason::UnknownPlan);
    assert_eq!(entry.reasons[0].items, Some(1));
    let panes = entry.panes.unwrap();
    assert_eq!((panes.first, panes.last, panes.number), (at(11), at(11), 1));
    let (_, shown) = again.get(refused.digest, at(21)).unwrap().unwrap();
    let shown = serde_json::to_value(shown.unwrap()).unwrap();
    assert_eq!(shown["contents"][1]["refused"], "unknown_plan", "{shown:#}");
    assert_eq!(shown["contents"][2]["refused"], serde_json::Value::Null);
    assert_eq!(shown["contents"][0]["summary_bytes"], 300);
    assert_eq!(telemetry.quarantine.entries.get(), 1);
    assert_eq!(dropped(&telemetry, "damaged"), 0);
}

#[test]
fn what_is_refused_again_stays_once_with_the_newer_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (quarantine, _) = opened(folder.path(), ROOM);
    let refused_batch = batch(1, 10);
    quarantine.keep(&refused_batch, unknown(0), at(20)).unwrap();
    let whole = vec![refused(None, RefusalReason::ClockMixed)];
    quarantine.keep(&refused_batch, whole, at(25)).unwrap();
    assert_eq!(files(folder.path()).len(), 1);
    drop(quarantine);
    let (again, _) = opened(folder.path(), ROOM);
    let list = again.list(at(25));
    assert_eq!((list.len(), list[0].times, list[0].refused), (1, 2, 3));
    assert_eq!((list[0].first, list[0].last), (at(20), at(25)));
    assert_eq!(list[0].reasons[0].reason, RefusalReason::ClockMixed);
    assert_eq!(list[0].reasons[0].items, None, "the whole batch");
}

#[test]
fn what_is_sent_again_goes_by_the_collectors_word_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (quarantine, _) = opened(folder.path(), ROOM);
    let (one, two) = (batch(1, 10), batch(2, 20));
    quarantine.keep(&one, unknown(0), at(30)).unwrap();
    quarantine.keep(&two, unknown(0), at(31)).unwrap();
    assert_eq!(quarantine.due(0), None);
    assert_eq!(quarantine.resend(Some(two.digest)), 1);
    assert_eq!(
        quarantine.resend(None),
        2,
        "one of them is under way already"
    );
    let first = quarantine.due(0).unwrap();
    let second = quarantine.due(first + 1).unwrap();
    assert!(is_resent(first) && quarantine.due(second + 1).is_none());
    let sent = quarantine.fetch(first).unwrap().unwrap();
    assert_eq!((sent.digest, &sent.envelope), (two.digest, &two.envelope));
    assert_eq!(sent.place, two.place);
    // Refused again: it stays, and is not sent any more by itself.
    quarantine.keep(&sent, unknown(2), at(32)).unwrap();
    quarantine.answered(first);
    assert!(quarantine.holds(two.digest));
    assert_eq!(quarantine.due(0), Some(second));
    // Taken: it goes.
    assert!(quarantine.taken(one.digest));
    quarantine.answered(second);
    assert_eq!((quarantine.due(0), quarantine.size().0), (None, 1));
    assert!(!quarantine.taken(one.digest), "it is not here");
    drop(quarantine);
    assert_eq!(opened(folder.path(), ROOM).0.size().0, 1);
}

#[test]
fn what_was_forgotten_while_it_was_sent_again_is_not_sent_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let (quarantine, telemetry) = opened(folder.path(), ROOM);
    let one = batch(1, 10);
    quarantine.keep(&one, unknown(0), at(30)).unwrap();
    quarantine.resend(None);
    let number = quarantine.due(0).unwrap();
    assert!(quarantine.forget(one.digest));
    assert!(quarantine.fetch(number).unwrap().is_none());
    quarantine.answered(number);
    assert_eq!(
        (quarantine.due(0), dropped(&telemetry, "forgotten")),
        (None, 1)
    );
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
}

#[test]
fn beyond_its_room_the_oldest_goes_and_is_counted_and_the_newest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (quarantine, telemetry) = opened(folder.path(), 4000);
    for n in 1..=5 {
        quarantine
            .keep(&batch(n, 10), unknown(0), at(20 + n.cast_signed()))
            .unwrap();
    }
    let left: Vec<_> = quarantine
        .list(at(40))
        .iter()
        .map(|e| e.sequence.0)
        .collect();
    assert_eq!(left, [4, 5], "{} bytes", quarantine.size().1);
    assert_eq!(dropped(&telemetry, "full"), 3);
    assert_eq!(files(folder.path()).len(), 2);
    let (tiny, _) = opened(&folder.path().join("tiny"), 10);
    tiny.keep(&batch(1, 10), unknown(0), at(20)).unwrap();
    assert_eq!(tiny.size().0, 1, "what came last is kept in any case");
}

#[test]
fn a_bounded_number_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (quarantine, telemetry) = opened(folder.path(), u64::MAX);
    let more = MAX_ENTRIES as u64 + 3;
    for n in 1..=more {
        quarantine.keep(&batch(n, 10), unknown(0), at(20)).unwrap();
    }
    assert_eq!(quarantine.size().0, MAX_ENTRIES);
    assert_eq!(dropped(&telemetry, "full"), 3);
}

#[test]
fn a_changed_byte_anywhere_sets_its_file_aside_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (quarantine, _) = opened(folder.path(), ROOM);
    let (hurt, whole) = (batch(1, 10), batch(2, 10));
    quarantine.keep(&hurt, unknown(0), at(20)).unwrap();
    quarantine.keep(&whole, unknown(0), at(20)).unwrap();
    drop(quarantine);
    let name = kept::name(hurt.digest, 0);
    let good = fs::read(folder.path().join(&name)).unwrap();
    for byte in 0..good.len() {
        let mut bytes = good.clone();
        bytes[byte] ^= 0x55;
        fs::write(folder.path().join(&name), &bytes).unwrap();
        let (quarantine, telemetry) = opened(folder.path(), ROOM);
        assert!(
            quarantine.holds(whole.digest) && !quarantine.holds(hurt.digest),
            "byte {byte}"
        );
        assert_eq!(dropped(&telemetry, "damaged"), 1, "byte {byte}");
    }
    for length in 0..good.len() {
        fs::write(folder.path().join(&name), &good[..length]).unwrap();
        let (quarantine, telemetry) = opened(folder.path(), ROOM);
        assert!(!quarantine.holds(hurt.digest), "{length} bytes");
        assert_eq!(dropped(&telemetry, "damaged"), 1);
    }
    // It is there for people to look at until the room is needed.
    assert!(folder.path().join(&name).exists());
    let two = good.len() as u64 * 5 / 2;
    let (quarantine, _) = opened(folder.path(), two);
    quarantine.keep(&batch(3, 10), unknown(0), at(21)).unwrap();
    assert!(!folder.path().join(&name).exists());
    assert_eq!(quarantine.size().0, 2);
}

#[test]
fn what_is_damaged_while_the_agent_runs_is_found_when_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (quarantine, telemetry) = opened(folder.path(), ROOM);
    let hurt = batch(1, 10);
    quarantine.keep(&hurt, unknown(0), at(20)).unwrap();
    let path = &files(folder.path())[0];
    let mut bytes = fs::read(path).unwrap();
    bytes[100] ^= 1;
    fs::write(path, bytes).unwrap();
    quarantine.resend(None);
    let number = quarantine.due(0).unwrap();
    assert!(quarantine.fetch(number).unwrap().is_none());
    assert_eq!(
        (quarantine.size().0, dropped(&telemetry, "damaged")),
        (0, 1)
    );
    assert_eq!(quarantine.due(0), None);
}

#[test]
fn a_folder_that_cannot_be_used_keeps_nothing_and_says_so_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("quarantine");
    fs::write(&path, "a file, not a folder").unwrap();
    let (quarantine, telemetry) = opened(&path, ROOM);
    let refused = batch(1, 10);
    assert!(quarantine.keep(&refused, unknown(0), at(20)).is_err());
    assert!(!quarantine.holds(refused.digest));
    let failures = telemetry
        .state_write_failures
        .with_label_values(&["quarantine"]);
    assert_eq!(failures.get(), 2);
    fs::remove_file(&path).unwrap();
    quarantine.keep(&refused, unknown(0), at(20)).unwrap();
    assert!(opened(&path, ROOM).0.holds(refused.digest));
}

#[test]
fn the_table_has_a_line_for_each_batch_and_obeys_no_words_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let (quarantine, _) = opened(folder.path(), ROOM);
    let mut part = refused(None, RefusalReason::UnknownPlan);
    part.detail = "a \u{1b}[31mred word".to_owned();
    let one = batch(1, 10);
    quarantine.keep(&one, vec![part], at(20)).unwrap();
    let list = serde_json::json!({ "entries": quarantine.list(at(140)) });
    let table = command::table(&list);
    let short: String = one.digest.to_string().chars().skip(7).take(12).collect();
    assert!(table.contains(&format!("{short}  2h")), "{table}");
    assert!(table.contains("3 of 3   unknown_plan"), "{table}");
    assert!(!table.contains('\u{1b}'), "{table:?}");
    let none = serde_json::json!({ "entries": [] });
    assert_eq!(command::table(&none), "nothing is in quarantine\n");
}
