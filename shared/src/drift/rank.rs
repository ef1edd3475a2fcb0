//! Rank statistics of two samples, with all values of a cell taken as tied.

#![expect(
    clippy::many_single_char_names,
    reason = "as the formulas are written in the literature"
)]

use super::grid::Grid;

/// The two-sample Cramer-von Mises criterion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CramerVonMises {
    /// The criterion T (Anderson 1962).
    pub statistic: f64,
    /// From its limit law, after bringing T to that law's mean and variance.
    pub p_value: f64,
}

/// The two-sample Anderson-Darling statistic with midranks for ties.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AndersonDarling {
    /// The standardised statistic (Scholz and Stephens 1987, equation 7): mean 0 and variance 1 where
    /// nothing has moved.
    pub statistic: f64,
    /// Interpolated in their table; between 0.001 and 0.25.
    pub p_value: f64,
}

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
        let standard = if variance > 0.0 {
            1.0 / 6.0 + (statistic - mean) / libm::sqrt(45.0 * variance)
        } else {
            0.0
        };
        CramerVonMises {
            statistic,
            p_value: super::tail::cramer_von_mises(standard),
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
        let statistic = (sums[0] / n + sums[1] / n0) * (all - 1.0) / all;
        let statistic = (statistic - 1.0) / libm::sqrt(variance_of_two(n, n0, total));
        Some(AndersonDarling {
            statistic,
            p_value: super::tail::anderson_darling(statistic),
        })
    }
}

/// The variance of the statistic for two samples (Scholz and Stephens 1987, equation 4).
fn variance_of_two(n: f64, n0: f64, total: u64) -> f64 {
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
    use super::super::grid::tests::exact;
    use super::*;

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
