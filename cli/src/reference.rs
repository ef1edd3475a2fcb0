//! Reference data into a baseline builder, batch by batch.

use std::collections::BTreeMap;

use clause9_shared::baseline::{Baseline, BaselineBuilder};
use clause9_shared::inference::Cell;
use clause9_shared::objective::document::{DecisionRule, Scalar};
use clause9_shared::objective::{Document, Feature, FeatureType};

use crate::columns::{Finder, Source, form_like, label_form};
use crate::data::{Batch, Form, Meter, Table, bad};

/// What to do with a row or a value that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistakes {
    /// The first one ends the work: what is approved has none.
    End,
    /// They are counted: rows as refused, values as invalid.
    Count,
}

/// The columns besides features, by name; none is read that is not named.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outputs<'a> {
    pub(crate) score: Option<&'a str>,
    pub(crate) decision: Option<&'a str>,
    pub(crate) prediction: Option<&'a str>,
    pub(crate) label: Option<&'a str>,
    /// Whether to keep how numeric features go together.
    pub(crate) jointly: bool,
}

/// A baseline, and how many rows could not be read.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) baseline: Baseline,
    pub(crate) refused: u64,
}

/// Where each feature is.
fn features(document: &Document, finder: &mut Finder<'_>) -> anyhow::Result<Vec<Source>> {
    let mut texts: BTreeMap<(&str, Option<&str>, u32), Source> = BTreeMap::new();
    document
        .features
        .iter()
        .map(|feature| {
            // The numbers of a text are all read from the one column.
            let from = &feature.from;
            let place = (from.input.as_str(), from.output.as_deref(), from.column);
            if let (Some(_), Some(found)) = (feature.text, texts.get(&place)) {
                return Ok(*found);
            }
            let found = finder.feature(feature)?;
            texts.extend(feature.text.map(|_| (place, found)));
            Ok(found)
        })
        .collect()
}

/// Builds a baseline from a table. `seen` is called after each batch.
pub(crate) fn build(
    document: &Document,
    table: &Table,
    outputs: Outputs<'_>,
    mistakes: Mistakes,
    meter: &Meter,
    mut seen: impl FnMut(),
) -> anyhow::Result<Built> {
    let mut finder = Finder::new(table, None);
    let features = features(document, &mut finder)?;
    let score = outputs
        .score
        .map(|column| {
            let found = finder.find(&[column], Form::Number, "score", " for the score")?;
            anyhow::Ok((column, found))
        })
        .transpose()?;
    let decision = match (outputs.decision, decision_form(document)) {
        (Some(column), Some(form)) => {
            Some(finder.find(&[column], form, "decision", " for the decision")?)
        }
        (Some(_) | None, _) => None,
    };
    let value = outputs
        .prediction
        .map(|column| finder.find(&[column], Form::Number, "prediction", " for the prediction"))
        .transpose()?;
    let label = match (outputs.label, label_form(&document.outputs)) {
        (Some(column), Some(form)) => {
            Some(finder.find(&[column], form, "label", " for the label")?)
        }
        (Some(_) | None, _) => None,
    };
    let file = table.path.file_name();
    let file = file.map_or_else(|| table.name.clone(), |f| f.to_string_lossy().into_owned());
    let builder = BaselineBuilder::new(document, &file);
    let mut reading = Reading {
        document,
        table,
        features,
        score,
        decision,
        value,
        label,
        mistakes,
        builder: if outputs.jointly {
            builder.jointly()
        } else {
            builder
        },
        rows: 0,
        refused: 0,
    };
    let mut rows = table.rows(&finder.wanted, meter)?;
    let mut batch = Batch::default();
    while rows.read(&mut batch)? {
        reading.take(&batch)?;
        seen();
    }
    let refused = reading.refused;
    reading
        .builder
        .finish(rows.digest()?)
        .map(|baseline| Built { baseline, refused })
        .or_else(|error| bad(format!("{}: {error}", table.name)))
}

struct Reading<'a> {
    document: &'a Document,
    table: &'a Table,
    features: Vec<Source>,
    score: Option<(&'a str, Source)>,
    decision: Option<Source>,
    value: Option<Source>,
    label: Option<Source>,
    mistakes: Mistakes,
    builder: BaselineBuilder,
    rows: u64,
    refused: u64,
}

impl Reading<'_> {
    fn take(&mut self, batch: &Batch) -> anyhow::Result<()> {
        let name = &self.table.name;
        if let (Mistakes::End, Some(row)) = (self.mistakes, batch.refused.first()) {
            let before = batch.lines.iter().take_while(|line| **line < row.line);
            // A mistake in an earlier row is told first.
            for earlier in 0..before.count() {
                self.row(batch, earlier)?;
            }
            return bad(format!("{name}:{}: {}", row.line, row.why));
        }
        self.refused += batch.refused.len() as u64;
        for row in 0..batch.rows {
            self.row(batch, row)?;
        }
        Ok(())
    }

    fn row(&mut self, batch: &Batch, row: usize) -> anyhow::Result<()> {
        self.rows += 1;
        let (number, name) = (self.rows, &self.table.name);
        let place = |column: &str| {
            format!(
                "{name}:{}: row {number}, column `{column}`",
                batch.lines[row]
            )
        };
        for (index, feature) in self.document.features.iter().enumerate() {
            let cell = cell(batch, self.features[index], row);
            if let (Mistakes::End, Err(why)) = (self.mistakes, usable(feature, cell)) {
                return bad(format!("{}: {why}", place(feature.name.as_str())));
            }
            self.builder.observe(index, cell);
        }
        if let Some((column, source)) = self.score {
            let cell = cell(batch, source, row);
            let score = cell.number();
            match score.filter(|score| (0.0..=1.0).contains(score)) {
                Some(score) => self.builder.observe_score(score),
                None if cell == Cell::Missing || self.mistakes == Mistakes::Count => {}
                None => {
                    return bad(format!(
                        "{}: `{}` is not a score from 0 to 1; name the column of probabilities",
                        place(column),
                        shown(cell)
                    ));
                }
            }
        }
        if let Some(source) = self.decision {
            self.builder.observe_decision(cell(batch, source, row));
        }
        if let Some(source) = self.value
            && let Some(number) = cell(batch, source, row).number()
        {
            self.builder.observe_value(number);
        }
        if let Some(source) = self.label {
            self.builder.observe_label(cell(batch, source, row));
        }
        self.builder.end_row();
        Ok(())
    }
}

/// The form in which a decision's values are read, if there is a column of them.
fn decision_form(document: &Document) -> Option<Form> {
    document
        .outputs
        .decision
        .as_ref()
        .and_then(|decision| match &decision.rule {
            DecisionRule::ScoreAtLeast(_) => None,
            DecisionRule::Output { positive, .. } => Some(form_like(&[positive])),
            DecisionRule::Class { classes, .. } => {
                Some(form_like(&classes.iter().collect::<Vec<_>>()))
            }
        })
}

fn cell(batch: &Batch, source: Source, row: usize) -> Cell<'_> {
    match source {
        Source::Batch(column) => batch.columns[column].cell(row),
        Source::Joined(_) => Cell::Missing,
    }
}

/// Whether a cell can be a value of a feature.
fn usable(feature: &Feature, cell: Cell<'_>) -> Result<(), String> {
    match (feature.kind, cell) {
        (FeatureType::Numeric, Cell::Text(_)) if feature.text.is_some() => Ok(()),
        (FeatureType::Numeric, Cell::Text(text)) if !stands_for_missing(feature, text) => {
            Err(format!(
                "`{}` is not a number; write one, leave the cell empty, or list the value under `missing` of the feature",
                shown(cell)
            ))
        }
        (
            FeatureType::Numeric | FeatureType::Categorical,
            Cell::Missing
            | Cell::Float(_)
            | Cell::Int(_)
            | Cell::Uint(_)
            | Cell::Bool(_)
            | Cell::Text(_),
        ) => Ok(()),
    }
}

fn shown(cell: Cell<'_>) -> String {
    let text = cell.category().unwrap_or_default();
    text.chars().take(60).collect()
}

fn stands_for_missing(feature: &Feature, text: &str) -> bool {
    feature.missing.values.iter().any(|value| match value {
        Scalar::Text(missing) => missing == text,
        Scalar::Number(_) | Scalar::Bool(_) => false,
    })
}
