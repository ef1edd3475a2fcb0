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
    /// Of the score, the predicted number, the decision, the ranked list and the scores of classes.
    outputs: [u16; 5],
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
/// after the last one found.
struct Search<'a> {
    tensors: &'a [Tensor],
    next: usize,
}

impl<'a> Search<'a> {
    const fn new(tensors: &'a [Tensor]) -> Self {
        Self { tensors, next: 0 }
    }

    /// Where the tensor of a column stands.
    #[inline]
    fn place(&mut self, column: &Column) -> Option<(usize, &'a Tensor)> {
        let name = column.tensor.as_bytes();
        match self.tensors.get(self.next) {
            Some(tensor) if same(tensor.name.as_bytes(), name) => {
                self.next += 1;
                Some((self.next - 1, tensor))
            }
            Some(_) | None => self.search(name),
        }
    }

    /// Mostly it is the same one again.
    #[inline(never)]
    fn search(&mut self, name: &[u8]) -> Option<(usize, &'a Tensor)> {
        let last = self.next.saturating_sub(1).min(self.tensors.len());
        let (before, after) = self.tensors.split_at(last);
        let wanted = |tensor: &Tensor| same(tensor.name.as_bytes(), name);
        let steps = after.iter().chain(before).position(wanted)?;
        let at = (last + steps) % self.tensors.len();
        self.next = at + 1;
        Some((at, self.tensors.get(at)?))
    }
}

impl Slots {
    /// Where the tensors of an exchange stand that the plan reads, if it has what the plan reads.
    pub(super) fn resolve(&self, inference: &Inference) -> Result<Places, SchemaMismatch> {
        let mut places = self.resolve_request(inference)?;
        places.answered = true;
        let mut search = Search::new(&inference.outputs);
        for (column, place) in self.wanted_outputs.iter().zip(&mut places.outputs) {
            let Some(column) = column else { continue };
            let (at, tensor) = search.place(column).ok_or_else(|| absent(column))?;
            fits(tensor, column, inference.rows, "output")?;
            *place = u16::try_from(at).unwrap_or(ABSENT);
        }
        Ok(places)
    }

    /// The same of an exchange of which only the request is known: its outputs stand nowhere.
    pub(super) fn resolve_request(&self, inference: &Inference) -> Result<Places, SchemaMismatch> {
        let mut places = Places {
            inputs: [ABSENT; MAX_FEATURES + MAX_ATTRIBUTES],
            outputs: [ABSENT; 5],
            answered: false,
        };
        let (mut documented, mut found) = (0, 0);
        let mut search = Search::new(&inference.inputs);
        for (column, place) in self.wanted_inputs.iter().zip(&mut places.inputs) {
            let Some(column) = column else { continue };
            documented += 1;
            if let Some((at, tensor)) = search.place(column) {
                fits(tensor, column, inference.rows, "input")?;
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

#[cold]
fn absent(column: &Column) -> SchemaMismatch {
    SchemaMismatch(format!(
        "the response has no output `{}`, which the objectives file names",
        column.tensor
    ))
}

/// Whether two names are the same. Most are short, and then this is quicker than to have them compared.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    fn ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
        a.first_chunk::<N>() == b.first_chunk() && a.last_chunk::<N>() == b.last_chunk()
    }
    a.len() == b.len()
        && match a.len() {
            0 => true,
            1 => ends::<1>(a, b),
            2..4 => ends::<2>(a, b),
            4..8 => ends::<4>(a, b),
            8..=16 => ends::<8>(a, b),
            _ => a == b,
        }
}

#[inline]
fn fits(tensor: &Tensor, column: &Column, rows: usize, what: &str) -> Result<(), SchemaMismatch> {
    let (columns, values) = (tensor.columns, tensor.values.len());
    if column.index < columns && rows.checked_mul(columns) == Some(values) {
        return Ok(());
    }
    misfit(tensor, column, rows, what)
}

#[cold]
fn misfit(tensor: &Tensor, column: &Column, rows: usize, what: &str) -> Result<(), SchemaMismatch> {
    let (name, columns, values) = (&column.tensor, tensor.columns, tensor.values.len());
    if column.index >= columns {
        return Err(SchemaMismatch(format!(
            "{what} `{name}` has {columns} columns, the objectives file names column {} (from 0)",
            column.index
        )));
    }
    Err(SchemaMismatch(format!(
        "{what} `{name}` holds {values} values, not {columns} for each of {rows} rows"
    )))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_are_the_same_if_all_their_bytes_are(a in "[ab]{0,24}", b in "[ab]{0,24}", at: usize) {
            prop_assert!(super::same(a.as_bytes(), a.as_bytes()));
            prop_assert_eq!(super::same(a.as_bytes(), b.as_bytes()), a == b);
            let mut other = a.clone().into_bytes();
            if !other.is_empty() {
                let at = at % other.len();
                other[at] = b'c';
                prop_assert!(!super::same(a.as_bytes(), &other));
            }
        }
    }
}
