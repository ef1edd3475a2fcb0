//! S7: what was decided, what turned out to be true, and in which group.

use crate::sketch::{
    MAX_GROUPS, MAX_VARINT, MergeError, Sketch, add_totals, bump, read_sparse, write_sparse,
};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Cells of one group: three labels by three decisions.
const PER_GROUP: usize = 9;
/// Most cells: the groups and the unknown one.
const MAX_CELLS: usize = (MAX_GROUPS as usize + 1) * PER_GROUP;

/// Counts by label, decision and group. `Some(true)` is positive, `None` is not known. Without an
/// attribute there is one group, of index 0, that holds all cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    groups: u8,
    /// By group (the unknown one last), then label, then decision.
    counts: Vec<u64>,
}

impl Confusion {
    /// Counts with nothing in them. None unless there are 1 to [`MAX_GROUPS`] groups.
    pub fn new(groups: u8) -> Option<Self> {
        (1..=MAX_GROUPS).contains(&groups).then(|| Self {
            groups,
            counts: vec![0; (usize::from(groups) + 1) * PER_GROUP],
        })
    }

    /// Counts of all cases as one group.
    pub(crate) fn of_all() -> Self {
        Self {
            groups: 1,
            counts: vec![0; 2 * PER_GROUP],
        }
    }

    /// Counts a case. A group beyond the last one is unknown.
    pub fn add(&mut self, label: Option<bool>, decision: Option<bool>, group: Option<u8>) {
        let cell = self.cell(label, decision, group);
        bump(&mut self.counts[cell]);
    }

    /// Cases with this label, decision and group (none: those whose group is not known).
    pub fn count(&self, label: Option<bool>, decision: Option<bool>, group: Option<u8>) -> u64 {
        self.counts[self.cell(label, decision, group)]
    }

    /// Cases for which `counts(label, decision, group)` holds.
    pub fn sum(&self, counts: impl Fn(Option<bool>, Option<bool>, Option<u8>) -> bool) -> u64 {
        const KNOWN: [Option<bool>; 3] = [Some(true), Some(false), None];
        let groups = (0..self.groups).map(Some).chain([None]);
        let keys = groups.flat_map(|group| {
            KNOWN.into_iter().flat_map(move |label| {
                KNOWN
                    .into_iter()
                    .map(move |decision| (label, decision, group))
            })
        });
        keys.zip(&self.counts)
            .filter(|((label, decision, group), _)| counts(*label, *decision, *group))
            .map(|(_, count)| count)
            .sum()
    }

    /// Cases of a group with this decision, whatever their label.
    pub fn decided(&self, decision: Option<bool>, group: Option<u8>) -> u64 {
        self.sum(|_, d, g| d == decision && g == group)
    }

    /// Draws each group's cases anew, those of the unknown one last: `draw` is shown a group's counts and
    /// writes others of the same sum.
    pub(crate) fn redraw(&mut self, draw: &mut dyn FnMut(&[u64], &mut [u64])) {
        for counts in self.counts.chunks_mut(PER_GROUP) {
            let old = counts.to_vec();
            draw(&old, counts);
        }
    }

    /// Groups that are told apart; the unknown one is beside them.
    pub const fn groups(&self) -> u8 {
        self.groups
    }

    /// Cases counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn cell(&self, label: Option<bool>, decision: Option<bool>, group: Option<u8>) -> usize {
        let group = group.map_or(self.groups, |group| group.min(self.groups));
        usize::from(group) * PER_GROUP + third(label) * 3 + third(decision)
    }
}

/// Place of a truth value in tables: positive, negative, not known.
pub(super) const fn third(value: Option<bool>) -> usize {
    match value {
        Some(true) => 0,
        Some(false) => 1,
        None => 2,
    }
}

/// Reads a number of groups.
pub(super) fn read_groups(r: &mut Reader<'_>) -> Result<u8, Malformed> {
    let groups = r.byte()?;
    if (1..=MAX_GROUPS).contains(&groups) {
        Ok(groups)
    } else {
        Err(Malformed::Value("number of groups"))
    }
}

impl Sketch for Confusion {
    const MAX_BYTES: usize = 1 + MAX_VARINT + MAX_CELLS * (2 + MAX_VARINT);

    fn max_bytes(&self) -> usize {
        1 + MAX_VARINT + self.counts.len() * (2 + MAX_VARINT)
    }

    fn fits(&self, other: &Self) -> Result<(), MergeError> {
        if self.groups != other.groups {
            return Err(MergeError::Different);
        }
        add_totals(self.total(), other.total())?;
        Ok(())
    }

    fn take_in(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
    }
}

impl Encode for Confusion {
    fn encode(&self, w: &mut Writer) {
        w.byte(self.groups);
        let cells = (0_u64..).zip(self.counts.iter().copied());
        let filled: Vec<_> = cells.filter(|(_, count)| *count > 0).collect();
        write_sparse(w, &filled);
    }
}

impl Decode for Confusion {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let groups = read_groups(r)?;
        let mut read = Self::new(groups).ok_or(Malformed::Value("number of groups"))?;
        let cells = read.counts.len();
        for (cell, count) in read_sparse(r, cells, cells)? {
            if let Some(place) = usize::try_from(cell)
                .ok()
                .and_then(|c| read.counts.get_mut(c))
            {
                *place = count;
            }
        }
        Ok(read)
    }
}
