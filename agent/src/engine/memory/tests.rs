use clause9_shared::time::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::sample::Sampler;

fn origin(minute: i64) -> Arc<Origin> {
    let start = Timestamp::from_micros(minute * 60_000_000).unwrap();
    Arc::new((PaneStart(start), ("toy".into(), "1".into())))
}

fn tag(id: usize) -> Tag {
    Sampler::new([1; 32], 1.0).tag(format!("id-{id}").as_bytes())
}

fn signs(attributes: usize) -> Remembers {
    Remembers {
        attributes,
        ..Remembers::default()
    }
}

fn prediction(attributes: usize) -> Prediction {
    Prediction {
        score: Some(0.25),
        decision: Some(Answer::Sign(false)),
        groups: std::iter::repeat_n(Some(3), attributes).collect(),
        label: None,
        items: None,
        scores: None,
    }
}

#[test]
fn the_accounting_is_near_what_is_held_however_long_it_runs() {
    for (attributes, rows) in [(0, 1), (2, 1), (9, 1), (2, 10)] {
        let mut memory = Memory::new(signs(attributes), usize::MAX, 4 << 20);
        let mut gone = Vec::new();
        let predictions = vec![prediction(attributes); rows];
        let (shared, mut filled) = (origin(0), 0);
        for id in 0..300_000 {
            assert!(memory.insert(tag(id), Arc::clone(&shared), &predictions, &mut gone));
            if gone.is_empty() {
                filled = id + 1;
            }
        }
        let held = memory.requests.held() + memory.index.allocation_size();
        println!(
            "{attributes} attributes, {rows} rows: {filled} requests in 4 MiB, {} bytes counted and {} held for each",
            memory.size(rows),
            held / memory.requests.len()
        );
        assert!(filled > 10_000 && !gone.is_empty(), "{filled}");
        assert!(memory.bytes <= 4 << 20);
        assert!(
            held < memory.bytes * 3 / 2 && held > memory.bytes * 2 / 3,
            "{held} {}",
            memory.bytes
        );
    }
}

#[test]
fn a_request_of_one_row_takes_56_bytes_as_the_reference_says() {
    let memory = Memory::new(signs(2), 10, 1000);
    assert_eq!((memory.size(1), memory.size(3)), (56, 56 + 3 * 11));
}

#[test]
fn bytes_are_a_bound_of_their_own_and_a_larger_request_is_not_remembered() {
    let mut memory = Memory::new(signs(0), usize::MAX, 3 * 56);
    let mut gone = Vec::new();
    let one = [prediction(0)];
    for id in 0..5 {
        assert!(memory.insert(tag(id), origin(0), &one, &mut gone));
    }
    assert_eq!((memory.rows(), gone.len()), (3, 2));
    assert!(memory.find(tag(1)).is_none() && memory.find(tag(2)).is_some());
    assert!(!memory.insert(tag(9), origin(0), &vec![prediction(0); 100], &mut gone));
    assert!(!memory.insert(tag(4), origin(0), &one, &mut gone));
    assert_eq!(memory.rows(), 3);
}

#[test]
fn numbers_may_wrap_around_and_segments_of_any_filling_are_found_again() {
    let mut requests = Segments::default();
    let mut known = std::collections::VecDeque::new();
    for id in 0..3000_usize {
        // Some of one row, some so large that a segment takes few of them.
        let bytes = [0, 30, 900, 20_000][id % 4];
        let number = if bytes == 0 {
            requests.push_single(tag(id), origin(0), single(&prediction(0)))
        } else {
            let first = u8::try_from(id % 251).unwrap();
            requests.push_packed(tag(id), origin(0), bytes, |packed| packed[0] = first)
        };
        known.push_back((number, id, bytes));
        if id == 10 {
            requests.skip_to(u32::MAX - 2600);
            known.clear();
        }
        while known.len() > 700 {
            let (number, id, _) = known.pop_front().unwrap();
            let (popped, its_tag, _) = requests.pop().unwrap();
            assert_eq!((popped, its_tag), (number, tag(id)));
            assert!(requests.place(number).is_none(), "it is gone");
        }
    }
    assert_eq!(requests.len(), known.len());
    assert!(
        known.front().unwrap().0 > known.back().unwrap().0,
        "what is left has wrapped around"
    );
    for (number, id, bytes) in known {
        let place = requests.place(number).unwrap();
        assert_eq!(requests.get(place).unwrap().tag, tag(id));
        let packed = requests.packed(place);
        assert_eq!(packed.len(), bytes);
        if bytes > 0 {
            assert_eq!(usize::from(packed[0]), id % 251);
        }
    }
}

/// Items of the lists that are remembered here.
const PLACES: usize = 5;
/// Classes with a score.
const SCORES: usize = 3;

/// Predictions of one kind: signs with a score, classes, numbers, or ranked lists.
fn any_prediction(attributes: usize, kind: u8) -> impl Strategy<Value = Prediction> {
    let score = proptest::option::of(0.0..=1.0_f64);
    let answer = move || {
        let one = (any::<bool>(), 0..16_u8, -1e9..1e9_f64);
        let one = one.prop_map(move |(sign, class, number)| match kind {
            0 | 3 => Answer::Sign(sign),
            1 => Answer::Class(class),
            _ => Answer::Number(number),
        });
        proptest::option::of(one)
    };
    let groups = proptest::collection::vec(proptest::option::of(0..64_u8), attributes);
    // Items are not 0; one that is stands for an empty place within the list.
    let items = proptest::collection::vec(0..9_u32, 0..=PLACES).prop_map(|mut items| {
        if let Some(last) = items.last_mut() {
            *last += 1;
        }
        items
    });
    let items = proptest::option::of(items);
    let scores = proptest::option::of(proptest::collection::vec(-1.0..1.0_f64, SCORES));
    let all = (score, answer(), groups, answer(), items, scores);
    all.prop_map(
        move |(score, decision, groups, label, items, scores)| Prediction {
            score: score.filter(|_| kind == 0),
            decision,
            groups: groups.into_iter().collect(),
            label,
            items: items.filter(|_| kind == 3).map(Into::into),
            scores: scores.filter(|_| kind == 1).map(Into::into),
        },
    )
}

proptest! {
    #[test]
    fn what_was_packed_comes_back(
        (attributes, kind, rows) in (0..10_usize, 0..4_u8)
            .prop_flat_map(|(a, kind)| (Just(a), Just(kind), proptest::collection::vec(any_prediction(a, kind), 0..4))),
        swap in any::<bool>(),
    ) {
        let of = Remembers {
            attributes,
            numbers: kind == 2,
            places: if kind == 3 { PLACES } else { 0 },
            scores: if kind == 1 { SCORES } else { 0 },
        };
        let mut memory = Memory::new(of, 100, 1 << 20);
        let mut gone = Vec::new();
        // One more before it, which expires: places move.
        memory.insert(tag(0), origin(0), &[], &mut gone);
        let mut rows = rows;
        prop_assert!(memory.insert(tag(1), origin(5), &rows, &mut gone));
        memory.expire(origin(3).0, &mut gone);
        prop_assert!(memory.find(tag(0)).is_none());
        let place = memory.find(tag(1)).unwrap();
        if swap {
            rows.reverse();
            for (row, prediction) in rows.iter().enumerate() {
                memory.store(place, row, prediction);
            }
        }
        prop_assert_eq!(&memory.origin(place).unwrap().0, &origin(5).0);
        for (row, prediction) in rows.iter().enumerate() {
            prop_assert_eq!(memory.prediction(place, row), Some(prediction.clone()));
        }
        prop_assert_eq!(&memory.unpacked(&memory.packed(&rows)), &rows);
        prop_assert_eq!(memory.prediction(place, rows.len()), None);
        memory.expire(origin(6).0, &mut gone);
        prop_assert_eq!((memory.rows, memory.bytes, memory.index.len()), (0, 0, 0));
    }
}
