//! CSV with a header; tab-separated if the name says .tsv. Only the empty cell is missing.

use clause9_shared::digest::Digest;
use clause9_shared::inference::Owned;
use csv::{ByteRecord, ErrorKind, ReaderBuilder};

use super::bytes::{Unpacked, fault};
use super::column::{Batch, Column, Form, Refused};
use super::instant::instant;
use super::{Declared, MAX_BATCH_ROWS, Meter, Rows, Table, bad};

/// Reads rows of a CSV file.
pub(super) struct Reader<'a> {
    name: String,
    packing: super::Packing,
    csv: csv::Reader<Unpacked<'a>>,
    wanted: Vec<(usize, Form)>,
    cells: usize,
    record: ByteRecord,
}

fn builder(table: &Table) -> ReaderBuilder {
    let mut builder = ReaderBuilder::new();
    let name = table.name.to_lowercase();
    let tabs = [".tsv", ".tsv.gz", ".tsv.zst"];
    if tabs.iter().any(|end| name.ends_with(end)) {
        builder.delimiter(b'\t');
    }
    // Rows of another length are refused one by one, not the file.
    builder.flexible(true);
    builder
}

/// The columns that the header names.
pub(super) fn columns(table: &Table) -> anyhow::Result<Vec<Declared>> {
    let meter = Meter::default();
    let mut reader = builder(table).from_reader(Unpacked::open(table, &meter)?);
    let header = match reader.byte_headers() {
        Ok(header) => header,
        Err(error) => return unreadable(&table.name, table.packing, error),
    };
    let mut columns = Vec::with_capacity(header.len());
    for name in header {
        let Ok(name) = std::str::from_utf8(name) else {
            return bad(format!(
                "{}:1: not UTF-8; save the file in UTF-8",
                table.name
            ));
        };
        columns.push(Declared {
            name: name.trim_start_matches('\u{feff}').trim().to_owned(),
            kind: None,
        });
    }
    Ok(columns)
}

impl<'a> Reader<'a> {
    pub(super) fn open(
        table: &Table,
        wanted: &[(usize, Form)],
        meter: &'a Meter,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            name: table.name.clone(),
            packing: table.packing,
            csv: builder(table).from_reader(Unpacked::open(table, meter)?),
            wanted: wanted.to_vec(),
            cells: table.columns.len(),
            record: ByteRecord::new(),
        })
    }

    /// Takes the record into the batch; why not, if it cannot be read.
    fn take(&self, into: &mut Batch) -> Result<(), String> {
        if self.record.len() != self.cells {
            return Err(format!(
                "the row has {} cells, the header {}; quote cells that hold a comma",
                self.record.len(),
                self.cells
            ));
        }
        let text = |index| std::str::from_utf8(self.record.get(index).unwrap_or_default());
        if self.wanted.iter().any(|(index, _)| text(*index).is_err()) {
            return Err("not UTF-8; save the file in UTF-8".to_owned());
        }
        for ((index, form), column) in self.wanted.iter().zip(&mut into.columns) {
            push(column, *form, text(*index).unwrap_or_default());
        }
        Ok(())
    }
}

impl Rows for Reader<'_> {
    fn read(&mut self, into: &mut Batch) -> anyhow::Result<bool> {
        into.clear(self.wanted.iter().map(|(_, form)| *form));
        while into.rows < MAX_BATCH_ROWS && into.refused.len() < MAX_BATCH_ROWS {
            match self.csv.read_byte_record(&mut self.record) {
                Ok(true) => {}
                Ok(false) => return Ok(into.rows > 0 || !into.refused.is_empty()),
                Err(error) => return unreadable(&self.name, self.packing, error),
            }
            let line = self.record.position().map_or(0, csv::Position::line);
            match self.take(into) {
                Ok(()) => {
                    into.rows += 1;
                    into.lines.push(line);
                }
                Err(why) => into.refused.push(Refused { line, why }),
            }
        }
        Ok(true)
    }

    fn digest(&mut self) -> anyhow::Result<Digest> {
        self.csv.get_mut().digest(&self.name)
    }
}

/// Adds a cell's text to a column in its form.
fn push(column: &mut Column, form: Form, text: &str) {
    let trimmed = text.trim();
    match (form, column) {
        (Form::Number, column) => match trimmed.parse::<f64>() {
            _ if trimmed.is_empty() => column.push_number(None),
            Ok(number) => column.push_number(Some(number)),
            Err(_) => column.push_cell(Owned::Text(text.into())),
        },
        (Form::Text, Column::Texts(texts)) => {
            let word = truth(trimmed).map(|truth| if truth { "true" } else { "false" });
            texts.push((!trimmed.is_empty()).then_some(word.unwrap_or(text)));
        }
        (Form::Any, Column::Cells(cells)) => cells.push(any(trimmed)),
        (Form::Time, Column::Times(times)) => times.push(instant(trimmed)),
        // The batch was made for these forms.
        (Form::Text | Form::Any | Form::Time, _) => {}
    }
}

/// What a text looks like.
fn any(text: &str) -> Owned {
    if text.is_empty() {
        return Owned::Missing;
    }
    if let Ok(number) = text.parse::<i64>() {
        return Owned::Int(number);
    }
    if let Ok(number) = text.parse::<f64>() {
        return Owned::Float(number);
    }
    truth(text).map_or_else(|| Owned::Text(text.into()), Owned::Bool)
}

/// The truth value that a text is. CSV has no types: pandas writes `True`, R `TRUE`, JSON `true`, and one
/// column read from each must be one category.
fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// A fault of the disk stays one; anything else is wrong with the file.
fn unreadable<T>(name: &str, packing: super::Packing, error: csv::Error) -> anyhow::Result<T> {
    let line = error.position().map_or(1, csv::Position::line);
    let shown = error.to_string();
    if let ErrorKind::Io(io) = error.into_kind() {
        return fault(name, packing, io);
    }
    bad(format!("{name}:{line}: not CSV: {shown}"))
}
