//! T2 for bets on raw values that are known by cells only: whatever conforming values fill the cells,
//! the mean of `e^payoff` is at most 1. Certificates in rational arithmetic from the integer payoffs;
//! ten thousand random laws of raw values for each, in integers.

use clause9_shared::bet::transport::{self, Held};
use clause9_shared::bet::{CellBets, half_space, scores, sizes};
use clause9_shared::objective::document::Comparator;

use crate::certificates::{Random, at_most_one_short, bound, raised, raised_short, shortened};
use crate::rational;

const LAWS: usize = 10_000;
/// Random laws are kept inside by this share of the level: far more than the rounding of weights.
const INSIDE: f64 = 1e-6;

/// Each payoff is covered by its certificate, exactly.
fn certified(bets: &CellBets) {
    assert!(!bets.bets.is_empty() && bets.certified());
    for bet in &bets.bets {
        let bound = bound(&bets.conforming, &bet.certificate);
        for (e, w) in raised(&bet.payoffs).iter().zip(&bound) {
            assert!(*e <= rational::one() + shortened(w));
        }
    }
}

/// No bet gains on laws of (cell, share).
fn fair(bets: &CellBets, mut law: impl FnMut() -> Vec<(usize, f64)>, what: &str) {
    let raised: Vec<_> = bets
        .bets
        .iter()
        .map(|bet| raised_short(&bet.payoffs))
        .collect();
    let (mut tight, cells) = (0_u32, bets.cells());
    for _ in 0..LAWS {
        let mut weights = vec![0_u128; cells];
        for (cell, share) in law() {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "shares of 2^48"
            )]
            let weight = (share * 281_474_976_710_656.0).round() as u128;
            weights[cell] += weight;
        }
        // Only cells with something in them: most laws have a few.
        let filled: Vec<usize> = (0..cells).filter(|cell| weights[*cell] > 0).collect();
        let of = |all: &[u128]| filled.iter().map(|cell| all[*cell]).collect::<Vec<_>>();
        let weights = of(&weights);
        let total: u128 = weights.iter().sum();
        for bet in &raised {
            let bet = of(bet);
            assert!(at_most_one_short(&bet, &weights), "{what}");
            let paid: u128 = bet.iter().zip(&weights).map(|(e, w)| e * w).sum();
            tight += u32::from(paid > (total << 64) / 1000 * 995);
        }
    }
    // The laws are near enough to the edge for the test to be able to fail.
    assert!(tight > 50, "{what}: {tight}");
}

fn place(edges: &[(f64, f64)], x: f64) -> usize {
    edges
        .partition_point(|edge| edge.1 <= x)
        .min(edges.len() - 1)
}

/// Shares of random cases, brought to a mean of `level` at most by cases of the best value.
fn brought(random: &mut Random, values: &[f64], level: f64) -> Vec<f64> {
    let shares = random.law(values.len());
    let mean: f64 = shares.iter().zip(values).map(|(q, x)| q * x).sum();
    let keep = (level * (1.0 - INSIDE) / mean).min(1.0);
    shares.iter().map(|q| q * keep).collect()
}

#[test]
fn t2_mean_losses_of_raw_scores() {
    let mut random = Random(11);
    let fine = scores::fine();
    let square: fn(f64) -> f64 = |gap| gap * gap;
    let log: fn(f64) -> f64 = |gap| -libm::log((1.0 - gap).clamp(f64::EPSILON, 1.0));
    for (loss, level) in [(square, 0.2), (square, 0.05), (log, 0.5), (log, 0.1)] {
        let lows: Vec<f64> = fine
            .iter()
            .flat_map(|(low, high)| [loss(1.0 - high), loss(*low)])
            .collect();
        let bets = half_space::mean_at_most(&lows, level).unwrap();
        certified(&bets);
        let law = || {
            let cases: Vec<(f64, bool)> = (0..8)
                .map(|_| {
                    let (u, far) = (random.uniform(), random.uniform() < 0.3);
                    (if far { u * u * u * u } else { u }, random.uniform() < 0.5)
                })
                .collect();
            let gap = |(s, positive): &(f64, bool)| if *positive { 1.0 - s } else { *s };
            let values: Vec<f64> = cases.iter().map(|case| loss(gap(case))).collect();
            let shares = brought(&mut random, &values, level);
            let rest = 1.0 - shares.iter().sum::<f64>();
            // What is left is without loss: a score of 1 that was right.
            let cells = cases
                .iter()
                .map(|(s, positive)| 2 * place(&fine, *s) + usize::from(!positive));
            let mut law: Vec<_> = cells.zip(shares).collect();
            law.push((2 * (scores::FINE - 1), rest.max(0.0)));
            law
        };
        fair(&bets, law, "loss");
    }
}

#[test]
fn t2_mean_errors_and_squares_of_raw_errors() {
    let mut random = Random(12);
    let edges = sizes::edges(1);
    for (square, level) in [(false, 1.5), (false, 0.02), (true, 4.0)] {
        let of = |x: f64| if square { x * x } else { x };
        let lows: Vec<f64> = edges.iter().map(|edge| of(edge.0)).collect();
        let bets = half_space::mean_at_most(&lows, level).unwrap();
        certified(&bets);
        let law = || {
            let errors: Vec<f64> = (0..6)
                .map(|_| level * libm::exp(4.0 * random.uniform() - 2.0))
                .collect();
            let values: Vec<f64> = errors.iter().map(|x| of(*x)).collect();
            let shares = brought(&mut random, &values, level);
            let rest = 1.0 - shares.iter().sum::<f64>();
            let mut law: Vec<_> = errors
                .iter()
                .map(|x| place(&edges, *x))
                .zip(shares)
                .collect();
            law.push((0, rest.max(0.0)));
            law
        };
        fair(&bets, law, "errors");
    }
}

#[test]
fn t2_quantiles_of_raw_values() {
    let mut random = Random(13);
    let edges = sizes::edges(0);
    for (share, level) in [(0.5, 1.0), (0.9, 0.37), (0.99, 3.0)] {
        for comparator in [Comparator::AtMost, Comparator::AtLeast] {
            let from = match comparator {
                Comparator::AtMost => f64::next_up(level),
                Comparator::AtLeast => level,
            };
            let bets = half_space::quantile(&edges, share, from, comparator).unwrap();
            certified(&bets);
            // As many values on the wrong side as are tolerated; the others at the level or better.
            let law = || {
                let wrong = match comparator {
                    Comparator::AtMost => 1.0 - share,
                    Comparator::AtLeast => share,
                } * (1.0 - INSIDE);
                let side = |wrong: bool, u: f64| match (comparator, wrong) {
                    (Comparator::AtMost, true) | (Comparator::AtLeast, false) => level * (1.0 + u),
                    (Comparator::AtMost, false) | (Comparator::AtLeast, true) => level * (1.0 - u),
                };
                let mut law = Vec::new();
                for (is_wrong, all) in [(true, wrong), (false, 1.0 - wrong)] {
                    for q in random.law(4) {
                        let u = random.uniform();
                        let u = if u < 0.25 && !is_wrong { 0.0 } else { u };
                        law.push((place(&edges, side(is_wrong, u)), q * all));
                    }
                }
                law
            };
            fair(&bets, law, "quantile");
        }
    }
}

/// On which side a score is off: all above or all below, or each half on its own side.
fn sign(pattern: f64, score: f64) -> f64 {
    let is_up = match pattern {
        ..0.25 => true,
        ..0.5 => false,
        ..0.75 => score < 0.5,
        _ => score >= 0.5,
    };
    if is_up { 1.0 } else { -1.0 }
}

#[test]
fn t2_calibration_over_fifteen_groups_of_raw_scores() {
    let mut random = Random(14);
    let even = scores::even();
    let edge = |i: i32| f64::from(i) / 15.0;
    let groups: Vec<(f64, f64)> = (0..15).map(|i| (edge(i), edge(i + 1))).collect();
    for level in [0.02, 0.1] {
        let bets = half_space::calibration(&even, 15, level).unwrap();
        certified(&bets);
        let law = || {
            // Scores, how many cases have them, and how far they are off.
            let scores: Vec<f64> = (0..10)
                .map(|i| {
                    if i < 3 {
                        0.45 + 0.1 * random.uniform()
                    } else {
                        random.uniform()
                    }
                })
                .collect();
            let shares = random.law(scores.len());
            let pattern = random.uniform();
            let mut off: Vec<f64> = scores
                .iter()
                .map(|s| {
                    let sign = sign(pattern, *s);
                    sign * random.uniform()
                })
                .collect();
            let mut gaps = [0.0_f64; 15];
            for ((s, q), d) in scores.iter().zip(&shares).zip(&off) {
                gaps[place(&groups, *s)] += q * d;
            }
            let error: f64 = gaps.iter().map(|gap| gap.abs()).sum();
            let scale = level * (1.0 - INSIDE) / error;
            for d in &mut off {
                *d *= scale;
            }
            let fits = scores
                .iter()
                .zip(&off)
                .all(|(s, d)| (0.0..=1.0).contains(&(s + d)));
            let mut law = Vec::new();
            for ((s, q), d) in scores.iter().zip(&shares).zip(&off) {
                // Where a share would leave 0 to 1, scores are right: that conforms as well.
                let positive = if fits { s + d } else { *s };
                let cell = 2 * place(&even, *s);
                law.push((cell, q * positive));
                law.push((cell + 1, q * (1.0 - positive)));
            }
            law
        };
        fair(&bets, law, "calibration");
    }
}

#[test]
fn t2_mean_residuals_of_raw_scores() {
    let mut random = Random(15);
    let even = scores::even();
    let cells: Vec<(f64, f64)> = even
        .iter()
        .flat_map(|(low, high)| [(1.0 - high, 1.0 - low), (-high, -low)])
        .collect();
    for (level, comparator) in [(0.05, Comparator::AtMost), (-0.05, Comparator::AtLeast)] {
        let bets = half_space::mean_between(&cells, level, comparator).unwrap();
        certified(&bets);
        let law = || {
            let mut law = Vec::new();
            for q in random.law(6) {
                let s = 0.1 + 0.8 * random.uniform();
                let positive = s + level * (1.0 - INSIDE);
                let cell = 2 * place(&even, s);
                law.push((cell, q * positive));
                law.push((cell + 1, q * (1.0 - positive)));
            }
            law
        };
        fair(&bets, law, "residual");
    }
}

/// The cells of a baseline.
fn held() -> Vec<Held> {
    // The points of a baseline of 5,000 values, unevenly spread; two of them atoms.
    let points = [-3.0, -1.0, -0.25, 0.0, 0.1, 0.5, 1.0, 1.5, 4.0, 9.0];
    let counts = [
        0_u64, 3, 400, 0, 600, 0, 500, 1000, 500, 0, 700, 0, 600, 0, 500, 0, 190, 0, 6, 1, 0,
    ];
    let each = counts.iter().enumerate();
    each.map(|(i, baseline)| {
        let at = |i: usize| points[i];
        let (low, high) = match (i % 2, i) {
            (1, _) => (at(i / 2), at(i / 2)),
            (_, 0) => (f64::NEG_INFINITY, at(0)),
            (_, 20) => (at(9), f64::INFINITY),
            (_, _) => (at(i / 2 - 1), at(i / 2)),
        };
        Held {
            low,
            high,
            baseline: *baseline,
        }
    })
    .collect()
}

#[test]
fn t2_raw_values_that_were_carried() {
    let mut random = Random(16);
    let cells = held();
    let of: u64 = cells.iter().map(|cell| cell.baseline).sum();
    let cell_of = |x: f64| {
        cells
            .iter()
            .position(|c| {
                (c.low < x && x < c.high)
                    || c.low.total_cmp(&x).is_eq() && c.high.total_cmp(&x).is_eq()
            })
            .unwrap()
    };
    for radius in [0.05, 0.3, 1.0] {
        let bets = transport::at_most(&cells, radius, radius).unwrap();
        certified(&bets);
        let law = || {
            // The baseline's values anywhere in their cells, each part of them carried somewhere.
            let mut parts: Vec<(f64, f64, f64)> = Vec::new();
            let (way, together) = (random.uniform() * 3.0, random.uniform());
            for cell in cells.iter().filter(|c| c.baseline > 0) {
                let u = random.uniform();
                let x = if cell.low < cell.high {
                    let edge = random.uniform();
                    let u = if edge < 0.3 {
                        1e-9
                    } else if edge < 0.6 {
                        1.0 - 1e-9
                    } else {
                        u
                    };
                    cell.low + u * (cell.high - cell.low)
                } else {
                    cell.low
                };
                let by = if together < 0.5 {
                    way
                } else {
                    4.0 * random.uniform() - 2.0
                };
                let by = if together < 0.25 { -by } else { by };
                parts.push((x, by, cell.baseline as f64 / of as f64));
            }
            let carried: f64 = parts.iter().map(|(_, by, q)| by.abs() * q).sum();
            let scale = radius * (1.0 - INSIDE) / carried;
            parts
                .iter()
                .map(|(x, by, q)| (cell_of(x + by * scale), *q))
                .collect()
        };
        fair(&bets, law, "carried");
    }
}
