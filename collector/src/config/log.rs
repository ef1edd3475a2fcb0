//! Section `log`: the register as a log that others can check.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clause9_shared::digest::parse_hex;
use clause9_shared::evidence::note::{Algorithm, KeyName, VerifierKey};
use clause9_shared::time::Span;
use ed25519_dalek::VerifyingKey;
use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::log::{Keys, Signer, WitnessAt};

/// The register as a log that others can check: who signs its checkpoints, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// The log's origin, which is the name of its keys as well: a name that no other log has, best an address of yours as
    /// `ai-monitoring.example.com/eu`. It stays what it was when the register began. Default: one made of the first key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// How often a checkpoint is signed, if there are new records; 1s to 10m. Whoever asks for a proof gets one for what stood
    /// in the register then. Default: `1m`.
    pub checkpoint_every: Span,
    /// File of the key; made if absent, for its owner's eyes only. One beside it with `.next` at the end of its name takes its
    /// place (`clause9-collector key rotate`). Default: `log.key` in the register's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// A program that holds the key instead. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<SignerConfig>,
    /// The program that signs next: the register hands over to it, from a file or another program. Make it the `signer`, in the
    /// place of `key`, once `key list` says so. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_signer: Option<SignerConfig>,
    /// Witnesses that are asked for cosignatures of each checkpoint: at most 16. They are others than who runs the collector,
    /// and remember what they saw, so that nobody can show two histories. Default: none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<WitnessConfig>,
}

/// Most witnesses that are asked.
const MAX_WITNESSES: usize = 16;

/// A witness (C2SP tlog-witness; `clause9-witness` is one).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// Its verifier key, as NAME+ID+KEY of the kind 0x04.
    pub key: String,
    /// Its submission prefix: what `/add-checkpoint` is put behind. Over `http` only to this machine.
    pub url: String,
}

/// A program that signs: it reads the message from its standard input and writes the Ed25519 signature as 128 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignerConfig {
    /// The program and its arguments. It may take 10 seconds.
    pub command: Vec<String>,
    /// The Ed25519 key by which it signs, as 64 hex digits.
    pub public_key: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            origin: None,
            checkpoint_every: Span::from_secs(60),
            key: None,
            signer: None,
            next_signer: None,
            witnesses: Vec::new(),
        }
    }
}

impl LogConfig {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Says what does not fit.
    pub(super) fn check(&self) -> Result<(), String> {
        let every = self.checkpoint_every;
        if every < Span::from_secs(1) || every > Span::from_secs(600) {
            return Err(format!(
                "`log.checkpoint_every: {every}` is not between 1s and 10m"
            ));
        }
        self.name()?;
        if self.key.is_some() && self.signer.is_some() {
            return Err(
                "`log.key` and `log.signer` both hold the key: give one of them".to_owned(),
            );
        }
        self.asked()?;
        for signer in [&self.signer, &self.next_signer].into_iter().flatten() {
            signer.holds()?;
        }
        Ok(())
    }

    /// The origin, if one is given.
    pub(crate) fn name(&self) -> Result<Option<KeyName>, String> {
        let read = |origin: &String| {
            let name = origin.parse();
            name.map_err(|_| format!("`log.origin: {origin}` has spaces or `+`, or is empty; write a name as example.com/log"))
        };
        self.origin.as_ref().map(read).transpose()
    }

    /// What signs, of a register in a folder. Paths are relative to `base`.
    pub(crate) fn keys(&self, base: &Path, store: &Path) -> Result<Keys, String> {
        let next = self
            .next_signer
            .as_ref()
            .map(SignerConfig::holds)
            .transpose()?;
        Ok(match &self.signer {
            None => Keys::File {
                path: self
                    .key
                    .as_ref()
                    .map_or_else(|| store.join("log.key"), |key| base.join(key)),
                next,
            },
            Some(signer) => Keys::Programs {
                current: signer.holds()?,
                next,
            },
        })
    }
}

impl LogConfig {
    /// The witnesses.
    pub(crate) fn asked(&self) -> Result<Vec<WitnessAt>, String> {
        if self.witnesses.len() > MAX_WITNESSES {
            return Err(format!("`log.witnesses` lists more than {MAX_WITNESSES}"));
        }
        let witnesses: Vec<_> = self
            .witnesses
            .iter()
            .map(WitnessConfig::at)
            .collect::<Result<_, _>>()?;
        let names: BTreeSet<_> = witnesses
            .iter()
            .map(|witness| witness.key.name().clone())
            .collect();
        if names.len() < witnesses.len() {
            return Err("`log.witnesses` lists two of one name".to_owned());
        }
        Ok(witnesses)
    }
}

impl WitnessConfig {
    fn at(&self) -> Result<WitnessAt, String> {
        let key: VerifierKey = self
            .key
            .parse()
            .map_err(|e| format!("`key: {}` of a witness: {e}", self.key))?;
        if key.algorithm() != Algorithm::Cosignature {
            return Err(format!(
                "`key: {}` of a witness is a log's key; `clause9-witness init` prints a witness's",
                self.key
            ));
        }
        let with_slash = format!("{}/", self.url.trim_end_matches('/'));
        let url: Url = with_slash
            .parse()
            .map_err(|_| format!("`url: {}` of a witness is no address", self.url))?;
        let near = url.host_str().is_some_and(|host| {
            host == "localhost"
                || host
                    .trim_matches(['[', ']'])
                    .parse::<IpAddr>()
                    .is_ok_and(|ip| ip.is_loopback())
        });
        match url.scheme() {
            "https" => Ok(WitnessAt { key, url }),
            "http" if near => Ok(WitnessAt { key, url }),
            _ => Err(format!(
                "`url: {}` of a witness is not encrypted: use https",
                self.url
            )),
        }
    }
}

impl SignerConfig {
    fn holds(&self) -> Result<Signer, String> {
        let key =
            parse_hex(&self.public_key).and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
        let key = key
            .ok_or("`public_key` of a signer is not an Ed25519 key of 64 lower-case hex digits")?;
        if self.command.first().is_none_or(String::is_empty) {
            return Err("`command` of a signer names no program".to_owned());
        }
        Ok(Signer::Program {
            command: self.command.clone(),
            key: Box::new(key),
        })
    }
}
