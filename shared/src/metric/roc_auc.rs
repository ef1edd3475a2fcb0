//! ROC AUC: how well the score puts positive cases above negative ones.
use crate::metric::{Estimate, Grade, Metric, MetricSpec, Needs, Seen, StreamKind, Unmeasurable};
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::{SummaryKey, SummaryKind, SummaryOf};

/// The area under the ROC curve of the score.
#[derive(Debug)]
pub struct RocAuc;

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
        grade: Grade::B,
        stream: StreamKind::Outcomes,
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

    fn measure(_: Seen<'_>) -> Result<Estimate, Unmeasurable> {
        unimplemented!()
    }
}
