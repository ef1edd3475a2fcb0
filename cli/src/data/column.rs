//! A batch of rows, column by column, each in the form in which it is wanted.

use std::collections::HashMap;
use std::sync::Arc;

use clause9_shared::inference::{Cell, Owned};

/// In which form a column's values are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Numbers; what is none stays as it is, for the reader of values to refuse.
    Number,
    /// Names: texts as they stand, numbers and truth values as they are written in JSON.
    Text,
    /// Whatever it looks like: numbers, truth values (`true`, `False`), else text.
    Any,
    /// Points in time.
    Time,
}

/// The values of one column in a batch.
#[derive(Debug)]
pub(crate) enum Column {
    /// Numbers; `missing` is empty if none is missing.
    Numbers {
        values: Vec<f64>,
        missing: Vec<bool>,
    },
    /// Names by their index; [`MISSING`] where there is none.
    Texts(Texts),
    /// Of mixed types.
    Cells(Vec<Owned>),
    /// Microseconds since the epoch; none where there is no point in time.
    Times(Vec<Option<i64>>),
}

/// Names, each kept once in a batch.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    pub(crate) codes: Vec<u32>,
    /// Shared with those who look at a batch; copied only if they still do when names are added.
    pub(crate) names: Arc<Vec<Box<str>>>,
    index: HashMap<Box<str>, u32>,
}

/// The code of a name that is missing.
pub(crate) const MISSING: u32 = u32::MAX;

impl Texts {
    pub(crate) fn push(&mut self, name: Option<&str>) {
        let code = name.map_or(MISSING, |name| self.code(name));
        self.codes.push(code);
    }

    /// The code of a name, which is kept if it is new.
    pub(crate) fn code(&mut self, name: &str) -> u32 {
        if let Some(code) = self.index.get(name) {
            return *code;
        }
        // A batch has fewer rows than there are codes.
        let code = u32::try_from(self.names.len()).unwrap_or(MISSING);
        Arc::make_mut(&mut self.names).push(name.into());
        self.index.insert(name.into(), code);
        code
    }

    fn clear(&mut self) {
        self.codes.clear();
        // Names are kept from batch to batch, within a bound.
        if self.names.len() > 1 << 16 {
            self.names = Arc::default();
            self.index.clear();
        }
    }
}

/// A row that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Line of the file, from 1; for Parquet the row.
    pub(crate) line: u64,
    /// What is wrong and what to do.
    pub(crate) why: String,
}

/// Some rows.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) rows: usize,
    /// Each row's line in the file, from 1; for Parquet its row.
    pub(crate) lines: Vec<u64>,
    /// The wanted columns, in the order in which they were asked for.
    pub(crate) columns: Vec<Column>,
    /// Rows that could not be read.
    pub(crate) refused: Vec<Refused>,
}

impl Batch {
    /// Makes room for the next rows.
    pub(crate) fn clear(&mut self, forms: impl ExactSizeIterator<Item = Form>) {
        self.rows = 0;
        self.lines.clear();
        self.refused.clear();
        self.columns
            .resize_with(forms.len(), || Column::Cells(Vec::new()));
        for (column, form) in self.columns.iter_mut().zip(forms) {
            column.clear(form);
        }
    }
}

impl Column {
    fn clear(&mut self, form: Form) {
        match (form, &mut *self) {
            (Form::Number, Self::Numbers { values, missing }) => {
                values.clear();
                missing.clear();
            }
            (Form::Text, Self::Texts(texts)) => texts.clear(),
            (Form::Any, Self::Cells(cells)) => cells.clear(),
            (Form::Time, Self::Times(times)) => times.clear(),
            (Form::Number, _) => {
                *self = Self::Numbers {
                    values: Vec::new(),
                    missing: Vec::new(),
                }
            }
            (Form::Text, _) => *self = Self::Texts(Texts::default()),
            (Form::Any, _) => *self = Self::Cells(Vec::new()),
            (Form::Time, _) => *self = Self::Times(Vec::new()),
        }
    }

    /// The value of a row.
    pub(crate) fn cell(&self, row: usize) -> Cell<'_> {
        match self {
            Self::Numbers { values, missing } => {
                if missing.get(row).copied().unwrap_or_default() {
                    Cell::Missing
                } else {
                    values.get(row).map_or(Cell::Missing, |x| Cell::Float(*x))
                }
            }
            Self::Texts(texts) => texts
                .codes
                .get(row)
                .and_then(|code| texts.names.get(usize::try_from(*code).ok()?))
                .map_or(Cell::Missing, |name| Cell::Text(name)),
            Self::Cells(cells) => cells.get(row).map_or(Cell::Missing, borrowed),
            Self::Times(times) => times
                .get(row)
                .copied()
                .flatten()
                .map_or(Cell::Missing, Cell::Int),
        }
    }

    /// Adds a number to a column of numbers.
    pub(super) fn push_number(&mut self, number: Option<f64>) {
        match self {
            Self::Numbers { values, missing } => {
                if number.is_none() && missing.is_empty() {
                    missing.resize(values.len(), false);
                }
                if number.is_none() || !missing.is_empty() {
                    missing.push(number.is_none());
                }
                values.push(number.unwrap_or_default());
            }
            Self::Cells(cells) => cells.push(number.map_or(Owned::Missing, Owned::Float)),
            Self::Texts(_) | Self::Times(_) => {}
        }
    }

    /// Adds a value that is no number to a column of numbers, which becomes one of cells.
    pub(super) fn push_cell(&mut self, cell: Owned) {
        if let Self::Numbers { .. } = self {
            let cells = (0..self.len()).map(|row| owned(self.cell(row))).collect();
            *self = Self::Cells(cells);
        }
        if let Self::Cells(cells) = self {
            cells.push(cell);
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Numbers { values, .. } => values.len(),
            Self::Texts(texts) => texts.codes.len(),
            Self::Cells(cells) => cells.len(),
            Self::Times(times) => times.len(),
        }
    }
}

/// A cell of one's own.
pub(crate) fn owned(cell: Cell<'_>) -> Owned {
    match cell {
        Cell::Missing => Owned::Missing,
        Cell::Float(x) => Owned::Float(x),
        Cell::Int(x) => Owned::Int(x),
        Cell::Uint(x) => Owned::Uint(x),
        Cell::Bool(x) => Owned::Bool(x),
        Cell::Text(x) => Owned::Text(x.into()),
    }
}

pub(crate) fn borrowed(cell: &Owned) -> Cell<'_> {
    match cell {
        Owned::Missing => Cell::Missing,
        Owned::Float(x) => Cell::Float(*x),
        Owned::Int(x) => Cell::Int(*x),
        Owned::Uint(x) => Cell::Uint(*x),
        Owned::Bool(x) => Cell::Bool(*x),
        Owned::Text(x) => Cell::Text(x),
    }
}
