//! The same requests as calls of gRPC: one message behind its length, packed or not, and an answer with the
//! status behind it (gRPC over HTTP/2; OTLP 1, "OTLP/gRPC").

use std::fmt::Write as _;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;

use super::Signal;
use crate::service::{Answer, Trailers};
use crate::sink::reading::Unread;

/// What stands before a message: whether it is packed, and its length.
const PREFIX: usize = 5;

impl Signal {
    /// That of a call's path.
    pub(in crate::sink) fn called(path: &str) -> Option<Self> {
        let service = path.strip_prefix("/opentelemetry.proto.collector.")?;
        Some(match service {
            "trace.v1.TraceService/Export" => Self::Traces,
            "metrics.v1.MetricsService/Export" => Self::Metrics,
            "logs.v1.LogsService/Export" => Self::Logs,
            _ => return None,
        })
    }
}

/// Whether a request says that it is a call with messages of Protocol Buffers.
pub(in crate::sink) fn is_call(head: &HeaderMap) -> bool {
    let media = head.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let media = media.map(|m| m.split(|b| *b == b';').next().unwrap_or_default());
    media.is_some_and(|m| m == b"application/grpc" || m == b"application/grpc+proto")
}

/// The one message of a call, and the header that says how it is packed.
pub(in crate::sink) fn message(
    head: &HeaderMap,
    mut body: Bytes,
) -> Result<(HeaderMap, Bytes), Unread> {
    let broken = |why: &str| Err(Unread::Malformed(why.into()));
    let Some((&[packed, a, b, c, d], _)) = body.split_first_chunk::<PREFIX>() else {
        return broken("a call has one message, behind five bytes that say its length");
    };
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if body.len() - PREFIX != length {
        return broken("the call's message is not as long as it says, or not the only one");
    }
    let message = body.split_off(PREFIX);
    let mut how = HeaderMap::new();
    match packed {
        0 => {}
        1 => match head.get("grpc-encoding") {
            Some(coding) => {
                how.insert(header::CONTENT_ENCODING, coding.clone());
            }
            None => return broken("the message is packed, and `grpc-encoding` does not say how"),
        },
        _ => return broken("the byte that says whether a message is packed is 0 or 1"),
    }
    Ok((how, message))
}

/// An answer of the door as a call's: its body as the message, its status behind it.
pub(in crate::sink) async fn answer(of: Answer) -> Answer {
    let status = of.status();
    let Ok(body) = of.into_body().collect().await;
    let body = body.to_bytes();
    let mut trailers = HeaderMap::new();
    let mut framed = Bytes::new();
    if status == StatusCode::OK {
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let mut bytes = BytesMut::with_capacity(PREFIX + body.len());
        bytes.put_u8(0);
        bytes.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
        bytes.put(body);
        framed = bytes.freeze();
    } else {
        trailers.insert("grpc-status", HeaderValue::from_static(code(status)));
        if let Ok(why) = HeaderValue::try_from(escaped(&said(&body))) {
            trailers.insert("grpc-message", why);
        }
    }
    let mut answer = Answer::new(framed.into());
    let media = HeaderValue::from_static("application/grpc");
    answer.headers_mut().insert(header::CONTENT_TYPE, media);
    answer.extensions_mut().insert(Trailers(trailers));
    answer
}

/// gRPC's code for what the door says. An exporter tries again after `UNAVAILABLE` alone.
const fn code(status: StatusCode) -> &'static str {
    match status {
        // UNAVAILABLE
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT => "14",
        // RESOURCE_EXHAUSTED
        StatusCode::PAYLOAD_TOO_LARGE => "8",
        // UNAUTHENTICATED
        StatusCode::UNAUTHORIZED => "16",
        // UNIMPLEMENTED
        StatusCode::NOT_FOUND
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::UNSUPPORTED_MEDIA_TYPE => "12",
        // INTERNAL
        StatusCode::INTERNAL_SERVER_ERROR => "13",
        // INVALID_ARGUMENT
        _ => "3",
    }
}

/// What an answer of the door says went wrong.
fn said(body: &[u8]) -> String {
    let told: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let told = told.as_ref().and_then(|told| told["error"].as_str());
    told.unwrap_or_default().to_owned()
}

/// As `grpc-message` has it: bytes beyond printable ASCII, and `%`, as `%XX`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            out.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(packed: u8, length: u32, message: &[u8]) -> Bytes {
        let mut bytes = vec![packed];
        bytes.extend(length.to_be_bytes());
        bytes.extend(message);
        bytes.into()
    }

    #[test]
    fn a_call_has_one_whole_message() {
        let head = HeaderMap::new();
        let (how, found) = message(&head, framed(0, 3, b"abc")).unwrap();
        assert_eq!((how.len(), &found[..]), (0, &b"abc"[..]));
        let (_, empty) = message(&head, framed(0, 0, b"")).unwrap();
        assert!(empty.is_empty());
        for wrong in [
            Bytes::new(),
            Bytes::from_static(b"\0\0\0\0"),
            framed(0, 4, b"abc"),
            framed(0, 2, b"abc"),
            framed(0, u32::MAX, b"abc"),
            framed(2, 3, b"abc"),
            // Packed, and nobody says how.
            framed(1, 3, b"abc"),
        ] {
            let found = message(&head, wrong.clone());
            assert!(matches!(found, Err(Unread::Malformed(_))), "{wrong:?}");
        }
        let mut head = HeaderMap::new();
        head.insert("grpc-encoding", HeaderValue::from_static("gzip"));
        let (how, _) = message(&head, framed(1, 3, b"abc")).unwrap();
        assert_eq!(how[header::CONTENT_ENCODING], "gzip");
        let (how, _) = message(&head, framed(0, 3, b"abc")).unwrap();
        assert!(how.is_empty());
    }

    #[tokio::test]
    async fn the_status_stands_behind_the_message_or_alone() {
        let trailers = |answer: &Answer| answer.extensions().get::<Trailers>().unwrap().0.clone();
        let good = answer(Answer::new(Bytes::from_static(b"xy").into())).await;
        assert_eq!(trailers(&good)["grpc-status"], "0");
        let body = good.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&body[..], b"\0\0\0\0\x02xy");
        let bad = crate::service::problem(StatusCode::BAD_REQUEST, "50 % of \u{e9}\n");
        let bad = answer(bad).await;
        assert_eq!(bad.status(), StatusCode::OK);
        let told = trailers(&bad);
        assert_eq!(told["grpc-status"], "3");
        assert_eq!(told["grpc-message"], "50 %25 of %C3%A9%0A");
        assert!(
            bad.into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes()
                .is_empty()
        );
    }
}
