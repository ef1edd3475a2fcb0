//! S7 of several classes: what was decided, what turned out to be true, and in which group.

use crate::sketch::confusion::read_groups;
use crate::sketch::{
    MAX_GROUPS, MAX_VARINT, MergeError, Sketch, add_totals, bump, read_sparse, write_sparse,
};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Most classes that are told apart.
pub const MAX_CLASSES: u8 = 16;
const MAX_PLACES: usize = MAX_CLASSES as usize + 1;
const MAX_CELLS: usize = (MAX_GROUPS as usize + 1) * MAX_PLACES * MAX_PLACES;

/// Counts by label, decision and group. Classes are their places in the objectives file's list; none
/// is not known, or not listed. Without an attribute there is one group, of index 0, that holds all
/// cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassTable {
    classes: u8,
    groups: u8,
    /// By group, then label, then decision; what is not known stands last of each.
    counts: Vec<u64>,
}

impl ClassTable {
    /// Counts with nothing in them. None unless there are 2 to [`MAX_CLASSES`] classes and 1 to
    /// [`MAX_GROUPS`] groups.
    pub fn new(classes: u8, groups: u8) -> Option<Self> {
        let fit = (2..=MAX_CLASSES).contains(&classes) && (1..=MAX_GROUPS).contains(&groups);
        let places = usize::from(classes) + 1;
        fit.then(|| Self {
            classes,
            groups,
            counts: vec![0; (usize::from(groups) + 1) * places * places],
        })
    }

    /// Counts a case. A class or group beyond the last one is unknown.
    pub fn add(&mut self, label: Option<u8>, decision: Option<u8>, group: Option<u8>) {
        let cell = self.cell(label, decision, group);
        bump(&mut self.counts[cell]);
    }

    /// Cases with this label, decision and group (none: those of which it is not known).
    pub fn count(&self, label: Option<u8>, decision: Option<u8>, group: Option<u8>) -> u64 {
        self.counts[self.cell(label, decision, group)]
    }

    /// Draws each group's cases anew, those of the unknown one last: `draw` is shown a group's counts and
    /// writes others of the same sum.
    pub(crate) fn redraw(&mut self, draw: &mut dyn FnMut(&[u64], &mut [u64])) {
        let places = usize::from(self.classes) + 1;
        for counts in self.counts.chunks_mut(places * places) {
            let old = counts.to_vec();
            draw(&old, counts);
        }
    }

    /// Classes that are told apart; the unknown one is beside them.
    pub const fn classes(&self) -> u8 {
        self.classes
    }

    /// Groups that are told apart; the unknown one is beside them.
    pub const fn groups(&self) -> u8 {
        self.groups
    }

    /// Cases counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn cell(&self, label: Option<u8>, decision: Option<u8>, group: Option<u8>) -> usize {
        let place =
            |of: Option<u8>, unknown: u8| usize::from(of.map_or(unknown, |x| x.min(unknown)));
        let places = usize::from(self.classes) + 1;
        let row = place(group, self.groups) * places + place(label, self.classes);
        row * places + place(decision, self.classes)
    }
}

impl Sketch for ClassTable {
    const MAX_BYTES: usize = 2 + MAX_VARINT + MAX_CELLS * (3 + MAX_VARINT);

    fn max_bytes(&self) -> usize {
        2 + MAX_VARINT + self.counts.len() * (3 + MAX_VARINT)
    }

    fn fits(&self, other: &Self) -> Result<(), MergeError> {
        if self.groups != other.groups || self.classes != other.classes {
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

impl Encode for ClassTable {
    fn encode(&self, w: &mut Writer) {
        w.byte(self.classes);
        w.byte(self.groups);
        let cells = (0_u64..).zip(self.counts.iter().copied());
        let filled: Vec<_> = cells.filter(|(_, count)| *count > 0).collect();
        write_sparse(w, &filled);
    }
}

impl Decode for ClassTable {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let classes = r.byte()?;
        let groups = read_groups(r)?;
        let mut read = Self::new(classes, groups).ok_or(Malformed::Value("number of classes"))?;
        let cells = read.counts.len();
        for (cell, count) in read_sparse(r, cells, cells)? {
            let place = usize::try_from(cell).ok();
            if let Some(place) = place.and_then(|cell| read.counts.get_mut(cell)) {
                *place = count;
            }
        }
        Ok(read)
    }
}
