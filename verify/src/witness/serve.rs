//! A witness over HTTP: `POST /add-checkpoint`, and `GET /HASH-OF-ORIGIN/checkpoint` for whoever compares.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Path, Request, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use clause9_shared::digest::{Digest, to_hex};
use clause9_shared::evidence::witness::{Declined, MAX_REQUEST, SIZE_TYPE};

use super::Witness;

/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

type Held = Arc<Mutex<Witness>>;

/// Serves until `shutdown` completes.
pub async fn serve(
    listener: tokio::net::TcpListener,
    witness: Witness,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{origin}/checkpoint", get(checkpoint))
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .with_state(Arc::new(Mutex::new(witness)));
    axum::serve(listener, routes)
        .with_graceful_shutdown(shutdown)
        .await
}

async fn add_checkpoint(Shared(witness): Shared<Held>, request: Request) -> Response {
    let body = match tokio::time::timeout(PATIENCE, Bytes::from_request(request, &())).await {
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
        Ok(Err(refused)) => return refused.into_response(),
        Ok(Ok(body)) => body,
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    // It waits for the disk.
    let taken = tokio::task::spawn_blocking(move || {
        let mut witness = witness.lock().unwrap_or_else(PoisonError::into_inner);
        witness.add_checkpoint(&body, now)
    });
    match taken.await {
        Ok(Ok(Ok(lines))) => {
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], lines).into_response()
        }
        Ok(Ok(Err(declined))) => refused(&declined),
        Ok(Err(error)) => {
            tracing::error!(%error, "nothing is cosigned");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn refused(declined: &Declined) -> Response {
    let status = StatusCode::from_u16(declined.status()).unwrap_or(StatusCode::BAD_REQUEST);
    match declined {
        Declined::Conflict(size) => (
            status,
            [(header::CONTENT_TYPE, SIZE_TYPE)],
            format!("{size}\n"),
        )
            .into_response(),
        Declined::Inconsistent => {
            tracing::error!(
                "a log shows another history than the one that was cosigned; it is in the state file"
            );
            (status, format!("{declined}\n")).into_response()
        }
        Declined::Malformed
        | Declined::Backwards
        | Declined::UnknownLog(_)
        | Declined::Unsigned => (status, format!("{declined}\n")).into_response(),
    }
}

async fn checkpoint(Shared(witness): Shared<Held>, Path(name): Path<String>) -> Response {
    // Another request may hold it while the disk works.
    let found = tokio::task::spawn_blocking(move || {
        let witness = witness.lock().unwrap_or_else(PoisonError::into_inner);
        let named = |origin: &str| to_hex(Digest::of(origin.as_bytes()).as_bytes()) == name;
        let log = witness.logs().iter().find(|(origin, _)| named(origin));
        log.and_then(|(_, log)| log.newest.clone())
    });
    match found.await.ok().flatten() {
        Some(note) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
