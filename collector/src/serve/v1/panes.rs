//! `GET /v1/systems/{id}/panes?limit=&after=`: sealed panes in order, with what they cover.

use axum::Json;
use axum::extract::{Path, State};
use clause9_shared::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApiError, Params, Shared, limit};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PaneParams {
    limit: Option<usize>,
    /// Start of the pane after which the list begins.
    after: Option<Timestamp>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Params(params): Params<PaneParams>,
) -> Result<Json<Value>, ApiError> {
    let limit = limit(params.limit)?;
    let answer = shared.read(move |shared, read| {
        let system = shared.system(&id)?;
        let after = params.after.map(Timestamp::micros);
        let seals = read.seals(system.id(), after, limit, false)?;
        let next = seals
            .last()
            .filter(|_| seals.len() == limit)
            .map(|s| s.pane);
        let items: Vec<_> = seals
            .iter()
            .map(|s| {
                json!({
                    "start": s.pane, "end": s.end,
                    "coverage": s.coverage, "outcome_coverage": s.outcomes,
                    "agents_heard": s.heard, "agents_missing": s.missing, "gaps": s.gaps,
                    "blocks": s.blocks,
                })
            })
            .collect();
        Ok(json!({ "items": items, "next": next }))
    });
    answer.await.map(Json)
}
