//! The file that `tokens` names: who may ask the collector what.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clause9_shared::digest::Digest;
use clause9_shared::ids::{Name, SystemId};
use clause9_shared::time::Timestamp;
use clause9_shared::yaml;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigProblem, read_bytes, shown, text};
use crate::access::{Scope, Token, Tokens};
use crate::held::Source;

/// Most tokens that may be listed: each is compared with what is shown.
const MAX_TOKENS: usize = 1000;

/// The file of tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokensFile {
    /// The tokens: at most 1000. One that is taken out is good no more once the file is read again.
    pub tokens: Vec<TokenEntry>,
}

/// One token. The file holds no secret: only its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenEntry {
    /// What it is called, for logs and people.
    pub name: Name,
    /// The SHA-256 of the secret, as `clause9-collector token new` prints it.
    pub digest: Digest,
    /// What it may be shown for: `read` (verdicts, measurements, pages, telemetry), `outcomes` (posting outcomes), `write`
    /// (what people change), `audit` (reading everything, evidence included).
    pub scopes: Vec<Scope>,
    /// The systems that it is good for. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub systems: Option<Vec<SystemId>>,
    /// From when on it is good no more. Default: it stays good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub expires: Option<Timestamp>,
}

/// The file, and the systems that it may name.
#[derive(Debug)]
pub(crate) struct TokensSource {
    pub(crate) path: PathBuf,
    pub(crate) systems: BTreeSet<SystemId>,
}

impl Source for TokensSource {
    type Made = Tokens;

    fn read(&self) -> Result<Vec<Vec<u8>>, ConfigProblem> {
        Ok(vec![read_bytes(&self.path)?])
    }

    fn make(&self, contents: &[Vec<u8>]) -> Result<Tokens, ConfigProblem> {
        let file: TokensFile =
            yaml::from_str(&shown(&self.path), text(&self.path, &contents[0])?)?.value;
        let unfit = |message| ConfigProblem::Unfit {
            file: shown(&self.path),
            message,
        };
        if file.tokens.len() > MAX_TOKENS {
            return Err(unfit(format!("more than {MAX_TOKENS} tokens are listed")));
        }
        let mut seen = BTreeSet::new();
        let mut tokens = Vec::new();
        for entry in file.tokens {
            let name = entry.name;
            if !seen.insert(entry.digest) {
                return Err(unfit(format!(
                    "the digest of token `{name}` is listed twice"
                )));
            }
            if entry.scopes.is_empty() {
                return Err(unfit(format!(
                    "token `{name}` has no scope; list `read`, `outcomes`, `write` or `audit`"
                )));
            }
            let strange = entry
                .systems
                .iter()
                .flatten()
                .find(|s| !self.systems.contains(s));
            if let Some(system) = strange {
                return Err(unfit(format!(
                    "token `{name}` is for `{system}`, which is not among the configured systems"
                )));
            }
            tokens.push(Token {
                name,
                digest: entry.digest,
                scopes: entry.scopes.into_iter().collect(),
                systems: entry.systems.map(|s| s.into_iter().collect()),
                expires: entry.expires,
            });
        }
        Ok(Tokens::new(tokens))
    }
}
