//! Rows of small exchanges wait to be counted together: what is shipped and measured is the same to the
//! bit as if each had been counted when it came, whatever happens in between.

use clause9_shared::inference::Owned;
use clause9_shared::plan::{MAX_WAITING_ROWS, Prediction};

use super::*;

/// What happens.
#[derive(Clone, Debug)]
enum Step {
    /// An exchange of a pane and version, with values drawn from a number.
    Seen {
        pane: i64,
        version: u8,
        rows: usize,
        draw: u64,
    },
    Label {
        id: u32,
        row: u32,
    },
    /// What is read of the engine between two exchanges.
    Read,
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let rows = prop_oneof![8 => 1..4_usize, 1 => 0..140_usize];
    let seen = (0..3_i64, 0..3_u8, rows, any::<u64>());
    let seen = seen.prop_map(|(pane, version, rows, draw)| Step::Seen {
        pane,
        version,
        rows,
        draw,
    });
    let step = prop_oneof![
        12 => seen,
        2 => (0..200_u32, 0..4_u32).prop_map(|(id, row)| Step::Label { id, row }),
        1 => Just(Step::Read),
        1 => Just(Step::Close),
    ];
    proptest::collection::vec(step, 0..250)
}

/// A number, or what is none: as a client may send them.
fn value(draw: u64) -> Owned {
    match draw % 16 {
        0 => Owned::Missing,
        1 => Owned::Float(f64::NAN),
        2 => Owned::Float(f64::NEG_INFINITY),
        3 => Owned::Text("a text".into()),
        4 => Owned::Float(5e-324),
        5 => Owned::Float(1e300),
        6 => Owned::Int((draw % 300).cast_signed()),
        _ => Owned::Float((draw >> 11) as f64 / (1_u64 << 46) as f64 - 20.0),
    }
}

fn drawn(id: u32, version: u8, rows: usize, draw: u64) -> Inference {
    let mut inference = inference(Some(&id.to_string()), rows);
    inference.model_version = version.to_string().into();
    let turn = |i: usize| (draw ^ i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // Mostly plain numbers alone, as from decoders.
    inference.inputs[0].values = if draw.is_multiple_of(4) {
        Values::Mixed((0..rows).map(|i| value(turn(i))).collect())
    } else {
        Values::Float((0..rows).map(|i| turn(i) as f64 / 1e17 - 60.0).collect())
    };
    let scores = (0..rows).map(|i| match turn(i + 7) % 20 {
        0 => Owned::Missing,
        1 => Owned::Float(1.25),
        more => Owned::Float(more as f64 / 20.0),
    });
    inference.outputs[0].values = Values::Mixed(scores.collect());
    inference
}

/// What should be shipped: each exchange counted by itself when it comes.
#[derive(Default)]
struct Direct {
    models: BTreeMap<(i64, u8), PaneSummary>,
    known: Vec<Prediction>,
}

impl Direct {
    fn observe(&mut self, plan: &CapturePlan, pane: i64, version: u8, inference: &Inference) {
        let into = self.models.entry((pane, version));
        let into = into.or_insert_with(|| plan.empty_traffic());
        plan.observe_all(inference, into, &mut self.known).unwrap();
    }

    /// What was counted of a pane's versions, which is then forgotten.
    fn close(&mut self, pane: i64) -> Vec<(Box<str>, Vec<u8>)> {
        let mut shipped = Vec::new();
        self.models.retain(|(of, version), summary| {
            if *of == pane {
                shipped.push((version.to_string().into(), summary.to_bytes()));
            }
            *of != pane
        });
        shipped
    }
}

fn counted(items: &[ClosedWindow]) -> Vec<(Box<str>, Vec<u8>)> {
    let of_models = items
        .iter()
        .filter(|item| matches!(item.stream, Stream::Traffic(_)) && !item.key.model.is_empty());
    of_models
        .map(|item| (item.key.model_version.clone(), item.summary.clone()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_is_shipped_is_the_same_as_if_each_exchange_had_been_counted_by_itself(steps in steps()) {
        let settings = settings(1.0);
        let plan = Arc::clone(&settings.plan);
        let (mut world, mut direct) = (World::new(settings), Direct::default());
        let (mut next, mut number, mut seen) = (0_i64, 0_u32, BTreeMap::<i64, u64>::new());
        let mut counts = BTreeMap::<i64, u64>::new();
        for step in steps {
            match step {
                Step::Seen { pane, version, rows, draw } => {
                    let pane = next + pane;
                    *counts.entry(pane).or_default() += rows as u64;
                    let inference = drawn(number, version, rows, draw);
                    number += 1;
                    *seen.entry(pane).or_default() += 1;
                    direct.observe(&plan, pane, version, &inference);
                    world.tell(looked(minute(pane), Ok(inference)), next * 60);
                }
                Step::Label { id, row } => {
                    world.join(label(&id.to_string(), row, 1.0, next * 60), next * 60);
                }
                Step::Read => {
                    let known: u64 = world.engine.open().map(|(_, coverage)| coverage.rows).sum();
                    let sent: u64 = counts.range(next..).map(|(_, rows)| rows).sum();
                    prop_assert_eq!(known, sent);
                    world.engine.tidy();
                }
                Step::Close => {
                    let shipped = world.close(next, seen.remove(&next).unwrap_or(0));
                    prop_assert_eq!(counted(&shipped), direct.close(next));
                    next += 1;
                }
            }
        }
        // What is open goes out when the agent stops.
        let open = seen.into_iter().map(|(pane, seen)| {
            (minute(pane), SocketCounts { seen, ..SocketCounts::default() })
        });
        let open: Vec<_> = open.collect();
        let panes: Vec<i64> = (next..next + 3).collect();
        world.tell(Input::Stop(open), next * 60);
        let expected: Vec<_> = panes.into_iter().flat_map(|pane| direct.close(pane)).collect();
        prop_assert_eq!(counted(&world.shipped()), expected);
    }
}

#[test]
fn rows_that_wait_are_known_to_coverage_and_to_labels_at_once_and_are_bounded() {
    let mut world = World::new(settings(1.0));
    for i in 0..MAX_WAITING_ROWS - 1 {
        world.seen(0, &i.to_string(), 1);
    }
    let waiting = |world: &World| -> usize {
        let panes = world.engine.panes.values();
        let models = panes.flat_map(|pane| pane.models.values());
        models.map(|model| model.gathered.waiting()).sum()
    };
    assert_eq!(waiting(&world), MAX_WAITING_ROWS - 1);
    let rows: Vec<u64> = world.engine.open().map(|(_, c)| c.rows).collect();
    assert_eq!(rows, [MAX_WAITING_ROWS as u64 - 1]);
    assert_eq!(world.join(label("3", 0, 1.0, 1), 1).joined, 1);
    for i in 0..10 * MAX_WAITING_ROWS {
        world.seen(0, &format!("more {i}"), 1 + i % 3);
        assert!(waiting(&world) <= MAX_WAITING_ROWS);
    }
    world.seen(0, "all at once", 2 * MAX_WAITING_ROWS);
    assert!(waiting(&world) <= MAX_WAITING_ROWS);
}
