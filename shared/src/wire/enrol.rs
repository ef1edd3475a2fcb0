//! Enrolment, version 1: what an agent says to be let in, and to hand its place over to a new key.
//!
//! A request travels as an envelope: the magic `C9E1`, the public key that asks (32 bytes), its Ed25519
//! signature (64 bytes) and the payload in JSON. The signature is over the domain tag, a zero byte and
//! the payload exactly as sent, so nobody enrols a key that is not theirs. Said again, a request changes nothing.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::digest::{parse_hex, parse_hex_bytes, to_hex};
use crate::ids::AgentId;
use crate::wire::codec::{Malformed, Reader};

/// Media type of a request.
pub const MEDIA_TYPE: &str = "application/vnd.clause9.enrolment.v1";
/// Largest request in bytes.
pub const MAX_REQUEST: usize = 4096;
/// Signed together with the payload, so that no other signature of the same key fits here.
const DOMAIN: &[u8] = b"clause9/enrolment/v1\0";
/// Signed by the old key together with the new one.
const HAND_OVER_DOMAIN: &[u8] = b"clause9/hand-over/v1\0";
const MAGIC: &[u8; 4] = b"C9E1";

/// Why an agent should be let in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// It was given this token, which is good for one agent.
    Token(String),
    /// It is the same agent with a new key: the old one says so.
    HandOver(HandOver),
}

/// For logs: without the token, which is a secret.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token(..)"),
            Self::HandOver(over) => f.debug_tuple("HandOver").field(over).finish(),
        }
    }
}

/// What an old key says of the new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandOver {
    /// The old public key, 64 lower-case hex digits.
    key: String,
    /// Its signature of the new public key, 128 lower-case hex digits.
    signature: String,
}

impl HandOver {
    /// Says that a new key takes the place of this one.
    pub fn new(old: &SigningKey, new: &VerifyingKey) -> Self {
        let signature = old.sign(&[HAND_OVER_DOMAIN, new.as_bytes()].concat());
        Self {
            key: to_hex(old.verifying_key().as_bytes()),
            signature: to_hex(&signature.to_bytes()),
        }
    }

    /// Who hands over to this key, if the signature says so.
    fn by(&self, new: &[u8; 32]) -> Result<AgentId, Refused> {
        let old = parse_hex(&self.key).ok_or(Refused::Malformed)?;
        let signature = parse_hex_bytes(&self.signature).and_then(|s| s.try_into().ok());
        let signature: [u8; 64] = signature.ok_or(Refused::Malformed)?;
        let key = VerifyingKey::from_bytes(&old).map_err(|_| Refused::Signature)?;
        key.verify_strict(
            &[HAND_OVER_DOMAIN, new].concat(),
            &Signature::from_bytes(&signature),
        )
        .map_err(|_| Refused::Signature)?;
        Ok(AgentId::of_key(&old))
    }
}

/// A request of which every signature was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The key that asks.
    pub agent: AgentId,
    /// What it shows.
    pub shows: Shown,
}

/// What an agent shows to be let in.
#[derive(Clone, PartialEq, Eq)]
pub enum Shown {
    /// A token; nothing is known of it yet.
    Token(String),
    /// That it takes this agent's place, signed by it.
    TakesOver(AgentId),
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Token(_) => f.write_str("Token(..)"),
            Self::TakesOver(agent) => f.debug_tuple("TakesOver").field(agent).finish(),
        }
    }
}

/// What became of a request that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The agent may write.
    Approved,
    /// Somebody has to approve it first.
    Pending,
}

/// The collector's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Who was enrolled.
    pub agent: AgentId,
    /// Whether it may write.
    pub state: State,
}

/// Why a request was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A signature does not fit its key.
    #[error("a signature does not fit its key")]
    Signature,
    /// It is no request.
    #[error("it is no request for enrolment of this version")]
    Malformed,
}

impl From<Malformed> for Refused {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Signs a request by the key that is to be let in, and returns the envelope's bytes.
pub fn seal(request: &Request, key: &SigningKey) -> Result<Vec<u8>, serde_json::Error> {
    let payload = serde_json::to_vec(request)?;
    let signature = key.sign(&[DOMAIN, &payload].concat());
    Ok([
        MAGIC.as_slice(),
        key.verifying_key().as_bytes(),
        &signature.to_bytes(),
        &payload,
    ]
    .concat())
}

/// Takes an envelope apart and checks its signatures. Nothing is allocated before its length was looked at.
pub fn open(bytes: &[u8]) -> Result<Opened, Refused> {
    if bytes.len() > MAX_REQUEST {
        return Err(Refused::Malformed);
    }
    let mut r = Reader::new(bytes);
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
    let shows = match serde_json::from_slice(payload).map_err(|_| Refused::Malformed)? {
        Request::Token(token) => Shown::Token(token),
        Request::HandOver(over) => Shown::TakesOver(over.by(public)?),
    };
    Ok(Opened {
        agent: AgentId::of_key(public),
        shows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> SigningKey {
        SigningKey::from_bytes(&[n; 32])
    }

    fn id(n: u8) -> AgentId {
        AgentId::of_key(key(n).verifying_key().as_bytes())
    }

    #[test]
    fn a_request_comes_back_from_its_envelope_and_no_flipped_bit_does() {
        let over = HandOver::new(&key(1), &key(2).verifying_key());
        for (request, shows) in [
            (
                Request::Token("secret".to_owned()),
                Shown::Token("secret".to_owned()),
            ),
            (Request::HandOver(over), Shown::TakesOver(id(1))),
        ] {
            let bytes = seal(&request, &key(2)).unwrap();
            let opened = open(&bytes).unwrap();
            assert_eq!((opened.agent, opened.shows), (id(2), shows));
            for bit in 0..bytes.len() * 8 {
                let mut changed = bytes.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(open(&changed).is_err(), "bit {bit}");
            }
        }
    }

    #[test]
    fn what_one_key_was_handed_is_of_no_use_to_another() {
        let over = HandOver::new(&key(1), &key(2).verifying_key());
        let stolen = seal(&Request::HandOver(over), &key(3)).unwrap();
        assert_eq!(open(&stolen), Err(Refused::Signature));
    }

    #[test]
    fn a_request_beyond_its_bound_or_of_another_shape_is_malformed_though_signed() {
        let long = Request::Token("x".repeat(MAX_REQUEST));
        assert_eq!(
            open(&seal(&long, &key(1)).unwrap()),
            Err(Refused::Malformed)
        );
        let mut over = HandOver::new(&key(1), &key(2).verifying_key());
        over.signature.pop();
        let odd = seal(&Request::HandOver(over), &key(2)).unwrap();
        assert_eq!(open(&odd), Err(Refused::Malformed));
        assert_eq!(open(b"C9E1"), Err(Refused::Malformed));
    }

    #[test]
    fn no_token_is_shown_in_a_log() {
        let request = Request::Token("secret".to_owned());
        let opened = open(&seal(&request, &key(1)).unwrap()).unwrap();
        assert!(!format!("{request:?}{opened:?}").contains("secret"));
    }
}
