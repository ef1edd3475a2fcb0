//! What scores let expect before labels come: performance estimated from confidence.

use super::{DECIDED, around};
use crate::metric::{
    Estimate, Grade, Measurement, Metric, MetricSpec, NO_END, Sample, SampleKind, Seen, StreamKind,
    Unmeasurable, across, other_kind,
};
use crate::objective::document::{DecisionRule, Document, Subject};
use crate::performance::Figure;
use crate::performance::cells::{Cell, totals};
use crate::performance::expected::{self, Calibration, Expected};
use crate::performance::expected_bounds::{self, Held};
use crate::sketch::{Histogram, SummaryKey, SummaryKind, SummaryOf};

const EXPECTED: MetricSpec = MetricSpec {
    formula: "Scores of the window in cells; the chance of a positive label in a cell from the \
              baseline's labelled scores by increasing regression (pool adjacent violators), half a \
              case added to each side of a pool; cases above the decision's threshold count as decided \
              positive. Expected counts of true and false decisions follow, and the figure from them. \
              Interval: normal at 95 %, from the chance of labels and from that of the reference \
              sample, by the delta method; cells of one pool err together.",
    edge_cases: "No score in the window: no data. A baseline without labelled scores, or with those of \
                 one label only: undefined. A decision that is no threshold on the score: undefined, but \
                 for the area under the ROC curve, which is of no decision. The cell that holds the \
                 threshold is divided in proportion. No bound is known of what the reference's cells \
                 leave open, and so none is given.",
    cannot_tell: "Whether a score still means what it did in the reference: if it does not, the value is \
                  wrong and nothing here shows it. It follows a change of the population, not one of \
                  the world. Never judged: what the reference leaves open is the same in every window, so \
                  that windows are no independent evidence.",
    reference: "NannyML 0.13's confidence-based estimate by its plain definition: shares within 0.002 \
                (50,000 reference rows) to 0.02 (500 rows), where half a case of a pool weighs.",
    grade: Grade::C,
    stream: StreamKind::Traffic,
    sample: SampleKind::Unjudged,
    needs_score: true,
    needs_label: false,
    ..DECIDED
};

const RAW: MetricSpec = MetricSpec {
    formula: "As the figure without `.raw`, the score itself taken as the chance of a positive label. \
              Interval: normal at 95 %, from the chance of labels alone, drawn out by what the bound \
              leaves open on either side. Bound: between which values \
              the figure lies whatever the scores within their cells are, and however the cell that \
              holds the threshold is divided.",
    edge_cases: "No score in the window: no data. A decision that is no threshold on the score: \
                 undefined, but for the area under the ROC curve. The cell that holds the threshold is divided in proportion; the middle of a \
                 cell stands for its scores.",
    cannot_tell: "Whether scores are right as probabilities; if they are not, the value is wrong even \
                  where nothing has changed. Never judged.",
    reference: "NannyML 0.13's confidence-based estimate without calibration, and the same sums over \
                raw scores (numpy 2.4): within the bound in every window of two public data sets.",
    ..EXPECTED
};

const fn key() -> SummaryKey {
    SummaryKey::new(SummaryOf::Score, SummaryKind::Histogram)
}

/// The window's scores in cells.
type Bar = (f64, f64, u64);

/// What is expected of the window's cells, by the baseline or by the scores themselves, and the cells
/// with the threshold, which matters only to figures of decisions.
fn expect(
    seen: &Seen<'_>,
    calibrated: bool,
    decides: bool,
) -> Result<(Vec<Expected>, Vec<Bar>, f64), Unmeasurable> {
    let found = Histogram::of(seen.summary(&key())?).ok_or_else(|| other_kind("histogram"))?;
    let inside = found
        .cells()
        .filter(|cell| cell.high >= 0.0 && cell.low <= 1.0);
    let window: Vec<_> = inside.filter(|cell| cell.count > 0).collect();
    let cases = window.iter().fold(0, |sum, cell| sum + cell.count);
    if cases == 0 {
        return Err(Unmeasurable::NoData);
    }
    let rule = seen.document.outputs.decision.as_ref().map(|d| &d.rule);
    let threshold = match rule {
        Some(DecisionRule::ScoreAtLeast(threshold)) => *threshold,
        // Every case counts, whichever way it was decided.
        _ if !decides => 0.0,
        Some(DecisionRule::Output { .. } | DecisionRule::Class { .. }) | None => {
            let why = "the decision is no threshold on the score";
            return Err(Unmeasurable::Undefined(why));
        }
    };
    let calibration = if calibrated {
        Some(calibration(seen)?)
    } else {
        None
    };
    let expected = window.iter().map(|cell| {
        let (low, high) = (cell.low.max(0.0), cell.high.min(1.0));
        let middle = 0.5 * (low + high);
        let positive = cell.count as f64 * above(low, high, threshold);
        let negative = cell.count as f64 - positive;
        calibration.as_ref().map_or(
            Expected {
                chance: middle,
                pool: 0,
                rests_on: f64::INFINITY,
                positive,
                negative,
            },
            |calibration| calibration.expect(middle, positive, negative),
        )
    });
    let bars = window
        .iter()
        .map(|cell| (cell.low.max(0.0), cell.high.min(1.0), cell.count));
    Ok((expected.collect(), bars.collect(), threshold))
}

/// The cells with what they leave open of decisions.
fn held(bars: &[Bar], threshold: f64) -> Vec<Held> {
    let cell = |(low, high, count): &Bar| {
        let n = *count as f64;
        let (positive, negative) = match (*low >= threshold, *high <= threshold) {
            (true, _) => (n, 0.0),
            (false, true) => (0.0, n),
            (false, false) => (0.0, 0.0),
        };
        Held {
            low: *low,
            high: *high,
            positive,
            negative,
            open: n - positive - negative,
        }
    };
    bars.iter().map(cell).collect()
}

/// A figure's ends by cells.
type Bound = fn(&[Held]) -> Option<(f64, f64)>;

/// The share of a cell at or above a threshold.
fn above(low: f64, high: f64, threshold: f64) -> f64 {
    if low >= threshold {
        1.0
    } else if high <= threshold {
        0.0
    } else {
        (high - threshold) / (high - low)
    }
}

/// What the baseline's labelled scores teach.
fn calibration(seen: &Seen<'_>) -> Result<Calibration, Unmeasurable> {
    let labelled = seen.baseline.labelled.as_ref();
    let scores = labelled.and_then(|labelled| labelled.scores.as_ref());
    let cells: Vec<Cell> = scores.map_or_else(Vec::new, |scores| {
        scores.cells(Some(0)).map(Cell::from).collect()
    });
    let (positives, negatives) = totals(&cells);
    if (positives == 0) != (negatives == 0) {
        return Err(Unmeasurable::Undefined(
            "the baseline's labelled scores have one label only, which teaches nothing of the other",
        ));
    }
    let none = Unmeasurable::Undefined("the baseline has no labelled scores");
    Calibration::fit(&cells).ok_or(none)
}

fn measured(
    seen: &Seen<'_>,
    calibrated: bool,
    decides: bool,
    figure: fn(&[Expected]) -> Option<Figure>,
    bound: Bound,
) -> Measurement {
    let (cells, bars, threshold) = expect(seen, calibrated, decides)?;
    let cases = bars.iter().fold(0, |sum, bar| sum + bar.2);
    let none = Unmeasurable::Undefined("what it divides by is not expected at all");
    let found = figure(&cells).ok_or(none)?;
    let interval = around(found.value, found.std_error);
    let bound = if calibrated {
        // What the reference's cells leave open of each chance is not bounded.
        let points = bars.iter().all(|(low, high, _)| low >= high);
        (!points).then_some((-NO_END, NO_END))
    } else {
        bound(&held(&bars, threshold))
    };
    let known = bound.filter(|_| !calibrated);
    Ok(Estimate {
        value: found.value,
        interval: Some(across(
            found.value,
            interval,
            known.unwrap_or((found.value, found.value)),
            (0.0, 1.0),
        )),
        bound,
        support: cases,
        sample: Sample::Unjudged { of: cases },
    })
}

macro_rules! expectations {
    ($($type:ident, $raw:ident: $name:literal, $title:literal, $figure:ident, decides: $decides:literal,
        $meaning:literal;)*) => {$(
        expectations!(one $type, EXPECTED, true, $name, $title, $figure, $decides,
            concat!($meaning, " Estimated before labels come, from calibrated scores."));
        expectations!(one $raw, RAW, false, concat!($name, ".raw"),
            concat!($title, ", scores taken as chances"), $figure, $decides,
            concat!($meaning, " Estimated before labels come, from the scores as they are."));
    )*};
    (one $type:ident, $spec:ident, $calibrated:literal, $name:expr, $title:expr, $figure:ident,
        $decides:literal, $meaning:expr) => {
        #[doc = $meaning]
        #[derive(Debug)]
        pub(in crate::metric) struct $type;

        impl Metric for $type {
            const SPEC: MetricSpec = MetricSpec {
                name: $name,
                title: $title,
                meaning: $meaning,
                needs_decision: $decides,
                ..$spec
            };

            fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
                vec![key()]
            }

            fn measure(seen: Seen<'_>) -> Measurement {
                measured(&seen, $calibrated, $decides, expected::$figure, expected_bounds::$figure)
            }
        }
    };
}

expectations! {
    ExpectedAccuracy, ExpectedAccuracyRaw: "expected_accuracy", "Expected accuracy",
        accuracy, decides: true, "The share of decisions that will turn out right.";
    ExpectedPrecision, ExpectedPrecisionRaw: "expected_precision", "Expected precision",
        precision, decides: true, "Of the cases decided positive, the share that will turn out positive.";
    ExpectedRecall, ExpectedRecallRaw: "expected_recall", "Expected recall",
        recall, decides: true, "Of the cases that will turn out positive, the share decided positive.";
    ExpectedSpecificity, ExpectedSpecificityRaw: "expected_specificity", "Expected specificity",
        specificity, decides: true, "Of the cases that will turn out negative, the share decided negative.";
    ExpectedF1, ExpectedF1Raw: "expected_f1", "Expected F1",
        f1, decides: true, "The harmonic mean of precision and recall to come.";
    ExpectedRocAuc, ExpectedRocAucRaw: "expected_roc_auc", "Expected area under the ROC curve",
        roc_auc, decides: false, "The chance that a case that will turn out positive has a higher score than \
        one that will turn out negative.";
}
