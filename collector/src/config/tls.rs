//! Section `tls`.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The certificate that agents and people see, and which of them have to show one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// File with the certificate and those that vouch for it, in PEM, the own one first.
    pub certificate: PathBuf,
    /// File with its private key, in PEM.
    pub key: PathBuf,
    /// Certificates of clients (mutual TLS). Default: none is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<ClientsConfig>,
}

/// Which clients are believed to be who their certificate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientsConfig {
    /// File with the certificates that vouch for clients, in PEM.
    pub roots: PathBuf,
    /// Whether a client without a certificate is turned away. If false, one that shows none may show a token, and one that
    /// shows one that nobody vouches for is turned away all the same. Default: true.
    #[serde(default = "yes")]
    pub required: bool,
}

const fn yes() -> bool {
    true
}

impl TlsConfig {
    /// Whether nobody gets in without a certificate.
    pub(super) fn requires_certificates(&self) -> bool {
        self.clients.as_ref().is_some_and(|c| c.required)
    }

    /// The same with paths from a folder.
    pub(super) fn at(&self, base: &Path) -> Self {
        Self {
            certificate: base.join(&self.certificate),
            key: base.join(&self.key),
            clients: self.clients.as_ref().map(|c| ClientsConfig {
                roots: base.join(&c.roots),
                required: c.required,
            }),
        }
    }
}
