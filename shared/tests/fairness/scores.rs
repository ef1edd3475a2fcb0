//! Scores within groups: the figure of the raw scores lies within the bound of the cells' figure.

use crate::case::{ATTRIBUTES, Row, measure, pane, windows};

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn of_group<'a>(rows: &'a [Row], attribute: usize, group: &str) -> Vec<&'a Row> {
    rows.iter()
        .filter(|row| row.groups[attribute].as_deref() == Some(group))
        .collect()
}

fn residual(rows: &[&Row]) -> f64 {
    let residuals: Vec<f64> = rows
        .iter()
        .map(|row| f64::from(u8::from(row.label)) - row.score)
        .collect();
    mean(&residuals)
}

fn score(rows: &[&Row], label: bool) -> f64 {
    let of = rows.iter().filter(|row| row.label == label);
    mean(&of.map(|row| row.score).collect::<Vec<_>>())
}

/// All pairs, ties half.
fn area(rows: &[&Row]) -> f64 {
    let of = |label| rows.iter().filter(move |row| row.label == label);
    let mut wins = 0.0;
    for positive in of(true) {
        for negative in of(false) {
            wins += match positive.score.partial_cmp(&negative.score).unwrap() {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
        }
    }
    wins / (of(true).count() * of(false).count()) as f64
}

#[test]
fn figures_of_raw_scores_lie_within_the_bounds() {
    for (window, rows) in windows() {
        let pane = pane(&rows);
        for (i, (attribute, _, groups, reference)) in ATTRIBUTES.into_iter().enumerate() {
            let base = of_group(&rows, i, reference);
            for group in groups {
                let own = of_group(&rows, i, group);
                let mut expected = vec![("mean_residual.group", residual(&own))];
                if *group != reference {
                    expected.extend([
                        ("mean_residual_difference", residual(&own) - residual(&base)),
                        (
                            "positive_class_balance",
                            score(&own, true) - score(&base, true),
                        ),
                        (
                            "negative_class_balance",
                            score(&own, false) - score(&base, false),
                        ),
                    ]);
                }
                for (metric, raw) in expected {
                    let found = measure(&pane, metric, Some(attribute), Some(group)).unwrap();
                    let (low, high) = found.bound.unwrap();
                    assert!(
                        low - 1e-12 <= raw && raw <= high + 1e-12 && high - low < 0.1,
                        "{window} {metric} {group}: {raw} not in {low} to {high}"
                    );
                    let (low, high) = found.interval.unwrap();
                    assert!(low < found.value && found.value < high);
                }
                if *group != reference {
                    let raw = area(&own) - area(&base);
                    let found = measure(&pane, "roc_auc_difference", Some(attribute), Some(group));
                    let found = found.unwrap();
                    let (low, high) = found.bound.unwrap();
                    assert!(
                        low - 1e-12 <= raw && raw <= high + 1e-12,
                        "{window} {group}: {raw} not in {low} to {high}"
                    );
                }
            }
        }
    }
}
