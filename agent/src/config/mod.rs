//! What people write to run an agent: one YAML file, one section per file here. Paths are relative
//! to the configuration file. What it means is worked out in [`plan`].

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clause9_shared::ids::SystemId;
use clause9_shared::time::Clock;
use clause9_shared::yaml::{self, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod collector_kafka;
mod drain;
mod export;
mod kafka;
mod limits;
mod otlp;
mod outcomes;
mod plan;
mod protocols;
mod pull;
mod sampling;
mod sink;
mod tls;
mod upstream;

pub use collector_kafka::CollectorKafkaConfig;
pub use drain::DrainConfig;
#[cfg(feature = "kafka")]
pub(crate) use kafka::{Access, Wrong};
pub use kafka::{Content, KafkaConfig, KafkaTlsConfig, Mechanism, SaslConfig, Start, TopicConfig};
pub use limits::LimitsConfig;
pub use otlp::{Meaning, OtlpConfig};
pub use outcomes::OutcomesConfig;
pub(crate) use plan::CAPPED_STRATA;
pub(crate) use plan::collector;
pub use plan::{AgentPlan, Objectives, PlanProblem};
pub use protocols::ProtocolConfig;
pub use pull::PullConfig;
pub use sampling::{CapConfig, SamplingConfig};
pub use sink::SinkConfig;
pub use tls::{CollectorTlsConfig, TlsConfig, UpstreamTlsConfig};
pub use upstream::{Place, Speaks, Upstream, upstream};

/// The agent's configuration file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// Where clients connect: address and port of the data path. They may speak HTTP/1.1 or HTTP/2,
    /// gRPC included. If the agent is handed a listening socket (systemd's `LISTEN_FDS`), it takes
    /// that one instead. Left out together with `upstream`, there is no proxy, and what is known of the
    /// traffic comes in by the `sink`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub listen: Option<SocketAddr>,
    /// A Unix socket where clients may connect, too, without TLS. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen_unix: Option<PathBuf>,
    /// Who clients see. With this, `listen` takes TLS only (1.2 and 1.3), and HTTP/2 from clients that
    /// ask for it by ALPN. Both files are looked at every 10 seconds and on SIGHUP: if they changed and
    /// fit together, new connections get the new ones and old connections live on; else the old ones
    /// stay and the log says why. Default: no TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
    /// The model server: `http://127.0.0.1:9000` (HTTP/1.1; gRPC goes there as HTTP/2),
    /// `h2c://127.0.0.1:9000` (HTTP/2 for every request), `https://model:443` (TLS; HTTP/2 for
    /// requests that came so, if the server speaks it), `unix:/run/model.sock` or
    /// `unix+h2c:/run/model.sock`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// Whom to trust behind `https://`.
    #[serde(default)]
    pub upstream_tls: UpstreamTlsConfig,
    /// The objectives file of the AI system. Left out together with `baseline`, both are pulled from the
    /// collector, and `system` says whose. A file wins: with one, the collector is not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objectives: Option<PathBuf>,
    /// The baseline file of the AI system, as `clause9 baseline` wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<PathBuf>,
    /// The AI system's name. Needed if `objectives` and `baseline` are left out; else it has to be the
    /// one that stands in the objectives file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemId>,
    /// How objectives and baseline are pulled, where they are no files.
    #[serde(default, skip_serializing_if = "PullConfig::is_usual")]
    pub pull: PullConfig,
    /// Base address of the collector. Without one, the agent measures and serves /metrics only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collector: Option<String>,
    /// Whom to trust at a collector behind `https://`, and what to show there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub collector_tls: CollectorTlsConfig,
    /// Batches travel by topics of Kafka in place of requests to `collector`, which then serves for outcomes alone
    /// (`outcomes.forward`) and may be left out. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collector_kafka: Option<CollectorKafkaConfig>,
    /// Where /live, /ready, /metrics and /status are served. Default: 127.0.0.1:9301.
    #[serde(default = "default_admin")]
    #[schemars(with = "String")]
    pub admin: SocketAddr,
    /// Where late labels and attributes come in.
    #[serde(default)]
    pub outcomes: OutcomesConfig,
    /// A second door, for what is told about inferences by other ways than the proxy: inference logs,
    /// records, mirrored requests. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<SinkConfig>,
    /// A collector of OpenTelemetry's protocol that is told of the agent's own work: spans of each step by which batches reach
    /// the collector (docs/otlp.md). Needs `traces`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otlp: Option<clause9_otlp::OtlpConfig>,
    /// Folder for the agent's key and for batches not yet stored. Default: ./clause9-state.
    #[serde(default = "default_state_dir")]
    pub state_dir: PathBuf,
    /// File with the system's secret key (64 hex digits), the same for all replicas of the system.
    /// Without one, `system.key` in the state folder, created if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_key_file: Option<PathBuf>,
    /// Which clock panes run on. Default: live.
    #[serde(default)]
    pub clock: Clock,
    /// A request header with the time of arrival in RFC 3339. Set it only if clients are trusted
    /// with it: they choose the pane. Default: none, the agent's own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time_header: Option<String>,
    /// Protocols of one's own, over JSON, beside those that are known (docs/protocols.md). Each has a
    /// `path`, as `/score` or `/api/*/score` where `*` is any one segment; a `model`, as it is called in
    /// the objectives file; and JSON Pointers (RFC 6901) to the `rows` in the request and the `answers`
    /// in the answer, each the whole body by default. Values stand under the names that rows have. At
    /// most 16. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protocols: Vec<ProtocolConfig>,
    /// Which exchanges are kept.
    #[serde(default)]
    pub sampling: SamplingConfig,
    /// Bounds on memory and disk; what exceeds one is let go and counted.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// How the agent ends after SIGTERM: not ready at once, serving on for a while, then finishing
    /// what is under way.
    #[serde(default)]
    pub drain: DrainConfig,
    /// Worker threads of the data path. Default: one per available core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
}

fn is_default(tls: &CollectorTlsConfig) -> bool {
    *tls == CollectorTlsConfig::default()
}

fn default_admin() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9301))
}

fn default_state_dir() -> PathBuf {
    PathBuf::from("clause9-state")
}

/// Why a configuration was not read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not a configuration.
    #[error(transparent)]
    Text(#[from] Problem),
}

impl AgentConfig {
    /// Whether batches go anywhere.
    pub const fn ships(&self) -> bool {
        self.collector.is_some() || self.collector_kafka.is_some()
    }

    /// Reads a file and resolves its paths against the file's folder.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let name = path
            .file_name()
            .map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let config = yaml::from_str::<Self>(&name, &text)?.value;
        Ok(config.resolved(path.parent().unwrap_or(Path::new("."))))
    }

    /// The same configuration with paths resolved against a folder.
    #[must_use]
    pub fn resolved(mut self, folder: &Path) -> Self {
        self.state_dir = folder.join(&self.state_dir);
        let tls = self.tls.as_mut();
        let tls = tls
            .into_iter()
            .flat_map(|t| [&mut t.certificate, &mut t.key]);
        let sink = self.sink.as_mut().into_iter().flat_map(|sink| {
            let kafka = sink.kafka.as_mut().into_iter();
            let token = sink.token_file.as_mut();
            token.into_iter().chain(kafka.flat_map(KafkaConfig::paths))
        });
        let others = [
            &mut self.objectives,
            &mut self.baseline,
            &mut self.system_key_file,
            &mut self.outcomes.token_file,
            &mut self.listen_unix,
            &mut self.upstream_tls.roots,
            &mut self.collector_tls.roots,
            &mut self.collector_tls.certificate,
            &mut self.collector_tls.key,
        ];
        let route = self.collector_kafka.as_mut().into_iter();
        let route = route.flat_map(CollectorKafkaConfig::paths);
        let otlp = self.otlp.as_mut().into_iter();
        let otlp = otlp.flat_map(clause9_otlp::OtlpConfig::paths);
        for path in others
            .into_iter()
            .flatten()
            .chain(tls)
            .chain(sink)
            .chain(route)
            .chain(otlp)
        {
            *path = folder.join(&path);
        }
        self
    }
}

#[cfg(test)]
mod tests;
