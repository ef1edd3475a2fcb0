//! Outcomes that look for their prediction, version 1: what agents of one system and the collector tell
//! each other about labels whose request another replica answered.
//!
//! An agent polls: it hands over outcomes whose request it does not know, says what became of those it
//! was asked about, and is told about which it is asked next. A poll travels as an envelope: the magic
//! `C9O1`, the public key (32 bytes), the Ed25519 signature (64 bytes) and the payload in JSON. The
//! signature is over the domain tag, a zero byte and the payload exactly as sent.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, parse_hex_bytes, to_hex};
use crate::ids::{AgentId, BootId, SystemId};
use crate::outcomes::{MAX_ID, check};
use crate::plan::Outcome;
use crate::time::{Clock, Timestamp};
use crate::wire::codec::{Malformed, Reader};

/// Media type of a poll.
pub const MEDIA_TYPE: &str = "application/vnd.clause9.outcomes.v1";
/// Largest poll in bytes.
pub const MAX_POLL: usize = 4 << 20;
/// Most outcomes handed over, told of or asked about in one poll and its answer.
pub const MAX_CARRIED: usize = 1000;
/// Signed together with the payload, so that no other signature of the same key fits here.
const DOMAIN: &[u8] = b"clause9/outcomes/v1\0";
const MAGIC: &[u8; 4] = b"C9O1";

/// What an agent says in one go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// Which run of the agent.
    pub boot: BootId,
    /// Position within the run, from 1; never used twice, so that nobody can say it again.
    pub number: u64,
    /// The agent's wall clock when it signed.
    pub created_at: Timestamp,
    /// The AI system.
    pub system: SystemId,
    /// The public name of the system's key: hashes under another one name nothing.
    pub salt: Digest,
    /// Which clock the system is on.
    pub clock: Clock,
    /// The number of the last answer that was read.
    pub heard: u64,
    /// Outcomes whose request is not known here.
    pub unfound: Vec<Unfound>,
    /// What became of outcomes that were asked about.
    pub told: Vec<Told>,
}

/// An outcome that was handed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unfound {
    /// Its number in this run of the agent.
    pub number: u64,
    /// Whether this agent remembers that it has forgotten the request.
    pub forgotten: bool,
    /// The outcome.
    pub outcome: Carried,
}

/// An outcome under way. Its request's id does not travel if the agent knew it: the keyed hash stands
/// for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// By what its request is named.
    pub request: Named,
    /// The rest of it; its request id is empty.
    pub outcome: Outcome,
}

/// By what a request is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// The keyed hash of its id: 32 lower-case hex digits.
    Hash(String),
    /// Its id, as it was posted to the collector, who has no key.
    Id(String),
}

impl Named {
    /// Names a request by the keyed hash of its id.
    pub fn hash(bytes: [u8; 16]) -> Self {
        Self::Hash(to_hex(&bytes))
    }

    /// The bytes of a keyed hash; none if it is none.
    pub fn hash_bytes(hex: &str) -> Option<[u8; 16]> {
        parse_hex_bytes(hex)?.try_into().ok()
    }
}

impl Carried {
    /// What is wrong with it, if it came from elsewhere.
    pub fn check(&self, clock: Clock) -> Result<(), String> {
        match &self.request {
            Named::Hash(hex) if hex.len() != 32 || Named::hash_bytes(hex).is_none() => {
                return Err("the keyed hash is not 32 hex digits".into());
            }
            Named::Id(id) if id.is_empty() || id.len() > MAX_ID => {
                return Err(format!("request_id must have 1 to {MAX_ID} bytes"));
            }
            Named::Hash(_) | Named::Id(_) => {}
        }
        if !self.outcome.request_id.is_empty() {
            return Err("the request is named twice".into());
        }
        check(&self.outcome, clock)
    }

    /// About how many bytes it takes.
    pub fn size(&self) -> usize {
        let attributes = self.outcome.attributes.iter();
        let attributes = attributes.map(|(name, value)| 96 + name.as_str().len() + value.len());
        let label = match &self.outcome.label {
            Some(crate::objective::document::Scalar::Text(text)) => text.len(),
            Some(_) | None => 0,
        };
        let named = match &self.request {
            Named::Hash(text) | Named::Id(text) => text.len(),
        };
        2 * size_of::<Self>() + named + label + attributes.sum::<usize>()
    }
}

/// What became of an outcome that an agent was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The collector's number of the question.
    pub ticket: u64,
    /// The answer.
    pub fate: Fate,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It was counted here: joined, or for a reason why it cannot be.
    Counted,
    /// The request is not known here.
    Unknown,
    /// The request was known here, and is forgotten.
    Forgotten,
}

/// The collector's answer to a poll.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Which run of the collector. Another one than before knows nothing of what was handed over.
    pub boot: u64,
    /// The number of this answer to this run of the agent.
    pub number: u64,
    /// How many of the outcomes handed over were taken, from the first on. For the others there is no
    /// room now.
    pub taken: usize,
    /// Numbers of outcomes handed over before that are settled: nobody needs to keep them any more.
    pub settled: Vec<u64>,
    /// What is asked next.
    pub asked: Vec<Asked>,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Its number.
    pub ticket: u64,
    /// What is asked.
    pub what: Question,
}

/// What is asked of an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Is this about a request of yours? Then join it.
    Join(Carried),
    /// Nobody knew that outcome's request: count it.
    CountUnknown,
    /// Nobody knows that outcome's request any more: count it.
    CountForgotten,
}

/// Signs a poll and returns the envelope's bytes.
pub fn seal(poll: &Poll, key: &SigningKey) -> Result<Vec<u8>, serde_json::Error> {
    let payload = serde_json::to_vec(poll)?;
    let signature = key.sign(&[DOMAIN, &payload].concat());
    Ok([
        MAGIC.as_slice(),
        key.verifying_key().as_bytes(),
        &signature.to_bytes(),
        &payload,
    ]
    .concat())
}

/// A poll as it travels: signed bytes, not yet checked.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    key: &'a [u8; 32],
    signature: &'a [u8; 64],
    payload: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Takes an envelope apart; checks lengths and magic only.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_POLL {
            return Err(Malformed::TooLong);
        }
        let mut r = Reader::new(bytes);
        if r.raw(MAGIC.len())? != MAGIC {
            return Err(Malformed::Value("magic"));
        }
        Ok(Self {
            key: r.raw(32)?.try_into().map_err(|_| Malformed::Short)?,
            signature: r.raw(64)?.try_into().map_err(|_| Malformed::Short)?,
            payload: r.raw(r.remaining())?,
        })
    }

    /// Whom the envelope claims to come from.
    pub fn agent(&self) -> AgentId {
        AgentId::of_key(self.key)
    }

    /// Checks the signature over the payload as received, then reads it and its bounds.
    pub fn open(&self) -> Result<Poll, Refused> {
        let key = VerifyingKey::from_bytes(self.key).map_err(|_| Refused::Signature)?;
        let signature = Signature::from_bytes(self.signature);
        key.verify_strict(&[DOMAIN, self.payload].concat(), &signature)
            .map_err(|_| Refused::Signature)?;
        let poll: Poll = serde_json::from_slice(self.payload).map_err(|_| Refused::Malformed)?;
        let checked = poll.unfound.iter().map(|u| u.outcome.check(poll.clock));
        if poll.unfound.len() > MAX_CARRIED
            || poll.told.len() > 2 * MAX_CARRIED
            || checked.into_iter().any(|c| c.is_err())
        {
            return Err(Refused::Malformed);
        }
        Ok(poll)
    }
}

/// Why a poll was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The signature does not fit key and payload.
    #[error("the signature does not fit the key and the payload")]
    Signature,
    /// The payload is signed but is not a poll.
    #[error("the payload is no poll of this version, or says more than a poll may")]
    Malformed,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll() -> Poll {
        let outcome = serde_json::from_str(
            r#"{"request_id":"","row":1,"label":1,"attributes":{"sex":"female"}}"#,
        );
        Poll {
            boot: BootId(7),
            number: 3,
            created_at: Timestamp::EPOCH,
            system: SystemId::new("toy").unwrap(),
            salt: Digest::of(b"salt"),
            clock: Clock::Live,
            heard: 2,
            unfound: vec![Unfound {
                number: 9,
                forgotten: false,
                outcome: Carried {
                    request: Named::hash([0xab; 16]),
                    outcome: outcome.unwrap(),
                },
            }],
            told: vec![Told {
                ticket: 4,
                fate: Fate::Unknown,
            }],
        }
    }

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[5; 32])
    }

    #[test]
    fn a_poll_comes_back_from_its_envelope_and_no_flipped_bit_does() {
        let bytes = seal(&poll(), &key()).unwrap();
        let envelope = Envelope::parse(&bytes).unwrap();
        assert_eq!(
            envelope.agent(),
            AgentId::of_key(key().verifying_key().as_bytes())
        );
        assert_eq!(envelope.open().unwrap(), poll());
        for at in 0..bytes.len() {
            let mut spoiled = bytes.clone();
            spoiled[at] ^= 1;
            let opened = Envelope::parse(&spoiled).ok().map(|e| e.open());
            assert!(!matches!(opened, Some(Ok(_))), "byte {at}");
        }
    }

    #[test]
    fn a_poll_beyond_its_bounds_is_malformed_though_signed() {
        let mut many = poll();
        many.unfound = vec![many.unfound[0].clone(); MAX_CARRIED + 1];
        let mut twice = poll();
        twice.unfound[0].outcome.outcome.request_id = "r-1".into();
        let mut short = poll();
        short.unfound[0].outcome.request = Named::Hash("ab".into());
        let mut nothing = poll();
        nothing.unfound[0].outcome.outcome.label = None;
        nothing.unfound[0].outcome.outcome.attributes.clear();
        let mut timeless = poll();
        timeless.clock = Clock::Replay;
        for (what, poll) in [
            ("too many", many),
            ("named twice", twice),
            ("a short hash", short),
            ("neither label nor attribute", nothing),
            ("replayed without a time", timeless),
        ] {
            let bytes = seal(&poll, &key()).unwrap();
            let opened = Envelope::parse(&bytes).unwrap().open();
            assert_eq!(opened, Err(Refused::Malformed), "{what}");
        }
    }

    #[test]
    fn the_text_of_an_answer_stays_as_it_is() {
        let answer = Answer {
            boot: 1,
            number: 2,
            taken: 3,
            settled: vec![9],
            asked: vec![
                Asked {
                    ticket: 4,
                    what: Question::Join(poll().unfound[0].outcome.clone()),
                },
                Asked {
                    ticket: 5,
                    what: Question::CountUnknown,
                },
            ],
        };
        let text = serde_json::to_string(&answer).unwrap();
        assert_eq!(
            text,
            r#"{"boot":1,"number":2,"taken":3,"settled":[9],"asked":[{"ticket":4,"what":{"join":{"request":{"hash":"abababababababababababababababab"},"outcome":{"request_id":"","row":1,"label":1.0,"attributes":{"sex":"female"},"available_at":null}}}},{"ticket":5,"what":"count_unknown"}]}"#
        );
        assert_eq!(serde_json::from_str::<Answer>(&text).unwrap(), answer);
    }
}
