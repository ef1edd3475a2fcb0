//! How far values were carried: Wasserstein and energy distance.
use super::family;
use super::read::{
    DRIFT, both_moments, grid, shape, shape_summaries, shift, shown_bracketed, window_points,
};
use crate::baseline::{Law, Shape};
use crate::bet::transport::{self, Held};
use crate::bet::{Bets, Breach, NoBet, directions};
use crate::drift::{Bracketed, Grid, Known};
use crate::metric::{
    Against, Estimate, Grade, IntervalFrom, Measurement, MetricId, MetricSpec, Needs, Sample,
    SampleKind, Seen, Unmeasurable,
};

const TRANSPORT: MetricSpec = MetricSpec {
    interval: IntervalFrom::Resampling,
    range: (0.0, 1e300),
    needs: Needs::NumericFeature,
    edge_cases: "No number: no data. Missing and invalid values are left out. Inside a cell of the \
                 common refinement both distribution functions rise nobody knows where: the value \
                 takes them as rising evenly, the bound holds wherever they rise, and is left out \
                 where it is nothing. Since both means are known exactly, the bound closes where one \
                 function lies above the other throughout. Values beyond the histogram's last cell \
                 (about a million scales from the baseline's median) count as lying at its edge, and \
                 the bound has no upper end.",
    cannot_tell: "Which values moved, or whether the change harms anyone. One wild value can decide \
                  it.",
    ..DRIFT
};

const NORMALISED: MetricSpec = MetricSpec {
    range: (0.0, 1e12),
    reference: "scipy.stats.wasserstein_distance on the raw rows over the same divisor by NumPy lies \
                within the bound in every window of four public data sets.",
    ..JUDGED
};

/// Distances that judge.
const JUDGED: MetricSpec = MetricSpec {
    cannot_tell: "Which values moved, or whether the change harms anyone. One wild value can decide \
                  what is shown; it cannot decide the ledger. Rows of one request count as independent \
                  cases unless the objective's `cluster` says how many go together.",
    grade: Grade::A,
    sample: SampleKind::Cells,
    ..TRANSPORT
};

family! { JUDGED, shape_summaries;
    /// First Wasserstein distance in the feature's unit.
    Wasserstein {
        name: "wasserstein",
        title: "Wasserstein distance",
        unit: "{feature}",
        meaning: "How far values have to be carried, on average, to turn the window's distribution \
                  into the baseline's (the earth mover's distance), in the feature's own unit.",
        formula: "The integral of |F - G|, cell by cell over the common refinement. The ledger reads the \
                  counts at and between the baseline's points: the mean of a function without a slope \
                  above 1 differs between two laws by at most their distance (Kantorovich and \
                  Rubinstein), and it bets on twelve such functions, with their least value in each of \
                  the window's cells and their largest in the baseline's. Beyond the baseline's range \
                  it does not see how far. Running mean: of the values as they are, chance included; \
                  standard error the root of s^2 / n + s0^2 / n0, which no such function exceeds.",
        reference: "scipy.stats.wasserstein_distance on the raw rows lies within the bound in every \
                    window of four public data sets.",
    } by |against: &Against<'_>| bets(against, |_| Some(1.0)),
    broken |against: &Against<'_>| breach(against, |_| Some(1.0)), = |seen: &Seen<'_>| {
        judged(seen, 1.0)
    };
}

family! { TRANSPORT, shape_summaries;
    /// Energy distance in the feature's unit.
    Energy {
        name: "energy",
        title: "Energy distance",
        unit: "{feature}",
        meaning: "Twice the mean distance between a value of the window and one of the baseline, less \
                  the mean distances within each: zero only for equal distributions, in the \
                  feature's own unit.",
        formula: "Twice the integral of (F - G)^2, cell by cell over the common refinement (Szekely \
                  and Rizzo 2013). SciPy's energy_distance is the square root of it.",
        reference: "The square of scipy.stats.energy_distance lies within the bound on random data.",
    } = |seen: &Seen<'_>| {
        let grid = grid(seen)?;
        shown_bracketed(grid.integrals(None).energy, grid.totals().0)
    };
}

family! { NORMALISED, shape_summaries;
    /// Wasserstein distance in standard deviations of the baseline.
    WassersteinStd {
        name: "wasserstein.std",
        title: "Wasserstein distance in standard deviations",
        meaning: "The Wasserstein distance in standard deviations of the baseline, so that features \
                  of different units can be compared.",
        formula: "`wasserstein` / s, s with divisor n0 - 1. Undefined for a constant baseline. Judged as \
                  `wasserstein` is, against s times the level.",
    } by |against: &Against<'_>| bets(against, deviation),
    broken |against: &Against<'_>| breach(against, deviation), = |seen: &Seen<'_>| {
        judged(seen, divisor(seen, deviation)?)
    };

    /// Wasserstein distance over the reference's standard deviation, as a convention has it.
    WassersteinOverRefStd {
        name: "wasserstein_over_ref_std",
        title: "Wasserstein distance in standard deviations, conventional",
        meaning: "The Wasserstein distance in standard deviations of the baseline with NumPy's \
                  default divisor: some tools call 0.1 drift at any number of rows.",
        formula: "`wasserstein` / s, s with divisor n0. Undefined for a constant baseline. Judged as \
                  `wasserstein` is, against s times the level.",
    } by |against: &Against<'_>| bets(against, plain_deviation),
    broken |against: &Against<'_>| breach(against, plain_deviation), = |seen: &Seen<'_>| {
        judged(seen, divisor(seen, plain_deviation)?)
    };

    /// Wasserstein distance in interquartile ranges of the baseline.
    WassersteinIqr {
        name: "wasserstein.iqr",
        title: "Wasserstein distance in interquartile ranges",
        meaning: "The Wasserstein distance in interquartile ranges of the baseline: not inflated by \
                  a few wild values there.",
        formula: "`wasserstein` / (Q3 - Q1), the quartiles taken as the middles of the cells of the \
                  baseline's own refinement that hold its values of rank n0/4 and 3 n0/4, rounded up. \
                  Undefined where the two are the same. Judged as `wasserstein` is, against that \
                  range times the level.",
        reference: "The divisor is within half the widths of two cells (about 3 % of their distance \
                    from the median) of NumPy's quartiles.",
    } by |against: &Against<'_>| bets(against, quartiles),
    broken |against: &Against<'_>| breach(against, quartiles), = |seen: &Seen<'_>| {
        judged(seen, divisor(seen, quartiles)?)
    };
}

/// What each of the distances is divided by, where there is such a thing.
pub(super) fn divisors(seen: &Seen<'_>) -> [(MetricId, Option<f64>); 4] {
    let by = |of: fn(&Shape) -> Option<f64>| divisor(seen, of).ok();
    [
        (MetricId::Wasserstein, Some(1.0)),
        (MetricId::WassersteinStd, by(deviation)),
        (MetricId::WassersteinOverRefStd, by(plain_deviation)),
        (MetricId::WassersteinIqr, by(quartiles)),
    ]
}

/// The baseline's standard deviation.
fn deviation(shape: &Shape) -> Option<f64> {
    (shape.moments.beyond() == 0)
        .then(|| shape.moments.std())
        .flatten()
}

/// The same with divisor n0.
fn plain_deviation(shape: &Shape) -> Option<f64> {
    let n0 = shape.moments.n() as f64;
    deviation(shape).map(|std| std * libm::sqrt((n0 - 1.0) / n0))
}

/// The baseline's interquartile range.
fn quartiles(shape: &Shape) -> Option<f64> {
    let known = Known {
        histogram: &shape.histogram,
        points: &shape.points,
    };
    let grid = Grid::refine(known, known)?;
    let (q3, q1) = grid
        .baseline_quantile(0.75)
        .zip(grid.baseline_quantile(0.25))?;
    Some(q3 - q1)
}

fn divisor(seen: &Seen<'_>, of: fn(&Shape) -> Option<f64>) -> Result<f64, Unmeasurable> {
    let shape = shape(seen)?;
    let why = match of(shape) {
        Some(by) if by > 0.0 && by.is_finite() => return Ok(by),
        Some(by) if by > 0.0 => "the baseline's spread is larger than any number",
        Some(_) if shape.moments.variance_in_scales().is_some_and(|v| v > 0.0) => {
            "the baseline's spread is too small to divide by"
        }
        None if shape.moments.beyond() > 0 => {
            "values are too far from the baseline's to be added up"
        }
        Some(_) | None => "the baseline's values do not differ",
    };
    Err(Unmeasurable::Undefined(why))
}

/// The law of a feature's numbers in the baseline, and what `unit` is of it.
fn law<'a>(against: &Against<'a>, unit: fn(&Shape) -> Option<f64>) -> Option<(&'a Shape, f64)> {
    let feature = against.of.feature.as_ref()?;
    let shape = against
        .baseline
        .features
        .get(feature)
        .and_then(Law::shape)?;
    let by = unit(shape).filter(|by| *by > 0.0 && by.is_finite())?;
    Some((shape, by))
}

/// The bets against a level in units of what `unit` is of the baseline.
fn bets(against: &Against<'_>, unit: fn(&Shape) -> Option<f64>) -> Result<Bets, NoBet> {
    let none = || {
        NoBet(
            "the baseline does not hold the law of the feature's numbers, or they do not differ; \
             build it again"
                .to_owned(),
        )
    };
    let (shape, by) = law(against, unit).ok_or_else(none)?;
    let cells: Vec<Held> = shape
        .points
        .cells()
        .map(|cell| Held {
            low: cell.low,
            high: cell.high,
            baseline: cell.count,
        })
        .collect();
    transport::at_most(&cells, by * against.level, against.level).map(Bets::Cells)
}

/// The baseline's values moved up or down, spread or narrowed, until they were carried as far as the level,
/// within its range: beyond it the ledger does not see how far, so that values carried there are found as
/// late as if they lay at its end.
fn breach(against: &Against<'_>, unit: fn(&Shape) -> Option<f64>) -> Option<Breach> {
    let (shape, by) = law(against, unit)?;
    let cells: Vec<_> = shape.points.cells().collect();
    let positions: Vec<f64> = cells
        .iter()
        .map(|cell| match (cell.low.is_finite(), cell.high.is_finite()) {
            (true, true) => f64::midpoint(cell.low, cell.high),
            (true, false) => cell.low,
            (false, _) => cell.high,
        })
        .collect();
    let counts: Vec<u64> = cells.iter().map(|cell| cell.count).collect();
    let carried = directions::carried(&counts, &positions, by * against.level);
    Some(Breach::Laws(carried))
}

/// The distance over `by`, with the counts that the ledger reads.
fn judged(seen: &Seen<'_>, by: f64) -> Measurement {
    let (grid, found) = carried(seen)?;
    let over = Bracketed {
        value: found.value / by,
        low: found.low / by,
        high: found.high / by,
    };
    let shown = shown_bracketed(over, grid.totals().0)?;
    let error = both_moments(seen).map(|([window, baseline], unit)| {
        let (n, n0) = (window.n as f64, baseline.n as f64);
        libm::sqrt(window.variance / n + baseline.variance / n0) * (unit / by)
    });
    Ok(Estimate {
        sample: Sample::Cells {
            counts: window_points(seen)?
                .cells()
                .map(|cell| cell.count)
                .collect(),
            estimate: over.value,
            std_error: error.unwrap_or(WIDEST).min(WIDEST),
            least: grid.totals().0,
        },
        ..shown
    })
}

/// The standard error where values are too far out to be added up.
const WIDEST: f64 = 1e100;

fn carried(seen: &Seen<'_>) -> Result<(Grid, Bracketed), Unmeasurable> {
    let grid = grid(seen)?;
    let found = grid.integrals(shift(seen)?).absolute;
    Ok((grid, found))
}
