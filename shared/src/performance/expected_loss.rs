//! Regression without labels: the mean loss of reference cases with such a prediction, weighed by how
//! often such predictions come now. Model-based: right as long as the loss of a case depends on its
//! prediction alone as it did in the reference.

use super::regression::Spread;
use super::{Figure, over};

/// One cell of predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cell {
    /// The losses of reference cases in it.
    pub reference: Spread,
    /// Cases of the window in it.
    pub cases: u64,
}

/// The expected mean loss. The variance adds what losses of the window vary by and what the
/// reference leaves open. A cell without reference cases takes what the reference says over all.
/// None without cases, or without any reference.
pub fn expected(cells: &[Cell]) -> Option<Figure> {
    let all = cells.iter().fold(0.0, |sum, cell| sum + cell.cases as f64);
    let pooled = pooled(cells)?;
    let (mut value, mut variance) = (0.0, 0.0);
    for cell in cells.iter().filter(|cell| cell.cases > 0) {
        let known = if cell.reference.cases > 1 {
            cell.reference
        } else {
            pooled
        };
        let (weight, m) = (over(cell.cases as f64, all)?, known.cases as f64);
        let spread = over(known.scatter, m - 1.0).unwrap_or(0.0);
        value += weight * known.mean;
        variance += weight * spread / all + weight * weight * spread / m;
    }
    (all > 0.0).then(|| Figure {
        value,
        std_error: variance.sqrt(),
    })
}

/// All reference cells as one.
fn pooled(cells: &[Cell]) -> Option<Spread> {
    let count: u64 = cells.iter().map(|cell| cell.reference.cases).sum();
    let sum = |of: &dyn Fn(&Spread) -> f64| cells.iter().fold(0.0, |s, c| s + of(&c.reference));
    let mean = over(sum(&|r| r.cases as f64 * r.mean), count as f64)?;
    let apart = |r: &Spread| r.cases as f64 * (r.mean - mean) * (r.mean - mean);
    Some(Spread {
        cases: count,
        mean,
        scatter: sum(&|r| r.scatter + apart(r)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_weighed_by_how_often_their_predictions_come() {
        let reference = |numbers: &[f64]| Spread::of(numbers.iter().copied());
        let cells = [
            Cell {
                reference: reference(&[1.0, 2.0, 3.0]),
                cases: 30,
            },
            Cell {
                reference: reference(&[10.0, 14.0]),
                cases: 10,
            },
        ];
        let found = expected(&cells).unwrap();
        assert!((found.value - (0.75 * 2.0 + 0.25 * 12.0)).abs() < 1e-12);
        let variance =
            0.75 * 1.0 / 40.0 + 0.75 * 0.75 / 3.0 + 0.25 * 8.0 / 40.0 + 0.0625 * 8.0 / 2.0;
        assert!((found.std_error - f64::sqrt(variance)).abs() < 1e-12);
    }

    #[test]
    fn a_cell_without_reference_takes_that_of_all() {
        let cells = [
            Cell {
                reference: Spread::of([1.0, 3.0].into_iter()),
                cases: 0,
            },
            Cell {
                reference: Spread::default(),
                cases: 5,
            },
        ];
        assert!((expected(&cells).unwrap().value - 2.0).abs() < 1e-12);
        assert_eq!(expected(&cells[1..]), None);
        assert_eq!(expected(&[]), None);
    }
}
