//! Answer, version 1: what a collector says of a batch where no connection waits for it, signed by the collector.
//!
//! An answer on the wire is an envelope: the magic `C9A1`, the public key (32 bytes), the Ed25519 signature (64 bytes) and
//! the payload, in JSON. The signature is over the version's domain tag, a zero byte and the payload exactly as sent. Whoever
//! carries it can keep it back or send it twice, and cannot make one up.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::wire::batch::{BatchRefused, Receipt};

/// Largest answer in bytes.
pub const MAX_ANSWER: usize = 1 << 20;

const MAGIC: &[u8; 4] = b"C9A1";
/// Signed together with the payload, so that no other signature of the same key fits here.
const DOMAIN: &[u8] = b"clause9/answer/v1\0";
/// Bytes before the payload.
const HEAD: usize = 4 + 32 + 64;

/// What a collector says of one batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The envelope that is answered.
    pub batch: Digest,
    /// What became of it.
    pub said: Said,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It is durable, and each item accounted for.
    Receipt(Receipt),
    /// It is refused as a whole.
    Refused(BatchRefused),
}

/// Why bytes are not an answer of the collector that is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The bytes are not in the format.
    #[error("the bytes are no answer of version 1")]
    Malformed,
    /// Another key made it.
    #[error("the answer is signed by another key than the collector's")]
    Stranger,
    /// The signature does not fit key and payload.
    #[error("the signature does not fit the key and the payload")]
    Signature,
}

/// The id of a collector: the fingerprint of its public key.
pub fn signer(key: &SigningKey) -> Digest {
    fingerprint(key.verifying_key().as_bytes())
}

fn fingerprint(public_key: &[u8; 32]) -> Digest {
    Digest::tagged("clause9/collector-key/v1", public_key)
}

/// Signs an answer and returns the envelope's bytes.
///
/// # Errors
///
/// When it cannot be written as JSON, which no answer is known to be.
pub fn seal(answer: &Answer, key: &SigningKey) -> serde_json::Result<Vec<u8>> {
    let payload = serde_json::to_vec(answer)?;
    let signature = key.sign(&[DOMAIN, &payload].concat());
    let mut bytes = Vec::with_capacity(HEAD + payload.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(key.verifying_key().as_bytes());
    bytes.extend_from_slice(&signature.to_bytes());
    bytes.extend_from_slice(&payload);
    Ok(bytes)
}

/// Checks that the collector of that id signed the bytes, then reads them.
pub fn open(bytes: &[u8], collector: Digest) -> Result<Answer, NoAnswer> {
    if bytes.len() > MAX_ANSWER {
        return Err(NoAnswer::Malformed);
    }
    let (head, payload) = bytes.split_at_checked(HEAD).ok_or(NoAnswer::Malformed)?;
    let signed = head.strip_prefix(MAGIC).ok_or(NoAnswer::Malformed)?;
    let (public_key, signature) = signed.split_at(32);
    let public_key = public_key.try_into().map_err(|_| NoAnswer::Malformed)?;
    if fingerprint(public_key) != collector {
        return Err(NoAnswer::Stranger);
    }
    let key = VerifyingKey::from_bytes(public_key).map_err(|_| NoAnswer::Signature)?;
    let signature = Signature::from_slice(signature).map_err(|_| NoAnswer::Malformed)?;
    key.verify_strict(&[DOMAIN, payload].concat(), &signature)
        .map_err(|_| NoAnswer::Signature)?;
    let answer: Answer = serde_json::from_slice(payload).map_err(|_| NoAnswer::Malformed)?;
    match &answer.said {
        Said::Receipt(receipt) if receipt.batch != answer.batch => Err(NoAnswer::Malformed),
        Said::Receipt(_) | Said::Refused(_) => Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::batch::{ItemReceipt, RefusalReason};

    fn receipt(of: &[u8], for_batch: &[u8]) -> Answer {
        let receipt = Receipt {
            batch: Digest::of(of),
            items: vec![ItemReceipt::Stored],
            marks: Vec::new(),
        };
        Answer {
            batch: Digest::of(for_batch),
            said: Said::Receipt(receipt),
        }
    }

    #[test]
    fn only_the_collector_that_is_believed_can_make_one_up() {
        let [ours, other] = [1, 2].map(|n| SigningKey::from_bytes(&[n; 32]));
        let answer = receipt(b"b", b"b");
        let bytes = seal(&answer, &ours).unwrap();
        assert_eq!(open(&bytes, signer(&ours)), Ok(answer.clone()));
        assert_eq!(open(&bytes, signer(&other)), Err(NoAnswer::Stranger));
        let forged = seal(&answer, &other).unwrap();
        assert_eq!(open(&forged, signer(&ours)), Err(NoAnswer::Stranger));
        // The right key before the wrong signature.
        let mixed = [&bytes[..36], &forged[36..]].concat();
        assert_eq!(open(&mixed, signer(&ours)), Err(NoAnswer::Signature));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(open(&changed, signer(&ours)).is_err(), "byte {at}");
        }
        for end in 0..bytes.len() {
            assert!(open(&bytes[..end], signer(&ours)).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_receipt_for_another_batch_is_none_and_refusals_read_back() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let crossed = seal(&receipt(b"a", b"b"), &key).unwrap();
        assert_eq!(open(&crossed, signer(&key)), Err(NoAnswer::Malformed));
        let refused = Answer {
            batch: Digest::of(b"b"),
            said: Said::Refused(BatchRefused {
                refused: RefusalReason::UnknownAgent,
                detail: "why".into(),
            }),
        };
        let bytes = seal(&refused, &key).unwrap();
        assert_eq!(open(&bytes, signer(&key)), Ok(refused));
        let long = vec![b' '; MAX_ANSWER + 1];
        assert_eq!(open(&long, signer(&key)), Err(NoAnswer::Malformed));
    }
}
