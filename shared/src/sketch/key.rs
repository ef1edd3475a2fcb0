//! What a summary is of, and under which key it is found.

use std::fmt;

use super::SummaryKind;
use crate::ids::Name;
use crate::performance::recommendation::ListFigure;
use crate::service::Facet;
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// How a key of ranked lists begins, and how keys of their figures do.
const LIST: u8 = 16;
const FIRST_FIGURE: u8 = 17;
const LAST_FIGURE: u8 = FIRST_FIGURE + 5;
const _: () = assert!((LAST_FIGURE - FIRST_FIGURE) as usize + 1 == ListFigure::ALL.len());
/// How keys of the scores of classes begin.
const FIRST_CLASS: u8 = 32;
const LAST_CLASS: u8 = FIRST_CLASS + super::MAX_CLASSES - 1;
/// How a key of rows as a whole begins.
const JOINT: u8 = 63;
/// How keys of directions begin.
const FIRST_DIRECTION: u8 = 64;
const LAST_DIRECTION: u8 = 127;
/// How keys of the service begin.
const FIRST_FACET: u8 = 128;
const LAST_FACET: u8 = FIRST_FACET + 4;
const _: () = assert!((LAST_FACET - FIRST_FACET) as usize + 1 == Facet::ALL.len());

/// What a summary is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SummaryOf {
    /// An input of the model.
    Feature(Name),
    /// The score.
    Score,
    /// Decisions, by the groups of an attribute (without one: of all cases as one group).
    Decision(Option<Name>),
    /// Score and label together, by the groups of an attribute.
    ScoreByLabel(Option<Name>),
    /// Decision and label together, by the groups of an attribute.
    DecisionByLabel(Option<Name>),
    /// The predicted number.
    Value,
    /// Predicted number and label together, by the groups of an attribute.
    Error(Option<Name>),
    /// How long ranked lists are, or one figure of them against what was relevant.
    List(Option<ListFigure>),
    /// The score of the class at this place of the objectives file's list, by the class that was true.
    ClassScore(u8),
    /// Rows as a whole: how their numbers go together.
    Joint,
    /// Rows along one of the frozen random directions.
    Direction(u8),
    /// How the model was served.
    Service(Facet),
}

/// What a summary is of, and of which kind it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SummaryKey {
    /// What it is of.
    pub of: SummaryOf,
    /// Its kind.
    pub kind: SummaryKind,
}

impl SummaryKey {
    /// A key.
    pub const fn new(of: SummaryOf, kind: SummaryKind) -> Self {
        Self { of, kind }
    }
}

impl fmt::Display for SummaryOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, name) = match self {
            Self::Feature(name) => ("feature", Some(name)),
            Self::Score => ("score", None),
            Self::Decision(by) => ("decision", by.as_ref()),
            Self::ScoreByLabel(by) => ("score_by_label", by.as_ref()),
            Self::DecisionByLabel(by) => ("decision_by_label", by.as_ref()),
            Self::Value => ("value", None),
            Self::Error(by) => ("error", by.as_ref()),
            Self::List(None) => ("list", None),
            Self::List(Some(figure)) => return write!(f, "list/{}", figure.as_str()),
            Self::ClassScore(class) => return write!(f, "class_score/{class}"),
            Self::Joint => ("joint", None),
            Self::Direction(direction) => return write!(f, "direction/{direction}"),
            Self::Service(facet) => return write!(f, "service/{}", facet.as_str()),
        };
        match name {
            Some(name) => write!(f, "{word}/{name}"),
            None => f.write_str(word),
        }
    }
}

impl Encode for SummaryKey {
    fn encode(&self, w: &mut Writer) {
        let (tag, name) = match &self.of {
            SummaryOf::Feature(name) => (1, Some(name)),
            SummaryOf::Score => (2, None),
            SummaryOf::Decision(by) => (3, by.as_ref()),
            SummaryOf::ScoreByLabel(by) => (4, by.as_ref()),
            SummaryOf::DecisionByLabel(by) => (5, by.as_ref()),
            SummaryOf::Value => (6, None),
            SummaryOf::Error(by) => (7, by.as_ref()),
            SummaryOf::List(None) => (LIST, None),
            SummaryOf::List(Some(figure)) => (FIRST_FIGURE + *figure as u8, None),
            SummaryOf::ClassScore(class) => (FIRST_CLASS.saturating_add(*class), None),
            SummaryOf::Joint => (JOINT, None),
            SummaryOf::Direction(direction) => (FIRST_DIRECTION.saturating_add(*direction), None),
            SummaryOf::Service(facet) => (FIRST_FACET + *facet as u8, None),
        };
        w.byte(tag);
        w.text(name.map_or("", Name::as_str));
        w.byte(self.kind as u8);
    }
}

impl Decode for SummaryKey {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let tag = r.byte()?;
        let text = r.text(crate::ids::MAX_NAME)?;
        let name = if text.is_empty() {
            None
        } else {
            Some(Name::new(text).map_err(|_| Malformed::Value("summary name"))?)
        };
        let of = match (tag, name) {
            (1, Some(name)) => SummaryOf::Feature(name),
            (2, None) => SummaryOf::Score,
            (3, by) => SummaryOf::Decision(by),
            (4, by) => SummaryOf::ScoreByLabel(by),
            (5, by) => SummaryOf::DecisionByLabel(by),
            (6, None) => SummaryOf::Value,
            (7, by) => SummaryOf::Error(by),
            (LIST, None) => SummaryOf::List(None),
            (FIRST_FIGURE..=LAST_FIGURE, None) => {
                let figure = ListFigure::ALL[usize::from(tag - FIRST_FIGURE)];
                SummaryOf::List(Some(figure))
            }
            (FIRST_CLASS..=LAST_CLASS, None) => SummaryOf::ClassScore(tag - FIRST_CLASS),
            (JOINT, None) => SummaryOf::Joint,
            (FIRST_DIRECTION..=LAST_DIRECTION, None) => SummaryOf::Direction(tag - FIRST_DIRECTION),
            (FIRST_FACET..=LAST_FACET, None) => {
                SummaryOf::Service(Facet::ALL[usize::from(tag - FIRST_FACET)])
            }
            _ => return Err(Malformed::Value("summary subject")),
        };
        let kind = SummaryKind::from_number(r.byte()?).ok_or(Malformed::Value("summary kind"))?;
        Ok(Self { of, kind })
    }
}
