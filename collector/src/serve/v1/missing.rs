//! `GET /v1/missing?system=&limit=&after=`: what should have been measured and was not, with the reason.

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
    after: Option<String>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Params(params): Params<MissingParams>,
) -> Result<Json<Value>, ApiError> {
    let limit = limit(params.limit)?;
    let after = params.after.as_deref().map(str::parse).transpose();
    let after: Option<view::Cursor> = after.map_err(ApiError::Bad)?;
    let answer = shared.read(move |shared, read| {
        let system = shared.system(&params.system)?;
        let state = read.system_state(system.id())?;
        let wall = shared.clock.now();
        let page = view::missing(read, system, &state, wall, limit, after)?;
        let total = view::lacking(read, system, &state, wall)?;
        Ok(json!({
            "items": page.items,
            "missing": total.missing,
            "no_traffic": total.quiet,
            "next": page.next.map(|next| next.to_string()),
        }))
    });
    answer.await.map(Json)
}
