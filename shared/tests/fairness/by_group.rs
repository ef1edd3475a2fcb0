//! Performance within groups: values of scikit-learn on the rows of each group, in every window.

use clause9_shared::metric::Unmeasurable;
use serde_json::Value;

use crate::case::{ATTRIBUTES, measure, pane, windows};

/// scikit-learn 1.9.0 (numpy for `ece` and `observed_over_expected`), by window, attribute and group; none
/// where a figure is 0/0. Raw-exact figures, then those of cells.
const EXACT: [&str; 7] = [
    "f1",
    "balanced_accuracy",
    "mcc",
    "log_loss",
    "brier",
    "ece",
    "observed_over_expected",
];
const BOUNDED: [&str; 2] = ["roc_auc", "average_precision"];

fn golden() -> Value {
    serde_json::from_str(include_str!("by_group.json")).unwrap()
}

#[test]
fn figures_of_each_group_are_those_of_its_rows_alone() {
    let golden = golden();
    let mut compared = 0;
    for (window, rows) in windows() {
        let pane = pane(&rows);
        for (attribute, _, groups, _) in ATTRIBUTES {
            for group in groups {
                let expected = &golden[window][attribute][group];
                for metric in EXACT.iter().chain(&BOUNDED) {
                    let name = format!("{metric}.group");
                    let found = measure(&pane, &name, Some(attribute), Some(group));
                    let what = format!("{window} {name} {group}: {found:?}");
                    let Some(expected) = expected[*metric].as_f64() else {
                        assert!(matches!(found, Err(Unmeasurable::Undefined(_))), "{what}");
                        continue;
                    };
                    let found = found.unwrap();
                    let (low, high) = found.bound.unwrap_or((found.value, found.value));
                    let slack = 1e-9 * expected.abs().max(1.0);
                    let within = low - slack <= expected && expected <= high + slack;
                    assert!(within, "{what}, not {expected}");
                    assert_eq!(found.bound.is_some(), BOUNDED.contains(metric), "{what}");
                    if let Some((low, high)) = found.interval {
                        assert!(low <= found.value && found.value <= high, "{what}");
                    }
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 400, "{compared}");
}
