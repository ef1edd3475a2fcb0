//! Bets on the difference of two groups' shares, as the demographic parity difference. Exact at any
//! group size. How a breach is guessed and projected onto the conforming laws is said in
//! [`super::two_groups`].

use serde::{Deserialize, Serialize};

use super::two_groups::{EDGE, Level, Projection, RateSums};
use super::{BETS, NoBet};
use crate::objective::document::Comparator;

/// How far each bet's guess lies beyond the level.
const GAPS: [f64; BETS] = [0.03, 0.08, 0.15, 0.3];
/// Halvings when the projection is searched: beyond a double's precision.
const HALVINGS: u32 = 64;

/// Bets against one level of a difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifferenceBets {
    /// The level: compared group's share less the reference group's.
    pub level: f64,
    /// Which side of it is good.
    pub comparator: Comparator,
    /// How far each bet's guess lies beyond the level.
    pub gaps: Vec<f64>,
}

impl DifferenceBets {
    /// Bets against a difference between -1 and 1.
    pub fn new(level: f64, comparator: Comparator) -> Result<Self, NoBet> {
        if !(level > -1.0 && level < 1.0) {
            return Err(NoBet(format!(
                "level {level}: a difference of shares lies between -1 and 1; set the level to the \
                 difference that is tolerated, as -0.1"
            )));
        }
        Ok(Self {
            level,
            comparator,
            gaps: GAPS.to_vec(),
        })
    }

    /// The payoffs for a block with these group sizes, from the counts of earlier blocks only: for
    /// each bet [reference hit, reference miss, compared hit, compared miss]. Nothing if a group is
    /// empty: then the block says nothing of a difference.
    pub fn payoffs(
        &self,
        earlier: &RateSums,
        reference_of: u64,
        compared_of: u64,
    ) -> Option<Vec<[i64; 4]>> {
        let level = Level {
            comparator: self.comparator,
            levels: (self.level, -self.level),
            strengths: &self.gaps,
        };
        level.payoffs(earlier, (reference_of, compared_of), project)
    }
}

/// A breach of "b's share is at least a's share plus `least`", for group sizes (a, b).
fn project(a: f64, least: f64, gap: f64, (size_a, size_b): (f64, f64)) -> Option<Projection> {
    let b = (a + least - gap).clamp(EDGE, 1.0 - EDGE);
    if b >= a + least {
        return None;
    }
    // The conforming pair (x, x + least) that is nearest: where the distance's slope changes sign.
    let slope = |x: f64| {
        let y = x + least;
        size_a * (x - a) / (x * (1.0 - x)) + size_b * (y - b) / (y * (1.0 - y))
    };
    let (mut low, mut high) = (0.0_f64.max(-least), 1.0_f64.min(1.0 - least));
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if slope(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    let x = 0.5 * (low + high);
    let y = x + least;
    let fits = x > 0.0 && x < 1.0 && y > 0.0 && y < 1.0;
    fits.then_some(Projection {
        guessed: [a, b],
        nearest: [x, y],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bet::fixed;
    use crate::bet::two_groups::gains;

    #[test]
    fn a_breach_gains_in_its_own_direction_only() {
        let earlier = RateSums {
            reference: (400, 1000),
            compared: (380, 1000),
        };
        let least = DifferenceBets::new(-0.1, Comparator::AtLeast).unwrap();
        let rows = least.payoffs(&earlier, 1000, 1000).unwrap();
        assert!(
            gains(&rows, (400, 1000), (150, 1000))
                .iter()
                .any(|g| *g > 20 * fixed::ONE)
        );
        assert!(
            gains(&rows, (400, 1000), (500, 1000))
                .iter()
                .all(|g| *g < 0)
        );
        let most = DifferenceBets::new(0.1, Comparator::AtMost).unwrap();
        let rows = most.payoffs(&earlier, 1000, 1000).unwrap();
        assert!(
            gains(&rows, (400, 1000), (800, 1000))
                .iter()
                .any(|g| *g > 20 * fixed::ONE)
        );
        assert!(
            gains(&rows, (400, 1000), (300, 1000))
                .iter()
                .all(|g| *g < 0)
        );
        assert!(most.payoffs(&earlier, 0, 5).is_none());
        assert!(DifferenceBets::new(1.0, Comparator::AtMost).is_err());
    }
}
