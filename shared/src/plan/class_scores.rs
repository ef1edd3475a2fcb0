//! Scores of several classes: which ones an answer gave, and how they fell once the class is known.

use crate::inference::Tensor;
use crate::objective::document::{DecisionRule, Document};
use crate::plan::layout::place;
use crate::plan::observe::count;
use crate::plan::slots::Column;
use crate::sketch::{PaneSummary, ScoreCells, SummaryKind, SummaryOf};

/// In place of a score that is none, or not within 0 to 1.
const NO_SCORE: f64 = -1.0;

/// The scores of classes and where their counts are.
#[derive(Clone, Debug)]
pub(super) struct ClassScoreSlot {
    /// Where the last class's score stands.
    pub(super) last: Column,
    first: usize,
    /// Score cells of each class, in the outcome pane.
    tables: Vec<usize>,
}

impl ClassScoreSlot {
    /// None without scores or labels, and if the pane lacks what the document asks for, which the layout
    /// rules out.
    pub(super) fn new(document: &Document, outcomes: &PaneSummary) -> Option<Self> {
        document.outputs.label.as_ref()?;
        let decision = document.outputs.decision.as_ref()?;
        let DecisionRule::Class {
            classes,
            scores: Some(from),
            ..
        } = &decision.rule
        else {
            return None;
        };
        let mut last = Column::of_output(from);
        let first = last.index;
        last.index = first.saturating_add(classes.len().saturating_sub(1));
        let tables = (0..u8::try_from(classes.len()).ok()?).map(|class| {
            place(
                outcomes,
                SummaryOf::ClassScore(class),
                SummaryKind::ScoreCells,
            )
        });
        Some(Self {
            last,
            first,
            tables: tables.collect::<Option<_>>()?,
        })
    }

    /// How many classes have a score.
    pub(super) const fn classes(&self) -> usize {
        self.tables.len()
    }

    /// A row's scores; none if there is not one.
    pub(super) fn read(&self, tensor: Option<&Tensor>, row: usize) -> Option<Box<[f64]>> {
        let tensor = tensor?;
        let scores = (self.first..).take(self.tables.len()).map(|column| {
            let score = tensor.cell(row, column).number();
            let score = score.filter(|score| (0.0..=1.0).contains(score));
            score.unwrap_or(NO_SCORE)
        });
        let scores: Box<[f64]> = scores.collect();
        scores.iter().any(|score| *score >= 0.0).then_some(scores)
    }

    /// Counts scores whose true class has become known: each class's by that class.
    pub(super) fn count(&self, scores: &[f64], truth: u8, into: &mut PaneSummary) {
        for (table, score) in self.tables.iter().zip(scores) {
            let score = Some(*score).filter(|score| *score >= 0.0);
            count(into, *table, ScoreCells::of_mut, |cells| {
                cells.add(score, Some(true), Some(truth));
            });
        }
    }
}
