//! Scores within groups: whether they mean the same for each, and rank each as well.

use super::{GROUP, score_cells, scores_key};
use crate::bet::{Bets, NoBet, half_space, scores};
use crate::fairness::{Bracketed, mean_residual, mean_score};
use crate::metric::{
    Against, Estimate, Grade, Measurement, MetricSpec, Needs, Sample, SampleKind, Seen,
    Unmeasurable, across, performance,
};
use crate::objective::document::Comparator;

const SCORES: MetricSpec = MetricSpec {
    sample: SampleKind::Normal,
    needs_score: true,
    needs_decision: false,
    edge_cases: "No labelled and scored case in a group: undefined. Scores are known to within one \
                 cell; the value takes them at the middle of their cell, and the bound says between \
                 which values the same figure of the raw scores lies for certain; the interval is drawn \
                 out by what it leaves open on either side.",
    reference: "numpy on the raw scores of a real data set, every window, group and intersection: \
                the raw value lies within the bound.",
    ..GROUP
};

/// A bracketed mean as a measurement; `least` cases in its smaller group.
#[inline(never)]
fn estimate(found: &Bracketed, least: u64) -> Measurement {
    let measured = super::normal(found.at_middles, found.of, least)?;
    Ok(Estimate {
        interval: measured
            .interval
            .map(|interval| across(measured.value, interval, found.bound, (-1.0, 1.0))),
        bound: Some(found.bound),
        ..measured
    })
}

/// No data if no group of the attribute has a scored and labelled case.
#[inline(never)]
fn nothing(seen: &Seen<'_>, why: &'static str) -> Unmeasurable {
    let Some(scores) = seen
        .summary(&scores_key(seen.of))
        .ok()
        .and_then(crate::sketch::ScoreCells::of)
    else {
        return Unmeasurable::NoData;
    };
    let labelled = (0..scores.groups()).any(|group| {
        let mut cells = scores.cells(Some(group));
        cells.any(|cell| cell.count.positive > 0 || cell.count.negative > 0)
    });
    if labelled {
        Unmeasurable::Undefined(why)
    } else {
        Unmeasurable::NoData
    }
}

const EMPTY: &str = "a group has no scored and labelled case";

metric! {
    /// Mean of label minus score in one group.
    MeanResidual, scores_key, |seen: Seen<'_>| {
        let [_, cells] = score_cells(&seen)?;
        let found = mean_residual(&cells).ok_or_else(|| nothing(&seen, EMPTY))?;
        let shown = estimate(&found, found.of)?;
        let Sample::Normal { estimate, std_error, least, .. } = shown.sample else {
            return Ok(shown);
        };
        let counts = super::even_counts(&seen)?;
        Ok(Estimate { sample: Sample::Cells { counts, estimate, std_error, least }, ..shown })
    }, SCORES, {
        name: "mean_residual.group",
        title: "Mean residual of a group",
        needs: Needs::Group,
        meaning: "Calibration within a group: the mean of label minus score over its labelled cases. \
                  Above 0 the group's scores are too low, below 0 too high. An objective may limit \
                  either side.",
        formula: "mean of (label - score), label 1 or 0. Interval and standard error: normal \
                  approximation with the variance of the residuals. The ledger reads labelled cases \
                  by 64 even cells of scores and takes each at the end of its cell that pays least: \
                  exact at any number of cases, blind to 1/64 beyond the level.",
        cannot_tell: concat!(
            "Errors that cancel: scores too low for some and too high for others of the group make 0 \
             of it. ",
            independent!()
        ),
        grade: Grade::A,
        sample: SampleKind::Cells,
    }, by residual_bets
}

/// Bets on a mean of label minus score.
fn residual_bets(against: &Against<'_>) -> Result<Bets, NoBet> {
    let cells: Vec<(f64, f64)> = scores::even()
        .iter()
        .flat_map(|(low, high)| [(1.0 - high, 1.0 - low), (-high, -low)])
        .collect();
    half_space::mean_between(&cells, against.level, against.comparator).map(Bets::Cells)
}

metric! {
    /// Difference in mean residual.
    MeanResidualDifference, scores_key, |seen: Seen<'_>| {
        let found = score_cells(&seen)?.map(|cells| mean_residual(&cells));
        between(&seen, found)
    }, SCORES, {
        name: "mean_residual_difference",
        range: (-2.0, 2.0),
        title: "Mean residual difference",
        good: Comparator::AtMost,
        meaning: "Calibration within groups: the mean of label minus score in the group, minus the \
                  same in the reference group. Above 0 the group does better than its scores say, \
                  compared with the reference group: its scores are set too low.",
        formula: "mean of (label - score) of the group minus that of the reference group. Interval \
                  and standard error: normal approximation, the two variances added.",
        cannot_tell: "At which scores the groups differ. Labels that are themselves biased hide it.",
    }
}

/// The compared group's mean minus the reference group's.
#[inline(never)]
fn between(seen: &Seen<'_>, [reference, compared]: [Option<Bracketed>; 2]) -> Measurement {
    let (reference, compared) = reference
        .zip(compared)
        .ok_or_else(|| nothing(seen, EMPTY))?;
    let found = compared.minus(&reference, (-2.0, 2.0));
    estimate(&found, reference.of.min(compared.of))
}

macro_rules! class_balance {
    ($name:ident, $label:literal, $class:literal, $metric:literal, $title:literal) => {
        metric! {
            #[doc = concat!("Difference in mean score of cases labelled ", $class, ".")]
            $name, scores_key, |seen: Seen<'_>| {
                let found = score_cells(&seen)?.map(|cells| mean_score(&cells, $label));
                between(&seen, found)
            }, SCORES, {
                name: $metric,
                title: $title,
                good: Comparator::AtLeast,
                meaning: concat!(
                    "The mean score of cases labelled ", $class, " in the group, minus the same in \
the reference group: whether equal cases get equal scores. 0 is parity. An \
objective may limit either side."
                ),
                formula: concat!(
                    "mean score of the group's cases labelled ", $class, " minus that of the \
reference group's (Kleinberg, Mullainathan and Raghavan 2017). Interval: \
normal approximation, the two variances added."
                ),
                cannot_tell: "How decisions at a threshold fare. It cannot be 0 for both labels \
while scores are calibrated, unless base rates agree.",
            }
        }
    };
}

class_balance!(
    PositiveClassBalance,
    true,
    "positive",
    "positive_class_balance",
    "Balance for the positive class"
);
class_balance!(
    NegativeClassBalance,
    false,
    "negative",
    "negative_class_balance",
    "Balance for the negative class"
);

metric! {
    /// Difference in area under the ROC curve.
    RocAucDifference, scores_key, |seen: Seen<'_>| {
        let areas = score_cells(&seen)?.map(|cells| {
            let counts: Vec<_> = cells.iter().map(|c| (c.positive, c.negative)).collect();
            let area = performance::roc_auc_of_counts(&counts)?;
            let half = ties(&counts);
            Ok(Estimate {
                bound: Some((area.value - half, area.value + half)),
                ..area
            })
        });
        let why = "a group has no scored case of one of the two labels";
        let [Ok(reference), Ok(compared)]: [Measurement; 2] = areas else {
            return Err(nothing(&seen, why));
        };
        difference_of_areas(&reference, &compared)
    }, SCORES, {
        name: "roc_auc_difference",
        title: "ROC AUC difference",
        good: Comparator::AtLeast,
        meaning: "How much better (above 0) or worse the score ranks the cases of the group than \
                  those of the reference group: the difference in area under the ROC curve. An \
                  objective may limit either side.",
        formula: "AUC of the group minus AUC of the reference group, each from score cells as \
                  `roc_auc`. Standard error: the groups are independent, so their variances \
                  (DeLong's, or Hanley and McNeil's where larger) add. Interval: normal at 95 %, drawn out by what the bound leaves \
                  open on either side.",
        edge_cases: "A group without cases of one of the two labels: undefined. Cases in one score \
                     cell count as ties; the bound adds what that can move in either group.",
        cannot_tell: "Whether cases of one group rank above those of the other: each group is ranked \
                      within itself only.",
    }
}

/// Half the chance that a positive and a negative case share a cell: how far cells may move an area.
fn ties(cells: &[(u64, u64)]) -> f64 {
    let sum = |of: fn(&(u64, u64)) -> f64| cells.iter().map(of).sum::<f64>();
    let pairs = sum(|c| c.0 as f64) * sum(|c| c.1 as f64);
    0.5 * sum(|c| c.0 as f64 * c.1 as f64) / pairs
}

#[inline(never)]
fn difference_of_areas(reference: &Estimate, compared: &Estimate) -> Measurement {
    let spread = |estimate: &Estimate| match estimate.sample {
        Sample::Normal {
            std_error, least, ..
        } => Some((std_error, least)),
        Sample::Rate { .. }
        | Sample::TwoRates { .. }
        | Sample::Cells { .. }
        | Sample::Unjudged { .. } => None,
    };
    let missing = Unmeasurable::Undefined("an area has no standard error");
    let ((a, least_a), (b, least_b)) = spread(reference).zip(spread(compared)).ok_or(missing)?;
    let value = compared.value - reference.value;
    let std_error = (a * a + b * b).sqrt();
    let half = 1.959_963_984_540_054 * std_error;
    let bound = reference.bound.zip(compared.bound);
    let bound = bound.map(|(a, b)| (b.0 - a.1, b.1 - a.0));
    let interval = (value - half, value + half);
    let of = reference.support.saturating_add(compared.support);
    Ok(Estimate {
        value,
        interval: Some(across(
            value,
            interval,
            bound.unwrap_or((value, value)),
            (-1.0, 1.0),
        )),
        bound,
        support: of,
        sample: Sample::Normal {
            estimate: value,
            std_error,
            of,
            least: least_a.min(least_b),
        },
    })
}
