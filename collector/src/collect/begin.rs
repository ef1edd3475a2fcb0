//! The first transaction of a run: what the program is and which documents it works by.

use clause9_shared::baseline::Baseline;
use clause9_shared::canonical;
use clause9_shared::evidence::RecordKind;
use clause9_shared::objective::Document;
use clause9_shared::plan::CapturePlan;
use clause9_shared::time::Clock;

use super::Program;
use crate::execute::Counts;
use crate::known::{Known, KnownSystem};
use crate::store::{Appended, StoreError, WriteStore};
use clause9_shared::evidence::body::{CompiledRef, DocumentBody, StartedBody};
use clause9_shared::evidence::pen::{About, Pen, Unwritable, reference};

/// Writes down the start, and each document that is new. Adds plans that were in use before.
pub(crate) fn begin(
    store: &mut WriteStore,
    known: &mut Known,
    program: &Program,
    pen: &Pen,
) -> Result<Counts, StoreError> {
    let ids: Vec<_> = known.systems().map(|s| s.id().clone()).collect();
    let (counts, older) = store.commit(|to| {
        let mut counts = Counts::new();
        let body = StartedBody {
            version: program.version.to_owned(),
            build: program.build,
            configuration: program.configuration,
            systems: ids.clone(),
        };
        let started = pen.write(RecordKind::Started, pen.now, About::default(), &body)?;
        add(to, &started, &mut counts)?;
        let mut older = Vec::new();
        for system in known.systems() {
            same_clock(to, system)?;
            older.push((system.id().clone(), older_plans(to, system)?));
            documents(to, system, pen, &mut counts)?;
        }
        Ok((counts, older))
    })?;
    for (id, plans) in older {
        if let Some(system) = known.system_mut(&id) {
            system.older = plans.into_iter().map(Into::into).collect();
        }
    }
    Ok(counts)
}

fn add(
    to: &Appended<'_>,
    written: &clause9_shared::evidence::pen::Written,
    counts: &mut Counts,
) -> Result<(), StoreError> {
    if to.append(written, None)? {
        *counts.entry(written.record.header.kind).or_default() += 1;
    }
    Ok(())
}

/// Plans of the documents in the register. One that this version cannot derive any more is left out:
/// what it counted is then refused as `unknown_plan`.
fn older_plans(to: &Appended<'_>, system: &KnownSystem) -> Result<Vec<CapturePlan>, StoreError> {
    let mut plans = Vec::new();
    for (document, baseline) in to.read().plans(system.id())? {
        let read = |name| -> Result<Vec<u8>, StoreError> {
            let row = to.read().content(name)?;
            Ok(row.ok_or(StoreError::Row("plans"))?.bytes)
        };
        let document: Option<Document> = serde_json::from_slice(&read(document)?).ok();
        let baseline: Option<Baseline> = serde_json::from_slice(&read(baseline)?).ok();
        let plan = document
            .zip(baseline)
            .and_then(|(d, b)| CapturePlan::new(&d, &b).ok());
        match plan {
            Some(plan) if plan.digest() != system.plan.digest() => plans.push(plan),
            Some(_) => {}
            None => {
                tracing::warn!(system = %system.id(), "an earlier plan cannot be derived any more");
            }
        }
    }
    Ok(plans)
}

/// Panes of live and of replayed time cannot stand in one register as one system's.
fn same_clock(to: &Appended<'_>, system: &KnownSystem) -> Result<(), StoreError> {
    match to.read().system_state(system.id())?.clock {
        Some(clock) if clock != system.clock => Err(StoreError::Conflict(format!(
            "system `{}` is on the {} clock in the register and on the {} clock in the configuration; \
             set `clock: {}` in its entry of `systems`, or use another `store`",
            system.id(),
            clock.as_str(),
            system.clock.as_str(),
            clock.as_str()
        ))),
        Some(_) | None => Ok(()),
    }
}

fn documents(
    to: &Appended<'_>,
    system: &KnownSystem,
    pen: &Pen,
    counts: &mut Counts,
) -> Result<(), StoreError> {
    let unwritable = |e: canonical::NotCanonical| Unwritable::new("objectives", e.to_string());
    let document = canonical::to_json(&system.document).map_err(unwritable)?;
    let baseline = canonical::to_json(&system.baseline).map_err(unwritable)?;
    to.keep(system.document_digest, "objectives", document.as_bytes())?;
    to.keep(system.baseline_digest, "baseline", baseline.as_bytes())?;
    let mut objectives = Vec::new();
    for compiled in &system.objectives {
        let objective = &compiled.objective;
        let bytes = canonical::to_json(compiled).map_err(unwritable)?;
        to.keep(compiled.digest(), "compiled", bytes.as_bytes())?;
        to.keep_compiled(
            system.id(),
            &objective.id,
            objective.version,
            compiled.digest(),
        )?;
        objectives.push(CompiledRef {
            objective: objective.id.clone(),
            version: objective.version,
            compiled: compiled.digest(),
        });
    }
    let plan = system.plan.digest();
    if !to.keep_plan(
        system.id(),
        plan,
        system.document_digest,
        system.baseline_digest,
    )? {
        return Ok(());
    }
    let about = |role, digest| About {
        system: Some(system.id().clone()),
        // Documents come into use on the wall clock, whatever the system's is.
        clock: Clock::Live,
        supersedes: None,
        refs: vec![reference(role, digest)],
    };
    let body = DocumentBody {
        document: system.baseline_digest,
        plan: None,
        baseline: None,
        objectives: Vec::new(),
    };
    let about_baseline = about("baseline", system.baseline_digest);
    let written = pen.write(RecordKind::Baseline, pen.now, about_baseline, &body)?;
    add(to, &written, counts)?;
    let body = DocumentBody {
        document: system.document_digest,
        plan: Some(plan),
        baseline: Some(system.baseline_digest),
        objectives,
    };
    let about = about("objectives", system.document_digest);
    let written = pen.write(RecordKind::Objectives, pen.now, about, &body)?;
    add(to, &written, counts)
}
