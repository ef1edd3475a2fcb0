//! What is shown of systems and objectives, for the JSON answers, the pages and the telemetry alike.

use clause9_shared::objective::Objective;
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;

use crate::collect::progress;
use crate::known::KnownSystem;
use crate::missing::{self, Expected, Missing, Reach, Rows};
use crate::store::{Appended, ReadStore, StoreError, SystemState};
use clause9_shared::sealing::{Standing, in_force};

/// Windows that are looked through for missing ones, at most, for one answer.
const MAX_WINDOWS: u32 = 10_000;

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

/// Windows of a system that are due and have no value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lacking {
    /// Those that should have one.
    pub(crate) missing: u64,
    /// Those in which nothing was asked of the system.
    pub(crate) quiet: u64,
}

/// How many windows of a system are due and have no value.
pub(crate) fn lacking(
    read: &ReadStore<'_>,
    system: &KnownSystem,
    state: &SystemState,
    wall: Timestamp,
) -> Result<Lacking, StoreError> {
    let Some(reach) = reach(system, state, wall) else {
        return Ok(Lacking::default());
    };
    let mut lacking = Lacking::default();
    for compiled in &system.objectives {
        let objective = &compiled.objective;
        let expected = Expected::of(objective, system.stream(objective), &reach);
        let range = (expected.from, expected.due);
        let tally = read.tally(system.id(), &objective.id, objective.version, range)?;
        let unmeasured = expected.due_count().saturating_sub(tally.measured);
        let quiet = tally.quiet.min(unmeasured);
        lacking.quiet += quiet;
        lacking.missing += unmeasured - quiet;
    }
    Ok(lacking)
}

/// Carries the counts behind [`lacking`] forward to now, so that asking costs the same whatever the
/// register's age.
pub(crate) fn carry_tallies(
    to: &Appended<'_>,
    system: &KnownSystem,
    wall: Timestamp,
) -> Result<(), StoreError> {
    let state = to.read().system_state(system.id())?;
    // Until a pane is sealed, it may still change where the first window begins.
    let (Some(reach), Some(_)) = (reach(system, &state, wall), state.last_sealed) else {
        return Ok(());
    };
    for compiled in &system.objectives {
        let objective = &compiled.objective;
        let expected = Expected::of(objective, system.stream(objective), &reach);
        let range = (expected.from, expected.due);
        to.carry_tally(system.id(), &objective.id, objective.version, range)?;
    }
    Ok(())
}

/// From when on an objective version should have a value; none before anything was heard.
pub(crate) fn first_due(
    system: &KnownSystem,
    objective: &Objective,
    state: &SystemState,
    wall: Timestamp,
) -> Option<Timestamp> {
    let reach = reach(system, state, wall)?;
    Some(Expected::of(objective, system.stream(objective), &reach).first_due)
}

/// Where a list of missing windows goes on: at windows of the objective version at a place of the
/// document that end at a point or before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    place: usize,
    end: Timestamp,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.place, self.end.micros())
    }
}

impl std::str::FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('.').and_then(|(place, end)| {
            Some(Self {
                place: place.parse().ok()?,
                end: Timestamp::from_micros(end.parse().ok()?)?,
            })
        });
        parsed.ok_or_else(|| "`after` must be what `next` of an earlier answer said".to_owned())
    }
}

/// A part of the list of missing windows.
#[derive(Debug, Default)]
pub(crate) struct MissingPage {
    /// The windows.
    pub(crate) items: Vec<Missing>,
    /// Where the list goes on; none at its end.
    pub(crate) next: Option<Cursor>,
}

/// Windows of a system without a value, objective by objective, newest first. Looks through a bounded
/// number of windows, so that a page may hold fewer than asked for although more follow.
pub(crate) fn missing(
    read: &ReadStore<'_>,
    system: &KnownSystem,
    state: &SystemState,
    wall: Timestamp,
    limit: usize,
    after: Option<Cursor>,
) -> Result<MissingPage, StoreError> {
    let mut page = MissingPage::default();
    let Some(reach) = reach(system, state, wall) else {
        return Ok(page);
    };
    let next = PaneStart(reach.sealed_until).end(system.pane());
    let behind: Vec<_> = progress(system, state, wall)
        .watermarks
        .iter()
        .filter(|(_, w)| w.is_none_or(|w| w < next))
        .map(|(agent, _)| *agent)
        .collect();
    let mut budget = MAX_WINDOWS;
    let first = after.map_or(0, |after| after.place);
    for (place, compiled) in system.objectives.iter().enumerate().skip(first) {
        let objective = &compiled.objective;
        let expected = Expected::of(objective, system.stream(objective), &reach);
        let until = after
            .filter(|after| after.place == place)
            .map_or(expected.over, |after| after.end);
        let room = limit.saturating_sub(page.items.len());
        if room == 0 {
            page.next = Some(Cursor { place, end: until });
            break;
        }
        let (from, to, number) = expected.newest(until, budget);
        budget -= number;
        let stretch = (from, to);
        let measured = read.windows(system.id(), &objective.id, objective.version, stretch)?;
        let rows = Rows {
            measured: measured.into_iter().map(|r| (r.window.start, r)).collect(),
            silent: read.silent(system.id(), stretch)?,
            gaps: read.gaps(system.id(), from, to)?,
            behind: behind.clone(),
        };
        let found = missing::list(
            objective,
            &expected,
            stretch,
            &reach,
            system.pane(),
            &rows,
            room,
        );
        let end = match found.last() {
            Some(last) if found.len() == room => last.start,
            Some(_) | None => from,
        };
        page.items.extend(found);
        if end > expected.from {
            page.next = Some(Cursor { place, end });
            break;
        }
    }
    Ok(page)
}
