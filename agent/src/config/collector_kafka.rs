//! Section `collector_kafka`.

use std::path::PathBuf;

use clause9_shared::digest::Digest;
use clause9_shared::time::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kafka::{Access, AccessKeys, Wrong, access_keys, is_name, paths};
use crate::config::{KafkaTlsConfig, SaslConfig};

const MIN_PATIENCE: Span = Span::from_secs(10);
const MAX_PATIENCE: Span = Span::from_secs(24 * 3600);

/// A topic of Kafka as the way to the collector (docs/delivery.md). The program must have been built with the feature `kafka`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectorKafkaConfig {
    /// Brokers to begin with, `HOST:PORT` each; these name the others.
    pub brokers: Vec<String>,
    /// The topic that batches are produced to and the collector reads. It has to take records of 16 MiB
    /// (`max.message.bytes=17825792`). Default: clause9-windows.
    #[serde(default = "default_topic")]
    pub topic: String,
    /// The topic where the collector answers. Default: clause9-receipts.
    #[serde(default = "default_receipts")]
    pub receipts: String,
    /// The collector's id, as `clause9-collector identity` prints it. Only what it signed lets a batch go.
    pub collector_id: Digest,
    /// How long a batch that the brokers have waits for the collector's answer before it is produced again; twice as long each
    /// time, up to 16 times this. From 10s to 24h. Default: 15m.
    #[serde(default = "default_patience")]
    pub patience: Span,
    /// Run beside a proxy in one process. Kafka's client is C code, and what ends it would end the proxy, too.
    /// Default: false, and the agent does not start with both.
    #[serde(default)]
    pub beside_proxy: bool,
    /// How the brokers are reached by TLS; `{}` trusts whom the system trusts. Default: no TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<KafkaTlsConfig>,
    /// How the agent shows who it is. Default: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sasl: Option<SaslConfig>,
}

fn default_topic() -> String {
    "clause9-windows".into()
}

fn default_receipts() -> String {
    "clause9-receipts".into()
}

const fn default_patience() -> Span {
    Span::from_secs(900)
}

impl CollectorKafkaConfig {
    /// How its brokers are reached.
    pub(crate) fn access(&self) -> Access<'_> {
        const KEYS: AccessKeys = access_keys!("collector_kafka");
        Access {
            brokers: &self.brokers,
            tls: self.tls.as_ref(),
            sasl: self.sasl.as_ref(),
            keys: &KEYS,
        }
    }

    /// What makes it impossible to run, also beside a proxy if there is one.
    pub(super) fn check(&self, proxy: bool) -> Result<(), Wrong> {
        self.access().check()?;
        for (key, name) in [
            ("collector_kafka.topic", &self.topic),
            ("collector_kafka.receipts", &self.receipts),
        ] {
            if !is_name(name) {
                let message = format!("`{}` cannot be a topic's name", name.escape_debug());
                return Err((key, message));
            }
        }
        if self.topic == self.receipts {
            let message = "must be another topic than `topic`";
            return Err(("collector_kafka.receipts", message.to_owned()));
        }
        if !(MIN_PATIENCE..=MAX_PATIENCE).contains(&self.patience) {
            let message = "must be from 10s to 24h";
            return Err(("collector_kafka.patience", message.to_owned()));
        }
        if proxy && !self.beside_proxy {
            let message = "is false, and there is a proxy: Kafka's client is C code, and what ends it would end the proxy in the \
                           same process; write `true` to accept that, or ship by `collector` alone";
            return Err(("collector_kafka.beside_proxy", message.to_owned()));
        }
        Ok(())
    }

    /// Every path in it.
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        paths(self.tls.as_mut(), self.sasl.as_mut())
    }
}
