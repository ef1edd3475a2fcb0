//! Recorded exchanges as decoders see them, for tests.

use bytes::Bytes;
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::exchange::{Body, Exchange, Message, REQUEST_ID};

/// A request and its response as they went over the wire, heads too.
#[derive(Clone, Copy, Debug)]
pub struct Recorded {
    /// What it is called in `tests/fixtures/wire`.
    pub(crate) name: &'static str,
    pub(crate) request: &'static [u8],
    pub(crate) response: &'static [u8],
}

/// The exchange of that name in `tests/fixtures/wire`.
macro_rules! recorded {
    (@ $name:literal, $side:literal) => {
        include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/fixtures/wire/",
            $name,
            $side
        ))
    };
    ($name:literal) => {
        $crate::decode::recorded::Recorded {
            name: $name,
            request: recorded!(@ $name, ".request.http"),
            response: recorded!(@ $name, ".response.http"),
        }
    };
}
pub(crate) use recorded;

/// Splits recorded bytes into first line, headers and body.
fn parts(bytes: &[u8]) -> (&str, HeaderMap, Bytes) {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let (first, lines) = head.split_once("\r\n").unwrap();
    let headers = lines
        .split("\r\n")
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            let name: HeaderName = name.parse().unwrap();
            (name, value.parse::<HeaderValue>().unwrap())
        })
        .collect();
    (first, headers, Bytes::copy_from_slice(&bytes[end + 4..]))
}

impl Recorded {
    /// What the agent captures of it.
    pub(crate) fn exchange(&self) -> Exchange {
        let (line, headers, request) = parts(self.request);
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let (status, response_headers, response) = parts(self.response);
        let mut exchange = exchange(target, request, response);
        exchange.method = method.parse().unwrap();
        exchange.status = status.split(' ').nth(1).unwrap().parse().unwrap();
        exchange.request_id = headers.get(&REQUEST_ID).cloned();
        let message = |headers, body| Message {
            body,
            ..Message::of(headers)
        };
        exchange.request = message(&headers, exchange.request.body);
        exchange.response = message(&response_headers, exchange.response.body);
        exchange
    }
}

/// A request by POST with that body, answered well with the other.
pub(crate) fn exchange(
    target: &str,
    request: impl Into<Bytes>,
    response: impl Into<Bytes>,
) -> Exchange {
    let message = |body: Bytes| Message {
        body: Body::from_iter([body]),
        ..Message::default()
    };
    Exchange {
        pane: PaneStart(Timestamp::EPOCH),
        arrived_at: Timestamp::EPOCH,
        method: Method::POST,
        target: target.parse().unwrap(),
        status: StatusCode::OK,
        request_id: None,
        request: message(request.into()),
        response: message(response.into()),
    }
}
