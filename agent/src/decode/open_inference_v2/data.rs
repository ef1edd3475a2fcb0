//! Element types, and tensor data as JSON: flat or nested lists of values.

use clause9_shared::inference::{Owned, Values};
use clause9_shared::window::UndecodableReason;
use serde::Deserialize;
use serde::de::Deserializer;

use crate::decode::values::{EXACT, Growing, List, narrow};

/// The protocol's element types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(in crate::decode) enum Datatype {
    Bool,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    Fp16,
    Bf16,
    Fp32,
    Fp64,
    Bytes,
}

/// Values in reading order, in the narrowest form that holds them all without loss.
#[derive(Debug)]
pub(in crate::decode) struct Data(Values);

impl Data {
    pub(in crate::decode) fn len(&self) -> usize {
        self.0.len()
    }

    /// The values as their datatype wants them; a value of another kind is malformed.
    pub(in crate::decode) fn typed(self, datatype: Datatype) -> Result<Values, UndecodableReason> {
        let typed = match datatype {
            Datatype::Bool => booleans(self.0),
            Datatype::Int8 | Datatype::Int16 | Datatype::Int32 | Datatype::Int64 => {
                integers(self.0)
            }
            Datatype::Uint8 | Datatype::Uint16 | Datatype::Uint32 | Datatype::Uint64 => {
                unsigned(self.0)
            }
            Datatype::Fp16 | Datatype::Bf16 | Datatype::Fp32 | Datatype::Fp64 => floats(self.0),
            Datatype::Bytes => texts(self.0),
        };
        typed.ok_or(UndecodableReason::Malformed)
    }
}

/// Converts each value; gaps stay gaps, which makes the vector a mixed one.
fn each(values: Values, convert: impl Fn(Owned) -> Option<Owned>) -> Option<Values> {
    let convert = |value| match value {
        Owned::Missing => Some(Owned::Missing),
        Owned::Float(_) | Owned::Int(_) | Owned::Uint(_) | Owned::Bool(_) | Owned::Text(_) => {
            convert(value)
        }
    };
    let owned: Option<Vec<Owned>> = match values {
        Values::Float(v) => v.into_iter().map(|x| convert(Owned::Float(x))).collect(),
        Values::Int(v) => v.into_iter().map(|x| convert(Owned::Int(x))).collect(),
        Values::Uint(v) => v.into_iter().map(|x| convert(Owned::Uint(x))).collect(),
        Values::Bool(v) => v.into_iter().map(|x| convert(Owned::Bool(x))).collect(),
        Values::Text(v) => v.into_iter().map(|x| convert(Owned::Text(x))).collect(),
        Values::Mixed(v) => v.into_iter().map(convert).collect(),
        Values::Named(v) => v.owned().map(convert).collect(),
    };
    owned.map(narrow)
}

fn floats(values: Values) -> Option<Values> {
    match values {
        Values::Float(v) => Some(Values::Float(v)),
        Values::Int(v) => Some(Values::Float(v.into_iter().map(|x| x as f64).collect())),
        other @ (Values::Uint(_)
        | Values::Bool(_)
        | Values::Text(_)
        | Values::Mixed(_)
        | Values::Named(_)) => each(other, |value| match value {
            Owned::Float(x) => Some(Owned::Float(x)),
            Owned::Int(x) => Some(Owned::Float(x as f64)),
            Owned::Uint(x) => Some(Owned::Float(x as f64)),
            Owned::Missing | Owned::Bool(_) | Owned::Text(_) => None,
        }),
    }
}

/// Some servers write whole numbers of an integer tensor as `1.0`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "only whole numbers that are exact as floats"
)]
fn whole(x: f64) -> Option<i64> {
    (x.fract() == 0.0 && x.abs() <= EXACT as f64).then_some(x as i64)
}

fn integers(values: Values) -> Option<Values> {
    if let Values::Int(v) = values {
        return Some(Values::Int(v));
    }
    each(values, |value| match value {
        Owned::Int(x) => Some(Owned::Int(x)),
        Owned::Float(x) => whole(x).map(Owned::Int),
        Owned::Missing | Owned::Uint(_) | Owned::Bool(_) | Owned::Text(_) => None,
    })
}

fn unsigned(values: Values) -> Option<Values> {
    each(values, |value| match value {
        Owned::Uint(x) => Some(Owned::Uint(x)),
        Owned::Int(x) => u64::try_from(x).ok().map(Owned::Uint),
        Owned::Float(x) => whole(x)
            .and_then(|x| u64::try_from(x).ok())
            .map(Owned::Uint),
        Owned::Missing | Owned::Bool(_) | Owned::Text(_) => None,
    })
}

fn booleans(values: Values) -> Option<Values> {
    each(values, |value| match value {
        Owned::Bool(x) => Some(Owned::Bool(x)),
        Owned::Int(0) => Some(Owned::Bool(false)),
        Owned::Int(1) => Some(Owned::Bool(true)),
        Owned::Missing | Owned::Float(_) | Owned::Int(_) | Owned::Uint(_) | Owned::Text(_) => None,
    })
}

fn texts(values: Values) -> Option<Values> {
    each(values, |value| match value {
        Owned::Text(x) => Some(Owned::Text(x)),
        Owned::Missing | Owned::Float(_) | Owned::Int(_) | Owned::Uint(_) | Owned::Bool(_) => None,
    })
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut growing = Growing::new();
        deserializer.deserialize_seq(List::new(&mut growing))?;
        Ok(Self(growing.finish()))
    }
}
