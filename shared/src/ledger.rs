//! The ledger of one level: evidence of a present breach, in integers (statistics, section 5.5).
//!
//! Each bet has a sum: `L <- max(L, 0) + gain`. Resetting at zero forgets past good behaviour, so
//! that it cannot hide a present breach. Evidence is `max(L - ln J)` over the J bets. While the
//! objective is kept, evidence reaches `ln(H/alpha)` within H steps with a chance of at most alpha,
//! and reaches `ln(A)` after no fewer than A steps on average. The ledger does not know why.

use serde::{Deserialize, Serialize};

use crate::bet::fixed;

pub mod many;

/// The sums of the bets against one level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// One row for each bet.
    pub bets: Vec<BetSum>,
}

/// One bet's sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BetSum {
    /// The sum since its last reset, in 2^-32 nats; far below zero before any block.
    #[serde(with = "fixed::exact")]
    pub sum: i64,
    /// The block (from 1) that followed the last reset: where a breach, if there is one, began.
    pub since: u32,
}

impl Ledger {
    /// A ledger of so many bets that has seen nothing.
    pub fn new(bets: usize) -> Self {
        let nothing = BetSum {
            sum: -fixed::LIMIT,
            since: 0,
        };
        Self {
            bets: vec![nothing; bets],
        }
    }

    /// Books the gains of block number `block`, one for each bet.
    pub fn book(&mut self, block: u32, gains: &[i64]) {
        for (bet, gain) in self.bets.iter_mut().zip(gains) {
            if bet.sum <= 0 {
                bet.since = block;
            }
            bet.sum = fixed::saturate(i128::from(bet.sum.max(0)) + i128::from(*gain));
        }
    }

    /// Evidence, in 2^-32 nats. Far below zero before any block.
    pub fn evidence(&self) -> i64 {
        let best = self.bets.iter().map(|bet| bet.sum).max();
        let price = fixed::threshold(self.bets.len().max(1) as f64);
        fixed::saturate(i128::from(best.unwrap_or(-fixed::LIMIT)) - i128::from(price))
    }

    /// The block from which the leading bet has been winning; nothing if no bet is ahead.
    pub fn since(&self) -> Option<u32> {
        let best = self.bets.iter().max_by_key(|bet| bet.sum)?;
        (best.sum > 0).then_some(best.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: i64 = fixed::ONE;

    #[test]
    fn past_good_behaviour_does_not_hide_a_present_breach() {
        let mut ledger = Ledger::new(1);
        for block in 1..=100 {
            ledger.book(block, &[-5 * ONE]);
        }
        assert_eq!(ledger.since(), None);
        ledger.book(101, &[2 * ONE]);
        ledger.book(102, &[3 * ONE]);
        assert_eq!(ledger.bets[0].sum, 5 * ONE);
        assert_eq!(ledger.since(), Some(101));
    }

    #[test]
    fn evidence_pays_for_the_choice_among_bets() {
        let mut ledger = Ledger::new(4);
        ledger.book(1, &[ONE, 3 * ONE, -ONE, 0]);
        assert_eq!(ledger.evidence(), 3 * ONE - fixed::threshold(4.0));
    }

    #[test]
    fn saturation_does_not_wrap() {
        let mut ledger = Ledger::new(2);
        for block in 1..=5 {
            ledger.book(block, &[i64::MAX, i64::MIN]);
        }
        assert_eq!(ledger.bets[0].sum, fixed::LIMIT);
        assert_eq!(ledger.bets[1].sum, -fixed::LIMIT);
        assert!(ledger.evidence() > 0);
        assert!(Ledger::new(4).evidence() < 0);
    }
}
