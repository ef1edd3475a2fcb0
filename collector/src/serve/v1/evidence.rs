//! `GET /v1/evidence`: the register's index. `GET /v1/evidence/{digest}`: a record's canonical bytes.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use clause9_shared::digest::Digest;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApiError, Params, Shared, limit, next_leaf};
use crate::store::{Page, RecordFilter};
use clause9_shared::evidence::body::kind_of_word;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EvidenceParams {
    #[serde(rename = "type")]
    kind: Option<String>,
    system: Option<String>,
    after: Option<u64>,
    limit: Option<usize>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    Params(params): Params<EvidenceParams>,
) -> Result<Json<Value>, ApiError> {
    let limit = limit(params.limit)?;
    let kind = params
        .kind
        .map(|word| {
            kind_of_word(&word)
                .ok_or_else(|| ApiError::Bad(format!("there is no record type `{word}`")))
        })
        .transpose()?;
    let answer = shared.read(move |_, read| {
        let filter = RecordFilter {
            kind: kind.map(clause9_shared::evidence::RecordKind::as_str),
            system: params.system,
            objective: None,
        };
        let page = Page {
            after: params.after,
            limit,
            newest_first: false,
        };
        let rows = read.records(&filter, &page)?;
        let next = next_leaf(&rows, limit);
        let items: Vec<_> = rows
            .iter()
            .map(|r| {
                json!({
                    "leaf": r.leaf, "digest": r.digest, "type": r.kind,
                    "system": r.system, "created_at": r.created_at,
                })
            })
            .collect();
        Ok(json!({ "items": items, "next": next }))
    });
    answer.await.map(Json)
}

pub(super) async fn one(
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    let name: Digest = name
        .parse()
        .map_err(|e: clause9_shared::digest::NotADigest| ApiError::Bad(e.to_string()))?;
    let found = shared.read(move |_, read| Ok(read.content(name)?)).await?;
    match found {
        Some(row) if row.kind == "record" => {
            Ok(([(header::CONTENT_TYPE, "application/json")], row.bytes).into_response())
        }
        Some(_) | None => Err(ApiError::NotFound(format!("no record is named {name}"))),
    }
}
