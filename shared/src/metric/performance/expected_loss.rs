//! What predicted numbers let expect of their errors before labels come.

use super::{DECIDED, around};
use crate::metric::{
    Answers, Estimate, Grade, Measurement, Metric, MetricSpec, Sample, SampleKind, Seen,
    StreamKind, Unmeasurable, other_kind,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::performance::Figure;
use crate::performance::expected_loss::{Cell, expected};
use crate::performance::regression::root;
use crate::sketch::{CutCounts, SummaryKey, SummaryKind, SummaryOf};

const EXPECTED: MetricSpec = MetricSpec {
    unit: "{label}",
    good: Comparator::AtMost,
    range: (0.0, 1e300),
    formula: "Predicted numbers of the window in the cells between the baseline's deciles; in each cell \
              the mean loss of the baseline's labelled predictions; their mean, weighed by the cells' \
              shares of the window. Interval: normal at 95 %, from how losses scatter within cells and \
              from what so many reference rows leave open of each cell's mean; the second part does not \
              shrink as the window grows.",
    edge_cases: "No prediction in the window: no data. A baseline without labelled predictions: \
                 undefined. A cell with fewer than two reference rows takes the mean over all.",
    cannot_tell: "Whether errors have changed for predictions of the same size: if they have, the value \
                  is wrong and nothing here shows it. It follows a change of the population along the \
                  prediction, not one of the world, and not one of inputs that leave predictions alike. \
                  Never judged: what the reference leaves open is the same in every window, so that \
                  windows are no independent evidence.",
    reference: "The same sums on the raw rows of a public data set in Python: to 1e-9 relative. NannyML \
                0.13 learns the loss by gradient boosting from all inputs: within 1.3 % of it in the \
                reference and in five windows without drift; where inputs drift so that errors fall \
                among predictions of the same size, it follows (mean absolute error 715, in truth 703) \
                and this does not (806).",
    grade: Grade::C,
    stream: StreamKind::Traffic,
    sample: SampleKind::Unjudged,
    needs_decision: false,
    needs_label: false,
    answers: Answers::Number,
    ..DECIDED
};

const fn key() -> SummaryKey {
    SummaryKey::new(SummaryOf::Value, SummaryKind::CutCounts)
}

/// What a loss is.
#[derive(Clone, Copy)]
enum Loss {
    Absolute,
    Squared,
}

/// The expected mean loss, and the window's cases.
fn loss(seen: &Seen<'_>, loss: Loss) -> Result<(Figure, u64), Unmeasurable> {
    const NONE: Unmeasurable = Unmeasurable::Undefined("the baseline has no labelled predictions");
    let counts = CutCounts::of(seen.summary(&key())?).ok_or_else(|| other_kind("cut counts"))?;
    let counts = counts.counts();
    let cases = counts.iter().fold(0_u64, |sum, n| sum.saturating_add(*n));
    if cases == 0 {
        return Err(Unmeasurable::NoData);
    }
    let errors = seen.baseline.errors.as_ref().ok_or(NONE)?;
    if errors.cells.len() != counts.len() {
        return Err(NONE);
    }
    let cells: Vec<Cell> = errors
        .cells
        .iter()
        .zip(counts)
        .map(|(known, cases)| Cell {
            reference: match loss {
                Loss::Absolute => known.spread(known.absolute),
                Loss::Squared => known.spread(known.squared),
            },
            cases,
        })
        .collect();
    Ok((expected(&cells).ok_or(NONE)?, cases))
}

fn estimate((found, of): (Figure, u64)) -> Estimate {
    let (low, high) = around(found.value, found.std_error);
    Estimate {
        value: found.value,
        interval: Some((low.max(0.0), high)),
        bound: None,
        support: of,
        sample: Sample::Unjudged { of },
    }
}

macro_rules! expectations {
    ($($type:ident: $name:literal, $title:literal, $unit:literal, $measure:expr, $meaning:literal;)*) => {$(
        #[doc = $meaning]
        #[derive(Debug)]
        pub(in crate::metric) struct $type;

        impl Metric for $type {
            const SPEC: MetricSpec = MetricSpec {
                name: $name,
                title: $title,
                unit: $unit,
                meaning: concat!($meaning, " Estimated before labels come (direct loss estimation)."),
                ..EXPECTED
            };

            fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
                vec![key()]
            }

            fn measure(seen: Seen<'_>) -> Measurement {
                let measure: fn(&Seen<'_>) -> Measurement = $measure;
                measure(&seen)
            }
        }
    )*};
}

expectations! {
    ExpectedMeanAbsoluteError: "expected_mae", "Expected mean absolute error", "{label}",
        |seen| loss(seen, Loss::Absolute).map(estimate),
        "How far predictions will lie from their labels, on average.";
    ExpectedMeanSquaredError: "expected_mse", "Expected mean squared error", "{label}2",
        |seen| loss(seen, Loss::Squared).map(estimate),
        "The mean of squared errors to come.";
    ExpectedRootMeanSquaredError: "expected_rmse", "Expected root mean squared error", "{label}",
        |seen| loss(seen, Loss::Squared).map(|(found, of)| estimate((root(found), of))),
        "The root of the mean of squared errors to come.";
}
