//! Mistakes in what the model answers, and in intersections of attributes.

use expect_test::expect;

use crate::{case, case_elsewhere};

/// What the base has under `outputs`.
const OUTPUTS: &str = "  score:
    from: { output: probability }
  decision:
    rule: { score_at_least: 0.5 }
    positive_means: approved
  label:
    positive: 1
    negative: 0
";

#[test]
fn a_positive_that_nobody_names() {
    case(
        "  decision:\n    rule: { score_at_least: 0.5 }\n    positive_means: approved\n",
        "  decision:\n    «here»rule: { score_at_least: 0.5 }\n",
        expect!["`positive_means` is missing; say what the positive decision means, as `approved`"],
    );
}

#[test]
fn classes_beside_a_score() {
    case(
        OUTPUTS,
        "  «here»score:\n    from: { output: probability }\n  decision:\n    rule: { class: { from: { output: kind }, classes: [a, b] } }\n  label: { type: class }\n",
        expect![
            "a score is the probability of the positive class, and none of several classes is the positive one; remove `score`, or decide by a two-valued rule"
        ],
    );
}

#[test]
fn classes_with_a_positive_one() {
    case(
        OUTPUTS,
        "  decision:\n    rule: { class: { from: { output: kind }, classes: [a, b] } }\n    «here»positive_means: approved\n  label: { type: class }\n",
        expect![[r#"
            none of several classes is the positive one; remove `positive_means`
            metric `roc_auc` reads a score, but `outputs` has none; add `score` there"#]],
    );
}

#[test]
fn classes_with_two_valued_labels() {
    case(
        OUTPUTS,
        "  decision:\n    rule: { class: { from: { output: kind }, classes: [a, b] } }\n  label:\n    «here»positive: 1\n    negative: 0\n",
        expect![[r#"
            the answers are classes, the labels are not; write `type: class` here
            metric `roc_auc` reads a score, but `outputs` has none; add `score` there"#]],
    );
}

#[test]
fn one_class_only() {
    case(
        OUTPUTS,
        "  decision:\n    rule: { class: { from: { output: kind }, classes: «here»[a] } }\n  label: { type: class }\n",
        expect![[r#"
            1 classes; list between 2 and 16, any other value counts as unknown
            metric `roc_auc` reads a score, but `outputs` has none; add `score` there"#]],
    );
}

#[test]
fn a_class_twice() {
    case(
        OUTPUTS,
        "  decision:\n    rule: { class: { from: { output: kind }, classes: [a, 1, «here»true] } }\n  label: { type: class }\n",
        expect![[r#"
            this class is listed already; remove one of them
            metric `roc_auc` reads a score, but `outputs` has none; add `score` there"#]],
    );
}

#[test]
fn a_number_beside_a_score() {
    case(
        "  score:\n    from: { output: probability }\n",
        "  value: { from: { output: price }, unit: \"1\" }\n  «here»score:\n    from: { output: probability }\n",
        expect![[r#"
            a score stands beside `value`, a predicted number; one system answers one way: remove one of the two, or write a file for each
            a decision stands beside `value`, a predicted number; one system answers one way: remove one of the two, or write a file for each
            the answers are numbers, the labels are not; write `type: numeric` here"#]],
    );
}

#[test]
fn a_predicted_number_in_no_unit() {
    case(
        OUTPUTS,
        "  value: { from: { output: price }, unit: «here»\"a b\" }\n  label: { type: numeric }\n",
        expect![[r#"
            `a b` is not a unit in UCUM: it has a space or a character outside ASCII; write one, as `mo`, `kg/m2` or `[EUR]`
            metric `accuracy` reads a decision, but `outputs` has none; add `decision` there
            metric `accuracy` reads a decision, but `outputs` has none; add `decision` there
            metric `roc_auc` reads a score, but `outputs` has none; add `score` there
            metric `demographic_parity_ratio` reads a decision, but `outputs` has none; add `decision` there
            metric `demographic_parity_ratio` reads a decision, but `outputs` has none; add `decision` there"#]],
    );
}

#[test]
fn labels_of_another_kind_than_answers() {
    case(
        "  label:\n    positive: 1\n    negative: 0\n",
        "  label: { type: «here»numeric }\n",
        expect!["the answers are two-valued, the labels are not; write `type: binary` here"],
    );
}

#[test]
fn classes_of_labels_that_are_positive() {
    case(
        OUTPUTS,
        "  decision:\n    rule: { class: { from: { output: kind }, classes: [a, b] } }\n  label: { type: class, «here»positive: a }\n",
        expect![[r#"
            only two-valued labels have `positive`; remove it
            metric `roc_auc` reads a score, but `outputs` has none; add `score` there"#]],
    );
}

#[test]
fn a_label_without_its_negative() {
    case(
        "  label:\n    positive: 1\n    negative: 0\n",
        "  label:\n    «here»positive: 1\n",
        expect![
            "a two-valued label needs `negative`, the value that means so; add it, or write `type: class`, `type: numeric` or `type: relevance`"
        ],
    );
}

#[test]
fn an_attribute_from_nowhere() {
    case(
        "- name: sex\n    from: { request: { input: sex } }\n",
        "- «here»name: sex\n",
        expect![
            "nothing says where `sex` comes from; add `from`, or `of` with the attributes that it is the intersection of"
        ],
    );
}

const AGE: &str = "    reference: 30_to_60\n";

#[test]
fn an_intersection_that_says_where_it_comes_from() {
    case(
        AGE,
        "    reference: 30_to_60\n  - name: both\n    of: [sex, age_band]\n    «here»from: outcome\n",
        expect!["`both` follows from the attributes under `of`; remove `from`"],
    );
}

#[test]
fn an_intersection_of_one() {
    case(
        AGE,
        "    reference: 30_to_60\n  - name: both\n    of: «here»[sex]\n",
        expect!["`both` is of one attribute; name at least two"],
    );
}

#[test]
fn an_intersection_of_what_is_not_there() {
    case(
        AGE,
        "    reference: 30_to_60\n  - name: both\n    of: [sex, «here»age]\n",
        expect![
            "`age` is no attribute that an intersection can be of; those are: `sex`, `age_band`"
        ],
    );
}

#[test]
fn an_intersection_of_the_same_twice() {
    case(
        AGE,
        "    reference: 30_to_60\n  - name: both\n    of: [sex, «here»sex]\n",
        expect!["`sex` is named twice; remove one of them"],
    );
}

#[test]
fn an_intersection_with_groups_of_its_own() {
    case(
        AGE,
        "    reference: 30_to_60\n  - name: both\n    of: [sex, age_band]\n    «here»groups: [a, b]\n    reference: a\n",
        expect!["the `groups` of `both` follow from its parts; remove `groups` and `reference`"],
    );
}

#[test]
fn an_intersection_of_too_many_groups() {
    let groups: Vec<String> = (0..33).map(|i| format!("g{i}")).collect();
    case_elsewhere(
        "    groups: [under_30, 30_to_60, over_60]\n    reference: 30_to_60\n",
        &format!(
            "    groups: [{}]\n    reference: g0\n  - name: both\n    of: [sex, age_band]\n",
            groups.join(", ")
        ),
        "    of: «here»[sex, age_band]",
        expect![[r#"
            the groups of `sex`, `age_band` have more than 64 combinations; name fewer attributes, or coarser groups
            attribute `age_band` has no group `under_30`; those beside its reference are: `g1`, `g2`, `g3`, `g4`, `g5`, `g6`, `g7`, `g8`, `g9`, `g10`, `g11`, `g12` and 20 more"#]],
    );
}

#[test]
fn a_ranked_list_of_no_places() {
    case(
        OUTPUTS,
        "  ranking: { from: { output: items }, at: «here»0 }\n  label: { type: relevance }\n",
        expect![[r#"
            0 places of the list; say how many count, 1 to 100
            metric `accuracy` reads a decision, but `outputs` has none; add `decision` there
            metric `accuracy` reads a decision, but `outputs` has none; add `decision` there
            metric `roc_auc` reads a score, but `outputs` has none; add `score` there
            metric `demographic_parity_ratio` reads a decision, but `outputs` has none; add `decision` there
            metric `demographic_parity_ratio` reads a decision, but `outputs` has none; add `decision` there"#]],
    );
}

#[test]
fn a_ranked_list_beside_a_score() {
    case(
        OUTPUTS,
        "  «here»score: { from: { output: probability } }\n  ranking: { from: { output: items }, at: 10 }\n  label: { type: relevance }\n",
        expect![[r#"
            a score stands beside `ranking`, a list of items; one system answers one way: remove one of the two, or write a file for each
            metric `accuracy` reads a decision, but `outputs` has none; add `decision` there
            metric `accuracy` reads a decision, but `outputs` has none; add `decision` there
            metric `demographic_parity_ratio` reads a decision, but `outputs` has none; add `decision` there
            metric `demographic_parity_ratio` reads a decision, but `outputs` has none; add `decision` there"#]],
    );
}

#[test]
fn a_ranked_list_with_two_valued_labels() {
    case(
        OUTPUTS,
        "  ranking: { from: { output: items }, at: 10 }\n  label:\n    «here»positive: 1\n    negative: 0\n",
        expect![[r#"
            the answers are ranked lists, the labels are not; write `type: relevance` here
            metric `accuracy` reads a decision, but `outputs` has none; add `decision` there
            metric `accuracy` reads a decision, but `outputs` has none; add `decision` there
            metric `roc_auc` reads a score, but `outputs` has none; add `score` there
            metric `demographic_parity_ratio` reads a decision, but `outputs` has none; add `decision` there
            metric `demographic_parity_ratio` reads a decision, but `outputs` has none; add `decision` there"#]],
    );
}
