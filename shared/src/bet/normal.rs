//! Bets on an estimate that is about normal around the truth (grade B): the area under the ROC
//! curve, Matthews' correlation, the mean of errors of either sign.
//!
//! With z = (estimate - level) / standard error towards the breach, `exp(d z - d^2/2)` has
//! expectation 1 at the level for every strength d, if z is normal. It is not quite: that is what
//! grade B says. Blocks too small for the approximation are pooled with those after them. The
//! pooled estimate weighs blocks by their cases, never by their standard errors, which go along
//! with the estimates and would bias the sum; a mean of conforming values conforms.

use serde::{Deserialize, Serialize};

use super::{BETS, NoBet, fixed};
use crate::metric::Sample;
use crate::objective::document::Comparator;

/// Strengths, in 2^-32.
const STRENGTHS: [i64; BETS] = [fixed::ONE / 2, fixed::ONE, 2 * fixed::ONE, 3 * fixed::ONE];
/// Fewest cases, in the smallest class that matters, for the normal approximation.
pub const LEAST_CASES: u64 = 50;
/// The distance from the level is cut at this many standard errors.
const FURTHEST: f64 = 1e6;

/// Bets against one level of an estimate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NormalBets {
    /// The level.
    pub level: f64,
    /// Which side of it is good.
    pub comparator: Comparator,
    /// The strength of each bet, in 2^-32 per standard error.
    #[serde(with = "fixed::exact_list")]
    pub strengths: Vec<i64>,
}

impl NormalBets {
    /// Bets against a finite level.
    pub fn new(level: f64, comparator: Comparator) -> Result<Self, NoBet> {
        if !level.is_finite() {
            return Err(NoBet(format!("level {level}: not a finite number")));
        }
        Ok(Self {
            level,
            comparator,
            strengths: STRENGTHS.to_vec(),
        })
    }

    /// How far an estimate lies beyond the level, in standard errors times 2^32, rounded down.
    /// Nothing if the standard error is no positive number.
    pub fn distance(&self, estimate: f64, std_error: f64) -> Option<i64> {
        if !(std_error > 0.0 && std_error.is_finite() && estimate.is_finite()) {
            return None;
        }
        let beyond = match self.comparator {
            Comparator::AtLeast => self.level - estimate,
            Comparator::AtMost => estimate - self.level,
        };
        let z = (beyond / std_error).clamp(-FURTHEST, FURTHEST);
        Some(fixed::round(z) - 1)
    }

    /// What each bet gains at a distance, in 2^-32 nats.
    pub fn gains(&self, z: i64) -> Vec<i64> {
        let one = i128::from(fixed::ONE);
        self.strengths
            .iter()
            .map(|strength| {
                let d = i128::from(*strength);
                fixed::saturate((d * i128::from(z)).div_euclid(one) - (d * d).div_euclid(2 * one))
            })
            .collect()
    }
}

/// Small blocks that wait for company.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// Blocks in it.
    pub blocks: u32,
    /// Their cases.
    #[serde(with = "fixed::exact_count")]
    pub cases: u64,
    /// Their cases in the smallest class that matters.
    #[serde(with = "fixed::exact_count")]
    pub least: u64,
    /// Sum of cases times estimate.
    pub weighted: f64,
    /// Sum of squared cases times squared standard error.
    pub variance: f64,
}

/// Blocks that were pooled until the normal approximation holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pooled {
    /// Their mean estimate, weighted by cases.
    pub estimate: f64,
    /// Its standard error.
    pub std_error: f64,
    /// Their cases.
    pub cases: u64,
    /// Their cases in the smallest class that matters.
    pub least: u64,
}

impl Pool {
    /// Adds a block; gives back what the pool holds, and empties it, once there are at least
    /// `enough` cases and [`LEAST_CASES`] in the smallest class.
    pub fn add(&mut self, sample: &Sample, enough: u64) -> Option<Pooled> {
        let (estimate, std_error, of, least) = match sample {
            Sample::Normal {
                estimate,
                std_error,
                of,
                least,
            } => (*estimate, *std_error, *of, *least),
            Sample::Cells {
                estimate,
                std_error,
                least,
                ..
            } => (*estimate, *std_error, sample.cases(), *least),
            Sample::Rate { .. } | Sample::TwoRates { .. } | Sample::Unjudged { .. } => return None,
        };
        if !(estimate.is_finite() && std_error.is_finite() && of > 0) {
            return None;
        }
        let weight = of as f64;
        self.blocks = self.blocks.saturating_add(1);
        self.cases = self.cases.saturating_add(of);
        self.least = self.least.saturating_add(least);
        self.weighted += weight * estimate;
        self.variance += weight * weight * std_error * std_error;
        if self.cases < enough.max(LEAST_CASES) || self.least < LEAST_CASES {
            return None;
        }
        let full = std::mem::take(self);
        let cases = full.cases as f64;
        Some(Pooled {
            estimate: full.weighted / cases,
            std_error: full.variance.sqrt() / cases,
            cases: full.cases,
            least: full.least,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(estimate: f64, of: u64) -> Sample {
        Sample::Normal {
            estimate,
            std_error: 0.1,
            of,
            least: of,
        }
    }

    #[test]
    fn small_blocks_wait_and_weigh_by_their_cases() {
        let mut pool = Pool::default();
        assert_eq!(pool.add(&block(0.2, 20), 0), None);
        let pooled = pool.add(&block(0.8, 60), 0).unwrap();
        assert!((pooled.estimate - 0.65).abs() < 1e-12);
        assert!((pooled.std_error - (0.04 + 0.36_f64).sqrt() / 8.0).abs() < 1e-12);
        assert_eq!(pool, Pool::default());
    }

    #[test]
    fn a_normal_estimate_at_the_level_gains_nothing_in_expectation() {
        let bets = NormalBets::new(0.8, Comparator::AtLeast).unwrap();
        let mut expected = [0.0; BETS];
        let step = 0.001;
        for i in -12_000..=12_000 {
            let z = f64::from(i) * step;
            let density = libm::exp(-z * z / 2.0) / (2.0 * std::f64::consts::PI).sqrt();
            let fixed_z = bets.distance(0.8 - 0.05 * z, 0.05).unwrap();
            for (sum, gain) in expected.iter_mut().zip(bets.gains(fixed_z)) {
                *sum += density * step * libm::exp(fixed::to_nats(gain));
            }
        }
        for e in expected {
            assert!(e <= 1.0 + 1e-9 && e > 0.999, "{e}");
        }
    }

    #[test]
    fn an_estimate_without_a_standard_error_is_not_bet_on() {
        let bets = NormalBets::new(0.8, Comparator::AtLeast).unwrap();
        for std_error in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(bets.distance(0.5, std_error), None);
        }
    }
}
