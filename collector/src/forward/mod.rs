//! Outcomes whose prediction another replica made: `POST /v1/outcomes` for agents, who sign, and
//! `POST /v1/systems/{id}/outcomes` for applications, who showed a token before (`access::guard`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use clause9_shared::ids::SystemId;
use clause9_shared::outcomes::{Malformed, has_lines, parse};
use clause9_shared::plan::Outcome;
use clause9_shared::time::{Span, Timestamp};
use clause9_shared::wire::forward::{Carried, Envelope, MAX_POLL, Named, Refused};
use serde_json::json;

use crate::listen::{Caller, Place};
use crate::receive::{Unread, read_within};
use crate::serve::Shared;
use crate::spiffe::SpiffeId;

mod queue;

use queue::{Happened, NotAnswered, Queue};

/// Longest delivery of an application in bytes.
const MAX_BODY: usize = 8 << 20;
/// Most malformed lines that the answer lists; all are counted.
const MAX_LISTED: usize = 100;

/// What outcomes are looked for with.
#[derive(Clone, Debug)]
pub(crate) struct Forwarding {
    queue: Arc<Mutex<Queue>>,
}

impl Forwarding {
    /// Nothing is looked for yet. `begun` tells this run of the collector from others.
    pub(crate) fn new(hold: Span, skew: Span, begun: Timestamp) -> Self {
        let boot = begun.micros().unsigned_abs();
        Self {
            queue: Arc::new(Mutex::new(Queue::new(boot, hold, skew))),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers an agent's poll.
pub(crate) async fn poll(
    State(shared): State<Shared>,
    Extension(place): Extension<Place>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    request: axum::extract::Request,
) -> Response {
    let upload = match read_within(&shared, &place, &headers, request, MAX_POLL).await {
        Ok(upload) => upload,
        Err(unread) => return unreadable(&shared, &unread, MAX_POLL),
    };
    let answered = answered(&shared, upload.bytes(), caller.spiffe.as_deref());
    match answered {
        Ok(answer) => answer,
        Err((status, why)) => {
            tracing::debug!(%status, why, "a poll for outcomes is refused");
            shared.telemetry.count_forwarded("polls_refused", 1);
            refuse(status, &why)
        }
    }
}

fn answered(
    shared: &Shared,
    bytes: &[u8],
    shown: Option<&SpiffeId>,
) -> Result<Response, (StatusCode, String)> {
    let bad = |e: &dyn std::fmt::Display| (StatusCode::BAD_REQUEST, e.to_string());
    let envelope = Envelope::parse(bytes).map_err(|e| bad(&e))?;
    let agent = envelope.agent();
    let forbidden = |what| (StatusCode::FORBIDDEN, what);
    let trusted = shared.known.trusted();
    trusted.believes(agent, shown).map_err(forbidden)?;
    let poll = envelope.open().map_err(|e| match e {
        Refused::Signature | Refused::Malformed => bad(&e),
    })?;
    let system = match shared.known.system(&poll.system) {
        Some(system) if shared.known.may_write(agent, &poll.system) => system,
        Some(_) | None => {
            let why = "the agent may not write for this system";
            return Err(forbidden(why.to_owned()));
        }
    };
    if poll.clock != system.clock {
        return Err((
            StatusCode::CONFLICT,
            "the system is on another clock".to_owned(),
        ));
    }
    let now = shared.clock.now();
    let mut queue = shared.forwarding.queue();
    let polled = queue.poll(agent, poll, now);
    let held = queue.held(system.id());
    drop(queue);
    let (answer, happened) = polled.map_err(|e| match e {
        NotAnswered::Repeated | NotAnswered::Stale => (StatusCode::CONFLICT, e.to_string()),
    })?;
    shared
        .telemetry
        .show_forwarding(system.id(), held, happened);
    Ok(Json(answer).into_response())
}

/// Takes outcomes from an application.
pub(crate) async fn post(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    Extension(place): Extension<Place>,
    headers: HeaderMap,
    request: axum::extract::Request,
) -> Response {
    let (system, clock) = match shared.system(&id) {
        Ok(system) => (system.id().clone(), system.clock),
        Err(error) => return error.into_response(),
    };
    let media = headers.get(header::CONTENT_TYPE);
    let Some(lines) = media.and_then(|m| has_lines(m.to_str().ok()?)) else {
        let why = "send application/json (one outcome) or application/x-ndjson (one per line)";
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, why);
    };
    let upload = match read_within(&shared, &place, &headers, request, MAX_BODY).await {
        Ok(upload) => upload,
        Err(unread) => return unreadable(&shared, &unread, MAX_BODY),
    };
    let (outcomes, malformed) = parse(upload.bytes(), lines, clock);
    take(&shared, &system, outcomes, &malformed)
}

fn take(
    shared: &Shared,
    system: &SystemId,
    outcomes: Vec<Outcome>,
    malformed: &[Malformed],
) -> Response {
    let number = outcomes.len() as u64;
    let outcomes = outcomes.into_iter().map(|mut outcome| Carried {
        request: Named::Id(std::mem::take(&mut outcome.request_id)),
        outcome,
    });
    let mut queue = shared.forwarding.queue();
    let taken = queue.post(system, outcomes.collect(), shared.clock.now());
    let held = queue.held(system);
    drop(queue);
    let happened = Happened {
        taken: if taken { number } else { 0 },
        refused: if taken { 0 } else { number },
        ..Happened::default()
    };
    shared.telemetry.show_forwarding(system, held, happened);
    if !taken {
        let most = queue::MAX_HELD;
        let why = format!(
            "no room: at most {most} outcomes are looked for at once; nothing was taken, send it again later"
        );
        let mut answer = refuse(StatusCode::SERVICE_UNAVAILABLE, &why);
        let later = header::HeaderValue::from_static("5");
        answer.headers_mut().insert(header::RETRY_AFTER, later);
        return answer;
    }
    let wrong = malformed.len() as u64;
    shared.telemetry.count_forwarded("malformed", wrong);
    let listed: Vec<_> = malformed.iter().take(MAX_LISTED).collect();
    Json(json!({ "taken": number, "malformed": listed })).into_response()
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}

fn unreadable(shared: &Shared, unread: &Unread, limit: usize) -> Response {
    match unread {
        Unread::TooLarge => {
            let why = format!("the body is larger than {limit} bytes; send fewer at once");
            refuse(StatusCode::PAYLOAD_TOO_LARGE, &why)
        }
        Unread::NoRoom => refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "too much is being received; send it again later",
        ),
        Unread::Slow => crate::receive::too_slow_for(shared),
        Unread::Gone => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// What happened, in the words of the telemetry.
pub(crate) fn words(happened: Happened) -> [(&'static str, u64); 5] {
    [
        ("taken", happened.taken),
        ("no_room", happened.refused),
        ("found", happened.found),
        ("unknown", happened.unknown),
        ("forgotten", happened.forgotten),
    ]
}

pub(crate) use queue::Happened as Forwarded;

/// Every word for what becomes of outcomes here.
pub(crate) const RESULTS: [&str; 8] = [
    "taken",
    "no_room",
    "found",
    "unknown",
    "forgotten",
    "malformed",
    "unauthorized",
    "polls_refused",
];
