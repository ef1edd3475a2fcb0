//! Mistakes in what is measured, how often, and by whom it is answered for.

use expect_test::expect;

use crate::{case, case_elsewhere};

#[test]
fn an_unknown_feature() {
    case(
        "of: { feature: income }",
        "of: { feature: «here»salary }",
        expect![[
            "there is no feature `salary`; add it under `features`, or name one that is there: `income`, `region`"
        ]],
    );
}

#[test]
fn an_attribute_for_a_metric_of_features() {
    case(
        "of: { feature: income }",
        "of: { feature: income, «here»group: female }",
        expect!["metric `psi` is of a feature: `of: { feature: .. }`; remove `group`"],
    );
}

#[test]
fn a_feature_for_a_metric_of_all_cases() {
    case(
        "metric: roc_auc\n",
        "metric: roc_auc\n    of: { «here»feature: income }\n",
        expect!["metric `roc_auc` is of all cases, so `of` names nothing; remove `feature`"],
    );
}

#[test]
fn no_feature_for_a_metric_of_features() {
    case_elsewhere(
        "    of: { feature: income }\n",
        "",
        "  - «here»id: income-drift",
        expect!["metric `psi` is of a feature: `of: { feature: .. }`; add `feature`"],
    );
}

#[test]
fn an_unknown_attribute() {
    case(
        "attribute: sex, group",
        "attribute: «here»gender, group",
        expect![[
            "there is no attribute `gender`; add it under `attributes`, or name one that is there: `sex`, `age_band`"
        ]],
    );
}

#[test]
fn an_unknown_group() {
    case(
        "group: under_30",
        "group: «here»under_20",
        expect![[
            "attribute `age_band` has no group `under_20`; those beside its reference are: `under_30`, `over_60`"
        ]],
    );
}

#[test]
fn a_group_compared_with_itself() {
    case(
        "group: female",
        "group: «here»male",
        expect![[
            "`male` is the reference group of `sex` and would be compared with itself; the other groups are: `female`"
        ]],
    );
}

#[test]
fn a_group_without_attribute() {
    case(
        "of: { attribute: sex, group: female }",
        "of: «here»{ group: female }",
        expect![[
            "metric `demographic_parity_ratio` is of a group of an attribute: `of: { attribute: .., group: .. }`; add `attribute`"
        ]],
    );
}

#[test]
fn a_metric_of_labels_without_labels() {
    case_elsewhere(
        "  label:\n    positive: 1\n    negative: 0\n",
        "",
        "metric: «here»accuracy\n    comparator: at_least\n    levels: { target",
        expect![[r#"
            metric `accuracy` reads a label, but `outputs` has none; add `label` there
            metric `accuracy` reads a label, but `outputs` has none; add `label` there
            metric `roc_auc` reads a label, but `outputs` has none; add `label` there"#]],
    );
}

#[test]
fn a_window_that_cuts_a_pane() {
    case(
        "window: 6h",
        "window: «here»90m",
        expect!["the window 90m is not a whole number of panes of 1h; write a multiple of 1h"],
    );
}

#[test]
fn a_window_of_nothing() {
    case(
        "window: 6h",
        "window: «here»0s",
        expect!["the window 0s is not a whole number of panes of 1h; write a multiple of 1h"],
    );
}

#[test]
fn a_measurement_of_no_case() {
    case(
        "min_support: 50\n",
        "min_support: «here»0\n",
        expect!["a measurement of no case says nothing; write at least 1"],
    );
}

#[test]
fn labels_of_unknown_delay() {
    case_elsewhere(
        "    label_delay: 91d\n",
        "",
        "  - «here»id: ranking",
        expect![[
            "metric `roc_auc` waits for outcomes here; add `label_delay`, how long they may take"
        ]],
    );
}

#[test]
fn a_delay_of_labels_that_nobody_reads() {
    case(
        "min_support: 500\n",
        "min_support: 500\n    «here»label_delay: 1d\n",
        expect!["metric `psi` does not wait for outcomes here; remove `label_delay`"],
    );
}

#[test]
fn a_delay_though_the_group_stands_in_the_request() {
    case(
        "min_support: 300\n",
        "min_support: 300\n    «here»label_delay: 1d\n",
        expect![[
            "metric `demographic_parity_ratio` does not wait for outcomes here; remove `label_delay`"
        ]],
    );
}

#[test]
fn a_group_from_outcomes_of_unknown_delay() {
    case_elsewhere(
        "    label_delay: 45d\n",
        "",
        "  - «here»id: parity-age",
        expect![[
            "metric `demographic_parity_ratio` waits for outcomes here; add `label_delay`, how long they may take"
        ]],
    );
}

#[test]
fn a_delay_longer_than_memory() {
    case(
        "label_delay: 91d",
        "label_delay: «here»121d",
        expect![[
            "the label delay 121d is longer than `panes.outcome_horizon` 120d, after which predictions are forgotten; shorten it or lengthen the horizon"
        ]],
    );
}

#[test]
fn an_evaluation_of_half_a_window() {
    case(
        "evaluate_every: 60d",
        "evaluate_every: «here»15d",
        expect![[
            "evaluating every 15d is more often than there is a window of 30d; write 30d or more"
        ]],
    );
}

#[test]
fn a_cycle_shorter_than_its_window() {
    case(
        "cycle: 180d",
        "cycle: «here»1d",
        expect!["the surveillance cycle 1d is shorter than the window 2d; write 2d or more"],
    );
}

#[test]
fn a_certain_false_alarm() {
    case(
        "alpha: 0.01",
        "alpha: «here»1",
        expect![[
            "a chance of a false nonconformity of 1 is outside what can be promised; write more than 0 and at most 0.5"
        ]],
    );
}

#[test]
fn no_false_alarm_ever() {
    case(
        "alpha: 0.01",
        "alpha: «here»0",
        expect![[
            "a chance of a false nonconformity of 0 is outside what can be promised; write more than 0 and at most 0.5"
        ]],
    );
}

#[test]
fn an_owner_who_approves() {
    case(
        "approver: model validation",
        "approver: «here»Credit Modelling",
        expect!["`Credit Modelling` cannot approve what it answers for; name another role"],
    );
}

#[test]
fn an_empty_statement() {
    case(
        "statement: The region is nearly always known.",
        "statement: «here»\"\"",
        expect!["`statement` is empty; say it in words"],
    );
}

#[test]
fn an_empty_policy() {
    case(
        "policy: AI policy 4.4",
        "policy: «here»\" \"",
        expect!["`policy` is empty; say it in words"],
    );
}

#[test]
fn an_empty_owner() {
    case(
        "owner: data intake",
        "owner: «here»\"\"",
        expect!["`owner` is empty; say it in words"],
    );
}
