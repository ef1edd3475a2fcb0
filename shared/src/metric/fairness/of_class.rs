//! Decisions of several classes by group, one class against the rest: a group's own rate, and its difference
//! and ratio to the reference group's.

use super::compare::{DIFFERENCE, RATIO, difference_bets, difference_of, ratio_of};
use super::{attribute, index};
use crate::bet::{Bets, NoBet};
use crate::fairness::Counts;
use crate::metric::performance::place_of_class;
use crate::metric::{
    Against, Answers, Grade, Measurement, Metric, MetricSpec, Needs, SampleKind, Seen, StreamKind,
    Unmeasurable, other_kind, share,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::{ClassTable, SummaryKey, SummaryKind, SummaryOf};

/// What is a share of what, for one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rate {
    /// Decisions for the class among all decisions.
    Decided,
    /// Decisions for the class among its labels.
    Recall,
    /// Labels of the class among decisions for it.
    Precision,
    /// Decisions for the class among labels of others.
    FalsePositive,
}

/// The key of the counts that a rate is read from.
fn key(rate: Rate, of: &Subject) -> SummaryKey {
    let by = of.attribute.clone();
    let of = match rate {
        Rate::Decided => SummaryOf::Decision(by),
        Rate::Recall | Rate::Precision | Rate::FalsePositive => SummaryOf::DecisionByLabel(by),
    };
    SummaryKey::new(of, SummaryKind::ClassTable)
}

/// The counts of a rate of one class in one group.
fn counts(table: &ClassTable, rate: Rate, class: u8, group: u8) -> Counts {
    let labels = || (0..table.classes()).map(Some).chain([None]);
    let known = || (0..table.classes()).map(Some);
    let at = |label, decision| table.count(label, decision, Some(group));
    let sum = |found: &mut dyn Iterator<Item = u64>| found.fold(0, u64::saturating_add);
    let class = Some(class);
    match rate {
        Rate::Decided => {
            let decided = |decision| sum(&mut labels().map(|label| at(label, decision)));
            (decided(class), sum(&mut labels().map(decided)))
        }
        Rate::Recall => (at(class, class), sum(&mut known().map(|d| at(class, d)))),
        Rate::Precision => (at(class, class), sum(&mut known().map(|l| at(l, class)))),
        Rate::FalsePositive => {
            let others = || known().filter(|label| *label != class);
            let of = |label| sum(&mut known().map(|decision| at(label, decision)));
            (
                sum(&mut others().map(|label| at(label, class))),
                sum(&mut others().map(of)),
            )
        }
    }
}

const NO_CASE: Unmeasurable =
    Unmeasurable::Undefined("a group has no case that the rate is a share of");

/// The counts of the named group (none: of the reference group).
fn found(seen: &Seen<'_>, rate: Rate, group: Option<&str>) -> Result<Counts, Unmeasurable> {
    let table = ClassTable::of(seen.summary(&key(rate, seen.of))?);
    let table = table.ok_or_else(|| other_kind("class table"))?;
    let (class, attribute) = (place_of_class(seen)?, attribute(seen)?);
    let group = index(attribute, Some(group.unwrap_or(&attribute.reference)))?;
    let mut groups = 0..table.groups();
    if groups.all(|group| counts(table, rate, class, group).1 == 0) {
        return Err(Unmeasurable::NoData);
    }
    let found = counts(table, rate, class, group);
    if found.1 == 0 {
        Err(NO_CASE)
    } else {
        Ok(found)
    }
}

fn of_group(seen: &Seen<'_>, rate: Rate) -> Measurement {
    let (hits, of) = found(seen, rate, seen.of.group.as_deref())?;
    share(hits, of)
}

/// The counts of the reference group and of the named one.
fn pair(seen: &Seen<'_>, rate: Rate) -> Result<(Counts, Counts), Unmeasurable> {
    let reference = found(seen, rate, None)?;
    Ok((reference, found(seen, rate, seen.of.group.as_deref())?))
}

macro_rules! class_rates {
    ($($rate:ident {
        $own:ident $difference:ident $ratio:ident, $stream:ident, $label:literal,
        $name:literal, $title:literal, $good:ident, $share:literal, $case:literal, $blind:literal
    })*) => {$(
        class_rates!(@metric $own, $rate, $stream, $label, Needs::ClassOfGroup, OF_GROUP,
            concat!($name, ".group"), concat!($title, ", of a group"), $good,
            concat!("The share of ", $share, ", in one group of an attribute, the reference group too."),
            concat!("The share of ", $share, ", over the rows of the group. Interval: Wilson's score interval at \
                 95 %. The ledger reads the two counts and is exact at any number of cases."),
            $case, concat!("How the group fares beside others: see the differences and ratios. ", independent!()),
            |seen: &Seen<'_>| of_group(seen, Rate::$rate));
        class_rates!(@metric $difference, $rate, $stream, $label, Needs::ClassOfAttributeGroup,
            DIFFERENCE_OF_CLASS,
            concat!($name, "_difference"), concat!($title, ": difference between groups"), $good,
            concat!("By how much the share of ", $share, " in the group differs from that in the attribute's \
                 reference group. 0 is parity. An objective may limit either side."),
            concat!("The share of ", $share, ", over the rows of the group, less that of the reference group. \
                 Interval: Newcombe's hybrid score interval at 95 %. The ledger reads the four counts \
                 themselves and is exact at any group size."),
            $case, concat!($blind, independent!()),
            |seen: &Seen<'_>| pair(seen, Rate::$rate).and_then(|(a, b)| difference_of(a, b)),
            by difference_bets);
        class_rates!(@metric $ratio, $rate, $stream, $label, Needs::ClassOfAttributeGroup, RATIO_OF_CLASS,
            concat!($name, "_ratio"), concat!($title, ": ratio between groups"), $good,
            concat!("The share of ", $share, " in the group, for each such share in the attribute's reference \
                 group. 1 is parity. An objective may limit either side."),
            concat!("The share of ", $share, ", over the rows of the group, divided by that of the reference group. \
                 Interval: Koopman's score interval at 95 %. The ledger reads the four counts themselves and \
                 is exact at any group size. A share of 0 in the reference group: undefined, though the \
                 ledger still takes the counts."),
            $case, concat!($blind, independent!()),
            |seen: &Seen<'_>| pair(seen, Rate::$rate).and_then(|(a, b)| ratio_of(a, b)));
    )*};
    (@metric $type:ident, $rate:ident, $stream:ident, $label:literal, $needs:expr, $base:expr, $name:expr,
     $title:expr, $good:ident, $meaning:expr, $formula:expr, $case:literal, $cannot:expr, $measure:expr
     $(, by $bets:expr)?) => {
        #[doc = $meaning]
        #[derive(Debug)]
        pub(in crate::metric) struct $type;

        impl Metric for $type {
            const SPEC: MetricSpec = MetricSpec {
                name: $name,
                title: $title,
                good: Comparator::$good,
                stream: StreamKind::$stream,
                needs: $needs,
                needs_label: $label,
                meaning: $meaning,
                formula: $formula,
                edge_cases: concat!(
                    "No ", $case, " in a group: undefined, never 0; in no group: no data. Rows whose \
                     attribute is unknown or not listed are in no group. Decisions and labels that are none \
                     of the listed classes count as other decisions where no label is needed, and are left \
                     out where one is."
                ),
                cannot_tell: $cannot,
                ..$base
            };

            fn reads(_: &Document, of: &Subject) -> Vec<SummaryKey> {
                vec![key(Rate::$rate, of)]
            }

            #[inline(never)]
            fn measure(seen: Seen<'_>) -> Measurement {
                let measure: fn(&Seen<'_>) -> Measurement = $measure;
                measure(&seen)
            }

            $(fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
                $bets(against)
            })?
        }
    };
}

const OF_GROUP: MetricSpec = MetricSpec {
    range: (0.0, 1.0),
    grade: Grade::A,
    sample: SampleKind::Rate,
    answers: Answers::Classes,
    reference: "Counted by hand on a table of two groups and three classes: to 1e-12.",
    ..DIFFERENCE
};

const DIFFERENCE_OF_CLASS: MetricSpec = MetricSpec {
    answers: Answers::Classes,
    reference: "Counted by hand on a table of two groups and three classes: to 1e-12. Interval as for \
                `demographic_parity_difference`.",
    ..DIFFERENCE
};

const RATIO_OF_CLASS: MetricSpec = MetricSpec {
    answers: Answers::Classes,
    reference: "Counted by hand on a table of two groups and three classes: to 1e-12. Interval as for \
                `demographic_parity_ratio`.",
    ..RATIO
};

class_rates! {
    Decided {
        Decided DecidedDifference DecidedRatio, ByAttribute, false,
        "class_decided_rate", "Rate of decisions for a class", AtLeast,
        "decisions for the class among all decisions", "decision",
        "Whether the groups' cases deserve the same classes: it looks at no label. "
    }
    Recall {
        Recall RecallDifference RecallRatio, Outcomes, true,
        "class_recall", "Recall of a class", AtLeast,
        "decisions for the class among cases labelled so", "case labelled so",
        "How often cases of other classes are decided to be of this one. "
    }
    Precision {
        Precision PrecisionDifference PrecisionRatio, Outcomes, true,
        "class_precision", "Precision of a class", AtLeast,
        "labels of the class among decisions for it", "decision for it",
        "How many cases of the class were not found. It differs between groups in which the class is not \
         equally frequent even if both are decided alike. "
    }
    FalsePositive {
        FalsePositive FalsePositiveDifference FalsePositiveRatio, Outcomes, true,
        "class_false_positive_rate", "False positive rate of a class", AtMost,
        "decisions for the class among cases labelled otherwise", "case labelled otherwise",
        "Whether cases of the class are found. "
    }
}
