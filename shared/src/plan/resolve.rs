//! Finding the tensors of an exchange, once for all its rows, and checking beforehand that it has what
//! is read.

use crate::inference::{Inference, Tensor};
use crate::objective::check::{MAX_ATTRIBUTES, MAX_FEATURES};
use crate::plan::SchemaMismatch;
use crate::plan::slots::{Column, Slots};

/// In place of a tensor that is not there.
const ABSENT: u16 = u16::MAX;

/// Where in an exchange the tensors stand that a plan reads; without an allocation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    /// Of features, then of attributes.
    inputs: [u16; MAX_FEATURES + MAX_ATTRIBUTES],
    /// Of the score, the predicted number and the decision.
    outputs: [u16; 3],
    /// Whether there is an answer; without one, nothing is counted of what it would have said.
    answered: bool,
}

impl Places {
    /// The tensor of the i-th input, if it is there.
    #[inline]
    pub(super) fn input<'a>(&self, inference: &'a Inference, i: usize) -> Option<&'a Tensor> {
        inference.inputs.get(usize::from(*self.inputs.get(i)?))
    }

    /// Whether there is an answer.
    pub(super) const fn answered(&self) -> bool {
        self.answered
    }

    /// The tensor of the i-th output, if it is there.
    #[inline]
    pub(super) fn output<'a>(&self, inference: &'a Inference, i: usize) -> Option<&'a Tensor> {
        inference.outputs.get(usize::from(*self.outputs.get(i)?))
    }
}

/// Finds tensors by name. Requests mostly list them in the document's order, so each search starts
/// where the last one ended.
struct Search<'a> {
    tensors: &'a [Tensor],
    at: usize,
}

impl<'a> Search<'a> {
    const fn new(tensors: &'a [Tensor]) -> Self {
        Self { tensors, at: 0 }
    }

    fn place(&mut self, column: &Column) -> Option<usize> {
        let wanted = |tensor: &&Tensor| *tensor.name == *column.tensor;
        // Mostly it is the next one, or the same one again.
        if self
            .tensors
            .get(self.at + 1)
            .is_some_and(|tensor| wanted(&tensor))
        {
            self.at += 1;
            return Some(self.at);
        }
        let (before, after) = self.tensors.split_at(self.at);
        let steps = after
            .iter()
            .chain(before)
            .position(|tensor| wanted(&tensor))?;
        self.at = (self.at + steps) % self.tensors.len();
        Some(self.at)
    }
}

impl Slots {
    /// Where the tensors of an exchange stand that the plan reads, if it has what the plan reads.
    pub(super) fn resolve(&self, inference: &Inference) -> Result<Places, SchemaMismatch> {
        let mut places = self.resolve_request(inference)?;
        places.answered = true;
        let mut search = Search::new(&inference.outputs);
        for (column, place) in self.outputs().into_iter().zip(&mut places.outputs) {
            let Some(column) = column else { continue };
            let at = search.place(column).ok_or_else(|| {
                SchemaMismatch(format!(
                    "the response has no output `{}`, which the objectives file names",
                    column.tensor
                ))
            })?;
            fits(&inference.outputs[at], column, inference.rows, "output")?;
            *place = u16::try_from(at).unwrap_or(ABSENT);
        }
        Ok(places)
    }

    /// The same of an exchange of which only the request is known: its outputs stand nowhere.
    pub(super) fn resolve_request(&self, inference: &Inference) -> Result<Places, SchemaMismatch> {
        let mut places = Places {
            inputs: [ABSENT; MAX_FEATURES + MAX_ATTRIBUTES],
            outputs: [ABSENT; 3],
            answered: false,
        };
        let (mut documented, mut found) = (0, 0);
        let mut search = Search::new(&inference.inputs);
        for (column, place) in self.inputs().zip(&mut places.inputs) {
            let Some(column) = column else { continue };
            documented += 1;
            if let Some(at) = search.place(column) {
                fits(&inference.inputs[at], column, inference.rows, "input")?;
                *place = u16::try_from(at).unwrap_or(ABSENT);
                found += 1;
            }
        }
        if documented > 0 && found == 0 {
            return Err(SchemaMismatch(
                "the request has none of the inputs that the objectives file names; compare the \
                 names under `from` with the model's input names"
                    .to_owned(),
            ));
        }
        Ok(places)
    }
}

fn fits(tensor: &Tensor, column: &Column, rows: usize, what: &str) -> Result<(), SchemaMismatch> {
    let (name, columns, values) = (&column.tensor, tensor.columns, tensor.values.len());
    if column.index >= columns {
        return Err(SchemaMismatch(format!(
            "{what} `{name}` has {columns} columns, the objectives file names column {} (from 0)",
            column.index
        )));
    }
    if rows.checked_mul(columns) != Some(values) {
        return Err(SchemaMismatch(format!(
            "{what} `{name}` holds {values} values, not {columns} for each of {rows} rows"
        )));
    }
    Ok(())
}
