//! Counting the labelled rows of a reference.

use super::Labelled;
use crate::inference::Cell;
use crate::objective::document::{DecisionRule, Document, Label};
use crate::plan::value::is_value;
use crate::sketch::{Confusion, ScoreCells};

/// Takes score, decision and label of each row.
#[derive(Debug)]
pub(super) struct Labels {
    label: Option<Label>,
    rule: Option<DecisionRule>,
    /// Of the row under way.
    score: Option<f64>,
    decision: Option<bool>,
    truth: Option<bool>,
    counted: Labelled,
}

impl Labels {
    pub(super) fn new(document: &Document) -> Self {
        let outputs = &document.outputs;
        Self {
            label: outputs.label.clone(),
            rule: outputs
                .decision
                .as_ref()
                .map(|decision| decision.rule.clone()),
            score: None,
            decision: None,
            truth: None,
            counted: Labelled {
                rows: 0,
                scores: outputs.score.as_ref().map(|_| ScoreCells::of_all()),
                decisions: outputs.decision.as_ref().map(|_| Confusion::of_all()),
            },
        }
    }

    pub(super) fn take_score(&mut self, score: f64) {
        self.score = Some(score).filter(|score| (0.0..=1.0).contains(score));
        if let Some(DecisionRule::ScoreAtLeast(threshold)) = self.rule {
            self.decision = self.score.map(|score| score >= threshold);
        }
    }

    pub(super) fn take_decision(&mut self, cell: Cell<'_>) {
        if let Some(DecisionRule::Output { positive, .. }) = &self.rule {
            self.decision = (cell != Cell::Missing).then(|| is_value(cell, positive));
        }
    }

    pub(super) fn take_label(&mut self, cell: Cell<'_>) {
        let Some(label) = &self.label else { return };
        let positive = is_value(cell, &label.positive);
        if positive || is_value(cell, &label.negative) {
            self.truth = Some(positive);
        }
    }

    pub(super) fn end_row(&mut self) {
        let (score, decision) = (self.score.take(), self.decision.take());
        let Some(truth) = self.truth.take() else {
            return;
        };
        self.counted.rows += 1;
        if let Some(scores) = &mut self.counted.scores {
            scores.add(score, Some(truth), Some(0));
        }
        if let Some(decisions) = &mut self.counted.decisions {
            decisions.add(Some(truth), decision, Some(0));
        }
    }

    /// What was counted, if any row had a label.
    pub(super) fn finish(self) -> Option<Labelled> {
        (self.counted.rows > 0).then_some(self.counted)
    }
}
