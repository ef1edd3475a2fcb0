//! Embeddings: of each text, how many numbers and how long a vector. The vectors themselves are not kept.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clause9_shared::window::UndecodableReason;
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use super::answer::{Answer, Choice, MAX_CHOICES, Usage};
use super::few::Few;
use crate::decode::body::parse;

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    model: Option<String>,
    data: Few<Entry, MAX_CHOICES>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Entry {
    /// Its place, if it is not said.
    #[serde(default)]
    index: Option<u32>,
    embedding: Vector,
}

/// A vector, summed up while it is read.
struct Vector {
    dimensions: usize,
    squares: f64,
}

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl<'de> Visitor<'de> for Numbers {
            type Value = Vector;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of numbers, or 32-bit floats in base 64")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vector, A::Error> {
                let mut vector = Vector::none();
                while let Some(number) = seq.next_element()? {
                    vector.take(number);
                }
                Ok(vector)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Vector, E> {
                let bytes = STANDARD.decode(text).map_err(E::custom)?;
                let (numbers, rest) = bytes.as_chunks();
                if !rest.is_empty() {
                    return Err(E::custom("half a number"));
                }
                let mut vector = Vector::none();
                for number in numbers {
                    vector.take(f32::from_le_bytes(*number).into());
                }
                Ok(vector)
            }
        }
        deserializer.deserialize_any(Numbers)
    }
}

impl Vector {
    const fn none() -> Self {
        Self {
            dimensions: 0,
            squares: 0.0,
        }
    }

    fn take(&mut self, number: f64) {
        self.dimensions += 1;
        self.squares += number * number;
    }
}

/// Reads an answer.
pub(super) fn whole(body: &[u8]) -> Result<Answer, UndecodableReason> {
    let response: Response = parse(body)?;
    let mut choices = BTreeMap::new();
    for (place, entry) in (0..).zip(response.data.0) {
        let Vector {
            dimensions,
            squares,
        } = entry.embedding;
        let choice = Choice {
            embedding: Some((dimensions, squares.sqrt())),
            ..Choice::default()
        };
        choices.insert(entry.index.unwrap_or(place), choice);
    }
    Ok(Answer {
        id: None,
        model: response.model,
        choices,
        usage: response.usage.unwrap_or_default(),
    })
}
