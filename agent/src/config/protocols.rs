//! Section `protocols`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decode::JsonRows;

/// Most protocols of one's own.
pub(super) const MAX_PROTOCOLS: usize = 16;

/// JSON of one's own in which rows stand somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtocolConfig {
    /// Path that requests are posted to, as `/score` or `/api/*/score`: `*` is any one segment.
    pub path: String,
    /// What the model is called in the objectives file.
    pub model: String,
    /// Where in the request the rows stand, as a JSON Pointer (RFC 6901): a list of rows, or one row.
    /// Default: the whole body.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rows: String,
    /// Where in the answer the answers stand, one for each row. Default: the whole body.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub answers: String,
}

impl ProtocolConfig {
    /// What it means, or what is wrong with it.
    pub(super) fn read(&self) -> Result<JsonRows, String> {
        JsonRows::new(&self.path, &self.model, &self.rows, &self.answers)
    }
}
