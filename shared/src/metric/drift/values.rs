//! What a feature's values are in the window, beside the baseline or not: mean, spread, quartiles.
use super::family;
use super::read::{
    DRIFT, grid, moment_summary, moments, shape_summaries, shown, shown_bracketed, shown_within,
    window_points,
};
use crate::baseline::Law;
use crate::bet::{Bets, NoBet, half_space};
use crate::metric::{
    Against, Estimate, Grade, IntervalFrom, Measurement, MetricSpec, Needs, Sample, SampleKind,
    Seen, Unmeasurable, share,
};
use crate::objective::document::Comparator;
use crate::sketch::Moments;

/// 97.5 % point of the normal law.
const Z: f64 = 1.959_963_984_540_054;

const VALUES: MetricSpec = MetricSpec {
    unit: "{feature}",
    range: (-1e300, 1e300),
    needs: Needs::NumericFeature,
    edge_cases: "No number: no data. Missing and invalid values are left out. Undefined where values \
                 lie 2^53 scales or more from the baseline's median.",
    cannot_tell: "Whether it has moved from the baseline, or whether that matters. One wild value \
                  can decide it.",
    reference: "NumPy on the raw rows: agrees to 1e-9 relative in every window of four public data \
                sets.",
    ..DRIFT
};

const QUANTILE: MetricSpec = MetricSpec {
    edge_cases: "No number: no data. Missing and invalid values are left out. The value is taken of \
                 the middles of the cells of the common refinement, the bound of their ends; it is \
                 left out where the cells are single values. Interval: the quantiles 1.96 standard errors \
                 of the share to either side, to the ends of their cells. Undefined beyond the histogram's last \
                 cell. The ledger judges the share of values beyond the level, by the counts at and \
                 between the baseline's points, and is exact at any number of rows; values between the \
                 same points as the level count for the objective, up to one in fifty of them. Running \
                 mean: standard error half the distance between the quantiles one standard error of \
                 the share away.",
    cannot_tell: "Whether it has moved from the baseline, or whether that matters; anything about \
                  the values on either side of it. Rows of one request count as independent cases \
                  unless the objective's `cluster` says how many go together.",
    grade: Grade::A,
    sample: SampleKind::Cells,
    reference: "numpy.quantile on the raw rows lies within the bound in every window of four public \
                data sets.",
    ..VALUES
};

/// Of values that are flags.
const FLAGS: MetricSpec = MetricSpec {
    unit: "1",
    range: (0.0, 1.0),
    good: Comparator::AtMost,
    edge_cases: "No value: no data. Missing and invalid values are left out. A value that is neither 0 nor \
                 1: undefined.",
    cannot_tell: "Whether a flag is right: of phrases, whether a text that has one means it, or one without \
                  says the same in other words. Rows of one request count as independent cases unless \
                  the objective's `cluster` says how many go together.",
    reference: "The share counted by hand of texts and of zeros and ones, and again from the moments by \
                integers alone.",
    grade: Grade::A,
    sample: SampleKind::Rate,
    ..VALUES
};

family! { FLAGS, moment_summary;
    /// Share of flags that are set.
    FlagRate {
        name: "flag_rate",
        title: "Share of flags",
        meaning: "Of a feature whose values are 1 or 0, the share of ones: of answers in which one of the \
                  listed phrases stands (refusals, say), of answers that are JSON, of verdicts of a \
                  guardrail.",
        formula: "Ones / values. Interval: Wilson, 95 %. The ledger reads the two counts: exact at any \
                  number of values.",
    } = |seen: &Seen<'_>| {
        let moments = summed(seen)?;
        let (mean, square) = moments
            .mean()
            .zip(moments.mean_square())
            .ok_or(Unmeasurable::NoData)?;
        // Sums of zeros and ones are the same as those of their squares, and whole.
        let (n, ones) = (moments.n(), libm::rint(mean * moments.n() as f64));
        let whole = (mean * n as f64 - ones).abs() <= 1e-6 && (square - mean).abs() <= 1e-9;
        if !whole || !(0.0..=n as f64).contains(&ones) {
            return Err(Unmeasurable::Undefined("values are not all 0 or 1"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, and between 0 and a count"
        )]
        let ones = ones as u64;
        share(ones, n)
    };
}

family! { VALUES, moment_summary;
    /// Arithmetic mean.
    Mean {
        name: "mean",
        title: "Mean",
        meaning: "The arithmetic mean of the feature's numbers in the window, in its own unit.",
        formula: "Sum over n, the sum exact in steps of 2^-40 of the scale. Interval: mean \
                  +- 1.96 s / sqrt(n).",
    } = |seen: &Seen<'_>| {
        let moments = summed(seen)?;
        let mean = moments.mean().ok_or(Unmeasurable::NoData)?;
        match moments.std() {
            Some(std) => {
                let half = Z * std / libm::sqrt(moments.n() as f64);
                shown_within(mean, (mean - half, mean + half), moments.n())
            }
            None => shown(mean, moments.n()),
        }
    };

    /// Standard deviation with divisor n - 1.
    StandardDeviation {
        name: "standard_deviation",
        interval: IntervalFrom::Resampling,
        title: "Standard deviation",
        range: (0.0, 1e300),
        meaning: "The standard deviation of the feature's numbers in the window, in its own unit.",
        formula: "The root of the sum of squared distances from the mean over n - 1, from exact \
                  sums. Undefined with a single value.",
    } = |seen: &Seen<'_>| {
        let moments = summed(seen)?;
        let std = moments.std().ok_or(Unmeasurable::Undefined("a single value has no spread"))?;
        shown(std, moments.n())
    };
}

family! { QUANTILE, shape_summaries;
    /// Lower quartile.
    Quantile25 {
        name: "quantile.25",
        title: "Lower quartile",
        meaning: "The number below which a quarter of the feature's values in the window lie.",
        formula: "Position 0.25 (n - 1) of the sorted values, interpolated linearly.",
    } by |against: &Against<'_>| bets(against, 0.25), = |seen: &Seen<'_>| quantile(seen, 0.25);

    /// Median.
    Median {
        name: "median",
        title: "Median",
        meaning: "The number below which half of the feature's values in the window lie.",
        formula: "Position 0.5 (n - 1) of the sorted values, interpolated linearly.",
    } by |against: &Against<'_>| bets(against, 0.5), = |seen: &Seen<'_>| quantile(seen, 0.5);

    /// Upper quartile.
    Quantile75 {
        name: "quantile.75",
        title: "Upper quartile",
        meaning: "The number below which three quarters of the feature's values in the window lie.",
        formula: "Position 0.75 (n - 1) of the sorted values, interpolated linearly.",
    } by |against: &Against<'_>| bets(against, 0.75), = |seen: &Seen<'_>| quantile(seen, 0.75);
}

fn summed<'a>(seen: &Seen<'a>) -> Result<&'a Moments, Unmeasurable> {
    let moments = moments(seen)?;
    if moments.total() == 0 {
        Err(Unmeasurable::NoData)
    } else if moments.beyond() > 0 {
        Err(Unmeasurable::Undefined(
            "values are too far from the baseline's to be added up",
        ))
    } else {
        Ok(moments)
    }
}

fn quantile(seen: &Seen<'_>, u: f64) -> Measurement {
    let grid = grid(seen)?;
    let found = grid.window_quantile(u).ok_or(Unmeasurable::Undefined(
        "it lies beyond the histogram's last cell",
    ))?;
    let n = grid.totals().0;
    let step = libm::sqrt(u * (1.0 - u) / n as f64);
    let below = grid.window_quantile((u - step).max(0.0));
    let above = grid.window_quantile((u + step).min(1.0));
    let error = below
        .zip(above)
        .map(|(low, high)| 0.5 * (high.high - low.low));
    let ends = grid
        .window_quantile((u - Z * step).max(0.0))
        .zip(grid.window_quantile((u + Z * step).min(1.0)));
    let ends = ends.map(|(low, high)| (low.low, high.high));
    Ok(Estimate {
        interval: ends.filter(|(low, high)| low.is_finite() && high.is_finite()),
        sample: Sample::Cells {
            counts: window_points(seen)?
                .cells()
                .map(|cell| cell.count)
                .collect(),
            estimate: found.value,
            std_error: error.filter(|e| e.is_finite()).unwrap_or(WIDEST),
            least: n,
        },
        ..shown_bracketed(found, n)?
    })
}

/// The standard error where a quantile one standard error away lies beyond the last cell.
const WIDEST: f64 = 1e100;

fn bets(against: &Against<'_>, u: f64) -> Result<Bets, NoBet> {
    let feature = against.of.feature.as_ref();
    let law = feature.and_then(|feature| against.baseline.features.get(feature));
    let shape = law.and_then(Law::shape).ok_or_else(|| {
        NoBet(
            "the baseline does not hold the law of the feature's numbers; build it again"
                .to_owned(),
        )
    })?;
    let cells: Vec<(f64, f64)> = shape.points.cells().map(|c| (c.low, c.high)).collect();
    half_space::quantile(&cells, u, against.level, against.comparator).map(Bets::Cells)
}
