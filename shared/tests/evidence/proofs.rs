//! Proofs in files: what they prove, and that every bit of one matters.

use clause9_shared::evidence::checkpoint::Checkpoint;
use clause9_shared::evidence::merkle::{self, Hash};
use clause9_shared::evidence::note::{Algorithm, Note, SignatureLine};
use clause9_shared::evidence::proof::{BadProof, LogProof};
use clause9_shared::evidence::tiles::Tiled;

use crate::notes::{key, name, vkey};
use crate::trees::{Log, entry};

fn proof(index: u64, size: u64) -> LogProof {
    let log = Log::of(size);
    let checkpoint = Checkpoint {
        origin: name("example.com/log"),
        size,
        root: log.edge.root(),
    };
    let text = checkpoint.to_string();
    let line = SignatureLine::sign(&text, &name("example.com/log"), &key(7));
    let hashes = merkle::inclusion(&Tiled::new(&log, size), index, size)
        .unwrap()
        .unwrap();
    LogProof {
        index,
        hashes,
        note: Note::new(text, vec![line]).unwrap(),
    }
}

#[test]
fn a_proof_is_read_as_it_was_written_and_proves_its_entry_only() {
    for (index, size) in [(0, 1), (0, 2), (4, 7), (257, 300), (299, 300)] {
        let proof = proof(index, size);
        let read = LogProof::parse(proof.to_string().as_bytes()).unwrap();
        assert_eq!(read, proof);
        assert_eq!(read.check(Hash::leaf(&entry(index))).unwrap().size, size);
        assert!(matches!(
            read.check(Hash::leaf(&entry(index + 1))),
            Err(BadProof::NotProved(_))
        ));
    }
}

#[test]
fn every_bit_of_a_proof_matters() {
    let text = proof(4, 7).to_string();
    let log = vkey("example.com/log", Algorithm::Ed25519, 7);
    let holds = |bytes: &[u8]| {
        LogProof::parse(bytes).is_ok_and(|proof| {
            proof
                .check(Hash::leaf(&entry(4)))
                .is_ok_and(|at| at.origin == *log.name())
                && matches!(log.verify(&proof.note), Ok(Some(_)))
        })
    };
    assert!(holds(text.as_bytes()));
    for at in 0..text.len() * 8 {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at / 8] ^= 1 << (at % 8);
        assert!(
            !holds(&bytes),
            "bit {at}: {}",
            String::from_utf8_lossy(&bytes)
        );
    }
    for end in 0..text.len() {
        assert!(!holds(&text.as_bytes()[..end]), "cut at {end}");
    }
}

#[test]
fn what_nothing_vouches_for_is_refused() {
    let text = proof(0, 2).to_string();
    let extra = text.replace("\nindex", "\nextra YWJj\nindex");
    assert_eq!(LogProof::parse(extra.as_bytes()), Err(BadProof::Lines));
    let hash = Hash::empty().to_string();
    let long = text.replace(
        "index 0\n",
        &format!("index 0\n{}", format!("{hash}\n").repeat(65)),
    );
    assert_eq!(LogProof::parse(long.as_bytes()), Err(BadProof::Lines));
}
