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

/// Bets against a level of the mean of values that have two ends. `cells` are the least and the
/// largest value in each cell.
pub fn mean_between(
    cells: &[(f64, f64)],
    level: f64,
    comparator: Comparator,
) -> Result<CellBets, NoBet> {
    let plane = cells.iter().map(|(low, high)| match comparator {
        Comparator::AtMost => low - level,
        Comparator::AtLeast => level - high,
    });
    CellBets::half_spaces(vec![plane.collect()], &RATIO_STRENGTHS, level, comparator)
}

/// Bets against a level of the quantile at `share`: "at most `level`" says that no more than
/// `1 - share` of the values are above it, "at least" that no more than `share` are below. `cells` are
/// the least and the largest value in each cell; the one that holds the level counts for the
/// objective, so that a breach within it is not seen.
pub fn quantile(
    cells: &[(f64, f64)],
    share: f64,
    level: f64,
    comparator: Comparator,
) -> Result<CellBets, NoBet> {
    let beyond = |(low, high): &(f64, f64)| match comparator {
        Comparator::AtMost => *low >= level && *high > level,
        Comparator::AtLeast => *high <= level && *low < level,
    };
    let tolerated = match comparator {
        Comparator::AtMost => 1.0 - share,
        Comparator::AtLeast => share,
    };
    let plane = cells
        .iter()
        .map(|cell| f64::from(u8::from(beyond(cell))) - tolerated);
    CellBets::half_spaces(vec![plane.collect()], &RATIO_STRENGTHS, level, comparator)
}

/// Bets against "scores are off by at most `level` on average": the mean over `groups` of equal width
/// of |share of positives - mean score|, by cases. Each score cell (low, high) has two counts,
/// positives then negatives. Four patterns of groups whose scores are too low or too high are bet on:
/// everywhere too low, everywhere too high, too far out, too near the middle. A cell that lies in two
/// groups pays as in the one where it pays less.
pub fn calibration(cells: &[(f64, f64)], groups: u32, level: f64) -> Result<CellBets, NoBet> {
    if !(level > 0.0 && level < 1.0) {
        return Err(NoBet(format!(
            "level {level}: a mean distance of probabilities lies between 0 and 1; set the level to \
             the one that is tolerated, as 0.05"
        )));
    }
    let lower_half = |score: f64| (score * f64::from(groups)).floor() < f64::from(groups / 2);
    let plane = |too_low: &dyn Fn(bool) -> bool| -> Vec<f64> {
        let paid = cells.iter().flat_map(|(low, high)| {
            let each = [*low, *high].map(|score| {
                if too_low(lower_half(score)) {
                    [1.0 - high - level, -high - level]
                } else {
                    [low - 1.0 - level, low - level]
                }
            });
            [0, 1].map(|label| f64::min(each[0][label], each[1][label]))
        });
        paid.collect()
    };
    let planes = vec![
        plane(&|_| true),
        plane(&|_| false),
        plane(&|lower| lower),
        plane(&|lower| !lower),
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
    fn a_quantile_beyond_its_level_gains_on_its_own_side_only() {
        let cells: Vec<(f64, f64)> = (0..20).map(|i| (f64::from(i), f64::from(i + 1))).collect();
        let most = quantile(&cells, 0.9, 15.0, Comparator::AtMost).unwrap();
        let least = quantile(&cells, 0.9, 15.0, Comparator::AtLeast).unwrap();
        assert!(most.certified() && least.certified());
        let gains = |bets: &CellBets, above: u64| {
            let mut counts = vec![0; 20];
            (counts[3], counts[15]) = (1000 - above, above);
            bets.gains(&counts).unwrap().into_iter().max().unwrap()
        };
        assert!(gains(&most, 200) > 10 * fixed::ONE && gains(&most, 100) < 0);
        assert!(gains(&least, 30) > 10 * fixed::ONE && gains(&least, 100) < 0);
    }

    #[test]
    fn scores_that_are_too_high_everywhere_are_found() {
        let cells: Vec<(f64, f64)> = (0..20)
            .map(|i| (f64::from(i) / 20.0, f64::from(i + 1) / 20.0))
            .collect();
        let bets = calibration(&cells, 15, 0.05).unwrap();
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
