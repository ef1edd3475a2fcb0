//! What is refused, and for which reason.

use clause9_collector::known::Known;
use clause9_collector::verify::{self, Admitted, Before, CLOCK_AHEAD, CLOCK_BEHIND, Refused};
use clause9_shared::time::{Clock, Span};
use clause9_shared::window::PaneStart;
use clause9_shared::wire::batch::{self, Batch, ItemReceipt, RefusalReason, Stream};

use crate::world::{Agents, HOUR, hour, key, known, now};

pub(crate) const SKEW: Span = Span::from_secs(300);

fn admitted(batch: &Batch, known: &Known) -> Result<Admitted, Refused> {
    let bytes = batch::seal(batch, &key(1));
    let opened = verify::open(&bytes, known, None)?;
    verify::admit(opened, Before::Nothing, batch.clock, now(), SKEW)
}

fn item_refusal(change: impl FnOnce(&mut Batch)) -> Option<RefusalReason> {
    let agents = Agents::new();
    let mut batch = agents.batch(1, 5, vec![agents.traffic(1, 5)]);
    change(&mut batch);
    match admitted(&batch, &known(&[1])).unwrap() {
        Admitted::New(verified) => match &verified.receipt().items[0] {
            ItemReceipt::Refused { reason, detail } => {
                assert!(!detail.is_empty());
                Some(*reason)
            }
            ItemReceipt::Stored => None,
            ItemReceipt::Duplicate => panic!("nothing was stored before"),
        },
        Admitted::Duplicate(_) | Admitted::Again(_) => panic!("nothing was stored before"),
    }
}

#[test]
fn a_batch_with_any_one_bit_flipped_is_refused() {
    let agents = Agents::new();
    let known = known(&[1]);
    let mut bytes = batch::seal(&agents.batch(1, 5, vec![agents.heartbeat(5)]), &key(1));
    assert!(
        verify::open(&bytes, &known, None).is_ok(),
        "unchanged, it is taken"
    );
    let mut reasons = std::collections::BTreeMap::new();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let refused = verify::open(&bytes, &known, None).expect_err("a changed bit is noticed");
        assert_eq!(
            refused.agent, None,
            "nobody is blamed for what he did not sign"
        );
        *reasons.entry(refused.reason).or_insert(0) += 1;
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    let expected = [
        (RefusalReason::Malformed, 4 * 8),
        (RefusalReason::BadSignature, (bytes.len() - 36) * 8),
        (RefusalReason::UnknownAgent, 32 * 8),
    ];
    assert_eq!(reasons, std::collections::BTreeMap::from(expected));
}

#[test]
fn truncated_and_lengthened_batches_are_refused() {
    let agents = Agents::new();
    let known = known(&[1]);
    let bytes = batch::seal(&agents.batch(1, 5, vec![agents.heartbeat(5)]), &key(1));
    for length in 0..bytes.len() {
        assert!(
            verify::open(&bytes[..length], &known, None).is_err(),
            "{length}"
        );
    }
    let longer = [bytes.as_slice(), b"\0"].concat();
    assert_eq!(
        verify::open(&longer, &known, None).unwrap_err().reason,
        RefusalReason::BadSignature
    );
}

#[test]
fn a_good_item_is_taken() {
    assert_eq!(item_refusal(|_| {}), None);
}

#[test]
fn each_fault_of_an_item_has_its_reason() {
    use RefusalReason::{BadCoverage, BadSummary, ClockMixed, UnknownPlan, UnknownSystem};
    let other = clause9_shared::digest::Digest::of(b"other");
    assert_eq!(
        item_refusal(|b| b.items[0].key.plan = other),
        Some(UnknownPlan)
    );
    assert_eq!(
        item_refusal(|b| b.items[0].key.baseline = other),
        Some(UnknownPlan)
    );
    assert_eq!(
        item_refusal(|b| {
            b.items[0].key.pane = HOUR.times(2);
            b.items[0].pane = PaneStart::of(hour(5).0, HOUR.times(2));
        }),
        Some(UnknownPlan)
    );
    assert_eq!(
        item_refusal(|b| b.items[0].summary.truncate(3)),
        Some(BadSummary)
    );
    assert_eq!(
        item_refusal(|b| b.items[0].summary = vec![1, 0]),
        Some(BadSummary)
    );
    let agents = Agents::new();
    assert_eq!(
        item_refusal(|b| b.items[0].summary = agents.outcomes(1, 5, 5).summary),
        Some(BadSummary),
        "an outcome summary is no traffic summary"
    );
    assert_eq!(
        item_refusal(|b| {
            if let Stream::Traffic(c) = &mut b.items[0].stream {
                c.seen += 1;
            }
        }),
        Some(BadCoverage)
    );
    assert_eq!(
        item_refusal(|b| {
            if let Stream::Traffic(c) = &mut b.items[0].stream {
                c.sampled = u64::MAX;
                c.sampled_out = u64::MAX;
                c.seen = u64::MAX - 1;
            }
        }),
        Some(BadCoverage),
        "a sum that wraps does not add up"
    );
    assert_eq!(
        item_refusal(|b| b.items[0].key.clock = Clock::Live),
        Some(ClockMixed)
    );
    assert_eq!(
        item_refusal(|b| b.items[0].key.system = "car".parse().unwrap()),
        Some(UnknownSystem)
    );
}

#[test]
fn what_an_agent_has_of_a_pane_that_it_has_not_closed_is_taken() {
    assert_eq!(item_refusal(|b| b.watermark = hour(5).0), None);
    assert_eq!(item_refusal(|b| b.watermark = hour(2).0), None);
}

#[test]
fn on_the_live_clock_nothing_is_taken_that_lies_ahead() {
    let live = Agents {
        clock: Clock::Live,
        ..Agents::new()
    };
    let known = known(&[1]);
    let closed = PaneStart::of(now(), HOUR);
    let day = Span::from_days(1);
    let said = |change: &dyn Fn(&mut Batch)| {
        let mut batch = live.batch(1, 5, vec![live.traffic(1, 5)]);
        batch.items[0].pane = PaneStart::of(now() - HOUR, HOUR);
        batch.watermark = closed.0;
        change(&mut batch);
        admitted(&batch, &known).map_err(|r| r.reason)
    };
    assert!(said(&|_| {}).is_ok());
    assert!(
        said(&|b| b.items[0].pane = closed).is_ok(),
        "the pane that is open now"
    );
    assert!(
        said(&|b| b.watermark = now() + SKEW - Span::from_secs(60)).is_ok(),
        "within the skew"
    );
    for ahead in [
        &(|b: &mut Batch| b.watermark = now() + Span::from_days(1)) as &dyn Fn(&mut Batch),
        &|b| b.items[0].pane = PaneStart::of(now() + Span::from_days(1), HOUR),
        &|b| b.watching_since = now() + Span::from_days(1),
        &|b| {
            b.items[0] = Agents {
                clock: Clock::Live,
                ..Agents::new()
            }
            .outcomes(1, 5, 6);
            if let Stream::Outcomes { arrival, .. } = &mut b.items[0].stream {
                *arrival = PaneStart::of(now() + Span::from_days(1), HOUR);
            }
        },
    ] {
        assert_eq!(said(ahead).err(), Some(RefusalReason::ClockAhead));
    }
    let mut replayed = Agents::new().batch(1, 5, Vec::new());
    replayed.watermark = now() + day;
    assert!(
        admitted(&replayed, &known).is_ok(),
        "replayed time may be anywhere"
    );
}

#[test]
fn an_agent_writes_only_for_its_systems() {
    let agents = Agents::new();
    let mut batch = agents.batch(1, 5, vec![agents.heartbeat(5)]);
    let unknown = admitted(&batch, &known(&[2])).unwrap_err();
    assert_eq!(unknown.reason, RefusalReason::UnknownAgent);
    batch.system = "car".parse().unwrap();
    let refused = admitted(&batch, &known(&[1])).unwrap_err();
    assert_eq!(refused.reason, RefusalReason::UnknownSystem);
    assert!(
        refused.agent.is_some(),
        "the signature verified: it is known who asked"
    );
}

#[test]
fn a_sequence_number_names_one_batch_for_ever() {
    let agents = Agents::new();
    let known = known(&[1]);
    let first = batch::seal(&agents.batch(7, 5, vec![agents.heartbeat(5)]), &key(1));
    let other = batch::seal(&agents.batch(7, 6, vec![agents.heartbeat(6)]), &key(1));
    let before = Before::Stored(batch::digest(&first));
    let again = verify::open(&first, &known, None).unwrap();
    match verify::admit(again, before.clone(), Clock::Replay, now(), SKEW).unwrap() {
        Admitted::Duplicate(receipt) => assert_eq!(receipt.items, [ItemReceipt::Duplicate]),
        Admitted::New(_) | Admitted::Again(_) => panic!("it is stored already"),
    }
    let replayed = verify::open(&other, &known, None).unwrap();
    let refused = verify::admit(replayed, before, Clock::Replay, now(), SKEW).unwrap_err();
    assert_eq!(refused.reason, RefusalReason::ReplayedSequence);
}

#[test]
fn a_clock_that_is_off_is_marked_and_mixed_clocks_are_refused() {
    let agents = Agents::new();
    let known = known(&[1]);
    let day = Span::from_days(1);
    for (shift, marks) in [
        (now() + day, vec![CLOCK_AHEAD]),
        (now() - day, vec![CLOCK_BEHIND]),
        (now(), vec![]),
    ] {
        let mut batch = agents.batch(1, 5, vec![agents.heartbeat(5)]);
        batch.created_at = shift;
        match admitted(&batch, &known).unwrap() {
            Admitted::New(verified) => assert_eq!(verified.receipt().marks, marks),
            Admitted::Duplicate(_) | Admitted::Again(_) => panic!("nothing was stored before"),
        }
    }
    let batch = agents.batch(1, 5, vec![agents.heartbeat(5)]);
    let opened = verify::open(&batch::seal(&batch, &key(1)), &known, None).unwrap();
    let refused = verify::admit(opened, Before::Nothing, Clock::Live, now(), SKEW).unwrap_err();
    assert_eq!(refused.reason, RefusalReason::ClockMixed);
}
