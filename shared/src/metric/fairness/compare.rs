//! A group against the reference group, rate by rate: difference and ratio.

use super::{GROUP, Groups};
use crate::bet::{Bets, DifferenceBets, NoBet};
use crate::fairness::{self, Counts, Measured, Rate};
use crate::metric::{
    Against, Estimate, Grade, Measurement, MetricSpec, Sample, SampleKind, Seen, Unmeasurable,
};

/// What all differences have in common.
pub(super) const DIFFERENCE: MetricSpec = MetricSpec {
    reference: "fairlearn 0.15 and AIF360 0.6 on a real data set, every window, group and \
                intersection: counts are equal, so the difference agrees to rounding. Intervals: \
                the published examples of Newcombe (1998), to their four digits.",
    grade: Grade::A,
    sample: SampleKind::TwoRates,
    ..GROUP
};

/// What all ratios have in common.
pub(super) const RATIO: MetricSpec = MetricSpec {
    range: (0.0, 100.0),
    reference: "fairlearn 0.15 and Aequitas 1.1 (disparities) on a real data set, every window, \
                group and intersection: counts are equal, so the ratio agrees to rounding. \
                Intervals: scipy, the score statistic maximised numerically, to 1e-6.",
    grade: Grade::A,
    sample: SampleKind::TwoRates,
    ..GROUP
};

/// The counts of the reference group and of the named one.
#[inline(never)]
fn pair<'a>(seen: &Seen<'a>, rate: Rate) -> Result<(Groups<'a>, Counts, Counts), Unmeasurable> {
    let groups = Groups::of(seen, rate)?;
    let reference = groups.counts(rate, Some(groups.reference()?));
    let compared = groups.counts(rate, Some(groups.named(seen.of)?));
    Ok((groups, reference, compared))
}

/// Why there is no value, if a group has no case.
#[inline(never)]
pub(super) fn empty(
    groups: &Groups<'_>,
    rate: Rate,
    reference: Counts,
    compared: Counts,
) -> Option<Unmeasurable> {
    let why = match (reference.1, compared.1) {
        (0, 0) => "neither group has a case that the rate is a share of",
        (0, _) => "the reference group has no case that the rate is a share of",
        (_, 0) => "the compared group has no case that the rate is a share of",
        (_, _) => return None,
    };
    Some(groups.nothing(rate, why))
}

/// The difference of two groups' shares, compared minus reference.
#[inline(never)]
pub(super) fn difference_of(reference: Counts, compared: Counts) -> Measurement {
    let found = fairness::difference(reference, compared).ok_or(Unmeasurable::NoData)?;
    Ok(of_two(found, reference, compared))
}

/// The bets against a difference.
pub(super) fn difference_bets(against: Against<'_>) -> Result<Bets, NoBet> {
    DifferenceBets::new(against.level, against.comparator).map(Bets::Difference)
}

/// A figure of two groups' counts, which its ledger reads.
const fn of_two(found: Measured, reference: Counts, compared: Counts) -> Estimate {
    Estimate {
        value: found.value,
        interval: found.interval,
        bound: None,
        support: reference.1.saturating_add(compared.1),
        sample: Sample::TwoRates {
            reference,
            compared,
        },
    }
}

/// The ratio of two groups' shares, compared over reference.
#[inline(never)]
pub(super) fn ratio_of(reference: Counts, compared: Counts) -> Measurement {
    let refused = Unmeasurable::NoReferenceHits {
        reference,
        compared,
    };
    let found = fairness::ratio(reference, compared).ok_or(refused)?;
    Ok(of_two(found, reference, compared))
}

#[inline(never)]
fn measure_difference(seen: Seen<'_>, rate: Rate) -> Measurement {
    let (groups, reference, compared) = pair(&seen, rate)?;
    match empty(&groups, rate, reference, compared) {
        Some(why) => Err(why),
        None => difference_of(reference, compared),
    }
}

#[inline(never)]
pub(super) fn measure_ratio(seen: Seen<'_>, rate: Rate) -> Measurement {
    let (groups, reference, compared) = pair(&seen, rate)?;
    match empty(&groups, rate, reference, compared) {
        Some(why) => Err(why),
        None => ratio_of(reference, compared),
    }
}

macro_rules! rate_difference {
    ($rate:ident, $stream:ident, $label:literal, $name:literal, $stem:literal, $title:literal,
     $parity:literal, $share:literal, $fraction:literal, $case:literal, $good:ident,
     $blind:literal) => {
        #[doc = concat!("Difference in the share of ", $share, ".")]
        #[derive(Debug)]
        pub(in crate::metric) struct $rate;

        impl Metric for $rate {
            const SPEC: MetricSpec = MetricSpec {
                name: concat!($stem, "_difference"),
                title: concat!($parity, " difference"),
                good: Comparator::$good,
                meaning: concat!(
                    "By how much the share of ", $share, " in the group differs from that in the \
                     attribute's reference group. 0 is parity; above 0 the group's share is the \
                     larger one. An objective may limit either side."
                ),
                formula: concat!(
                    $fraction, " of the group, minus the same of the reference group. Interval: \
                     Newcombe's hybrid score interval at 95 %. The ledger reads the four counts \
                     themselves and is exact at any group size."
                ),
                edge_cases: concat!(
                    "No ", $case, " in one of the two groups: undefined, never 0. Rows whose \
                     attribute is unknown or not listed are in neither group. Libraries that show \
                     the largest minus the smallest rate never show a value below 0; this one has \
                     a direction (see `", $stem, "_difference.spread`)."
                ),
                cannot_tell: concat!(
                    $blind, "How cases with an unknown attribute fare. ", independent!()
                ),
                stream: StreamKind::$stream,
                needs_label: $label,
                ..DIFFERENCE
            };

            #[inline(never)]
            fn reads(_: &Document, of: &Subject) -> Vec<SummaryKey> {
                vec![key(Rate::$rate, of)]
            }

            #[inline(never)]
            fn measure(seen: Seen<'_>) -> Measurement {
                measure_difference(seen, Rate::$rate)
            }

            fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
                difference_bets(against)
            }
        }
    };
}

macro_rules! rate_ratio {
    ($rate:ident, $stream:ident, $label:literal, $name:literal, $stem:literal, $title:literal,
     $parity:literal, $share:literal, $fraction:literal, $case:literal, $good:ident,
     $blind:literal) => {
        #[doc = concat!("Ratio of the shares of ", $share, ".")]
        #[derive(Debug)]
        pub(in crate::metric) struct $rate;

        impl Metric for $rate {
            const SPEC: MetricSpec = MetricSpec {
                name: concat!($stem, "_ratio"),
                title: concat!($parity, " ratio"),
                good: Comparator::$good,
                meaning: concat!(
                    "The share of ", $share, " in the group, for each such share in the \
                     attribute's reference group. 1 is parity. An objective may limit either side."
                ),
                formula: concat!(
                    $fraction, " of the group, over the same of the reference group. Interval: \
                     Koopman's score interval at 95 %. The ledger reads the four counts \
                     themselves and is exact at any group size."
                ),
                edge_cases: concat!(
                    "No ", $case, " in one of the two groups: undefined. A share of 0 in the \
                     reference group: undefined, though the ledger still takes the counts. Rows \
                     whose attribute is unknown or not listed are in neither group. Libraries \
                     that show the smallest over the largest rate never show a value above 1; \
                     this one has a direction (see `", $stem, "_ratio.spread`)."
                ),
                cannot_tell: concat!(
                    $blind, "How large the shares are: 1 % and 2 % are as far apart as 40 % and \
                     80 %. How cases with an unknown attribute fare. ", independent!()
                ),
                stream: StreamKind::$stream,
                needs_label: $label,
                ..RATIO
            };

            #[inline(never)]
            fn reads(_: &Document, of: &Subject) -> Vec<SummaryKey> {
                vec![key(Rate::$rate, of)]
            }

            #[inline(never)]
            fn measure(seen: Seen<'_>) -> Measurement {
                measure_ratio(seen, Rate::$rate)
            }
        }
    };
}

/// Differences, one metric for each rate.
pub(in crate::metric) mod difference {
    use super::super::key;
    use super::{DIFFERENCE, difference_bets, measure_difference};
    use crate::bet::{Bets, NoBet};
    use crate::fairness::Rate;
    use crate::metric::{Against, Measurement, Metric, MetricSpec, Seen, StreamKind};
    use crate::objective::document::{Comparator, Document, Subject};
    use crate::sketch::SummaryKey;

    selection_rate!(rate_difference);
    labelled_rates!(rate_difference);
}

/// Ratios, one metric for each rate but the selection rate, whose ratio has a file of its own.
pub(in crate::metric) mod ratio {
    use super::super::key;
    use super::{RATIO, measure_ratio};
    use crate::fairness::Rate;
    use crate::metric::{Measurement, Metric, MetricSpec, Seen, StreamKind};
    use crate::objective::document::{Comparator, Document, Subject};
    use crate::sketch::SummaryKey;

    labelled_rates!(rate_ratio);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_has_a_direction_and_an_interval_around_it() {
        let estimate = ratio_of((68, 170), (9, 30)).unwrap();
        assert!((estimate.value - 0.75).abs() < 1e-12);
        let (low, high) = estimate.interval.unwrap();
        assert!(low < 0.75 && 0.75 < high);
        assert!(ratio_of((9, 30), (68, 170)).unwrap().value > 1.0);
        assert_eq!(estimate.support, 200);
    }

    #[test]
    fn without_reference_hits_the_counts_are_kept_for_the_ledger() {
        assert_eq!(
            ratio_of((0, 5), (1, 2)),
            Err(Unmeasurable::NoReferenceHits {
                reference: (0, 5),
                compared: (1, 2)
            })
        );
        assert!(difference_of((0, 5), (1, 2)).is_ok());
    }
}
