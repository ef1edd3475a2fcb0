//! Mistakes in what is assumed of cases without a label.

use expect_test::expect;

use crate::case;

#[test]
fn the_worst_case_of_a_metric_that_has_none() {
    case(
        "label_delay: 91d",
        "label_delay: 91d\n    «here»labels: worst_case",
        expect![
            "of metric `roc_auc` nobody can say what cases without a label could make of it; remove `labels`, or name one of `accuracy`, `error_rate`, `recall`, `specificity`, `false_positive_rate`, `false_negative_rate`, `precision`, `negative_predictive_value`, `false_discovery_rate`, `false_omission_rate`, `jaccard`, `multiclass_accuracy`"
        ],
    );
}

#[test]
fn an_assumption_for_a_metric_without_labels() {
    case(
        "levels: { target: 0.02, alert: 0.1, action: 0.2 }",
        "levels: { target: 0.02, alert: 0.1, action: 0.2 }\n    «here»labels: worst_case",
        expect![
            "of metric `psi` nobody can say what cases without a label could make of it; remove `labels`, or name one of `accuracy`, `error_rate`, `recall`, `specificity`, `false_positive_rate`, `false_negative_rate`, `precision`, `negative_predictive_value`, `false_discovery_rate`, `false_omission_rate`, `jaccard`, `multiclass_accuracy`"
        ],
    );
}

#[test]
fn a_sensitivity_of_a_metric_whose_cases_depend_on_the_label() {
    case(
        "metric: roc_auc",
        "metric: recall\n    labels: { sensitivity: «here»2 }",
        expect![
            "of metric `recall` the odds of cases without a label are not defined, since its label says which cases count; write `worst_case`, or name one of `accuracy`, `error_rate`, `multiclass_accuracy`"
        ],
    );
}

#[test]
fn a_sensitivity_below_one() {
    case(
        "label_delay: 60d",
        "label_delay: 60d\n    labels: { sensitivity: «here»0.5 }",
        expect![
            "a factor of 0.5 between odds is none that holds either way; write 1 or more, as 2"
        ],
    );
}

#[test]
fn an_assumption_that_is_not_known() {
    case(
        "label_delay: 60d",
        "label_delay: 60d\n    labels: «here»exploration",
        expect![
            "unknown value `exploration`; possible values: as_observed, worst_case, sensitivity"
        ],
    );
}

#[test]
fn a_sensitivity_without_its_factor() {
    case(
        "label_delay: 60d",
        "label_delay: 60d\n    labels: «here»sensitivity",
        expect!["this word needs a value; write it as a key with its value behind it"],
    );
}

#[test]
fn an_expected_share_beyond_all_cases() {
    case(
        "label_delay: 60d",
        "label_delay: 60d\n    expected_labelled: «here»1.5",
        expect!["1.5 is no share of cases; write one above 0 and at most 1, as 0.4"],
    );
}

#[test]
fn an_expected_share_of_labels_that_nobody_waits_for() {
    case(
        "levels: { target: 0.02, alert: 0.1, action: 0.2 }",
        "levels: { target: 0.02, alert: 0.1, action: 0.2 }\n    «here»expected_labelled: 0.4",
        expect!["metric `psi` does not wait for outcomes here; remove `expected_labelled`"],
    );
}
