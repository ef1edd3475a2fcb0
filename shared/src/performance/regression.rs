//! How far predicted numbers lie from what came: figures from sums over cases.
//!
//! An error is prediction minus label. All means carry the standard error of a mean of independent
//! cases.

use super::{Bracketed, Figure, over};

/// Cases, mean and scatter of one number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Cases.
    pub cases: u64,
    /// Their mean.
    pub mean: f64,
    /// The sum of squared distances from the mean.
    pub scatter: f64,
}

impl Spread {
    /// Of raw numbers, in two passes.
    pub fn of(numbers: impl Iterator<Item = f64> + Clone) -> Self {
        let (cases, sum) = numbers
            .clone()
            .fold((0_u64, 0.0), |(n, sum), x| (n + 1, sum + x));
        let mean = over(sum, cases as f64).unwrap_or(0.0);
        let scatter = numbers.fold(0.0, |sum, x| sum + (x - mean) * (x - mean));
        Self {
            cases,
            mean,
            scatter,
        }
    }

    /// The mean with its standard error, which is 0 of one case. None without cases.
    pub fn figure(&self) -> Option<Figure> {
        let n = self.cases as f64;
        let variance = over(self.scatter, n - 1.0).unwrap_or(0.0);
        (self.cases > 0).then(|| Figure {
            value: self.mean,
            std_error: (variance / n).sqrt(),
        })
    }

    /// The mean of the squares. None without cases.
    pub fn mean_square(&self) -> Option<f64> {
        let n = self.cases as f64;
        Some(self.mean * self.mean + over(self.scatter, n)?)
    }
}

/// The root of a mean, with the standard error by the delta method.
pub fn root(mean: Figure) -> Figure {
    let value = mean.value.max(0.0).sqrt();
    Figure {
        value,
        std_error: over(mean.std_error, 2.0 * value).unwrap_or(0.0),
    }
}

/// The share of the labels' variance that predictions explain: one less the squared errors over the
/// squared distances of the labels from their mean. None if all labels are the same.
pub fn determination(error: &Spread, label: &Spread) -> Option<f64> {
    Some(1.0 - over(error.mean_square()? * error.cases as f64, label.scatter)?)
}

/// The same with errors freed of their mean: what predictions explain but for a constant.
pub fn explained_variance(error: &Spread, label: &Spread) -> Option<f64> {
    Some(1.0 - over(error.scatter, label.scatter)?)
}

/// The share of squared error that predictions save over always answering a documented constant: the
/// mean of the baseline's labels. None if that constant is never wrong.
pub fn skill(error: &Spread, label: &Spread, constant: f64) -> Option<f64> {
    let shift = label.mean - constant;
    let without = label.scatter + label.cases as f64 * shift * shift;
    Some(1.0 - over(error.mean_square()? * error.cases as f64, without)?)
}

/// The mean pinball loss at a level from the mean error and the mean absolute error: `level` times
/// what predictions are too low by, `1 - level` times what they are too high by.
pub fn pinball(level: f64, error_mean: f64, absolute_mean: f64) -> f64 {
    let too_low = 0.5 * (absolute_mean - error_mean);
    let too_high = 0.5 * (absolute_mean + error_mean);
    level * too_low + (1.0 - level) * too_high
}

/// One cell of a histogram: lower and upper edge, cases.
pub type Bar = (f64, f64, u64);

/// The number at a level between 0 and 1 of cases in ascending cells: the edges of the cell that
/// holds the case of rank `ceil(level * cases)` bracket it, its middle stands for it. None without
/// cases.
pub fn quantile(bars: &[Bar], level: f64) -> Option<Bracketed> {
    let cases: u64 = bars.iter().map(|bar| bar.2).sum();
    let rank = (level * cases as f64).ceil().max(1.0);
    let mut below = 0_u64;
    for (low, high, count) in bars {
        below += count;
        if *count > 0 && below as f64 >= rank {
            return Some(Bracketed {
                value: 0.5 * (low + high),
                low: *low,
                high: *high,
            });
        }
    }
    None
}

/// The median as the mean of the two middle cases, if their number is even, as libraries have it:
/// bracketed by the edges of the cells of both. None without cases.
pub fn median(bars: &[Bar]) -> Option<Bracketed> {
    let cases: u64 = bars.iter().map(|bar| bar.2).sum();
    let at = |rank: u64| {
        let mut below = 0;
        bars.iter().find(|bar| {
            below += bar.2;
            below >= rank && bar.2 > 0
        })
    };
    let (first, second) = (at(cases.div_ceil(2).max(1))?, at(cases / 2 + 1)?);
    let (low, high) = (0.5 * (first.0 + second.0), 0.5 * (first.1 + second.1));
    Some(Bracketed {
        value: 0.5 * (low + high),
        low,
        high,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [f64; 5] = [3.0, -0.5, 2.0, 7.0, 4.0];
    const PREDICTIONS: [f64; 5] = [2.5, 0.0, 2.0, 8.0, 5.0];

    fn errors() -> impl Iterator<Item = f64> + Clone {
        PREDICTIONS.iter().zip(&LABELS).map(|(p, y)| p - y)
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }

    #[test]
    fn figures_by_hand() {
        let (error, label) = (Spread::of(errors()), Spread::of(LABELS.iter().copied()));
        near(error.mean_square().unwrap(), 0.5);
        near(error.figure().unwrap().value, 0.4);
        near(determination(&error, &label).unwrap(), 1.0 - 2.5 / 30.2);
        near(
            explained_variance(&error, &label).unwrap(),
            1.0 - 1.7 / 30.2,
        );
        near(skill(&error, &label, 3.1).unwrap(), 1.0 - 2.5 / 30.2);
        near(skill(&error, &label, 0.0).unwrap(), 1.0 - 2.5 / 78.25);
        let absolute = Spread::of(errors().map(f64::abs));
        let by_hand: f64 = errors()
            .map(|r| if r < 0.0 { -0.9 * r } else { 0.1 * r })
            .sum::<f64>()
            / 5.0;
        near(pinball(0.9, error.mean, absolute.mean), by_hand);
        near(
            root(Figure {
                value: 4.0,
                std_error: 1.0,
            })
            .std_error,
            0.25,
        );
    }

    #[test]
    fn constant_labels_and_no_cases_have_no_value() {
        let (error, constant) = (Spread::of(errors()), Spread::of([2.0; 5].into_iter()));
        assert_eq!(determination(&error, &constant), None);
        assert_eq!(explained_variance(&error, &constant), None);
        assert_eq!(skill(&error, &constant, 2.0), None);
        assert_eq!(Spread::default().figure(), None);
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(median(&[(0.0, 1.0, 0)]), None);
    }

    #[test]
    fn quantiles_are_bracketed_by_their_cell() {
        let bars = [(0.0, 1.0, 4), (1.0, 2.0, 0), (2.0, 4.0, 4), (4.0, 8.0, 2)];
        let at = |level| quantile(&bars, level).unwrap();
        near(at(0.0).high, 1.0);
        near(at(0.4).high, 1.0);
        near(at(0.5).low, 2.0);
        near(at(1.0).value, 6.0);
        let middle = median(&[(0.0, 1.0, 2), (3.0, 5.0, 2)]).unwrap();
        near(middle.low, 1.5);
        near(middle.high, 3.0);
    }
}
