//! What is sent: figures, events and spans, and the messages of the protocol that carry them. Core.

use clause9_shared::time::Timestamp;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as traces;
use prost::Message as _;

use crate::trace::Context;

/// What an attribute or a figure says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A word.
    Text(String),
    /// A count.
    Count(u64),
    /// A number.
    Number(f64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Attributes, by their names.
pub type Attributes = Vec<(&'static str, Value)>;

/// One figure: a point of a gauge.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Which gauge.
    pub gauge: Named,
    /// Of what.
    pub attributes: Attributes,
    /// What it is.
    pub value: f64,
}

/// A gauge: its name, its unit in UCUM, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: &'static str,
    /// The unit.
    pub unit: &'static str,
    /// What it says.
    pub about: &'static str,
}

/// How grave an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// To be known.
    Info,
    /// To be looked at.
    Warn,
    /// To be acted upon.
    Error,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its kind.
    pub name: &'static str,
    /// When it became so, on the clock of what it is about.
    pub at: Timestamp,
    /// When it was seen, on the wall clock.
    pub seen: Timestamp,
    /// How grave it is.
    pub severity: Severity,
    /// In a few words.
    pub body: String,
    /// What it is about.
    pub attributes: Attributes,
}

/// How a step stands to steps of other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is the program's own affair.
    Internal,
    /// It answers a request.
    Server,
    /// It makes a request.
    Client,
    /// It leaves a message with others.
    Producer,
    /// It takes such a message.
    Consumer,
}

/// A step of the program's own work.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Which trace, and which step.
    pub context: Context,
    /// The step that it follows from.
    pub parent: Option<[u8; 8]>,
    /// What it is.
    pub name: &'static str,
    /// How it stands to steps of other programs.
    pub kind: Kind,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// Whether it failed.
    pub failed: bool,
    /// Further words.
    pub attributes: Attributes,
}

/// Who sends, as every message says it.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    resource: Resource,
    scope: InstrumentationScope,
}

impl Sender {
    pub(crate) fn new(resource: &[(String, String)]) -> Self {
        let attributes = resource
            .iter()
            .map(|(key, text)| pair(key, Any::StringValue(text.clone())))
            .collect();
        Self {
            resource: Resource {
                attributes,
                ..Resource::default()
            },
            scope: InstrumentationScope {
                name: "clause9".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                ..InstrumentationScope::default()
            },
        }
    }

    /// Figures, each with the time at which it was read.
    pub(crate) fn figures(&self, figures: &[(Timestamp, Figure)]) -> Vec<u8> {
        let mut metrics: Vec<Metric> = Vec::new();
        let mut sorted: Vec<_> = figures.iter().collect();
        sorted.sort_by_key(|(_, figure)| figure.gauge.name);
        for of in sorted.chunk_by(|(_, a), (_, b)| a.gauge.name == b.gauge.name) {
            let Some((_, first)) = of.first() else {
                continue;
            };
            let data_points = of.iter().map(|(at, figure)| point(*at, figure)).collect();
            metrics.push(Metric {
                name: first.gauge.name.to_owned(),
                description: first.gauge.about.to_owned(),
                unit: first.gauge.unit.to_owned(),
                data: Some(metric::Data::Gauge(Gauge { data_points })),
                ..Metric::default()
            });
        }
        let scope_metrics = vec![ScopeMetrics {
            scope: Some(self.scope.clone()),
            metrics,
            ..ScopeMetrics::default()
        }];
        let resource_metrics = vec![ResourceMetrics {
            resource: Some(self.resource.clone()),
            scope_metrics,
            ..ResourceMetrics::default()
        }];
        ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
    }

    pub(crate) fn events(&self, events: &[Event]) -> Vec<u8> {
        let scope_logs = vec![ScopeLogs {
            scope: Some(self.scope.clone()),
            log_records: events.iter().map(record).collect(),
            ..ScopeLogs::default()
        }];
        let resource_logs = vec![ResourceLogs {
            resource: Some(self.resource.clone()),
            scope_logs,
            ..ResourceLogs::default()
        }];
        ExportLogsServiceRequest { resource_logs }.encode_to_vec()
    }

    pub(crate) fn spans(&self, spans: &[Span]) -> Vec<u8> {
        let scope_spans = vec![traces::ScopeSpans {
            scope: Some(self.scope.clone()),
            spans: spans.iter().map(span).collect(),
            ..traces::ScopeSpans::default()
        }];
        let resource_spans = vec![traces::ResourceSpans {
            resource: Some(self.resource.clone()),
            scope_spans,
            ..traces::ResourceSpans::default()
        }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }
}

fn point(at: Timestamp, figure: &Figure) -> NumberDataPoint {
    NumberDataPoint {
        attributes: pairs(&figure.attributes),
        time_unix_nano: nanos(at),
        value: Some(number_data_point::Value::AsDouble(figure.value)),
        ..NumberDataPoint::default()
    }
}

fn record(event: &Event) -> LogRecord {
    let (number, text) = match event.severity {
        Severity::Info => (SeverityNumber::Info, "INFO"),
        Severity::Warn => (SeverityNumber::Warn, "WARN"),
        Severity::Error => (SeverityNumber::Error, "ERROR"),
    };
    LogRecord {
        time_unix_nano: nanos(event.at),
        observed_time_unix_nano: nanos(event.seen),
        severity_number: number.into(),
        severity_text: text.to_owned(),
        body: Some(AnyValue {
            value: Some(Any::StringValue(event.body.clone())),
        }),
        attributes: pairs(&event.attributes),
        event_name: event.name.to_owned(),
        ..LogRecord::default()
    }
}

fn span(span: &Span) -> traces::Span {
    let kind = match span.kind {
        Kind::Internal => traces::span::SpanKind::Internal,
        Kind::Server => traces::span::SpanKind::Server,
        Kind::Client => traces::span::SpanKind::Client,
        Kind::Producer => traces::span::SpanKind::Producer,
        Kind::Consumer => traces::span::SpanKind::Consumer,
    };
    let status = span.failed.then(|| traces::Status {
        code: traces::status::StatusCode::Error.into(),
        ..traces::Status::default()
    });
    traces::Span {
        trace_id: span.context.trace.to_vec(),
        span_id: span.context.span.to_vec(),
        parent_span_id: span.parent.map(Vec::from).unwrap_or_default(),
        // Kept.
        flags: 1,
        name: span.name.to_owned(),
        kind: kind.into(),
        start_time_unix_nano: nanos(span.start),
        end_time_unix_nano: nanos(span.end),
        attributes: pairs(&span.attributes),
        status,
        ..traces::Span::default()
    }
}

fn pairs(attributes: &Attributes) -> Vec<KeyValue> {
    let any = |value: &Value| match value {
        Value::Text(text) => Any::StringValue(text.clone()),
        Value::Count(count) => Any::IntValue(i64::try_from(*count).unwrap_or(i64::MAX)),
        Value::Number(number) => Any::DoubleValue(*number),
    };
    attributes
        .iter()
        .map(|(key, value)| pair(key, any(value)))
        .collect()
}

fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// Nanoseconds since 1970. Nothing is older here.
fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.micros()).unwrap_or(0).saturating_mul(1000)
}
