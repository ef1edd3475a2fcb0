//! Performance without labels: what a calibrated score lets expect (confidence-based estimation).
//!
//! Each cell of scores has a chance of a positive label, learnt from labelled reference cases by
//! increasing regression: neighbouring cells are pooled until shares of positives rise, and the
//! chance of a pool is its share with half a case added to each side. (Adding it to each cell before
//! pooling would draw the many thinly filled cells towards one half.) The expected counts of true and false decisions follow, and all figures
//! from them. The interval holds both the chance of labels (given the chances) and that of the
//! reference sample that the chances were learnt from; without the second one it is far too narrow
//! wherever the window is larger than the reference. Model-based: wrong as soon as a score means
//! something else than it did in the reference.

use super::cells::Cell;
use super::isotonic;
use super::{Figure, over};

/// Chances of a positive label by score, learnt from labelled cases.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// By filled reference cell: its middle, and which pool it belongs to.
    cells: Vec<(f64, usize)>,
    /// By pool: the chance, and how many cases it rests on.
    pools: Vec<(f64, f64)>,
}

/// Unlabelled cases of one cell of scores, and what is expected of them. Cells ascend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// The chance that a case's label is positive.
    pub chance: f64,
    /// Which pool of reference cells it comes from: cells of one pool err together.
    pub pool: usize,
    /// How many reference cases that pool has; infinite where the chance is taken as known.
    pub rests_on: f64,
    /// Cases decided positive.
    pub positive: f64,
    /// Cases decided negative.
    pub negative: f64,
}

/// Expected counts of decisions by label.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// True positives.
    pub tp: f64,
    /// False positives.
    pub fp: f64,
    /// False negatives.
    pub fn_: f64,
    /// True negatives.
    pub tn: f64,
}

impl Calibration {
    /// Learns from labelled reference cells. None without cases.
    pub fn fit(reference: &[Cell]) -> Option<Self> {
        let filled: Vec<_> = reference.iter().filter(|c| c.cases() > 0.0).collect();
        let shares: Vec<f64> = filled
            .iter()
            .map(|c| c.positive as f64 / c.cases())
            .collect();
        let weights: Vec<f64> = filled.iter().map(|c| c.cases()).collect();
        let fitted = isotonic::fit(&shares, &weights);
        let (mut cells, mut sums): (Vec<_>, Vec<(f64, f64)>) = (Vec::new(), Vec::new());
        let mut last = f64::NAN;
        for (cell, fitted) in filled.into_iter().zip(fitted) {
            if fitted.total_cmp(&last).is_ne() {
                sums.push((0.0, 0.0));
                last = fitted;
            }
            if let Some(sum) = sums.last_mut() {
                sum.0 += cell.positive as f64;
                sum.1 += cell.cases();
            }
            cells.push((cell.middle(), sums.len() - 1));
        }
        let pools = sums.into_iter();
        let pools = pools.map(|(positive, cases)| ((positive + 0.5) / (cases + 1.0), cases + 1.0));
        (!cells.is_empty()).then(|| Self {
            cells,
            pools: pools.collect(),
        })
    }

    /// What is expected of cases of a score: the chance of its cell, in between linear, beyond the
    /// first and the last cell theirs.
    pub fn expect(&self, score: f64, positive: f64, negative: f64) -> Expected {
        let above = self.cells.partition_point(|cell| cell.0 < score);
        let next = self.cells[above.min(self.cells.len() - 1)];
        let before = self.cells[above.saturating_sub(1)];
        let (from, to) = (self.pools[before.1], self.pools[next.1]);
        let way = over(score - before.0, next.0 - before.0).map_or(1.0, |way| way.min(1.0));
        let nearer = if way < 0.5 { before.1 } else { next.1 };
        Expected {
            chance: from.0 + (to.0 - from.0) * way,
            pool: nearer,
            rests_on: self.pools[nearer].1,
            positive,
            negative,
        }
    }
}

/// The expected counts.
pub fn counts(cells: &[Expected]) -> Counts {
    cells.iter().fold(Counts::default(), |mut sum, cell| {
        sum.tp += cell.positive * cell.chance;
        sum.fp += cell.positive * (1.0 - cell.chance);
        sum.fn_ += cell.negative * cell.chance;
        sum.tn += cell.negative * (1.0 - cell.chance);
        sum
    })
}

/// A figure of expected counts with its gradient in them, in the order of [`Counts`].
type Slope = (f64, [f64; 4]);

/// The share `a / b` of sums of counts, each given by weights of the four counts.
fn ratio(at: Counts, a: [f64; 4], b: [f64; 4]) -> Option<Slope> {
    let dot = |w: [f64; 4]| w[0] * at.tp + w[1] * at.fp + w[2] * at.fn_ + w[3] * at.tn;
    let below = dot(b);
    let value = over(dot(a), below)?;
    let slope = |i: usize| (a[i] - value * b[i]) / below;
    Some((value, [slope(0), slope(1), slope(2), slope(3)]))
}

/// Expected accuracy. None without cases.
pub fn accuracy(cells: &[Expected]) -> Option<Figure> {
    Some(figure(
        cells,
        ratio(counts(cells), [1.0, 0.0, 0.0, 1.0], [1.0; 4])?,
    ))
}

/// Expected precision. None without a positive decision.
pub fn precision(cells: &[Expected]) -> Option<Figure> {
    let (a, b) = ([1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]);
    Some(figure(cells, ratio(counts(cells), a, b)?))
}

/// Expected recall. None if no positive case is expected.
pub fn recall(cells: &[Expected]) -> Option<Figure> {
    let (a, b) = ([1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0]);
    Some(figure(cells, ratio(counts(cells), a, b)?))
}

/// Expected specificity. None if no negative case is expected.
pub fn specificity(cells: &[Expected]) -> Option<Figure> {
    let (a, b) = ([0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]);
    Some(figure(cells, ratio(counts(cells), a, b)?))
}

/// Expected F1. None if neither a positive case nor a positive decision is expected.
pub fn f1(cells: &[Expected]) -> Option<Figure> {
    let (a, b) = ([2.0, 0.0, 0.0, 0.0], [2.0, 1.0, 1.0, 0.0]);
    Some(figure(cells, ratio(counts(cells), a, b)?))
}

/// The value with its standard error from the slopes in the counts.
fn figure(cells: &[Expected], (value, [tp, fp, fneg, tn]): Slope) -> Figure {
    let slopes = cells.iter().map(|cell| {
        // How the figure moves with one positive label more among the cases decided either way.
        let (decided, undecided) = (tp - fp, fneg - tn);
        (
            cell.positive * decided * decided + cell.negative * undecided * undecided,
            cell.positive * decided + cell.negative * undecided,
        )
    });
    Figure {
        value,
        std_error: std_error(cells, slopes),
    }
}

/// From the sum of squared slopes over a cell's cases and the slope in its chance.
fn std_error(cells: &[Expected], slopes: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (mut labels, mut reference) = (0.0, 0.0);
    // Of the pool under way: its number, the sum of slopes times deviations, its cases.
    let mut pool = (usize::MAX, 0.0, 1.0);
    for (cell, (each, all)) in cells.iter().zip(slopes) {
        let variance = cell.chance * (1.0 - cell.chance);
        labels += variance * each;
        if cell.pool != pool.0 {
            reference += pool.1 * pool.1 / pool.2;
            pool = (cell.pool, 0.0, cell.rests_on);
        }
        pool.1 += all * variance.sqrt();
    }
    reference += pool.1 * pool.1 / pool.2;
    (labels + reference).sqrt()
}

/// Expected area under the ROC curve, ties half. None unless both labels are expected.
pub fn roc_auc(cells: &[Expected]) -> Option<Figure> {
    let of = |cell: &Expected| {
        let cases = cell.positive + cell.negative;
        (cases * cell.chance, cases * (1.0 - cell.chance))
    };
    let (np, nn) = cells
        .iter()
        .map(of)
        .fold((0.0, 0.0), |s, (p, n)| (s.0 + p, s.1 + n));
    over(1.0, np.min(nn))?;
    let (mut below, mut above) = (0.0, np);
    let mut placed = Vec::with_capacity(cells.len());
    for (p, n) in cells.iter().map(of) {
        above -= p;
        placed.push((p, (below + 0.5 * n) / nn, (above + 0.5 * p) / np));
        below += n;
    }
    let value = placed
        .iter()
        .fold(0.0, |sum, (p, beats, _)| sum + p * beats)
        / np;
    let slopes = cells.iter().zip(&placed).map(|(cell, (_, beats, loses))| {
        let one_more = (beats - value) / np - (loses - value) / nn;
        let cases = cell.positive + cell.negative;
        (cases * one_more * one_more, cases * one_more)
    });
    let std_error = std_error(cells, slopes);
    Some(Figure { value, std_error })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells() -> Vec<Expected> {
        [
            (0.1, 0.0, 40.0),
            (0.3, 5.0, 20.0),
            (0.7, 30.0, 2.0),
            (0.9, 50.0, 0.0),
        ]
        .into_iter()
        .enumerate()
        .map(|(pool, (chance, positive, negative))| Expected {
            chance,
            pool,
            rests_on: 100.0,
            positive,
            negative,
        })
        .collect()
    }

    #[test]
    fn expected_counts_add_up_to_the_cases() {
        let found = counts(&cells());
        assert!((found.tp + found.fp + found.fn_ + found.tn - 147.0).abs() < 1e-12);
        assert!((found.tp - (1.5 + 21.0 + 45.0)).abs() < 1e-12);
        let value = accuracy(&cells()).unwrap().value;
        assert!((value - (67.5 + 36.0 + 14.0 + 0.6) / 147.0).abs() < 1e-12);
    }

    #[test]
    fn slopes_are_those_of_the_figures() {
        for figure in [accuracy, precision, recall, specificity, f1, roc_auc] {
            let (base, step) = (cells(), 1e-6);
            let slopes: Vec<f64> = (0..base.len())
                .map(|at| {
                    let moved = |by: f64| {
                        let mut cells = cells();
                        cells[at].chance += by;
                        figure(&cells).unwrap().value
                    };
                    (moved(step) - moved(-step)) / (2.0 * step)
                })
                .collect();
            // With so many reference cases that only labels vary, and with so few that these do not.
            let alone: f64 = base
                .iter()
                .zip(&slopes)
                .map(|(cell, slope)| cell.chance * (1.0 - cell.chance) * slope * slope / 1e-9)
                .sum();
            let few: Vec<_> = base
                .iter()
                .map(|cell| Expected {
                    rests_on: 1e-9,
                    ..*cell
                })
                .collect();
            let found = figure(&few).unwrap().std_error;
            assert!((found / alone.sqrt() - 1.0).abs() < 1e-5, "{found}");
        }
    }

    #[test]
    fn pools_smooth_once_and_scores_between_cells_are_interpolated() {
        let reference = [
            Cell::point(0.1, 1, 9),
            Cell::point(0.2, 0, 10),
            Cell::point(0.6, 6, 4),
        ];
        let found = Calibration::fit(&reference).unwrap();
        let low = (1.0 + 0.5) / 21.0;
        let high = 6.5 / 11.0;
        for (score, chance) in [
            (0.0, low),
            (0.15, low),
            (0.2, low),
            (0.4, 0.5 * (low + high)),
            (0.6, high),
            (1.0, high),
        ] {
            let expected = found.expect(score, 1.0, 0.0);
            assert!(
                (expected.chance - chance).abs() < 1e-12,
                "{score} {expected:?}"
            );
        }
        assert_eq!(found.expect(0.15, 1.0, 0.0).pool, 0);
        assert!((found.expect(0.9, 1.0, 0.0).rests_on - 11.0).abs() < 1e-12);
        assert_eq!(Calibration::fit(&[]), None);
    }

    #[test]
    fn what_is_not_expected_at_all_leaves_its_share_undefined() {
        let none = |chance, positive, negative| {
            [Expected {
                chance,
                pool: 0,
                rests_on: 9.0,
                positive,
                negative,
            }]
        };
        assert_eq!(accuracy(&[]), None);
        assert_eq!(precision(&none(0.5, 0.0, 3.0)), None);
        assert_eq!(recall(&none(0.0, 1.0, 3.0)), None);
        assert_eq!(roc_auc(&none(1.0, 1.0, 3.0)), None);
        assert!(f1(&none(0.0, 0.0, 3.0)).is_none());
    }
}
