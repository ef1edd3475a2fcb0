//! Capture mode: a reverse proxy in front of the model server. Streams both ways frame by frame, adds
//! no header, answers nothing of its own but 502 when the server cannot be reached. After a server's
//! 101 it copies bytes blindly.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::capture::body::{Gate, RequestBody, ResponseBody};
use crate::capture::flight::{Ending, Flight};
use crate::capture::panes::Admission;
use crate::capture::recorder::Recorder;
use crate::capture::upstream::Pool;
use crate::config::Upstream;
use crate::decode::{self, Decoders};
use crate::exchange::{self, Exchange, Message};

/// Most client connections at once; more wait in the listener's backlog.
const MAX_CONNECTIONS: usize = 16_384;
/// How long a client may take to send a request's head, and how long it may be idle between two.
const HEAD: Duration = Duration::from_secs(75);
/// How long an announced body waits for the server to ask for it.
const CONTINUE: Duration = Duration::from_secs(1);
/// How long new connections are taken after the stop signal, while others learn that we go.
const QUIET: Duration = Duration::from_millis(500);
/// How long exchanges under way may take to end after the stop signal.
const DRAIN: Duration = Duration::from_secs(20);

/// The proxy of one model server.
pub struct Proxy {
    pool: Arc<Pool>,
    recorder: Arc<Recorder>,
    decoders: Decoders,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").finish_non_exhaustive()
    }
}

impl Proxy {
    /// A proxy in front of that server.
    pub fn new(upstream: Upstream, recorder: Arc<Recorder>, decoders: Decoders) -> Self {
        Self {
            pool: Arc::new(Pool::new(upstream)),
            recorder,
            decoders,
        }
    }

    /// Serves until `stop` turns true, then lets what is under way end.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let (alive, mut all_gone) = mpsc::channel::<()>(1);
        let (drain, draining) = watch::channel(false);
        let accept = async {
            loop {
                let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                    return;
                };
                let Some(stream) = accept(&listener).await else {
                    continue;
                };
                let connection = Arc::clone(&self).connection(stream, draining.clone());
                let alive = alive.clone();
                tokio::spawn(async move {
                    connection.await;
                    drop((slot, alive));
                });
            }
        };
        tokio::select! {
            () = accept => {}
            () = async { let _ = stop.wait_for(|s| *s).await; tokio::time::sleep(QUIET).await } => {}
        }
        drop((listener, alive));
        let _ = drain.send(true);
        if tokio::time::timeout(DRAIN, all_gone.recv()).await.is_err() {
            tracing::warn!("exchanges still under way were broken off");
        }
    }

    /// Whether the model server takes connections.
    pub async fn upstream_reachable(&self) -> bool {
        self.pool.reachable().await
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, mut draining: watch::Receiver<bool>) {
        let service = service_fn(move |request| {
            let proxy = Arc::clone(&self);
            async move { Ok::<_, Infallible>(proxy.handle(request).await) }
        });
        let connection = http1::Builder::new()
            .preserve_header_case(true)
            .auto_date_header(false)
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = async { let _ = draining.wait_for(|d| *d).await; } => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a client's connection ended");
        }
    }

    async fn handle(&self, mut request: Request<Incoming>) -> Response<ResponseBody> {
        let decoder = decode::find(self.decoders, request.method(), request.uri().path());
        let admission = self.recorder.arrive(request.headers(), decoder.is_some());
        let flight = match (admission, decoder) {
            (Admission::Capture(pane, at), Some(decoder)) => Some(Flight::begin(
                &self.recorder,
                begun(&request, pane, at),
                decoder,
            )),
            (Admission::Capture(..) | Admission::NotInference | Admission::Dropped(_), _) => None,
        };
        let ending = flight.as_ref().map(Flight::ending);
        // We are no forward proxy: a tunnel to anywhere is not ours to open.
        if request.method() == Method::CONNECT {
            return status_only(StatusCode::METHOD_NOT_ALLOWED, None);
        }
        let upgrading = wants_upgrade(request.headers());
        let client_side = upgrading.then(|| hyper::upgrade::on(&mut request));
        strip_hop_by_hop(request.headers_mut(), upgrading);
        let (gate, opener) = if announced(&request) {
            gated(&mut request)
        } else {
            (None, None)
        };
        let request = request.map(|body| RequestBody::new(body, flight.clone(), gate));
        match self.pool.send(request).await {
            Ok((mut response, lease)) => {
                let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
                strip_hop_by_hop(response.headers_mut(), switched);
                if let Some(flight) = &flight {
                    flight.answered(response.status(), response.headers());
                }
                if let (true, Some(client_side)) = (switched, client_side) {
                    tokio::spawn(tunnel(client_side, hyper::upgrade::on(&mut response)));
                    return response.map(|_| ResponseBody::empty(ending));
                }
                response.map(|body| ResponseBody::new(body, flight, ending, lease, opener))
            }
            Err(error) => {
                self.recorder.telemetry.upstream_errors.inc();
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "the model server gave no answer"
                );
                if let Some(flight) = &flight {
                    flight.answered(StatusCode::BAD_GATEWAY, &HeaderMap::new());
                }
                status_only(StatusCode::BAD_GATEWAY, ending)
            }
        }
    }
}

async fn accept(listener: &TcpListener) -> Option<TcpStream> {
    match listener.accept().await {
        Ok((stream, _)) => {
            let _ = stream.set_nodelay(true);
            Some(stream)
        }
        Err(error) => {
            // Out of file descriptors, mostly: wait for some to come back.
            tracing::warn!(%error, "cannot take a connection");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// The exchange as far as the request's head tells.
fn begun(
    request: &Request<Incoming>,
    pane: clause9_shared::window::PaneStart,
    arrived_at: clause9_shared::time::Timestamp,
) -> Exchange {
    Exchange {
        pane,
        arrived_at,
        method: request.method().clone(),
        target: request.uri().clone(),
        status: StatusCode::BAD_GATEWAY,
        request_id: exchange::request_id(request.headers()),
        request: Message::of(request.headers()),
        response: Message::default(),
    }
}

fn status_only(status: StatusCode, ending: Option<Ending>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::empty(ending));
    *response.status_mut() = status;
    response
}

/// Whether the request asks to switch protocols.
fn wants_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE)
        && connection_names(headers).any(|n| n.eq_ignore_ascii_case("upgrade"))
}

fn connection_names(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::CONNECTION).into_iter();
    values
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(str::trim)
}

/// Removes what concerns one connection only, and keeps the others in their order.
/// `transfer-encoding` stays: it tells hyper to frame the body as it came.
fn strip_hop_by_hop(headers: &mut HeaderMap, upgrading: bool) {
    let te_trailers = headers.get(header::TE).is_some_and(|v| {
        v.as_bytes()
            .split(|b| *b == b',')
            .any(|t| t.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    });
    let concerned = [
        header::CONNECTION.as_str(),
        "keep-alive",
        "proxy-connection",
        header::TE.as_str(),
        header::UPGRADE.as_str(),
    ];
    if !concerned.iter().any(|name| headers.contains_key(*name)) {
        return;
    }
    let named: Vec<String> = connection_names(headers)
        .map(str::to_ascii_lowercase)
        .collect();
    let framing = [
        header::TRANSFER_ENCODING,
        header::CONTENT_LENGTH,
        header::HOST,
        header::TRAILER,
    ];
    let mut kept = HeaderMap::with_capacity(headers.keys_len());
    for (name, value) in headers.iter() {
        let hop = concerned.contains(&name.as_str())
            || (named.iter().any(|n| n == name.as_str()) && !framing.contains(name));
        if !hop {
            kept.append(name, value.clone());
        }
    }
    if te_trailers {
        kept.append(header::TE, HeaderValue::from_static("trailers"));
    }
    if upgrading {
        for value in headers.get_all(header::UPGRADE) {
            kept.append(header::UPGRADE, value.clone());
        }
        kept.append(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    *headers = kept;
}

/// Whether the client waits to be asked for the body.
fn announced(request: &Request<Incoming>) -> bool {
    let expects = request.headers().get(header::EXPECT);
    request.version() == Version::HTTP_11
        && expects.is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

type Opener = Arc<watch::Sender<Option<bool>>>;

/// Holds an announced body back until the server asks for it, or for a while, as RFC 9110 advises.
fn gated(request: &mut Request<Incoming>) -> (Option<Gate>, Option<Opener>) {
    let (opener, mut opened) = watch::channel(None);
    let opener = Arc::new(opener);
    let weak = Arc::downgrade(&opener);
    hyper::ext::on_informational(request, move |response| {
        if let (StatusCode::CONTINUE, Some(opener)) = (response.status(), weak.upgrade()) {
            let _ = opener.send(Some(true));
        }
    });
    let gate = async move {
        tokio::select! {
            told = opened.wait_for(Option::is_some) => told.is_ok_and(|t| *t == Some(true)),
            () = tokio::time::sleep(CONTINUE) => true,
        }
    };
    (Some(Box::pin(gate)), Some(opener))
}

/// Copies both ways until both sides are done. Nothing of it is captured.
async fn tunnel(client: hyper::upgrade::OnUpgrade, server: hyper::upgrade::OnUpgrade) {
    let (client, server) = match tokio::try_join!(client, server) {
        Ok(sides) => sides,
        Err(error) => {
            tracing::debug!(%error, "a switch of protocols did not come about");
            return;
        }
    };
    let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
    if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut server).await {
        tracing::debug!(%error, "a tunnel ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(n, v)| {
                (
                    n.parse::<http::HeaderName>().unwrap(),
                    HeaderValue::from_static(v),
                )
            })
            .collect()
    }

    fn stripped(lines: &[(&'static str, &'static str)], upgrading: bool) -> Vec<(String, String)> {
        let mut map = headers(lines);
        strip_hop_by_hop(&mut map, upgrading);
        map.iter()
            .map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned()))
            .collect()
    }

    #[test]
    fn what_concerns_one_connection_goes_and_the_rest_keeps_its_order() {
        let kept = stripped(
            &[
                ("a", "1"),
                ("connection", "close, X-Secret"),
                ("b", "2"),
                ("x-secret", "s"),
                ("keep-alive", "5"),
                ("te", "gzip, trailers"),
                ("c", "3"),
                ("upgrade", "h2c"),
            ],
            false,
        );
        let names: Vec<_> = kept.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "te"]);
        assert_eq!(kept[3].1, "trailers");
    }

    #[test]
    fn a_connection_header_cannot_remove_framing_or_host() {
        let lines = [
            ("connection", "content-length, host, transfer-encoding"),
            ("content-length", "3"),
            ("host", "h"),
        ];
        assert_eq!(stripped(&lines, false).len(), 2);
    }

    #[test]
    fn an_upgrade_keeps_what_it_needs() {
        let kept = stripped(&[("connection", "Upgrade"), ("upgrade", "websocket")], true);
        assert_eq!(
            kept,
            [
                ("upgrade".into(), "websocket".into()),
                ("connection".into(), "upgrade".into())
            ]
        );
    }
}
