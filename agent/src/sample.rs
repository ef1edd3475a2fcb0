//! Which exchanges are kept: a keyed hash of the request id, so that replicas and late outcomes
//! agree, and nobody can pick themselves in or out by choosing an id.

use clause9_shared::digest::Digest;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The sampling rule of one AI system.
#[derive(Clone)]
pub struct Sampler {
    key: [u8; 32],
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
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the rate is from 0 to 1, and the cast saturates"
    )]
    pub fn new(key: [u8; 32], rate: f64) -> Self {
        let below = (rate < 1.0).then(|| (rate.max(0.0) * 2_f64.powi(64)) as u64);
        Self { key, below }
    }

    /// Whether the exchange of that id is kept.
    pub fn keeps(&self, request_id: &[u8]) -> bool {
        self.below.is_none_or(|below| self.hash(request_id) < below)
    }

    fn hash(&self, request_id: &[u8]) -> u64 {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            return 0;
        };
        mac.update(request_id);
        let digest = mac.finalize().into_bytes();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        u64::from_be_bytes(first)
    }
}

/// The public name of a system key: two agents with the same one have the same key.
pub fn salt_id(key: &[u8; 32]) -> Digest {
    Digest::tagged("clause9/system-key/v1", key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_ids_is_kept_and_the_same_ones_every_time() {
        let sampler = Sampler::new([7; 32], 0.25);
        let kept = |s: &Sampler| -> Vec<u32> {
            (0..8000)
                .filter(|i| s.keeps(format!("id-{i}").as_bytes()))
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
            assert!(!low.keeps(&i.to_le_bytes()) || high.keeps(&i.to_le_bytes()));
        }
    }

    #[test]
    fn the_ends_keep_all_and_none() {
        assert!((0..1000_u32).all(|i| Sampler::new([1; 32], 1.0).keeps(&i.to_le_bytes())));
        assert!(!(0..1000_u32).any(|i| Sampler::new([1; 32], 0.0).keeps(&i.to_le_bytes())));
    }
}
