//! `GET /v1/verdicts?system=&objective=&limit=&after=`: verdict records in order of the register.

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use super::{ApiError, Params, RecordParams, Shared, record_list};

pub(super) async fn list(
    State(shared): State<Shared>,
    Params(params): Params<RecordParams>,
) -> Result<Json<Value>, ApiError> {
    let answer = shared.read(|shared, read| record_list(shared, read, "verdict", params));
    answer.await.map(Json)
}
