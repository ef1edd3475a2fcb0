//! Doors for fuzzing, built with the feature `fuzzing` alone: readers of bytes that are nobody else's
//! business, each with the laws that hold for any bytes. A law that does not hold panics.

use std::convert::Infallible;

use bytes::Bytes;
use clause9_shared::time::Clock;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::capture::{http1_of_clients, settle};
use crate::decode::{UNPACKED_AT_MOST, sse_events, without_encoding};

/// Server-sent events: no byte is made up, and it does not matter how lines end.
pub fn events(stream: &[u8]) {
    let events: Vec<_> = sse_events(stream).collect();
    let held: usize = events.iter().map(|event| event.len()).sum();
    assert!(held <= stream.len(), "more data than there was");
    if stream.contains(&b'\r') {
        return;
    }
    for end in [&b"\r\n"[..], b"\r"] {
        let lines: Vec<_> = stream.split(|byte| *byte == b'\n').collect();
        let other = lines.join(end);
        let same = sse_events(&other).eq(events.iter().cloned());
        assert!(same, "other line ends, other events");
    }
}

/// Compressed bodies: never longer than may be, whatever they promise.
pub fn unpacked(encoding: &str, packed: &[u8]) {
    if let Ok(body) = without_encoding(encoding.as_bytes(), Bytes::copy_from_slice(packed)) {
        assert!(body.len() <= UNPACKED_AT_MOST, "{} bytes", body.len());
    }
}

/// Lines of outcomes: each is an outcome or is named as malformed.
pub fn outcomes(body: &[u8]) {
    for clock in [Clock::Live, Clock::Replay] {
        for lines in [false, true] {
            let (good, bad) = crate::outcomes::read(body, lines, clock);
            let most = body.split(|byte| *byte == b'\n').count();
            assert!(good + bad <= most, "more outcomes than lines");
            assert!(lines || good + bad == 1, "one delivery, not one answer");
        }
    }
}

/// Heads and bodies of HTTP/1 as a client's connection is read: what is passed on can be read in one way only.
pub fn connection(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return;
    };
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        if client.write_all(bytes).await.is_err() || client.shutdown().await.is_err() {
            return;
        }
        let service = service_fn(|request| async { Ok::<_, Infallible>(pass(request).await) });
        let connection = http1_of_clients().serve_connection(TokioIo::new(server), service);
        let mut answers = Vec::new();
        let (_, _) = tokio::join!(connection, client.read_to_end(&mut answers));
    });
}

async fn pass(mut request: Request<Incoming>) -> Response<Empty<Bytes>> {
    let mut answer = Response::new(Empty::new());
    if settle(&mut request) {
        let headers = request.headers();
        let all = |name| headers.get_all(name).iter().collect::<Vec<_>>();
        let (lengths, codings) = (all(header::CONTENT_LENGTH), all(header::TRANSFER_ENCODING));
        assert!(
            codings.len() <= 1 && all(header::HOST).len() <= 1,
            "named twice"
        );
        assert!(
            codings.is_empty() || lengths.is_empty(),
            "a length beside chunks"
        );
        let length = lengths
            .first()
            .map(|l| l.to_str().ok().and_then(|l| l.parse::<u64>().ok()));
        assert!(length != Some(None), "a length that is no number");
        let body = request.into_body().collect().await;
        if let (Ok(body), Some(Some(length))) = (body, length) {
            let body = body.to_bytes();
            assert_eq!(body.len() as u64, length, "not as long as was said");
        }
    } else {
        *answer.status_mut() = StatusCode::BAD_REQUEST;
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
    }
    answer
}
