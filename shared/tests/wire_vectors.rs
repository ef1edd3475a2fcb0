//! Bytes that earlier programs wrote: every version of what travels between agents and collectors, as it was
//! first written. They are read for ever, and the same words give the same bytes. Files are added, never changed.
#![expect(clippy::unwrap_used, reason = "a test's own values are what they are")]

use std::path::Path;

use clause9_shared::digest::{Digest, parse_hex_bytes, to_hex};
use clause9_shared::ids::{AgentId, BootId, Sequence};
use clause9_shared::time::{Clock, Span, Timestamp};
use clause9_shared::window::{Coverage, OutcomeCoverage, PaneKey, PaneStart};
use clause9_shared::wire::answer::{self, Answer, Said};
use clause9_shared::wire::batch::{
    self, Batch, BatchRefused, ClosedWindow, Envelope, ItemReceipt, Receipt, RefusalReason, Stream,
};
use clause9_shared::wire::loss::{Loss, LossReason, Place};
use ed25519_dalek::SigningKey;

/// Bytes on a line of a file.
const LINE: usize = 32;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[42; 32])
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn place(boot: u64, sequence: u64) -> Place {
    Place {
        boot: BootId(boot),
        sequence: Sequence(sequence),
    }
}

/// A batch with something in every field that version 1 has.
fn first() -> Batch {
    let pane = PaneStart(at("2026-03-01T10:00:00Z"));
    let key = PaneKey {
        system: "loan".parse().unwrap(),
        model: "scoring".into(),
        model_version: "7".into(),
        baseline: Digest::of(b"baseline"),
        plan: Digest::of(b"plan"),
        salt: Digest::of(b"salt"),
        clock: Clock::Live,
        pane: Span::from_secs(3600),
        shell: None,
    };
    let mut traffic = Coverage {
        seen: 1017,
        sampled: 1000,
        sampled_out: 3,
        not_inference: 5,
        rows: 4000,
        truncated: 2,
        upstream_errors: 1,
        unidentified: 7,
        request_only: 0,
        ..Coverage::default()
    };
    traffic.dropped[0] = 4;
    traffic.undecodable[1] = 5;
    let outcomes = OutcomeCoverage {
        labels: 300,
        attributes: 20,
        repeated: 1,
        unknown_id: 2,
        ..OutcomeCoverage::default()
    };
    let arrival = PaneStart(at("2026-03-01T11:00:00Z"));
    let window = |stream, summary: &[u8]| ClosedWindow {
        key: key.clone(),
        pane,
        stream,
        summary: summary.to_vec(),
    };
    Batch {
        boot: BootId(1_772_359_200_000_000),
        sequence: Sequence(9),
        created_at: at("2026-03-01T12:00:01.5Z"),
        clock: Clock::Live,
        system: "loan".parse().unwrap(),
        watermark: at("2026-03-01T12:00:00Z"),
        watching_since: at("2026-03-01T09:13:00Z"),
        items: vec![
            window(Stream::Traffic(traffic), b"traffic's summary"),
            window(
                Stream::Outcomes {
                    arrival,
                    coverage: outcomes,
                },
                b"outcomes' summary",
            ),
        ],
        losses: Vec::new(),
        restored: None,
    }
}

/// The same with what version 2 added.
fn second() -> Batch {
    Batch {
        losses: vec![
            Loss {
                reason: LossReason::OutboxFull,
                first: 4,
                last: 6,
                batches: 3,
                after: Some(place(1, 4)),
                before: Some(place(2, 1)),
                noticed_at: at("2026-03-01T11:30:00Z"),
            },
            Loss {
                reason: LossReason::Damaged,
                first: 8,
                last: 8,
                batches: 1,
                after: None,
                before: None,
                noticed_at: at("2026-03-01T11:31:00Z"),
            },
        ],
        restored: Some(at("2026-03-01T11:59:50Z")),
        ..first()
    }
}

fn receipt() -> Answer {
    let batch = Digest::of(b"batch");
    let receipt = Receipt {
        batch,
        items: vec![
            ItemReceipt::Stored,
            ItemReceipt::Duplicate,
            ItemReceipt::Refused {
                reason: RefusalReason::UnknownPlan,
                detail: "the capture plan is not known".to_owned(),
            },
        ],
        marks: vec!["clock_behind".to_owned()],
    };
    Answer {
        batch,
        said: Said::Receipt(receipt),
    }
}

fn refusal() -> Answer {
    let refusal = BatchRefused {
        refused: RefusalReason::ReplayedSequence,
        detail: "the number was used".to_owned(),
    };
    Answer {
        batch: Digest::of(b"batch"),
        said: Said::Refused(refusal),
    }
}

/// The bytes of a file, and whether they are the given ones.
#[expect(clippy::disallowed_methods, reason = "a test reads its vectors")]
fn kept(name: &str, now: &[u8]) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/{name}.hex"));
    let lines: String = now.chunks(LINE).map(|line| to_hex(line) + "\n").collect();
    let Ok(text) = std::fs::read_to_string(&path) else {
        panic!("{} is missing; a new one would be\n{lines}", path.display());
    };
    let bytes = parse_hex_bytes(&text.replace('\n', "")).unwrap();
    assert_eq!(text, lines, "{name} is written in another way now");
    bytes
}

#[test]
fn batches_of_every_version_are_read_and_written_as_they_first_were() {
    for (name, batch) in [("batch.v1", first()), ("batch.v2", second())] {
        let bytes = kept(name, &batch::seal(&batch, &key()));
        let envelope = Envelope::parse(&bytes).unwrap();
        let signer = AgentId::of_key(key().verifying_key().as_bytes());
        assert_eq!(envelope.agent(), signer, "{name}");
        assert_eq!(envelope.open().unwrap(), batch, "{name}");
    }
}

#[test]
fn answers_of_every_version_are_read_and_written_as_they_first_were() {
    for (name, answer) in [("receipt.v1", receipt()), ("refusal.v1", refusal())] {
        let bytes = kept(name, &answer::seal(&answer, &key()).unwrap());
        let opened = answer::open(&bytes, answer::signer(&key()));
        assert_eq!(opened.unwrap(), answer, "{name}");
    }
}

#[test]
fn answers_over_http_are_read_as_they_first_were() {
    for (text, said) in [
        (
            r#"{"batch":"sha256:0000000000000000000000000000000000000000000000000000000000000001","items":[{"status":"stored"},{"status":"duplicate"},{"status":"refused","reason":"unknown_plan","detail":"why"}],"marks":[]}"#,
            3,
        ),
        (
            r#"{"batch":"sha256:0000000000000000000000000000000000000000000000000000000000000001","items":[],"marks":["clock_ahead"]}"#,
            0,
        ),
    ] {
        let receipt: Receipt = serde_json::from_str(text).unwrap();
        assert_eq!(receipt.items.len(), said);
        assert_eq!(serde_json::to_string(&receipt).unwrap(), text);
    }
    let text = r#"{"refused":"unknown_agent","detail":"why"}"#;
    let refused: BatchRefused = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&refused).unwrap(), text);
}
