//! Finding a name among the few that a plan knows, without comparing it with each.

/// Names with what each stands for.
#[derive(Clone, Debug)]
pub(super) struct Names<T> {
    names: Box<[(u64, Box<str>, T)]>,
    /// By the first bits of a name's mark: one more than its place among the names, or the next free
    /// slot after it; 0 where there is none.
    slots: Box<[u8]>,
    /// How far a mark is shifted to become a slot.
    shift: u32,
}

impl<T: Copy> Names<T> {
    /// Of names that stand for something; the first of equal ones counts. None if there are more than
    /// 255.
    pub(super) fn new<'a>(names: impl IntoIterator<Item = (&'a str, T)>) -> Option<Self> {
        let names = names.into_iter();
        let names: Box<[_]> = names
            .map(|(name, of)| (mark(name.as_bytes()), name.into(), of))
            .collect();
        let bits = (4 * names.len()).next_power_of_two().ilog2().max(4);
        let mut made = Self {
            names,
            slots: vec![0; 1 << bits].into(),
            shift: u64::BITS - bits,
        };
        for i in 0..made.names.len() {
            let mut at = made.slot(made.names[i].0);
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
        let mark = mark(name.as_bytes());
        let mut at = self.slot(mark);
        loop {
            let place = usize::from(*self.slots.get(at)?).checked_sub(1)?;
            let (known, other, of) = self.names.get(place)?;
            if *known == mark && **other == *name {
                return Some(*of);
            }
            at = (at + 1) % self.slots.len();
        }
    }

    fn slot(&self, mark: u64) -> usize {
        usize::try_from(mark >> self.shift).unwrap_or_default()
    }
}

/// Mixes a name's length, its first and its last eight bytes. Names may share it; they are compared,
/// too.
#[inline]
fn mark(name: &[u8]) -> u64 {
    let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
            (Some(first), Some(last)) => (
                u64::from(u32::from_le_bytes(*first)),
                u64::from(u32::from_le_bytes(*last)),
            ),
            _ => name.iter().fold((0, 0), |(first, last), byte| {
                (first << 8 | u64::from(*byte), last)
            }),
        },
    };
    let a = u128::from(first ^ 0x9e37_79b9_7f4a_7c15);
    let b = u128::from(last ^ 0xbf58_476d_1ce4_e5b9 ^ (name.len() as u64) << 56);
    let product = a * b;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "both halves of the product are taken"
    )]
    let folded = (product as u64) ^ ((product >> 64) as u64);
    folded
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
