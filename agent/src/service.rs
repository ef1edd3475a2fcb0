//! The small HTTP servers beside the data path: admin and outcomes. Bounded connections, bodies and
//! times; on a thread of their own.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::capture::{Begun, Held, Socket};

/// Most connections to one of these servers at once.
const MAX_CONNECTIONS: usize = 64;
/// How long a request's head may take, and how long a connection may be idle.
const HEAD: Duration = Duration::from_secs(30);
/// How long a request's body may take.
const BODY: Duration = Duration::from_secs(30);
/// Most requests of one connection of HTTP/2 at once.
const STREAMS: u32 = 16;
/// Longest head of a request over HTTP/2, in bytes.
const HEADERS: u32 = 16 << 10;
/// How much of their bodies a connection of HTTP/2 may send ahead, in bytes.
const WINDOW: u32 = 256 << 10;

pub(crate) type Answer = Response<Full<Bytes>>;

/// What comes behind an answer's body, as an extension of it. Over HTTP/2 alone.
#[derive(Clone, Debug)]
pub(crate) struct Trailers(pub(crate) HeaderMap);

/// Which versions of HTTP a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// HTTP/1 alone.
    One,
    /// HTTP/1, and HTTP/2 of clients that begin with it.
    OneAndTwo,
}

/// Serves until `stop` turns true.
pub(crate) async fn serve<F, R>(
    listener: TcpListener,
    speaks: Speaks,
    mut stop: watch::Receiver<bool>,
    handle: F,
) where
    F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    let handle = Arc::new(handle);
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let accept = async {
        loop {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let handle = Arc::clone(&handle);
            tokio::spawn(async move {
                connection(stream, speaks, handle).await;
                drop(slot);
            });
        }
    };
    tokio::select! { () = accept => {} _ = stop.wait_for(|s| *s) => {} }
}

/// One client's connection.
async fn connection<F, R>(stream: TcpStream, speaks: Speaks, handle: Arc<F>)
where
    F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    let socket = Socket::Tcp(stream, Held::default());
    let (begun, streamed) = match speaks {
        Speaks::One => (Begun::untouched(socket), false),
        Speaks::OneAndTwo => match tokio::time::timeout(HEAD, Begun::sniffed(socket)).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) | Err(_) => return,
        },
    };
    if streamed {
        let service = service_fn(move |request| {
            let answer = handle(request);
            async move { Ok::<_, Infallible>(trailed(answer.await)) }
        });
        let _ = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEADERS)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .keep_alive_interval(HEAD)
            .serve_connection(TokioIo::new(begun), service)
            .await;
    } else {
        let service = service_fn(move |request| {
            let answer = handle(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .serve_connection(TokioIo::new(begun), service)
            .await;
    }
}

/// An answer with what comes behind its body.
fn trailed(answer: Answer) -> Response<impl http_body::Body<Data = Bytes, Error = Infallible>> {
    let (mut head, body) = answer.into_parts();
    let trailers = head.extensions.remove::<Trailers>();
    let trailers = async move { trailers.map(|Trailers(behind)| Ok(behind)) };
    Response::from_parts(head, body.with_trailers(trailers))
}

/// A body that is not longer than `limit`, or the answer that says so.
pub(crate) async fn body(request: Request<Incoming>, limit: usize) -> Result<Bytes, Answer> {
    let collecting = Limited::new(request.into_body(), limit).collect();
    match tokio::time::timeout(BODY, collecting).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("the body is longer than {limit} bytes"),
        )),
        Ok(Err(_)) => Err(problem(StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => Err(problem(
            StatusCode::REQUEST_TIMEOUT,
            "the body took too long",
        )),
    }
}

/// An answer in some media type.
pub(crate) fn answer(status: StatusCode, media: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// An answer in JSON.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    match serde_json::to_vec(value) {
        Ok(text) => answer(status, "application/json", text),
        Err(_) => problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the answer cannot be written as JSON",
        ),
    }
}

/// What went wrong and what to do.
pub(crate) fn problem(status: StatusCode, message: &str) -> Answer {
    let text = serde_json::json!({ "error": message }).to_string();
    answer(status, "application/json", text)
}
