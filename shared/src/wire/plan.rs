//! Asking for the documents that a system is monitored by, version 1.
//!
//! An agent asks with `GET`, which has no body: it shows who it is in the header `authorization`, as the scheme
//! `Clause9-Agent` and, in lower-case hex, an envelope of the magic `C9P1`, the public key (32 bytes), its Ed25519
//! signature (64 bytes) and the payload in JSON. The signature is over the domain tag, a zero byte and the payload
//! exactly as sent. What is answered names two documents by their digests; each is asked for by its digest.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, parse_hex_bytes, to_hex};
use crate::ids::{AgentId, SystemId};
use crate::time::{Span, Timestamp};
use crate::wire::codec::{Malformed, Reader};

/// What stands before the envelope in the header `authorization`.
pub const SCHEME: &str = "Clause9-Agent ";
/// Largest document in bytes, of either kind.
pub const MAX_DOCUMENT: usize = crate::baseline::MAX_TEXT;
/// Largest answer that names the documents, in bytes.
pub const MAX_NAMED: usize = 4096;
/// How far the agent's clock may be off. Wide: an agent with a wrong clock is to have its documents, and is told of its
/// clock elsewhere; bounded, so that what somebody has overheard is not good for ever.
pub const MAX_OFF: Span = Span::from_days(1);
/// Largest envelope in bytes.
const MAX_ASK: usize = 1024;
/// Signed together with the payload, so that no other signature of the same key fits here.
const DOMAIN: &[u8] = b"clause9/plan/v1\0";
const MAGIC: &[u8; 4] = b"C9P1";

/// Which system's documents are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The AI system.
    pub system: SystemId,
    /// The agent's wall clock when it signed.
    pub created_at: Timestamp,
}

/// The names of the documents in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The AI system.
    pub system: SystemId,
    /// Its objectives: the digest of their canonical JSON in their domain.
    pub objectives: Digest,
    /// Its baseline, likewise.
    pub baseline: Digest,
}

impl Named {
    /// What names both documents at once: the entity tag of an answer, without its quotes.
    pub fn tag(&self) -> Digest {
        let both = [
            self.objectives.as_bytes().as_slice(),
            self.baseline.as_bytes(),
        ];
        Digest::tagged("clause9/documents/v1", &both.concat())
    }
}

/// Why an agent was not believed to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The signature does not fit its key.
    #[error("the signature does not fit its key")]
    Signature,
    /// It is no such envelope.
    #[error("what is shown is no request for documents of this version")]
    Malformed,
}

impl From<Malformed> for Refused {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Signs it, and returns the value of the header.
pub fn seal(ask: &Ask, key: &SigningKey) -> Result<String, serde_json::Error> {
    let payload = serde_json::to_vec(ask)?;
    let signature = key.sign(&[DOMAIN, &payload].concat());
    let envelope = [
        MAGIC.as_slice(),
        key.verifying_key().as_bytes(),
        &signature.to_bytes(),
        &payload,
    ]
    .concat();
    Ok(format!("{SCHEME}{}", to_hex(&envelope)))
}

/// Who asks for what, if the header's value is of this scheme: none if it is of another.
pub fn open(value: &[u8]) -> Option<Result<(AgentId, Ask), Refused>> {
    value.strip_prefix(SCHEME.as_bytes()).map(opened)
}

fn opened(hex: &[u8]) -> Result<(AgentId, Ask), Refused> {
    if hex.len() > 2 * MAX_ASK {
        return Err(Refused::Malformed);
    }
    let hex = std::str::from_utf8(hex).map_err(|_| Refused::Malformed)?;
    let bytes = parse_hex_bytes(hex).ok_or(Refused::Malformed)?;
    let mut r = Reader::new(&bytes);
    if r.raw(MAGIC.len())? != MAGIC {
        return Err(Refused::Malformed);
    }
    let public: &[u8; 32] = r.raw(32)?.try_into().map_err(|_| Refused::Malformed)?;
    let signature: &[u8; 64] = r.raw(64)?.try_into().map_err(|_| Refused::Malformed)?;
    let payload = r.raw(r.remaining())?;
    let key = VerifyingKey::from_bytes(public).map_err(|_| Refused::Signature)?;
    key.verify_strict(
        &[DOMAIN, payload].concat(),
        &Signature::from_bytes(signature),
    )
    .map_err(|_| Refused::Signature)?;
    let ask = serde_json::from_slice(payload).map_err(|_| Refused::Malformed)?;
    Ok((AgentId::of_key(public), ask))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask() -> Ask {
        Ask {
            system: SystemId::new("toy").unwrap(),
            created_at: Timestamp::EPOCH,
        }
    }

    #[test]
    fn a_request_comes_back_from_its_header_and_no_changed_digit_does() {
        let key = SigningKey::from_bytes(&[4; 32]);
        let value = seal(&ask(), &key).unwrap();
        let agent = AgentId::of_key(key.verifying_key().as_bytes());
        assert_eq!(open(value.as_bytes()), Some(Ok((agent, ask()))));
        for at in SCHEME.len()..value.len() {
            let mut spoiled = value.clone().into_bytes();
            spoiled[at] = if spoiled[at] == b'0' { b'1' } else { b'0' };
            assert!(matches!(open(&spoiled), Some(Err(_))), "digit {at}");
        }
    }

    #[test]
    fn other_schemes_are_none_and_what_is_too_long_or_no_hex_is_malformed() {
        assert_eq!(open(b"Bearer abc"), None);
        let long = format!("{SCHEME}{}", "00".repeat(MAX_ASK + 1));
        for bad in [
            long.as_str(),
            "Clause9-Agent zz",
            "Clause9-Agent ",
            "Clause9-Agent 43",
        ] {
            assert_eq!(open(bad.as_bytes()), Some(Err(Refused::Malformed)));
        }
    }

    #[test]
    fn the_tag_changes_with_either_document() {
        let named = |objectives: &[u8], baseline: &[u8]| Named {
            system: SystemId::new("toy").unwrap(),
            objectives: Digest::of(objectives),
            baseline: Digest::of(baseline),
        };
        let tag = named(b"a", b"b").tag();
        assert_ne!(tag, named(b"a", b"c").tag());
        assert_ne!(tag, named(b"c", b"b").tag());
        assert_ne!(tag, named(b"b", b"a").tag());
    }
}
