//! Mistakes in what decisions cost.

use clause9_shared::objective::load;
use expect_test::expect;

use crate::{BASE, case};

const MEANS: &str = "    positive_means: approved\n";
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
fn costs_of_two_valued_decisions_are_taken_with_gains_and_without() {
    for costs in [
        "{ unit: \"[EUR]\", false_positive: 500, false_negative: 120 }",
        "{ unit: \"1\", false_positive: 1, false_negative: 0, true_positive: -30, true_negative: 0.5 }",
    ] {
        let text = BASE.replace(MEANS, &format!("{MEANS}    costs: {costs}\n"));
        let document = load("objectives.yaml", &text).unwrap();
        let costs = document.outputs.decision.unwrap().costs.unwrap();
        assert_eq!(costs.by_cell().len(), 4);
    }
}

#[test]
fn a_wrong_decision_whose_cost_nobody_states() {
    case(
        MEANS,
        "    positive_means: approved\n    costs: «here»{ unit: \"[EUR]\", false_positive: 500 }\n",
        expect!["`false_negative` is missing; state what such a decision costs, if nothing then 0"],
    );
}

#[test]
fn costs_in_no_unit() {
    case(
        MEANS,
        "    positive_means: approved\n    costs: { unit: «here»\"Euro s\", false_positive: 500, false_negative: 1 }\n",
        expect![
            "`Euro s` is not a unit in UCUM: it has a space or a character outside ASCII; write one, as `[EUR]`, or `1`"
        ],
    );
}

#[test]
fn a_cost_beyond_measure() {
    case(
        MEANS,
        "    positive_means: approved\n    costs: { unit: \"1\", false_positive: «here»1e12, false_negative: 1 }\n",
        expect!["a cost of 1000000000000 is beyond 1000000000 either way; use a larger unit"],
    );
}

#[test]
fn decisions_that_all_cost_the_same() {
    case(
        MEANS,
        "    positive_means: approved\n    «here»costs: { unit: \"1\", false_positive: 0, false_negative: 0 }\n",
        expect![
            "every decision costs the same, so that no decision is better than another; state what right and wrong ones cost"
        ],
    );
}

#[test]
fn costs_by_class_of_two_valued_decisions() {
    case(
        MEANS,
        "    positive_means: approved\n    costs: { unit: \"1\", «here»by_class: [[0, 1], [2, 0]] }\n",
        expect![
            "decisions are two-valued; write `false_positive` and `false_negative` in place of `by_class`"
        ],
    );
}

#[test]
fn costs_by_class_of_another_size() {
    case(
        OUTPUTS,
        "  decision:\n    rule: { class: { from: { output: kind }, classes: [a, b] } }\n    costs: { unit: \"1\", by_class: [[0, 1], «here»[2]] }\n  label: { type: class }\n",
        expect![[r#"
            1 costs; list 2 costs for each of the 2 classes, in their order
            metric `roc_auc` reads a score, but `outputs` has none; add `score` there"#]],
    );
}

#[test]
fn an_objective_on_costs_that_nobody_states() {
    case(
        "    metric: accuracy\n    comparator: at_least\n    levels: { target: 0.95",
        "    metric: «here»cost\n    comparator: at_least\n    levels: { target: 0.95",
        expect![[r#"
            metric `cost` reads what decisions cost, but `outputs.decision` does not say it; add `costs` there
            `at_least` is contrary to `cost`, whose good side is below; write `at_most`"#]],
    );
}
