//! What a baseline knows of categories that it does not list: their hashes, so that live traffic can tell
//! those that the reference had from those that are new.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::distinct::hash::siphash;
use crate::digest::{parse_hex_bytes, to_hex};

/// Most unlisted categories of a feature that are remembered. With more, none is.
pub const MAX_UNLISTED: usize = 4_096;
/// The seed of the hashes.
const SEED: u64 = 0x756e_6c69_7374_6564;

/// Hashes of every category that the reference has and the baseline does not list. Of 64 bits: that a new
/// category is taken for one of 4,096 known ones has a chance of 2^-52.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unlisted(Box<[u64]>);

impl Unlisted {
    /// What stands for a category.
    pub(crate) fn hash(name: &str) -> u64 {
        siphash(SEED, name.as_bytes())
    }

    /// Of these hashes. None if there are more than [`MAX_UNLISTED`].
    pub(crate) fn of(hashes: BTreeSet<u64>) -> Option<Self> {
        (hashes.len() <= MAX_UNLISTED).then(|| Self(hashes.into_iter().collect()))
    }

    /// Whether the reference had a category of this name that is not listed.
    pub fn has(&self, name: &str) -> bool {
        !self.0.is_empty() && self.0.binary_search(&Self::hash(name)).is_ok()
    }

    /// The hashes, ascending, eight bytes each.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|hash| hash.to_be_bytes()).collect()
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        let bytes = parse_hex_bytes(text).ok_or("not hexadecimal digits")?;
        let (hashes, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() || hashes.len() > MAX_UNLISTED {
            return Err("not at most 4,096 hashes of 16 digits");
        }
        let hashes: Box<[u64]> = hashes.iter().map(|h| u64::from_be_bytes(*h)).collect();
        let ascending = hashes.windows(2).all(|pair| pair[0] < pair[1]);
        ascending.then_some(Self(hashes)).ok_or("not ascending")
    }
}

impl Serialize for Unlisted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_hex(&self.bytes()))
    }
}

impl<'de> Deserialize<'de> for Unlisted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::read(&text).map_err(|why| {
            serde::de::Error::custom(format!("hashes of unlisted categories: {why}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_found_and_reads_back_as_written() {
        let names = ["solar", "wind", "tide"];
        let known = Unlisted::of(names.iter().map(|n| Unlisted::hash(n)).collect()).unwrap();
        assert!(names.iter().all(|name| known.has(name)));
        assert!(!known.has("coal") && !Unlisted::default().has("wind"));
        let text = serde_json::to_string(&known).unwrap();
        assert_eq!(text.len(), 3 * 16 + 2);
        assert_eq!(serde_json::from_str::<Unlisted>(&text).unwrap(), known);
    }

    #[test]
    fn what_is_no_ascending_list_of_hashes_is_refused() {
        for text in [
            "0",
            "00",
            "zz",
            &"0".repeat(32),
            &format!("{:016x}{:016x}", 2, 1),
        ] {
            assert!(Unlisted::read(text).is_err(), "{text}");
        }
        let many = (0..=MAX_UNLISTED as u64).collect();
        assert_eq!(Unlisted::of(many), None);
    }
}
