//! `GET /v1/systems` and `GET /v1/systems/{id}`: what is monitored, and how far.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::super::view;
use super::{ApiError, Shared};
use crate::known::KnownSystem;
use crate::store::ReadStore;

pub(super) async fn list(State(shared): State<Shared>) -> Result<Json<Value>, ApiError> {
    let answer = shared.read(|shared, read| {
        let items = shared
            .known
            .systems()
            .map(|system| summary(shared, read, system))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(json!({ "items": items, "next": null }))
    });
    answer.await.map(Json)
}

pub(super) async fn one(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let answer = shared.read(move |shared, read| {
        let system = shared.system(&id)?;
        let mut one = summary(shared, read, system)?;
        let state = read.system_state(system.id())?;
        one["document"] = json!(system.document_digest);
        one["baseline"] = json!(system.baseline_digest);
        one["plan"] = json!(system.plan.digest());
        one["pane"] = json!(system.pane());
        one["describes"] = json!(system.document.system);
        one["agents"] = system
            .agents
            .iter()
            .map(|a| json!({ "id": a, "watermark": state.watermarks.get(a) }))
            .collect();
        Ok(one)
    });
    answer.await.map(Json)
}

fn summary(shared: &Shared, read: &ReadStore<'_>, system: &KnownSystem) -> Result<Value, ApiError> {
    let state = read.system_state(system.id())?;
    let wall = shared.clock.now();
    let now = view::system_now(system, &state, wall);
    let views = view::objectives(read, system, now)?;
    let mut verdicts = serde_json::Map::new();
    for standing in views.iter().filter_map(|v| v.standing.as_ref()) {
        if let Some(verdict) = &standing.last {
            let count = verdicts.entry(verdict.state.as_str()).or_insert(json!(0));
            *count = json!(count.as_u64().unwrap_or(0) + 1);
        }
    }
    let candidates = views
        .iter()
        .filter(|v| v.standing.as_ref().is_some_and(|s| s.candidate.is_some()))
        .count();
    let lacking = view::lacking(read, system, &state, wall)?;
    Ok(json!({
        "id": system.id(),
        "name": system.document.system.name,
        "clock": state.clock,
        "now": now,
        "sealed_until": state.last_sealed.map(|p| p.end(system.pane())),
        "sealed_panes": read.seal_count(system.id())?,
        "objectives": views.len(),
        "verdicts": verdicts,
        "nonconformities": candidates,
        "missing_measurements": lacking.missing,
        "windows_without_traffic": lacking.quiet,
    }))
}
