//! Which batch an answer is about that came by itself. Pure.

use std::collections::BTreeMap;

use clause9_shared::digest::Digest;

/// Most names that are kept; more than batches may wait for an answer.
const MAX: usize = 4096;

/// Names of batches that were sent, with their numbers in the outbox.
#[derive(Debug, Default)]
pub(super) struct Awaited(BTreeMap<Digest, u64>);

impl Awaited {
    /// Notes a batch that is sent. `waits` says whether one still waits in the outbox.
    pub(super) fn note(&mut self, name: Digest, number: u64, waits: impl Fn(u64) -> bool) {
        if self.0.len() >= MAX {
            self.0.retain(|_, number| waits(*number));
        }
        if self.0.len() < MAX {
            self.0.insert(name, number);
        }
    }

    /// The number of the batch of that name; none if nobody waits for word of it.
    pub(super) fn number(&self, name: Digest) -> Option<u64> {
        self.0.get(&name).copied()
    }

    /// Nobody waits for word of it any more.
    pub(super) fn settled(&mut self, name: Digest) {
        self.0.remove(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u64) -> Digest {
        Digest::of(&number.to_le_bytes())
    }

    #[test]
    fn answers_find_their_batch_and_what_left_the_outbox_makes_room() {
        let mut awaited = Awaited::default();
        for number in 0..MAX as u64 {
            awaited.note(name(number), number, |_| true);
        }
        assert_eq!(awaited.number(name(7)), Some(7));
        awaited.note(name(9000), 9000, |_| true);
        assert_eq!(awaited.number(name(9000)), None, "there is no room");
        awaited.note(name(9000), 9000, |number| number > 100);
        assert_eq!(awaited.number(name(9000)), Some(9000));
        assert_eq!(awaited.number(name(7)), None);
        awaited.settled(name(9000));
        assert_eq!(awaited.number(name(9000)), None);
    }
}
