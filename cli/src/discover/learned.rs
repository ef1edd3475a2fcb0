//! What is known of a model: the values it is given and those it answers, by their places.

use std::collections::HashMap;

use clause9_shared::inference::{Inference, Owned, Tensor};

use crate::data::owned;
use crate::infer::{Look, Seems};

/// Most places that are told apart; what comes later is not learned.
const MAX_PLACES: usize = 2048;
/// Most values that are kept of rows, over all of them.
const MAX_KEPT_VALUES: usize = 2_000_000;
/// Most bytes that texts among them may take.
const MAX_KEPT_TEXT: usize = 64 << 20;

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// In the answer; else in the request.
    pub(super) answered: bool,
    /// The tensor.
    pub(super) name: Box<str>,
    /// The column within it, from 0.
    pub(super) column: u32,
    /// Its columns.
    pub(super) of: u32,
}

/// A value that a row has.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) seems: Seems,
    /// What those call it who said what it is, if not as it is called where it stands.
    pub(super) called: Option<Box<str>>,
    /// Whether somebody said that its values are whole numbers.
    pub(super) whole: bool,
    /// What was seen of it; nothing where somebody only said what it is.
    pub(super) look: Option<Look>,
}

/// What somebody says that a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Real,
    Whole,
    Name,
    Time,
    Other,
}

impl Found {
    /// A value that nobody has seen yet.
    pub(super) fn said(place: Place, what: Said) -> Self {
        Self {
            place,
            seems: match what {
                Said::Real | Said::Whole => Seems::Number,
                Said::Name => Seems::Category,
                Said::Time => Seems::Time,
                Said::Other => Seems::Unreadable,
            },
            called: None,
            whole: what == Said::Whole,
            look: None,
        }
    }

    /// One with a name of its own.
    pub(super) fn alone(answered: bool, name: &str, what: Said) -> Self {
        let place = Place {
            answered,
            name: name.into(),
            column: 0,
            of: 1,
        };
        Self::said(place, what)
    }

    /// Its name, for those who guess what it means.
    pub(super) fn name(&self) -> String {
        let name = self.called.as_ref().unwrap_or(&self.place.name);
        name.to_lowercase()
    }
}

/// All that was learned of one model.
#[derive(Debug)]
pub(super) struct Learned {
    /// Its name in the serving protocol.
    pub(super) model: String,
    /// Who said so, for people.
    pub(super) from: String,
    /// Whether its answers are texts that a language model wrote.
    pub(super) writes: bool,
    pub(super) found: Vec<Found>,
    /// Rows that were seen, each with a value for each of `found`, or fewer: what is not there is missing.
    pub(super) rows: Vec<Vec<Owned>>,
    pub(super) notes: Vec<String>,
}

/// What the traffic of one model shows.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) protocol: &'static str,
    pub(super) exchanges: u64,
    places: HashMap<Place, usize>,
    found: Vec<(Place, Look)>,
    rows: Vec<Vec<Owned>>,
    values: usize,
    text: usize,
    /// Places that there were too many of.
    beyond: bool,
    /// Rows that were looked at and not kept.
    unkept: u64,
}

impl Seen {
    /// Takes in an exchange.
    pub(super) fn take(&mut self, inference: &Inference) {
        self.exchanges += 1;
        let sides = [(false, &inference.inputs), (true, &inference.outputs)];
        let mut at = Vec::new();
        for (answered, tensors) in sides {
            for tensor in tensors {
                self.places_of(answered, tensor, &mut at);
            }
        }
        for row in 0..inference.rows {
            let mut kept = vec![Owned::Missing; self.found.len()];
            for (index, tensor, column) in &at {
                let cell = owned(tensor.cell(row, *column));
                self.found[*index].1.take(&cell);
                kept[*index] = cell;
            }
            self.keep(kept);
        }
    }

    fn places_of<'t>(
        &mut self,
        answered: bool,
        tensor: &'t Tensor,
        at: &mut Vec<(usize, &'t Tensor, usize)>,
    ) {
        for column in 0..tensor.columns {
            let place = Place {
                answered,
                name: tensor.name.clone(),
                column: u32::try_from(column).unwrap_or(u32::MAX),
                of: u32::try_from(tensor.columns).unwrap_or(u32::MAX),
            };
            let index = match self.places.get(&place) {
                Some(index) => *index,
                None if self.found.len() == MAX_PLACES => {
                    self.beyond = true;
                    return;
                }
                None => {
                    self.places.insert(place.clone(), self.found.len());
                    self.found.push((place, Look::default()));
                    self.found.len() - 1
                }
            };
            at.push((index, tensor, column));
        }
    }

    fn keep(&mut self, row: Vec<Owned>) {
        let text = |cell: &Owned| match cell {
            Owned::Text(text) => text.len(),
            Owned::Missing | Owned::Float(_) | Owned::Int(_) | Owned::Uint(_) | Owned::Bool(_) => 0,
        };
        let text: usize = row.iter().map(text).sum();
        if self.values + row.len() > MAX_KEPT_VALUES || self.text + text > MAX_KEPT_TEXT {
            self.unkept += 1;
            return;
        }
        self.values += row.len();
        self.text += text;
        self.rows.push(row);
    }

    /// What all of it says of the model.
    pub(super) fn learned(self, model: String, from: String) -> Learned {
        let mut notes = Vec::new();
        if self.beyond {
            notes.push(format!(
                "rows have more than {MAX_PLACES} values; the first ones were learned"
            ));
        }
        if self.unkept > 0 {
            notes.push(format!(
                "{} rows are not in the baseline: there is room for {MAX_KEPT_VALUES} values",
                self.unkept
            ));
        }
        let found = self.found.into_iter().map(|(place, look)| Found {
            seems: look.seems(&place.name),
            place,
            called: None,
            whole: false,
            look: Some(look),
        });
        Learned {
            model,
            from,
            writes: self.protocol == "openai",
            found: found.collect(),
            rows: self.rows,
            notes,
        }
    }
}
