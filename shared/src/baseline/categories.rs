//! The law of a reference's categories: which of them are listed, and how frequent they are.
//!
//! The most frequent of many categories owe some of their frequency to luck, and a law that freezes it is off
//! to one side: live traffic without any drift has less of them. Where there are more than the list holds, one
//! half of the reference's rows chooses which ones are listed, and the other half alone says how frequent
//! they are. Which half a row is in follows from its number, by a hash: files often have a rhythm.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{Law, MAX_CATEGORY};
use crate::sketch::distinct::hash::siphash;
use crate::sketch::{MAX_CATEGORIES, MAX_UNLISTED, Unlisted};

/// The seed by which rows fall into halves.
const HALVES: u64 = 0x6861_6c76_6573;

/// Which half a row of the reference is in, by its number from 0: the first one chooses categories, the
/// second one gives their law.
pub(super) fn half(row: u64) -> usize {
    usize::from(siphash(HALVES, &row.to_le_bytes()) & 1 == 1)
}

/// What was counted of a feature, each by [`half`].
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Categories by name.
    pub(super) names: BTreeMap<Box<str>, [u64; 2]>,
    /// What is no category, or one with too long a name.
    pub(super) other: [u64; 2],
    /// Missing values.
    pub(super) missing: [u64; 2],
    /// Hashes of names that are too long, up to one more than are remembered.
    long: BTreeSet<u64>,
}

impl Counted {
    /// Counts a category; says how many there are.
    pub(super) fn add(&mut self, name: &str, half: usize) -> usize {
        if name.len() > MAX_CATEGORY {
            // Live traffic counts such values as unlisted.
            self.other[half] += 1;
            if self.long.len() <= MAX_UNLISTED {
                self.long.insert(Unlisted::hash(name));
            }
        } else if let Some(counts) = self.names.get_mut(name) {
            counts[half] += 1;
        } else {
            self.names.entry(name.into()).or_default()[half] += 1;
        }
        self.names.len()
    }

    /// The law of all rows where every category is listed, of the second half otherwise.
    pub(super) fn law(self) -> Law {
        if self.names.len() <= MAX_CATEGORIES {
            return self.of_all();
        }
        let mut chosen: Vec<(Box<str>, [u64; 2])> = self.names.into_iter().collect();
        // A stable sort: equally frequent ones stay in the order of their bytes.
        chosen.sort_by_key(|(_, counts)| Reverse(counts[0]));
        let mut rest = chosen.split_off(MAX_CATEGORIES);
        // What the first half does not have would be listed because the second one does.
        let never = chosen.partition_point(|(_, counts)| counts[0] > 0);
        rest.append(&mut chosen.split_off(never));
        chosen.sort();
        let mut known = self.long;
        known.extend(rest.iter().map(|(name, _)| Unlisted::hash(name)));
        let unlisted: u64 = rest.iter().map(|(_, counts)| counts[1]).sum();
        let listed: u64 = chosen.iter().map(|(_, counts)| counts[1]).sum();
        let other = self.other[1] + unlisted;
        Law::Categorical {
            counted: Some(listed + other + self.missing[1]),
            counts: chosen.iter().map(|(_, counts)| counts[1]).collect(),
            categories: chosen.into_iter().map(|(name, _)| name.into()).collect(),
            other,
            missing: self.missing[1],
            unlisted: Unlisted::of(known),
        }
    }

    fn of_all(self) -> Law {
        let both = |[first, second]: [u64; 2]| first + second;
        Law::Categorical {
            counted: None,
            unlisted: Unlisted::of(self.long).filter(|_| both(self.other) > 0),
            counts: self.names.values().map(|counts| both(*counts)).collect(),
            categories: self.names.into_keys().map(Into::into).collect(),
            other: both(self.other),
            missing: both(self.missing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_fall_into_halves_of_about_one_size_without_a_rhythm() {
        let rows = 10_000_u64;
        let second = (0..rows).filter(|row| half(*row) == 1).count();
        assert!((4_850..=5_150).contains(&second), "{second}");
        let turns = (1..rows).filter(|row| half(*row) != half(row - 1)).count();
        assert!((4_850..=5_150).contains(&turns), "{turns}");
    }

    #[test]
    fn which_are_listed_is_chosen_by_one_half_and_counted_in_the_other() {
        let mut counted = Counted {
            other: [1, 2],
            missing: [3, 4],
            ..Counted::default()
        };
        for i in 0..70_u64 {
            // The higher, the more frequent in the first half and the rarer in the second.
            let name = format!("c{i:02}").into();
            counted.names.insert(name, [i, 100 - i]);
        }
        let Law::Categorical {
            categories,
            counts,
            other,
            missing,
            counted,
            unlisted,
        } = counted.law()
        else {
            unreachable!()
        };
        assert_eq!(
            (categories[0].as_str(), categories[63].as_str()),
            ("c06", "c69")
        );
        assert_eq!((counts[0], counts[63]), (94, 31));
        let rest: u64 = (0..6).map(|i| 100 - i).sum();
        assert_eq!((other, missing), (2 + rest, 4));
        let known = unlisted.unwrap();
        assert!(known.has("c05") && !known.has("c06") && !known.has("c70"));
        let listed: u64 = counts.iter().sum();
        assert_eq!(counted, Some(listed + other + missing));
    }

    #[test]
    fn a_category_that_the_choosing_half_lacks_is_not_listed() {
        let mut counted = Counted::default();
        for i in 0..65_u64 {
            let seen = u64::from(i < 40);
            counted.names.insert(format!("c{i:02}").into(), [seen, 1]);
        }
        let Law::Categorical {
            categories, other, ..
        } = counted.law()
        else {
            unreachable!()
        };
        assert_eq!((categories.len(), other), (40, 25));
    }

    #[test]
    fn hashes_are_kept_of_all_unlisted_names_or_of_none() {
        let hashes = |names: usize, long: usize| {
            let mut counted = Counted::default();
            for i in 0..names {
                counted.add(&i.to_string(), i % 2);
            }
            for i in 0..long {
                counted.add(&format!("{i:0>300}"), 0);
            }
            let Law::Categorical { unlisted, .. } = counted.law() else {
                unreachable!()
            };
            unlisted.map(|known| known.bytes().len() / 8)
        };
        assert_eq!(hashes(64, 0), None);
        assert_eq!(hashes(64, 2), Some(2));
        assert_eq!(hashes(64 + 100, 1), Some(101));
        assert_eq!(hashes(64 + MAX_UNLISTED, 0), Some(MAX_UNLISTED));
        assert_eq!(hashes(65 + MAX_UNLISTED, 0), None);
    }
}
