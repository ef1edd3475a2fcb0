//! The outcomes' address: late labels and attributes, one JSON object or many lines of them, from
//! senders who show the token. Joining them is the engine's task.

use std::sync::Arc;

use clause9_shared::outcomes::{Malformed, has_lines, parse};
use clause9_shared::time::Clock;
use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use serde::Serialize;
use subtle::ConstantTimeEq;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::engine::OutcomeReport;
use crate::monitor::Command;
use crate::pull::Standing;
use crate::service::{self, Answer, problem};
use crate::telemetry::Telemetry;

/// Longest delivery in bytes.
const MAX_BODY: usize = 8 << 20;
/// Most deliveries in memory at once; the others wait unread.
const MAX_AT_ONCE: usize = 4;
/// Most malformed lines that the answer lists; all are counted.
const MAX_LISTED: usize = 100;

/// The outcomes' address.
pub struct Outcomes {
    /// What senders must show, in hex.
    pub token: String,
    /// Which clock the system runs on.
    pub clock: Clock,
    /// The agent's own figures.
    pub telemetry: Telemetry,
    /// The monitor.
    pub monitor: mpsc::Sender<Command>,
    /// How things stand with the objectives.
    pub standing: Arc<Standing>,
    /// One for each delivery that may be in memory.
    pub turns: Turns,
}

/// Bounds how many deliveries are read, parsed and joined at once.
#[derive(Debug)]
pub struct Turns(Semaphore);

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(MAX_AT_ONCE))
    }
}

impl std::fmt::Debug for Outcomes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outcomes")
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    report: OutcomeReport,
    malformed: Vec<Malformed>,
}

fn lines(content_type: Option<&HeaderValue>) -> Option<bool> {
    has_lines(content_type?.to_str().ok()?)
}

impl Outcomes {
    /// Answers one request.
    pub(crate) async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        if request.uri().path() != "/outcomes" {
            return problem(StatusCode::NOT_FOUND, "there is /outcomes only");
        }
        if request.method() != Method::POST {
            return problem(StatusCode::METHOD_NOT_ALLOWED, "outcomes are posted");
        }
        if !self.authorized(request.headers().get(header::AUTHORIZATION)) {
            self.count("unauthorized", 1);
            return problem(
                StatusCode::UNAUTHORIZED,
                "show the token as `authorization: Bearer TOKEN`",
            );
        }
        let Some(lines) = lines(request.headers().get(header::CONTENT_TYPE)) else {
            let text = "send application/json (one outcome) or application/x-ndjson (one per line)";
            return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
        };
        if self.standing.is_awaited() {
            let text = "there are no objectives yet; send it again later";
            return later(StatusCode::SERVICE_UNAVAILABLE, text);
        }
        // Kept until the answer: what was parsed is in memory until the monitor is done with it.
        let Ok(_turn) = self.turns.0.acquire().await else {
            return problem(StatusCode::SERVICE_UNAVAILABLE, "the agent stops");
        };
        let body = match service::body(request, MAX_BODY).await {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        let (outcomes, malformed) = parse(&body, lines, self.clock);
        let (answer, told) = oneshot::channel();
        match self.monitor.try_send(Command::Outcomes(outcomes, answer)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                let text = "the monitor is behind; send it again later";
                return later(StatusCode::TOO_MANY_REQUESTS, text);
            }
            Err(TrySendError::Closed(_)) => {
                return problem(StatusCode::SERVICE_UNAVAILABLE, "the monitor has stopped");
            }
        }
        self.count("malformed", malformed.len() as u64);
        match told.await {
            Ok(report) => {
                let malformed = malformed.into_iter().take(MAX_LISTED).collect();
                service::json(StatusCode::OK, &Report { report, malformed })
            }
            Err(_) => problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the monitor failed; see its log",
            ),
        }
    }

    fn authorized(&self, shown: Option<&HeaderValue>) -> bool {
        let shown = shown.and_then(|v| v.as_bytes().strip_prefix(b"Bearer "));
        shown.is_some_and(|token| bool::from(token.ct_eq(self.token.as_bytes())))
    }

    fn count(&self, fate: &str, times: u64) {
        self.telemetry
            .outcomes
            .with_label_values(&[fate])
            .inc_by(times);
    }
}

fn later(status: StatusCode, why: &str) -> Answer {
    let mut answer = problem(status, why);
    let second = HeaderValue::from_static("1");
    answer.headers_mut().insert(header::RETRY_AFTER, second);
    answer
}

/// How many outcomes there are in a delivery, and how many lines that are none.
#[cfg(feature = "fuzzing")]
pub(crate) fn read(body: &[u8], lines: bool, clock: Clock) -> (usize, usize) {
    let (outcomes, malformed) = parse(body, lines, clock);
    (outcomes.len(), malformed.len())
}
