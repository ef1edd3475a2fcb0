//! The grid of a window and its baseline from their summaries.

use super::grid::{Grid, Place};
use crate::sketch::{CutCounts, Histogram};

/// Everything that is known of where a sample's numbers lie.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Its log-linear cells.
    pub histogram: &'a Histogram,
    /// Its counts at and between fixed points.
    pub points: &'a CutCounts,
}

impl Grid {
    /// The common refinement. None if the two were not counted in the same cells, if one has no
    /// values, or if histogram and points contradict each other.
    pub fn refine(window: Known<'_>, baseline: Known<'_>) -> Option<Self> {
        if window.points.points() != baseline.points.points() {
            return None;
        }
        let edges = window.histogram.common_places(baseline.histogram)?;
        let place = |(at, window, baseline)| Place {
            at,
            window,
            baseline,
        };
        let edges = edges.into_iter().map(place);
        let points = points(window.points, baseline.points);
        let mut places: Vec<Place> = edges.chain(points).collect();
        places.sort_by(|a, b| a.at.total_cmp(&b.at));
        // Where an edge is a point both say the same.
        places.dedup();
        let totals = (window.histogram.total(), baseline.histogram.total());
        if totals != (window.points.total(), baseline.points.total()) {
            return None;
        }
        Self::new(places, totals.0, totals.1)
    }
}

/// Each point and the first number beyond it.
fn points(window: &CutCounts, baseline: &CutCounts) -> Vec<Place> {
    let (mut below, mut baseline_below) = (0, 0);
    let mut places = Vec::with_capacity(2 * window.points().len());
    for (cell, baseline_cell) in window.cells().zip(baseline.cells()) {
        if cell.low.is_finite() {
            // A single value begins at itself, what lies beyond it at the next number.
            let single = cell.low.to_bits() == cell.high.to_bits();
            places.push(Place {
                at: if single { cell.low } else { cell.low.next_up() },
                window: below,
                baseline: baseline_below,
            });
        }
        below += cell.count;
        baseline_below += baseline_cell.count;
    }
    places
}

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    reason = "these values are exact: equal to the bit or wrong"
)]
mod tests {
    use super::*;

    /// What a histogram and points know of these numbers.
    fn counted(values: &[f64]) -> (Histogram, CutCounts) {
        let mut histogram = Histogram::new(10.0, 2).unwrap();
        let mut points = CutCounts::with_atoms(&[8.0, 10.0], &[10.0, 12.0]).unwrap();
        for x in values {
            histogram.add(*x);
            points.add(*x);
        }
        (histogram, points)
    }

    fn grid(window: &[f64], baseline: &[f64]) -> Option<Grid> {
        let (window, baseline) = (counted(window), counted(baseline));
        let known = |(histogram, points)| Known { histogram, points };
        Grid::refine(
            known((&window.0, &window.1)),
            known((&baseline.0, &baseline.1)),
        )
    }

    #[test]
    fn atoms_are_cells_of_their_own_and_cuts_part_cells() {
        let window = [10.0, 10.0, 12.0, 12.0, 12.0, 7.9, 8.0];
        let baseline = [10.0, 12.0, 9.99, 10.01];
        let grid = grid(&window, &baseline).unwrap();
        let cell = |x: f64| grid.cells().find(|c| c.low <= x && x <= c.high).unwrap();
        assert_eq!((cell(10.0).low, cell(10.0).high), (10.0, 10.0));
        assert_eq!((cell(10.0).window, cell(10.0).baseline), (2, 1));
        assert_eq!((cell(12.0).window, cell(12.0).baseline), (3, 1));
        assert_eq!((cell(7.9).window, cell(8.0).window), (1, 1));
        assert_eq!((cell(9.99).baseline, cell(10.01).baseline), (1, 1));
        let found = grid.largest_differences();
        assert_eq!(found.larger.low, found.larger.high);
    }

    #[test]
    fn other_cells_or_no_values_give_no_grid() {
        assert_eq!(grid(&[], &[1.0]), None);
        let (histogram, points) = counted(&[1.0, 2.0]);
        let known = Known {
            histogram: &histogram,
            points: &points,
        };
        let elsewhere = Histogram::new(0.0, 2).unwrap();
        let other = Known {
            histogram: &elsewhere,
            points: &points,
        };
        assert_eq!(Grid::refine(known, other), None);
        let fewer = counted(&[1.0]).1;
        let other = Known {
            histogram: &histogram,
            points: &fewer,
        };
        assert_eq!(Grid::refine(known, other), None);
    }
}
