//! Intervals by resampling, for drift metrics that have no formula of one.
//!
//! One multinomial bootstrap for each table of counts that figures are computed on: the common
//! refinement of a numeric feature, its decile cells or a feature's categories (with and without a cell
//! for missing values), and the equal bins. Each resample draws as many cases as there are on each side,
//! from that side's own shares and from those of both together; every metric of the table is taken of
//! it. Slow, so that `clause9 profile` alone does it.

use std::ops::RangeInclusive;

use super::read::{cells, grid};
use super::transport::divisors;
use super::uniform::bins;
use crate::digest::Digest;
use crate::drift::bootstrap::{Figures, Lift, percentile};
use crate::drift::cells::Cells;
use crate::drift::contingency::{self, Test};
use crate::drift::dice::Dice;
use crate::drift::{Deviation, Steps, divergence};
use crate::ids::Name;
use crate::metric::{MetricId, Seen};

/// How many resamples can be asked for. Below, a percentile is hardly more than the largest value.
pub const RESAMPLES: RangeInclusive<u32> = 99..=9_999;

/// What resampling takes.
#[derive(Clone, Copy, Debug)]
pub struct Resampling {
    /// How many resamples, within [`RESAMPLES`].
    pub resamples: u32,
    /// Digest of the baseline. With the feature's name it is the seed, so that the same counts give
    /// the same intervals.
    pub baseline: Digest,
}

/// The 95 % interval of a metric.
type Found = (MetricId, (f64, f64));

/// The intervals of a feature's metrics whose intervals come from resampling, as far as they can be
/// measured there. In no order that means anything.
pub fn resampled(seen: Seen<'_>, by: &Resampling) -> Vec<Found> {
    let mut found = Vec::new();
    let Some(name) = seen.of.feature.as_ref().map(Name::as_str) else {
        return found;
    };
    if let Ok(cells) = cells(&seen, true) {
        found.extend(of_cells(&cells, ALL, by.dice(name, 1), by.resamples));
    }
    if let Ok(cells) = cells(&seen, false) {
        found.extend(of_cells(&cells, PRESENT, by.dice(name, 2), by.resamples));
        found.extend(of_fit(&cells, by.dice(name, 3), by.resamples));
    }
    if let Ok(cells) = bins(&seen) {
        found.extend(of_cells(&cells, BINS, by.dice(name, 4), by.resamples));
    }
    if let Ok(grid) = grid(&seen) {
        let steps = Steps::new(&grid);
        found.extend(of_functions(&seen, &steps, by));
    }
    for (metric, (low, high)) in &mut found {
        let (least, most) = metric.spec().range;
        *low = low.clamp(least, most);
        *high = high.clamp(least, most);
    }
    found
}

impl Resampling {
    /// The numbers for one table of what has this name.
    pub(in crate::metric) fn dice(&self, name: &str, table: u8) -> Dice {
        let all = [
            self.baseline.as_bytes().as_slice(),
            &[table],
            name.as_bytes(),
        ]
        .concat();
        let digest = Digest::tagged("clause9 resampling v1", &all);
        let mut seed = [0; 8];
        seed.copy_from_slice(&digest.as_bytes()[..8]);
        Dice::new(u64::from_le_bytes(seed))
    }
}

/// How a figure of cells becomes a length, and how it is lifted by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It is one: the length of a vector of differences.
    Norm,
    /// It is one, by about the root of a sum of squares.
    Root,
    /// It is the square of one.
    Square,
}

/// A metric of cells: the value of counts.
struct OfCells(MetricId, Kind, fn(&Cells) -> f64);

const ALL: &[OfCells] = &[
    OfCells(MetricId::TotalVariation, Kind::Root, variation),
    OfCells(MetricId::TotalVariationCorrected, Kind::Root, variation),
    OfCells(MetricId::LInfinity, Kind::Norm, largest),
];

const PRESENT: &[OfCells] = &[
    OfCells(MetricId::TotalVariationPlain, Kind::Root, variation),
    OfCells(MetricId::LInfinityPlain, Kind::Norm, largest),
    OfCells(MetricId::JsDistancePlain, Kind::Root, jensen_shannon),
    OfCells(MetricId::JsDistanceNats, Kind::Root, |cells| {
        libm::sqrt(divergence::jensen_shannon(&cells.plain()))
    }),
    OfCells(MetricId::HellingerPlain, Kind::Root, hellinger),
    OfCells(MetricId::PsiFloor, Kind::Square, psi),
    OfCells(MetricId::KlFloor, Kind::Square, kullback_leibler),
    OfCells(MetricId::Chi2, Kind::Square, |cells| {
        contingency::pearson(cells).statistic
    }),
    OfCells(MetricId::Chi2Yates, Kind::Square, |cells| {
        contingency::pearson_yates(cells).map_or(0.0, |test| test.statistic)
    }),
    OfCells(MetricId::G, Kind::Square, |cells| {
        contingency::likelihood_ratio(cells).statistic
    }),
    OfCells(MetricId::CramersV, Kind::Root, |cells| {
        contingency::cramers_v(cells).unwrap_or(0.0)
    }),
];

const BINS: &[OfCells] = &[
    OfCells(MetricId::TotalVariationUniform20, Kind::Root, variation),
    OfCells(MetricId::LInfinityUniform20, Kind::Norm, largest),
    OfCells(MetricId::JsDistanceUniform20, Kind::Root, jensen_shannon),
    OfCells(MetricId::HellingerUniform20, Kind::Root, hellinger),
    OfCells(MetricId::PsiUniform20, Kind::Square, psi),
    OfCells(MetricId::KlUniform20, Kind::Square, kullback_leibler),
];

fn variation(cells: &Cells) -> f64 {
    divergence::total_variation(&cells.plain())
}

fn largest(cells: &Cells) -> f64 {
    divergence::l_infinity(&cells.plain())
}

fn jensen_shannon(cells: &Cells) -> f64 {
    divergence::jensen_shannon_distance(&cells.plain())
}

fn hellinger(cells: &Cells) -> f64 {
    divergence::hellinger(&cells.plain())
}

fn psi(cells: &Cells) -> f64 {
    divergence::psi(&cells.floored(1e-4))
}

fn kullback_leibler(cells: &Cells) -> f64 {
    divergence::kullback_leibler(&cells.floored(1e-4))
}

impl Kind {
    fn length(self, value: f64) -> f64 {
        match self {
            Self::Norm | Self::Root => value,
            Self::Square => libm::sqrt(value.max(0.0)),
        }
    }

    fn interval(self, figures: Figures, seen: f64) -> Option<(f64, f64)> {
        let lift = match self {
            Self::Norm => Lift::AtMost,
            Self::Root | Self::Square => Lift::Squares,
        };
        let (low, high) = figures.interval(self.length(seen), lift)?;
        Some(match self {
            Self::Norm | Self::Root => (low, high),
            Self::Square => (low * low, high * high),
        })
    }
}

/// Intervals of metrics of one table of cells.
fn of_cells(cells: &Cells, metrics: &[OfCells], mut dice: Dice, resamples: u32) -> Vec<Found> {
    let occupied = cells.occupied();
    let both = occupied.window().iter().zip(occupied.baseline());
    let both: Option<Vec<u64>> = both.map(|(c, a)| c.checked_add(*a)).collect();
    let Some(both) = both.filter(|both| {
        both.iter()
            .try_fold(0_u64, |s, c| s.checked_add(*c))
            .is_some()
    }) else {
        return Vec::new();
    };
    let mut figures: Vec<Figures> = metrics.iter().map(|_| Figures::default()).collect();
    for _ in 0..resamples {
        let around = drawn(&mut dice, &occupied, occupied.window(), occupied.baseline());
        let chance = drawn(&mut dice, &occupied, &both, &both);
        for (OfCells(_, kind, value), figures) in metrics.iter().zip(&mut figures) {
            figures
                .around
                .extend(around.as_ref().map(|c| kind.length(value(c))));
            figures
                .chance
                .extend(chance.as_ref().map(|c| kind.length(value(c))));
        }
    }
    let found = metrics.iter().zip(figures);
    found
        .filter_map(|(OfCells(metric, kind, value), figures)| {
            Some((*metric, kind.interval(figures, value(&occupied))?))
        })
        .collect()
}

/// As many cases on each side as there are, from these shares.
fn drawn(dice: &mut Dice, like: &Cells, window: &[u64], baseline: &[u64]) -> Option<Cells> {
    let (n, n0) = like.totals();
    let mut sides = (vec![0; like.len()], vec![0; like.len()]);
    dice.multinomial(window, n, &mut sides.0);
    dice.multinomial(baseline, n0, &mut sides.1);
    Cells::new(sides.0, sides.1)
}

/// Intervals of the statistics that take the baseline's shares as certain: the window alone is drawn.
fn of_fit(cells: &Cells, mut dice: Dice, resamples: u32) -> Vec<Found> {
    type Fit = fn(&Cells) -> Option<Test>;
    let metrics: [(MetricId, Fit); 2] = [
        (MetricId::Chi2Fit, contingency::pearson_fit),
        (MetricId::GFit, contingency::likelihood_ratio_fit),
    ];
    let occupied = cells.occupied();
    let (n, baseline) = (occupied.totals().0, occupied.baseline());
    let mut figures = [Figures::default(), Figures::default()];
    let mut window = vec![0; occupied.len()];
    let mut draw = |weights: &[u64]| {
        dice.multinomial(weights, n, &mut window);
        Cells::new(window.clone(), baseline.to_vec())
    };
    for _ in 0..resamples {
        let around = draw(occupied.window());
        let chance = draw(baseline);
        for ((_, fit), figures) in metrics.iter().zip(&mut figures) {
            let length = |cells: &Cells| fit(cells).map(|test| Kind::Square.length(test.statistic));
            figures.around.extend(around.as_ref().and_then(length));
            figures.chance.extend(chance.as_ref().and_then(length));
        }
    }
    let found = metrics.into_iter().zip(figures);
    found
        .filter_map(|((metric, fit), figures)| {
            let seen = fit(&occupied)?.statistic;
            Some((metric, Kind::Square.interval(figures, seen)?))
        })
        .collect()
}

/// Intervals of what is computed on the common refinement.
fn of_functions(seen: &Seen<'_>, steps: &Steps, by: &Resampling) -> Vec<Found> {
    let name = seen.of.feature.as_ref().map_or("", Name::as_str);
    let mut dice = by.dice(name, 5);
    let counts = steps.counts();
    let value = steps.around(&counts);
    let spread = steps.variances(&counts);
    let mut figures: [Figures; 6] = std::array::from_fn(|_| Figures::default());
    let (mut variances, mut ratios) = (Vec::new(), Vec::new());
    let mut drawn = counts;
    for _ in 0..by.resamples {
        steps.resample(&mut dice, &mut drawn);
        let (around, chance) = (lengths(steps.around(&drawn)), lengths(steps.chance(&drawn)));
        for ((figures, around), chance) in figures.iter_mut().zip(around).zip(chance) {
            figures.around.push(around);
            figures.chance.push(chance);
        }
        let (window, baseline) = steps.variances(&drawn);
        variances.extend((window > 0.0).then_some(window / spread.0));
        let ratio = window / spread.0 * (spread.1 / baseline);
        ratios.extend((window > 0.0 && ratio.is_finite()).then_some(ratio));
    }
    let mut ends = figures
        .into_iter()
        .zip(lengths(value))
        .map(|(figures, value)| figures.interval(value, Lift::AtMost));
    let mut found = Vec::new();
    let square = |(low, high): (f64, f64)| (low * low, high * high);
    let mut next = || ends.next().flatten();
    found.extend(next().map(|ends| (MetricId::Ks, ends)));
    found.extend(next().map(|ends| (MetricId::Kuiper, ends)));
    if let Some((low, high)) = next() {
        let each = divisors(seen).into_iter();
        let each = each.filter_map(|(metric, by)| Some((metric, by?)));
        found.extend(each.map(|(metric, by)| (metric, (low / by, high / by))));
    }
    found.extend(next().map(|ends| (MetricId::Energy, square(ends))));
    found.extend(next().map(|ends| (MetricId::CramerVonMises, square(ends))));
    if let Some((low, high)) = next().map(square) {
        let (mean, deviation) = steps.tails_by_chance();
        let standard = |x: f64| (x - mean) / deviation;
        found.push((MetricId::AndersonDarling, (standard(low), standard(high))));
    }
    let spreads = [
        (
            MetricId::StandardDeviation,
            variances,
            libm::sqrt as fn(f64) -> f64,
        ),
        (MetricId::VarianceRatio, ratios, |x| x),
    ];
    for (metric, ratios, of) in spreads {
        let shown = metric.measure(*seen).map(|found| found.value).ok();
        let ends = shown.zip(around_one(ratios));
        found
            .extend(ends.map(|(shown, (low, high))| (metric, (shown * of(low), shown * of(high)))));
    }
    let finite = |ends: (f64, f64)| ends.0.is_finite() && ends.1.is_finite();
    found.retain(|(_, ends)| finite(*ends));
    found
}

/// What a figure is multiplied by for its ends, from resampled figures over it: turned round, since a
/// figure that resamples fall below by a factor is likely to be that far below the truth itself.
fn around_one(mut ratios: Vec<f64>) -> Option<(f64, f64)> {
    let (low, high) = (
        percentile(&mut ratios, 0.025)?,
        percentile(&mut ratios, 0.975)?,
    );
    (low > 0.0).then_some((1.0 / high, 1.0 / low))
}

/// A deviation's figures, in the order in which intervals are made of them.
const fn lengths(of: Deviation) -> [f64; 6] {
    let Deviation {
        largest,
        both,
        absolute,
        energy,
        ranks,
        tails,
    } = of;
    [largest, both, absolute, energy, ranks, tails]
}
