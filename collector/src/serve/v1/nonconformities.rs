//! `GET /v1/nonconformities?system=`: candidates, with how often each was seen again since.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{ApiError, Params, RecordParams, Shared, record_list};
use crate::store::ReadStore;

pub(super) async fn list(
    State(shared): State<Shared>,
    Params(params): Params<RecordParams>,
) -> Result<Json<Value>, ApiError> {
    let answer = shared.read(|shared, read| {
        let mut list = record_list(shared, read, "nonconformity", params)?;
        for item in list["items"].as_array_mut().into_iter().flatten() {
            add_seen_again(read, item)?;
        }
        Ok(list)
    });
    answer.await.map(Json)
}

fn add_seen_again(read: &ReadStore<'_>, item: &mut Value) -> Result<(), ApiError> {
    let system = item["record"]["header"]["system"]
        .as_str()
        .and_then(|s| s.parse().ok());
    let Some(system) = system else {
        return Ok(());
    };
    let digest = item["digest"].clone();
    let standings = read.standings(&system)?;
    let standing = standings.values().find(|s| json!(s.candidate) == digest);
    item["seen_again"] = json!(standing.map_or(0, |s| s.seen_again));
    item["seen_last"] = json!(standing.and_then(|s| s.seen_last));
    Ok(())
}
