//! Delays that the rules were designed by, from an implementation of their own, and whether what is built
//! has them.

use super::Claim;
use super::table::{Cell, Table};

/// How far a median may lie from what was announced: a quarter, or one window.
const WITHIN: f64 = 0.25;

/// Table, rule, and the median windows to an alarm by scenario of a change; none where the objective is kept.
type Announced = (&'static str, &'static str, &'static [Option<u32>]);

const ANNOUNCED: [Announced; 15] = [
    (
        "drift-100",
        "clause9 PSI <= 0.02, warning",
        &[Some(21), Some(2), Some(1), Some(10), Some(15)],
    ),
    (
        "drift-100",
        "clause9 PSI <= 0.02, nonconformity",
        &[Some(27), Some(3), Some(1), Some(13), Some(20)],
    ),
    (
        "drift-100",
        "clause9 PSI <= 0.1, nonconformity",
        &[None, Some(10), Some(1), None, None],
    ),
    (
        "drift-500",
        "clause9 PSI <= 0.02, nonconformity",
        &[Some(6), Some(1), Some(1), Some(3), Some(5)],
    ),
    (
        "drift-500",
        "clause9 PSI <= 0.1, nonconformity",
        &[None, Some(3), Some(1), None, None],
    ),
    (
        "accuracy",
        "clause9, warning",
        &[Some(12), Some(5), Some(2)],
    ),
    (
        "accuracy",
        "clause9, nonconformity",
        &[Some(16), Some(7), Some(2)],
    ),
    ("four-fifths", "clause9, warning", &[Some(32), Some(8)]),
    (
        "four-fifths",
        "clause9, nonconformity",
        &[Some(44), Some(11)],
    ),
    (
        "roc-auc",
        "clause9, pair bets (exact), nonconformity",
        &[Some(26), Some(7), Some(2)],
    ),
    (
        "roc-auc",
        "clause9, DeLong bets (grade B), nonconformity",
        &[Some(14), Some(4), Some(2)],
    ),
    (
        "mean-loss",
        "clause9, cells of 1/32, nonconformity",
        &[Some(5), Some(1), Some(9), Some(1)],
    ),
    (
        "mean-loss",
        "clause9, cells of 1/128, nonconformity",
        &[Some(4), Some(1), Some(9), Some(1)],
    ),
    (
        "kappa",
        "clause9, pairs (exact), nonconformity",
        &[Some(43), Some(13), Some(4)],
    ),
    (
        "mcc",
        "clause9, pairs (exact), nonconformity",
        &[Some(60), Some(15), Some(4)],
    ),
];

fn medians(tables: &[Table], id: &str, rule: &str) -> Option<Vec<Option<u32>>> {
    let table = tables.iter().find(|table| table.id == id)?;
    let row = table.rows.iter().find(|row| row.rule == rule)?;
    let delays = row.cells.iter().filter_map(|cell| match cell {
        Cell::Delay { median, .. } => Some(*median),
        Cell::False { .. } => None,
    });
    Some(delays.collect())
}

fn near(found: Option<u32>, announced: Option<u32>) -> bool {
    match (found, announced) {
        (None, None) => true,
        (Some(found), Some(announced)) => {
            f64::from(found.abs_diff(announced)) <= (WITHIN * f64::from(announced)).max(1.0)
        }
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// What the figures say of what was announced.
pub(super) fn claim(tables: &[Table]) -> Claim {
    let (mut compared, mut off) = (0, Vec::new());
    for (id, rule, announced) in ANNOUNCED {
        let found = medians(tables, id, rule).unwrap_or_default();
        let fits = found.len() == announced.len();
        compared += announced.len();
        if !(fits && found.iter().zip(announced).all(|(f, a)| near(*f, *a))) {
            off.push(format!("{id}, {rule}: {found:?} for {announced:?}"));
        }
    }
    Claim {
        says:
            "Median delays are those that the rules were designed by, to a quarter or one window."
                .to_owned(),
        found: if off.is_empty() {
            format!("all {compared}")
        } else {
            off.join("; ")
        },
        holds: off.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_or_one_window_is_near_and_no_alarm_is_far_from_one() {
        assert!(near(Some(2), Some(1)) && near(Some(25), Some(20)) && near(None, None));
        assert!(!near(Some(3), Some(1)) && !near(Some(26), Some(20)));
        assert!(!near(None, Some(3)) && !near(Some(3), None));
    }

    #[test]
    fn missing_tables_do_not_hold() {
        assert!(!claim(&[]).holds);
    }
}
