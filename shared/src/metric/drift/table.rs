//! Tests of the table of counts: window and baseline by decile cell or category.
use super::family;
use super::read::{DRIFT, NO_P_VALUE, cell_summaries, cells, shown};
use crate::drift::cells::Cells;
use crate::drift::contingency::{self, Test};
use crate::metric::{IntervalFrom, Measurement, MetricSpec, Seen, Unmeasurable};
use crate::objective::document::Comparator;

/// Largest statistic that a level can name.
const MOST: f64 = 1e12;

const STATISTIC: MetricSpec = MetricSpec {
    interval: IntervalFrom::Resampling,
    range: (0.0, MOST),
    edge_cases: "No value that is there: no data. Missing values are left out; cells that neither \
                 side has are no cells; categories that the baseline does not list are one cell. \
                 With a single cell there is nothing to test: the statistic is 0 and p is 1.",
    cannot_tell: "How large a change is: the statistic grows with the number of rows. Numeric \
                  features are compared by decile cells, so movements within a cell are not seen.",
    reference: "scipy.stats.chi2_contingency and scipy.stats.chisquare on the raw categories: agree \
                to 1e-9 relative in every window of four public data sets.",
    ..DRIFT
};

const P_VALUE: MetricSpec = MetricSpec {
    interval: NO_P_VALUE,
    good: Comparator::AtLeast,
    range: (0.0, 1.0),
    cannot_tell: "How large a change is, or whether it matters: with enough rows every change is \
                  significant. Looked at window after window, p below 0.05 comes up in one of twenty \
                  though nothing has moved; therefore it is shown and never judged.",
    reference: "scipy.stats.chi2_contingency and scipy.stats.chisquare: p agrees to 1e-6 relative \
                down to 1e-300 in every window of four public data sets.",
    ..STATISTIC
};

family! { STATISTIC, cell_summaries;
    /// Pearson's chi-square statistic of two samples.
    Chi2 {
        name: "chi2",
        title: "Chi-square statistic",
        meaning: "How far the counts of the window and of the baseline are from what one common law \
                  of both lets expect, in Pearson's measure.",
        formula: "Sum over the 2 x B table of (O - E)^2 / E, E = row total x column total / all; no \
                  continuity correction.",
    } = |seen: &Seen<'_>| statistic(&present(seen)?, contingency::pearson);

    /// Pearson's statistic with Yates' correction.
    Chi2Yates {
        name: "chi2.yates",
        title: "Chi-square statistic with Yates' correction",
        meaning: "Pearson's statistic of a table of two cells with each difference drawn by a half \
                  towards zero, which is what several tools show for features of two categories.",
        formula: "Sum over the 2 x 2 table of (|O - E| - 1/2)^2 / E, each difference at least zero. \
                  Only with two occupied cells; elsewhere undefined.",
    } = |seen: &Seen<'_>| {
        let cells = present(seen)?;
        shown(yates(&cells)?.statistic, cells.totals().0)
    };

    /// Pearson's statistic against the baseline's shares.
    Chi2Fit {
        name: "chi2.fit",
        title: "Chi-square statistic of fit",
        meaning: "How far the window's counts are from what the baseline's shares let expect, in \
                  Pearson's measure, with these shares taken as certain.",
        formula: "Sum over cells of (c - n p)^2 / (n p), p = a / n0. Undefined where the window has \
                  values in a cell that is empty in the baseline.",
    } = |seen: &Seen<'_>| {
        let cells = present(seen)?;
        shown(fitted(contingency::pearson_fit(&cells))?.statistic, cells.totals().0)
    };

    /// The likelihood ratio statistic of two samples.
    G {
        name: "g",
        title: "G statistic",
        meaning: "How far the counts of the window and of the baseline are from what one common law \
                  of both lets expect, by the ratio of likelihoods.",
        formula: "2 sum O ln(O / E) over the 2 x B table, E = row total x column total / all.",
        reference: "scipy.stats.chi2_contingency with lambda_ \"log-likelihood\": agrees to 1e-9.",
    } = |seen: &Seen<'_>| statistic(&present(seen)?, contingency::likelihood_ratio);

    /// The likelihood ratio statistic against the baseline's shares.
    GFit {
        name: "g.fit",
        title: "G statistic of fit",
        meaning: "How far the window's counts are from what the baseline's shares let expect, by the \
                  ratio of likelihoods, with these shares taken as certain.",
        formula: "2 sum c ln(c / (n p)), p = a / n0. Undefined where the window has values in a cell \
                  that is empty in the baseline.",
        reference: "scipy.stats.power_divergence with lambda_ \"log-likelihood\": agrees to 1e-9.",
    } = |seen: &Seen<'_>| {
        let cells = present(seen)?;
        shown(fitted(contingency::likelihood_ratio_fit(&cells))?.statistic, cells.totals().0)
    };

    /// Cramer's V with its bias removed.
    CramersV {
        name: "cramers_v",
        title: "Cramer's V",
        range: (0.0, 1.0),
        meaning: "How strongly a value tells from which of the two samples it comes: 0 not at all, 1 \
                  fully. A measure of size, which does not grow with the number of rows.",
        formula: "sqrt(f / min(k, r)), f = max(0, X / N - (B - 1) / (N - 1)), \
                  k = B - (B - 1)^2 / (N - 1) - 1, r = 1 - 1 / (N - 1), X Pearson's statistic, N rows \
                  of both samples (Bergsma 2013).",
        cannot_tell: "Whether the change harms anyone. It is small for samples of very different \
                      size: a window of n rows beside n0 of the baseline reaches at most about \
                      2 sqrt(n n0) / (n + n0) where the two share no cell.",
        reference: "The same formula on SciPy's chi2_contingency: agrees to 1e-9.",
    } = |seen: &Seen<'_>| {
        let cells = present(seen)?;
        let found = contingency::cramers_v(&cells);
        shown(found.ok_or(Unmeasurable::Undefined("all values lie in one cell"))?, cells.totals().0)
    };
}

family! { P_VALUE, cell_summaries;
    /// p of the chi-square statistic.
    Chi2P {
        name: "chi2.p",
        title: "Chi-square test, p-value",
        meaning: "The share of windows without any change that would show at least this `chi2`.",
        formula: "Upper tail of the chi-square law with B - 1 degrees of freedom at `chi2`.",
    } = |seen: &Seen<'_>| p_value(&present(seen)?, contingency::pearson);

    /// p of the statistic with Yates' correction.
    Chi2YatesP {
        name: "chi2.yates.p",
        title: "Chi-square test with Yates' correction, p-value",
        meaning: "The share of windows without any change that would show at least this `chi2.yates`.",
        formula: "Upper tail of the chi-square law with one degree of freedom at `chi2.yates`. Only \
                  with two occupied cells.",
    } = |seen: &Seen<'_>| {
        let cells = present(seen)?;
        shown(yates(&cells)?.p_value(), cells.totals().0)
    };

    /// p of the statistic of fit.
    Chi2FitP {
        name: "chi2.fit.p",
        title: "Chi-square test of fit, p-value",
        meaning: "The share of windows from a law with exactly the baseline's shares that would show \
                  at least this `chi2.fit`.",
        formula: "Upper tail of the chi-square law at `chi2.fit`, with one degree of freedom less \
                  than the baseline has occupied cells.",
    } = |seen: &Seen<'_>| {
        let cells = present(seen)?;
        shown(fitted(contingency::pearson_fit(&cells))?.p_value(), cells.totals().0)
    };

    /// p of the G statistic.
    GP {
        name: "g.p",
        title: "G test, p-value",
        meaning: "The share of windows without any change that would show at least this `g`.",
        formula: "Upper tail of the chi-square law with B - 1 degrees of freedom at `g`.",
    } = |seen: &Seen<'_>| p_value(&present(seen)?, contingency::likelihood_ratio);

    /// p of the G statistic of fit.
    GFitP {
        name: "g.fit.p",
        title: "G test of fit, p-value",
        meaning: "The share of windows from a law with exactly the baseline's shares that would show \
                  at least this `g.fit`.",
        formula: "Upper tail of the chi-square law at `g.fit`, with one degree of freedom less than \
                  the baseline has occupied cells.",
    } = |seen: &Seen<'_>| {
        let cells = present(seen)?;
        shown(fitted(contingency::likelihood_ratio_fit(&cells))?.p_value(), cells.totals().0)
    };
}

fn present(seen: &Seen<'_>) -> Result<Cells, Unmeasurable> {
    cells(seen, false)
}

fn statistic(cells: &Cells, test: fn(&Cells) -> Test) -> Measurement {
    shown(test(cells).statistic, cells.totals().0)
}

fn p_value(cells: &Cells, test: fn(&Cells) -> Test) -> Measurement {
    shown(test(cells).p_value(), cells.totals().0)
}

fn yates(cells: &Cells) -> Result<Test, Unmeasurable> {
    contingency::pearson_yates(cells).ok_or(Unmeasurable::Undefined(
        "Yates' correction is for two cells",
    ))
}

fn fitted(test: Option<Test>) -> Result<Test, Unmeasurable> {
    test.ok_or(Unmeasurable::Undefined(
        "the window has values in a cell that is empty in the baseline",
    ))
}
