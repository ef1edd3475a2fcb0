//! Where a number is counted: its cell of a histogram and its cell of the points beside it, found
//! together without a search.
//!
//! Moving and scaling keep numbers in order, so all numbers of one of the histogram's cells lie beyond
//! the same points but for those points that lie within that cell themselves: mostly none, or one.

use crate::sketch::histogram::{FINEST_CELLS, Moved};
use crate::sketch::{CutCounts, Histogram};

/// The histogram's cells with how many points lie below each.
#[derive(Clone, Debug)]
pub(crate) struct Finder {
    moved: Moved,
    /// Ascending, then infinity.
    points: Box<[f64]>,
    /// By finest cell: how many points lie in the cells below it. One more for the end.
    below: Box<[u8]>,
}

/// A place in both: the finest cell of a histogram, and the cell of [`CutCounts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) cell: usize,
    pub(crate) cut: usize,
}

impl Finder {
    /// For a histogram with points beside it, if there are any.
    pub(crate) fn new(histogram: &Histogram, cuts: Option<&CutCounts>) -> Self {
        let moved = histogram.moved();
        let points = cuts.map_or(&[][..], CutCounts::points);
        let cells: Vec<usize> = points.iter().map(|point| moved.cell(*point)).collect();
        let below = (0..=FINEST_CELLS).map(|cell| {
            let count = cells.partition_point(|of| *of < cell);
            u8::try_from(count).unwrap_or(u8::MAX)
        });
        Self {
            moved,
            points: points.iter().copied().chain([f64::INFINITY]).collect(),
            below: below.collect(),
        }
    }

    /// A finite number, moved and scaled as the histogram has it.
    #[inline]
    pub(crate) const fn moved(&self, x: f64) -> f64 {
        self.moved.of(x)
    }

    /// Where a finite number is counted; `moved` is what [`Self::moved`] gives of it.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "a few instructions in the innermost loop of counting"
    )]
    pub(crate) fn find(&self, x: f64, moved: f64) -> Found {
        let cell = Moved::cell_of(moved);
        let (below, next) = (self.below[cell], self.below[cell + 1]);
        let below = usize::from(below);
        let cut = if usize::from(next) <= below + 1 {
            // The only point that may lie in the cell; one further up is above the number.
            let point = self.points[below];
            2 * below + usize::from(x >= point) + usize::from(x > point)
        } else {
            self.search(below, usize::from(next), x)
        };
        Found { cell, cut }
    }

    /// Among several points within one cell.
    #[cold]
    #[expect(clippy::float_cmp, reason = "a value is at a point or it is not")]
    fn search(&self, below: usize, next: usize, x: f64) -> usize {
        let within = &self.points[below..next];
        let before = within.partition_point(|point| *point < x);
        let at = within.get(before).is_some_and(|point| *point == x);
        2 * (below + before) + usize::from(at)
    }

    /// How many pairs of cells there are.
    pub(crate) const fn places(&self) -> usize {
        FINEST_CELLS + 2 * self.points.len()
    }

    /// Every place with a count that is not zero, by number: what is found in cell c and cut i has
    /// number c + i, and no other place has it, since from one to the next either goes up by one.
    pub(crate) fn each(&self, counts: &[u32], mut seen: impl FnMut(Found, u64)) {
        let mut below = 0;
        for (cell, next) in self.below.iter().skip(1).enumerate() {
            let next = usize::from(*next);
            for cut in 2 * below..=2 * next {
                if let Some(count) = counts.get(cell + cut)
                    && *count > 0
                {
                    seen(Found { cell, cut }, u64::from(*count));
                }
            }
            below = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sketch::{Points, Sketch as _};

    fn near_points() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
        let point = prop_oneof![
            (-40..40_i32).prop_map(f64::from),
            -3.0..3.0_f64,
            (-40..40_i32).prop_map(|i| 1.0 + f64::from(i) * 1e-9),
            prop::num::f64::NORMAL,
        ];
        let beside = (0..200_usize, -2..3_i32, any::<bool>(), prop::num::f64::ANY);
        (
            prop::collection::vec(point, 0..60),
            prop::collection::vec(beside, 1..80),
        )
            .prop_map(|(mut points, values)| {
                points.sort_by(f64::total_cmp);
                points.dedup();
                let values = values.into_iter().map(|(i, steps, wild, any)| {
                    let start = points.get(i % points.len().max(1)).filter(|_| !wild);
                    let step = |x: f64| {
                        if steps < 0 {
                            x.next_down()
                        } else {
                            x.next_up()
                        }
                    };
                    let start = start.copied().unwrap_or(any);
                    (0..steps.abs()).fold(start, |x, _| step(x))
                });
                let values = values.filter(|x| x.is_finite()).collect();
                (points, values)
            })
    }

    proptest! {
        #[test]
        fn both_cells_are_those_that_are_searched(
            (points, values) in near_points(), center in prop_oneof![Just(0.0), Just(1.0), -1e6..1e6_f64],
            exponent in prop_oneof![Just(0), -30..30_i32],
        ) {
            let cuts = CutCounts::with_points(&Points { splits: points, ..Points::default() }).unwrap();
            let histogram = Histogram::new(center, exponent).unwrap();
            let finder = Finder::new(&histogram, Some(&cuts));
            for x in values {
                let found = finder.find(x, finder.moved(x));
                let (mut plain, mut quick) = (cuts.clone(), cuts.clone());
                plain.add(x);
                quick.add_at(found.cut, 1);
                prop_assert_eq!(plain, quick);
                let (mut plain, mut quick) = (histogram.clone(), histogram.clone());
                plain.add(x);
                quick.add_many_at(found.cell, 1);
                prop_assert_eq!(&plain, &quick);
                prop_assert!(plain.merge(&quick).is_ok());
                let mut counts = vec![0; finder.places()];
                counts[found.cell + found.cut] = 3;
                let mut seen = Vec::new();
                finder.each(&counts, |found, count| seen.push((found, count)));
                prop_assert_eq!(seen, [(found, 3)]);
            }
        }
    }
}
