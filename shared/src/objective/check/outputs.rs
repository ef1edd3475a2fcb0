//! Checks of the `outputs` section.

use super::Findings;
use crate::objective::document::DecisionRule;

pub(super) fn check(findings: &mut Findings<'_>) {
    let outputs = &findings.document().outputs;
    if let Some(score) = &outputs.score {
        findings.text("/outputs/score/from/output", &score.from.output);
    }
    if let Some(decision) = &outputs.decision {
        findings.text("/outputs/decision/positive_means", &decision.positive_means);
        match &decision.rule {
            DecisionRule::ScoreAtLeast(threshold) => {
                check_threshold(findings, *threshold, outputs.score.is_some());
            }
            DecisionRule::Output { from, .. } => {
                findings.text("/outputs/decision/rule/output/from/output", &from.output);
            }
        }
    }
    if let Some(label) = &outputs.label
        && label.positive == label.negative
    {
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
