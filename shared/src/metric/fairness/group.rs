//! A group's own rates: what the comparisons are made of. Of any group, the reference group too.

use super::{GROUP, Groups};
use crate::fairness::Rate;
use crate::interval;
use crate::metric::Grade;
use crate::metric::{Estimate, Measurement, MetricSpec, Needs, Sample, SampleKind, Seen};

/// What all of them have in common.
const OF_GROUP: MetricSpec = MetricSpec {
    range: (0.0, 1.0),
    reference: "fairlearn 0.15 (MetricFrame.by_group) on a real data set, every window, group and \
                intersection: counts are equal, so the share agrees to rounding.",
    grade: Grade::A,
    sample: SampleKind::Rate,
    needs: Needs::Group,
    ..GROUP
};

#[inline(never)]
fn measure(seen: Seen<'_>, rate: Rate) -> Measurement {
    let groups = Groups::of(&seen, rate)?;
    let (hits, of) = groups.counts(rate, Some(groups.named(seen.of)?));
    if of == 0 {
        return Err(groups.nothing(rate, "the group has no case that the rate is a share of"));
    }
    Ok(Estimate {
        value: hits as f64 / of as f64,
        interval: interval::wilson(hits, of),
        bound: None,
        support: of,
        sample: Sample::Rate { hits, of },
    })
}

macro_rules! of_group_rate {
    ($rate:ident, $stream:ident, $label:literal, $name:literal, $stem:literal, $title:literal,
     $parity:literal, $share:literal, $fraction:literal, $case:literal, $good:ident,
     $blind:literal) => {
        #[doc = concat!("The share of ", $share, " in one group.")]
        #[derive(Debug)]
        pub(in crate::metric) struct $rate;

        impl Metric for $rate {
            const SPEC: MetricSpec = MetricSpec {
                name: concat!($name, ".group"),
                title: concat!($title, " of a group"),
                good: Comparator::$good,
                meaning: concat!("The share of ", $share, ", in one group of an attribute."),
                formula: concat!(
                    $fraction,
                    ", counted over the rows of the group. Interval: Wilson's score interval at \
                     95 %. The ledger reads the two counts and is exact at any number of cases."
                ),
                edge_cases: concat!(
                    "No ", $case, " in the group: undefined, never 0. No such case in any listed \
                     group: no data. Rows without a decision, or without a label where one is \
                     needed, are left out."
                ),
                cannot_tell: concat!(
                    "How the group fares beside others: see the differences and ratios. ",
                    independent!()
                ),
                stream: StreamKind::$stream,
                needs_label: $label,
                ..OF_GROUP
            };

            #[inline(never)]
            fn reads(_: &Document, of: &Subject) -> Vec<SummaryKey> {
                vec![key(Rate::$rate, of)]
            }

            #[inline(never)]
            fn measure(seen: Seen<'_>) -> Measurement {
                measure(seen, Rate::$rate)
            }
        }
    };
}

/// One metric for each rate.
pub(in crate::metric) mod of_group {
    use super::super::key;
    use super::{OF_GROUP, measure};
    use crate::fairness::Rate;
    use crate::metric::{Measurement, Metric, MetricSpec, Seen, StreamKind};
    use crate::objective::document::{Comparator, Document, Subject};
    use crate::sketch::SummaryKey;

    selection_rate!(of_group_rate);
    labelled_rates!(of_group_rate);
}
