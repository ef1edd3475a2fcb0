//! Deliveries read: what a body with its headers holds, whichever way it came. Each item that cannot be
//! read is named; a body that holds none at all is told by why.

use bytes::Bytes;
use clause9_shared::outcomes;
use clause9_shared::time::Clock;
use clause9_shared::window::UndecodableReason;
use http::{HeaderMap, header};

use crate::decode::unpacked_within;
use crate::sink::{Item, Naming, events, records};

/// What was read of a delivery: each item or why it is none.
pub(super) type Read = Vec<Result<Vec<Item>, String>>;

/// Why nothing of a delivery can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is of a type, or packed in a way, that is not read.
    Unsupported(String),
    /// It is longer than may be once it is unpacked.
    TooLong(String),
    /// It is not what its type says.
    Malformed(String),
}

/// Events and lines of logs.
pub(super) fn events(head: &HeaderMap, body: Bytes, most: usize) -> Result<Read, Unread> {
    // In this mode the body, packed or not, is the model server's own.
    if let Some(event) = events::binary(head, &body) {
        return Ok(vec![event]);
    }
    let what = "an event (ce-* headers, application/cloudevents+json, application/cloudevents-batch+json) or lines of a log (application/x-ndjson)";
    let lines = has_lines(head, what)?;
    let body = unpacked(head, body, most)?;
    let objects = records::split(text(&body)?, lines).map_err(Unread::Malformed)?;
    Ok(objects.into_iter().map(events::object).collect())
}

/// Cases with their features by name.
pub(super) fn records(
    head: &HeaderMap,
    body: Bytes,
    most: usize,
    naming: &Naming,
) -> Result<Read, Unread> {
    let what = "application/x-ndjson (a record on each line) or application/json (one, or a list)";
    let lines = has_lines(head, what)?;
    let body = unpacked(head, body, most)?;
    let objects = records::split(text(&body)?, lines).map_err(Unread::Malformed)?;
    let read = |object| records::record(object, naming).map(|item| vec![item]);
    Ok(objects.into_iter().map(read).collect())
}

/// Late labels and attributes.
#[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "topics have them"))]
pub(super) fn outcomes(head: &HeaderMap, body: Bytes, most: usize) -> Result<Read, Unread> {
    let what =
        "application/x-ndjson (an outcome on each line) or application/json (one, or a list)";
    let lines = has_lines(head, what)?;
    let body = unpacked(head, body, most)?;
    let objects = records::split(text(&body)?, lines).map_err(Unread::Malformed)?;
    let read = |object: &str| {
        // When it became known may be told by what it came in.
        let outcome = outcomes::one(object.as_bytes(), Clock::Live)?;
        Ok(vec![Item::Outcome(Box::new(outcome))])
    };
    Ok(objects.into_iter().map(read).collect())
}

/// Whether a body of JSON has an object on each line.
fn has_lines(head: &HeaderMap, what: &str) -> Result<bool, Unread> {
    match media(head).as_str() {
        "application/json"
        | "application/cloudevents+json"
        | "application/cloudevents-batch+json" => Ok(false),
        "application/x-ndjson" | "application/jsonl" | "application/jsonlines" => Ok(true),
        _ => Err(Unread::Unsupported(format!("send {what}"))),
    }
}

/// The media type, without parameters.
pub(super) fn media(head: &HeaderMap) -> String {
    let kind = head.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|value| value.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    kind.to_ascii_lowercase()
}

/// A body without its content encoding, of so many bytes at most.
pub(super) fn unpacked(head: &HeaderMap, body: Bytes, most: usize) -> Result<Bytes, Unread> {
    let Some(encoding) = head.get(header::CONTENT_ENCODING) else {
        return Ok(body);
    };
    unpacked_within(encoding.as_bytes(), body, most).map_err(|reason| match reason {
        UndecodableReason::Unsupported => Unread::Unsupported(
            "this content-encoding is not read; send gzip, deflate, zstd, br or none".into(),
        ),
        UndecodableReason::Oversized => Unread::TooLong(format!(
            "unpacked, the body is longer than {most} bytes, or than a hundred times what was sent"
        )),
        UndecodableReason::Malformed
        | UndecodableReason::Truncated
        | UndecodableReason::UnknownModel
        | UndecodableReason::UpstreamError
        | UndecodableReason::SchemaMismatch => {
            Unread::Malformed("the body is not what its content-encoding says".into())
        }
    })
}

/// A body as text.
fn text(body: &Bytes) -> Result<&str, Unread> {
    let text = std::str::from_utf8(body);
    text.map_err(|_| Unread::Malformed("the body is no text in UTF-8".into()))
}
