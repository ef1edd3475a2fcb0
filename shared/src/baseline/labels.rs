//! Counting the labelled rows of a reference.

use super::Labelled;
use crate::inference::Cell;
use crate::objective::document::{DecisionRule, Document, Label, LabelType, Scalar};
use crate::plan::value::{class_of, is_value};
use crate::sketch::{ClassTable, Confusion, ScoreCells};

/// Takes score, decision and label of each row. Numbers are counted elsewhere, as laws.
#[derive(Debug)]
pub(super) struct Labels {
    label: Option<Label>,
    rule: Option<DecisionRule>,
    row: Row,
    counted: Labelled,
}

/// What is known of the row under way. Signs are classes 1 and 0 here.
#[derive(Debug, Default)]
struct Row {
    score: Option<f64>,
    decision: Option<u8>,
    truth: Option<u8>,
}

impl Labels {
    pub(super) fn new(document: &Document) -> Self {
        let outputs = &document.outputs;
        let decision = outputs.decision.as_ref();
        let classes = decision.and_then(|decision| decision.classes());
        let table =
            classes.and_then(|classes| ClassTable::new(u8::try_from(classes.len()).ok()?, 1));
        Self {
            label: outputs.label.clone(),
            rule: decision.map(|decision| decision.rule.clone()),
            row: Row::default(),
            counted: Labelled {
                rows: 0,
                scores: outputs.score.as_ref().map(|_| ScoreCells::of_all()),
                decisions: decision
                    .filter(|_| table.is_none())
                    .map(|_| Confusion::of_all()),
                classes: table,
            },
        }
    }

    pub(super) fn take_score(&mut self, score: f64) {
        self.row.score = Some(score).filter(|score| (0.0..=1.0).contains(score));
        if let Some(DecisionRule::ScoreAtLeast(threshold)) = self.rule {
            self.row.decision = self.row.score.map(|score| u8::from(score >= threshold));
        }
    }

    pub(super) fn take_decision(&mut self, cell: Cell<'_>) {
        match &self.rule {
            Some(DecisionRule::Output { positive, .. }) => {
                self.row.decision =
                    (cell != Cell::Missing).then(|| u8::from(is_value(cell, positive)));
            }
            Some(DecisionRule::Class { classes, .. }) => {
                self.row.decision = class_of(cell, classes);
            }
            Some(DecisionRule::ScoreAtLeast(_)) | None => {}
        }
    }

    /// Takes a label; returns it if labels are numbers.
    pub(super) fn take_label(&mut self, cell: Cell<'_>) -> Option<f64> {
        let label = self.label.as_ref()?;
        match label.kind {
            LabelType::Binary => {
                let is = |value: &Option<Scalar>| value.as_ref().is_some_and(|v| is_value(cell, v));
                let positive = is(&label.positive);
                self.row.truth = (positive || is(&label.negative)).then(|| u8::from(positive));
                None
            }
            LabelType::Class => {
                if let Some(DecisionRule::Class { classes, .. }) = &self.rule {
                    self.row.truth = class_of(cell, classes);
                }
                None
            }
            LabelType::Numeric => cell.number(),
            // What ranked lists are judged by is no law of single rows.
            LabelType::Relevance => None,
        }
    }

    pub(super) fn end_row(&mut self) {
        let row = std::mem::take(&mut self.row);
        let Some(truth) = row.truth else { return };
        self.counted.rows += 1;
        let sign = |class: u8| class == 1;
        if let Some(scores) = &mut self.counted.scores {
            scores.add(row.score, Some(sign(truth)), Some(0));
        }
        if let Some(decisions) = &mut self.counted.decisions {
            decisions.add(Some(sign(truth)), row.decision.map(sign), Some(0));
        }
        if let Some(classes) = &mut self.counted.classes {
            classes.add(Some(truth), row.decision, Some(0));
        }
    }

    /// What was counted, if any row had a label.
    pub(super) fn finish(self) -> Option<Labelled> {
        (self.counted.rows > 0).then_some(self.counted)
    }
}
