//! Fairness: how groups of a protected attribute fare, each against the documented reference group,
//! all against each other, or all others together against the reference group.
//!
//! The arithmetic is in [`crate::fairness`]; here it meets summaries, and each figure gets its card.

use crate::bet::scores;
use crate::fairness::{Cell, Counts, Rate, Table};
use crate::metric::{
    Answers, CasesOfGroups, Estimate, Grade, IntervalFrom, Measurement, MetricSpec, Needs, Sample,
    SampleKind, Seen, StreamKind, Unmeasurable, other_kind,
};
use crate::objective::document::{Attribute, Comparator, Subject};
use crate::sketch::{Confusion, ScoreCells, SummaryKey, SummaryKind, SummaryOf};

/// What every exact comparison cannot tell.
macro_rules! independent {
    () => {
        "Rows of one request \
         count as independent cases unless the objective's `cluster` says how \
         many go together."
    };
}

/// One metric: its summaries by subject, its measurement, and its card over what the family shares.
macro_rules! metric {
    ($(#[$doc:meta])* $name:ident, $reads:expr, $measure:expr, $base:expr,
     { $($field:ident: $value:expr,)* } $(, by $bets:expr)?) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(in crate::metric) struct $name;

        impl crate::metric::Metric for $name {
            const SPEC: crate::metric::MetricSpec = crate::metric::MetricSpec {
                $($field: $value,)*
                ..$base
            };

            #[inline(never)]
            fn reads(
                _: &crate::objective::document::Document,
                of: &crate::objective::document::Subject,
            ) -> Vec<crate::sketch::SummaryKey> {
                vec![$reads(of)]
            }

            #[inline(never)]
            fn measure(seen: crate::metric::Seen<'_>) -> crate::metric::Measurement {
                $measure(seen)
            }

            $(fn bets(
                against: crate::metric::Against<'_>,
            ) -> Result<crate::bet::Bets, crate::bet::NoBet> {
                $bets(&against)
            })?
        }
    };
}

#[macro_use]
mod rates;

mod aliases;
mod compare;
mod demographic_parity_ratio;
mod group;
mod pooled;
mod spread;

pub(super) mod calibration;
pub(super) mod classes;
pub(super) mod entropy;
pub(super) mod odds;
pub(super) mod of_class;
pub(super) mod overall;
pub(super) mod regression;
pub(super) mod unknown;

pub use aliases::{ALIASES, Alias};
pub(super) use compare::{difference, ratio};
pub(super) use demographic_parity_ratio::DemographicParityRatio;
pub(super) use group::of_group;
pub(super) use pooled::{pooled_difference, pooled_ratio};
pub(super) use spread::{spread_difference, spread_ratio};

/// What most metrics of the family have in common: they compare a group with the reference group.
const GROUP: MetricSpec = MetricSpec {
    name: "",
    title: "",
    unit: "1",
    good: Comparator::AtMost,
    range: (-1.0, 1.0),
    meaning: "",
    formula: "",
    edge_cases: "",
    cannot_tell: "",
    reference: "",
    grade: Grade::B,
    stream: StreamKind::Outcomes,
    sample: SampleKind::Unjudged,
    needs: Needs::AttributeGroup,
    needs_score: false,
    needs_decision: true,
    needs_label: true,
    answers: Answers::TwoValued,
    interval: IntervalFrom::Formula,
    groups: CasesOfGroups::Apart,
};

/// The groups of the attribute that a subject names, and their counts.
struct Groups<'a> {
    attribute: &'a Attribute,
    confusion: &'a Confusion,
}

/// The key of the counts that a rate is read from.
#[inline(never)]
fn key(rate: Rate, of: &Subject) -> SummaryKey {
    let by = of.attribute.clone();
    let of = match rate {
        Rate::Selection => SummaryOf::Decision(by),
        Rate::Base
        | Rate::Accuracy
        | Rate::TruePositive
        | Rate::FalsePositive
        | Rate::TrueNegative
        | Rate::FalseNegative
        | Rate::PositivePredictive
        | Rate::NegativePredictive
        | Rate::FalseDiscovery
        | Rate::FalseOmission => SummaryOf::DecisionByLabel(by),
    };
    SummaryKey::new(of, SummaryKind::Confusion)
}

/// The key of labelled decisions.
fn labelled(of: &Subject) -> SummaryKey {
    key(Rate::Accuracy, of)
}

/// The attribute that a subject names.
#[inline(never)]
pub(in crate::metric) fn attribute<'a>(seen: &Seen<'a>) -> Result<&'a Attribute, Unmeasurable> {
    let named = seen.of.attribute.as_ref();
    let mut attributes = seen.document.attributes.iter();
    attributes
        .find(|a| Some(&a.name) == named)
        .ok_or(Unmeasurable::Undefined(
            "the attribute is not in the objectives file",
        ))
}

/// The index of a group.
#[inline(never)]
pub(in crate::metric) fn index(
    attribute: &Attribute,
    group: Option<&str>,
) -> Result<u8, Unmeasurable> {
    let mut groups = attribute.groups.iter();
    let at = groups.position(|g| Some(g.as_str()) == group);
    at.and_then(|at| u8::try_from(at).ok())
        .ok_or(Unmeasurable::Undefined(
            "the group is not one of the attribute's groups",
        ))
}

impl<'a> Groups<'a> {
    /// As the counts of a rate have them.
    #[inline(never)]
    fn of(seen: &Seen<'a>, rate: Rate) -> Result<Self, Unmeasurable> {
        let attribute = attribute(seen)?;
        let summary = seen.summary(&key(rate, seen.of))?;
        let confusion = Confusion::of(summary).ok_or_else(|| other_kind("confusion"))?;
        Ok(Self {
            attribute,
            confusion,
        })
    }

    /// Labelled decisions of a group; of those whose group is not known if it is none.
    #[inline(never)]
    fn table(&self, group: Option<u8>) -> Table {
        let count = |label, decision| self.confusion.count(Some(label), Some(decision), group);
        Table {
            true_positive: count(true, true),
            false_positive: count(false, true),
            false_negative: count(true, false),
            true_negative: count(false, false),
        }
    }

    /// The counts of a group's rate.
    #[inline(never)]
    fn counts(&self, rate: Rate, group: Option<u8>) -> Counts {
        if rate == Rate::Selection {
            let decided = |decision| self.confusion.decided(Some(decision), group);
            let positive = decided(true);
            return (positive, positive.saturating_add(decided(false)));
        }
        rate.of(&self.table(group))
    }

    /// Indices of the listed groups.
    fn all(&self) -> impl Iterator<Item = u8> {
        0..self.confusion.groups()
    }

    /// The reference group's index.
    #[inline(never)]
    fn reference(&self) -> Result<u8, Unmeasurable> {
        index(self.attribute, Some(&self.attribute.reference))
    }

    /// The index of the group that a subject names.
    #[inline(never)]
    fn named(&self, of: &Subject) -> Result<u8, Unmeasurable> {
        index(self.attribute, of.group.as_deref())
    }

    /// No data if no listed group has a case that a rate could count, else what the caller says.
    #[inline(never)]
    fn nothing(&self, rate: Rate, why: &'static str) -> Unmeasurable {
        let counted = |label: Option<bool>, decision: Option<bool>, group: Option<u8>| {
            let labelled = rate == Rate::Selection || label.is_some();
            decision.is_some() && group.is_some() && labelled
        };
        if self.confusion.sum(counted) == 0 {
            Unmeasurable::NoData
        } else {
            Unmeasurable::Undefined(why)
        }
    }

    /// Labelled decisions of the reference group and of the named one.
    #[inline(never)]
    fn pair(seen: &Seen<'a>) -> Result<(Self, Table, Table), Unmeasurable> {
        let groups = Self::of(seen, Rate::Accuracy)?;
        let reference = groups.table(Some(groups.reference()?));
        let compared = groups.table(Some(groups.named(seen.of)?));
        Ok((groups, reference, compared))
    }
}

/// The key of the scores by label.
fn scores_key(of: &Subject) -> SummaryKey {
    SummaryKey::new(
        SummaryOf::ScoreByLabel(of.attribute.clone()),
        SummaryKind::ScoreCells,
    )
}

/// The score cells of the reference group and of the named one.
#[inline(never)]
fn score_cells(seen: &Seen<'_>) -> Result<[Vec<Cell>; 2], Unmeasurable> {
    let attribute = attribute(seen)?;
    let summary = seen.summary(&scores_key(seen.of))?;
    let scores = ScoreCells::of(summary).ok_or_else(|| other_kind("score cells"))?;
    let of = |group: Option<&str>| -> Result<Vec<Cell>, Unmeasurable> {
        let cells = scores.cells(Some(index(attribute, group)?));
        let cells = cells.map(|cell| Cell {
            low: cell.score.unwrap_or(cell.low),
            high: cell.score.unwrap_or(cell.high),
            positive: cell.count.positive,
            negative: cell.count.negative,
        });
        Ok(cells.collect())
    };
    Ok([
        of(Some(&attribute.reference))?,
        of(seen.of.group.as_deref())?,
    ])
}

/// Labelled cases of the named group by the bets' even cells of scores.
#[inline(never)]
fn even_counts(seen: &Seen<'_>) -> Result<Vec<u64>, Unmeasurable> {
    let summary = seen.summary(&scores_key(seen.of))?;
    let found = ScoreCells::of(summary).ok_or_else(|| other_kind("score cells"))?;
    let group = index(attribute(seen)?, seen.of.group.as_deref())?;
    Ok(scores::counts(&scores::even(), found.cells(Some(group))))
}

/// A value that is shown, never judged.
const fn shown(value: f64, interval: Option<(f64, f64)>, support: u64) -> Estimate {
    Estimate {
        value,
        interval,
        bound: None,
        support,
        sample: Sample::Unjudged { of: support },
    }
}

/// A value about normal around the truth.
#[inline(never)]
fn normal(found: crate::fairness::Measured, of: u64, least: u64) -> Measurement {
    let std_error = found.std_error.ok_or(Unmeasurable::Undefined(
        "the standard error cannot be computed",
    ))?;
    Ok(Estimate {
        value: found.value,
        interval: found.interval,
        bound: None,
        support: of,
        sample: Sample::Normal {
            estimate: found.value,
            std_error,
            of,
            least,
        },
    })
}
