//! Counting the rows of an exchange.

use crate::inference::{Cell, Inference};
use crate::plan::prediction::{Answer, Groups, Prediction};
use crate::plan::resolve::Places;
use crate::plan::slots::{
    AttributeSlot, DecisionSlot, FeatureSlot, LawSlot, NumberSlot, Rule, Slots, SourceSlot,
};
use crate::plan::value::{Digits, Reading, is_value, name_of};
use crate::sketch::{
    Categories, CutCounts, Histogram, Hygiene, Invalid, Moments, PaneSummary, Summary,
};

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

impl Slots {
    /// Counts one row, whose tensors stand at these places.
    pub(super) fn observe(
        &self,
        inference: &Inference,
        places: &Places,
        row: usize,
        into: &mut PaneSummary,
    ) -> Prediction {
        for (i, feature) in self.features.iter().enumerate() {
            let cell = places.input(inference, i, row, feature.column.index);
            feature.observe(cell, into);
        }
        if let Some(joint) = &self.joint {
            joint.observe(into, |feature| {
                let slot = self.features.get(feature)?;
                slot.number(places.input(inference, feature, row, slot.column.index))
            });
        }
        let output = |i: usize, column: usize| places.output(inference, i, row, column);
        let score = self.score.as_ref().and_then(|slot| {
            let cell = output(0, slot.column.index);
            slot.observe(cell, into, |score| (0.0..=1.0).contains(&score))
        });
        let value = self.value.as_ref().and_then(|slot| {
            let cell = output(1, slot.column.index);
            slot.observe(cell, into, |_| true)
        });
        let decision = self.decision.as_ref().and_then(|slot| {
            let decision = slot.decide(|column| output(2, column), score);
            count_decision(into, slot.all, None, decision, Some(0));
            decision
        });
        let decision = decision.or(value.map(Answer::Number));
        Prediction {
            score,
            decision,
            groups: self.observe_groups(inference, places, row, decision, into),
            label: None,
        }
    }

    fn observe_groups(
        &self,
        inference: &Inference,
        places: &Places,
        row: usize,
        decision: Option<Answer>,
        into: &mut PaneSummary,
    ) -> Groups {
        let mut groups = Groups::unknown(self.attributes.len());
        for (i, slot) in self.attributes.iter().enumerate() {
            if let SourceSlot::Request(column) = &slot.source {
                let at = self.features.len() + i;
                groups.set(i, slot.read(places.input(inference, at, row, column.index)));
            }
        }
        self.combine(&mut groups);
        for (i, slot) in self.attributes.iter().enumerate() {
            if let (false, Some(place)) = (slot.late, slot.decision) {
                count_decision(into, place, None, decision, groups.get(i));
            }
        }
        groups
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
    fn number(&self, cell: Cell<'_>) -> Option<f64> {
        match self.reader.read(cell, &mut Digits::default()) {
            Reading::Number(x) => Some(x),
            Reading::Missing | Reading::Invalid(_) | Reading::Category(_) => None,
        }
    }

    fn observe(&self, cell: Cell<'_>, into: &mut PaneSummary) {
        let mut digits = Digits::default();
        let reading = self.reader.read(cell, &mut digits);
        count(
            into,
            self.hygiene,
            Hygiene::of_mut,
            |hygiene| match &reading {
                Reading::Missing => hygiene.add_missing(),
                Reading::Invalid(invalid) => hygiene.add_invalid(*invalid),
                Reading::Category(_) => hygiene.add_usable(false, false),
                Reading::Number(x) => {
                    let out = self
                        .range
                        .is_some_and(|range| *x < range.min || *x > range.max);
                    hygiene.add_usable(x.is_subnormal(), out);
                }
            },
        );
        match &self.law {
            LawSlot::Numeric {
                histogram,
                cuts,
                moments,
            } => {
                if let Reading::Number(x) = reading {
                    count(into, *moments, Moments::of_mut, |m| m.add(x));
                    count(into, *histogram, Histogram::of_mut, |h| h.add(x));
                    count(into, *cuts, CutCounts::of_mut, |c| c.add(x));
                }
            }
            LawSlot::Categorical { categories, names } => {
                count(into, *categories, Categories::of_mut, |c| match &reading {
                    Reading::Missing => c.add_missing(),
                    Reading::Category(name) => {
                        c.add(names.binary_search_by(|listed| (**listed).cmp(name)).ok());
                    }
                    Reading::Invalid(_) | Reading::Number(_) => c.add(None),
                });
            }
        }
    }
}

impl NumberSlot {
    /// Counts a number; returns it if it is within its range.
    fn observe(
        &self,
        cell: Cell<'_>,
        into: &mut PaneSummary,
        within: impl Fn(f64) -> bool,
    ) -> Option<f64> {
        let number = match cell {
            Cell::Missing => {
                count(into, self.hygiene, Hygiene::of_mut, Hygiene::add_missing);
                return None;
            }
            Cell::Text(_) | Cell::Float(_) | Cell::Int(_) | Cell::Uint(_) | Cell::Bool(_) => {
                cell.number()
            }
        };
        let invalid = number.map_or(Some(Invalid::WrongType), Invalid::of);
        if let Some(invalid) = invalid {
            count(into, self.hygiene, Hygiene::of_mut, |h| {
                h.add_invalid(invalid);
            });
            return None;
        }
        let number = number?;
        let usable = within(number);
        count(into, self.hygiene, Hygiene::of_mut, |h| {
            h.add_usable(number.is_subnormal(), !usable);
        });
        count(into, self.histogram, Histogram::of_mut, |h| h.add(number));
        count(into, self.moments, Moments::of_mut, |m| m.add(number));
        if let Some(cuts) = self.cuts {
            count(into, cuts, CutCounts::of_mut, |c| c.add(number));
        }
        usable.then_some(number)
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
        name_of(cell, &mut Digits::default()).and_then(|name| self.group(&name))
    }
}
