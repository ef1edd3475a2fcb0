//! An exchange: one request and its response as captured, nothing understood yet. Plain data; who
//! captured it and how stands in `capture`.

use bytes::Bytes;
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header};

/// The header whose value is the request id where the protocol has none in its body.
pub static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Set by the binary tensor extension: how many bytes of the body are JSON.
pub static JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");
/// How the messages inside a gRPC body are compressed.
pub static GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// Most bytes of trailers that are kept, names and values together.
pub const TRAILERS: usize = 4096;

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
    pub target: Uri,
    /// The status of the response.
    pub status: StatusCode,
    /// `x-request-id` of the request.
    pub request_id: Option<HeaderValue>,
    /// What went in.
    pub request: Message,
    /// What came out.
    pub response: Message,
}

/// One direction of an exchange.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// `content-type`.
    pub content_type: Option<HeaderValue>,
    /// `content-encoding`.
    pub content_encoding: Option<HeaderValue>,
    /// Whether part of the body is not JSON but raw tensors.
    pub binary_tail: bool,
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
        let content_type = headers.get(header::CONTENT_TYPE).cloned();
        let grpc = content_type.as_ref().is_some_and(is_grpc);
        Self {
            grpc_encoding: grpc.then(|| headers.get(&GRPC_ENCODING).cloned()).flatten(),
            content_type,
            content_encoding: headers.get(header::CONTENT_ENCODING).cloned(),
            binary_tail: headers.contains_key(&JSON_LENGTH),
            body: Body::default(),
            version: Version::default(),
            trailers: None,
        }
    }

    /// Keeps what came after the body, if it is not too long.
    pub fn end_with(&mut self, trailers: &HeaderMap) {
        let lengths = trailers.iter().map(|(n, v)| n.as_str().len() + v.len());
        self.trailers = (lengths.sum::<usize>() <= TRAILERS).then(|| trailers.clone());
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
