//! What came later: a file of labels (and attributes), kept by id, so that rows find theirs. The first
//! row of an id counts, in the order of the file, which is the order of arrival.

use clause9_shared::inference::{Cell, Owned};
use clause9_shared::time::Timestamp;
use std::collections::HashMap;

use crate::columns::Finder;
use crate::data::{Batch, Form, Meter, Table, bad, owned};

/// Most rows of a labels file that are kept.
pub(crate) const MAX_LABELS: usize = 20_000_000;
/// The column that says when a label became known.
pub(crate) const AVAILABLE_AT: &str = "available_at";

/// Labels by id.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    by_id: HashMap<Box<str>, u32>,
    /// Each wanted column's values.
    columns: Vec<Vec<Owned>>,
    /// When each became known, if the file says it.
    times: Vec<Option<Timestamp>>,
    /// The last time at which one became known.
    pub(crate) last: Option<Timestamp>,
    /// Rows of the file.
    pub(crate) rows: u64,
    /// Rows that name an id again.
    pub(crate) repeated: u64,
    /// Rows that became known after the instant asked for.
    pub(crate) too_late: u64,
    /// Rows that could not be read, or have no id.
    pub(crate) refused: u64,
}

impl Labels {
    /// Reads a labels file: the columns that the finder wants of it.
    pub(crate) fn read(
        table: &Table,
        finder: &Finder<'_>,
        id: &str,
        as_of: Option<Timestamp>,
        meter: &Meter,
    ) -> anyhow::Result<Self> {
        let mut wanted = finder.joined.clone();
        wanted.push((table.column(id, ", which was given as --id")?, Form::Text));
        // Without --as-of it only tells how late labels come, and may be missing.
        if as_of.is_some() || table.position(AVAILABLE_AT).is_some() {
            let what = ", by which --as-of tells what was known";
            wanted.push((table.column(AVAILABLE_AT, what)?, Form::Time));
        }
        let mut labels = Self {
            columns: vec![Vec::new(); finder.joined.len()],
            ..Self::default()
        };
        let mut rows = table.rows(&wanted, meter)?;
        let mut batch = Batch::default();
        while rows.read(&mut batch)? {
            labels.refused += batch.refused.len() as u64;
            labels.rows += batch.refused.len() as u64;
            for row in 0..batch.rows {
                labels.take(&batch, row, as_of);
            }
            if labels.by_id.len() > MAX_LABELS {
                return bad(format!(
                    "{}: more than {MAX_LABELS} labels; give those of the rows that are measured",
                    table.name
                ));
            }
        }
        Ok(labels)
    }

    fn take(&mut self, batch: &Batch, row: usize, as_of: Option<Timestamp>) {
        self.rows += 1;
        let wanted = self.columns.len();
        let at = batch
            .columns
            .get(wanted + 1)
            .and_then(|times| time(times.cell(row)));
        // What has no time is not known to have been known.
        if let Some(as_of) = as_of
            && at.is_none_or(|at| at > as_of)
        {
            self.too_late += 1;
            return;
        }
        let Cell::Text(id) = batch.columns[wanted].cell(row) else {
            self.refused += 1;
            return;
        };
        let next = u32::try_from(self.by_id.len()).unwrap_or(u32::MAX);
        if self.by_id.contains_key(id) {
            self.repeated += 1;
            return;
        }
        self.by_id.insert(id.into(), next);
        self.times.push(at);
        self.last = self.last.max(at);
        for (kept, column) in self.columns.iter_mut().zip(&batch.columns) {
            kept.push(owned(column.cell(row)));
        }
    }

    /// Where the label of an id stands.
    pub(crate) fn find(&self, id: Cell<'_>) -> Option<u32> {
        match id {
            Cell::Text(id) => self.by_id.get(id).copied(),
            Cell::Missing | Cell::Float(_) | Cell::Int(_) | Cell::Uint(_) | Cell::Bool(_) => None,
        }
    }

    /// When the label at a place became known, if the file says it.
    pub(crate) fn known_at(&self, place: Option<u32>) -> Option<Timestamp> {
        *self.times.get(usize::try_from(place?).ok()?)?
    }

    /// A value of the label at a place.
    pub(crate) fn cell(&self, column: usize, place: Option<u32>) -> &Owned {
        const NOTHING: &Owned = &Owned::Missing;
        place
            .and_then(|place| self.columns.get(column)?.get(usize::try_from(place).ok()?))
            .unwrap_or(NOTHING)
    }

    /// Different ids that were kept.
    pub(crate) fn kept(&self) -> u64 {
        self.by_id.len() as u64
    }
}

/// A cell of a column of times.
fn time(cell: Cell<'_>) -> Option<Timestamp> {
    match cell {
        Cell::Int(micros) => Timestamp::from_micros(micros),
        Cell::Missing | Cell::Float(_) | Cell::Uint(_) | Cell::Bool(_) | Cell::Text(_) => None,
    }
}
