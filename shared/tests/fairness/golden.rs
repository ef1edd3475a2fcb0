//! Values of the reference libraries, at 1e-12.

use clause9_shared::metric::Unmeasurable;
use clause9_shared::sketch::PaneSummary;
use serde_json::Value;

use crate::case::{ATTRIBUTES, golden, measure, pane, windows};

/// Names of rates in the golden file, of the group's own rate, and of comparisons.
const RATES: [(&str, &str, &str); 11] = [
    ("selection_rate", "selection_rate", "demographic_parity"),
    ("base_rate", "base_rate", "base_rate"),
    ("accuracy", "accuracy", "accuracy"),
    ("tpr", "true_positive_rate", "equal_opportunity"),
    ("fpr", "false_positive_rate", "false_positive_rate"),
    ("tnr", "true_negative_rate", "true_negative_rate"),
    ("fnr", "false_negative_rate", "false_negative_rate"),
    ("ppv", "positive_predictive_value", "predictive_parity"),
    (
        "npv",
        "negative_predictive_value",
        "negative_predictive_value",
    ),
    ("fdr", "false_discovery_rate", "false_discovery_rate"),
    ("for", "false_omission_rate", "false_omission_rate"),
];

/// How many values were compared.
#[derive(Default)]
struct Compared(usize);

impl Compared {
    fn near(&mut self, what: &str, found: f64, expected: f64) {
        let scale = expected.abs().max(1.0);
        assert!(
            (found - expected).abs() <= 1e-12 * scale,
            "{what}: {found} is not {expected}"
        );
        self.0 += 1;
    }

    /// A metric against a golden value; a golden value that is none must be undefined here, too.
    fn metric(
        &mut self,
        pane: &PaneSummary,
        metric: &str,
        attribute: &str,
        group: Option<&str>,
        expected: &Value,
    ) {
        let found = measure(pane, metric, Some(attribute), group);
        let what = format!("{metric} of {attribute} {group:?}");
        match (expected.as_f64(), found) {
            (Some(expected), Ok(found)) => {
                if let Some((low, high)) = found.interval {
                    assert!(low <= found.value && found.value <= high, "{what}");
                }
                self.near(&what, found.value, expected);
            }
            (None, Err(Unmeasurable::Undefined(_) | Unmeasurable::NoReferenceHits { .. })) => {
                self.0 += 1;
            }
            (expected, found) => panic!("{what}: {found:?} is not {expected:?}"),
        }
    }
}

#[test]
fn every_rate_of_every_group_is_fairlearns() {
    let (golden, mut compared) = (golden(), Compared::default());
    for (window, rows) in windows() {
        let pane = pane(&rows);
        for (attribute, column, groups, _) in ATTRIBUTES {
            for group in groups {
                let expected = &golden["windows"][window][column]["groups"][group];
                for (theirs, ours, _) in RATES {
                    let metric = format!("{ours}.group");
                    compared.metric(&pane, &metric, attribute, Some(group), &expected[theirs]);
                }
                let n = measure(&pane, "selection_rate.group", Some(attribute), Some(group));
                assert_eq!(Some(n.unwrap().support), expected["n"].as_u64());
            }
        }
    }
    assert_eq!(compared.0, 6 * 8 * 11);
}

#[test]
fn every_comparison_with_the_reference_group_is_of_those_rates() {
    let (golden, mut compared) = (golden(), Compared::default());
    for (window, rows) in windows() {
        let pane = pane(&rows);
        for (attribute, column, groups, reference) in ATTRIBUTES {
            let by_group = &golden["windows"][window][column]["groups"];
            for group in groups.iter().filter(|group| **group != reference) {
                for (theirs, _, stem) in RATES {
                    let rate = |group: &str| by_group[group][theirs].as_f64();
                    let both = rate(group).zip(rate(reference));
                    let difference = both.map(|(b, a)| b - a);
                    let ratio = both.filter(|(_, a)| *a > 0.0).map(|(b, a)| b / a);
                    for (kind, expected) in [("difference", difference), ("ratio", ratio)] {
                        let metric = format!("{stem}_{kind}");
                        let expected = expected.map_or(Value::Null, Value::from);
                        compared.metric(&pane, &metric, attribute, Some(group), &expected);
                    }
                }
            }
        }
    }
    assert_eq!(compared.0, 6 * 5 * 22);
}

#[test]
fn every_spread_over_groups_is_fairlearns() {
    let (golden, mut compared) = (golden(), Compared::default());
    for (window, rows) in windows() {
        let pane = pane(&rows);
        for (attribute, column, _, _) in ATTRIBUTES {
            let expected = &golden["windows"][window][column];
            for (theirs, _, stem) in RATES {
                let spread = &expected["spread"][theirs];
                if spread.is_null() {
                    continue;
                }
                for kind in ["difference", "ratio"] {
                    let metric = format!("{stem}_{kind}.spread");
                    compared.metric(&pane, &metric, attribute, None, &spread[kind]);
                }
            }
            for (theirs, ours) in [
                (
                    "demographic_parity_difference",
                    "demographic_parity_difference.spread",
                ),
                (
                    "demographic_parity_ratio",
                    "demographic_parity_ratio.spread",
                ),
                (
                    "equalized_odds_difference",
                    "equalised_odds_difference.spread",
                ),
                ("equalized_odds_ratio", "equalised_odds_ratio.spread"),
                (
                    "equalized_odds_difference_mean",
                    "equalised_odds_difference.spread_mean",
                ),
                (
                    "equalized_odds_ratio_mean",
                    "equalised_odds_ratio.spread_mean",
                ),
                (
                    "demographic_parity_difference_to_overall",
                    "demographic_parity_difference.to_overall",
                ),
                (
                    "demographic_parity_ratio_to_overall",
                    "demographic_parity_ratio.to_overall",
                ),
                (
                    "equalized_odds_difference_to_overall",
                    "equalised_odds_difference.to_overall",
                ),
                (
                    "equal_opportunity_difference",
                    "equal_opportunity_difference.spread",
                ),
                ("equal_opportunity_ratio", "equal_opportunity_ratio.spread"),
            ] {
                let expected = &expected["fairlearn"][theirs];
                assert!(!expected.is_null(), "{theirs}");
                compared.metric(&pane, ours, attribute, None, expected);
            }
        }
    }
    assert_eq!(compared.0, 6 * 3 * (9 * 2 + 11));
}

#[test]
fn all_other_groups_against_the_privileged_one_are_aif360s() {
    let (golden, mut compared) = (golden(), Compared::default());
    for (window, rows) in windows() {
        let pane = pane(&rows);
        for (attribute, column, _, _) in &ATTRIBUTES[..2] {
            let expected = &golden["windows"][window][column]["against_privileged"];
            for (theirs, ours) in [
                (
                    "statistical_parity_difference",
                    "demographic_parity_difference.pooled",
                ),
                ("disparate_impact", "demographic_parity_ratio.pooled"),
                (
                    "equal_opportunity_difference",
                    "equal_opportunity_difference.pooled",
                ),
                ("average_odds_difference", "average_odds_difference.pooled"),
                (
                    "predictive_parity_difference",
                    "predictive_parity_difference.pooled",
                ),
                ("accuracy_difference", "accuracy_difference.pooled"),
            ] {
                assert!(!expected[theirs].is_null(), "{theirs}");
                compared.metric(&pane, ours, attribute, None, &expected[theirs]);
            }
        }
    }
    assert_eq!(compared.0, 6 * 2 * 6);
}

#[test]
fn the_second_opinions_agree() {
    let (golden, mut compared) = (golden(), Compared::default());
    let opinions = &golden["second_opinions_analysis"];
    let (_, rows) = windows().swap_remove(4);
    let pane = pane(&rows);
    for (attribute, column, groups, reference) in &ATTRIBUTES[..2] {
        let aif360 = &opinions["aif360"][column];
        for (theirs, ours) in [
            (
                "average_abs_odds_difference",
                "average_absolute_odds_difference.pooled",
            ),
            (
                "false_discovery_rate_difference",
                "false_discovery_rate_difference.pooled",
            ),
            (
                "statistical_parity_difference",
                "demographic_parity_difference.pooled",
            ),
        ] {
            compared.metric(&pane, ours, attribute, None, &aif360[theirs]);
        }
        let error = measure(&pane, "accuracy_difference.pooled", Some(attribute), None);
        let expected = aif360["error_rate_difference"].as_f64().unwrap();
        compared.near("error rate", -error.unwrap().value, expected);
        let theil = measure(&pane, "theil_index", None, None).unwrap().value;
        compared.near("theil", theil, aif360["theil_index"].as_f64().unwrap());
        for group in groups.iter().filter(|group| *group != reference) {
            let aequitas = &opinions["aequitas"][format!("{column}={group}")];
            for (theirs, ours) in [
                ("pprev_disparity", "demographic_parity_ratio"),
                ("precision_disparity", "predictive_parity_ratio"),
                ("fdr_disparity", "false_discovery_rate_ratio"),
                ("for_disparity", "false_omission_rate_ratio"),
                ("fpr_disparity", "false_positive_rate_ratio"),
                ("fnr_disparity", "false_negative_rate_ratio"),
                ("tpr_disparity", "equal_opportunity_ratio"),
                ("tnr_disparity", "true_negative_rate_ratio"),
                ("npv_disparity", "negative_predictive_value_ratio"),
            ] {
                compared.metric(&pane, ours, attribute, Some(group), &aequitas[theirs]);
            }
        }
    }
    assert_eq!(compared.0, 2 * (3 + 2 + 9));
}
