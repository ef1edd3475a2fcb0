//! The delta method on multinomial counts: how far a smooth function of shares strays by chance.
//!
//! With cells drawn independently of the law p, `f(shares)` has variance `(sum p g^2 - (sum p g)^2) /
//! n` to first order, g the gradient (Bishop, Fienberg and Holland 1975, section 14.6). At the edge
//! of the simplex, where a cell is empty, that variance can vanish and few cases look certain. So it
//! is taken at shares drawn inwards by two cases spread evenly over the cells (after Agresti and
//! Coull 1998); the value itself is never drawn.

use super::Figure;

/// Cases that are spread evenly over the cells before variances are taken.
const DRAWN: f64 = 2.0;

/// A value and its gradient in the cells' shares.
#[derive(Clone, Debug, PartialEq)]
pub struct Slope {
    /// The value.
    pub value: f64,
    /// Its derivative in each share, as if the shares were free.
    pub gradient: Vec<f64>,
}

/// The shares of cells.
pub fn shares(counts: &[u64]) -> Option<Vec<f64>> {
    let total = total(counts);
    (total > 0.0).then(|| counts.iter().map(|c| *c as f64 / total).collect())
}

/// The shares of cells with two more cases spread over them.
pub fn drawn_shares(counts: &[u64]) -> Vec<f64> {
    let (cells, total) = (counts.len() as f64, total(counts));
    let add = DRAWN / cells;
    let share = |count: &u64| (*count as f64 + add) / (total + DRAWN);
    counts.iter().map(share).collect()
}

fn total(counts: &[u64]) -> f64 {
    counts.iter().fold(0.0, |sum, count| sum + *count as f64)
}

/// The standard error of a function of shares from its gradient.
pub fn std_error(shares: &[f64], gradient: &[f64], cases: f64) -> f64 {
    let (mut mean, mut square) = (0.0, 0.0);
    for (p, g) in shares.iter().zip(gradient) {
        mean += p * g;
        square += p * g * g;
    }
    ((square - mean * mean).max(0.0) / cases).sqrt()
}

/// A function of the shares of counted cells: its value, and its standard error by the delta
/// method. None where the function has no value.
pub fn figure(counts: &[u64], function: impl Fn(&[f64]) -> Option<Slope>) -> Option<Figure> {
    let value = function(&shares(counts)?)?.value;
    let drawn = drawn_shares(counts);
    let slope = function(&drawn)?;
    Some(Figure {
        value,
        std_error: std_error(&drawn, &slope.gradient, total(counts)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_the_binomial_standard_error() {
        let share = |p: &[f64]| {
            Some(Slope {
                value: p[0],
                gradient: vec![1.0, 0.0],
            })
        };
        let found = figure(&[30, 70], share).unwrap();
        assert!((found.value - 0.3).abs() < 1e-15);
        let p: f64 = 31.0 / 102.0;
        assert!((found.std_error - (p * (1.0 - p) / 100.0).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn certain_looking_counts_keep_some_doubt_and_none_have_no_value() {
        let share = |p: &[f64]| {
            Some(Slope {
                value: p[0],
                gradient: vec![1.0, 0.0],
            })
        };
        assert!(figure(&[10, 0], share).unwrap().std_error > 0.05);
        assert_eq!(figure(&[0, 0], share), None);
    }
}
