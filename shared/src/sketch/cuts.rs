//! S2: how many values lie at and between documented points: the baseline's deciles (cuts), the
//! values that come up often in it (atoms), the edges of equal bins over its range (bins), and
//! points that part cells of its histogram in which too much lies (splits).
//!
//! Evidence on a feature's drift rests on these counts. They are kept beside the histogram, since a
//! histogram that had to join cells no longer knows where a decile was (statistics, 1.2), and since
//! two laws with the same values in them can be compared exactly where those values are known.

use std::sync::Arc;

use crate::sketch::{
    MAX_VARINT, MergeError, Sketch, add_totals, bump, read_number, sum_of, write_number,
};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Most cuts.
pub const MAX_CUTS: usize = 32;
/// Most atoms.
pub const MAX_ATOMS: usize = 32;
/// Most edges of equal bins.
pub const MAX_BINS: usize = 21;
/// Most splits.
pub const MAX_SPLITS: usize = 64;
const MAX_POINTS: usize = MAX_CUTS + MAX_ATOMS + MAX_BINS + MAX_SPLITS;

/// A point that is a cut.
const CUT: u8 = 1;
/// A point that is an atom.
const ATOM: u8 = 2;
/// A point that is an edge of the equal bins.
const BIN: u8 = 4;
/// A point that parts a cell of the histogram.
const SPLIT: u8 = 8;
/// Most points of each role.
const LIMITS: [(u8, usize); 4] = [
    (CUT, MAX_CUTS),
    (ATOM, MAX_ATOMS),
    (BIN, MAX_BINS),
    (SPLIT, MAX_SPLITS),
];

/// The points of [`CutCounts`] by what they are for. A number may be several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Points {
    /// Where decile cells begin, at most [`MAX_CUTS`].
    pub cuts: Vec<f64>,
    /// Values that come up often, at most [`MAX_ATOMS`].
    pub atoms: Vec<f64>,
    /// Edges of equal bins, at most [`MAX_BINS`].
    pub bins: Vec<f64>,
    /// What parts cells of the histogram, at most [`MAX_SPLITS`].
    pub splits: Vec<f64>,
}

/// Counts at and between fixed points. A value equal to a cut belongs to the cell above it, as
/// numpy's bins have it.
#[derive(Clone, Debug, PartialEq)]
pub struct CutCounts {
    /// The same for all panes of a plan.
    grid: Arc<Grid>,
    /// Below the first point, at it, between it and the second one, and so on.
    counts: Vec<u64>,
}

/// What is fixed.
#[derive(Debug, PartialEq)]
struct Grid {
    points: Vec<f64>,
    /// What each point is: [`CUT`], [`ATOM`], [`BIN`], [`SPLIT`] or several.
    roles: Vec<u8>,
}

/// One of the finest cells of [`CutCounts`]: a single value, or what lies strictly between two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointCell {
    /// Lower end; minus infinity for the first cell.
    pub low: f64,
    /// Upper end, equal to the lower one for a single value; infinity for the last cell.
    pub high: f64,
    /// Values in it.
    pub count: u64,
}

impl CutCounts {
    /// Cells with nothing in them. None unless the cuts are finite, strictly ascending and at most
    /// [`MAX_CUTS`].
    pub fn new(cuts: &[f64]) -> Option<Self> {
        Self::with_atoms(cuts, &[])
    }

    /// Cells with nothing in them, with single values of their own. None unless cuts and atoms are
    /// each finite, strictly ascending, and at most [`MAX_CUTS`] and [`MAX_ATOMS`].
    pub fn with_atoms(cuts: &[f64], atoms: &[f64]) -> Option<Self> {
        Self::with_points(&Points {
            cuts: cuts.to_vec(),
            atoms: atoms.to_vec(),
            ..Points::default()
        })
    }

    /// Cells with nothing in them, at and between points. None unless each list of them is finite,
    /// strictly ascending and within its limit.
    pub fn with_points(of: &Points) -> Option<Self> {
        let lists = [
            (&of.cuts, CUT, MAX_CUTS),
            (&of.atoms, ATOM, MAX_ATOMS),
            (&of.bins, BIN, MAX_BINS),
            (&of.splits, SPLIT, MAX_SPLITS),
        ];
        let fit = |list: &[f64], most| {
            let ascending = list.windows(2).all(|pair| pair[0] < pair[1]);
            list.len() <= most && ascending && list.iter().all(|x| x.is_finite())
        };
        if !lists.iter().all(|(list, _, most)| fit(list, *most)) {
            return None;
        }
        let all = lists.iter().flat_map(|(list, ..)| list.iter());
        // Adding zero turns negative zero into zero.
        let mut points: Vec<f64> = all.map(|point| point + 0.0).collect();
        points.sort_by(f64::total_cmp);
        points.dedup();
        let role = |point: &f64| {
            let roles = lists.iter().filter(|(list, ..)| list.contains(point));
            roles.fold(0, |role, (_, bit, _)| role | bit)
        };
        Some(Self {
            counts: vec![0; 2 * points.len() + 1],
            grid: Arc::new(Grid {
                roles: points.iter().map(role).collect(),
                points,
            }),
        })
    }

    /// Cells of the same points with nothing in them.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self {
            counts: vec![0; self.counts.len()],
            grid: Arc::clone(&self.grid),
        }
    }

    /// Counts a finite value. Anything else is not a value and leaves no trace here; the caller
    /// counts it as a [`Defect`](crate::sketch::Defect).
    pub fn add(&mut self, x: f64) {
        if x.is_finite() {
            let cell = self.cell(x);
            bump(&mut self.counts[cell]);
        }
    }

    /// Counts so many values of one of the finest cells, from 0, ascending.
    #[inline]
    pub(crate) fn add_at(&mut self, cell: usize, count: u64) {
        if let Some(counter) = self.counts.get_mut(cell) {
            *counter = counter.saturating_add(count);
        }
    }

    #[expect(clippy::float_cmp, reason = "a value is at a point or it is not")]
    fn cell(&self, x: f64) -> usize {
        let below = self.grid.points.partition_point(|point| *point < x);
        let at = self.grid.points.get(below).is_some_and(|point| *point == x);
        2 * below + usize::from(at)
    }

    /// The cuts, strictly ascending.
    pub fn cuts(&self) -> Vec<f64> {
        self.points_that_are(CUT)
    }

    /// The atoms, strictly ascending.
    pub fn atoms(&self) -> Vec<f64> {
        self.points_that_are(ATOM)
    }

    /// The edges of the equal bins, strictly ascending; none of a reference that does not vary.
    pub fn bins(&self) -> Vec<f64> {
        self.points_that_are(BIN)
    }

    fn points_that_are(&self, role: u8) -> Vec<f64> {
        let with_roles = self.grid.points.iter().zip(&self.grid.roles);
        with_roles
            .filter(|(_, roles)| *roles & role != 0)
            .map(|(point, _)| *point)
            .collect()
    }

    /// The counts of the cells between cuts: one more than cuts. Cell i holds the values from cut
    /// i-1 on, up to but not including cut i.
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![self.counts[0]];
        for (role, pair) in self.grid.roles.iter().zip(self.counts[1..].chunks_exact(2)) {
            let here = pair[0] + pair[1];
            match counts.last_mut() {
                Some(cell) if role & CUT == 0 => *cell += here,
                Some(_) | None => counts.push(here),
            }
        }
        counts
    }

    /// The counts of the equal bins: below the first edge, from each edge on up to but not including
    /// the next one, and beyond the last edge. Values at the last edge belong to the bin below it.
    /// None without bins.
    pub fn bin_counts(&self) -> Option<Vec<u64>> {
        let edges = self
            .grid
            .roles
            .iter()
            .filter(|role| **role & BIN != 0)
            .count();
        if edges < 2 {
            return None;
        }
        let (mut counts, mut left) = (vec![self.counts[0]], edges);
        for (role, pair) in self.grid.roles.iter().zip(self.counts[1..].chunks_exact(2)) {
            let is_edge = role & BIN != 0;
            let is_last = is_edge && left == 1;
            left -= usize::from(is_edge);
            if is_edge && !is_last {
                counts.push(0);
            }
            if let Some(bin) = counts.last_mut() {
                *bin += pair[0];
            }
            if is_last {
                counts.push(0);
            }
            if let Some(bin) = counts.last_mut() {
                *bin += pair[1];
            }
        }
        Some(counts)
    }

    /// All points together, strictly ascending.
    pub fn points(&self) -> &[f64] {
        &self.grid.points
    }

    /// The finest cells, ascending, empty ones too: below the first point, at it, strictly between
    /// it and the second one, and so on; one more than twice the points.
    pub fn cells(&self) -> impl Iterator<Item = PointCell> {
        let point = |i: usize| self.grid.points[i];
        let points = self.grid.points.len();
        self.counts.iter().enumerate().map(move |(i, count)| {
            let (low, high) = if i % 2 == 1 {
                (point(i / 2), point(i / 2))
            } else {
                let low = if i == 0 {
                    f64::NEG_INFINITY
                } else {
                    point(i / 2 - 1)
                };
                let high = if i / 2 == points {
                    f64::INFINITY
                } else {
                    point(i / 2)
                };
                (low, high)
            };
            PointCell {
                low,
                high,
                count: *count,
            }
        })
    }

    /// Values counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Sketch for CutCounts {
    const MAX_BYTES: usize = MAX_VARINT + MAX_POINTS * 9 + (2 * MAX_POINTS + 1) * MAX_VARINT;

    fn max_bytes(&self) -> usize {
        MAX_VARINT + self.grid.points.len() * 9 + self.counts.len() * MAX_VARINT
    }

    fn fits(&self, other: &Self) -> Result<(), MergeError> {
        if !Arc::ptr_eq(&self.grid, &other.grid) && self.grid != other.grid {
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

impl Encode for CutCounts {
    fn encode(&self, w: &mut Writer) {
        w.unsigned(self.grid.points.len() as u64);
        for (point, role) in self.grid.points.iter().zip(&self.grid.roles) {
            write_number(w, *point);
            w.byte(*role);
        }
        for count in &self.counts {
            w.unsigned(*count);
        }
    }
}

impl Decode for CutCounts {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let len = r.count(MAX_POINTS)?;
        let (mut points, mut roles) = (Vec::with_capacity(len), Vec::with_capacity(len));
        let mut last = f64::NEG_INFINITY;
        for _ in 0..len {
            let point = read_number(r, "cut")?;
            let role = r.byte()?;
            if role == 0 || role > CUT | ATOM | BIN | SPLIT {
                return Err(Malformed::Value("role of a point"));
            }
            if point <= last {
                return Err(Malformed::Order);
            }
            last = point;
            points.push(point);
            roles.push(role);
        }
        let within = LIMITS.iter().all(|(bit, most)| {
            let of_role = roles.iter().filter(|role| *role & bit != 0);
            of_role.count() <= *most
        });
        if !within {
            return Err(Malformed::TooLong);
        }
        let mut cells = Self {
            counts: vec![0; 2 * points.len() + 1],
            grid: Arc::new(Grid { points, roles }),
        };
        for count in &mut cells.counts {
            *count = r.unsigned()?;
        }
        sum_of(&cells.counts)?;
        Ok(cells)
    }
}
