//! What people and programs read over HTTP: JSON under `/v1`, pages under `/`, telemetry and health.
//! Everything is read from the register; nothing is changed here. What agents and applications send has
//! rooms of its own (`receive`, `forward`).

mod log;
mod page;
mod v1;
mod view;

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use clause9_otlp::Export;

use crate::access::guard::{self, Gate};
use crate::access::{About, Needs, Route, Scope};
use crate::clock::WallClock;
use crate::collect::Inbox;
use crate::enrolment::desk::{self, Desk};
use crate::forward::{self, Forwarding};
use crate::known::{Current, Known, KnownSystem};
use crate::receive::{self, Uploads};
use crate::reload::Reloading;
use crate::store::{ReadStore, Readers, StoreError};
use crate::telemetry::Telemetry;

pub(crate) use view::{Lacking, carry_tallies, first_due, lacking};

/// What requests are served with.
#[derive(Clone)]
pub(crate) struct Hub {
    pub(crate) shared: Shared,
    pub(crate) known: Current,
}

/// A request sees who is known when it comes, to its end.
impl FromRef<Hub> for Shared {
    fn from_ref(hub: &Hub) -> Self {
        Self {
            known: hub.known.now(),
            ..hub.shared.clone()
        }
    }
}

/// What every request can reach.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) known: Arc<Known>,
    pub(crate) readers: Arc<Readers>,
    pub(crate) inbox: Inbox,
    pub(crate) telemetry: Arc<Telemetry>,
    /// Who is told of spans, if anybody is.
    pub(crate) export: Option<Export>,
    pub(crate) clock: WallClock,
    pub(crate) uploads: Uploads,
    pub(crate) forwarding: Forwarding,
    pub(crate) gate: Gate,
    pub(crate) desk: Desk,
    pub(crate) reloading: Reloading,
}

/// Why a request gets no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The request is wrong.
    #[error("{0}")]
    Bad(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The register cannot be read now.
    #[error("the register cannot be read; see the collector's log")]
    Store(#[from] StoreError),
    /// The reading task was stopped.
    #[error("the request was stopped")]
    Stopped,
}

impl ApiError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Store(_) | Self::Stopped => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Self::Store(error) = &self {
            tracing::error!(error = ?error, "the register was not read");
        }
        let body = serde_json::json!({ "error": self.to_string() });
        (self.status(), axum::Json(body)).into_response()
    }
}

impl Shared {
    /// Reads from the register off the runtime's threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Self, &ReadStore<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let shared = self.clone();
        tokio::task::spawn_blocking(move || {
            let readers = Arc::clone(&shared.readers);
            readers.read(|read| Ok(act(&shared, read)))?
        })
        .await
        .map_err(|_| ApiError::Stopped)?
    }

    /// The system of that name.
    pub(crate) fn system(&self, name: &str) -> Result<&KnownSystem, ApiError> {
        name.parse()
            .ok()
            .and_then(|id| self.known.system(&id))
            .ok_or_else(|| ApiError::NotFound("no system of that name is configured".to_owned()))
    }
}

/// A route, and what answers there.
type Served = (Route, MethodRouter<Hub>);

/// What is served beside version 1 of the interface for programs, and what agents and applications send.
fn own() -> Vec<Served> {
    const READ: Needs = Needs::Scope(Scope::Read);
    const AUDIT: Needs = Needs::Scope(Scope::Audit);
    const OUTCOMES: Needs = Needs::Scope(Scope::Outcomes);
    use About::{Everything, Path};
    vec![
        (
            Route::get("/live", Needs::Nothing, Everything),
            get(|| async { "live\n" }),
        ),
        (Route::get("/ready", Needs::Nothing, Everything), get(ready)),
        (Route::get("/metrics", READ, Everything), get(metrics)),
        (Route::get("/", READ, Everything), get(page::systems)),
        (Route::get("/systems/{id}", READ, Path), get(page::system)),
        (
            Route::get("/log/checkpoint", AUDIT, Everything),
            get(log::checkpoint),
        ),
        (
            Route::get("/log/tile/{*path}", AUDIT, Everything),
            get(log::tile),
        ),
        (
            Route::get("/v1/log/consistency", AUDIT, Everything),
            get(log::consistency),
        ),
        (
            Route::get("/v1/evidence/{digest}/proof", AUDIT, Everything),
            get(log::proof),
        ),
        (
            Route::post("/v1/batches", Needs::Signature, Everything),
            post(receive::receive),
        ),
        (
            Route::post("/v1/outcomes", Needs::Signature, Everything),
            post(forward::poll),
        ),
        (
            Route::post("/v1/agents", Needs::Signature, Everything),
            post(desk::enrol),
        ),
        (
            Route::post("/v1/systems/{id}/outcomes", OUTCOMES, Path),
            post(forward::post),
        ),
    ]
}

/// Every route with what it asks for.
pub fn declared() -> Vec<Route> {
    own()
        .into_iter()
        .chain(v1::served())
        .map(|(route, _)| route)
        .collect()
}

/// Every route, each behind its guard.
pub(crate) fn routes(hub: Hub) -> Router {
    let mut router = Router::new();
    for (route, answers) in own().into_iter().chain(v1::served()) {
        let state = (hub.clone(), route);
        let guarded = answers.route_layer(from_fn_with_state(state, guard::pass));
        router = router.route(route.path, guarded);
    }
    router
        .fallback(|| async { ApiError::NotFound("nothing is here".to_owned()) })
        .layer(map_response(harden))
        .with_state(hub)
}

/// What every answer carries: no guessing of types, no framing.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let fixed = HeaderValue::from_static;
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, fixed("DENY"));
    headers.insert(header::REFERRER_POLICY, fixed("no-referrer"));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(fixed("no-store"));
    response
}

async fn ready(State(shared): State<Shared>) -> (StatusCode, &'static str) {
    if shared.inbox.healthy() {
        (StatusCode::OK, "ready\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the register cannot be written\n",
        )
    }
}

async fn metrics(State(shared): State<Shared>) -> Response {
    match shared.telemetry.text() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "telemetry could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
