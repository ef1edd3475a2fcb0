//! One client's connection, from its first byte to its end: TLS, which version of HTTP, and how much a
//! client may ask for on it.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::{Notify, watch};
use tokio_rustls::{TlsAcceptor, TlsStream};

use crate::capture::reverse_proxy::Proxy;
use crate::capture::room::Used;
use crate::capture::socket::{Begun, Socket};
use crate::capture::streams::{
    CONNECTION_WINDOW, HEADER_LINES, HEADERS, SEND_BUFFER, STREAM_WINDOW, STREAMS, Taken,
};
use crate::capture::tls::{Certificates, H2};

/// How long a client may take to send a request's head, and how long it may be idle between two.
const HEAD: Duration = Duration::from_secs(75);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a connection that was taken just before the end may wait with its first request.
const LAST_CALL: Duration = Duration::from_millis(500);
/// How often a silent HTTP/2 connection is asked whether the client is still there, and how long its
/// answer may take.
const PING: (Duration, Duration) = (Duration::from_mins(1), Duration::from_secs(20));

/// Serves one connection until it ends; once `draining` turns true, until what is under way ended.
pub(super) async fn serve(
    proxy: Arc<Proxy>,
    socket: Socket,
    certificates: Option<Arc<Certificates>>,
    mut draining: watch::Receiver<bool>,
) {
    let last_call = async {
        let _ = draining.wait_for(|d| *d).await;
        tokio::time::sleep(LAST_CALL).await;
    };
    let used = Arc::new(Used::now());
    let begun = tokio::select! {
        begun = tokio::time::timeout(HEAD, begin(&proxy, socket, certificates)) => begun,
        () = last_call => return,
        () = proxy.room.gives_way(&used) => return,
    };
    match begun {
        Ok(Some((begun, true))) => serve_http2(proxy, begun, used, draining).await,
        Ok(Some((begun, false))) => serve_http1(proxy, begun, used, draining).await,
        Ok(None) | Err(_) => {}
    }
}

/// The connection and whether HTTP/2 is spoken on it, once that is clear.
async fn begin(
    proxy: &Proxy,
    socket: Socket,
    certificates: Option<Arc<Certificates>>,
) -> Option<(Begun, bool)> {
    let (socket, certificates) = match (socket, certificates) {
        (socket @ Socket::Tcp(..), Some(certificates)) => (socket, certificates),
        (socket, _) => return Begun::sniffed(socket).await.ok(),
    };
    let accepting = TlsAcceptor::from(certificates.current()).accept(socket);
    match tokio::time::timeout(HANDSHAKE, accepting).await {
        Ok(Ok(tls)) => {
            let streamed = tls.get_ref().1.alpn_protocol() == Some(H2);
            let socket = Socket::Tls(Box::new(TlsStream::Server(tls)));
            Some((Begun::untouched(socket), streamed))
        }
        Ok(Err(error)) => {
            proxy.recorder.telemetry.tls_failures.inc();
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            proxy.recorder.telemetry.tls_failures.inc();
            None
        }
    }
}

/// How HTTP/1 is read from clients.
pub(crate) fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .preserve_header_case(true)
        .auto_date_header(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(SEND_BUFFER)
        .max_header_size(HEADERS as usize)
        .max_headers(HEADER_LINES);
    builder
}

/// Ready once a connection shall take no more requests: the agent stops, or others wait for its place.
async fn shall_end(proxy: &Proxy, used: &Used, mut draining: watch::Receiver<bool>) {
    tokio::select! {
        _ = draining.wait_for(|d| *d) => {}
        () = proxy.room.gives_way(used) => {}
    }
}

async fn serve_http1(
    proxy: Arc<Proxy>,
    begun: Begun,
    used: Arc<Used>,
    draining: watch::Receiver<bool>,
) {
    let (path, use_of) = (Arc::clone(&proxy), Arc::clone(&used));
    let (begun, announced) = begun.with_announced();
    let service = service_fn(move |request: Request<Incoming>| {
        let (proxy, used) = (Arc::clone(&path), Arc::clone(&use_of));
        let announced = Arc::clone(&announced);
        async move {
            used.again();
            let answer = proxy.handle(request, Some(&announced)).await;
            used.again();
            answer
        }
    });
    let connection = http1()
        .serve_connection(TokioIo::new(begun), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // What has been received is looked at before the connection is closed as idle.
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = shall_end(&proxy, &used, draining) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        if error.is_parse() {
            proxy.recorder.telemetry.refuse("malformed");
        }
        tracing::debug!(%error, "a client's connection ended");
    }
}

async fn serve_http2(
    proxy: Arc<Proxy>,
    begun: Begun,
    used: Arc<Used>,
    draining: watch::Receiver<bool>,
) {
    let (path, use_of) = (Arc::clone(&proxy), Arc::clone(&used));
    let client = Arc::new((Taken::default(), Notify::new()));
    let judged = Arc::clone(&client);
    let service = service_fn(move |request: Request<Incoming>| {
        let (proxy, client) = (Arc::clone(&path), Arc::clone(&client));
        let used = Arc::clone(&use_of);
        async move {
            used.again();
            let (taken, flood) = &*client;
            let asked = taken.ask();
            if taken.is_flood() {
                flood.notify_one();
            }
            let answer = proxy.handle(request, None).await;
            asked.answered();
            used.again();
            answer
        }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADERS)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1)
        .serve_connection(TokioIo::new(begun), service);
    let mut connection = std::pin::pin!(connection);
    let flood = async { judged.1.notified().await };
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = flood => {
            proxy.recorder.telemetry.refuse("flood");
            tracing::warn!("a client's connection was closed: it takes back most of its requests");
            return;
        }
        () = shall_end(&proxy, &used, draining) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a client's connection ended");
    }
}
