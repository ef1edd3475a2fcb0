//! Counting the rows of an exchange, column by column: a column's summaries are looked up once for all
//! rows, and long columns of numbers are added up before they are counted.

use std::ops::Range;

use crate::inference::{Cell, Inference, Named, Tensor, Values};
use crate::plan::derive;
use crate::plan::prediction::{Answer, Groups, Prediction};
use crate::plan::resolve::Places;
use crate::plan::slots::{
    AttributeSlot, Catalogue, DecisionSlot, FeatureSlot, LawSlot, Listed, NumberSlot, Rule, Slots,
    SourceSlot,
};
use crate::plan::strata::Strata;
use crate::plan::value::{Digits, Reading, ValueReader, is_value, name_of};
use crate::sketch::{Categories, Hygiene, Invalid, PaneSummary, Summary};

/// Counts into the summary at a position. A pane of another plan has none there: a mistake of the
/// caller that must not stop the monitor.
#[inline]
pub(super) fn count<T>(
    into: &mut PaneSummary,
    position: usize,
    of: impl Fn(&mut Summary) -> Option<&mut T>,
    counting: impl FnOnce(&mut T),
) {
    let summary = into.at_mut(position).and_then(of);
    debug_assert!(summary.is_some(), "the pane belongs to another plan");
    if let Some(summary) = summary {
        counting(summary);
    }
}

/// Counts a decision, a class or neither into the table at a position, with the label if it is known.
pub(super) fn count_decision(
    into: &mut PaneSummary,
    position: usize,
    label: Option<Answer>,
    decision: Option<Answer>,
    group: Option<u8>,
) {
    match into.at_mut(position) {
        Some(Summary::Confusion(table)) => {
            table.add(
                label.and_then(Answer::sign),
                decision.and_then(Answer::sign),
                group,
            );
        }
        Some(Summary::ClassTable(table)) => {
            table.add(
                label.and_then(Answer::class),
                decision.and_then(Answer::class),
                group,
            );
        }
        _ => debug_assert!(false, "the pane belongs to another plan"),
    }
}

/// A column of a tensor, or of one that is not there, whose values are missing.
#[derive(Clone, Copy)]
pub(super) struct Column<'a> {
    pub(super) tensor: Option<&'a Tensor>,
    pub(super) index: usize,
}

impl<'a> Column<'a> {
    #[inline]
    pub(super) fn cell(&self, row: usize) -> Cell<'a> {
        self.tensor
            .map_or(Cell::Missing, |tensor| tensor.cell(row, self.index))
    }

    /// The values of some rows, if they stand one after the other.
    pub(super) fn values(&self) -> Option<&'a Values> {
        self.tensor.filter(|t| t.columns == 1).map(|t| &t.values)
    }
}

impl Slots {
    /// Counts some rows, whose tensors stand at these places. What is to be remembered of them is
    /// noted in `known`, one for each row, where nothing is known yet.
    pub(super) fn observe(
        &self,
        inference: &Inference,
        places: &Places,
        rows: Range<usize>,
        into: &mut PaneSummary,
        known: &mut [Prediction],
    ) {
        let input = |i: usize, index: usize| Column {
            tensor: places.input(inference, i),
            index,
        };
        for (i, feature) in self.features.iter().enumerate() {
            if !places.answered() && derive::is_of_output(&feature.column.tensor) {
                continue;
            }
            feature.observe(&input(i, feature.column.index), rows.clone(), into);
        }
        self.observe_joint(inference, places, rows.clone(), into);
        if places.answered() {
            self.observe_outputs(inference, places, rows.clone(), into, known);
        }
        self.observe_attributes(inference, places, rows, into, known);
    }

    /// Counts some rows as a whole, if they are.
    pub(super) fn observe_joint(
        &self,
        inference: &Inference,
        places: &Places,
        rows: Range<usize>,
        into: &mut PaneSummary,
    ) {
        let Some(joint) = &self.joint else { return };
        for row in rows {
            joint.observe(into, |feature| {
                let slot = self.features.get(feature)?;
                let column = Column {
                    tensor: places.input(inference, feature),
                    index: slot.column.index,
                };
                slot.number(column.cell(row))
            });
        }
    }

    /// Notes the groups that requests name, and counts decisions by them.
    pub(super) fn observe_attributes(
        &self,
        inference: &Inference,
        places: &Places,
        rows: Range<usize>,
        into: &mut PaneSummary,
        known: &mut [Prediction],
    ) {
        self.note_groups(inference, places, rows, known);
        if places.answered() {
            for row in &*known {
                self.count_groups(into, row, |_| true);
            }
        }
    }

    /// Notes the groups that requests name.
    fn note_groups(
        &self,
        inference: &Inference,
        places: &Places,
        rows: Range<usize>,
        known: &mut [Prediction],
    ) {
        for (i, slot) in self.attributes.iter().enumerate() {
            if let SourceSlot::Request(column) = &slot.source {
                let column = Column {
                    tensor: places.input(inference, self.features.len() + i),
                    index: column.index,
                };
                for (row, known) in rows.clone().zip(&mut *known) {
                    known.groups.set(i, slot.read(column.cell(row)));
                }
            }
        }
        for known in &mut *known {
            self.combine(&mut known.groups);
        }
    }

    /// Counts the rows whose group's rate keeps them in the tables by groups that are sampled alike, and
    /// in no other; how many they are.
    pub(super) fn observe_for_groups(
        &self,
        (inference, places): (&Inference, &Places),
        (strata, keeps): (&Strata, impl Fn(f64) -> bool),
        into: &mut PaneSummary,
        known: &mut [Prediction],
    ) -> u64 {
        // Tables by group are of answers.
        if !places.answered() {
            return 0;
        }
        self.note_outputs(inference, places, known);
        self.note_groups(inference, places, 0..inference.rows, known);
        let kept = |row: &Prediction| strata.share(&row.groups).is_some_and(&keeps);
        for row in known.iter().filter(|row| kept(row)) {
            self.count_groups(into, row, |attribute| strata.holds(attribute));
        }
        known.iter().filter(|row| kept(row)).count() as u64
    }

    /// Notes what the answer says of rows that are counted by group only.
    fn note_outputs(&self, inference: &Inference, places: &Places, known: &mut [Prediction]) {
        let column = |i: usize, index: usize| Column {
            tensor: places.output(inference, i),
            index,
        };
        let number = |slot: &NumberSlot, i: usize, row: usize| {
            let column = column(i, slot.column.index);
            NumberSlot::number(column.cell(row)).ok().flatten()
        };
        for (row, known) in known.iter_mut().enumerate() {
            let score = self.score.as_ref().and_then(|slot| number(slot, 0, row));
            known.score = score.filter(|score| (0.0..=1.0).contains(score));
            let value = self.value.as_ref().and_then(|slot| number(slot, 1, row));
            let decision = self.decision.as_ref();
            let decision = decision.and_then(|slot| {
                slot.decide(|index: usize| column(2, index).cell(row), known.score)
            });
            known.decision = decision.or(value.map(Answer::Number));
        }
    }

    fn observe_outputs(
        &self,
        inference: &Inference,
        places: &Places,
        rows: Range<usize>,
        into: &mut PaneSummary,
        known: &mut [Prediction],
    ) {
        let output = |i: usize, index: usize| Column {
            tensor: places.output(inference, i),
            index,
        };
        if let Some(slot) = &self.score {
            let column = output(0, slot.column.index);
            slot.observe(&column, rows.clone(), into, |row, score| {
                let score = score.filter(|score| (0.0..=1.0).contains(score));
                known[row].score = score;
                score.is_some()
            });
        }
        if let Some(slot) = &self.value {
            let column = output(1, slot.column.index);
            slot.observe(&column, rows.clone(), into, |row, value| {
                known[row].decision = value.map(Answer::Number);
                true
            });
        }
        self.observe_answers(inference, places, rows, into, known);
    }

    /// Counts what the outputs are beside numbers: ranked lists, scores of classes, decisions. The scores
    /// and predicted numbers are noted already.
    pub(super) fn observe_answers(
        &self,
        inference: &Inference,
        places: &Places,
        rows: Range<usize>,
        into: &mut PaneSummary,
        known: &mut [Prediction],
    ) {
        if let Some(slot) = &self.list {
            for (row, known) in rows.clone().zip(&mut *known) {
                known.items = slot.observe(places.output(inference, 3), row, into);
            }
        }
        if let Some(slot) = &self.class_scores {
            for (row, known) in rows.clone().zip(&mut *known) {
                known.scores = slot.read(places.output(inference, 4), row);
            }
        }
        if let Some(slot) = &self.decision {
            for (row, known) in rows.clone().zip(known) {
                let cell = |index: usize| {
                    let tensor = places.output(inference, 2);
                    Column { tensor, index }.cell(row)
                };
                let decision = slot.decide(cell, known.score);
                count_decision(into, slot.all, None, decision, Some(0));
                known.decision = decision.or(known.decision);
            }
        }
    }

    /// Counts a row's decision by its groups, of the attributes that are wanted.
    fn count_groups(
        &self,
        into: &mut PaneSummary,
        row: &Prediction,
        wanted: impl Fn(usize) -> bool,
    ) {
        for (i, slot) in self.attributes.iter().enumerate() {
            if let (false, Some(place), true) = (slot.late, slot.decision, wanted(i)) {
                count_decision(into, place, None, row.decision, row.groups.get(i));
            }
        }
    }

    /// Fills in the groups of intersections, where those of all parts are known.
    pub(super) fn combine(&self, groups: &mut Groups) {
        for (i, slot) in self.attributes.iter().enumerate() {
            if let SourceSlot::Parts(parts) = &slot.source {
                let combined = parts.iter().try_fold(0_u8, |index, (part, size)| {
                    index.checked_mul(*size)?.checked_add(groups.get(*part)?)
                });
                groups.set(i, combined);
            }
        }
    }
}

impl FeatureSlot {
    /// The number in a cell, if it is one.
    pub(super) fn number(&self, cell: Cell<'_>) -> Option<f64> {
        match self.reader.read(cell, &mut Digits::default()) {
            Reading::Number(x) => Some(x),
            Reading::Missing | Reading::Invalid(_) | Reading::Category(_) => None,
        }
    }

    pub(super) fn observe(&self, column: &Column<'_>, rows: Range<usize>, into: &mut PaneSummary) {
        match &self.law {
            LawSlot::Numeric(numbers) => {
                let Some(mut counts) = numbers.open(into) else {
                    debug_assert!(false, "the pane belongs to another plan");
                    return;
                };
                if let Some(Values::Float(values)) = column.values()
                    && let Some(values) = values.get(rows.clone())
                {
                    counts.read_floats(values, &self.reader, self.range);
                } else {
                    for row in rows {
                        counts.read(column.cell(row), &self.reader, self.range);
                    }
                }
            }
            LawSlot::Categorical {
                hygiene,
                categories,
                names,
            } => {
                let Some((hygiene, categories)) = open(into, [*hygiene, *categories]) else {
                    return;
                };
                let mut counts = CategoryColumn {
                    hygiene,
                    categories,
                    names,
                    reader: &self.reader,
                };
                counts.observe(column, rows);
            }
        }
    }
}

/// What is counted of a category, at these positions. A pane of another plan has none there: a mistake of
/// the caller that must not stop the monitor.
fn open(into: &mut PaneSummary, at: [usize; 2]) -> Option<(&mut Hygiene, &mut Categories)> {
    let found = into.several_mut(at);
    let found = found.and_then(|[hygiene, categories]| {
        Hygiene::of_mut(hygiene).zip(Categories::of_mut(categories))
    });
    debug_assert!(found.is_some(), "the pane belongs to another plan");
    found
}

/// Counts categories that were looked up, at these positions.
pub(super) fn count_listed(values: &[Option<Listed>], at: [usize; 2], into: &mut PaneSummary) {
    let Some((hygiene, categories)) = open(into, at) else {
        return;
    };
    let mut usable = 0;
    for listed in values {
        match listed {
            Some(Listed::At(place)) => categories.add(Some((*place).into())),
            Some(Listed::Known) => categories.add_known(),
            None => categories.add(None),
            Some(Listed::Missing) => {
                hygiene.add_missing();
                categories.add_missing();
                continue;
            }
        }
        usable += 1;
    }
    hygiene.add_all_usable(usable, 0, 0);
}

/// The summaries of a category, ready to count.
pub(super) struct CategoryColumn<'a> {
    hygiene: &'a mut Hygiene,
    categories: &'a mut Categories,
    names: &'a Catalogue,
    reader: &'a ValueReader,
}

impl CategoryColumn<'_> {
    fn observe(&mut self, column: &Column<'_>, rows: Range<usize>) {
        match column.values() {
            Some(Values::Text(texts)) => {
                for text in texts.get(rows).unwrap_or_default() {
                    self.count(self.names.find(text));
                }
            }
            Some(Values::Named(named)) => self.named(named, rows),
            Some(
                Values::Float(_)
                | Values::Int(_)
                | Values::Uint(_)
                | Values::Bool(_)
                | Values::Mixed(_),
            )
            | None => {
                for row in rows {
                    self.read(column.cell(row));
                }
            }
        }
    }

    /// Each name is looked up once, when it first comes up.
    fn named(&mut self, named: &Named, rows: Range<usize>) {
        let mut known: Vec<Option<Option<Listed>>> = vec![None; named.names.len()];
        for code in named.codes.get(rows).unwrap_or_default() {
            let code = usize::try_from(*code).unwrap_or(usize::MAX);
            let (Some(known), Some(name)) = (known.get_mut(code), named.names.get(code)) else {
                self.count(Some(Listed::Missing));
                continue;
            };
            let listed = *known.get_or_insert_with(|| self.names.find(name));
            self.count(listed);
        }
    }

    #[inline]
    fn read(&mut self, cell: Cell<'_>) {
        match Self::listed(self.reader, self.names, cell) {
            Ok(listed) => self.count(listed),
            Err(invalid) => {
                self.hygiene.add_invalid(invalid);
                self.categories.add(None);
            }
        }
    }

    /// What a cell stands for; none if it is not listed.
    #[inline]
    pub(super) fn listed(
        reader: &ValueReader,
        names: &Catalogue,
        cell: Cell<'_>,
    ) -> Result<Option<Listed>, Invalid> {
        if let Cell::Text(text) = cell {
            // Texts that stand for "not known" are among the names.
            return Ok(names.find(text));
        }
        match reader.read(cell, &mut Digits::default()) {
            Reading::Missing => Ok(Some(Listed::Missing)),
            Reading::Category(name) => Ok(names.find(&name)),
            Reading::Invalid(invalid) => Err(invalid),
            // A category is never read as a number.
            Reading::Number(_) => Ok(None),
        }
    }

    #[inline]
    fn count(&mut self, listed: Option<Listed>) {
        match listed {
            Some(Listed::Missing) => {
                self.hygiene.add_missing();
                self.categories.add_missing();
            }
            Some(Listed::At(place)) => {
                self.hygiene.add_usable(false, false);
                self.categories.add(Some(place.into()));
            }
            Some(Listed::Known) => {
                self.hygiene.add_usable(false, false);
                self.categories.add_known();
            }
            None => {
                self.hygiene.add_usable(false, false);
                self.categories.add(None);
            }
        }
    }
}

impl NumberSlot {
    /// Counts the numbers of some rows. `taken` hears each row's place among them with its number, if
    /// it is one, and says whether it is within its range.
    pub(super) fn observe(
        &self,
        column: &Column<'_>,
        rows: Range<usize>,
        into: &mut PaneSummary,
        mut taken: impl FnMut(usize, Option<f64>) -> bool,
    ) {
        let Some(mut counts) = self.numbers.open(into) else {
            debug_assert!(false, "the pane belongs to another plan");
            return;
        };
        for (place, row) in rows.enumerate() {
            match Self::number(column.cell(row)) {
                Ok(Some(number)) => {
                    let usable = taken(place, Some(number));
                    counts.add(number, !usable);
                }
                Ok(None) => {
                    counts.hygiene.add_missing();
                    taken(place, None);
                }
                Err(invalid) => {
                    counts.hygiene.add_invalid(invalid);
                    taken(place, None);
                }
            }
        }
    }

    /// The finite number in a cell; none if there is nothing.
    #[inline]
    pub(super) fn number(cell: Cell<'_>) -> Result<Option<f64>, Invalid> {
        match cell {
            Cell::Missing => Ok(None),
            Cell::Text(_) | Cell::Float(_) | Cell::Int(_) | Cell::Uint(_) | Cell::Bool(_) => {
                let number = cell.number().ok_or(Invalid::WrongType)?;
                finite(number).map(Some)
            }
        }
    }
}

/// A number if it is finite.
const fn finite(x: f64) -> Result<f64, Invalid> {
    match Invalid::of(x) {
        None => Ok(x),
        Some(invalid) => Err(invalid),
    }
}

impl DecisionSlot {
    /// The decision; none where there is nothing to decide by. `output` gives the value of a column
    /// of the decision's tensor.
    fn decide<'a>(&self, output: impl Fn(usize) -> Cell<'a>, score: Option<f64>) -> Option<Answer> {
        match &self.rule {
            Rule::ScoreAtLeast(threshold) => score.map(|score| Answer::Sign(score >= *threshold)),
            Rule::Output { column, positive } => match output(column.index) {
                Cell::Missing => None,
                Cell::Float(x) if x.is_nan() => None,
                cell @ (Cell::Float(_)
                | Cell::Int(_)
                | Cell::Uint(_)
                | Cell::Bool(_)
                | Cell::Text(_)) => Some(Answer::Sign(is_value(cell, positive))),
            },
            Rule::Class { column, classes } => {
                super::value::class_of(output(column.index), classes).map(Answer::Class)
            }
        }
    }
}

impl AttributeSlot {
    /// The group that a cell names.
    fn read(&self, cell: Cell<'_>) -> Option<u8> {
        if let Cell::Text(name) = cell {
            return self.group(name);
        }
        name_of(cell, &mut Digits::default()).and_then(|name| self.group(&name))
    }
}
