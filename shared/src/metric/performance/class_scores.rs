//! What the scores of several classes are worth as probabilities, and how well each class's tell it apart.
//!
//! Scores of each class are kept by the class that was true, so that a loss that adds up over cases, or over
//! cases and classes, is known within what cells leave open.

use super::calibration::of_mass;
use super::loss::{bets, log_of, square_of};
use super::multiclass::place;
use super::multiclass_auc::{CLASS_SCORES, cases, cells, each, keys, tables};
use super::{around, of_labelled, roc_auc};
use crate::bet::{Bets, NoBet, scores};
use crate::metric::{
    Against, Estimate, Grade, IntervalFrom, Measurement, Metric, MetricSpec, Needs, Sample,
    SampleKind, Seen, Unmeasurable, across,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::performance::{Bracketed, calibration, roc};
use crate::sketch::{ScoreCell, ScoreCells, SummaryKey};

/// What scores that are left out do, and where the value lies within a cell.
const LOSSES: MetricSpec = MetricSpec {
    good: Comparator::AtMost,
    edge_cases: "No labelled rows with scores: no data. Scores that are none or not within 0 to 1 are left \
                 out, each by itself. Scores are taken as they are, whether or not a row's add up to 1. They \
                 are known to within one cell, whose bounds are dense near 0 and 1; a cell whose scores are \
                 all one number of at most four decimals leaves nothing open.",
    ..CLASS_SCORES
};

/// Sums over cells of what their scores cost, at the middle of a cell and at its ends.
#[derive(Clone, Copy, Default)]
struct Sum {
    cases: u64,
    middle: f64,
    squares: f64,
    low: f64,
    high: f64,
}

impl Sum {
    /// Adds the cases of a cell, whose scores lie at this distance from what would have been right.
    fn add(&mut self, cell: &ScoreCell, gap: fn(f64) -> f64, cost: fn(f64) -> f64) {
        let n = cell.count.positive;
        let times = n as f64;
        let (from, to) = cell
            .score
            .map_or((cell.low, cell.high), |score| (score, score));
        let (one, other) = (cost(gap(from)), cost(gap(to)));
        let middle = cost(gap(f64::midpoint(from, to)));
        self.cases = self.cases.saturating_add(n);
        self.middle += times * middle;
        self.squares += times * middle * middle;
        self.low += times * one.min(other);
        self.high += times * one.max(other);
    }

    /// The sum of squared distances from the mean.
    fn scatter(&self) -> f64 {
        let n = self.cases.max(1) as f64;
        (self.squares - self.middle * self.middle / n).max(0.0)
    }
}

/// How far a score of the class that was true lies from 1.
fn from_one(score: f64) -> f64 {
    1.0 - score
}

/// How far a score of another class lies from 0.
const fn from_zero(score: f64) -> f64 {
    score
}

/// A mean within a bound, its interval over all of that.
fn within(found: Bracketed, std_error: f64, range: (f64, f64)) -> (f64, f64) {
    let own = around(found.value, std_error);
    across(found.value, own, (found.low, found.high), range)
}

/// The mean log loss of the scores of classes.
#[derive(Debug)]
pub(in crate::metric) struct MulticlassLogLoss;

/// Cases by the fine cell of the score of the class that was true.
fn right_counts(tables: &[&ScoreCells]) -> Vec<u64> {
    let edges = scores::fine();
    let mut sum = vec![0_u64; 2 * edges.len()];
    for (class, table) in each(tables) {
        let counts = scores::counts(&edges, table.cells(Some(class)));
        for (sum, more) in sum.iter_mut().zip(counts) {
            *sum = sum.saturating_add(more);
        }
    }
    sum
}

impl Metric for MulticlassLogLoss {
    const SPEC: MetricSpec = MetricSpec {
        name: "multiclass_log_loss",
        title: "Log loss among several classes",
        range: (0.0, 36.1),
        meaning: "How surprised one is by the labels who believes the scores: the mean of minus the natural \
                  logarithm of the score that the class had which came. 0 is best; always giving each of k \
                  classes the same gives ln k.",
        formula: "Mean over labelled rows of -ln(score of the true class), the score clipped to 2^-52 from its \
                  ends, the middle of its cell for a score. Interval: 95 % normal, from the variance of the \
                  losses, over the whole bound. The ledger reads cases by the cell of that score and takes \
                  each cell's least loss: exact at any number of cases, and blind to differences within a \
                  cell (6 % of the odds).",
        cannot_tell: of_labelled!(
            "Whether scores rank badly or are badly calibrated; it pays for both. Which class it is about."
        ),
        reference: "scikit-learn 1.9, `log_loss` of raw scores that add up to 1 lies within the bound.",
        grade: Grade::A,
        sample: SampleKind::Cells,
        ..LOSSES
    };

    fn reads(document: &Document, _: &Subject) -> Vec<SummaryKey> {
        keys(document)
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let tables = tables(&seen)?;
        let mut sum = Sum::default();
        for (class, table) in each(&tables) {
            let right = table.cells(Some(class));
            right.for_each(|cell| sum.add(&cell, from_one, log_of));
        }
        if sum.cases == 0 {
            return Err(Unmeasurable::Undefined("no label's own class has a score"));
        }
        let n = sum.cases as f64;
        let found = Bracketed {
            value: sum.middle / n,
            low: sum.low / n,
            high: sum.high / n,
        };
        let std_error = sum.scatter().sqrt() / n;
        Ok(Estimate {
            value: found.value,
            interval: Some(within(found, std_error, Self::SPEC.range)),
            bound: Some((found.low, found.high)),
            support: sum.cases,
            sample: Sample::Cells {
                counts: right_counts(&tables),
                estimate: found.value,
                std_error,
                least: sum.cases,
            },
        })
    }

    fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
        bets(log_of, against)
    }
}

/// The Brier score of the scores of classes.
#[derive(Debug)]
pub(in crate::metric) struct MulticlassBrier;

impl Metric for MulticlassBrier {
    const SPEC: MetricSpec = MetricSpec {
        name: "multiclass_brier",
        title: "Brier score among several classes",
        range: (0.0, 64.0),
        meaning: "The squared distance between the scores and what came (1 for the true class, 0 for the \
                  others), added up over classes, in the mean over labelled cases. 0 is best; always giving \
                  each of k classes the same gives 1 - 1/k, and being certain of the wrong class costs 2.",
        formula: "Sum over classes of the mean over labelled rows of (score - what came)^2 (Brier 1950), the \
                  middle of its cell for a score. Standard error: the sum of the classes' own, which that of \
                  the sum never exceeds, however the classes' go together. Interval: 95 % normal, over the \
                  whole bound.",
        cannot_tell: of_labelled!(
            "Whether scores rank badly or are badly calibrated. Which class it is about. Some tools halve it."
        ),
        reference: "scikit-learn 1.9, `brier_score_loss(scale_by_half=False)` of raw scores that add up to 1 \
                    lies within the bound.",
        ..LOSSES
    };

    fn reads(document: &Document, _: &Subject) -> Vec<SummaryKey> {
        keys(document)
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let tables = tables(&seen)?;
        let mut found = Bracketed {
            value: 0.0,
            low: 0.0,
            high: 0.0,
        };
        let mut std_error = 0.0;
        for (class, table) in each(&tables) {
            let mut sum = Sum::default();
            for (truth, _) in each(&tables) {
                let gap = if truth == class { from_one } else { from_zero };
                let of = table.cells(Some(truth));
                of.for_each(|cell| sum.add(&cell, gap, square_of));
            }
            if sum.cases == 0 {
                return Err(Unmeasurable::Undefined("a class has no score"));
            }
            let n = sum.cases as f64;
            found.value += sum.middle / n;
            found.low += sum.low / n;
            found.high += sum.high / n;
            std_error += sum.scatter().sqrt() / n;
        }
        let of = cases(&tables);
        Ok(Estimate {
            value: found.value,
            interval: Some(within(found, std_error, Self::SPEC.range)),
            bound: Some((found.low, found.high)),
            support: of,
            sample: Sample::Normal {
                estimate: found.value,
                std_error,
                of,
                least: of,
            },
        })
    }
}

const ONE_CLASS: MetricSpec = MetricSpec {
    needs: Needs::Class,
    edge_cases: "No labelled rows with scores: no data. No label of the class, or of no other: undefined. \
                 Scores that are none or not within 0 to 1 are left out. Scores are known to within one \
                 cell, whose bounds are dense near 0 and 1; a cell whose scores are all one number of at \
                 most four decimals leaves nothing open.",
    ..CLASS_SCORES
};

/// The cells of the score of the subject's class: its cases are positive, all others negative.
fn one_against_rest(seen: &Seen<'_>) -> Result<Vec<super::Cell>, Unmeasurable> {
    let (tables, class) = (tables(seen)?, place(seen)?);
    let table = tables.get(usize::from(class));
    let others = each(&tables).map(|(other, _)| other);
    let found = table.map(|table| cells(table, class, others.filter(|other| *other != class)));
    let none = Unmeasurable::Undefined("the class has no score");
    found.filter(|cells| !cells.is_empty()).ok_or(none)
}

/// The area under the ROC curve of the score of one class.
#[derive(Debug)]
pub(in crate::metric) struct ClassRocAuc;

impl Metric for ClassRocAuc {
    const SPEC: MetricSpec = MetricSpec {
        name: "class_roc_auc",
        title: "Area under the ROC curve of a class's score",
        meaning: "The chance that a case of the class has a higher score of that class than a case of another \
                  class has, ties counted half. 1 is a perfect ranking, 0.5 is none.",
        formula: "As `roc_auc`, of the score of the class: its cases are positive, all others negative.",
        cannot_tell: of_labelled!(
            "Which other class it is taken for. The area changes with how common the others are."
        ),
        reference: "scikit-learn 1.9, `roc_auc_score` of the class's raw scores and the label's indicator lies \
                    within the bound.",
        ..ONE_CLASS
    };

    fn reads(document: &Document, _: &Subject) -> Vec<SummaryKey> {
        keys(document)
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let none =
            Unmeasurable::Undefined("only cases of the class, or only of others, have a label");
        let area = roc::area(&one_against_rest(&seen)?);
        Ok(roc_auc::estimate(&area.ok_or(none)?))
    }
}

/// The calibration error of the score of one class.
#[derive(Debug)]
pub(in crate::metric) struct ClassEceMass;

impl Metric for ClassEceMass {
    const SPEC: MetricSpec = MetricSpec {
        name: "class_ece.mass",
        title: "Calibration error of a class's score, groups of equal mass",
        good: Comparator::AtMost,
        meaning: "How far the share of cases of the class lies from the class's score, in the mean over cases \
                  grouped by that score: 15 groups of about as many cases each. The mean over classes is \
                  known as classwise calibration error.",
        formula: "As `ece.mass`, of the score of the class: its cases are positive, all others negative.",
        cannot_tell: of_labelled!(
            "In which direction scores are wrong. Groups differ from window to window. With few cases it is \
             too large by chance."
        ),
        reference: "The same figure over raw scores in the same groups lies within the bound.",
        sample: SampleKind::Unjudged,
        interval: IntervalFrom::Nothing(
            "scores of classes are kept by the class that was true, and not counted again",
        ),
        ..ONE_CLASS
    };

    fn reads(document: &Document, _: &Subject) -> Vec<SummaryKey> {
        keys(document)
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        of_mass(&one_against_rest(&seen)?, calibration::expected_error)
    }
}
