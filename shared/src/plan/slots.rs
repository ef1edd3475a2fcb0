//! A plan with every position resolved, so that counting looks nothing up by name.

use crate::baseline::{Baseline, Law};
use crate::ids::Name;
use crate::objective::document::{
    Attribute, AttributeSource, Decision, DecisionRule, Document, Feature, InputPath, Label,
    LabelType, OutputPath, Scalar,
};
use crate::plan::class_scores::ClassScoreSlot;
use crate::plan::joint::JointSlot;
use crate::plan::layout::place;
use crate::plan::lists::ListSlot;
use crate::plan::names::Names;
use crate::plan::numbers::Numbers;
use crate::plan::value::ValueReader;
use crate::sketch::{PaneSummary, SummaryKind, SummaryOf, Unlisted};

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

    /// Where a feature is read, derived or not.
    pub(super) fn of_feature(feature: &Feature) -> Self {
        match super::derive::place(feature) {
            Some((tensor, column)) => Self::new(&tensor, column),
            None => Self::of_input(&feature.from),
        }
    }

    pub(super) fn of_output(path: &OutputPath) -> Self {
        Self::new(&path.output, path.column)
    }
}

/// A feature and where its counts are (positions in the traffic pane).
#[derive(Clone, Debug)]
pub(super) struct FeatureSlot {
    pub(super) column: Column,
    pub(super) reader: ValueReader,
    /// The documented range; all numbers without one.
    pub(super) range: (f64, f64),
    pub(super) law: LawSlot,
}

#[derive(Clone, Debug)]
pub(super) enum LawSlot {
    Numeric(Numbers),
    Categorical {
        hygiene: usize,
        categories: usize,
        names: Catalogue,
    },
}

/// Names that the baseline lists, those that stand for "not known", and what it knows of others.
#[derive(Clone, Debug)]
pub(super) struct Catalogue {
    names: Names<Listed>,
    unlisted: Unlisted,
}

impl Catalogue {
    /// What a name stands for; none if the reference did not have it, as far as is known.
    #[inline]
    pub(super) fn find(&self, name: &str) -> Option<Listed> {
        let found = self.names.find(name);
        found.or_else(|| self.unlisted.has(name).then_some(Listed::Known))
    }
}

/// What a category's name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    /// A place in the baseline's list.
    At(u8),
    /// Not listed, but the reference had it.
    Known,
    /// "Not known".
    Missing,
}

/// A number among the outputs (the score, or a predicted number) and where its counts are.
#[derive(Clone, Debug)]
pub(super) struct NumberSlot {
    pub(super) column: Column,
    pub(super) numbers: Numbers,
}

/// The decision and where its counts are.
#[derive(Clone, Debug)]
pub(super) struct DecisionSlot {
    pub(super) rule: Rule,
    /// Of all cases, in the traffic pane.
    pub(super) all: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Rule {
    ScoreAtLeast(f64),
    Output {
        column: Column,
        positive: Scalar,
    },
    Class {
        column: Column,
        classes: Box<[Scalar]>,
    },
}

/// Which values of labels are taken, and as what.
#[derive(Clone, Debug)]
pub(super) enum LabelReader {
    Signs { positive: Scalar, negative: Scalar },
    Classes(Box<[Scalar]>),
    Numbers,
    Relevance,
}

/// Where the counts by label are, of all cases or by the groups of an attribute (positions in the
/// outcome pane).
#[derive(Clone, Copy, Debug)]
pub(super) struct LabelSlots {
    /// A confusion or a class table.
    pub(super) decision: Option<usize>,
    pub(super) score: Option<usize>,
    pub(super) losses: Option<usize>,
    pub(super) residuals: Option<usize>,
    pub(super) errors: Option<usize>,
}

impl LabelSlots {
    fn new(outcomes: &PaneSummary, by: Option<&Name>) -> Self {
        let decision = |kind| place(outcomes, SummaryOf::DecisionByLabel(by.cloned()), kind);
        let score = |kind| place(outcomes, SummaryOf::ScoreByLabel(by.cloned()), kind);
        let error = |kind| place(outcomes, SummaryOf::Error(by.cloned()), kind);
        Self {
            decision: decision(SummaryKind::Confusion)
                .or_else(|| decision(SummaryKind::ClassTable)),
            score: score(SummaryKind::ScoreCells),
            losses: score(SummaryKind::Losses),
            residuals: error(SummaryKind::Residuals),
            errors: error(SummaryKind::Histogram),
        }
    }
}

/// An attribute and where its counts are.
#[derive(Clone, Debug)]
pub(super) struct AttributeSlot {
    /// Indices of groups by their names.
    pub(super) groups: Names<u8>,
    pub(super) source: SourceSlot,
    /// Whether decisions by group are in the outcome pane, not in the traffic pane.
    pub(super) late: bool,
    /// Where decisions by group are: a confusion or a class table.
    pub(super) decision: Option<usize>,
    pub(super) by_label: LabelSlots,
}

#[derive(Clone, Debug)]
pub(super) enum SourceSlot {
    /// In the request.
    Request(Column),
    /// Under a name in outcomes.
    Outcome(Name),
    /// In other attributes: their places and how many groups they have.
    Parts(Box<[(usize, u8)]>),
}

impl AttributeSlot {
    /// The index of a group by its name.
    pub(super) fn group(&self, name: &str) -> Option<u8> {
        self.groups.find(name)
    }
}

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    pub(super) joint: Option<JointSlot>,
    pub(super) features: Vec<FeatureSlot>,
    pub(super) score: Option<NumberSlot>,
    pub(super) value: Option<NumberSlot>,
    pub(super) decision: Option<DecisionSlot>,
    pub(super) list: Option<ListSlot>,
    pub(super) class_scores: Option<ClassScoreSlot>,
    pub(super) attributes: Vec<AttributeSlot>,
    pub(super) label: Option<LabelReader>,
    pub(super) by_label: LabelSlots,
    /// Columns of the request that the document names: of features, then of attributes.
    pub(super) wanted_inputs: Box<[Option<Column>]>,
    /// Columns of the response that the document names: score, predicted number, decision, first place
    /// of a ranked list, last one of the scores of classes.
    pub(super) wanted_outputs: [Option<Column>; 5],
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
        let outputs = &document.outputs;
        let score = match &outputs.score {
            Some(score) => Some(number(&score.from, &SummaryOf::Score, traffic)?),
            None => None,
        };
        let value = match &outputs.value {
            Some(value) => Some(number(&value.from, &SummaryOf::Value, traffic)?),
            None => None,
        };
        let decision = match &outputs.decision {
            Some(decision) => Some(DecisionSlot {
                rule: rule(decision),
                all: table(traffic, None)?,
            }),
            None => None,
        };
        let list = match &outputs.ranking {
            Some(_) => Some(ListSlot::new(document, traffic, outcomes)?),
            None => None,
        };
        let class_scores = match scored_classes(document) {
            Some(_) => Some(ClassScoreSlot::new(document, outcomes)?),
            None => None,
        };
        let joint = match &baseline.joint {
            Some(_) => Some(JointSlot::new(document, baseline, traffic)?),
            None => None,
        };
        let attributes = document.attributes.iter();
        let mut slots = Self {
            joint,
            features: features.collect::<Option<_>>()?,
            score,
            value,
            decision,
            list,
            class_scores,
            attributes: attributes
                .map(|a| attribute(a, document, traffic, outcomes))
                .collect::<Option<_>>()?,
            label: label(document),
            by_label: LabelSlots::new(outcomes, None),
            wanted_inputs: Box::default(),
            wanted_outputs: [const { None }; 5],
        };
        slots.wanted_inputs = slots.inputs().map(Option::<&Column>::cloned).collect();
        slots.wanted_outputs = slots.outputs().map(Option::<&Column>::cloned);
        Some(slots)
    }

    fn inputs(&self) -> impl Iterator<Item = Option<&Column>> {
        let features = self.features.iter().map(|slot| Some(&slot.column));
        features.chain(self.attributes.iter().map(|slot| match &slot.source {
            SourceSlot::Request(column) => Some(column),
            SourceSlot::Outcome(_) | SourceSlot::Parts(_) => None,
        }))
    }

    fn outputs(&self) -> [Option<&Column>; 5] {
        let decision = self.decision.as_ref().and_then(|slot| match &slot.rule {
            Rule::Output { column, .. } | Rule::Class { column, .. } => Some(column),
            Rule::ScoreAtLeast(_) => None,
        });
        [
            self.score.as_ref().map(|slot| &slot.column),
            self.value.as_ref().map(|slot| &slot.column),
            decision,
            self.list.as_ref().map(|slot| &slot.column),
            self.class_scores.as_ref().map(|slot| &slot.last),
        ]
    }
}

fn feature(feature: &Feature, baseline: &Baseline, traffic: &PaneSummary) -> Option<FeatureSlot> {
    let at = |kind| place(traffic, SummaryOf::Feature(feature.name.clone()), kind);
    let reader = ValueReader::new(feature);
    let hygiene = at(SummaryKind::Hygiene)?;
    let law = match baseline.features.get(&feature.name)? {
        Law::Numeric { .. } => {
            let cells = [
                hygiene,
                at(SummaryKind::Histogram)?,
                at(SummaryKind::Moments)?,
            ];
            let cuts = at(SummaryKind::CutCounts)?;
            LawSlot::Numeric(Numbers::new(traffic, cells, Some(cuts))?)
        }
        Law::Categorical {
            categories,
            unlisted,
            ..
        } => {
            let missing = reader.missing_texts().map(|text| (text, Listed::Missing));
            let listed = (0..).zip(categories);
            let listed = listed.map(|(place, name)| (name.as_str(), Listed::At(place)));
            LawSlot::Categorical {
                hygiene,
                categories: at(SummaryKind::Categories)?,
                names: Catalogue {
                    names: Names::new(missing.chain(listed))?,
                    unlisted: unlisted.clone().unwrap_or_default(),
                },
            }
        }
    };
    let all = (f64::NEG_INFINITY, f64::INFINITY);
    Some(FeatureSlot {
        column: Column::of_feature(feature),
        range: feature.range.map_or(all, |range| (range.min, range.max)),
        reader,
        law,
    })
}

fn number(from: &OutputPath, of: &SummaryOf, traffic: &PaneSummary) -> Option<NumberSlot> {
    let at = |kind| place(traffic, of.clone(), kind);
    let cells = [
        at(SummaryKind::Hygiene)?,
        at(SummaryKind::Histogram)?,
        at(SummaryKind::Moments)?,
    ];
    Some(NumberSlot {
        column: Column::of_output(from),
        numbers: Numbers::new(traffic, cells, at(SummaryKind::CutCounts))?,
    })
}

/// Where decisions by the groups of an attribute are.
fn table(pane: &PaneSummary, by: Option<&Name>) -> Option<usize> {
    let at = |kind| place(pane, SummaryOf::Decision(by.cloned()), kind);
    at(SummaryKind::Confusion).or_else(|| at(SummaryKind::ClassTable))
}

fn rule(decision: &Decision) -> Rule {
    match &decision.rule {
        DecisionRule::ScoreAtLeast(threshold) => Rule::ScoreAtLeast(*threshold),
        DecisionRule::Output { from, positive } => Rule::Output {
            column: Column::of_output(from),
            positive: positive.clone(),
        },
        DecisionRule::Class { from, classes, .. } => Rule::Class {
            column: Column::of_output(from),
            classes: classes.as_slice().into(),
        },
    }
}

/// The scores of classes that are counted: those that labels come for.
pub(super) fn scored_classes(document: &Document) -> Option<&[Scalar]> {
    document.outputs.label.as_ref()?;
    match &document.outputs.decision.as_ref()?.rule {
        DecisionRule::Class {
            classes,
            scores: Some(_),
            ..
        } => Some(classes),
        DecisionRule::Class { scores: None, .. }
        | DecisionRule::ScoreAtLeast(_)
        | DecisionRule::Output { .. } => None,
    }
}

/// How labels are read; none if there are none, or if what they are compared with is not said.
fn label(document: &Document) -> Option<LabelReader> {
    let Label {
        kind,
        positive,
        negative,
    } = document.outputs.label.as_ref()?;
    match kind {
        LabelType::Binary => Some(LabelReader::Signs {
            positive: positive.clone()?,
            negative: negative.clone()?,
        }),
        LabelType::Class => {
            let classes = document.outputs.decision.as_ref()?.classes()?;
            Some(LabelReader::Classes(classes.into()))
        }
        LabelType::Numeric => Some(LabelReader::Numbers),
        LabelType::Relevance => Some(LabelReader::Relevance),
    }
}

fn attribute(
    attribute: &Attribute,
    document: &Document,
    traffic: &PaneSummary,
    outcomes: &PaneSummary,
) -> Option<AttributeSlot> {
    let late = document.comes_late(attribute);
    let source = match &attribute.from {
        AttributeSource::Request(path) => SourceSlot::Request(Column::of_input(path)),
        AttributeSource::Outcome => SourceSlot::Outcome(attribute.name.clone()),
        AttributeSource::Parts => {
            let size = |part: &usize| {
                u8::try_from(document.attributes[*part].groups.len()).unwrap_or(u8::MAX)
            };
            let parts = document.parts_of(attribute).into_iter();
            SourceSlot::Parts(parts.map(|part| (part, size(&part))).collect())
        }
    };
    let groups = (0..).zip(&attribute.groups);
    Some(AttributeSlot {
        groups: Names::new(groups.map(|(index, group)| (group.as_str(), index)))?,
        source,
        late,
        decision: table(if late { outcomes } else { traffic }, Some(&attribute.name)),
        by_label: LabelSlots::new(outcomes, Some(&attribute.name)),
    })
}
