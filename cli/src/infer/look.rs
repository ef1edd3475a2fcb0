//! A first look at a table's columns: what their values look like.

use clause9_shared::inference::Owned;
use std::collections::HashMap;

use crate::data::{Batch, Column, Form, Kind, Meter, Table, instant};

/// Rows that are looked at.
pub(crate) const LOOKED_AT: u64 = 50_000;
/// Most different values of a column that are told apart.
const MAX_DISTINCT: usize = 20_000;
/// Share of the values that must be numbers (or times) for a column to be one of numbers (or times).
const MOSTLY: f64 = 0.95;

/// What a column's values look like.
#[derive(Debug, Default)]
pub(crate) struct Look {
    pub(crate) rows: u64,
    pub(crate) missing: u64,
    numbers: u64,
    times: u64,
    bools: u64,
    /// Whether every number is whole and one more than the one before.
    counts_up: bool,
    last: Option<i64>,
    /// Different values by their names, up to a limit.
    pub(crate) values: HashMap<Box<str>, (u64, Owned)>,
    declared: Option<Kind>,
}

/// What a column seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seems {
    Number,
    Category,
    Time,
    /// It names rows.
    Id,
    /// Texts that hardly repeat.
    FreeText,
    /// Nothing but missing values.
    Empty,
    /// Lists, structs, binary.
    Unreadable,
}

impl Look {
    /// Takes in a value.
    pub(crate) fn take(&mut self, cell: &Owned) {
        self.rows += 1;
        let mut next = None;
        match cell {
            Owned::Missing => {
                self.missing += 1;
                return;
            }
            Owned::Int(x) => {
                self.numbers += 1;
                next = Some(*x);
            }
            Owned::Float(_) | Owned::Uint(_) => self.numbers += 1,
            Owned::Bool(_) => self.bools += 1,
            Owned::Text(text) => self.times += u64::from(instant(text).is_some()),
        }
        let first = self.rows == self.missing + 1;
        let follows =
            next.is_some_and(|x| first || self.last.and_then(|l| l.checked_add(1)) == Some(x));
        self.counts_up = follows && (first || self.counts_up);
        self.last = next;
        let name = name(cell);
        if let Some((count, _)) = self.values.get_mut(&*name) {
            *count += 1;
        } else if self.values.len() <= MAX_DISTINCT {
            self.values.insert(name.into(), (1, cell.clone()));
        }
    }

    /// What the column seems to be, by its name too.
    pub(crate) fn seems(&self, name: &str) -> Seems {
        let present = self.rows - self.missing;
        let most = |count: u64| present > 0 && count as f64 >= MOSTLY * present as f64;
        let name = name.to_lowercase();
        let called_id = ["id", "uuid", "guid", "index", "row", ""].contains(&name.as_str())
            || name.ends_with("_id")
            || name.ends_with("-id")
            || name.starts_with("unnamed: 0");
        let distinct = self.values.len() as u64;
        match self.declared {
            Some(Kind::Other) => return Seems::Unreadable,
            Some(Kind::Time) => return Seems::Time,
            Some(Kind::Number | Kind::Text | Kind::Bool) | None => {}
        }
        let different = distinct == present || distinct > MAX_DISTINCT as u64;
        if present == 0 {
            Seems::Empty
        } else if present > 20 && different && (called_id || self.counts_up) {
            Seems::Id
        } else if most(self.numbers) {
            Seems::Number
        } else if most(self.times) {
            Seems::Time
        } else if distinct > 100 && distinct * 2 > present {
            Seems::FreeText
        } else {
            Seems::Category
        }
    }

    /// Its values by how often they occur, then by name.
    pub(crate) fn by_frequency(&self) -> Vec<(&str, &Owned)> {
        let mut values: Vec<_> = self.values.iter().collect();
        values.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.cmp(b.0)));
        values
            .into_iter()
            .map(|(name, (_, cell))| (&**name, cell))
            .collect()
    }
}

/// A cell's name, as a category is named.
fn name(cell: &Owned) -> String {
    match cell {
        Owned::Missing => String::new(),
        Owned::Float(x) => (*x + 0.0).to_string(),
        Owned::Int(x) => x.to_string(),
        Owned::Uint(x) => x.to_string(),
        Owned::Bool(x) => x.to_string(),
        Owned::Text(x) => x.to_string(),
    }
}

/// Looks at a table's first rows: one look for each column, in order.
pub(crate) fn look(table: &Table) -> anyhow::Result<Vec<Look>> {
    let mut looks: Vec<Look> = table
        .columns
        .iter()
        .map(|column| Look {
            declared: column.kind,
            ..Look::default()
        })
        .collect();
    let readable = |index: &usize| table.columns[*index].kind != Some(Kind::Other);
    let wanted: Vec<(usize, Form)> = (0..table.columns.len())
        .filter(readable)
        .map(|index| (index, Form::Any))
        .collect();
    let meter = Meter::default();
    let mut rows = table.rows(&wanted, &meter)?;
    let mut batch = Batch::default();
    let mut seen = 0;
    while seen < LOOKED_AT && rows.read(&mut batch)? {
        seen += batch.rows as u64;
        for ((index, _), column) in wanted.iter().zip(&batch.columns) {
            match column {
                Column::Cells(cells) => {
                    for cell in cells {
                        looks[*index].take(cell);
                    }
                }
                Column::Numbers { .. } | Column::Texts(_) | Column::Times(_) => {}
            }
        }
    }
    Ok(looks)
}
