//! What a configuration means after every file it names was read and checked. Only this is passed
//! on to `build`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clause9_shared::baseline::Baseline;
use clause9_shared::ids::SystemId;
use clause9_shared::objective::{self, Document};
use clause9_shared::plan::{CapturePlan, PlanError};
use clause9_shared::time::{Clock, Span};
use clause9_shared::yaml::Problem;
use http::{HeaderName, HeaderValue};

use crate::capture::tls::{Certificates, TlsProblem};
use crate::config::export::exported;
use crate::config::protocols::MAX_PROTOCOLS;
use crate::config::upstream::{Upstream, upstream};
use crate::config::{AgentConfig, SinkConfig};
use crate::decode::JsonRows;
use crate::ship::Kafka;
use crate::ship::client::{Client, ClientProblem};
use crate::sink::{KAFKA, Reader, Shapes};

/// What is wrong with a bound on sampling where groups have rates of their own.
pub(crate) const CAPPED_STRATA: &str = "cannot lower a rate that groups of the objectives file have of their own; remove it, or `sampled_at_least` there";
/// The longest delivery that can be allowed, in bytes.
const MAX_DELIVERY: usize = 64 << 20;

/// A configuration that can be run.
#[derive(Clone, Debug)]
pub struct AgentPlan {
    /// What was written.
    pub config: AgentConfig,
    /// Where clients connect, and where the model server is; none without a proxy.
    pub upstream: Option<(SocketAddr, Upstream)>,
    /// Who clients see, if they speak TLS.
    pub certificates: Option<Arc<Certificates>>,
    /// Where batches go, and by whom.
    pub collector: Option<(reqwest::Url, Arc<Client>)>,
    /// What is counted and how.
    pub objectives: Objectives,
    /// The trusted header with the time of arrival.
    pub event_time_header: Option<HeaderName>,
    /// Protocols of one's own.
    pub protocols: Vec<JsonRows>,
    /// How events without a path are read.
    pub shapes: Shapes,
    /// Who is told of the agent's own work, if anybody is.
    pub export: Option<clause9_otlp::Settings>,
}

/// Where what is counted is known from.
#[derive(Clone, Debug)]
pub enum Objectives {
    /// Files, read at the start.
    Files(Arc<CapturePlan>),
    /// The collector, which is asked for those of this system.
    Pulled(SystemId),
}

impl Objectives {
    /// What is counted, if that is known without asking.
    pub const fn known(&self) -> Option<&Arc<CapturePlan>> {
        match self {
            Self::Files(capture) => Some(capture),
            Self::Pulled(_) => None,
        }
    }

    /// Which AI system.
    pub fn system(&self) -> &SystemId {
        match self {
            Self::Files(capture) => &capture.document().system.id,
            Self::Pulled(system) => system,
        }
    }
}

/// Why a configuration cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum PlanProblem {
    /// A file it names cannot be read.
    #[error("cannot read the {what} file {}", path.display())]
    Read {
        /// Which key names it.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The objectives file has mistakes.
    #[error("{}", lines(.0))]
    Objectives(Vec<Problem>),
    /// The baseline file is not one.
    #[error("the baseline file {} is not a baseline: {reason}; build it again with `clause9 baseline`", path.display())]
    Baseline {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// TLS cannot be spoken as configured.
    #[error(transparent)]
    Tls(#[from] TlsProblem),
    /// The collector cannot be spoken with as configured.
    #[error(transparent)]
    Client(#[from] ClientProblem),
    /// Objectives and baseline do not fit.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Others cannot be told of the agent's work as configured.
    #[error("{0}")]
    Export(String),
    /// A value is outside what is possible.
    #[error("{key}: {message}")]
    Value {
        /// Which key.
        key: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

pub(super) fn wrong(key: &'static str, message: impl Into<String>) -> PlanProblem {
    PlanProblem::Value {
        key,
        message: message.into(),
    }
}

impl AgentPlan {
    /// Reads what the configuration names and checks that all of it fits together.
    pub fn new(config: AgentConfig) -> Result<Self, PlanProblem> {
        let upstream = path(&config)?;
        let certificates = config.tls.clone().map(Certificates::load).transpose()?;
        let collector = shipping(&config)?;
        check_route(&config)?;
        check_limits(&config)?;
        let export = exported(&config)?;
        let event_time_header = match &config.event_time_header {
            Some(name) => Some(name.parse().map_err(|_| {
                wrong(
                    "event_time_header",
                    format!("`{name}` cannot be a header's name"),
                )
            })?),
            None => None,
        };
        if let Some(kafka) = config.sink.as_ref().and_then(|sink| sink.kafka.as_ref()) {
            Reader::check(kafka).map_err(|(key, message)| wrong(key, message))?;
        }
        let protocols = protocols(&config)?;
        let objectives = counted(&config)?;
        let document = objectives.known().map(|capture| capture.document());
        let shapes = shapes(&config, document)?;
        Ok(Self {
            config,
            upstream,
            certificates: certificates.map(Arc::new),
            collector,
            objectives,
            event_time_header,
            protocols,
            shapes,
            export,
        })
    }

    /// Which clock panes run on.
    pub const fn clock(&self) -> Clock {
        self.config.clock
    }
}

/// The two ends of the proxy.
fn path(config: &AgentConfig) -> Result<Option<(SocketAddr, Upstream)>, PlanProblem> {
    match (&config.listen, &config.upstream, &config.sink) {
        (Some(listen), Some(text), _) => Ok(Some((*listen, upstream(text, &config.upstream_tls)?))),
        (None, None, None) => Err(wrong(
            "listen",
            "is missing, and there is no sink: write `listen` and `upstream` for a proxy, or `sink`",
        )),
        (None, None, Some(_)) if config.listen_unix.is_some() || config.tls.is_some() => {
            Err(wrong(
                "listen",
                "is missing, but needed by `listen_unix` and `tls`; write it, or take these out",
            ))
        }
        (None, None, Some(_)) => Ok(None),
        (Some(_), None, _) => Err(wrong(
            "upstream",
            "is missing; write where the model server is, or take `listen` out for a sink alone",
        )),
        (None, Some(_), _) => Err(wrong(
            "listen",
            "is missing; write where clients connect, or take `upstream` out for a sink alone",
        )),
    }
}

/// What is counted: by files if they are configured, else by what the collector will say.
fn counted(config: &AgentConfig) -> Result<Objectives, PlanProblem> {
    let (document, baseline) = match (&config.objectives, &config.baseline) {
        (Some(document), Some(reference)) => (objectives(document)?, baseline(reference)?),
        (None, None) => return pulled(config).map(Objectives::Pulled),
        (Some(_), None) => {
            let message =
                "is missing; write where the baseline is, or take `objectives` out to pull both";
            return Err(wrong("baseline", message));
        }
        (None, Some(_)) => {
            let message =
                "is missing; write where the objectives are, or take `baseline` out to pull both";
            return Err(wrong("objectives", message));
        }
    };
    if let Some(other) = config.system.as_ref().filter(|s| **s != document.system.id) {
        let message = format!(
            "is `{other}`, and the objectives file is of `{}`; give the file of that system, or take `system` out",
            document.system.id
        );
        return Err(wrong("system", message));
    }
    let capture = Arc::new(CapturePlan::new(&document, &baseline)?.met()?);
    if config.sampling.cap.is_some() && capture.strata().is_some() {
        return Err(wrong("sampling.cap", CAPPED_STRATA));
    }
    Ok(Objectives::Files(capture))
}

/// Whose objectives are pulled, if they can be.
fn pulled(config: &AgentConfig) -> Result<SystemId, PlanProblem> {
    let checked = config.pull.check();
    checked.map_err(|(key, message)| wrong(key, message))?;
    let Some(system) = &config.system else {
        let message =
            "is missing; write where the objectives are, or `system` and `collector` to pull them";
        return Err(wrong("objectives", message));
    };
    if config.collector.is_none() {
        let message =
            "is missing; it is asked for the objectives, or write `objectives` and `baseline`";
        return Err(wrong("collector", message));
    }
    if config.sink.is_some() {
        let message =
            "needs objectives that are known from the start; write `objectives` and `baseline`";
        return Err(wrong("sink", message));
    }
    Ok(system.clone())
}

fn shapes(config: &AgentConfig, document: Option<&Document>) -> Result<Shapes, PlanProblem> {
    let path = config.sink.as_ref().and_then(|sink| sink.path.as_deref());
    let only = match document.map(|d| d.system.models.as_slice()) {
        Some([one]) => Some(one.name.as_str()),
        Some(_) | None => None,
    };
    Shapes::new(path, only).map_err(|message| wrong("sink.path", message))
}

fn protocols(config: &AgentConfig) -> Result<Vec<JsonRows>, PlanProblem> {
    if config.protocols.len() > MAX_PROTOCOLS {
        let message =
            format!("there are more than {MAX_PROTOCOLS}; write one path with `*` for several");
        return Err(wrong("protocols", message));
    }
    let all = config.protocols.iter().map(|one| {
        let read = one.read();
        read.map_err(|message| wrong("protocols", message))
    });
    all.collect()
}

fn read(what: &'static str, path: &Path) -> Result<String, PlanProblem> {
    std::fs::read_to_string(path).map_err(|source| PlanProblem::Read {
        what,
        path: path.to_owned(),
        source,
    })
}

fn objectives(path: &Path) -> Result<Document, PlanProblem> {
    let text = read("objectives", path)?;
    let name = path
        .file_name()
        .map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    objective::load(&name, &text).map_err(PlanProblem::Objectives)
}

fn baseline(path: &Path) -> Result<Baseline, PlanProblem> {
    Baseline::from_json(&read("baseline", path)?).map_err(|e| PlanProblem::Baseline {
        path: path.to_owned(),
        reason: e.to_string(),
    })
}

/// The collector's address, and the client for it.
fn shipping(config: &AgentConfig) -> Result<Option<(reqwest::Url, Arc<Client>)>, PlanProblem> {
    let checked = config.collector_tls.check(config.collector.as_deref());
    checked.map_err(|(key, message)| wrong(key, message))?;
    let Some(text) = config.collector.as_deref() else {
        return Ok(None);
    };
    let url = collector(text)?;
    let client = Client::new(&url, config.collector_tls.clone())?;
    Ok(Some((url, Arc::new(client))))
}

pub(crate) fn collector(text: &str) -> Result<reqwest::Url, PlanProblem> {
    let bad = || {
        wrong(
            "collector",
            format!("`{text}` is not an address; write https://HOST:PORT, or http://HOST:PORT"),
        )
    };
    let with_slash = format!("{}/", text.trim_end_matches('/'));
    let url: reqwest::Url = with_slash.parse().map_err(|_| bad())?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(bad());
    }
    Ok(url)
}

/// The way to the collector by topics.
fn check_route(config: &AgentConfig) -> Result<(), PlanProblem> {
    let Some(route) = &config.collector_kafka else {
        return Ok(());
    };
    if !KAFKA {
        let message =
            "this program was built without it; use one that is built with the feature `kafka`";
        return Err(wrong("collector_kafka", message));
    }
    let checked = route.check(config.listen.is_some());
    let checked = checked.and_then(|()| Kafka::check(route));
    checked.map_err(|(key, message)| wrong(key, message))
}

/// Topics, and that there is some way in.
fn check_topics(config: &AgentConfig, sink: &SinkConfig) -> Result<(), PlanProblem> {
    match (&sink.kafka, sink.listen) {
        (None, None) => {
            let message = "is missing; write where deliveries are posted, or `kafka`";
            return Err(wrong("sink.listen", message));
        }
        (Some(_), _) if !KAFKA => {
            let message =
                "this program was built without it; use one that is built with the feature `kafka`";
            return Err(wrong("sink.kafka", message));
        }
        (Some(_), _)
            if config.upstream.is_some()
                || config.listen.is_some()
                || config.listen_unix.is_some() =>
        {
            let message = "needs an agent of its own, without `listen` and `upstream`: Kafka's client is C code, and \
                           what ends it would end the proxy in the same process";
            return Err(wrong("sink.kafka", message));
        }
        (Some(kafka), _) => {
            let checked = kafka.check();
            checked.map_err(|(key, message)| wrong(key, message))?;
        }
        (None, Some(_)) => {}
    }
    Ok(())
}

fn check_limits(config: &AgentConfig) -> Result<(), PlanProblem> {
    if !(0.0..=1.0).contains(&config.sampling.rate) {
        return Err(wrong("sampling.rate", "must be from 0 to 1"));
    }
    if let Err((key, message)) = config.sampling.check() {
        return Err(wrong(key, message));
    }
    if config.threads == Some(0) {
        return Err(wrong("threads", "must be at least 1"));
    }
    if let Some(sink) = &config.sink {
        check_topics(config, sink)?;
        let checked = sink.otlp.check();
        checked.map_err(|(key, message)| wrong(key, message))?;
        if sink.open && sink.token_file.is_some() {
            let message = "is true, but there is a token_file; take one of them out";
            return Err(wrong("sink.open", message));
        }
        if !(1024..=MAX_DELIVERY).contains(&sink.delivery_bytes) {
            let message = format!("must be from 1024 to {MAX_DELIVERY}");
            return Err(wrong("sink.delivery_bytes", message));
        }
        if sink.joining <= Span::ZERO {
            return Err(wrong("sink.joining", "must be longer than nothing"));
        }
    }
    let limits = &config.limits;
    for (key, value) in [
        ("limits.body_bytes", limits.body_bytes),
        ("limits.queue_exchanges", limits.queue_exchanges),
        ("limits.queue_bytes", limits.queue_bytes),
        ("limits.outbox_bytes", limits.outbox_bytes),
        (
            "limits.remembered_predictions",
            limits.remembered_predictions,
        ),
    ] {
        if value == 0 {
            return Err(wrong(key, "must be at least 1"));
        }
    }
    if limits.body_bytes > limits.queue_bytes {
        return Err(wrong(
            "limits.body_bytes",
            "must not exceed limits.queue_bytes",
        ));
    }
    if config
        .event_time_header
        .as_deref()
        .is_some_and(|h| HeaderValue::from_str(h).is_err())
    {
        return Err(wrong("event_time_header", "must be a header's name"));
    }
    Ok(())
}
