//! Between which values expected performance lies for certain where scores are known by cell only and
//! are taken as chances themselves: whatever the scores within their cells are.

/// Cases whose score lies in one cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// Least score.
    pub low: f64,
    /// Largest score.
    pub high: f64,
    /// Cases that were decided positive.
    pub positive: f64,
    /// Cases that were decided negative.
    pub negative: f64,
    /// Cases of which the cell does not tell how they were decided.
    pub open: f64,
}

/// Least and largest expected counts of true and false decisions.
struct Ends {
    tp: (f64, f64),
    fp: (f64, f64),
    fn_: (f64, f64),
    tn: (f64, f64),
}

fn ends(cells: &[Held]) -> Ends {
    let sum = |of: fn(&Held) -> f64| cells.iter().map(of).sum::<f64>();
    Ends {
        tp: (
            sum(|c| c.positive * c.low),
            sum(|c| (c.positive + c.open) * c.high),
        ),
        fp: (
            sum(|c| c.positive * (1.0 - c.high)),
            sum(|c| (c.positive + c.open) * (1.0 - c.low)),
        ),
        fn_: (
            sum(|c| c.negative * c.low),
            sum(|c| (c.negative + c.open) * c.high),
        ),
        tn: (
            sum(|c| c.negative * (1.0 - c.high)),
            sum(|c| (c.negative + c.open) * (1.0 - c.low)),
        ),
    }
}

/// The ends of a ratio, brought to 0 to 1. None if it may be one by zero.
fn between((low, below_low): (f64, f64), (high, below_high): (f64, f64)) -> Option<(f64, f64)> {
    let fits = below_low > 0.0 && below_high > 0.0;
    fits.then(|| (low / below_low, (high / below_high).min(1.0)))
}

/// Of the share of right decisions.
pub fn accuracy(cells: &[Held]) -> Option<(f64, f64)> {
    let of: f64 = cells.iter().map(|c| c.positive + c.negative + c.open).sum();
    let low = |c: &Held| {
        c.positive * c.low + c.negative * (1.0 - c.high) + c.open * c.low.min(1.0 - c.high)
    };
    let high = |c: &Held| {
        c.positive * c.high + c.negative * (1.0 - c.low) + c.open * c.high.max(1.0 - c.low)
    };
    between(
        (cells.iter().map(low).sum(), of),
        (cells.iter().map(high).sum(), of),
    )
}

/// Of the share of positive decisions that are right.
pub fn precision(cells: &[Held]) -> Option<(f64, f64)> {
    let Ends { tp, fp, .. } = ends(cells);
    between((tp.0, tp.0 + fp.1), (tp.1, tp.1 + fp.0))
}

/// Of the share of positive cases that were decided so.
pub fn recall(cells: &[Held]) -> Option<(f64, f64)> {
    let Ends { tp, fn_, .. } = ends(cells);
    between((tp.0, tp.0 + fn_.1), (tp.1, tp.1 + fn_.0))
}

/// Of the share of negative cases that were decided so.
pub fn specificity(cells: &[Held]) -> Option<(f64, f64)> {
    let Ends { fp, tn, .. } = ends(cells);
    between((tn.0, tn.0 + fp.1), (tn.1, tn.1 + fp.0))
}

/// Of the harmonic mean of precision and recall.
pub fn f1(cells: &[Held]) -> Option<(f64, f64)> {
    let Ends { tp, fp, fn_, .. } = ends(cells);
    between(
        (2.0 * tp.0, 2.0 * tp.0 + fp.1 + fn_.1),
        (2.0 * tp.1, 2.0 * tp.1 + fp.0 + fn_.0),
    )
}

/// Of the area under the ROC curve. Cells ascend.
pub fn roc_auc(cells: &[Held]) -> Option<(f64, f64)> {
    let cases = |c: &Held| c.positive + c.negative + c.open;
    let (mut low, mut high, mut below) = (0.0, 0.0, (0.0, 0.0));
    let (mut all, mut positives) = (0.0, (0.0, 0.0));
    for cell in cells {
        let n = cases(cell);
        low += n * cell.low * below.0;
        below.0 += n * (1.0 - cell.high);
        below.1 += n * (1.0 - cell.low);
        high += n * cell.high * below.1;
        all += n;
        positives.0 += n * cell.low;
        positives.1 += n * cell.high;
    }
    let pairs = |positive: f64| positive * (all - positive);
    let ends = (pairs(positives.0), pairs(positives.1));
    // Pairs rise up to half of the cases, then fall.
    let most = pairs((0.5 * all).clamp(positives.0, positives.1));
    between((low, most), (high, ends.0.min(ends.1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::performance::expected::{self, Expected};

    type Named = (
        fn(&[Held]) -> Option<(f64, f64)>,
        fn(&[Expected]) -> Option<crate::performance::Figure>,
    );

    const FIGURES: [Named; 6] = [
        (accuracy, expected::accuracy),
        (precision, expected::precision),
        (recall, expected::recall),
        (specificity, expected::specificity),
        (f1, expected::f1),
        (roc_auc, expected::roc_auc),
    ];

    #[test]
    fn the_figure_of_any_scores_within_the_cells_lies_between() {
        let mut state = 1_u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / 9_007_199_254_740_992.0
        };
        let threshold = 0.47;
        for _ in 0..1000 {
            let mut scores: Vec<f64> = (0..30).map(|_| uniform()).collect();
            scores.sort_by(f64::total_cmp);
            let raw: Vec<Expected> = scores
                .iter()
                .map(|s| Expected {
                    chance: *s,
                    pool: 0,
                    rests_on: f64::INFINITY,
                    positive: f64::from(u8::from(*s >= threshold)),
                    negative: f64::from(u8::from(*s < threshold)),
                })
                .collect();
            let held: Vec<Held> = (0..10)
                .map(|i| {
                    let (low, high) = (f64::from(i) / 10.0, f64::from(i + 1) / 10.0);
                    let n = scores.iter().filter(|s| low <= **s && **s < high).count() as f64;
                    let [positive, negative, open] = match i {
                        ..4 => [0.0, n, 0.0],
                        4 => [0.0, 0.0, n],
                        _ => [n, 0.0, 0.0],
                    };
                    Held {
                        low,
                        high,
                        positive,
                        negative,
                        open,
                    }
                })
                .collect();
            for (bound, figure) in FIGURES {
                if let Some(((low, high), found)) = bound(&held).zip(figure(&raw)) {
                    let value = found.value;
                    assert!(
                        low - 1e-12 <= value && value <= high + 1e-12,
                        "{low} {value} {high}"
                    );
                }
            }
        }
    }
}
