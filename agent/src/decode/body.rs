//! What protocols have in common before anything is understood: which bodies can be read, how long they
//! and the names in them may be, where the request id comes from.

use bytes::Bytes;
use clause9_shared::window::{MAX_MODEL_NAME, UndecodableReason};
use serde::Deserialize;

use crate::decode::{no_numbers, unpack};
use crate::exchange::{Exchange, Message};

/// Longest tensor name, request id or model name in bytes.
const MAX_TEXT: usize = MAX_MODEL_NAME;
/// Longest body that is read, in bytes. A value takes two bytes of it at least, so this bounds what
/// reading it takes.
pub(super) const MAX_BODY: usize = 16 << 20;

/// The bodies of a request that was answered well and of its response, as texts.
pub(super) fn texts(exchange: &Exchange) -> Result<(Bytes, Bytes), UndecodableReason> {
    answered_well(exchange)?;
    Ok((text(&exchange.request)?, text(&exchange.response)?))
}

/// That the server did not answer with an error.
pub(super) fn answered_well(exchange: &Exchange) -> Result<(), UndecodableReason> {
    if exchange.status.is_success() {
        Ok(())
    } else {
        Err(UndecodableReason::UpstreamError)
    }
}

/// A body as text, if it can be one.
pub(super) fn text(message: &Message) -> Result<Bytes, UndecodableReason> {
    if message.json_length.is_some() || is_binary(message) {
        return Err(UndecodableReason::Unsupported);
    }
    whole(message).map(no_numbers::put_aside)
}

/// A body as its sender meant it: unpacked, if it was captured to its end and is not too long.
pub(super) fn whole(message: &Message) -> Result<Bytes, UndecodableReason> {
    let packed = packed(message)?;
    match &message.content_encoding {
        None => Ok(packed),
        Some(encoding) => unpack::unpack(encoding.as_bytes(), packed),
    }
}

/// A body as it came, if it was captured to its end and is not too long.
pub(super) fn packed(message: &Message) -> Result<Bytes, UndecodableReason> {
    if message.body.truncated {
        return Err(UndecodableReason::Truncated);
    }
    if message.body.len() > MAX_BODY {
        return Err(UndecodableReason::Oversized);
    }
    Ok(message.body.joined())
}

/// Servers take text under many content types; only those that cannot be text are refused unread.
pub(super) fn is_binary(message: &Message) -> bool {
    [
        "application/octet-stream",
        "application/grpc",
        "application/x-protobuf",
        "application/x-recordio",
        "application/x-np",
        "application/zip",
        "multipart/",
        "image/",
        "audio/",
        "video/",
    ]
    .iter()
    .any(|kind| message.is(kind))
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
