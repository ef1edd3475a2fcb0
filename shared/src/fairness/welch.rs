//! Means of two groups whose variances differ (Welch 1947): regression parity.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::Measured;

/// Number, mean and variance (n - 1) of one group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Cases.
    pub of: u64,
    /// Their mean.
    pub mean: f64,
    /// Their variance, divided by n - 1.
    pub variance: f64,
}

/// The compared group's mean minus the reference group's, with Welch's interval at 95 %. Nothing
/// if a group has fewer than two cases or a figure that is not finite.
pub fn welch(reference: Moments, compared: Moments) -> Option<Measured> {
    let groups = [reference, compared];
    let usable = |m: &Moments| {
        m.of >= 2 && m.mean.is_finite() && m.variance.is_finite() && m.variance >= 0.0
    };
    if !groups.iter().all(usable) {
        return None;
    }
    let value = compared.mean - reference.mean;
    let [a, b] = groups.map(|m| m.variance / m.of as f64);
    let variance = a + b;
    if variance <= 0.0 {
        return Some(Measured {
            value,
            interval: Some((value, value)),
            std_error: Some(0.0),
        });
    }
    let [of_a, of_b] = groups.map(|m| m.of as f64 - 1.0);
    let degrees = variance * variance / (a * a / of_a + b * b / of_b);
    let half = quantile(degrees)? * variance.sqrt();
    Some(Measured {
        value,
        interval: Some((value - half, value + half)),
        std_error: Some(variance.sqrt()),
    })
}

/// The 97.5 % point of Student's law, by halving.
fn quantile(degrees: f64) -> Option<f64> {
    let law = StudentsT::new(0.0, 1.0, degrees).ok()?;
    let (mut low, mut high) = (1.9, 1e4);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if law.cdf(middle) < 0.975 {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(0.5 * (low + high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_scipys() {
        let a = Moments {
            of: 12,
            mean: 5.0,
            variance: 4.0,
        };
        let b = Moments {
            of: 7,
            mean: 6.5,
            variance: 1.0,
        };
        let found = welch(a, b).unwrap();
        assert!((found.value - 1.5).abs() < 1e-15);
        // scipy.stats.ttest_ind_from_stats(..., equal_var=False).confidence_interval().
        let (low, high) = found.interval.unwrap();
        assert!((low - WELCH.0).abs() < 1e-6, "{low}");
        assert!((high - WELCH.1).abs() < 1e-6, "{high}");
    }

    const WELCH: (f64, f64) = (0.042_726_626, 2.957_273_374);

    #[test]
    fn one_case_or_no_number_is_no_comparison() {
        let one = Moments {
            of: 1,
            mean: 5.0,
            variance: 0.0,
        };
        let two = Moments { of: 2, ..one };
        assert_eq!(welch(one, two), None);
        let constant = welch(two, two).unwrap();
        assert_eq!(constant.interval, Some((0.0, 0.0)));
        let broken = Moments {
            mean: f64::NAN,
            ..two
        };
        assert_eq!(welch(two, broken), None);
    }
}
