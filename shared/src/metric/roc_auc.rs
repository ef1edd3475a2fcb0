//! ROC AUC: how well the score puts positive cases above negative ones.
use crate::interval;
use crate::metric::{
    Estimate, Grade, Measurement, Metric, MetricSpec, Needs, Sample, SampleKind, Seen, StreamKind,
    Unmeasurable, other_kind,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::{ScoreCells, SummaryKey, SummaryKind, SummaryOf};

/// The area under the ROC curve of the score.
#[derive(Debug)]
pub(super) struct RocAuc;

impl Metric for RocAuc {
    const SPEC: MetricSpec = MetricSpec {
        name: "roc_auc",
        title: "Area under the ROC curve",
        unit: "1",
        good: Comparator::AtLeast,
        range: (0.0, 1.0),
        meaning: "The chance that a positive case has a higher score than a negative one, ties \
                  counted half. 1 is a perfect ranking, 0.5 is none.",
        formula: "AUC = sum over score cells of f+ (F- below + f- / 2), with f+ and f- the shares \
                  of positive and negative cases in a cell. Variance: DeLong's, from the same \
                  cells. Interval: 95 % on the logit scale. Standard error for the ledger: the \
                  larger of DeLong's and Hanley and McNeil's at the value, so that a window that \
                  ranks perfectly does not count as certain.",
        edge_cases: "No labelled rows: no data. No positive or no negative case: undefined. \
                     Scores are known to within one cell, whose bounds are dense near 0 and 1; \
                     cases in one cell count as ties, which moves the value by at most half of \
                     sum f+ f-.",
        cannot_tell: "Whether scores are right as probabilities, or how decisions at one \
                      threshold fare. It weighs regions of the score that are never used. How \
                      unlabelled cases rank.",
        reference: "scikit-learn's roc_auc_score lies within half the sum over cells of the product of \
                    both labels' shares, here at most 0.005.",
        grade: Grade::B,
        stream: StreamKind::Outcomes,
        sample: SampleKind::Normal,
        needs: Needs::Nothing,
        needs_score: true,
        needs_decision: false,
        needs_label: true,
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![SummaryKey::new(
            SummaryOf::ScoreByLabel(None),
            SummaryKind::ScoreCells,
        )]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let key = SummaryKey::new(SummaryOf::ScoreByLabel(None), SummaryKind::ScoreCells);
        let scores =
            ScoreCells::of(seen.summary(&key)?).ok_or_else(|| other_kind("score cells"))?;
        let cells: Vec<(u64, u64)> = scores
            .cells(Some(0))
            .map(|cell| (cell.count.positive, cell.count.negative))
            .collect();
        estimate(&cells)
    }
}

/// The area from (positive, negative) counts of cells in ascending order of score.
pub(super) fn estimate(cells: &[(u64, u64)]) -> Measurement {
    let positives: u64 = cells.iter().map(|cell| cell.0).sum();
    let negatives: u64 = cells.iter().map(|cell| cell.1).sum();
    match (positives, negatives) {
        (0, 0) => return Err(Unmeasurable::NoData),
        (0, _) => return Err(Unmeasurable::Undefined("no positive case")),
        (_, 0) => return Err(Unmeasurable::Undefined("no negative case")),
        (_, _) => {}
    }
    let (np, nn) = (positives as f64, negatives as f64);
    // Of each cell: its shares, the chance that its positives beat a negative (V10) and that its
    // negatives lose to a positive (V01).
    let (mut below, mut above) = (0.0, np);
    let mut parts = Vec::with_capacity(cells.len());
    for (positive, negative) in cells {
        let (p, n) = (*positive as f64, *negative as f64);
        above -= p;
        parts.push((p, n, (below + 0.5 * n) / nn, (above + 0.5 * p) / np));
        below += n;
    }
    let area: f64 = parts.iter().map(|(p, _, beats, _)| p * beats).sum::<f64>() / np;
    let (mut over_p, mut over_n) = (0.0, 0.0);
    for (p, n, beats, loses) in &parts {
        over_p += p * (beats - area) * (beats - area);
        over_n += n * (loses - area) * (loses - area);
    }
    let least = positives.min(negatives);
    let delong = over_p / np / (np - 1.0).max(1.0) + over_n / nn / (nn - 1.0).max(1.0);
    // Drawn away from 0 and 1, where both variances vanish and would make few cases look certain.
    let drawn = (area * least as f64 + 0.5) / (least as f64 + 1.0);
    let std_error = delong.max(hanley_mcneil(drawn, np, nn)).sqrt();
    Ok(Estimate {
        value: area,
        interval: Some(interval::logit(area, drawn, std_error)),
        bound: None,
        support: positives.saturating_add(negatives),
        sample: Sample::Normal {
            estimate: area,
            std_error,
            of: positives.saturating_add(negatives),
            least,
        },
    })
}

/// The variance of an area after Hanley and his co-author (Radiology 143, 1982), from the numbers of
/// positives and negatives.
fn hanley_mcneil(area: f64, positives: f64, negatives: f64) -> f64 {
    let square = area * area;
    let two_positives = area / (2.0 - area) - square;
    let two_negatives = 2.0 * square / (1.0 + area) - square;
    let sum =
        area * (1.0 - area) + (positives - 1.0) * two_positives + (negatives - 1.0) * two_negatives;
    sum.max(0.0) / (positives * negatives)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One case per (positive, negative) cell entry; scores of the reference run, ascending.
    const CELLS: [(u64, u64); 12] = [
        (0, 1),
        (0, 1),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 1),
        (0, 1),
        (1, 0),
        (0, 1),
        (1, 0),
        (2, 1),
        (1, 0),
    ];

    #[test]
    fn area_and_delongs_variance_are_those_of_the_raw_scores() {
        // numpy, by the definition: all pairs, ties half; variances of the placement values.
        let found = estimate(&CELLS).unwrap();
        assert!((found.value - 0.817_460_317_460_317_4).abs() < 1e-15);
        let Sample::Normal {
            std_error, least, ..
        } = found.sample
        else {
            panic!("{found:?}")
        };
        assert_eq!(least, 7);
        let delong = 0.011_610_817_166_372_7_f64;
        assert!(std_error >= delong.sqrt() - 1e-12);
        let (low, high) = found.interval.unwrap();
        assert!(low < found.value && found.value < high && high < 1.0);
    }

    #[test]
    fn in_large_samples_the_standard_error_is_delongs() {
        // Scaled up, Hanley and McNeil's floor does not bind by more than a quarter.
        let many: Vec<_> = CELLS.iter().map(|(p, n)| (p * 100, n * 100)).collect();
        let Sample::Normal { std_error, .. } = estimate(&many).unwrap().sample else {
            panic!("an area is a normal sample")
        };
        // Placement variances stay; divisors grow: 0.0116108 scaled from n-1 to 100 n - 1 cases.
        assert!((0.009..0.0125).contains(&std_error), "{std_error}");
    }

    #[test]
    fn a_perfect_ranking_of_few_cases_is_not_certain() {
        let found = estimate(&[(0, 10), (10, 0)]).unwrap();
        assert_eq!(found.value.to_bits(), 1.0_f64.to_bits());
        let (low, high) = found.interval.unwrap();
        assert!(low < 0.95 && high >= 1.0, "{low} {high}");
        let Sample::Normal { std_error, .. } = found.sample else {
            panic!("an area is a normal sample")
        };
        assert!(std_error > 0.03, "{std_error}");
    }

    #[test]
    fn without_both_labels_it_is_undefined() {
        assert_eq!(estimate(&[]), Err(Unmeasurable::NoData));
        assert!(matches!(
            estimate(&[(3, 0)]),
            Err(Unmeasurable::Undefined(_))
        ));
        assert!(matches!(
            estimate(&[(0, 3)]),
            Err(Unmeasurable::Undefined(_))
        ));
    }
}
