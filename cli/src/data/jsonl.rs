//! JSON Lines: one object a line. A key that is absent, or null, is missing.

use std::io::{BufRead as _, BufReader};

use clause9_shared::digest::Digest;
use clause9_shared::inference::Cell;
use clause9_shared::inference::Owned;
use serde_json::{Map, Value};
use std::collections::HashSet;

use super::bytes::{Unpacked, fault};
use super::column::{Batch, Column, Form, Refused};
use super::instant::{instant, of_number};
use super::{Declared, MAX_BATCH_ROWS, MAX_COLUMNS, MAX_LINE, Meter, Packing, Rows, Table};

/// Lines whose keys become the table's columns; a key that appears later only is not seen.
const LOOKED_AT: usize = 10_000;

/// Lines of a file, within their limit.
struct Lines<'a> {
    name: String,
    packing: Packing,
    bytes: BufReader<Unpacked<'a>>,
    line: u64,
    buffer: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn open(table: &Table, meter: &'a Meter) -> anyhow::Result<Self> {
        Ok(Self {
            name: table.name.clone(),
            packing: table.packing,
            bytes: BufReader::with_capacity(1 << 16, Unpacked::open(table, meter)?),
            line: 0,
            buffer: Vec::new(),
        })
    }

    /// The next line that is not blank, as an object or why it is none; nothing at the end.
    fn next(&mut self) -> anyhow::Result<Option<Result<Map<String, Value>, String>>> {
        loop {
            self.buffer.clear();
            match self.read_line() {
                Ok(false) => return Ok(None),
                Ok(true) => self.line += 1,
                Err(error) => return fault(&self.name, self.packing, error),
            }
            if self.buffer.len() > MAX_LINE {
                return Ok(Some(Err(format!(
                    "the line is longer than {MAX_LINE} bytes; write one object a line"
                ))));
            }
            if self.buffer.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return Ok(Some(match serde_json::from_slice(&self.buffer) {
                Ok(Value::Object(object)) => Ok(object),
                Ok(
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_)
                    | Value::Array(_),
                ) => Err("not a JSON object; write one object a line".to_owned()),
                Err(error) => Err(format!("not JSON: {error}; write one object a line")),
            }));
        }
    }

    /// Reads a line; of one beyond the limit only its beginning is kept.
    fn read_line(&mut self) -> std::io::Result<bool> {
        let mut any = false;
        loop {
            let ready = self.bytes.fill_buf()?;
            if ready.is_empty() {
                return Ok(any);
            }
            any = true;
            let end = ready.iter().position(|b| *b == b'\n');
            let taken = end.unwrap_or(ready.len());
            if self.buffer.len() <= MAX_LINE {
                self.buffer.extend_from_slice(&ready[..taken]);
            }
            self.bytes.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

/// The keys of the first lines, in the order of their first appearance.
pub(super) fn columns(table: &Table) -> anyhow::Result<Vec<Declared>> {
    let meter = Meter::default();
    let mut lines = Lines::open(table, &meter)?;
    let mut known: HashSet<String> = HashSet::new();
    let mut columns = Vec::new();
    for _ in 0..LOOKED_AT {
        let Some(line) = lines.next()? else { break };
        let Ok(object) = line else { continue };
        for name in object.keys() {
            if columns.len() <= MAX_COLUMNS && known.insert(name.clone()) {
                columns.push(Declared {
                    name: name.clone(),
                    kind: None,
                });
            }
        }
    }
    Ok(columns)
}

/// Reads rows of a JSON Lines file.
pub(super) struct Reader<'a> {
    lines: Lines<'a>,
    wanted: Vec<(String, Form)>,
}

impl<'a> Reader<'a> {
    pub(super) fn open(
        table: &Table,
        wanted: &[(usize, Form)],
        meter: &'a Meter,
    ) -> anyhow::Result<Self> {
        let names = wanted
            .iter()
            .map(|(index, form)| (table.columns[*index].name.clone(), *form));
        Ok(Self {
            lines: Lines::open(table, meter)?,
            wanted: names.collect(),
        })
    }
}

impl Rows for Reader<'_> {
    fn read(&mut self, into: &mut Batch) -> anyhow::Result<bool> {
        into.clear(self.wanted.iter().map(|(_, form)| *form));
        while into.rows < MAX_BATCH_ROWS && into.refused.len() < MAX_BATCH_ROWS {
            let Some(line) = self.lines.next()? else {
                return Ok(into.rows > 0 || !into.refused.is_empty());
            };
            match line {
                Ok(object) => {
                    for ((name, form), column) in self.wanted.iter().zip(&mut into.columns) {
                        push(column, *form, object.get(name).unwrap_or(&Value::Null));
                    }
                    into.rows += 1;
                    into.lines.push(self.lines.line);
                }
                Err(why) => into.refused.push(Refused {
                    line: self.lines.line,
                    why,
                }),
            }
        }
        Ok(true)
    }

    fn digest(&mut self) -> anyhow::Result<Digest> {
        self.lines.bytes.get_mut().digest(&self.lines.name)
    }
}

fn push(column: &mut Column, form: Form, value: &Value) {
    match (form, column) {
        (Form::Number, column) => match value {
            Value::Null => column.push_number(None),
            Value::Number(n) => column.push_number(n.as_f64()),
            Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                column.push_cell(any(value));
            }
        },
        (Form::Text, Column::Texts(texts)) => {
            let cell = any(value);
            let name = match &cell {
                Owned::Missing => None,
                Owned::Float(x) => Cell::Float(*x + 0.0)
                    .category()
                    .map(std::borrow::Cow::into_owned),
                Owned::Int(x) => Some(x.to_string()),
                Owned::Uint(x) => Some(x.to_string()),
                Owned::Bool(x) => Some(x.to_string()),
                Owned::Text(x) => {
                    texts.push(Some(x));
                    return;
                }
            };
            texts.push(name.as_deref());
        }
        (Form::Any, Column::Cells(cells)) => cells.push(any(value)),
        (Form::Time, Column::Times(times)) => times.push(match value {
            Value::String(text) => instant(text),
            Value::Number(n) => n.as_f64().and_then(of_number),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }),
        // The batch was made for these forms.
        (Form::Text | Form::Any | Form::Time, _) => {}
    }
}

/// A JSON value as a cell; lists and objects are texts that no number or category is.
fn any(value: &Value) -> Owned {
    match value {
        Value::Null => Owned::Missing,
        Value::Bool(b) => Owned::Bool(*b),
        Value::String(text) => Owned::Text(text.as_str().into()),
        Value::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
            (Some(i), _, _) => Owned::Int(i),
            (None, Some(u), _) => Owned::Uint(u),
            (None, None, Some(x)) => Owned::Float(x),
            (None, None, None) => Owned::Missing,
        },
        Value::Array(_) | Value::Object(_) => Owned::Text(value.to_string().into()),
    }
}
