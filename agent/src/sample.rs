//! Which exchanges are kept: a keyed hash of the request id, so that replicas and late outcomes
//! agree, and nobody can pick themselves in or out by choosing an id.

use clause9_shared::digest::Digest;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What stands for a request id: the first half of its keyed hash. Two ids of one system have
/// the same one with a chance that can be neglected (about n² / 2^129 among n ids).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag([u8; 16]);

impl Tag {
    /// Its first bits, which are as good as random.
    pub const fn bits(self) -> u64 {
        let (first, _) = self.0.as_chunks::<8>();
        u64::from_be_bytes(first[0])
    }

    /// All of it.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// A tag that was made before, with the same key.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// The sampling rule of one AI system.
#[derive(Clone)]
pub struct Sampler {
    keyed: Hmac<Sha256>,
    /// Kept if the hash is below; `None` keeps all.
    below: Option<u64>,
}

impl std::fmt::Debug for Sampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sampler")
            .field("below", &self.below)
            .finish_non_exhaustive()
    }
}

impl Sampler {
    /// A rule that keeps a share from 0 to 1 of all request ids, by the system's secret key.
    pub fn new(key: [u8; 32], rate: f64) -> Self {
        // As HMAC has it: a key shorter than a block is filled up with zeros.
        let mut block = [0; 64];
        block[..key.len()].copy_from_slice(&key);
        let keyed = Hmac::new(&block.into());
        Self {
            keyed,
            below: below(rate),
        }
    }

    /// The share of ids that it keeps.
    pub fn rate(&self) -> f64 {
        self.below
            .map_or(1.0, |below| below as f64 / 2_f64.powi(64))
    }

    /// What stands for that id.
    pub fn tag(&self, request_id: &[u8]) -> Tag {
        let mut mac = self.keyed.clone();
        mac.update(request_id);
        let digest = mac.finalize().into_bytes();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Tag(first)
    }

    /// Whether the exchange of that id is kept.
    pub fn keeps(&self, id: Tag) -> bool {
        self.below.is_none_or(|below| id.bits() < below)
    }
}

impl Tag {
    /// Whether a rate keeps the exchange of that id, a share from 0 to 1 of all ids.
    pub fn is_within(self, rate: f64) -> bool {
        below(rate).is_none_or(|below| self.bits() < below)
    }
}

/// Below which hash ids are kept at a rate from 0 to 1; none if all are.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the rate is from 0 to 1, and the cast saturates"
)]
fn below(rate: f64) -> Option<u64> {
    (rate < 1.0).then(|| (rate.max(0.0) * 2_f64.powi(64)) as u64)
}

/// The public name of a system key: two agents with the same one have the same key.
pub fn salt_id(key: &[u8; 32]) -> Digest {
    Digest::tagged("clause9/system-key/v1", key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept_by(sampler: &Sampler, id: &[u8]) -> bool {
        sampler.keeps(sampler.tag(id))
    }

    #[test]
    fn a_tag_is_the_beginning_of_the_ids_hmac() {
        let mut mac = Hmac::<Sha256>::new_from_slice(&[5; 32]).unwrap();
        mac.update(b"r-1");
        let whole = mac.finalize().into_bytes();
        assert_eq!(Sampler::new([5; 32], 1.0).tag(b"r-1").0, whole[..16]);
    }

    #[test]
    fn a_share_of_ids_is_kept_and_the_same_ones_every_time() {
        let sampler = Sampler::new([7; 32], 0.25);
        let kept = |s: &Sampler| -> Vec<u32> {
            (0..8000)
                .filter(|i| kept_by(s, format!("id-{i}").as_bytes()))
                .collect()
        };
        let first = kept(&sampler);
        assert!((1800..2200).contains(&first.len()), "{}", first.len());
        assert_eq!(first, kept(&Sampler::new([7; 32], 0.25)));
        assert_ne!(first, kept(&Sampler::new([8; 32], 0.25)));
    }

    #[test]
    fn a_higher_rate_keeps_all_that_a_lower_one_kept() {
        let (low, high) = (Sampler::new([1; 32], 0.1), Sampler::new([1; 32], 0.5));
        for i in 0..2000_u32 {
            assert!(!kept_by(&low, &i.to_le_bytes()) || kept_by(&high, &i.to_le_bytes()));
        }
    }

    #[test]
    fn the_rate_is_what_was_asked_for() {
        for rate in [0.0, 0.25, 0.3, 1.0] {
            assert!((Sampler::new([1; 32], rate).rate() - rate).abs() < 1e-12);
        }
    }

    #[test]
    fn the_ends_keep_all_and_none() {
        assert!((0..1000_u32).all(|i| kept_by(&Sampler::new([1; 32], 1.0), &i.to_le_bytes())));
        assert!(!(0..1000_u32).any(|i| kept_by(&Sampler::new([1; 32], 0.0), &i.to_le_bytes())));
    }
}
