//! Section `outcomes`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clause9_shared::time::Span;
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
    /// Whether outcomes whose request is not known here are handed to the collector, which asks the
    /// other replicas of the system; each of them needs this, too. Such an outcome travels by itself: its
    /// label and its attributes, under a keyed hash of its request's id. The collector holds it in memory
    /// and writes it nowhere. Default: false.
    pub forward: bool,
    /// How long an outcome waits here for its request before others are asked. Default: 10s.
    pub forward_after: Span,
}

impl Default for OutcomesConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9302)),
            token_file: None,
            forward: false,
            forward_after: Span::from_secs(10),
        }
    }
}
