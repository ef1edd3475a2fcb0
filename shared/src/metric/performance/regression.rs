//! Predicted numbers against those that came: sums over labelled cases, exact.

use super::late::NO_FOURTH;
use super::{DECIDED, around, by, by_cells, group, of_labelled, shown};
use crate::bet::{Bets, NoBet, half_space, sizes as cells_of_sizes};
use crate::interval;
use crate::metric::{
    Against, Answers, Estimate, Grade, IntervalFrom, Measurement, Metric, MetricSpec, Sample,
    SampleKind, Seen, Unmeasurable, other_kind,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::performance::Figure;
use crate::performance::regression::{Bar, Spread, determination, explained_variance, root};
use crate::performance::regression::{median, pinball, quantile};
use crate::plan::scale_of_errors;
use crate::sketch::{GroupResiduals, Histogram, Residuals, SummaryKey, SummaryKind, SummaryOf};

/// What metrics of errors have in common.
const ERRORS: MetricSpec = MetricSpec {
    unit: "{label}",
    good: Comparator::AtMost,
    range: (0.0, 1e300),
    grade: Grade::B,
    sample: SampleKind::Unjudged,
    answers: Answers::Number,
    needs_decision: false,
    ..DECIDED
};

pub(super) const fn residuals_key() -> SummaryKey {
    SummaryKey::new(SummaryOf::Error(None), SummaryKind::Residuals)
}

const fn sizes_key() -> SummaryKey {
    SummaryKey::new(SummaryOf::Error(None), SummaryKind::Histogram)
}

fn residuals<'a>(seen: &Seen<'a>) -> Result<GroupResiduals<'a>, Unmeasurable> {
    let found = Residuals::of(seen.summary(&by(residuals_key(), seen.of))?);
    let found = found.ok_or_else(|| other_kind("residuals"))?;
    let found = found.group(Some(group(seen)?));
    if found.n() == 0 {
        return Err(Unmeasurable::NoData);
    }
    Ok(found)
}

/// The absolute errors in cells.
fn sizes(seen: &Seen<'_>) -> Result<Vec<Bar>, Unmeasurable> {
    let found = Histogram::of(seen.summary(&sizes_key())?);
    let found = found.ok_or_else(|| other_kind("histogram"))?;
    let bars: Vec<Bar> = found
        .cells()
        .map(|cell| (cell.low.max(0.0), cell.high, cell.count))
        .collect();
    if bars.iter().all(|bar| bar.2 == 0) {
        return Err(Unmeasurable::NoData);
    }
    Ok(bars)
}

fn errors(found: &GroupResiduals<'_>) -> Spread {
    Spread {
        cases: found.n(),
        mean: found.mean_error().unwrap_or(0.0),
        scatter: found.error_deviations(),
    }
}

/// Errors and labels of the window's labelled predictions.
pub(super) fn errors_of_window(seen: &Seen<'_>) -> Result<(Spread, Spread), Unmeasurable> {
    let found = residuals(seen)?;
    Ok((errors(&found), labels(&found)))
}

fn labels(found: &GroupResiduals<'_>) -> Spread {
    Spread {
        cases: found.n(),
        mean: found.mean_label().unwrap_or(0.0),
        scatter: found.label_deviations(),
    }
}

/// The mean squared error alone, and of how many cases.
pub(super) fn squares(seen: &Seen<'_>) -> Result<(f64, u64), Unmeasurable> {
    let found = residuals(seen)?;
    let value = found.mean_squared_error().ok_or(Unmeasurable::NoData)?;
    Ok((value, found.n()))
}

/// The mean squared error, its standard error from the fourth powers of cells' middles.
fn squared(seen: &Seen<'_>) -> Result<Figure, Unmeasurable> {
    let found = residuals(seen)?;
    let value = found.mean_squared_error().ok_or(Unmeasurable::NoData)?;
    let (mut cases, mut fourth) = (0.0, 0.0);
    for (low, high, count) in sizes(seen)? {
        let size = 0.5 * (low + high);
        cases += count as f64;
        fourth += count as f64 * size * size * size * size;
    }
    let variance = (fourth / cases - value * value).max(0.0);
    Ok(Figure {
        value,
        std_error: (variance / cases).sqrt(),
    })
}

/// A mean with its standard error, not below `least`.
fn mean(figure: Figure, least: f64, of: u64) -> Estimate {
    let (low, high) = around(figure.value, figure.std_error);
    Estimate {
        value: figure.value,
        interval: Some((low.max(least), high)),
        bound: None,
        support: of,
        sample: Sample::Normal {
            estimate: figure.value,
            std_error: figure.std_error,
            of,
            least: of,
        },
    }
}

const ALL_ZERO: Unmeasurable = Unmeasurable::Undefined("every label is 0");
const ALIKE: Unmeasurable = Unmeasurable::Undefined("all labels are the same");
const NEGATIVE: Unmeasurable = Unmeasurable::Undefined("a label or a prediction is negative");

macro_rules! errors {
    ($($type:ident {
        $name:literal, $title:literal, $base:expr, reads: [$($key:expr),+],
        $(bets: $bets:expr,)?
        measure: $measure:expr, $meaning:literal, formula: $formula:literal, edge: $edge:literal,
        cannot: $cannot:literal, reference: $reference:literal $(,)?
    })*) => {$(
        #[doc = $meaning]
        #[derive(Debug)]
        pub(in crate::metric) struct $type;

        impl Metric for $type {
            const SPEC: MetricSpec = MetricSpec {
                name: $name,
                title: $title,
                meaning: $meaning,
                formula: $formula,
                edge_cases: concat!("No labelled prediction: no data. ", $edge),
                cannot_tell: of_labelled!($cannot),
                reference: concat!("scikit-learn 1.9, ", $reference),
                ..$base
            };

            fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
                vec![$($key),+]
            }

            fn measure(seen: Seen<'_>) -> Measurement {
                let measure: fn(&Seen<'_>) -> Measurement = $measure;
                measure(&seen)
            }

            $(fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
                let bets: fn(&Against<'_>) -> Result<Bets, NoBet> = $bets;
                bets(&against)
            })?
        }
    )*};
}

/// Means that a ledger may judge.
const MEAN: MetricSpec = MetricSpec {
    sample: SampleKind::Normal,
    ..ERRORS
};

/// Means and quantiles of absolute errors, which a ledger judges by their cells.
const BY_CELLS: MetricSpec = MetricSpec {
    grade: Grade::A,
    sample: SampleKind::Cells,
    ..ERRORS
};

/// Absolute errors by the bets' cells.
fn size_counts(seen: &Seen<'_>) -> Result<Vec<u64>, Unmeasurable> {
    let found = Histogram::of(seen.summary(&sizes_key())?);
    Ok(cells_of_sizes::counts(
        found.ok_or_else(|| other_kind("histogram"))?,
    ))
}

/// The ends of the bets' cells.
fn size_cells(against: &Against<'_>) -> Result<Vec<(f64, f64)>, NoBet> {
    let scale = scale_of_errors(against.baseline);
    let none = || NoBet("the baseline's predictions are no numbers; build it again".to_owned());
    scale.map(cells_of_sizes::edges).ok_or_else(none)
}

/// Bets on a mean of absolute errors, or of their squares, at a level on that scale.
fn mean_bets(against: &Against<'_>, of: fn(f64) -> f64, level: f64) -> Result<Bets, NoBet> {
    if against.comparator == Comparator::AtLeast {
        return Err(NoBet(format!(
            "level {}: errors have no upper end, so that a mean of at least so much cannot be judged; \
             set \"at most\"",
            against.level
        )));
    }
    let lows: Vec<f64> = size_cells(against)?.iter().map(|cell| of(cell.0)).collect();
    half_space::mean_at_most(&lows, level).map(Bets::Cells)
}

fn square(x: f64) -> f64 {
    x * x
}

/// Bets on a quantile of absolute errors.
fn quantile_bets(against: &Against<'_>, share: f64) -> Result<Bets, NoBet> {
    // Cells hold their lower end: only from beyond the level on are all their values above it.
    let level = match against.comparator {
        Comparator::AtMost => against.level.next_up(),
        Comparator::AtLeast => against.level,
    };
    let cells = size_cells(against)?;
    half_space::quantile(&cells, share, level, against.comparator).map(Bets::Cells)
}

/// A quantile as a ledger judges it. Its standard error is half the distance between the quantiles
/// one standard error of the share away.
fn quantile_of_sizes(
    seen: &Seen<'_>,
    share: f64,
    of: impl Fn(&[Bar]) -> Option<crate::performance::Bracketed>,
) -> Measurement {
    let shown = of_sizes(seen, of)?;
    let (bars, n) = (sizes(seen)?, shown.support as f64);
    let step = (share * (1.0 - share) / n).sqrt();
    let ends =
        quantile(&bars, (share - step).max(0.0)).zip(quantile(&bars, (share + step).min(1.0)));
    let (low, high) = ends.ok_or(Unmeasurable::NoData)?;
    // Between the quantiles two standard errors of the share away.
    let far = interval::Z * step;
    let from = quantile(&bars, (share - far).max(0.0)).map(|found| found.low);
    let to = quantile(&bars, (share + far).min(1.0)).map(|found| found.high);
    Ok(Estimate {
        interval: from
            .zip(to)
            .map(|(from, to)| (from.min(shown.value), to.max(shown.value))),
        sample: Sample::Cells {
            counts: size_counts(seen)?,
            estimate: shown.value,
            std_error: (0.5 * (high.high - low.low)).min(WIDEST),
            least: shown.support,
        },
        ..shown
    })
}

/// Standard errors are cut here: beyond, they say nothing anyway.
const WIDEST: f64 = 1e100;

/// Pure numbers.
const RELATIVE: MetricSpec = MetricSpec {
    unit: "1",
    interval: IntervalFrom::Nothing(
        "no squares of its terms are kept, which its scatter follows from",
    ),
    ..ERRORS
};

/// Losses of which only the sum follows from what is kept.
const PINBALL: MetricSpec = MetricSpec {
    interval: RELATIVE.interval,
    ..ERRORS
};

/// Shares of variance.
const SHARE: MetricSpec = MetricSpec {
    unit: "1",
    good: Comparator::AtLeast,
    range: (-1e300, 1.0),
    interval: IntervalFrom::Nothing(NO_FOURTH),
    ..ERRORS
};

fn of_sizes(
    seen: &Seen<'_>,
    of: impl Fn(&[Bar]) -> Option<crate::performance::Bracketed>,
) -> Measurement {
    let bars = sizes(seen)?;
    let found = of(&bars).ok_or(Unmeasurable::NoData)?;
    let cases = bars.iter().fold(0, |sum, bar| sum + bar.2);
    Ok(super::shown_within(found, cases))
}

fn of_pinball(seen: &Seen<'_>, level: f64) -> Measurement {
    let found = residuals(seen)?;
    let means = found.mean_error().zip(found.mean_absolute_error());
    let (error, absolute) = means.ok_or(Unmeasurable::NoData)?;
    Ok(shown(pinball(level, error, absolute), found.n()))
}

errors! {
    MeanAbsoluteError {
        "mae", "Mean absolute error", BY_CELLS, reads: [residuals_key(), sizes_key()],
        bets: |against| mean_bets(against, |low| low, against.level),
        measure: |seen| {
            let found = residuals(seen)?;
            let spread = Spread {
                cases: found.n(),
                mean: found.mean_absolute_error().ok_or(Unmeasurable::NoData)?,
                scatter: found.absolute_error_deviations(),
            };
            let figure = spread.figure().ok_or(Unmeasurable::NoData)?;
            Ok(by_cells(mean(figure, 0.0, found.n()), size_counts(seen)?))
        },
        "How far predictions are from what came, in the mean and in the unit of the prediction.",
        formula: "Mean of |prediction - label| over labelled cases, rounded to 2^-50 of the scale and added \
                  up as integers. Interval: 95 % normal, from the variance of the absolute errors. The ledger reads \
                  the histogram of absolute errors and takes each at the lower end of its cell: exact at any \
                  number of cases, and blind to a breach of less than 3 %.",
        edge: "Values that are no finite number have no error and are left out.",
        cannot: "Whether predictions are too high or too low; that is the mean error.",
        reference: "`mean_absolute_error`: to 1e-9 relative.",
    }
    MeanSquaredError {
        "mse", "Mean squared error", BY_CELLS, reads: [residuals_key(), sizes_key()],
        bets: |against| mean_bets(against, square, against.level),
        measure: |seen| {
            Ok(by_cells(mean(squared(seen)?, 0.0, residuals(seen)?.n()), size_counts(seen)?))
        },
        "The squared distance of predictions from what came, in the mean: large errors weigh most. In the \
         unit of the prediction, squared.",
        formula: "Mean of (prediction - label)^2 over labelled cases, added up as integers. Interval: 95 % \
                  normal, with fourth powers from the histogram of absolute errors. The ledger reads that \
                  histogram and takes each error at the lower end of its cell: exact at any number of cases, \
                  and blind to a breach of less than 6 %.",
        edge: "A single wild label can rule it.",
        cannot: "Whether many small errors or few large ones make it.",
        reference: "`mean_squared_error`: to 1e-9 relative.",
    }
    RootMeanSquaredError {
        "rmse", "Root mean squared error", BY_CELLS, reads: [residuals_key(), sizes_key()],
        bets: |against| mean_bets(against, square, square(against.level)),
        measure: |seen| {
            let figure = root(squared(seen)?);
            Ok(by_cells(mean(figure, 0.0, residuals(seen)?.n()), size_counts(seen)?))
        },
        "The root of the mean squared error: a typical error in the unit of the prediction, large ones \
         weighing most.",
        formula: "Root of `mse`; its standard error by the delta method. Interval: 95 % normal. The ledger judges \
                  the mean square against the level's square, as for `mse`.",
        edge: "A single wild label can rule it.",
        cannot: "Whether many small errors or few large ones make it.",
        reference: "`root_mean_squared_error`: to 1e-9 relative.",
    }
    MeanError {
        "mean_error", "Mean error", MeanErrorSpec::SPEC, reads: [residuals_key()],
        measure: |seen| {
            let found = residuals(seen)?;
            let figure = errors(&found).figure().ok_or(Unmeasurable::NoData)?;
            Ok(mean(figure, f64::NEG_INFINITY, found.n()))
        },
        "Whether predictions are too high (above 0) or too low (below 0) in the mean, in the unit of the \
         prediction: bias.",
        formula: "Mean of prediction - label over labelled cases, added up as integers. Interval: 95 % normal, \
                  from the variance of the errors.",
        edge: "Which side is good depends on which error costs more: state two objectives, one for each \
               direction.",
        cannot: "How large errors are: those of both signs cancel.",
        reference: "mean of prediction less label (numpy 2.4): to 1e-9 relative.",
    }
    MedianAbsoluteError {
        "median_absolute_error", "Median absolute error", BY_CELLS, reads: [sizes_key()],
        bets: |against| quantile_bets(against, 0.5),
        measure: |seen| quantile_of_sizes(seen, 0.5, median),
        "Half of the predictions are nearer to what came than this, half farther, in the unit of the \
         prediction.",
        formula: "Median of |prediction - label| from its histogram: the middle of its cell; of an even number \
                  of cases the mean of the two in the middle. Bound: the edges of the cells. Interval: between \
                  the quantiles 1.96 standard errors of the share away, over their cells. The ledger judges the \
                  share of errors in cells beyond the level, exact at any number of cases; the level's own cell \
                  counts for the objective.",
        edge: "Values that are no finite number are left out.",
        cannot: "How far off the worse half is.",
        reference: "`median_absolute_error` lies within the bound.",
    }
    AbsoluteErrorP90 {
        "absolute_error_p90", "Absolute error, 90 % quantile", BY_CELLS, reads: [sizes_key()],
        bets: |against| quantile_bets(against, 0.9),
        measure: |seen| quantile_of_sizes(seen, 0.9, |bars| quantile(bars, 0.9)),
        "Nine of ten predictions are nearer to what came than this, in the unit of the prediction.",
        formula: "The case of rank ceil(0.9 n) in the histogram of |prediction - label|: the middle of its \
                  cell. Bound: the edges of the cell. The ledger judges the share of errors in cells beyond the \
                  level, exact at any number of cases; the level's own cell counts for the objective.",
        edge: "Values that are no finite number are left out.",
        cannot: "How far off the worst tenth is.",
        reference: "the same rank of the sorted raw errors (numpy 2.4) lies within the bound.",
    }
    AbsolutePercentageError {
        "mape", "Mean absolute percentage error", RELATIVE, reads: [residuals_key()],
        measure: |seen| {
            let found = residuals(seen)?;
            let value = found.mean_relative_error_of_nonzero().ok_or(ALL_ZERO)?;
            Ok(shown(value, found.n() - found.zero_labels()))
        },
        "How far predictions are from what came as a share of what came, in the mean over labels that are \
         not 0.",
        formula: "Mean of |prediction - label| / |label| over labelled cases whose label is not 0.",
        edge: "Labels of 0 are left out and counted apart; if there is no other, undefined. `mape.floor` divides \
               by 2^-52 there, as libraries do.",
        cannot: "How predictions fare where labels are 0. Predictions that are too low cost at most 1, too high \
                 ones any amount.",
        reference: "`mean_absolute_percentage_error` without labels of 0: to 1e-9 relative.",
    }
    AbsolutePercentageErrorFloor {
        "mape.floor", "Mean absolute percentage error, with a floor", RELATIVE, reads: [residuals_key()],
        measure: |seen| {
            let found = residuals(seen)?;
            let none = Unmeasurable::Undefined("a relative error is too large to be added up");
            Ok(shown(found.mean_relative_error().ok_or(none)?, found.n()))
        },
        "How far predictions are from what came as a share of what came, as libraries have it: labels of 0 \
         count as 2^-52. For comparison.",
        formula: "Mean of |prediction - label| / max(|label|, 2^-52) over labelled cases.",
        edge: "One label of 0 makes it astronomically large.",
        cannot: "Anything, as soon as a label is 0.",
        reference: "`mean_absolute_percentage_error`: to 1e-9 relative.",
    }
    SymmetricPercentageError {
        "smape", "Symmetric mean absolute percentage error", RELATIVE, reads: [residuals_key()],
        measure: |seen| {
            let found = residuals(seen)?;
            Ok(shown(found.mean_symmetric_error().ok_or(Unmeasurable::NoData)?, found.n()))
        },
        "How far predictions are from what came as a share of the middle of both, in the mean: from 0 to 2.",
        formula: "Mean of 2 |prediction - label| / (|prediction| + |label|), 0 where both are 0 (Makridakis 1993).",
        edge: "Where prediction and label have different signs, a case costs 2 whatever the distance.",
        cannot: "Whether predictions are too high or too low.",
        reference: "the same mean of raw values (numpy 2.4): to 1e-9 relative.",
    }
    SquaredLogError {
        "msle", "Mean squared logarithmic error", RELATIVE, reads: [residuals_key()],
        measure: |seen| {
            let found = residuals(seen)?;
            Ok(shown(found.mean_squared_log_error().ok_or(NEGATIVE)?, found.n()))
        },
        "The squared distance between the logarithms of prediction and label, in the mean: errors as factors.",
        formula: "Mean of (ln(1 + prediction) - ln(1 + label))^2 over labelled cases.",
        edge: "A negative label or prediction: undefined.",
        cannot: "How far off large values are in their unit.",
        reference: "`mean_squared_log_error`: to 1e-9 relative.",
    }
    RootSquaredLogError {
        "rmsle", "Root mean squared logarithmic error", RELATIVE, reads: [residuals_key()],
        measure: |seen| {
            let found = residuals(seen)?;
            Ok(shown(found.mean_squared_log_error().ok_or(NEGATIVE)?.sqrt(), found.n()))
        },
        "The root of the mean squared logarithmic error: a typical error as a factor, less one if small.",
        formula: "Root of `msle`: of the mean of (ln(1 + prediction) - ln(1 + label))^2 over labelled cases.",
        edge: "A negative label or prediction: undefined.",
        cannot: "How far off large values are in their unit.",
        reference: "`root_mean_squared_log_error`: to 1e-9 relative.",
    }
    PinballLow {
        "pinball_10", "Pinball loss at 10 %", PINBALL, reads: [residuals_key()],
        measure: |seen| of_pinball(seen, 0.1),
        "How good predictions are as forecasts of the 10 % quantile: being too high costs nine times as much \
         as being too low.",
        formula: "Mean of max(0.1 e, -0.9 e) with e = label - prediction (Koenker and Bassett 1978), from the mean \
                  error and the mean absolute error.",
        edge: "Right for predictions meant as that quantile only.",
        cannot: "Whether a tenth of labels lies below the predictions.",
        reference: "`mean_pinball_loss` at 0.1: to 1e-9 relative.",
    }
    PinballHigh {
        "pinball_90", "Pinball loss at 90 %", PINBALL, reads: [residuals_key()],
        measure: |seen| of_pinball(seen, 0.9),
        "How good predictions are as forecasts of the 90 % quantile: being too low costs nine times as much \
         as being too high.",
        formula: "Mean of max(0.9 e, -0.1 e) with e = label - prediction (Koenker and Bassett 1978), from the mean \
                  error and the mean absolute error.",
        edge: "Right for predictions meant as that quantile only.",
        cannot: "Whether nine tenths of labels lie below the predictions.",
        reference: "`mean_pinball_loss` at 0.9: to 1e-9 relative.",
    }
    Determination {
        "r2", "R squared", SHARE, reads: [residuals_key()],
        measure: |seen| {
            let found = residuals(seen)?;
            let value = determination(&errors(&found), &labels(&found)).ok_or(ALIKE)?;
            Ok(shown(value, found.n()))
        },
        "The share of the labels' variance that predictions explain: 1 is without error, 0 as good as always \
         answering the labels' mean, below 0 worse.",
        formula: "1 - sum of (prediction - label)^2 / sum of (label - mean label)^2, sums as integers.",
        edge: "All labels the same: undefined. One case: undefined.",
        cannot: "How large errors are. It rises with the variance of labels, though predictions are no better.",
        reference: "`r2_score`: to 1e-9 relative.",
    }
    ExplainedVariance {
        "explained_variance", "Explained variance", SHARE, reads: [residuals_key()],
        measure: |seen| {
            let found = residuals(seen)?;
            let value = explained_variance(&errors(&found), &labels(&found)).ok_or(ALIKE)?;
            Ok(shown(value, found.n()))
        },
        "The share of the labels' variance that predictions explain but for a constant error: `r2` as if the mean \
         error were 0.",
        formula: "1 - variance of the errors / variance of the labels, sums as integers.",
        edge: "All labels the same: undefined. One case: undefined.",
        cannot: "Whether predictions are too high or too low in the mean.",
        reference: "`explained_variance_score`: to 1e-9 relative.",
    }
}

/// The base of a mean that may lie on either side of 0.
struct MeanErrorSpec;

impl MeanErrorSpec {
    const SPEC: MetricSpec = MetricSpec {
        range: (-1e300, 1e300),
        ..MEAN
    };
}
