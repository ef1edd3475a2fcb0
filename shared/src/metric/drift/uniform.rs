//! Divergences over twenty equal bins from the reference's smallest value to its largest, with one
//! cell below and one beyond: how several tools bin numbers.
use super::family;
use super::read::{DRIFT, compared, point_summary, shape, shown, window_points};
use crate::drift::cells::Cells;
use crate::drift::divergence;
use crate::metric::{IntervalFrom, MetricSpec, Needs, Seen, Unmeasurable};

const UNIFORM: MetricSpec = MetricSpec {
    interval: IntervalFrom::Resampling,
    needs: Needs::NumericFeature,
    edge_cases: "No number: no data. Missing and invalid values are left out. Edges are spaced as \
                 NumPy's linspace has them; a value equal to an edge belongs to the bin above it, \
                 one equal to the last edge to the last bin. Undefined where the reference does not \
                 vary. A single wild value in the reference makes most bins empty.",
    cannot_tell: "How much of it is chance, whether the change harms anyone, or which way values \
                  moved. It is shown for comparison with other tools; deciles tell changes in the \
                  middle of a skewed feature far better.",
    reference: "NumPy's histogram on the raw rows: agrees to 1e-9 relative in every window of four \
                public data sets.",
    ..DRIFT
};

family! { UNIFORM, point_summary;
    /// Population stability index over equal bins.
    PsiUniform20 {
        name: "psi.uniform20",
        title: "Population stability index over equal bins",
        range: (0.0, 100.0),
        meaning: "The population stability index over twenty equal bins of the reference's range, \
                  shares below 0.0001 lifted to that.",
        formula: "As `psi.floor`, over 20 bins, one cell below and one beyond.",
    } = |seen: &Seen<'_>| {
        let cells = bins(seen)?;
        shown(divergence::psi(&cells.floored(1e-4)), cells.totals().0)
    };

    /// Jensen-Shannon distance over equal bins.
    JsDistanceUniform20 {
        name: "js_distance.uniform20",
        title: "Jensen-Shannon distance over equal bins",
        meaning: "The Jensen-Shannon distance to base two over twenty equal bins of the reference's \
                  range, without smoothing.",
        formula: "As `js_distance.plain`, over 20 bins, one cell below and one beyond.",
    } = |seen: &Seen<'_>| {
        let cells = bins(seen)?;
        shown(divergence::jensen_shannon_distance(&cells.plain()), cells.totals().0)
    };

    /// Hellinger distance over equal bins.
    HellingerUniform20 {
        name: "hellinger.uniform20",
        title: "Hellinger distance over equal bins",
        meaning: "The Hellinger distance over twenty equal bins of the reference's range, without \
                  smoothing.",
        formula: "As `hellinger.plain`, over 20 bins, one cell below and one beyond.",
    } = |seen: &Seen<'_>| {
        let cells = bins(seen)?;
        shown(divergence::hellinger(&cells.plain()), cells.totals().0)
    };

    /// Kullback-Leibler divergence over equal bins.
    KlUniform20 {
        name: "kl.uniform20",
        title: "Kullback-Leibler divergence over equal bins",
        unit: "nat",
        range: (-1.0, 100.0),
        meaning: "The Kullback-Leibler divergence of the window from the baseline over twenty equal \
                  bins of the reference's range, shares below 0.0001 lifted to that.",
        formula: "As `kl.floor`, over 20 bins, one cell below and one beyond.",
    } = |seen: &Seen<'_>| {
        let cells = bins(seen)?;
        shown(divergence::kullback_leibler(&cells.floored(1e-4)), cells.totals().0)
    };

    /// Total variation distance over equal bins.
    TotalVariationUniform20 {
        name: "total_variation.uniform20",
        title: "Total variation distance over equal bins",
        meaning: "The total variation distance over twenty equal bins of the reference's range.",
        formula: "As `total_variation.plain`, over 20 bins, one cell below and one beyond.",
    } = |seen: &Seen<'_>| {
        let cells = bins(seen)?;
        shown(divergence::total_variation(&cells.plain()), cells.totals().0)
    };

    /// Largest difference of a bin's shares.
    LInfinityUniform20 {
        name: "l_infinity.uniform20",
        title: "Largest difference of a share over equal bins",
        meaning: "The largest absolute difference between a bin's share in the window and in the \
                  baseline, over twenty equal bins of the reference's range.",
        formula: "As `l_infinity.plain`, over 20 bins, one cell below and one beyond.",
    } = |seen: &Seen<'_>| {
        let cells = bins(seen)?;
        shown(divergence::l_infinity(&cells.plain()), cells.totals().0)
    };
}

pub(super) fn bins(seen: &Seen<'_>) -> Result<Cells, Unmeasurable> {
    let window = window_points(seen)?;
    if window.total() == 0 {
        return Err(Unmeasurable::NoData);
    }
    let none = Unmeasurable::Undefined("the baseline's values do not differ");
    let baseline = shape(seen)?.points.bin_counts().ok_or(none.clone())?;
    compared(window.bin_counts().ok_or(none)?, baseline)
}
