//! Psi.
use crate::metric::{Estimate, Grade, Metric, MetricSpec, Needs, Seen, StreamKind, Unmeasurable};
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::SummaryKey;

/// Psi.
#[derive(Debug)]
pub struct Psi;

impl Metric for Psi {
    const SPEC: MetricSpec = MetricSpec {
        name: "psi",
        title: "Psi",
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
