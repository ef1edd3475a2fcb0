//! Recorded exchanges as decoders see them, for tests.

use bytes::Bytes;
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::exchange::{Body, Exchange, Message, REQUEST_ID, Target};

/// A request and its response as they went over the wire, heads too.
#[derive(Clone, Copy, Debug)]
pub struct Recorded {
    /// What it is called in `tests/fixtures/wire`.
    pub(crate) name: &'static str,
    pub(crate) request: &'static [u8],
    pub(crate) response: &'static [u8],
    /// The method that was called, of gRPC, whose messages are recorded as text and as hex.
    pub(crate) call: Option<&'static str>,
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
            call: None,
        }
    };
    (grpc $name:literal) => {
        $crate::decode::recorded::Recorded {
            name: $name,
            request: recorded!(@ $name, ".request.txtpb"),
            response: recorded!(@ $name, ".response.txtpb"),
            call: Some("/inference.GRPCInferenceService/ModelInfer"),
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
    let headers: HeaderMap = headers;
    let body = &bytes[end + 4..];
    let body = if headers.contains_key(http::header::TRANSFER_ENCODING) {
        dechunked(body)
    } else {
        Bytes::copy_from_slice(body)
    };
    (first, headers, body)
}

/// The content of a chunked body.
fn dechunked(mut body: &[u8]) -> Bytes {
    let mut content = Vec::new();
    loop {
        let line = body.windows(2).position(|w| w == b"\r\n").unwrap();
        let size = std::str::from_utf8(&body[..line]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return content.into();
        }
        let start = line + 2;
        content.extend_from_slice(&body[start..start + size]);
        body = &body[start + size + 2..];
    }
}

impl Recorded {
    /// What the agent captures of it.
    pub(crate) fn exchange(&self) -> Exchange {
        if let Some(call) = self.call {
            return called(call, message(self.request), message(self.response));
        }
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

/// The message on a recording's last line, behind its prefix.
fn message(recorded: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(recorded).unwrap();
    let hex = text.trim_end().rsplit_once("# ").unwrap().1;
    let digit = |c: u8| u8::try_from(char::from(c).to_digit(16).unwrap()).unwrap();
    let pairs = hex.as_bytes().chunks(2);
    framed(
        &pairs
            .map(|p| digit(p[0]) * 16 + digit(p[1]))
            .collect::<Vec<_>>(),
    )
}

/// A message of gRPC as it goes over the wire, not compressed.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend(message);
    framed
}

/// A call by gRPC with these bodies that ended well.
pub(crate) fn called(
    method: &str,
    request: impl Into<Bytes>,
    response: impl Into<Bytes>,
) -> Exchange {
    let mut exchange = exchange(method, request, response);
    for message in [&mut exchange.request, &mut exchange.response] {
        message.content_type = Some(HeaderValue::from_static("application/grpc"));
    }
    let status = (
        HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    );
    exchange.response.end_with(&HeaderMap::from_iter([status]));
    exchange
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
        target: Target::of(target),
        status: StatusCode::OK,
        request_id: None,
        request: message(request.into()),
        response: message(response.into()),
    }
}
