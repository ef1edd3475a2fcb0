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
    /// Standard error and drawn area where raw scores put the area at the lower and at the upper end of
    /// what cells leave open.
    pub ends: [(f64, f64); 2],
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
    let (value, delong) = placed(cells, (np, nn), 0.5);
    let open = cells.iter().filter(|cell| !cell.is_point());
    let open = open.fold(0.0, |sum, c| sum + c.positive as f64 * c.negative as f64);
    let open = 0.5 * open / np / nn;
    let least = positives.min(negatives) as f64;
    let drawn = |value: f64| (value * least + 0.5) / (least + 1.0);
    let std_error =
        |value: f64, delong: f64| delong.max(hanley_mcneil(drawn(value), np, nn)).sqrt();
    let end = |share: f64| {
        let (value, delong) = placed(cells, (np, nn), share);
        (std_error(value, delong), drawn(value))
    };
    Some(Area {
        area: Bracketed {
            value,
            low: (value - open).max(0.0),
            high: (value + open).min(1.0),
        },
        std_error: std_error(value, delong),
        delong,
        drawn: drawn(value),
        ends: [end(0.0), end(1.0)],
        positives,
        negatives,
    })
}

/// The area and DeLong's variance, where of the pairs in one cell that is no point this share stands in
/// the right order.
fn placed(cells: &[Cell], (np, nn): (f64, f64), share: f64) -> (f64, f64) {
    // The chance that a cell's positives beat a negative, and that its negatives lose to a positive.
    let placements = || {
        let (mut below, mut above) = (0.0, np);
        cells.iter().map(move |cell| {
            let (p, n) = (cell.positive as f64, cell.negative as f64);
            let share = if cell.is_point() { 0.5 } else { share };
            above -= p;
            let placed = (p, n, (below + share * n) / nn, (above + share * p) / np);
            below += n;
            placed
        })
    };
    let value = placements().fold(0.0, |sum, (p, _, beats, _)| sum + p * beats) / np;
    let (mut over_p, mut over_n) = (0.0, 0.0);
    for (p, n, beats, loses) in placements() {
        over_p += p * (beats - value) * (beats - value);
        over_n += n * (loses - value) * (loses - value);
    }
    let delong = over_p / np / (np - 1.0).max(1.0) + over_n / nn / (nn - 1.0).max(1.0);
    (value, delong)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// (positive, negative) of cells in ascending order of score.
    const CELLS: [(u64, u64); 12] = [
        (0, 1),
        (0, 1),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
        (0, 1),
        (1, 0),
        (0, 1),
        (1, 0),
        (2, 1),
        (1, 0),
    ];

    fn wide(counts: &[(u64, u64)]) -> Vec<Cell> {
        let cell = |(at, (positive, negative)): (usize, &(u64, u64))| Cell {
            low: at as f64 / 100.0,
            high: (at as f64 + 1.0) / 100.0,
            positive: *positive,
            negative: *negative,
        };
        counts.iter().enumerate().map(cell).collect()
    }

    #[test]
    fn area_and_delongs_variance_are_those_of_the_raw_scores() {
        // numpy, by the definition: all pairs, ties half; variances of the placement values.
        let found = area(&wide(&CELLS)).unwrap();
        assert!((found.area.value - 0.817_460_317_460_317_4).abs() < 1e-15);
        assert_eq!((found.positives, found.negatives), (7, 9));
        assert!((found.delong - 0.011_610_817_166_372_7).abs() < 1e-12);
        assert!(found.std_error >= found.delong.sqrt());
        assert!((found.area.high - found.area.low - 3.0 / 63.0).abs() < 1e-12);
    }

    #[test]
    fn in_large_samples_the_standard_error_is_delongs() {
        let many: Vec<_> = CELLS.iter().map(|(p, n)| (p * 100, n * 100)).collect();
        let found = area(&wide(&many)).unwrap();
        assert!(found.std_error / found.delong.sqrt() < 1.25);
        assert!((0.009..0.0125).contains(&found.std_error));
    }

    #[test]
    fn a_perfect_ranking_of_few_cases_is_not_certain() {
        let found = area(&wide(&[(0, 10), (10, 0)])).unwrap();
        assert_eq!(found.area.value.to_bits(), 1.0_f64.to_bits());
        assert!(found.std_error > 0.03 && found.drawn < 1.0);
    }

    #[test]
    fn at_the_ends_pairs_of_a_cell_stand_in_one_order() {
        let cells = wide(&[(3, 7), (5, 2)]);
        let low = [(0.0, true), (1.0, false), (2.0, true), (3.0, false)];
        let times = [3, 7, 5, 2];
        let rows: Vec<_> = low
            .iter()
            .zip(times)
            .flat_map(|(row, n)| std::iter::repeat_n(*row, n))
            .collect();
        let raw = area(&super::super::cells::of_rows(&rows)).unwrap();
        let found = area(&cells).unwrap();
        assert!((found.area.low - raw.area.value).abs() < 1e-12);
        assert!((found.ends[0].0 - raw.std_error).abs() < 1e-12);
        assert!((found.ends[0].1 - raw.drawn).abs() < 1e-12);
    }

    #[test]
    fn without_both_labels_there_is_no_area() {
        for counts in [&[][..], &[(3, 0)], &[(0, 3)]] {
            assert_eq!(area(&wide(counts)), None);
        }
    }

    #[test]
    fn several_classes_agree_with_scikit_learn() {
        // scikit-learn 1.9.1, roc_auc_score(multi_class=ovr and ovo, average=macro) of these rows.
        let rows: [(usize, [f64; 3]); 7] = [
            (0, [0.7, 0.2, 0.1]),
            (0, [0.3, 0.4, 0.3]),
            (1, [0.2, 0.5, 0.3]),
            (1, [0.5, 0.3, 0.2]),
            (2, [0.1, 0.3, 0.6]),
            (2, [0.4, 0.4, 0.2]),
            (2, [0.1, 0.1, 0.8]),
        ];
        let cells = |by: usize, positive: usize, negative: &dyn Fn(usize) -> bool| {
            let mine = rows.iter().filter(|(y, _)| *y == positive || negative(*y));
            let rows: Vec<_> = mine.map(|(y, s)| (s[by], *y == positive)).collect();
            super::super::cells::of_rows(&rows)
        };
        let rest: Vec<_> = (0..3).map(|c| cells(c, c, &|y| y != c)).collect();
        assert!((one_against_rest(&rest).unwrap().value - OVR).abs() < 1e-12);
        let pairs: Vec<_> = [(0, 1), (0, 2), (1, 2)]
            .map(|(i, j)| [cells(i, i, &|y| y == j), cells(j, j, &|y| y == i)])
            .to_vec();
        assert!((hand_till(&pairs).unwrap().value - OVO).abs() < 1e-12);
        assert_eq!(hand_till(&[]), None);
    }

    const OVR: f64 = 281.0 / 360.0;
    const OVO: f64 = 7.0 / 9.0;
}
