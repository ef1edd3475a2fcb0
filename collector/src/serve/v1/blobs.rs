//! `GET /v1/blobs/{digest}`: the bytes kept under a name: batch envelopes, merged counts, compiled
//! objectives, documents, ledger states, records.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use clause9_shared::digest::{Digest, NotADigest};
use clause9_shared::wire::batch::MEDIA_TYPE;

use super::{ApiError, Shared};

pub(super) async fn one(
    State(shared): State<Shared>,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    let name: Digest = name
        .parse()
        .map_err(|e: NotADigest| ApiError::Bad(e.to_string()))?;
    let found = shared.read(move |_, read| Ok(read.content(name)?)).await?;
    let row = found.ok_or_else(|| ApiError::NotFound(format!("nothing is named {name}")))?;
    let media = match row.kind.as_str() {
        "batch" => MEDIA_TYPE,
        "summary" => "application/octet-stream",
        _ => "application/json",
    };
    let kind = HeaderValue::from_str(&row.kind).unwrap_or(HeaderValue::from_static("unknown"));
    let mut response = ([(header::CONTENT_TYPE, media)], row.bytes).into_response();
    response.headers_mut().insert("clause9-kind", kind);
    Ok(response)
}
