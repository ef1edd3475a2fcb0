//! What features are taken of that do not stand in the request as numbers or categories: texts, and
//! values of the answer. Put beside the inputs of an exchange before it is counted, so that counting
//! reads inputs only; the texts themselves go no further.

use std::sync::Arc;

use crate::inference::{Cell, Inference, Owned, Tensor, Values};
use crate::objective::document::{Document, Feature};
use crate::objective::phrases::Phrases;
use crate::text::{Patterns, TextNumber, numbers_of};

/// What is put in place of a text that is none: no number, and counted as of the wrong type.
const NO_TEXT: &str = "";

/// One tensor to be made: the numbers of a column of texts, or a column of the answer.
#[derive(Clone, Debug)]
pub(super) struct Derived {
    name: Box<str>,
    of_output: bool,
    tensor: Box<str>,
    column: usize,
    what: What,
}

/// What a tensor is made of.
#[derive(Clone, Debug)]
enum What {
    /// Of values as they are.
    Values,
    /// Of the numbers of texts.
    Numbers,
    /// Of whether one of these phrases stands in each text.
    Phrases(Arc<Patterns>),
}

/// Where a feature is read that is derived: tensor and column. None of one that stands in the request.
pub(super) fn place(feature: &Feature) -> Option<(String, u32)> {
    let from = &feature.from;
    let column = from.column;
    // No request can name a tensor like this: names on the wire begin with what can be read.
    let tensor = match (&from.output, feature.text) {
        (None, None) => return None,
        (None, Some(TextNumber::PHRASES)) => {
            format!("\u{1}phrases/{column}/{}/{}", feature.name, from.input)
        }
        (None, Some(_)) => format!("\u{1}text/{column}/{}", from.input),
        (Some(output), None) => format!("\u{1}output/{column}/{output}"),
        (Some(output), Some(TextNumber::PHRASES)) => {
            format!("\u{1}output-phrases/{column}/{}/{output}", feature.name)
        }
        (Some(output), Some(_)) => format!("\u{1}output-text/{column}/{output}"),
    };
    let number = feature.text.filter(|number| *number != TextNumber::PHRASES);
    let place = number.map_or(0, TextNumber::index);
    Some((tensor, u32::try_from(place).unwrap_or(u32::MAX)))
}

/// Whether a tensor of that name is made of the answer.
pub(super) fn is_of_output(tensor: &str) -> bool {
    tensor.starts_with("\u{1}output")
}

/// What is to be derived for a document, each once.
pub(super) fn all(document: &Document) -> Vec<Derived> {
    let mut all: Vec<Derived> = Vec::new();
    for feature in &document.features {
        let Some((name, _)) = place(feature) else {
            continue;
        };
        if all.iter().any(|known| *known.name == *name) {
            continue;
        }
        let from = &feature.from;
        let search = |phrases: &Phrases| phrases.search(feature.name.as_str()).ok();
        let what = match (feature.text, feature.find.as_ref().and_then(search)) {
            (Some(TextNumber::PHRASES), Some(patterns)) => What::Phrases(Arc::new(patterns)),
            (Some(_), _) => What::Numbers,
            (None, _) => What::Values,
        };
        all.push(Derived {
            name: name.into(),
            of_output: from.output.is_some(),
            tensor: from.output.as_deref().unwrap_or(&from.input).into(),
            column: usize::try_from(from.column).unwrap_or(usize::MAX),
            what,
        });
    }
    all
}

impl Derived {
    /// Makes the tensor, if the exchange has what it is made of.
    pub(super) fn put(&self, inference: &mut Inference) {
        inference.inputs.retain(|tensor| tensor.name != self.name);
        let source = if self.of_output {
            inference.output(&self.tensor)
        } else {
            inference.input(&self.tensor)
        };
        let Some(source) = source.filter(|source| self.column < source.columns) else {
            return;
        };
        let cells = (0..inference.rows).map(|row| source.cell(row, self.column));
        let (columns, values) = match &self.what {
            What::Numbers => (TextNumber::COUNT, cells.flat_map(numbers).collect()),
            What::Phrases(patterns) => (1, cells.map(|cell| found(cell, patterns)).collect()),
            What::Values => (1, cells.map(owned).collect()),
        };
        inference.inputs.push(Tensor {
            name: self.name.clone(),
            columns,
            values: Values::Mixed(values),
        });
    }
}

/// The numbers of what should be a text.
fn numbers(cell: Cell<'_>) -> [Owned; TextNumber::COUNT] {
    match cell {
        Cell::Text(text) => numbers_of(text).map(|n| n.map_or(Owned::Missing, Owned::Float)),
        Cell::Missing => std::array::from_fn(|_| Owned::Missing),
        Cell::Float(_) | Cell::Int(_) | Cell::Uint(_) | Cell::Bool(_) => {
            std::array::from_fn(|_| Owned::Text(NO_TEXT.into()))
        }
    }
}

/// Whether one of some phrases stands in what should be a text: 1 or 0.
fn found(cell: Cell<'_>, patterns: &Patterns) -> Owned {
    match cell {
        Cell::Text(text) => Owned::Float(f64::from(u8::from(patterns.any(text)))),
        Cell::Missing => Owned::Missing,
        Cell::Float(_) | Cell::Int(_) | Cell::Uint(_) | Cell::Bool(_) => {
            Owned::Text(NO_TEXT.into())
        }
    }
}

fn owned(cell: Cell<'_>) -> Owned {
    match cell {
        Cell::Missing => Owned::Missing,
        Cell::Float(x) => Owned::Float(x),
        Cell::Int(i) => Owned::Int(i),
        Cell::Uint(u) => Owned::Uint(u),
        Cell::Bool(b) => Owned::Bool(b),
        Cell::Text(text) => Owned::Text(text.into()),
    }
}
