//! Rows and columns as JSON writes them, put together column by column without an intermediate tree:
//! rows that are lists or single values (one tensor without names), rows that are objects (a tensor for
//! each name), and columns by name. What a row lacks is a gap.

use std::collections::BTreeMap;

use clause9_shared::inference::{Owned, Tensor, Values};
use clause9_shared::window::UndecodableReason;
use serde::de::DeserializeSeed;

use crate::decode::body::bounded;
use crate::decode::values::{Growing, narrow};
use crate::decode::{MAX_COLUMNS, MAX_ROWS};

mod visit;

pub(super) use visit::Key;
use visit::{Cell, RowsOrColumns};

/// Most gaps that are written down. Values take room in the body; gaps, which a few bytes can make many
/// of, do not.
pub(super) const MAX_GAPS: usize = 1 << 19;

/// What was read so far.
#[derive(Debug)]
pub(super) struct Table {
    /// What values without a name are called.
    bare: &'static str,
    columns: Vec<Column>,
    /// Where in `columns` a name is.
    places: BTreeMap<Box<str>, usize>,
    /// Rows that ended.
    rows: usize,
    /// Where the next name is probably found.
    next: usize,
    /// Values of one row, over all columns.
    width: usize,
    /// Gaps that were written down.
    gaps: usize,
    /// Whether columns came one by one: those of other lengths than the first are none of its rows.
    by_column: bool,
    /// Why reading was broken off, if not for bad JSON.
    refused: Option<UndecodableReason>,
}

#[derive(Debug)]
struct Column {
    name: Box<str>,
    /// Values per row; not known while there are only gaps.
    width: Option<usize>,
    values: Growing,
    /// Rows that are in `values`.
    rows: usize,
    /// Rows that are gaps, after these.
    gaps: usize,
}

/// Why a row or value is not taken.
type Refused = UndecodableReason;

impl Table {
    /// Nothing yet.
    pub(super) fn new(bare: &'static str) -> Self {
        Self {
            bare,
            columns: Vec::new(),
            places: BTreeMap::new(),
            rows: 0,
            next: 0,
            width: 0,
            gaps: 0,
            by_column: false,
            refused: None,
        }
    }

    /// Reads a list of rows, an object of columns, or a single value as one row.
    pub(super) fn rows_or_columns(&mut self) -> RowsOrColumns<'_> {
        RowsOrColumns {
            table: self,
            objects_are_rows: false,
        }
    }

    /// Reads a list of rows, or a single one.
    pub(super) fn rows_or_row(&mut self) -> RowsOrColumns<'_> {
        RowsOrColumns {
            table: self,
            objects_are_rows: true,
        }
    }

    /// Reads rows that stand one after the other (JSON Lines).
    pub(super) fn lines(&mut self, text: &[u8]) -> Result<(), UndecodableReason> {
        let mut lines = serde_json::Deserializer::from_slice(text);
        while lines.end().is_err() {
            let read = Cell::row(self).deserialize(&mut lines);
            self.checked(read)?;
            self.end_row();
        }
        Ok(())
    }

    /// Reads one row.
    pub(super) fn one(&mut self, text: &[u8]) -> Result<(), UndecodableReason> {
        let read = read(text, Cell::row(self));
        self.checked(read)?;
        self.end_row();
        Ok(())
    }

    /// The reason why reading failed, if it did.
    pub(super) fn checked<T>(
        &mut self,
        read: Result<T, serde_json::Error>,
    ) -> Result<T, UndecodableReason> {
        read.map_err(|_| self.refused.take().unwrap_or(UndecodableReason::Malformed))
    }

    /// Where the column of that name is, made if need be.
    fn column(&mut self, name: &str) -> Result<usize, Refused> {
        if self
            .columns
            .get(self.next)
            .is_some_and(|c| *c.name == *name)
        {
            self.next += 1;
            return Ok(self.next - 1);
        }
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => self.make(name)?,
        };
        self.next = place + 1;
        Ok(place)
    }

    fn make(&mut self, name: &str) -> Result<usize, Refused> {
        if self.columns.len() == MAX_COLUMNS {
            return Err(Refused::Unsupported);
        }
        let name = bounded(name)?;
        self.places.insert(name.clone(), self.columns.len());
        self.columns.push(Column {
            name,
            width: None,
            values: Growing::new(),
            rows: 0,
            gaps: 0,
        });
        Ok(self.columns.len() - 1)
    }

    /// Takes a row's values of one name; of none, those without a name.
    fn take(&mut self, name: Option<&str>, row: usize, values: Growing) -> Result<(), Refused> {
        let place = self.column(name.unwrap_or(self.bare))?;
        self.begin(place, row)?;
        self.put(place, values)
    }

    /// Makes the column at `place` ready for its value in `row`.
    fn begin(&mut self, place: usize, row: usize) -> Result<(), Refused> {
        if row >= MAX_ROWS {
            return Err(Refused::Unsupported);
        }
        let column = &mut self.columns[place];
        let known = column.rows + column.gaps;
        if known > row {
            // The same name twice in one row.
            return Err(Refused::Malformed);
        }
        column.gaps += row - known;
        Ok(())
    }

    /// Appends a row's values to a column.
    fn put(&mut self, place: usize, values: Growing) -> Result<(), Refused> {
        let many = values.len();
        let column = &mut self.columns[place];
        // An empty list is a gap; a null is one, too, where there is more than one value per row.
        let gap = many == 0 || (many == 1 && values.ends_with_gap() && column.width != Some(1));
        if gap {
            column.gaps += 1;
            return Ok(());
        }
        match column.width {
            None => {
                self.width += many;
                column.width = Some(many);
            }
            Some(width) if width == many => {}
            Some(_) => return Err(Refused::Unsupported),
        }
        if self.width > MAX_COLUMNS {
            return Err(Refused::Unsupported);
        }
        self.gaps += many * column.gaps;
        if self.gaps > MAX_GAPS {
            return Err(Refused::Unsupported);
        }
        column.fill(many);
        column.values.append(values);
        column.rows += 1;
        Ok(())
    }

    /// Ends a row.
    fn end_row(&mut self) {
        self.rows += 1;
        self.next = 0;
    }

    /// The values without a name if nothing else was read, with so many per row: rows and values, row by
    /// row.
    pub(super) fn into_bare(self, width: usize) -> Result<(usize, Values), UndecodableReason> {
        let (rows, mut tensors) = self.finish()?;
        match (tensors.pop(), tensors.is_empty()) {
            (None, _) => Ok((rows, Values::Mixed(Vec::new()))),
            (Some(tensor), true) if tensor.columns == width => Ok((rows, tensor.values)),
            (Some(_), _) => Err(UndecodableReason::Malformed),
        }
    }

    /// Rows, and a tensor for each column; gaps at the end of a column are filled.
    pub(super) fn finish(mut self) -> Result<(usize, Vec<Tensor>), UndecodableReason> {
        let rows = self.rows;
        if rows > MAX_ROWS {
            return Err(UndecodableReason::Unsupported);
        }
        if self.by_column {
            self.columns
                .retain(|column| column.rows + column.gaps == rows);
        }
        let mut tensors = Vec::with_capacity(self.columns.len());
        let width: usize = self.columns.iter().map(|c| c.width.unwrap_or(1)).sum();
        if width > MAX_COLUMNS {
            return Err(UndecodableReason::Unsupported);
        }
        for column in &mut self.columns {
            let width = column.width.unwrap_or(1);
            column.gaps = rows.saturating_sub(column.rows);
            self.gaps += column.gaps * width;
            if self.gaps > MAX_GAPS {
                return Err(UndecodableReason::Unsupported);
            }
            column.fill(width);
        }
        for column in self.columns {
            tensors.push(Tensor {
                name: column.name,
                columns: column.width.unwrap_or(1),
                values: column.values.finish(),
            });
        }
        Ok((rows, tensors))
    }
}

impl Column {
    /// Writes the gaps down, now that their width is known.
    fn fill(&mut self, width: usize) {
        let gaps = std::mem::take(&mut self.gaps);
        for _ in 0..gaps * width {
            self.values.push(Owned::Missing);
        }
        self.rows += gaps;
    }
}

/// A tensor without names as one tensor for each of its columns.
pub(super) fn split(
    rows: usize,
    values: Values,
    names: &[Box<str>],
) -> Result<Vec<Tensor>, UndecodableReason> {
    let width = names.len();
    if rows.checked_mul(width) != Some(values.len()) {
        return Err(UndecodableReason::Malformed);
    }
    let whole = Tensor {
        name: "".into(),
        columns: width,
        values,
    };
    let column = |at| narrow((0..rows).map(|row| owned(whole.cell(row, at))).collect());
    let tensor = |(at, name)| Tensor {
        name: Clone::clone(name),
        columns: 1,
        values: column(at),
    };
    Ok(names.iter().enumerate().map(tensor).collect())
}

fn owned(cell: clause9_shared::inference::Cell<'_>) -> Owned {
    use clause9_shared::inference::Cell;
    match cell {
        Cell::Missing => Owned::Missing,
        Cell::Float(x) => Owned::Float(x),
        Cell::Int(x) => Owned::Int(x),
        Cell::Uint(x) => Owned::Uint(x),
        Cell::Bool(x) => Owned::Bool(x),
        Cell::Text(x) => Owned::Text(x.into()),
    }
}

/// Reads a JSON text with a seed of this module.
pub(super) fn read<'de, S>(text: &'de [u8], seed: S) -> Result<S::Value, serde_json::Error>
where
    S: DeserializeSeed<'de>,
{
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = seed.deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

#[cfg(test)]
mod tests;
