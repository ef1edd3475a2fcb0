//! `GET /v1/systems/{id}/plan` and `GET /v1/systems/{id}/plan/{digest}`: by which documents a system is monitored, and
//! each of them by its name. Agents pull them; who has an answer already says so, and is not given it again.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use clause9_shared::digest::{Digest, NotADigest};
use clause9_shared::wire::plan::MAX_DOCUMENT;

use super::{ApiError, Shared};
use crate::telemetry::Telemetry;

/// The names of the documents in force.
pub(super) async fn named(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let named = shared.system(&id)?.named();
    let tag = named.tag();
    Ok(tagged(&shared.telemetry, &headers, tag, || {
        Json(named).into_response()
    }))
}

/// A document by its name: one of the two in force.
pub(super) async fn document(
    State(shared): State<Shared>,
    Path((id, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let system = shared.system(&id)?;
    let name: Digest = name
        .parse()
        .map_err(|e: NotADigest| ApiError::Bad(e.to_string()))?;
    let text = match name {
        _ if name == system.document_digest => &system.document_text,
        _ if name == system.baseline_digest => &system.baseline_text,
        _ => {
            let why =
                format!("system `{id}` is not monitored by {name} now; ask anew by what it is");
            return Err(ApiError::NotFound(why));
        }
    };
    if text.len() > MAX_DOCUMENT {
        let why = format!("{name} has more than {MAX_DOCUMENT} bytes; give agents it as a file");
        return Err(ApiError::NotFound(why));
    }
    let text = Arc::clone(text);
    Ok(tagged(&shared.telemetry, &headers, name, || {
        let json = [(header::CONTENT_TYPE, "application/json")];
        (json, Bytes::from_owner(text)).into_response()
    }))
}

/// An answer under its name, or that it is still the one that is there already.
fn tagged(
    telemetry: &Telemetry,
    headers: &HeaderMap,
    tag: Digest,
    answer: impl FnOnce() -> Response,
) -> Response {
    let quoted = format!("\"{tag}\"");
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .any(|value| value.to_str().is_ok_and(|v| has(v, &quoted)));
    telemetry.count_plan(if known { "unchanged" } else { "served" });
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        answer()
    };
    let headers = response.headers_mut();
    headers.extend(HeaderValue::from_str(&quoted).map(|tag| (header::ETAG, tag)));
    // It may be kept, and is to be asked about each time.
    let kept = HeaderValue::from_static("private, no-cache");
    headers.insert(header::CACHE_CONTROL, kept);
    response
}

/// Whether a list of entity tags has this one. Whether one is called weak makes no difference here.
fn has(list: &str, quoted: &str) -> bool {
    list.split(',').map(str::trim).any(|one| {
        let strong = one.strip_prefix("W/").unwrap_or(one);
        strong == quoted || one == "*"
    })
}

#[cfg(test)]
mod tests {
    use super::has;

    #[test]
    fn a_tag_is_found_in_a_list_however_it_is_written() {
        for list in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*"] {
            assert!(has(list, "\"a\""), "{list}");
        }
        for list in ["", "a", "\"b\"", "\"ab\""] {
            assert!(!has(list, "\"a\""), "{list}");
        }
    }
}
