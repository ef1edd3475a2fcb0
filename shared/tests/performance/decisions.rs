//! Decisions against labels: every count and rate, in every window, as labels came, too.

use clause9_shared::performance::binary::{Binary, Share};
use serde_json::Value;

use crate::oracle::{CAR_LOAN, ELEC2, GERMAN_CREDIT, Row, each, same};

pub(crate) fn table(rows: &[&Row]) -> Binary {
    let count = |label: bool, decision: bool| {
        let is = |row: &&&Row| row.positive() == label && row.decision == decision;
        rows.iter().filter(is).count() as u64
    };
    Binary {
        tp: count(true, true),
        fp: count(false, true),
        fn_: count(true, false),
        tn: count(false, false),
    }
}

fn agree(table: &Binary, expected: &Value, window: &str) {
    let share = |(hits, of): Share| (of > 0).then(|| hits as f64 / of as f64);
    for (name, found) in [
        ("tp", Some(table.tp as f64)),
        ("fp", Some(table.fp as f64)),
        ("fn", Some(table.fn_ as f64)),
        ("tn", Some(table.tn as f64)),
        ("prevalence", share(table.prevalence())),
        ("accuracy", share(table.accuracy())),
        ("precision", share(table.precision())),
        ("recall", share(table.recall())),
        ("specificity", share(table.specificity())),
        ("fpr", share(table.false_positive_rate())),
        ("fnr", share(table.false_negative_rate())),
        ("npv", share(table.negative_predictive_value())),
        ("f1", table.f_beta(1.0).map(|f| f.value)),
        ("mcc", Some(table.matthews().map_or(0.0, |f| f.value))),
        (
            "balanced_accuracy",
            table.balanced_accuracy().map(|f| f.value),
        ),
        ("cohen_kappa", table.kappa().map(|f| f.value)),
    ] {
        same(found, &expected[name], &format!("{window}: {name}"));
    }
}

#[test]
fn counts_and_rates_of_every_window_are_those_of_scikit_learn() {
    let mut windows = 0;
    for case in [CAR_LOAN, GERMAN_CREDIT, ELEC2] {
        if !case.present() {
            continue;
        }
        each(&case, "performance.json", |window, rows, expected| {
            agree(&table(rows), expected, window);
            windows += 1;
        });
    }
    assert!(windows >= 53, "{windows}");
}

#[test]
fn what_was_known_at_an_instant_counts_only_labels_that_had_come() {
    let values = CAR_LOAN.values("asof.json");
    let all = CAR_LOAN.rows("analysis");
    for (instant, expected) in values["asof"].as_object().unwrap() {
        let seen: Vec<Row> = all
            .iter()
            .filter(|row| row.timestamp.as_str() <= instant.as_str())
            .cloned()
            .collect();
        assert_eq!(seen.len() as u64, expected["rows_seen"].as_u64().unwrap());
        for (window, rows) in CAR_LOAN.windows(&seen) {
            let known: Vec<&Row> = rows
                .iter()
                .copied()
                .filter(|row| row.came.as_str() <= instant.as_str())
                .collect();
            let expected = &expected["chunks"][&window];
            let coverage = known.len() as f64 / rows.len() as f64;
            let named = format!("{instant} {window}");
            same(Some(coverage), &expected["label_coverage"], &named);
            if known.len() > 20 {
                agree(&table(&known), expected, &named);
            }
        }
    }
}
