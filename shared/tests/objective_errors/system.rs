//! Mistakes in the system and in how time is cut.

use expect_test::expect;

use crate::{case, case_elsewhere};

#[test]
fn an_empty_purpose() {
    case(
        "intended_purpose: Advises loan officers; never decides alone.",
        "intended_purpose: «here»\"\"",
        expect!["`intended_purpose` is empty; say it in words"],
    );
}

#[test]
fn a_blank_risk_class() {
    case(
        "risk_class: high (own scheme)",
        "risk_class: «here»\"  \"",
        expect!["`risk_class` is empty; say it in words, or remove the key"],
    );
}

#[test]
fn no_models() {
    case(
        "models:\n    - name: loan-model\n      source: vendor\n",
        "models: «here»[]\n",
        expect!["no models; name at least one"],
    );
}

#[test]
fn a_model_twice() {
    case(
        "source: vendor\n",
        "source: vendor\n    - name: «here»loan-model\n      source: own\n",
        expect!["model `loan-model` is there already, on line 12; rename or remove one of them"],
    );
}

#[test]
fn a_model_without_name() {
    case(
        "name: loan-model",
        "name: «here»\"\"",
        expect!["`name` is empty; say it in words"],
    );
}

#[test]
fn a_pane_too_short() {
    case(
        "  length: 1h",
        "  length: «here»500ms",
        expect![[r#"
            a pane of 500ms is outside 1s to 31d; write a length within
            the lateness 5m is not less than the pane's length 500ms; write a shorter one"#]],
    );
}

#[test]
fn a_pane_too_long() {
    case(
        "  length: 1h",
        "  length: «here»32d",
        expect![[r#"
            a pane of 32d is outside 1s to 31d; write a length within
            the window 1d is not a whole number of panes of 32d; write a multiple of 32d
            the window 2d is not a whole number of panes of 32d; write a multiple of 32d
            the window 7d is not a whole number of panes of 32d; write a multiple of 32d
            the window 14d is not a whole number of panes of 32d; write a multiple of 32d
            the window 6h is not a whole number of panes of 32d; write a multiple of 32d
            the window 30d is not a whole number of panes of 32d; write a multiple of 32d
            the window 15d is not a whole number of panes of 32d; write a multiple of 32d"#]],
    );
}

#[test]
fn lateness_of_a_whole_pane() {
    case(
        "lateness: 5m",
        "lateness: «here»1h",
        expect!["the lateness 1h is not less than the pane's length 1h; write a shorter one"],
    );
}

#[test]
fn a_horizon_shorter_than_a_label_delay() {
    case_elsewhere(
        "outcome_horizon: 120d",
        "outcome_horizon: 90d",
        "label_delay: «here»91d",
        expect![[
            "the label delay 91d is longer than `panes.outcome_horizon` 90d, after which predictions are forgotten; shorten it or lengthen the horizon"
        ]],
    );
}
