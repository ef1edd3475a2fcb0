//! Which words a text uses, without keeping them: a bag of buckets under a secret key. Two bags of one
//! key can be added and compared (how far the mix of words has moved); nobody without the key can tell
//! which words fill a bucket, and several words share each.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::repetition::MAX_WORDS;

/// Buckets of a bag.
pub const BUCKETS: u16 = 4096;

/// Words by bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenBag {
    counts: BTreeMap<u16, u64>,
}

impl TokenBag {
    /// The first [`MAX_WORDS`] words of a text, in lower case and without marks around them, each in the
    /// bucket of its keyed hash (HMAC-SHA-256). Each different word is hashed once.
    pub fn of(text: &str, key: &[u8; 32]) -> Self {
        let mut words: BTreeMap<String, u64> = BTreeMap::new();
        for word in text.split_whitespace().take(MAX_WORDS) {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric());
            if !word.is_empty() {
                *words.entry(word.to_lowercase()).or_default() += 1;
            }
        }
        let mut bag = Self::default();
        for (word, count) in words {
            *bag.counts.entry(bucket(&word, key)).or_default() += count;
        }
        bag
    }

    /// Words of each bucket that has any, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        self.counts.iter().map(|(bucket, count)| (*bucket, *count))
    }

    /// Words counted.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// The bucket of a word.
fn bucket(word: &str, key: &[u8; 32]) -> u16 {
    // Any key has a length that HMAC takes.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return 0;
    };
    mac.update(b"clause9/token-bag/v1\0");
    mac.update(word.as_bytes());
    let tag = mac.finalize().into_bytes();
    u16::from_le_bytes([tag[0], tag[1]]) % BUCKETS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bag_knows_words_whatever_their_order_case_and_marks() {
        let key = [7; 32];
        let bag = TokenBag::of("The cat, the (CAT)! -- the", &key);
        assert_eq!(bag.total(), 5);
        assert_eq!(bag, TokenBag::of("cat the THE cat the", &key));
        assert!(bag.iter().all(|(bucket, _)| bucket < BUCKETS));
        assert_eq!(bag.iter().map(|(_, n)| n).max(), Some(3));
    }

    #[test]
    fn another_key_gives_another_bag_and_no_words_none() {
        let text = "one two three four five six seven eight nine ten";
        assert_ne!(TokenBag::of(text, &[1; 32]), TokenBag::of(text, &[2; 32]));
        assert_eq!(TokenBag::of(" \n -- !", &[1; 32]).total(), 0);
    }
}
