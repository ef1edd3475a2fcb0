//! Random numbers that are the same on every machine and in every version: from a seed, by integers
//! and `libm` alone. For directions that are drawn once, and for resampling counts.

#![expect(
    clippy::many_single_char_names,
    reason = "as the formulas are written in the literature"
)]

use core::f64::consts::PI;

/// Steele, Lea and Flood's generator (2014), `SplitMix64`.
#[derive(Clone, Debug)]
pub struct Dice(u64);

/// Up to this mean a binomial number is found by adding up its law.
const SUMMED: f64 = 10.0;
/// Most candidates of a binomial number; fewer than two in a hundred are refused each time.
const MOST: u32 = 10_000;

impl Dice {
    /// The sequence of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Above 0, at most 1.
    pub fn unit(&mut self) -> f64 {
        ((self.next_u64() >> 11) + 1) as f64 / 9_007_199_254_740_992.0
    }

    /// Standard normal numbers, by Box and Muller's method.
    pub(super) fn normals(&mut self, count: usize) -> Vec<f64> {
        let normal = |dice: &mut Self| {
            let length = libm::sqrt(-2.0 * libm::log(dice.unit()));
            length * libm::cos(2.0 * PI * dice.unit())
        };
        (0..count).map(|_| normal(self)).collect()
    }

    /// How many of `n` independent cases succeed, each with chance `p`.
    pub fn binomial(&mut self, n: u64, p: f64) -> u64 {
        if n == 0 || p.is_nan() || p <= 0.0 {
            return 0;
        }
        if p >= 1.0 {
            return n;
        }
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p).min(n);
        }
        if n as f64 * p < SUMMED {
            self.summed(n, p)
        } else {
            self.rejected(n, p)
        }
    }

    /// By adding up the law from zero on. For small means.
    fn summed(&mut self, n: u64, p: f64) -> u64 {
        let (odds, mut part) = (p / (1.0 - p), libm::exp(n as f64 * libm::log1p(-p)));
        let (mut left, mut k) = (self.unit(), 0_u64);
        while left > part && k < n {
            left -= part;
            k += 1;
            part *= odds * (n - k + 1) as f64 / k as f64;
            // Rounding can leave a rest that no part covers.
            if part < 1e-300 {
                break;
            }
        }
        k
    }

    /// By transformed rejection with squeeze (Hoermann 1993, algorithm BTRS): the same time for any
    /// mean.
    fn rejected(&mut self, n: u64, p: f64) -> u64 {
        let cases = n as f64;
        let spread = libm::sqrt(cases * p * (1.0 - p));
        let b = 1.15 + 2.53 * spread;
        let a = -0.0873 + 0.0248 * b + 0.01 * p;
        let c = cases * p + 0.5;
        let alpha = (2.83 + 5.1 / b) * spread;
        let squeeze = 0.92 - 4.2 / b;
        let mode = libm::floor((cases + 1.0) * p);
        let log_odds = libm::log(p / (1.0 - p));
        let factorial = |k: f64| libm::lgamma(k + 1.0);
        let at_mode = factorial(mode) + factorial(cases - mode);
        for _ in 0..MOST {
            let u = self.unit() - 0.5;
            let v = self.unit();
            let near = 0.5 - u.abs();
            let k = libm::floor((2.0 * a / near + b) * u + c);
            if !(0.0..=cases).contains(&k) {
                continue;
            }
            let taken = near >= 0.07 && v <= squeeze;
            if taken
                || libm::log(v * alpha / (a / (near * near) + b))
                    <= at_mode - factorial(k) - factorial(cases - k) + (k - mode) * log_odds
            {
                return whole(k).min(n);
            }
        }
        whole(mode).min(n)
    }

    /// `draws` cases among cells with chances in proportion to `weights`, into `cells`, which is as
    /// long: by one binomial number for each occupied cell.
    pub fn multinomial(&mut self, weights: &[u64], draws: u64, cells: &mut [u64]) {
        let mut rest: u64 = weights.iter().sum();
        let mut left = draws;
        for (weight, cell) in weights.iter().zip(cells) {
            *cell = if *weight == 0 {
                0
            } else if *weight == rest {
                left
            } else {
                self.binomial(left, *weight as f64 / rest as f64)
            };
            rest -= *weight;
            left -= *cell;
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole, and between 0 and a count"
)]
const fn whole(k: f64) -> u64 {
    k as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binomial_numbers_have_their_mean_and_their_variance() {
        // Both ways of drawing, both sides of a half, and the border between the ways.
        for (n, p) in [
            (1, 0.3),
            (40, 0.1),
            (7, 0.9),
            (99, 0.1),
            (101, 0.1),
            (1000, 0.37),
            (50_000, 0.0003),
            (1_000_000, 0.81),
        ] {
            let (mut dice, draws) = (Dice::new(n), 20_000_u32);
            let (mut sum, mut squares) = (0.0, 0.0);
            let mean = n as f64 * p;
            for _ in 0..draws {
                let off = dice.binomial(n, p) as f64 - mean;
                sum += off;
                squares += off * off;
            }
            let (draws, variance) = (f64::from(draws), mean * (1.0 - p));
            let error = libm::sqrt(variance / draws);
            assert!((sum / draws).abs() < 4.5 * error, "mean of {n}, {p}");
            // The law's fourth moment, for the error of its variance.
            let fourth = variance * (1.0 + (3.0 * n as f64 - 6.0) * p * (1.0 - p));
            let error = libm::sqrt((fourth - variance * variance).max(1e-12) / draws);
            assert!(
                (squares / draws - variance).abs() < 4.5 * error,
                "variance of {n}, {p}"
            );
        }
    }

    #[test]
    fn binomial_numbers_follow_their_law_value_by_value() {
        for (n, p, lowest) in [(30_u64, 0.2_f64, 1_u64), (120, 0.25, 18)] {
            let (mut dice, draws) = (Dice::new(7), 100_000_u32);
            let mut found = vec![0_u32; 121];
            for _ in 0..draws {
                found[usize::try_from(dice.binomial(n, p)).unwrap()] += 1;
            }
            for k in lowest..lowest + 20 {
                let (all, some) = (n as f64, k as f64);
                let log = libm::lgamma(all + 1.0)
                    - libm::lgamma(some + 1.0)
                    - libm::lgamma(all - some + 1.0)
                    + some * libm::log(p)
                    + (all - some) * libm::log1p(-p);
                let expected = f64::from(draws) * libm::exp(log);
                let count = f64::from(found[usize::try_from(k).unwrap()]);
                assert!(
                    (count - expected).abs() < 4.5 * libm::sqrt(expected) + 1.0,
                    "{count} of {k} where {expected} are expected of {n}, {p}"
                );
            }
        }
    }

    #[test]
    fn no_case_is_lost_and_none_lands_in_an_empty_cell() {
        let mut dice = Dice::new(3);
        for (weights, draws) in [
            (vec![0, 5, 0, 1, 94, 0], 1000),
            (vec![1, 0], 7),
            (vec![3], 0),
            (vec![u64::MAX / 4, 1, u64::MAX / 4], 1_000_000_000_000),
        ] {
            for _ in 0..200 {
                let mut cells = vec![9; weights.len()];
                dice.multinomial(&weights, draws, &mut cells);
                assert_eq!(cells.iter().sum::<u64>(), draws);
                let empty = weights.iter().zip(&cells).filter(|(w, _)| **w == 0);
                assert!(empty.into_iter().all(|(_, cell)| *cell == 0));
            }
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_numbers_for_years() {
        let mut dice = Dice::new(1);
        let drawn: Vec<u64> = [(10, 0.5), (1000, 0.01), (1000, 0.4), (1 << 40, 0.7)]
            .into_iter()
            .map(|(n, p)| dice.binomial(n, p))
            .collect();
        assert_eq!(drawn, FROZEN);
    }

    /// As drawn when this was written.
    const FROZEN: [u64; 4] = [5, 9, 401, 769_657_695_973];
}
