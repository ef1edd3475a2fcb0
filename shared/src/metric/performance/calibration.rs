//! Whether scores are right as probabilities.
//!
//! Figures over groups of equal width read exact sums of scores; figures over groups of equal mass,
//! whose edges follow the window, read score cells.

use super::{SCORED, groups, losses, losses_key, of_labelled, scored, scored_key, shown};
use super::{around, score_counts, shown_within};
use crate::bet::cells::Conforming;
use crate::bet::{Bets, Breach, NoBet, half_space, scores};
use crate::metric::{
    Against, Estimate, Grade, IntervalFrom, Measurement, Metric, MetricSpec, Sample, SampleKind,
    Seen, Unmeasurable,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::performance::Bracketed;
use crate::performance::calibration::{self, Group, equal_mass};
use crate::performance::cells::{Cell, totals};
use crate::sketch::{GroupLosses, SummaryKey};

/// Groups of about equal mass.
const GROUPS: u32 = 15;

macro_rules! calibration {
    ($($type:ident {
        $name:literal, $title:literal, $good:ident, $range:expr,
        measure: $measure:expr,
        $meaning:literal, formula: $formula:literal, edge: $edge:literal,
        cannot: $cannot:literal, reference: $reference:literal $(,)?
    })*) => {$(
        #[doc = $meaning]
        #[derive(Debug)]
        pub(in crate::metric) struct $type;

        impl Metric for $type {
            const SPEC: MetricSpec = MetricSpec {
                name: $name,
                title: $title,
                good: Comparator::$good,
                range: $range,
                meaning: $meaning,
                formula: $formula,
                edge_cases: concat!("No labelled rows: no data. ", $edge),
                cannot_tell: of_labelled!($cannot),
                reference: $reference,
                interval: IntervalFrom::Recounting,
                ..SCORED
            };

            fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
                vec![losses_key()]
            }

            fn measure(seen: Seen<'_>) -> Measurement {
                let losses = losses(&seen)?;
                let measure: fn(&GroupLosses) -> Option<f64> = $measure;
                let value = measure(losses).ok_or(Unmeasurable::NoData)?;
                Ok(shown(value, losses.n()))
            }
        }
    )*};
}

fn fifteen(losses: &GroupLosses) -> Vec<Group> {
    groups(losses.fifteen_bins())
}

fn ten(losses: &GroupLosses) -> Vec<Group> {
    groups(losses.ten_bins())
}

/// The value of a figure whose groups are exact.
fn exact(found: Option<Bracketed>) -> Option<f64> {
    found.map(|found| found.value)
}

calibration! {
    EceTen {
        "ece.10", "Expected calibration error, ten groups", AtMost, (0.0, 1.0),
        measure: |losses| exact(calibration::expected_error(&ten(losses))),
        "How far the share of positive cases lies from the score, in the mean over cases in ten groups of \
         equal width, as many tools have it. For comparison.",
        formula: "As `ece`, with the groups [0, 0.1), [0.1, 0.2) .. [0.9, 1], from exact sums of scores.",
        edge: "Groups without cases are left out. With few cases it is too large by chance.",
        cannot: "In which direction scores are wrong, and for whom.",
        reference: "The same sum over raw scores (numpy 2.4): to 1e-9.",
    }
    Mce {
        "mce", "Maximum calibration error", AtMost, (0.0, 1.0),
        measure: |losses| exact(calibration::largest_error(&fifteen(losses))),
        "How far the share of positive cases lies from the score in the worst of 15 groups of scores of \
         equal width.",
        formula: "Largest |share of positives - mean score| of a group (Naeini, Cooper and Hauskrecht \
                  2015), from exact sums of scores.",
        edge: "A group of a single case takes part: with few cases it is close to 1 by chance.",
        cannot: "How many cases the worst group holds.",
        reference: "The same figure over raw scores (numpy 2.4): to 1e-9.",
    }
    MceTen {
        "mce.10", "Maximum calibration error, ten groups", AtMost, (0.0, 1.0),
        measure: |losses| exact(calibration::largest_error(&ten(losses))),
        "How far the share of positive cases lies from the score in the worst of ten groups of equal \
         width, as many tools have it. For comparison.",
        formula: "As `mce`, with the groups [0, 0.1), [0.1, 0.2) .. [0.9, 1], from exact sums of scores.",
        edge: "A group of a single case takes part: with few cases it is close to 1 by chance.",
        cannot: "How many cases the worst group holds.",
        reference: "The same figure over raw scores (numpy 2.4): to 1e-9.",
    }
    BrierReliability {
        "brier_reliability", "Brier score: reliability", AtMost, (0.0, 1.0),
        measure: |losses| calibration::brier_parts(&fifteen(losses)).map(|parts| parts.reliability),
        "The part of the Brier score that calibration could take away: the squared distance between \
         share of positives and mean score of 15 groups of scores, in the mean over cases.",
        formula: "Sum over groups of (share of cases) (mean score - share of positives)^2 (Murphy 1973), \
                  groups as in `ece`.",
        edge: "Groups without cases are left out.",
        cannot: "How well scores tell cases apart; that is the resolution.",
        reference: "Murphy's sum over raw scores (numpy 2.4): to 1e-9.",
    }
    BrierResolution {
        "brier_resolution", "Brier score: resolution", AtLeast, (0.0, 0.25),
        measure: |losses| calibration::brier_parts(&fifteen(losses)).map(|parts| parts.resolution),
        "The part of the Brier score that the score earns by telling cases apart: how far the shares of \
         positives of 15 groups of scores lie from that of all.",
        formula: "Sum over groups of (share of cases) (share of positives - share over all)^2 (Murphy \
                  1973), groups as in `ece`. Score = reliability - resolution + uncertainty + what \
                  varies within groups.",
        edge: "Groups without cases are left out. 0 if scores say nothing.",
        cannot: "Whether scores are right as probabilities; that is the reliability.",
        reference: "Murphy's sum over raw scores (numpy 2.4): to 1e-9.",
    }
    BrierUncertainty {
        "brier_uncertainty", "Brier score: uncertainty", AtMost, (0.0, 0.25),
        measure: |losses| calibration::brier_parts(&fifteen(losses)).map(|parts| parts.uncertainty),
        "The Brier score of always answering the share of positives: what the world leaves open before \
         any score is looked at.",
        formula: "(share of positives) (share of negatives), of labelled cases with a score.",
        edge: "0 if all labels are the same. Rows without a score or a label are left out.",
        cannot: "Anything about the score.",
        reference: "From the labels alone (numpy 2.4): to 1e-9.",
    }
}

/// The expected calibration error over groups of equal width.
#[derive(Debug)]
pub(in crate::metric) struct Ece;

/// Groups of equal width that the error is taken over.
const WIDTHS: u32 = 15;

impl Metric for Ece {
    const SPEC: MetricSpec = MetricSpec {
        name: "ece",
        interval: IntervalFrom::Recounting,
        title: "Expected calibration error",
        good: Comparator::AtMost,
        meaning: "How far the share of positive cases lies from the score, in the mean over cases grouped by \
                  score: 15 groups of equal width.",
        formula: "Sum over groups of (share of cases) |share of positives - mean score| (Naeini, Cooper \
                  and Hauskrecht 2015), from exact sums of scores. Standard error of the running mean: \
                  root of (`brier` - `ece`^2) / cases, as if the signs of the groups were known. The \
                  ledger reads labelled cases by 64 even cells of scores: it bets that scores are too \
                  low everywhere, too high everywhere, too far out or too near the middle, each case \
                  taken at the end of its cell that pays least, and is exact at any number of cases.",
        edge_cases: "No labelled rows: no data. Groups without cases are left out. With few cases the value \
                     is too large by chance (`calibration_error_debiased` is not), and so is the running \
                     mean, which then takes long to show conformity; the ledger is not misled by that. \
                     Errors below 1/64 more than the level are not told, nor those that fit none of the \
                     four patterns. Only \"at most\" can be judged.",
        cannot_tell: of_labelled!(
            "In which direction scores are wrong, and for whom. Errors of a group that cancel each other \
             are not seen."
        ),
        reference: "The same sum over raw scores (numpy 2.4): to 1e-9. `ece.10` is the convention of ten \
                    groups.",
        grade: Grade::A,
        sample: SampleKind::Cells,
        ..SCORED
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![losses_key(), scored_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let losses = losses(&seen)?;
        let value = exact(calibration::expected_error(&fifteen(losses)));
        let (value, brier) = value.zip(losses.brier()).ok_or(Unmeasurable::NoData)?;
        let of = losses.n();
        Ok(Estimate {
            sample: Sample::Cells {
                counts: score_counts(&seen, &scores::even())?,
                estimate: value,
                std_error: ((brier - value * value).max(0.0) / of as f64).sqrt(),
                least: of,
            },
            ..shown(value, of)
        })
    }

    fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
        match against.comparator {
            Comparator::AtMost => {
                half_space::calibration(&scores::even(), WIDTHS, against.level).map(Bets::Cells)
            }
            Comparator::AtLeast => Err(NoBet(format!(
                "level {}: that scores are badly calibrated is no objective; set \"at most\"",
                against.level
            ))),
        }
    }

    /// Scores that are off by the level in one of the four patterns that are bet on, each in the middle of
    /// its cell.
    fn breach(against: Against<'_>) -> Option<Breach> {
        let middles: Vec<(f64, f64)> = scores::even()
            .into_iter()
            .map(|(low, high)| (f64::midpoint(low, high), f64::midpoint(low, high)))
            .collect();
        match half_space::calibration(&middles, WIDTHS, against.level)
            .ok()?
            .conforming
        {
            Conforming::HalfSpaces { planes } => Some(Breach::Edges(planes)),
            Conforming::Ball { .. } => None,
        }
    }
}

/// A figure over groups of score cells of about equal mass.
fn by_mass(seen: &Seen<'_>, figure: fn(&[Group]) -> Option<Bracketed>) -> Measurement {
    of_mass(&scored(seen)?, figure)
}

/// The same of cells.
pub(super) fn of_mass(cells: &[Cell], figure: fn(&[Group]) -> Option<Bracketed>) -> Measurement {
    let (positives, negatives) = totals(cells);
    let none = Unmeasurable::Undefined("every group holds a single case");
    let found = figure(&equal_mass(cells, GROUPS)).ok_or(none)?;
    Ok(shown_within(found, positives + negatives))
}

/// The expected calibration error over groups of about equal mass.
#[derive(Debug)]
pub(in crate::metric) struct EceMass;

impl Metric for EceMass {
    const SPEC: MetricSpec = MetricSpec {
        name: "ece.mass",
        interval: IntervalFrom::Recounting,
        title: "Expected calibration error, groups of equal mass",
        good: Comparator::AtMost,
        meaning: "How far the share of positive cases lies from the score, in the mean over cases \
                  grouped by score: 15 groups of about as many cases each, so that groups are not \
                  empty where scores are rare.",
        formula: "As `ece`, with groups of whole score cells that are closed as soon as all cases so \
                  far reach the group's share of the whole; the middle of a cell stands for its \
                  scores. Bound: what that leaves open for these groups.",
        edge_cases: "No labelled rows: no data. Where one score is very frequent there are fewer \
                     groups. With few cases it is too large by chance.",
        cannot_tell: of_labelled!(
            "In which direction scores are wrong, and for whom. Groups differ from window to window."
        ),
        reference: "The same figure over raw scores in the same groups lies within the bound.",
        ..SCORED
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![scored_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        by_mass(&seen, calibration::expected_error)
    }
}

/// The squared calibration error without the bias of small groups.
#[derive(Debug)]
pub(in crate::metric) struct CalibrationErrorDebiased;

impl Metric for CalibrationErrorDebiased {
    const SPEC: MetricSpec = MetricSpec {
        name: "calibration_error_debiased",
        interval: IntervalFrom::Recounting,
        title: "Squared calibration error, debiased",
        good: Comparator::AtMost,
        range: (-1.0, 1.0),
        meaning: "The squared distance between the share of positive cases and the score, in the \
                  mean over cases in 15 groups of about as many cases each, without what chance \
                  adds: 0 in the mean for right scores, however few the cases.",
        formula: "Sum over groups of (share of cases) [(share of positives - mean score)^2 - v], v \
                  the group's share of positives times that of negatives over its cases less one \
                  (Kumar, Liang and Ma 2019). Groups and bound as in `ece.mass`.",
        edge_cases: "No labelled rows: no data. Groups of one case are left out; if there is no other, \
                     undefined. May be below zero by chance, and is not cut there.",
        cannot_tell: of_labelled!("In which direction scores are wrong, and for whom."),
        reference: "The same figure over raw scores in the same groups lies within the bound.",
        ..SCORED
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![scored_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        by_mass(&seen, calibration::debiased_square)
    }
}

/// Observed positive cases over expected ones.
#[derive(Debug)]
pub(in crate::metric) struct ObservedOverExpected;

impl Metric for ObservedOverExpected {
    const SPEC: MetricSpec = MetricSpec {
        name: "observed_over_expected",
        title: "Observed over expected positives",
        good: Comparator::AtMost,
        range: (0.0, 100.0),
        meaning: "How many positive cases there were for each that the scores let expect: calibration \
                  in the large. Above 1 scores are too low, below 1 too high.",
        formula: "Positive cases / sum of scores, exact. Standard error: of a ratio of sums, root of the \
                  sum over cases of (label - ratio times score)^2, over the sum of scores, the middle \
                  of its cell for a score. Interval: 95 % normal.",
        edge_cases: "No labelled rows: no data. All scores 0: undefined. Which side is good depends on \
                     which error costs more: state two objectives, one for each direction.",
        cannot_tell: of_labelled!(
            "Whether scores are right for cases alike: errors for high and low scores can cancel."
        ),
        reference: "numpy 2.4, sum of labels over sum of raw scores: to 1e-9 relative.",
        sample: SampleKind::Normal,
        ..SCORED
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![losses_key(), scored_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let cells = scored(&seen)?;
        let (positives, negatives) = totals(&cells);
        let none = Unmeasurable::Undefined("no positive case is expected");
        let found = calibration::observed_over_expected(&fifteen(losses(&seen)?)).ok_or(none)?;
        let std_error = calibration::ratio_error(&cells, found.value);
        let of = positives + negatives;
        Ok(Estimate {
            value: found.value,
            interval: Some(around(found.value, std_error)),
            bound: None,
            support: of,
            sample: Sample::Normal {
                estimate: found.value,
                std_error,
                of,
                least: positives.min(negatives),
            },
        })
    }
}
