//! Finding a name among the few that a plan knows, without comparing it with each.

/// Names with what each stands for.
#[derive(Clone, Debug)]
pub(super) struct Names<T> {
    known: Box<[(Mark, Box<str>, T)]>,
    /// By the first bits of a name's mark: one more than its place among the names, or the next free
    /// slot after it; 0 where there is none.
    slots: Box<[u8]>,
    /// How far a mark is shifted to become a slot.
    shift: u32,
}

/// A name's first and last bytes, up to eight of each, and its length: what names of up to 16 bytes
/// are equal by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    first: u64,
    last: u64,
    len: usize,
}

impl<T: Copy> Names<T> {
    /// Of names that stand for something; the first of equal ones counts. None if there are more than
    /// 255.
    pub(super) fn new<'a>(names: impl IntoIterator<Item = (&'a str, T)>) -> Option<Self> {
        let names = names.into_iter();
        let names: Box<[_]> = names
            .map(|(name, of)| (Mark::of(name.as_bytes()), name.into(), of))
            .collect();
        let bits = (4 * names.len()).next_power_of_two().ilog2().max(4);
        let mut made = Self {
            known: names,
            slots: vec![0; 1 << bits].into(),
            shift: u64::BITS - bits,
        };
        for i in 0..made.known.len() {
            let mut at = made.slot(made.known[i].0);
            while made.slots[at] != 0 {
                at = (at + 1) % made.slots.len();
            }
            made.slots[at] = u8::try_from(i + 1).ok()?;
        }
        Some(made)
    }

    /// What a name stands for, if it is there.
    #[inline]
    pub(super) fn find(&self, name: &str) -> Option<T> {
        let mark = Mark::of(name.as_bytes());
        let mut at = self.slot(mark);
        loop {
            let place = usize::from(*self.slots.get(at)?).checked_sub(1)?;
            let (found, other, of) = self.known.get(place)?;
            if *found == mark && (mark.len <= 16 || **other == *name) {
                return Some(*of);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    fn slot(&self, mark: Mark) -> usize {
        usize::try_from(mark.mixed() >> self.shift).unwrap_or_default()
    }
}

impl Mark {
    #[inline]
    fn of(name: &[u8]) -> Self {
        let four = |bytes: [u8; 4]| u64::from(u32::from_le_bytes(bytes));
        let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
                (Some(first), Some(last)) => (four(*first), four(*last)),
                _ => name.iter().fold((0, 0), |(first, last), byte| {
                    (first << 8 | u64::from(*byte), last)
                }),
            },
        };
        Self {
            first,
            last,
            len: name.len(),
        }
    }

    #[inline]
    const fn mixed(self) -> u64 {
        let a = (self.first ^ 0x9e37_79b9_7f4a_7c15) as u128;
        let b = (self.last ^ 0xbf58_476d_1ce4_e5b9 ^ ((self.len as u64) << 56)) as u128;
        let product = a * b;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "both halves of the product are taken"
        )]
        let folded = (product as u64) ^ ((product >> 64) as u64);
        folded
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_are_found_as_by_comparing(
            names in prop::collection::vec("[ab]{0,3}|[a-c]{4,6}|long-[ab]{4,20}", 0..255),
            wanted in prop::collection::vec("[ab]{0,3}|[a-c]{4,6}|long-[ab]{4,20}", 0..50),
        ) {
            let found = Names::new((0..).zip(&names).map(|(i, name): (usize, _)| (name.as_str(), i))).unwrap();
            for name in names.iter().chain(&wanted) {
                prop_assert_eq!(found.find(name), names.iter().position(|n| n == name));
            }
        }
    }

    #[test]
    fn more_names_than_there_is_room_for_are_refused() {
        let names: Vec<String> = (0..256).map(|i| i.to_string()).collect();
        assert!(Names::new(names.iter().map(|n| (n.as_str(), ()))).is_none());
    }
}
