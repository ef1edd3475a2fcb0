//! What protocols with JSON bodies have in common: which bodies can be read, how long names may be,
//! where the request id comes from. What the JSON means is the protocol's own affair.

use bytes::Bytes;
use clause9_shared::window::{MAX_MODEL_NAME, UndecodableReason};
use http::HeaderValue;
use serde::Deserialize;

use crate::exchange::{Exchange, Message};

/// Longest tensor name, request id or model name in bytes.
const MAX_TEXT: usize = MAX_MODEL_NAME;

/// The bodies of a request that was answered well and of its response, if both can be JSON.
pub(super) fn bodies(exchange: &Exchange) -> Result<(Bytes, Bytes), UndecodableReason> {
    if !exchange.status.is_success() {
        return Err(UndecodableReason::UpstreamError);
    }
    Ok((readable(&exchange.request)?, readable(&exchange.response)?))
}

/// A body as JSON text, if it can be one.
fn readable(message: &Message) -> Result<Bytes, UndecodableReason> {
    let encoded = message.content_encoding.as_ref();
    if message.binary_tail
        || encoded.is_some_and(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(UndecodableReason::Unsupported);
    }
    if message.content_type.as_ref().is_some_and(is_binary) {
        return Err(UndecodableReason::Unsupported);
    }
    if message.body.truncated {
        return Err(UndecodableReason::Truncated);
    }
    Ok(message.body.joined())
}

/// Servers take JSON under many content types; only those that cannot be JSON are refused unread.
fn is_binary(content_type: &HeaderValue) -> bool {
    let text = content_type.as_bytes();
    [
        &b"application/octet-stream"[..],
        b"application/grpc",
        b"application/x-protobuf",
        b"multipart/",
    ]
    .iter()
    .any(|kind| text.len() >= kind.len() && text[..kind.len()].eq_ignore_ascii_case(kind))
}

/// A body's JSON as the protocol means it; what is not that is malformed.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, UndecodableReason> {
    serde_json::from_slice(body).map_err(|_| UndecodableReason::Malformed)
}

/// A name from the wire, if it is not too long to be kept.
pub(super) fn bounded(text: &str) -> Result<Box<str>, UndecodableReason> {
    if text.len() > MAX_TEXT {
        return Err(UndecodableReason::Unsupported);
    }
    Ok(text.into())
}

/// The first id of the protocol's own that says anything, or else that of the request's header.
pub(super) fn request_id(
    own: &[Option<&str>],
    exchange: &Exchange,
) -> Result<Option<Box<str>>, UndecodableReason> {
    let header = exchange.request_id.as_ref().and_then(|v| v.to_str().ok());
    let mut ids = own.iter().copied().chain([header]).flatten();
    ids.find(|id| !id.is_empty()).map(bounded).transpose()
}
