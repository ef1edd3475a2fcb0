//! What the register says of a system at a moment: one reading, whoever shows it (`telemetry`, `export`), so that no two of
//! them can say different things.

use std::collections::BTreeMap;

use clause9_shared::ids::ObjectiveId;
use clause9_shared::metric::Estimate;
use clause9_shared::objective::Objective;
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::verdict::Verdict;

use crate::known::KnownSystem;
use crate::serve::{Lacking, first_due, lacking};
use crate::store::{ReadStore, StoreError, SystemState};
use clause9_shared::sealing::{Standing, Window, judges};

type Standings = BTreeMap<(ObjectiveId, u32), Standing>;

/// A system as the register has it.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) system: &'a KnownSystem,
    pub(crate) state: SystemState,
    /// Exchanges of the last sealed pane, and those whose fate is no loss.
    pub(crate) covered: Option<(u64, u64)>,
    /// Nonconformities that wait for a person.
    pub(crate) candidates: usize,
    pub(crate) lacking: Lacking,
    /// Of each objective, the version that is shown.
    pub(crate) objectives: Vec<ObjectiveReading<'a>>,
}

/// The version of an objective that is shown: the one that judged the last sealed pane, or the last that judged.
#[derive(Debug)]
pub(crate) struct ObjectiveReading<'a> {
    pub(crate) objective: &'a Objective,
    /// Every version, that one too.
    pub(crate) versions: Vec<&'a Objective>,
    pub(crate) in_force: bool,
    /// Since when it should have a value.
    pub(crate) first_due: Option<Timestamp>,
    standing: Option<Standing>,
    /// The value that is shown, if there is one.
    pub(crate) estimate: Option<Estimate>,
}

impl<'a> Reading<'a> {
    /// Reads. Costs the same whatever the register's age.
    pub(crate) fn of(
        read: &ReadStore<'_>,
        system: &'a KnownSystem,
        wall: Timestamp,
    ) -> Result<Self, StoreError> {
        let id = system.id();
        let state = read.system_state(id)?;
        let seal = state.last_sealed.map(|pane| read.seal(id, pane));
        let covered = seal.transpose()?.flatten().map(|seal| seal.covered);
        let mut standings = read.standings(id)?;
        let candidates = standings.values().filter(|s| s.candidate.is_some()).count();
        let lacking = lacking(read, system, &state, wall)?;
        let objectives = objectives(system, &state, &mut standings, wall);
        Ok(Self {
            system,
            state,
            covered,
            candidates,
            lacking,
            objectives,
        })
    }

    /// Whether it runs on replayed time.
    pub(crate) fn is_replayed(&self) -> bool {
        self.state.clock == Some(Clock::Replay)
    }
}

impl ObjectiveReading<'_> {
    /// The last verdict.
    pub(crate) fn verdict(&self) -> Option<&Verdict> {
        self.standing.as_ref()?.last.as_ref()
    }

    /// The window whose value is shown.
    pub(crate) fn window(&self) -> Option<Window> {
        let shown = self.standing.as_ref()?.shown.as_ref()?;
        Some(Window::holding(shown.start, self.objective.window))
    }

    /// Whether it is named as broken among those of its metric on other features, if that was ever said of it.
    pub(crate) fn named_together(&self) -> Option<bool> {
        let together = self.standing.as_ref()?.together?;
        self.in_force.then_some(together.named)
    }
}

fn objectives<'a>(
    system: &'a KnownSystem,
    state: &SystemState,
    standings: &mut Standings,
    wall: Timestamp,
) -> Vec<ObjectiveReading<'a>> {
    let mut versions: BTreeMap<&ObjectiveId, Vec<&Objective>> = BTreeMap::new();
    for compiled in &system.objectives {
        let objective = &compiled.objective;
        versions.entry(&objective.id).or_default().push(objective);
    }
    let mut objectives = Vec::new();
    for versions in versions.into_values() {
        let Some((objective, in_force)) = shown(&versions, state, standings) else {
            continue;
        };
        let standing = standings.remove(&(objective.id.clone(), objective.version));
        let window = standing.as_ref().and_then(|s| s.shown.as_ref());
        objectives.push(ObjectiveReading {
            objective,
            versions,
            in_force,
            first_due: first_due(system, objective, state, wall),
            estimate: window.and_then(|shown| shown.value.as_result().ok()),
            standing,
        });
    }
    objectives
}

/// The version that is shown, and whether it is in force: the one that judged the last sealed pane, so
/// that its verdict is there as soon as its name is.
fn shown<'a>(
    versions: &[&'a Objective],
    state: &SystemState,
    standings: &Standings,
) -> Option<(&'a Objective, bool)> {
    let last = state.last_sealed?;
    let newest = |in_force: bool| {
        let of = versions.iter().filter(|o| {
            standings.contains_key(&(o.id.clone(), o.version)) && (!in_force || judges(o, last))
        });
        of.max_by_key(|o| (o.effective_from, o.version)).copied()
    };
    match newest(true) {
        Some(objective) => Some((objective, true)),
        None => newest(false).map(|objective| (objective, false)),
    }
}
