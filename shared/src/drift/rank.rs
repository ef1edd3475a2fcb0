//! Rank statistics of two samples, with all values of a cell taken as tied; and between which values those
//! of the raw rows lie, tied or not.
//!
//! After `t` of a cell's values (half of a tie counting) the window's distribution function has risen by at
//! most what `min(t, f)` of its `f` values there give, and at least by what is left once all `g` of the
//! baseline's have come; so the difference of the two functions lies in a band that the counts give.

#![expect(
    clippy::many_single_char_names,
    reason = "as the formulas are written in the literature"
)]

use super::distance::Bracketed;
use super::grid::{Grid, GridCell};

/// The two-sample Cramer-von Mises criterion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CramerVonMises {
    /// The criterion T (Anderson 1962), with cells as ties.
    pub statistic: f64,
    /// From its limit law, after bringing T to that law's mean and variance.
    pub p_value: f64,
    /// Between which values the raw rows' criterion lies.
    pub within: Bracketed,
    /// The same of p.
    pub p_within: Bracketed,
}

/// The two-sample Anderson-Darling statistic with midranks for ties.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AndersonDarling {
    /// The standardised statistic (Scholz and Stephens 1987, equation 7): mean 0 and variance 1 where
    /// nothing has moved.
    pub statistic: f64,
    /// Interpolated in their table; between 0.001 and 0.25.
    pub p_value: f64,
    /// Between which values the raw rows' statistic lies.
    pub within: Bracketed,
    /// The same of p, which beyond the table's ends is known to lie beyond them only.
    pub p_within: Bracketed,
}

/// Into so many parts a cell's ranks are cut where the largest term of one is sought. Even, so that the
/// middle is an edge.
const PARTS: u32 = 32;

/// A cell's place among the ranks of both samples.
#[derive(Clone, Copy, Debug)]
struct Ranks {
    /// Cases of both samples.
    all: f64,
    /// Cases below the cell.
    before: f64,
    /// Cases in it: of the window, of the baseline.
    in_it: (f64, f64),
    /// The difference of the two functions where it begins.
    from: f64,
    /// Cases of each sample.
    sizes: (f64, f64),
    /// Whether its values are known: one number, or one case.
    known: bool,
}

impl Ranks {
    fn of(cell: &GridCell, (n, n0): (u64, u64), (below, below0): (u64, u64)) -> Self {
        let (n, n0) = (n as f64, n0 as f64);
        let (below, below0) = (below as f64, below0 as f64);
        Self {
            all: n + n0,
            before: below + below0,
            in_it: (cell.window as f64, cell.baseline as f64),
            from: below / n - below0 / n0,
            sizes: (n, n0),
            known: cell.low.to_bits() == cell.high.to_bits() || cell.window + cell.baseline == 1,
        }
    }

    fn cases(&self) -> f64 {
        self.in_it.0 + self.in_it.1
    }

    /// Between which values the difference of the functions lies after so many of the cell's cases.
    fn band(&self, after: f64) -> (f64, f64) {
        let ((f, g), (n, n0)) = (self.in_it, self.sizes);
        let high = after.min(f) / n - (after - f).max(0.0) / n0;
        let low = (after - g).max(0.0) / n - after.min(g) / n0;
        (self.from + low, self.from + high)
    }

    /// Between which values the square of the difference lies from one place in the cell to another.
    fn squares(&self, from: f64, to: f64) -> (f64, f64) {
        let ((f, g), kinks) = (self.in_it, [from, to]);
        let bends = [f, g].map(|at| at.clamp(from, to));
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for at in kinks.into_iter().chain(bends) {
            let band = self.band(at);
            (low, high) = (low.min(band.0), high.max(band.1));
        }
        let least = low.max(-high).max(0.0);
        let most = high.max(-low);
        (least * least, most * most)
    }

    /// B (N - B) - N l / 4: what Anderson and Darling divide the squares of `l` tied cases by, whose middle
    /// rank is B.
    fn weight(&self, middle: f64, ties: f64) -> f64 {
        middle * (self.all - middle) - 0.25 * self.all * ties
    }

    /// The least and the most that the squares of the cell's cases add up to.
    fn sum_of_squares(&self) -> (f64, f64) {
        let ((f, g), (n, n0)) = (self.in_it, self.sizes);
        let after = self.from + f / n - g / n0;
        let (last, cases) = (after * after, self.cases());
        if self.known {
            return (cases * last, cases * last);
        }
        let (least, most) = self.squares(0.0, cases);
        // The largest value in the cell is one where both functions have risen by all that is in it.
        (last + (cases - 1.0) * least, last + (cases - 1.0) * most)
    }

    /// The least and the most that the squares over their weights add up to.
    fn sum_of_weighted(&self) -> (f64, f64) {
        let ((f, g), (n, n0)) = (self.in_it, self.sizes);
        let cases = self.cases();
        if self.known {
            let middle = self.from + 0.5 * (f / n - g / n0);
            let weight = self.weight(self.before + 0.5 * cases, cases);
            let all = cases * middle * middle / weight;
            return (all, all);
        }
        // A middle rank is at least half a case inside the cell; ties reach no further than its ends.
        let (first, last) = (0.5, cases - 0.5);
        let part = (last - first) / f64::from(PARTS);
        let weight = |at: f64| {
            let ties = (2.0 * at).min(2.0 * (cases - at)).max(1.0);
            self.weight(self.before + at, ties)
        };
        let parts = (0..PARTS).map(|i| {
            let (from, to) = (first + part * f64::from(i), first + part * f64::from(i + 1));
            // The weight of the most ties possible is concave on either side of the middle.
            let lightest = weight(from).min(weight(to));
            let heaviest = (0.5 * self.all).clamp(self.before + from, self.before + to);
            let (least, most) = self.squares(from, to);
            (least / self.weight(heaviest, 1.0), most / lightest)
        });
        let (least, most) = parts.fold((f64::INFINITY, 0.0_f64), |(least, most), part| {
            (least.min(part.0), most.max(part.1))
        });
        (cases * least, cases * most)
    }
}

/// What rounding can have moved sums of a few thousand terms by, relatively.
const ROUNDING: f64 = 1e-12;

/// Up to so many cases a sum over all ranks is taken as it is.
const SUMMED: u64 = 100_000;

impl Grid {
    /// n n0 / N^2 times the sum, over all cases, of the squared difference of the distribution
    /// functions at the upper end of their cell.
    pub fn cramer_von_mises(&self) -> CramerVonMises {
        let (n, n0) = (self.totals().0 as f64, self.totals().1 as f64);
        let (all, product) = (n + n0, n * n0);
        let mut sum = 0.0;
        for span in self.spans() {
            sum += (span.window * n + span.baseline * n0) * span.after * span.after;
        }
        let statistic = product / (all * all) * sum;
        let mean = (1.0 + 1.0 / all) / 6.0;
        let variance = (all + 1.0)
            * (4.0 * product * all - 3.0 * (n * n + n0 * n0) - 2.0 * product)
            / (45.0 * all * all * 4.0 * product);
        // The limit law has mean 1/6 and variance 1/45.
        let p_value = |statistic: f64| {
            let standard = if variance > 0.0 {
                1.0 / 6.0 + (statistic - mean) / libm::sqrt(45.0 * variance)
            } else {
                0.0
            };
            super::tail::cramer_von_mises(standard)
        };
        let within = self.between(statistic, product / (all * all), 0.0, Ranks::sum_of_squares);
        CramerVonMises {
            statistic,
            p_value: p_value(statistic),
            within,
            p_within: Bracketed {
                value: p_value(statistic),
                low: p_value(within.high),
                high: p_value(within.low),
            },
        }
    }

    /// A statistic with the least and the most that it is for raw rows: `moved` plus `by` times what all
    /// cells add up to.
    fn between(
        &self,
        value: f64,
        by: f64,
        moved: f64,
        of: impl Fn(&Ranks) -> (f64, f64),
    ) -> Bracketed {
        let (mut low, mut high, mut known) = (0.0, 0.0, true);
        let mut below = (0, 0);
        for cell in self.cells().filter(|cell| cell.window + cell.baseline > 0) {
            let ranks = Ranks::of(&cell, self.totals(), below);
            let (least, most) = of(&ranks);
            (low, high, known) = (low + least, high + most, known && ranks.known);
            below = (below.0 + cell.window, below.1 + cell.baseline);
        }
        if known {
            return Bracketed {
                value,
                low: value,
                high: value,
            };
        }
        Bracketed {
            value,
            low: (moved + by * low * (1.0 - ROUNDING)).min(value),
            high: (moved + by * high * (1.0 + ROUNDING)).max(value),
        }
    }

    /// None with fewer than four cases, or if all cases lie in one cell.
    pub fn anderson_darling(&self) -> Option<AndersonDarling> {
        let (n, n0) = self.totals();
        let total = n.checked_add(n0).filter(|total| *total > 3)?;
        let (n, n0, all) = (n as f64, n0 as f64, total as f64);
        let (mut before, mut window_before, mut sums) = (0.0, 0.0, [0.0; 2]);
        let mut occupied = 0;
        for cell in self.cells().filter(|cell| cell.window + cell.baseline > 0) {
            occupied += 1;
            let (f, g) = (cell.window as f64, cell.baseline as f64);
            let ties = f + g;
            // Cases below the middle of the tie, of all and of each sample.
            let middle = before + 0.5 * ties;
            let window = window_before + 0.5 * f;
            let baseline = (before - window_before) + 0.5 * g;
            let weight = ties / all / (middle * (all - middle) - 0.25 * all * ties);
            for (sum, (below, size)) in sums.iter_mut().zip([(window, n), (baseline, n0)]) {
                let difference = all * below - middle * size;
                *sum += weight * difference * difference;
            }
            before += ties;
            window_before += f;
        }
        if occupied < 2 {
            return None;
        }
        let deviation = libm::sqrt(variance_of_two(n, n0, total));
        let statistic = (sums[0] / n + sums[1] / n0) * (all - 1.0) / all;
        let statistic = (statistic - 1.0) / deviation;
        let by = (all - 1.0) / all * n * n0 / deviation;
        let within = self.between(statistic, by, -1.0 / deviation, Ranks::sum_of_weighted);
        let (first, last) = (super::tail::LEVELS[0], super::tail::LEVELS[6]);
        let p_value = super::tail::anderson_darling;
        // Beyond the ends of the table p is beyond them, and nothing more is known.
        let (low, high) = (p_value(within.high), p_value(within.low));
        Some(AndersonDarling {
            statistic,
            p_value: p_value(statistic),
            within,
            p_within: Bracketed {
                value: p_value(statistic),
                low: if low <= last { 0.0 } else { low },
                high: if high >= first { 1.0 } else { high },
            },
        })
    }
}

/// The variance of the statistic for two samples (Scholz and Stephens 1987, equation 4).
pub(super) fn variance_of_two(n: f64, n0: f64, total: u64) -> f64 {
    let all = total as f64;
    let sizes = 1.0 / n + 1.0 / n0;
    let (h, g) = harmonic(total);
    let a = (4.0 * g - 6.0) + (10.0 - 6.0 * g) * sizes;
    let b = (2.0 * g - 4.0) * 4.0 + 16.0 * h + (2.0 * g - 14.0 * h - 4.0) * sizes - 8.0 * h
        + 4.0 * g
        - 6.0;
    let c = (6.0 * h + 2.0 * g - 2.0) * 4.0
        + (4.0 * h - 4.0 * g + 6.0) * 2.0
        + (2.0 * h - 6.0) * sizes
        + 4.0 * h;
    let d = (2.0 * h + 6.0) * 4.0 - 8.0 * h;
    let cubic = ((a * all + b) * all + c) * all + d;
    cubic / ((all - 1.0) * (all - 2.0) * (all - 3.0))
}

/// The sums h = sum of 1/i below N and g = sum over i < j < N of 1 / ((N - i) j).
fn harmonic(total: u64) -> (f64, f64) {
    if total > SUMMED {
        let all = total as f64;
        let h = libm::log(all - 1.0) + EULER + 0.5 / (all - 1.0);
        // The limit is pi^2 / 6; the next term is (2 h + 1) / N.
        let limit = core::f64::consts::PI * core::f64::consts::PI / 6.0;
        return (h, limit - (2.0 * h + 1.0) / all);
    }
    let (mut h, mut g) = (0.0, 0.0);
    for i in 2..total {
        h += 1.0 / (total + 1 - i) as f64;
        g += h / i as f64;
    }
    (h + 1.0, g)
}

/// Euler's constant.
const EULER: f64 = 0.577_215_664_901_532_9;

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    reason = "these values are exact: equal to the bit or wrong"
)]
mod tests {
    use super::super::grid::Place;
    use super::super::grid::tests::exact;
    use super::*;
    use proptest::prelude::*;

    fn near(found: f64, expected: f64, tolerance: f64) {
        let distance = (found - expected).abs();
        assert!(
            distance <= tolerance * expected.abs(),
            "{found} is not {expected}"
        );
    }

    #[test]
    fn ties_have_midranks_as_scipy_gives_them() {
        // scipy 1.17, stats.anderson_ksamp with midranks.
        let window = [1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 4.0, 5.0, 7.0, 8.0];
        let baseline = [
            2.0, 3.0, 3.0, 4.0, 5.0, 6.0, 6.0, 6.0, 7.0, 7.0, 8.0, 8.0, 9.0, 9.0, 10.0,
        ];
        let found = exact(&window, &baseline).anderson_darling().unwrap();
        near(found.statistic, 2.302_427_309_744_029_8, 1e-12);
        near(found.p_value, 0.036_784_915_025_162_95, 1e-6);
        let moved = baseline.map(|x| x + 3.0);
        let found = exact(&window, &moved).anderson_darling().unwrap();
        near(found.statistic, 9.807_959_152_529_167, 1e-12);
        near(found.p_value, 0.001, 0.0);
    }

    #[test]
    fn the_criterion_is_scipys_where_nothing_is_tied() {
        // scipy 1.17, stats.cramervonmises_2samp, asymptotic.
        let window = [1.1, 2.2, 3.3, 4.4, 5.5, 6.6, 7.7];
        let baseline = [2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 13.0, 14.0, 15.0, 16.0];
        let found = exact(&window, &baseline).cramer_von_mises();
        near(found.statistic, 0.605_882_352_941_176_5, 1e-12);
        near(found.p_value, 0.020_862_777_966_442_98, 1e-9);
    }

    #[test]
    fn the_expansion_for_many_cases_meets_the_sums() {
        let (h, g) = harmonic(SUMMED);
        let (more_h, more_g) = harmonic(SUMMED + 1);
        near(more_h, h + 1.0 / SUMMED as f64, 1e-9);
        near(more_g, g, 1e-8);
    }

    /// Cells of these edges, in which the values are known to lie and no more.
    fn in_cells(window: &[f64], baseline: &[f64], edges: &[f64]) -> Grid {
        let below = |values: &[f64], at: f64| {
            u64::try_from(values.iter().filter(|x| **x < at).count()).unwrap()
        };
        let places = edges.iter().map(|at| Place {
            at: *at,
            window: below(window, *at),
            baseline: below(baseline, *at),
        });
        let (n, n0) = (below(window, f64::INFINITY), below(baseline, f64::INFINITY));
        Grid::new(places.collect(), n, n0).unwrap()
    }

    proptest! {
        #[test]
        fn the_raw_rows_statistics_lie_within_what_cells_leave_open(
            window in proptest::collection::vec(0_u8..60, 2..40),
            baseline in proptest::collection::vec(0_u8..80, 3..60),
            width in 1_u8..40,
        ) {
            // Few different numbers, so that some are tied and some are not.
            let of = |values: &[u8]| values.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
            let (window, baseline) = (of(&window), of(&baseline));
            let edges: Vec<f64> = (0..=90).step_by(width.into()).map(f64::from).collect();
            let cells = in_cells(&window, &baseline, &edges);
            let raw = exact(&window, &baseline);
            let (found, of_raw) = (cells.cramer_von_mises(), raw.cramer_von_mises());
            prop_assert!(found.within.low <= of_raw.statistic + 1e-9, "{found:?} {of_raw:?}");
            prop_assert!(found.within.high >= of_raw.statistic - 1e-9, "{found:?} {of_raw:?}");
            prop_assert!(found.p_within.low <= of_raw.p_value + 1e-9);
            prop_assert!(found.p_within.high >= of_raw.p_value - 1e-9);
            if let Some((found, of_raw)) = cells.anderson_darling().zip(raw.anderson_darling()) {
                prop_assert!(found.within.low <= of_raw.statistic + 1e-9, "{found:?} {of_raw:?}");
                prop_assert!(found.within.high >= of_raw.statistic - 1e-9, "{found:?} {of_raw:?}");
                prop_assert!(found.p_within.low <= of_raw.p_value + 1e-9);
                prop_assert!(found.p_within.high >= of_raw.p_value - 1e-9);
            }
        }
    }

    #[test]
    fn the_bound_of_cells_of_a_hundredth_of_the_cases_is_narrow() {
        let at = |i: u32, n: u32| f64::from(i) / f64::from(n);
        let window: Vec<f64> = (0..4000).map(|i| libm::pow(at(i, 4000), 1.1)).collect();
        let baseline: Vec<f64> = (0..5000).map(|i| at(i, 5000)).collect();
        let edges: Vec<f64> = (0..=200).map(|i| at(i, 200)).collect();
        let found = in_cells(&window, &baseline, &edges);
        let cells = found.cramer_von_mises().within;
        assert!(cells.high - cells.low < cells.value, "{cells:?}");
        // Tails weigh more, and few cases are in them.
        let cells = found.anderson_darling().unwrap().within;
        assert!(cells.high - cells.low < 1.5 * cells.value, "{cells:?}");
    }

    #[test]
    fn beyond_the_ends_of_the_table_p_is_beyond_them() {
        let window: Vec<f64> = (0..40).map(f64::from).collect();
        let found = exact(&window, &window).anderson_darling().unwrap();
        assert_eq!((found.p_within.low, found.p_within.high), (0.25, 1.0));
        let moved: Vec<f64> = window.iter().map(|x| x + 30.0).collect();
        let found = exact(&window, &moved).anderson_darling().unwrap();
        assert_eq!((found.p_within.low, found.p_within.high), (0.0, 0.001));
    }

    #[test]
    fn one_cell_has_no_ranks() {
        assert_eq!(exact(&[1.0; 4], &[1.0; 5]).anderson_darling(), None);
        assert_eq!(
            exact(&[1.0; 4], &[1.0; 5]).cramer_von_mises().statistic,
            0.0
        );
        assert_eq!(exact(&[1.0], &[2.0]).anderson_darling(), None);
    }
}
