//! MissingRate.
use crate::metric::{Estimate, Grade, Metric, MetricSpec, Needs, Seen, StreamKind, Unmeasurable};
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::SummaryKey;

/// MissingRate.
#[derive(Debug)]
pub struct MissingRate;

impl Metric for MissingRate {
    const SPEC: MetricSpec = MetricSpec {
        name: "missing_rate",
        title: "MissingRate",
        unit: "1",
        good: Comparator::AtMost,
        range: (0.0, 1.0),
        meaning: "",
        cannot_tell: "",
        grade: Grade::A,
        stream: StreamKind::Traffic,
        needs: Needs::Nothing,
    };
    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        unimplemented!()
    }
    fn measure(_: Seen<'_>) -> Result<Estimate, Unmeasurable> {
        unimplemented!()
    }
}
