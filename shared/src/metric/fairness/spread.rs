//! All groups of an attribute together, without a reference group: largest minus smallest rate, and
//! smallest over largest (fairlearn's group aggregates).

use super::{GROUP, Groups, shown};
use crate::fairness::{Counts, Rate, Spread};
use crate::metric::{IntervalFrom, Measurement, MetricSpec, Needs, Seen, Unmeasurable};

/// What all of them have in common.
pub(super) const SPREAD: MetricSpec = MetricSpec {
    range: (0.0, 1.0),
    reference: "fairlearn 0.15 (MetricFrame.difference and .ratio, method `between_groups`) on a \
                real data set, every window, attribute and intersection, to 1e-12.",
    needs: Needs::Attribute,
    interval: IntervalFrom::Recounting,
    ..GROUP
};

/// The counts of all listed groups.
#[inline(never)]
pub(super) fn counts(seen: &Seen<'_>, rate: Rate) -> Result<Vec<Counts>, Unmeasurable> {
    let groups = Groups::of(seen, rate)?;
    let counts: Vec<Counts> = groups
        .all()
        .map(|group| groups.counts(rate, Some(group)))
        .collect();
    if counts.iter().filter(|(_, of)| *of > 0).count() < 2 {
        return Err(groups.nothing(rate, "fewer than two groups have a case that counts"));
    }
    Ok(counts)
}

/// Cases of all groups.
pub(super) fn support(counts: &[Counts]) -> u64 {
    counts
        .iter()
        .fold(0, |sum, (_, of)| sum.saturating_add(*of))
}

#[inline(never)]
fn measure_difference(seen: Seen<'_>, rate: Rate) -> Measurement {
    let counts = counts(&seen, rate)?;
    let spread = Spread::of(&counts).ok_or(Unmeasurable::NoData)?;
    Ok(shown(spread.difference(), None, support(&counts)))
}

#[inline(never)]
fn measure_ratio(seen: Seen<'_>, rate: Rate) -> Measurement {
    let counts = counts(&seen, rate)?;
    let spread = Spread::of(&counts).ok_or(Unmeasurable::NoData)?;
    let ratio = spread
        .ratio()
        .ok_or(Unmeasurable::Undefined("the rate is 0 in every group"))?;
    Ok(shown(ratio, None, support(&counts)))
}

macro_rules! rate_spread {
    ($kind:literal, $what:literal, $more:literal, $good:ident, $measure:ident;
     $rate:ident, $stream:ident, $label:literal, $name:literal, $stem:literal, $title:literal,
     $parity:literal, $share:literal, $fraction:literal, $case:literal, $side:ident,
     $blind:literal) => {
        #[doc = concat!($what, " of the shares of ", $share, " over all groups.")]
        #[derive(Debug)]
        pub(in crate::metric) struct $rate;

        impl Metric for $rate {
            const SPEC: MetricSpec = MetricSpec {
                name: concat!($stem, "_", $kind, ".spread"),
                title: concat!($parity, " ", $kind, " between all groups"),
                good: Comparator::$good,
                meaning: concat!(
                    $what, " share of ", $share, " over all groups of the attribute, whichever \
                     they are. It is what fairlearn shows; to judge a group, compare it with the \
                     reference group (`", $stem, "_", $kind, "`)."
                ),
                formula: concat!(
                    $what, " of ", $fraction, " by group."
                ),
                edge_cases: concat!(
                    "Groups without a ", $case, " are left out; with fewer than two groups left \
                     it is undefined. ", $more, "Rows whose attribute is unknown or not listed are \
                     left out."
                ),
                cannot_tell: concat!(
                    $blind, "Which group fares worse. Whether the distance is more than chance: \
                     with many or small groups it is large where nothing is wrong, so it is shown \
                     and never judged."
                ),
                stream: StreamKind::$stream,
                needs_label: $label,
                ..SPREAD
            };

            #[inline(never)]
            fn reads(_: &Document, of: &Subject) -> Vec<SummaryKey> {
                vec![key(Rate::$rate, of)]
            }

            #[inline(never)]
            fn measure(seen: Seen<'_>) -> Measurement {
                $measure(seen, Rate::$rate)
            }
        }
    };
}

macro_rules! spread_by_difference {
    ($($row:tt)*) => {
        rate_spread!(
            "difference", "Largest minus smallest", "", AtMost, measure_difference; $($row)*
        );
    };
}

macro_rules! spread_by_ratio {
    ($($row:tt)*) => {
        rate_spread!(
            "ratio", "Smallest over largest", "A rate of 0 in every group: undefined. ", AtLeast,
            measure_ratio; $($row)*
        );
    };
}

/// Largest minus smallest, one metric for each rate.
pub(in crate::metric) mod spread_difference {
    use super::super::key;
    use super::{SPREAD, measure_difference};
    use crate::fairness::Rate;
    use crate::metric::{Measurement, Metric, MetricSpec, Seen, StreamKind};
    use crate::objective::document::{Comparator, Document, Subject};
    use crate::sketch::SummaryKey;

    selection_rate!(spread_by_difference);
    labelled_rates!(spread_by_difference);
}

/// Smallest over largest, one metric for each rate.
pub(in crate::metric) mod spread_ratio {
    use super::super::key;
    use super::{SPREAD, measure_ratio};
    use crate::fairness::Rate;
    use crate::metric::{Measurement, Metric, MetricSpec, Seen, StreamKind};
    use crate::objective::document::{Comparator, Document, Subject};
    use crate::sketch::SummaryKey;

    selection_rate!(spread_by_ratio);
    labelled_rates!(spread_by_ratio);
}
