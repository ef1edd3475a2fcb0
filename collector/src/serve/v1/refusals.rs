//! `GET /v1/refusals?limit=`: refusals of bytes from nobody known, counted by reason, peer and hour.
//! Each first one, and each refusal of a trusted agent, is a record of its own.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApiError, Params, Shared, limit};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefusalParams {
    limit: Option<usize>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Params(params): Params<RefusalParams>,
) -> Result<Json<Value>, ApiError> {
    let limit = limit(params.limit)?;
    let answer =
        shared.read(move |_, read| Ok(json!({ "items": read.refusals(limit)?, "next": null })));
    answer.await.map(Json)
}
