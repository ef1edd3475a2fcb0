//! The shapes of JSON that a table is read from.

use std::borrow::Cow;
use std::fmt;

use clause9_shared::window::UndecodableReason;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Table;
use crate::decode::values::{ENCODED, Element, Growing, MAX_DEPTH, decoded};

/// A key, borrowed if nothing in it is escaped.
#[derive(Deserialize)]
pub(in crate::decode) struct Key<'a>(#[serde(borrow)] pub(in crate::decode) Cow<'a, str>);

/// Breaks reading off, for a reason.
fn refuse<E: Error>(table: &mut Table, reason: UndecodableReason) -> E {
    table.refused = Some(reason);
    E::custom(reason.as_str())
}

/// One value of one row: without a name, the whole row, which may be an object of names.
pub(super) struct Cell<'t, 'n> {
    table: &'t mut Table,
    name: Option<&'n str>,
    row: usize,
    depth: usize,
}

impl<'t> Cell<'t, '_> {
    /// The next row.
    pub(super) const fn row(table: &'t mut Table) -> Self {
        Self {
            row: table.rows,
            table,
            name: None,
            depth: 1,
        }
    }

    fn take<E: Error>(self, values: Growing) -> Result<(), E> {
        let taken = self.table.take(self.name, self.row, values);
        taken.map_err(|reason| refuse(self.table, reason))
    }
}

impl<'de> DeserializeSeed<'de> for Cell<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Takes a single value as an element of no list.
macro_rules! single {
    ($($visit:ident($type:ty);)*) => {$(
        fn $visit<E: Error>(self, value: $type) -> Result<(), E> {
            let mut values = Growing::new();
            Element::new(&mut values).$visit::<E>(value)?;
            self.take(values)
        }
    )*};
}

impl<'de> Visitor<'de> for Cell<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list of values or an object of them")
    }

    single! {
        visit_bool(bool);
        visit_i64(i64);
        visit_u64(u64);
        visit_f64(f64);
        visit_str(&str);
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        let mut values = Growing::new();
        Element::new(&mut values).visit_unit::<E>()?;
        self.take(values)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        let mut values = Growing::new();
        Element::new(&mut values).visit_seq(seq)?;
        self.take(values)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self {
            table,
            name,
            row,
            depth,
        } = self;
        if depth > MAX_DEPTH {
            return Err(A::Error::custom("objects are nested too deeply"));
        }
        let mut first = true;
        while let Some(Key(key)) = map.next_key()? {
            if std::mem::take(&mut first) && key == ENCODED {
                let Key(text) = map.next_value()?;
                let mut values = Growing::new();
                values.push(decoded(&text).map_err(A::Error::custom)?);
                if map.next_key::<Key<'_>>()?.is_some() {
                    return Err(refuse(table, UndecodableReason::Unsupported));
                }
                let taken = table.take(name, row, values);
                return taken.map_err(|reason| refuse(table, reason));
            }
            let name = match name {
                None => key,
                Some(outer) => format!("{outer}.{key}").into(),
            };
            map.next_value_seed(Cell {
                table: &mut *table,
                name: Some(&name),
                row,
                depth: depth + 1,
            })?;
        }
        Ok(())
    }
}

/// The rows of one column, or a single one.
struct Column<'t, 'n> {
    table: &'t mut Table,
    name: &'n str,
}

impl<'de> DeserializeSeed<'de> for Column<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Takes what is no list as the first row of its column, or as the only row.
macro_rules! only {
    ($($visit:ident($type:ty);)*) => {$(
        fn $visit<E: Error>(self, value: $type) -> Result<(), E> {
            self.only().$visit(value)
        }
    )*};
}

impl<'t, 'n> Column<'t, 'n> {
    fn only(self) -> Cell<'t, 'n> {
        Cell {
            table: self.table,
            name: Some(self.name),
            row: 0,
            depth: 2,
        }
    }
}

impl<'de> Visitor<'de> for Column<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of a column's values")
    }

    only! {
        visit_bool(bool);
        visit_i64(i64);
        visit_u64(u64);
        visit_f64(f64);
        visit_str(&str);
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.only().visit_unit()
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.only().visit_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { table, name } = self;
        let mut row = 0;
        while seq
            .next_element_seed(Cell {
                table: &mut *table,
                name: Some(name),
                row,
                depth: 2,
            })?
            .is_some()
        {
            row += 1;
        }
        Ok(())
    }
}

/// A list of rows, an object of columns or of one row, or a single value as one row.
pub(in crate::decode) struct RowsOrColumns<'t> {
    pub(super) table: &'t mut Table,
    pub(super) objects_are_rows: bool,
}

impl RowsOrColumns<'_> {
    fn row<E: Error>(self, take: impl FnOnce(Cell<'_, '_>) -> Result<(), E>) -> Result<(), E> {
        take(Cell::row(self.table))?;
        self.table.end_row();
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for RowsOrColumns<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Takes a single value as the only row.
macro_rules! one_row {
    ($($visit:ident($type:ty);)*) => {$(
        fn $visit<E: Error>(self, value: $type) -> Result<(), E> {
            self.row(|cell| cell.$visit(value))
        }
    )*};
}

impl<'de> Visitor<'de> for RowsOrColumns<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows or an object of columns")
    }

    one_row! {
        visit_bool(bool);
        visit_i64(i64);
        visit_u64(u64);
        visit_f64(f64);
        visit_str(&str);
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.row(|cell| cell.visit_unit())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let table = self.table;
        while seq.next_element_seed(Cell::row(table))?.is_some() {
            table.end_row();
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.objects_are_rows {
            return self.row(|cell| cell.visit_map(map));
        }
        let table = self.table;
        table.by_column = true;
        let mut first = true;
        while let Some(Key(name)) = map.next_key()? {
            map.next_value_seed(Column {
                table: &mut *table,
                name: &name,
            })?;
            if std::mem::take(&mut first) {
                let longest = table.columns.iter().map(|c| c.rows + c.gaps).max();
                table.rows = longest.unwrap_or(0);
            }
        }
        Ok(())
    }
}
