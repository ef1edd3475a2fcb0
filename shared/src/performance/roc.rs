//! The area under the ROC curve from cells, with what cells leave open and what chance leaves open.

use super::Bracketed;
use super::cells::{Cell, totals};

/// An area and how sure it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// The chance that a positive case scores above a negative one, ties half; between which values
    /// it lies for raw scores. Cells of one score leave nothing open.
    pub area: Bracketed,
    /// Its standard error: the larger of DeLong's and of Hanley's (1982) at `drawn`.
    pub std_error: f64,
    /// DeLong's variance alone (DeLong, DeLong and Clarke-Pearson 1988), from placements of cells.
    pub delong: f64,
    /// The area drawn away from 0 and 1, where both variances vanish and would make few cases look
    /// certain.
    pub drawn: f64,
    /// Positive cases.
    pub positives: u64,
    /// Negative cases.
    pub negatives: u64,
}

/// The area of cells in ascending order of score. None without both labels.
pub fn area(cells: &[Cell]) -> Option<Area> {
    let (positives, negatives) = totals(cells);
    if positives == 0 || negatives == 0 {
        return None;
    }
    let (np, nn) = (positives as f64, negatives as f64);
    // The chance that a cell's positives beat a negative, and that its negatives lose to a positive.
    let placements = || {
        let (mut below, mut above) = (0.0, np);
        cells.iter().map(move |cell| {
            let (p, n) = (cell.positive as f64, cell.negative as f64);
            above -= p;
            let placed = (p, n, (below + 0.5 * n) / nn, (above + 0.5 * p) / np);
            below += n;
            placed
        })
    };
    let value = placements().fold(0.0, |sum, (p, _, beats, _)| sum + p * beats) / np;
    let open = cells.iter().filter(|cell| !cell.is_point());
    let open = open.fold(0.0, |sum, c| sum + c.positive as f64 * c.negative as f64);
    let open = 0.5 * open / np / nn;
    let (mut over_p, mut over_n) = (0.0, 0.0);
    for (p, n, beats, loses) in placements() {
        over_p += p * (beats - value) * (beats - value);
        over_n += n * (loses - value) * (loses - value);
    }
    let delong = over_p / np / (np - 1.0).max(1.0) + over_n / nn / (nn - 1.0).max(1.0);
    let least = positives.min(negatives) as f64;
    let drawn = (value * least + 0.5) / (least + 1.0);
    Some(Area {
        area: Bracketed {
            value,
            low: (value - open).max(0.0),
            high: (value + open).min(1.0),
        },
        std_error: delong.max(hanley_mcneil(drawn, np, nn)).sqrt(),
        delong,
        drawn,
        positives,
        negatives,
    })
}

/// The variance of an area after Hanley and his co-author (Radiology 143, 1982), from the numbers of
/// positives and negatives.
fn hanley_mcneil(area: f64, positives: f64, negatives: f64) -> f64 {
    let square = area * area;
    let two_positives = area / (2.0 - area) - square;
    let two_negatives = 2.0 * square / (1.0 + area) - square;
    let sum =
        area * (1.0 - area) + (positives - 1.0) * two_positives + (negatives - 1.0) * two_negatives;
    sum.max(0.0) / (positives * negatives)
}

/// The mean area of several classes, each against the rest: cells of the class's own score, where
/// positive means that the label is the class. None unless every class has an area.
pub fn one_against_rest(classes: &[Vec<Cell>]) -> Option<Bracketed> {
    mean(classes.iter().map(|cells| Some(area(cells)?.area)))
}

/// The M measure of Hand and Till (2001): the mean over all pairs of classes of the mean of the two
/// areas by which the pair's classes are told apart by the score of the one and of the other. Each
/// item holds, for a pair (i, j), the cells of score i (positive: class i, negative: class j) and
/// of score j (positive: class j). None unless every pair has both areas.
pub fn hand_till(pairs: &[[Vec<Cell>; 2]]) -> Option<Bracketed> {
    mean(pairs.iter().flatten().map(|cells| Some(area(cells)?.area)))
}

fn mean(areas: impl Iterator<Item = Option<Bracketed>>) -> Option<Bracketed> {
    let (mut n, mut value, mut low, mut high) = (0.0, 0.0, 0.0, 0.0);
    for area in areas {
        let area = area?;
        n += 1.0;
        value += area.value;
        low += area.low;
        high += area.high;
    }
    Some(Bracketed {
        value: super::over(value, n)?,
        low: low / n,
        high: high / n,
    })
}
