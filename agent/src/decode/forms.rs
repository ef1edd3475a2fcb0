//! The envelopes that rows come in over JSON: `instances` or `inputs` (KServe version 1, TensorFlow
//! Serving, MLflow), `dataframe_split` or `dataframe_records` (MLflow), a bare list; answered by
//! `predictions` or `outputs`, or a bare list.

use std::fmt;

use clause9_shared::inference::{Inference, Tensor};
use clause9_shared::window::UndecodableReason;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::decode::MAX_COLUMNS;
use crate::decode::body::{bounded, request_id};
use crate::decode::table::{self, Key, Table};
use crate::decode::values::{Growing, List};
use crate::exchange::Exchange;

/// What input values without a name are called.
pub(super) const INPUT: &str = "instances";
/// What output values without a name are called.
pub(super) const OUTPUT: &str = "predictions";

/// Rows and their tensors.
pub(super) type Rows = (usize, Vec<Tensor>);

/// No answers: none were told.
pub(super) const NONE: Rows = (0, Vec::new());

/// The rows of a request in one of the envelopes; none if there is none.
pub(super) fn request(text: &[u8]) -> Result<Option<Rows>, UndecodableReason> {
    enveloped(text, INPUT, |key| match key {
        "instances" | "inputs" | "dataframe_records" => Inside::Rows,
        "dataframe_split" => Inside::Split,
        _ => Inside::Other,
    })
}

/// The rows of an answer in one of the envelopes; none if there is none.
pub(super) fn response(text: &[u8]) -> Result<Option<Rows>, UndecodableReason> {
    enveloped(text, OUTPUT, |key| match key {
        "predictions" | "outputs" => Inside::Rows,
        _ => Inside::Other,
    })
}

/// An exchange of rows and answers. Answers that are not one for each row are left out, and an
/// objective that points at one finds it absent.
pub(super) fn inference(
    exchange: &Exchange,
    model: &str,
    version: &str,
    (rows, inputs): Rows,
    (answers, outputs): Rows,
) -> Result<Inference, UndecodableReason> {
    let outputs = if answers == rows { outputs } else { Vec::new() };
    Ok(Inference {
        model: bounded(model)?,
        model_version: bounded(version)?,
        request_id: request_id(&[], exchange)?,
        arrived_at: exchange.arrived_at,
        rows,
        inputs,
        outputs,
    })
}

/// What a key of the envelope holds.
enum Inside {
    /// Rows or columns.
    Rows,
    /// Names of columns, and rows of values.
    Split,
    /// Nothing of interest.
    Other,
}

fn enveloped(
    text: &[u8],
    bare: &'static str,
    inside: fn(&str) -> Inside,
) -> Result<Option<Rows>, UndecodableReason> {
    let mut table = Table::new(bare);
    let mut names = None;
    let read = table::read(
        text,
        Envelope {
            table: &mut table,
            names: &mut names,
            inside,
        },
    );
    let found = table.checked(read)?;
    if !found {
        return Ok(None);
    }
    match names {
        None => table.finish().map(Some),
        Some(names) => {
            let (rows, values) = table.into_bare(names.len())?;
            let tensors = table::split(rows, values, &names)?;
            Ok(Some((rows, tensors)))
        }
    }
}

/// A single value is no envelope.
macro_rules! nothing {
    ($($visit:ident($type:ty);)*) => {$(
        fn $visit<E: Error>(self, _: $type) -> Result<bool, E> {
            Ok(false)
        }
    )*};
}

/// An object with one key that holds rows, or the rows themselves.
struct Envelope<'t> {
    table: &'t mut Table,
    names: &'t mut Option<Vec<Box<str>>>,
    inside: fn(&str) -> Inside,
}

impl<'de> DeserializeSeed<'de> for Envelope<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Envelope<'_> {
    /// Whether rows were found.
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with rows, or a list of rows")
    }

    nothing! {
        visit_bool(bool);
        visit_i64(i64);
        visit_u64(u64);
        visit_f64(f64);
        visit_str(&str);
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<bool, A::Error> {
        self.table.rows_or_columns().visit_seq(seq)?;
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut found = false;
        while let Some(Key(key)) = map.next_key()? {
            let inside = (self.inside)(&key);
            if matches!(inside, Inside::Rows | Inside::Split) && std::mem::replace(&mut found, true)
            {
                return Err(A::Error::custom("rows in two forms"));
            }
            match inside {
                Inside::Rows => map.next_value_seed(self.table.rows_or_columns())?,
                Inside::Split => {
                    *self.names = Some(map.next_value_seed(Split(&mut *self.table))?);
                }
                Inside::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// Columns by name and rows of values apart from each other, as pandas splits them.
struct Split<'t>(&'t mut Table);

impl<'de> DeserializeSeed<'de> for Split<'_> {
    type Value = Vec<Box<str>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Split<'_> {
    type Value = Vec<Box<str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `columns` and `data`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut names, mut data) = (None, false);
        while let Some(Key(key)) = map.next_key()? {
            match &*key {
                "columns" => names = Some(map.next_value::<Names>()?.0),
                "data" if !data => {
                    map.next_value_seed(self.0.rows_or_columns())?;
                    data = true;
                }
                "data" => return Err(A::Error::duplicate_field("data")),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match (names, data) {
            (Some(names), true) => Ok(names),
            (None, _) => Err(A::Error::missing_field("columns")),
            (Some(_), false) => Err(A::Error::missing_field("data")),
        }
    }
}

/// Names of columns; numbers are names by their digits.
struct Names(Vec<Box<str>>);

impl<'de> serde::Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut names = Growing::new();
        deserializer.deserialize_seq(List::new(&mut names))?;
        if names.len() > MAX_COLUMNS {
            return Err(D::Error::custom("too many columns"));
        }
        let names = Tensor {
            name: "".into(),
            columns: names.len(),
            values: names.finish(),
        };
        let name = |at| {
            let name = names.cell(0, at).category().map(Into::into);
            name.and_then(|name: String| bounded(&name).ok())
        };
        let names: Option<_> = (0..names.columns).map(name).collect();
        names
            .map(Self)
            .ok_or_else(|| D::Error::custom("a column's name is none"))
    }
}

#[cfg(test)]
mod tests;
