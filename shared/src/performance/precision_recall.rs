//! Average precision from cells: the area under the precision-recall curve as a sum of steps.

use super::Bracketed;
use super::cells::{Cell, totals};

/// Average precision and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AveragePrecision {
    /// The sum of precision times gained recall from the highest score down, ties as one step.
    pub precision: Bracketed,
    /// The value drawn away from 0 and 1 by half a case.
    pub drawn: f64,
    /// Its standard error after Boyd, Eng and Page (2013), at `drawn`: binomial, over positives.
    pub std_error: f64,
    /// Standard error and drawn value at the lower and at the upper end of the bracket.
    pub ends: [(f64, f64); 2],
    /// Positive cases.
    pub positives: u64,
    /// Negative cases.
    pub negatives: u64,
}

/// The average precision of cells in ascending order of score. None without a positive case.
///
/// Within a cell the value takes all cases as tied. The bracket holds for any scores in the cell,
/// tied or not: a positive case's precision is highest if no negative of its cell ranks above the
/// cell's positives, and lowest if all do and the positives come one by one.
pub fn average_precision(cells: &[Cell]) -> Option<AveragePrecision> {
    let (positives, negatives) = totals(cells);
    if positives == 0 {
        return None;
    }
    let np = positives as f64;
    let (mut value, mut low, mut high) = (0.0, 0.0, 0.0);
    let (mut above_p, mut above_n) = (0.0, 0.0);
    for cell in cells.iter().rev().filter(|cell| cell.cases() > 0.0) {
        let (p, n) = (cell.positive as f64, cell.negative as f64);
        let tied = p * (above_p + p) / (above_p + p + above_n + n);
        value += tied;
        if cell.is_point() {
            low += tied;
            high += tied;
        } else if p > 0.0 {
            high += p * (above_p + p) / (above_p + p + above_n);
            low += one_by_one(p, above_p, above_n + n).min(tied);
        }
        above_p += p;
        above_n += n;
    }
    let (value, low, high) = (value / np, low / np, (high / np).min(1.0));
    let at = |value: f64| {
        let drawn = (value * np + 0.5) / (np + 1.0);
        ((drawn * (1.0 - drawn) / np).sqrt(), drawn)
    };
    let (std_error, drawn) = at(value);
    Some(AveragePrecision {
        precision: Bracketed { value, low, high },
        drawn,
        std_error,
        ends: [at(low), at(high)],
        positives,
        negatives,
    })
}

/// The sum over i = 1..p of `(above + i) / (above + i + negatives)`, or a little less: the sum of
/// reciprocals is bounded from above by an integral, their mean over half a step to each side.
fn one_by_one(p: f64, above: f64, negatives: f64) -> f64 {
    if negatives <= 0.0 {
        return p;
    }
    let start = above + negatives + 0.5;
    p - negatives * libm::log((start + p) / start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortened_sum_is_a_tight_lower_bound() {
        for (p, above, negatives) in [(1_u32, 0.0, 1.0), (7, 3.0, 40.0), (1000, 0.0, 3.0)] {
            let exact: f64 = (1..=p)
                .map(|i| (above + f64::from(i)) / (above + f64::from(i) + negatives))
                .sum();
            let found = one_by_one(f64::from(p), above, negatives);
            assert!(found <= exact && exact - found < 0.05, "{found} {exact}");
        }
    }

    #[test]
    fn it_agrees_with_scikit_learn() {
        // scikit-learn 1.9.1, average_precision_score of scores .1 .4 .35 .8 .8 .2, labels 0 0 1 1 0 1.
        let rows = [
            (0.1, false),
            (0.4, false),
            (0.35, true),
            (0.8, true),
            (0.8, false),
            (0.2, true),
        ];
        let found = average_precision(&super::super::cells::of_rows(&rows)).unwrap();
        let expected = (0.5 + 0.5 + 0.6) / 3.0;
        assert!((found.precision.value - expected).abs() < 1e-15);
        assert!((found.precision.high - expected).abs() < 1e-15);
        assert!((found.precision.low - expected).abs() < 1e-15);
    }
}
