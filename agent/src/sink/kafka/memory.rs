//! Which records were taken, so that one that is read again, after a rebalance or a commit that did not
//! get through, is not counted again. Bounded: the oldest are forgotten.

use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest as _, Sha256};

/// Most records that are remembered.
const MAX_KNOWN: usize = 65_536;

/// Where a record stands: the topic's place in the configuration, partition and offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) topic: usize,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// What tells a record from another that later stands at its place: topics are deleted and made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark([u8; 8]);

impl Mark {
    /// Of a record's time and content.
    pub(super) fn of(millis: Option<i64>, key: &[u8], value: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(millis.unwrap_or(i64::MIN).to_be_bytes());
        hash.update((key.len() as u64).to_be_bytes());
        hash.update(key);
        hash.update(value);
        let mut mark = [0; 8];
        for (byte, of) in mark.iter_mut().zip(hash.finalize()) {
            *byte = of;
        }
        Self(mark)
    }
}

/// The records that were taken last.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    known: BTreeMap<Place, Mark>,
    order: VecDeque<Place>,
}

impl Remembered {
    /// Notes a record; whether it is new.
    pub(super) fn enter(&mut self, place: Place, mark: Mark) -> bool {
        if let Some(known) = self.known.get_mut(&place) {
            let is_new = *known != mark;
            *known = mark;
            return is_new;
        }
        if self.order.len() >= MAX_KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.known.insert(place, mark);
        self.order.push_back(place);
        true
    }

    /// Unlearns records that were read and given back without being taken. These are the latest, and few.
    pub(super) fn forget(&mut self, gone: impl Fn(Place) -> bool, latest: usize) {
        let from = self.order.len().saturating_sub(latest);
        let mut kept = self.order.split_off(from);
        kept.retain(|place| {
            let is_gone = gone(*place);
            if is_gone {
                self.known.remove(place);
            }
            !is_gone
        });
        self.order.append(&mut kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(offset: i64) -> Place {
        Place {
            topic: 0,
            partition: 1,
            offset,
        }
    }

    #[test]
    fn the_same_record_is_known_and_another_at_its_place_is_not() {
        let mut all = Remembered::default();
        let mark = Mark::of(Some(1), b"k", b"v");
        assert!(all.enter(place(0), mark));
        assert!(!all.enter(place(0), mark));
        assert!(all.enter(place(1), mark));
        // Neither time nor key nor value may differ, nor may key and value be shifted.
        for other in [
            Mark::of(None, b"k", b"v"),
            Mark::of(Some(1), b"", b"kv"),
            Mark::of(Some(1), b"k", b"w"),
        ] {
            assert!(all.enter(place(0), other));
            assert!(!all.enter(place(0), other));
        }
    }

    #[test]
    fn the_oldest_are_forgotten_and_what_was_given_back_is_unlearned() {
        let mut all = Remembered::default();
        let mark = Mark::of(Some(1), b"", b"");
        let count = i64::try_from(MAX_KNOWN).unwrap() + 10;
        for offset in 0..count {
            assert!(all.enter(place(offset), mark));
        }
        assert_eq!((all.known.len(), all.order.len()), (MAX_KNOWN, MAX_KNOWN));
        assert!(!all.enter(place(count - 1), mark));
        assert!(!all.enter(place(10), mark));
        assert!(all.enter(place(9), mark));
        all.forget(|place| place.offset > 12, 2);
        assert!(all.enter(place(count - 1), mark));
        assert!(!all.enter(place(count - 2), mark));
    }
}
