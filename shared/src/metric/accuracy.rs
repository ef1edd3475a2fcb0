//! Accuracy: how often the decision agrees with what later turned out to be true.
use crate::metric::{
    Grade, Measurement, Metric, MetricSpec, Needs, SampleKind, Seen, StreamKind, other_kind, share,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::{Confusion, SummaryKey, SummaryKind, SummaryOf};

/// The share of labelled rows whose decision agrees with the label.
#[derive(Debug)]
pub(super) struct Accuracy;

impl Metric for Accuracy {
    const SPEC: MetricSpec = MetricSpec {
        name: "accuracy",
        title: "Accuracy",
        unit: "1",
        good: Comparator::AtLeast,
        range: (0.0, 1.0),
        meaning: "The share of labelled cases in which the decision agrees with what later turned \
                  out to be true.",
        formula: "(TP + TN) / (TP + TN + FP + FN), counted over rows whose label and decision are \
                  both known. Interval: Wilson's score interval at 95 %.",
        edge_cases: "No labelled rows: no data. Rows without a label yet are left out, not \
                     guessed; the coverage beside the value says how many they are.",
        cannot_tell: "How unlabelled cases fare: if labels come only for some decisions, the value \
                      is of those. Which kind of error is made, or what it costs: with 95 % of \
                      one class, always answering that class is 95 % accurate. Rows of one request count as \
                      independent cases for now: where they go together, the evidence is \
                      weaker than it says.",
        reference: "scikit-learn's accuracy_score: counts are exact, so the value agrees to rounding.",
        grade: Grade::A,
        stream: StreamKind::Outcomes,
        sample: SampleKind::Rate,
        needs: Needs::Nothing,
        needs_score: false,
        needs_decision: true,
        needs_label: true,
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![SummaryKey::new(
            SummaryOf::DecisionByLabel(None),
            SummaryKind::Confusion,
        )]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let key = SummaryKey::new(SummaryOf::DecisionByLabel(None), SummaryKind::Confusion);
        let confusion =
            Confusion::of(seen.summary(&key)?).ok_or_else(|| other_kind("confusion"))?;
        let right = confusion.sum(|label, decision, _| label.is_some() && label == decision);
        let known = confusion.sum(|label, decision, _| label.is_some() && decision.is_some());
        share(right, known)
    }
}
