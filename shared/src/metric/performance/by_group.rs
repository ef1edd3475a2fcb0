//! Performance within one group of a protected attribute: the figures of all cases, of the group's alone.
//!
//! Each reads what is counted by the groups of its attribute; value, interval, bound and bets are those of the
//! figure that it is named after.

use super::agreement::Matthews;
use super::calibration::{CalibrationErrorDebiased, Ece, ObservedOverExpected};
use super::cost::Cost;
use super::loss::{Brier, LogLoss};
use super::means::{BalancedAccuracy, F1};
use super::multiclass::{MacroF1, MulticlassAccuracy};
use super::ranking::AveragePrecision;
use super::regression::{MeanSquaredError, RootMeanSquaredError, residuals_key, squares};
use super::roc_auc::RocAuc;
use super::{by, shown};
use crate::bet::{Bets, NoBet};
use crate::metric::fairness::attribute;
use crate::metric::{
    Against, Grade, IntervalFrom, Measurement, Metric, MetricSpec, Needs, SampleKind, Seen,
    Unmeasurable,
};
use crate::objective::document::{Document, Subject};
use crate::sketch::SummaryKey;

/// A figure of the group that is named. If it has no case and another group has, the figure is undefined;
/// no data if none has.
fn in_group(seen: Seen<'_>, measure: fn(Seen<'_>) -> Measurement) -> Measurement {
    let found = measure(seen);
    if found != Err(Unmeasurable::NoData) {
        return found;
    }
    let another = |group: &String| {
        let of = Subject {
            group: Some(group.clone()),
            ..seen.of.clone()
        };
        measure(Seen { of: &of, ..seen }) != Err(Unmeasurable::NoData)
    };
    if attribute(&seen)?.groups.iter().any(another) {
        return Err(Unmeasurable::Undefined("the group has no labelled case"));
    }
    found
}

macro_rules! by_group {
    ($($type:ident of $base:ident $of:literal {
        $name:literal, $title:literal, $meaning:literal
    })*) => {$(
        #[doc = $meaning]
        #[derive(Debug)]
        pub(in crate::metric) struct $type;

        impl Metric for $type {
            const SPEC: MetricSpec = MetricSpec {
                name: $name,
                title: $title,
                needs: Needs::Group,
                meaning: $meaning,
                edge_cases: concat!(
                    "As for `", $of, "`, of the group's cases. None in the group: undefined, never 0; in \
                     no group of the attribute: no data. Rows whose attribute is unknown or not listed are \
                     in no group."
                ),
                ..<$base as Metric>::SPEC
            };

            fn reads(document: &Document, of: &Subject) -> Vec<SummaryKey> {
                let reads = <$base as Metric>::reads(document, of);
                reads.into_iter().map(|key| by(key, of)).collect()
            }

            fn measure(seen: Seen<'_>) -> Measurement {
                in_group(seen, <$base as Metric>::measure)
            }

            fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
                <$base as Metric>::bets(against)
            }
        }
    )*};
}

by_group! {
    GroupF1 of F1 "f1" {
        "f1.group", "F1 of a group",
        "The harmonic mean of precision and recall over the labelled cases of one group of an attribute, \
         the reference group too."
    }
    GroupBalancedAccuracy of BalancedAccuracy "balanced_accuracy" {
        "balanced_accuracy.group", "Balanced accuracy of a group",
        "The mean of recall and specificity over the labelled cases of one group of an attribute: accuracy as \
         if both labels were equally frequent in it, so that groups of different base rates can be compared."
    }
    GroupMatthews of Matthews "mcc" {
        "mcc.group", "Matthews' correlation of a group",
        "The correlation of decision and label over the labelled cases of one group of an attribute."
    }
    GroupCost of Cost "cost" {
        "cost.group", "Cost of decisions about a group",
        "What decisions about the labelled cases of one group of an attribute cost on average, by the `costs` \
         that the objectives file states."
    }
    GroupRocAuc of RocAuc "roc_auc" {
        "roc_auc.group", "Area under the ROC curve of a group",
        "The chance that a positive case of one group of an attribute has a higher score than a negative case \
         of the same group, ties counted half."
    }
    GroupAveragePrecision of AveragePrecision "average_precision" {
        "average_precision.group", "Average precision of a group",
        "The precision at each positive case of one group of an attribute, counting down from the group's \
         highest score, in the mean over its positive cases. Groups of different base rates cannot be \
         compared by it."
    }
    GroupLogLoss of LogLoss "log_loss" {
        "log_loss.group", "Log loss of a group",
        "The mean of minus the natural logarithm of the probability that was given to what came, over the \
         labelled cases of one group of an attribute."
    }
    GroupBrier of Brier "brier" {
        "brier.group", "Brier score of a group",
        "The squared distance between the score and what came (1 or 0), in the mean over the labelled cases of \
         one group of an attribute."
    }
    GroupEce of Ece "ece" {
        "ece.group", "Expected calibration error of a group",
        "Calibration within a group: how far the share of positive cases lies from the score, in the mean over \
         the labelled cases of one group of an attribute in 15 groups of scores of equal width."
    }
    GroupCalibrationErrorDebiased of CalibrationErrorDebiased "calibration_error_debiased" {
        "calibration_error_debiased.group", "Squared calibration error of a group, debiased",
        "The squared distance between the share of positive cases and the score over the labelled cases of one \
         group of an attribute, without what chance adds: small groups do not look worse for being small."
    }
    GroupObservedOverExpected of ObservedOverExpected "observed_over_expected" {
        "observed_over_expected.group", "Observed over expected positives of a group",
        "How many positive cases one group of an attribute had for each that its scores let expect: above 1 the \
         group's scores are too low, below 1 too high."
    }
    GroupMulticlassAccuracy of MulticlassAccuracy "multiclass_accuracy" {
        "multiclass_accuracy.group", "Accuracy among several classes, of a group",
        "The share of labelled cases of one group of an attribute whose class was decided right."
    }
    GroupMacroF1 of MacroF1 "macro_f1" {
        "macro_f1.group", "F1 of a group, mean over classes",
        "The F1 of each class against the rest over the labelled cases of one group of an attribute, in the \
         plain mean over the classes that occur in it."
    }
}

/// Mean squared error in one group.
#[derive(Debug)]
pub(in crate::metric) struct GroupMeanSquaredError;

/// Root mean squared error in one group.
#[derive(Debug)]
pub(in crate::metric) struct GroupRootMeanSquaredError;

/// Of fourth powers nothing is known by group, so that these are shown without an interval.
const SQUARES: MetricSpec = MetricSpec {
    needs: Needs::Group,
    grade: Grade::B,
    sample: SampleKind::Unjudged,
    interval: IntervalFrom::Nothing(
        "of a group no fourth powers of errors are kept, which an interval of squares takes",
    ),
    ..<MeanSquaredError as Metric>::SPEC
};

fn keys(of: &Subject) -> Vec<SummaryKey> {
    vec![by(residuals_key(), of)]
}

impl Metric for GroupMeanSquaredError {
    const SPEC: MetricSpec = MetricSpec {
        name: "mse.group",
        title: "Mean squared error of a group",
        meaning: "The squared distance of predictions from what came, in the mean over the labelled cases of \
                  one group of an attribute. In the unit of the prediction, squared.",
        formula: "Mean of (prediction - label)^2 over labelled cases of the group, added up as integers. No \
                  interval, and never judged: see `mean_absolute_error.group`.",
        ..SQUARES
    };

    fn reads(_: &Document, of: &Subject) -> Vec<SummaryKey> {
        keys(of)
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        in_group(seen, |seen| {
            squares(&seen).map(|(value, of)| shown(value, of))
        })
    }
}

impl Metric for GroupRootMeanSquaredError {
    const SPEC: MetricSpec = MetricSpec {
        name: "rmse.group",
        title: "Root mean squared error of a group",
        meaning: "The root of the mean squared error over the labelled cases of one group of an attribute: a \
                  typical error in the unit of the prediction, large ones weighing most.",
        formula: "Root of `mse.group`. No interval, and never judged: see `mean_absolute_error.group`.",
        reference: <RootMeanSquaredError as Metric>::SPEC.reference,
        ..SQUARES
    };

    fn reads(_: &Document, of: &Subject) -> Vec<SummaryKey> {
        keys(of)
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        in_group(seen, |seen| {
            squares(&seen).map(|(value, of)| shown(value.sqrt(), of))
        })
    }
}
