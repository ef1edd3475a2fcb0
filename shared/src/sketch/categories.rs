//! S3: how often each of the baseline's categories came up.
//!
//! The names stay in the baseline; here is their digest, so that only counts of the same list are
//! added. A value that the baseline does not list is counted as unlisted and not kept: compare it
//! with the baseline's `other`. Where the baseline knows by hash which categories the reference had and
//! does not list, unlisted values of further ones are counted once more, as new.

use crate::digest::Digest;
use crate::sketch::{MAX_VARINT, MergeError, Sketch, Unlisted, add_totals, bump, sum_of};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Most categories that are told apart.
pub const MAX_CATEGORIES: usize = 64;

/// Counts of listed categories, of unlisted ones and of missing values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Categories {
    list: Digest,
    /// The listed ones, then unlisted, then missing.
    counts: Vec<u64>,
    /// Those of the unlisted ones that the reference did not have, where that is known.
    new: Option<u64>,
}

/// Added to the number of listed categories where new ones are counted.
const WITH_NEW: u64 = 128;

impl Categories {
    /// Counters of the baseline's categories, in the baseline's order. None if there are more than
    /// [`MAX_CATEGORIES`].
    pub fn new<S: AsRef<str>>(names: &[S]) -> Option<Self> {
        let mut w = Writer::default();
        for name in names {
            w.text(name.as_ref());
        }
        (names.len() <= MAX_CATEGORIES).then(|| Self {
            list: Digest::tagged("clause9/categories/v1", &w.into_bytes()),
            counts: vec![0; names.len() + 2],
            new: None,
        })
    }

    /// The same where the baseline knows which unlisted categories the reference had.
    pub fn knowing<S: AsRef<str>>(names: &[S], unlisted: &Unlisted) -> Option<Self> {
        let counters = Self::new(names)?;
        let list = [counters.list.as_bytes().as_slice(), &unlisted.bytes()].concat();
        Some(Self {
            list: Digest::tagged("clause9/categories/v2", &list),
            new: Some(0),
            ..counters
        })
    }

    /// Counts a value: its place in the baseline's list, or none if it is not listed.
    pub fn add(&mut self, listed: Option<usize>) {
        let unlisted = self.listed_len();
        let place = listed.filter(|place| *place < unlisted);
        bump(&mut self.counts[place.unwrap_or(unlisted)]);
        if let (None, Some(new)) = (place, &mut self.new) {
            bump(new);
        }
    }

    /// Counts a value that is not listed and that the reference had.
    pub fn add_known(&mut self) {
        let unlisted = self.listed_len();
        bump(&mut self.counts[unlisted]);
    }

    /// Counts a value that is missing.
    pub fn add_missing(&mut self) {
        let missing = self.listed_len() + 1;
        bump(&mut self.counts[missing]);
    }

    /// Counts of the listed categories, in the baseline's order.
    pub fn counts(&self) -> &[u64] {
        &self.counts[..self.listed_len()]
    }

    /// Values that are not listed, or that are no category (not a number, infinite).
    pub fn unlisted(&self) -> u64 {
        self.counts[self.listed_len()]
    }

    /// Unlisted values that the reference did not have, those that are no category among them. None where
    /// that is not known.
    pub const fn new_ones(&self) -> Option<u64> {
        self.new
    }

    /// Missing values.
    pub fn missing(&self) -> u64 {
        self.counts[self.listed_len() + 1]
    }

    /// Rows: listed, unlisted and missing.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn listed_len(&self) -> usize {
        self.counts.len() - 2
    }
}

impl Sketch for Categories {
    const MAX_BYTES: usize = 32 + MAX_VARINT + (MAX_CATEGORIES + 3) * MAX_VARINT;

    fn fits(&self, other: &Self) -> Result<(), MergeError> {
        let like =
            self.counts.len() == other.counts.len() && self.new.is_some() == other.new.is_some();
        if self.list != other.list || !like {
            return Err(MergeError::Different);
        }
        add_totals(self.total(), other.total())?;
        Ok(())
    }

    fn take_in(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        // No more than the unlisted ones, whose sum fits.
        if let (Some(mine), Some(theirs)) = (&mut self.new, other.new) {
            *mine += theirs;
        }
    }
}

impl Encode for Categories {
    fn encode(&self, w: &mut Writer) {
        w.raw(self.list.as_bytes());
        let listed = self.listed_len() as u64;
        w.unsigned(listed + if self.new.is_some() { WITH_NEW } else { 0 });
        for count in self.counts.iter().chain(&self.new) {
            w.unsigned(*count);
        }
    }
}

impl Decode for Categories {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let list = Digest::from_bytes(r.array()?);
        let first = r.unsigned()?;
        let listed = first.checked_sub(WITH_NEW);
        let with_new = listed.is_some();
        let listed = usize::try_from(listed.unwrap_or(first))
            .ok()
            .filter(|listed| *listed <= MAX_CATEGORIES)
            .ok_or(Malformed::TooLong)?;
        let counts = (0..listed + 2)
            .map(|_| r.unsigned())
            .collect::<Result<Vec<_>, _>>()?;
        sum_of(&counts)?;
        let new = with_new.then(|| r.unsigned()).transpose()?;
        if new.is_some_and(|new| new > counts[listed]) {
            return Err(Malformed::Value("new categories"));
        }
        Ok(Self { list, counts, new })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_categories_are_counted_within_the_unlisted_ones_where_they_are_known() {
        let unlisted = Unlisted::default();
        let mut plain = Categories::new(&["a", "b"]).unwrap();
        let mut knowing = Categories::knowing(&["a", "b"], &unlisted).unwrap();
        for counts in [&mut plain, &mut knowing] {
            counts.add(Some(1));
            counts.add(None);
            counts.add(None);
            counts.add_known();
        }
        assert_eq!((plain.unlisted(), plain.new_ones()), (3, None));
        assert_eq!((knowing.unlisted(), knowing.new_ones()), (3, Some(2)));
        assert_eq!(plain.total(), knowing.total());
        assert_eq!(plain.merge(&knowing), Err(MergeError::Different));
        let other = knowing.clone();
        knowing.merge(&other).unwrap();
        assert_eq!((knowing.unlisted(), knowing.new_ones()), (6, Some(4)));
    }

    #[test]
    fn each_value_has_one_encoding_and_more_new_than_unlisted_is_refused() {
        let mut counts = Categories::knowing(&["a"], &Unlisted::default()).unwrap();
        counts.add(None);
        let bytes = counts.to_bytes();
        assert_eq!(bytes[32], 0x81, "one listed, with new ones");
        assert_eq!(Categories::from_bytes(&bytes), Ok(counts));
        let mut wrong = bytes;
        *wrong.last_mut().unwrap() = 2;
        assert!(Categories::from_bytes(&wrong).is_err());
    }
}
