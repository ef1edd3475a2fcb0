//! OpenTelemetry's protocol as a way in: spans of language models become the same rows as their decoded
//! traffic, and results of evaluations labels. Both encodings over HTTP, and gRPC. What else is sent is taken and
//! said to be of no use here; no text of a prompt, an answer or an explanation is kept.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use crate::sink::reading::{self, Read, Unread};

mod genai;
pub(super) mod grpc;
mod json;
mod wire;

pub use genai::Names;
use genai::Told;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    /// That of a path.
    pub(super) fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/v1/traces" => Self::Traces,
            "/v1/metrics" => Self::Metrics,
            "/v1/logs" => Self::Logs,
            _ => return None,
        })
    }

    /// The word of telemetry.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }

    /// What the count of refused items is called in answers.
    const fn rejected(self) -> &'static str {
        match self {
            Self::Traces => "rejectedSpans",
            Self::Metrics => "rejectedDataPoints",
            Self::Logs => "rejectedLogRecords",
        }
    }
}

/// How requests and answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Protobuf,
}

impl Form {
    /// That of a request.
    pub(super) fn of(head: &HeaderMap) -> Result<Self, Unread> {
        match reading::media(head).as_str() {
            "application/json" => Ok(Self::Json),
            "application/x-protobuf" => Ok(Self::Protobuf),
            _ => Err(Unread::Unsupported(
                "send application/x-protobuf or application/json".into(),
            )),
        }
    }

    /// The media type of the answer.
    pub(super) const fn media(self) -> HeaderValue {
        match self {
            Self::Json => HeaderValue::from_static("application/json"),
            Self::Protobuf => HeaderValue::from_static("application/x-protobuf"),
        }
    }
}

/// What a request holds.
#[derive(Debug, Default)]
pub(super) struct Export {
    /// Inferences and results of evaluations, or why they are none.
    pub(super) read: Read,
    /// Spans, log records and requests of metrics that mean nothing here.
    pub(super) unused: u64,
}

/// Reads a request.
pub(super) fn read(
    signal: Signal,
    form: Form,
    head: &HeaderMap,
    body: Bytes,
    most: usize,
    names: &Names,
) -> Result<Export, Unread> {
    let body = reading::unpacked(head, body, most)?;
    let told: Vec<Told> = match (signal, form) {
        // Their cells have edges of their own, for which summaries have no place.
        (Signal::Metrics, _) => {
            let unused = u64::from(!body.is_empty());
            return Ok(Export {
                read: Vec::new(),
                unused,
            });
        }
        (Signal::Traces, Form::Json) => json::spans(&body, names)?,
        (Signal::Traces, Form::Protobuf) => wire::spans(&body, names)?,
        (Signal::Logs, Form::Json) => json::records(&body, names)?,
        (Signal::Logs, Form::Protobuf) => wire::records(&body, names)?,
    };
    let mut export = Export::default();
    for one in told {
        match one.item(names) {
            Ok(None) => export.unused += 1,
            Ok(Some(item)) => export.read.push(Ok(vec![item])),
            Err(why) => export.read.push(Err(why)),
        }
    }
    Ok(export)
}

/// The answer's body: how many were refused, and why.
pub(super) fn answer(signal: Signal, form: Form, refused: u64, why: &str) -> Vec<u8> {
    match form {
        Form::Json if refused == 0 => b"{}".to_vec(),
        Form::Json => {
            let of =
                serde_json::json!({ signal.rejected(): refused.to_string(), "errorMessage": why });
            serde_json::json!({ "partialSuccess": of })
                .to_string()
                .into_bytes()
        }
        Form::Protobuf => wire::answer(refused, why),
    }
}

/// The body of an answer that refuses the whole request: a `google.rpc.Status`.
pub(super) fn problem(form: Form, why: &str) -> Vec<u8> {
    match form {
        Form::Json => serde_json::json!({ "message": why })
            .to_string()
            .into_bytes(),
        Form::Protobuf => wire::status(why),
    }
}

#[cfg(test)]
mod tests;
