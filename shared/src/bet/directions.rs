//! Which drifts the bets of a feature look for: moved up or down, spread or narrowed, one cell filled.
//!
//! A wish is a vector of logarithms; its strength is the likelihood ratio between two laws of the
//! exponential path `p exp(t d)`: one at a multiple of the tolerated distance, one at that distance.
//! Wishes decide how fast a drift is found, never whether a bet is fair.

use super::divergence::Divergence;
use crate::interval;

/// Distances that bets are made for, as multiples of a small tolerance, on the scale of squares.
const SMALL: [f64; 3] = [3.0, 10.0, 40.0];
/// The same for tolerances of 0.05 and more.
const LARGE: [f64; 3] = [2.0, 5.0, 15.0];
/// Where the second begin.
const LARGE_FROM: f64 = 0.05;
/// Cells up to which every cell has all strengths.
const FEW_CELLS: usize = 16;
/// Most cells that are looked at one by one.
const MOST_SPIKES: usize = 66;
/// Logarithms stay within this.
const FURTHEST: f64 = 30.0;
/// The same where values are carried: cells at the ends that hold next to nothing lie far out.
const FURTHEST_CARRIED: f64 = 300.0;

/// The logarithms that bets would like to pay, before they are certified.
pub(super) fn wishes(
    measure: Divergence,
    law: &[f64],
    positions: &[f64],
    radius: f64,
) -> Vec<Vec<f64>> {
    let ordered = positions.len().min(law.len());
    let mut found = Vec::new();
    for direction in shapes(law, ordered) {
        found.extend(path(measure, law, positions, radius, &direction, 0..3));
    }
    let few = law.len() <= FEW_CELLS;
    for spike in spikes(law, ordered == 0) {
        let strengths = if few { 0..3 } else { 1..2 };
        found.extend(path(measure, law, positions, radius, &spike, strengths));
    }
    found
}

/// Laws at a distance from the baseline's, one for each shape of drift that reaches it.
pub(crate) fn drifted(
    measure: Divergence,
    law: &[f64],
    positions: &[f64],
    distance: f64,
) -> Vec<Vec<f64>> {
    let ordered = positions.len().min(law.len());
    let mut directions = shapes(law, ordered);
    directions.extend(spikes(law, ordered == 0));
    reaching((measure, FURTHEST), law, positions, distance, &directions)
}

/// The baseline's values moved up or down, spread or narrowed, until they were carried so far on average. The
/// cells are all ordered; that no law may be without some of each, all together have half a case more.
pub(crate) fn carried(counts: &[u64], positions: &[f64], distance: f64) -> Vec<Vec<f64>> {
    let more = 0.5 / counts.len().max(1) as f64;
    let total = counts.iter().sum::<u64>() as f64 + 0.5;
    let law: Vec<f64> = counts.iter().map(|n| (*n as f64 + more) / total).collect();
    let directions = shapes(&law, law.len());
    let measure = (Divergence::Wasserstein, FURTHEST_CARRIED);
    reaching(measure, &law, positions, distance, &directions)
}

/// The laws along these directions that reach the distance with logarithms within a limit.
fn reaching(
    (measure, furthest): (Divergence, f64),
    law: &[f64],
    positions: &[f64],
    distance: f64,
    directions: &[Vec<f64>],
) -> Vec<Vec<f64>> {
    let laws = directions.iter().filter_map(|direction| {
        let steepest = direction.iter().fold(0.0_f64, |most, d| most.max(d.abs()));
        let between = |t: f64| measure.between(&tilted(law, direction, t), law, positions);
        let longest = furthest / steepest;
        (between(longest) > distance)
            .then(|| tilted(law, direction, invert(&between, distance, longest)))
    });
    laws.collect()
}

/// Up, down, wider and narrower along the ordered cells, by normal scores of their middles.
fn shapes(law: &[f64], ordered: usize) -> Vec<Vec<f64>> {
    if ordered < 2 {
        return Vec::new();
    }
    let shares = &law[..ordered];
    let total: f64 = shares.iter().sum();
    let mut below = 0.0;
    let mut scores: Vec<f64> = Vec::with_capacity(law.len());
    for share in shares {
        scores.push(interval::normal_quantile((below + 0.5 * share) / total));
        below += share;
    }
    let mean: f64 = shares.iter().zip(&scores).map(|(p, z)| p * z).sum::<f64>() / total;
    let square = |z: &f64| (z - mean) * (z - mean);
    let variance = shares
        .iter()
        .zip(&scores)
        .map(|(p, z)| p * square(z))
        .sum::<f64>()
        / total;
    let scale = variance.max(1e-12).sqrt();
    // Cells without a place stay as they are.
    let mut up: Vec<f64> = scores.iter().map(|z| (z - mean) / scale).collect();
    let mut wide: Vec<f64> = up.iter().map(|z| z * z - 1.0).collect();
    up.resize(law.len(), 0.0);
    wide.resize(law.len(), 0.0);
    let negated = |d: &[f64]| d.iter().map(|x| -x).collect::<Vec<f64>>();
    let mut shapes = vec![up.clone(), negated(&up)];
    if ordered > 2 {
        shapes.extend([wide.clone(), negated(&wide)]);
    }
    shapes
}

/// One cell filled; of categories also the large ones emptied, which no order shows.
fn spikes(law: &[f64], categories: bool) -> Vec<Vec<f64>> {
    let mut cells: Vec<usize> = (0..law.len()).collect();
    if cells.len() > MOST_SPIKES {
        cells.sort_by(|a, b| law[*b].total_cmp(&law[*a]));
        cells.truncate(MOST_SPIKES);
        cells.sort_unstable();
    }
    let spike = |cell: usize, height: f64| {
        let mut d = vec![0.0; law.len()];
        d[cell] = height;
        d
    };
    let mut found: Vec<Vec<f64>> = cells.iter().map(|cell| spike(*cell, 1.0)).collect();
    if categories && law.len() > 4 {
        let large = cells.iter().filter(|cell| law[**cell] > 0.1);
        found.extend(large.map(|cell| spike(*cell, -1.0)));
    }
    found
}

/// Likelihood ratios along one path, for the strengths asked for that the path can reach.
fn path(
    measure: Divergence,
    law: &[f64],
    positions: &[f64],
    radius: f64,
    direction: &[f64],
    strengths: std::ops::Range<usize>,
) -> Vec<Vec<f64>> {
    let steepest = direction.iter().fold(0.0_f64, |most, d| most.max(d.abs()));
    let longest = FURTHEST / steepest;
    let distance = |t: f64| measure.between(&tilted(law, direction, t), law, positions);
    let reachable = 0.9 * distance(longest);
    let edge = invert(&distance, radius, longest);
    let mut found = Vec::new();
    let mut last = edge;
    for multiple in &multiples(measure, radius)[strengths] {
        let target = (radius * multiple).min(reachable);
        let at = invert(&distance, target, longest);
        // A bet that hardly differs from the one before it costs more than it finds.
        if target <= 1.2 * radius || at <= 1.02 * last {
            break;
        }
        last = at;
        found.push(direction.iter().map(|d| (at - edge) * d).collect());
    }
    found
}

fn multiples(measure: Divergence, radius: f64) -> [f64; 3] {
    match measure {
        Divergence::Psi | Divergence::KullbackLeibler | Divergence::ChiSquare => {
            if radius < LARGE_FROM { SMALL } else { LARGE }
        }
        // An eighth of the index in the small.
        Divergence::Hellinger | Divergence::JensenShannon => {
            if 8.0 * radius < LARGE_FROM {
                SMALL
            } else {
                LARGE
            }
        }
        Divergence::TotalVariation | Divergence::KolmogorovSmirnov | Divergence::Wasserstein => {
            SMALL.map(f64::sqrt)
        }
    }
}

/// The law `p exp(t d)`, brought to a total of 1.
fn tilted(law: &[f64], direction: &[f64], t: f64) -> Vec<f64> {
    let top = direction
        .iter()
        .fold(f64::NEG_INFINITY, |most, d| most.max(t * d));
    let raised = law
        .iter()
        .zip(direction)
        .map(|(p, d)| p * libm::exp(t * d - top));
    let raised: Vec<f64> = raised.collect();
    let total: f64 = raised.iter().sum();
    raised.iter().map(|q| q / total).collect()
}

/// How far along a path a distance is reached; the end of the path if it never is.
fn invert(distance: &impl Fn(f64) -> f64, target: f64, longest: f64) -> f64 {
    let (mut low, mut high) = (0.0, longest);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if distance(middle) < target {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}
