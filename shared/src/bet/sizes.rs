//! Fixed cells of numbers that are not negative, as absolute errors: those of a [`Histogram`] around
//! zero, from 2^-10 to 2^20 of its scale with 32 cells to an octave, one below and one above.

use crate::sketch::Histogram;

/// Binary exponent of the smallest number that is told from 0, in scales.
const FIRST: i32 = -10;
const OCTAVES: usize = 30;
/// Cells of an octave.
const STEPS: usize = 32;
/// All cells.
pub const CELLS: usize = OCTAVES * STEPS + 2;

/// Lower and upper edges for a scale of 2 to this power; the last upper edge is infinite.
pub fn edges(scale_exponent: i32) -> Vec<(f64, f64)> {
    let edge = |i: usize| {
        let octave = i32::try_from(i / STEPS).unwrap_or(0);
        libm::ldexp(
            1.0 + (i % STEPS) as f64 / STEPS as f64,
            FIRST + octave + scale_exponent,
        )
    };
    let last = OCTAVES * STEPS;
    let inner = (0..last).map(|i| (edge(i), edge(i + 1)));
    std::iter::once((0.0, edge(0)))
        .chain(inner)
        .chain(std::iter::once((edge(last), f64::INFINITY)))
        .collect()
}

/// Numbers by cell. Cells of a histogram that were joined count as their lower half.
pub fn counts(histogram: &Histogram) -> Vec<u64> {
    let edges = edges(histogram.scale_exponent());
    let mut counts = vec![0_u64; CELLS];
    for cell in histogram.cells() {
        let at = edges
            .partition_point(|edge| edge.1 <= cell.low.max(0.0))
            .min(CELLS - 1);
        counts[at] = counts[at].saturating_add(cell.count);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_counted_in_the_cell_that_holds_it() {
        for scale in [-4, 0, 7] {
            let edges = edges(scale);
            assert_eq!(edges.len(), CELLS);
            let mut x = 1e-5;
            while x < 1e9 {
                let mut histogram = Histogram::new(0.0, scale).unwrap();
                histogram.add(x);
                let counts = counts(&histogram);
                let at = counts.iter().position(|count| *count == 1).unwrap();
                let (low, high) = edges[at];
                assert!(low <= x && x < high, "{x} {low} {high}");
                x *= 1.37;
            }
        }
    }
}
