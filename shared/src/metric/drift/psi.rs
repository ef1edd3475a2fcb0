//! Population stability index: how far a feature's law has moved from the baseline.
use super::read::{DRIFT, cell_summaries, cells, holding, shown, shown_within};
use super::{ball, family};
use crate::bet::support::EXPECTED;
use crate::bet::{Bets, Divergence, NoBet};
use crate::drift::cells::Cells;
use crate::drift::divergence::{self, Smoothed};
use crate::interval;
use crate::metric::{
    Against, Estimate, Grade, IntervalFrom, Measurement, Metric, MetricSpec, Sample, SampleKind,
    Seen,
};
use crate::objective::document::{Document, Subject};
use crate::sketch::SummaryKey;

/// The population stability index of a feature against the frozen baseline, bias removed.
#[derive(Debug)]
pub(crate) struct Psi;

impl Metric for Psi {
    const SPEC: MetricSpec = MetricSpec {
        name: "psi",
        title: "Population stability index",
        range: (0.0, 100.0),
        meaning: "How far the feature's distribution has moved from the frozen baseline: the \
                  symmetrised Kullback-Leibler divergence between the two, over the baseline's \
                  decile cells (or its categories) and a cell for values that are missing or \
                  invalid. Zero means the same shares in every cell.",
        formula: "PSI = sum over cells of (q - p) ln(q / p), with q = (c + 1/2) / (n + B/2) from \
                  the window's counts c and p = (a + 1/2) / (n0 + B/2) from the baseline's counts \
                  a (Krichevsky-Trofimov smoothing), B cells. The value shown has its bias under \
                  no change removed: PSI - (B - 1) / ne, ne = n n0 / (n + n0). Interval: \
                  inversion of the noncentral chi-square law of ne PSI with B - 1 degrees of \
                  freedom at 95 %. Standard error: delta method over both samples, plus \
                  2 (B - 1) / ne^2 for the part that remains when nothing has moved. The ledger reads \
                  the counts alone: each of its bets is fair to every law within the level of the \
                  baseline's smoothed one, at any number of rows. The running mean is of the window's \
                  shares as counted, c / n, from the smoothed p: it contains what chance adds, and so is \
                  on average never below the truth. Counts wait until each of the baseline's cells \
                  expects 5 cases and none of these is empty, but for cells that hold less than a \
                  twentieth of the level together (empty, they count half a case), and until chance adds \
                  at most a quarter of the level. Conformity is shown by a normal approximation \
                  (grade B).",
        edge_cases: "No rows: no data. The value shown is corrected for its bias and not \
                     clipped: it may be slightly below zero when nothing has moved; the interval, which \
                     is of the index of the laws and does not go below zero, is then drawn out to it. \
                     Numeric features: values that are missing, no \
                     finite number or of the wrong type form one cell of their own; values out of \
                     the plausible range stay in the outer cells. Categories that the baseline \
                     does not list form one cell. Conventional PSI puts a floor under empty cells \
                     instead of smoothing, leaves missing values out and does not remove the \
                     bias: with 100 rows and 10 cells it shows about 0.09 where nothing has moved.",
        cannot_tell: "Whether the change harms anyone, which way values moved, movements within a \
                      cell, or changes in how features go together. It is not a p-value: 0.1 and \
                      0.2 are conventions. Rows of one request count as independent cases unless \
                      the objective's `cluster` says how many go together.",
        reference: "Index, interval and standard error recomputed with NumPy and SciPy's noncentral \
                    chi-square law: agree to 1e-9 absolute.",
        grade: Grade::A,
        sample: SampleKind::Cells,
        ..DRIFT
    };

    fn reads(document: &Document, of: &Subject) -> Vec<SummaryKey> {
        cell_summaries(document, of)
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        Ok(estimate(&cells(&seen, true)?))
    }

    fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
        ball::bets(against, Divergence::Psi, |level| level)
    }

    /// A drift level must be larger than what the baseline's own size leaves open.
    fn refuses(against: Against<'_>) -> Option<String> {
        ball::refuses(against, Divergence::Psi, |level| level)
    }

    fn approximates_from(against: Against<'_>) -> u64 {
        ball::approximates_from(against, Divergence::Psi, |level| level)
    }
}

/// Between which values the index of the laws lies at 95 %, given that of the smoothed shares.
fn ends(cells: &Cells, index: f64) -> (f64, f64) {
    let (effective, degrees) = (cells.effective(), cells.len() as f64 - 1.0);
    let (low, high) = interval::noncentrality(effective * index, degrees);
    (low / effective, high / effective)
}

/// The index with its bias removed.
fn estimate(cells: &Cells) -> Estimate {
    let Smoothed {
        value: index,
        bias,
        std_error,
    } = divergence::smoothed_psi(cells);
    let of = cells.totals().0;
    let value = index - bias;
    // Where the index has no end yet, its counts wait.
    let counted = divergence::counted_psi(cells, EXPECTED);
    let (estimate, least) = counted.map_or((value, 0), |counted| (counted, of));
    Estimate {
        value,
        interval: Some(holding(value, ends(cells, index))),
        bound: None,
        support: of,
        sample: Sample::Cells {
            counts: cells.window().to_vec(),
            estimate,
            std_error,
            least,
        },
    }
}

const VARIANT: MetricSpec = MetricSpec {
    range: (0.0, 100.0),
    cannot_tell: "How much of it is chance: with n rows, n0 in the baseline and B cells about \
                  (B - 1)(1/n + 1/n0) of it comes up where nothing has moved. Therefore it is shown \
                  for comparison with other tools, and `psi` judges. Nor whether the change harms \
                  anyone, or which way values moved.",
    ..DRIFT
};

family! { VARIANT, cell_summaries;
    /// The index of the smoothed shares as it is, bias included.
    PsiSmoothed {
        name: "psi.smoothed",
        title: "Population stability index, bias included",
        meaning: "The index `psi` before its bias is removed: comparable with figures of other \
                  tools, and never below zero.",
        formula: "Sum over cells of (q - p) ln(q / p), with q = (c + 1/2) / (n + B/2) and \
                  p = (a + 1/2) / (n0 + B/2); a cell for values that are missing or invalid among \
                  them. Interval: that of `psi`, which holds no bias, so that it may lie below the value.",
        edge_cases: "No rows: no data. Half a case in each cell keeps empty ones finite. Categories \
                     that the baseline does not list are one cell.",
        reference: "The same sum by NumPy agrees to 1e-9 relative.",
    } = |seen: &Seen<'_>| {
        let cells = cells(seen, true)?;
        let index = divergence::smoothed_psi(&cells).value;
        shown_within(index, ends(&cells, index), cells.totals().0)
    };

    /// The conventional index with a floor under shares.
    PsiFloor {
        name: "psi.floor",
        interval: IntervalFrom::Resampling,
        title: "Population stability index, conventional",
        meaning: "The index as it is mostly computed: over the reference's raw deciles (or its \
                  categories), missing values left out, shares below 0.0001 lifted to that.",
        formula: "Sum over cells of (b - a) ln(b / a) with a = max(p, 1e-4), b = max(q, 1e-4), the \
                  shares p of the baseline and q of the window among values that are there; not \
                  renormalised. A value equal to a decile belongs to the cell above it.",
        edge_cases: "No value that is there: no data. An empty cell counts as one case in ten \
                     thousand whatever the number of rows: with 100 rows and ten equal cells, one \
                     of them empty alone gives 0.7, where `psi` has about 0.3 less its bias. \
                     Categories that the baseline does not list are one cell.",
        reference: "NumPy on the raw rows: agrees to 1e-9 relative in every window of four public \
                    data sets.",
    } = |seen: &Seen<'_>| {
        let cells = cells(seen, false)?;
        shown(divergence::psi(&cells.floored(1e-4)), cells.totals().0)
    };
}

#[cfg(test)]
mod tests {
    use super::super::read::compared;
    use super::*;
    use crate::metric::Unmeasurable;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn value_interval_and_standard_error_agree_with_scipy() {
        let window = [120, 90, 100, 110, 80, 5];
        let baseline = [1000, 1000, 1000, 1000, 1000, 20];
        let found = estimate(&Cells::new(window.to_vec(), baseline.to_vec()).unwrap());
        near(found.value, 0.015_609_919_850_425_3);
        let (low, high) = found.interval.unwrap();
        near(low, 0.0);
        near(high, 0.053_701_954_590_319_5);
        let of = found.sample.cases();
        let Sample::Cells { std_error, .. } = found.sample else {
            panic!("an index is a sample of cells")
        };
        near(std_error, 0.016_781_354_591_533_3);
        assert_eq!((of, found.support), (505, 505));
    }

    #[test]
    fn empty_cells_are_finite_and_nothing_is_no_data() {
        let found = estimate(&Cells::new(vec![1000, 0], vec![500, 500]).unwrap());
        assert!(found.value.is_finite() && found.value > 1.0);
        assert_eq!(compared(vec![0, 0], vec![5, 5]), Err(Unmeasurable::NoData));
        assert!(compared(vec![5, 5], vec![0, 0]).is_err());
    }
}
