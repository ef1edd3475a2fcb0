//! Counting a row of an exchange, and checking beforehand that the exchange has what is read.

use crate::inference::{Cell, Inference, Tensor};
use crate::plan::slots::{
    AttributeSlot, Column, DecisionSlot, FeatureSlot, Inputs, LawSlot, Rule, ScoreSlot, Slots,
    SourceSlot,
};
use crate::plan::value::{Digits, Reading, is_value, name_of};
use crate::plan::{Prediction, SchemaMismatch};
use crate::sketch::{
    Categories, Confusion, CutCounts, Histogram, Hygiene, Invalid, Moments, PaneSummary, Summary,
};

/// Counts into the summary at a position. A pane of another plan has none there: a mistake of the
/// caller that must not stop the monitor.
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

impl Slots {
    pub(super) fn observe(
        &self,
        inference: &Inference,
        row: usize,
        into: &mut PaneSummary,
    ) -> Prediction {
        let mut inputs = Inputs::new(inference);
        for feature in &self.features {
            feature.observe(inputs.cell(&feature.column, row), into);
        }
        let score = self
            .score
            .as_ref()
            .and_then(|slot| slot.observe(inference, row, into));
        let decision = self
            .decision
            .as_ref()
            .and_then(|slot| slot.decide(inference, row, score));
        if let Some(slot) = &self.decision {
            count(into, slot.all, Confusion::of_mut, |c| {
                c.add(None, decision, Some(0));
            });
        }
        let groups = self.attributes.iter();
        let groups = groups
            .map(|slot| slot.observe(&mut inputs, row, decision, into))
            .collect();
        Prediction {
            score,
            decision,
            groups,
            label: None,
        }
    }
}

impl FeatureSlot {
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

impl ScoreSlot {
    /// Counts the score; returns it if it is a probability.
    fn observe(&self, inference: &Inference, row: usize, into: &mut PaneSummary) -> Option<f64> {
        let cell = self.column.output(inference, row);
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
        let score = number?;
        let probability = (0.0..=1.0).contains(&score);
        count(into, self.hygiene, Hygiene::of_mut, |h| {
            h.add_usable(score.is_subnormal(), !probability);
        });
        count(into, self.histogram, Histogram::of_mut, |h| h.add(score));
        count(into, self.moments, Moments::of_mut, |m| m.add(score));
        if let Some(cuts) = self.cuts {
            count(into, cuts, CutCounts::of_mut, |c| c.add(score));
        }
        probability.then_some(score)
    }
}

impl DecisionSlot {
    /// The decision; none where there is nothing to decide by.
    fn decide(&self, inference: &Inference, row: usize, score: Option<f64>) -> Option<bool> {
        match &self.rule {
            Rule::ScoreAtLeast(threshold) => score.map(|score| score >= *threshold),
            Rule::Output { column, positive } => match column.output(inference, row) {
                Cell::Missing => None,
                Cell::Float(x) if x.is_nan() => None,
                cell @ (Cell::Float(_)
                | Cell::Int(_)
                | Cell::Uint(_)
                | Cell::Bool(_)
                | Cell::Text(_)) => Some(is_value(cell, positive)),
            },
        }
    }
}

impl AttributeSlot {
    /// The group, if it stands in the request; then the decision is counted by it.
    fn observe(
        &self,
        inputs: &mut Inputs<'_>,
        row: usize,
        decision: Option<bool>,
        into: &mut PaneSummary,
    ) -> Option<u8> {
        match &self.source {
            SourceSlot::Outcome { .. } => None,
            SourceSlot::Request {
                column,
                decision: place,
            } => {
                let cell = inputs.cell(column, row);
                let group =
                    name_of(cell, &mut Digits::default()).and_then(|name| self.group(&name));
                if let Some(place) = *place {
                    count(into, place, Confusion::of_mut, |c| {
                        c.add(None, decision, group);
                    });
                }
                group
            }
        }
    }
}

impl Slots {
    pub(super) fn check(&self, inference: &Inference) -> Result<(), SchemaMismatch> {
        let (mut documented, mut found) = (0, 0);
        let mut inputs = Inputs::new(inference);
        for column in self.inputs() {
            documented += 1;
            if let Some(tensor) = inputs.tensor(column) {
                fits(tensor, column, inference.rows, "input")?;
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
        for column in self.outputs() {
            let tensor = inference.output(&column.tensor).ok_or_else(|| {
                SchemaMismatch(format!(
                    "the response has no output `{}`, which the objectives file names",
                    column.tensor
                ))
            })?;
            fits(tensor, column, inference.rows, "output")?;
        }
        Ok(())
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
