//! The JSON interface, version 1. One file per endpoint. Lists are bounded and answer
//! `{"items": [...], "next": cursor or null}`; errors answer `{"error": "..."}`.

mod agents;
mod blobs;
mod evidence;
mod measurements;
mod missing;
mod nonconformities;
mod objectives;
mod panes;
mod plan;
mod refusals;
mod systems;
mod verdicts;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::routing::get;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{ApiError, Served, Shared};
use crate::access::{About, Needs, Route, Scope};
use crate::store::{Page, ReadStore, RecordFilter, RecordRow};

/// Items in a list unless asked otherwise.
const DEFAULT_LIMIT: usize = 100;
/// Most items in a list.
const MAX_LIMIT: usize = 1000;

/// Every route of version 1 that reads, with what it asks for. What names who connected, or is evidence, is for audits.
pub(super) fn served() -> Vec<Served> {
    const READ: Needs = Needs::Scope(Scope::Read);
    const AGENT: Needs = Needs::AgentOr(Scope::Read);
    const AUDIT: Needs = Needs::Scope(Scope::Audit);
    use About::{Everything, Path, Query};
    vec![
        (
            Route::get("/v1/agents", READ, Everything),
            get(agents::list),
        ),
        (
            Route::get("/v1/systems", READ, Everything),
            get(systems::list),
        ),
        (
            Route::get("/v1/systems/{id}", READ, Path),
            get(systems::one),
        ),
        (
            Route::get("/v1/systems/{id}/objectives", READ, Path),
            get(objectives::list),
        ),
        (
            Route::get("/v1/systems/{id}/panes", READ, Path),
            get(panes::list),
        ),
        (
            Route::get("/v1/systems/{id}/plan", AGENT, Path),
            get(plan::named),
        ),
        (
            Route::get("/v1/systems/{id}/plan/{digest}", AGENT, Path),
            get(plan::document),
        ),
        (
            Route::get("/v1/measurements", READ, Query),
            get(measurements::list),
        ),
        (Route::get("/v1/verdicts", READ, Query), get(verdicts::list)),
        (
            Route::get("/v1/nonconformities", READ, Query),
            get(nonconformities::list),
        ),
        (Route::get("/v1/missing", READ, Query), get(missing::list)),
        (
            Route::get("/v1/evidence", AUDIT, Query),
            get(evidence::list),
        ),
        (
            Route::get("/v1/evidence/{digest}", AUDIT, Everything),
            get(evidence::one),
        ),
        (
            Route::get("/v1/blobs/{digest}", AUDIT, Everything),
            get(blobs::one),
        ),
        (
            Route::get("/v1/refusals", AUDIT, Everything),
            get(refusals::list),
        ),
    ]
}

/// Query parameters, refused in words if they are not what the endpoint knows.
pub(super) struct Params<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(params)| Self(params))
            .map_err(|e| ApiError::Bad(e.body_text()))
    }
}

/// What lists of records can be asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordParams {
    system: Option<String>,
    objective: Option<String>,
    limit: Option<usize>,
    after: Option<u64>,
}

fn limit(asked: Option<usize>) -> Result<usize, ApiError> {
    match asked {
        None => Ok(DEFAULT_LIMIT),
        Some(n) if (1..=MAX_LIMIT).contains(&n) => Ok(n),
        Some(_) => Err(ApiError::Bad(format!("limit must be 1 to {MAX_LIMIT}"))),
    }
}

/// A list of the records of one type, each with its place and name.
fn record_list(
    shared: &Shared,
    read: &ReadStore<'_>,
    kind: &'static str,
    params: RecordParams,
) -> Result<Value, ApiError> {
    if let Some(system) = &params.system {
        shared.system(system)?;
    }
    let page = Page {
        after: params.after,
        limit: limit(params.limit)?,
        newest_first: false,
    };
    let filter = RecordFilter {
        kind: Some(kind),
        system: params.system,
        objective: params.objective,
    };
    let rows = read.records(&filter, &page)?;
    let next = next_leaf(&rows, page.limit);
    let items: Vec<_> = rows.iter().map(record_json).collect();
    Ok(json!({ "items": items, "next": next }))
}

/// The cursor of what follows a full list.
fn next_leaf(rows: &[RecordRow], limit: usize) -> Option<u64> {
    rows.last().filter(|_| rows.len() == limit).map(|r| r.leaf)
}

fn record_json(row: &RecordRow) -> Value {
    let record: Value = serde_json::from_slice(&row.bytes).unwrap_or(Value::Null);
    json!({ "leaf": row.leaf, "digest": row.digest, "record": record })
}
