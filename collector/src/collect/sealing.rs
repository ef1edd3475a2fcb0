//! Seals what can be sealed. One pane, one transaction: its blocks, records, ledgers and the
//! forgetting of what went into it are on disk together or not at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use clause9_shared::ids::SystemId;
use clause9_shared::time::Timestamp;

use super::Writer;
use crate::execute::{Counts, execute};
use crate::known::KnownSystem;
use crate::plan::{self, Seal};
use crate::register::Pen;
use crate::seal::{self, Progress, Timing};
use crate::store::{Appended, StoreError, SystemState};

/// Most panes of one system that are sealed before batches are taken again.
const MAX_SEALS_AT_ONCE: usize = 32;

impl Writer {
    /// What is done when nothing arrives: time alone can force a seal.
    pub(crate) fn look_around(&mut self) -> Result<(), StoreError> {
        let all: BTreeSet<_> = self.known.systems().map(|s| s.id().clone()).collect();
        self.seal(&all)
    }

    /// Seals every pane that can be sealed, of these systems.
    pub(super) fn seal(&mut self, systems: &BTreeSet<SystemId>) -> Result<(), StoreError> {
        let known = Arc::clone(&self.known);
        for system in systems.iter().filter_map(|id| known.system(id)) {
            for _ in 0..MAX_SEALS_AT_ONCE {
                if !self.seal_next(system)? {
                    break;
                }
            }
            let now = self.clock.now();
            let telemetry = Arc::clone(&self.telemetry);
            self.store
                .commit(|to| telemetry.show(&to.read(), system, now))?;
        }
        Ok(())
    }

    fn seal_next(&mut self, system: &KnownSystem) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let pen = self.pen(now);
        let grace = self.seal_grace;
        let counts = self
            .store
            .commit(|to| seal_one(to, system, grace, now, &pen))?;
        if let Some(counts) = &counts {
            self.telemetry.count_records(counts);
            self.telemetry.count_seal(system.id());
        }
        Ok(counts.is_some())
    }
}

/// How far a system has come, as far as its trusted agents say.
pub(crate) fn progress(system: &KnownSystem, state: &SystemState, wall: Timestamp) -> Progress {
    let watermarks: std::collections::BTreeMap<_, _> = system
        .agents
        .iter()
        .map(|agent| (*agent, state.watermarks.get(agent).copied()))
        .collect();
    let clock = state.clock.unwrap_or_default();
    Progress {
        sealed: state.last_sealed,
        pending: state.pending,
        now: seal::system_now(clock, wall, watermarks.values().flatten()),
        watermarks,
    }
}

/// The lengths of time of a system.
fn timing(system: &KnownSystem, grace: clause9_shared::time::Span) -> Timing {
    Timing {
        pane: system.pane(),
        lateness: system.document.panes.lateness,
        grace,
    }
}

fn seal_one(
    to: &Appended<'_>,
    system: &KnownSystem,
    grace: clause9_shared::time::Span,
    wall: Timestamp,
    pen: &Pen,
) -> Result<Option<Counts>, StoreError> {
    let id: &SystemId = system.id();
    let state = to.read().system_state(id)?;
    let Some(clock) = state.clock else {
        return Ok(None);
    };
    let progress = progress(system, &state, wall);
    let Some(due) = seal::next_due(&progress, timing(system, grace)) else {
        return Ok(None);
    };
    let sealed = seal::blocks(due.pane, to.read().contributions(id, due.pane)?);
    let seal = Seal {
        system,
        clock,
        due: &due,
        now: progress.now,
    };
    let past = to.read().past(id, &plan::needs(&seal, &sealed))?;
    let actions = plan::plan(&seal, sealed, past, pen)?;
    let counts = execute(to, id, &actions)?;
    to.settle(id, due.pane.0)?;
    tracing::info!(system = %id, pane = %due.pane.0, silent = due.silent.len(), "pane sealed");
    Ok(Some(counts))
}
