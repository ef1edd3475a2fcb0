//! The witness's file: what it remembers over restarts and crashes, and that it never begins anew by itself.
#![expect(clippy::unwrap_used, reason = "a test's own values are what they are")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clause9_shared::evidence::checkpoint::Checkpoint;
use clause9_shared::evidence::merkle::{self, Hash};
use clause9_shared::evidence::note::{Algorithm, Note, SignatureLine, VerifierKey};
use clause9_shared::evidence::tiles::{Edge, Place, Tiled, Tiles};
use clause9_shared::evidence::witness::{AddCheckpoint, Declined};
use clause9_verify::witness::{State, StateError, Witness};
use ed25519_dalek::SigningKey;

const ORIGIN: &str = "log.example/bank";

/// A log of few leaves: one tile.
struct Small(Vec<Hash>);

impl Tiles for Small {
    type Error = std::convert::Infallible;

    fn tile(&self, _: Place, width: usize) -> Result<Vec<Hash>, Self::Error> {
        Ok(self.0[..width].to_vec())
    }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn vkey() -> VerifierKey {
    VerifierKey::new(
        ORIGIN.parse().unwrap(),
        Algorithm::Ed25519,
        key().verifying_key(),
    )
}

/// A request over the first `size` leaves of a history.
fn request(history: &str, old: u64, size: u64) -> AddCheckpoint {
    let leaves: Vec<_> = (0..size)
        .map(|n| Hash::leaf(format!("{history} {n}").as_bytes()))
        .collect();
    let mut edge = Edge::default();
    for leaf in &leaves {
        drop(edge.push(*leaf));
    }
    let text = Checkpoint {
        origin: ORIGIN.parse().unwrap(),
        size,
        root: edge.root(),
    }
    .to_string();
    let line = SignatureLine::sign(&text, &ORIGIN.parse().unwrap(), &key());
    let small = Small(leaves);
    let proof = merkle::consistency(&Tiled::new(&small, size), old, size)
        .unwrap()
        .unwrap_or_default();
    AddCheckpoint {
        old,
        proof,
        note: Note::new(text, vec![line]).unwrap(),
    }
}

fn ask(witness: &mut Witness, request: &AddCheckpoint) -> Result<String, Declined> {
    witness
        .add_checkpoint(request.to_string().as_bytes(), 1000)
        .unwrap()
}

fn begun(path: &Path) -> Witness {
    let mut witness = Witness::init(path, &"audit.example/w".parse().unwrap()).unwrap();
    witness.watch(&vkey()).unwrap();
    witness
}

#[test]
fn it_remembers_over_restarts_and_cosigns_one_history_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut witness = begun(&path);
    let verifier = witness.verifier();
    let first = request("one", 0, 3);
    let lines = ask(&mut witness, &first).unwrap();
    let note = Note::parse(format!("{}{lines}", first.note).as_bytes()).unwrap();
    assert_eq!(verifier.verify(&note).unwrap().unwrap().time, Some(1000));
    drop(witness);
    let mut witness = Witness::open(&path).unwrap();
    assert_eq!(witness.verifier(), verifier);
    assert_eq!(
        ask(&mut witness, &request("one", 0, 5)),
        Err(Declined::Conflict(3))
    );
    assert_eq!(
        ask(&mut witness, &request("other", 3, 5)),
        Err(Declined::Inconsistent)
    );
    assert!(ask(&mut witness, &request("one", 3, 5)).is_ok());
    assert!(
        ask(&mut witness, &request("one", 5, 5)).is_ok(),
        "once more is no harm"
    );
    // What it keeps is a signed and cosigned checkpoint.
    let newest = witness.logs()[ORIGIN].newest.clone().unwrap();
    let newest = Note::parse(newest.as_bytes()).unwrap();
    assert!(
        matches!(vkey().verify(&newest), Ok(Some(_)))
            && matches!(verifier.verify(&newest), Ok(Some(_)))
    );
    assert!(newest.text().contains("\n5\n"));
}

#[test]
fn two_histories_of_one_size_are_proof_and_are_kept_once_and_to_a_bound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut witness = begun(&path);
    ask(&mut witness, &request("one", 0, 4)).unwrap();
    let log = |witness: &Witness| witness.logs()[ORIGIN].clone();
    for _ in 0..3 {
        assert_eq!(
            ask(&mut witness, &request("other", 4, 4)),
            Err(Declined::Inconsistent)
        );
    }
    assert_eq!(
        (
            log(&witness).contradictions.len(),
            log(&witness).suspicions.len()
        ),
        (1, 0)
    );
    // Whoever asks with another size shows the same.
    assert_eq!(
        ask(&mut witness, &request("third", 0, 4)),
        Err(Declined::Conflict(4))
    );
    assert_eq!(log(&witness).contradictions.len(), 2);
    for n in 0..40 {
        let other = format!("history {n}");
        assert_eq!(
            ask(&mut witness, &request(&other, 4, 4)),
            Err(Declined::Inconsistent)
        );
    }
    assert_eq!(log(&witness).contradictions.len(), 8);
    assert!(log(&witness).contradictions[0].came.contains("\n4\n"));
    // What is kept is signed by the log, by what was known and by what came.
    drop(witness);
    let state = State::read(&path).unwrap();
    for entry in &state.logs()[ORIGIN].contradictions {
        for note in [&entry.known, &entry.came] {
            assert!(matches!(
                vkey().verify(&Note::parse(note.as_bytes()).unwrap()),
                Ok(Some(_))
            ));
        }
    }
}

#[test]
fn what_anybody_can_send_is_a_suspicion_and_takes_no_room_from_proof() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut witness = begun(&path);
    ask(&mut witness, &request("one", 0, 20)).unwrap();
    let log = |witness: &Witness| witness.logs()[ORIGIN].clone();
    // Not knowing what the witness knows, and the newest checkpoint with a proof of nothing.
    assert_eq!(
        ask(&mut witness, &request("one", 0, 26)),
        Err(Declined::Conflict(20))
    );
    let junk = AddCheckpoint {
        proof: vec![Hash::empty()],
        ..request("one", 20, 20)
    };
    assert_eq!(ask(&mut witness, &junk), Err(Declined::Inconsistent));
    assert_eq!(
        (
            log(&witness).contradictions.len(),
            log(&witness).suspicions.len()
        ),
        (0, 0)
    );
    // A stranger signed nothing.
    let mut unsigned = request("other", 20, 29);
    let line = SignatureLine::sign(
        unsigned.note.text(),
        &ORIGIN.parse().unwrap(),
        &SigningKey::from_bytes(&[9; 32]),
    );
    unsigned.note = Note::new(unsigned.note.text().to_owned(), vec![line.clone()]).unwrap();
    assert_eq!(ask(&mut witness, &unsigned), Err(Declined::Unsigned));
    // Old checkpoints sent again, and newer ones with a proof that does not hold; with a stranger's lines, which are not kept.
    for size in 1..20 {
        let mut old = request("one", 0, size);
        old.note.add(line.clone());
        assert_eq!(ask(&mut witness, &old), Err(Declined::Conflict(20)));
    }
    assert_eq!(
        ask(&mut witness, &request("other", 20, 29)),
        Err(Declined::Inconsistent)
    );
    let kept = log(&witness);
    assert_eq!((kept.contradictions.len(), kept.suspicions.len()), (0, 8));
    assert!(kept.suspicions.iter().all(|entry| {
        Note::parse(entry.came.as_bytes())
            .unwrap()
            .signatures()
            .len()
            == 1
    }));
    assert!(
        kept.suspicions[7].came.contains("\n29\n"),
        "the newest are kept"
    );
    // There is room for proof.
    assert_eq!(
        ask(&mut witness, &request("other", 20, 20)),
        Err(Declined::Inconsistent)
    );
    assert_eq!(log(&witness).contradictions.len(), 1);
    // It can be read while the witness works.
    assert_eq!(State::read(&path).unwrap().logs()[ORIGIN], log(&witness));
}

#[test]
fn a_witness_never_forgets_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    assert!(matches!(Witness::open(&path), Err(StateError::Absent(_))));
    let witness = begun(&path);
    assert!(
        matches!(Witness::open(&path), Err(StateError::Held(_))),
        "one at a time"
    );
    let name = "audit.example/w".parse().unwrap();
    assert!(matches!(
        Witness::init(&path, &name),
        Err(StateError::There(_))
    ));
    drop(witness);
    let good = std::fs::read_to_string(&path).unwrap();
    for bad in [
        String::new(),
        good.replace("\"version\": 1", "\"version\": 2"),
        good[..good.len() / 2].to_owned(),
        good.replace(ORIGIN, "x"),
    ] {
        std::fs::write(&path, &bad).unwrap();
        let said = Witness::open(&path).map(|_| ()).unwrap_err();
        assert!(matches!(said, StateError::Damaged { .. }), "{said}: {bad}");
    }
    std::fs::write(&path, good).unwrap();
    assert!(Witness::open(&path).is_ok());
    let mut witness = Witness::open(&path).unwrap();
    ask(&mut witness, &request("one", 0, 1)).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn what_cannot_be_kept_is_not_cosigned() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut witness = begun(&path);
    // The new file cannot be made where a folder stands.
    let mut blocked = path.as_os_str().to_owned();
    blocked.push(".new");
    std::fs::create_dir(&blocked).unwrap();
    let failed = witness.add_checkpoint(request("one", 0, 3).to_string().as_bytes(), 1000);
    assert!(matches!(failed, Err(StateError::File { .. })), "{failed:?}");
    std::fs::remove_dir(&blocked).unwrap();
    assert!(ask(&mut witness, &request("one", 0, 3)).is_ok());
    // A log's key is no witness's.
    let wrong = VerifierKey::new(
        ORIGIN.parse().unwrap(),
        Algorithm::Cosignature,
        key().verifying_key(),
    );
    assert!(matches!(witness.watch(&wrong), Err(StateError::Unfit(_))));
}
