//! OpenTelemetry's protocol (OTLP 1) as a way out: figures, events and spans go to a collector of other people, beside
//! everything else and never in its way.
//!
//! Core (pure): [`message`] (what is sent), [`reply`] (what an answer means), [`pause`], [`trace`]. Shell: [`settings`]
//! (configuration, environment, files), the connection, and [`Export`], whose thread sends; [`Step`] is how spans come
//! about. What somebody hands over is bounded; what is over the bound is dropped and counted by [`Counts`].
//!
//! The messages are `opentelemetry-proto`'s. Not here: which figures there are, and what they are read from.

mod config;
mod connection;
mod environment;
mod exporter;
pub mod message;
pub mod pause;
pub mod reply;
pub mod settings;
mod step;
pub mod trace;
mod waiting;

pub use config::{OtlpConfig, OtlpTlsConfig, Protocol, TracesConfig};
pub use environment::Environment;
pub use exporter::{Export, Exporting};
pub use settings::Settings;
pub use step::Step;

/// What is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// Figures.
    Metrics,
    /// Events.
    Logs,
    /// Spans.
    Traces,
}

impl Signal {
    /// Every signal.
    pub const ALL: [Self; 3] = [Self::Metrics, Self::Logs, Self::Traces];

    /// The word used in labels and in paths of HTTP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Traces => "traces",
        }
    }

    /// Path of the call of gRPC.
    pub(crate) const fn call(self) -> &'static str {
        match self {
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        }
    }
}

/// Why something was not exported and never will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dropped {
    /// Too much waited already.
    QueueFull,
    /// It was in a request that the receiver took, all but this (`partial_success`).
    Rejected,
    /// The receiver refuses the request, and would again.
    Refused,
    /// A figure that could not be sent before a newer one took its place.
    Superseded,
    /// The program ended before it could be sent.
    Ended,
}

impl Dropped {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::QueueFull,
        Self::Rejected,
        Self::Refused,
        Self::Superseded,
        Self::Ended,
    ];

    /// The word used in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::Superseded => "superseded",
            Self::Ended => "ended",
        }
    }
}

/// How a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failed {
    /// Nobody is there, or TLS finds no agreement.
    Connect,
    /// No answer came in time.
    Timeout,
    /// The receiver asks to come again later.
    Busy,
    /// The receiver refuses the request.
    Refused,
    /// The connection broke, or the answer cannot be read.
    Broken,
}

impl Failed {
    /// Every way.
    pub const ALL: [Self; 5] = [
        Self::Connect,
        Self::Timeout,
        Self::Busy,
        Self::Refused,
        Self::Broken,
    ];

    /// The word used in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Busy => "busy",
            Self::Refused => "refused",
            Self::Broken => "broken",
        }
    }
}

/// Who is told what became of what was handed over.
pub trait Counts: Send + Sync + 'static {
    /// So many data points, records or spans were taken by the receiver.
    fn exported(&self, signal: Signal, items: u64);
    /// So many will never be.
    fn dropped(&self, signal: Signal, why: Dropped, items: u64);
    /// A request failed; how often by now in this way.
    fn failed(&self, how: Failed) -> u64;
}
