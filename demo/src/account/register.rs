//! The register as a whole: nothing lost, nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// The register's index: leaf, digest and type of every record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Register(pub(super) Vec<(u64, String, String)>);

/// What a killed and restarted collector kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Restart {
    /// Records just before the kill.
    pub(crate) records_before: usize,
    /// Records at the end.
    pub(crate) records_after: usize,
    /// Records that were there before and are not at the same place any more.
    pub(crate) lost: usize,
    /// Records that stand in the register more than once.
    pub(crate) twice: usize,
}

impl Register {
    /// Holds the register at the end against what it was before.
    pub(super) fn compare(&self, before: &Self) -> Restart {
        let after: BTreeMap<u64, &str> = self.0.iter().map(|(leaf, d, _)| (*leaf, &**d)).collect();
        let lost = |(leaf, digest, _): &&(u64, String, String)| {
            after.get(leaf).is_none_or(|found| found != digest)
        };
        let distinct: BTreeSet<&str> = self.0.iter().map(|(_, digest, _)| &**digest).collect();
        Restart {
            records_before: before.0.len(),
            records_after: self.0.len(),
            lost: before.0.iter().filter(lost).count(),
            twice: self.0.len() - distinct.len(),
        }
    }
}

/// Batches in the register.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Batches {
    /// How many.
    pub(crate) stored: usize,
    /// How many stand there more than once (same agent, boot and sequence number).
    pub(crate) twice: usize,
    /// How many sequence numbers are left out between an agent's first and last.
    pub(crate) left_out: u64,
}

impl Batches {
    /// Counts agent, boot and sequence number of every batch.
    pub(super) fn of(all: &[(String, String, u64)]) -> Self {
        let mut by_boot = BTreeMap::<(&str, &str), BTreeSet<u64>>::new();
        for (agent, boot, sequence) in all {
            by_boot.entry((agent, boot)).or_default().insert(*sequence);
        }
        let distinct: usize = by_boot.values().map(BTreeSet::len).sum();
        let left_out = by_boot.values().map(|sequences| {
            let (first, last) = (sequences.first(), sequences.last());
            let span = last.zip(first).map_or(0, |(last, first)| last - first + 1);
            span - sequences.len() as u64
        });
        Self {
            stored: all.len(),
            twice: all.len() - distinct,
            left_out: left_out.sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(digests: &[&str]) -> Register {
        let leaf = |(leaf, d): (usize, &&str)| (leaf as u64, (*d).into(), "batch".into());
        Register(digests.iter().enumerate().map(leaf).collect())
    }

    #[test]
    fn a_lost_a_moved_and_a_repeated_record_are_each_noticed() {
        let before = register(&["a", "b"]);
        let good = register(&["a", "b", "c"]).compare(&before);
        assert_eq!((good.lost, good.twice), (0, 0));
        assert_eq!(register(&["a"]).compare(&before).lost, 1);
        assert_eq!(register(&["b", "a"]).compare(&before).lost, 2);
        assert_eq!(register(&["a", "b", "a"]).compare(&before).twice, 1);
    }

    #[test]
    fn a_batch_left_out_or_stored_twice_is_noticed() {
        let batch = |agent: &str, sequence| (agent.into(), "1".into(), sequence);
        let all = [
            batch("a", 1),
            batch("a", 2),
            batch("b", 1),
            batch("b", 4),
            batch("b", 4),
        ];
        let counted = Batches::of(&all);
        assert_eq!((counted.stored, counted.twice, counted.left_out), (5, 1, 2));
    }
}
