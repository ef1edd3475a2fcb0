//! Mistakes in levels and margins.

use expect_test::expect;

use crate::case;

#[test]
fn an_impossible_action_level() {
    case(
        "action: 0.75",
        "action: «here»75",
        expect!["the level 75 is impossible: `roc_auc` lies between 0 and 1; write a level within"],
    );
}

#[test]
fn an_impossible_target() {
    case(
        "target: 0.95",
        "target: «here»1.01",
        expect![[
            "the level 1.01 is impossible: `accuracy` lies between 0 and 1; write a level within"
        ]],
    );
}

#[test]
fn a_negative_alert() {
    case(
        "alert: 0.1,",
        "alert: «here»-0.1,",
        expect!["the level -0.1 is impossible: `psi` lies between 0 and 100; write a level within"],
    );
}

#[test]
fn a_level_that_cannot_be_missed() {
    case(
        "action: 0.05",
        "action: «here»1",
        expect![[
            "`missing_rate` can never be above 1, so this objective can never be breached; write a level that can be missed"
        ]],
    );
}

#[test]
fn a_floor_that_cannot_be_missed() {
    case(
        "action: 0.75",
        "action: «here»0",
        expect![[
            "`roc_auc` can never be below 0, so this objective can never be breached; write a level that can be missed"
        ]],
    );
}

#[test]
fn an_alert_on_the_bad_side_of_a_floor() {
    case(
        "alert: 0.92",
        "alert: «here»0.88",
        expect![[
            "the alert level 0.88 must be on the good side of the action level 0.9, so above it; it warns before a breach"
        ]],
    );
}

#[test]
fn an_alert_on_the_bad_side_of_a_ceiling() {
    case(
        "alert: 0.1,",
        "alert: «here»0.3,",
        expect![[
            "the alert level 0.3 must be on the good side of the action level 0.2, so below it; it warns before a breach"
        ]],
    );
}

#[test]
fn an_alert_at_the_action_level() {
    case(
        "alert: 0.85",
        "alert: «here»0.8",
        expect![[
            "the alert level 0.8 must be on the good side of the action level 0.8, so above it; it warns before a breach"
        ]],
    );
}

#[test]
fn a_target_on_the_bad_side() {
    case(
        "target: 0.02",
        "target: «here»0.15",
        expect!["the target 0.15 is on the bad side of the alert level 0.1; write one below it"],
    );
}

#[test]
fn a_target_below_the_action_level() {
    case(
        "levels: { action: 0.91 }",
        "levels: { target: «here»0.9, action: 0.91 }",
        expect!["the target 0.9 is on the bad side of the action level 0.91; write one above it"],
    );
}

#[test]
fn a_comparator_contrary_to_its_metric() {
    case(
        "comparator: at_least\n    levels: { action: 0.75 }",
        "comparator: «here»at_most\n    levels: { action: 0.75 }",
        expect!["`at_most` is contrary to `roc_auc`, whose good side is above; write `at_least`"],
    );
}

#[test]
fn a_drift_to_be_kept_up() {
    case(
        "comparator: at_most\n    levels: { target: 0.02",
        "comparator: «here»at_least\n    levels: { target: 0.02",
        expect!["`at_least` is contrary to `psi`, whose good side is below; write `at_most`"],
    );
}

#[test]
fn a_negative_margin() {
    case(
        "margin: 0.005",
        "margin: «here»-0.005",
        expect!["the margin -0.005 is negative; write 0 or more, or move the action level"],
    );
}

#[test]
fn a_margin_that_swallows_the_level() {
    case(
        "margin: 0.005",
        "margin: «here»0.95",
        expect![[
            "the margin 0.95 around the action level 0.91 reaches the end of what `accuracy` can be, so nothing is a breach; write a smaller one"
        ]],
    );
}
