//! Tensor data as JSON: flat or nested lists of numbers, truth values, texts and nulls, read into
//! one typed vector without an intermediate tree.

use std::fmt;

use clause9_shared::inference::{Owned, Values};
use clause9_shared::window::UndecodableReason;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

/// Deepest nesting of lists.
const MAX_DEPTH: usize = 8;
/// Integers up to here are exact as 64-bit floats.
const EXACT: u64 = 1 << 53;

/// The protocol's element types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Datatype {
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
pub(super) struct Data(Values);

impl Data {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The values as their datatype wants them; a value of another kind is malformed.
    pub(super) fn typed(self, datatype: Datatype) -> Result<Values, UndecodableReason> {
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

/// A vector of one type if all values are of it.
fn narrow(values: Vec<Owned>) -> Values {
    fn all<T>(values: &[Owned], pick: impl Fn(&Owned) -> Option<T>) -> Option<Vec<T>> {
        values.iter().map(pick).collect()
    }
    let of = |v: &Owned, kind: &Owned| std::mem::discriminant(v) == std::mem::discriminant(kind);
    let Some(kind) = values.first().cloned() else {
        return Values::Mixed(values);
    };
    if !values.iter().all(|v| of(v, &kind)) {
        return Values::Mixed(values);
    }
    let narrowed = match kind {
        Owned::Missing => None,
        Owned::Float(_) => all(&values, |v| {
            if let Owned::Float(x) = v {
                Some(*x)
            } else {
                None
            }
        })
        .map(Values::Float),
        Owned::Int(_) => all(&values, |v| {
            if let Owned::Int(x) = v {
                Some(*x)
            } else {
                None
            }
        })
        .map(Values::Int),
        Owned::Uint(_) => all(&values, |v| {
            if let Owned::Uint(x) = v {
                Some(*x)
            } else {
                None
            }
        })
        .map(Values::Uint),
        Owned::Bool(_) => all(&values, |v| {
            if let Owned::Bool(x) = v {
                Some(*x)
            } else {
                None
            }
        })
        .map(Values::Bool),
        Owned::Text(_) => all(&values, |v| {
            if let Owned::Text(x) = v {
                Some(x.clone())
            } else {
                None
            }
        })
        .map(Values::Text),
    };
    narrowed.unwrap_or(Values::Mixed(values))
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

/// Grows one vector, changing its type only when a value demands it.
struct Growing(Values);

impl Growing {
    fn push(&mut self, value: Owned) {
        match (&mut self.0, value) {
            (Values::Float(v), Owned::Float(x)) => v.push(x),
            (Values::Float(v), Owned::Int(x)) if x.unsigned_abs() <= EXACT => v.push(x as f64),
            (Values::Int(v), Owned::Int(x)) => v.push(x),
            (Values::Bool(v), Owned::Bool(x)) => v.push(x),
            (Values::Text(v), Owned::Text(x)) => v.push(x),
            (Values::Mixed(v), x) if !v.is_empty() => v.push(x),
            (values, x) => *values = widened(std::mem::replace(values, Values::Mixed(vec![])), x),
        }
    }
}

/// What holds the values so far and one of another type.
fn widened(values: Values, value: Owned) -> Values {
    if values.is_empty() {
        return narrow(vec![value]);
    }
    if let (Values::Int(v), Owned::Float(x)) = (&values, &value)
        && v.iter().all(|i| i.unsigned_abs() <= EXACT)
    {
        return Values::Float(v.iter().map(|i| *i as f64).chain([*x]).collect());
    }
    let mut mixed: Vec<Owned> = match values {
        Values::Float(v) => v.into_iter().map(Owned::Float).collect(),
        Values::Int(v) => v.into_iter().map(Owned::Int).collect(),
        Values::Uint(v) => v.into_iter().map(Owned::Uint).collect(),
        Values::Bool(v) => v.into_iter().map(Owned::Bool).collect(),
        Values::Text(v) => v.into_iter().map(Owned::Text).collect(),
        Values::Mixed(v) => v,
        Values::Named(v) => v.owned().collect(),
    };
    mixed.push(value);
    Values::Mixed(mixed)
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut growing = Growing(Values::Mixed(Vec::new()));
        deserializer.deserialize_seq(List {
            into: &mut growing,
            depth: 1,
        })?;
        Ok(Self(growing.0))
    }
}

/// A list at some depth.
struct List<'g> {
    into: &'g mut Growing,
    depth: usize,
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.depth > MAX_DEPTH {
            return Err(A::Error::custom("lists are nested too deeply"));
        }
        let Self { into, depth } = self;
        while seq
            .next_element_seed(Element {
                into: &mut *into,
                depth,
            })?
            .is_some()
        {}
        Ok(())
    }
}

/// A value, or a list one deeper.
struct Element<'g> {
    into: &'g mut Growing,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, true, false, null or a list of them")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.into.push(Owned::Bool(value));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.into.push(Owned::Int(value));
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.into
            .push(i64::try_from(value).map_or(Owned::Uint(value), Owned::Int));
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.into.push(Owned::Float(value));
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.into.push(Owned::Text(value.into()));
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.into.push(Owned::Missing);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        List {
            into: self.into,
            depth: self.depth + 1,
        }
        .visit_seq(seq)
    }
}
