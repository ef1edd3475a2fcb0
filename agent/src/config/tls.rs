//! Sections `tls` and `upstream_tls`.

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
