//! `POST /v1/batches`: bytes in, receipt out. Answers only after everything is durable.

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

/// Takes a batch.
pub(crate) async fn receive(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<std::net::SocketAddr>,
    headers: HeaderMap,
    request: axum::extract::Request,
) -> Response {
    let peer = peer.ip().to_string();
    let Ok(_permit) = shared.uploads.try_acquire() else {
        return unavailable(Unavailable::Busy);
    };
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    let body = if declared.is_some_and(|n| n > MAX_ENVELOPE) {
        None
    } else {
        match read(request).await {
            Ok(body) => Some(body),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => None,
            // The sender went away before the body was complete: there is nobody to answer.
            Err(rejection) => return rejection.into_response(),
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

fn unavailable(e: Unavailable) -> Response {
    let body = serde_json::json!({ "error": e.to_string() });
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, "1")],
        Json(body),
    )
        .into_response()
}
