//! Rows of a table as records: which column is what, and each row as a line of JSON.

use clause9_shared::inference::Cell;
use clause9_shared::objective::Document;
use clause9_shared::objective::document::{AttributeSource, DecisionRule};
use clause9_shared::time::Timestamp;
use serde_json::{Map, Value, json};

use super::Send;
use crate::columns::{Finder, Source, form_like, label_form};
use crate::data::{Batch, Form, Table, bad};

/// Which columns become which parts of a record.
pub(super) struct Rows {
    wanted: Vec<(usize, Form)>,
    file: String,
    model: Option<String>,
    inputs: Vec<(String, usize)>,
    outputs: Vec<(String, usize)>,
    attributes: Vec<(String, usize)>,
    label: Option<usize>,
    id: Option<usize>,
    time: Option<usize>,
    /// The row within its request, of an outcome.
    row: Option<usize>,
    outcomes: bool,
}

impl Rows {
    /// Finds the columns that a document reads.
    pub(super) fn find(
        args: &Send,
        document: &Document,
        table: &Table,
        file: &str,
    ) -> anyhow::Result<Self> {
        let mut finder = Finder::new(table, None);
        let mut rows = Self {
            wanted: Vec::new(),
            file: file.to_owned(),
            model: if args.outcomes {
                None
            } else {
                model(args, document)?
            },
            inputs: Vec::new(),
            outputs: Vec::new(),
            attributes: Vec::new(),
            label: None,
            id: None,
            time: None,
            row: None,
            outcomes: args.outcomes,
        };
        let features = if args.outcomes {
            &[][..]
        } else {
            &document.features[..]
        };
        for feature in features {
            let source = finder.feature(feature)?;
            let (into, from) = match &feature.from.output {
                None => (&mut rows.inputs, &feature.from.input),
                Some(output) => (&mut rows.outputs, output),
            };
            let name = match feature.text {
                None => feature.name.as_str(),
                Some(_) => from,
            };
            if !into.iter().any(|(known, _)| known == name) {
                into.push((name.to_owned(), place(source)));
            }
        }
        for attribute in &document.attributes {
            let name = attribute.name.as_str();
            let mut names = vec![name];
            let into = match &attribute.from {
                AttributeSource::Request(_) if args.outcomes => continue,
                AttributeSource::Request(path) => {
                    names.extend((path.column == 0).then_some(path.input.as_str()));
                    &mut rows.inputs
                }
                AttributeSource::Outcome => &mut rows.attributes,
                // It follows from its parts.
                AttributeSource::Parts => continue,
            };
            if let Some(source) = finder.maybe(&names, Form::Text, "attribute")? {
                into.push((name.to_owned(), place(source)));
            }
        }
        rows.outputs(args, document, &mut finder)?;
        let mut named = |name: &Option<String>, form, option: &str| {
            let found = name.as_deref().map(|name| {
                let what = format!(", which was given as {option}");
                finder.find(&[name], form, option, &what).map(place)
            });
            found.transpose()
        };
        rows.id = named(&args.id, Form::Text, "--id")?;
        rows.time = named(&args.timestamp, Form::Time, "--timestamp")?;
        rows.row = named(&args.row, Form::Number, "--row")?;
        rows.wanted = finder.wanted;
        Ok(rows)
    }

    fn outputs(
        &mut self,
        args: &Send,
        document: &Document,
        finder: &mut Finder<'_>,
    ) -> anyhow::Result<()> {
        let said = &document.outputs;
        let decided = said
            .decision
            .as_ref()
            .and_then(|decision| match &decision.rule {
                DecisionRule::ScoreAtLeast(_) => None,
                DecisionRule::Output { from, positive } => Some((from, form_like(&[positive]))),
                DecisionRule::Class { from, classes, .. } => {
                    Some((from, form_like(&classes.iter().collect::<Vec<_>>())))
                }
            });
        let score = said.score.as_ref().map(|score| (&score.from, Form::Number));
        let value = said.value.as_ref().map(|value| (&value.from, Form::Number));
        let list = said.ranking.as_ref().map(|list| (&list.from, Form::Text));
        for (role, from, given) in [
            ("score", score, &args.score),
            ("decision", decided, &args.decision),
            ("prediction", value.or(list), &args.prediction),
        ] {
            let Some((from, form)) = from.filter(|_| !self.outcomes) else {
                continue;
            };
            let found = match given {
                Some(name) => {
                    let what = format!(", which was given as --{role}");
                    Some(finder.find(&[name], form, role, &what)?)
                }
                None => finder.maybe(&[from.output.as_str(), role], form, role)?,
            };
            self.outputs
                .extend(found.map(|source| (role.to_owned(), place(source))));
        }
        if let Some(form) = label_form(said) {
            let found = match &args.label {
                Some(name) => {
                    let what = ", which was given as --label";
                    Some(finder.find(&[name], form, "label", what)?)
                }
                None => finder.maybe(&["label"], form, "label")?,
            };
            self.label = found.map(place);
        }
        Ok(())
    }

    /// What is read of the table.
    pub(super) fn wanted(&self) -> &[(usize, Form)] {
        &self.wanted
    }

    /// A row as a line of JSON, or why it is none.
    pub(super) fn record(&self, batch: &Batch, row: usize) -> Result<String, String> {
        let cell = |column: usize| batch.columns[column].cell(row);
        let values = |of: &[(String, usize)]| {
            let pairs = of
                .iter()
                .map(|(name, column)| (name.clone(), value(cell(*column))));
            Value::Object(pairs.collect::<Map<_, _>>())
        };
        let mut record = Map::new();
        let id = match self.id.map(cell) {
            Some(Cell::Text(id)) if !id.is_empty() => id.to_owned(),
            Some(_) => return Err("no id in the column of --id".into()),
            None => format!("{}:{}", self.file, batch.lines[row]),
        };
        let id_is = if self.outcomes { "request_id" } else { "id" };
        record.insert(id_is.into(), id.into());
        if let Some(column) = self.row {
            let number = match cell(column) {
                Cell::Int(n) => u32::try_from(n).ok(),
                Cell::Uint(n) => u32::try_from(n).ok(),
                Cell::Float(x) => format!("{x}").parse().ok(),
                Cell::Missing | Cell::Bool(_) | Cell::Text(_) => None,
            };
            let number = number.ok_or("no whole number from 0 in the column of --row")?;
            record.insert("row".into(), number.into());
        }
        if let Some(column) = self.time {
            let time = match cell(column) {
                Cell::Int(micros) => Timestamp::from_micros(micros),
                Cell::Missing | Cell::Float(_) | Cell::Uint(_) | Cell::Bool(_) | Cell::Text(_) => {
                    None
                }
            };
            let time = time.ok_or(
                "no point in time in the column of --timestamp; write one as 2026-01-31T12:00:00Z",
            )?;
            let time_is = if self.outcomes {
                "available_at"
            } else {
                "time"
            };
            record.insert(time_is.into(), json!(time));
        }
        if let Some(model) = self.model.as_ref().filter(|_| !self.outcomes) {
            record.insert("model".into(), model.as_str().into());
        }
        if !self.outcomes {
            record.insert("inputs".into(), values(&self.inputs));
        }
        if !self.outputs.is_empty() {
            record.insert("outputs".into(), values(&self.outputs));
        }
        let attributes = self.attributes.iter();
        let attributes = attributes.filter_map(|(name, column)| match cell(*column) {
            Cell::Text(group) => Some((name.clone(), Value::from(group))),
            Cell::Missing | Cell::Float(_) | Cell::Int(_) | Cell::Uint(_) | Cell::Bool(_) => None,
        });
        let attributes: Map<_, _> = attributes.collect();
        if !attributes.is_empty() {
            record.insert("attributes".into(), Value::Object(attributes));
        }
        let label = self.label.map(|column| value(cell(column)));
        if let Some(label) = label.filter(|label| !label.is_null()) {
            record.insert("label".into(), label);
        }
        if self.outcomes && !record.contains_key("label") && !record.contains_key("attributes") {
            return Err("neither a label nor an attribute".into());
        }
        Ok(Value::Object(record).to_string())
    }
}

/// The model that is named in each record: none where there is only one.
fn model(args: &Send, document: &Document) -> anyhow::Result<Option<String>> {
    let models = &document.system.models;
    let known = |name: &str| models.iter().any(|model| model.name == name);
    match &args.model {
        Some(name) if known(name) => Ok(Some(name.clone())),
        None if models.len() == 1 => Ok(None),
        _ => {
            let names: Vec<_> = models.iter().map(|m| format!("`{}`", m.name)).collect();
            let names = names.join(", ");
            bad(format!(
                "--model must be one of the objectives file's models: {names}"
            ))
        }
    }
}

fn place(source: Source) -> usize {
    match source {
        Source::Batch(column) | Source::Joined(column) => column,
    }
}

/// A cell in JSON, which has no infinite numbers and none that are none.
fn value(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Missing => Value::Null,
        Cell::Float(x) => serde_json::Number::from_f64(x).map_or(Value::Null, Value::Number),
        Cell::Int(x) => x.into(),
        Cell::Uint(x) => x.into(),
        Cell::Bool(x) => x.into(),
        Cell::Text(x) => x.into(),
    }
}
