//! S6: scores by label and group, in 1,920 cells that are finest where scores are surest.
//!
//! A score s from 0 to 1 lies t = min(s, 1 - s) from the nearer end (1 - s is exact from 0.5 on).
//! On each side 15 octaves of t, from 2^-16 to 0.5, are cut into 64 cells each; t below 2^-16
//! belongs to the outermost cell. Scores of 0.5 and more are on the upper side. Cells ascend with
//! the score.
//!
//! Sixteen cells to an octave are too few: in windows of a hundred rows one pair of cases in a cell of
//! theirs leaves the area under the ROC curve open by more than 0.005. Where scores are rounded, cells
//! however fine hold ties: a cell knows if its cases all have one round score ([`RoundScores`]).

use crate::sketch::confusion::{read_groups, third};
use crate::sketch::pages::Pages;
use crate::sketch::round_scores::{Held, RoundScores};
use crate::sketch::{MAX_GROUPS, MAX_VARINT, MergeError, Sketch, add_totals, bump, sum_of};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Mantissa bits of a cell.
const K: u32 = 6;
/// How the encoding begins: which cells there are. Those of 4 bits began with the number of groups.
const VERSION: u8 = 0x86;
const _: () = assert!(VERSION as u32 == 0x80 | K);
/// How the encoding begins where some cell is known to hold one round score: what each holds follows its
/// counts. Where none is, it begins and goes on as before this was remembered.
const WITH_SCORES: u8 = VERSION | 0x40;
/// Cells of one octave, and of one page of counters.
const OCTAVE: usize = 1 << K;
/// Cells on one side of 0.5.
const SIDE: u16 = 15 << K;
/// Cells of scores; the one after them counts cases without a usable score.
const CELLS: u16 = 2 * SIDE;
const PER_GROUP: u32 = CELLS as u32 + 1;
/// Where cells begin: exponent and first mantissa bits of 2^-16.
const FIRST: u64 = (1023 - 16) << K;
/// Places of the counters of one group and label.
const PER_LABEL: usize = CELLS as usize;

/// Counts of cases by score, label and group. Without an attribute there is one group, of index 0,
/// that holds all cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreCells {
    groups: u8,
    total: u64,
    /// By group (the unknown one last), then label, then cell.
    cells: Pages<OCTAVE>,
    /// By group, then cell: what scores are there.
    held: RoundScores<OCTAVE>,
    /// Cases without a usable score, by group.
    unscored: Vec<[u64; 3]>,
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
    /// The score of all cases in it, if it is one and has at most four decimals.
    pub score: Option<f64>,
    /// Cases in it.
    pub count: ByLabel,
}

impl ScoreCells {
    /// Counts with nothing in them. None unless there are 1 to [`MAX_GROUPS`] groups.
    pub fn new(groups: u8) -> Option<Self> {
        (1..=MAX_GROUPS)
            .contains(&groups)
            .then(|| Self::with_groups(groups))
    }

    /// Counts of all cases as one group.
    pub(crate) fn of_all() -> Self {
        Self::with_groups(1)
    }

    fn with_groups(groups: u8) -> Self {
        let with_unknown = usize::from(groups) + 1;
        Self {
            groups,
            total: 0,
            cells: Pages::new(with_unknown * 3 * PER_LABEL),
            held: RoundScores::new(with_unknown * PER_LABEL),
            unscored: vec![[0; 3]; with_unknown],
        }
    }

    /// Counts a case. A score that is none, or not within 0 to 1, is counted apart; a group beyond
    /// the last one is unknown.
    pub fn add(&mut self, score: Option<f64>, label: Option<bool>, group: Option<u8>) {
        let group = self.place(group);
        match score.filter(|s| (0.0..=1.0).contains(s)) {
            Some(score) => {
                let cell = usize::from(cell_of(score));
                self.cells.bump(first_place(group, third(label)) + cell);
                self.held.see(group * PER_LABEL + cell, score);
            }
            None => bump(&mut self.unscored[group][third(label)]),
        }
        bump(&mut self.total);
    }

    /// The cells of a group (none: of cases whose group is not known) that are not empty, ascending.
    pub fn cells(&self, group: Option<u8>) -> impl Iterator<Item = ScoreCell> {
        let group = self.place(group);
        self.counts(group).map(move |(cell, counts)| {
            let (low, high) = edges_of(cell);
            ScoreCell {
                low,
                high,
                score: self.held(group, cell).score(),
                count: ByLabel::of(counts),
            }
        })
    }

    /// What scores are in a cell of a group.
    fn held(&self, group: usize, cell: u16) -> Held {
        self.held.get(group * PER_LABEL + usize::from(cell))
    }

    /// The cells of a group that are not empty, ascending, with their counts by label.
    fn counts(&self, group: usize) -> impl Iterator<Item = (u16, [u64; 3])> {
        (0..PER_LABEL / OCTAVE).flat_map(move |octave| {
            let mut counts = [[0_u64; 3]; OCTAVE];
            let labels = [0, 1, 2].map(|label| first_place(group, label) / OCTAVE + octave);
            for (label, page) in labels.into_iter().enumerate() {
                for (place, count) in self.cells.filled_in(page) {
                    counts[place % OCTAVE][label] = count;
                }
            }
            let first = octave * OCTAVE;
            (first..)
                .zip(counts)
                .filter(|(_, counts)| *counts != [0; 3])
                .map(|(cell, counts)| (u16::try_from(cell).unwrap_or(CELLS), counts))
        })
    }

    /// Cases of a group without a usable score.
    pub fn unscored(&self, group: Option<u8>) -> ByLabel {
        ByLabel::of(self.unscored[self.place(group)])
    }

    /// Groups that are told apart; the unknown one is beside them.
    pub const fn groups(&self) -> u8 {
        self.groups
    }

    /// Cases counted, with or without a score.
    pub const fn total(&self) -> u64 {
        self.total
    }

    fn place(&self, group: Option<u8>) -> usize {
        usize::from(group.map_or(self.groups, |group| group.min(self.groups)))
    }

    /// Every key that is not empty, ascending, with its counts and, of a cell, the scores in it: by group,
    /// then cell, then cases without a usable score.
    fn entries(&self) -> impl Iterator<Item = (u32, [u64; 3], Option<Held>)> {
        (0_u32..)
            .zip(&self.unscored)
            .flat_map(move |(number, unscored)| {
                let group = usize::try_from(number).unwrap_or_default();
                let unscored = (*unscored != [0; 3]).then_some((CELLS, *unscored));
                self.counts(group)
                    .chain(unscored)
                    .map(move |(cell, counts)| {
                        let held = (cell < CELLS).then(|| self.held(group, cell));
                        (number * PER_GROUP + u32::from(cell), counts, held)
                    })
            })
    }

    /// Adds to what is kept under a key. The caller keeps the total within 64 bits.
    fn put(&mut self, key: u32, counts: [u64; 3], held: Held) {
        let (group, cell) = (key / PER_GROUP, key % PER_GROUP);
        let (Ok(group), Ok(cell)) = (usize::try_from(group), usize::try_from(cell)) else {
            return;
        };
        if cell < PER_LABEL {
            self.held.join(group * PER_LABEL + cell, held);
        }
        for (label, count) in counts.into_iter().enumerate() {
            if cell < PER_LABEL {
                self.cells.add(first_place(group, label) + cell, count);
            } else {
                self.unscored[group][label] += count;
            }
        }
    }

    const fn keys(&self) -> usize {
        (self.groups as usize + 1) * PER_GROUP as usize
    }
}

/// Where the counters of a group and label begin.
const fn first_place(group: usize, label: usize) -> usize {
    (group * 3 + label) * PER_LABEL
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

impl ScoreCells {
    /// Longest encoding of so many keys. Counts add up to less than 2^64, so that they are shortest
    /// together if all are equal: one of c takes at most 1 + log2(c) / 7 bytes, and the logarithm is
    /// concave. Gaps of 128 and more take a byte or two more, and there are few. What a cell holds takes at
    /// most two.
    const fn bytes_of(keys: usize) -> usize {
        let counts = 3 * keys;
        let bits = 64 - counts.ilog2() as usize;
        2 + MAX_VARINT + 3 * keys + keys / 32 + counts + (counts * bits).div_ceil(7)
    }
}

impl Sketch for ScoreCells {
    const MAX_BYTES: usize = Self::bytes_of((MAX_GROUPS as usize + 1) * PER_GROUP as usize);

    fn max_bytes(&self) -> usize {
        Self::bytes_of(self.keys())
    }

    fn fits(&self, other: &Self) -> Result<(), MergeError> {
        if self.groups != other.groups {
            return Err(MergeError::Different);
        }
        add_totals(self.total, other.total)?;
        Ok(())
    }

    fn take_in(&mut self, other: &Self) {
        self.total += other.total;
        for (place, count) in other.cells.filled() {
            self.cells.add(place, count);
            let (group, cell) = (place / (3 * PER_LABEL), place % PER_LABEL);
            let cell = group * PER_LABEL + cell;
            self.held.join(cell, other.held.get(cell));
        }
        let unscored = self.unscored.iter_mut().zip(&other.unscored);
        for (mine, theirs) in unscored.flat_map(|(mine, theirs)| mine.iter_mut().zip(theirs)) {
            *mine += theirs;
        }
    }
}

impl Encode for ScoreCells {
    fn encode(&self, w: &mut Writer) {
        let entries: Vec<_> = self.entries().collect();
        let scores = entries.iter().any(|(.., held)| is_one(*held));
        w.byte(if scores { WITH_SCORES } else { VERSION });
        w.byte(self.groups);
        w.unsigned(entries.len() as u64);
        let mut next = 0;
        for (key, counts, held) in entries {
            w.unsigned(u64::from(key - next));
            for count in counts {
                w.unsigned(count);
            }
            if let Some(held) = held.filter(|_| scores) {
                w.unsigned(held.written());
            }
            next = key + 1;
        }
    }
}

impl Decode for ScoreCells {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let scores = match r.byte()? {
            VERSION => false,
            WITH_SCORES => true,
            _ => return Err(Malformed::Value("resolution of score cells")),
        };
        let mut told = false;
        let groups = read_groups(r)?;
        let mut read = Self::new(groups).ok_or(Malformed::Value("number of groups"))?;
        let keys = read.keys() as u64;
        let len = r.count(read.keys())?;
        let mut next = 0_u64;
        for _ in 0..len {
            let gap = r.unsigned()?;
            let key = next.checked_add(gap).filter(|key| *key < keys);
            let key = key.and_then(|key| u32::try_from(key).ok());
            let key = key.ok_or(Malformed::Value("score cell"))?;
            let counts = [r.unsigned()?, r.unsigned()?, r.unsigned()?];
            let cases = sum_of(&counts)?;
            if cases == 0 {
                return Err(Malformed::Value("empty score cell"));
            }
            read.total = sum_of(&[read.total, cases])?;
            let held = match u16::try_from(key % PER_GROUP) {
                Ok(cell) if scores && cell < CELLS => held_in(r, cell)?,
                Ok(_) | Err(_) => Held::Several,
            };
            told |= is_one(Some(held));
            read.put(key, counts, held);
            next = u64::from(key) + 1;
        }
        if told != scores {
            return Err(Malformed::Value("scores of cells"));
        }
        Ok(read)
    }
}

const fn is_one(held: Option<Held>) -> bool {
    matches!(held, Some(Held::One(_)))
}

/// What a cell holds, which must lie in it.
fn held_in(r: &mut Reader<'_>, cell: u16) -> Result<Held, Malformed> {
    let held = Held::read(r.unsigned()?)?;
    match held.score() {
        Some(score) if cell_of(score) != cell => Err(Malformed::Value("score of another cell")),
        Some(_) | None => Ok(held),
    }
}
