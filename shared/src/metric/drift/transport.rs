//! How far values were carried: Wasserstein and energy distance.
use super::family;
use super::read::{DRIFT, both_moments, grid, shape_summaries, shift, shown_bracketed};
use crate::drift::{Bracketed, Grid};
use crate::metric::{Measurement, MetricSpec, Needs, Seen, Unmeasurable};

const TRANSPORT: MetricSpec = MetricSpec {
    range: (0.0, 1e300),
    needs: Needs::NumericFeature,
    edge_cases: "No number: no data. Missing and invalid values are left out. Inside a cell of the \
                 common refinement both distribution functions rise nobody knows where: the value \
                 takes them as rising evenly, the bound holds wherever they rise, and is left out \
                 where it is nothing. Since both means are known exactly, the bound closes where one \
                 function lies above the other throughout. Values beyond the histogram's last cell \
                 (about a million scales from the baseline's median) count as lying at its edge, and \
                 the bound ends with the largest number.",
    cannot_tell: "Which values moved, or whether the change harms anyone. One wild value can decide \
                  it.",
    ..DRIFT
};

const NORMALISED: MetricSpec = MetricSpec {
    range: (0.0, 1e12),
    reference: "scipy.stats.wasserstein_distance on the raw rows over the same divisor by NumPy lies \
                within the bound in every window of four public data sets.",
    ..TRANSPORT
};

family! { TRANSPORT, shape_summaries;
    /// First Wasserstein distance in the feature's unit.
    Wasserstein {
        name: "wasserstein",
        title: "Wasserstein distance",
        unit: "{feature}",
        meaning: "How far values have to be carried, on average, to turn the window's distribution \
                  into the baseline's (the earth mover's distance), in the feature's own unit.",
        formula: "The integral of |F - G|, cell by cell over the common refinement.",
        reference: "scipy.stats.wasserstein_distance on the raw rows lies within the bound in every \
                    window of four public data sets.",
    } = |seen: &Seen<'_>| {
        let (grid, found) = carried(seen)?;
        shown_bracketed(found, grid.totals().0)
    };

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
        formula: "`wasserstein` / s, s with divisor n0 - 1. Undefined for a constant baseline.",
    } = |seen: &Seen<'_>| {
        let (_, baseline) = both_moments(seen)?;
        normalised(seen, libm::sqrt(baseline.variance))
    };

    /// Wasserstein distance over the reference's standard deviation, as a convention has it.
    WassersteinOverRefStd {
        name: "wasserstein_over_ref_std",
        title: "Wasserstein distance in standard deviations, conventional",
        meaning: "The Wasserstein distance in standard deviations of the baseline with NumPy's \
                  default divisor: some tools call 0.1 drift at any number of rows.",
        formula: "`wasserstein` / s, s with divisor n0. Undefined for a constant baseline.",
    } = |seen: &Seen<'_>| {
        let (_, baseline) = both_moments(seen)?;
        let n0 = baseline.n as f64;
        normalised(seen, libm::sqrt(baseline.variance * (n0 - 1.0) / n0))
    };

    /// Wasserstein distance in interquartile ranges of the baseline.
    WassersteinIqr {
        name: "wasserstein.iqr",
        title: "Wasserstein distance in interquartile ranges",
        meaning: "The Wasserstein distance in interquartile ranges of the baseline: not inflated by \
                  a few wild values there.",
        formula: "`wasserstein` / (Q3 - Q1), the quartiles taken as the middles of the cells of the \
                  common refinement that hold the baseline's values of rank n0/4 and 3 n0/4, rounded \
                  up. Undefined where the two are the same.",
        reference: "The divisor is within half the widths of two cells (about 3 % of their distance \
                    from the median) of NumPy's quartiles.",
    } = |seen: &Seen<'_>| {
        let grid = grid(seen)?;
        let quartile = |u: f64| grid.baseline_quantile(u);
        let range = quartile(0.75).zip(quartile(0.25)).map(|(q3, q1)| q3 - q1);
        normalised(seen, range.unwrap_or(0.0))
    };
}

fn carried(seen: &Seen<'_>) -> Result<(Grid, Bracketed), Unmeasurable> {
    let grid = grid(seen)?;
    let found = grid.integrals(shift(seen)?).absolute;
    Ok((grid, found))
}

fn normalised(seen: &Seen<'_>, by: f64) -> Measurement {
    let (grid, found) = carried(seen)?;
    if by.is_nan() || by <= 0.0 {
        return Err(Unmeasurable::Undefined(
            "the baseline's values do not differ",
        ));
    }
    let over = Bracketed {
        value: found.value / by,
        low: found.low / by,
        high: found.high / by,
    };
    shown_bracketed(over, grid.totals().0)
}
