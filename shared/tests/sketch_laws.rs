//! What every summary type obeys, checked for each row of the table. T1.
#![expect(clippy::unwrap_used, reason = "a test's own values are what they are")]

use clause9_shared::digest::Digest;
use clause9_shared::sketch::{
    Categories, ClassTable, Confusion, CutCounts, Distinct, Gram, Histogram, Hygiene, Invalid,
    Losses, MergeError, Moments, Projections, Residuals, ScoreCells, Sketch, StatusClass,
    SummaryKind, Traffic,
};
use clause9_shared::wire::codec::{Decode, Encode};
use proptest::prelude::*;
use proptest::sample::Index;

/// Bytes of a summary that was cut short, or had one byte changed, are refused or are the one
/// encoding of what they were read as. Long encodings are tried at random places.
fn only_canonical_bytes_are_read<T: Sketch>(
    summary: &T,
    places: &[Index],
) -> Result<(), TestCaseError> {
    let bytes = summary.to_bytes();
    prop_assert_eq!(T::from_bytes(&bytes), Ok(summary.clone()));
    let all: Vec<usize> = (0..bytes.len()).collect();
    let chosen: Vec<usize> = if bytes.len() <= 128 {
        all
    } else {
        let random = places.iter().map(|place| place.index(bytes.len()));
        (0..48).chain(random).collect()
    };
    for place in chosen {
        prop_assert!(T::from_bytes(&bytes[..place]).is_err(), "cut at {}", place);
        for change in [1_u8, 2, 0x40, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[place] ^= change;
            if let Ok(read) = T::from_bytes(&changed) {
                prop_assert_eq!(read.to_bytes(), changed, "byte {} xor {}", place, change);
            }
        }
    }
    let mut longer = bytes;
    longer.push(0);
    prop_assert!(T::from_bytes(&longer).is_err());
    Ok(())
}

/// Doubles a summary until a counter would overflow: that is refused, and nothing was changed.
fn overflow_is_refused_without_change<T: Sketch>(mut summary: T) -> Result<(), TestCaseError> {
    for _ in 0..=64 {
        let before = summary.clone();
        match summary.merge(&before) {
            Ok(()) => prop_assert_eq!(T::from_bytes(&summary.to_bytes()), Ok(summary.clone())),
            Err(e) => {
                prop_assert!(matches!(e, MergeError::Overflow(_)));
                prop_assert_eq!(&summary, &before);
                prop_assert!(summary.to_bytes().len() <= T::MAX_BYTES);
                return Ok(());
            }
        }
    }
    Err(TestCaseError::fail(
        "64 doublings of a summary did not overflow",
    ))
}

macro_rules! sketch_laws {
    ($($kind:ident in $law:ident { empty: $empty:expr, values: $values:expr, add: $add:expr, different: $different:expr })*) => {
        const COVERED: &[SummaryKind] = &[$(SummaryKind::$kind),*];
        $(mod $law {
            use super::*;

            fn empty() -> $kind { $empty }

            fn filled<'a, V: Copy + 'a>(values: impl IntoIterator<Item = &'a V>, add: impl Fn(&mut $kind, V)) -> $kind {
                let mut summary = empty();
                for value in values {
                    add(&mut summary, *value);
                }
                summary
            }

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(48))]

                #[test]
                fn order_and_sharding_leave_no_trace(
                    values in prop::collection::vec(($values, 0_usize..4), 0..2500),
                    swaps in prop::collection::vec(any::<Index>(), 4),
                ) {
                    let whole = filled(values.iter().map(|(v, _)| v), $add);
                    let mut backwards: Vec<_> = values.iter().collect();
                    backwards.reverse();
                    let mut shards: Vec<$kind> = (0..4)
                        .map(|shard| filled(backwards.iter().filter(|(_, s)| *s == shard).map(|(v, _)| v), $add))
                        .collect();
                    for (i, swap) in swaps.iter().enumerate() {
                        shards.swap(i, swap.index(4));
                    }
                    let [a, b, c, d] = <[_; 4]>::try_from(shards).unwrap();
                    let joined = |x: &$kind, y: &$kind| { let mut x = x.clone(); x.merge(y).unwrap(); x };
                    let left = joined(&joined(&joined(&a, &b), &c), &d);
                    let right = joined(&a, &joined(&b, &joined(&c, &d)));
                    let pairs = joined(&joined(&d, &b), &joined(&c, &a));
                    prop_assert_eq!(left.to_bytes(), whole.to_bytes());
                    prop_assert_eq!(right.to_bytes(), whole.to_bytes());
                    prop_assert_eq!(pairs.to_bytes(), whole.to_bytes());
                    prop_assert_eq!(joined(&whole, &empty()).to_bytes(), whole.to_bytes());
                    prop_assert_eq!(whole.total_for_test(), values.iter().filter(|(v, _)| counts(v)).count() as u64);
                }

                #[test]
                fn bytes_are_canonical_and_bounded(
                    values in prop::collection::vec($values, 0..1800),
                    places in prop::collection::vec(any::<Index>(), 32),
                ) {
                    let summary = filled(&values, $add);
                    prop_assert!(summary.to_bytes().len() <= summary.max_bytes());
                    prop_assert!(summary.max_bytes() <= $kind::MAX_BYTES);
                    only_canonical_bytes_are_read(&summary, &places)?;
                    if summary.total_for_test() > 0 {
                        overflow_is_refused_without_change(summary)?;
                    }
                }

                #[test]
                fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
                    if let Ok(read) = $kind::from_bytes(&bytes) {
                        prop_assert_eq!(read.to_bytes(), bytes);
                    }
                }
            }

            #[test]
            fn different_cells_are_not_added() {
                let others: Vec<$kind> = $different;
                for other in others {
                    let mut summary = empty();
                    assert_eq!(summary.merge(&other), Err(MergeError::Different));
                    assert_eq!(summary, empty());
                }
            }
        })*
    };
}

sketch_laws! {
    Histogram in histogram {
        empty: Histogram::new(3.5, 2).unwrap(),
        values: wide_number(),
        add: Histogram::add,
        different: vec![Histogram::new(3.6, 2).unwrap(), Histogram::new(3.5, 3).unwrap()]
    }
    CutCounts in cut_counts {
        empty: CutCounts::with_atoms(&[-1.0, 0.0, 2.5], &[-7.25, 0.0, 3.5]).unwrap(),
        values: wide_number(),
        add: CutCounts::add,
        different: vec![
            CutCounts::new(&[-1.0, 0.0, 2.5]).unwrap(),
            CutCounts::with_atoms(&[-1.0, 0.0, 2.6], &[-7.25, 0.0, 3.5]).unwrap(),
            CutCounts::with_atoms(&[-1.0, 2.5], &[-7.25, 0.0, 3.5]).unwrap(),
        ]
    }
    Categories in categories {
        empty: Categories::new(&["a", "b", "c"]).unwrap(),
        values: prop::option::of(prop::option::of(0_usize..5)),
        add: |c: &mut Categories, value: Option<Option<usize>>| match value {
            Some(listed) => c.add(listed),
            None => c.add_missing(),
        },
        different: vec![
            Categories::new(&["a", "b", "d"]).unwrap(),
            Categories::new(&["ab", "", "c"]).unwrap(),
            Categories::new(&["a", "b"]).unwrap(),
        ]
    }
    Hygiene in hygiene {
        empty: Hygiene::new(),
        values: (0..6_u8, any::<bool>(), any::<bool>()),
        add: |h: &mut Hygiene, (what, subnormal, out): (u8, bool, bool)| match what {
            0 => h.add_missing(),
            1 => h.add_invalid(Invalid::NotANumber),
            2 => h.add_invalid(Invalid::PositiveInfinity),
            3 => h.add_invalid(Invalid::NegativeInfinity),
            4 => h.add_invalid(Invalid::WrongType),
            _ => h.add_usable(subnormal, out),
        },
        different: vec![]
    }
    ScoreCells in score_cells {
        empty: ScoreCells::new(3).unwrap(),
        values: (prop::option::of(prop_oneof![0.0..=1.0_f64, (0..=100_u8).prop_map(|s| f64::from(s) / 100.0), wide_number()]), any::<Option<bool>>(), prop::option::of(0..5_u8)),
        add: |s: &mut ScoreCells, (score, label, group): (Option<f64>, Option<bool>, Option<u8>)| s.add(score, label, group),
        different: vec![ScoreCells::new(2).unwrap()]
    }
    Confusion in confusion {
        empty: Confusion::new(3).unwrap(),
        values: (any::<Option<bool>>(), any::<Option<bool>>(), prop::option::of(0..5_u8)),
        add: |c: &mut Confusion, (label, decision, group): (Option<bool>, Option<bool>, Option<u8>)| c.add(label, decision, group),
        different: vec![Confusion::new(4).unwrap()]
    }
    Moments in moments {
        empty: Moments::new(3.5, 2).unwrap(),
        values: wide_number(),
        add: Moments::add,
        different: vec![Moments::new(3.6, 2).unwrap(), Moments::new(3.5, 3).unwrap()]
    }
    Losses in losses {
        empty: Losses::new(3).unwrap(),
        values: (prop::option::of(prop_oneof![0.0..=1.0_f64, wide_number()]), any::<bool>(), prop::option::of(0..5_u8)),
        add: |l: &mut Losses, (score, label, group): (Option<f64>, bool, Option<u8>)| l.add(score, label, group),
        different: vec![Losses::new(2).unwrap()]
    }
    ClassTable in class_table {
        empty: ClassTable::new(4, 2).unwrap(),
        values: (prop::option::of(0..6_u8), prop::option::of(0..6_u8), prop::option::of(0..4_u8)),
        add: |c: &mut ClassTable, (label, decision, group): (Option<u8>, Option<u8>, Option<u8>)| c.add(label, decision, group),
        different: vec![ClassTable::new(4, 3).unwrap(), ClassTable::new(3, 2).unwrap()]
    }
    Residuals in residuals {
        empty: Residuals::new(3.5, 2, 2).unwrap(),
        values: (wide_number(), wide_number(), prop::option::of(0..4_u8)),
        add: |r: &mut Residuals, (label, prediction, group): (f64, f64, Option<u8>)| r.add(label, prediction, group),
        different: vec![
            Residuals::new(3.5, 2, 3).unwrap(),
            Residuals::new(3.5, 3, 2).unwrap(),
            Residuals::new(3.6, 2, 2).unwrap(),
        ]
    }
    Gram in gram {
        empty: Gram::new(Digest::of(b"a"), 3).unwrap(),
        values: prop::array::uniform3(wide_number()),
        add: |g: &mut Gram, case: [f64; 3]| g.add(&case),
        different: vec![
            Gram::new(Digest::of(b"b"), 3).unwrap(),
            Gram::new(Digest::of(b"a"), 2).unwrap(),
        ]
    }
    Projections in projections {
        empty: Projections::new(Digest::of(b"a"), 3).unwrap(),
        values: prop::array::uniform3(wide_number()),
        add: |p: &mut Projections, values: [f64; 3]| p.add(&values),
        different: vec![
            Projections::new(Digest::of(b"b"), 3).unwrap(),
            Projections::new(Digest::of(b"a"), 2).unwrap(),
        ]
    }
    Traffic in traffic {
        empty: Traffic::new(),
        values: (any::<u16>(), any::<bool>()),
        add: |t: &mut Traffic, (status, empty): (u16, bool)| {
            t.add_requests(1);
            t.add_answer(StatusClass::of(status % 700), empty);
        },
        different: vec![]
    }
    Distinct in distinct {
        empty: Distinct::new(5),
        values: prop_oneof![0..40_u64, any::<u64>()],
        add: |d: &mut Distinct, value: u64| d.add(&value.to_le_bytes()),
        different: vec![Distinct::new(6)]
    }
}

#[test]
fn every_row_of_the_table_is_covered() {
    assert_eq!(COVERED, SummaryKind::ALL);
}

/// Numbers over all octaves and signs (enough of them to make histograms join cells), ordinary
/// ones, and everything that floats can be.
fn wide_number() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![
        8 => (-12.0..22.0_f64, any::<bool>(), 1.0..2.0_f64).prop_map(|(e, negative, m)| {
            let size = libm::exp2(e) * m;
            3.5 + 4.0 * if negative { -size } else { size }
        }),
        2 => -10.0..10.0_f64,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![0.0, -0.0, f64::MIN_POSITIVE / 2.0, -f64::MIN_POSITIVE / 4.0,
            f64::MAX, f64::MIN, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 3.5, -1.0, 2.5]),
    ]
}

/// How many values a summary says it has.
trait Total {
    fn total_for_test(&self) -> u64;
}

macro_rules! total {
    ($($kind:ident: $total:ident),*) => {
        $(impl Total for $kind { fn total_for_test(&self) -> u64 { self.$total() } })*
    };
}

total!(Histogram: total, CutCounts: total, Categories: total, Hygiene: rows, ScoreCells: total, Confusion: total, Moments: total, Losses: total, ClassTable: total, Residuals: total, Gram: n, Projections: n, Traffic: answers, Distinct: total);

/// Whether a value is one: histograms and cuts let go what is not finite.
trait Counts {
    fn counts(&self) -> bool {
        true
    }
}

fn counts<V: Counts>(value: &V) -> bool {
    value.counts()
}

impl Counts for f64 {
    fn counts(&self) -> bool {
        self.is_finite()
    }
}
impl Counts for Option<Option<usize>> {}
impl Counts for (u8, bool, bool) {}
impl Counts for [f64; 3] {}
impl Counts for (u16, bool) {}
impl Counts for u64 {}
impl Counts for (Option<f64>, Option<bool>, Option<u8>) {}
impl Counts for (Option<bool>, Option<bool>, Option<u8>) {}
impl Counts for (Option<u8>, Option<u8>, Option<u8>) {}
impl Counts for (f64, f64, Option<u8>) {
    fn counts(&self) -> bool {
        self.0.is_finite() && self.1.is_finite()
    }
}
impl Counts for (Option<f64>, bool, Option<u8>) {
    fn counts(&self) -> bool {
        self.0.is_some_and(|score| (0.0..=1.0).contains(&score))
    }
}
