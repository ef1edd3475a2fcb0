//! All other groups together against the reference group: what AIF360 calls unprivileged against
//! privileged.

use super::Groups;
use super::compare::{DIFFERENCE, RATIO, difference_of, empty, ratio_of};
use crate::bet::{Bets, NoBet, RatioBets};
use crate::fairness::{Counts, Rate, Table};
use crate::metric::{Against, CasesOfGroups, Measurement, MetricSpec, Needs, Seen, Unmeasurable};

const POOLED_DIFFERENCE: MetricSpec = MetricSpec {
    reference: "AIF360 0.6 (ClassificationMetric, unprivileged minus privileged) on a real data \
                set, every window and attribute, to 1e-12.",
    needs: Needs::Attribute,
    groups: CasesOfGroups::AddedUp,
    ..DIFFERENCE
};

const POOLED_RATIO: MetricSpec = MetricSpec {
    reference: "AIF360 0.6 (ClassificationMetric, unprivileged over privileged) on a real data \
                set, every window and attribute, to 1e-12.",
    needs: Needs::Attribute,
    groups: CasesOfGroups::AddedUp,
    ..RATIO
};

/// The counts of the reference group and of all other listed groups together.
#[inline(never)]
fn pair<'a>(seen: &Seen<'a>, rate: Rate) -> Result<(Groups<'a>, Counts, Counts), Unmeasurable> {
    let groups = Groups::of(seen, rate)?;
    let reference = groups.reference()?;
    let others = groups.all().filter(|group| *group != reference);
    let pooled =
        others
            .map(|group| groups.counts(rate, Some(group)))
            .fold((0_u64, 0_u64), |sum, counts| {
                (
                    sum.0.saturating_add(counts.0),
                    sum.1.saturating_add(counts.1),
                )
            });
    let counts = groups.counts(rate, Some(reference));
    Ok((groups, counts, pooled))
}

/// The tables of the reference group and of all other listed groups together.
#[inline(never)]
pub(super) fn tables<'a>(seen: &Seen<'a>) -> Result<(Groups<'a>, Table, Table), Unmeasurable> {
    let groups = Groups::of(seen, Rate::Accuracy)?;
    let reference = groups.reference()?;
    let pooled = groups
        .all()
        .filter(|group| *group != reference)
        .fold(Table::default(), |sum, group| {
            sum.plus(&groups.table(Some(group)))
        });
    let table = groups.table(Some(reference));
    Ok((groups, table, pooled))
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
fn measure_ratio(seen: Seen<'_>, rate: Rate) -> Measurement {
    let (groups, reference, compared) = pair(&seen, rate)?;
    match empty(&groups, rate, reference, compared) {
        Some(why) => Err(why),
        None => ratio_of(reference, compared),
    }
}

fn ratio_bets(against: Against<'_>) -> Result<Bets, NoBet> {
    RatioBets::new(against.level, against.comparator).map(Bets::TwoRates)
}

macro_rules! rate_pooled {
    ($kind:literal, $how:literal, $parity_at:literal, $interval:literal, $base:ident,
     $measure:ident, $bets:ident;
     $rate:ident, $stream:ident, $label:literal, $name:literal, $stem:literal, $title:literal,
     $parity:literal, $share:literal, $fraction:literal, $case:literal, $good:ident,
     $blind:literal) => {
        #[doc = concat!("All other groups' share of ", $share, " against the reference group's.")]
        #[derive(Debug)]
        pub(in crate::metric) struct $rate;

        impl Metric for $rate {
            const SPEC: MetricSpec = MetricSpec {
                name: concat!($stem, "_", $kind, ".pooled"),
                title: concat!($parity, " ", $kind, " of all other groups"),
                good: Comparator::$good,
                meaning: concat!(
                    "The share of ",
                    $share,
                    " in all groups but the reference group, taken \
                     together, ",
                    $how,
                    " that in the reference group. ",
                    $parity_at,
                    " is parity. \
                     An objective may limit either side."
                ),
                formula: concat!(
                    $fraction,
                    " of the cases of all other groups, ",
                    $how,
                    " the same of the \
                     reference group. ",
                    $interval
                ),
                edge_cases: concat!(
                    "No ",
                    $case,
                    " on one of the two sides: undefined. Rows whose attribute is \
                     unknown or not listed are on neither side."
                ),
                cannot_tell: concat!(
                    $blind,
                    "Which of the other groups fares worse: a large group that fares well \
                     hides a small one that does not. ",
                    independent!()
                ),
                stream: StreamKind::$stream,
                needs_label: $label,
                ..$base
            };

            #[inline(never)]
            fn reads(_: &Document, of: &Subject) -> Vec<SummaryKey> {
                vec![key(Rate::$rate, of)]
            }

            #[inline(never)]
            fn measure(seen: Seen<'_>) -> Measurement {
                $measure(seen, Rate::$rate)
            }

            fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
                $bets(against)
            }
        }
    };
}

macro_rules! pooled_by_difference {
    ($($row:tt)*) => {
        rate_pooled!(
            "difference", "minus", "0", "Interval: Newcombe's hybrid score interval at 95 %. The ledger \
             reads the four counts themselves and is exact at any group size.",
            POOLED_DIFFERENCE, measure_difference, difference_bets; $($row)*
        );
    };
}

macro_rules! pooled_by_ratio {
    ($($row:tt)*) => {
        rate_pooled!(
            "ratio", "over", "1", "Interval: Koopman's score interval at 95 %. The ledger reads \
             the four counts themselves and is exact at any group size.",
            POOLED_RATIO, measure_ratio, ratio_bets; $($row)*
        );
    };
}

/// Differences, one metric for each rate.
pub(in crate::metric) mod pooled_difference {
    use super::super::compare::difference_bets;
    use super::super::key;
    use super::{POOLED_DIFFERENCE, measure_difference};
    use crate::bet::{Bets, NoBet};
    use crate::fairness::Rate;
    use crate::metric::{Against, Measurement, Metric, MetricSpec, Seen, StreamKind};
    use crate::objective::document::{Comparator, Document, Subject};
    use crate::sketch::SummaryKey;

    selection_rate!(pooled_by_difference);
    labelled_rates!(pooled_by_difference);
}

/// Ratios, one metric for each rate.
pub(in crate::metric) mod pooled_ratio {
    use super::super::key;
    use super::{POOLED_RATIO, measure_ratio, ratio_bets};
    use crate::bet::{Bets, NoBet};
    use crate::fairness::Rate;
    use crate::metric::{Against, Measurement, Metric, MetricSpec, Seen, StreamKind};
    use crate::objective::document::{Comparator, Document, Subject};
    use crate::sketch::SummaryKey;

    selection_rate!(pooled_by_ratio);
    labelled_rates!(pooled_by_ratio);
}
