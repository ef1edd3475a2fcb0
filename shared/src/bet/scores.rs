//! Fixed cells of scores that bets are made on, whatever finer ones scores are counted in.
//!
//! *Fine* cells are for losses and rankings, which ask most near 0 and 1: a score s lies
//! t = min(s, 1 - s) from the nearer end, and on each side 15 octaves of t, from 2^-16 to 0.5, are cut
//! into 16 cells each; t below 2^-16 belongs to the outermost cell. *Even* cells, 64 of equal width,
//! are for calibration. Both are unions of the cells that agents count in, and each has two counts:
//! cases labelled positive, then negative.

use crate::sketch::ScoreCell;

/// Fine cells.
pub const FINE: usize = 480;
/// Even cells.
pub const EVEN: usize = 64;
const SIDE: usize = FINE / 2;
/// Cells of an octave.
const OCTAVE: usize = 16;
/// The binary exponent of the nearest edge.
const FIRST: i32 = -16;

/// Lower and upper edges of the fine cells, ascending.
pub fn fine() -> Vec<(f64, f64)> {
    let edge = |i: usize| {
        let (octave, step) = (i / OCTAVE, i % OCTAVE);
        let octave = i32::try_from(octave).unwrap_or(0);
        if i == 0 {
            0.0
        } else {
            libm::ldexp(1.0 + step as f64 / OCTAVE as f64, FIRST + octave)
        }
    };
    let lower = (0..SIDE).map(|i| (edge(i), edge(i + 1)));
    let upper = (0..SIDE).rev().map(|i| (1.0 - edge(i + 1), 1.0 - edge(i)));
    lower.chain(upper).collect()
}

/// Lower and upper edges of the even cells, ascending.
pub fn even() -> Vec<(f64, f64)> {
    (0..EVEN)
        .map(|i| (i as f64 / EVEN as f64, (i + 1) as f64 / EVEN as f64))
        .collect()
}

/// Cases by cell of edges that ascend without gaps: positive ones, then negative ones, of each.
pub fn counts(edges: &[(f64, f64)], cells: impl Iterator<Item = ScoreCell>) -> Vec<u64> {
    let mut counts = vec![0_u64; 2 * edges.len()];
    for cell in cells {
        // Counted cells lie within these; their middles are beyond any question of edges.
        let middle = f64::midpoint(cell.low, cell.high);
        let at = edges
            .partition_point(|edge| edge.1 <= middle)
            .min(edges.len().saturating_sub(1));
        for (count, more) in counts
            .iter_mut()
            .skip(2 * at)
            .zip([cell.count.positive, cell.count.negative])
        {
            *count = count.saturating_add(more);
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sketch::ScoreCells;

    #[test]
    fn cells_ascend_without_gaps_and_hold_what_is_counted_in_them() {
        for edges in [fine(), even()] {
            assert_eq!((edges[0].0, edges[edges.len() - 1].1), (0.0, 1.0));
            assert!(
                edges
                    .windows(2)
                    .all(|pair| pair[0].1.total_cmp(&pair[1].0).is_eq())
            );
            let mut cells = ScoreCells::new(1).unwrap();
            let scores = [
                0.0, 1e-9, 0.011, 0.25, 0.3, 0.49, 0.5, 0.51, 0.75, 0.99, 1.0,
            ];
            for (i, score) in scores.iter().enumerate() {
                cells.add(Some(*score), Some(i % 2 == 0), Some(0));
                cells.add(Some(*score), None, Some(0));
            }
            let found = counts(&edges, cells.cells(Some(0)));
            assert_eq!(found.iter().sum::<u64>(), scores.len() as u64);
            for (at, count) in found.iter().enumerate() {
                let (low, high) = edges[at / 2];
                let inside = scores.iter().enumerate();
                let inside = inside.filter(|(i, s)| {
                    i % 2 == at % 2
                        && (low..=high).contains(*s)
                        && (**s < high || high >= 1.0 || **s > 0.5)
                });
                assert!(*count <= inside.count() as u64, "{low} {high}");
            }
        }
    }
}
