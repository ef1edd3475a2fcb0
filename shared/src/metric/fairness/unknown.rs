//! Cases whose group is not known: how many they are, and what they leave open.

use super::{GROUP, Groups, key, shown};
use crate::fairness::{Counts, Rate, difference_bounds, ratio_bounds};
use crate::metric::{
    CasesOfGroups, Grade, IntervalFrom, MetricSpec, Needs, SampleKind, Seen, StreamKind,
    Unmeasurable, share,
};
use crate::objective::document::Comparator;

metric! {
    /// The share of decided cases whose group is not known.
    UnknownGroupRate, |of| key(Rate::Selection, of), |seen: Seen<'_>| {
        let groups = Groups::of(&seen, Rate::Selection)?;
        let (_, unknown) = groups.counts(Rate::Selection, None);
        let known = groups.all().map(|group| groups.counts(Rate::Selection, Some(group)).1);
        share(unknown, known.fold(unknown, u64::saturating_add))
    }, GROUP, {
        name: "unknown_group_rate",
        title: "Unknown group rate",
        range: (0.0, 1.0),
        meaning: "The share of decided cases whose value of the protected attribute is not known or \
                  is none of the listed groups: what every fairness figure of the attribute leaves \
                  out.",
        formula: "unknown / (unknown + cases of all listed groups), over decided rows of the stream \
                  that knows the attribute. Interval: Wilson's score interval at 95 %.",
        edge_cases: "No decided row: no data. For attributes that come with outcomes, cases without \
                     an outcome are in neither number; the coverage beside the value says how many \
                     they are.",
        cannot_tell: concat!(
            "How the unknown cases fare: the `.lowest` and `.highest` disparities say what they \
             leave open. ", independent!()
        ),
        reference: "Counted by hand in the tests; the share is exact.",
        grade: Grade::A,
        sample: SampleKind::Rate,
        stream: StreamKind::ByAttribute,
        needs: Needs::Attribute,
        groups: CasesOfGroups::AddedUp,
        needs_label: false,
    }
}

type Bounds = fn(Counts, Counts, Counts) -> Option<(f64, f64)>;

/// Least and greatest disparity that the unknown cases leave open, and all cases together.
#[inline(never)]
fn bounds(seen: &Seen<'_>, rate: Rate, of: Bounds) -> Result<((f64, f64), u64), Unmeasurable> {
    let groups = Groups::of(seen, rate)?;
    let reference = groups.counts(rate, Some(groups.reference()?));
    let compared = groups.counts(rate, Some(groups.named(seen.of)?));
    let unknown = groups.counts(rate, None);
    let why = "a group, or the reference group's rate, could be empty";
    let found = of(reference, compared, unknown).ok_or_else(|| groups.nothing(rate, why))?;
    let cases = [reference, compared, unknown];
    let support = cases
        .iter()
        .fold(0_u64, |sum, (_, of)| sum.saturating_add(*of));
    Ok((found, support))
}

const OPEN: MetricSpec = MetricSpec {
    groups: CasesOfGroups::AddedUp,
    interval: IntervalFrom::Nothing(
        "an end of what unknown groups leave open is counted, not estimated; the figure between them has one",
    ),
    reference: "Every assignment of unknown cases enumerated in the tests, to 1e-12.",
    cannot_tell: "How likely an end is: it takes every unknown case to be of the group, and of the \
                  kind, that moves the figure farthest. Chance in the known cases comes on top. It \
                  is shown, never judged.",
    ..GROUP
};

macro_rules! open_end {
    ($name:ident, $rate:ident, $bounds:ident, $range:expr, $end:tt, $label:literal, $stream:ident,
     $good:ident, $metric:literal, $title:literal, $suffix:literal, $word:literal, $share:literal,
     $formula:literal) => {
        metric! {
            #[doc = concat!("The ", $word, " ", $title, " that unknown groups leave open.")]
            $name, |of| key(Rate::$rate, of), |seen: Seen<'_>| {
                let (found, support) = bounds(&seen, Rate::$rate, $bounds)?;
                Ok(shown(found.$end, None, support))
            }, OPEN, {
                name: concat!($metric, $suffix),
                title: concat!($title, ", ", $word, " with unknown groups"),
                range: $range,
                good: Comparator::$good,
                stream: StreamKind::$stream,
                needs_label: $label,
                meaning: concat!(
                    "The ", $word, " value that `", $metric, "` could have, whatever groups the \
cases of unknown membership belong to. It compares the share of ", $share, "."
                ),
                formula: concat!(
                    $formula, ", with b and a the hits of the group and of the reference group, nb \
and na their cases, and u hits and v other cases of unknown group (Manski's \
bounds without assumptions; they are reached)."
                ),
                edge_cases: "Without unknown cases it is the plain figure. A group that could be \
empty, or a reference group whose rate could be 0 where a ratio is \
asked for: undefined. Unknown cases may also belong to other groups.",
            }
        }
    };
}

open_end!(
    LowestDemographicParityDifference,
    Selection,
    difference_bounds,
    (-1.0, 1.0),
    0,
    false,
    ByAttribute,
    AtLeast,
    "demographic_parity_difference",
    "demographic parity difference",
    ".lowest",
    "lowest",
    "positive decisions",
    "b / (nb + v) - (a + u) / (na + u)"
);
open_end!(
    HighestDemographicParityDifference,
    Selection,
    difference_bounds,
    (-1.0, 1.0),
    1,
    false,
    ByAttribute,
    AtMost,
    "demographic_parity_difference",
    "demographic parity difference",
    ".highest",
    "highest",
    "positive decisions",
    "(b + u) / (nb + u) - a / (na + v)"
);
open_end!(
    LowestDemographicParityRatio,
    Selection,
    ratio_bounds,
    (0.0, 100.0),
    0,
    false,
    ByAttribute,
    AtLeast,
    "demographic_parity_ratio",
    "demographic parity ratio",
    ".lowest",
    "lowest",
    "positive decisions",
    "(b / (nb + v)) / ((a + u) / (na + u))"
);
open_end!(
    HighestDemographicParityRatio,
    Selection,
    ratio_bounds,
    (0.0, 100.0),
    1,
    false,
    ByAttribute,
    AtMost,
    "demographic_parity_ratio",
    "demographic parity ratio",
    ".highest",
    "highest",
    "positive decisions",
    "((b + u) / (nb + u)) / (a / (na + v))"
);
open_end!(
    LowestEqualOpportunityDifference,
    TruePositive,
    difference_bounds,
    (-1.0, 1.0),
    0,
    true,
    Outcomes,
    AtLeast,
    "equal_opportunity_difference",
    "equal opportunity difference",
    ".lowest",
    "lowest",
    "positive decisions among positive labels",
    "b / (nb + v) - (a + u) / (na + u)"
);
open_end!(
    HighestEqualOpportunityDifference,
    TruePositive,
    difference_bounds,
    (-1.0, 1.0),
    1,
    true,
    Outcomes,
    AtMost,
    "equal_opportunity_difference",
    "equal opportunity difference",
    ".highest",
    "highest",
    "positive decisions among positive labels",
    "(b + u) / (nb + u) - a / (na + v)"
);
open_end!(
    LowestFalsePositiveRateDifference,
    FalsePositive,
    difference_bounds,
    (-1.0, 1.0),
    0,
    true,
    Outcomes,
    AtLeast,
    "false_positive_rate_difference",
    "false positive rate difference",
    ".lowest",
    "lowest",
    "positive decisions among negative labels",
    "b / (nb + v) - (a + u) / (na + u)"
);
open_end!(
    HighestFalsePositiveRateDifference,
    FalsePositive,
    difference_bounds,
    (-1.0, 1.0),
    1,
    true,
    Outcomes,
    AtMost,
    "false_positive_rate_difference",
    "false positive rate difference",
    ".highest",
    "highest",
    "positive decisions among negative labels",
    "(b + u) / (nb + u) - a / (na + v)"
);
