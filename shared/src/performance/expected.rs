//! Performance without labels: what a calibrated score lets expect (confidence-based estimation).
//!
//! Each cell of scores has a chance of a positive label, learnt from labelled reference cases by
//! increasing regression. The expected counts of true and false decisions follow, and all figures
//! from them. The interval holds both the chance of labels (given the chances) and that of the
//! reference sample that the chances were learnt from; without the second one it is far too narrow
//! wherever the window is larger than the reference. Model-based: wrong as soon as a score means
//! something else than it did in the reference.

use super::cells::Cell;
use super::isotonic;
use super::{Figure, over};

/// Unlabelled cases of one cell of scores, and what is expected of them. Cells ascend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// The chance that a case's label is positive.
    pub chance: f64,
    /// How many labelled reference cases that chance rests on, by way of a sample that it has the
    /// standard error of; infinite where the chance is taken as known.
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

/// The chance of a positive label in each reference cell: increasing regression of the share of
/// positives with half a case added to each side, weighed by cases. With it, how many cases each
/// chance rests on: those of its cell and one.
pub fn chances(reference: &[Cell]) -> Vec<(f64, f64)> {
    let share = |cell: &Cell| (cell.positive as f64 + 0.5) / (cell.cases() + 1.0);
    let shares: Vec<f64> = reference.iter().map(share).collect();
    let weights: Vec<f64> = reference.iter().map(Cell::cases).collect();
    let fitted = isotonic::fit(&shares, &weights);
    let rests = weights.iter().map(|cases| cases + 1.0);
    fitted.into_iter().zip(rests).collect()
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
    let variance = cells
        .iter()
        .zip(slopes)
        .fold(0.0, |sum, (cell, (each, all))| {
            let chance = cell.chance * (1.0 - cell.chance);
            sum + chance * (each + all * all / cell.rests_on)
        });
    variance.sqrt()
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
        .map(|(chance, positive, negative)| Expected {
            chance,
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
    fn what_is_not_expected_at_all_leaves_its_share_undefined() {
        let none = |chance, positive, negative| {
            [Expected {
                chance,
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
