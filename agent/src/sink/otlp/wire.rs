//! OpenTelemetry's messages in Protocol Buffers' format (opentelemetry-proto 1.x), read field by field:
//! no more of them is kept than what means something.

use super::genai::{Attributes, Names, Told, Value};
use crate::decode::{Fields, Wire};
use crate::sink::MAX_ITEMS;
use crate::sink::reading::Unread;

fn malformed() -> Unread {
    Unread::Malformed("the body is not a message of OpenTelemetry's protocol".into())
}

/// The fields of one message that have this number and hold a message or a text.
fn each<'a>(
    message: &'a [u8],
    number: u64,
    mut each: impl FnMut(&'a [u8]) -> Result<(), Unread>,
) -> Result<(), Unread> {
    for field in Fields::of(message) {
        let (found, wire) = field.map_err(|_| malformed())?;
        if found == number {
            each(wire.bytes().map_err(|_| malformed())?)?;
        }
    }
    Ok(())
}

fn full(told: &[Told]) -> Result<(), Unread> {
    if told.len() >= MAX_ITEMS {
        let why = format!("more than {MAX_ITEMS} items; send fewer at a time");
        return Err(Unread::Malformed(why));
    }
    Ok(())
}

/// Spans of an `ExportTraceServiceRequest`, each with its events.
pub(super) fn spans(body: &[u8], names: &Names) -> Result<Vec<Told>, Unread> {
    let mut all = Vec::new();
    each(body, 1, |resource| {
        each(resource, 2, |scope| {
            each(scope, 2, |message| span(message, names, &mut all))
        })
    })?;
    Ok(all)
}

/// Records of an `ExportLogsServiceRequest`.
pub(super) fn records(body: &[u8], names: &Names) -> Result<Vec<Told>, Unread> {
    let mut all = Vec::new();
    each(body, 1, |resource| {
        each(resource, 2, |scope| {
            each(scope, 2, |message| {
                full(&all)?;
                all.push(record(message, names)?);
                Ok(())
            })
        })
    })?;
    Ok(all)
}

fn span(message: &[u8], names: &Names, all: &mut Vec<Told>) -> Result<(), Unread> {
    let (mut told, mut events) = (Told::default(), Vec::new());
    for field in Fields::of(message) {
        let (number, wire) = field.map_err(|_| malformed())?;
        match number {
            1 => told.trace = hex(wire)?,
            2 => told.span = hex(wire)?,
            7 => told.start = nanos(wire)?,
            8 => told.end = nanos(wire)?,
            9 => attribute(wire, names, &mut told.attributes)?,
            11 => {
                full(&events)?;
                events.push(event(wire, names)?);
            }
            15 => {
                for field in Fields::of(wire.bytes().map_err(|_| malformed())?) {
                    let field = field.map_err(|_| malformed())?;
                    told.failed |= field == (3, Wire::Varint(2));
                }
            }
            _ => {}
        }
    }
    full(all)?;
    let (span, trace) = (told.span.clone(), told.trace.clone());
    let around = told.response().map(Into::into);
    all.push(told);
    for mut event in events {
        full(all)?;
        (event.span, event.trace) = (span.clone(), trace.clone());
        event.around.clone_from(&around);
        all.push(event);
    }
    Ok(())
}

fn event(wire: Wire<'_>, names: &Names) -> Result<Told, Unread> {
    let mut told = Told::default();
    for field in Fields::of(wire.bytes().map_err(|_| malformed())?) {
        let (number, wire) = field.map_err(|_| malformed())?;
        match number {
            1 => told.start = nanos(wire)?,
            2 => told.event = Some(short(wire)?),
            3 => attribute(wire, names, &mut told.attributes)?,
            _ => {}
        }
    }
    told.event.get_or_insert_default();
    Ok(told)
}

fn record(message: &[u8], names: &Names) -> Result<Told, Unread> {
    let mut told = Told::default();
    let mut observed = 0;
    for field in Fields::of(message) {
        let (number, wire) = field.map_err(|_| malformed())?;
        match number {
            1 => told.start = nanos(wire)?,
            6 => {
                named(wire, &mut told)?;
                attribute(wire, names, &mut told.attributes)?;
            }
            9 => told.trace = hex(wire)?,
            10 => told.span = hex(wire)?,
            11 => observed = nanos(wire)?,
            12 => told.event = Some(short(wire)?),
            _ => {}
        }
    }
    if told.start == 0 {
        told.start = observed;
    }
    told.event.get_or_insert_default();
    Ok(told)
}

/// Before records had a field for it, the name of their event was an attribute.
fn named(wire: Wire<'_>, told: &mut Told) -> Result<(), Unread> {
    if told.event.is_none()
        && let (Some("event.name"), Some(Value::Text(name))) = pair(wire)?
    {
        told.event = Some(name);
    }
    Ok(())
}

fn attribute(wire: Wire<'_>, names: &Names, to: &mut Attributes) -> Result<(), Unread> {
    if let (Some(key), value) = pair(wire)?
        && Attributes::wants(key, names)
    {
        to.take(key, value, names);
    }
    Ok(())
}

/// A `KeyValue`: its key, and its value if it is one that may be kept.
fn pair(wire: Wire<'_>) -> Result<(Option<&str>, Option<Value>), Unread> {
    let (mut key, mut value) = (None, None);
    for field in Fields::of(wire.bytes().map_err(|_| malformed())?) {
        match field.map_err(|_| malformed())? {
            (1, wire) => key = Some(wire.text().map_err(|_| malformed())?),
            (2, wire) => value = any(wire)?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// An `AnyValue`.
fn any(wire: Wire<'_>) -> Result<Option<Value>, Unread> {
    let mut value = None;
    for field in Fields::of(wire.bytes().map_err(|_| malformed())?) {
        value = match field.map_err(|_| malformed())? {
            (1, wire) => Value::text(wire.text().map_err(|_| malformed())?),
            (2, Wire::Varint(truth)) => Some(Value::Bool(truth != 0)),
            (3, Wire::Varint(number)) => Some(Value::Int(number.cast_signed())),
            (4, Wire::Eight(bytes)) => Some(Value::Float(f64::from_le_bytes(bytes))),
            (5, wire) => list(wire)?,
            _ => None,
        };
    }
    Ok(value)
}

/// An `ArrayValue` of texts.
fn list(wire: Wire<'_>) -> Result<Option<Value>, Unread> {
    let mut texts = Vec::new();
    each(wire.bytes().map_err(|_| malformed())?, 1, |element| {
        each(element, 1, |text| {
            let text = std::str::from_utf8(text).map_err(|_| malformed())?;
            // One above the bound shows that it is exceeded.
            if texts.len() <= MAX_ITEMS {
                texts.push(text);
            }
            Ok(())
        })
    })?;
    Ok(Value::texts(texts.into_iter()))
}

fn nanos(wire: Wire<'_>) -> Result<u64, Unread> {
    match wire {
        Wire::Eight(bytes) => Ok(u64::from_le_bytes(bytes)),
        Wire::Varint(_) | Wire::Four(_) | Wire::Bytes(_) => Err(malformed()),
    }
}

/// The name of an event; a long one is none that is known.
fn short(wire: Wire<'_>) -> Result<Box<str>, Unread> {
    let text = wire.text().map_err(|_| malformed())?;
    Ok(if text.len() <= 64 {
        text.into()
    } else {
        "".into()
    })
}

/// An id of 8 or 16 bytes in hex, as JSON has it.
fn hex(wire: Wire<'_>) -> Result<Box<str>, Unread> {
    use std::fmt::Write as _;
    let bytes = wire.bytes().map_err(|_| malformed())?;
    if bytes.len() > 16 {
        return Err(malformed());
    }
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text.into())
}

/// An export's answer: with a partial success, if anything was refused.
pub(super) fn answer(refused: u64, why: &str) -> Vec<u8> {
    if refused == 0 {
        return Vec::new();
    }
    let mut partial = vec![0x08];
    varint(refused, &mut partial);
    text(2, why, &mut partial);
    let mut answer = vec![0x0a];
    varint(partial.len() as u64, &mut answer);
    answer.extend(partial);
    answer
}

/// A `google.rpc.Status` with a message.
pub(super) fn status(why: &str) -> Vec<u8> {
    let mut status = Vec::new();
    text(2, why, &mut status);
    status
}

fn text(number: u8, text: &str, to: &mut Vec<u8>) {
    to.push(number << 3 | 2);
    varint(text.len() as u64, to);
    to.extend(text.as_bytes());
}

fn varint(mut number: u64, to: &mut Vec<u8>) {
    while number >= 0x80 {
        let [low, ..] = number.to_le_bytes();
        to.push(low | 0x80);
        number >>= 7;
    }
    let [last, ..] = number.to_le_bytes();
    to.push(last);
}
