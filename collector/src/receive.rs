//! `POST /v1/batches`: bytes in, receipt out. Answers only after everything is durable.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use clause9_otlp::message::{Kind, Value};
use clause9_otlp::trace::Context;
use clause9_otlp::{Export, Step};
use clause9_shared::time::Timestamp;
use clause9_shared::wire::batch::{BatchRefused, MAX_ENVELOPE};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::collect::{Unavailable, status};
use crate::listen::{Caller, Place};
use crate::serve::Shared;
use crate::telemetry::Cut;
use crate::verify::{self, Refused};

/// Bytes of bodies that may be in memory at the same time, until their batches are answered.
pub(crate) const UPLOAD_ROOM: usize = 8 * MAX_ENVELOPE;

/// The step that takes a batch.
const STEP: (&str, Kind) = ("POST /v1/batches", Kind::Server);

/// What reading bodies is bounded by.
#[derive(Clone, Debug)]
pub(crate) struct Uploads {
    /// A permit for each byte that may still be taken in.
    room: Arc<Semaphore>,
    time: Duration,
}

impl Uploads {
    /// Bodies that may take so long each.
    pub(crate) fn within(time: Duration) -> Self {
        Self {
            room: Arc::new(Semaphore::new(UPLOAD_ROOM)),
            time,
        }
    }
}

/// A body, with the room that it takes.
pub(crate) struct Upload {
    envelope: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// Why there is no body.
pub(crate) enum Unread {
    TooLarge,
    /// It did not come in time.
    Slow,
    /// The memory for bodies is taken.
    NoRoom,
    /// The sender went away before it was complete: there is nobody to answer.
    Gone,
}

/// Takes a batch.
pub(crate) async fn receive(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<std::net::SocketAddr>,
    Extension(place): Extension<Place>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    request: axum::extract::Request,
) -> Response {
    let peer = peer.ip().to_string();
    let traceparent = headers.get("traceparent").and_then(|t| t.to_str().ok());
    let now = shared.clock.now();
    let step = Step::taking(shared.export.as_ref(), traceparent, STEP, now);
    let read = read_within(&shared, &place, &headers, request, MAX_ENVELOPE).await;
    let (opened, upload) = match read {
        Err(Unread::Slow) => return too_slow_for(&shared),
        Err(Unread::Gone) => return StatusCode::BAD_REQUEST.into_response(),
        Err(Unread::NoRoom) => return unavailable(&shared, Unavailable::Busy),
        Err(Unread::TooLarge) => (Err(Refused::too_large(MAX_ENVELOPE)), Upload::nothing()),
        Ok(upload) => {
            let (known, bytes) = (shared.known.clone(), upload.envelope.clone());
            let open = move || verify::open(&bytes, &known, caller.spiffe.as_deref());
            let now = shared.clock.now();
            match tokio::task::spawn_blocking(open).await {
                Ok(opened) => {
                    let trace = step.as_ref().filter(|_| opened.is_ok()).map(Step::context);
                    verified(shared.export.as_ref(), trace, (now, shared.clock.now()));
                    (opened, upload)
                }
                Err(_) => return unavailable(&shared, Unavailable::Failed),
            }
        }
    };
    let envelope = upload.envelope.clone();
    // Of what nobody known signed, others are told nothing: whoever sends it does not decide what is exported.
    let step = step.filter(|_| opened.is_ok());
    let trace = step.as_ref().map(Step::context);
    let answer = match shared.inbox.deliver(opened, envelope, peer, trace).await {
        Ok(Ok(receipt)) => Json(receipt).into_response(),
        Ok(Err(refused)) => refusal(refused),
        Err(e) => unavailable(&shared, e),
    };
    if let Some(step) = step {
        let status = answer.status();
        let status_code = Value::Count(status.as_u16().into());
        let about = vec![("http.response.status_code", status_code)];
        step.end(shared.clock.now(), status.is_server_error(), about);
    }
    answer
}

/// Tells that a batch was verified, if its trace is kept.
pub(crate) fn verified(
    export: Option<&Export>,
    trace: Option<Context>,
    (begun, now): (Timestamp, Timestamp),
) {
    let export = export.filter(|_| trace.is_some());
    if let Some(step) = Step::of(export, trace, "verify batch", begun) {
        step.end(now, false, Vec::new());
    }
}

/// Reads a body of at most so many bytes, within the time that one may take.
pub(crate) async fn read_within(
    shared: &Shared,
    place: &Place,
    headers: &HeaderMap,
    request: axum::extract::Request,
    most: usize,
) -> Result<Upload, Unread> {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    let uploads = &shared.uploads;
    let read = if declared.is_some_and(|n| n > most) {
        Ok(Err(Unread::TooLarge))
    } else {
        let read = read(request.into_body(), &uploads.room, most);
        tokio::time::timeout(uploads.time, read).await
    };
    let Ok(read) = read else {
        shared.telemetry.count_cut(Cut::SlowBody);
        return Err(Unread::Slow);
    };
    place.work();
    read
}

impl Upload {
    /// What came.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.envelope
    }

    const fn nothing() -> Self {
        Self {
            envelope: Bytes::new(),
            _room: None,
        }
    }
}

/// Reads a body. Room is taken for what has come, not for what is announced: who announces much and
/// sends little takes little.
async fn read(mut body: Body, room: &Arc<Semaphore>, most: usize) -> Result<Upload, Unread> {
    let mut bytes = Vec::new();
    let mut held: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Unread::Gone)?;
        // Trailers say nothing that is needed.
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        if bytes.len() + chunk.len() > most {
            return Err(Unread::TooLarge);
        }
        let size = u32::try_from(chunk.len()).map_err(|_| Unread::TooLarge)?;
        let more = Arc::clone(room).try_acquire_many_owned(size);
        let more = more.map_err(|_| Unread::NoRoom)?;
        match &mut held {
            Some(held) => held.merge(more),
            None => held = Some(more),
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Upload {
        envelope: Bytes::from(bytes),
        _room: held,
    })
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
pub(crate) fn too_slow_for(shared: &Shared) -> Response {
    too_slow(shared.uploads.time)
}

fn too_slow(limit: Duration) -> Response {
    let error = format!("the body did not come within {} ms", limit.as_millis());
    (
        StatusCode::REQUEST_TIMEOUT,
        [(header::CONNECTION, "close")],
        Json(serde_json::json!({ "error": error })),
    )
        .into_response()
}

/// Nothing of the batch is kept; it is to be sent again.
fn unavailable(shared: &Shared, why: Unavailable) -> Response {
    shared.telemetry.count_batch("unavailable");
    let body = serde_json::json!({ "error": why.to_string() });
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, "1")],
        Json(body),
    )
        .into_response()
}
