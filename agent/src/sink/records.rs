//! Records: cases with their features by name, as the objectives file names them. One JSON object each.

use std::collections::BTreeMap;
use std::fmt;

use clause9_shared::ids::Name;
use clause9_shared::inference::{Inference, Owned};
use clause9_shared::objective::document::Scalar;
use clause9_shared::service::Served;
use clause9_shared::time::Timestamp;
use clause9_shared::window::MAX_MODEL_NAME;
use schemars::JsonSchema;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::sink::naming::{Named, Naming};
use crate::sink::{Item, Key, Record, good_id, outcome};

/// Most values of one record, inputs or outputs.
const MAX_VALUES: usize = 2048;
/// Longest name of a value, in bytes.
const MAX_NAME: usize = 256;
/// Most attributes of one record.
const MAX_ATTRIBUTES: usize = 16;

/// A case that a model was asked about, as a line of `POST /records`.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Line {
    /// The id that labels name, of 1 to 256 bytes. A record whose id was told before is not counted
    /// again. Without one, it cannot be labelled, and is counted each time it is sent.
    #[serde(default)]
    id: Option<String>,
    /// When the model was asked, in RFC 3339. Default: when the record comes in. Agents on a live clock
    /// take no time of the future; what belongs to a pane that is closed is counted as too late.
    #[serde(default)]
    time: Option<Timestamp>,
    /// The model, as the objectives file names it. Default: the only one there is.
    #[serde(default)]
    model: Option<String>,
    /// The model's version. Default: none.
    #[serde(default)]
    model_version: Option<String>,
    /// What the model was asked: a value for each feature, under the feature's name, else under the one
    /// that `from.input` names. Others are ignored. `null` is missing.
    #[schemars(with = "BTreeMap<String, Option<Value>>")]
    inputs: Values,
    /// What the model answered: `score`, `decision`, `prediction`, or the names of the model's outputs.
    /// Without it the inputs are counted alone.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, Option<Value>>>")]
    outputs: Option<Values>,
    /// Attributes of the person or case, by the names of the objectives file; at most 16.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    attributes: BTreeMap<Name, String>,
    /// What turned out to be true, if it is known. Needs an id.
    #[serde(default)]
    #[schemars(with = "Option<Value>")]
    label: Option<Scalar>,
    /// When that became known. Default: the record's time.
    #[serde(default)]
    label_time: Option<Timestamp>,
    /// The status that the caller got, as HTTP has it. Default: not known.
    #[serde(default)]
    #[schemars(range(min = 100, max = 599))]
    status: Option<u16>,
    /// How long the caller waited, in seconds. Default: not known.
    #[serde(default)]
    #[schemars(range(min = 0))]
    latency: Option<f64>,
}

/// A single value.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "for the schema")]
enum Value {
    Number(f64),
    Text(String),
    Truth(bool),
}

/// The JSON Schema of a record.
pub fn schema() -> serde_json::Value {
    serde_json::to_value(schemars::schema_for!(Line)).unwrap_or_default()
}

/// Reads one record. The error says where, not what: values may be personal.
pub(super) fn record(text: &str, naming: &Naming) -> Result<Item, String> {
    // A list would be read as the values of an object without its keys.
    if text.trim_start().starts_with('[') {
        return Err("not a record but a list".into());
    }
    let line: Line = serde_json::from_str(text).map_err(|error| said(&error))?;
    line.read(naming)
}

fn said(error: &serde_json::Error) -> String {
    let column = error.column();
    match error.classify() {
        serde_json::error::Category::Data => {
            // Names of keys are the sender's own; values are not repeated.
            let text = error.to_string();
            let known = [
                "unknown field",
                "missing field",
                "duplicate",
                "more than",
                "name of",
            ];
            if known.iter().any(|start| text.starts_with(start)) {
                format!("not a record: {text}")
            } else {
                format!("not a record: a value of the wrong type at column {column}")
            }
        }
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => format!("not JSON at column {column}"),
    }
}

impl Line {
    fn read(mut self, naming: &Naming) -> Result<Item, String> {
        if let Some(id) = &self.id {
            good_id(id)?;
        }
        if self.latency.is_some_and(|l| !l.is_finite() || l < 0.0) {
            return Err("`latency` must be a number of seconds, 0 or more".into());
        }
        if self.status.is_some_and(|s| !(100..=599).contains(&s)) {
            return Err("`status` must be from 100 to 599".into());
        }
        let model = self.model.take().map(Into::into);
        let model: Box<str> = model
            .or_else(|| naming.only.clone())
            .ok_or("`model` is needed: the objectives file has more than one model")?;
        let version = self.model_version.take().unwrap_or_default();
        if model.len() > MAX_MODEL_NAME || version.len() > MAX_MODEL_NAME {
            return Err(format!(
                "a model's name or version has more than {MAX_MODEL_NAME} bytes"
            ));
        }
        let outcome = self.outcome(naming)?;
        let answered = self.outputs.is_some();
        let outputs = self.outputs.map(|Values(named)| naming.outputs(&named));
        Ok(Item::Record(Box::new(Record {
            key: self.id.as_ref().map(|id| Key::new("records", id)),
            at: self.time,
            inference: Inference {
                model,
                model_version: version.into(),
                request_id: self.id.map(Into::into),
                arrived_at: self.time.unwrap_or(Timestamp::EPOCH),
                rows: 1,
                inputs: naming.inputs(&self.inputs.0),
                outputs: outputs.unwrap_or_default(),
            },
            answered,
            served: Served {
                latency: self.latency,
                status: self.status,
                ..Served::default()
            },
            outcome,
        })))
    }

    /// What is to be joined to it; attributes of requests become inputs.
    fn outcome(
        &mut self,
        naming: &Naming,
    ) -> Result<Option<clause9_shared::plan::Outcome>, String> {
        if self.attributes.len() > MAX_ATTRIBUTES {
            return Err(format!("more than {MAX_ATTRIBUTES} attributes"));
        }
        let mut late = BTreeMap::new();
        for (name, value) in std::mem::take(&mut self.attributes) {
            if naming.is_in_requests(name.as_str()) {
                let key = name.as_str().into();
                self.inputs
                    .0
                    .entry(key)
                    .or_insert(Owned::Text(value.into()));
            } else {
                late.insert(name, value);
            }
        }
        if self.label.is_none() && late.is_empty() {
            return Ok(None);
        }
        let id = self.id.as_ref();
        let id = id.ok_or("a label or an attribute needs an `id`, by which it is joined")?;
        let known = self.label_time.or(self.time);
        outcome(id, 0, self.label.take(), late, known).map(Some)
    }
}

/// Values under names, each once.
#[derive(Debug)]
struct Values(Named);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of values by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Values, A::Error> {
                let mut named = Named::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name.len() > MAX_NAME {
                        let error = format!("name of a value has more than {MAX_NAME} bytes");
                        return Err(A::Error::custom(error));
                    }
                    if named.len() >= MAX_VALUES {
                        return Err(A::Error::custom(format!("more than {MAX_VALUES} values")));
                    }
                    let Single(value) = map.next_value()?;
                    if named.insert(name.into(), value).is_some() {
                        return Err(A::Error::custom("duplicate name of a value"));
                    }
                }
                Ok(Values(named))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// One value.
struct Single(Owned);

impl<'de> Deserialize<'de> for Single {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;
        impl Visitor<'_> for One {
            type Value = Owned;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, a text, a truth value or null")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Owned, E> {
                Ok(Owned::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Owned, E> {
                Ok(Owned::Int(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Owned, E> {
                Ok(i64::try_from(value).map_or(Owned::Uint(value), Owned::Int))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Owned, E> {
                Ok(Owned::Float(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Owned, E> {
                Ok(Owned::Text(value.into()))
            }

            fn visit_unit<E>(self) -> Result<Owned, E> {
                Ok(Owned::Missing)
            }
        }
        deserializer.deserialize_any(One).map(Single)
    }
}

/// The objects of a delivery: one for each line, the elements of a list, or a single one.
pub(super) fn split(text: &str, lines: bool) -> Result<Vec<&str>, String> {
    let most = super::MAX_ITEMS;
    let all: Vec<&str> = if lines {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        lines.take(most + 1).collect()
    } else if text.trim_start().starts_with('[') {
        let Few(all) = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("not a list in JSON at line {line}, column {column}")
        })?;
        all.into_iter().map(RawValue::get).collect()
    } else {
        vec![text]
    };
    if all.len() > most {
        return Err(format!("more than {most} items; send fewer at a time"));
    }
    Ok(all)
}

/// The elements of a list, and no more than one above the bound.
struct Few<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Few<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for All<'a> {
            type Value = Few<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Few<'a>, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = seq.next_element()? {
                    if all.len() <= super::MAX_ITEMS {
                        all.push(one);
                    }
                }
                Ok(Few(all))
            }
        }
        deserializer.deserialize_seq(All(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests;
