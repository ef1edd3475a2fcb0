//! Whether scores are right as probabilities, from score cells.

use super::{SCORED, of_labelled, scored, scored_key, shown, shown_within};
use crate::metric::{
    Estimate, Measurement, Metric, MetricSpec, Sample, SampleKind, Seen, Unmeasurable,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::performance::Bracketed;
use crate::performance::calibration::{self, Group, equal_mass, equal_width};
use crate::performance::cells::{Cell, totals};
use crate::sketch::SummaryKey;

/// Groups of scores.
const GROUPS: u32 = 15;

const UNSEEN: Unmeasurable = Unmeasurable::NoData;

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
                ..SCORED
            };

            fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
                vec![scored_key()]
            }

            fn measure(seen: Seen<'_>) -> Measurement {
                let cells = scored(&seen)?;
                let (positives, negatives) = totals(&cells);
                let measure: fn(&[Cell]) -> Option<Figure> = $measure;
                measure(&cells).ok_or(UNSEEN).map(|found| match found {
                    Figure::Within(found) => shown_within(found, positives + negatives),
                    Figure::Alone(value) => shown(value, positives + negatives),
                })
            }
        }
    )*};
}

/// What a calibration figure is.
enum Figure {
    Within(Bracketed),
    Alone(f64),
}

fn parts(cells: &[Cell]) -> Option<calibration::Brier> {
    calibration::brier_parts(&equal_width(cells, GROUPS))
}

calibration! {
    Ece {
        "ece", "Expected calibration error", AtMost, (0.0, 1.0),
        measure: |cells| calibration::expected_error(&equal_width(cells, GROUPS)).map(Figure::Within),
        "How far the share of positive cases lies from the score, in the mean over cases grouped by \
         score: 15 groups of equal width.",
        formula: "Sum over groups of (share of cases) |share of positives - mean score| (Naeini, Cooper \
                  and Hauskrecht 2015). Groups are whole score cells, assigned by their middles; \
                  the middle stands for a cell's scores. Bound: what that leaves open for these \
                  groups.",
        edge: "Groups without cases are left out. With few cases it is too large by chance: \
               `calibration_error_debiased` is not. Never judged by itself.",
        cannot: "In which direction scores are wrong, and for whom. Errors of a group that cancel each \
                 other are not seen.",
        reference: "The same figure over raw scores in the same groups lies within the bound; \
                    `ece.10` is the convention of ten groups.",
    }
    EceMass {
        "ece.mass", "Expected calibration error, groups of equal mass", AtMost, (0.0, 1.0),
        measure: |cells| calibration::expected_error(&equal_mass(cells, GROUPS)).map(Figure::Within),
        "How far the share of positive cases lies from the score, in the mean over cases grouped by \
         score: 15 groups of about as many cases each, so that groups are not empty where scores are \
         rare.",
        formula: "As `ece`, with groups of whole score cells that are closed as soon as all cases so far \
                  reach the group's share of the whole.",
        edge: "Where one score is very frequent there are fewer groups. With few cases it is too large \
               by chance.",
        cannot: "In which direction scores are wrong, and for whom. Groups differ from window to window.",
        reference: "The same figure over raw scores in the same groups lies within the bound.",
    }
    Mce {
        "mce", "Maximum calibration error", AtMost, (0.0, 1.0),
        measure: |cells| calibration::largest_error(&equal_width(cells, GROUPS)).map(Figure::Within),
        "How far the share of positive cases lies from the score in the worst of 15 groups of scores of \
         equal width.",
        formula: "Largest |share of positives - mean score| of a group of whole score cells (Naeini, \
                  Cooper and Hauskrecht 2015). Bound: what the middles of cells leave open.",
        edge: "A group of a single case takes part: with few cases it is close to 1 by chance.",
        cannot: "How many cases the worst group holds.",
        reference: "The same figure over raw scores in the same groups lies within the bound.",
    }
    CalibrationErrorDebiased {
        "calibration_error_debiased", "Squared calibration error, debiased", AtMost, (-1.0, 1.0),
        measure: |cells| calibration::debiased_square(&equal_mass(cells, GROUPS)).map(Figure::Within),
        "The squared distance between the share of positive cases and the score, in the mean over cases \
         in 15 groups of about as many cases each, without what chance adds: 0 in the mean for right \
         scores, however few the cases.",
        formula: "Sum over groups of (share of cases) [(share of positives - mean score)^2 - v], v the \
                  group's share of positives times that of negatives over its cases less one (Kumar, \
                  Liang and Ma 2019).",
        edge: "Groups of one case are left out; if there is no other, no data. May be below zero by chance, \
               and is not cut there.",
        cannot: "In which direction scores are wrong, and for whom.",
        reference: "The same figure over raw scores in the same groups lies within the bound.",
    }
    BrierReliability {
        "brier_reliability", "Brier score: reliability", AtMost, (0.0, 1.0),
        measure: |cells| parts(cells).map(|parts| Figure::Alone(parts.reliability)),
        "The part of the Brier score that calibration could take away: the squared distance between \
         share of positives and mean score of 15 groups of scores, in the mean over cases.",
        formula: "Sum over groups of (share of cases) (mean score - share of positives)^2 (Murphy 1973), \
                  groups as in `ece`, the middle of a cell for its scores.",
        edge: "Groups without cases are left out.",
        cannot: "How well scores tell cases apart; that is the resolution.",
        reference: "Murphy's sum over raw scores in the same groups: to within the middles of cells.",
    }
    BrierResolution {
        "brier_resolution", "Brier score: resolution", AtLeast, (0.0, 0.25),
        measure: |cells| parts(cells).map(|parts| Figure::Alone(parts.resolution)),
        "The part of the Brier score that the score earns by telling cases apart: how far the shares of \
         positives of 15 groups of scores lie from that of all.",
        formula: "Sum over groups of (share of cases) (share of positives - share over all)^2 (Murphy \
                  1973), groups as in `ece`. Score = reliability - resolution + uncertainty + what \
                  varies within groups.",
        edge: "Groups without cases are left out. 0 if scores say nothing.",
        cannot: "Whether scores are right as probabilities; that is the reliability.",
        reference: "Murphy's sum over raw scores in the same groups: equal, since only labels count.",
    }
    BrierUncertainty {
        "brier_uncertainty", "Brier score: uncertainty", AtMost, (0.0, 0.25),
        measure: |cells| parts(cells).map(|parts| Figure::Alone(parts.uncertainty)),
        "The Brier score of always answering the share of positives: what the world leaves open before \
         any score is looked at.",
        formula: "(share of positives) (share of negatives), of labelled cases with a score.",
        edge: "0 if all labels are the same.",
        cannot: "Anything about the score.",
        reference: "From the labels alone: equal.",
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
        formula: "Positive cases / sum of scores, the middle of its cell for a score. Standard error: \
                  of a ratio, root of the sum over cases of (label - ratio times score)^2, over the \
                  sum of scores. Interval: 95 % normal. Bound: from the edges of cells.",
        edge_cases: "No labelled rows: no data. All scores 0: undefined. Which side is good depends on \
                     which error costs more: state two objectives, one for each direction.",
        cannot_tell: of_labelled!(
            "Whether scores are right for cases alike: errors for high and low scores can cancel."
        ),
        reference: "numpy 2.4, sum of labels over sum of raw scores, lies within the bound.",
        sample: SampleKind::Normal,
        ..SCORED
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![scored_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let cells = scored(&seen)?;
        let (positives, negatives) = totals(&cells);
        let groups: Vec<Group> = equal_width(&cells, GROUPS);
        let none = Unmeasurable::Undefined("no positive case is expected");
        let found = calibration::observed_over_expected(&groups).ok_or(none)?;
        let std_error = calibration::ratio_error(&cells, found.value);
        let of = positives + negatives;
        Ok(Estimate {
            value: found.value,
            interval: Some(super::around(found.value, std_error)),
            bound: Some((found.low, found.high)),
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
