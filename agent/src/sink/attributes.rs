//! The attributes of a `CloudEvent` (version 1.0), wherever they stand: in headers of the HTTP request
//! (binary mode) or in a JSON object (structured mode). Only those that are read are kept.

use std::borrow::Cow;

use clause9_shared::time::Timestamp;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A value of an extension, which may be written as a text or as a number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Text<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Number(u64),
}

impl Text<'_> {
    fn into_string(self) -> String {
        match self {
            Self::Text(text) => text.into_owned(),
            Self::Number(number) => number.to_string(),
        }
    }
}

/// An event in structured mode, or as a line of a log.
#[derive(Debug, Deserialize)]
pub(super) struct Structured<'a> {
    #[serde(borrow, default)]
    specversion: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    r#type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) datacontenttype: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) data_base64: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    inferenceservicename: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    requestid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    correlationid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    statuscode: Option<Text<'a>>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
}

/// What is read of an event's attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) id: String,
    pub(super) source: String,
    pub(super) kind: String,
    pub(super) time: Option<Timestamp>,
    pub(super) service: Option<Box<str>>,
    /// Seldon's id of the request.
    pub(super) request: Option<String>,
    /// Azure's id of the request.
    pub(super) correlation: Option<String>,
    /// How the server answered, if the logger says so.
    pub(super) status: Option<StatusCode>,
    /// The `x-request-id` of the request, if the logger was told to keep it.
    pub(super) header_id: Option<String>,
}

impl Attributes {
    /// Those in the headers of a request; none if it is no event in binary mode.
    pub(super) fn of_headers(headers: &HeaderMap) -> Option<Result<Self, String>> {
        let version = headers.get("ce-specversion")?.to_str().unwrap_or("");
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let read = || {
            good_version(version)?;
            Ok(Self {
                id: needed("ce-id", text("ce-id"))?,
                source: needed("ce-source", text("ce-source"))?,
                kind: needed("ce-type", text("ce-type"))?,
                time: time(text("ce-time"))?,
                service: text("ce-inferenceservicename")
                    .filter(|name| !name.is_empty())
                    .map(Into::into),
                request: text("ce-requestid").map(str::to_owned),
                correlation: text("ce-correlationid").map(str::to_owned),
                status: text("ce-statuscode").and_then(|code| code.parse().ok()),
                header_id: text("ce-metadata").and_then(kept_id),
            })
        };
        Some(read())
    }

    /// Those in a JSON object.
    pub(super) fn of_object(event: &mut Structured<'_>) -> Result<Self, String> {
        good_version(event.specversion.as_deref().unwrap_or(""))?;
        let metadata = event.metadata.map(|raw| match raw.get() {
            text if text.starts_with('"') => serde_json::from_str(text).unwrap_or_default(),
            text => text.to_owned(),
        });
        let status = event.statuscode.take().map(Text::into_string);
        Ok(Self {
            id: needed("id", event.id.as_deref())?,
            source: needed("source", event.source.as_deref())?,
            kind: needed("type", event.r#type.as_deref())?,
            time: time(event.time.as_deref())?,
            service: event
                .inferenceservicename
                .as_deref()
                .filter(|name| !name.is_empty())
                .map(Into::into),
            request: event.requestid.as_deref().map(str::to_owned),
            correlation: event.correlationid.as_deref().map(str::to_owned),
            status: status.and_then(|code| code.parse().ok()),
            header_id: metadata.as_deref().and_then(kept_id),
        })
    }
}

fn good_version(version: &str) -> Result<(), String> {
    match version {
        "1.0" | "0.3" => Ok(()),
        "" => Err("there is no `specversion`; send CloudEvents 1.0".into()),
        _ => Err("`specversion` is not 1.0".into()),
    }
}

fn needed(name: &str, value: Option<&str>) -> Result<String, String> {
    let value = value.unwrap_or("");
    if value.is_empty() || value.len() > super::MAX_ID {
        return Err(format!(
            "the event's `{name}` must have 1 to {} bytes",
            super::MAX_ID
        ));
    }
    Ok(value.to_owned())
}

fn time(text: Option<&str>) -> Result<Option<Timestamp>, String> {
    let parsed = text.filter(|text| !text.is_empty()).map(str::parse);
    parsed
        .transpose()
        .map_err(|_| "the event's time is not a time of RFC 3339".into())
}

/// The `x-request-id` among the headers that a logger kept: a map of names to lists of values.
fn kept_id(metadata: &str) -> Option<String> {
    let kept: std::collections::BTreeMap<String, Vec<String>> =
        serde_json::from_str(metadata).ok()?;
    let mut ids = kept
        .into_iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("x-request-id"));
    ids.next()?.1.into_iter().next()
}
