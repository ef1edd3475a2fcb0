//! SPIFFE ids: who a workload is, as its certificate says (SPIFFE-ID, section 2). Core.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest id in bytes (SPIFFE-ID, section 2.4).
const MAX_ID: usize = 2048;
/// Longest trust domain in bytes (section 2.1).
const MAX_DOMAIN: usize = 255;
const SCHEME: &str = "spiffe://";

/// An id with a path, as `spiffe://example.org/ns/a/sa/b`. One form for each, so that ids are equal if their texts are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId(Box<str>);

/// Why a text is no SPIFFE id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a SPIFFE id; write spiffe://TRUST-DOMAIN/PATH, the domain in lower case, without a slash at the end"
)]
pub struct NoSpiffeId;

impl FromStr for SpiffeId {
    type Err = NoSpiffeId;

    fn from_str(text: &str) -> Result<Self, NoSpiffeId> {
        let rest = text.strip_prefix(SCHEME).ok_or(NoSpiffeId)?;
        let (domain, path) = rest.split_once('/').ok_or(NoSpiffeId)?;
        let of_domain =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
        let of_path = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        let segment = |s: &str| !s.is_empty() && s != "." && s != ".." && s.bytes().all(of_path);
        let good = text.len() <= MAX_ID
            && (1..=MAX_DOMAIN).contains(&domain.len())
            && domain.bytes().all(of_domain)
            && path.split('/').all(segment);
        good.then(|| Self(text.into())).ok_or(NoSpiffeId)
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for SpiffeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SpiffeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for SpiffeId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SpiffeId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]+)+$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_the_standard_has_them_and_nothing_else_is() {
        for good in [
            "spiffe://example.org/ns/a/sa/b",
            "spiffe://a_b-c.9/Workload/1.2",
        ] {
            assert_eq!(good.parse::<SpiffeId>().unwrap().to_string(), good);
        }
        let long = format!("spiffe://example.org/{}", "a".repeat(MAX_ID));
        let wide = format!("spiffe://{}/a", "a".repeat(MAX_DOMAIN + 1));
        for bad in [
            "",
            "spiffe://example.org",
            "spiffe://example.org/",
            "spiffe://example.org/a/",
            "spiffe://example.org//a",
            "spiffe://example.org/a/../b",
            "spiffe://example.org/./b",
            "spiffe://Example.org/a",
            "spiffe://example.org:443/a",
            "spiffe://user@example.org/a",
            "spiffe://example.org/a?b",
            "spiffe://example.org/a%41",
            "spiffe:///a",
            "SPIFFE://example.org/a",
            "https://example.org/a",
            &long,
            &wide,
        ] {
            assert_eq!(bad.parse::<SpiffeId>(), Err(NoSpiffeId), "{bad}");
        }
    }
}
