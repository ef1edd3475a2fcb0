//! What is shown of systems and objectives, for the JSON answers, the pages and the telemetry alike.

use std::collections::BTreeMap;

use clause9_shared::objective::Objective;
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;

use crate::collect::progress;
use crate::known::KnownSystem;
use crate::missing::{self, Expected, Missing, Reach, Rows};
use crate::plan::{Standing, in_force};
use crate::store::{ReadStore, StoreError, SystemState};

/// Windows that are looked through for missing ones, at most, per objective version.
const MAX_WINDOWS: usize = 10_000;

/// One objective version as it stands.
#[derive(Debug)]
pub(crate) struct ObjectiveView<'a> {
    /// The objective.
    pub(crate) objective: &'a Objective,
    /// Its compiled form.
    pub(crate) compiled: clause9_shared::digest::Digest,
    /// Whether it is in force at the system's clock.
    pub(crate) in_force: bool,
    /// How its ledger stands, once it judged anything.
    pub(crate) standing: Option<Standing>,
}

/// Every objective version of a system, in the order of the document.
pub(crate) fn objectives<'a>(
    read: &ReadStore<'_>,
    system: &'a KnownSystem,
    now: Option<Timestamp>,
) -> Result<Vec<ObjectiveView<'a>>, StoreError> {
    let mut standings = read.standings(system.id())?;
    let views = system.objectives.iter().map(|compiled| {
        let objective = &compiled.objective;
        ObjectiveView {
            objective,
            compiled: compiled.digest(),
            in_force: now.is_some_and(|now| in_force(objective, now)),
            standing: standings.remove(&(objective.id.clone(), objective.version)),
        }
    });
    Ok(views.collect())
}

/// The system's clock; none before anything was heard.
pub(crate) fn system_now(
    system: &KnownSystem,
    state: &SystemState,
    wall: Timestamp,
) -> Option<Timestamp> {
    state.clock.map(|_| progress(system, state, wall).now)
}

fn reach(system: &KnownSystem, state: &SystemState, wall: Timestamp) -> Option<Reach> {
    let now = system_now(system, state, wall)?;
    let first = state.first_sealed.or(state.pending)?;
    Some(Reach {
        now,
        first,
        sealed_until: state
            .last_sealed
            .map_or(first.0, |last| last.end(system.pane())),
        lateness: system.document.panes.lateness,
    })
}

/// How many windows of a system should have a value and have none.
pub(crate) fn missing_count(
    read: &ReadStore<'_>,
    system: &KnownSystem,
    state: &SystemState,
    wall: Timestamp,
) -> Result<u64, StoreError> {
    let Some(reach) = reach(system, state, wall) else {
        return Ok(0);
    };
    let mut missing = 0;
    for compiled in &system.objectives {
        let objective = &compiled.objective;
        let expected = Expected::of(objective, system.stream(objective), &reach);
        let range = (expected.from, expected.due);
        let measured = read.measured_count(system.id(), &objective.id, objective.version, range)?;
        missing += expected.due_count().saturating_sub(measured);
    }
    Ok(missing)
}

/// Windows of a system without a value, objective by objective, newest first.
pub(crate) fn missing(
    read: &ReadStore<'_>,
    system: &KnownSystem,
    state: &SystemState,
    wall: Timestamp,
    limit: usize,
) -> Result<Vec<Missing>, StoreError> {
    let Some(reach) = reach(system, state, wall) else {
        return Ok(Vec::new());
    };
    let next = PaneStart(reach.sealed_until).end(system.pane());
    let behind: Vec<_> = progress(system, state, wall)
        .watermarks
        .iter()
        .filter(|(_, w)| w.is_none_or(|w| w < next))
        .map(|(agent, _)| *agent)
        .collect();
    let silent: BTreeMap<_, _> = read
        .seals(system.id(), None, MAX_WINDOWS, true)?
        .into_iter()
        .filter(|seal| !seal.missing.is_empty())
        .map(|seal| (seal.pane, seal.missing))
        .collect();
    let gaps = read.gaps(system.id(), reach.first.0, reach.sealed_until)?;
    let mut all = Vec::new();
    for compiled in &system.objectives {
        let objective = &compiled.objective;
        let expected = Expected::of(objective, system.stream(objective), &reach);
        let rows = Rows {
            measured: read
                .windows(system.id(), &objective.id, objective.version, MAX_WINDOWS)?
                .into_iter()
                .map(|row| (row.window.start, row))
                .collect(),
            silent: silent.clone(),
            gaps: gaps.clone(),
            behind: behind.clone(),
        };
        let room = limit.saturating_sub(all.len());
        all.extend(missing::list(
            objective,
            expected,
            &reach,
            system.pane(),
            &rows,
            room,
        ));
    }
    Ok(all)
}
