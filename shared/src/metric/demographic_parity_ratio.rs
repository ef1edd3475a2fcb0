//! DemographicParityRatio.
use crate::metric::{Estimate, Grade, Metric, MetricSpec, Needs, Seen, StreamKind, Unmeasurable};
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::SummaryKey;

/// DemographicParityRatio.
#[derive(Debug)]
pub struct DemographicParityRatio;

impl Metric for DemographicParityRatio {
    const SPEC: MetricSpec = MetricSpec {
        name: "demographic_parity_ratio",
        title: "DemographicParityRatio",
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
