//! `POST /v1/batches`: bytes in, receipt out. Answers only after everything is durable.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use clause9_shared::wire::batch::{BatchRefused, MAX_ENVELOPE};

use crate::collect::{Unavailable, status};
use crate::serve::Shared;
use crate::verify::{self, Refused};

/// Bodies that are read at the same time; each may take [`MAX_ENVELOPE`] bytes of memory.
pub(crate) const MAX_UPLOADS: usize = 8;

/// How long a body may take to come.
pub(crate) const UPLOAD_TIME: Duration = Duration::from_secs(30);

/// Takes a batch.
pub(crate) async fn receive(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<std::net::SocketAddr>,
    headers: HeaderMap,
    request: axum::extract::Request,
) -> Response {
    let peer = peer.ip().to_string();
    // Taken before the body is read, since it bounds the memory that bodies take.
    let Ok(_permit) = shared.uploads.try_acquire() else {
        return later(&format!("{MAX_UPLOADS} uploads are being read; send again"));
    };
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    let body = if declared.is_some_and(|n| n > MAX_ENVELOPE) {
        None
    } else {
        match tokio::time::timeout(shared.upload_time, read(request)).await {
            Err(_) => return too_slow(shared.upload_time),
            Ok(Ok(body)) => Some(body),
            Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => None,
            // The sender went away before the body was complete: there is nobody to answer.
            Ok(Err(rejection)) => return rejection.into_response(),
        }
    };
    let (opened, envelope) = match body {
        None => (Err(Refused::too_large(MAX_ENVELOPE)), Bytes::new()),
        Some(envelope) => {
            let (known, bytes) = (shared.known.clone(), envelope.clone());
            let opened = tokio::task::spawn_blocking(move || verify::open(&bytes, &known)).await;
            match opened {
                Ok(opened) => (opened, envelope),
                Err(_) => return unavailable(Unavailable::Failed),
            }
        }
    };
    match shared.inbox.deliver(opened, envelope, peer).await {
        Ok(Ok(receipt)) => Json(receipt).into_response(),
        Ok(Err(refused)) => refusal(refused),
        Err(e) => unavailable(e),
    }
}

async fn read(request: axum::extract::Request) -> Result<Bytes, BytesRejection> {
    <Bytes as axum::extract::FromRequest<()>>::from_request(request, &()).await
}

fn refusal(refused: Refused) -> Response {
    let code = StatusCode::from_u16(status(refused.reason)).unwrap_or(StatusCode::BAD_REQUEST);
    let body = BatchRefused {
        refused: refused.reason,
        detail: refused.detail,
    };
    (code, Json(body)).into_response()
}

/// Whoever sends a body in drops gives its place to others.
fn too_slow(limit: Duration) -> Response {
    let error = format!("the body did not come within {} ms", limit.as_millis());
    (
        StatusCode::REQUEST_TIMEOUT,
        [(header::CONNECTION, "close")],
        Json(serde_json::json!({ "error": error })),
    )
        .into_response()
}

fn unavailable(e: Unavailable) -> Response {
    later(&e.to_string())
}

fn later(error: &str) -> Response {
    let body = serde_json::json!({ "error": error });
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, "1")],
        Json(body),
    )
        .into_response()
}
