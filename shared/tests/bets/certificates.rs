//! T2: the largest mean of `e^payoff` over the conforming laws is at most 1, for every compiled bet:
//! by its certificate, at the certificate's point, and at 10,000 random conforming laws. In rational
//! arithmetic from the integer payoffs.

use clause9_shared::bet::cells::{Certificate, Conforming};
use clause9_shared::bet::{CellBets, Divergence, Tolerance, half_space};
use clause9_shared::objective::document::Comparator;
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Zero};

use crate::rational::{self, exact};

/// Steele, Lea and Flood's `SplitMix64`.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0
    }

    /// A law of cells, evenly or unevenly spread.
    pub(crate) fn law(&mut self, cells: usize) -> Vec<f64> {
        let power = if self.uniform() < 0.5 { 1.0 } else { 4.0 };
        let weights: Vec<f64> = (0..cells)
            .map(|_| libm::pow(-libm::log(self.uniform()), power))
            .collect();
        let total: f64 = weights.iter().sum();
        weights.iter().map(|w| w / total).collect()
    }
}

const POSITIONS: [f64; 10] = [0.0, 0.5, 0.8, 1.0, 1.2, 1.4, 1.6, 1.9, 2.3, 3.5];

fn compiled(divergence: Divergence, baseline: &[u64], radius: f64) -> CellBets {
    CellBets::drift(Tolerance {
        divergence,
        baseline,
        positions: &POSITIONS[..baseline.len() - 1],
        radius,
        level: radius,
    })
    .unwrap()
}

/// `e^payoff` of each cell, rounded up.
pub(crate) fn raised(payoffs: &[i64]) -> Vec<BigInt> {
    payoffs
        .iter()
        .map(|l| rational::exp_up(i128::from(*l)))
        .collect()
}

/// The baseline's law as rationals: (2a + 1) / (2 n0 + B).
fn law_of(baseline: &[u64]) -> Vec<BigRational> {
    let below = 2 * baseline.iter().sum::<u64>() + baseline.len() as u64;
    let share = |a: &u64| BigRational::new(BigInt::from(2 * a + 1), BigInt::from(below));
    baseline.iter().map(share).collect()
}

/// Bounds (low, high) of a tangent's slope in each cell and of its offset, in 2^-192, for the
/// divergence's formula on positive vectors.
fn tangent(
    divergence: Divergence,
    at: &[BigRational],
    law: &[BigRational],
) -> (Vec<(BigInt, BigInt)>, (BigInt, BigInt)) {
    let one = BigRational::one;
    let half = BigRational::new(BigInt::one(), BigInt::from(2));
    let mut slopes = Vec::new();
    let (mut low, mut high) = (BigInt::zero(), BigInt::zero());
    for (q, p) in at.iter().zip(law) {
        let r = q / p;
        let both = |x: &BigRational| (rational::down(x), rational::up(x));
        let scaled = |(l, h): (BigInt, BigInt), by: &BigRational| {
            let low = rational::down(&(BigRational::new(l, rational::one()) * by));
            (
                low,
                rational::up(&(BigRational::new(h, rational::one()) * by)),
            )
        };
        let add = |(a, b): (BigInt, BigInt), (c, d): (BigInt, BigInt)| (a + c, b + d);
        let negative = |(a, b): (BigInt, BigInt)| (-b, -a);
        let (slope, offset) = match divergence {
            Divergence::Psi => {
                let log = rational::ln(&r);
                let slope = add(log.clone(), both(&(one() - one() / &r)));
                (slope, add(both(&(q - p)), scaled(log, p)))
            }
            Divergence::KullbackLeibler => (add(rational::ln(&r), both(&one())), both(q)),
            Divergence::ChiSquare => {
                let slope = (&r - one()) * BigRational::from_integer(BigInt::from(2));
                (both(&slope), both(&((q * q - p * p) / p)))
            }
            Divergence::Hellinger => {
                let slope = negative(scaled(rational::sqrt(&(p / q)), &half));
                let root = scaled(rational::sqrt(&(p * q)), &half);
                (slope, add(root, both(&-p)))
            }
            Divergence::JensenShannon => {
                let two = BigRational::from_integer(BigInt::from(2));
                let slope = scaled(rational::ln(&(&two * &r / (one() + &r))), &half);
                let other = scaled(rational::ln(&(two / (one() + &r))), &(p * &half));
                (slope, negative(other))
            }
            Divergence::TotalVariation
            | Divergence::KolmogorovSmirnov
            | Divergence::Wasserstein => panic!("it has no tangent"),
        };
        slopes.push(slope);
        low += offset.0;
        high += offset.1;
    }
    (slopes, (low, high))
}

/// The steepness of a function of the cell, exactly.
fn steepness(divergence: Divergence, values: &[BigRational], positions: &[f64]) -> BigRational {
    let abs = |x: BigRational| if x < BigRational::zero() { -x } else { x };
    let range = values.iter().max().unwrap() - values.iter().min().unwrap();
    match divergence {
        Divergence::TotalVariation => range,
        Divergence::KolmogorovSmirnov => {
            values.windows(2).map(|pair| abs(&pair[1] - &pair[0])).sum()
        }
        Divergence::Wasserstein => {
            let extent = exact(*positions.last().unwrap()) - exact(positions[0]);
            let slopes = values
                .windows(2)
                .zip(positions.windows(2))
                .map(|(t, x)| abs(&t[1] - &t[0]) / (exact(x[1]) - exact(x[0])));
            slopes.chain([range / extent]).max().unwrap()
        }
        Divergence::Psi
        | Divergence::KullbackLeibler
        | Divergence::ChiSquare
        | Divergence::Hellinger
        | Divergence::JensenShannon => panic!("it has tangents"),
    }
}

/// A lower bound of the certificate's w in each cell, in 2^-192.
pub(crate) fn bound(conforming: &Conforming, certificate: &Certificate) -> Vec<BigInt> {
    match (conforming, certificate) {
        (
            Conforming::Ball {
                divergence,
                baseline,
                radius,
                ..
            },
            Certificate::Tangent { at, multiplier },
        ) => {
            assert!(*multiplier >= 0.0);
            let at: Vec<_> = at.iter().map(|q| exact(*q)).collect();
            let (slopes, (_, offset)) = tangent(*divergence, &at, &law_of(baseline));
            let radius = rational::up(&exact(*radius));
            let times = |x: BigInt| {
                let x = BigRational::new(x, rational::one());
                rational::down(&(x * exact(*multiplier)))
            };
            slopes
                .into_iter()
                .map(|(low, _)| times(low - &offset - &radius))
                .collect()
        }
        (
            Conforming::Ball {
                divergence,
                baseline,
                radius,
                positions,
            },
            Certificate::Majorant { values },
        ) => {
            let values: Vec<_> = values.iter().map(|t| exact(*t)).collect();
            let mean: BigRational = values
                .iter()
                .zip(law_of(baseline))
                .map(|(t, p)| t * p)
                .sum();
            let most = mean + exact(*radius) * steepness(*divergence, &values, positions);
            values
                .iter()
                .map(|t| rational::down(&(t - &most)))
                .collect()
        }
        (Conforming::HalfSpaces { planes }, Certificate::Plane { plane, multiplier }) => {
            assert!(*multiplier >= 0.0);
            let plane = planes[*plane].iter();
            plane
                .map(|w| rational::down(&(exact(*multiplier) * exact(*w))))
                .collect()
        }
        (Conforming::Ball { .. } | Conforming::HalfSpaces { .. }, _) => panic!("of another set"),
    }
}

/// The bound w times `1 - 2^-36`: if w is at most 0 in the mean, so is this, and where a cell's `1 + w`
/// is near 0 it leaves room for the rounding of the payoff, which is `2^-36` of everything.
pub(crate) fn shortened(w: &BigInt) -> BigInt {
    w - (w >> 36)
}

/// The mean of `e^payoff` under a law of weights is at most 1.
fn at_most_one(raised: &[BigInt], weights: &[BigInt]) -> bool {
    let total: BigInt = weights.iter().sum();
    let paid: BigInt = raised.iter().zip(weights).map(|(e, w)| e * w).sum();
    paid <= total * rational::one()
}

/// The same with 64 binary digits after the point, again rounded up, so that ten thousand laws can be
/// tried in machine integers.
pub(crate) fn raised_short(payoffs: &[i64]) -> Vec<u128> {
    let all = raised(payoffs);
    all.iter()
        .map(|e| u128::try_from((e >> 128) + 1).unwrap())
        .collect()
}

/// As [`at_most_one`], in machine integers that would panic if they overflowed.
pub(crate) fn at_most_one_short(raised: &[u128], weights: &[u128]) -> bool {
    let total: u128 = weights.iter().sum();
    let paid = raised
        .iter()
        .zip(weights)
        .map(|(e, w)| e.checked_mul(*w).unwrap());
    paid.sum::<u128>() <= total << 64
}

/// A law as integer weights; the rounding is far below the distance kept from the edge.
fn weights(law: &[f64]) -> Vec<BigInt> {
    law.iter()
        .map(|q| {
            (exact(*q) * BigRational::from_integer(BigInt::one() << 60))
                .round()
                .to_integer()
        })
        .collect()
}

/// A random law just inside the ball: from the baseline towards a random law as far as it goes.
fn inside(random: &mut Random, divergence: Divergence, law: &[f64], radius: f64) -> Vec<f64> {
    let far = random.law(law.len());
    let mixed = |t: f64| -> Vec<f64> {
        law.iter()
            .zip(&far)
            .map(|(p, q)| (1.0 - t) * p + t * q)
            .collect()
    };
    let positions = &POSITIONS[..law.len() - 1];
    let wanted = radius
        * (1.0 - 1e-6)
        * if random.uniform() < 0.8 {
            1.0
        } else {
            random.uniform()
        };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if divergence.between(&mixed(middle), law, positions) <= wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    mixed(low)
}

fn cases() -> Vec<(Divergence, Vec<u64>, f64)> {
    let even = vec![
        1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 0,
    ];
    let skewed = vec![4000, 900, 30, 2500, 70, 8, 2300, 192];
    let few = vec![900, 95, 5];
    let mut cases = Vec::new();
    for divergence in Divergence::ALL {
        let radii = match divergence {
            Divergence::Psi | Divergence::ChiSquare => [0.02, 0.1],
            Divergence::KullbackLeibler => [0.01, 0.05],
            Divergence::Hellinger | Divergence::JensenShannon => [0.004, 0.02],
            Divergence::TotalVariation | Divergence::KolmogorovSmirnov => [0.05, 0.15],
            Divergence::Wasserstein => [0.1, 0.4],
        };
        for radius in radii {
            for baseline in [&even, &skewed, &few] {
                let rows = baseline.len();
                if rows == 3 && divergence == Divergence::Wasserstein && radius > 0.3 {
                    continue;
                }
                cases.push((divergence, baseline.clone(), radius));
            }
        }
    }
    cases
}

#[test]
fn t2_every_certificate_holds_in_rational_arithmetic() {
    let mut bets_seen = 0;
    for (divergence, baseline, radius) in cases() {
        let compiled = compiled(divergence, &baseline, radius);
        assert!(compiled.certified());
        for bet in &compiled.bets {
            let raised = raised(&bet.payoffs);
            let bound = bound(&compiled.conforming, &bet.certificate);
            for (e, w) in raised.iter().zip(&bound) {
                assert!(
                    *e <= rational::one() + shortened(w),
                    "{divergence:?} {baseline:?} {radius}"
                );
            }
            if let Certificate::Tangent { at, .. } = &bet.certificate {
                let point = weights(at);
                assert!(
                    at_most_one(&raised, &point),
                    "{divergence:?} {baseline:?} {radius}"
                );
                // The point is where the bet gains most: nothing is given away.
                let more: Vec<_> = raised.iter().map(|e| e + (e >> 16)).collect();
                assert!(
                    !at_most_one(&more, &point),
                    "{divergence:?} {baseline:?} {radius}"
                );
            }
            bets_seen += 1;
        }
    }
    assert!(bets_seen > 500, "{bets_seen}");
}

#[test]
fn t2_no_random_conforming_law_gains() {
    let mut random = Random(20_261_122);
    for (divergence, baseline, radius) in cases() {
        let compiled = compiled(divergence, &baseline, radius);
        let bets = compiled.bets.iter();
        let raised: Vec<_> = bets.map(|bet| raised_short(&bet.payoffs)).collect();
        let law = clause9_shared::bet::cells::smoothed(&baseline);
        for _ in 0..10_000 {
            let inner = inside(&mut random, divergence, &law, radius);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "shares of 2^40"
            )]
            let law: Vec<u128> = inner
                .iter()
                .map(|q| (q * 1_099_511_627_776.0).round() as u128)
                .collect();
            for bet in &raised {
                assert!(
                    at_most_one_short(bet, &law),
                    "{divergence:?} {baseline:?} {radius}"
                );
            }
        }
    }
}

#[test]
fn t2_half_spaces_do_not_gain_on_laws_that_conform_exactly() {
    // F1 of TP, FP, FN, TN: conforming laws by exact fractions, half of them on the edge.
    let f1 = half_space::Fraction {
        numerator: &[2.0, 0.0, 0.0, 0.0],
        denominator: &[2.0, 1.0, 1.0, 0.0],
    };
    let mut random = Random(3);
    for level in [0.7, 0.35, 0.99] {
        let compiled = half_space::fraction(f1, level, Comparator::AtLeast).unwrap();
        let raised: Vec<_> = compiled
            .bets
            .iter()
            .map(|bet| raised(&bet.payoffs))
            .collect();
        for (bet, e) in compiled.bets.iter().zip(&raised) {
            let bound = bound(&compiled.conforming, &bet.certificate);
            assert!(
                e.iter()
                    .zip(&bound)
                    .all(|(e, w)| *e <= rational::one() + shortened(w))
            );
        }
        let level = exact(level);
        for _ in 0..10_000 {
            let law: Vec<BigRational> = random.law(4).into_iter().map(exact).collect();
            // 2 TP = level (2 TP + FP + FN): the TP that is just enough.
            let two = BigRational::from_integer(BigInt::from(2));
            let least = &level * (&law[1] + &law[2]) / (&two * (BigRational::one() - &level));
            let tp = if law[0] < least || random.uniform() < 0.5 {
                least
            } else {
                law[0].clone()
            };
            let all = [tp, law[1].clone(), law[2].clone(), law[3].clone()];
            let shift = BigRational::from_integer(BigInt::one() << 200);
            let mut weights: Vec<BigInt> = all
                .iter()
                .map(|q| (q * &shift).floor().to_integer())
                .collect();
            weights[0] += 2;
            for bet in &raised {
                assert!(at_most_one(bet, &weights));
            }
        }
    }
}
