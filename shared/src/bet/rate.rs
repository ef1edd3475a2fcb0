//! Bets on a share of cases, as accuracy or a missing rate. Exact at any number of cases.
//!
//! Each bet is the likelihood ratio of a share on the breach side to the level itself. For a level
//! t and "at least", `q p/t + (1-q) (1-p)/(1-t)` falls in q for p < t and is 1 at q = t, so no
//! conforming share gains in expectation; "at most" mirrors it.

use serde::{Deserialize, Serialize};

use super::{BETS, NoBet, fixed};
use crate::objective::document::Comparator;

/// How far each bet's share lies beyond the level, as a factor of the odds.
const ODDS: [f64; BETS] = [1.25, 1.6, 2.5, 5.0];

/// Fixed payoffs against one level of a share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateBets {
    /// The level.
    pub level: f64,
    /// Which side of it is good.
    pub comparator: Comparator,
    /// For each bet what a hit and a miss pay, in 2^-32 nats.
    pub payoffs: Vec<[i64; 2]>,
}

impl RateBets {
    /// The payoffs against a level strictly between 0 and 1.
    pub fn new(level: f64, comparator: Comparator) -> Result<Self, NoBet> {
        refuse_degenerate(level, comparator)?;
        let odds = level / (1.0 - level);
        let payoffs = ODDS
            .iter()
            .map(|factor| {
                let beyond = match comparator {
                    Comparator::AtLeast => odds / factor,
                    Comparator::AtMost => odds * factor,
                };
                // (1 - p) / (1 - t) = (1 + odds(t)) / (1 + odds(p)); no difference of near numbers.
                let miss = libm::log((1.0 + odds) / (1.0 + beyond));
                let hit = miss + libm::log(beyond / odds);
                [fixed::payoff(hit), fixed::payoff(miss)]
            })
            .collect();
        Ok(Self {
            level,
            comparator,
            payoffs,
        })
    }

    /// What each bet gains on `hits` among `of` cases, in 2^-32 nats.
    pub fn gains(&self, hits: u64, of: u64) -> Vec<i64> {
        let misses = of.saturating_sub(hits);
        self.payoffs
            .iter()
            .map(|[hit, miss]| {
                let sum =
                    i128::from(hits) * i128::from(*hit) + i128::from(misses) * i128::from(*miss);
                fixed::saturate(sum)
            })
            .collect()
    }
}

fn refuse_degenerate(level: f64, comparator: Comparator) -> Result<(), NoBet> {
    if level > 0.0 && level < 1.0 {
        return Ok(());
    }
    let why = match (comparator, level <= 0.0) {
        (Comparator::AtMost, true) => {
            "a share of at most 0 is broken by a single case, which needs no statistics; set the \
             level to the largest share that is tolerated, as 0.001"
        }
        (Comparator::AtLeast, false) => {
            "a share of at least 1 is broken by a single case, which needs no statistics; set the \
             level to the smallest share that is tolerated, as 0.999"
        }
        (Comparator::AtLeast, true) => {
            "a share of at least 0 can never be broken; set a level above 0"
        }
        (Comparator::AtMost, false) => {
            "a share of at most 1 can never be broken; set a level below 1"
        }
    };
    Err(NoBet(format!("level {level}: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bet::fixed::to_nats;

    /// E[exp(gain)] of `n` cases at share `q`, from the frozen integers, by enumeration.
    fn expected(bets: &RateBets, bet: usize, n: u64, q: f64) -> f64 {
        let mut total = 0.0;
        for hits in 0..=n {
            let log_choose = libm::lgamma(n as f64 + 1.0)
                - libm::lgamma(hits as f64 + 1.0)
                - libm::lgamma((n - hits) as f64 + 1.0);
            let log_law = if q >= 1.0 {
                if hits == n { 0.0 } else { continue }
            } else if q <= 0.0 {
                if hits == 0 { 0.0 } else { continue }
            } else {
                log_choose + hits as f64 * libm::log(q) + (n - hits) as f64 * libm::log1p(-q)
            };
            total += libm::exp(log_law + to_nats(bets.gains(hits, n)[bet]));
        }
        total
    }

    #[test]
    fn no_conforming_share_gains_in_expectation_at_any_size_up_to_60() {
        for level in [0.001, 0.02, 0.5, 0.85, 0.99] {
            for comparator in [Comparator::AtLeast, Comparator::AtMost] {
                let bets = RateBets::new(level, comparator).unwrap();
                for n in [1, 2, 7, 30, 60] {
                    for step in 0..=40 {
                        let away = f64::from(step) / 40.0;
                        let q = match comparator {
                            Comparator::AtLeast => level + (1.0 - level) * away,
                            Comparator::AtMost => level * (1.0 - away),
                        };
                        for bet in 0..BETS {
                            let e = expected(&bets, bet, n, q);
                            // 1e-11: error of lgamma in the enumeration itself.
                            assert!(e <= 1.0 + 1e-11, "{level} {comparator:?} {n} {q} {e}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_certificate_holds_for_one_case_in_the_integers_themselves() {
        // Linear in q, so the level itself is the worst conforming law.
        for thousandth in 1..1000 {
            let level = f64::from(thousandth) / 1000.0;
            for comparator in [Comparator::AtLeast, Comparator::AtMost] {
                for [hit, miss] in RateBets::new(level, comparator).unwrap().payoffs {
                    let e =
                        level * libm::exp(to_nats(hit)) + (1.0 - level) * libm::exp(to_nats(miss));
                    assert!(e <= 1.0, "{level} {comparator:?} {e}");
                    let falls = hit < miss;
                    assert_eq!(falls, comparator == Comparator::AtLeast);
                }
            }
        }
    }

    #[test]
    fn a_breach_gains() {
        let bets = RateBets::new(0.85, Comparator::AtLeast).unwrap();
        assert!(
            bets.gains(150, 200)
                .iter()
                .any(|gain| *gain > 4 * fixed::ONE)
        );
        assert!(bets.gains(186, 200).iter().all(|gain| *gain < 0));
    }

    #[test]
    fn levels_without_a_bet_are_refused_with_advice() {
        let of = |level, comparator| RateBets::new(level, comparator).unwrap_err().0;
        assert!(of(0.0, Comparator::AtMost).contains("as 0.001"));
        assert!(of(1.0, Comparator::AtLeast).contains("as 0.999"));
        assert!(of(0.0, Comparator::AtLeast).contains("can never be broken"));
        assert!(of(1.0, Comparator::AtMost).contains("can never be broken"));
    }
}
