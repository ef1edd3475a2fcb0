//! What the cells of summaries are, against the plainest way to compute the same.
#![expect(clippy::unwrap_used, reason = "a test's own values are what they are")]

use std::collections::BTreeMap;

use clause9_shared::performance::cells::{self, Cell};
use clause9_shared::performance::roc;
use clause9_shared::sketch::{Confusion, CutCounts, Histogram, ScoreCells, Sketch};
use clause9_shared::wire::codec::{Decode, Encode, Malformed, Writer};
use proptest::prelude::*;

/// The definition: sign, exponent and k mantissa bits; everything around the centre and everything
/// far away in cells of their own.
fn key_by_definition(x: f64, center: f64, exponent: i32, k: u32) -> i64 {
    let moved = (x - center) * libm::ldexp(1.0, -exponent);
    let size = moved.abs();
    let first = i64::try_from((1.0_f64 / 1024.0).to_bits() >> (52 - k)).unwrap();
    let last = i64::try_from((1_048_576.0_f64).to_bits() >> (52 - k)).unwrap();
    let key = i64::try_from(size.to_bits() >> (52 - k)).unwrap();
    let key = if size < 1.0 / 1024.0 {
        0
    } else {
        key.min(last) - first + 1
    };
    if moved < 0.0 { -key } else { key }
}

fn counts_by_definition(values: &[f64], center: f64, exponent: i32) -> (u32, Vec<u64>) {
    for k in (0..=5).rev() {
        let mut cells: BTreeMap<i64, u64> = BTreeMap::new();
        for x in values {
            *cells
                .entry(key_by_definition(*x, center, exponent, k))
                .or_default() += 1;
        }
        if cells.len() <= 1024 {
            return (k, cells.into_values().collect());
        }
    }
    unreachable!("k = 0 has few cells")
}

fn spread() -> impl Strategy<Value = f64> {
    (-16.0..24.0_f64, any::<bool>()).prop_map(|(e, negative)| {
        let size = libm::exp2(e);
        if negative { -size } else { size }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_histogram_is_what_its_definition_says(
        values in prop::collection::vec(prop_oneof![3 => spread(), 1 => prop::num::f64::NORMAL], 0..4000),
        center in prop_oneof![Just(0.0), -1e6..1e6_f64],
        exponent in prop_oneof![Just(0), -40..40_i32],
    ) {
        let mut histogram = Histogram::new(center, exponent).unwrap();
        for x in &values {
            histogram.add(*x);
        }
        let (k, counts) = counts_by_definition(&values, center, exponent);
        prop_assert_eq!(histogram.resolution(), k);
        prop_assert_eq!(histogram.cells().map(|cell| cell.count).collect::<Vec<_>>(), counts);
        let edges: Vec<_> = histogram.cells().map(|cell| (cell.low, cell.high)).collect();
        prop_assert!(edges.iter().all(|(low, high)| low <= high));
        prop_assert!(edges.windows(2).all(|pair| pair[0].1 <= pair[1].0), "cells ascend");
    }

    #[test]
    fn a_quantile_lies_within_its_bounds(
        mut values in prop::collection::vec(prop_oneof![spread(), any::<i32>().prop_map(f64::from)], 1..800),
        center in prop_oneof![Just(0.0), Just(1.0), -1e9..1e9_f64],
        exponent in -10..20_i32,
        part in 0..=16_u16,
    ) {
        let mut histogram = Histogram::new(center, exponent).unwrap();
        for x in &values {
            histogram.add(*x);
        }
        values.sort_by(f64::total_cmp);
        let rank = (values.len() * usize::from(part)).div_ceil(16).max(1);
        let (low, high) = histogram.quantile_bounds(f64::from(part) / 16.0).unwrap();
        let quantile = values[rank - 1];
        prop_assert!(low <= quantile && quantile <= high, "{low} <= {quantile} <= {high}");
    }

    #[test]
    fn a_value_on_a_cut_belongs_above_it(mut cuts in prop::collection::vec(-50..50_i32, 0..30), x in -60..60_i32) {
        cuts.sort_unstable();
        cuts.dedup();
        let cuts: Vec<f64> = cuts.into_iter().map(f64::from).collect();
        let mut cells = CutCounts::new(&cuts).unwrap();
        cells.add(f64::from(x));
        let cell = cells.counts().iter().position(|count| *count == 1).unwrap();
        let above = cell.checked_sub(1).is_none_or(|i| cuts[i] <= f64::from(x));
        let below = cuts.get(cell).is_none_or(|cut| f64::from(x) < *cut);
        prop_assert!(above && below);
        let finest: Vec<_> = cells.cells().collect();
        prop_assert_eq!(finest.len(), 2 * cuts.len() + 1);
        let found = finest.iter().find(|cell| cell.count == 1).unwrap();
        let single = cuts.contains(&f64::from(x));
        prop_assert_eq!(found.low.to_bits() == found.high.to_bits(), single);
        prop_assert!(found.low <= f64::from(x) && f64::from(x) <= found.high);
    }

    #[test]
    fn a_score_lies_within_its_cell(score in prop_oneof![
        0.0..=1.0_f64,
        (1.0..40.0_f64).prop_map(|e| libm::exp2(-e)),
        (1.0..40.0_f64).prop_map(|e| 1.0 - libm::exp2(-e)),
        prop::sample::select(vec![0.0, -0.0, 0.5, 1.0, f64::MIN_POSITIVE]),
    ]) {
        let mut cells = ScoreCells::new(1).unwrap();
        cells.add(Some(score), Some(true), Some(0));
        let found: Vec<_> = cells.cells(Some(0)).collect();
        prop_assert_eq!(found.len(), 1);
        prop_assert!(found[0].low <= score && score <= found[0].high);
        prop_assert_eq!(found[0].count.positive, 1);
        // Relative odds of a 64th, but for the outermost cells.
        let end = found[0].low.min(1.0 - found[0].high);
        prop_assert!(end <= 0.0 || found[0].high - found[0].low <= end / 64.0 * (1.0 + 1e-9));
        prop_assert_eq!(found[0].low >= 0.5, score >= 0.5, "0.5 begins the upper side");
    }

    #[test]
    fn auc_from_cells_is_within_its_bound(
        cases in prop::collection::vec((0.0..=1.0_f64, any::<bool>()), 2..400),
    ) {
        let mut cells = ScoreCells::new(1).unwrap();
        for (score, label) in &cases {
            cells.add(Some(*score), Some(*label), Some(0));
        }
        let of = |label: bool| cases.iter().filter(move |(_, l)| *l == label).map(|(s, _)| *s);
        let pairs = (of(true).count() * of(false).count()) as f64;
        prop_assume!(pairs > 0.0);
        let wins: f64 = of(true)
            .flat_map(|p| of(false).map(move |n| if p > n { 1.0 } else if p < n { 0.0 } else { 0.5 }))
            .sum();
        let (mut below, mut area, mut shared) = (0.0, 0.0, 0.0);
        for cell in cells.cells(Some(0)) {
            let (pos, neg) = (cell.count.positive as f64, cell.count.negative as f64);
            area += pos * (below + neg / 2.0);
            shared += pos * neg;
            below += neg;
        }
        prop_assert!((wins - area).abs() / pairs <= shared / pairs / 2.0 + 1e-9);
    }

    #[test]
    fn ties_of_scores_of_two_digits_leave_nothing_open(
        cases in prop::collection::vec((0_u32..=100, any::<bool>(), 0_usize..3), 2..400),
    ) {
        let mut shards = vec![ScoreCells::new(1).unwrap(); 3];
        let rows: Vec<_> = cases.iter().map(|(s, label, _)| (f64::from(*s) / 100.0, *label)).collect();
        for ((score, label), (_, _, shard)) in rows.iter().zip(&cases) {
            shards[*shard].add(Some(*score), Some(*label), Some(0));
        }
        let mut cells = shards.pop().unwrap();
        for shard in shards {
            cells.merge(&ScoreCells::from_bytes(&shard.to_bytes()).unwrap()).unwrap();
        }
        let kept: Vec<_> = cells.cells(Some(0)).map(Cell::from).collect();
        prop_assert_eq!(&kept, &cells::of_rows(&rows), "the raw rows themselves");
        if let Some(area) = roc::area(&kept) {
            prop_assert_eq!(area.area.low.to_bits(), area.area.high.to_bits());
        }
    }
}

#[test]
fn cells_with_several_scores_are_written_as_they_always_were() {
    let mut cells = ScoreCells::new(1).unwrap();
    cells.add(Some(1.0 / 3.0), Some(true), Some(0));
    cells.add(None, Some(false), Some(0));
    let old = cells.to_bytes();
    assert_eq!(old[..2], [0x86, 1]);
    let mut with = cells.clone();
    with.add(Some(0.25), Some(true), Some(0));
    let new = with.to_bytes();
    assert_eq!(new[..2], [0xC6, 1]);
    let score = |cells: &ScoreCells| cells.cells(Some(0)).map(|c| c.score).collect::<Vec<_>>();
    assert_eq!(score(&with), [Some(0.25), None]);
    // A summary that does not know it makes the sum not know it.
    let mut bytes = Writer::default();
    bytes.byte(0x86);
    bytes.byte(1);
    bytes.unsigned(1);
    for value in [896, 1, 0, 0] {
        bytes.unsigned(value);
    }
    let older = ScoreCells::from_bytes(&bytes.into_bytes()).unwrap();
    with.merge(&older).unwrap();
    assert_eq!(score(&with), [None, None]);
    assert_eq!(with.to_bytes()[0], 0x86);
}

#[test]
fn a_score_that_lies_in_another_cell_is_refused() {
    let mut cells = ScoreCells::new(1).unwrap();
    cells.add(Some(0.25), Some(true), Some(0));
    let bytes = cells.to_bytes();
    let written = 2501_u16;
    let place = bytes.len() - 2;
    assert_eq!(
        u16::from(bytes[place] & 0x7F) | u16::from(bytes[place + 1]) << 7,
        written
    );
    for (part, wrong) in [(place, bytes[place] ^ 0x40), (place + 1, 0x7F)] {
        let mut changed = bytes.clone();
        changed[part] = wrong;
        assert!(ScoreCells::from_bytes(&changed).is_err(), "{part}");
    }
}

#[test]
fn all_1920_score_cells_are_reached_in_order() {
    let mut cells = ScoreCells::new(1).unwrap();
    for i in 0..960_u64 {
        let t = f64::from_bits((((1023 - 16) << 6) + i) << 46);
        cells.add(Some(t), None, Some(0));
        cells.add(Some(1.0 - t), None, Some(0));
    }
    cells.add(Some(0.5), None, Some(0));
    let found: Vec<_> = cells.cells(Some(0)).collect();
    assert_eq!(found.len(), 1920);
    assert!(found.windows(2).all(|pair| pair[0].high <= pair[1].low));
    assert_eq!((found[0].low, found[1919].high), (0.0, 1.0));
}

#[test]
fn what_is_no_score_is_counted_apart() {
    let mut cells = ScoreCells::new(2).unwrap();
    for score in [
        None,
        Some(f64::NAN),
        Some(-0.1),
        Some(1.1),
        Some(f64::INFINITY),
    ] {
        cells.add(score, Some(false), Some(1));
    }
    cells.add(Some(0.3), Some(true), Some(7));
    assert_eq!(cells.unscored(Some(1)).negative, 5);
    assert_eq!(cells.cells(Some(1)).count(), 0);
    assert_eq!(
        cells.cells(None).count(),
        1,
        "a group beyond the last one is unknown"
    );
    assert_eq!(cells.total(), 6);
}

#[test]
fn confusion_tells_label_decision_and_group_apart() {
    let mut table = Confusion::new(2).unwrap();
    table.add(Some(true), Some(false), Some(1));
    table.add(None, Some(true), None);
    table.add(None, None, Some(0));
    assert_eq!(table.count(Some(true), Some(false), Some(1)), 1);
    assert_eq!(table.count(Some(false), Some(true), Some(1)), 0);
    assert_eq!(table.decided(Some(true), None), 1);
    assert_eq!(table.sum(|label, _, _| label.is_none()), 2);
    assert_eq!(table.sum(|_, _, group| group == Some(0)), 1);
    assert_eq!(table.total(), 3);
}

#[test]
fn a_histogram_that_had_no_reason_to_join_cells_is_refused() {
    let mut w = Writer::default();
    w.raw(&0.0_f64.to_bits().to_le_bytes());
    w.signed(0);
    w.byte(4);
    w.unsigned(1);
    w.signed(5);
    w.unsigned(1_000_000);
    assert_eq!(
        Histogram::from_bytes(&w.into_bytes()),
        Err(Malformed::Value("resolution of a histogram"))
    );
}

#[test]
fn cells_that_cannot_be_are_not_made() {
    for cuts in [
        &[1.0, 1.0][..],
        &[2.0, 1.0],
        &[0.0, -0.0],
        &[f64::NAN],
        &[f64::INFINITY],
    ] {
        assert!(CutCounts::new(cuts).is_none(), "{cuts:?}");
    }
    let many: Vec<f64> = (0..33).map(f64::from).collect();
    assert!(CutCounts::new(&many).is_none());
    assert!(Histogram::new(f64::NAN, 0).is_none());
    assert!(Histogram::new(0.0, 1001).is_none());
    assert!(ScoreCells::new(0).is_none() && ScoreCells::new(65).is_none());
    assert!(Confusion::new(0).is_none() && Confusion::new(65).is_none());
}

#[test]
fn negative_zero_is_zero_in_centres_and_cuts() {
    let bytes = |center| Histogram::new(center, 0).unwrap().to_bytes();
    assert_eq!(bytes(-0.0), bytes(0.0));
    let cuts = |cut| CutCounts::new(&[cut]).unwrap().to_bytes();
    assert_eq!(cuts(-0.0), cuts(0.0));
}
