//! S6: scores by label and group, in 480 cells that are finest where scores are surest.
//!
//! A score s from 0 to 1 lies t = min(s, 1 - s) from the nearer end (1 - s is exact from 0.5 on).
//! On each side 15 octaves of t, from 2^-16 to 0.5, are cut into 16 cells each; t below 2^-16
//! belongs to the outermost cell. Scores of 0.5 and more are on the upper side. Cells ascend with
//! the score.

use std::collections::BTreeMap;

use crate::sketch::confusion::{read_groups, third};
use crate::sketch::{MAX_GROUPS, MAX_VARINT, MergeError, Sketch, add_totals, bump, sum_of};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Mantissa bits of a cell.
const K: u32 = 4;
/// Cells on one side of 0.5.
const SIDE: u16 = 240;
/// Cells of scores; the one after them counts cases without a usable score.
const CELLS: u16 = 2 * SIDE;
const PER_GROUP: u16 = CELLS + 1;
/// Where cells begin: exponent and first mantissa bits of 2^-16.
const FIRST: u64 = (1023 - 16) << K;
const MAX_KEYS: usize = (MAX_GROUPS as usize + 1) * PER_GROUP as usize;
const MAX_ENTRY: usize = 3 + 3 * MAX_VARINT;

/// Counts of cases by score, label and group. Without an attribute there is one group, of index 0,
/// that holds all cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreCells {
    groups: u8,
    total: u64,
    /// By group (the unknown one last), then cell; never all zero.
    cells: BTreeMap<u16, [u64; 3]>,
}

/// Cases by what turned out to be true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByLabel {
    /// Label positive.
    pub positive: u64,
    /// Label negative.
    pub negative: u64,
    /// Label not known.
    pub unlabelled: u64,
}

impl ByLabel {
    /// Cases whose label is known.
    pub const fn labelled(&self) -> u64 {
        self.positive.saturating_add(self.negative)
    }

    const fn of(counts: [u64; 3]) -> Self {
        let [positive, negative, unlabelled] = counts;
        Self {
            positive,
            negative,
            unlabelled,
        }
    }
}

/// One cell of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreCell {
    /// Smallest score of the cell (below 0.5), or the edge under it.
    pub low: f64,
    /// Largest score of the cell (from 0.5 on), or the edge above it.
    pub high: f64,
    /// Cases in it.
    pub count: ByLabel,
}

impl ScoreCells {
    /// Counts with nothing in them. None unless there are 1 to [`MAX_GROUPS`] groups.
    pub fn new(groups: u8) -> Option<Self> {
        (1..=MAX_GROUPS).contains(&groups).then(|| Self {
            groups,
            total: 0,
            cells: BTreeMap::new(),
        })
    }

    /// Counts of all cases as one group.
    pub(crate) const fn of_all() -> Self {
        Self {
            groups: 1,
            total: 0,
            cells: BTreeMap::new(),
        }
    }

    /// Counts a case. A score that is none, or not within 0 to 1, is counted apart; a group beyond
    /// the last one is unknown.
    pub fn add(&mut self, score: Option<f64>, label: Option<bool>, group: Option<u8>) {
        let usable = score.filter(|s| (0.0..=1.0).contains(s));
        let key = self.first_key(group) + usable.map_or(CELLS, cell_of);
        bump(&mut self.cells.entry(key).or_default()[third(label)]);
        bump(&mut self.total);
    }

    /// The cells of a group (none: of cases whose group is not known) that are not empty, ascending.
    pub fn cells(&self, group: Option<u8>) -> impl Iterator<Item = ScoreCell> {
        let first = self.first_key(group);
        self.cells
            .range(first..first + CELLS)
            .map(move |(key, counts)| {
                let (low, high) = edges_of(key - first);
                ScoreCell {
                    low,
                    high,
                    count: ByLabel::of(*counts),
                }
            })
    }

    /// Cases of a group without a usable score.
    pub fn unscored(&self, group: Option<u8>) -> ByLabel {
        let key = self.first_key(group) + CELLS;
        self.cells
            .get(&key)
            .map_or_else(ByLabel::default, |counts| ByLabel::of(*counts))
    }

    /// Groups that are told apart; the unknown one is beside them.
    pub const fn groups(&self) -> u8 {
        self.groups
    }

    /// Cases counted, with or without a score.
    pub const fn total(&self) -> u64 {
        self.total
    }

    fn first_key(&self, group: Option<u8>) -> u16 {
        u16::from(group.map_or(self.groups, |group| group.min(self.groups))) * PER_GROUP
    }

    const fn keys(&self) -> usize {
        (self.groups as usize + 1) * PER_GROUP as usize
    }
}

/// The cell of a score within 0 to 1.
fn cell_of(score: f64) -> u16 {
    // `abs` for the sake of negative zero.
    if score < 0.5 {
        outward(score.abs())
    } else {
        CELLS - 1 - outward(1.0 - score)
    }
}

/// Which cell of its side a distance of 0 to 0.5 from the end falls into.
fn outward(t: f64) -> u16 {
    let index = (t.to_bits() >> (52 - K)).saturating_sub(FIRST);
    u16::try_from(index).unwrap_or(SIDE).min(SIDE - 1)
}

fn edges_of(cell: u16) -> (f64, f64) {
    let edge = |i: u16| {
        if i == 0 {
            0.0
        } else {
            f64::from_bits((FIRST + u64::from(i)) << (52 - K))
        }
    };
    if cell < SIDE {
        (edge(cell), edge(cell + 1))
    } else {
        let mirrored = CELLS - 1 - cell;
        (1.0 - edge(mirrored + 1), 1.0 - edge(mirrored))
    }
}

impl Sketch for ScoreCells {
    const MAX_BYTES: usize = 1 + MAX_VARINT + MAX_KEYS * MAX_ENTRY;

    fn max_bytes(&self) -> usize {
        1 + MAX_VARINT + self.keys() * MAX_ENTRY
    }

    fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        if self.groups != other.groups {
            return Err(MergeError::Different);
        }
        self.total = add_totals(self.total, other.total)?;
        for (key, theirs) in &other.cells {
            let mine = self.cells.entry(*key).or_default();
            for (count, more) in mine.iter_mut().zip(theirs) {
                *count += more;
            }
        }
        Ok(())
    }
}

impl Encode for ScoreCells {
    fn encode(&self, w: &mut Writer) {
        w.byte(self.groups);
        w.unsigned(self.cells.len() as u64);
        let mut next = 0;
        for (key, counts) in &self.cells {
            w.unsigned(u64::from(key - next));
            for count in counts {
                w.unsigned(*count);
            }
            next = key + 1;
        }
    }
}

impl Decode for ScoreCells {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let groups = read_groups(r)?;
        let mut read = Self::new(groups).ok_or(Malformed::Value("number of groups"))?;
        let keys = read.keys() as u64;
        let len = r.count(read.keys())?;
        let mut next = 0_u64;
        for _ in 0..len {
            let gap = r.unsigned()?;
            let key = next.checked_add(gap).filter(|key| *key < keys);
            let key = key.and_then(|key| u16::try_from(key).ok());
            let key = key.ok_or(Malformed::Value("score cell"))?;
            let counts = [r.unsigned()?, r.unsigned()?, r.unsigned()?];
            let cases = sum_of(&counts)?;
            if cases == 0 {
                return Err(Malformed::Value("empty score cell"));
            }
            read.total = sum_of(&[read.total, cases])?;
            read.cells.insert(key, counts);
            next = u64::from(key) + 1;
        }
        Ok(read)
    }
}
