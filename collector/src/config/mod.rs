//! What is configured: the file as written ([`CollectorConfig`]) and what it means once every file
//! that it names was read and fits together ([`CollectorPlan`]). One section per file.

mod agents;
#[cfg(test)]
mod docs;
mod kafka;
mod log;
mod outcomes;
mod systems;
mod tls;
mod tokens;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clause9_otlp::settings::Service;
use clause9_otlp::{Environment, OtlpConfig};
use clause9_shared::canonical;
use clause9_shared::digest::Digest;
use clause9_shared::evidence::note::KeyName;
use clause9_shared::time::Span;
use clause9_shared::yaml::{self, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use agents::{AgentEntry, AgentsFile};
pub(crate) use agents::{MAX_AGENTS, TrustSource};
pub use kafka::{KafkaConfig, KafkaTlsConfig, Mechanism, SaslConfig};
pub use log::{LogConfig, SignerConfig, WitnessConfig};
pub use outcomes::OutcomesConfig;
pub use systems::SystemEntry;
pub use tls::{ClientsConfig, TlsConfig};
pub(crate) use tokens::TokensSource;
pub use tokens::{TokenEntry, TokensFile};

use crate::enrolment::Roll;
use crate::held::Held;
use crate::known::Known;
use crate::log::{Keys, WitnessAt};
use crate::trust::Trusted;

/// Largest configuration, objectives or baseline file that is read, in bytes.
pub const MAX_FILE: u64 = 16 << 20;

/// The collector's configuration file. Paths are relative to the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectorConfig {
    /// Where to listen, for agents and for people alike. Beyond loopback addresses only with `tls`, and if whoever comes
    /// has to show who they are: with `tokens`, or with `tls.clients` that are `required`. Default: `127.0.0.1:9300`.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Folder of the register (`clause9.sqlite`); created if absent. Default: `./clause9-collector`.
    #[serde(default = "default_store")]
    pub store: PathBuf,
    /// The AI systems that are judged: 1 to 1000.
    pub systems: Vec<SystemEntry>,
    /// File with the trusted agents, read again when it changes (looked at every 10 seconds and on SIGHUP). One that does not
    /// fit changes nothing, and the log says why.
    pub agents: PathBuf,
    /// Who connects speaks TLS (1.2 and 1.3) only. Certificate, key and roots are looked at every 10 seconds and on SIGHUP: if
    /// they changed and fit together, new connections get the new ones; else the old ones stay and the log says why.
    /// Default: no TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
    /// File with the tokens by which people and programs show who they are, read again when it changes. Default: none, and
    /// whoever reaches the collector may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<PathBuf>,
    /// How long after a pane's end and lateness silent agents are waited for, on the system's
    /// clock. Then the pane is sealed without them and the gap is recorded. Default: `5m`.
    #[serde(default = "default_seal_grace")]
    pub seal_grace: Span,
    /// How far an agent's clock may be off before its batches are marked `clock_ahead` or
    /// `clock_behind`. Default: `5m`.
    #[serde(default = "default_clock_skew")]
    pub clock_skew: Span,
    /// Outcomes that look for their prediction.
    #[serde(default, skip_serializing_if = "OutcomesConfig::is_default")]
    pub outcomes: OutcomesConfig,
    /// The register as a log that others can check: who signs its checkpoints, and how often.
    #[serde(default, skip_serializing_if = "LogConfig::is_default")]
    pub log: LogConfig,
    /// Topics of Kafka that batches come by, beside requests. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kafka: Option<KafkaConfig>,
    /// A collector of OpenTelemetry's protocol that is told of measurements, verdicts and nonconformities. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otlp: Option<OtlpConfig>,
    /// Folder that relative paths start from.
    #[serde(skip)]
    base: PathBuf,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9300))
}
fn default_store() -> PathBuf {
    PathBuf::from("./clause9-collector")
}
const fn default_seal_grace() -> Span {
    Span::from_secs(300)
}
const fn default_clock_skew() -> Span {
    Span::from_secs(300)
}

/// Why a configuration is not usable. Exit code 78.
#[derive(Debug, thiserror::Error)]
pub enum ConfigProblem {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is longer than any sensible one.
    #[error("{} is longer than {MAX_FILE} bytes; is it the right file?", .0.display())]
    TooLong(PathBuf),
    /// A mistake at a place in a file.
    #[error(transparent)]
    Mistake(#[from] Problem),
    /// Mistakes in an objectives file.
    #[error("{}", lines(.0))]
    Mistakes(Vec<Problem>),
    /// Something that does not fit together.
    #[error("{file}: {message}")]
    Unfit {
        /// The file it is about.
        file: String,
        /// What is wrong and what to do.
        message: String,
    },
}

/// A configuration whose files were read and fit together.
#[derive(Debug)]
pub struct CollectorPlan {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Folder of the register.
    pub store: PathBuf,
    /// Systems and agents.
    pub known: Known,
    pub(crate) trust: Held<TrustSource>,
    pub(crate) tls: Option<Held<TlsConfig>>,
    pub(crate) tokens: Option<Held<TokensSource>>,
    /// See [`CollectorConfig::seal_grace`].
    pub seal_grace: Span,
    /// See [`CollectorConfig::clock_skew`].
    pub clock_skew: Span,
    /// What applications show that post outcomes.
    pub outcomes_token: Option<String>,
    /// See [`OutcomesConfig::hold`].
    pub outcomes_hold: Span,
    /// See [`LogConfig::origin`].
    pub(crate) origin: Option<KeyName>,
    pub(crate) keys: Keys,
    pub(crate) witnesses: Vec<WitnessAt>,
    /// See [`LogConfig::checkpoint_every`].
    pub checkpoint_every: Span,
    /// Topics that batches come by, with paths as they are.
    pub kafka: Option<KafkaConfig>,
    pub(crate) otlp: Option<clause9_otlp::Settings>,
    /// The name of the configuration as written, with the digests of the files that it names.
    pub digest: Digest,
}

impl CollectorConfig {
    /// Reads a configuration file.
    pub fn read(path: &Path) -> Result<Self, ConfigProblem> {
        let text = read_text(path)?;
        let mut config: Self = yaml::from_str(&shown(path), &text)?.value;
        path.parent()
            .unwrap_or(Path::new(""))
            .clone_into(&mut config.base);
        config.check(&shown(path))?;
        Ok(config)
    }

    fn check(&self, file: &str) -> Result<(), ConfigProblem> {
        let unfit = |message: String| {
            Err(ConfigProblem::Unfit {
                file: file.to_owned(),
                message,
            })
        };
        let shows = self.tokens.is_some()
            || self
                .tls
                .as_ref()
                .is_some_and(TlsConfig::requires_certificates);
        let lacks = match (&self.tls, shows) {
            _ if self.listen.ip().is_loopback() => None,
            (None, _) => Some("is not encrypted: configure `tls`"),
            (Some(_), false) => Some(
                "asks nobody who they are: configure `tokens`, or `tls.clients` with `required: true`",
            ),
            (Some(_), true) => None,
        };
        if let Some(lacks) = lacks {
            return unfit(format!(
                "`listen: {}` is reachable from outside and {lacks}; or use a loopback address as 127.0.0.1:9300",
                self.listen
            ));
        }
        if let Some(Err(message)) = self.kafka.as_ref().map(KafkaConfig::check) {
            return unfit(message);
        }
        if let Err(message) = self.log.check() {
            return unfit(message);
        }
        if self.systems.is_empty() || self.systems.len() > 1000 {
            return unfit(format!(
                "`systems` lists {} systems; list 1 to 1000",
                self.systems.len()
            ));
        }
        Ok(())
    }

    /// Reads the files that the configuration names and checks that they fit together.
    pub fn resolve(&self) -> Result<CollectorPlan, ConfigProblem> {
        let mut known = Known::default();
        for entry in &self.systems {
            known
                .add(entry.load(&self.base)?)
                .map_err(|message| ConfigProblem::Unfit {
                    file: shown(&self.base.join(&entry.objectives)),
                    message,
                })?;
        }
        let store = self.base.join(&self.store);
        let systems: BTreeSet<_> = known.systems().map(|s| s.id().clone()).collect();
        let path = self.base.join(&self.agents);
        let agents = AgentsFile::read(&path)?;
        let trust = Held::load(TrustSource {
            path,
            enrolled: Roll::of(&store),
            systems: systems.clone(),
        })?;
        known.trust_only(Trusted::clone(&trust.now()));
        let tls = self.tls.as_ref().map(|tls| Held::load(tls.at(&self.base)));
        let tokens = self.tokens.as_ref().map(|path| {
            let path = self.base.join(path);
            Held::load(TokensSource { path, systems })
        });
        let parts: Vec<_> = known
            .systems()
            .map(|s| (s.document_digest, s.baseline_digest))
            .collect();
        let digest = canonical::digest("clause9/collector-config/v1", &(self, parts, &agents))
            .map_err(|e| ConfigProblem::Unfit {
                file: "configuration".to_owned(),
                message: e.to_string(),
            })?;
        let unfit = |message| ConfigProblem::Unfit {
            file: "configuration".to_owned(),
            message,
        };
        let keys = self.log.keys(&self.base, &store).map_err(unfit)?;
        Ok(CollectorPlan {
            listen: self.listen,
            store,
            origin: self.log.name().map_err(unfit)?,
            keys,
            witnesses: self.log.asked().map_err(unfit)?,
            checkpoint_every: self.log.checkpoint_every,
            known,
            trust,
            tls: tls.transpose()?,
            tokens: tokens.transpose()?,
            seal_grace: self.seal_grace,
            clock_skew: self.clock_skew,
            outcomes_token: self.outcomes.token(&self.base)?,
            outcomes_hold: self.outcomes.hold,
            kafka: self.kafka.as_ref().map(|kafka| kafka.at(&self.base)),
            otlp: self
                .otlp
                .as_ref()
                .map(|otlp| self.exported(otlp))
                .transpose()?,
            digest,
        })
    }
}

impl CollectorConfig {
    /// How others are told, with what the environment and the files say.
    fn exported(&self, otlp: &OtlpConfig) -> Result<clause9_otlp::Settings, ConfigProblem> {
        let service = Service {
            name: "clause9-collector",
            version: env!("CARGO_PKG_VERSION"),
        };
        Environment::of_process()
            .and_then(|environment| {
                clause9_otlp::Settings::new(otlp, &self.base, environment, service)
            })
            .map_err(|message| ConfigProblem::Unfit {
                file: "configuration".to_owned(),
                message,
            })
    }
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

pub(crate) fn shown(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |n| n.to_string_lossy().into_owned(),
    )
}

/// The bytes of a file of sensible length.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, ConfigProblem> {
    let unreadable = |source| ConfigProblem::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let read = file.take(MAX_FILE + 1).read_to_end(&mut bytes);
    if read.map_err(unreadable)? as u64 > MAX_FILE {
        return Err(ConfigProblem::TooLong(path.to_owned()));
    }
    Ok(bytes)
}

/// The same as text.
fn text<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, ConfigProblem> {
    std::str::from_utf8(bytes).map_err(|e| ConfigProblem::Unfit {
        file: shown(path),
        message: format!("is no text in UTF-8: {e}"),
    })
}

fn read_text(path: &Path) -> Result<String, ConfigProblem> {
    text(path, &read_bytes(path)?).map(str::to_owned)
}
