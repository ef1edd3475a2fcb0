//! Service: how fast, how large and how well the model answers. Telemetry of the model, not of the
//! monitor.
//!
//! Cases are answers (exchanges), not rows. Times and sizes are those that the caller had.

mod distinct;
mod means;
mod quantiles;
mod rates;

pub(super) use distinct::{DistinctCount, Uniqueness};
pub(super) use means::{FirstByteMean, LatencyMean, RequestBytesMean, ResponseBytesMean};
pub(super) use quantiles::{
    FirstByteP50, FirstByteP90, FirstByteP95, FirstByteP99, LatencyP50, LatencyP90, LatencyP95,
    LatencyP99, RequestBytesP50, RequestBytesP90, RequestBytesP95, RequestBytesP99,
    ResponseBytesP50, ResponseBytesP90, ResponseBytesP95, ResponseBytesP99,
};
pub(super) use rates::{
    ClientErrorRate, EmptyAnswerRate, FailureRate, ServerErrorRate, SlowRate, Throughput,
};

use crate::metric::{
    Answers, CasesOfGroups, Grade, IntervalFrom, MetricSpec, Needs, SampleKind, Seen, StreamKind,
    Unmeasurable, other_kind,
};
use crate::objective::document::Comparator;
use crate::service::Facet;
use crate::sketch::{CutCounts, Histogram, SummaryKey, SummaryKind, SummaryOf};

/// What metrics of the service have in common.
const SERVICE: MetricSpec = MetricSpec {
    name: "",
    title: "",
    unit: "1",
    good: Comparator::AtMost,
    range: (0.0, 1.0),
    meaning: "",
    formula: "",
    edge_cases: "No answer: no data. Redirections and statuses outside 100 to 599 count as answers, \
                 not as errors.",
    cannot_tell: "Anything about exchanges that the monitor let go or that had not ended when their \
                  pane closed (coverage counts them): the slowest answers are among them. Why an \
                  answer was slow, large or wrong. Requests of one caller count as independent cases \
                  unless the objective's `cluster` says how many go together: where more do, the \
                  evidence is weaker than it says.",
    reference: "",
    grade: Grade::A,
    stream: StreamKind::Traffic,
    sample: SampleKind::Rate,
    needs: Needs::Nothing,
    needs_score: false,
    needs_decision: false,
    needs_label: false,
    answers: Answers::Any,
    interval: IntervalFrom::Formula,
    groups: CasesOfGroups::Apart,
};

/// Where a facet's numbers are kept.
const fn key(facet: Facet, kind: SummaryKind) -> SummaryKey {
    SummaryKey::new(SummaryOf::Service(facet), kind)
}

fn histogram<'a>(seen: &Seen<'a>, facet: Facet) -> Result<&'a Histogram, Unmeasurable> {
    let summary = seen.summary(&key(facet, SummaryKind::Histogram))?;
    Histogram::of(summary).ok_or_else(|| other_kind("histogram"))
}

fn cuts<'a>(seen: &Seen<'a>, facet: Facet) -> Result<&'a CutCounts, Unmeasurable> {
    let summary = seen.summary(&key(facet, SummaryKind::CutCounts))?;
    CutCounts::of(summary).ok_or_else(|| other_kind("cuts"))
}
