//! The outcomes' address: late labels and attributes, one JSON object or many lines of them, from
//! senders who show the token. Joining them is the engine's task.

use std::sync::Arc;

use clause9_shared::objective::document::Scalar;
use clause9_shared::plan::Outcome;
use clause9_shared::time::Clock;
use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use serde::Serialize;
use subtle::ConstantTimeEq;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::engine::OutcomeReport;
use crate::monitor::Command;
use crate::service::{self, Answer, problem};
use crate::telemetry::Telemetry;

/// Longest delivery in bytes.
const MAX_BODY: usize = 8 << 20;
/// Longest request id in bytes.
const MAX_ID: usize = 256;
/// Most attributes in one outcome.
const MAX_ATTRIBUTES: usize = 16;
/// Longest label text or attribute value in bytes.
const MAX_VALUE: usize = 256;
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

/// A line that is no outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Malformed {
    /// Which line, from 1.
    line: usize,
    /// What is wrong with it.
    error: String,
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    report: OutcomeReport,
    malformed: Vec<Malformed>,
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
        let Some(lines) = many(request.headers().get(header::CONTENT_TYPE)) else {
            let text = "send application/json (one outcome) or application/x-ndjson (one per line)";
            return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
        };
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
                let mut answer = problem(
                    StatusCode::TOO_MANY_REQUESTS,
                    "the monitor is behind; send it again later",
                );
                answer
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                return answer;
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

/// Whether a delivery has many lines; none if its media type is neither.
fn many(content_type: Option<&HeaderValue>) -> Option<bool> {
    let text = content_type?.to_str().ok()?;
    match text
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase()
        .as_str()
    {
        "application/json" => Some(false),
        "application/x-ndjson" => Some(true),
        _ => None,
    }
}

fn parse(body: &[u8], lines: bool, clock: Clock) -> (Vec<Outcome>, Vec<Malformed>) {
    let (mut outcomes, mut malformed) = (Vec::new(), Vec::new());
    let pieces: Vec<&[u8]> = if lines {
        body.split(|b| *b == b'\n').collect()
    } else {
        vec![body]
    };
    for (index, line) in pieces.into_iter().enumerate() {
        if lines && line.trim_ascii().is_empty() {
            continue;
        }
        match one(line, clock) {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => malformed.push(Malformed {
                line: index + 1,
                error,
            }),
        }
    }
    (outcomes, malformed)
}

/// How many outcomes there are in a delivery, and how many lines that are none.
#[cfg(feature = "fuzzing")]
pub(crate) fn read(body: &[u8], lines: bool, clock: Clock) -> (usize, usize) {
    let (outcomes, malformed) = parse(body, lines, clock);
    (outcomes.len(), malformed.len())
}

fn one(line: &[u8], clock: Clock) -> Result<Outcome, String> {
    // The message says where, not what: values may be personal.
    let outcome: Outcome = serde_json::from_slice(line).map_err(|e| {
        let what = match e.classify() {
            serde_json::error::Category::Data => "not an outcome",
            serde_json::error::Category::Io
            | serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof => "not JSON",
        };
        format!("{what} at column {}", e.column())
    })?;
    if outcome.request_id.is_empty() || outcome.request_id.len() > MAX_ID {
        return Err(format!("request_id must have 1 to {MAX_ID} bytes"));
    }
    if outcome.label.is_none() && outcome.attributes.is_empty() {
        return Err("neither label nor attributes".into());
    }
    if outcome.attributes.len() > MAX_ATTRIBUTES {
        return Err(format!("more than {MAX_ATTRIBUTES} attributes"));
    }
    let text = match &outcome.label {
        Some(Scalar::Text(text)) => text.len(),
        Some(Scalar::Number(_) | Scalar::Bool(_)) | None => 0,
    };
    if text > MAX_VALUE || outcome.attributes.values().any(|v| v.len() > MAX_VALUE) {
        return Err(format!(
            "a label or an attribute has more than {MAX_VALUE} bytes"
        ));
    }
    if clock == Clock::Replay && outcome.available_at.is_none() {
        return Err("on a replayed clock an outcome must have available_at".into());
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_one_by_one_and_mistakes_named_without_their_values() {
        let body = b"{\"request_id\":\"a\",\"label\":1}\n\n{\"request_id\":\"secret\"}\nnonsense\n{\"request_id\":\"b\",\"row\":2,\"attributes\":{\"sex\":\"male\"}}\r\n";
        let (outcomes, malformed) = parse(body, true, Clock::Live);
        assert_eq!(outcomes.len(), 2);
        assert_eq!(outcomes[1].row, 2);
        let lines: Vec<_> = malformed
            .iter()
            .map(|m| (m.line, m.error.as_str()))
            .collect();
        assert_eq!(
            lines,
            [
                (3, "neither label nor attributes"),
                (4, "not JSON at column 2")
            ]
        );
    }

    #[test]
    fn long_labels_and_attributes_are_malformed() {
        let label = |n: usize| format!(r#"{{"request_id":"a","label":"{}"}}"#, "x".repeat(n));
        let attribute = |n: usize| {
            format!(
                r#"{{"request_id":"a","attributes":{{"sex":"{}"}}}}"#,
                "x".repeat(n)
            )
        };
        for text in [label(MAX_VALUE), attribute(MAX_VALUE)] {
            assert!(one(text.as_bytes(), Clock::Live).is_ok());
        }
        for text in [label(MAX_VALUE + 1), attribute(MAX_VALUE + 1)] {
            let error = one(text.as_bytes(), Clock::Live).unwrap_err();
            assert_eq!(error, "a label or an attribute has more than 256 bytes");
        }
    }

    #[test]
    fn replayed_outcomes_must_say_when_they_became_known() {
        let line = br#"{"request_id":"a","label":1}"#;
        assert!(one(line, Clock::Replay).is_err());
        let line = br#"{"request_id":"a","label":1,"available_at":"2019-01-01T00:00:00Z"}"#;
        assert!(one(line, Clock::Replay).is_ok());
    }
}
