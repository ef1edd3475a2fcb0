//! A plan with every position resolved, so that counting looks nothing up by name.

use crate::baseline::{Baseline, Law};
use crate::ids::Name;
use crate::inference::{Cell, Inference, Tensor};
use crate::objective::document::{
    Attribute, AttributeSource, Decision, DecisionRule, Document, Feature, InputPath, Label,
    OutputPath, Range, Scalar,
};
use crate::plan::layout::place;
use crate::plan::value::ValueReader;
use crate::sketch::{PaneSummary, SummaryKind, SummaryOf};

/// Where a tensor's column stands.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) tensor: Box<str>,
    pub(super) index: usize,
}

impl Column {
    fn new(tensor: &str, column: u32) -> Self {
        Self {
            tensor: tensor.into(),
            index: usize::try_from(column).unwrap_or(usize::MAX),
        }
    }

    fn of_input(path: &InputPath) -> Self {
        Self::new(&path.input, path.column)
    }

    fn of_output(path: &OutputPath) -> Self {
        Self::new(&path.output, path.column)
    }

    /// The value of a response's row.
    pub(super) fn output<'a>(&self, inference: &'a Inference, row: usize) -> Cell<'a> {
        inference
            .output(&self.tensor)
            .map_or(Cell::Missing, |t| t.cell(row, self.index))
    }
}

/// Finds tensors by name. Requests mostly list them in the document's order, so each search starts
/// where the last one ended.
pub(super) struct Inputs<'a> {
    tensors: &'a [Tensor],
    at: usize,
}

impl<'a> Inputs<'a> {
    pub(super) const fn new(inference: &'a Inference) -> Self {
        Self {
            tensors: inference.inputs.as_slice(),
            at: 0,
        }
    }

    /// The value of a request's row; an absent tensor's values are missing.
    pub(super) fn cell(&mut self, column: &Column, row: usize) -> Cell<'a> {
        self.tensor(column)
            .map_or(Cell::Missing, |tensor| tensor.cell(row, column.index))
    }

    /// The tensor that a column belongs to.
    pub(super) fn tensor(&mut self, column: &Column) -> Option<&'a Tensor> {
        let wanted = |tensor: &&Tensor| *tensor.name == *column.tensor;
        // Mostly it is the next one, or the same one again.
        let next = self.tensors.get(self.at + 1).filter(wanted);
        if next.is_some() {
            self.at += 1;
            return next;
        }
        let (before, after) = self.tensors.split_at(self.at);
        let steps = after
            .iter()
            .chain(before)
            .position(|tensor| wanted(&tensor))?;
        self.at = (self.at + steps) % self.tensors.len();
        self.tensors.get(self.at)
    }
}

/// A feature and where its counts are (positions in the traffic pane).
#[derive(Clone, Debug)]
pub(super) struct FeatureSlot {
    pub(super) column: Column,
    pub(super) reader: ValueReader,
    pub(super) range: Option<Range>,
    pub(super) hygiene: usize,
    pub(super) law: LawSlot,
}

#[derive(Clone, Debug)]
pub(super) enum LawSlot {
    Numeric {
        histogram: usize,
        cuts: usize,
        moments: usize,
    },
    Categorical {
        categories: usize,
        names: Box<[Box<str>]>,
    },
}

/// The score and where its counts are.
#[derive(Clone, Debug)]
pub(super) struct ScoreSlot {
    pub(super) column: Column,
    pub(super) hygiene: usize,
    pub(super) histogram: usize,
    pub(super) moments: usize,
    pub(super) cuts: Option<usize>,
}

/// The decision and where its counts are.
#[derive(Clone, Debug)]
pub(super) struct DecisionSlot {
    pub(super) rule: Rule,
    pub(super) all: usize,
}

/// Where the counts by label are, of all cases or by the groups of an attribute (positions in the
/// outcome pane).
#[derive(Clone, Copy, Debug)]
pub(super) struct LabelSlots {
    pub(super) decision: Option<usize>,
    pub(super) score: Option<usize>,
    pub(super) losses: Option<usize>,
}

impl LabelSlots {
    fn new(outcomes: &PaneSummary, by: Option<&Name>) -> Self {
        let decision = || SummaryOf::DecisionByLabel(by.cloned());
        let score = || SummaryOf::ScoreByLabel(by.cloned());
        Self {
            decision: place(outcomes, decision(), SummaryKind::Confusion),
            score: place(outcomes, score(), SummaryKind::ScoreCells),
            losses: place(outcomes, score(), SummaryKind::Losses),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Rule {
    ScoreAtLeast(f64),
    Output { column: Column, positive: Scalar },
}

/// An attribute and where its counts are.
#[derive(Clone, Debug)]
pub(super) struct AttributeSlot {
    pub(super) groups: Box<[Box<str>]>,
    pub(super) source: SourceSlot,
    pub(super) by_label: LabelSlots,
}

#[derive(Clone, Debug)]
pub(super) enum SourceSlot {
    /// In the request; decisions by group are in the traffic pane.
    Request {
        column: Column,
        decision: Option<usize>,
    },
    /// Under a name in outcomes; decisions by group are in the outcome pane.
    Outcome { name: Name, decision: Option<usize> },
}

impl AttributeSlot {
    /// The index of a group by its name.
    pub(super) fn group(&self, name: &str) -> Option<u8> {
        let index = self.groups.iter().position(|group| **group == *name)?;
        u8::try_from(index).ok()
    }
}

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    pub(super) features: Vec<FeatureSlot>,
    pub(super) score: Option<ScoreSlot>,
    pub(super) decision: Option<DecisionSlot>,
    pub(super) attributes: Vec<AttributeSlot>,
    pub(super) label: Option<Label>,
    pub(super) by_label: LabelSlots,
}

impl Slots {
    /// Resolves a document against its two empty panes. None if a pane lacks what the document asks
    /// for, which the layout rules out.
    pub(super) fn new(
        document: &Document,
        baseline: &Baseline,
        traffic: &PaneSummary,
        outcomes: &PaneSummary,
    ) -> Option<Self> {
        let features = document
            .features
            .iter()
            .map(|f| feature(f, baseline, traffic));
        let score = match &document.outputs.score {
            Some(score) => Some(ScoreSlot {
                column: Column::of_output(&score.from),
                hygiene: place(traffic, SummaryOf::Score, SummaryKind::Hygiene)?,
                histogram: place(traffic, SummaryOf::Score, SummaryKind::Histogram)?,
                moments: place(traffic, SummaryOf::Score, SummaryKind::Moments)?,
                cuts: place(traffic, SummaryOf::Score, SummaryKind::CutCounts),
            }),
            None => None,
        };
        let decision = match &document.outputs.decision {
            Some(decision) => Some(DecisionSlot {
                rule: rule(decision),
                all: place(traffic, SummaryOf::Decision(None), SummaryKind::Confusion)?,
            }),
            None => None,
        };
        Some(Self {
            features: features.collect::<Option<_>>()?,
            score,
            decision,
            attributes: document
                .attributes
                .iter()
                .map(|a| attribute(a, traffic, outcomes))
                .collect(),
            label: document.outputs.label.clone(),
            by_label: LabelSlots::new(outcomes, None),
        })
    }

    /// Columns of the request that the document names.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Column> {
        let features = self.features.iter().map(|slot| &slot.column);
        features.chain(
            self.attributes
                .iter()
                .filter_map(|slot| match &slot.source {
                    SourceSlot::Request { column, .. } => Some(column),
                    SourceSlot::Outcome { .. } => None,
                }),
        )
    }

    /// Columns of the response that the document names.
    pub(super) fn outputs(&self) -> impl Iterator<Item = &Column> {
        let decision = self.decision.iter().filter_map(|slot| match &slot.rule {
            Rule::Output { column, .. } => Some(column),
            Rule::ScoreAtLeast(_) => None,
        });
        self.score.iter().map(|slot| &slot.column).chain(decision)
    }
}

fn feature(feature: &Feature, baseline: &Baseline, traffic: &PaneSummary) -> Option<FeatureSlot> {
    let at = |kind| place(traffic, SummaryOf::Feature(feature.name.clone()), kind);
    let law = match baseline.features.get(&feature.name)? {
        Law::Numeric { .. } => LawSlot::Numeric {
            histogram: at(SummaryKind::Histogram)?,
            cuts: at(SummaryKind::CutCounts)?,
            moments: at(SummaryKind::Moments)?,
        },
        Law::Categorical { categories, .. } => LawSlot::Categorical {
            categories: at(SummaryKind::Categories)?,
            names: categories.iter().map(|name| name.as_str().into()).collect(),
        },
    };
    Some(FeatureSlot {
        column: Column::of_input(&feature.from),
        reader: ValueReader::new(feature),
        range: feature.range,
        hygiene: at(SummaryKind::Hygiene)?,
        law,
    })
}

fn rule(decision: &Decision) -> Rule {
    match &decision.rule {
        DecisionRule::ScoreAtLeast(threshold) => Rule::ScoreAtLeast(*threshold),
        DecisionRule::Output { from, positive } => Rule::Output {
            column: Column::of_output(from),
            positive: positive.clone(),
        },
    }
}

fn attribute(
    attribute: &Attribute,
    traffic: &PaneSummary,
    outcomes: &PaneSummary,
) -> AttributeSlot {
    let late = |of: SummaryOf, kind| place(outcomes, of, kind);
    let decision = SummaryOf::Decision(Some(attribute.name.clone()));
    let source = match &attribute.from {
        AttributeSource::Request(path) => SourceSlot::Request {
            column: Column::of_input(path),
            decision: place(traffic, decision, SummaryKind::Confusion),
        },
        AttributeSource::Outcome => SourceSlot::Outcome {
            name: attribute.name.clone(),
            decision: late(decision, SummaryKind::Confusion),
        },
    };
    AttributeSlot {
        groups: attribute
            .groups
            .iter()
            .map(|group| group.as_str().into())
            .collect(),
        source,
        by_label: LabelSlots::new(outcomes, Some(&attribute.name)),
    }
}
