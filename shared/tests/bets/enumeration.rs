//! T3: the expectation of `e^gain` is at most 1 under laws that conform, by enumerating every outcome
//! of a block and weighing it exactly: rates up to 60 cases, two groups of 25 and 7, three cells of
//! 12 cases.

use clause9_shared::bet::ratio::gains;
use clause9_shared::bet::{
    BETS, CellBets, DifferenceBets, Divergence, RateBets, RateSums, RatioBets, Tolerance, cells,
};
use clause9_shared::objective::document::Comparator;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Zero};

use crate::rational::{self, exact};

fn fraction(above: u64, below: u64) -> BigRational {
    BigRational::new(BigInt::from(above), BigInt::from(below))
}

/// Chances of 0 to n hits.
fn binomial(n: u64, share: &BigRational) -> Vec<BigRational> {
    let miss = BigRational::one() - share;
    let power = |x: &BigRational, k: u64| (0..k).fold(BigRational::one(), |product, _| product * x);
    let mut choose = BigInt::one();
    let mut chances = Vec::new();
    for k in 0..=n {
        let ways = BigRational::from_integer(choose.clone());
        chances.push(ways * power(share, k) * power(&miss, n - k));
        choose = choose * (n - k) / (k + 1);
    }
    chances
}

fn is_fair(expected: &BigRational, what: impl std::fmt::Debug) {
    assert!(
        *expected <= BigRational::from_integer(rational::one()),
        "{what:?}"
    );
}

fn raised(gain: i64) -> BigRational {
    BigRational::from_integer(rational::exp_up(i128::from(gain)))
}

#[test]
fn t3_rates_of_up_to_sixty_cases() {
    for (level, comparator) in [
        (0.85, Comparator::AtLeast),
        (0.99, Comparator::AtLeast),
        (0.01, Comparator::AtMost),
        (0.5, Comparator::AtMost),
    ] {
        let bets = RateBets::new(level, comparator).unwrap();
        let edge = exact(level);
        let far = match comparator {
            Comparator::AtLeast => BigRational::one(),
            Comparator::AtMost => BigRational::zero(),
        };
        for n in 1..=60 {
            let gains: Vec<_> = (0..=n)
                .map(|hits| {
                    bets.gains(hits, n)
                        .into_iter()
                        .map(raised)
                        .collect::<Vec<_>>()
                })
                .collect();
            for step in [0, 1, 4, 8] {
                let away = fraction(step, 8);
                let share = &edge + (&far - &edge) * away;
                let chances = binomial(n, &short(&share, comparator));
                for bet in 0..BETS {
                    let paid = chances.iter().zip(&gains);
                    let e: BigRational = paid.map(|(chance, gain)| chance * &gain[bet]).sum();
                    is_fair(&e, (level, comparator, n, step, bet));
                }
            }
        }
    }
}

/// A share of 20 binary digits on the conforming side.
fn short(share: &BigRational, comparator: Comparator) -> BigRational {
    let scale: BigInt = BigInt::one() << 20;
    let scaled = share * BigRational::from_integer(scale.clone());
    let rounded = match comparator {
        Comparator::AtLeast => scaled.ceil(),
        Comparator::AtMost => scaled.floor(),
    };
    rounded / BigRational::from_integer(scale)
}

const SIZES: (u64, u64) = (25, 7);

/// The largest expectation of a row of payoffs over pairs of shares (a, b).
fn two_groups(row: [i64; 4], pairs: &[(BigRational, BigRational)], what: &str) {
    let outcomes: Vec<Vec<BigRational>> = (0..=SIZES.0)
        .map(|a| {
            (0..=SIZES.1)
                .map(|b| raised(gains(&[row], (a, SIZES.0), (b, SIZES.1))[0]))
                .collect()
        })
        .collect();
    for (a, b) in pairs {
        let (of_a, of_b) = (binomial(SIZES.0, a), binomial(SIZES.1, b));
        let mut e = BigRational::zero();
        for (chance, row) in of_a.iter().zip(&outcomes) {
            let inner: BigRational = row
                .iter()
                .zip(&of_b)
                .map(|(paid, chance)| paid * chance)
                .sum();
            e += chance * inner;
        }
        is_fair(&e, (what, a, b));
    }
}

fn earlier() -> [RateSums; 3] {
    [(0, 0), (60, 500), (450, 500)].map(|(hits, of)| RateSums {
        reference: (hits, of),
        compared: (hits / 2, of),
    })
}

#[test]
fn t3_ratios_of_two_groups_of_25_and_7() {
    for (level, comparator) in [
        (0.8, Comparator::AtLeast),
        (1.0, Comparator::AtLeast),
        (1.25, Comparator::AtMost),
    ] {
        // On the edge, one step and half-way beyond it.
        let mut pairs = Vec::new();
        for i in (0..=24).step_by(2) {
            let a = fraction(i, 24);
            let edge = (exact(level) * &a).min(BigRational::one());
            let far = match comparator {
                Comparator::AtLeast => BigRational::one(),
                Comparator::AtMost => BigRational::zero(),
            };
            for step in [0, 1, 4] {
                let b = &edge + (&far - &edge) * fraction(step, 8);
                pairs.push((a.clone(), short(&b, comparator)));
            }
        }
        let bets = RatioBets::new(level, comparator).unwrap();
        for sums in earlier() {
            for row in bets.payoffs(&sums, SIZES.0, SIZES.1).unwrap() {
                two_groups(row, &pairs, "ratio");
            }
        }
    }
}

#[test]
fn t3_differences_of_two_groups_of_25_and_7() {
    for (level, comparator) in [
        (-0.1, Comparator::AtLeast),
        (0.0, Comparator::AtLeast),
        (0.05, Comparator::AtMost),
    ] {
        let mut pairs = Vec::new();
        for i in (0..=24).step_by(2) {
            let a = fraction(i, 24);
            let edge = exact(level) + &a;
            let edge = edge.min(BigRational::one()).max(BigRational::zero());
            let far = match comparator {
                Comparator::AtLeast => BigRational::one(),
                Comparator::AtMost => BigRational::zero(),
            };
            for step in [0, 1, 4] {
                let b = &edge + (&far - &edge) * fraction(step, 8);
                pairs.push((a.clone(), short(&b, comparator)));
            }
        }
        // A reference share of which no conforming partner exists is left out.
        let exists = |(a, b): &(BigRational, BigRational)| match comparator {
            Comparator::AtLeast => b - a >= exact(level),
            Comparator::AtMost => b - a <= exact(level),
        };
        pairs.retain(exists);
        let bets = DifferenceBets::new(level, comparator).unwrap();
        for sums in earlier() {
            for row in bets.payoffs(&sums, SIZES.0, SIZES.1).unwrap() {
                two_groups(row, &pairs, "difference");
            }
        }
    }
}

#[test]
fn t3_three_cells_and_twelve_cases() {
    let baseline = [5000, 3000, 2000];
    let law = cells::smoothed(&baseline);
    let positions = [0.0, 1.0, 2.0];
    for (divergence, radius) in [
        (Divergence::Psi, 0.05),
        (Divergence::KullbackLeibler, 0.03),
        (Divergence::ChiSquare, 0.05),
        (Divergence::TotalVariation, 0.1),
        (Divergence::Hellinger, 0.01),
        (Divergence::JensenShannon, 0.01),
        (Divergence::KolmogorovSmirnov, 0.1),
        (Divergence::Wasserstein, 0.15),
    ] {
        let compiled = CellBets::drift(Tolerance {
            divergence,
            baseline: &baseline,
            positions: &positions,
            radius,
            level: radius,
        })
        .unwrap();
        let conforming = edge_laws(divergence, &law, &positions, radius);
        for bet in 0..compiled.bets.len() {
            let mut outcomes = Vec::new();
            for a in 0..=12_u64 {
                for b in 0..=12 - a {
                    let counts = [a, b, 12 - a - b];
                    outcomes.push((counts, raised(compiled.gains(&counts).unwrap()[bet])));
                }
            }
            for law in &conforming {
                let mut e = BigRational::zero();
                for (counts, paid) in &outcomes {
                    e += multinomial(counts, law) * paid;
                }
                is_fair(&e, (divergence, bet, law));
            }
        }
    }
}

fn multinomial(counts: &[u64; 3], law: &[BigRational; 3]) -> BigRational {
    let factorial = |n: u64| (1..=n).fold(BigInt::one(), |product, i| product * i);
    let below = counts
        .iter()
        .fold(BigInt::one(), |product, c| product * factorial(*c));
    let ways = factorial(counts.iter().sum()) / below;
    let chance = counts
        .iter()
        .zip(law)
        .fold(BigRational::one(), |product, (c, q)| {
            (0..*c).fold(product, |product, _| product * q)
        });
    BigRational::from_integer(ways) * chance
}

/// Laws just inside the ball, in sixteen directions, as fractions of 2^24.
fn edge_laws(
    divergence: Divergence,
    law: &[f64],
    positions: &[f64],
    radius: f64,
) -> Vec<[BigRational; 3]> {
    let mut found = Vec::new();
    for direction in 0..16 {
        let angle = f64::from(direction) * std::f64::consts::PI / 8.0;
        let (x, y) = (libm::cos(angle), libm::sin(angle));
        let moved = |t: f64| [law[0] + t * x, law[1] + t * y, law[2] - t * (x + y)];
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            let there = moved(middle);
            let fits = there.iter().all(|q| *q > 1e-6)
                && divergence.between(&there, law, positions) <= radius * (1.0 - 1e-5);
            if fits {
                low = middle;
            } else {
                high = middle;
            }
        }
        let at = moved(low);
        let a = (at[0] * 16_777_216.0).round() as u64;
        let b = (at[1] * 16_777_216.0).round() as u64;
        let below = 1 << 24;
        found.push([
            fraction(a, below),
            fraction(b, below),
            fraction(below - a - b, below),
        ]);
    }
    found
}
