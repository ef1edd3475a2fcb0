//! RocAuc.
use crate::metric::{Estimate, Grade, Metric, MetricSpec, Needs, Seen, StreamKind, Unmeasurable};
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::SummaryKey;

/// RocAuc.
#[derive(Debug)]
pub struct RocAuc;

impl Metric for RocAuc {
    const SPEC: MetricSpec = MetricSpec {
        name: "roc_auc",
        title: "RocAuc",
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
