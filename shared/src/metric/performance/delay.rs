//! How long labels take to come, and whether late ones tell of other cases than early ones.

use super::DECIDED;
use super::late::{answered, labelled_key};
use crate::interval;
use crate::metric::{
    Answers, Estimate, Grade, LabelAges, Measurement, Metric, MetricSpec, SampleKind, Seen,
    Unmeasurable,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::SummaryKey;
use crate::time::Span;

/// Longest time that a delay is given a level in, in seconds: a hundred years.
const LONGEST: f64 = 3.2e9;

const DELAY: MetricSpec = MetricSpec {
    good: Comparator::AtMost,
    grade: Grade::B,
    sample: SampleKind::Unjudged,
    answers: Answers::Any,
    needs_decision: false,
    edge_cases: "No answer that a label could be held against: no data. Undefined where it is not known \
                 when labels came: there the collector knows the panes of prediction and arrival, and \
                 files need a time for each row and `available_at` for each label. Cases without a \
                 label count as waiting for as long as is known of them. Labels without a time, and \
                 those that the document does not list, are left out. A ledger's block of outcomes \
                 holds no case without a label; hence shown, never judged.",
    cannot_tell: "Whether the cases that still wait will ever have a label. Why labels are late, and \
                  whether late cases are like early ones: see `late_errors.p`.",
    ..DECIDED
};

/// When labels came, and all cases that are known of. No data if there are none.
fn ages<'a>(seen: &Seen<'a>) -> Result<&'a LabelAges, Unmeasurable> {
    answered(seen)?;
    let ages = seen.beside.ages.filter(|ages| ages.cases() > 0);
    ages.ok_or(Unmeasurable::Undefined("it is not known when labels came"))
}

fn seconds(span: Span) -> f64 {
    span.micros() as f64 / 1e6
}

fn shown(value: f64, of: u64) -> Estimate {
    super::shown(value, of)
}

/// The age by which a share of labels has come.
fn quantile(seen: &Seen<'_>, share: f64) -> Measurement {
    let ages = ages(seen)?;
    let (low, high) = ages.quantile(share).ok_or(Unmeasurable::Undefined(
        "so large a share of labels has not come yet",
    ))?;
    let interval = ages.quantile_interval(share, interval::Z);
    Ok(Estimate {
        // Ages are known to within their places, at both of its ends.
        interval: interval.map(|(from, to)| (seconds(from.min(low)), seconds(to.max(high)))),
        bound: Some((seconds(low), seconds(high))),
        ..shown(seconds(high), ages.cases())
    })
}

/// How long labels may take: the longest that an objective of the document grants them.
fn allowed(document: &Document) -> Option<Span> {
    let objectives = document.objectives.iter();
    objectives.filter_map(|o| o.label_delay).max()
}

fn in_time(seen: &Seen<'_>) -> Measurement {
    let ages = ages(seen)?;
    let allowed = allowed(seen.document);
    let allowed = allowed.ok_or(Unmeasurable::Undefined("no objective has a `label_delay`"))?;
    let (value, std_error) = ages.by(allowed).ok_or(Unmeasurable::Undefined(
        "no case has waited as long as labels may take",
    ))?;
    let (low, high) = super::around(value, std_error);
    Ok(Estimate {
        interval: Some((low.max(0.0), high.min(1.0))),
        ..shown(value, ages.cases())
    })
}

fn late_errors(seen: &Seen<'_>) -> Measurement {
    let ages = ages(seen)?;
    let found = ages.errors_go_with_age().ok_or(Unmeasurable::Undefined(
        "too few errors or right decisions at different ages",
    ))?;
    Ok(shown(found, ages.labels()))
}

macro_rules! delays {
    ($($type:ident {
        $name:literal, $title:literal, $unit:literal, $good:ident, $range:expr,
        measure: $measure:expr, $meaning:literal, formula: $formula:literal,
        $(edge_cases: $edges:literal, cannot: $cannot:literal,)? reference: $reference:literal $(,)?
    })*) => {$(
        #[doc = $meaning]
        #[derive(Debug)]
        pub(in crate::metric) struct $type;

        impl Metric for $type {
            const SPEC: MetricSpec = MetricSpec {
                name: $name,
                title: $title,
                unit: $unit,
                good: Comparator::$good,
                range: $range,
                meaning: $meaning,
                formula: $formula,
                $(edge_cases: $edges, cannot_tell: $cannot,)?
                reference: $reference,
                ..DELAY
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

delays! {
    LabelDelayP50 {
        "label_delay.p50", "Median delay of labels", "s", AtMost, (0.0, LONGEST),
        measure: |seen| quantile(seen, 0.5),
        "The age by which half of the cases have their label, as far as cases that still wait let it be \
         known.",
        formula: "The first age at which the curve of arrival (one less Kaplan and Meier's estimate, \
                  cases without a label leaving at the age that they have reached) is 0.5 or more. Ages \
                  are counted in steps: panes at the collector, days at most in files, beyond 64 of them \
                  1/32 of the age; the bound is the step. Interval: where the curve's limits at 95 % \
                  (Greenwood 1926) cross 0.5; none where the lower one does not.",
        reference: "lifelines 0.30, `KaplanMeierFitter` on ages in steps: the curve to 1e-12 up to 64 \
                    steps, within 0.005 beyond (25,145 cases of a public data set, 9,826 of them open).",
    }
    LabelDelayP90 {
        "label_delay.p90", "Delay of labels, 90 %", "s", AtMost, (0.0, LONGEST),
        measure: |seen| quantile(seen, 0.9),
        "The age by which nine tenths of the cases have their label, as far as cases that still wait let \
         it be known.",
        formula: "As `label_delay.p50`, at 0.9.",
        reference: "lifelines 0.30, `KaplanMeierFitter` on ages in steps: the curve to 1e-12 up to 64 \
                    steps, within 0.005 beyond (25,145 cases of a public data set, 9,826 of them open).",
    }
    LabelDelayP95 {
        "label_delay.p95", "Delay of labels, 95 %", "s", AtMost, (0.0, LONGEST),
        measure: |seen| quantile(seen, 0.95),
        "The age by which 95 % of the cases have their label, as far as cases that still wait let it be \
         known: from then on figures hardly change.",
        formula: "As `label_delay.p50`, at 0.95.",
        reference: "lifelines 0.30, `KaplanMeierFitter` on ages in steps: the curve to 1e-12 up to 64 \
                    steps, within 0.005 beyond (25,145 cases of a public data set, 9,826 of them open).",
    }
    LabelledInTime {
        "labelled_in_time", "Labelled in time", "1", AtLeast, (0.0, 1.0), measure: in_time,
        "The share of cases whose label comes within the longest `label_delay` that an objective of the \
         document grants, as far as cases that still wait let it be known.",
        formula: "The curve of arrival (as for `label_delay.p50`) at that age, rounded down to a step. \
                  Interval: normal at 95 %, by Greenwood's standard error.",
        reference: "lifelines 0.30, `KaplanMeierFitter` on ages in steps: the curve to 1e-12 up to 64 \
                    steps, within 0.005 beyond (25,145 cases of a public data set, 9,826 of them open).",
    }
    LateErrors {
        "late_errors.p", "Errors by age of labels, chance", "1", AtLeast, (0.0, 1.0),
        measure: late_errors,
        "How likely it is that wrong decisions are spread over early and late labels as unevenly as they \
         are, if lateness and errors have nothing to do with each other. Small values say that figures \
         from early labels mislead: they are provisional until most labels are there.",
        formula: "Chi-square of wrong and right decisions by age of the label; neighbouring ages are put \
                  together until at least five errors and five right decisions are expected of each.",
        edge_cases: "As `label_delay.p50`; undefined, too, if fewer than two ages are left, and where \
                     predictions are numbers.",
        cannot: "By how much late labels differ, or in which direction. A value above 0.01 shows no \
                 difference; it does not show that there is none.",
        reference: "SciPy 1.17, `chi2_contingency` without correction on the same table of a public \
                    data set: to 1e-9 relative.",
    }
}
