//! The same messages in JSON (opentelemetry-proto's mapping: names in camel case, ids in hex, whole
//! numbers of 64 bits as texts or numbers).

use std::borrow::Cow;

use serde::Deserialize;

use super::genai::{Attributes, Names, Told, Value};
use crate::decode::Few;
use crate::sink::MAX_ITEMS;
use crate::sink::reading::Unread;

/// Most elements of each list.
type List<T> = Few<T, MAX_ITEMS>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Traces<'a> {
    #[serde(borrow, default)]
    resource_spans: List<OfResource<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfResource<'a> {
    #[serde(borrow, default)]
    scope_spans: List<OfScope<'a>>,
}

#[derive(Deserialize)]
struct OfScope<'a> {
    #[serde(borrow, default)]
    spans: List<Span<'a>>,
}

// Ids are asked for, so that no list of empty objects becomes a large memory.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "as the protocol names them")]
struct Span<'a> {
    #[serde(borrow)]
    trace_id: Cow<'a, str>,
    #[serde(borrow)]
    span_id: Cow<'a, str>,
    #[serde(borrow, default)]
    start_time_unix_nano: Option<Whole<'a>>,
    #[serde(borrow, default)]
    end_time_unix_nano: Option<Whole<'a>>,
    #[serde(borrow, default)]
    attributes: List<Pair<'a>>,
    #[serde(borrow, default)]
    events: List<Event<'a>>,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    code: Code,
}

/// A number, or its name.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Code {
    Number(u64),
    Name(String),
    #[default]
    None,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(borrow, default)]
    time_unix_nano: Option<Whole<'a>>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    attributes: List<Pair<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Logs<'a> {
    #[serde(borrow, default)]
    resource_logs: List<LogsOfResource<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogsOfResource<'a> {
    #[serde(borrow, default)]
    scope_logs: List<LogsOfScope<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogsOfScope<'a> {
    #[serde(borrow, default)]
    log_records: List<Record<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Record<'a> {
    #[serde(borrow)]
    time_unix_nano: Option<Whole<'a>>,
    #[serde(borrow)]
    observed_time_unix_nano: Option<Whole<'a>>,
    #[serde(borrow)]
    attributes: List<Pair<'a>>,
    #[serde(borrow)]
    trace_id: Cow<'a, str>,
    #[serde(borrow)]
    span_id: Cow<'a, str>,
    #[serde(borrow)]
    event_name: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Pair<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Any<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "as the protocol names them")]
struct Any<'a> {
    #[serde(borrow)]
    string_value: Option<Cow<'a, str>>,
    bool_value: Option<bool>,
    #[serde(borrow)]
    int_value: Option<Whole<'a>>,
    double_value: Option<f64>,
    #[serde(borrow)]
    array_value: Option<Array<'a>>,
}

#[derive(Deserialize)]
struct Array<'a> {
    #[serde(borrow, default)]
    values: List<Element<'a>>,
}

/// What stands in a list; only texts are read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Element<'a> {
    #[serde(borrow, default)]
    string_value: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Whole<'a> {
    Number(i64),
    Text(#[serde(borrow)] Cow<'a, str>),
}

impl Whole<'_> {
    fn signed(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

/// Nanoseconds, 0 if they are not told.
fn nanos(time: Option<&Whole<'_>>) -> u64 {
    let nanos = time.and_then(Whole::signed);
    nanos
        .and_then(|nanos| u64::try_from(nanos).ok())
        .unwrap_or(0)
}

/// An id in hex, in lower case.
fn id(text: &str) -> Result<Box<str>, Unread> {
    if text.len() > 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Unread::Malformed("an id is not in hex".into()));
    }
    Ok(text.to_ascii_lowercase().into())
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Unread> {
    // A list would be read as the values of an object without its keys.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(Unread::Malformed("not a message but a list".into()));
    }
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let why = format!(
            "the body is not a message of OpenTelemetry's protocol in JSON at line {line}, column {column}"
        );
        Unread::Malformed(why)
    })
}

fn attributes(pairs: &List<Pair<'_>>, names: &Names) -> Attributes {
    let mut all = Attributes::default();
    let wanted = pairs
        .0
        .iter()
        .filter(|pair| Attributes::wants(&pair.key, names));
    for Pair { key, value } in wanted {
        let texts = || {
            let array = value.array_value.as_ref()?;
            let texts = array.values.0.iter();
            Value::texts(texts.filter_map(|one| one.string_value.as_deref()))
        };
        let value = match value {
            Any {
                string_value: Some(text),
                ..
            } => Value::text(text),
            Any {
                bool_value: Some(truth),
                ..
            } => Some(Value::Bool(*truth)),
            Any {
                int_value: Some(number),
                ..
            } => number.signed().map(Value::Int),
            Any {
                double_value: Some(number),
                ..
            } => Some(Value::Float(*number)),
            Any { .. } => texts(),
        };
        all.take(key, value, names);
    }
    all
}

fn push(told: Told, all: &mut Vec<Told>) -> Result<(), Unread> {
    if all.len() >= MAX_ITEMS {
        let why = format!("more than {MAX_ITEMS} items; send fewer at a time");
        return Err(Unread::Malformed(why));
    }
    all.push(told);
    Ok(())
}

/// Spans of an `ExportTraceServiceRequest`, each with its events.
pub(super) fn spans(body: &[u8], names: &Names) -> Result<Vec<Told>, Unread> {
    let traces: Traces<'_> = parse(body)?;
    let scopes = traces
        .resource_spans
        .0
        .iter()
        .flat_map(|r| &r.scope_spans.0);
    let mut all = Vec::new();
    for span in scopes.flat_map(|scope| &scope.spans.0) {
        let code = span.status.as_ref().map(|status| &status.code);
        let told = Told {
            event: None,
            trace: id(&span.trace_id)?,
            span: id(&span.span_id)?,
            around: None,
            start: nanos(span.start_time_unix_nano.as_ref()),
            end: nanos(span.end_time_unix_nano.as_ref()),
            failed: match code {
                Some(Code::Number(code)) => *code == 2,
                Some(Code::Name(name)) => name == "STATUS_CODE_ERROR",
                Some(Code::None) | None => false,
            },
            attributes: attributes(&span.attributes, names),
        };
        let (of_span, of_trace) = (told.span.clone(), told.trace.clone());
        let around: Option<Box<str>> = told.response().map(Into::into);
        push(told, &mut all)?;
        for event in &span.events.0 {
            let told = Told {
                event: Some(event.name.as_ref().into()),
                trace: of_trace.clone(),
                span: of_span.clone(),
                around: around.clone(),
                start: nanos(event.time_unix_nano.as_ref()),
                attributes: attributes(&event.attributes, names),
                ..Told::default()
            };
            push(told, &mut all)?;
        }
    }
    Ok(all)
}

/// Records of an `ExportLogsServiceRequest`.
pub(super) fn records(body: &[u8], names: &Names) -> Result<Vec<Told>, Unread> {
    let logs: Logs<'_> = parse(body)?;
    let scopes = logs.resource_logs.0.iter().flat_map(|r| &r.scope_logs.0);
    let mut all = Vec::new();
    for record in scopes.flat_map(|scope| &scope.log_records.0) {
        let attribute = record
            .attributes
            .0
            .iter()
            .find(|pair| pair.key == "event.name");
        let attribute = attribute.and_then(|pair| pair.value.string_value.as_deref());
        let name = record.event_name.as_deref().or(attribute).unwrap_or("");
        let at = record
            .time_unix_nano
            .as_ref()
            .filter(|time| time.signed() != Some(0));
        let told = Told {
            event: Some(name.into()),
            trace: id(&record.trace_id)?,
            span: id(&record.span_id)?,
            start: nanos(at.or(record.observed_time_unix_nano.as_ref())),
            attributes: attributes(&record.attributes, names),
            ..Told::default()
        };
        push(told, &mut all)?;
    }
    Ok(all)
}
