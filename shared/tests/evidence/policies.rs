//! Policies: the specification's example with real keys, quorums by every subset, and what is no policy.

use clause9_shared::evidence::note::{Algorithm, Note, SignatureLine};
use clause9_shared::evidence::policy::Policy;

use crate::notes::{checkpoint, key, name, vkey};

const WITNESSES: [&str; 6] = ["X1", "X2", "X3", "Y1", "Y2", "Y3"];

fn example() -> String {
    let mut lines = vec![
        "# Two organisations.".to_owned(),
        format!(
            "log {} https://example.com/log",
            vkey("example.com/log", Algorithm::Ed25519, 1)
        ),
        String::new(),
    ];
    for (n, witness) in (10..).zip(WITNESSES) {
        let key = vkey(&format!("w.example/{witness}"), Algorithm::Cosignature, n);
        lines.push(format!("witness {witness} {key}"));
    }
    lines.extend(
        [
            "group X-witnesses 2 X1 X2 X3",
            "\tgroup  Y-witnesses any Y1 Y2 Y3 ",
            "group X-and-Y all X-witnesses Y-witnesses",
            "quorum X-and-Y",
        ]
        .map(str::to_owned),
    );
    lines.join("\n")
}

/// The checkpoint, signed by the log and cosigned by those whose bits are set.
fn cosigned(by: u8) -> Note {
    let text = checkpoint().to_string();
    let mut note = Note::new(
        text.clone(),
        vec![SignatureLine::sign(
            &text,
            &name("example.com/log"),
            &key(1),
        )],
    )
    .unwrap();
    for (n, witness) in (0_u8..).zip(WITNESSES) {
        if by >> n & 1 == 1 {
            let name = name(&format!("w.example/{witness}"));
            note.add(SignatureLine::cosign(
                &text,
                &name,
                &key(10 + n),
                1000 + u64::from(n),
            ));
        }
    }
    note
}

#[test]
fn a_quorum_holds_for_exactly_the_subsets_that_it_describes() {
    let policy = Policy::parse(&example()).unwrap();
    assert_eq!((policy.logs.len(), policy.witnesses.len()), (1, 6));
    assert_eq!(
        policy.logs[0].url.as_deref(),
        Some("https://example.com/log")
    );
    for by in 0..64_u8 {
        let judged = policy.judge(&cosigned(by));
        let enough = (by & 7).count_ones() >= 2 && by >> 3 != 0;
        assert_eq!((judged.log, judged.quorum), (true, enough), "{by:06b}");
        assert_eq!(judged.cosigned.len(), by.count_ones() as usize);
        assert!(judged.forged.is_empty());
    }
}

#[test]
fn a_cosignature_that_does_not_verify_counts_for_nothing_and_is_named() {
    let policy = Policy::parse(&example()).unwrap();
    let text = checkpoint().to_string();
    let mut false_one = SignatureLine::cosign(&text, &name("w.example/X1"), &key(10), 7);
    false_one.bytes[30] ^= 4;
    let mut note = cosigned(0b001_100);
    note.add(false_one);
    let judged = policy.judge(&note);
    assert!(!judged.quorum);
    assert_eq!(
        (judged.forged, judged.cosigned.len()),
        (vec!["X1".to_owned()], 2)
    );
}

#[test]
fn without_a_quorum_only_the_log_is_asked_for() {
    let log = vkey("example.com/log", Algorithm::Ed25519, 1);
    let policy = Policy::parse(&format!("log {log}\nquorum none\n")).unwrap();
    assert!(!policy.asks_for_witnesses());
    assert!(policy.judge(&cosigned(0)).quorum);
    let other = vkey("example.com/log", Algorithm::Ed25519, 2);
    let policy = Policy::parse(&format!("log {other}\nquorum none\n")).unwrap();
    assert!(!policy.judge(&cosigned(0)).log);
}

#[test]
fn one_logs_key_says_nothing_of_another_log() {
    let other = vkey("example.com/other", Algorithm::Ed25519, 1);
    let policy = Policy::parse(&format!("log {other}\nquorum none\n")).unwrap();
    let text = checkpoint().to_string();
    let line = SignatureLine::sign(&text, &name("example.com/other"), &key(1));
    let note = Note::new(text, vec![line]).unwrap();
    assert!(matches!(other.verify(&note), Ok(Some(_))));
    assert!(!policy.judge(&note).log);
    let text = "no checkpoint\n".to_owned();
    let line = SignatureLine::sign(&text, &name("example.com/other"), &key(1));
    let judged = policy.judge(&Note::new(text, vec![line]).unwrap());
    assert_eq!((judged.log, judged.quorum), (false, false));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_no_policy_is_refused_with_its_line() {
    let log = vkey("example.com/log", Algorithm::Ed25519, 1).to_string();
    let witness = vkey("w.example/a", Algorithm::Cosignature, 2).to_string();
    let both = format!(
        "witness a {witness}\nwitness b {}\n",
        vkey("w.example/b", Algorithm::Cosignature, 3)
    );
    let cases = [
        (String::new(), 0, "it has no `quorum` line"),
        (
            "quorum none\nquorum none".to_owned(),
            2,
            "there is a `quorum` line already",
        ),
        (
            "quorum a".to_owned(),
            1,
            "no such witness or group before it",
        ),
        ("quorum".to_owned(), 1, "it has too few or too many words"),
        (
            "logs x".to_owned(),
            1,
            "it begins with none of `log`, `witness`, `group`, `quorum`",
        ),
        (
            "log x\n".to_owned(),
            1,
            "it has no verifier key as NAME+ID+KEY",
        ),
        (
            format!("log {witness}"),
            1,
            "the key is of another kind: logs have 0x01, witnesses 0x04",
        ),
        (
            format!("witness a {log}"),
            1,
            "the key is of another kind: logs have 0x01, witnesses 0x04",
        ),
        (
            format!("log {log}\nlog {log}"),
            2,
            "the key stands there twice",
        ),
        (
            format!("witness a {witness}\nwitness b {witness}"),
            2,
            "the key stands there twice",
        ),
        (format!("witness none {witness}"), 1, "the name is taken"),
        (format!("{both}group a any b"), 3, "the name is taken"),
        (
            format!("{both}group g 3 a b"),
            3,
            "a group asks for 1 to all of its members",
        ),
        (
            format!("{both}group g 0 a b"),
            3,
            "a group asks for 1 to all of its members",
        ),
        (
            format!("{both}group g some a b"),
            3,
            "a group has `any`, `all` or a number of members",
        ),
        (
            format!("{both}group g any c"),
            3,
            "no such witness or group before it",
        ),
        (
            format!("{both}group g any g"),
            3,
            "no such witness or group before it",
        ),
        (
            format!("{both}group g any a a"),
            3,
            "a member is in a group already",
        ),
        (
            format!("{both}group g any a\ngroup h any a b"),
            4,
            "a member is in a group already",
        ),
        (
            "quorum none\u{7}".to_owned(),
            1,
            "it has a control character",
        ),
        ("\n".repeat(70_000), 0, "it is longer than 64 KiB"),
    ];
    for (text, line, what) in cases {
        let refused = Policy::parse(&text).unwrap_err();
        assert_eq!(
            (refused.line, refused.what),
            (line, what),
            "{}",
            &text[..text.len().min(80)]
        );
    }
}
