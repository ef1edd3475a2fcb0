//! Outcomes that are handed over, and outcomes that others ask about.

use clause9_shared::wire::forward::Fate as Told;

use super::*;

fn forwarding() -> World {
    World::new(Settings {
        forward_after: Some(Span::from_secs(10)),
        waiting: 100,
        ..settings(1.0)
    })
}

fn ask(world: &mut World, question: Question, now: i64) -> Told {
    let asked = Asked {
        ticket: 1,
        question,
    };
    world.tell(Input::Asked(vec![asked]), now);
    match world.out.pop() {
        Some(Output::Told(told)) if told.len() == 1 => told[0],
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_outcome_waits_for_its_request_a_while_and_then_is_handed_over_and_counted_by_nobody_here() {
    let mut world = forwarding();
    assert_eq!(world.join(label("mine", 0, 1.0, 5), 10).waiting, 1);
    assert_eq!(world.join(label("theirs", 3, 1.0, 5), 10).waiting, 1);
    assert!(world.engine.hand_over(at(19), 100).is_empty());
    world.seen(0, "mine", 1);
    let handed = world.engine.hand_over(at(20), 100);
    assert_eq!(handed.len(), 1);
    assert_eq!(handed[0].tag, Sampler::new([9; 32], 1.0).tag(b"theirs"));
    assert_eq!((handed[0].outcome.row, handed[0].forgotten), (3, false));
    assert_eq!(handed[0].outcome.request_id, "");
    let blocks = outcomes(&world.close(0, 1));
    assert_eq!(blocks.len(), 1);
    assert_eq!((blocks[0].2.labels, blocks[0].2.unknown_id), (1, 0));
    assert_eq!(world.engine.waiting(), 0);
}

#[test]
fn what_is_not_handed_over_for_want_of_room_goes_on_waiting_beyond_its_pane() {
    let mut world = forwarding();
    for i in 0..5 {
        world.join(label(&format!("{i}"), 0, 1.0, 5), 10);
    }
    assert_eq!(world.engine.hand_over(at(60), 2).len(), 2);
    assert!(outcomes(&world.close(0, 0)).is_empty());
    assert_eq!(world.engine.hand_over(at(90), 100).len(), 3);
    assert_eq!(world.engine.hand_over(at(90), 100).len(), 0);
}

#[test]
fn what_others_ask_about_is_joined_once_and_what_nobody_knew_is_counted() {
    let mut world = forwarding();
    world.seen(0, "a", 2);
    world.close(0, 1);
    let tag = Sampler::new([9; 32], 1.0).tag(b"a");
    let mut one = label("", 1, 1.0, 70);
    let join = |tag, outcome: &Outcome| Question::Join(tag, outcome.clone());
    assert_eq!(ask(&mut world, join(Some(tag), &one), 70), Told::Counted);
    assert_eq!(ask(&mut world, join(Some(tag), &one), 71), Told::Counted);
    one.request_id = "a".into();
    one.row = 0;
    assert_eq!(ask(&mut world, join(None, &one), 72), Told::Counted);
    one.request_id = "never".into();
    assert_eq!(ask(&mut world, join(None, &one), 72), Told::Unknown);
    assert_eq!(
        world.engine.waiting(),
        0,
        "who asks waits, not who is asked"
    );
    assert_eq!(ask(&mut world, Question::CountUnknown, 73), Told::Counted);
    assert_eq!(ask(&mut world, Question::CountForgotten, 73), Told::Counted);
    world.tell(Input::LostOnTheWay(4), 73);
    let blocks = outcomes(&world.close(1, 0));
    let of = |i: usize| &blocks[i].2;
    assert_eq!(
        (of(0).unknown_id, of(0).forgotten, of(0).dropped),
        (1, 1, 4)
    );
    assert_eq!((of(1).labels, of(1).repeated), (2, 1));
}

#[test]
fn an_outcome_of_a_forgotten_request_is_told_from_one_that_was_never_made() {
    let mut world = World::new(Settings {
        remembered: 3,
        ..settings(1.0)
    });
    for id in ["a", "b", "c", "d"] {
        world.seen(0, id, 1);
    }
    for id in ["a", "b", "never"] {
        world.join(label(id, 0, 1.0, 5), 10);
    }
    let blocks = outcomes(&world.close(0, 4));
    let (unjoined, joined) = (&blocks[0].2, &blocks[1].2);
    assert_eq!((unjoined.forgotten, unjoined.unknown_id), (1, 1));
    assert_eq!(joined.labels, 1);
    let tally = world.engine.take_tally();
    assert_eq!((tally.outcomes_forgotten, tally.unknown_id), (1, 1));
    // Beyond the horizon of one hour, the rest is forgotten too.
    world.close(62, 0);
    assert_eq!(world.join(label("c", 0, 1.0, 63 * 60), 63 * 60).waiting, 1);
    let blocks = outcomes(&world.close(63, 0));
    assert_eq!((blocks[0].2.forgotten, blocks[0].2.unknown_id), (1, 0));
}
