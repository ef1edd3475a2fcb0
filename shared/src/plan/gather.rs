//! Rows that come one by one, or a few at a time: their numbers and categories wait in a bounded
//! buffer until there are enough of them to be counted column by column, as the rows of one large
//! exchange are. Counts are integers, so what is counted later is counted the same.

use std::borrow::Cow;

use crate::inference::{Inference, Values};
use crate::plan::derive;
use crate::plan::observe::{CategoryColumn, Column, count_listed};
use crate::plan::prediction::{Answer, Prediction};
use crate::plan::resolve::Places;
use crate::plan::slots::{FeatureSlot, LawSlot, Listed, NumberSlot, Slots};
use crate::sketch::PaneSummary;

/// Most rows that wait to be counted, of one model and version in one pane.
pub const MAX_WAITING_ROWS: usize = 64;
/// Most bytes that they take: of wide rows, fewer wait.
pub const MAX_WAITING_BYTES: usize = 1 << 15;

/// Ranges beyond which scores, and predicted numbers, are marked.
const SCORES: (f64, f64) = (0.0, 1.0);
const ALL: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

/// A traffic summary with rows that still wait to be counted into it. Only
/// [`CapturePlan::gathering`](super::CapturePlan::gathering) makes one, and only that plan counts into
/// it.
#[derive(Clone, Debug)]
pub struct Gathered {
    summary: PaneSummary,
    waiting: Waiting,
}

/// Values that wait, at most so many of each column.
#[derive(Clone, Debug)]
struct Waiting {
    rows: usize,
    most: usize,
    features: Vec<Waits>,
    /// Of the score and of the predicted number.
    outputs: [Vec<f64>; 2],
}

/// Values of a feature: finite numbers that stand for themselves, or what categories stand for.
#[derive(Clone, Debug)]
enum Waits {
    Numbers(Vec<f64>),
    Names(Vec<Option<Listed>>),
}

impl Waiting {
    fn new(slots: &Slots) -> Self {
        let bytes = |slot: &FeatureSlot| match slot.law {
            LawSlot::Numeric(_) => size_of::<f64>(),
            LawSlot::Categorical { .. } => size_of::<Option<Listed>>(),
        };
        let row = slots.features.iter().map(bytes).sum::<usize>() + 2 * size_of::<f64>();
        let most = (MAX_WAITING_BYTES / row).min(MAX_WAITING_ROWS);
        let waits = |slot: &FeatureSlot| match slot.law {
            LawSlot::Numeric(_) => Waits::Numbers(Vec::with_capacity(most)),
            LawSlot::Categorical { .. } => Waits::Names(Vec::with_capacity(most)),
        };
        let room = |wanted: bool| Vec::with_capacity(if wanted { most } else { 0 });
        Self {
            rows: 0,
            most,
            features: slots.features.iter().map(waits).collect(),
            outputs: [room(slots.score.is_some()), room(slots.value.is_some())],
        }
    }
}

impl Gathered {
    pub(super) fn new(summary: PaneSummary, slots: &Slots) -> Self {
        Self {
            summary,
            waiting: Waiting::new(slots),
        }
    }

    /// Everything counted so far, rows that wait included.
    pub(super) fn summary(&self, slots: &Slots) -> Cow<'_, PaneSummary> {
        if self.waiting.rows == 0 {
            return Cow::Borrowed(&self.summary);
        }
        let mut all = self.clone();
        slots.settle(&mut all);
        Cow::Owned(all.summary)
    }

    /// Rows that wait to be counted.
    pub const fn waiting(&self) -> usize {
        self.waiting.rows
    }

    /// The summary, to count what is no row or does not wait.
    pub(super) const fn beside(&mut self) -> &mut PaneSummary {
        &mut self.summary
    }
}

impl Slots {
    /// Counts the rows of an exchange, whose tensors stand at these places, or lets their numbers and
    /// categories wait; what is to be remembered of them is noted in `known` at once.
    pub(super) fn gather(
        &self,
        inference: &Inference,
        places: &Places,
        into: &mut Gathered,
        known: &mut [Prediction],
    ) {
        let rows = inference.rows;
        if rows >= into.waiting.most {
            return self.observe(inference, places, 0..rows, &mut into.summary, known);
        }
        if into.waiting.rows + rows > into.waiting.most {
            self.settle(into);
        }
        let Gathered { summary, waiting } = into;
        waiting.rows += rows;
        let features = self.features.iter().zip(&mut waiting.features);
        for (i, (feature, waits)) in features.enumerate() {
            if !places.answered() && derive::is_of_output(&feature.column.tensor) {
                continue;
            }
            let column = Column {
                tensor: places.input(inference, i),
                index: feature.column.index,
            };
            match waits {
                Waits::Numbers(waits) => feature.gather_numbers(&column, rows, waits, summary),
                Waits::Names(waits) => feature.gather_names(&column, rows, waits, summary),
            }
        }
        self.observe_joint(inference, places, 0..rows, summary);
        if places.answered() {
            self.gather_outputs(inference, places, into, known);
        }
        let summary = &mut into.summary;
        self.observe_attributes(inference, places, 0..rows, summary, known);
    }

    /// The numbers among the outputs wait; the rest does not.
    fn gather_outputs(
        &self,
        inference: &Inference,
        places: &Places,
        into: &mut Gathered,
        known: &mut [Prediction],
    ) {
        let rows = inference.rows;
        let Gathered { summary, waiting } = into;
        let output = |i: usize, slot: &NumberSlot| Column {
            tensor: places.output(inference, i),
            index: slot.column.index,
        };
        let [scores, values] = &mut waiting.outputs;
        if let Some(slot) = &self.score {
            let column = output(0, slot);
            slot.gather(&column, rows, scores, summary, |row, score| {
                known[row].score = score.filter(|score| (SCORES.0..=SCORES.1).contains(score));
            });
        }
        if let Some(slot) = &self.value {
            let column = output(1, slot);
            slot.gather(&column, rows, values, summary, |row, value| {
                known[row].decision = value.map(Answer::Number);
            });
        }
        self.observe_answers(inference, places, 0..rows, summary, known);
    }

    /// Counts what waits.
    pub(super) fn settle(&self, into: &mut Gathered) {
        let Gathered { summary, waiting } = into;
        if waiting.rows == 0 {
            return;
        }
        waiting.rows = 0;
        for (feature, waits) in self.features.iter().zip(&mut waiting.features) {
            match (&feature.law, waits) {
                (LawSlot::Numeric(slot), Waits::Numbers(values)) => {
                    slot.add_plain(values, feature.range, summary);
                    values.clear();
                }
                (
                    LawSlot::Categorical {
                        hygiene,
                        categories,
                        ..
                    },
                    Waits::Names(values),
                ) => {
                    count_listed(values, [*hygiene, *categories], summary);
                    values.clear();
                }
                (LawSlot::Numeric(_), Waits::Names(_))
                | (LawSlot::Categorical { .. }, Waits::Numbers(_)) => {
                    debug_assert!(false, "the rows belong to another plan");
                }
            }
        }
        let outputs = [(&self.score, SCORES), (&self.value, ALL)];
        for ((slot, range), values) in outputs.into_iter().zip(&mut waiting.outputs) {
            if let Some(slot) = slot {
                slot.numbers.add_plain(values, range, summary);
            }
            values.clear();
        }
    }
}

impl FeatureSlot {
    /// Lets the finite numbers of some rows wait; what is none is counted.
    fn gather_numbers(
        &self,
        column: &Column<'_>,
        rows: usize,
        waits: &mut Vec<f64>,
        into: &mut PaneSummary,
    ) {
        let Some(Values::Float(values)) = column.values() else {
            for row in 0..rows {
                self.gather_number(column, row, waits, into);
            }
            return;
        };
        for (row, x) in values.iter().enumerate() {
            if self.reader.is_plain(*x) {
                waits.push(*x);
            } else {
                self.observe(column, row..row + 1, into);
            }
        }
    }

    fn gather_number(
        &self,
        column: &Column<'_>,
        row: usize,
        waits: &mut Vec<f64>,
        into: &mut PaneSummary,
    ) {
        match self.number(column.cell(row)) {
            Some(x) => waits.push(x),
            None => self.observe(column, row..row + 1, into),
        }
    }

    /// Lets the categories of some rows wait, listed or not; what is none is counted.
    fn gather_names(
        &self,
        column: &Column<'_>,
        rows: usize,
        waits: &mut Vec<Option<Listed>>,
        into: &mut PaneSummary,
    ) {
        let LawSlot::Categorical { names, .. } = &self.law else {
            return;
        };
        if let Some(Values::Text(texts)) = column.values() {
            waits.extend(texts.iter().map(|text| names.find(text)));
            return;
        }
        for row in 0..rows {
            match CategoryColumn::listed(&self.reader, names, column.cell(row)) {
                Ok(listed) => waits.push(listed),
                Err(_) => self.observe(column, row..row + 1, into),
            }
        }
    }
}

impl NumberSlot {
    /// As [`Self::observe`], but that finite numbers wait.
    fn gather(
        &self,
        column: &Column<'_>,
        rows: usize,
        waits: &mut Vec<f64>,
        into: &mut PaneSummary,
        mut taken: impl FnMut(usize, Option<f64>),
    ) {
        for row in 0..rows {
            let number = Self::number(column.cell(row)).ok().flatten();
            match number {
                Some(number) => waits.push(number),
                None => self.observe(column, row..row + 1, into, |_, _| true),
            }
            taken(row, number);
        }
    }
}
