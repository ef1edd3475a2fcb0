//! Phrases that a text is searched for: the user's own, and lists that come with the program.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::{BadPatterns, PatternList, Patterns, refusals};

/// A list of phrases. A text is flagged if one of them stands in it, whatever the case of ASCII letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phrases {
    /// A list that comes with the program. May be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builtin: Option<Builtin>,
    /// Phrases of one's own, each of 1 to 256 bytes. With those of `builtin` at most 1024.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

/// A list of phrases that comes with the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Builtin {
    /// How assistants decline, in English.
    Refusals,
}

impl Phrases {
    /// All phrases, those of the program first.
    pub fn all(&self) -> Vec<String> {
        let mut all = match self.builtin {
            Some(Builtin::Refusals) => refusals(),
            None => Vec::new(),
        };
        all.extend(self.also.iter().cloned());
        all
    }

    /// The search for them, under a name for what is said if there is none.
    pub fn search(&self, name: &str) -> Result<Patterns, BadPatterns> {
        Patterns::new(&[PatternList {
            name: name.to_owned(),
            phrases: self.all(),
        }])
    }
}
