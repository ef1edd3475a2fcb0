//! The law of a reference's numbers: where its cells are, and how many values are in them.

use super::{Law, Shape};
use crate::sketch::{CutCounts, Histogram, MAX_ATOMS, MAX_SCALE_EXPONENT, Moments};

/// One value in this many of a reference makes an atom: 0.5 %.
const ATOM_SHARE: usize = 200;

/// The law of finite values.
pub(super) fn law(mut values: Vec<f64>, missing: u64, invalid: u64) -> Law {
    values.sort_unstable_by(f64::total_cmp);
    let cuts = deciles(&values);
    let center = at_share(&values, 1, 2).unwrap_or(0.0);
    let scale_exponent = scale_exponent(&values);
    let shape = shape(&values, center, scale_exponent, &cuts);
    debug_assert!(
        shape.is_some(),
        "deciles and atoms of finite values ascend, and scales are within bounds"
    );
    let counts = shape.as_ref().map(|shape| shape.points.counts());
    Law::Numeric {
        center,
        scale_exponent,
        counts: counts.unwrap_or_default(),
        cuts,
        missing,
        invalid,
        shape: shape.map(Box::new),
    }
}

fn shape(sorted: &[f64], center: f64, scale_exponent: i32, cuts: &[f64]) -> Option<Shape> {
    let mut histogram = Histogram::new(center, scale_exponent)?;
    let mut points = CutCounts::with_atoms(cuts, &atoms(sorted))?;
    let mut moments = Moments::new(center, scale_exponent)?;
    for x in sorted {
        histogram.add(*x);
        points.add(*x);
        moments.add(*x);
    }
    Some(Shape {
        histogram,
        points,
        moments,
    })
}

/// The distinct deciles, ascending. A decile may be the smallest value; then no value of the
/// reference is below the first cut.
fn deciles(sorted: &[f64]) -> Vec<f64> {
    let mut cuts: Vec<f64> = (1..10)
        .filter_map(|i| quantile(sorted, f64::from(i) / 10.0))
        .collect();
    // Interpolating rounds, by which neighbours could change places.
    cuts.sort_by(f64::total_cmp);
    cuts.dedup();
    cuts
}

/// The quantile of a level, interpolated linearly between the values beside position q (n - 1): to
/// the bit what numpy gives by default.
fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let position = q * (sorted.len().checked_sub(1)? as f64);
    let below = position.floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a position is within the values"
    )]
    let index = below as usize;
    let share = position - below;
    let low = *sorted.get(index)?;
    let high = *sorted.get(index + 1).unwrap_or(&low);
    let gap = high - low;
    let between = if gap.is_infinite() {
        low * (1.0 - share) + high * share
    } else if share >= 0.5 {
        high - gap * (1.0 - share)
    } else {
        low + gap * share
    };
    // Turns negative zero into zero.
    Some(between + 0.0)
}

/// The values that are often there, ascending: the most frequent ones, lower ones first.
fn atoms(sorted: &[f64]) -> Vec<f64> {
    #[expect(clippy::float_cmp, reason = "a value is the same or it is not")]
    let runs = sorted.chunk_by(|a, b| a == b);
    let mut often: Vec<(usize, f64)> = runs
        .filter(|run| run.len() >= 2 && run.len() * ATOM_SHARE >= sorted.len())
        .map(|run| (run.len(), run[0]))
        .collect();
    // A stable sort: equally frequent ones stay ascending.
    often.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    often.truncate(MAX_ATOMS);
    let mut atoms: Vec<f64> = often.into_iter().map(|(_, value)| value).collect();
    atoms.sort_by(f64::total_cmp);
    atoms
}

/// The value of rank ⌈n · part / of⌉.
fn at_share(sorted: &[f64], part: usize, of: usize) -> Option<f64> {
    let rank = (sorted.len() * part).div_ceil(of);
    sorted.get(rank.max(1) - 1).copied()
}

/// The power of two nearest to the interquartile range; without one, to the standard deviation,
/// then to the median's size, then 1.
fn scale_exponent(sorted: &[f64]) -> i32 {
    let Some(median) = at_share(sorted, 1, 2) else {
        return 0;
    };
    let quartile = |part| at_share(sorted, part, 4).unwrap_or(median);
    let spread = [
        quartile(3) - quartile(1),
        standard_deviation(sorted),
        median.abs(),
    ];
    spread
        .into_iter()
        .find(|s| *s > 0.0)
        .map_or(0, nearest_exponent)
}

fn standard_deviation(sorted: &[f64]) -> f64 {
    if sorted.first() == sorted.last() {
        return 0.0;
    }
    let n = sorted.len() as f64;
    let mean = sorted.iter().sum::<f64>() / n;
    let squares = sorted.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
    libm::sqrt(squares / n)
}

/// The exponent of the power of two nearest by ratio to a positive number, within the limits of a
/// scale.
fn nearest_exponent(x: f64) -> i32 {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = x.to_bits();
    let exponent = i32::try_from(bits >> 52).unwrap_or(i32::MAX) - 1023;
    let mantissa = f64::from_bits((bits & MANTISSA) | 1.0_f64.to_bits());
    let up = i32::from(mantissa >= std::f64::consts::SQRT_2);
    (exponent + up).clamp(-MAX_SCALE_EXPONENT, MAX_SCALE_EXPONENT)
}
