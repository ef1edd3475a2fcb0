//! Section `outcomes`.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where late labels and attributes come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutcomesConfig {
    /// Address and port of `POST /outcomes`. Default: 127.0.0.1:9302.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// File with the bearer token that senders must show. Default: `outcomes.token` in the state
    /// folder, created with 32 random bytes in hex if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
}

impl Default for OutcomesConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9302)),
            token_file: None,
        }
    }
}
