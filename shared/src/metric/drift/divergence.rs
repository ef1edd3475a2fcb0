//! Distances between the shares of cells: Jensen-Shannon, Hellinger, Kullback-Leibler.
use super::read::{DRIFT, cell_summaries, cells, shown, shown_within};
use super::{ball, family};
use crate::bet::Divergence;
use crate::drift::cells::Cells;
use crate::drift::divergence::{self, Smoothed};
use crate::metric::{Estimate, IntervalFrom, Measurement, MetricSpec, Sample, Seen};

/// 97.5 % point of the normal law.
const Z: f64 = 1.959_963_984_540_054;

/// What the cards of divergences say of the running mean.
macro_rules! running_mean {
    () => {
        " The running mean is of the window's shares as counted, c / n, from the smoothed p: it contains \
         what chance adds, and so is on average never below the truth. Counts wait until each of the \
         baseline's cells expects 5 cases, but for cells that hold less than a twentieth of the level \
         together, and until chance adds at most a quarter of the level. Conformity is shown by a normal \
         approximation (grade B)."
    };
}

const DIVERGENCE: MetricSpec = MetricSpec {
    cannot_tell: "Whether the change harms anyone, which way values moved, movements within a cell, \
                  or changes in how features go together. Levels in use are conventions. \
                  Rows of one request \
                  count as independent cases unless the objective's `cluster` says how \
                  many go together.",
    reference: "scipy.spatial.distance.jensenshannon, scipy.special.rel_entr and NumPy on the same \
                cells: agree to 1e-9 relative. In simulation with ten cells the interval contains \
                the true value in 91 to 100 % of windows of 100 rows, 94 to 100 % from 500 on.",
    ..DRIFT
};

const JUDGED: MetricSpec = MetricSpec {
    cannot_tell: "Whether the change harms anyone, which way values moved, movements within a cell, \
                  or changes in how features go together. Levels in use are conventions. Rows of one \
                  request count as independent cases unless the objective's `cluster` says how many \
                  go together.",
    ..DIVERGENCE
};

const PLAIN: MetricSpec = MetricSpec {
    interval: IntervalFrom::Resampling,
    edge_cases: "No value that is there: no data. Missing values are left out, empty cells stay \
                 empty. A value equal to a decile belongs to the cell above it. Categories that the \
                 baseline does not list are one cell. Where nothing has moved it is above zero by \
                 chance, the more the fewer rows there are.",
    reference: "NumPy and SciPy on the raw rows: agrees to 1e-9 relative in every window of four \
                public data sets.",
    ..DIVERGENCE
};

ball::judged! { JUDGED, cell_summaries;
    /// Jensen-Shannon distance to base two of the smoothed shares.
    JsDistance {
        name: "js_distance",
        title: "Jensen-Shannon distance",
        meaning: "How far the feature's distribution has moved from the frozen baseline, between 0 \
                  (the same shares in every cell) and 1 (no cell in common).",
        formula: concat!(
                  "sqrt(JS / ln 2), JS = 1/2 sum [q ln(q / m) + p ln(p / m)], m = (q + p) / 2, with \
                  q = (c + 1/2) / (n + B/2) and p = (a + 1/2) / (n0 + B/2) over the decile cells or \
                  categories and a cell for values that are missing or invalid. Interval: the bias \
                  under no change, (B - 1) / (8 ne), is taken from JS, its standard error by the \
                  delta method over both samples with 2 (B - 1) / (8 ne)^2 for what remains where \
                  nothing has moved, at 95 %, clipped at zero.",
                  running_mean!()
        ),
        edge_cases: "No rows: no data. The value contains its bias: with 100 rows and ten cells it \
                     shows about 0.12 where nothing has moved; the interval does not, and where it \
                     would end below the value it is drawn out to it. Half a case in each cell keeps empty ones finite, so that the value \
                     is below the unsmoothed one.",
    } within |level: f64| level * level * core::f64::consts::LN_2, of Divergence::JensenShannon = |seen: &Seen<'_>| {
        let cells = cells(seen, true)?;
        let counted = divergence::jensen_shannon(&cells.against_law());
        distance(&cells, divergence::smoothed_jensen_shannon(&cells), counted, core::f64::consts::LN_2)
    };

    /// Hellinger distance of the smoothed shares.
    Hellinger {
        name: "hellinger",
        title: "Hellinger distance",
        meaning: "How far the feature's distribution has moved from the frozen baseline, between 0 \
                  (the same shares in every cell) and 1 (no cell in common), by the square roots of \
                  shares.",
        formula: concat!(
                  "sqrt(1/2 sum (sqrt q - sqrt p)^2), with q = (c + 1/2) / (n + B/2) and \
                  p = (a + 1/2) / (n0 + B/2) over the decile cells or categories and a cell for \
                  values that are missing or invalid. Interval: as for `js_distance`, on the square.",
                  running_mean!()
        ),
        edge_cases: "No rows: no data. The value contains its bias: with 100 rows and ten cells it \
                     shows about 0.1 where nothing has moved; the interval does not, and where it \
                     would end below the value it is drawn out to it.",
    } within |level: f64| level * level, of Divergence::Hellinger = |seen: &Seen<'_>| {
        let cells = cells(seen, true)?;
        let counted = divergence::hellinger(&cells.against_law());
        distance(&cells, divergence::smoothed_hellinger_squared(&cells), counted * counted, 1.0)
    };

    /// Kullback-Leibler divergence of the window from the baseline, smoothed.
    Kl {
        name: "kl",
        title: "Kullback-Leibler divergence",
        range: (0.0, 100.0),
        unit: "nat",
        meaning: "How many nats a case of the window costs more, on average, if it is described by \
                  the baseline's shares instead of its own. Not symmetric: new mass where the \
                  baseline has little weighs most.",
        formula: concat!(
                  "Sum of q ln(q / p), with q = (c + 1/2) / (n + B/2) and p = (a + 1/2) / (n0 + B/2) \
                  over the decile cells or categories and a cell for values that are missing or \
                  invalid. Interval: bias under no change, (B - 1) / (2 ne), removed; delta method \
                  over both samples, with 2 (B - 1) / (2 ne)^2 for what remains where nothing has \
                  moved, at 95 %, clipped at zero.",
                  running_mean!()
        ),
        edge_cases: "No rows: no data. The value contains its bias, the interval does not, and where \
                     it would end below the value it is drawn out to it. Half a case in each cell keeps \
                     it finite.",
    } within |level: f64| level, of Divergence::KullbackLeibler = |seen: &Seen<'_>| {
        let cells = cells(seen, true)?;
        let found = divergence::smoothed_kullback_leibler(&cells);
        let shown = shown_within(found.value, ends(found), cells.totals().0);
        let counted = divergence::kullback_leibler(&cells.against_law());
        judged(&cells, shown, counted, found.std_error)
    };

    /// Chi-square distance of the window from the baseline, smoothed.
    Chi2Distance {
        name: "chi2.distance",
        title: "Chi-square distance",
        range: (0.0, 100.0),
        meaning: "How far the feature's shares have moved from the frozen baseline, in squares over the \
                  baseline's: Pearson's statistic of fit for each case, so that it does not grow with the \
                  number of rows. New mass where the baseline has little weighs most.",
        formula: concat!(
            "Sum of (q - p)^2 / p, with q = (c + 1/2) / (n + B/2) and p = (a + 1/2) / (n0 + B/2) over \
                  the decile cells or categories and a cell for values that are missing or invalid. \
                  Interval: bias under no change, (B - 1) / ne, removed; delta method over both samples, \
                  with 2 (B - 1) / ne^2 for what remains where nothing has moved, at 95 %, clipped at zero.",
            running_mean!()
        ),
        edge_cases: "No rows: no data. The value contains its bias, the interval does not, and where it would \
                     end below the value it is drawn out to it. Half a case in each cell keeps it finite.",
        reference: "NumPy on the same cells: agrees to 1e-9 relative.",
    } within |level: f64| level, of Divergence::ChiSquare = |seen: &Seen<'_>| {
        let cells = cells(seen, true)?;
        let found = divergence::smoothed_chi_square(&cells);
        let shown = shown_within(found.value, ends(found), cells.totals().0);
        let counted = divergence::chi_square(&cells.against_law());
        judged(&cells, shown, counted, found.std_error)
    };
}

family! { PLAIN, cell_summaries;
    /// Jensen-Shannon distance to base two, without smoothing or missing values.
    JsDistancePlain {
        name: "js_distance.plain",
        title: "Jensen-Shannon distance, conventional",
        meaning: "The Jensen-Shannon distance to base two as most tools compute it: over raw decile \
                  cells or categories of the values that are there, without smoothing.",
        formula: "sqrt(1/2 sum [q log2(q / m) + p log2(p / m)]), m = (q + p) / 2, with shares q of \
                  the window and p of the baseline as counted; a zero share adds nothing.",
    } = |seen: &Seen<'_>| {
        let cells = cells(seen, false)?;
        shown(divergence::jensen_shannon_distance(&cells.plain()), cells.totals().0)
    };

    /// Jensen-Shannon distance in nats, without smoothing or missing values.
    JsDistanceNats {
        name: "js_distance.nats",
        title: "Jensen-Shannon distance, conventional, in nats",
        unit: "nat",
        meaning: "The Jensen-Shannon distance with natural logarithms, as tools give it that leave \
                  SciPy's base at its default: at most sqrt(ln 2) = 0.83.",
        formula: "sqrt(1/2 sum [q ln(q / m) + p ln(p / m)]), m = (q + p) / 2, with shares q of the \
                  window and p of the baseline as counted: `js_distance.plain` times sqrt(ln 2).",
    } = |seen: &Seen<'_>| {
        let cells = cells(seen, false)?;
        let nats = libm::sqrt(divergence::jensen_shannon(&cells.plain()));
        shown(nats, cells.totals().0)
    };

    /// Hellinger distance without smoothing or missing values.
    HellingerPlain {
        name: "hellinger.plain",
        title: "Hellinger distance, conventional",
        meaning: "The Hellinger distance as most tools compute it: over raw decile cells or \
                  categories of the values that are there, without smoothing.",
        formula: "sqrt(1/2 sum (sqrt q - sqrt p)^2), with shares q of the window and p of the \
                  baseline as counted.",
    } = |seen: &Seen<'_>| {
        let cells = cells(seen, false)?;
        shown(divergence::hellinger(&cells.plain()), cells.totals().0)
    };

    /// Kullback-Leibler divergence with a floor under shares.
    KlFloor {
        name: "kl.floor",
        title: "Kullback-Leibler divergence, conventional",
        unit: "nat",
        range: (-1.0, 100.0),
        meaning: "The Kullback-Leibler divergence of the window from the baseline over raw decile \
                  cells or categories of the values that are there, with shares below 0.0001 lifted \
                  to that.",
        formula: "Sum of b ln(b / a) with a = max(p, 1e-4) and b = max(q, 1e-4), not renormalised, \
                  so that it may be slightly below zero.",
    } = |seen: &Seen<'_>| {
        let cells = cells(seen, false)?;
        shown(divergence::kullback_leibler(&cells.floored(1e-4)), cells.totals().0)
    };
}

/// Between which values a divergence lies at 95 %, its bias removed, clipped at zero.
fn ends(found: Smoothed) -> (f64, f64) {
    let centre = found.value - found.bias;
    let half = Z * found.std_error;
    ((centre - half).max(0.0), (centre + half).max(0.0))
}

/// A distance is the root of a divergence over what it is at most.
fn distance(cells: &Cells, found: Smoothed, counted: f64, most: f64) -> Measurement {
    let root = |divergence: f64| libm::sqrt((divergence / most).max(0.0)).min(1.0);
    let (low, high) = ends(found);
    let shown = shown_within(root(found.value), (root(low), root(high)), cells.totals().0);
    // The running mean is of the roots of what was counted, chance included; near zero, where a root
    // has no slope, the error is that of one standard error more.
    let estimate = root(counted);
    let above = root(counted + found.std_error);
    judged(cells, shown, estimate, above - estimate)
}

/// What is shown, with the counts for the ledger and the estimate for the running mean.
pub(super) fn judged(
    cells: &Cells,
    shown: Measurement,
    estimate: f64,
    std_error: f64,
) -> Measurement {
    Ok(Estimate {
        sample: Sample::Cells {
            counts: cells.window().to_vec(),
            estimate,
            std_error,
            least: cells.totals().0,
        },
        ..shown?
    })
}
