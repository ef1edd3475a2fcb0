//! What bets on ratios and on differences of two groups' shares have in common.
//!
//! Before a block is looked at, a law just beyond the level is guessed from *earlier* blocks and
//! projected onto the conforming laws, in Kullback-Leibler distance weighted by the block's group
//! sizes. The likelihood ratio of guess to projection cannot gain in expectation under any
//! conforming law: the logarithm of its expectation is concave and has its top at the projection
//! (statistics, section 5.4). "At most" is "at least" of the mirrored level with the groups
//! exchanged.

use serde::{Deserialize, Serialize};

use super::fixed;
use crate::objective::document::Comparator;

/// Guessed shares stay this far from 0 and 1.
pub(super) const EDGE: f64 = 0.001;
/// What is assumed of a share before any block: 8 hits in 20.
const PRIOR: (f64, f64) = (8.0, 20.0);

/// Counts of two groups over earlier blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateSums {
    /// Reference group: (hits, of).
    pub reference: (u64, u64),
    /// Compared group: (hits, of).
    pub compared: (u64, u64),
}

impl RateSums {
    /// Takes a block into account, for the blocks after it.
    pub fn add(&mut self, reference: (u64, u64), compared: (u64, u64)) {
        let sum = |a: (u64, u64), b: (u64, u64)| (a.0.saturating_add(b.0), a.1.saturating_add(b.1));
        self.reference = sum(self.reference, reference);
        self.compared = sum(self.compared, compared);
    }
}

/// A level to be projected onto, for each of some strengths.
pub(super) struct Level<'a> {
    pub(super) comparator: Comparator,
    /// The level, and the one that stands for it once the groups are exchanged.
    pub(super) levels: (f64, f64),
    pub(super) strengths: &'a [f64],
}

impl Level<'_> {
    /// The payoffs for a block with these group sizes (reference, compared): for each strength
    /// [reference hit, reference miss, compared hit, compared miss]. `project` gives the guessed and
    /// the nearest conforming shares of (a, b) for a guess of a, "b at least the level", a strength
    /// and sizes of (a, b). Nothing if a group is empty: then the block says nothing of the two.
    pub(super) fn payoffs(
        &self,
        earlier: &RateSums,
        sizes: (u64, u64),
        project: impl Fn(f64, f64, f64, (f64, f64)) -> Option<Projection>,
    ) -> Option<Vec<[i64; 4]>> {
        if sizes.0 == 0 || sizes.1 == 0 {
            return None;
        }
        let (reference_of, compared_of) = (sizes.0 as f64, sizes.1 as f64);
        let rows = self.strengths.iter().map(|strength| {
            let found = match self.comparator {
                Comparator::AtLeast => project(
                    guess(earlier.reference),
                    self.levels.0,
                    *strength,
                    (reference_of, compared_of),
                ),
                Comparator::AtMost => project(
                    guess(earlier.compared),
                    self.levels.1,
                    *strength,
                    (compared_of, reference_of),
                ),
            };
            let [a, b] = found.map_or([[0; 2]; 2], |found| found.payoffs());
            let [reference, compared] = match self.comparator {
                Comparator::AtLeast => [a, b],
                Comparator::AtMost => [b, a],
            };
            [reference[0], reference[1], compared[0], compared[1]]
        });
        Some(rows.collect())
    }
}

/// Guessed shares of two groups, and the conforming ones nearest to them.
pub(super) struct Projection {
    pub(super) guessed: [f64; 2],
    pub(super) nearest: [f64; 2],
}

impl Projection {
    /// What a hit and a miss pay, group by group.
    fn payoffs(&self) -> [[i64; 2]; 2] {
        [0, 1].map(|group| {
            let (guessed, nearest) = (self.guessed[group], self.nearest[group]);
            [
                fixed::payoff(libm::log(guessed / nearest)),
                fixed::payoff(libm::log((1.0 - guessed) / (1.0 - nearest))),
            ]
        })
    }
}

/// What each bet gains on a block, in 2^-32 nats.
pub fn gains(rows: &[[i64; 4]], reference: (u64, u64), compared: (u64, u64)) -> Vec<i64> {
    let counts = [
        reference.0,
        reference.1.saturating_sub(reference.0),
        compared.0,
        compared.1.saturating_sub(compared.0),
    ];
    rows.iter()
        .map(|row| {
            let dot = row
                .iter()
                .zip(counts)
                .map(|(payoff, count)| i128::from(*payoff) * i128::from(count))
                .sum();
            fixed::saturate(dot)
        })
        .collect()
}

/// A share from earlier counts, drawn towards the prior.
fn guess((hits, of): (u64, u64)) -> f64 {
    let share = (hits as f64 + PRIOR.0) / (of as f64 + PRIOR.1);
    share.clamp(EDGE, 1.0 - EDGE)
}
