//! What labels that are late, or that come for some cases only, leave open: how many have come, and
//! what accuracy would be whatever the others turn out to be.
//!
//! Cases are counted in the traffic of the window, labels among its outcomes.

use super::{DECIDED, decided, decided_key, errors_of_window, lists, multiclass, residuals_key};
use crate::baseline::Law;
use crate::interval;
use crate::metric::{
    Answers, Estimate, Grade, IntervalFrom, Measurement, Metric, MetricId, MetricSpec, Sample,
    SampleKind, Seen, Unmeasurable, other_kind,
};
use crate::objective::document::{Comparator, Decision, Document, Subject};
use crate::performance::labels::tipping_point;
use crate::performance::regression::skill;
use crate::sketch::{
    ClassTable, Confusion, Hygiene, Moments, Summary, SummaryKey, SummaryKind, SummaryOf,
};

pub(super) const LATE: MetricSpec = MetricSpec {
    grade: Grade::B,
    sample: SampleKind::Unjudged,
    interval: IntervalFrom::Nothing(
        "it is counted of what is known and what is not, not estimated",
    ),
    edge_cases: "No labelled row: no data, but for the coverage. Undefined where the window's traffic \
                 is not at hand, as for a ledger's block of outcomes; hence shown, never judged. Rows \
                 without a usable answer (no decision, a score beyond 0 to 1, no finite number) count as \
                 cases of which nothing is known.",
    reference: "Counts by hand; the functions behind it by their own tests.",
    ..DECIDED
};

/// Why shares of squares have no interval.
pub(super) const NO_FOURTH: &str =
    "no fourth powers of errors and labels are kept, which its scatter follows from";

pub(super) const NO_TRAFFIC: Unmeasurable =
    Unmeasurable::Undefined("the window's traffic is not at hand beside its labels");

/// A summary of the window's traffic.
pub(super) fn of_traffic<'a>(
    seen: &Seen<'a>,
    of: SummaryOf,
    kind: SummaryKind,
) -> Result<&'a Summary, Unmeasurable> {
    let key = SummaryKey::new(of, kind);
    let summary = seen.beside.traffic.and_then(|traffic| traffic.get(&key));
    summary.ok_or(NO_TRAFFIC)
}

/// Decisions of all cases of the window: positive ones, negative ones.
pub(super) fn cases(seen: &Seen<'_>) -> Result<(u64, u64), Unmeasurable> {
    let summary = of_traffic(seen, SummaryOf::Decision(None), SummaryKind::Confusion)?;
    let found = Confusion::of(summary).ok_or_else(|| other_kind("confusion"))?;
    let of = |wanted: bool| found.sum(|_, decision, _| decision == Some(wanted));
    Ok((of(true), of(false)))
}

fn several_classes(document: &Document) -> bool {
    let decision = document.outputs.decision.as_ref();
    decision.and_then(Decision::classes).is_some()
}

/// Where a document's answers are kept with their labels.
pub(super) fn labelled_key(document: &Document) -> SummaryKey {
    if document.outputs.ranking.is_some() {
        lists::labelled_key()
    } else if document.outputs.value.is_some() {
        residuals_key()
    } else if several_classes(document) {
        multiclass::key()
    } else {
        decided_key()
    }
}

/// Answers of the window that a label can be held against, and how many of them have one: decisions, or
/// predicted numbers. No data if there is none.
pub(super) fn answered(seen: &Seen<'_>) -> Result<(u64, u64), Unmeasurable> {
    let number = seen.document.outputs.value.is_some();
    let list = seen.document.outputs.ranking.is_some();
    let labelled = if list {
        lists::labelled(seen)
    } else if number {
        errors_of_window(seen).map(|(errors, _)| errors.cases)
    } else if several_classes(seen.document) {
        multiclass::table(seen).map(|table| table.cases())
    } else {
        decided(seen).map(|table| table.cases())
    };
    let labelled = match labelled {
        // None has come yet.
        Err(Unmeasurable::NoData) => 0,
        other => other?,
    };
    let all = if list || number {
        let of = if list {
            SummaryOf::List(None)
        } else {
            SummaryOf::Value
        };
        let summary = of_traffic(seen, of, SummaryKind::Moments)?;
        let found = Moments::of(summary).ok_or_else(|| other_kind("moments"))?;
        found.total()
    } else if several_classes(seen.document) {
        let summary = of_traffic(seen, SummaryOf::Decision(None), SummaryKind::ClassTable)?;
        let found = ClassTable::of(summary).ok_or_else(|| other_kind("class table"))?;
        let labels = || (0..found.classes()).map(Some).chain([None]);
        let of = |decision: u8| -> u64 {
            let counts = labels().map(|label| found.count(label, Some(decision), Some(0)));
            counts.sum()
        };
        (0..found.classes()).map(of).sum()
    } else {
        let (positive, negative) = cases(seen)?;
        positive + negative
    };
    let all = all.max(labelled);
    if all == 0 {
        return Err(Unmeasurable::NoData);
    }
    Ok((labelled, all))
}

/// Where a window's traffic says how many of its rows have an answer that a label can be held against.
pub(super) fn answers_key(document: &Document) -> SummaryKey {
    let (of, kind) = if document.outputs.ranking.is_some() {
        (SummaryOf::List(None), SummaryKind::Hygiene)
    } else if document.outputs.value.is_some() {
        (SummaryOf::Value, SummaryKind::Hygiene)
    } else if several_classes(document) {
        (SummaryOf::Decision(None), SummaryKind::ClassTable)
    } else {
        (SummaryOf::Decision(None), SummaryKind::Confusion)
    };
    SummaryKey::new(of, kind)
}

/// Rows without an answer that a label could be held against, and all rows: no decision (or a score beyond
/// 0 to 1), no finite number, no list.
pub(super) fn unusable(summary: &Summary) -> Result<(u64, u64), Unmeasurable> {
    if let Some(found) = Confusion::of(summary) {
        let all = found.sum(|_, _, _| true);
        return Ok((found.sum(|_, decision, _| decision.is_none()), all));
    }
    if let Some(found) = ClassTable::of(summary) {
        let decisions = || (0..found.classes()).map(Some).chain([None]);
        let of = |decision: Option<u8>| -> u64 {
            let labels = (0..found.classes()).map(Some).chain([None]);
            labels
                .map(|label| found.count(label, decision, Some(0)))
                .sum()
        };
        return Ok((of(None), decisions().map(of).sum()));
    }
    let found = Hygiene::of(summary).ok_or_else(|| other_kind("counts of answers"))?;
    let unusable = found.missing_total() + found.invalid_total();
    Ok((unusable, found.rows()))
}

/// Answers of the window that a label can be held against and have one, and all its cases, with those whose
/// answer is of no use: what they would have been is not known either.
fn covered(seen: &Seen<'_>) -> Result<(u64, u64), Unmeasurable> {
    let key = answers_key(seen.document);
    let (unusable, _) = unusable(of_traffic(seen, key.of, key.kind)?)?;
    match answered(seen) {
        Ok((labelled, answers)) => Ok((labelled, answers + unusable)),
        Err(Unmeasurable::NoData) if unusable > 0 => Ok((0, unusable)),
        Err(why) => Err(why),
    }
}

/// Right and labelled cases, and all cases.
fn right(seen: &Seen<'_>) -> Result<((u64, u64), u64), Unmeasurable> {
    let (right, labelled) = if several_classes(seen.document) {
        let table = multiclass::table(seen)?;
        table.accuracy()
    } else {
        let table = decided(seen)?;
        (table.tp + table.tn, table.cases())
    };
    Ok(((right, labelled), covered(seen)?.1))
}

#[expect(clippy::unnecessary_wraps, reason = "what measuring gives")]
pub(super) fn shown(value: f64, interval: Option<(f64, f64)>, of: u64) -> Measurement {
    Ok(Estimate {
        value,
        interval,
        bound: None,
        support: of,
        sample: Sample::Unjudged { of },
    })
}

/// Whether what answers so decides.
macro_rules! answers {
    (Any) => {
        false
    };
    (Classes) => {
        true
    };
}

macro_rules! late {
    ($($type:ident {
        $name:literal, $title:literal, $good:ident, $range:expr, $(answers: $answers:ident,)?
        $(interval: $interval:expr,)?
        measure: $measure:expr,
        $meaning:literal, formula: $formula:literal, cannot: $cannot:literal $(,)?
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
                cannot_tell: $cannot,
                $(answers: Answers::$answers, needs_decision: answers!($answers),)?
                $(interval: $interval,)?
                ..LATE
            };

            fn reads(document: &Document, _: &Subject) -> Vec<SummaryKey> {
                vec![labelled_key(document)]
            }

            fn measure(seen: Seen<'_>) -> Measurement {
                let measure: fn(&Seen<'_>) -> Measurement = $measure;
                measure(&seen)
            }
        }
    )*};
}

late! {
    LabelCoverage {
        "label_coverage", "Label coverage", AtLeast, (0.0, 1.0), answers: Any,
        interval: IntervalFrom::Formula,
        measure: coverage,
        "The share of the window's cases that have both a usable answer (a decision, a predicted number, a \
         list) and, so far, a label: figures that need labels are provisional while it rises.",
        formula: "labelled answers / cases of the window's traffic, those without a usable answer \
                  included. Interval: Wilson's.",
        cannot: "Whether the cases without a label are like the others; whether more labels will come."
    }
    LowestAccuracy {
        "accuracy.lowest", "Accuracy, at least", AtLeast, (0.0, 1.0),
        interval: IntervalFrom::Formula,
        measure: |seen| right(seen).and_then(|((right, _), all)| proportion(right, all)),
        "What accuracy over all cases would be if every one without a label or without a usable answer \
         turned out wrong.",
        formula: "right labelled cases / all cases (Manski 1990, the lower bound). Interval: Wilson's.",
        cannot: "How likely that is. It assumes nothing of cases without a label, so that it is far from \
                 the value where few labels have come."
    }
    HighestAccuracy {
        "accuracy.highest", "Accuracy, at most", AtLeast, (0.0, 1.0),
        interval: IntervalFrom::Formula,
        measure: |seen| right(seen).and_then(|((right, known), all)| proportion(right + all - known, all)),
        "What accuracy over all cases would be if every one without a label or without a usable answer \
         turned out right.",
        formula: "(right labelled cases + cases without a label or a usable answer) / all cases (Manski \
                  1990, the upper bound). Interval: Wilson's.",
        cannot: "How likely that is. It assumes nothing of cases without a label, so that it is far from \
                 the value where few labels have come."
    }
    LowestMulticlassAccuracy {
        "multiclass_accuracy.lowest", "Accuracy over classes, at least", AtLeast, (0.0, 1.0),
        answers: Classes,
        interval: IntervalFrom::Formula,
        measure: |seen| right(seen).and_then(|((right, _), all)| proportion(right, all)),
        "What accuracy over all cases would be if every one without a label or without a usable answer \
         turned out wrong.",
        formula: "right labelled cases / all cases (Manski 1990, the lower bound). Interval: Wilson's.",
        cannot: "How likely that is. It assumes nothing of cases without a label, so that it is far from \
                 the value where few labels have come."
    }
    HighestMulticlassAccuracy {
        "multiclass_accuracy.highest", "Accuracy over classes, at most", AtLeast, (0.0, 1.0),
        answers: Classes,
        interval: IntervalFrom::Formula,
        measure: |seen| right(seen).and_then(|((right, known), all)| proportion(right + all - known, all)),
        "What accuracy over all cases would be if every one without a label or without a usable answer \
         turned out right.",
        formula: "(right labelled cases + cases without a label or a usable answer) / all cases (Manski \
                  1990, the upper bound). Interval: Wilson's.",
        cannot: "How likely that is. It assumes nothing of cases without a label, so that it is far from \
                 the value where few labels have come."
    }
    MulticlassTippingPoint {
        "multiclass_accuracy.tipping_point", "Tipping point of accuracy over classes", AtMost,
        (-1e12, 1e12), answers: Classes,
        measure: |seen| tipping(seen, MetricId::MulticlassAccuracy),
        "How many of the cases without a label would have to turn out right, as a share, for accuracy \
         over all cases to be exactly the action level of the document's objective on \
         `multiclass_accuracy`. Below 0 or above 1 nothing they can do can change on which side it is.",
        formula: "(level * cases - right labelled cases) / cases without a label; of the objective's \
                  newest version.",
        cannot: "How those cases will turn out. Anything where the document has no objective on \
                 `multiclass_accuracy`, or where every case has its label: undefined there."
    }
    TippingPoint {
        "accuracy.tipping_point", "Tipping point of accuracy", AtMost, (-1e12, 1e12),
        measure: |seen| tipping(seen, MetricId::Accuracy),
        "How many of the cases without a label would have to turn out right, as a share, for accuracy \
         over all cases to be exactly the action level of the document's objective on `accuracy`. Below \
         0 or above 1 nothing they do can change on which side it is.",
        formula: "(level * cases - right labelled cases) / cases without a label; of the objective's \
                  newest version.",
        cannot: "How those cases will turn out. Anything where the document has no objective on \
                 `accuracy`, or where every case has its label: undefined there."
    }
}

fn coverage(seen: &Seen<'_>) -> Measurement {
    let (labelled, all) = covered(seen)?;
    proportion(labelled, all)
}

/// A share of cases, with Wilson's interval.
fn proportion(hits: u64, of: u64) -> Measurement {
    let of = of.max(hits);
    if of == 0 {
        return Err(Unmeasurable::NoData);
    }
    shown(hits as f64 / of as f64, interval::wilson(hits, of), of)
}

fn tipping(seen: &Seen<'_>, metric: MetricId) -> Measurement {
    let (labelled, all) = right(seen)?;
    let objectives = seen.document.objectives.iter();
    let on_accuracy = objectives.filter(|o| o.metric == metric);
    let newest = on_accuracy.max_by_key(|o| o.version);
    let level = newest
        .ok_or(Unmeasurable::Undefined("no objective is on accuracy"))?
        .levels
        .action;
    let found = tipping_point(labelled, all, level);
    let found = found.ok_or(Unmeasurable::Undefined("every case has its label"))?;
    shown(found, None, all)
}

/// How much better than the reference's mean predictions are.
#[derive(Debug)]
pub(in crate::metric) struct Skill;

impl Metric for Skill {
    const SPEC: MetricSpec = MetricSpec {
        name: "skill",
        title: "Skill against the reference's mean",
        range: (-1e12, 1.0),
        meaning: "By how much the squared error is below that of always predicting the mean label of \
                  the reference: 1 is without error, 0 no better than that, below 0 worse.",
        formula: "1 - sum of squared errors / sum of squared distances of labels from the reference's \
                  mean label. Unlike `r2` its yardstick is documented and does not move with the window.",
        edge_cases: "No labelled prediction: no data. Undefined where the baseline has no law of labels, \
                     or where every label is the reference's mean.",
        cannot_tell: "How large errors are in the unit of the label. How cases without a label fare.",
        reference: "The formula in NumPy on the raw rows: to 1e-9 relative.",
        answers: Answers::Number,
        needs_decision: false,
        interval: IntervalFrom::Nothing(NO_FOURTH),
        ..LATE
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![residuals_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let (errors, labels) = errors_of_window(&seen)?;
        let law = seen.baseline.target.as_ref().and_then(Law::shape);
        let mean = law.and_then(|shape| shape.moments.mean());
        let mean = mean.ok_or(Unmeasurable::Undefined("the baseline has no law of labels"))?;
        let found = skill(&errors, &labels, mean);
        let found = found.ok_or(Unmeasurable::Undefined(
            "labels do not differ from the mean",
        ))?;
        shown(found, None, errors.cases)
    }
}
