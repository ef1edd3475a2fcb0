//! Section `outcomes`.

use std::path::{Path, PathBuf};

use clause9_shared::time::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigProblem, read_text, shown};

/// Shortest and longest token.
const TOKEN: std::ops::RangeInclusive<usize> = 16..=256;

/// Outcomes that look for their prediction: those that agents hand over because another replica answered
/// the request, and those that applications post here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutcomesConfig {
    /// File with the bearer token that applications show to `POST /v1/systems/ID/outcomes`: 16 to 256
    /// characters without spaces. Default: none, and nothing is taken there; agents, who sign, need none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// How long an outcome is held whose request no replica knows: it may yet be answered, or a replica
    /// be restarted. Then all are asked once more, and it is counted as unknown. Default: `5m`.
    pub hold: Span,
}

impl Default for OutcomesConfig {
    fn default() -> Self {
        Self {
            token_file: None,
            hold: Span::from_secs(300),
        }
    }
}

impl OutcomesConfig {
    /// Whether nothing is configured.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The token, if there is one.
    pub(super) fn token(&self, base: &Path) -> Result<Option<String>, ConfigProblem> {
        let Some(path) = &self.token_file else {
            return Ok(None);
        };
        let path = base.join(path);
        let text = read_text(&path)?;
        let token = text.trim();
        let printable = token.bytes().all(|b| b.is_ascii_graphic());
        if !printable || !TOKEN.contains(&token.len()) {
            return Err(ConfigProblem::Unfit {
                file: shown(&path),
                message: "a token has 16 to 256 characters without spaces; `openssl rand -hex 32` makes one".to_owned(),
            });
        }
        Ok(Some(token.to_owned()))
    }
}
