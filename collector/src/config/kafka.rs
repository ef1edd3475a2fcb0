//! Section `kafka`.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most brokers to begin with.
const MAX_BROKERS: usize = 64;
/// Longest name of a topic or group, as Kafka has it.
const MAX_NAME: usize = 249;

/// A topic of Kafka that batches come by, beside requests (docs/delivery.md). The program must have been built with the feature
/// `kafka`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// Brokers to begin with, `HOST:PORT` each; these name the others.
    pub brokers: Vec<String>,
    /// The topic that agents produce batches to. Default: clause9-windows.
    #[serde(default = "default_topic")]
    pub topic: String,
    /// The topic where they are answered. Default: clause9-receipts.
    #[serde(default = "default_receipts")]
    pub receipts: String,
    /// The consumer group that keeps how far the topic was read. One collector reads a topic: two would have half of the
    /// batches each. Default: clause9-collector.
    #[serde(default = "default_group")]
    pub group: String,
    /// How the brokers are reached by TLS; `{}` trusts whom the system trusts. Default: no TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<KafkaTlsConfig>,
    /// How the collector shows who it is. Default: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sasl: Option<SaslConfig>,
}

/// TLS to the brokers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaTlsConfig {
    /// File with the certificates of whom to trust, in PEM. Default: whom the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots: Option<PathBuf>,
    /// File with the collector's own certificate and those that vouch for it, in PEM. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// File with the key of `certificate`, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

/// Who the collector is for the brokers.
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

fn default_topic() -> String {
    "clause9-windows".into()
}

fn default_receipts() -> String {
    "clause9-receipts".into()
}

fn default_group() -> String {
    "clause9-collector".into()
}

impl KafkaConfig {
    /// What makes it impossible to run: the key, and what is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        if !cfg!(feature = "kafka") {
            return Err("`kafka`: this program was built without it; use one that is built with the feature `kafka`".into());
        }
        if self.brokers.is_empty() || self.brokers.len() > MAX_BROKERS {
            return Err(format!(
                "`kafka.brokers` must name 1 to {MAX_BROKERS} brokers, HOST:PORT each"
            ));
        }
        if let Some(bad) = self.brokers.iter().find(|broker| !is_address(broker)) {
            return Err(format!(
                "`kafka.brokers`: `{}` is not HOST:PORT",
                bad.escape_debug()
            ));
        }
        for (key, name) in [("topic", &self.topic), ("receipts", &self.receipts)] {
            if !is_name(name) {
                let name = name.escape_debug();
                return Err(format!("`kafka.{key}`: `{name}` cannot be a topic's name"));
            }
        }
        if self.topic == self.receipts {
            return Err("`kafka.receipts` must be another topic than `kafka.topic`".into());
        }
        if self.group.is_empty() || self.group.len() > MAX_NAME {
            return Err(format!("`kafka.group` must have 1 to {MAX_NAME} bytes"));
        }
        let tls = self.tls.as_ref();
        if tls.is_some_and(|tls| tls.certificate.is_some() != tls.key.is_some()) {
            return Err("`kafka.tls` needs `certificate` and `key`, both or neither".into());
        }
        if let Some(sasl) = &self.sasl {
            if sasl.user.is_empty() {
                return Err("`kafka.sasl.user` must not be empty".into());
            }
            if sasl.mechanism == Mechanism::Plain && tls.is_none() {
                return Err("`kafka.sasl.mechanism`: PLAIN would send the password in the clear; write `tls`, or use SCRAM-SHA-512".into());
            }
        }
        Ok(())
    }

    /// The same with paths from a folder.
    pub(super) fn at(&self, base: &Path) -> Self {
        let mut at = self.clone();
        let tls = at.tls.as_mut().into_iter().flat_map(|tls| {
            [&mut tls.roots, &mut tls.certificate, &mut tls.key]
                .into_iter()
                .flatten()
        });
        let sasl = at.sasl.as_mut().map(|sasl| &mut sasl.password_file);
        for path in tls.chain(sasl) {
            *path = base.join(&path);
        }
        at
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
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=MAX_NAME).contains(&text.len()) && text.chars().all(plain) && !matches!(text, "." | "..")
}

#[cfg(all(test, feature = "kafka"))]
mod tests {
    use clause9_shared::yaml;

    use super::*;

    #[test]
    fn what_cannot_be_run_is_said_with_its_key() {
        let problem = |more: &str| {
            let text = format!("brokers: [k:9092]\n{more}");
            let config: KafkaConfig = yaml::from_str("c", &text).unwrap().value;
            config.check().err().unwrap_or_default()
        };
        assert_eq!(problem(""), "");
        for (more, start) in [
            ("topic: ^a", "`kafka.topic`: `^a` cannot be"),
            (
                "receipts: clause9-windows",
                "`kafka.receipts` must be another",
            ),
            ("group: ''", "`kafka.group` must have 1 to"),
            ("tls: { key: k }", "`kafka.tls` needs `certificate`"),
            (
                "sasl: { mechanism: PLAIN, user: u, password_file: p }",
                "`kafka.sasl.mechanism`: PLAIN would send",
            ),
            (
                "tls: {}\nsasl: { mechanism: PLAIN, user: '', password_file: p }",
                "`kafka.sasl.user` must not",
            ),
        ] {
            let said = problem(more);
            assert!(said.starts_with(start), "{more}: {said}");
        }
        let bad: KafkaConfig = yaml::from_str("c", "brokers: [\"k:9092,x\"]")
            .unwrap()
            .value;
        assert!(bad.check().unwrap_err().contains("is not HOST:PORT"));
    }
}
