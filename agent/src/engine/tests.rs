use clause9_shared::baseline::BaselineBuilder;
use clause9_shared::inference::{Cell, Tensor, Values};
use clause9_shared::objective::{self, Document, document::Scalar};
use clause9_shared::time::Span;
use clause9_shared::window::OutcomeCoverage;
use clause9_shared::wire::codec::Decode;
use proptest::prelude::*;

use super::*;

mod answers;
mod capped;
mod forwarding;
mod gathering;
mod lists;
mod shelves;
mod stratified;

const OBJECTIVES: &str = include_str!("../../../tests/fixtures/agent/objectives.yaml");

fn document() -> Document {
    objective::load("objectives.yaml", OBJECTIVES).unwrap()
}

fn plan() -> Arc<CapturePlan> {
    let document = document();
    let mut builder = BaselineBuilder::new(&document, "reference");
    for i in 0..200 {
        builder.observe(0, Cell::Float(f64::from(i)));
        builder.observe_score(f64::from(i) / 200.0);
        builder.end_row();
    }
    let baseline = builder.finish(Digest::of(b"reference")).unwrap();
    Arc::new(CapturePlan::new(&document, &baseline).unwrap())
}

fn settings(rate: f64) -> Settings {
    let plan = plan();
    Settings {
        baseline: plan.baseline().digest(),
        plan,
        sampler: Sampler::new([9; 32], rate),
        cap: None,
        salt: crate::sample::salt_id(&[9; 32]),
        clock: Clock::Replay,
        remembered: 100,
        remembered_bytes: 1 << 20,
        waiting: 5,
        forward_after: None,
    }
}

/// Seconds after the epoch; panes are a minute long.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000).unwrap()
}

fn minute(n: i64) -> PaneStart {
    PaneStart(at(n * 60))
}

fn inference(id: Option<&str>, rows: usize) -> Inference {
    let column = |name: &str, values| Tensor {
        name: name.into(),
        columns: 1,
        values,
    };
    let scores = (0..rows)
        .map(|row| if row % 2 == 0 { 0.75 } else { 0.25 })
        .collect();
    Inference {
        model: "toy".into(),
        model_version: "1".into(),
        request_id: id.map(Into::into),
        arrived_at: at(0),
        rows,
        inputs: vec![column("x", Values::Float(vec![1.5; rows]))],
        outputs: vec![column("p", Values::Float(scores))],
    }
}

fn looked(pane: PaneStart, decoded: Result<Inference, Undecoded>) -> Input {
    let upstream_error = matches!(
        decoded,
        Err(Undecoded::Undecodable(UndecodableReason::UpstreamError))
    );
    let truncated = matches!(
        decoded,
        Err(Undecoded::Undecodable(UndecodableReason::Truncated))
    );
    Input::Exchange(Looked {
        pane,
        decoded,
        truncated,
        upstream_error,
        answer: None,
        request_only: false,
    })
}

fn label(id: &str, row: u32, label: f64, seconds: i64) -> Outcome {
    Outcome {
        request_id: id.into(),
        row,
        label: Some(Scalar::Number(label)),
        attributes: BTreeMap::new(),
        available_at: Some(at(seconds)),
    }
}

/// An engine with what it said.
struct World {
    engine: Engine,
    out: Vec<Output>,
}

impl World {
    fn new(settings: Settings) -> Self {
        Self {
            engine: Engine::new(settings),
            out: Vec::new(),
        }
    }

    fn tell(&mut self, input: Input, seconds: i64) {
        self.engine.handle(input, at(seconds), &mut self.out);
    }

    fn seen(&mut self, n: i64, id: &str, rows: usize) {
        self.tell(looked(minute(n), Ok(inference(Some(id), rows))), n * 60);
    }

    fn join(&mut self, outcome: Outcome, now: i64) -> OutcomeReport {
        self.tell(Input::Outcomes(vec![outcome]), now);
        match self.out.pop() {
            Some(Output::Answer(report)) => report,
            other => panic!("{other:?}"),
        }
    }

    fn close(&mut self, n: i64, seen: u64) -> Vec<ClosedWindow> {
        let socket = SocketCounts {
            seen,
            ..SocketCounts::default()
        };
        self.tell(Input::Close(minute(n), socket), (n + 1) * 60);
        self.shipped()
    }

    fn shipped(&mut self) -> Vec<ClosedWindow> {
        let out = std::mem::take(&mut self.out);
        let ships = out.into_iter().filter_map(|o| match o {
            Output::Ship(items, _) => Some(items),
            Output::Measured(_) | Output::Answer(_) | Output::Told(_) | Output::Held(_) => None,
        });
        ships.flatten().collect()
    }
}

fn traffic(items: &[ClosedWindow]) -> Coverage {
    let mut sum = Coverage::default();
    for item in items {
        if let Stream::Traffic(coverage) = &item.stream {
            assert!(coverage.adds_up(), "{coverage:?}");
            sum.merge(coverage).unwrap();
        }
    }
    sum
}

fn outcomes(items: &[ClosedWindow]) -> Vec<(PaneStart, PaneStart, OutcomeCoverage)> {
    let stream = |item: &ClosedWindow| match &item.stream {
        Stream::Outcomes { arrival, coverage } => Some((item.pane, *arrival, coverage.clone())),
        Stream::Traffic(_) => None,
    };
    items.iter().filter_map(stream).collect()
}

#[test]
fn an_idle_pane_ships_one_empty_item() {
    let mut world = World::new(settings(1.0));
    let items = world.close(0, 0);
    assert_eq!(items.len(), 1);
    assert_eq!(
        (&*items[0].key.model, &*items[0].key.model_version),
        ("", "")
    );
    assert_eq!(traffic(&items), Coverage::default());
    assert_eq!(
        PaneSummary::from_bytes(&items[0].summary).unwrap(),
        plan().empty_traffic()
    );
    assert_eq!(world.engine.watermark(), Some(at(60)));
}

#[test]
fn each_reason_for_not_understanding_is_counted_and_adds_up() {
    let mut world = World::new(settings(1.0));
    for reason in UndecodableReason::ALL {
        world.tell(looked(minute(0), Err(Undecoded::Undecodable(*reason))), 1);
    }
    let mut other = inference(Some("a"), 1);
    other.model = "unknown".into();
    world.tell(looked(minute(0), Ok(other)), 1);
    let mut lacking = inference(Some("b"), 1);
    lacking.inputs.clear();
    world.tell(looked(minute(0), Ok(lacking)), 1);
    world.tell(
        looked(minute(0), Err(Undecoded::Dropped(DropReason::MonitorDown))),
        1,
    );
    world.seen(0, "c", 3);
    let sum = traffic(&world.close(0, 13));
    assert!(
        UndecodableReason::ALL
            .iter()
            .all(|r| sum.undecodable[*r as usize] > 0),
        "{sum:?}"
    );
    assert_eq!(sum.undecodable[UndecodableReason::UnknownModel as usize], 2);
    assert_eq!(
        sum.undecodable[UndecodableReason::SchemaMismatch as usize],
        2
    );
    assert_eq!((sum.seen, sum.sampled, sum.rows), (13, 1, 3));
    assert_eq!(sum.dropped[DropReason::MonitorDown as usize], 1);
    // Thirteen were seen, eleven reached the engine.
    assert_eq!(sum.dropped[DropReason::Unfinished as usize], 2);
    assert_eq!((sum.truncated, sum.upstream_errors), (1, 1));
}

#[test]
fn an_exchange_that_ends_after_its_pane_is_counted_once_as_unfinished() {
    let mut world = World::new(settings(1.0));
    let sum = traffic(&world.close(0, 1));
    assert_eq!(sum.dropped[DropReason::Unfinished as usize], 1);
    world.seen(0, "late", 1);
    assert_eq!(world.engine.take_tally().late, 1);
    assert_eq!(traffic(&world.close(1, 0)), Coverage::default());
}

#[test]
fn the_sampling_rule_leaves_exchanges_out_and_says_so() {
    let mut world = World::new(settings(0.5));
    for i in 0..200 {
        world.seen(0, &format!("id-{i}"), 1);
    }
    world.tell(looked(minute(0), Ok(inference(None, 1))), 1);
    let sum = traffic(&world.close(0, 201));
    assert_eq!(sum.sampled + sum.sampled_out, 201);
    assert!((60..140).contains(&sum.sampled), "{sum:?}");
}

#[test]
fn outcomes_join_by_id_and_row_into_the_block_of_their_arrival() {
    let mut world = World::new(settings(1.0));
    world.seen(0, "a", 2);
    world.close(0, 1);
    assert_eq!(world.join(label("a", 1, 1.0, 70), 100).joined, 1);
    assert_eq!(world.join(label("a", 1, 1.0, 71), 100).repeated, 1);
    assert_eq!(world.join(label("a", 2, 1.0, 72), 100).unknown_row, 1);
    assert_eq!(world.join(label("a", 0, 7.0, 73), 100).unlisted_value, 1);
    let items = world.close(1, 0);
    let blocks = outcomes(&items);
    let unjoined = OutcomeCoverage {
        unknown_row: 1,
        ..OutcomeCoverage::default()
    };
    let joined = OutcomeCoverage {
        labels: 1,
        repeated: 1,
        unlisted_value: 1,
        ..OutcomeCoverage::default()
    };
    assert_eq!(
        blocks,
        [
            (minute(1), minute(1), unjoined),
            (minute(0), minute(1), joined)
        ]
    );
    let block = items.iter().find(|i| i.pane == minute(0)).unwrap();
    assert_ne!(
        PaneSummary::from_bytes(&block.summary).unwrap(),
        plan().empty_outcomes()
    );
    assert!(outcomes(&world.close(2, 0)).is_empty());
}

#[test]
fn an_outcome_may_come_before_its_request_within_the_pane() {
    let mut world = World::new(settings(1.0));
    assert_eq!(world.join(label("a", 0, 1.0, 5), 10).waiting, 1);
    assert_eq!(world.join(label("never", 0, 1.0, 5), 10).waiting, 1);
    world.seen(0, "a", 1);
    let blocks = outcomes(&world.close(0, 1));
    assert_eq!(blocks.len(), 2);
    assert_eq!((blocks[0].2.unknown_id, blocks[1].2.labels), (1, 1));
    assert_eq!(world.engine.waiting(), 0);
}

#[test]
fn waiting_outcomes_are_bounded_and_what_exceeds_is_counted() {
    let mut world = World::new(settings(1.0));
    let reports: Vec<_> = (0..7)
        .map(|i| world.join(label(&format!("{i}"), 0, 1.0, 5), 10))
        .collect();
    assert_eq!(reports.iter().map(|r| r.waiting).sum::<u64>(), 5);
    assert_eq!(reports.iter().map(|r| r.dropped).sum::<u64>(), 2);
    let blocks = outcomes(&world.close(0, 0));
    assert_eq!((blocks[0].2.unknown_id, blocks[0].2.dropped), (5, 2));
}

#[test]
fn waiting_outcomes_are_bounded_in_bytes_too() {
    let mut world = World::new(Settings {
        waiting: 1_000_000,
        ..settings(1.0)
    });
    let long = |i: usize| Outcome {
        label: Some(Scalar::Text("x".repeat(256))),
        attributes: BTreeMap::from([("sex".parse().unwrap(), "y".repeat(256))]),
        ..label(&format!("{i}"), 0, 1.0, 5)
    };
    let fates: Vec<_> = (0..20_000).map(|i| world.join(long(i), 10)).collect();
    let waiting: u64 = fates.iter().map(|r| r.waiting).sum();
    let dropped: u64 = fates.iter().map(|r| r.dropped).sum();
    assert_eq!(waiting + dropped, 20_000);
    assert!((1000..10_000).contains(&waiting), "{waiting}");
    assert!(world.engine.waiting.bytes() <= waiting::MAX_BYTES);
    let blocks = outcomes(&world.close(0, 0));
    assert_eq!(
        (blocks[0].2.unknown_id, blocks[0].2.dropped),
        (waiting, dropped)
    );
    assert_eq!(world.engine.waiting.bytes(), 0);
}

#[test]
fn outcomes_of_requests_left_out_by_the_sampling_rule_are_neither_waiting_nor_unknown() {
    let mut world = World::new(settings(0.3));
    let ids: Vec<_> = (0..300).map(|i| format!("id-{i}")).collect();
    for id in &ids {
        world.seen(0, id, 1);
    }
    let fates: Vec<_> = ids
        .iter()
        .map(|id| world.join(label(id, 0, 1.0, 5), 10))
        .collect();
    let count = |of: fn(&OutcomeReport) -> u64| fates.iter().map(of).sum::<u64>();
    let (joined, left_out) = (count(|r| r.joined), count(|r| r.sampled_out));
    assert_eq!(joined + left_out, 300);
    assert_eq!(world.engine.take_tally().outcomes_sampled_out, left_out);
    let items = world.close(0, 300);
    let (kept, rest) = (traffic(&items).sampled, traffic(&items).sampled_out);
    assert_eq!((joined, left_out), (kept, rest));
    assert!((60..120).contains(&kept), "{kept}");
    let unjoined = OutcomeCoverage {
        sampled_out: left_out,
        ..OutcomeCoverage::default()
    };
    assert_eq!(outcomes(&items)[0], (minute(0), minute(0), unjoined));
}

#[test]
fn predictions_are_forgotten_at_the_bound_and_at_the_horizon() {
    let mut world = World::new(settings(1.0));
    for i in 0..11 {
        world.seen(0, &format!("id-{i}"), 10);
    }
    assert_eq!(world.engine.remembered(), 100);
    assert_eq!(
        world.engine.take_tally().forgotten[shelf::Reason::Bound as usize],
        10
    );
    assert_eq!(world.join(label("id-0", 0, 1.0, 5), 10).waiting, 1);
    assert_eq!(world.join(label("id-1", 0, 1.0, 5), 10).joined, 1);
    world.close(0, 11);
    assert_eq!(world.engine.remembered(), 100);
    // The fixture's outcome horizon is one hour.
    let _ = world.close(62, 0);
    assert_eq!(world.engine.remembered(), 0);
}

#[test]
fn an_id_used_twice_keeps_the_first_and_marks_the_second() {
    let mut world = World::new(settings(1.0));
    world.seen(0, "a", 1);
    world.seen(0, "a", 5);
    world.tell(looked(minute(0), Ok(inference(None, 1))), 1);
    assert_eq!(world.join(label("a", 3, 1.0, 5), 10).unknown_row, 1);
    let sum = traffic(&world.close(0, 3));
    assert_eq!((sum.sampled, sum.unidentified, sum.rows), (3, 2, 7));
}

#[test]
fn versions_have_items_of_their_own() {
    let mut world = World::new(settings(1.0));
    world.seen(0, "a", 1);
    let mut second = inference(Some("b"), 1);
    second.model_version = "2".into();
    world.tell(looked(minute(0), Ok(second)), 1);
    let items = world.close(0, 2);
    let versions: Vec<_> = items.iter().map(|i| &*i.key.model_version).collect();
    assert_eq!(versions, ["", "1", "2"]);
}

#[test]
fn after_a_panic_what_was_counted_is_dropped_and_adds_up() {
    let mut world = World::new(settings(1.0));
    world.seen(0, "a", 1);
    world.seen(0, "b", 1);
    world.engine = world.engine.after_panic();
    world.seen(0, "c", 1);
    let sum = traffic(&world.close(0, 4));
    assert_eq!(
        (sum.sampled, sum.dropped[DropReason::MonitorDown as usize]),
        (1, 2)
    );
    assert_eq!(
        (sum.seen, sum.dropped[DropReason::Unfinished as usize]),
        (4, 1)
    );
}

#[test]
fn after_a_panic_outcomes_and_predictions_that_are_lost_are_counted() {
    let mut world = World::new(settings(1.0));
    world.seen(0, "a", 2);
    world.join(label("a", 0, 1.0, 5), 10);
    world.join(label("a", 9, 1.0, 5), 10);
    world.join(label("later", 0, 1.0, 5), 10);
    world.engine = world.engine.after_panic();
    let tally = world.engine.take_tally();
    assert_eq!(
        (
            tally.forgotten[shelf::Reason::MonitorDown as usize],
            tally.outcomes_dropped
        ),
        (2, 1)
    );
    assert_eq!((world.engine.remembered(), world.engine.waiting()), (0, 0));
    let lost = OutcomeCoverage {
        dropped: 3,
        ..OutcomeCoverage::default()
    };
    assert_eq!(outcomes(&world.close(0, 1)), [(minute(0), minute(0), lost)]);
}

#[test]
fn outcomes_of_a_pane_whose_closing_panics_are_counted() {
    let mut world = World::new(settings(1.0));
    world.seen(0, "a", 2);
    world.close(0, 1);
    world.seen(1, "b", 1);
    world.join(label("a", 0, 1.0, 70), 100);
    world.join(label("a", 9, 1.0, 70), 100);
    world.join(label("b", 0, 1.0, 70), 100);
    world.join(label("later", 0, 1.0, 70), 100);
    // Counts that cannot be: the item that would say so is not written.
    let pane = world.engine.panes.get_mut(&minute(1)).unwrap();
    pane.models.values_mut().next().unwrap().coverage.rows += 1;
    pane.models.values_mut().next().unwrap().coverage.seen += 1;
    let closing = std::panic::AssertUnwindSafe(|| world.close(1, 1));
    assert!(
        std::panic::catch_unwind(closing).is_err(),
        "it must go wrong"
    );
    assert!(world.out.is_empty(), "nothing of it was said");
    world.engine = world.engine.after_panic();
    let items = world.close(1, 1);
    let sum = traffic(&items);
    assert_eq!(
        (sum.seen, sum.dropped[DropReason::MonitorDown as usize]),
        (1, 1)
    );
    let lost = OutcomeCoverage {
        dropped: 4,
        ..OutcomeCoverage::default()
    };
    assert_eq!(outcomes(&items), [(minute(1), minute(1), lost)]);
}

#[test]
fn stopping_ships_open_panes_without_claiming_them_closed() {
    let mut world = World::new(settings(1.0));
    world.close(0, 0);
    world.seen(1, "a", 2);
    world.join(label("a", 0, 1.0, 70), 70);
    let socket = SocketCounts {
        seen: 1,
        ..SocketCounts::default()
    };
    world.engine.handle(
        Input::Stop(vec![(minute(1), socket)]),
        at(80),
        &mut world.out,
    );
    let watermark = world.out.iter().find_map(|o| match o {
        Output::Ship(_, watermark) => Some(*watermark),
        Output::Measured(_) | Output::Answer(_) | Output::Told(_) | Output::Held(_) => None,
    });
    assert_eq!(watermark, Some(at(60)));
    let items = world.shipped();
    assert_eq!((traffic(&items).sampled, outcomes(&items).len()), (1, 1));
}

#[test]
fn each_objective_in_force_is_measured_on_the_panes_own_counts() {
    let mut world = World::new(settings(1.0));
    world.seen(0, "a", 4);
    for row in 0..4 {
        world.join(label("a", row, 1.0, 30), 30);
    }
    world.tell(
        Input::Close(
            minute(0),
            SocketCounts {
                seen: 1,
                ..SocketCounts::default()
            },
        ),
        60,
    );
    let measured: Vec<_> = world
        .out
        .iter()
        .filter_map(|o| match o {
            Output::Measured(m) => Some((m.objective.as_str(), m.support)),
            Output::Ship(..) | Output::Answer(_) | Output::Told(_) | Output::Held(_) => None,
        })
        .collect();
    assert_eq!(measured, [("x-missing", 4), ("right-enough", 4)]);
}

/// What may happen in any order.
#[derive(Clone, Debug)]
enum Event {
    Seen {
        pane: i64,
        rows: usize,
        named: bool,
    },
    NotReceived {
        pane: i64,
    },
    Bad {
        pane: i64,
        reason: UndecodableReason,
    },
    Label {
        id: u32,
        row: u32,
        at: i64,
    },
    Close,
    Panic,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..6_i64, 0..4_usize, any::<bool>()).prop_map(|(pane, rows, named)| Event::Seen { pane, rows, named }),
        1 => (0..6_i64).prop_map(|pane| Event::NotReceived { pane }),
        1 => (0..6_i64, proptest::sample::select(UndecodableReason::ALL)).prop_map(|(pane, reason)| Event::Bad { pane, reason }),
        3 => (0..40_u32, 0..4_u32, 0..360_i64).prop_map(|(id, row, at)| Event::Label { id, row, at }),
        2 => Just(Event::Close),
        1 => Just(Event::Panic),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn coverage_adds_up_whatever_happens(events in proptest::collection::vec(event(), 0..80), rate in 0.3..1.0_f64) {
        let mut world = World::new(settings(rate));
        let (mut sockets, mut next, mut number) = (BTreeMap::<i64, u64>::new(), 0_i64, 0_u32);
        let (mut client, mut labels, mut answered) = (0_u64, 0_u64, 0_u64);
        let mut items = Vec::new();
        for event in events {
            // Nothing arrives in a pane that is closed: the data path sees to that.
            let open = |pane: i64| pane.max(next);
            match event {
                Event::Seen { pane, rows, named } => {
                    let id = format!("{number}");
                    number += 1;
                    client += 1;
                    *sockets.entry(open(pane)).or_default() += 1;
                    let decoded = inference(named.then_some(&*id), rows);
                    world.tell(looked(minute(open(pane)), Ok(decoded)), next * 60);
                }
                Event::NotReceived { pane } => {
                    client += 1;
                    *sockets.entry(open(pane)).or_default() += 1;
                }
                Event::Bad { pane, reason } => {
                    client += 1;
                    *sockets.entry(open(pane)).or_default() += 1;
                    world.tell(looked(minute(open(pane)), Err(Undecoded::Undecodable(reason))), next * 60);
                }
                Event::Label { id, row, at: seconds } => {
                    labels += 1;
                    let report = world.join(label(&id.to_string(), row, 1.0, seconds), 360);
                    answered += report.joined + report.repeated + report.waiting
                        + report.unknown_row + report.unlisted_value + report.dropped + report.sampled_out;
                }
                Event::Close => {
                    items.extend(world.close(next, sockets.remove(&next).unwrap_or(0)));
                    next += 1;
                }
                Event::Panic => world.engine = world.engine.after_panic(),
            }
        }
        for pane in next..=360 / 60 + next {
            items.extend(world.close(pane, sockets.remove(&pane).unwrap_or(0)));
        }
        prop_assert_eq!(traffic(&items).seen, client);
        prop_assert_eq!(answered, labels);
        // A panic loses what outcomes said in open panes; they are counted all the same.
        let received: u64 = outcomes(&items).iter().map(|(_, _, c)| c.received()).sum();
        prop_assert_eq!(received, labels);
    }
}

#[test]
fn summaries_of_two_replicas_add_up_to_those_of_one() {
    let mut whole = World::new(settings(1.0));
    let mut halves = [World::new(settings(1.0)), World::new(settings(1.0))];
    for i in 0..40 {
        let id = format!("id-{i}");
        whole.seen(0, &id, 3);
        halves[i % 2].seen(0, &id, 3);
        let outcome = label(&id, 1, f64::from(u8::from(i % 3 == 0)), 30);
        whole.join(outcome.clone(), 30);
        halves[i % 2].join(outcome, 30);
    }
    let all = whole.close(0, 40);
    let parts = halves.each_mut().map(|w| w.close(0, 20));
    for item in &all {
        let same = |i: &&ClosedWindow| {
            i.key == item.key
                && std::mem::discriminant(&i.stream) == std::mem::discriminant(&item.stream)
        };
        let mut sum: Option<PaneSummary> = None;
        for part in &parts {
            let found = part.iter().find(same).unwrap();
            let summary = PaneSummary::from_bytes(&found.summary).unwrap();
            match &mut sum {
                Some(sum) => sum.merge(&summary).unwrap(),
                None => sum = Some(summary),
            }
        }
        assert_eq!(sum.unwrap().to_bytes(), item.summary);
    }
    assert_eq!(Span::from_secs(60), document().panes.length);
}
