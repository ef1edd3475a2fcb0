//! Performance: how good decisions, scores and predictions turn out to be.
//!
//! The mathematics stands in [`crate::performance`]; here stands what each figure is called, what it
//! means, which summary it reads and what a ledger may make of it.

mod agreement;
mod agreement_pairs;
mod calibration;
mod calibration_line;
mod completed;
mod cost;
mod delay;
mod expected;
mod expected_loss;
mod late;
mod lists;
mod loss;
mod means;
mod multiclass;
mod multiclass_auc;
mod ranking;
mod rates;
mod regression;
mod roc_auc;
mod traffic;

pub(super) use agreement::{Kappa, Matthews, MatthewsZero};
pub(super) use agreement_pairs::{
    KappaPairs, MatthewsPairs, MulticlassKappaPairs, MulticlassMatthewsPairs,
};
pub(super) use calibration::{
    BrierReliability, BrierResolution, BrierUncertainty, CalibrationErrorDebiased, Ece, EceMass,
    EceTen, Mce, MceTen, ObservedOverExpected,
};
pub(super) use calibration_line::{CalibrationIntercept, CalibrationSlope};
pub(super) use cost::Cost;
pub(super) use delay::{LabelDelayP50, LabelDelayP90, LabelDelayP95, LabelledInTime, LateErrors};
pub(super) use expected::{
    ExpectedAccuracy, ExpectedAccuracyRaw, ExpectedF1, ExpectedF1Raw, ExpectedPrecision,
    ExpectedPrecisionRaw, ExpectedRecall, ExpectedRecallRaw, ExpectedRocAuc, ExpectedRocAucRaw,
    ExpectedSpecificity, ExpectedSpecificityRaw,
};
pub(super) use expected_loss::{
    ExpectedMeanAbsoluteError, ExpectedMeanSquaredError, ExpectedRootMeanSquaredError,
};
pub(super) use late::{
    HighestAccuracy, HighestMulticlassAccuracy, LabelCoverage, LowestAccuracy,
    LowestMulticlassAccuracy, MulticlassTippingPoint, PostStratifiedAccuracy, Skill, TippingPoint,
};
pub(super) use lists::{HitRateAtK, MapAtK, MrrAtK, NdcgAtK, PrecisionAtK, RecallAtK};
pub(super) use loss::{Brier, LogLoss};
pub(super) use means::{BalancedAccuracy, F0_5, F1, F2, GMean, YoudenJ};
pub(super) use multiclass::{
    ClassF1, ClassFalsePositiveRate, ClassPrecision, ClassPrevalence, ClassRecall,
    ClassSpecificity, MacroF1, MacroPrecision, MacroPrecisionZero, MacroRecall, MacroRecallZero,
    MulticlassAccuracy, MulticlassKappa, MulticlassMatthews, WeightedF1, WeightedPrecision,
    WeightedPrecisionZero, WeightedRecall,
};
pub(super) use multiclass_auc::{RocAucHandTill, RocAucOneAgainstRest};
pub(super) use ranking::{AveragePrecision, Gain10, Gini, Lift10, ScoreSeparation};
pub(super) use rates::{
    Accuracy, DetectionPrevalence, DetectionRate, ErrorRate, FalseDiscoveryRate, FalseNegativeRate,
    FalseOmissionRate, FalsePositiveRate, Jaccard, NegativePredictiveValue, Precision, Prevalence,
    Recall, Specificity,
};
pub(super) use regression::{
    AbsoluteErrorP90, AbsolutePercentageError, AbsolutePercentageErrorFloor, Determination,
    ExplainedVariance, MeanAbsoluteError, MeanError, MeanSquaredError, MedianAbsoluteError,
    PinballHigh, PinballLow, RootMeanSquaredError, RootSquaredLogError, SquaredLogError,
    SymmetricPercentageError,
};
pub(super) use roc_auc::{RocAuc, RocAucPairs, of_counts as roc_auc_of_counts};
pub(super) use traffic::{PredictedPositiveRate, UnusableAnswerRate};

use crate::bet::scores;
use regression::{errors_of_window, residuals_key};

use crate::interval;
use crate::metric::{
    Answers, Estimate, Grade, IntervalFrom, Measurement, MetricSpec, Needs, Sample, SampleKind,
    Seen, StreamKind, Unmeasurable, other_kind,
};
use crate::objective::document::Comparator;
use crate::performance::binary::{Binary, Share};
use crate::performance::calibration::Group;
use crate::performance::cells::Cell;
use crate::performance::{Bracketed, Figure};
use crate::sketch::{
    Confusion, GroupLosses, Losses, ScoreBin, ScoreCells, SummaryKey, SummaryKind, SummaryOf,
};

/// Ends what a metric over labelled cases cannot tell.
macro_rules! of_labelled {
    ($($own:literal),+) => {
        concat!(
            $($own,)+
            " How unlabelled cases fare: if labels come only for some decisions, the value is of \
             those. Rows of one request \
             count as independent cases unless the objective's `cluster` says how \
             many go together."
        )
    };
}
use of_labelled;

/// What metrics of a decision against its label have in common.
const DECIDED: MetricSpec = MetricSpec {
    name: "",
    title: "",
    unit: "1",
    good: Comparator::AtLeast,
    range: (0.0, 1.0),
    meaning: "",
    formula: "",
    edge_cases: "",
    cannot_tell: "",
    reference: "",
    grade: Grade::A,
    stream: StreamKind::Outcomes,
    sample: SampleKind::Rate,
    needs: Needs::Nothing,
    needs_score: false,
    needs_decision: true,
    needs_label: true,
    answers: Answers::TwoValued,
    interval: IntervalFrom::Formula,
};

/// What metrics of a score against the label have in common.
const SCORED: MetricSpec = MetricSpec {
    grade: Grade::B,
    sample: SampleKind::Unjudged,
    needs_score: true,
    needs_decision: false,
    ..DECIDED
};

/// Where decisions by label are kept.
const fn decided_key() -> SummaryKey {
    SummaryKey::new(SummaryOf::DecisionByLabel(None), SummaryKind::Confusion)
}

/// Where scores by label are kept.
const fn scored_key() -> SummaryKey {
    SummaryKey::new(SummaryOf::ScoreByLabel(None), SummaryKind::ScoreCells)
}

/// Labelled decisions of all cases. No data if there are none.
fn decided(seen: &Seen<'_>) -> Result<Binary, Unmeasurable> {
    let found = Confusion::of(seen.summary(&decided_key())?).ok_or_else(|| other_kind("confusion"));
    let found = found?;
    let count = |label, decision| found.sum(|l, d, _| l == Some(label) && d == Some(decision));
    let table = Binary {
        tp: count(true, true),
        fp: count(false, true),
        fn_: count(true, false),
        tn: count(false, false),
    };
    if table.cases() == 0 {
        return Err(Unmeasurable::NoData);
    }
    Ok(table)
}

/// Labelled scores of all cases, in cells. No data if there are none.
fn scored(seen: &Seen<'_>) -> Result<Vec<Cell>, Unmeasurable> {
    let found = ScoreCells::of(seen.summary(&scored_key())?);
    let found = found.ok_or_else(|| other_kind("score cells"))?;
    let cells: Vec<Cell> = found
        .cells(Some(0))
        .filter(|cell| cell.count.positive + cell.count.negative > 0)
        .map(Cell::from)
        .collect();
    if cells.is_empty() {
        return Err(Unmeasurable::NoData);
    }
    Ok(cells)
}

/// Where losses by label are kept.
const fn losses_key() -> SummaryKey {
    SummaryKey::new(SummaryOf::ScoreByLabel(None), SummaryKind::Losses)
}

/// Losses of all labelled cases with a score. No data if there are none.
fn losses<'a>(seen: &Seen<'a>) -> Result<&'a GroupLosses, Unmeasurable> {
    let found = Losses::of(seen.summary(&losses_key())?).ok_or_else(|| other_kind("losses"))?;
    let found = found.group(Some(0));
    if found.n() == 0 {
        return Err(Unmeasurable::NoData);
    }
    Ok(found)
}

/// Bins with their exact sums of scores; empty ones are left out.
fn groups(bins: impl Iterator<Item = ScoreBin>) -> Vec<Group> {
    bins.filter(|bin| bin.n > 0)
        .map(|bin| Group {
            cases: bin.n as f64,
            positives: bin.positives as f64,
            scores: bin.scores,
            open: 0.0,
        })
        .collect()
}

/// A share of cases, or why it is 0/0.
fn rate((hits, of): Share, none: &'static str) -> Measurement {
    if of == 0 {
        return Err(Unmeasurable::Undefined(none));
    }
    super::share(hits, of)
}

/// An estimate with a standard error, on a scale from `low` to `high`.
fn normal(figure: Figure, (low, high): (f64, f64), of: u64, least: u64) -> Estimate {
    let (n, width) = (of as f64, high - low);
    let value = (figure.value - low) / width;
    let centre = (value * n + 0.5) / (n + 1.0);
    let (from, to) = interval::logit(value, centre, figure.std_error / width);
    Estimate {
        value: figure.value,
        interval: Some((low + width * from, low + width * to)),
        bound: None,
        support: of,
        sample: Sample::Normal {
            estimate: figure.value,
            std_error: figure.std_error,
            of,
            least,
        },
    }
}

/// The same estimate, judged by counts over the bets' cells.
fn by_cells(of: Estimate, counts: Vec<u64>) -> Estimate {
    let Sample::Normal {
        estimate,
        std_error,
        least,
        ..
    } = of.sample
    else {
        return of;
    };
    Estimate {
        sample: Sample::Cells {
            counts,
            estimate,
            std_error,
            least,
        },
        ..of
    }
}

/// Labelled scores of all cases by the bets' fine cells: positives and negatives of each.
fn fine_counts(seen: &Seen<'_>) -> Result<Vec<u64>, Unmeasurable> {
    score_counts(seen, &scores::fine())
}

/// The same by cells of these edges.
fn score_counts(seen: &Seen<'_>, edges: &[(f64, f64)]) -> Result<Vec<u64>, Unmeasurable> {
    let found = ScoreCells::of(seen.summary(&scored_key())?);
    let found = found.ok_or_else(|| other_kind("score cells"))?;
    Ok(scores::counts(edges, found.cells(Some(0))))
}

/// The normal 95 % interval around a value.
fn around(value: f64, std_error: f64) -> (f64, f64) {
    let half = interval::Z * std_error;
    (value - half, value + half)
}

/// A value that is shown, never judged.
fn shown(value: f64, of: u64) -> Estimate {
    Estimate {
        value,
        interval: None,
        bound: None,
        support: of,
        sample: Sample::Unjudged { of },
    }
}

/// A value that is shown, never judged, between what cells leave open.
fn shown_within(found: Bracketed, of: u64) -> Estimate {
    Estimate {
        bound: Some((found.low, found.high)),
        ..shown(found.value, of)
    }
}
