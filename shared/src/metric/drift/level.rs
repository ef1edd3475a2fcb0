//! Shifts of a feature's mean and variance.
use super::family;
use super::read::{DRIFT, both_moments, moment_summary, shown};
use crate::drift::shift::{self, Welch as Test};
use crate::metric::{
    Estimate, Measurement, MetricSpec, Needs, Sample, SampleKind, Seen, Unmeasurable,
};
use crate::objective::document::Comparator;

/// 97.5 % point of the normal law.
const Z: f64 = 1.959_963_984_540_054;

const LEVEL: MetricSpec = MetricSpec {
    range: (-1e12, 1e12),
    needs: Needs::NumericFeature,
    edge_cases: "No number: no data. Missing and invalid values are left out. Moments are exact sums \
                 of values in steps of 2^-40 of the scale; undefined where values lie 2^53 scales or \
                 more from the baseline's median, or where the baseline does not vary.",
    cannot_tell: "Changes that leave mean and variance as they are: a second mode, heavier ends. One \
                  wild value can decide it.",
    ..DRIFT
};

family! { LEVEL, moment_summary;
    /// Standardised difference of the means.
    MeanShift {
        name: "mean_shift",
        title: "Shift of the mean",
        sample: SampleKind::Normal,
        meaning: "How far the feature's mean has moved from the baseline's, in standard deviations \
                  of the baseline; above zero if it rose. An objective on one side bounds that side.",
        formula: "(mean of the window - mean of the baseline) / s of the baseline, s with divisor \
                  n0 - 1 (Glass 1976). Standard error: the root of v / n + 1 / n0 + d^2 / (2 n0 - 2), \
                  with the ratio v of the variances and the shift d. Interval: normal, at 95 %.",
        reference: "NumPy on the raw rows: agrees to 1e-9 relative.",
    } = mean_shift;

    /// Welch's statistic.
    Welch {
        name: "welch",
        title: "Welch's t",
        meaning: "The difference of the means of window and baseline over its standard error, \
                  without taking the variances as equal.",
        formula: "(mean - mean0) / sqrt(s^2 / n + s0^2 / n0).",
        reference: "scipy.stats.ttest_ind with equal_var=False: agrees to 1e-9 relative.",
    } = |seen: &Seen<'_>| {
        let (test, n) = welch(seen)?;
        shown(test.t, n)
    };

    /// p of Welch's statistic.
    WelchP {
        name: "welch.p",
        title: "Welch's test, p-value",
        good: Comparator::AtLeast,
        range: (0.0, 1.0),
        meaning: "The share of windows without any change that would show a `welch` at least so far \
                  from zero.",
        formula: "Both tails of Student's law with Welch and Satterthwaite's degrees of freedom.",
        cannot_tell: "How large a change is, or whether it matters: with enough rows every change is \
                      significant. Looked at window after window, p below 0.05 comes up in one of \
                      twenty though nothing has moved; therefore it is shown and never judged.",
        reference: "scipy.stats.ttest_ind with equal_var=False: agrees to 1e-6 relative.",
    } = |seen: &Seen<'_>| {
        let (test, n) = welch(seen)?;
        shown(test.p_value, n)
    };

    /// Ratio of the variances.
    VarianceRatio {
        name: "variance_ratio",
        title: "Ratio of the variances",
        range: (0.0, 1e12),
        meaning: "The feature's variance in the window over the baseline's: 1 where the spread has \
                  not changed, below where values have come together.",
        formula: "s^2 / s0^2, with divisors n - 1 and n0 - 1.",
        reference: "NumPy on the raw rows: agrees to 1e-9 relative.",
    } = |seen: &Seen<'_>| {
        let (window, baseline) = both_moments(seen)?;
        let ratio = shift::variance_ratio(window, baseline);
        shown(ratio.ok_or(CONSTANT)?, window.n)
    };
}

const CONSTANT: Unmeasurable =
    Unmeasurable::Undefined("fewer than two values, or values that do not differ");

fn mean_shift(seen: &Seen<'_>) -> Measurement {
    let (window, baseline) = both_moments(seen)?;
    let (value, std_error) = shift::standardised(window, baseline).ok_or(CONSTANT)?;
    let half = Z * std_error;
    Ok(Estimate {
        value,
        interval: Some((value - half, value + half)),
        bound: None,
        support: window.n,
        sample: Sample::Normal {
            estimate: value,
            std_error,
            of: window.n,
            least: window.n,
        },
    })
}

fn welch(seen: &Seen<'_>) -> Result<(Test, u64), Unmeasurable> {
    let (window, baseline) = both_moments(seen)?;
    let test = shift::welch(window, baseline).ok_or(CONSTANT)?;
    Ok((test, window.n))
}
