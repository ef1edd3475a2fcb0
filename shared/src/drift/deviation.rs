//! Figures of the difference between two distribution functions, for many resamples of one grid: the
//! same as [`Grid`] gives, without its brackets.

use super::dice::Dice;
use super::grid::Grid;
use super::rank::variance_of_two;

/// An occupied cell.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// How far from the last occupied cell's end to where it begins.
    gap: f64,
    /// How wide it is; 0 for cells without an end, whose values count as lying at their edge.
    width: f64,
    /// Values of both sides in it.
    weight: f64,
    /// What a squared difference in its middle weighs in Anderson and Darling's statistic.
    tails: f64,
    /// Its middle, for moments.
    middle: f64,
}

/// A grid's occupied cells.
#[derive(Clone, Debug)]
pub struct Steps {
    cells: Vec<Step>,
    window: Vec<u64>,
    baseline: Vec<u64>,
    totals: (u64, u64),
}

/// Figures of one difference of distribution functions, each the length of a vector: multiplied by a
/// number the difference is so many times as long, and of two differences the sum is at most as long as
/// both together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Deviation {
    /// Kolmogorov and Smirnov's distance.
    pub largest: f64,
    /// Kuiper's distance.
    pub both: f64,
    /// First Wasserstein distance.
    pub absolute: f64,
    /// Root of the energy distance.
    pub energy: f64,
    /// Root of Cramer and von Mises' criterion.
    pub ranks: f64,
    /// Root of Anderson and Darling's statistic, as it is before it is standardised.
    pub tails: f64,
}

/// Two resamples of one grid.
#[derive(Clone, Debug)]
pub struct Resample {
    window: Vec<u64>,
    baseline: Vec<u64>,
}

impl Steps {
    /// The occupied cells of a grid.
    pub fn new(grid: &Grid) -> Self {
        let totals = grid.totals();
        let all = totals.0 as f64 + totals.1 as f64;
        let (mut steps, mut window, mut baseline) = (Vec::new(), Vec::new(), Vec::new());
        let (mut end, mut before) = (None, 0.0);
        let cells = grid.cells().zip(grid.spans());
        for (cell, span) in cells.filter(|(cell, _)| cell.window + cell.baseline > 0) {
            let bounded = span.from.is_finite() && span.to.is_finite();
            let edges = [span.from, span.to];
            let begin = edges.into_iter().find(|x| x.is_finite()).unwrap_or(0.0);
            let weight = cell.window as f64 + cell.baseline as f64;
            let half = before + 0.5 * weight;
            before += weight;
            let spread = half * (all - half) - 0.25 * all * weight;
            let tails = if spread > 0.0 {
                weight / all / spread
            } else {
                0.0
            };
            steps.push(Step {
                gap: end.map_or(0.0, |end: f64| (begin - end).max(0.0)),
                width: if bounded { span.to - span.from } else { 0.0 },
                weight,
                tails,
                middle: if bounded {
                    0.5 * cell.low + 0.5 * cell.high
                } else {
                    begin
                },
            });
            end = Some(if span.to.is_finite() { span.to } else { begin });
            window.push(cell.window);
            baseline.push(cell.baseline);
        }
        Self {
            cells: steps,
            window,
            baseline,
            totals,
        }
    }

    /// How many cells are occupied.
    pub const fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether none is; never so.
    pub const fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Mean and standard deviation of Anderson and Darling's statistic where nothing has moved.
    pub fn tails_by_chance(&self) -> (f64, f64) {
        let (n, n0) = self.totals;
        let variance = variance_of_two(n as f64, n0 as f64, n.saturating_add(n0));
        (1.0, libm::sqrt(variance))
    }

    /// One more of both sides, each from its own shares.
    pub fn resample(&self, dice: &mut Dice, into: &mut Resample) {
        dice.multinomial(&self.window, self.totals.0, &mut into.window);
        dice.multinomial(&self.baseline, self.totals.1, &mut into.baseline);
    }

    /// The counts themselves, to be resampled into.
    pub fn counts(&self) -> Resample {
        Resample {
            window: self.window.clone(),
            baseline: self.baseline.clone(),
        }
    }

    /// The figures of a resample.
    pub fn around(&self, of: &Resample) -> Deviation {
        self.figures(of, |_| 0.0)
    }

    /// The figures of how far a resample is from the counts: of chance alone.
    pub fn chance(&self, of: &Resample) -> Deviation {
        let (n, n0) = (self.totals.0 as f64, self.totals.1 as f64);
        self.figures(of, |i| {
            self.window[i] as f64 / n - self.baseline[i] as f64 / n0
        })
    }

    /// Variances of both sides in a resample, values taken as lying in the middle of their cells.
    pub fn variances(&self, of: &Resample) -> (f64, f64) {
        let variance = |counts: &[u64]| {
            let centre = self.cells.first().map_or(0.0, |step| step.middle);
            let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
            for (step, count) in self.cells.iter().zip(counts) {
                let (x, count) = (step.middle - centre, *count as f64);
                n += count;
                sum += count * x;
                squares += count * x * x;
            }
            (squares / n - sum / n * (sum / n)).max(0.0)
        };
        (variance(&of.window), variance(&of.baseline))
    }

    fn figures(&self, of: &Resample, less: impl Fn(usize) -> f64) -> Deviation {
        let (n, n0) = (self.totals.0 as f64, self.totals.1 as f64);
        let (mut before, mut found) = (0.0_f64, Deviation::default());
        let (mut above, mut below) = (0.0_f64, 0.0_f64);
        for (i, step) in self.cells.iter().enumerate() {
            let after = before + of.window[i] as f64 / n - of.baseline[i] as f64 / n0 - less(i);
            let middle = 0.5 * (before + after);
            above = above.max(after);
            below = below.max(-after);
            found.absolute += step.gap * before.abs();
            found.energy += step.gap * before * before;
            if step.width > 0.0 {
                let mean = if before * after >= 0.0 {
                    middle.abs()
                } else {
                    0.5 * (before * before + after * after) / (before.abs() + after.abs())
                };
                found.absolute += step.width * mean;
                let square = before * before + before * after + after * after;
                found.energy += step.width * square / 3.0;
            }
            found.ranks += step.weight * after * after;
            found.tails += step.tails * middle * middle;
            before = after;
        }
        let (all, product) = (n + n0, n * n0);
        Deviation {
            largest: above.max(below),
            both: above + below,
            absolute: found.absolute,
            energy: libm::sqrt(2.0 * found.energy),
            ranks: libm::sqrt(product / (all * all) * found.ranks),
            tails: libm::sqrt(product * (all - 1.0) * found.tails),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::grid::tests::exact;
    use super::super::grid::{Grid, Place};
    use super::*;

    fn near(found: f64, expected: f64) {
        let tolerance = 1e-12 * expected.abs().max(1e-3);
        assert!(
            (found - expected).abs() <= tolerance,
            "{found} is not {expected}"
        );
    }

    fn same_as_the_grid(grid: &Grid) {
        let steps = Steps::new(grid);
        let found = steps.around(&steps.counts());
        let largest = grid.largest_differences();
        near(found.largest, largest.larger.value);
        near(found.both, largest.sum.value);
        let integrals = grid.integrals(None);
        near(found.absolute, integrals.absolute.value);
        near(found.energy * found.energy, integrals.energy.value);
        near(found.ranks * found.ranks, grid.cramer_von_mises().statistic);
        if let Some(ranked) = grid.anderson_darling() {
            let (mean, deviation) = steps.tails_by_chance();
            near(
                (found.tails * found.tails - mean) / deviation,
                ranked.statistic,
            );
        }
        assert!(steps.chance(&steps.counts()).largest < 1e-12);
    }

    #[test]
    fn figures_of_the_counts_are_those_of_the_grid() {
        let window = [1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 4.0, 5.0, 7.0, 8.0];
        let baseline = [2.0, 3.0, 3.0, 4.0, 5.0, 6.0, 6.0, 6.0, 7.0, 7.0, 8.0, 8.0];
        same_as_the_grid(&exact(&window, &baseline));
        let place = |at, window, baseline| Place {
            at,
            window,
            baseline,
        };
        // Wide cells, empty ones between them, and values beyond the first and the last place.
        let places = vec![
            place(-1.0, 1, 0),
            place(0.5, 4, 7),
            place(3.0, 4, 7),
            place(3.5, 9, 8),
            place(9.0, 9, 20),
        ];
        same_as_the_grid(&Grid::new(places, 11, 23).unwrap());
        same_as_the_grid(&Grid::new(vec![], 3, 4).unwrap());
    }

    #[test]
    fn variances_are_those_of_the_middles() {
        let steps = Steps::new(&exact(&[1.0, 2.0, 3.0], &[5.0, 5.0, 8.0]));
        let (window, baseline) = steps.variances(&steps.counts());
        near(window, 2.0 / 3.0);
        near(baseline, 2.0);
    }
}
