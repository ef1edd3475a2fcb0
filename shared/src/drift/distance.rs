//! Largest differences between two distribution functions, with what the places leave open.

use super::grid::Grid;

/// A value with what it can at least and at most be for the raw rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bracketed {
    /// The value.
    pub value: f64,
    /// What the raw rows' value is at least.
    pub low: f64,
    /// What the raw rows' value is at most; infinite if nothing bounds it.
    pub high: f64,
}

/// The largest differences to both sides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kuiper {
    /// Their sum, Kuiper's statistic.
    pub sum: Bracketed,
    /// The larger of the two, Kolmogorov and Smirnov's statistic.
    pub larger: Bracketed,
}

impl Grid {
    /// The largest differences between the two distribution functions. The value is the largest
    /// difference at a place, which the raw rows reach at least; inside a cell they can exceed it
    /// only if both sides have values there.
    pub fn largest_differences(&self) -> Kuiper {
        // Window above the baseline, and below it: at places, and at most.
        let (mut above, mut below) = ([0.0_f64; 2], [0.0_f64; 2]);
        for span in self.spans() {
            above = above.map(|most| most.max(span.after));
            below = below.map(|most| most.max(-span.after));
            if span.mixed {
                above[1] = above[1].max(span.before + span.window);
                below[1] = below[1].max(span.baseline - span.before);
            }
        }
        let bracket = |low: f64, high: f64| Bracketed {
            value: low,
            low,
            high: high.min(1.0).max(low),
        };
        Kuiper {
            sum: bracket(above[0] + below[0], above[1] + below[1]),
            larger: bracket(above[0].max(below[0]), above[1].max(below[1])),
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    reason = "these values are exact: equal to the bit or wrong"
)]
mod tests {
    use super::super::grid::tests::exact;

    #[test]
    fn exact_knowledge_gives_exact_distances() {
        // scipy 1.17, stats.ks_2samp.
        let window = [1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 4.0, 5.0, 7.0, 8.0];
        let baseline = [
            2.0, 3.0, 3.0, 4.0, 5.0, 6.0, 6.0, 6.0, 7.0, 7.0, 8.0, 8.0, 9.0, 9.0, 10.0,
        ];
        let found = exact(&window, &baseline).largest_differences();
        assert!((found.larger.value - 0.466_666_666_666_666_7).abs() < 1e-12);
        assert_eq!(found.larger.low, found.larger.high);
        assert_eq!(found.sum.value, found.larger.value);
        let found = exact(&[0.0, 3.0], &[1.0, 2.0]).largest_differences();
        assert_eq!((found.larger.value, found.sum.value), (0.5, 1.0));
    }
}
