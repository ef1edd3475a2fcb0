//! Values as JSON writes them, read into one typed vector without an intermediate tree: numbers, truth
//! values, texts and nulls, and lists of them at any depth, whose nesting is forgotten.

use std::borrow::Cow;
use std::fmt;

use crate::decode::no_numbers;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clause9_shared::inference::{Owned, Values};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Deepest nesting of lists.
pub(super) const MAX_DEPTH: usize = 8;
/// Integers up to here are exact as 64-bit floats.
pub(super) const EXACT: u64 = 1 << 53;

/// A vector of one type if all values are of it.
pub(super) fn narrow(values: Vec<Owned>) -> Values {
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

/// Grows one vector, changing its type only when a value demands it.
#[derive(Debug)]
pub(super) struct Growing(Values);

impl Growing {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self(Values::Mixed(Vec::new()))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the last one, if any, is a gap.
    pub(super) fn ends_with_gap(&self) -> bool {
        matches!(&self.0, Values::Mixed(v) if v.last() == Some(&Owned::Missing))
    }

    /// Appends all values of another.
    pub(super) fn append(&mut self, other: Self) {
        match (&mut self.0, other.0) {
            (Values::Mixed(mine), theirs) if mine.is_empty() => self.0 = theirs,
            (Values::Float(mine), Values::Float(theirs)) => mine.extend(theirs),
            (Values::Int(mine), Values::Int(theirs)) => mine.extend(theirs),
            (Values::Bool(mine), Values::Bool(theirs)) => mine.extend(theirs),
            (Values::Text(mine), Values::Text(theirs)) => mine.extend(theirs),
            (_, theirs) => {
                for value in owned(theirs) {
                    self.push(value);
                }
            }
        }
    }

    /// What came together.
    pub(super) fn finish(self) -> Values {
        self.0
    }

    /// Appends a value.
    pub(super) fn push(&mut self, value: Owned) {
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
    let mut mixed = owned(values);
    mixed.push(value);
    Values::Mixed(mixed)
}

/// Each value with its own type.
fn owned(values: Values) -> Vec<Owned> {
    match values {
        Values::Float(v) => v.into_iter().map(Owned::Float).collect(),
        Values::Int(v) => v.into_iter().map(Owned::Int).collect(),
        Values::Uint(v) => v.into_iter().map(Owned::Uint).collect(),
        Values::Bool(v) => v.into_iter().map(Owned::Bool).collect(),
        Values::Text(v) => v.into_iter().map(Owned::Text).collect(),
        Values::Mixed(v) => v,
        Values::Named(v) => v.owned().collect(),
    }
}

/// A list at some depth.
pub(super) struct List<'g> {
    into: &'g mut Growing,
    depth: usize,
    /// Whether `{"b64": "..."}` stands for a value.
    encoded: bool,
}

impl<'g> List<'g> {
    /// The outermost one.
    pub(super) const fn new(into: &'g mut Growing) -> Self {
        Self {
            into,
            depth: 1,
            encoded: false,
        }
    }
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
        let Self {
            into,
            depth,
            encoded,
        } = self;
        while seq
            .next_element_seed(Element {
                into: &mut *into,
                depth,
                encoded,
            })?
            .is_some()
        {}
        Ok(())
    }
}

/// A value, or a list one deeper.
pub(super) struct Element<'g> {
    into: &'g mut Growing,
    depth: usize,
    encoded: bool,
}

impl<'g> Element<'g> {
    /// Outside of any list, where bytes may be encoded.
    pub(super) const fn new(into: &'g mut Growing) -> Self {
        Self {
            into,
            depth: 0,
            encoded: true,
        }
    }
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
        self.into.push(no_numbers::value(value));
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
            encoded: self.encoded,
        }
        .visit_seq(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.encoded && map.next_key::<Cow<'_, str>>()?.as_deref() == Some(ENCODED) {
            let text: Cow<'_, str> = map.next_value()?;
            if map.next_key::<Cow<'_, str>>()?.is_none() {
                self.into.push(decoded(&text).map_err(A::Error::custom)?);
                return Ok(());
            }
        }
        Err(A::Error::custom("an object where a value should stand"))
    }
}

/// The one key of an object that stands for bytes (TensorFlow Serving's REST interface).
pub(super) const ENCODED: &str = "b64";

/// The text that bytes in base 64 are; bytes that are no text are no value.
pub(super) fn decoded(text: &str) -> Result<Owned, base64::DecodeError> {
    Ok(text_of(&STANDARD.decode(text)?))
}

/// Bytes as a value: a text if they are one, else none.
pub(super) fn text_of(bytes: &[u8]) -> Owned {
    std::str::from_utf8(bytes).map_or(Owned::Missing, |text| Owned::Text(text.into()))
}
