//! The calibration line: by how much scores are too extreme, and too high.

use super::{SCORED, around, of_labelled, scored, scored_key};
use crate::metric::{
    Estimate, Measurement, Metric, MetricSpec, NO_END, Sample, SampleKind, Seen, Unmeasurable,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::performance::Figure;
use crate::performance::calibration_line::{Line, fit};
use crate::performance::cells::totals;
use crate::sketch::SummaryKey;

/// The slope of the calibration line.
#[derive(Debug)]
pub(in crate::metric) struct CalibrationSlope;

/// The intercept of the calibration line.
#[derive(Debug)]
pub(in crate::metric) struct CalibrationIntercept;

const LINE: MetricSpec = MetricSpec {
    range: (-100.0, 100.0),
    sample: SampleKind::Normal,
    formula: "Logistic regression of the label on the logit of the score (Cox 1958; Miller et al. 1993), by \
              maximum likelihood, the middle of its cell for a score, drawn 2^-17 away from 0 and 1. \
              Standard error: from the information at the fit. Interval: 95 % normal.",
    edge_cases: "No labelled rows: no data. Only one label, all scores in one cell, or scores that \
                 separate the labels without overlap: undefined, as no line is best. The value is of the \
                 middles of cells: no bound of the raw scores' line is known, and both ends of the bound \
                 are given as none, unless every cell knows its only score.",
    reference: "Newton's method on the raw likelihood (numpy 2.4): 1e-9 where scores stand in cells of \
                their own; else within what the middles of cells leave open.",
    ..SCORED
};

fn of_line(seen: &Seen<'_>, part: fn(&Line) -> Figure) -> Measurement {
    let cells = scored(seen)?;
    let (positives, negatives) = totals(&cells);
    let none = Unmeasurable::Undefined("no calibration line fits the scores best");
    let found = part(&fit(&cells).ok_or(none)?);
    let of = positives + negatives;
    // How far the line of the raw scores can lie from that of their cells' middles has no bound that is
    // known.
    let known = cells.iter().all(|c| c.is_point() || c.cases() <= 0.0);
    Ok(Estimate {
        value: found.value,
        interval: Some(around(found.value, found.std_error)),
        bound: (!known).then_some((-NO_END, NO_END)),
        support: of,
        sample: Sample::Normal {
            estimate: found.value,
            std_error: found.std_error,
            of,
            least: positives.min(negatives),
        },
    })
}

impl Metric for CalibrationSlope {
    const SPEC: MetricSpec = MetricSpec {
        name: "calibration_slope",
        title: "Calibration slope",
        good: Comparator::AtLeast,
        meaning: "By how much the log-odds of a positive label grow with those of the score. 1 is right; \
                  below 1 scores are too extreme, as after overfitting; above 1 too timid.",
        cannot_tell: of_labelled!(
            "Bends: scores can be wrong in the middle and right in the mean."
        ),
        ..LINE
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![scored_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        of_line(&seen, |line| line.slope)
    }
}

impl Metric for CalibrationIntercept {
    const SPEC: MetricSpec = MetricSpec {
        name: "calibration_intercept",
        title: "Calibration intercept",
        good: Comparator::AtMost,
        meaning: "The log-odds of a positive label for a score of one half, by the calibration line. 0 is \
                  right; above 0 scores are too low, below 0 too high, if the slope is 1.",
        cannot_tell: of_labelled!("Anything without the slope, with which it moves."),
        ..LINE
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![scored_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        of_line(&seen, |line| line.intercept)
    }
}
