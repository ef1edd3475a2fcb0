//! A decision among several classes against its label: over all classes, and one against the rest.

use super::means::f_bets;
use super::{DECIDED, by, by_cells, group, normal, of_labelled, rate, shown};
use crate::bet::{Bets, NoBet};
use crate::metric::{
    Against, Answers, Grade, IntervalFrom, Measurement, Metric, MetricSpec, Needs, SampleKind,
    Seen, Unmeasurable, other_kind,
};
use crate::objective::document::{Comparator, Document, Scalar, Subject};
use crate::performance::Figure;
use crate::performance::averages;
use crate::performance::binary::{Binary, Share};
use crate::performance::multiclass::Table;
use crate::sketch::{ClassTable, SummaryKey, SummaryKind, SummaryOf};

const CLASSES: MetricSpec = MetricSpec {
    answers: Answers::Classes,
    ..DECIDED
};

const AVERAGE: MetricSpec = MetricSpec {
    grade: Grade::B,
    sample: SampleKind::Normal,
    ..CLASSES
};

const ZERO: MetricSpec = MetricSpec {
    sample: SampleKind::Unjudged,
    interval: IntervalFrom::Recounting,
    ..AVERAGE
};

const AGREEMENT: MetricSpec = MetricSpec {
    range: (-1.0, 1.0),
    ..AVERAGE
};

const ONE_CLASS: MetricSpec = MetricSpec {
    needs: Needs::Class,
    ..CLASSES
};

const ONE_CLASS_LOW: MetricSpec = MetricSpec {
    good: Comparator::AtMost,
    ..ONE_CLASS
};

const ONE_CLASS_F: MetricSpec = MetricSpec {
    grade: Grade::A,
    sample: SampleKind::Cells,
    ..ONE_CLASS
};

pub(super) const fn key() -> SummaryKey {
    SummaryKey::new(SummaryOf::DecisionByLabel(None), SummaryKind::ClassTable)
}

/// Labelled decisions of all cases, or of a group. No data if there are none.
pub(super) fn table(seen: &Seen<'_>) -> Result<Table, Unmeasurable> {
    let found = ClassTable::of(seen.summary(&by(key(), seen.of))?);
    let found = found.ok_or_else(|| other_kind("class table"))?;
    let (classes, group) = (found.classes(), group(seen)?);
    let count = |label, decision| found.count(Some(label), Some(decision), Some(group));
    let counts = (0..classes).flat_map(|label| (0..classes).map(move |d| count(label, d)));
    let table = Table::new(usize::from(classes), counts.collect());
    let table = table.ok_or_else(|| other_kind("class table"))?;
    if table.cases() == 0 {
        return Err(Unmeasurable::NoData);
    }
    Ok(table)
}

/// Cases of the rarest class that has labels.
fn least(table: &Table) -> u64 {
    let labelled = (0..table.classes()).map(|class| table.labelled(class));
    labelled.filter(|cases| *cases > 0).min().unwrap_or(0)
}

/// The place of the class that a subject names.
pub(in crate::metric) fn place(seen: &Seen<'_>) -> Result<u8, Unmeasurable> {
    let decision = seen.document.outputs.decision.as_ref();
    let classes = decision.and_then(|decision| decision.classes());
    let is_named = |class: &Scalar| Some(class.to_string()) == seen.of.class;
    let place = classes.and_then(|classes| classes.iter().position(is_named));
    let unknown = Unmeasurable::Undefined("the class is not one of the decision's classes");
    place.and_then(|at| u8::try_from(at).ok()).ok_or(unknown)
}

/// The subject's class against the rest.
fn of_class(seen: &Seen<'_>) -> Result<Binary, Unmeasurable> {
    let table = table(seen)?;
    Ok(table.one_against_rest(usize::from(place(seen)?)))
}

/// What is measured.
enum Found {
    Share(Share),
    Figure(Option<Figure>),
    /// A ratio of counts of these cells, by which it is judged.
    Fraction(Option<Figure>, [u64; 4]),
    Zero(Option<f64>),
}

macro_rules! multiclass {
    ($($type:ident {
        $name:literal, $title:literal, $base:expr, table: $table:expr, least: $least:expr,
        $(bets: $bets:expr,)?
        measure: $measure:expr, none: $none:literal, $reference:literal,
        $meaning:literal, formula: $formula:literal, cannot: $cannot:literal $(,)?
    })*) => {$(
        #[doc = $meaning]
        #[derive(Debug)]
        pub(in crate::metric) struct $type;

        impl Metric for $type {
            const SPEC: MetricSpec = MetricSpec {
                name: $name,
                title: $title,
                meaning: $meaning,
                formula: concat!(
                    $formula,
                    ", over rows whose label and decision are both known classes. Shares carry \
                     Wilson's interval; other figures a standard error by the multinomial delta \
                     method and an interval on the logit scale of the range, both at 95 %."
                ),
                edge_cases: concat!(
                    "No labelled rows: no data; ", $none, ": undefined, where libraries often say 0. \
                     Values that are none of the listed classes are left out."
                ),
                cannot_tell: of_labelled!($cannot),
                reference: concat!("scikit-learn 1.9, ", $reference, ": to 1e-9 relative."),
                ..$base
            };

            fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
                vec![key()]
            }

            fn measure(seen: Seen<'_>) -> Measurement {
                let table = $table(&seen)?;
                let found = $measure(&table);
                let none = Unmeasurable::Undefined($none);
                match found {
                    Found::Share(share) => rate(share, $none),
                    Found::Zero(value) => Ok(shown(value.ok_or(none)?, table.cases())),
                    Found::Fraction(figure, counts) => {
                        let found = figure.ok_or(none)?;
                        let least = $least(&table);
                        let found = normal(found, Self::SPEC.range, table.cases(), least);
                        Ok(by_cells(found, counts.to_vec()))
                    }
                    Found::Figure(figure) => Ok(normal(
                        figure.ok_or(none)?,
                        Self::SPEC.range,
                        table.cases(),
                        $least(&table),
                    )),
                }
            }

            $(fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
                $bets(against)
            })?
        }
    )*};
}

fn least_of_two(table: &Binary) -> u64 {
    (table.tp + table.fn_).min(table.fp + table.tn)
}

multiclass! {
    MulticlassAccuracy {
        "multiclass_accuracy", "Accuracy among several classes", CLASSES, table: table, least: least,
        measure: |t: &Table| Found::Share(t.accuracy()), none: "no labelled case", "`accuracy_score`",
        "The share of labelled cases whose class was decided right: micro-averaged precision, recall and \
         F1 as well, which are the same number.",
        formula: "Cases on the diagonal of the table of labels by decisions / all cases",
        cannot: "Which classes are confused, and how rare classes fare.",
    }
    MacroPrecision {
        "macro_precision", "Precision, mean over classes", AVERAGE, table: table, least: least,
        measure: |t: &Table| Found::Figure(averages::macro_precision(t)),
        none: "a class that occurs was never decided", "`precision_score(average='macro')`",
        "The precision of each class against the rest, in the plain mean over the classes that occur.",
        formula: "Mean over classes of right decisions for the class / decisions for the class",
        cannot: "Which class is the worst. Rare classes weigh as much as frequent ones.",
    }
    MacroPrecisionZero {
        "macro_precision.zero", "Precision, mean over classes, 0 where undefined", ZERO, table: table,
        least: least, measure: |t: &Table| Found::Zero(averages::macro_precision_zero(t)),
        none: "no class occurs", "`precision_score(average='macro')`",
        "The precision of each class in the plain mean over classes as libraries give it: 0 for a class that \
         was never decided. For comparison.",
        formula: "As `macro_precision`, with 0 for a class that was never decided",
        cannot: "Whether a class is decided badly or never.",
    }
    MacroRecall {
        "macro_recall", "Recall, mean over classes", AVERAGE, table: table, least: least,
        measure: |t: &Table| Found::Figure(averages::macro_recall(t)),
        none: "a class that was decided has no label", "`recall_score(average='macro')`",
        "The recall of each class against the rest, in the plain mean over the classes that occur: balanced \
         accuracy among several classes.",
        formula: "Mean over classes of right decisions for the class / labels of the class",
        cannot: "Which class is the worst. Rare classes weigh as much as frequent ones.",
    }
    MacroRecallZero {
        "macro_recall.zero", "Recall, mean over classes, 0 where undefined", ZERO, table: table,
        least: least, measure: |t: &Table| Found::Zero(averages::macro_recall_zero(t)),
        none: "no class occurs", "`recall_score(average='macro')`",
        "The recall of each class in the plain mean over classes as libraries give it: 0 for a class that was \
         decided but has no label. For comparison.",
        formula: "As `macro_recall`, with 0 for a class without a label",
        cannot: "Whether a class is never found or does not occur.",
    }
    MacroF1 {
        "macro_f1", "F1, mean over classes", AVERAGE, table: table, least: least,
        measure: |t: &Table| Found::Figure(averages::macro_f1(t)),
        none: "no class occurs", "`f1_score(average='macro')`",
        "The F1 of each class against the rest, in the plain mean over the classes that occur.",
        formula: "Mean over classes of 2 right decisions / (labels + decisions of the class)",
        cannot: "Which class is the worst. Rare classes weigh as much as frequent ones.",
    }
    WeightedPrecision {
        "weighted_precision", "Precision, weighed by labels", AVERAGE, table: table, least: least,
        measure: |t: &Table| Found::Figure(averages::weighted_precision(t)),
        none: "a class that has labels was never decided", "`precision_score(average='weighted')`",
        "The precision of each class against the rest, weighed by how many labels the class has.",
        formula: "Sum over classes of share of labels times right decisions / decisions",
        cannot: "How rare classes fare.",
    }
    WeightedPrecisionZero {
        "weighted_precision.zero", "Precision, weighed by labels, 0 where undefined", ZERO, table: table,
        least: least, measure: |t: &Table| Found::Zero(averages::weighted_precision_zero(t)),
        none: "no class occurs", "`precision_score(average='weighted')`",
        "The precision of each class weighed by its labels as libraries give it: 0 for a class that was never \
         decided. For comparison.",
        formula: "As `weighted_precision`, with 0 for a class that was never decided",
        cannot: "Whether a class is decided badly or never.",
    }
    WeightedRecall {
        "weighted_recall", "Recall, weighed by labels", AVERAGE, table: table, least: least,
        measure: |t: &Table| Found::Figure(averages::weighted_recall(t)),
        none: "no class has a label", "`recall_score(average='weighted')`",
        "The recall of each class against the rest, weighed by how many labels the class has: the accuracy by \
         another road.",
        formula: "Sum over classes of share of labels times right decisions / labels",
        cannot: "How rare classes fare.",
    }
    WeightedF1 {
        "weighted_f1", "F1, weighed by labels", AVERAGE, table: table, least: least,
        measure: |t: &Table| Found::Figure(averages::weighted_f1(t)),
        none: "no class has a label", "`f1_score(average='weighted')`",
        "The F1 of each class against the rest, weighed by how many labels the class has.",
        formula: "Sum over classes of share of labels times 2 right decisions / (labels + decisions)",
        cannot: "How rare classes fare.",
    }
    MulticlassMatthews {
        "multiclass_mcc", "Matthews' correlation among several classes", AGREEMENT, table: table,
        least: least, measure: |t: &Table| Found::Figure(t.matthews()),
        none: "all labels or all decisions are one class", "`matthews_corrcoef`",
        "The correlation of decided class and label (Gorodkin 2004): 1 is without error, 0 as good as chance.",
        formula: "(right - sum of labels times decisions) / sqrt((1 - sum of labels squared)(1 - sum of decisions \
                  squared)), in shares of classes",
        cannot: "Which classes are confused.",
    }
    MulticlassKappa {
        "multiclass_kappa", "Cohen's kappa among several classes", AGREEMENT, table: table,
        least: least, measure: |t: &Table| Found::Figure(t.kappa()),
        none: "all labels and all decisions are one class", "`cohen_kappa_score`",
        "How far decided class and label agree beyond what their frequencies alone would give.",
        formula: "(accuracy - chance) / (1 - chance), chance the sum over classes of share of labels times share of \
                  decisions",
        cannot: "Which classes are confused.",
    }
    ClassPrecision {
        "class_precision", "Precision of a class", ONE_CLASS, table: of_class, least: least_of_two,
        measure: |t: &Binary| Found::Share(t.precision()), none: "the class was never decided",
        "`precision_score(labels=[class])`",
        "Of the cases decided to be of the class, the share that turned out to be.",
        formula: "Right decisions for the class / decisions for the class",
        cannot: "How many cases of the class were not found.",
    }
    ClassRecall {
        "class_recall", "Recall of a class", ONE_CLASS, table: of_class, least: least_of_two,
        measure: |t: &Binary| Found::Share(t.recall()), none: "the class has no label",
        "`recall_score(labels=[class])`",
        "Of the cases that turned out to be of the class, the share that was decided so.",
        formula: "Right decisions for the class / labels of the class",
        cannot: "How many cases of other classes were decided to be of this one.",
    }
    ClassSpecificity {
        "class_specificity", "Specificity of a class", ONE_CLASS, table: of_class, least: least_of_two,
        measure: |t: &Binary| Found::Share(t.specificity()), none: "no other class has a label",
        "`recall_score` of the rest",
        "Of the cases that turned out to be of other classes, the share that was not decided to be of this one.",
        formula: "Decisions for other classes among labels of other classes",
        cannot: "Whether cases of the class are found.",
    }
    ClassFalsePositiveRate {
        "class_false_positive_rate", "False positive rate of a class", ONE_CLASS_LOW, table: of_class,
        least: least_of_two, measure: |t: &Binary| Found::Share(t.false_positive_rate()),
        none: "no other class has a label", "`confusion_matrix`",
        "Of the cases that turned out to be of other classes, the share that was decided to be of this one.",
        formula: "Decisions for the class among labels of other classes",
        cannot: "Whether cases of the class are found.",
    }
    ClassPrevalence {
        "class_prevalence", "Prevalence of a class", ONE_CLASS_LOW, table: of_class,
        least: least_of_two, measure: |t: &Binary| Found::Share(t.prevalence()),
        none: "no labelled case", "mean of the label's indicator",
        "The share of labelled cases that turned out to be of the class: what the world is like, not the model.",
        formula: "Labels of the class / all cases",
        cannot: "How good the decisions are.",
    }
    ClassF1 {
        "class_f1", "F1 of a class", ONE_CLASS_F, table: of_class, least: least_of_two,
        bets: |against| f_bets(1.0, against),
        measure: |t: &Binary| Found::Fraction(t.f_beta(1.0), [t.tp, t.fp, t.fn_, t.tn]),
        none: "the class was neither decided nor has it a label", "`f1_score(labels=[class])`",
        "The harmonic mean of precision and recall of one class against the rest.",
        formula: "2 right decisions for the class / (labels + decisions of the class); the ledger judges the \
                  counts alone, as for `f1`",
        cannot: "Which of the two errors is made.",
    }
}
