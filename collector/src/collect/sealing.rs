//! Seals what can be sealed. One pane, one transaction: its blocks, records, ledgers and the
//! forgetting of what went into it are on disk together or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use clause9_otlp::Step;
use clause9_otlp::message::Event;
use clause9_otlp::trace::Context;
use clause9_shared::ids::{AgentId, SystemId};
use clause9_shared::time::{Clock, Timestamp};

use super::gaps::Gaps;
use super::ingest::Brought;
use super::{Writer, chain};
use crate::execute::{Counts, execute};
use crate::export;
use crate::known::KnownSystem;
use crate::reading::Reading;
use crate::serve::carry_tallies;
use crate::store::{Appended, Since, StoreError, SystemState};
use clause9_shared::evidence::RecordKind;
use clause9_shared::evidence::body::SealBody;
use clause9_shared::evidence::pen::{About, Pen, Written, reference};
use clause9_shared::sealing::due::{self, Due, Progress, Timing};
use clause9_shared::sealing::{self, Action, Seal, SealRow, blocks};

/// Most panes of one system that are sealed before batches are taken again.
const MAX_SEALS_AT_ONCE: usize = 32;

/// When figures of a system are read and shown anew.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown {
    /// Whatever happened: time alone changes some.
    Always,
    /// If a pane was sealed. The rest can wait until the clock is looked at.
    IfSealed,
}

/// No system's panes could be sealed; the log says why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SealingFailed;

impl Writer {
    /// Looks at every system, whether something came for it or not.
    pub(crate) fn look_around(&mut self) -> Result<(), SealingFailed> {
        self.look_at_all(None)
    }

    /// The same, with what was brought a moment before.
    pub(super) fn look_at_all(&mut self, brought: Option<&Brought>) -> Result<(), SealingFailed> {
        let trace = |id: &SystemId| brought.and_then(|brought| brought.get(id).copied().flatten());
        let systems = self.known.systems().map(|s| s.id().clone());
        let all: Brought = systems.map(|id| (id.clone(), trace(&id))).collect();
        self.seal(&all, Shown::Always)
    }

    /// Seals every pane that can be sealed, of these systems. What goes wrong with one system is
    /// counted and logged, and keeps no other waiting. An error only if it went wrong with each.
    pub(super) fn seal(&mut self, systems: &Brought, shown: Shown) -> Result<(), SealingFailed> {
        let known = Arc::clone(&self.known);
        let (mut tried, mut failed) = (0, 0);
        for (id, trace) in systems {
            let Some(system) = known.system(id) else {
                continue;
            };
            tried += 1;
            if let Err(error) = self.seal_system(system, *trace, shown) {
                failed += 1;
                self.telemetry.count_seal_failure(system.id());
                tracing::error!(system = %system.id(), error = %chain(&error), "the system's panes were not sealed");
            }
        }
        if tried > 0 && failed == tried {
            return Err(SealingFailed);
        }
        Ok(())
    }

    fn seal_system(
        &mut self,
        system: &KnownSystem,
        trace: Option<Context>,
        shown: Shown,
    ) -> Result<(), StoreError> {
        let mut sealed = 0;
        while sealed < MAX_SEALS_AT_ONCE && self.seal_next(system, trace)? {
            sealed += 1;
        }
        match shown {
            Shown::Always => {}
            Shown::IfSealed if sealed > 0 => {}
            Shown::IfSealed => return Ok(()),
        }
        let now = self.clock.now();
        let telemetry = Arc::clone(&self.telemetry);
        let grace = self.seal_grace;
        let reading = self.store.commit(|to| {
            carry_tallies(to, system, now)?;
            let reading = Reading::of(&to.read(), system, now)?;
            telemetry.show(&to.read(), &reading, grace)?;
            Ok(reading)
        })?;
        if let Some(export) = &self.export {
            export::show(export, &reading, now);
        }
        Ok(())
    }

    fn seal_next(
        &mut self,
        system: &KnownSystem,
        trace: Option<Context>,
    ) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let pen = self.pen(now);
        let grace = self.seal_grace;
        let due = self.store.commit(|to| due(to, system, grace, now))?;
        let Some((due, _, _)) = due else {
            return Ok(false);
        };
        let patience = self.patience.entry(system.id().clone()).or_default();
        if !patience.is_over(&due.silent, now) {
            return Ok(false);
        }
        let step = Step::of(self.export.as_ref(), trace, "seal pane", now);
        let telling = self.export.is_some();
        let sealed = self
            .store
            .commit(|to| seal_one(to, system, grace, now, (&pen, telling)));
        if let Some(step) = step {
            step.end(self.clock.now(), sealed.is_err(), Vec::new());
        }
        let Some((counts, events)) = sealed? else {
            return Ok(false);
        };
        self.telemetry.count_records(&counts);
        self.telemetry.count_seal(system.id());
        // Only now, when all of it is on disk.
        if let Some(export) = &self.export {
            for event in events {
                export.tell(event);
            }
        }
        Ok(true)
    }
}

/// How far a system has come, as far as its trusted agents say. A batch that a later one overtook is waited for: an
/// agent has come only as far as everything of it is here.
pub(crate) fn progress(system: &KnownSystem, state: &SystemState, wall: Timestamp) -> Progress {
    let watermarks: BTreeMap<_, _> = system
        .awaited(|agent| state.watermarks.contains_key(agent))
        .map(|agent| (agent, state.watermarks.get(&agent).copied()))
        .collect();
    let clock = state.clock.unwrap_or_default();
    let now = due::system_now(clock, wall, watermarks.values().flatten());
    let here = |(agent, watermark): (AgentId, Option<Timestamp>)| {
        let complete = state.complete.get(&agent).copied();
        (agent, watermark.map(|w| complete.map_or(w, |c| w.min(c))))
    };
    Progress {
        sealed: state.last_sealed,
        pending: state.pending,
        now,
        watermarks: watermarks.into_iter().map(here).collect(),
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

/// The pane that can be sealed now, on which clock, and how far the system has come.
fn due(
    to: &Appended<'_>,
    system: &KnownSystem,
    grace: clause9_shared::time::Span,
    wall: Timestamp,
) -> Result<Option<(Due, Clock, Progress)>, StoreError> {
    let state = to.read().system_state(system.id())?;
    let progress = progress(system, &state, wall);
    let due = due::next_due(&progress, timing(system, grace));
    Ok(state
        .clock
        .zip(due)
        .map(|(clock, due)| (due, clock, progress)))
}

/// The record of a seal, when everything else of it was appended.
fn seal_record(
    to: &Appended<'_>,
    seal: &Seal<'_>,
    actions: &[Action],
    pen: &Pen,
) -> Result<Option<Written>, StoreError> {
    let row = actions.iter().find_map(|action| match action {
        Action::Seal(row) => Some(row),
        Action::Keep { .. }
        | Action::Append { .. }
        | Action::Block(_)
        | Action::Stand { .. }
        | Action::Window(_) => None,
    });
    let Some(row) = row else {
        return Ok(None);
    };
    let Since {
        seal: previous,
        records,
        census,
    } = to.read().since_last_seal(seal.system.id())?;
    let body = SealBody {
        seal: SealRow::clone(row),
        previous,
        records,
        census,
    };
    let about = About {
        system: Some(seal.system.id().clone()),
        clock: seal.clock,
        refs: previous
            .into_iter()
            .map(|previous| reference("seal", previous))
            .collect(),
        ..About::default()
    };
    Ok(Some(pen.write(RecordKind::Seal, row.end, about, &body)?))
}

fn seal_one(
    to: &Appended<'_>,
    system: &KnownSystem,
    grace: clause9_shared::time::Span,
    wall: Timestamp,
    (pen, telling): (&Pen, bool),
) -> Result<Option<(Counts, Vec<Event>)>, StoreError> {
    let id: &SystemId = system.id();
    let Some((mut due, clock, progress)) = due(to, system, grace, wall)? else {
        return Ok(None);
    };
    // Who was heard and lacks a batch is not silent: the hole is written down below.
    let heard = to.read().system_state(id)?.watermarks;
    let end = due.pane.end(system.pane());
    due.silent
        .retain(|agent| heard.get(agent).is_none_or(|w| *w < end));
    let sealed = blocks::blocks(due.pane, to.read().contributions(id, due.pane)?);
    let seal = Seal {
        system,
        clock,
        due: &due,
        now: progress.now,
    };
    let mut lost = Counts::new();
    Gaps { to, system, pen }.lost_until(end, &mut lost)?;
    let past = to.past(system, &sealing::needs(&seal, &sealed))?;
    let actions = sealing::plan(&seal, sealed, past, pen)?;
    let mut counts = execute(to, id, &actions)?;
    if let Some(written) = seal_record(to, &seal, &actions, pen)? {
        to.append(&written, None)?;
        *counts.entry(RecordKind::Seal).or_default() += 1;
    }
    for (kind, n) in lost {
        *counts.entry(kind).or_default() += n;
    }
    to.settle(id, due.pane.0)?;
    tracing::info!(system = %id, pane = %due.pane.0, silent = due.silent.len(), "pane sealed");
    let events = if telling {
        export::events(system, &actions)
    } else {
        Vec::new()
    };
    Ok(Some((counts, events)))
}
