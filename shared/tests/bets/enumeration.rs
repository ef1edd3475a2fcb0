//! T3: the expectation of `e^gain` is at most 1 under laws that conform, by enumerating every outcome
//! of a block and weighing it exactly: rates up to 60 cases, two groups of 25 and 7, three cells of
//! 12 cases.

use clause9_shared::bet::two_groups::gains;
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

/// Chances as whole numbers, and what they add up to.
struct Law {
    weights: Vec<BigInt>,
    total: BigInt,
}

fn power(x: &BigInt, k: u64) -> BigInt {
    (0..k).fold(BigInt::one(), |product, _| product * x)
}

/// Chances of 0 to n hits.
fn binomial(n: u64, share: &BigRational) -> Law {
    let (hit, all) = (share.numer(), share.denom());
    let miss = all - hit;
    let mut choose = BigInt::one();
    let mut weights = Vec::new();
    for k in 0..=n {
        weights.push(&choose * power(hit, k) * power(&miss, n - k));
        choose = choose * (n - k) / (k + 1);
    }
    Law {
        weights,
        total: power(all, n),
    }
}

/// `sum chance * e^gain <= 1`, in whole numbers.
fn is_fair(law: &Law, raised: &[BigInt], what: impl std::fmt::Debug) {
    assert_eq!(law.weights.len(), raised.len());
    assert_eq!(law.weights.iter().sum::<BigInt>(), law.total);
    let paid: BigInt = law.weights.iter().zip(raised).map(|(w, e)| w * e).sum();
    assert!(paid <= &law.total * rational::one(), "{what:?}");
}

fn raised(gain: i64) -> BigInt {
    rational::exp_up(i128::from(gain))
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
            let raised: Vec<Vec<BigInt>> = (0..BETS)
                .map(|bet| {
                    (0..=n)
                        .map(|hits| raised(bets.gains(hits, n)[bet]))
                        .collect()
                })
                .collect();
            for step in [0, 1, 4, 8] {
                let share = &edge + (&far - &edge) * fraction(step, 8);
                let law = binomial(n, &short(&share, comparator));
                for (bet, raised) in raised.iter().enumerate() {
                    is_fair(&law, raised, (level, comparator, n, step, bet));
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

/// The expectation of a row of payoffs over pairs of shares (a, b).
fn two_groups(row: [i64; 4], pairs: &[(BigRational, BigRational)], what: &str) {
    let mut outcomes = Vec::new();
    for a in 0..=SIZES.0 {
        for b in 0..=SIZES.1 {
            outcomes.push(raised(gains(&[row], (a, SIZES.0), (b, SIZES.1))[0]));
        }
    }
    for (a, b) in pairs {
        let (of_a, of_b) = (binomial(SIZES.0, a), binomial(SIZES.1, b));
        let both = |a: &BigInt| of_b.weights.iter().map(|b| a * b).collect::<Vec<_>>();
        let law = Law {
            weights: of_a.weights.iter().flat_map(both).collect(),
            total: of_a.total * of_b.total,
        };
        is_fair(&law, &outcomes, (what, a, b));
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
        let outcomes: Vec<[u64; 3]> = (0..=12_u64)
            .flat_map(|a| (0..=12 - a).map(move |b| [a, b, 12 - a - b]))
            .collect();
        let laws: Vec<Law> = edge_laws(divergence, &law, &positions, radius)
            .iter()
            .map(|law| multinomial(&outcomes, law))
            .collect();
        for bet in 0..compiled.bets.len() {
            let gain = |counts: &[u64; 3]| compiled.gains(counts).unwrap()[bet];
            let raised: Vec<_> = outcomes.iter().map(|counts| raised(gain(counts))).collect();
            for law in &laws {
                is_fair(law, &raised, (divergence, bet));
            }
        }
    }
}

/// Chances of outcomes of 12 cases, from shares in 2^-24.
fn multinomial(outcomes: &[[u64; 3]], law: &[u64; 3]) -> Law {
    let factorial = |n: u64| (1..=n).fold(BigInt::one(), |product, i| product * i);
    let weight = |counts: &[u64; 3]| {
        let below = counts
            .iter()
            .fold(BigInt::one(), |product, c| product * factorial(*c));
        let chance = counts.iter().zip(law);
        chance.fold(factorial(12) / below, |product, (c, q)| {
            product * power(&BigInt::from(*q), *c)
        })
    };
    Law {
        weights: outcomes.iter().map(weight).collect(),
        total: power(&BigInt::from(1 << 24), 12),
    }
}

/// Laws just inside the ball, in sixteen directions, as fractions of 2^24.
fn edge_laws(divergence: Divergence, law: &[f64], positions: &[f64], radius: f64) -> Vec<[u64; 3]> {
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
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "shares of 2^24"
        )]
        let [a, b] = [at[0], at[1]].map(|share| (share * 16_777_216.0).round() as u64);
        found.push([a, b, (1 << 24) - a - b]);
    }
    found
}
