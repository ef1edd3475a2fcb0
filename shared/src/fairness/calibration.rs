//! Scores of a group against its labels, from cells of scores.

use super::Measured;

/// A cell of scores: its edges, cases labelled positive, cases labelled negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Smallest score within.
    pub low: f64,
    /// Largest score within.
    pub high: f64,
    /// Cases labelled positive.
    pub positive: u64,
    /// Cases labelled negative.
    pub negative: u64,
}

impl Cell {
    fn middle(&self) -> f64 {
        0.5 * (self.low + self.high)
    }
}

/// A mean over cells: the figure at the cells' middles and what it lies between for certain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bracketed {
    /// With each score at the middle of its cell.
    pub at_middles: Measured,
    /// With each score at an edge of its cell.
    pub bound: (f64, f64),
    /// Cases.
    pub of: u64,
}

/// Mean of label minus score: above 0, scores are too low. Nothing without labelled cases.
pub fn mean_residual(cells: &[Cell]) -> Option<Bracketed> {
    let weights = |cell: &Cell| (cell.positive as f64, cell.negative as f64);
    let n = count(cells.iter().map(|c| c.positive.saturating_add(c.negative)))?;
    let mean = |score: &dyn Fn(&Cell) -> f64| {
        let sums = cells.iter().map(|cell| {
            let (positive, negative) = weights(cell);
            positive - (positive + negative) * score(cell)
        });
        sums.sum::<f64>() / n as f64
    };
    let value = mean(&Cell::middle);
    let squares = cells.iter().map(|cell| {
        let (positive, negative) = weights(cell);
        let (over, under) = (1.0 - cell.middle() - value, -cell.middle() - value);
        positive * over * over + negative * under * under
    });
    let variance = squares.sum::<f64>() / (n as f64 - 1.0).max(1.0) / n as f64;
    Some(Bracketed {
        at_middles: Measured::normal(value, variance, (-1.0, 1.0)),
        bound: (mean(&|cell| cell.high), mean(&|cell| cell.low)),
        of: n,
    })
}

/// Mean score of the cases labelled positive, or of those labelled negative (balance for a class,
/// Kleinberg, Mullainathan and Raghavan 2017). Nothing without such cases.
pub fn mean_score(cells: &[Cell], label: bool) -> Option<Bracketed> {
    let weight = |cell: &Cell| if label { cell.positive } else { cell.negative };
    let n = count(cells.iter().map(weight))?;
    let mean = |score: &dyn Fn(&Cell) -> f64| {
        let sums = cells.iter().map(|cell| weight(cell) as f64 * score(cell));
        sums.sum::<f64>() / n as f64
    };
    let value = mean(&Cell::middle);
    let squares = cells.iter().map(|cell| {
        let away = cell.middle() - value;
        weight(cell) as f64 * away * away
    });
    let variance = squares.sum::<f64>() / (n as f64 - 1.0).max(1.0) / n as f64;
    Some(Bracketed {
        at_middles: Measured::normal(value, variance, (0.0, 1.0)),
        bound: (mean(&|cell| cell.low), mean(&|cell| cell.high)),
        of: n,
    })
}

/// A sum of counts, if it is not 0.
fn count(counts: impl Iterator<Item = u64>) -> Option<u64> {
    let sum = counts.fold(0_u64, u64::saturating_add);
    (sum > 0).then_some(sum)
}

impl Bracketed {
    /// This one minus another, of independent cases.
    #[must_use]
    pub fn minus(&self, other: &Self, ends: (f64, f64)) -> Self {
        let variance = |one: &Self| one.at_middles.std_error.map_or(0.0, |error| error * error);
        let value = self.at_middles.value - other.at_middles.value;
        Self {
            at_middles: Measured::normal(value, variance(self) + variance(other), ends),
            bound: (self.bound.0 - other.bound.1, self.bound.1 - other.bound.0),
            of: self.of.saturating_add(other.of),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELLS: [Cell; 2] = [
        Cell {
            low: 0.2,
            high: 0.3,
            positive: 1,
            negative: 3,
        },
        Cell {
            low: 0.8,
            high: 0.9,
            positive: 5,
            negative: 1,
        },
    ];

    #[test]
    fn the_residual_of_the_raw_scores_lies_in_the_bound() {
        let found = mean_residual(&CELLS).unwrap();
        for (lower, upper) in [(0.2, 0.8), (0.3, 0.9), (0.21, 0.88)] {
            let raw = (6.0 - 4.0 * lower - 6.0 * upper) / 10.0;
            assert!(found.bound.0 <= raw + 1e-12 && raw <= found.bound.1 + 1e-12);
        }
        let value = found.at_middles.value;
        assert!((value - (6.0 - 1.0 - 5.1) / 10.0).abs() < 1e-12);
        // numpy: standard error of the ten residuals at the middles, n - 1.
        let residuals = [
            0.75, -0.25, -0.25, -0.25, 0.15, 0.15, 0.15, 0.15, 0.15, -0.85_f64,
        ];
        let squares: f64 = residuals.iter().map(|r| (r - value) * (r - value)).sum();
        let expected = (squares / 9.0 / 10.0).sqrt();
        assert!((found.at_middles.std_error.unwrap() - expected).abs() < 1e-12);
        assert_eq!(found.of, 10);
    }

    #[test]
    fn mean_scores_are_of_one_class_only() {
        let positive = mean_score(&CELLS, true).unwrap();
        assert!((positive.at_middles.value - (0.25 + 5.0 * 0.85) / 6.0).abs() < 1e-12);
        let negative = mean_score(&CELLS, false).unwrap();
        assert_eq!((positive.of, negative.of), (6, 4));
        let apart = positive.minus(&negative, (-1.0, 1.0));
        assert!(apart.bound.0 < apart.at_middles.value && apart.at_middles.value < apart.bound.1);
        assert_eq!(apart.of, 10);
    }

    #[test]
    fn no_labelled_case_is_no_mean() {
        assert!(mean_residual(&[]).is_none());
        let empty = Cell {
            positive: 0,
            negative: 0,
            ..CELLS[0]
        };
        assert!(mean_residual(&[empty]).is_none());
        assert!(
            mean_score(
                &[Cell {
                    positive: 0,
                    ..CELLS[0]
                }],
                true
            )
            .is_none()
        );
        let one = Cell {
            positive: 1,
            ..empty
        };
        assert!(mean_residual(&[one]).unwrap().at_middles.value.is_finite());
    }
}
