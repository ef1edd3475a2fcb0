//! Sections `tls`, `upstream_tls` and `collector_tls`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The certificate and key that clients see; read again when they change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// File with the certificate and those that vouch for it, in PEM, the own one first.
    pub certificate: PathBuf,
    /// File with its private key, in PEM.
    pub key: PathBuf,
}

/// Whom the agent trusts behind an `upstream` that begins with `https://`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamTlsConfig {
    /// File with the certificates that vouch for the model server, in PEM. Default: the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roots: Option<PathBuf>,
    /// The name that the model server's certificate must have. Default: the host of `upstream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Whom the agent trusts at a `collector` that begins with `https://`, and who it says it is. All files are looked at every 10
/// seconds and on SIGHUP: if they changed and fit together, deliveries go on with the new ones; else the old ones stay and the
/// log says why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CollectorTlsConfig {
    /// File with the certificates that vouch for the collector, in PEM. Default: the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roots: Option<PathBuf>,
    /// File with the agent's own certificate and those that vouch for it, in PEM, the own one first. Default: none is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// File with its private key, in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

impl CollectorTlsConfig {
    /// Every file with the key that names it.
    pub(crate) fn files(&self) -> [(&'static str, &Option<PathBuf>); 3] {
        [
            ("collector_tls.roots", &self.roots),
            ("collector_tls.certificate", &self.certificate),
            ("collector_tls.key", &self.key),
        ]
    }

    /// What does not fit, with the key it is about.
    pub(super) fn check(
        &self,
        collector: Option<&str>,
    ) -> Result<(), (&'static str, &'static str)> {
        let [_, certificate, key] = self.files();
        match (certificate, key) {
            ((_, Some(_)), (what, None)) => {
                return Err((what, "is missing; write the file of the certificate's key"));
            }
            ((what, None), (_, Some(_))) => {
                return Err((what, "is missing; write the file of the key's certificate"));
            }
            ((_, Some(_)), (_, Some(_))) | ((_, None), (_, None)) => {}
        }
        let encrypted = collector.is_some_and(|c| c.starts_with("https://"));
        match self.files().into_iter().find(|(_, path)| path.is_some()) {
            Some((what, _)) if !encrypted => Err((
                what,
                "is of use only with a `collector` that begins with https://",
            )),
            Some(_) | None => Ok(()),
        }
    }
}
