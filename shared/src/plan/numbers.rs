//! Counting numbers: where a number's counts are, one value at a time, and a long column at once.

use crate::inference::Cell;
use crate::plan::value::{Digits, Reading, ValueReader};
use crate::sketch::{CutCounts, Finder, Found, Histogram, Hygiene, Moments, Narrow, PaneSummary};

/// From how many values on a column is first counted apart: fewer are not worth adding that up.
const LONG: usize = 1024;
/// Most values that are counted apart before they are added: sums of them fit 128 bits.
const MOST: usize = 1 << 16;
/// How many values are looked through at once for any that is not a plain number.
const FEW: usize = 1024;
/// How many values are counted together where a column is not long.
const TOGETHER: usize = 64;
/// Room for the cells of a histogram and of all points beside it.
const PLACES: usize = 2304;

/// Where the counts of a number are (positions in the traffic pane), and how its cells are found.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    pub(super) hygiene: usize,
    pub(super) histogram: usize,
    pub(super) moments: usize,
    pub(super) cuts: Option<usize>,
    finder: Finder,
}

impl Numbers {
    /// For summaries at these positions. None if they are of other kinds, or do not move and scale
    /// numbers alike.
    pub(super) fn new(
        pane: &PaneSummary,
        [hygiene, histogram, moments]: [usize; 3],
        cuts: Option<usize>,
    ) -> Option<Self> {
        let shape = Histogram::of(pane.at(histogram)?)?;
        let sums = Moments::of(pane.at(moments)?)?;
        let same = shape.center().to_bits() == sums.center().to_bits()
            && shape.scale_exponent() == sums.scale_exponent();
        let points = match cuts {
            Some(cuts) => Some(CutCounts::of(pane.at(cuts)?)?),
            None => None,
        };
        let finder = Finder::new(shape, points);
        (same && finder.places() <= PLACES).then_some(Self {
            hygiene,
            histogram,
            moments,
            cuts,
            finder,
        })
    }

    /// The summaries of a pane. A pane of another plan has none there: a mistake of the caller that
    /// must not stop the monitor.
    #[inline]
    pub(super) fn open<'a>(&'a self, into: &'a mut PaneSummary) -> Option<Column<'a>> {
        let (hygiene, histogram, moments, cuts) = if let Some(cuts) = self.cuts {
            let all = [self.hygiene, self.histogram, self.moments, cuts];
            let [hygiene, histogram, moments, cuts] = into.several_mut(all)?;
            (hygiene, histogram, moments, Some(CutCounts::of_mut(cuts)?))
        } else {
            let all = [self.hygiene, self.histogram, self.moments];
            let [hygiene, histogram, moments] = into.several_mut(all)?;
            (hygiene, histogram, moments, None)
        };
        Some(Column {
            finder: &self.finder,
            hygiene: Hygiene::of_mut(hygiene)?,
            histogram: Histogram::of_mut(histogram)?,
            moments: Moments::of_mut(moments)?,
            cuts,
        })
    }
}

impl Numbers {
    /// Counts finite numbers that stand for themselves into a pane.
    pub(super) fn add_plain(&self, values: &[f64], range: (f64, f64), into: &mut PaneSummary) {
        let Some(mut counts) = self.open(into) else {
            debug_assert!(false, "the pane belongs to another plan");
            return;
        };
        for values in values.chunks(TOGETHER) {
            counts.add_together(values, range);
        }
    }
}

/// The summaries of a number, ready to count.
pub(super) struct Column<'a> {
    finder: &'a Finder,
    pub(super) hygiene: &'a mut Hygiene,
    histogram: &'a mut Histogram,
    moments: &'a mut Moments,
    cuts: Option<&'a mut CutCounts>,
}

impl Column<'_> {
    /// Counts a finite number.
    #[inline]
    pub(super) fn add(&mut self, x: f64, out_of_range: bool) {
        self.hygiene.add_usable(is_subnormal(x), out_of_range);
        let moved = self.finder.moved(x);
        self.moments.add_moved(moved);
        let found = self.finder.find(x, moved);
        self.histogram.add_at(found.cell);
        if let Some(cuts) = &mut self.cuts {
            cuts.add_at(found.cut, 1);
        }
    }

    /// Counts a cell of a feature.
    #[inline]
    pub(super) fn read(&mut self, cell: Cell<'_>, reader: &ValueReader, (min, max): (f64, f64)) {
        match reader.read(cell, &mut Digits::default()) {
            Reading::Missing => self.hygiene.add_missing(),
            Reading::Invalid(invalid) => self.hygiene.add_invalid(invalid),
            Reading::Number(x) => self.add(x, x < min || x > max),
            // A numeric feature has none.
            Reading::Category(_) => self.hygiene.add_usable(false, false),
        }
    }

    /// Counts floats of a feature: as [`Self::read`] would one by one.
    pub(super) fn read_floats(&mut self, values: &[f64], reader: &ValueReader, range: (f64, f64)) {
        if values.len() >= LONG {
            for values in values.chunks(MOST) {
                self.read_many(values, reader, range);
            }
            return;
        }
        for values in values.chunks(TOGETHER) {
            if reader.are_plain(values) {
                self.add_together(values, range);
                continue;
            }
            for x in values {
                if reader.is_plain(*x) {
                    self.add(*x, *x < range.0 || *x > range.1);
                } else {
                    self.read(Cell::Float(*x), reader, range);
                }
            }
        }
    }

    /// Counts up to [`TOGETHER`] plain numbers: as [`Self::add`] would one by one. Each step is taken for
    /// all of them before the next one.
    fn add_together(&mut self, values: &[f64], range: (f64, f64)) {
        let (subnormal, out_of_range) = marks(values, range);
        self.hygiene
            .add_all_usable(values.len() as u64, subnormal, out_of_range);
        let mut room = [0.0; TOGETHER];
        for (moved, x) in room.iter_mut().zip(values) {
            *moved = self.finder.moved(*x);
        }
        let moved = room.get(..values.len()).unwrap_or_default();
        match Narrow::of(moved) {
            Some(sums) => self.moments.add_narrow(values.len() as u64, &sums),
            None => {
                for moved in moved {
                    self.moments.add_moved(*moved);
                }
            }
        }
        let mut room = [Found::default(); TOGETHER];
        for ((found, x), moved) in room.iter_mut().zip(values).zip(moved) {
            *found = self.finder.find(*x, *moved);
        }
        let found = room.get(..values.len()).unwrap_or_default();
        self.histogram
            .add_each_at(found.iter().map(|found| found.cell));
        if let Some(cuts) = &mut self.cuts {
            for found in found {
                cuts.add_at(found.cut, 1);
            }
        }
    }

    /// Counts up to [`MOST`] floats apart, then adds them up.
    fn read_many(&mut self, values: &[f64], reader: &ValueReader, range: (f64, f64)) {
        let mut apart = Apart::default();
        for few in values.chunks(FEW) {
            if reader.are_plain(few) {
                apart.mark(few, range);
                apart.count(few.iter().copied(), self.finder, self.moments);
                continue;
            }
            for x in few {
                if reader.is_plain(*x) {
                    apart.mark(&[*x], range);
                    apart.count([*x].into_iter(), self.finder, self.moments);
                } else {
                    self.read(Cell::Float(*x), reader, range);
                }
            }
        }
        self.hygiene
            .add_all_usable(apart.rows, apart.subnormal, apart.out_of_range);
        self.moments.add_narrow(apart.rows - apart.far, &apart.sums);
        let (histogram, cuts) = (&mut *self.histogram, &mut self.cuts);
        self.finder.each(&apart.places, |found, count| {
            histogram.add_many_at(found.cell, count);
            if let Some(cuts) = cuts {
                cuts.add_at(found.cut, count);
            }
        });
    }
}

/// Finite numbers that are counted before they are added up.
struct Apart {
    places: [u32; PLACES],
    sums: Narrow,
    rows: u64,
    subnormal: u64,
    out_of_range: u64,
    /// Those too far from the centre for narrow sums.
    far: u64,
}

impl Default for Apart {
    fn default() -> Self {
        Self {
            places: [0; PLACES],
            sums: Narrow::default(),
            rows: 0,
            subnormal: 0,
            out_of_range: 0,
            far: 0,
        }
    }
}

impl Apart {
    /// Notes what is said of numbers beside where they lie.
    #[inline]
    fn mark(&mut self, values: &[f64], range: (f64, f64)) {
        self.rows += values.len() as u64;
        let (subnormal, out_of_range) = marks(values, range);
        self.subnormal += subnormal;
        self.out_of_range += out_of_range;
    }

    #[inline]
    fn count(&mut self, values: impl Iterator<Item = f64>, finder: &Finder, moments: &mut Moments) {
        for x in values {
            let moved = finder.moved(x);
            let found = finder.find(x, moved);
            if let Some(count) = self.places.get_mut(found.cell + found.cut) {
                *count += 1;
            }
            if !self.sums.add(moved) {
                self.far += 1;
                moments.add_moved(moved);
            }
        }
    }
}

/// How many numbers are subnormal, and how many out of a range.
#[inline]
fn marks(values: &[f64], (min, max): (f64, f64)) -> (u64, u64) {
    let (mut subnormal, mut out_of_range) = (0, 0);
    for x in values {
        subnormal += u64::from(is_subnormal(*x));
        out_of_range += u64::from(*x < min) + u64::from(*x > max);
    }
    (subnormal, out_of_range)
}

/// As `f64::is_subnormal`, without a branch.
#[inline]
const fn is_subnormal(x: f64) -> bool {
    const LEAST_NORMAL: u64 = 1 << 52;
    (x.to_bits() & (u64::MAX >> 1)).wrapping_sub(1) < LEAST_NORMAL - 1
}

#[cfg(test)]
mod tests {
    #[test]
    fn subnormal_numbers_are_known() {
        let least = f64::MIN_POSITIVE;
        for x in [
            0.0,
            -0.0,
            5e-324,
            -5e-324,
            least,
            least.next_down(),
            -least,
            1.0,
        ] {
            assert_eq!(super::is_subnormal(x), x.is_subnormal(), "{x:e}");
        }
    }
}
