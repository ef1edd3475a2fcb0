//! One record of a topic read: its headers as those of a delivery (the Kafka binding of `CloudEvents`,
//! and what Seldon's logger writes), its value as that delivery's body, its time for what has none.

use bytes::Bytes;
use clause9_shared::time::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::config::Content;
use crate::sink::reading::{self, Read, Unread};
use crate::sink::{Item, Naming};

/// Most bytes of a record's headers, names and values together.
const MAX_HEADERS: usize = 64 << 10;

/// Why a record is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Poison {
    /// It has no value, as records that delete others.
    Empty,
    /// It is longer than a delivery may be.
    TooLong,
    /// Its headers are longer than may be.
    Headers,
    /// It is of a type that is not read.
    Unsupported,
    /// It is not what its type or its topic says.
    Malformed,
    /// The program failed at it.
    Failed,
}

impl Poison {
    /// The word of telemetry.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::Headers => "headers",
            Self::Unsupported => "unsupported",
            Self::Malformed => "malformed",
            Self::Failed => "failed",
        }
    }
}

/// A record as it came.
#[derive(Debug)]
pub(super) struct Raw<'a> {
    pub(super) headers: Vec<(&'a str, &'a [u8])>,
    pub(super) value: Option<&'a [u8]>,
    /// When it was written, as producer or broker say.
    pub(super) at: Option<Timestamp>,
}

/// What a record holds, or why it is skipped, with words that name no value.
pub(super) fn read(
    raw: &Raw<'_>,
    content: Content,
    most: usize,
    naming: &Naming,
) -> Result<Read, (Poison, String)> {
    let value = raw.value.filter(|value| !value.is_empty());
    let value = value.ok_or((Poison::Empty, "it has no value".to_owned()))?;
    if value.len() > most {
        let why = format!("it has more than {most} bytes");
        return Err((Poison::TooLong, why));
    }
    let head = head(&raw.headers)?;
    let body = Bytes::copy_from_slice(value);
    let read = match content {
        Content::Events => reading::events(&head, body, most),
        Content::Records => reading::records(&head, body, most, naming),
        Content::Outcomes => reading::outcomes(&head, body, most),
    };
    let mut read = read.map_err(|why| match why {
        Unread::Unsupported(why) => (Poison::Unsupported, why),
        Unread::TooLong(why) => (Poison::TooLong, why),
        Unread::Malformed(why) => (Poison::Malformed, why),
    })?;
    if read.iter().all(Result::is_err) {
        let first = read.into_iter().next().and_then(Result::err);
        let why = first.unwrap_or_else(|| "there is nothing in it".into());
        return Err((Poison::Malformed, why));
    }
    if let Some(at) = raw.at {
        for item in read.iter_mut().flatten().flatten() {
            date(item, at);
        }
    }
    Ok(read)
}

/// The headers that are read, by the names that they have in HTTP.
fn head(headers: &[(&str, &[u8])]) -> Result<HeaderMap, (Poison, String)> {
    let length = headers.iter().map(|(name, value)| name.len() + value.len());
    if length.sum::<usize>() > MAX_HEADERS {
        let why = format!("its headers have more than {MAX_HEADERS} bytes");
        return Err((Poison::Headers, why));
    }
    let mut head = HeaderMap::new();
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        let name = match name.strip_prefix("ce_") {
            Some(attribute) => format!("ce-{attribute}"),
            None => name,
        };
        let parsed = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value));
        // Headers of other programs may be anything.
        if let (Ok(name), Ok(value)) = parsed
            && !head.contains_key(&name)
        {
            head.append(name, value);
        }
    }
    if !head.contains_key("ce-specversion") {
        of_seldon(&mut head);
    }
    if !head.contains_key("ce-specversion") && !head.contains_key(header::CONTENT_TYPE) {
        head.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
    }
    Ok(head)
}

/// Seldon Core 1 writes the attributes of its events without the prefix that the binding asks for.
fn of_seldon(head: &mut HeaderMap) {
    let is_event = |kind: &HeaderValue| kind.as_bytes().starts_with(b"io.seldon.serving.");
    let Some(kind) = head.get("type").filter(|kind| is_event(kind)).cloned() else {
        return;
    };
    let id = head.get("requestid").cloned();
    let service = head.get("inferenceservicename").cloned();
    for (name, value) in [
        ("ce-specversion", Some(HeaderValue::from_static("1.0"))),
        ("ce-source", Some(HeaderValue::from_static("seldon"))),
        ("ce-type", Some(kind)),
        ("ce-id", id.clone()),
        ("ce-requestid", id),
        ("ce-inferenceservicename", service),
    ] {
        if let Some(value) = value {
            head.insert(HeaderName::from_static(name), value);
        }
    }
}

/// Gives an item the record's time where it has none of its own.
fn date(item: &mut Item, at: Timestamp) {
    match item {
        Item::Half(half) => half.at = half.at.or(Some(at)),
        Item::Whole(whole) => whole.at = whole.at.or(Some(at)),
        Item::Record(record) => {
            record.at = record.at.or(Some(at));
            if let Some(outcome) = &mut record.outcome {
                outcome.available_at = outcome.available_at.or(Some(at));
            }
        }
        Item::Outcome(outcome) => outcome.available_at = outcome.available_at.or(Some(at)),
    }
}
