//! What others are told by OpenTelemetry's protocol, beside the register and /metrics: figures of each reading, and events of what
//! a seal changed. None of it is evidence; each event names the record that is. Steps of the collector's own work are told where
//! they are done (`clause9_otlp::Step`).
//!
//! Core: `figures`, `events`. How it is sent, and what happens if it cannot be, is `clause9_otlp`'s.

mod events;
mod figures;

use clause9_otlp::Export;
use clause9_shared::time::Timestamp;

use crate::reading::Reading;

pub(crate) use events::events;

/// Names of attributes, as docs/otlp.md lists them.
mod attribute {
    pub(super) const SYSTEM: &str = "clause9.system";
    pub(super) const OBJECTIVE: &str = "clause9.objective";
    pub(super) const VERSION: &str = "clause9.objective.version";
    pub(super) const METRIC: &str = "clause9.metric";
    pub(super) const CLOCK: &str = "clause9.clock";
    pub(super) const LEVEL: &str = "clause9.level";
    pub(super) const GRADE: &str = "clause9.evidence.grade";
    pub(super) const STATE: &str = "clause9.verdict.state";
    pub(super) const PREVIOUS: &str = "clause9.verdict.previous_state";
    pub(super) const NONCONFORMITY: &str = "clause9.nonconformity.state";
    pub(super) const EVIDENCE: &str = "clause9.evidence.nats";
    pub(super) const RECORD: &str = "clause9.record";
    pub(super) const VERDICT_RECORD: &str = "clause9.verdict.record";
    pub(super) const MEASUREMENT_RECORD: &str = "clause9.measurement.record";
}

/// Shows a system as it was read.
pub(crate) fn show(export: &Export, reading: &Reading<'_>, wall: Timestamp) {
    let source = reading.system.id().as_str();
    export.show(source, figures::figures(reading), wall);
}

/// The word for the grade of evidence.
const fn grade(grade: clause9_shared::metric::Grade) -> &'static str {
    use clause9_shared::metric::Grade;
    match grade {
        Grade::A => "A",
        Grade::B => "B",
        Grade::C => "C",
    }
}
