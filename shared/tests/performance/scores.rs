//! Scores against labels: from raw scores to rounding, from score cells within the stated bounds.

use clause9_shared::performance::calibration::{
    Group, equal_mass, equal_width, expected_error, largest_error,
};
use clause9_shared::performance::cells::{Cell, of_rows, totals};
use clause9_shared::performance::precision_recall::average_precision;
use clause9_shared::performance::{ranking, roc};
use clause9_shared::sketch::ScoreCells;

use crate::oracle::{CAR_LOAN, ELEC2, GERMAN_CREDIT, Row, each, same};

/// The raw scores, one cell for each distinct one.
pub(crate) fn raw(rows: &[&Row]) -> Vec<Cell> {
    let pairs: Vec<_> = rows.iter().map(|row| (row.score, row.positive())).collect();
    of_rows(&pairs)
}

/// What a summary keeps of the scores.
pub(crate) fn kept(rows: &[&Row]) -> Vec<Cell> {
    let mut cells = ScoreCells::new(1).unwrap();
    for row in rows {
        cells.add(Some(row.score), Some(row.positive()), Some(0));
    }
    let cell = |c: clause9_shared::sketch::ScoreCell| Cell {
        low: c.low,
        high: c.high,
        positive: c.count.positive,
        negative: c.count.negative,
    };
    cells.cells(Some(0)).map(cell).collect()
}

/// The cases with exact sums of raw scores, in the groups that cells were put into.
fn exact(groups: &[Group], raw: &[Cell]) -> Vec<Group> {
    let mut scores = raw.iter();
    let mut exact = Vec::new();
    for group in groups {
        let (mut cases, mut sum) = (0.0, 0.0);
        while cases < group.cases {
            let cell = scores.next().unwrap();
            cases += cell.cases();
            sum += cell.cases() * cell.low;
        }
        assert!((cases - group.cases).abs() < 0.5, "groups are of whole cells");
        exact.push(Group {
            scores: sum,
            open: 0.0,
            ..*group
        });
    }
    exact
}

#[test]
fn figures_of_raw_scores_are_those_of_scikit_learn() {
    let mut windows = 0;
    for case in [CAR_LOAN, GERMAN_CREDIT, ELEC2] {
        if !case.present() {
            continue;
        }
        each(&case, "performance.json", |window, rows, expected| {
            let cells = raw(rows);
            let (positive, negative) = totals(&cells);
            assert_eq!(Some(positive + negative), expected["n"].as_u64());
            let ten = equal_width(&cells, 10);
            for (name, found) in [
                ("roc_auc", roc::area(&cells).map(|a| a.area.value)),
                (
                    "average_precision",
                    average_precision(&cells).map(|a| a.precision.value),
                ),
                ("ece10", expected_error(&ten).map(|e| e.value)),
                ("mce10", largest_error(&ten).map(|e| e.value)),
            ] {
                same(found, &expected[name], &format!("{window}: {name}"));
            }
            windows += 1;
        });
    }
    assert!(windows >= 56, "{windows}");
}

#[test]
fn figures_of_cells_hold_the_raw_ones_and_their_bounds_are_narrow() {
    let mut widest = [("", 0.0_f64); 4].map(|(_, width)| (String::new(), width));
    let mut note = |at: usize, width: f64, window: &str| {
        if width > widest[at].1 {
            widest[at] = (window.to_owned(), width);
        }
    };
    for case in [CAR_LOAN, GERMAN_CREDIT, ELEC2] {
        if !case.present() {
            continue;
        }
        each(&case, "performance.json", |window, rows, expected| {
            let (raw, cells) = (raw(rows), kept(rows));
            let area = roc::area(&cells).unwrap().area;
            assert!(area.holds(expected["roc_auc"].as_f64().unwrap()), "{window} {area:?}");
            note(0, 0.5 * (area.high - area.low), window);
            let precision = average_precision(&cells).unwrap().precision;
            let exact_precision = expected["average_precision"].as_f64().unwrap();
            assert!(precision.holds(exact_precision), "{window} {precision:?}");
            note(1, 0.5 * (precision.high - precision.low), window);
            let separation = ranking::separation(&cells).unwrap();
            let of_raw = ranking::separation(&raw).unwrap().value;
            assert!(separation.holds(of_raw), "{window} {separation:?} {of_raw}");
            note(2, separation.high - separation.low, window);
            let gain = ranking::gain(&cells, 0.1).unwrap();
            assert!(gain.holds(ranking::gain(&raw, 0.1).unwrap().value), "{window}");
            for groups in [equal_width(&cells, 15), equal_mass(&cells, 15)] {
                let (found, exact) = (expected_error(&groups).unwrap(), exact(&groups, &raw));
                assert!(found.holds(expected_error(&exact).unwrap().value), "{window}");
                note(3, 0.5 * (found.high - found.low), window);
                let worst = largest_error(&groups).unwrap();
                assert!(worst.holds(largest_error(&exact).unwrap().value), "{window}");
            }
        });
    }
    for ((window, width), (name, most)) in widest.iter().zip([
        ("ROC AUC", 0.005),
        ("average precision", 0.02),
        ("KS separation", 0.05),
        ("ECE", 0.008),
    ]) {
        println!("{name}: at most +-{width:.5}, in {window}");
        assert!(width <= &most, "{name}: {width} in {window}");
    }
}
