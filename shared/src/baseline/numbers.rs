//! The law of a reference's numbers: where its cells are, and how many values are in them.

use super::{Law, Shape};
use crate::drift::{Grid, Known};
use crate::sketch::{
    CutCounts, Histogram, MAX_ATOMS, MAX_BINS, MAX_SCALE_EXPONENT, MAX_SPLITS, Moments, Points,
};

/// One value in this many of a reference makes an atom: 0.5 %.
const ATOM_SHARE: usize = 200;

/// No cell that holds more than a single value shall hold more than one value in this many of a
/// reference: what a distance between distribution functions is uncertain by.
const SPLIT_SHARE: usize = 50;

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
    let mut moments = Moments::new(center, scale_exponent)?;
    for x in sorted {
        histogram.add(*x);
        moments.add(*x);
    }
    let mut at = Points {
        cuts: cuts.to_vec(),
        atoms: atoms(sorted),
        bins: bins(sorted),
        splits: Vec::new(),
    };
    at.splits = splits(sorted, &histogram, &counted(&at, sorted)?);
    Some(Shape {
        histogram,
        points: counted(&at, sorted)?,
        moments,
    })
}

fn counted(at: &Points, values: &[f64]) -> Option<CutCounts> {
    let mut points = CutCounts::with_points(at)?;
    for x in values {
        points.add(*x);
    }
    Some(points)
}

/// The edges of twenty equal bins from the smallest value to the largest, as numpy spaces them. None
/// of values that do not differ, or of which the range has no finite width.
fn bins(sorted: &[f64]) -> Vec<f64> {
    const PARTS: u32 = 20;
    const _: () = assert!(PARTS as usize + 1 == MAX_BINS);
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        return Vec::new();
    };
    let step = (last - first) / f64::from(PARTS);
    let mut edges: Vec<f64> = (0..PARTS)
        .map(|i| f64::from(i) * step + first + 0.0)
        .collect();
    edges.push(*last);
    let usable = edges.windows(2).all(|pair| pair[0] < pair[1]) && step.is_finite();
    if usable { edges } else { Vec::new() }
}

/// Points that part the cells in which more than one value in [`SPLIT_SHARE`] lies: half-way between
/// two neighbouring values, so that they tell no value.
fn splits(sorted: &[f64], histogram: &Histogram, points: &CutCounts) -> Vec<f64> {
    let known = Known { histogram, points };
    let Some(grid) = Grid::refine(known, known) else {
        return Vec::new();
    };
    let (mut splits, mut below) = (Vec::new(), 0_usize);
    for cell in grid.cells() {
        let count = usize::try_from(cell.baseline).unwrap_or(usize::MAX);
        let parts = (count * SPLIT_SHARE).div_ceil(sorted.len()).min(count);
        if cell.low < cell.high {
            for part in 1..parts {
                let index = below + part * count / parts;
                if let [Some(low), Some(high)] = [sorted.get(index - 1), sorted.get(index)] {
                    splits.push(0.5 * low + 0.5 * high + 0.0);
                }
            }
        }
        below += count;
    }
    splits.sort_by(f64::total_cmp);
    splits.dedup();
    splits.truncate(MAX_SPLITS);
    splits
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
