//! Checks of the `outputs` section.

use super::{CLASSES, Findings, MAX_PLACES, MAX_SCORED_CLASSES, costs, inputs::plausible_unit};
use crate::objective::document::{DecisionRule, Label, LabelType, Outputs, Scalar};

pub(super) fn check(findings: &mut Findings<'_>) {
    let outputs = &findings.document().outputs;
    // What is not there has the place of the whole.
    let left_out = findings.located.place("/outputs") == findings.located.place("");
    if left_out && findings.document().service.is_none() {
        findings.at(
            "",
            "`outputs` is missing: model outputs that are watched; add it, or `service` if only how the model is served is watched",
        );
        return;
    }
    if let Some(score) = &outputs.score {
        findings.text("/outputs/score/from/output", &score.from.output);
    }
    check_decision(findings, outputs);
    check_value(findings, outputs);
    check_ranking(findings, outputs);
    if let Some(label) = &outputs.label {
        check_label(findings, outputs, label);
    }
}

fn check_decision(findings: &mut Findings<'_>, outputs: &Outputs) {
    const MEANS: &str = "/outputs/decision/positive_means";
    let Some(decision) = &outputs.decision else {
        return;
    };
    match (&decision.positive_means, decision.classes()) {
        (Some(means), None) => findings.text(MEANS, means),
        (None, None) => findings.at(
            MEANS,
            "`positive_means` is missing; say what the positive decision means, as `approved`",
        ),
        (Some(_), Some(_)) => findings.at_key(
            MEANS,
            "none of several classes is the positive one; remove `positive_means`",
        ),
        (None, Some(_)) => {}
    }
    costs::check(findings, decision);
    match &decision.rule {
        DecisionRule::ScoreAtLeast(threshold) => {
            check_threshold(findings, *threshold, outputs.score.is_some());
        }
        DecisionRule::Output { from, .. } => {
            findings.text("/outputs/decision/rule/output/from/output", &from.output);
        }
        DecisionRule::Class {
            from,
            classes,
            scores,
        } => {
            findings.text("/outputs/decision/rule/class/from/output", &from.output);
            check_classes(findings, classes);
            if let Some(scores) = scores {
                const SCORES: &str = "/outputs/decision/rule/class/scores";
                findings.text(&format!("{SCORES}/output"), &scores.output);
                if classes.len() > MAX_SCORED_CLASSES {
                    findings.at_key(
                        SCORES,
                        format!(
                            "{} classes have a score each, the limit is {MAX_SCORED_CLASSES}; remove `scores`, or put classes together",
                            classes.len()
                        ),
                    );
                }
            }
            if outputs.score.is_some() {
                findings.at_key(
                    "/outputs/score",
                    "a score is the probability of the positive class, and none of several classes is the positive one; remove `score`, or decide by a two-valued rule",
                );
            }
        }
    }
}

fn check_classes(findings: &mut Findings<'_>, classes: &[Scalar]) {
    const POINTER: &str = "/outputs/decision/rule/class/classes";
    if !CLASSES.contains(&classes.len()) {
        findings.at(
            POINTER,
            format!(
                "{} classes; list between {} and {}, any other value counts as unknown",
                classes.len(),
                CLASSES.start(),
                CLASSES.end()
            ),
        );
    }
    for (i, class) in classes.iter().enumerate() {
        if classes[..i].iter().any(|earlier| same(earlier, class)) {
            findings.at(
                &format!("{POINTER}/{i}"),
                "this class is listed already; remove one of them",
            );
        }
    }
}

/// Whether two values cannot be told apart in traffic, where 1, 1.0 and true are equal.
fn same(a: &Scalar, b: &Scalar) -> bool {
    crate::plan::value::is_value(crate::plan::value::as_cell(a), b)
}

fn check_value(findings: &mut Findings<'_>, outputs: &Outputs) {
    let Some(value) = &outputs.value else { return };
    findings.text("/outputs/value/from/output", &value.from.output);
    if let Err(why) = plausible_unit(&value.unit) {
        findings.at(
            "/outputs/value/unit",
            format!(
                "`{}` is not a unit in UCUM: {why}; write one, as `mo`, `kg/m2` or `[EUR]`",
                value.unit
            ),
        );
    }
    for (key, there) in [
        ("score", outputs.score.is_some()),
        ("decision", outputs.decision.is_some()),
    ] {
        if there {
            findings.at_key(
                &format!("/outputs/{key}"),
                format!("a {key} stands beside `value`, a predicted number; one system answers one way: remove one of the two, or write a file for each"),
            );
        }
    }
}

fn check_ranking(findings: &mut Findings<'_>, outputs: &Outputs) {
    let Some(ranking) = &outputs.ranking else {
        return;
    };
    findings.text("/outputs/ranking/from/output", &ranking.from.output);
    if !(1..=MAX_PLACES).contains(&ranking.at) {
        findings.at(
            "/outputs/ranking/at",
            format!(
                "{} places of the list; say how many count, 1 to {MAX_PLACES}",
                ranking.at
            ),
        );
    }
    for (key, there) in [
        ("score", outputs.score.is_some()),
        ("decision", outputs.decision.is_some()),
        ("value", outputs.value.is_some()),
    ] {
        if there {
            findings.at_key(
                &format!("/outputs/{key}"),
                format!("a {key} stands beside `ranking`, a list of items; one system answers one way: remove one of the two, or write a file for each"),
            );
        }
    }
}

fn check_label(findings: &mut Findings<'_>, outputs: &Outputs, label: &Label) {
    let classes = outputs
        .decision
        .as_ref()
        .is_some_and(|d| d.classes().is_some());
    let (wanted, answers, word) = if classes {
        (LabelType::Class, "classes", "class")
    } else if outputs.value.is_some() {
        (LabelType::Numeric, "numbers", "numeric")
    } else if outputs.ranking.is_some() {
        (LabelType::Relevance, "ranked lists", "relevance")
    } else {
        (LabelType::Binary, "two-valued", "binary")
    };
    if label.kind != wanted {
        findings.at(
            "/outputs/label/type",
            format!("the answers are {answers}, the labels are not; write `type: {word}` here"),
        );
    }
    let named = [("positive", &label.positive), ("negative", &label.negative)];
    for (key, value) in named {
        let pointer = format!("/outputs/label/{key}");
        match (label.kind, value) {
            (LabelType::Binary, None) => findings.at(
                &pointer,
                format!("a two-valued label needs `{key}`, the value that means so; add it, or write `type: class`, `type: numeric` or `type: relevance`"),
            ),
            (LabelType::Class | LabelType::Numeric | LabelType::Relevance, Some(_)) => findings.at_key(
                &pointer,
                format!("only two-valued labels have `{key}`; remove it"),
            ),
            (LabelType::Binary, Some(_))
            | (LabelType::Class | LabelType::Numeric | LabelType::Relevance, None) => {}
        }
    }
    if label.positive.is_some() && label.positive == label.negative {
        findings.at(
            "/outputs/label/negative",
            "the positive and the negative label are the same; name the two values that labels have",
        );
    }
}

fn check_threshold(findings: &mut Findings<'_>, threshold: f64, has_score: bool) {
    const POINTER: &str = "/outputs/decision/rule/score_at_least";
    if !has_score {
        findings.at_key(
            POINTER,
            "the decision rests on a score, but `outputs` has none; add `score`, or use `output`",
        );
    }
    if !(0.0..=1.0).contains(&threshold) {
        findings.at(
            POINTER,
            format!(
                "the threshold {threshold} is outside 0 to 1, where scores are; write one within"
            ),
        );
    }
}
