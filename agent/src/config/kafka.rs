//! Section `sink.kafka`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clause9_shared::time::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most topics that are read.
const MAX_TOPICS: usize = 64;
/// Most brokers to begin with.
const MAX_BROKERS: usize = 64;
/// Longest name of a topic or group, as Kafka has it.
const MAX_NAME: usize = 249;
/// Least bytes to fetch ahead.
const MIN_FETCH: usize = 64 << 10;
/// Most bytes to fetch ahead: librdkafka takes no longer answer than 100 MB.
const MAX_FETCH: usize = 64 << 20;
const MIN_SESSION: Span = Span::from_secs(1);
const MAX_SESSION: Span = Span::from_secs(1800);

/// Topics of Kafka that are read (docs/ways-in.md). The program must have been built with the feature
/// `kafka`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// Brokers to begin with, `HOST:PORT` each; these name the others.
    pub brokers: Vec<String>,
    /// What is read: a `name` and what its records hold (`content`), each. `events` are events of inference
    /// loggers and lines of captured traffic, as they are posted to `/`; `records` are cases, as they are
    /// posted to `/records`; `outcomes` are late labels and attributes, as they are posted to the
    /// outcomes' address. At most 64.
    pub topics: Vec<TopicConfig>,
    /// The consumer group. Agents of one system share it, and the topics' partitions with it.
    /// Default: `clause9-` and the system's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Where to begin in a partition of which the group has committed nothing: `earliest` or `latest`.
    /// Default: earliest.
    #[serde(default)]
    pub start: Start,
    /// How the brokers are reached by TLS; `{}` trusts whom the system trusts. Default: no TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<KafkaTlsConfig>,
    /// How the agent shows who it is. Default: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sasl: Option<SaslConfig>,
    /// After which silence the group gives an agent's partitions to others. Default: 30s.
    #[serde(default = "default_session")]
    pub session: Span,
    /// Most bytes of records that are fetched ahead of the monitor. Default: 8388608.
    #[serde(default = "default_fetch")]
    pub fetch_bytes: usize,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicConfig {
    /// Its name.
    pub name: String,
    /// What its records hold.
    pub content: Content,
}

/// What a topic's records hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Events of inference loggers.
    Events,
    /// Cases with their features by name.
    Records,
    /// Late labels and attributes.
    Outcomes,
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// With the oldest record there is.
    #[default]
    Earliest,
    /// With what comes from now on.
    Latest,
}

/// TLS to the brokers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaTlsConfig {
    /// File with the certificates of whom to trust, in PEM. Default: whom the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots: Option<PathBuf>,
    /// File with the agent's own certificate and those that vouch for it, in PEM. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// File with the key of `certificate`, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

/// Who the agent is for the brokers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SaslConfig {
    /// `PLAIN` (with `tls` only), `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: Mechanism,
    /// The user's name.
    pub user: String,
    /// File with the password; its last line end does not count.
    pub password_file: PathBuf,
}

/// How a password is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mechanism {
    /// As it is.
    #[serde(rename = "PLAIN")]
    Plain,
    /// RFC 7677.
    #[serde(rename = "SCRAM-SHA-256")]
    Scram256,
    /// The same with SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    Scram512,
}

const fn default_session() -> Span {
    Span::from_secs(30)
}

const fn default_fetch() -> usize {
    8 << 20
}

/// A key and what is wrong with it.
pub(crate) type Wrong = (&'static str, String);

/// The keys below a section of that name.
macro_rules! access_keys {
    ($section:literal) => {
        AccessKeys {
            brokers: concat!($section, ".brokers"),
            tls: concat!($section, ".tls"),
            roots: concat!($section, ".tls.roots"),
            certificate: concat!($section, ".tls.certificate"),
            key: concat!($section, ".tls.key"),
            user: concat!($section, ".sasl.user"),
            mechanism: concat!($section, ".sasl.mechanism"),
            password_file: concat!($section, ".sasl.password_file"),
        }
    };
}
pub(super) use access_keys;

impl KafkaConfig {
    /// How its brokers are reached.
    pub(crate) fn access(&self) -> Access<'_> {
        const KEYS: AccessKeys = access_keys!("sink.kafka");
        Access {
            brokers: &self.brokers,
            tls: self.tls.as_ref(),
            sasl: self.sasl.as_ref(),
            keys: &KEYS,
        }
    }

    /// What makes it impossible to run.
    pub(super) fn check(&self) -> Result<(), Wrong> {
        self.access().check()?;
        self.check_names()?;
        if !(MIN_SESSION..=MAX_SESSION).contains(&self.session) {
            return Err(("sink.kafka.session", "must be from 1s to 30m".to_owned()));
        }
        if !(MIN_FETCH..=MAX_FETCH).contains(&self.fetch_bytes) {
            let message = format!("must be from {MIN_FETCH} to {MAX_FETCH}");
            return Err(("sink.kafka.fetch_bytes", message));
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), Wrong> {
        if self.topics.is_empty() || self.topics.len() > MAX_TOPICS {
            let message = format!("must name 1 to {MAX_TOPICS} topics");
            return Err(("sink.kafka.topics", message));
        }
        let mut known = BTreeSet::new();
        for topic in &self.topics {
            if !is_name(&topic.name) {
                let message = format!("`{}` cannot be a topic's name", topic.name.escape_debug());
                return Err(("sink.kafka.topics", message));
            }
            if !known.insert(topic.name.as_str()) {
                let message = format!("`{}` stands there twice", topic.name);
                return Err(("sink.kafka.topics", message));
            }
        }
        let group = self.group.as_ref();
        if group.is_some_and(|group| group.is_empty() || group.len() > MAX_NAME) {
            let message = format!("must have 1 to {MAX_NAME} bytes");
            return Err(("sink.kafka.group", message));
        }
        Ok(())
    }

    /// Every path in it.
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        paths(self.tls.as_mut(), self.sasl.as_mut())
    }
}

/// Every path in what says how brokers are reached.
pub(super) fn paths<'a>(
    tls: Option<&'a mut KafkaTlsConfig>,
    sasl: Option<&'a mut SaslConfig>,
) -> impl Iterator<Item = &'a mut PathBuf> {
    let tls = tls.into_iter().flat_map(|tls| {
        [&mut tls.roots, &mut tls.certificate, &mut tls.key]
            .into_iter()
            .flatten()
    });
    tls.chain(sasl.map(|sasl| &mut sasl.password_file))
}

/// How brokers are reached, wherever in the configuration that stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access<'a> {
    pub(crate) brokers: &'a [String],
    pub(crate) tls: Option<&'a KafkaTlsConfig>,
    pub(crate) sasl: Option<&'a SaslConfig>,
    pub(crate) keys: &'static AccessKeys,
}

/// The keys under which it stands, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccessKeys {
    pub(crate) brokers: &'static str,
    pub(crate) tls: &'static str,
    pub(crate) roots: &'static str,
    pub(crate) certificate: &'static str,
    pub(crate) key: &'static str,
    pub(crate) user: &'static str,
    pub(crate) mechanism: &'static str,
    pub(crate) password_file: &'static str,
}

impl Access<'_> {
    /// What makes it impossible to reach anybody.
    pub(super) fn check(&self) -> Result<(), Wrong> {
        let wrong = |key, message: &str| Err((key, message.to_owned()));
        if self.brokers.is_empty() || self.brokers.len() > MAX_BROKERS {
            let message = format!("must name 1 to {MAX_BROKERS} brokers, HOST:PORT each");
            return Err((self.keys.brokers, message));
        }
        if let Some(bad) = self.brokers.iter().find(|broker| !is_address(broker)) {
            let message = format!("`{bad}` is not HOST:PORT");
            return Err((self.keys.brokers, message));
        }
        if let Some(tls) = self.tls
            && tls.certificate.is_some() != tls.key.is_some()
        {
            let message = "needs `certificate` and `key`, both or neither";
            return wrong(self.keys.tls, message);
        }
        if let Some(sasl) = self.sasl {
            if sasl.user.is_empty() {
                return wrong(self.keys.user, "must not be empty");
            }
            if sasl.mechanism == Mechanism::Plain && self.tls.is_none() {
                let message =
                    "PLAIN would send the password in the clear; write `tls`, or use SCRAM-SHA-512";
                return wrong(self.keys.mechanism, message);
            }
        }
        Ok(())
    }
}

/// Whether it is a host and a port, and nothing that would begin another one of a list.
fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_[]:".contains(c);
    !host.is_empty() && host.chars().all(plain) && port.parse::<u16>().is_ok_and(|p| p > 0)
}

/// Whether Kafka allows it as a topic's name. What begins with `^` would be taken for a pattern.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=MAX_NAME).contains(&text.len()) && text.chars().all(plain) && !matches!(text, "." | "..")
}
