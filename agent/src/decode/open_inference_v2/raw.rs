//! Raw tensors: values one after the other, little-endian, row by row; texts behind their lengths. The
//! same in the binary tensor extension and in gRPC.

use clause9_shared::inference::Values;
use clause9_shared::window::UndecodableReason;

use super::data::Datatype;
use crate::decode::values::{Growing, text_of};

/// Reads a raw tensor. Nothing is allocated that the bytes do not hold.
pub(in crate::decode) fn read(
    datatype: Datatype,
    bytes: &[u8],
) -> Result<Values, UndecodableReason> {
    let read = match datatype {
        Datatype::Bool => each(bytes, |[b]| b != 0).map(Values::Bool),
        Datatype::Uint8 => each(bytes, |[b]| u64::from(b)).map(Values::Uint),
        Datatype::Uint16 => each(bytes, |b| u64::from(u16::from_le_bytes(b))).map(Values::Uint),
        Datatype::Uint32 => each(bytes, |b| u64::from(u32::from_le_bytes(b))).map(Values::Uint),
        Datatype::Uint64 => each(bytes, u64::from_le_bytes).map(Values::Uint),
        Datatype::Int8 => each(bytes, |b| i64::from(i8::from_le_bytes(b))).map(Values::Int),
        Datatype::Int16 => each(bytes, |b| i64::from(i16::from_le_bytes(b))).map(Values::Int),
        Datatype::Int32 => each(bytes, |b| i64::from(i32::from_le_bytes(b))).map(Values::Int),
        Datatype::Int64 => each(bytes, i64::from_le_bytes).map(Values::Int),
        Datatype::Fp16 => each(bytes, |b| half(u16::from_le_bytes(b))).map(Values::Float),
        Datatype::Bf16 => each(bytes, |b| brain(u16::from_le_bytes(b))).map(Values::Float),
        Datatype::Fp32 => each(bytes, |b| f64::from(f32::from_le_bytes(b))).map(Values::Float),
        Datatype::Fp64 => each(bytes, f64::from_le_bytes).map(Values::Float),
        Datatype::Bytes => texts(bytes),
    };
    read.ok_or(UndecodableReason::Malformed)
}

/// Values of N bytes each; none if bytes are left over.
fn each<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Option<Vec<T>> {
    let (values, rest) = bytes.as_chunks::<N>();
    rest.is_empty()
        .then(|| values.iter().map(|bytes| read(*bytes)).collect())
}

/// Texts behind their lengths in four bytes; bytes that are no text are gaps.
fn texts(mut bytes: &[u8]) -> Option<Values> {
    let mut texts = Growing::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (text, rest) = rest.split_at_checked(length)?;
        texts.push(text_of(text));
        bytes = rest;
    }
    bytes.is_empty().then(|| texts.finish())
}

/// The number that 16 bits are in the half-precision format (IEEE 754 binary16), exactly.
fn half(bits: u16) -> f64 {
    /// Difference of the exponents' zero points.
    const SHIFT: u64 = 1023 - 15;
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (u64::from(bits >> 10 & 0x1f), u64::from(bits & 0x3ff));
    let size = match exponent {
        // Below the smallest normal number: in steps of 2^-24.
        0 => fraction as f64 / f64::from(1 << 24),
        0x1f => f64::from_bits(0x7ff << 52 | fraction << 42),
        _ => f64::from_bits((exponent + SHIFT) << 52 | fraction << 42),
    };
    sign * size
}

/// The number that 16 bits are in the brain format: the upper half of a 32-bit one.
fn brain(bits: u16) -> f64 {
    f64::from(f32::from_bits(u32::from(bits) << 16))
}

#[cfg(test)]
mod tests;
