//! S3: how often each of the baseline's categories came up.
//!
//! The names stay in the baseline; here is their digest, so that only counts of the same list are
//! added. A value that the baseline does not list is counted as unlisted and not kept: compare it
//! with the baseline's `other`.

use crate::digest::Digest;
use crate::sketch::{MAX_VARINT, MergeError, Sketch, add_totals, bump, sum_of};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Most categories that are told apart.
pub const MAX_CATEGORIES: usize = 64;

/// Counts of listed categories, of unlisted ones and of missing values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Categories {
    list: Digest,
    /// The listed ones, then unlisted, then missing.
    counts: Vec<u64>,
}

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
        })
    }

    /// Counts a value: its place in the baseline's list, or none if it is not listed.
    pub fn add(&mut self, listed: Option<usize>) {
        let unlisted = self.listed_len();
        let place = listed.filter(|place| *place < unlisted);
        bump(&mut self.counts[place.unwrap_or(unlisted)]);
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
    const MAX_BYTES: usize = 32 + MAX_VARINT + (MAX_CATEGORIES + 2) * MAX_VARINT;

    fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        if self.list != other.list || self.counts.len() != other.counts.len() {
            return Err(MergeError::Different);
        }
        add_totals(self.total(), other.total())?;
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        Ok(())
    }
}

impl Encode for Categories {
    fn encode(&self, w: &mut Writer) {
        w.raw(self.list.as_bytes());
        w.unsigned(self.listed_len() as u64);
        for count in &self.counts {
            w.unsigned(*count);
        }
    }
}

impl Decode for Categories {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let list = Digest::from_bytes(r.array()?);
        let listed = r.count(MAX_CATEGORIES)?;
        let counts = (0..listed + 2)
            .map(|_| r.unsigned())
            .collect::<Result<Vec<_>, _>>()?;
        sum_of(&counts)?;
        Ok(Self { list, counts })
    }
}
