//! Bets on ratios of counts and on means: wherever "conforms" is "the mean of a function of the cell
//! is at most 0".
//!
//! A bet pays `ln(1 + lambda w_b)` for a case in cell b, with w the function: fair by its definition,
//! whatever lambda that leaves every cell something. Where a cell holds a range of values, w is taken
//! at the end of the range that pays least.

use super::NoBet;
use super::cells::CellBets;
use crate::objective::document::Comparator;

/// Strengths of bets on ratios, as shares of the largest.
const RATIO_STRENGTHS: [f64; 6] = [0.02, 0.05, 0.12, 0.3, 0.6, 0.9];
/// Strengths of bets on means of values without an upper end.
const MEAN_STRENGTHS: [f64; 4] = [0.05, 0.1, 0.2, 0.4];

/// A ratio of two weighted sums of counts, as F1: `(2 TP) / (2 TP + FP + FN)`.
#[derive(Clone, Copy, Debug)]
pub struct Fraction<'a> {
    /// What a case in each cell adds above the line.
    pub numerator: &'a [f64],
    /// What it adds below the line; not negative.
    pub denominator: &'a [f64],
}

/// Bets against a level of a ratio of counts (accuracy, F1, precision, a cost for each case).
pub fn fraction(of: Fraction<'_>, level: f64, comparator: Comparator) -> Result<CellBets, NoBet> {
    let fits = of.numerator.len() == of.denominator.len()
        && of.denominator.iter().all(|d| *d >= 0.0)
        && level.is_finite();
    if !fits {
        return Err(NoBet(format!("level {level}: not a ratio of counts")));
    }
    let cells = of.numerator.iter().zip(of.denominator);
    let plane = cells.map(|(a, d)| match comparator {
        Comparator::AtLeast => level * d - a,
        Comparator::AtMost => a - level * d,
    });
    CellBets::half_spaces(vec![plane.collect()], &RATIO_STRENGTHS, level, comparator)
}

/// Bets against "the mean is at most `level`" of values that are not negative and have no upper end.
/// `lows` are the cells' lower edges; differences within a cell cannot be seen.
pub fn mean_at_most(lows: &[f64], level: f64) -> Result<CellBets, NoBet> {
    if !(level > 0.0 && level.is_finite()) {
        return Err(NoBet(format!(
            "level {level}: values that are not negative have a mean above 0; set the level to the \
             mean that is tolerated"
        )));
    }
    // Divided by the level, so that the largest strength is 1 wherever the lowest cell begins at 0.
    let plane = lows.iter().map(|low| low.max(0.0) / level - 1.0);
    CellBets::half_spaces(
        vec![plane.collect()],
        &MEAN_STRENGTHS,
        level,
        Comparator::AtMost,
    )
}

/// Bets against "the mean is at least `level`" of values that are never above the last cell's upper
/// edge. `highs` are the cells' upper edges.
pub fn mean_at_least(highs: &[f64], level: f64) -> Result<CellBets, NoBet> {
    let plane = highs.iter().map(|high| level - high);
    CellBets::half_spaces(
        vec![plane.collect()],
        &RATIO_STRENGTHS,
        level,
        Comparator::AtLeast,
    )
}

/// Bets against "scores are off by at most `level` on average": `mean |P(positive | cell) - score|`.
/// Each score cell (low, high) has two counts, positives then negatives. Four patterns of where
/// scores are too low or too high are bet on: everywhere too low, everywhere too high, too far
/// out, too near the middle.
pub fn calibration(cells: &[(f64, f64)], level: f64) -> Result<CellBets, NoBet> {
    if !(level > 0.0 && level < 1.0) {
        return Err(NoBet(format!(
            "level {level}: a mean distance of probabilities lies between 0 and 1; set the level to \
             the one that is tolerated, as 0.05"
        )));
    }
    let plane = |too_low: &dyn Fn(f64) -> bool| -> Vec<f64> {
        let paid = cells.iter().flat_map(|(low, high)| {
            if too_low(f64::midpoint(*low, *high)) {
                [1.0 - high - level, -high - level]
            } else {
                [low - 1.0 - level, low - level]
            }
        });
        paid.collect()
    };
    let planes = vec![
        plane(&|_| true),
        plane(&|_| false),
        plane(&|score| score < 0.5),
        plane(&|score| score >= 0.5),
    ];
    CellBets::half_spaces(planes, &RATIO_STRENGTHS, level, Comparator::AtMost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bet::fixed;

    #[test]
    fn at_f1_of_the_level_no_bet_gains_and_below_it_one_does() {
        // TP, FP, FN, TN.
        let f1 = Fraction {
            numerator: &[2.0, 0.0, 0.0, 0.0],
            denominator: &[2.0, 1.0, 1.0, 0.0],
        };
        let bets = fraction(f1, 0.7, Comparator::AtLeast).unwrap();
        assert!(bets.certified());
        let mean = |law: [f64; 4], bet: usize| -> f64 {
            let pays = bets.bets[bet].payoffs.iter();
            pays.zip(law)
                .map(|(l, q)| q * libm::exp(fixed::to_nats(*l)))
                .sum()
        };
        for bet in 0..bets.bets.len() {
            assert!(mean([0.35, 0.15, 0.15, 0.35], bet) <= 1.0);
            assert!(mean([0.6, 0.1, 0.1, 0.2], bet) < 1.0);
        }
        assert!(
            bets.gains(&[200, 150, 150, 500])
                .unwrap()
                .iter()
                .any(|g| *g > fixed::ONE)
        );
        assert!(bets.gains(&[1, 2, 3]).is_none());
    }

    #[test]
    fn a_mean_without_an_upper_end_is_judged_from_lower_edges() {
        let lows: Vec<f64> = (0..64).map(|i| f64::from(i) / 8.0).collect();
        let bets = mean_at_most(&lows, 1.0).unwrap();
        let mut counts = vec![0; 64];
        counts[8] = 1000;
        assert!(bets.gains(&counts).unwrap().iter().all(|gain| *gain <= 0));
        counts[12] = 1000;
        assert!(
            bets.gains(&counts)
                .unwrap()
                .iter()
                .any(|gain| *gain > 10 * fixed::ONE)
        );
        assert!(mean_at_most(&lows, 0.0).is_err());
        let highs = [0.25, 0.5, 0.75, 1.0];
        let bets = mean_at_least(&highs, 0.6).unwrap();
        assert!(
            bets.gains(&[300, 300, 200, 0])
                .unwrap()
                .iter()
                .any(|gain| *gain > fixed::ONE)
        );
        assert!(
            bets.gains(&[0, 0, 0, 800])
                .unwrap()
                .iter()
                .all(|gain| *gain < 0)
        );
        assert!(mean_at_least(&highs, 1.5).is_err());
    }

    #[test]
    fn scores_that_are_too_high_everywhere_are_found() {
        let cells: Vec<(f64, f64)> = (0..20)
            .map(|i| (f64::from(i) / 20.0, f64::from(i + 1) / 20.0))
            .collect();
        let bets = calibration(&cells, 0.05).unwrap();
        assert!(bets.certified());
        let counts = |off: f64| -> Vec<u64> {
            let of = cells.iter().flat_map(|(low, high)| {
                let share = (f64::midpoint(*low, *high) - off).clamp(0.0, 1.0);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a share of a thousand"
                )]
                let hits = (1000.0 * share).round() as u64;
                [hits, 1000 - hits]
            });
            of.collect()
        };
        assert!(
            bets.gains(&counts(0.2))
                .unwrap()
                .iter()
                .any(|gain| *gain > fixed::ONE)
        );
        assert!(
            bets.gains(&counts(0.0))
                .unwrap()
                .iter()
                .all(|gain| *gain < 0)
        );
    }
}
