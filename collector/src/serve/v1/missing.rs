//! `GET /v1/missing?system=&limit=`: what should have been measured and was not, with the reason.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::view;
use super::{ApiError, Params, Shared, limit};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MissingParams {
    system: String,
    limit: Option<usize>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Params(params): Params<MissingParams>,
) -> Result<Json<Value>, ApiError> {
    let limit = limit(params.limit)?;
    let answer = shared.read(move |shared, read| {
        let system = shared.system(&params.system)?;
        let state = read.system_state(system.id())?;
        let wall = shared.clock.now();
        let items = view::missing(read, system, &state, wall, limit)?;
        let total = view::missing_count(read, system, &state, wall)?;
        Ok(json!({ "items": items, "missing": total, "next": null }))
    });
    answer.await.map(Json)
}
