//! Shares of cells from counts, smoothed in one of the ways that are in use.

/// The shares q of the window and p of the baseline, cell by cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares {
    /// The window's.
    pub window: Vec<f64>,
    /// The baseline's.
    pub baseline: Vec<f64>,
}

/// Counts of the window and of the baseline over the same cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cells {
    window: Vec<u64>,
    baseline: Vec<u64>,
}

impl Cells {
    /// Counts of equal length with a sum above zero on both sides, within 64 bits; otherwise None.
    pub fn new(window: Vec<u64>, baseline: Vec<u64>) -> Option<Self> {
        let total = |counts: &[u64]| {
            counts
                .iter()
                .try_fold(0_u64, |sum, count| sum.checked_add(*count))
                .filter(|sum| *sum > 0)
        };
        let fits = window.len() == baseline.len()
            && total(&window).is_some()
            && total(&baseline).is_some();
        fits.then_some(Self { window, baseline })
    }

    /// The window's counts.
    pub fn window(&self) -> &[u64] {
        &self.window
    }

    /// The baseline's counts.
    pub fn baseline(&self) -> &[u64] {
        &self.baseline
    }

    /// How many cells.
    pub const fn len(&self) -> usize {
        self.window.len()
    }

    /// Whether there is no cell; never so.
    pub const fn is_empty(&self) -> bool {
        self.window.is_empty()
    }

    /// Cases of the window and of the baseline.
    pub fn totals(&self) -> (u64, u64) {
        (self.window.iter().sum(), self.baseline.iter().sum())
    }

    /// The effective number of cases of a comparison: n n0 / (n + n0).
    pub fn effective(&self) -> f64 {
        let (n, n0) = self.totals();
        let (n, n0) = (n as f64, n0 as f64);
        n * n0 / (n + n0)
    }

    /// The same without the cells that neither side has.
    #[must_use]
    pub fn occupied(&self) -> Self {
        let both = self.window.iter().zip(&self.baseline);
        let (window, baseline) = both.filter(|(c, a)| **c > 0 || **a > 0).unzip();
        Self { window, baseline }
    }

    /// Shares as counted.
    pub fn plain(&self) -> Shares {
        self.shares(|count, total, _| count / total)
    }

    /// Half a case added to each cell (Krichevsky and Trofimov 1981): never zero, and the less it
    /// weighs the more cases there are.
    pub fn smoothed(&self) -> Shares {
        self.shares(|count, total, cells| (count + 0.5) / (total + 0.5 * cells))
    }

    /// The window's shares as counted beside the baseline's smoothed law, as ledgers judge it. A convex
    /// divergence between the two is on average at least that of the window's law (Jensen), however few
    /// cases a cell has.
    pub fn against_law(&self) -> Shares {
        Shares {
            window: self.plain().window,
            baseline: self.smoothed().baseline,
        }
    }

    /// Shares below `floor` lifted to it, the others as they are: they no longer add up to one. A
    /// convention of credit scoring.
    pub fn floored(&self, floor: f64) -> Shares {
        self.shares(|count, total, _| (count / total).max(floor))
    }

    fn shares(&self, share: impl Fn(f64, f64, f64) -> f64) -> Shares {
        let cells = self.window.len() as f64;
        let of = |counts: &[u64]| {
            let total = counts.iter().sum::<u64>() as f64;
            counts
                .iter()
                .map(|count| share(*count as f64, total, cells))
                .collect()
        };
        Shares {
            window: of(&self.window),
            baseline: of(&self.baseline),
        }
    }
}

impl Shares {
    /// Pairs (q, p), cell by cell.
    pub fn pairs(&self) -> impl Iterator<Item = (f64, f64)> {
        let pairs = self.window.iter().zip(&self.baseline);
        pairs.map(|(q, p)| (*q, *p))
    }
}

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    reason = "these values are exact: equal to the bit or wrong"
)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_each_convention() {
        let cells = Cells::new(vec![3, 0, 1], vec![1, 1, 2]).unwrap();
        assert_eq!(cells.plain().window, [0.75, 0.0, 0.25]);
        assert_eq!(cells.floored(1e-4).window, [0.75, 1e-4, 0.25]);
        assert_eq!(cells.smoothed().window, [3.5 / 5.5, 0.5 / 5.5, 1.5 / 5.5]);
        assert_eq!(cells.effective(), 2.0);
    }

    #[test]
    fn nothing_or_too_much_on_a_side_is_no_comparison() {
        assert_eq!(Cells::new(vec![0, 0], vec![1, 0]), None);
        assert_eq!(Cells::new(vec![1], vec![1, 2]), None);
        assert_eq!(Cells::new(vec![u64::MAX, 1], vec![1, 1]), None);
        assert_eq!(Cells::new(vec![], vec![]), None);
        let cells = Cells::new(vec![0, 2, 0], vec![0, 0, 2]).unwrap();
        assert_eq!(cells.occupied().len(), 2);
    }
}
