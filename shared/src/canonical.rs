//! Canonical JSON (RFC 8785) and the digests of documents and records.

use serde::Serialize;

use crate::digest::Digest;

/// Why a value has no canonical JSON: a number that JSON cannot hold (NaN, infinity).
#[derive(Debug, thiserror::Error)]
#[error("no canonical JSON: {0}")]
pub struct NotCanonical(String);

/// The one JSON text of a value by RFC 8785.
pub fn to_json<T: Serialize>(value: &T) -> Result<String, NotCanonical> {
    serde_json_canonicalizer::to_string(value).map_err(|e| NotCanonical(e.to_string()))
}

/// The digest of a value's canonical JSON in a domain.
pub fn digest<T: Serialize>(domain: &str, value: &T) -> Result<Digest, NotCanonical> {
    Ok(Digest::tagged(domain, to_json(value)?.as_bytes()))
}
