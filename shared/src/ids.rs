//! Names of things, each a type of its own, so that none can stand where another is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::{Digest, NotADigest};

/// Longest name in bytes. Names become metric labels and file names, so they stay short.
pub const MAX_NAME: usize = 64;

/// A name of lower-case letters, digits, `-`, `_` and `.`, beginning with a letter or digit.
///
/// Systems, features, outputs, attributes and objectives are all named so: such a name is safe as
/// a metric label, in a URL path and as part of a file name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

/// The name of an AI system.
pub type SystemId = Name;
/// The name of an objective within its system.
pub type ObjectiveId = Name;

impl Name {
    /// Parses a name.
    pub fn new(text: &str) -> Result<Self, BadName> {
        let bytes = text.as_bytes();
        let starts = bytes.first().is_some_and(u8::is_ascii_alphanumeric);
        let allowed = |b: &u8| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.')
        };
        if starts && bytes.len() <= MAX_NAME && bytes.iter().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(BadName(text.chars().take(80).collect()))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a name; use 1 to 64 lower-case letters, digits, `-`, `_` or `.`, beginning with a letter or digit"
)]
pub struct BadName(String);

impl FromStr for Name {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Name {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$",
            "description": "1 to 64 lower-case letters, digits, `-`, `_` or `.`, beginning with a letter or digit."
        })
    }
}

/// Which agent: the fingerprint (tagged SHA-256) of its Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AgentId(Digest);

impl AgentId {
    /// The fingerprint of a public key.
    pub fn of_key(public_key: &[u8; 32]) -> Self {
        Self(Digest::tagged("clause9/agent-key/v1", public_key))
    }

    /// Takes a fingerprint as read from a wire format.
    pub const fn from_digest(digest: Digest) -> Self {
        Self(digest)
    }

    /// The fingerprint.
    pub const fn digest(&self) -> Digest {
        self.0
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for AgentId {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// One run of an agent: microseconds since the epoch at its start. Later boots have larger ids
/// unless the wall clock was set back, and never the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(pub u64);

/// The number of a batch within one boot of one agent: 1, 2, 3, ... without holes, so that a hole
/// proves a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_labels_paths_and_file_names() {
        for good in ["a", "car-loan", "psi.floor", "0x", &"a".repeat(64)] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "Car",
            "-a",
            ".hidden",
            "a b",
            "a/b",
            "é",
            &"a".repeat(65),
        ] {
            assert!(Name::new(bad).is_err(), "{bad}");
        }
    }
}
