//! Mistakes of structure: found first and alone.

use clause9_shared::metric::MetricId;
use expect_test::expect;

use crate::{case, case_elsewhere, edited, messages};

#[test]
fn a_misspelt_key() {
    case(
        "action: 0.75",
        "«here»acton: 0.75",
        expect!["unknown key `acton`; did you mean `action`? known keys: target, action, alert"],
    );
}

#[test]
fn a_key_of_another_section() {
    case(
        "source: vendor",
        "source: vendor\n      «here»owner: them",
        expect!["unknown key `owner`; known keys: name, source, digest"],
    );
}

#[test]
fn a_missing_key() {
    case_elsewhere(
        "  - id: ranking\n    version: 1\n",
        "  - id: ranking\n",
        "  - «here»id: ranking",
        expect!["missing key `version`; add it: version, from 1"],
    );
}

#[test]
fn a_missing_owner() {
    case_elsewhere(
        "    owner: credit modelling\n",
        "",
        "  - «here»id: ranking",
        expect!["missing key `owner`; add it: the role that answers for the objective"],
    );
}

#[test]
fn a_missing_section() {
    case_elsewhere(
        "panes:\n  length: 1h\n  lateness: 5m\n  outcome_horizon: 120d\n",
        "",
        "«here»clause9: objectives/v1",
        expect!["missing key `panes`; add it: how time is cut"],
    );
}

#[test]
fn another_format() {
    case(
        "clause9: objectives/v1",
        "clause9: «here»objectives/v2",
        expect![[
            "unknown value `objectives/v2`; did you mean `objectives/v1`? possible values: objectives/v1"
        ]],
    );
}

#[test]
fn an_unknown_metric() {
    let known: Vec<_> = MetricId::ALL.iter().map(|m| m.spec().name).collect();
    assert_eq!(
        messages(&edited("metric: roc_auc", "metric: «here»auc")),
        format!("unknown metric `auc`; known ones: {}", known.join(", "))
    );
}

#[test]
fn an_unknown_comparator() {
    case(
        "comparator: at_most\n    levels: { target: 0.02",
        "comparator: «here»at-most\n    levels: { target: 0.02",
        expect![[
            "unknown value `at-most`; did you mean `at_most`? possible values: at_least, at_most"
        ]],
    );
}

#[test]
fn a_number_in_place_of_a_text() {
    case(
        "id: \"72\"",
        "id: «here»72",
        expect!["expected a text, found the number `72`; put it in quotes"],
    );
}

#[test]
fn a_text_in_place_of_a_number() {
    case(
        "action: 0.75",
        "action: «here»\"0.75\"",
        expect!["expected a number, found the text `0.75`; remove the quotes"],
    );
}

#[test]
fn a_negative_count() {
    case(
        "min_support: 200",
        "min_support: «here»-200",
        expect!["expected a whole number, 0 or more, found the number `-200`"],
    );
}

#[test]
fn levels_by_position() {
    case(
        "levels: { action: 0.75 }",
        "levels: «here»[0.8, 0.75]",
        expect!["expected a mapping, found a list; write `key: value` lines under it"],
    );
}

#[test]
fn a_bad_name() {
    case(
        "id: loan-advice",
        "id: «here»Loan Advice",
        expect![[
            "`Loan Advice` is not a name; use 1 to 64 lower-case letters, digits, `-`, `_` or `.`, beginning with a letter or digit"
        ]],
    );
}

#[test]
fn a_length_without_unit() {
    case(
        "window: 14d",
        "window: «here»14",
        expect![[
            "expected a length of time: a whole number and a unit, as 90s, 15m, 1h or 7d, found the number `14`"
        ]],
    );
}

#[test]
fn a_length_of_weeks() {
    case(
        "window: 14d",
        "window: «here»2w",
        expect![[
            "`2w` is not a length of time; write a whole number and a unit, as 90s, 15m, 1h or 7d"
        ]],
    );
}

#[test]
fn a_date_without_time() {
    case(
        "effective_from: 2026-02-01T00:00:00Z",
        "effective_from: «here»2026-02-01",
        expect![[
            "`2026-02-01` is not a point in time; write RFC 3339 with a zone, as 2026-01-31T00:00:00Z"
        ]],
    );
}

#[test]
fn a_key_twice() {
    case(
        "min_support: 200\n",
        "min_support: 200\n    «here»min_support: 300\n",
        expect!["the key `min_support` stands here twice; keep one"],
    );
}

#[test]
fn an_infinite_level() {
    case(
        "action: 0.75",
        "action: «here».inf",
        expect!["`.inf` is no number that can be compared; write a finite one"],
    );
}

#[test]
fn an_unknown_decision_rule() {
    case(
        "rule: { score_at_least: 0.5 }",
        "rule: { «here»score_above: 0.5 }",
        expect!["unknown value `score_above`; possible values: score_at_least, output, class"],
    );
}

#[test]
fn an_unknown_role() {
    case(
        "role: user",
        "role: «here»operator",
        expect!["unknown value `operator`; possible values: developer, provider, user"],
    );
}

#[test]
fn a_section_left_empty() {
    case(
        "outputs:\n  score:\n    from: { output: probability }\n  decision:\n    rule: { score_at_least: 0.5 }\n    positive_means: approved\n  label:\n    positive: 1\n    negative: 0\n",
        "«here»outputs:\n",
        expect!["expected a mapping, found nothing; write `key: value` lines under it"],
    );
}

#[test]
fn a_text_with_a_colon() {
    case(
        "statement: The region is nearly always known.",
        "statement: The region«here»: nearly always known.",
        expect![[
            "not YAML: mapping values are not allowed in this context; check the indentation (spaces, no tabs) and quote texts that hold `: ` or ` #`"
        ]],
    );
}
