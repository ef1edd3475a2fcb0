//! `GET /v1/agents`: who may write, how each stands, and how far its clock is ahead.

use axum::Json;
use axum::extract::State;
use clause9_shared::ids::AgentId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApiError, Params, Shared, limit};

/// What the list can be asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentParams {
    limit: Option<usize>,
    after: Option<AgentId>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Params(params): Params<AgentParams>,
) -> Result<Json<Value>, ApiError> {
    let most = limit(params.limit)?;
    let answer = shared.read(move |shared, read| {
        let skews = read.skews()?;
        let after = |id: AgentId| params.after.is_none_or(|after| id > after);
        let entries = shared.known.trusted().entries();
        let mut items = Vec::new();
        let mut last = None;
        for entry in entries.filter(|e| after(e.id)).take(most) {
            let mut item = json!(entry);
            item["clock"] = json!(skews.get(&entry.id));
            items.push(item);
            last = Some(entry.id);
        }
        let next = last.filter(|_| items.len() == most);
        Ok(json!({ "items": items, "next": next }))
    });
    answer.await.map(Json)
}
