use clause9_shared::time::{Span, Timestamp};
use clause9_shared::window::{DropReason, PaneStart};
use http::StatusCode;
use proptest::prelude::*;

use super::*;
use crate::exchange::Message;
use crate::sink::shape;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000).unwrap()
}

fn waiting(id: u16, side: Side, bytes: usize, seconds: i64) -> Waiting {
    Waiting {
        half: Half {
            key: Key::new("s", &id.to_string()),
            side,
            at: Some(at(seconds)),
            message: Message {
                body: shape::body(vec![b' '; bytes]),
                ..Message::default()
            },
            status: StatusCode::OK,
            service: None,
            request_id: None,
        },
        pane: PaneStart::of(at(seconds), Span::from_secs(60)),
        at: at(seconds),
        since: at(seconds),
    }
}

/// Has a half come in, and wait if it is the first.
fn come(joins: &mut Joins, one: Waiting, gone: &mut Vec<Gone>) -> &'static str {
    match joins.enter(one.half.key, one.half.side, gone) {
        Standing::Duplicate => "duplicate",
        Standing::Late => "late",
        Standing::Second(_) => "joined",
        Standing::First => {
            joins.wait(one, gone);
            "waits"
        }
    }
}

#[test]
fn either_half_may_come_first_and_what_comes_again_is_known() {
    let (mut joins, mut gone) = (Joins::new(10_000, Span::from_secs(60)), Vec::new());
    let mut said = |id, side| come(&mut joins, waiting(id, side, 10, 0), &mut gone);
    assert_eq!(said(1, Side::Request), "waits");
    assert_eq!(said(1, Side::Request), "duplicate");
    assert_eq!(said(1, Side::Response), "joined");
    assert_eq!(said(2, Side::Response), "waits");
    assert_eq!(said(2, Side::Request), "joined");
    assert_eq!(said(2, Side::Response), "duplicate");
    assert_eq!(said(1, Side::Request), "duplicate");
    assert!(joins.is_empty() && joins.bytes() == 0 && gone.is_empty());
    assert!(joins.enter_whole(Key::new("s", "3"), &mut gone));
    assert!(!joins.enter_whole(Key::new("s", "3"), &mut gone));
    assert!(!joins.enter_whole(Key::new("s", "2"), &mut gone));
}

#[test]
fn what_waits_is_given_up_in_time_and_its_other_half_is_late() {
    let (mut joins, mut gone) = (Joins::new(10_000, Span::from_secs(60)), Vec::new());
    come(&mut joins, waiting(1, Side::Request, 10, 0), &mut gone);
    come(&mut joins, waiting(2, Side::Response, 10, 30), &mut gone);
    joins.expire(at(59), &mut gone);
    assert_eq!((joins.len(), gone.len()), ((1, 1), 0));
    joins.expire(at(60), &mut gone);
    assert_eq!(
        (joins.len(), gone[0].reason),
        ((0, 1), DropReason::Unanswered)
    );
    joins.expire(at(90), &mut gone);
    assert_eq!((joins.len(), gone[1].reason), ((0, 0), DropReason::Unasked));
    let late = come(&mut joins, waiting(1, Side::Response, 10, 91), &mut gone);
    assert_eq!((late, joins.len()), ("late", (0, 0)));
}

#[test]
fn a_pane_that_closes_takes_what_waits_in_it() {
    let (mut joins, mut gone) = (Joins::new(10_000, Span::from_secs(600)), Vec::new());
    for (id, seconds) in [(1, 59), (2, 60), (3, 10), (4, 130)] {
        come(
            &mut joins,
            waiting(id, Side::Request, 10, seconds),
            &mut gone,
        );
    }
    joins.close(PaneStart(at(0)), &mut gone);
    let panes: Vec<_> = gone.iter().map(|g| g.waiting.at).collect();
    assert_eq!(panes, [at(59), at(10)]);
    joins.end(&mut gone);
    assert_eq!((gone.len(), joins.bytes()), (4, 0));
}

#[test]
fn a_half_that_is_longer_than_the_bound_is_let_go_at_once() {
    let (mut joins, mut gone) = (Joins::new(1000, Span::from_secs(60)), Vec::new());
    come(&mut joins, waiting(1, Side::Request, 2000, 0), &mut gone);
    assert_eq!((gone.len(), gone[0].reason), (1, DropReason::CaptureBudget));
    assert!(joins.is_empty());
}

#[test]
fn as_many_ids_are_remembered_as_there_is_room_for() {
    let (mut joins, mut gone) = (Joins::new(1 << 20, Span::from_secs(60)), Vec::new());
    come(&mut joins, waiting(0, Side::Request, 0, 0), &mut gone);
    for id in 0..MAX_KNOWN {
        joins.enter_whole(Key::new("other", &id.to_string()), &mut gone);
    }
    // What waited longest was forgotten, and is given back to be counted.
    assert_eq!((gone.len(), joins.len()), (1, (0, 0)));
    assert_eq!(joins.known.len(), MAX_KNOWN);
    assert_eq!(joins.order.len(), MAX_KNOWN);
}

proptest! {
    #[test]
    fn each_half_has_one_end_and_bounds_hold_whatever_comes(
        halves in prop::collection::vec((0_u16..40, any::<bool>(), 0_usize..3000, 0_i64..4), 1..300),
    ) {
        let (mut joins, mut gone) = (Joins::new(8192, Span::from_secs(30)), Vec::new());
        let (mut now, mut waited, mut joined) = (0, 0, 0);
        for (id, is_request, bytes, later) in halves {
            now += later;
            joins.expire(at(now), &mut gone);
            let side = if is_request { Side::Request } else { Side::Response };
            match come(&mut joins, waiting(id, side, bytes, now), &mut gone) {
                "waits" => waited += 1,
                "joined" => joined += 1,
                _ => {}
            }
            prop_assert!(joins.bytes() <= 8192);
            let held: usize = joins.waiting.values().map(weight).sum();
            prop_assert_eq!(held, joins.bytes());
            let requests = joins.waiting.values().filter(|w| w.half.side == Side::Request);
            prop_assert_eq!(requests.count(), joins.len().0);
            prop_assert_eq!(joins.places.len(), joins.waiting.len());
        }
        let (requests, answers) = joins.len();
        prop_assert_eq!(waited, joined + gone.len() + requests + answers);
        joins.end(&mut gone);
        prop_assert_eq!(waited, joined + gone.len());
    }
}
