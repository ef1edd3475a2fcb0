//! Labelled scores in cells: all that ranking and calibration figures read.

use crate::sketch::ScoreCell;

/// Labelled cases whose score lies in one cell. Cells ascend and do not overlap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Lower edge of the scores in it.
    pub low: f64,
    /// Upper edge of the scores in it; the same as `low` where all cases have one score.
    pub high: f64,
    /// Cases whose label is positive.
    pub positive: u64,
    /// Cases whose label is negative.
    pub negative: u64,
}

impl Cell {
    /// A cell of cases that all have one score.
    pub const fn point(score: f64, positive: u64, negative: u64) -> Self {
        Self {
            low: score,
            high: score,
            positive,
            negative,
        }
    }

    /// Cases in it.
    pub fn cases(&self) -> f64 {
        self.positive as f64 + self.negative as f64
    }

    /// What stands for the scores in it where one number must: the middle.
    pub const fn middle(&self) -> f64 {
        0.5 * (self.low + self.high)
    }

    /// Whether all its cases have the same score.
    pub fn is_point(&self) -> bool {
        self.low >= self.high
    }
}

impl From<ScoreCell> for Cell {
    fn from(cell: ScoreCell) -> Self {
        Self {
            low: cell.score.unwrap_or(cell.low),
            high: cell.score.unwrap_or(cell.high),
            positive: cell.count.positive,
            negative: cell.count.negative,
        }
    }
}

/// Positive and negative cases of cells.
pub fn totals(cells: &[Cell]) -> (u64, u64) {
    cells.iter().fold((0, 0), |(positive, negative), cell| {
        (positive + cell.positive, negative + cell.negative)
    })
}

/// One point cell for each distinct score: the raw rows as cells, for checks against them.
pub fn of_rows(rows: &[(f64, bool)]) -> Vec<Cell> {
    let mut sorted = rows.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut cells: Vec<Cell> = Vec::new();
    for (score, label) in sorted {
        let (positive, negative) = (u64::from(label), u64::from(!label));
        match cells.last_mut() {
            Some(cell) if cell.low.total_cmp(&score).is_eq() => {
                cell.positive += positive;
                cell.negative += negative;
            }
            Some(_) | None => cells.push(Cell::point(score, positive, negative)),
        }
    }
    cells
}
