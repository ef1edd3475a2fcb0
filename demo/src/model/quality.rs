//! How well a model does on rows it was not fitted to.

use serde::Serialize;

/// Figures of one set of rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Quality {
    /// Rows it was measured on.
    pub(crate) rows: usize,
    /// Share of decisions that agree with the label.
    pub(crate) accuracy: f64,
    /// Chance that a positive row scores above a negative one, ties counted half. None without
    /// rows of both classes.
    pub(crate) roc_auc: Option<f64>,
}

impl Quality {
    /// Measures scores against labels, decisions being positive from `threshold` on.
    pub(crate) fn of(scores: &[f64], labels: &[bool], threshold: f64) -> Self {
        let right = scores
            .iter()
            .zip(labels)
            .filter(|(score, label)| (**score >= threshold) == **label)
            .count();
        Self {
            rows: labels.len(),
            accuracy: right as f64 / labels.len() as f64,
            roc_auc: roc_auc(scores, labels),
        }
    }
}

fn roc_auc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let mut order: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut won, mut negatives_below) = (0.0, 0.0);
    for tied in order.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let positives = tied.iter().filter(|(_, label)| *label).count() as f64;
        let negatives = tied.len() as f64 - positives;
        won += positives * (negatives_below + negatives / 2.0);
        negatives_below += negatives;
    }
    let positives = labels.len() as f64 - negatives_below;
    let pairs = positives * negatives_below;
    (pairs > 0.0).then(|| won / pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_counts_pairs_in_the_right_order_and_ties_half() {
        let labels = [false, true, false, true];
        assert_eq!(roc_auc(&[0.1, 0.9, 0.2, 0.8], &labels), Some(1.0));
        assert_eq!(roc_auc(&[0.9, 0.1, 0.8, 0.2], &labels), Some(0.0));
        assert_eq!(roc_auc(&[0.5; 4], &labels), Some(0.5));
        assert_eq!(roc_auc(&[0.1, 0.1, 0.2, 0.8], &labels), Some(0.625));
        assert_eq!(roc_auc(&[0.1, 0.2], &[true, true]), None);
    }
}
