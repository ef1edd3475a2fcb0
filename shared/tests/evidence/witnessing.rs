//! A witness: which checkpoints it cosigns, what it answers to all others, and that no order of requests makes it cosign two
//! histories.

use clause9_shared::evidence::checkpoint::Checkpoint;
use clause9_shared::evidence::merkle::{self, Hash};
use clause9_shared::evidence::note::{Algorithm, Note, SignatureLine};
use clause9_shared::evidence::tiles::Tiled;
use clause9_shared::evidence::witness::{AddCheckpoint, Declined, Watched, believed, cosigned};
use proptest::prelude::*;

use crate::notes::{key, name, vkey};
use crate::trees::Log;

const ORIGIN: &str = "example.com/log";

fn signed(size: u64, root: Hash, by: u8) -> Note {
    let text = Checkpoint {
        origin: name(ORIGIN),
        size,
        root,
    }
    .to_string();
    let line = SignatureLine::sign(&text, &name(ORIGIN), &key(by));
    Note::new(text, vec![line]).unwrap()
}

fn request(old: u64, size: u64) -> AddCheckpoint {
    let log = Log::of(size);
    let proof = merkle::consistency(&Tiled::new(&log, size), old.min(size), size)
        .unwrap()
        .unwrap();
    AddCheckpoint {
        old,
        proof,
        note: signed(size, log.edge.root(), 7),
    }
}

fn watched() -> Watched {
    Watched {
        keys: vec![vkey(ORIGIN, Algorithm::Ed25519, 7)],
        newest: None,
    }
}

fn knowing(size: u64) -> Watched {
    let newest = Watched::check(&watched(), &request(0, size)).unwrap();
    Watched {
        newest: Some(newest),
        ..watched()
    }
}

#[test]
fn a_request_is_read_as_it_was_written() {
    for (old, size) in [(0, 0), (0, 5), (5, 5), (5, 8), (250, 300)] {
        let request = request(old, size);
        assert_eq!(
            AddCheckpoint::parse(request.to_string().as_bytes()).unwrap(),
            request
        );
    }
    let good = request(5, 8).to_string();
    let hash = Hash::empty().to_string();
    for bad in [
        String::new(),
        good.replace("old 5", "old 05"),
        good.replace("old 5", "old -5"),
        good.replace("old 5", "new 5"),
        good.replace("\n\nexample", "\nexample"),
        good.replace(
            "old 5\n",
            &format!("old 5\n{}", format!("{hash}\n").repeat(64)),
        ),
        good.replace("old 5\n", "old 5\nno hash\n"),
        good.trim_end().to_owned(),
    ] {
        assert_eq!(
            AddCheckpoint::parse(bad.as_bytes()),
            Err(Declined::Malformed),
            "{bad}"
        );
    }
}

#[test]
fn what_begins_with_what_was_seen_is_cosigned() {
    for (known, size) in [
        (0, 0),
        (0, 1),
        (1, 1),
        (1, 2),
        (5, 8),
        (8, 8),
        (255, 300),
        (256, 300),
    ] {
        let witness = if known == 0 {
            watched()
        } else {
            knowing(known)
        };
        let checkpoint = witness.check(&request(known, size)).unwrap();
        assert_eq!(checkpoint.size, size);
    }
}

#[test]
fn everything_else_is_declined_with_the_status_of_the_specification() {
    let other = AddCheckpoint {
        note: signed(8, Hash::leaf(b"another history"), 7),
        ..request(5, 8)
    };
    let unproved = AddCheckpoint {
        proof: Vec::new(),
        ..request(5, 8)
    };
    let forged = {
        let mut request = request(5, 8);
        let mut line = request.note.signatures()[0].clone();
        line.bytes[3] ^= 1;
        request.note = Note::new(request.note.text().to_owned(), vec![line]).unwrap();
        request
    };
    let by_nobody = AddCheckpoint {
        note: signed(8, Log::of(8).edge.root(), 3),
        ..request(5, 8)
    };
    let same_size = AddCheckpoint {
        old: 5,
        proof: Vec::new(),
        note: signed(5, Hash::leaf(b"another"), 7),
    };
    let proof_of_nothing = AddCheckpoint {
        proof: vec![Hash::empty()],
        ..request(0, 8)
    };
    let empty = AddCheckpoint {
        old: 0,
        proof: Vec::new(),
        note: signed(0, Hash::leaf(b"not empty"), 7),
    };
    let cases = [
        (knowing(5), other, Declined::Inconsistent, 422),
        (knowing(5), unproved, Declined::Inconsistent, 422),
        (knowing(5), same_size, Declined::Inconsistent, 422),
        (watched(), proof_of_nothing, Declined::Inconsistent, 422),
        (watched(), empty, Declined::Inconsistent, 422),
        (knowing(5), forged, Declined::Unsigned, 403),
        (knowing(5), by_nobody, Declined::Unsigned, 403),
        (knowing(5), request(4, 8), Declined::Conflict(5), 409),
        (knowing(5), request(0, 8), Declined::Conflict(5), 409),
        (watched(), request(4, 8), Declined::Conflict(0), 409),
        (knowing(9), request(9, 8), Declined::Backwards, 400),
    ];
    for (witness, request, declined, status) in cases {
        assert_eq!(witness.check(&request), Err(declined.clone()), "{request}");
        assert_eq!(declined.status(), status);
    }
    assert_eq!(
        (
            Declined::Malformed.status(),
            Declined::UnknownLog(String::new()).status()
        ),
        (400, 404)
    );
}

#[test]
fn of_an_answer_only_what_the_witness_signed_is_believed() {
    let note = request(0, 5).note;
    let witness = vkey("w.example/a", Algorithm::Cosignature, 9);
    let right = cosigned(&note, &name("w.example/a"), &key(9), 77);
    let stranger = cosigned(&note, &name("w.example/b"), &key(8), 77);
    let of_another = cosigned(&request(0, 6).note, &name("w.example/a"), &key(9), 77);
    let timeless = cosigned(&note, &name("w.example/a"), &key(9), 0);
    let line = believed(&right, &note, &witness).unwrap();
    for more in [
        format!("{stranger}{right}"),
        format!("{of_another}{right}"),
        format!("{timeless}{right}{right}"),
    ] {
        assert_eq!(
            believed(&more, &note, &witness).as_ref(),
            Some(&line),
            "{more}"
        );
    }
    let cut = right.trim_end().to_owned();
    for nothing in [
        stranger,
        of_another,
        timeless,
        String::new(),
        "nonsense\n".to_owned(),
        cut,
    ] {
        assert!(believed(&nothing, &note, &witness).is_none(), "{nothing}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// The log signs two histories that part after some leaves, in any order; a witness follows one of them.
    #[test]
    fn no_order_of_requests_makes_it_cosign_two_histories(
        part in 1_u64..20, sizes in proptest::collection::vec((any::<bool>(), 1_u64..40), 1..30),
    ) {
        let mut witness = watched();
        let mut cosigned: Vec<(bool, u64)> = Vec::new();
        for (second, size) in sizes {
            let log = if second { Log::other(size, part) } else { Log::of(size) };
            let known = witness.newest.as_ref().map_or(0, |newest| newest.size);
            if known > size {
                continue;
            }
            let proof = merkle::consistency(&Tiled::new(&log, size), known, size).unwrap().unwrap();
            let request = AddCheckpoint { old: known, proof, note: signed(size, log.edge.root(), 7) };
            if let Ok(checkpoint) = witness.check(&request) {
                witness.newest = Some(checkpoint);
                // Up to where they part, both are one.
                cosigned.extend((size > part).then_some((second, size)));
            }
        }
        let histories: std::collections::BTreeSet<_> = cosigned.iter().map(|(second, _)| *second).collect();
        prop_assert!(histories.len() <= 1, "{cosigned:?}");
    }
}
