//! What decisions cost, by costs that the document states.

use super::{DECIDED, around, by_cells, decided, multiclass, of_labelled};
use crate::bet::half_space::{self, Fraction};
use crate::bet::{Bets, NoBet};
use crate::metric::{
    Against, Answers, Estimate, Measurement, Metric, MetricSpec, Sample, SampleKind, Seen,
    Unmeasurable,
};
use crate::objective::costs::Costs;
use crate::objective::document::{Comparator, Document, Subject};
use crate::performance::regression::Spread;
use crate::sketch::SummaryKey;

/// What decisions cost on average.
#[derive(Debug)]
pub(in crate::metric) struct Cost;

const NO_COSTS: &str = "the decision has no `costs`";

/// The costs of the cells, in the order of [`counts`].
fn costs(document: &Document) -> Option<Vec<f64>> {
    let decision = document.outputs.decision.as_ref()?;
    let costs: &Costs = decision.costs.as_ref()?;
    Some(costs.by_cell())
}

/// Labelled decisions by cell: true and false positives, false and true negatives; of classes by label,
/// then by decision.
fn counts(seen: &Seen<'_>) -> Result<Vec<u64>, Unmeasurable> {
    let decision = seen.document.outputs.decision.as_ref();
    if decision.and_then(|decision| decision.classes()).is_some() {
        return multiclass::table(seen).map(|table| table.counts().to_vec());
    }
    let table = decided(seen)?;
    Ok(vec![table.tp, table.fp, table.fn_, table.tn])
}

/// Cases, mean and scatter of the costs: exact sums over the cells, in their order.
fn spread(counts: &[u64], costs: &[f64]) -> Spread {
    let sum = |of: &dyn Fn(f64) -> f64| {
        let cells = counts.iter().zip(costs);
        cells.fold(0.0, |sum, (n, cost)| sum + *n as f64 * of(*cost))
    };
    let cases: u64 = counts.iter().sum();
    let mean = sum(&|cost| cost) / cases.max(1) as f64;
    Spread {
        cases,
        mean,
        scatter: sum(&|cost| (cost - mean) * (cost - mean)),
    }
}

impl Metric for Cost {
    const SPEC: MetricSpec = MetricSpec {
        name: "cost",
        title: "Cost of a decision",
        unit: "{cost}",
        good: Comparator::AtMost,
        range: (-1e12, 1e12),
        meaning: "What a decision costs on average, by the costs that the document states for right and \
                  wrong ones (`costs` under `decision`); below 0 it is a gain.",
        formula: "Sum over the cells of label and decision of their cost times their count, over the \
                  count of all, over rows whose label and decision are both known. Interval: mean +- \
                  1.96 s / sqrt(n). The ledger reads the counts alone: conforming is where cost less \
                  level adds up to no more than 0 in expectation; exact at any number of cases.",
        edge_cases: "No labelled rows: no data. No costs in the document: undefined. Rows without a \
                     label yet are left out. A level at or beyond the least or the largest cost is \
                     refused: no, or any, case breaks it.",
        cannot_tell: of_labelled!(
            "Whether the stated costs are right, or the same for every case of a kind."
        ),
        reference: "The costs times the counts of scikit-learn 1.9, `confusion_matrix`, on two public \
                    data sets: to 1e-9 relative.",
        sample: SampleKind::Cells,
        answers: Answers::Any,
        ..DECIDED
    };

    fn reads(document: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![super::late::labelled_key(document)]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let counts = counts(&seen)?;
        let costs = costs(seen.document).filter(|costs| costs.len() == counts.len());
        let costs = costs.ok_or(Unmeasurable::Undefined(NO_COSTS))?;
        let spread = spread(&counts, &costs);
        let found = spread.figure().ok_or(Unmeasurable::NoData)?;
        let estimate = Estimate {
            value: found.value,
            interval: Some(around(found.value, found.std_error)),
            bound: None,
            support: spread.cases,
            sample: Sample::Normal {
                estimate: found.value,
                std_error: found.std_error,
                of: spread.cases,
                least: spread.cases,
            },
        };
        Ok(by_cells(estimate, counts))
    }

    fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
        let costs = costs(against.document);
        let costs = costs.ok_or_else(|| NoBet(format!("{NO_COSTS}; state them")))?;
        let of = Fraction {
            numerator: &costs,
            denominator: &vec![1.0; costs.len()],
        };
        half_space::fraction(of, against.level, against.comparator).map(Bets::Cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_weighed_by_how_often_they_come() {
        let found = spread(&[10, 5, 2, 83], &[-30.0, 500.0, 120.0, 0.0]);
        assert_eq!(found.cases, 100);
        assert!((found.mean - (-300.0 + 2500.0 + 240.0) / 100.0).abs() < 1e-12);
        let raw = std::iter::repeat_n(-30.0, 10)
            .chain(std::iter::repeat_n(500.0, 5))
            .chain(std::iter::repeat_n(120.0, 2))
            .chain(std::iter::repeat_n(0.0, 83));
        let raw = Spread::of(raw);
        assert!((found.scatter / raw.scatter - 1.0).abs() < 1e-12);
        assert_eq!(spread(&[0, 0], &[1.0, 2.0]).cases, 0);
    }
}
