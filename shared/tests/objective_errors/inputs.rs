//! Mistakes in features, outputs and attributes.

use expect_test::expect;

use crate::{case, case_elsewhere};

#[test]
fn a_number_without_unit() {
    case_elsewhere(
        "    unit: \"[EUR]/mo\"\n",
        "",
        "  - «here»name: income\n    type",
        expect![[
            r#"numeric feature `income` has no unit; add `unit` in UCUM, "1" for a pure number"#
        ]],
    );
}

#[test]
fn a_category_with_unit() {
    case(
        "    type: categorical\n",
        "    type: categorical\n    «here»unit: \"1\"\n",
        expect!["categorical feature `region` has a unit; remove it"],
    );
}

#[test]
fn a_unit_with_a_space() {
    case(
        "unit: \"[EUR]/mo\"",
        "unit: «here»\"EUR per month\"",
        expect![[
            "`EUR per month` is not a unit in UCUM: it has a space or a character outside ASCII; write one, as `mo`, `kg/m2` or `[EUR]`"
        ]],
    );
}

#[test]
fn a_unit_with_an_open_bracket() {
    case(
        "unit: \"[EUR]/mo\"",
        "unit: «here»\"[EUR/mo\"",
        expect![[
            "`[EUR/mo` is not a unit in UCUM: its brackets do not pair up; write one, as `mo`, `kg/m2` or `[EUR]`"
        ]],
    );
}

#[test]
fn an_empty_unit() {
    case(
        "unit: \"[EUR]/mo\"",
        "unit: «here»\"\"",
        expect!["`` is not a unit in UCUM: it is empty; write one, as `mo`, `kg/m2` or `[EUR]`"],
    );
}

#[test]
fn a_feature_twice() {
    case(
        "name: region",
        "name: «here»income",
        expect![[r#"
            feature `income` is there already, on line 21; rename or remove one of them
            there is no feature `region`; add it under `features`, or name one that is there: `income`, `income`"#]],
    );
}

#[test]
fn an_empty_input() {
    case(
        "from: { input: region }",
        "from: { input: «here»\"\" }",
        expect!["`input` is empty; say it in words"],
    );
}

#[test]
fn an_empty_range() {
    case(
        "range: { min: 0, max: 100000 }",
        "range: «here»{ min: 5, max: 5 }",
        expect!["the range from 5 to 5 is empty; `min` must be below `max`"],
    );
}

#[test]
fn a_range_of_categories() {
    case(
        "    from: { input: region }\n",
        "    from: { input: region }\n    «here»range: { min: 0, max: 1 }\n",
        expect!["categorical feature `region` has a range of numbers; remove it"],
    );
}

#[test]
fn too_many_missing_values() {
    case(
        "values: [-1, unknown]",
        "values: «here»[-1, -2, -3, -4, -5, -6, -7, -8, -9]",
        expect!["9 values stand for missing, the limit is 8; keep the ones that occur"],
    );
}

#[test]
fn a_threshold_outside_the_scores() {
    case(
        "score_at_least: 0.5",
        "score_at_least: «here»50",
        expect!["the threshold 50 is outside 0 to 1, where scores are; write one within"],
    );
}

#[test]
fn a_decision_on_no_score() {
    case_elsewhere(
        "  score:\n    from: { output: probability }\n",
        "",
        "rule: { «here»score_at_least",
        expect![[r#"
            the decision rests on a score, but `outputs` has none; add `score`, or use `output`
            metric `roc_auc` reads a score, but `outputs` has none; add `score` there"#]],
    );
}

#[test]
fn labels_that_are_the_same() {
    case(
        "negative: 0",
        "negative: «here»1",
        expect![[
            "the positive and the negative label are the same; name the two values that labels have"
        ]],
    );
}

#[test]
fn a_positive_that_means_nothing() {
    case(
        "positive_means: approved",
        "positive_means: «here»\"\"",
        expect!["`positive_means` is empty; say it in words"],
    );
}

#[test]
fn an_attribute_twice() {
    case(
        "name: age_band",
        "name: «here»sex",
        expect![[r#"
            attribute `sex` is there already, on line 42; rename or remove one of them
            there is no attribute `age_band`; add it under `attributes`, or name one that is there: `sex`, `sex`"#]],
    );
}

#[test]
fn one_group_only() {
    case(
        "groups: [female, male]",
        "groups: «here»[male]",
        expect![[r#"
            attribute `sex` has 1 groups; list between 2 and 64, any other value counts as unknown
            attribute `sex` has no group `female`; those beside its reference are: none"#]],
    );
}

#[test]
fn a_group_twice() {
    case(
        "groups: [female, male]",
        "groups: [female, male, «here»female]",
        expect!["group `female` is listed twice; remove one of them"],
    );
}

#[test]
fn a_group_without_name() {
    case(
        "groups: [female, male]",
        "groups: [female, male, «here»\"\"]",
        expect!["a group's name is empty; write the value that stands for it"],
    );
}

#[test]
fn a_reference_that_is_no_group() {
    case(
        "reference: male",
        "reference: «here»man",
        expect![[
            "the reference group `man` is not among the groups of `sex`; its groups are: `female`, `male`"
        ]],
    );
}
