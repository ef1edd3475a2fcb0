//! How far a mean and a variance have moved.

use super::tail;

/// A sample by its first two moments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Cases.
    pub n: u64,
    /// Mean.
    pub mean: f64,
    /// Variance, divided by n - 1.
    pub variance: f64,
}

/// Welch's test of two means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Welch {
    /// The difference over its standard error.
    pub t: f64,
    /// Welch and Satterthwaite's degrees of freedom.
    pub degrees: f64,
    /// Two-sided.
    pub p_value: f64,
}

/// Above zero; what is no number is not.
fn is_positive(x: f64) -> bool {
    x > 0.0
}

/// The window's mean minus the baseline's, in standard deviations of the baseline (Glass 1976), with
/// its standard error. None with a constant baseline.
pub fn standardised(window: Moments, baseline: Moments) -> Option<(f64, f64)> {
    if window.n == 0 || baseline.n < 2 || !is_positive(baseline.variance) {
        return None;
    }
    let (n, n0) = (window.n as f64, baseline.n as f64);
    let value = (window.mean - baseline.mean) / libm::sqrt(baseline.variance);
    // The window's mean, the baseline's mean, the baseline's deviation.
    let spread = if window.n > 1 {
        window.variance / baseline.variance
    } else {
        1.0
    };
    let variance = spread / n + 1.0 / n0 + 0.5 * value * value / (n0 - 1.0);
    (value.is_finite() && variance.is_finite()).then(|| (value, libm::sqrt(variance)))
}

/// Welch's test (1947). None with fewer than two cases on a side, or if nothing varies.
pub fn welch(window: Moments, baseline: Moments) -> Option<Welch> {
    if window.n < 2 || baseline.n < 2 {
        return None;
    }
    let (n, n0) = (window.n as f64, baseline.n as f64);
    let (a, b) = (window.variance / n, baseline.variance / n0);
    if !is_positive(a + b) {
        return None;
    }
    let t = (window.mean - baseline.mean) / libm::sqrt(a + b);
    let degrees = (a + b) * (a + b) / (a * a / (n - 1.0) + b * b / (n0 - 1.0));
    (t.is_finite() && degrees.is_finite()).then(|| Welch {
        t,
        degrees,
        p_value: tail::student_two_sided(t, degrees),
    })
}

/// The window's variance over the baseline's. None if the baseline's is zero or the window has fewer
/// than two cases.
pub fn variance_ratio(window: Moments, baseline: Moments) -> Option<f64> {
    if window.n < 2 || baseline.n < 2 || !is_positive(baseline.variance) {
        return None;
    }
    let ratio = window.variance / baseline.variance;
    ratio.is_finite().then_some(ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn welchs_test_agrees_with_scipy() {
        // scipy 1.17, stats.ttest_ind with unequal variances.
        let window = Moments {
            n: 10,
            mean: 4.0,
            variance: 44.0 / 9.0,
        };
        let baseline = Moments {
            n: 15,
            mean: 6.2,
            variance: 5.885_714_285_714_286,
        };
        let found = welch(window, baseline).unwrap();
        assert!((found.t + 2.343_517_639_778_691_7).abs() < 1e-9);
        assert!((found.degrees - 20.680_378_356_771_335).abs() < 1e-9);
        assert!((found.p_value - 0.029_184_648_383_109_47).abs() < 1e-9);
        let (value, _) = standardised(window, baseline).unwrap();
        assert!((value + 2.2 / 5.885_714_285_714_286_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn what_does_not_vary_has_no_shift() {
        let constant = Moments {
            n: 10,
            mean: 4.0,
            variance: 0.0,
        };
        assert_eq!(standardised(constant, constant), None);
        assert_eq!(welch(constant, constant), None);
        assert_eq!(variance_ratio(constant, constant), None);
    }
}
