//! Counting the different values of features that ask for it.

use crate::inference::{Cell, Inference};
use crate::objective::document::Document;
use crate::plan::derive;
use crate::plan::layout::place;
use crate::plan::observe::count;
use crate::plan::slots::Column;
use crate::plan::value::{Digits, Reading, ValueReader};
use crate::sketch::{Distinct, PaneSummary, SummaryKind, SummaryOf};

/// What stands for every value that cannot be used.
const INVALID: &[u8] = b"\0invalid";

/// A feature whose different values are counted, and where.
#[derive(Clone, Debug)]
struct Slot {
    column: Column,
    reader: ValueReader,
    at: usize,
}

/// All of them.
#[derive(Clone, Debug)]
pub(super) struct DifferentSlots(Vec<Slot>);

impl DifferentSlots {
    pub(super) fn new(document: &Document, traffic: &PaneSummary) -> Self {
        let features = document.features.iter().filter(|f| f.distinct);
        let slots = features.filter_map(|feature| {
            let of = SummaryOf::Feature(feature.name.clone());
            Some(Slot {
                column: Column::of_feature(feature),
                reader: ValueReader::new(feature),
                at: place(traffic, of, SummaryKind::Distinct)?,
            })
        });
        Self(slots.collect())
    }

    /// Whether no feature asks for it.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts the values of a row; without an answer, not those that are taken of it.
    pub(super) fn observe(
        &self,
        inference: &Inference,
        row: usize,
        answered: bool,
        into: &mut PaneSummary,
    ) {
        let told = |slot: &&Slot| answered || !derive::is_of_output(&slot.column.tensor);
        for slot in self.0.iter().filter(told) {
            let tensor = inference.input(&slot.column.tensor);
            let cell = tensor.map_or(Cell::Missing, |t| t.cell(row, slot.column.index));
            let mut digits = Digits::default();
            let add = |into: &mut PaneSummary, value: &[u8]| {
                count(into, slot.at, Distinct::of_mut, |d| d.add(value));
            };
            match slot.reader.read(cell, &mut digits) {
                Reading::Missing => {}
                Reading::Invalid(_) => add(into, INVALID),
                // Negative zero is zero.
                Reading::Number(x) => add(into, &(x + 0.0).to_bits().to_le_bytes()),
                Reading::Category(name) => add(into, name.as_bytes()),
            }
        }
    }
}
