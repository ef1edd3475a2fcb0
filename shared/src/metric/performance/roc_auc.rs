//! ROC AUC: how well the score puts positive cases above negative ones.
use super::{SCORED, by_cells, fine_counts, of_labelled, scored, scored_key};
use crate::bet::{Bets, NoBet, PairBets};
use crate::interval;
use crate::metric::{
    Against, Estimate, Grade, Measurement, Metric, MetricSpec, Sample, SampleKind, Seen,
    Unmeasurable,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::performance::Bracketed;
use crate::performance::cells::{Cell, totals};
use crate::performance::roc::{self, Area};
use crate::sketch::SummaryKey;

/// The area under the ROC curve of the score.
#[derive(Debug)]
pub(in crate::metric) struct RocAuc;

impl Metric for RocAuc {
    const SPEC: MetricSpec = MetricSpec {
        name: "roc_auc",
        title: "Area under the ROC curve",
        meaning: "The chance that a positive case has a higher score than a negative one, ties \
                  counted half. 1 is a perfect ranking, 0.5 is none.",
        formula: "AUC = sum over score cells of f+ (F- below + f- / 2), with f+ and f- the shares \
                  of positive and negative cases in a cell. Variance: DeLong's, from the same \
                  cells. Interval: 95 % on the logit scale, from the lower end of the interval at the \
                  lower end of the bound to the upper one at the upper end. Standard error for the ledger: the \
                  larger of DeLong's and Hanley and McNeil's at the value, so that a window that \
                  ranks perfectly does not count as certain. Bound: half of sum f+ f- to each side, \
                  over cells that hold several scores.",
        edge_cases: "No labelled rows: no data. No positive or no negative case: undefined. \
                     Scores are known to within one cell, whose bounds are dense near 0 and 1; \
                     cases in one cell count as ties, which moves the value by no more than the \
                     bound says. A bound is less than 0.005 wide where scores spread over the range; scores \
                     that crowd within a hundredth share a few cells, and the bound is wide: 0.43 for scores \
                     within 0.0005 of one half. Interval and bound say so; scores that are stretched \
                     over the range first have the same area. A cell whose scores are all one number of at most four decimals \
                     knows it: its cases do tie, and it leaves nothing open.",
        cannot_tell: of_labelled!(
            "Whether scores are right as probabilities, or how decisions at one threshold fare. It \
             weighs regions of the score that are never used."
        ),
        reference: "scikit-learn 1.9, `roc_auc_score` of the raw scores lies within the bound.",
        sample: SampleKind::Normal,
        ..SCORED
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![scored_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        Ok(estimate(&area(&seen)?))
    }
}

/// The same area, judged by pairs.
#[derive(Debug)]
pub(in crate::metric) struct RocAucPairs;

impl Metric for RocAucPairs {
    const SPEC: MetricSpec = MetricSpec {
        name: "roc_auc.pairs",
        title: "Area under the ROC curve, judged by pairs",
        meaning: "The chance that a positive case has a higher score than a negative one, ties counted \
                  half: the same figure as `roc_auc`, with evidence that holds at any number of cases.",
        formula: "Value, interval and bound as `roc_auc`. The ledger counts pairs of a positive and a \
                  negative case by score cell: with A the share of pairs in the right order or in one \
                  cell and m the cases of the rarer label, a bet pays m (A ln(1 - x (1 - level)) + \
                  (1 - A) ln(1 + x level)). By Jensen's inequality that is no more than what bets on \
                  independent pairs, matched at random, pay on average.",
        edge_cases: "No labelled rows: no data. No positive or no negative case: undefined, and such a \
                     block says nothing of a ranking. Only \"at least\" can be judged. A breach takes \
                     about twice as long to confirm as by `roc_auc`, whose evidence is approximate: in \
                     simulation with 60 positive and 140 negative cases in a window, 7 windows instead \
                     of 4 for an area of 0.7 against a level of 0.8.",
        cannot_tell: of_labelled!(
            "Whether scores are right as probabilities, or how decisions at one threshold fare."
        ),
        reference: "scikit-learn 1.9, `roc_auc_score` of the raw scores lies within the bound.",
        grade: Grade::A,
        sample: SampleKind::Cells,
        ..SCORED
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![scored_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        Ok(by_cells(estimate(&area(&seen)?), fine_counts(&seen)?))
    }

    fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
        match against.comparator {
            Comparator::AtLeast => PairBets::new(against.level).map(Bets::Pairs),
            Comparator::AtMost => Err(NoBet(format!(
                "level {}: pairs are bet on against \"at least\" only; name `roc_auc`",
                against.level
            ))),
        }
    }
}

/// The area of all cases, or which label lacks.
pub(super) fn area(seen: &Seen<'_>) -> Result<Area, Unmeasurable> {
    let cells = scored(seen)?;
    let none = if cells.iter().any(|cell| cell.positive > 0) {
        "no negative case"
    } else {
        "no positive case"
    };
    roc::area(&cells).ok_or(Unmeasurable::Undefined(none))
}

/// The interval of an area over all that its cells leave open: from the lower end of that of the least
/// area to the upper end of that of the largest; each end as its (standard error, drawn area).
pub(super) fn across(
    area: &Bracketed,
    (drawn, std_error): (f64, f64),
    ends: [(f64, f64); 2],
) -> (f64, f64) {
    let own = interval::logit(area.value, drawn, std_error);
    let low = interval::logit(area.low, ends[0].1, ends[0].0);
    let high = interval::logit(area.high, ends[1].1, ends[1].0);
    (own.0.min(low.0), own.1.max(high.1))
}

/// An area as an estimate.
pub(super) fn estimate(found: &Area) -> Estimate {
    let of = found.positives + found.negatives;
    let value = found.area.value;
    Estimate {
        value,
        interval: Some(across(
            &found.area,
            (found.drawn, found.std_error),
            found.ends,
        )),
        bound: Some((found.area.low, found.area.high)),
        support: of,
        sample: Sample::Normal {
            estimate: value,
            std_error: found.std_error,
            of,
            least: found.positives.min(found.negatives),
        },
    }
}

/// The area of (positive, negative) counts of score cells in ascending order.
pub(in crate::metric) fn of_counts(counts: &[(u64, u64)]) -> Measurement {
    // Only the order of cells counts; any edges that ascend will do.
    let cell = |(at, (positive, negative)): (usize, &(u64, u64))| Cell {
        low: at as f64,
        high: at as f64 + 1.0,
        positive: *positive,
        negative: *negative,
    };
    let cells: Vec<Cell> = counts.iter().enumerate().map(cell).collect();
    if totals(&cells) == (0, 0) {
        return Err(Unmeasurable::NoData);
    }
    let none = Unmeasurable::Undefined("only one label occurs");
    Ok(estimate(&roc::area(&cells).ok_or(none)?))
}
