//! What else cells say about a score's ranking: separation, and what the top of the list holds.

use super::Bracketed;
use super::cells::{Cell, totals};

/// The largest distance between the distribution functions of the positives' and of the negatives'
/// scores (Kolmogorov-Smirnov). None without both labels.
///
/// At the edges of cells both functions are known, so the value is never too large; within a cell
/// the one may rise before the other, which bounds how much too small it is.
pub fn separation(cells: &[Cell]) -> Option<Bracketed> {
    let (positives, negatives) = totals(cells);
    if positives == 0 || negatives == 0 {
        return None;
    }
    let (mut p, mut n) = (0.0, 0.0);
    let (mut value, mut high) = (0.0_f64, 0.0_f64);
    for cell in cells {
        let next_p = p + cell.positive as f64 / positives as f64;
        let next_n = n + cell.negative as f64 / negatives as f64;
        value = value.max((next_p - next_n).abs());
        if !cell.is_point() {
            high = high.max(next_p - n).max(next_n - p);
        }
        (p, n) = (next_p, next_n);
    }
    Some(Bracketed {
        value,
        low: value,
        high: value.max(high).min(1.0),
    })
}

/// Gini's coefficient of a ranking from its area under the ROC curve: twice the area, less one.
pub fn gini(area: f64) -> f64 {
    2.0 * area - 1.0
}

/// Which share of the positive cases is among the share `top` of all cases with the highest scores
/// (gain). The cell that the cut falls into gives its cases in proportion, as if tied; the bracket
/// takes its positives first or last. None without a positive case.
pub fn gain(cells: &[Cell], top: f64) -> Option<Bracketed> {
    let (positives, negatives) = totals(cells);
    if positives == 0 {
        return None;
    }
    let np = positives as f64;
    let mut room = top * (np + negatives as f64);
    let (mut value, mut low, mut high) = (0.0, 0.0, 0.0);
    for cell in cells.iter().rev().filter(|cell| cell.cases() > 0.0) {
        let (p, n) = (cell.positive as f64, cell.negative as f64);
        let taken = room.min(p + n).max(0.0);
        let tied = p * taken / (p + n);
        value += tied;
        if cell.is_point() {
            (low, high) = (low + tied, high + tied);
        } else {
            low += (taken - n).max(0.0);
            high += taken.min(p);
        }
        room -= taken;
    }
    Some(Bracketed {
        value: value / np,
        low: low / np,
        high: high / np,
    })
}

/// How many times more positive cases the top of the list holds than as many cases chosen by chance.
pub fn lift(cells: &[Cell], top: f64) -> Option<Bracketed> {
    let gain = gain(cells, top)?;
    (top > 0.0).then(|| gain.map(|g| g / top))
}

#[cfg(test)]
mod tests {
    use super::super::cells::of_rows;
    use super::*;

    #[test]
    fn separation_and_lift_by_hand() {
        let rows = [
            (0.1, false),
            (0.2, false),
            (0.3, true),
            (0.4, false),
            (0.9, true),
        ];
        let cells = of_rows(&rows);
        assert!((separation(&cells).unwrap().value - 2.0 / 3.0).abs() < 1e-15);
        let gain = gain(&cells, 0.2).unwrap();
        assert!((gain.value - 0.5).abs() < 1e-15 && (gain.high - 0.5).abs() < 1e-15);
        assert!((lift(&cells, 0.2).unwrap().value - 2.5).abs() < 1e-12);
        assert_eq!(separation(&of_rows(&[(0.3, true)])), None);
        assert_eq!(super::gain(&of_rows(&[(0.3, false)]), 0.1), None);
    }

    #[test]
    fn in_a_wide_cell_the_cut_is_bracketed() {
        let cell = Cell {
            low: 0.0,
            high: 1.0,
            positive: 10,
            negative: 10,
        };
        let found = gain(&[cell], 0.25).unwrap();
        assert!((found.value - 0.25).abs() < 1e-15);
        assert!((found.low - 0.0).abs() < 1e-15 && (found.high - 0.5).abs() < 1e-15);
        let separated = separation(&[cell]).unwrap();
        assert!(separated.value.abs() < 1e-15 && (separated.high - 1.0).abs() < 1e-15);
    }
}
