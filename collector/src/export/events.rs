//! Events of a seal: verdicts that are other ones than before, and nonconformities that were raised. Core. An event names the
//! record that it tells of; what a record says in words of people stays there.

use clause9_otlp::message::{Attributes, Event, Severity, Value};
use clause9_shared::evidence::RecordKind;
use clause9_shared::ids::ObjectiveId;
use clause9_shared::verdict::VerdictState;

use super::attribute::{
    CLOCK, EVIDENCE, GRADE, MEASUREMENT_RECORD, METRIC, NONCONFORMITY, OBJECTIVE, PREVIOUS, RECORD,
    STATE, SYSTEM, VERDICT_RECORD, VERSION,
};
use super::{figures, grade};
use crate::known::KnownSystem;
use crate::telemetry::nats;
use clause9_shared::evidence::body::{NonconformityBody, VerdictBody};
use clause9_shared::evidence::pen::Written;
use clause9_shared::sealing::Action;

/// Name of a changed verdict's event.
const CHANGED: &str = "clause9.verdict.changed";
/// Name of a nonconformity's event.
const RAISED: &str = "clause9.nonconformity.raised";

/// What of a seal's actions others are told. Nothing of a record that cannot be read: it was written a moment before.
pub(crate) fn events(system: &KnownSystem, actions: &[Action]) -> Vec<Event> {
    let told = actions.iter().filter_map(|action| match action {
        Action::Append { written, of } => {
            let (objective, version) = of.as_ref()?;
            of_record(system, written, objective, *version)
        }
        Action::Keep { .. }
        | Action::Block(_)
        | Action::Stand { .. }
        | Action::Window(_)
        | Action::Seal(_) => None,
    });
    told.collect()
}

fn of_record(
    system: &KnownSystem,
    written: &Written,
    objective: &ObjectiveId,
    version: u32,
) -> Option<Event> {
    let body = || written.record.body.clone();
    match written.record.header.kind {
        RecordKind::Verdict => {
            let body: VerdictBody = serde_json::from_value(body()).ok()?;
            let state = body.verdict.state;
            if body.previous == Some(state) {
                return None;
            }
            let mut about = about(system, written, objective, version);
            about.push((STATE, Value::from(state.as_str())));
            if let Some(previous) = body.previous {
                about.push((PREVIOUS, Value::from(previous.as_str())));
            }
            about.push((GRADE, Value::from(grade(body.verdict.grade))));
            evidence(&mut about, body.verdict.evidence);
            if let Some(measurement) = body.measurement {
                about.push((MEASUREMENT_RECORD, Value::Text(measurement.to_string())));
            }
            let said = format!("{objective} of {} is {}", system.id(), state.as_str());
            Some(event(CHANGED, written, severity(state), said, about))
        }
        RecordKind::Nonconformity => {
            let body: NonconformityBody = serde_json::from_value(body()).ok()?;
            let mut about = about(system, written, objective, version);
            about.push((NONCONFORMITY, Value::Text(body.state)));
            about.push((GRADE, Value::from(grade(body.candidate.grade))));
            evidence(&mut about, body.candidate.evidence);
            about.push((VERDICT_RECORD, Value::Text(body.verdict.to_string())));
            let said = format!("candidate nonconformity: {objective} of {}", system.id());
            Some(event(RAISED, written, Severity::Error, said, about))
        }
        RecordKind::Started
        | RecordKind::Objectives
        | RecordKind::Baseline
        | RecordKind::Agents
        | RecordKind::Batch
        | RecordKind::Refusal
        | RecordKind::Block
        | RecordKind::Measurement
        | RecordKind::Gap
        | RecordKind::Together
        | RecordKind::Key
        | RecordKind::Seal => None,
    }
}

fn about(
    system: &KnownSystem,
    written: &Written,
    objective: &ObjectiveId,
    version: u32,
) -> Attributes {
    let mut about = vec![
        (SYSTEM, Value::from(system.id().as_str())),
        (OBJECTIVE, Value::from(objective.as_str())),
        (VERSION, Value::Count(version.into())),
    ];
    let all = system.objectives.iter().map(|compiled| &compiled.objective);
    let known = all
        .into_iter()
        .find(|o| o.id == *objective && o.version == version);
    if let Some(known) = known {
        about.push((METRIC, Value::from(known.metric.spec().name)));
    }
    about.push((
        CLOCK,
        Value::from(figures::word(written.record.header.clock)),
    ));
    about.push((RECORD, Value::Text(written.digest.to_string())));
    about
}

/// Evidence, once anything was bet.
fn evidence(about: &mut Attributes, fixed: i64) {
    let nats = nats(fixed);
    if nats.is_finite() {
        about.push((EVIDENCE, Value::Number(nats)));
    }
}

const fn severity(state: VerdictState) -> Severity {
    match state {
        VerdictState::Nonconforming => Severity::Error,
        VerdictState::Warning => Severity::Warn,
        VerdictState::Watch
        | VerdictState::Conforming
        | VerdictState::Inconclusive
        | VerdictState::NoData => Severity::Info,
    }
}

fn event(
    name: &'static str,
    written: &Written,
    severity: Severity,
    body: String,
    attributes: Attributes,
) -> Event {
    Event {
        name,
        at: written.record.header.created_at,
        seen: written.record.header.received_at,
        severity,
        body,
        attributes,
    }
}
