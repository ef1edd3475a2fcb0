//! Shifts of a feature's mean and variance.
use super::family;
use super::read::{DRIFT, NO_P_VALUE, both_moments, moment_summary, shown, shown_within};
use crate::drift::shift::{self, Moments, Welch as Test};
use crate::metric::{
    Estimate, IntervalFrom, Measurement, MetricSpec, Needs, Sample, SampleKind, Seen, Unmeasurable,
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
        formula: "(mean - mean0) / sqrt(s^2 / n + s0^2 / n0). Interval: 1.96 to either side, for what it \
                  would be without chance, since it is in standard errors itself.",
        reference: "scipy.stats.ttest_ind with equal_var=False: agrees to 1e-9 relative.",
    } = |seen: &Seen<'_>| {
        let (test, n) = welch(seen)?;
        shown_within(test.t, (test.t - Z, test.t + Z), n)
    };

    /// p of Welch's statistic.
    WelchP {
        name: "welch.p",
        interval: NO_P_VALUE,
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
        interval: IntervalFrom::Resampling,
        title: "Ratio of the variances",
        range: (0.0, 1e12),
        meaning: "The feature's variance in the window over the baseline's: 1 where the spread has \
                  not changed, below where values have come together.",
        formula: "s^2 / s0^2, with divisors n - 1 and n0 - 1.",
        reference: "NumPy on the raw rows: agrees to 1e-9 relative.",
    } = |seen: &Seen<'_>| {
        let ([window, baseline], _) = both_moments(seen)?;
        let ratio = shift::variance_ratio(window, baseline);
        shown(ratio.ok_or_else(|| why(2, window, baseline))?, window.n)
    };
}

/// Why moments give no value.
fn why(least: u64, window: Moments, baseline: Moments) -> Unmeasurable {
    Unmeasurable::Undefined(if window.n < least || baseline.n < 2 {
        "fewer than two values"
    } else if baseline.variance > 0.0 || window.variance > 0.0 && least > 1 {
        "the baseline's values differ too little, or lie too far away, for a finite number"
    } else {
        "the baseline's values do not differ"
    })
}

fn mean_shift(seen: &Seen<'_>) -> Measurement {
    let ([window, baseline], _) = both_moments(seen)?;
    let found = shift::standardised(window, baseline);
    let (value, std_error) = found.ok_or_else(|| why(1, window, baseline))?;
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
    let ([window, baseline], _) = both_moments(seen)?;
    let test = shift::welch(window, baseline).ok_or_else(|| why(2, window, baseline))?;
    Ok((test, window.n))
}
