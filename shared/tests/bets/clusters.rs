//! T10: cases that go together, as rows of one request.

use clause9_shared::bet::RateBets;
use clause9_shared::objective::document::Comparator;
use num_rational::BigRational;
use num_traits::{One, Zero};

use crate::rational::{self, exact};

/// E[e^gain] of `clusters` clusters of `size` equal cases at a share, gains divided by `divisor`.
fn expected(bets: &RateBets, bet: usize, clusters: u64, size: u64, divisor: i64) -> BigRational {
    let share = exact(bets.level);
    let mut total = BigRational::zero();
    let mut choose = num_bigint::BigInt::one();
    for hits in 0..=clusters {
        let power =
            |x: &BigRational, k: u64| (0..k).fold(BigRational::one(), |product, _| product * x);
        let chance = BigRational::from_integer(choose.clone())
            * power(&share, hits)
            * power(&(BigRational::one() - &share), clusters - hits);
        let gain = bets.gains(hits * size, clusters * size)[bet].div_euclid(divisor);
        total += chance * BigRational::from_integer(rational::exp_up(i128::from(gain)));
        choose = choose * (clusters - hits) / (hits + 1);
    }
    total / BigRational::from_integer(rational::one())
}

#[test]
fn t10_rows_that_are_all_alike_gain_nothing_once_evidence_is_divided() {
    let bets = RateBets::new(0.85, Comparator::AtLeast).unwrap();
    for bet in 0..4 {
        let fair = expected(&bets, bet, 12, 5, 5);
        assert!(fair <= BigRational::one(), "bet {bet}");
        // Without the division the same rows are no evidence at all.
        let unfair = expected(&bets, bet, 12, 5, 1);
        assert!(unfair > BigRational::one(), "bet {bet}");
    }
}

#[test]
fn t10_rows_that_are_alike_in_part_gain_nothing_either() {
    // Pairs of rows: the second copies the first half of the time. Both have the level's share.
    let bets = RateBets::new(0.85, Comparator::AtLeast).unwrap();
    let share = exact(0.85);
    let half = exact(0.5);
    let miss = BigRational::one() - &share;
    for bet in 0..4 {
        let mut total = BigRational::zero();
        for (first, p) in [(1, &share), (0, &miss)] {
            for (second, q) in [(1, &share), (0, &miss)] {
                let copy = if first == second {
                    BigRational::one()
                } else {
                    BigRational::zero()
                };
                let chance = p * (&half * copy + &half * q);
                let gain = bets.gains(first + second, 2)[bet].div_euclid(2);
                let paid = rational::exp_up(i128::from(gain));
                total += chance * BigRational::from_integer(paid);
            }
        }
        assert!(
            total <= BigRational::from_integer(rational::one()),
            "bet {bet}"
        );
    }
}
