//! Performance: how good decisions, scores and predictions turn out to be.
//!
//! The mathematics stands in [`crate::performance`]; here stands what each figure is called, what it
//! means, which summary it reads and what a ledger may make of it.

mod agreement;
mod agreement_pairs;
mod by_group;
mod calibration;
mod calibration_line;
mod class_scores;
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
mod weighed;

pub(super) use agreement::{Kappa, Matthews, MatthewsZero};
pub(super) use agreement_pairs::{
    KappaPairs, MatthewsPairs, MulticlassKappaPairs, MulticlassMatthewsPairs,
};
pub(super) use by_group::{
    GroupAveragePrecision, GroupBalancedAccuracy, GroupBrier, GroupCalibrationErrorDebiased,
    GroupCost, GroupEce, GroupF1, GroupLogLoss, GroupMacroF1, GroupMatthews, GroupMeanSquaredError,
    GroupMulticlassAccuracy, GroupObservedOverExpected, GroupRocAuc, GroupRootMeanSquaredError,
};
pub(super) use calibration::{
    BrierReliability, BrierResolution, BrierUncertainty, CalibrationErrorDebiased, Ece, EceMass,
    EceTen, Mce, MceTen, ObservedOverExpected,
};
pub(super) use calibration_line::{CalibrationIntercept, CalibrationSlope};
pub(super) use class_scores::{ClassEceMass, ClassRocAuc, MulticlassBrier, MulticlassLogLoss};
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
    LowestMulticlassAccuracy, MulticlassTippingPoint, Skill, TippingPoint,
};
pub(super) use lists::{HitRateAtK, MapAtK, MrrAtK, NdcgAtK, PrecisionAtK, RecallAtK};
pub(super) use loss::{Brier, LogLoss};
pub(super) use means::{BalancedAccuracy, F0_5, F1, F2, GMean, YoudenJ};
pub(super) use multiclass::{
    ClassF1, ClassFalsePositiveRate, ClassPrecision, ClassPrevalence, ClassRecall,
    ClassSpecificity, MacroF1, MacroPrecision, MacroPrecisionZero, MacroRecall, MacroRecallZero,
    MulticlassAccuracy, MulticlassKappa, MulticlassMatthews, WeightedF1, WeightedPrecision,
    WeightedPrecisionZero, WeightedRecall, place as place_of_class,
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
pub(super) use weighed::PostStratifiedAccuracy;

use crate::bet::scores;
use regression::{errors_of_window, residuals_key};

use crate::interval;
use crate::metric::fairness::{attribute, index};
use crate::metric::{
    Answers, CasesOfGroups, Estimate, Grade, IntervalFrom, Measurement, MetricSpec, Needs, Sample,
    SampleKind, Seen, StreamKind, Unmeasurable, other_kind,
};
use crate::objective::document::{Comparator, Subject};
use crate::performance::binary::{Binary, Share};
use crate::performance::calibration::Group;
use crate::performance::cells::Cell;
use crate::performance::{Bracketed, Figure};
use crate::sketch::{
    Confusion, GroupLosses, Losses, ScoreBin, ScoreCell, ScoreCells, SummaryKey, SummaryKind,
    SummaryOf,
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
    groups: CasesOfGroups::Apart,
};

/// What metrics of a score against the label have in common.
const SCORED: MetricSpec = MetricSpec {
    grade: Grade::B,
    sample: SampleKind::Unjudged,
    needs_score: true,
    needs_decision: false,
    ..DECIDED
};

/// A key of all cases as that of the groups of the attribute that a subject names.
fn by(key: SummaryKey, of: &Subject) -> SummaryKey {
    let by = || of.attribute.clone();
    let named = match key.of {
        SummaryOf::DecisionByLabel(None) => SummaryOf::DecisionByLabel(by()),
        SummaryOf::ScoreByLabel(None) => SummaryOf::ScoreByLabel(by()),
        SummaryOf::Error(None) => SummaryOf::Error(by()),
        other @ (SummaryOf::Feature(_)
        | SummaryOf::Score
        | SummaryOf::Decision(_)
        | SummaryOf::ScoreByLabel(Some(_))
        | SummaryOf::DecisionByLabel(Some(_))
        | SummaryOf::Value
        | SummaryOf::Error(Some(_))
        | SummaryOf::List(_)
        | SummaryOf::ClassScore(_)
        | SummaryOf::Joint
        | SummaryOf::Direction(_)
        | SummaryOf::Service(_)) => other,
    };
    SummaryKey::new(named, key.kind)
}

/// The place of the group that a subject names. Without an attribute all cases are one group, the first.
fn group(seen: &Seen<'_>) -> Result<u8, Unmeasurable> {
    match &seen.of.attribute {
        None => Ok(0),
        Some(_) => index(attribute(seen)?, seen.of.group.as_deref()),
    }
}

/// Where decisions by label are kept.
const fn decided_key() -> SummaryKey {
    SummaryKey::new(SummaryOf::DecisionByLabel(None), SummaryKind::Confusion)
}

/// Where scores by label are kept.
const fn scored_key() -> SummaryKey {
    SummaryKey::new(SummaryOf::ScoreByLabel(None), SummaryKind::ScoreCells)
}

/// Labelled decisions of all cases, or of a group. No data if there are none.
fn decided(seen: &Seen<'_>) -> Result<Binary, Unmeasurable> {
    let found = Confusion::of(seen.summary(&by(decided_key(), seen.of))?);
    let found = found.ok_or_else(|| other_kind("confusion"))?;
    // Without an attribute, all there are, whatever group they were counted in.
    let group = match &seen.of.attribute {
        None => None,
        Some(_) => Some(group(seen)?),
    };
    let of = |counted: Option<u8>| group.is_none() || counted == group;
    let count =
        |label, decision| found.sum(|l, d, g| l == Some(label) && d == Some(decision) && of(g));
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

/// Labelled scores of all cases, or of a group, in cells.
pub(in crate::metric) fn score_cells<'a>(
    seen: &Seen<'a>,
) -> Result<impl Iterator<Item = ScoreCell> + use<'a>, Unmeasurable> {
    let found = ScoreCells::of(seen.summary(&by(scored_key(), seen.of))?);
    let found = found.ok_or_else(|| other_kind("score cells"))?;
    Ok(found.cells(Some(group(seen)?)))
}

/// The same, those that hold a case. No data if there are none.
fn scored(seen: &Seen<'_>) -> Result<Vec<Cell>, Unmeasurable> {
    let cells: Vec<Cell> = score_cells(seen)?
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

/// Losses of all labelled cases with a score, or of a group's. No data if there are none.
fn losses<'a>(seen: &Seen<'a>) -> Result<&'a GroupLosses, Unmeasurable> {
    let found = Losses::of(seen.summary(&by(losses_key(), seen.of))?);
    let found = found.ok_or_else(|| other_kind("losses"))?;
    let found = found.group(Some(group(seen)?));
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

/// Labelled scores by the bets' fine cells: positives and negatives of each.
fn fine_counts(seen: &Seen<'_>) -> Result<Vec<u64>, Unmeasurable> {
    score_counts(seen, &scores::fine())
}

/// The same by cells of these edges.
fn score_counts(seen: &Seen<'_>, edges: &[(f64, f64)]) -> Result<Vec<u64>, Unmeasurable> {
    Ok(scores::counts(edges, score_cells(seen)?))
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
