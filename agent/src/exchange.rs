//! An exchange: one request and its response as captured, nothing understood yet. Plain data; who
//! captured it and how stands in `capture`.

use bytes::Bytes;
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};

/// The header whose value is the request id where the protocol has none in its body.
pub static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Set by the binary tensor extension: how many bytes of the body are JSON.
pub static JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");
/// The request id of SageMaker's callers, where there is no other.
static SAGEMAKER_ID: HeaderName = HeaderName::from_static("x-amzn-sagemaker-inference-id");
/// How the messages inside a gRPC body are compressed.
pub static GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// Most bytes of trailers that are kept, names and values together.
pub const TRAILERS: usize = 4096;

/// Most bytes of one header's value that are kept.
const FIELD: usize = 1024;
/// Most bytes of a target's path that are kept.
const PATH: usize = 4096;
/// Longest path that stands in the exchange itself.
const SHORT: usize = 63;

/// The id that a request's headers give it.
pub fn request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(&REQUEST_ID);
    id.or_else(|| headers.get(&SAGEMAKER_ID)).map(own)
}

/// What is kept of a target: its path, in memory of its own. What came off the wire shares the buffer into
/// which the connection reads, and an exchange that waits would keep all of that.
#[derive(Clone)]
pub struct Target(Kept);

#[derive(Clone)]
enum Kept {
    /// A path of the usual length needs no allocation.
    Short(u8, [u8; SHORT]),
    Long(Box<str>),
}

impl Target {
    /// The path, up to some bytes.
    pub fn of(path: &str) -> Self {
        let bytes = path.as_bytes();
        if let (Ok(length), true) = (u8::try_from(bytes.len()), bytes.len() <= SHORT) {
            let mut short = [0; SHORT];
            short[..bytes.len()].copy_from_slice(bytes);
            return Self(Kept::Short(length, short));
        }
        let mut end = bytes.len().min(PATH);
        while !path.is_char_boundary(end) {
            end -= 1;
        }
        Self(Kept::Long(path[..end].into()))
    }

    /// The path.
    pub fn path(&self) -> &str {
        match &self.0 {
            Kept::Short(length, short) => {
                std::str::from_utf8(&short[..usize::from(*length)]).unwrap_or_default()
            }
            Kept::Long(path) => path,
        }
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.path().fmt(f)
    }
}

/// The beginning of a header's value, in memory of its own for the same reason.
fn own(value: &HeaderValue) -> HeaderValue {
    let bytes = value.as_bytes();
    match bytes {
        b"application/json" => HeaderValue::from_static("application/json"),
        b"application/grpc" => HeaderValue::from_static("application/grpc"),
        _ => HeaderValue::from_bytes(&bytes[..bytes.len().min(FIELD)])
            .unwrap_or_else(|_| HeaderValue::from_static("")),
    }
}

/// What the proxy saw of one request and its response.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The pane of its arrival.
    pub pane: PaneStart,
    /// When it arrived (event time).
    pub arrived_at: Timestamp,
    /// The request's method.
    pub method: Method,
    /// The request's target.
    pub target: Target,
    /// The status of the response.
    pub status: StatusCode,
    /// What [`request_id`] found.
    pub request_id: Option<HeaderValue>,
    /// What went in.
    pub request: Message,
    /// What came out.
    pub response: Message,
}

impl Exchange {
    /// How the server answered, as HTTP says it: a gRPC call that failed has status 200 all the same, and
    /// its code after the body.
    pub fn outcome(&self) -> StatusCode {
        let code = self.response.trailers.as_ref();
        let code = code.and_then(|trailers| trailers.get("grpc-status")?.to_str().ok());
        match code.and_then(|code| code.parse::<u8>().ok()) {
            Some(code) if self.status == StatusCode::OK => of_grpc(code),
            Some(_) | None => self.status,
        }
    }
}

/// The status of HTTP that says what a code of gRPC says (as its gateways translate them).
const fn of_grpc(code: u8) -> StatusCode {
    match code {
        0 => StatusCode::OK,
        // Cancelled, invalid argument, failed precondition, out of range.
        1 | 3 | 9 | 11 => StatusCode::BAD_REQUEST,
        5 => StatusCode::NOT_FOUND,
        // Exists already, aborted.
        6 | 10 => StatusCode::CONFLICT,
        7 => StatusCode::FORBIDDEN,
        8 => StatusCode::TOO_MANY_REQUESTS,
        12 => StatusCode::NOT_IMPLEMENTED,
        14 => StatusCode::SERVICE_UNAVAILABLE,
        4 => StatusCode::GATEWAY_TIMEOUT,
        16 => StatusCode::UNAUTHORIZED,
        // Unknown, internal, data loss, and what has no name.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// One direction of an exchange.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// `content-type`.
    pub content_type: Option<HeaderValue>,
    /// `content-encoding`.
    pub content_encoding: Option<HeaderValue>,
    /// `inference-header-content-length`: the body's part after so many bytes is raw tensors.
    pub json_length: Option<HeaderValue>,
    /// `grpc-encoding`, for gRPC bodies only.
    pub grpc_encoding: Option<HeaderValue>,
    /// The captured body.
    pub body: Body,
    /// Which version of HTTP it came in: a request from the client, a response from the server.
    pub version: Version,
    /// Fields that came after the body, such as gRPC's status. An answer that consists of trailers
    /// alone has them here, too. None if there were none, or more than [`TRAILERS`] bytes.
    pub trailers: Option<HeaderMap>,
}

impl Message {
    /// Notes what decoding needs to know of the headers; the body comes later.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut message = Self::default();
        // One walk over a few lines costs less than a search for each.
        for (name, value) in headers {
            let place = match name {
                name if name == header::CONTENT_TYPE => &mut message.content_type,
                name if name == header::CONTENT_ENCODING => &mut message.content_encoding,
                name if *name == JSON_LENGTH => &mut message.json_length,
                name if *name == GRPC_ENCODING => &mut message.grpc_encoding,
                _ => continue,
            };
            // Of several lines the first counts.
            if place.is_none() {
                *place = Some(own(value));
            }
        }
        if !message.content_type.as_ref().is_some_and(is_grpc) {
            message.grpc_encoding = None;
        }
        message
    }

    /// Whether the content is of a type that begins like this.
    pub fn is(&self, kind: &str) -> bool {
        let found = self.content_type.as_ref().map(HeaderValue::as_bytes);
        let start = found.and_then(|found| found.get(..kind.len()));
        start.is_some_and(|start| start.eq_ignore_ascii_case(kind.as_bytes()))
    }

    /// Keeps what came after the body, if it is not too long.
    pub fn end_with(&mut self, trailers: &HeaderMap) {
        let lengths = trailers.iter().map(|(n, v)| n.as_str().len() + v.len());
        let few = lengths.sum::<usize>() <= TRAILERS;
        self.trailers = few.then(|| {
            let all = trailers.iter();
            all.map(|(name, value)| (name.clone(), own(value)))
                .collect()
        });
    }
}

/// Whether a media type is gRPC's, whatever its messages are written in.
pub fn is_grpc(content_type: &HeaderValue) -> bool {
    let kind = content_type.as_bytes();
    let named = |prefix: &[u8]| {
        kind.get(..prefix.len())
            .is_some_and(|k| k.eq_ignore_ascii_case(prefix))
    };
    named(b"application/grpc") && matches!(kind.get(16), None | Some(b'+' | b';'))
}

/// A captured body in the pieces in which it passed. The first piece needs no allocation.
#[derive(Clone, Debug, Default)]
pub struct Body {
    first: Bytes,
    rest: Vec<Bytes>,
    len: usize,
    /// Whether the body went on after capturing stopped.
    pub truncated: bool,
}

impl Body {
    /// Appends a piece; shares its memory.
    pub fn push(&mut self, piece: Bytes) {
        self.len += piece.len();
        if self.first.is_empty() {
            self.first = piece;
        } else if !piece.is_empty() {
            self.rest.push(piece);
        }
    }

    /// Captured bytes.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was captured.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Lets go of what was captured; it stays known that there was something.
    pub fn discard(&mut self) {
        *self = Self {
            truncated: true,
            ..Self::default()
        };
    }

    /// The body in one piece; copies only if it came in several.
    pub fn joined(&self) -> Bytes {
        if self.rest.is_empty() {
            return self.first.clone();
        }
        let mut all = Vec::with_capacity(self.len);
        all.extend_from_slice(&self.first);
        for piece in &self.rest {
            all.extend_from_slice(piece);
        }
        all.into()
    }
}

impl FromIterator<Bytes> for Body {
    fn from_iter<I: IntoIterator<Item = Bytes>>(pieces: I) -> Self {
        let mut body = Self::default();
        for piece in pieces {
            body.push(piece);
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_head_shares_no_memory_with_it() {
        let read: Bytes = "application/json; charset=utf-8".into();
        let within = |bytes: &[u8]| read.as_ptr_range().contains(&bytes.as_ptr());
        let value = HeaderValue::from_maybe_shared(read.clone()).unwrap();
        assert!(within(value.as_bytes()));
        let headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, value.clone()),
            (REQUEST_ID.clone(), value.clone()),
        ]);
        let mut message = Message::of(&headers);
        message.end_with(&headers);
        let kept = message.content_type.unwrap();
        assert_eq!(kept, value);
        let id = request_id(&headers).unwrap();
        let trailers = message.trailers.unwrap();
        for kept in [&kept, &id].into_iter().chain(trailers.values()) {
            assert!(!within(kept.as_bytes()));
        }
    }

    #[test]
    fn of_a_long_head_its_beginning_is_kept() {
        let long = "/".to_owned() + &"x".repeat(60_000);
        assert_eq!(Target::of(&long).path(), &long[..PATH]);
        for length in [1, SHORT, SHORT + 1, PATH] {
            assert_eq!(Target::of(&long[..length]).path(), &long[..length]);
        }
        let cut = "x".repeat(PATH - 1) + "\u{e9}";
        assert_eq!(Target::of(&cut).path().len(), PATH - 1);
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, long.parse().unwrap())]);
        let kept = Message::of(&headers).content_type.unwrap();
        assert_eq!(kept.as_bytes(), &long.as_bytes()[..FIELD]);
    }

    #[test]
    fn a_call_that_failed_counts_as_a_failure_though_its_status_is_200() {
        let answered = |status: StatusCode, code: Option<&'static str>| {
            let mut response = Message::default();
            if let Some(code) = code {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static(code));
                response.end_with(&trailers);
            }
            let exchange = Exchange {
                pane: PaneStart(Timestamp::EPOCH),
                arrived_at: Timestamp::EPOCH,
                method: Method::POST,
                target: Target::of("/"),
                status,
                request_id: None,
                request: Message::default(),
                response,
            };
            exchange.outcome().as_u16()
        };
        let grpc = |code| answered(StatusCode::OK, Some(code));
        assert_eq!(
            [grpc("0"), grpc("3"), grpc("5"), grpc("14")],
            [200, 400, 404, 503]
        );
        assert_eq!([grpc("13"), grpc("2"), grpc("99")], [500; 3]);
        assert_eq!(grpc("words"), 200);
        assert_eq!(answered(StatusCode::OK, None), 200);
        assert_eq!(answered(StatusCode::BAD_GATEWAY, Some("0")), 502);
    }
}
