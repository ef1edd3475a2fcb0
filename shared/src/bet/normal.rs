//! Bets on an estimate that is about normal around the truth (grade B): the area under the ROC
//! curve, Matthews' correlation, the mean of errors of either sign.
//!
//! With z = (estimate - level) / standard error towards the breach, `exp(d z - d^2/2)` has
//! expectation 1 at the level for every strength d, if z is normal. It is not quite: that is what
//! grade B says. Blocks too small for the approximation wait until their counts, added to those of the
//! next ones, are enough ([`Pooled::of`]): an estimate of a few cases, or its standard error, says
//! nothing that could be averaged. Means over such pools weigh by cases, never by standard errors, which
//! go along with the estimates and would bias the sum; a mean of conforming values conforms.

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

/// Blocks whose counts together are enough for the normal approximation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pooled {
    /// The estimate from all of their counts.
    pub estimate: f64,
    /// Its standard error.
    pub std_error: f64,
    /// Their cases.
    pub cases: u64,
    /// Their cases in the smallest class that matters.
    pub least: u64,
}

impl Pooled {
    /// A sample on at least `enough` cases and [`LEAST_CASES`], as many of them in the smallest class
    /// that matters. Nothing of a smaller one, or of one without a standard error.
    pub fn of(sample: &Sample, enough: u64) -> Option<Self> {
        let (estimate, std_error, cases, least) = match sample {
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
        let known = estimate.is_finite() && std_error.is_finite() && std_error >= 0.0;
        let enough = cases >= enough.max(LEAST_CASES) && least >= LEAST_CASES;
        (known && enough).then_some(Self {
            estimate,
            std_error,
            cases,
            least,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_too_small_for_the_approximation_is_none() {
        let of = |of: u64, least: u64, std_error: f64| {
            let sample = Sample::Normal {
                estimate: 0.2,
                std_error,
                of,
                least,
            };
            Pooled::of(&sample, 60).map(|pooled| pooled.cases)
        };
        assert_eq!(of(60, 50, 0.1), Some(60));
        assert_eq!(of(59, 50, 0.1), None);
        assert_eq!(of(600, 49, 0.1), None);
        assert_eq!(of(600, 600, f64::NAN), None);
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
