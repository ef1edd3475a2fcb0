//! Section `otlp`, as it is written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clause9_shared::time::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A collector of OpenTelemetry's protocol that is told what this program shows, beside everything else (docs/otlp.md). `{}`
/// switches it on; what is not written is taken from the environment (`OTEL_EXPORTER_OTLP_*`), else from the defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtlpConfig {
    /// Where it listens: `http://HOST:PORT` or `https://HOST:PORT`, with a path before `/v1/metrics` if it has one. Default:
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, or `http://localhost:4318` (`:4317` for `grpc`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// `http/protobuf` or `grpc`. Default: `OTEL_EXPORTER_OTLP_PROTOCOL`, or `http/protobuf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Headers of every request, each with the file that holds its value; the file's last line end does not count. Beyond this
    /// machine over `https` only. Default: `OTEL_EXPORTER_OTLP_HEADERS`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, PathBuf>,
    /// How long a request may take, connecting included. Default: `OTEL_EXPORTER_OTLP_TIMEOUT`, or `10s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// How often figures are sent although none changed; of no use to an agent, which tells none. Default: `OTEL_METRIC_EXPORT_INTERVAL`,
    /// or `60s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Span>,
    /// How it is reached by TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<OtlpTlsConfig>,
    /// Attributes of the resource, beside `service.name` and `service.version`. They come before those of
    /// `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resource: BTreeMap<String, String>,
    /// Events that may wait, and spans, at most each: 1 to 100000. Default: 2048.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<usize>,
    /// Spans of the program's own work. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces: Option<TracesConfig>,
}

impl OtlpConfig {
    /// The paths in it, to be resolved.
    pub fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let roots = self.tls.as_mut().and_then(|tls| tls.roots.as_mut());
        self.headers.values_mut().chain(roots)
    }
}

/// TLS to the receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtlpTlsConfig {
    /// File with the certificates of whom to trust, in PEM. Default: `OTEL_EXPORTER_OTLP_CERTIFICATE`, or whom the system
    /// trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots: Option<PathBuf>,
}

/// Spans of the program's own work: how long steps took, never what was in them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TracesConfig {
    /// Share of the traces that begin here that is kept: 0 to 1. A trace that others began is kept as they decided.
    pub ratio: f64,
}

/// How requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    /// Protocol Buffers over HTTP/1.1.
    #[serde(rename = "http/protobuf")]
    Http,
    /// gRPC.
    #[serde(rename = "grpc")]
    Grpc,
}
