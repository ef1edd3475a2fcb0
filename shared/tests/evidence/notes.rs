//! Notes and checkpoints: the specifications' examples, another implementation, and everything that is not one.

use clause9_shared::evidence::checkpoint::Checkpoint;
use clause9_shared::evidence::merkle::Hash;
use clause9_shared::evidence::note::{
    Algorithm, BadNote, KeyName, Note, SignatureLine, Signed, VerifierKey,
};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use signed_note as foreign;

/// Examples of C2SP signed-note.
const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

pub(crate) fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

pub(crate) fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

pub(crate) fn vkey(text: &str, algorithm: Algorithm, n: u8) -> VerifierKey {
    VerifierKey::new(name(text), algorithm, key(n).verifying_key())
}

pub(crate) fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: name("example.com/log"),
        size: 42,
        root: Hash::leaf(b"root"),
    }
}

#[test]
fn the_specifications_example_verifies_and_is_written_as_it_was_read() {
    let note = Note::parse(NOTE.as_bytes()).unwrap();
    let key: VerifierKey = VKEY.parse().unwrap();
    assert_eq!(key.verify(&note), Ok(Some(Signed { time: None })));
    assert_eq!(
        (note.to_string(), key.to_string()),
        (NOTE.to_owned(), VKEY.to_owned())
    );
    let changed = Note::parse(
        NOTE.replace("example message", "exanple message")
            .as_bytes(),
    )
    .unwrap();
    assert!(key.verify(&changed).is_err());
    // The same name with another key: another id, so no signature of it.
    assert_eq!(
        vkey("example.com/foo", Algorithm::Ed25519, 1).verify(&note),
        Ok(None)
    );
}

#[test]
fn another_implementation_verifies_our_notes_and_we_verify_its() {
    let text = checkpoint().to_string();
    let ours = Note::new(
        text.clone(),
        vec![SignatureLine::sign(
            &text,
            &name("example.com/log"),
            &key(7),
        )],
    )
    .unwrap();
    let vkey = vkey("example.com/log", Algorithm::Ed25519, 7);
    let theirs = foreign::StandardVerifier::new(&vkey.to_string()).unwrap();
    let known = foreign::VerifierList::new(vec![Box::new(theirs)]);
    let read = foreign::Note::from_bytes(ours.to_string().as_bytes()).unwrap();
    assert_eq!(read.verify(&known).unwrap().0.len(), 1);
    assert_eq!(read.to_bytes(), ours.to_string().as_bytes());
    let parsed = tlog_tiles::Checkpoint::from_bytes(ours.text().as_bytes()).unwrap();
    assert_eq!((parsed.size(), parsed.origin()), (42, "example.com/log"));

    let skey = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    let signer = foreign::StandardSigner::new(skey).unwrap();
    let mut note = foreign::Note::new(b"One\n\ntwo\n", &[]).unwrap();
    note.add_sigs(&[&signer]).unwrap();
    let read = Note::parse(&note.to_bytes()).unwrap();
    assert_eq!(read.text(), "One\n\ntwo\n");
    let vkey: VerifierKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        .parse()
        .unwrap();
    assert_eq!(vkey.verify(&read), Ok(Some(Signed { time: None })));
}

#[test]
fn a_cosignature_carries_its_time_and_is_of_no_use_as_anything_else() {
    let text = checkpoint().to_string();
    let line = SignatureLine::cosign(&text, &name("witness.example/w1"), &key(9), 1_679_315_147);
    let mut note = Note::new(text.clone(), vec![line.clone()]).unwrap();
    let witness = vkey("witness.example/w1", Algorithm::Cosignature, 9);
    assert_eq!(
        witness.verify(&note),
        Ok(Some(Signed {
            time: Some(1_679_315_147)
        }))
    );
    // The same key for plain signatures has another id, and what it would sign is another message.
    let plain = vkey("witness.example/w1", Algorithm::Ed25519, 9);
    assert_eq!(plain.verify(&note), Ok(None));
    let mut later = line.clone();
    later.bytes[7] ^= 1;
    assert!(
        witness
            .verify(&Note::new(text.clone(), vec![later]).unwrap())
            .is_err()
    );
    let mut moved = line.clone();
    moved.id = plain.id();
    moved.bytes = line.bytes[8..].to_vec();
    assert!(
        plain
            .verify(&Note::new(text.clone(), vec![moved]).unwrap())
            .is_err()
    );
    // Once more is no more; a false one beside a right one spoils the note.
    note.add(line.clone());
    assert_eq!(note.signatures().len(), 1);
    let mut forged = line;
    forged.bytes[20] ^= 1;
    note.add(forged);
    assert!(witness.verify(&note).is_err());
}

#[test]
fn what_was_signed_elsewhere_makes_the_same_line() {
    use ed25519_dalek::Signer as _;
    let text = checkpoint().to_string();
    let own = SignatureLine::sign(&text, &name("example.com/log"), &key(7));
    let signature = key(7).sign(text.as_bytes()).to_bytes();
    let public = key(7).verifying_key();
    assert_eq!(
        SignatureLine::signed_elsewhere(&name("example.com/log"), &public, signature),
        own
    );
}

#[test]
fn what_is_no_note_no_key_and_no_name_is_refused_in_words() {
    let dash = "\u{2014}";
    let long = format!("a\n\n{dash} n AAAAAAA=\n").replace('a', &"a".repeat(70_000));
    let many = format!("a\n\n{}", format!("{dash} n AAAAAAA=\n").repeat(129));
    let cases: [(&[u8], BadNote); 11] = [
        (b"", BadNote::NoSignatures),
        (b"a\n", BadNote::NoSignatures),
        (b"a\n\n", BadNote::NoSignatures),
        (b"\xff\n\nx\n", BadNote::NotText),
        (long.as_bytes(), BadNote::TooLarge),
        (many.as_bytes(), BadNote::TooLarge),
        ("a\tb\n\n\u{2014} n AAAAAAA=\n".as_bytes(), BadNote::NotText),
        ("a\n\n\u{2014} n AAAAAAA=".as_bytes(), BadNote::NoSignatures),
        ("a\n\n- n AAAAAAA=\n".as_bytes(), BadNote::Line(1)),
        ("a\n\n\u{2014} n AAAA\n".as_bytes(), BadNote::Line(1)),
        (
            "a\n\n\u{2014} n AAAAAAA=\n\u{2014} n+ AAAAAAA=\n".as_bytes(),
            BadNote::Line(2),
        ),
    ];
    for (bytes, expected) in cases {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        assert_eq!(Note::parse(bytes), Err(expected), "{shown}");
    }
    for bad in ["", "a b", "a+b", "a\u{2003}b", "a\nb", &"a".repeat(256)] {
        assert_eq!(bad.parse::<KeyName>(), Err(BadNote::Name), "{bad}");
    }
    for bad in [
        "",
        "a",
        "a+b",
        "a+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+Aeky",
    ] {
        assert_eq!(bad.parse::<VerifierKey>(), Err(BadNote::Key), "{bad}");
    }
    let other = VKEY.replace("+Aeky", "+Beky");
    assert_eq!(other.parse::<VerifierKey>(), Err(BadNote::Kind(5)));
}

#[test]
fn a_checkpoint_has_one_text() {
    let text = checkpoint().to_string();
    assert_eq!(text.parse::<Checkpoint>().unwrap(), checkpoint());
    let root = checkpoint().root.to_string();
    for bad in [
        String::new(),
        text.trim_end().to_owned(),
        format!("{text}more\n"),
        format!("{text}\n"),
        text.replace("42", "042"),
        text.replace("42", "+42"),
        text.replace("42", "18446744073709551616"),
        text.replace("example.com/log", ""),
        text.replace(&root, &root[..43]),
        text.replace('\n', "\r\n"),
    ] {
        assert!(bad.parse::<Checkpoint>().is_err(), "{bad:?}");
    }
    let zero = Checkpoint {
        size: 0,
        root: Hash::empty(),
        ..checkpoint()
    };
    assert_eq!(zero.to_string().parse::<Checkpoint>().unwrap(), zero);
}

proptest! {
    #[test]
    fn no_bytes_make_reading_panic_and_what_is_read_is_written_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(note) = Note::parse(&bytes) {
            let written = note.to_string();
            prop_assert_eq!(written.as_bytes(), &bytes[..]);
        }
    }

    #[test]
    fn any_bit_of_a_signed_checkpoint_matters(bit in 0_usize..8 * 400) {
        let text = checkpoint().to_string();
        let lines = vec![
            SignatureLine::sign(&text, &name("example.com/log"), &key(7)),
            SignatureLine::cosign(&text, &name("witness.example/w1"), &key(9), 5),
        ];
        let mut bytes = Note::new(text, lines).unwrap().to_string().into_bytes();
        let at = bit / 8 % bytes.len();
        bytes[at] ^= 1 << (bit % 8);
        let keys = [
            vkey("example.com/log", Algorithm::Ed25519, 7),
            vkey("witness.example/w1", Algorithm::Cosignature, 9),
        ];
        let both = Note::parse(&bytes).is_ok_and(|note| keys.iter().all(|key| matches!(key.verify(&note), Ok(Some(_)))));
        prop_assert!(!both);
    }
}
