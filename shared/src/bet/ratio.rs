//! Bets on the ratio of two groups' shares, as demographic parity. Exact at any group size. How a
//! breach is guessed and projected onto the conforming laws is said in [`super::two_groups`].

use serde::{Deserialize, Serialize};

use super::two_groups::{EDGE, Level, Projection, RateSums};
use super::{BETS, NoBet};
use crate::objective::document::Comparator;

/// How far each bet's guess lies beyond the ratio, as a factor.
const STRENGTHS: [f64; BETS] = [0.9, 0.75, 0.6, 0.4];

/// Bets against one level of a ratio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatioBets {
    /// The level: compared group's share over reference group's.
    pub level: f64,
    /// Which side of it is good.
    pub comparator: Comparator,
    /// How far each bet's guess lies beyond the ratio, as a factor.
    pub strengths: Vec<f64>,
}

impl RatioBets {
    /// Bets against a ratio above 0.
    pub fn new(level: f64, comparator: Comparator) -> Result<Self, NoBet> {
        if !(level > 0.0 && level.is_finite()) {
            return Err(NoBet(format!(
                "level {level}: a ratio must be above 0; set the level to the ratio that is \
                 tolerated, as 0.8"
            )));
        }
        Ok(Self {
            level,
            comparator,
            strengths: STRENGTHS.to_vec(),
        })
    }

    /// The payoffs for a block with these group sizes, from the counts of earlier blocks only: for
    /// each bet [reference hit, reference miss, compared hit, compared miss]. Nothing if a group is
    /// empty: then the block says nothing of a ratio.
    pub fn payoffs(
        &self,
        earlier: &RateSums,
        reference_of: u64,
        compared_of: u64,
    ) -> Option<Vec<[i64; 4]>> {
        let level = Level {
            comparator: self.comparator,
            levels: (self.level, 1.0 / self.level),
            strengths: &self.strengths,
        };
        level.payoffs(earlier, (reference_of, compared_of), project)
    }
}

/// A breach of "b's share is at least `ratio` times a's share", for group sizes (a, b).
fn project(a: f64, ratio: f64, strength: f64, (size_a, size_b): (f64, f64)) -> Option<Projection> {
    let b = (ratio * strength * a).min(1.0 - EDGE);
    // The root of -r(n_a+n_b)x^2 + [n_a(1+ra) + n_b(r+b)]x - (n_a a + n_b b) that lies in
    // (0, min(1, 1/r)): the smaller one, written without a difference of near numbers.
    let mass = size_a * a + size_b * b;
    let linear = size_a * (1.0 + ratio * a) + size_b * (ratio + b);
    let square = ratio * (size_a + size_b);
    let root = (linear * linear - 4.0 * square * mass).max(0.0).sqrt();
    let null_a = 2.0 * mass / (linear + root);
    let null_b = ratio * null_a;
    let fits = null_a > 0.0 && null_a < 1.0 && null_b < 1.0 && b < ratio * a;
    fits.then_some(Projection {
        guessed: [a, b],
        nearest: [null_a, null_b],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bet::fixed::to_nats;
    use crate::bet::two_groups::gains;

    /// E[exp(payoffs of one group)] of `n` cases at share `q`: cases are independent, so a power.
    fn expected(hit: i64, miss: i64, n: u64, q: f64) -> f64 {
        let one = q * libm::exp(to_nats(hit)) + (1.0 - q) * libm::exp(to_nats(miss));
        libm::pow(one, n as f64)
    }

    /// The same by enumeration of outcomes and the integer gains, for two groups.
    fn enumerated(row: [i64; 4], sizes: (u64, u64), at: (f64, f64)) -> f64 {
        let law = |n: u64, k: u64, q: f64| {
            let mut p = 1.0;
            for i in 0..k {
                p *= (n - i) as f64 / (i + 1) as f64 * q;
            }
            p * libm::pow(1.0 - q, (n - k) as f64)
        };
        let mut total = 0.0;
        for a in 0..=sizes.0 {
            for b in 0..=sizes.1 {
                let gain = gains(&[row], (a, sizes.0), (b, sizes.1))[0];
                total += law(sizes.0, a, at.0) * law(sizes.1, b, at.1) * libm::exp(to_nats(gain));
            }
        }
        total
    }

    fn conforms(comparator: Comparator, level: f64, a: f64, b: f64) -> bool {
        match comparator {
            Comparator::AtLeast => b >= level * a,
            Comparator::AtMost => b <= level * a,
        }
    }

    #[test]
    fn no_conforming_pair_of_groups_gains_in_expectation() {
        let sizes = (25, 7);
        for (hits, of) in [(0, 0), (0, 500), (60, 500), (250, 500), (500, 500)] {
            let earlier = RateSums {
                reference: (hits, of),
                compared: (hits / 2, of),
            };
            for (level, comparator) in [
                (0.8, Comparator::AtLeast),
                (1.0, Comparator::AtLeast),
                (1.5, Comparator::AtLeast),
                (1.25, Comparator::AtMost),
                (0.5, Comparator::AtMost),
            ] {
                let bets = RatioBets::new(level, comparator).unwrap();
                for row in bets.payoffs(&earlier, sizes.0, sizes.1).unwrap() {
                    for i in 0..=100 {
                        for j in 0..=100 {
                            let (a, b) = (f64::from(i) / 100.0, f64::from(j) / 100.0);
                            // The boundary itself is not on the grid: pull b onto it.
                            let edge = (level * a).min(1.0);
                            for b in [b, edge] {
                                if !conforms(comparator, level, a, b) {
                                    continue;
                                }
                                let e = expected(row[0], row[1], sizes.0, a)
                                    * expected(row[2], row[3], sizes.1, b);
                                assert!(e <= 1.0 + 1e-12, "{level} {comparator:?} {a} {b} {e}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn enumerating_every_outcome_agrees() {
        let bets = RatioBets::new(0.8, Comparator::AtLeast).unwrap();
        for row in bets.payoffs(&RateSums::default(), 25, 7).unwrap() {
            for (a, b) in [(0.4, 0.32), (0.1, 0.08), (0.9, 0.72), (0.4, 0.2)] {
                let direct = expected(row[0], row[1], 25, a) * expected(row[2], row[3], 7, b);
                let by_outcome = enumerated(row, (25, 7), (a, b));
                assert!((direct - by_outcome).abs() < 1e-12 * direct);
                assert!(by_outcome <= 1.0 + 1e-12 || b < 0.8 * a);
            }
        }
    }

    #[test]
    fn a_breach_gains_and_an_empty_group_says_nothing() {
        let bets = RatioBets::new(0.8, Comparator::AtLeast).unwrap();
        let rows = bets.payoffs(&RateSums::default(), 1000, 1000).unwrap();
        assert!(
            gains(&rows, (400, 1000), (160, 1000))
                .iter()
                .all(|g| *g > 0)
        );
        assert!(
            gains(&rows, (400, 1000), (400, 1000))
                .iter()
                .all(|g| *g < 0)
        );
        assert!(bets.payoffs(&RateSums::default(), 0, 10).is_none());
        assert!(RatioBets::new(0.0, Comparator::AtLeast).is_err());
    }
}
