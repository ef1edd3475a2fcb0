//! Differences between distribution functions: their largest ones, and rank tests.
use super::read::{DRIFT, NO_P_VALUE, grid, shape_summaries, shown_bracketed, window_points};
use super::{ball, family};
use crate::bet::Divergence;
use crate::drift::{Bracketed, Grid, tail};
use crate::metric::{
    Estimate, IntervalFrom, Measurement, MetricSpec, Needs, Sample, Seen, Unmeasurable,
};
use crate::objective::document::Comparator;

const FUNCTION: MetricSpec = MetricSpec {
    interval: IntervalFrom::Resampling,
    needs: Needs::NumericFeature,
    edge_cases: "No number: no data. Missing and invalid values are left out. The two functions are \
                 known exactly at every edge of the histogram's cells, at every cut, and below and \
                 at every atom; values that come up often in the baseline are atoms, so that tied \
                 data has no error. Inside a cell in which both have values, the raw rows can be \
                 further apart: the bound says by how much, and is left out where it is nothing.",
    cannot_tell: "Whether the change harms anyone. Ends of the distribution weigh little.",
    ..DRIFT
};

const P_VALUE: MetricSpec = MetricSpec {
    interval: NO_P_VALUE,
    good: Comparator::AtLeast,
    cannot_tell: "How large a change is, or whether it matters: with enough rows every change is \
                  significant. Looked at window after window, p below 0.05 comes up in one of twenty \
                  though nothing has moved; therefore it is shown and never judged.",
    ..FUNCTION
};

const RANKS: MetricSpec = MetricSpec {
    range: (-100.0, 1e12),
    edge_cases: "No number: no data. Missing and invalid values are left out. All values of a cell \
                 of the common refinement count as tied: the figure is the one of the data rounded \
                 to cells, exact for atoms and single values. The bound holds for the raw rows in \
                 whatever order they lie in their cells, tied or not, and is left out where it is \
                 nothing. A single occupied cell has no ranks.",
    ..FUNCTION
};

const JUDGED: MetricSpec = MetricSpec {
    cannot_tell: "Whether the change harms anyone. Ends of the distribution weigh little. Rows of one \
                  request count as independent cases unless the objective's `cluster` says how many \
                  go together.",
    ..FUNCTION
};

ball::judged! { JUDGED, shape_summaries;
    /// Kolmogorov and Smirnov's distance.
    Ks {
        name: "ks",
        title: "Kolmogorov-Smirnov distance",
        meaning: "The largest difference between the distribution functions of the window and of the \
                  baseline: for one number, the shares of values up to it differ by so much.",
        formula: "max |F - G| over all places at which both are known. Bound: at least that; at most \
                  max(|F(before) + f - G(before)|, |G(before) + g - F(before)|) over cells in which \
                  both have values, with shares f and g. The ledger reads the counts of decile cells \
                  alone: the distance at their edges from the baseline's smoothed law \
                  (a + 1/2) / (n0 + B/2) is at most that of the raw values, so that no bet gains while \
                  the objective is kept. The running mean is of the values as they are, chance included \
                  (about 0.87 / sqrt(ne) where nothing has moved), with 1 / (2 sqrt(ne)) for a \
                  standard error, the largest that there can be.",
        reference: "scipy.stats.ks_2samp on the raw rows lies within the bound in every window of \
                    four public data sets; the bound is at most 0.02 wide there, and nothing on tied \
                    columns.",
    } within |level: f64| level, of Divergence::KolmogorovSmirnov = |seen: &Seen<'_>| {
        let grid = grid(seen)?;
        let found = grid.largest_differences().larger;
        let shown = shown_bracketed(found, grid.totals().0)?;
        Ok(Estimate {
            sample: Sample::Cells {
                counts: window_points(seen)?.counts(),
                estimate: found.value,
                std_error: 0.5 / libm::sqrt(grid.effective()),
                least: grid.totals().0,
            },
            ..shown
        })
    };
}

family! { FUNCTION, shape_summaries;
    /// Kuiper's distance.
    Kuiper {
        name: "kuiper",
        title: "Kuiper distance",
        meaning: "The largest excess of the window's distribution function over the baseline's plus \
                  the largest shortfall: as sensitive at the ends as in the middle, and the same \
                  from whichever hour a cycle is counted.",
        formula: "max(F - G) + max(G - F) over all places at which both are known. Bound: each of \
                  the two as for `ks`.",
        reference: "The same sum by NumPy on the raw rows lies within the bound on random data.",
    } = |seen: &Seen<'_>| {
        let grid = grid(seen)?;
        shown_bracketed(grid.largest_differences().sum, grid.totals().0)
    };
}

family! { P_VALUE, shape_summaries;
    /// p of Kolmogorov and Smirnov's distance.
    KsP {
        name: "ks.p",
        title: "Kolmogorov-Smirnov test, p-value",
        meaning: "The share of windows without any change that would show at least this `ks`.",
        formula: "Kolmogorov's limit law at sqrt(ne) D, ne = n n0 / (n + n0). Bound: from the bound \
                  of `ks`.",
        reference: "scipy.special.kolmogorov at the raw rows' distance lies within the bound in every \
                    window of four public data sets, and agrees to 1e-6 relative where the distance \
                    is exact. SciPy's ks_2samp uses another law for small samples.",
    } = |seen: &Seen<'_>| {
        let grid = grid(seen)?;
        let root = libm::sqrt(grid.effective());
        let found = grid.largest_differences().larger;
        tested(&grid, found, |d| tail::kolmogorov(root * d))
    };

    /// p of Kuiper's distance.
    KuiperP {
        name: "kuiper.p",
        title: "Kuiper test, p-value",
        meaning: "The share of windows without any change that would show at least this `kuiper`.",
        formula: "2 sum (4 j^2 x^2 - 1) exp(-2 j^2 x^2) at x = (sqrt(ne) + 0.155 + 0.24 / sqrt(ne)) V \
                  (Stephens 1970). Bound: from the bound of `kuiper`.",
        reference: "Stephens' published points: 1.747 at 5 % and 2.001 at 1 %.",
    } = |seen: &Seen<'_>| {
        let grid = grid(seen)?;
        let root = libm::sqrt(grid.effective());
        let scale = root + 0.155 + 0.24 / root;
        let found = grid.largest_differences().sum;
        tested(&grid, found, |v| tail::kuiper(scale * v))
    };
}

family! { RANKS, shape_summaries;
    /// Cramer and von Mises' two-sample criterion.
    CramerVonMises {
        name: "cramer_von_mises",
        title: "Cramer-von Mises criterion",
        range: (0.0, 1e12),
        meaning: "The squared difference of the two distribution functions, averaged over the cases \
                  of both samples and scaled by their size.",
        formula: "n n0 / N^2 sum over all cases of (F - G)^2 at the upper end of their cell, \
                  N = n + n0 (Anderson 1962).",
        reference: "scipy.stats.cramervonmises_2samp where no values are tied: agrees to 1e-9.",
    } = |seen: &Seen<'_>| {
        let grid = grid(seen)?;
        shown_bracketed(grid.cramer_von_mises().within, grid.totals().0)
    };

    /// p of Cramer and von Mises' criterion.
    CramerVonMisesP {
        name: "cramer_von_mises.p",
        title: "Cramer-von Mises test, p-value",
        good: Comparator::AtLeast,
        range: (0.0, 1.0),
        interval: NO_P_VALUE,
        cannot_tell: P_VALUE.cannot_tell,
        meaning: "The share of windows without any change that would show at least this \
                  `cramer_von_mises`.",
        formula: "The criterion brought to mean 1/6 and variance 1/45, in its limit law (Smirnov's \
                  series).",
        reference: "scipy.stats.cramervonmises_2samp, asymptotic, where no values are tied: agrees \
                    to 1e-7.",
    } = |seen: &Seen<'_>| {
        let grid = grid(seen)?;
        shown_bracketed(grid.cramer_von_mises().p_within, grid.totals().0)
    };

    /// Anderson and Darling's two-sample statistic, standardised.
    AndersonDarling {
        name: "anderson_darling",
        title: "Anderson-Darling statistic",
        meaning: "The squared difference of the two distribution functions with more weight at the \
                  ends, standardised: mean 0 and variance 1 where nothing has moved.",
        formula: "A^2 with midranks for ties, less its mean and over its standard deviation (Scholz \
                  and Stephens 1987, equation 7). From 100,000 cases on, its variance is expanded.",
        reference: "scipy.stats.anderson_ksamp with midranks: agrees to 1e-9 on tied data.",
    } = |seen: &Seen<'_>| {
        let grid = grid(seen)?;
        shown_bracketed(ranked(&grid)?.within, grid.totals().0)
    };

    /// p of Anderson and Darling's statistic.
    AndersonDarlingP {
        name: "anderson_darling.p",
        title: "Anderson-Darling test, p-value",
        good: Comparator::AtLeast,
        range: (0.0, 1.0),
        interval: NO_P_VALUE,
        cannot_tell: P_VALUE.cannot_tell,
        meaning: "About the share of windows without any change that would show at least this \
                  `anderson_darling`; 0.001 stands for that or less, 0.25 for that or more, as the \
                  bound says.",
        formula: "A parabola through the logarithms of the published critical values.",
        reference: "scipy.stats.anderson_ksamp: agrees to 1e-6 between 0.001 and 0.25.",
    } = |seen: &Seen<'_>| {
        let grid = grid(seen)?;
        shown_bracketed(ranked(&grid)?.p_within, grid.totals().0)
    };
}

/// The p-value of a distance, with that of its bound: the larger a distance, the smaller p.
fn tested(grid: &Grid, found: Bracketed, p_value: impl Fn(f64) -> f64) -> Measurement {
    let tested = Bracketed {
        value: p_value(found.value),
        low: p_value(found.high),
        high: p_value(found.low),
    };
    shown_bracketed(tested, grid.totals().0)
}

fn ranked(grid: &Grid) -> Result<crate::drift::AndersonDarling, Unmeasurable> {
    grid.anderson_darling()
        .ok_or(Unmeasurable::Undefined("all values lie in one cell"))
}
