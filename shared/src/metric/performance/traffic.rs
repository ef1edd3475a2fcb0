//! What answers say before any label comes.

use super::DECIDED;
use super::late::{answers_key, unusable};
use crate::metric::{
    Answers, Measurement, Metric, MetricSpec, Seen, StreamKind, other_kind, share,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::{Confusion, SummaryKey, SummaryKind, SummaryOf};

/// The share of all decided cases that are decided positive.
#[derive(Debug)]
pub(in crate::metric) struct PredictedPositiveRate;

const fn key() -> SummaryKey {
    SummaryKey::new(SummaryOf::Decision(None), SummaryKind::Confusion)
}

impl Metric for PredictedPositiveRate {
    const SPEC: MetricSpec = MetricSpec {
        name: "predicted_positive_rate",
        title: "Predicted-positive rate",
        good: Comparator::AtMost,
        meaning: "The share of cases that are decided positive, of all that have a decision: \
                  approval rate, alert rate, selection rate.",
        formula: "positive decisions / decisions, over every observed row of the window. Interval: \
                  Wilson's score interval at 95 %.",
        edge_cases: "No row with a decision: no data. Rows whose answer gives no decision are left \
                     out. Labels play no part, so that it is known when the pane closes.",
        cannot_tell: "Whether the decisions are right. Which side of a level is good depends on \
                      what positive means: say so by the comparator. Rows of one request \
                      count as independent cases unless the objective's `cluster` says how \
                      many go together.",
        reference: "fairlearn 0.13, `selection_rate`: equal, since both divide the same two counts.",
        stream: StreamKind::Traffic,
        needs_label: false,
        ..DECIDED
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let found = Confusion::of(seen.summary(&key())?).ok_or_else(|| other_kind("confusion"))?;
        let positive = found.sum(|_, decision, _| decision == Some(true));
        share(positive, found.sum(|_, decision, _| decision.is_some()))
    }
}

/// The share of cases whose answer is of no use for any figure of performance.
#[derive(Debug)]
pub(in crate::metric) struct UnusableAnswerRate;

impl Metric for UnusableAnswerRate {
    const SPEC: MetricSpec = MetricSpec {
        name: "unusable_answer_rate",
        title: "Share of unusable answers",
        good: Comparator::AtMost,
        meaning: "The share of cases whose answer gives nothing that a label could be held against: no \
                  decision, a score beyond 0 to 1, a predicted number that is missing, infinite or not a \
                  number, no list. They are in no figure of performance.",
        formula: "rows without a usable answer / all observed rows of the window. Interval: Wilson's \
                  score interval at 95 %.",
        edge_cases: "No row: no data. Where decisions have an output of their own, a score that is out of \
                     range does not make the decision unusable. Answers that could not be decoded at all, \
                     and errors of the model server, are no rows: coverage counts those.",
        cannot_tell: "Whether those cases would have been decided rightly: a model that answers nonsense \
                      exactly where it is wrong looks right in all other figures. Rows of one request \
                      count as independent cases unless the objective's `cluster` says how many go \
                      together.",
        reference: "Two counts, compared with those of the raw rows in the tests of the command.",
        stream: StreamKind::Traffic,
        needs_label: false,
        needs_decision: false,
        answers: Answers::Any,
        ..DECIDED
    };

    fn reads(document: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![answers_key(document)]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let (unusable, rows) = unusable(seen.summary(&answers_key(seen.document))?)?;
        share(unusable, rows)
    }
}
