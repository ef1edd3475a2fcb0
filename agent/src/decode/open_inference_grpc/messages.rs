//! `ModelInferRequest` and `ModelInferResponse`, which have the same fields but for the numbers of some:
//! names, tensors and raw contents. Parameters, and what outputs are asked for, are not read.

use std::borrow::Cow;

use clause9_shared::inference::Values;
use clause9_shared::window::UndecodableReason;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use crate::decode::MAX_COLUMNS;
use crate::decode::open_inference_v2::data::Datatype;
use crate::decode::open_inference_v2::tensors::{Contents, WireTensor};
use crate::decode::protobuf::{Fields, MALFORMED, Wire};
use crate::decode::values::{Growing, text_of};

/// Most tensors in a message.
const MAX_TENSORS: usize = MAX_COLUMNS;
/// Most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 16;

/// A request or an answer.
#[derive(Default)]
pub(super) struct Infer<'a> {
    pub(super) model: Cow<'a, str>,
    pub(super) version: Cow<'a, str>,
    pub(super) id: Cow<'a, str>,
    pub(super) tensors: Vec<WireTensor<'a>>,
}

impl<'a> Infer<'a> {
    /// Reads a request.
    pub(super) fn request(message: &'a [u8]) -> Result<Self, UndecodableReason> {
        Self::read(message, 5, 7)
    }

    /// Reads an answer.
    pub(super) fn response(message: &'a [u8]) -> Result<Self, UndecodableReason> {
        Self::read(message, 5, 6)
    }

    fn read(message: &'a [u8], tensors: u64, raws: u64) -> Result<Self, UndecodableReason> {
        let mut read = Self::default();
        let mut raw = Vec::new();
        for field in Fields::of(message) {
            match field? {
                (1, wire) => read.model = wire.text()?.into(),
                (2, wire) => read.version = wire.text()?.into(),
                (3, wire) => read.id = wire.text()?.into(),
                (n, wire) if n == tensors => read.tensors.push(tensor(wire.bytes()?)?),
                (n, wire) if n == raws => raw.push(wire.bytes()?),
                (_, _) => {}
            }
            if read.tensors.len().max(raw.len()) > MAX_TENSORS {
                return Err(UndecodableReason::Unsupported);
            }
        }
        if raw.is_empty() {
            return Ok(read);
        }
        // Raw contents stand for all tensors or for none.
        if raw.len() != read.tensors.len() {
            return Err(MALFORMED);
        }
        for (tensor, raw) in read.tensors.iter_mut().zip(raw) {
            match &tensor.values {
                Contents::Typed(values) if values.is_empty() => {
                    tensor.values = Contents::Raw(raw);
                }
                Contents::Typed(_) | Contents::Json(_) | Contents::Raw(_) => return Err(MALFORMED),
            }
        }
        Ok(read)
    }
}

fn tensor(message: &[u8]) -> Result<WireTensor<'_>, UndecodableReason> {
    let (mut name, mut datatype) = (Cow::default(), None);
    let mut shape = Vec::new();
    let mut contents = Vec::new();
    for field in Fields::of(message) {
        match field? {
            (1, wire) => name = wire.text()?.into(),
            (2, wire) => datatype = Some(typed(wire.text()?)?),
            (3, wire) => wire.varints(|n| {
                if shape.len() <= MAX_DIMENSIONS {
                    shape.push(n);
                }
            })?,
            // A message that comes in several pieces is all of them.
            (5, wire) => contents.push(wire.bytes()?),
            (_, _) => {}
        }
        if shape.len() > MAX_DIMENSIONS || contents.len() > MAX_TENSORS {
            return Err(UndecodableReason::Unsupported);
        }
    }
    let datatype = datatype.ok_or(MALFORMED)?;
    Ok(WireTensor {
        name,
        // A dimension below 0 becomes a number that no contents can have.
        shape,
        datatype,
        values: Contents::Typed(values(datatype, &contents)?),
    })
}

fn typed(name: &str) -> Result<Datatype, UndecodableReason> {
    let name: StrDeserializer<'_, Error> = name.into_deserializer();
    Datatype::deserialize(name).map_err(|_| MALFORMED)
}

/// Values from the one of eight fields that the type goes with; values in another are malformed.
fn values(datatype: Datatype, contents: &[&[u8]]) -> Result<Values, UndecodableReason> {
    let mut values = Collected::of(datatype);
    for message in contents {
        for field in Fields::of(message) {
            let (number, wire) = field?;
            // Written by some though nothing is in it.
            if wire != Wire::Bytes(&[]) || number == 8 {
                values.take(number, wire)?;
            }
        }
    }
    Ok(values.finish())
}

/// Values of one type.
enum Collected {
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Uint(Vec<u64>),
    Float32(Vec<f64>),
    Float64(Vec<f64>),
    Text(Growing),
    /// Types that come raw only.
    None,
}

impl Collected {
    fn of(datatype: Datatype) -> Self {
        match datatype {
            Datatype::Bool => Self::Bool(Vec::new()),
            Datatype::Int8 | Datatype::Int16 | Datatype::Int32 | Datatype::Int64 => {
                Self::Int(Vec::new())
            }
            Datatype::Uint8 | Datatype::Uint16 | Datatype::Uint32 | Datatype::Uint64 => {
                Self::Uint(Vec::new())
            }
            Datatype::Fp32 => Self::Float32(Vec::new()),
            Datatype::Fp64 => Self::Float64(Vec::new()),
            Datatype::Bytes => Self::Text(Growing::new()),
            Datatype::Fp16 | Datatype::Bf16 => Self::None,
        }
    }

    fn take(&mut self, field: u64, wire: Wire<'_>) -> Result<(), UndecodableReason> {
        match (self, field) {
            (Self::Bool(v), 1) => wire.varints(|n| v.push(n != 0)),
            (Self::Int(v), 2 | 3) => wire.varints(|n| v.push(n.cast_signed())),
            (Self::Uint(v), 4 | 5) => wire.varints(|n| v.push(n)),
            (Self::Float32(v), 6) => {
                let numbers = wire.fours()?;
                v.extend(numbers.iter().map(|n| f64::from(f32::from_le_bytes(*n))));
                Ok(())
            }
            (Self::Float64(v), 7) => {
                v.extend(wire.eights()?.iter().map(|n| f64::from_le_bytes(*n)));
                Ok(())
            }
            (Self::Text(v), 8) => {
                v.push(text_of(wire.bytes()?));
                Ok(())
            }
            (
                Self::Bool(_)
                | Self::Int(_)
                | Self::Uint(_)
                | Self::Float32(_)
                | Self::Float64(_)
                | Self::Text(_)
                | Self::None,
                _,
            ) => Err(MALFORMED),
        }
    }

    fn finish(self) -> Values {
        match self {
            Self::Bool(v) => Values::Bool(v),
            Self::Int(v) => Values::Int(v),
            Self::Uint(v) => Values::Uint(v),
            Self::Float32(v) | Self::Float64(v) => Values::Float(v),
            Self::Text(v) => v.finish(),
            Self::None => Values::Float(Vec::new()),
        }
    }
}
