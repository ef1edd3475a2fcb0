//! JSON of one's own: the configuration says at which path, what the model is called, and where in the
//! two bodies the rows stand. Names are those of the rows.

use std::fmt;

use clause9_shared::inference::Inference;
use clause9_shared::window::UndecodableReason;
use http::Method;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::decode::Decoder;
use crate::decode::body::{bounded, text, texts};
use crate::decode::forms::{self, INPUT, OUTPUT, Rows};
#[cfg(test)]
use crate::decode::recorded::Recorded;
use crate::decode::table::{self, Key, Table};
use crate::exchange::Exchange;

/// Most steps of a path or a pointer.
const MAX_STEPS: usize = 16;
/// Stands for any one segment of a path.
const ANY: &str = "*";

/// The protocol, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonRows {
    path: Box<[Box<str>]>,
    model: Box<str>,
    rows: Pointer,
    answers: Pointer,
}

/// Where in a JSON text something stands (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pointer(Box<[Box<str>]>);

impl JsonRows {
    /// Requests to that path (`*` is any one segment of it) to that model, with rows and answers at
    /// these pointers. The error says what is wrong and what to do.
    pub fn new(path: &str, model: &str, rows: &str, answers: &str) -> Result<Self, String> {
        let Some(rest) = path.strip_prefix('/') else {
            return Err(format!(
                "path `{path}` does not begin with `/`; write /score"
            ));
        };
        let path: Box<[Box<str>]> = rest.split('/').map(Into::into).collect();
        if path.len() > MAX_STEPS {
            return Err(format!(
                "the path has more than {MAX_STEPS} segments; shorten it"
            ));
        }
        let model = bounded(model).unwrap_or_default();
        if model.is_empty() {
            return Err(
                "the model's name is empty or too long; write one of the objectives file".into(),
            );
        }
        Ok(Self {
            path,
            model,
            rows: Pointer::new(rows)?,
            answers: Pointer::new(answers)?,
        })
    }
}

impl Pointer {
    fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(Box::default()));
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(format!(
                "pointer `{text}` does not begin with `/`; write /data/rows"
            ));
        };
        let step = |step: &str| step.replace("~1", "/").replace("~0", "~").into();
        let steps: Box<[_]> = rest.split('/').map(step).collect();
        if steps.len() > MAX_STEPS {
            return Err(format!(
                "pointer `{text}` has more than {MAX_STEPS} steps; shorten it"
            ));
        }
        Ok(Self(steps))
    }

    /// The rows that stand there: a list of them, or a single one.
    fn read(&self, text: &[u8], bare: &'static str) -> Result<Rows, UndecodableReason> {
        let mut table = Table::new(bare);
        let read = table::read(
            text,
            At {
                steps: &self.0,
                table: &mut table,
            },
        );
        if table.checked(read)? {
            table.finish()
        } else {
            Err(UndecodableReason::Malformed)
        }
    }
}

impl Decoder for JsonRows {
    fn name(&self) -> &'static str {
        "json_rows"
    }

    fn matches(&self, method: &Method, path: &str) -> bool {
        let Some(rest) = path.strip_prefix('/') else {
            return false;
        };
        let mut wanted = self.path.iter();
        let same = |found: &str| {
            let wanted = wanted.next().map(|w| &**w);
            wanted == Some(found) || (wanted == Some(ANY) && !found.is_empty())
        };
        method == Method::POST && rest.split('/').all(same) && wanted.next().is_none()
    }

    fn addressed<'a>(&self, _: &'a str) -> Option<&'a str> {
        None
    }

    fn decode(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        let (request, response) = texts(exchange)?;
        let rows = self.rows.read(&request, INPUT)?;
        let answers = self.answers.read(&response, OUTPUT)?;
        forms::inference(exchange, &self.model, "", rows, answers)
    }

    fn decode_request(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        let rows = self.rows.read(&text(&exchange.request)?, INPUT)?;
        forms::inference(exchange, &self.model, "", rows, forms::NONE)
    }

    #[cfg(test)]
    fn recorded(&self) -> &'static [Recorded] {
        &[]
    }
}

/// What stands at the end of some steps.
struct At<'p, 't> {
    steps: &'p [Box<str>],
    table: &'t mut Table,
}

impl<'de> DeserializeSeed<'de> for At<'_, '_> {
    /// Whether it was there.
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        if self.steps.is_empty() {
            self.table.rows_or_row().deserialize(deserializer)?;
            return Ok(true);
        }
        deserializer.deserialize_any(self)
    }
}

/// No step leads into a single value.
macro_rules! nowhere {
    ($($visit:ident($type:ty);)*) => {$(
        fn $visit<E: Error>(self, _: $type) -> Result<bool, E> {
            Ok(false)
        }
    )*};
}

impl<'de> Visitor<'de> for At<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    nowhere! {
        visit_bool(bool);
        visit_i64(i64);
        visit_u64(u64);
        visit_f64(f64);
        visit_str(&str);
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let Self { steps, table } = self;
        let Some((step, steps)) = steps.split_first() else {
            return Ok(false);
        };
        let mut found = false;
        while let Some(Key(key)) = map.next_key()? {
            if !found && *key == **step {
                let table = &mut *table;
                found = map.next_value_seed(At { steps, table })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        let Self { steps, table } = self;
        let Some((step, steps)) = steps.split_first() else {
            return Ok(false);
        };
        if let Ok(before) = step.parse::<usize>() {
            for _ in 0..before {
                if seq.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(false);
                }
            }
            let there = seq.next_element_seed(At { steps, table })?;
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(there == Some(true));
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(false)
    }
}

#[cfg(test)]
mod tests;
