//! S1: how a number is distributed, in cells that grow with the distance from a frozen centre.
//!
//! A value x is moved and scaled, x' = (x - centre) / 2^scale, and falls into the cell of its sign,
//! its binary exponent and its first k mantissa bits; no logarithm is taken. |x'| below 2^-10 is one
//! cell around the centre, 2^20 and beyond is one cell on each side. A cell is at most 2^-k as wide
//! as its distance from the centre.
//!
//! # Why the order of counting does not matter
//! Cells start with k = 5. When more than 1024 are not empty, neighbours are joined (k - 1). The k
//! of a histogram is thus the largest one at which all values seen fill at most 1024 cells: joining
//! early in one shard only happens if the union would have to join as well. With 30 octaves on each
//! side k = 4 always suffices.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "keys, steps and exponents are within a few thousand by construction"
)]

use crate::sketch::pages::Pages;
use crate::sketch::wide::power_of_two;
use crate::sketch::{MAX_VARINT, MergeError, Sketch, add_totals, bump, read_number, write_number};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

mod places;

pub(crate) use finest::{FINEST_CELLS, Moved};

mod finest;

/// Mantissa bits of a cell that was never joined.
const FINEST: u32 = 5;
/// Mantissa bits of the coarsest cells that can come up.
const COARSEST: u32 = 4;
/// Most cells that are not empty.
const CAP: usize = 1024;
/// Binary exponent of the smallest |x'| outside the cell around the centre.
const FIRST_EXPONENT: u64 = 1023 - 10;
/// Binary exponents on each side.
const OCTAVES: usize = 30;
/// |x'| below this is around the centre: 2^-10.
const NEAR: f64 = 1.0 / 1024.0;
/// |x'| from here on is beyond the last cell: 2^20.
const FAR: f64 = 1_048_576.0;
/// Largest absolute exponent of a scale: far enough from the ends of the floats that scaling is
/// exact wherever it matters.
pub const MAX_SCALE_EXPONENT: i32 = 1000;

// Joining once is always enough.
const _: () = assert!(2 * (OCTAVES << COARSEST) + 3 <= CAP);

/// Counters of a page: an octave of cells that were never joined.
const PAGE: usize = 1 << FINEST;

/// Counts of a number in centred log-linear cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    center: f64,
    scale_exponent: i32,
    k: u32,
    total: u64,
    non_empty: usize,
    /// By key, from that of the first overflow cell on.
    counts: Pages<PAGE>,
}

/// One cell with the nominal edges of its values, in the feature's own unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HistogramCell {
    /// Lower edge; minus infinity for the first overflow cell.
    pub low: f64,
    /// Upper edge; infinity for the last overflow cell.
    pub high: f64,
    /// Values in it.
    pub count: u64,
}

impl Histogram {
    /// A histogram with nothing in it. None if the centre is no finite number or the exponent of the
    /// scale is beyond [`MAX_SCALE_EXPONENT`].
    pub fn new(center: f64, scale_exponent: i32) -> Option<Self> {
        let fits = center.is_finite() && scale_exponent.abs() <= MAX_SCALE_EXPONENT;
        fits.then(|| Self {
            // Turns negative zero into zero.
            center: center + 0.0,
            scale_exponent,
            k: FINEST,
            total: 0,
            non_empty: 0,
            counts: Pages::new(keys(FINEST)),
        })
    }

    /// Counts a finite value. Anything else is not a value and leaves no trace here; the caller
    /// counts it as a [`Defect`](crate::sketch::Defect).
    pub fn add(&mut self, x: f64) {
        if !x.is_finite() {
            return;
        }
        self.add_at(self.moved().cell(x));
    }

    /// How values are moved and scaled here.
    pub(crate) fn moved(&self) -> Moved {
        Moved::new(self.center, self.scale_exponent)
    }

    /// Counts a value whose cell among the finest ones is known: from 0, ascending.
    #[inline]
    pub(crate) fn add_at(&mut self, cell: usize) {
        let place = self.joined_place(cell);
        let first = self.counts.bump(place);
        bump(&mut self.total);
        if first {
            self.non_empty += 1;
            self.join_while_too_many();
        }
    }

    /// Counts values whose cells among the finest ones are known.
    #[inline]
    pub(crate) fn add_each_at(&mut self, cells: impl Iterator<Item = usize>) {
        for cell in cells {
            let place = self.joined_place(cell);
            let first = self.counts.bump(place);
            // Joining adds all counts up anew.
            bump(&mut self.total);
            if first {
                self.non_empty += 1;
                self.join_while_too_many();
            }
        }
    }

    /// Counts so many values whose cell among the finest ones is known.
    pub(crate) fn add_many_at(&mut self, cell: usize, count: u64) {
        let place = self.joined_place(cell);
        self.non_empty += usize::from(self.counts.add(place, count));
        self.total = self.total.saturating_add(count);
        self.join_while_too_many();
    }

    /// Where the values of one of the finest cells are counted.
    #[inline]
    fn joined_place(&self, cell: usize) -> usize {
        if self.k == FINEST {
            return cell;
        }
        let key = joined_key(cell as i32 - last_key(FINEST), FINEST - self.k);
        (key + self.last_key()) as usize
    }

    /// Values counted.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The centre, in the feature's unit.
    pub const fn center(&self) -> f64 {
        self.center
    }

    /// The scale is 2 to this power, in the feature's unit.
    pub const fn scale_exponent(&self) -> i32 {
        self.scale_exponent
    }

    /// Mantissa bits of the cells: 5 until more than 1024 cells would be filled.
    pub const fn resolution(&self) -> u32 {
        self.k
    }

    /// Every cell that is not empty, ascending, with edges in the feature's unit.
    pub fn cells(&self) -> impl Iterator<Item = HistogramCell> {
        self.entries().map(|(key, count)| {
            let (low, high) = self.scaled_edges(key);
            let nominal = |edge: f64| self.center + edge;
            HistogramCell {
                low: nominal(low),
                high: nominal(high),
                count,
            }
        })
    }

    /// Between which values the quantile of level `u` (0 to 1) lies: the value of rank ⌈u·n⌉, at
    /// least the first. The bounds hold for the values as they were, rounding included. None if
    /// nothing was counted or `u` is no level.
    pub fn quantile_bounds(&self, u: f64) -> Option<(f64, f64)> {
        if self.total == 0 || !(0.0..=1.0).contains(&u) {
            return None;
        }
        let key = self.key_of_rank(rank(u, self.total))?;
        let (low, high) = self.scaled_edges(key);
        Some((self.outward(low, -1.0), self.outward(high, 1.0)))
    }

    /// The cell that holds the value of a rank, from 1.
    fn key_of_rank(&self, rank: u64) -> Option<i32> {
        let mut below = 0;
        self.entries()
            .find(|(_, count)| {
                below += count;
                below >= rank
            })
            .map(|(key, _)| key)
    }

    /// An edge moved away from the cell by more than the rounding of two additions.
    fn outward(&self, edge: f64, direction: f64) -> f64 {
        if edge.is_infinite() {
            return edge;
        }
        let slack = 2.0 * f64::EPSILON * (self.center.abs() + edge.abs());
        (self.center + edge) + direction * slack
    }

    /// Edges of a cell as distances from the centre, in the feature's unit.
    fn scaled_edges(&self, key: i32) -> (f64, f64) {
        let scale = power_of_two(self.scale_exponent);
        let edge = |index: usize| {
            let octave = index >> self.k;
            let step = (index & ((1 << self.k) - 1)) as u64;
            f64::from_bits(((FIRST_EXPONENT + octave as u64) << 52) | (step << (52 - self.k)))
                * scale
        };
        let last = self.last_key().unsigned_abs() as usize;
        let size = key.unsigned_abs() as usize;
        let (near, far) = match size {
            0 => return (-NEAR * scale, NEAR * scale),
            beyond if beyond >= last => (edge(last - 1), f64::INFINITY),
            inner => (edge(inner - 1), edge(inner)),
        };
        if key < 0 { (-far, -near) } else { (near, far) }
    }

    /// The key of the last overflow cell; the first one's is its negative.
    const fn last_key(&self) -> i32 {
        last_key(self.k)
    }

    /// Key and count of every cell that is not empty, ascending. Key 0 is around the centre, key
    /// ±(i + 1) the i-th cell outwards.
    fn entries(&self) -> impl Iterator<Item = (i32, u64)> {
        let last = self.last_key();
        let filled = self.counts.filled();
        filled.map(move |(place, count)| (place as i32 - last, count))
    }

    /// Adds to a cell. The caller keeps the sum of all counts within 64 bits.
    fn add_to(&mut self, key: i32, count: u64) {
        let place = (key + self.last_key()) as usize;
        self.non_empty += usize::from(self.counts.add(place, count));
        self.total += count;
    }

    fn join_while_too_many(&mut self) {
        while self.non_empty > CAP && self.k > COARSEST {
            self.join_neighbours();
        }
    }

    fn join_neighbours(&mut self) {
        let coarser = Self {
            k: self.k - 1,
            total: 0,
            non_empty: 0,
            counts: Pages::new(keys(self.k - 1)),
            ..*self
        };
        let finer = std::mem::replace(self, coarser);
        for (key, count) in finer.entries() {
            self.add_to(joined_key(key, 1), count);
        }
    }
}

/// The key of the last overflow cell of cells of so many mantissa bits.
const fn last_key(k: u32) -> i32 {
    ((OCTAVES << k) + 1) as i32
}

/// How many keys there are.
const fn keys(k: u32) -> usize {
    2 * last_key(k) as usize + 1
}

/// ⌈u·n⌉, from 1 to n.
fn rank(u: f64, n: u64) -> u64 {
    ((u * n as f64).ceil() as u64).clamp(1, n)
}

impl Sketch for Histogram {
    const MAX_BYTES: usize = 8 + MAX_VARINT + 1 + MAX_VARINT + CAP * (2 + MAX_VARINT);

    fn fits(&self, other: &Self) -> Result<(), MergeError> {
        let same_cells = self.center.to_bits() == other.center.to_bits()
            && self.scale_exponent == other.scale_exponent;
        if !same_cells {
            return Err(MergeError::Different);
        }
        add_totals(self.total, other.total)?;
        Ok(())
    }

    fn take_in(&mut self, other: &Self) {
        while self.k > other.k {
            self.join_neighbours();
        }
        let coarser = other.k - self.k;
        for (key, count) in other.entries() {
            self.add_to(joined_key(key, coarser), count);
        }
        self.join_while_too_many();
    }
}

/// The key that a cell's values have after joining neighbours so many times. Overflow cells stay
/// overflow cells: their index is a multiple of the octave's.
const fn joined_key(key: i32, times: u32) -> i32 {
    if key == 0 {
        return 0;
    }
    key.signum() * (((key.abs() - 1) >> times) + 1)
}

impl Encode for Histogram {
    fn encode(&self, w: &mut Writer) {
        write_number(w, self.center);
        w.signed(self.scale_exponent.into());
        w.byte(self.k as u8);
        w.unsigned(self.non_empty as u64);
        let mut last: Option<i32> = None;
        for (key, count) in self.entries() {
            match last {
                None => w.signed(key.into()),
                Some(last) => w.unsigned(u64::from(key.abs_diff(last)) - 1),
            }
            w.unsigned(count);
            last = Some(key);
        }
    }
}

impl Decode for Histogram {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let center = read_number(r, "centre of a histogram")?;
        let scale = Malformed::Value("scale of a histogram");
        let exponent = i32::try_from(r.signed()?).map_err(|_| scale)?;
        let mut histogram = Self::new(center, exponent).ok_or(scale)?;
        histogram.k = u32::from(r.byte()?);
        if !(COARSEST..=FINEST).contains(&histogram.k) {
            return Err(Malformed::Value("resolution of a histogram"));
        }
        let len = r.count(CAP)?;
        let entries = histogram.read_entries(r, len)?;
        histogram.non_empty = entries.len();
        histogram.counts = Pages::of(keys(histogram.k), &entries);
        if histogram.k < FINEST && histogram.most_before_joining() <= CAP {
            return Err(Malformed::Value("resolution of a histogram"));
        }
        Ok(histogram)
    }
}

impl Histogram {
    /// Places and counts of the cells, ascending; adds the counts up.
    fn read_entries(
        &mut self,
        r: &mut Reader<'_>,
        len: usize,
    ) -> Result<Vec<(usize, u64)>, Malformed> {
        let end = i64::from(self.last_key());
        let mut last: Option<i64> = None;
        let mut entries = Vec::with_capacity(len);
        for _ in 0..len {
            let key = match last {
                None => r.signed()?,
                Some(last) => i64::try_from(r.unsigned()?)
                    .ok()
                    .and_then(|gap| gap.checked_add(last + 1))
                    .ok_or(Malformed::Value("cell of a histogram"))?,
            };
            let count = r.unsigned()?;
            if key < -end || key > end || count == 0 {
                return Err(Malformed::Value("cell of a histogram"));
            }
            let total = self.total.checked_add(count);
            self.total = total.ok_or(Malformed::Value("sum of counters"))?;
            entries.push(((key + end) as usize, count));
            last = Some(key);
        }
        Ok(entries)
    }

    /// How many cells the values can at most have filled one step finer. If that is within the cap,
    /// nobody had a reason to join them.
    fn most_before_joining(&self) -> usize {
        let end = self.last_key();
        self.entries()
            .map(|(key, count)| match key {
                0 => 1,
                outer if outer.abs() == end => 1,
                _ if count == 1 => 1,
                _ => 2,
            })
            .sum()
    }
}
