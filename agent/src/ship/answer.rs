//! What the collector's answer to a batch means. Pure.
//!
//! `Settled` means that the collector is done with the batch. What it refused of it is put into quarantine before the
//! outbox lets it go.

use std::time::Duration;

use clause9_shared::digest::Digest;
use clause9_shared::wire::answer;
use clause9_shared::wire::batch::{BatchRefused, ItemReceipt, Receipt, RefusalReason};

use crate::quarantine::Part;
use crate::ship::courier::Delivered;

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// What became of each item.
    Receipt(Receipt),
    /// The batch of that name is refused as a whole.
    Refused(Digest, BatchRefused),
    /// The collector cannot take it now.
    Later,
    /// The collector failed over it.
    Failed,
    /// Nothing that a collector says of this batch.
    Strange,
}

/// Reads an answer to the batch of that name: its status, and a body that was read to its end.
pub fn read(batch: Digest, status: u16, body: &[u8]) -> Said {
    match status {
        200 => match serde_json::from_slice::<Receipt>(body) {
            Ok(receipt) if receipt.batch == batch => Said::Receipt(receipt),
            Ok(_) | Err(_) => Said::Strange,
        },
        408 | 429 | 501..=599 => Said::Later,
        400..=499 => {
            let refused = |refusal| Said::Refused(batch, refusal);
            serde_json::from_slice(body).map_or(Said::Strange, refused)
        }
        500 => Said::Failed,
        _ => Said::Strange,
    }
}

impl From<answer::Answer> for Said {
    fn from(answer: answer::Answer) -> Self {
        match answer.said {
            answer::Said::Receipt(receipt) => Self::Receipt(receipt),
            answer::Said::Refused(refusal) => Self::Refused(answer.batch, refusal),
        }
    }
}

impl Said {
    /// Which batch it is about, where it says so.
    pub const fn batch(&self) -> Option<Digest> {
        match self {
            Self::Receipt(receipt) => Some(receipt.batch),
            Self::Refused(batch, _) => Some(*batch),
            Self::Later | Self::Failed | Self::Strange => None,
        }
    }

    /// What is refused by it.
    pub fn refused(&self) -> Vec<Part> {
        match self {
            Self::Receipt(receipt) => {
                let items = receipt.items.iter().enumerate();
                let refused = items.filter_map(|(at, item)| match item {
                    ItemReceipt::Stored | ItemReceipt::Duplicate => None,
                    ItemReceipt::Refused { reason, detail } => Some(Part {
                        item: Some(at),
                        reason: *reason,
                        detail: detail.clone(),
                    }),
                });
                refused.collect()
            }
            Self::Refused(_, refusal) => vec![Part {
                item: None,
                reason: refusal.refused,
                detail: refusal.detail.clone(),
            }],
            Self::Later | Self::Failed | Self::Strange => Vec::new(),
        }
    }

    /// What follows for the batch. `wait` is what the collector asked for.
    pub fn follows(&self, wait: Option<Duration>) -> Delivered {
        match self {
            Self::Receipt(_) => Delivered::Settled,
            Self::Later => Delivered::Unanswered(wait),
            // A proxy on the way may mind this one alone, as one that is too long for it.
            Self::Failed | Self::Strange => Delivered::Failed(wait),
            Self::Refused(_, refusal) => match refusal.refused {
                // Who set out before the collector knew of it is let in by a line of configuration.
                RefusalReason::UnknownAgent | RefusalReason::UnknownSystem => {
                    Delivered::Stranger(wait)
                }
                // It was whole when it left: something on the way changed it, or a clock has yet to catch up.
                RefusalReason::Malformed
                | RefusalReason::BadSignature
                | RefusalReason::ClockAhead => Delivered::Failed(wait),
                RefusalReason::TooLarge
                | RefusalReason::ReplayedSequence
                | RefusalReason::UnknownPlan
                | RefusalReason::BadSummary
                | RefusalReason::BadCoverage
                | RefusalReason::ClockMixed => Delivered::Settled,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(of: &[u8]) -> Vec<u8> {
        let receipt = Receipt {
            batch: Digest::of(of),
            items: Vec::new(),
            marks: Vec::new(),
        };
        serde_json::to_vec(&receipt).unwrap()
    }

    fn refused(refused: RefusalReason) -> Vec<u8> {
        let refusal = BatchRefused {
            refused,
            detail: "why".to_owned(),
        };
        serde_json::to_vec(&refusal).unwrap()
    }

    #[test]
    fn only_a_receipt_for_these_bytes_or_a_refusal_for_good_lets_a_batch_go() {
        let this = Digest::of(b"this");
        let follows = |status, body: &[u8]| read(this, status, body).follows(None);
        assert_eq!(follows(200, &receipt(b"this")), Delivered::Settled);
        for body in [&receipt(b"another")[..], b"", b"ok", b"{}"] {
            assert_eq!(follows(200, body), Delivered::Failed(None));
        }
        for reason in RefusalReason::ALL {
            let expected = match reason {
                RefusalReason::UnknownAgent | RefusalReason::UnknownSystem => {
                    Delivered::Stranger(None)
                }
                RefusalReason::Malformed
                | RefusalReason::BadSignature
                | RefusalReason::ClockAhead => Delivered::Failed(None),
                RefusalReason::TooLarge
                | RefusalReason::ReplayedSequence
                | RefusalReason::UnknownPlan
                | RefusalReason::BadSummary
                | RefusalReason::BadCoverage
                | RefusalReason::ClockMixed => Delivered::Settled,
            };
            assert_eq!(follows(400, &refused(*reason)), expected, "{reason:?}");
        }
        // Words of a proxy on the way are no refusal.
        for status in [301, 401, 403, 404, 413, 500] {
            let expected = Delivered::Failed(None);
            assert_eq!(follows(status, b"<html>"), expected, "{status}");
        }
        let refusal = refused(RefusalReason::TooLarge);
        for (status, body) in [
            (408, &b""[..]),
            (429, &refusal),
            (502, b""),
            (503, b""),
            (504, b""),
        ] {
            let expected = Delivered::Unanswered(None);
            assert_eq!(follows(status, body), expected, "{status}");
        }
    }
}
