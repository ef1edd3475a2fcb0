//! Agreement of decision and label beyond chance.

use super::{DECIDED, decided, decided_key, normal, of_labelled, shown};
use crate::metric::{
    Grade, IntervalFrom, Measurement, Metric, MetricSpec, SampleKind, Seen, Unmeasurable,
};
use crate::objective::document::{Document, Subject};
use crate::performance::binary::Binary;
use crate::sketch::SummaryKey;

/// Matthews' correlation of decision and label.
#[derive(Debug)]
pub(in crate::metric) struct Matthews;

/// Matthews' correlation, 0 where it is undefined.
#[derive(Debug)]
pub(in crate::metric) struct MatthewsZero;

/// Cohen's kappa of decision and label.
#[derive(Debug)]
pub(in crate::metric) struct Kappa;

/// The spec of agreements.
const AGREEMENT: MetricSpec = MetricSpec {
    range: (-1.0, 1.0),
    grade: Grade::B,
    sample: SampleKind::Normal,
    ..DECIDED
};

fn least(table: &Binary) -> u64 {
    (table.tp + table.fn_).min(table.fp + table.tn)
}

impl Metric for Matthews {
    const SPEC: MetricSpec = MetricSpec {
        name: "mcc",
        title: "Matthews' correlation",
        meaning: "The correlation of decision and label. 1 is without error, 0 as good as chance, \
                  below 0 worse. High only if both kinds of error are rare for both labels.",
        formula: "(TP TN - FP FN) / sqrt((TP + FP)(TP + FN)(TN + FP)(TN + FN)), over rows whose \
                  label and decision are both known (Matthews 1975). Standard error: multinomial \
                  delta method with the exact gradient, at shares drawn inwards by two cases spread \
                  over the four cells. Interval: 95 % on the logit scale of the range.",
        edge_cases: "No labelled rows: no data. All labels or all decisions the same: undefined; \
                     libraries say 0, as `mcc.zero` does.",
        cannot_tell: of_labelled!("Which of the two errors is made, or what it costs."),
        reference: "scikit-learn 1.9, `matthews_corrcoef`: to 1e-9 relative where both are defined.",
        ..AGREEMENT
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![decided_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let table = decided(&seen)?;
        let none = Unmeasurable::Undefined("all labels or all decisions are the same");
        let found = table.matthews().ok_or(none)?;
        Ok(normal(
            found,
            Self::SPEC.range,
            table.cases(),
            least(&table),
        ))
    }
}

impl Metric for MatthewsZero {
    const SPEC: MetricSpec = MetricSpec {
        name: "mcc.zero",
        interval: IntervalFrom::Recounting,
        title: "Matthews' correlation, 0 where undefined",
        meaning: "The correlation of decision and label as libraries give it: 0 where all labels or \
                  all decisions are the same. For comparison; `mcc` is the one that judges.",
        formula: "As `mcc`, with 0 where that is undefined.",
        edge_cases: "No labelled rows: no data. All labels or all decisions the same: 0, which cannot \
                     be told from decisions as good as chance.",
        cannot_tell: of_labelled!("Whether a 0 is a measured one."),
        reference: "scikit-learn 1.9, `matthews_corrcoef`: to 1e-9 relative.",
        sample: SampleKind::Unjudged,
        ..AGREEMENT
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![decided_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let table = decided(&seen)?;
        let value = table.matthews().map_or(0.0, |found| found.value);
        Ok(shown(value, table.cases()))
    }
}

impl Metric for Kappa {
    const SPEC: MetricSpec = MetricSpec {
        name: "cohen_kappa",
        title: "Cohen's kappa",
        meaning: "How far decision and label agree beyond what their frequencies alone would give. 1 \
                  is full agreement, 0 that of chance.",
        formula: "(accuracy - chance) / (1 - chance), chance the sum over both classes of their share \
                  of labels times their share of decisions (Cohen 1960), over rows whose label and \
                  decision are both known. Standard error: multinomial delta method with the exact \
                  gradient, at shares drawn inwards by two cases spread over the four cells. \
                  Interval: 95 % on the logit scale of the range.",
        edge_cases: "No labelled rows: no data. All labels and all decisions one and the same class: \
                     undefined.",
        cannot_tell: of_labelled!(
            "Which of the two errors is made. Values of populations with other frequencies of labels \
             cannot be compared."
        ),
        reference: "scikit-learn 1.9, `cohen_kappa_score`: to 1e-9 relative.",
        ..AGREEMENT
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![decided_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let table = decided(&seen)?;
        let none = Unmeasurable::Undefined("all labels and all decisions are one class");
        let found = table.kappa().ok_or(none)?;
        Ok(normal(
            found,
            Self::SPEC.range,
            table.cases(),
            least(&table),
        ))
    }
}
