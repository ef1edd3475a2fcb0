//! Scores against labels: from raw scores to rounding, from score cells within the stated bounds.

use clause9_shared::performance::calibration::{
    Group, equal_mass, equal_width, expected_error, largest_error,
};
use clause9_shared::performance::cells::{Cell, of_rows, totals};
use clause9_shared::performance::precision_recall::average_precision;
use clause9_shared::performance::{ranking, roc};
use clause9_shared::sketch::ScoreCells;

use serde_json::Value;

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
    cells.cells(Some(0)).map(Cell::from).collect()
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
        assert!(
            (cases - group.cases).abs() < 0.5,
            "groups are of whole cells"
        );
        exact.push(Group {
            scores: sum,
            open: 0.0,
            ..*group
        });
    }
    exact
}

#[test]
fn t5_figures_of_raw_scores_are_those_of_scikit_learn() {
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
    assert!(windows >= 53, "{windows}");
}

/// The widest brackets of a case: by figure, how wide and in which window.
#[derive(Debug, Default)]
struct Widest([(f64, String); 4]);

impl Widest {
    fn note(&mut self, at: usize, width: f64, window: &str) {
        if width > self.0[at].0 {
            self.0[at] = (width, window.to_owned());
        }
    }

    /// Fails unless cells hold what raw scores give.
    fn check(&mut self, window: &str, rows: &[&Row], expected: &Value) {
        let (raw, cells) = (raw(rows), kept(rows));
        let area = roc::area(&cells).unwrap().area;
        let raw_area = expected["roc_auc"].as_f64().unwrap();
        assert!(area.holds(raw_area), "{window} {area:?}");
        self.note(0, 0.5 * (area.high - area.low), window);
        let precision = average_precision(&cells).unwrap().precision;
        let raw_precision = expected["average_precision"].as_f64().unwrap();
        assert!(precision.holds(raw_precision), "{window} {precision:?}");
        self.note(1, 0.5 * (precision.high - precision.low), window);
        let separation = ranking::separation(&cells).unwrap();
        let raw_separation = ranking::separation(&raw).unwrap().value;
        assert!(separation.holds(raw_separation), "{window} {separation:?}");
        self.note(2, separation.high - separation.low, window);
        let gain = ranking::gain(&cells, 0.1).unwrap();
        assert!(
            gain.holds(ranking::gain(&raw, 0.1).unwrap().value),
            "{window}"
        );
        for groups in [equal_width(&cells, 15), equal_mass(&cells, 15)] {
            let (found, exact) = (expected_error(&groups).unwrap(), exact(&groups, &raw));
            assert!(
                found.holds(expected_error(&exact).unwrap().value),
                "{window}"
            );
            self.note(3, 0.5 * (found.high - found.low), window);
            let worst = largest_error(&groups).unwrap();
            assert!(
                worst.holds(largest_error(&exact).unwrap().value),
                "{window}"
            );
        }
    }
}

#[test]
fn t5_figures_of_cells_hold_the_raw_ones_and_their_bounds_are_narrow() {
    // ROC AUC, average precision, separation of scores, ECE over cells. In some windows of elec2 most
    // scores stand in a few cells around one half, which are wide.
    for (case, most) in [
        (CAR_LOAN, [0.005, 0.02, 0.05, 0.008]),
        (GERMAN_CREDIT, [0.005, 0.02, 0.05, 0.008]),
        (ELEC2, [0.005, 0.05, 0.1, 0.008]),
    ] {
        if !case.present() {
            continue;
        }
        let mut widest = Widest::default();
        each(&case, "performance.json", |window, rows, expected| {
            widest.check(window, rows, expected);
        });
        println!("{widest:?}");
        for ((width, window), most) in widest.0.iter().zip(most) {
            assert!(*width <= most, "{window}: {width} {most}");
        }
    }
}
