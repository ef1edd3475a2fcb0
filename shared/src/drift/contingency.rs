//! Tests of a table of counts: two samples over the same cells, or one sample against shares that
//! are taken as given.

use super::cells::Cells;

/// A test statistic that is about chi-square where nothing has moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// The statistic.
    pub statistic: f64,
    /// Degrees of freedom.
    pub degrees: u64,
}

impl Test {
    /// The share of samples without any change that show at least this statistic; 1 with no degrees
    /// of freedom.
    pub fn p_value(&self) -> f64 {
        if self.degrees == 0 {
            return 1.0;
        }
        super::tail::chi_square(self.statistic, self.degrees as f64)
    }
}

/// Pearson's statistic of the two samples as a table of 2 rows. Cells that neither has are left out.
pub fn pearson(cells: &Cells) -> Test {
    table(cells, |observed, expected| {
        let difference = observed - expected;
        difference * difference / expected
    })
}

/// The same with Yates' correction: each difference is drawn by a half towards zero, at most to it.
/// For two cells only, elsewhere None.
pub fn pearson_yates(cells: &Cells) -> Option<Test> {
    let test = table(cells, |observed, expected| {
        let difference = observed - expected;
        let drawn = (difference.abs() - 0.5).max(0.0);
        drawn * drawn / expected
    });
    (test.degrees == 1).then_some(test)
}

/// The likelihood ratio statistic G of the two samples: twice the sum of O ln(O / E).
pub fn likelihood_ratio(cells: &Cells) -> Test {
    table(cells, |observed, expected| {
        if observed == 0.0 {
            0.0
        } else {
            2.0 * observed * libm::log(observed / expected)
        }
    })
}

/// Pearson's statistic of the window against the baseline's shares, taken as certain. None where the
/// window has cases in a cell that the baseline lacks, which such a test cannot express.
pub fn pearson_fit(cells: &Cells) -> Option<Test> {
    fit(cells, |observed, expected| {
        let difference = observed - expected;
        difference * difference / expected
    })
}

/// The likelihood ratio statistic of the window against the baseline's shares, taken as certain.
pub fn likelihood_ratio_fit(cells: &Cells) -> Option<Test> {
    fit(cells, |observed, expected| {
        if observed == 0.0 {
            0.0
        } else {
            2.0 * observed * libm::log(observed / expected)
        }
    })
}

/// Cramer's V between sample and cell, bias removed (Bergsma 2013): 0 no difference, 1 no overlap.
/// None with a single cell.
pub fn cramers_v(cells: &Cells) -> Option<f64> {
    let cells = cells.occupied();
    if cells.len() < 2 {
        return None;
    }
    let (n, n0) = cells.totals();
    let (all, columns) = (n as f64 + n0 as f64, cells.len() as f64);
    if all < 2.0 {
        return None;
    }
    let association = pearson(&cells).statistic / all;
    let unbiased = (association - (columns - 1.0) / (all - 1.0)).max(0.0);
    let columns = columns - (columns - 1.0) * (columns - 1.0) / (all - 1.0);
    let rows = 2.0 - 1.0 / (all - 1.0);
    let most = (columns - 1.0).min(rows - 1.0);
    (most > 0.0).then(|| libm::sqrt(unbiased / most).min(1.0))
}

fn table(cells: &Cells, part: impl Fn(f64, f64) -> f64) -> Test {
    let (n, n0) = cells.totals();
    let (n, n0) = (n as f64, n0 as f64);
    let (mut statistic, mut columns) = (0.0, 0_u64);
    for (c, a) in cells.window().iter().zip(cells.baseline()) {
        let column = *c as f64 + *a as f64;
        if column > 0.0 {
            columns += 1;
            statistic += part(*c as f64, column * n / (n + n0));
            statistic += part(*a as f64, column * n0 / (n + n0));
        }
    }
    Test {
        statistic: statistic.max(0.0),
        degrees: columns.saturating_sub(1),
    }
}

fn fit(cells: &Cells, part: impl Fn(f64, f64) -> f64) -> Option<Test> {
    let (n, n0) = cells.totals();
    let (mut statistic, mut columns) = (0.0, 0_u64);
    for (c, a) in cells.window().iter().zip(cells.baseline()) {
        if *a > 0 {
            columns += 1;
            statistic += part(*c as f64, *a as f64 / n0 as f64 * n as f64);
        } else if *c > 0 {
            return None;
        }
    }
    Some(Test {
        statistic: statistic.max(0.0),
        degrees: columns.saturating_sub(1),
    })
}

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    reason = "these values are exact: equal to the bit or wrong"
)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        let tolerance = 1e-9 * expected.abs();
        assert!(
            (found - expected).abs() <= tolerance,
            "{found} is not {expected}"
        );
    }

    #[test]
    fn tests_agree_with_scipy() {
        // scipy 1.17: stats.chi2_contingency (lambda_ "log-likelihood" for G), stats.chisquare,
        // stats.contingency.association with correction by hand.
        let cells = Cells::new(vec![30, 50, 20], vec![400, 350, 250]).unwrap();
        let pearson = pearson(&cells);
        near(pearson.statistic, PEARSON.0);
        near(pearson.p_value(), PEARSON.1);
        let g = likelihood_ratio(&cells);
        near(g.statistic, G.0);
        near(g.p_value(), G.1);
        let fit = pearson_fit(&cells).unwrap();
        near(fit.statistic, FIT.0);
        near(fit.p_value(), FIT.1);
        near(likelihood_ratio_fit(&cells).unwrap().statistic, G_FIT);
        near(cramers_v(&cells).unwrap(), V);
        let two = Cells::new(vec![30, 50], vec![400, 350]).unwrap();
        let yates = pearson_yates(&two).unwrap();
        near(yates.statistic, YATES.0);
        near(yates.p_value(), YATES.1);
        assert_eq!(pearson_yates(&cells), None);
    }

    const PEARSON: (f64, f64) = (8.876_507_321_274_758, 0.011_816_556_229_026_479);
    const G: (f64, f64) = (8.583_378_292_106_785, 0.013_681_795_217_428_07);
    const FIT: (f64, f64) = (9.928_571_428_571_429, 0.006_982_936_740_120_06);
    const G_FIT: f64 = 9.480_827_994_197_998;
    const V: f64 = 0.079_091_136_066_813_85;
    const YATES: (f64, f64) = (6.638_168_289_728_675, 0.009_981_651_237_212_69);

    #[test]
    fn a_new_cell_has_no_fit_but_a_table() {
        let cells = Cells::new(vec![5, 5, 1], vec![10, 10, 0]).unwrap();
        assert_eq!(pearson_fit(&cells), None);
        assert_eq!(likelihood_ratio_fit(&cells), None);
        assert_eq!(pearson(&cells).degrees, 2);
    }

    #[test]
    fn one_cell_tests_nothing() {
        let cells = Cells::new(vec![5, 0], vec![10, 0]).unwrap();
        assert_eq!(pearson(&cells).p_value(), 1.0);
        assert_eq!(cramers_v(&cells), None);
    }

    #[test]
    fn samples_without_overlap_are_fully_associated() {
        let cells = Cells::new(vec![5000, 0], vec![0, 5000]).unwrap();
        assert!(cramers_v(&cells).unwrap() > 0.999);
    }
}
