//! `GET /v1/systems/{id}/objectives`: every objective version with its state.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::super::view::{self, ObjectiveView};
use super::{ApiError, Shared};
use crate::telemetry::nats;

pub(super) async fn list(
    State(shared): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let answer = shared.read(move |shared, read| {
        let system = shared.system(&id)?;
        let state = read.system_state(system.id())?;
        let now = view::system_now(system, &state, shared.clock.now());
        let views = view::objectives(read, system, now)?;
        let items: Vec<_> = views.iter().map(one).collect();
        Ok(json!({ "items": items, "next": null }))
    });
    answer.await.map(Json)
}

fn one(view: &ObjectiveView<'_>) -> Value {
    let standing = view.standing.as_ref();
    let verdict = standing.and_then(|s| s.last.as_ref()).map(|v| {
        json!({
            "state": v.state, "because": v.because, "grade": v.grade,
            "evidence_nats": nats(v.evidence),
            "warning_at_nats": nats(v.warning_at),
            "nonconformity_at_nats": nats(v.nonconformity_at),
            "blocks": v.blocks, "support": v.support, "needed": v.needed, "running": v.running,
            "record": standing.and_then(|s| s.verdict),
        })
    });
    let shown = standing.and_then(|s| s.shown.as_ref()).map(|s| {
        let estimate = s.value.as_result().ok();
        json!({
            "window_start": s.start, "status": s.status, "measurement": s.measurement,
            "value": estimate.as_ref().map(|e| e.value),
            "interval": estimate.as_ref().and_then(|e| e.interval),
            "support": estimate.as_ref().map(|e| e.support),
        })
    });
    json!({
        "in_force": view.in_force,
        "compiled": view.compiled,
        "objective": view.objective,
        "verdict": verdict,
        "shown": shown,
        "nonconformity": standing.and_then(|s| s.candidate),
        "together": standing.and_then(|s| s.together),
        "seen_again": standing.map_or(0, |s| s.seen_again),
    })
}
