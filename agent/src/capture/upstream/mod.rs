//! Connections to the model server: kept alive, reused, and never used twice for one request whose
//! body may have been sent.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response, Version, header};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use crate::capture::body::RequestBody;
use crate::capture::room::{Place, Room};
use crate::capture::streams::{HEADER_LINES, HEADERS, SEND_BUFFER};
use crate::capture::tls::Offer;
use crate::capture::versions;
use crate::config::{Speaks, Upstream};
use crate::exchange::is_grpc;
use dial::{Dialled, dial};

mod dial;
mod http2;

/// How long an unused connection is kept: less than what common model servers wait (5 s).
const KEPT: Duration = Duration::from_secs(4);
/// How long a connection is left alone after a stream of events: servers are known that close it then and do
/// not say so (cpp-httplib, with llama-server), and a request that meets the closing is lost.
const REST: Duration = Duration::from_secs(1);
/// Most unused connections kept.
const MAX_IDLE: usize = 1024;
/// How often a request of which nothing was sent is offered to a connection anew.
const ATTEMPTS: usize = 3;

/// Why the model server gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpstreamError {
    /// No connection.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// The connection broke, or the server broke off the stream.
    #[error("no answer")]
    Broken(#[source] hyper::Error),
}

struct Idle {
    sender: SendRequest<RequestBody>,
    since: Instant,
    /// How long it is not used from then on.
    rest: Duration,
}

/// Connections to one server.
pub(super) struct Pool {
    upstream: Upstream,
    room: Arc<Room>,
    idle: Mutex<Vec<Idle>>,
    carriers: http2::Carriers,
    /// The server chose HTTP/1.1 when it had the choice.
    prefers_http1: AtomicBool,
}

/// A connection in use with how long it rests afterwards, or a place on one; comes back when the exchange
/// went through.
pub(super) enum Lease {
    Alone(Arc<Pool>, SendRequest<RequestBody>, Duration),
    Shared(http2::Ticket),
}

impl Lease {
    /// Puts the connection back for the next request.
    pub(super) fn give_back(self) {
        let (pool, sender, rest) = match self {
            Self::Shared(ticket) => return drop(ticket),
            Self::Alone(pool, sender, rest) => (pool, sender, rest),
        };
        if sender.is_closed() {
            return;
        }
        let since = Instant::now();
        let mut idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // The oldest stand in front.
        let fresh = idle
            .iter()
            .position(|i| since - i.since < KEPT)
            .unwrap_or(idle.len());
        idle.drain(..fresh);
        // Whoever waits for room cannot use this one: it was not there when they looked.
        if idle.len() < MAX_IDLE && !pool.room.is_waited_for() {
            idle.push(Idle {
                sender,
                since,
                rest,
            });
        }
    }
}

/// In which version a request goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Http1,
    Http2,
    Either,
}

impl Pool {
    pub(super) fn new(upstream: Upstream, room: Arc<Room>) -> Self {
        Self {
            upstream,
            room,
            idle: Mutex::new(Vec::new()),
            carriers: http2::Carriers::default(),
            prefers_http1: AtomicBool::new(false),
        }
    }

    /// Whether every request goes on as HTTP/2.
    pub(super) const fn only_http2(&self) -> bool {
        matches!(self.upstream.speaks, Speaks::Http2)
    }

    fn wanted(&self, request: &Request<RequestBody>) -> Wanted {
        let streamed = request.version() == Version::HTTP_2;
        let kind = request.headers().get(header::CONTENT_TYPE);
        let grpc = streamed && kind.is_some_and(is_grpc);
        match self.upstream.speaks {
            Speaks::Http2 => Wanted::Http2,
            Speaks::Http1 | Speaks::Tls(_) if grpc => Wanted::Http2,
            Speaks::Tls(_) if streamed && !self.prefers_http1.load(Ordering::Relaxed) => {
                Wanted::Either
            }
            Speaks::Http1 | Speaks::Tls(_) => Wanted::Http1,
        }
    }

    /// Sends a request. Tried again on another connection only if not a byte of it was sent.
    pub(super) async fn send(
        self: &Arc<Self>,
        request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Lease), UpstreamError> {
        match self.wanted(&request) {
            Wanted::Http1 => self.send_alone(request).await,
            Wanted::Http2 => self.send_shared(request, Offer::Http2).await,
            Wanted::Either => self.send_shared(request, Offer::Both).await,
        }
    }

    async fn send_alone(
        self: &Arc<Self>,
        mut request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Lease), UpstreamError> {
        if request.version() == Version::HTTP_2 {
            versions::to_http1(&mut request);
        }
        while let Some(mut sender) = self.take_idle() {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(self.leased(response, sender)),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(UpstreamError::Broken(failed.into_error())),
                },
            }
        }
        let mut sender = self.connect().await?;
        let response = sender
            .send_request(request)
            .await
            .map_err(UpstreamError::Broken)?;
        Ok(self.leased(response, sender))
    }

    /// An answer with the connection that it comes by.
    fn leased(
        self: &Arc<Self>,
        response: Response<Incoming>,
        sender: SendRequest<RequestBody>,
    ) -> (Response<Incoming>, Lease) {
        let rest = if is_of_events(&response) {
            REST
        } else {
            Duration::ZERO
        };
        (response, Lease::Alone(Arc::clone(self), sender, rest))
    }

    async fn send_shared(
        self: &Arc<Self>,
        mut request: Request<RequestBody>,
        offer: Offer,
    ) -> Result<(Response<Incoming>, Lease), UpstreamError> {
        let mut attempts = 0;
        loop {
            let place = self.carriers.board_or(|| async {
                let Dialled {
                    socket,
                    chose_http2,
                } = dial(&self.upstream, offer, self.place().await).await?;
                if offer == Offer::Both && !chose_http2 {
                    self.prefers_http1.store(true, Ordering::Relaxed);
                    return Err(io::ErrorKind::Unsupported.into());
                }
                Ok(socket)
            });
            let (mut sender, ticket) = match place.await {
                Ok(place) => place,
                Err(_) if offer == Offer::Both && self.prefers_http1.load(Ordering::Relaxed) => {
                    return self.send_alone(request).await;
                }
                Err(error) => return Err(UpstreamError::Connect(error)),
            };
            versions::to_http2(&mut request, &self.upstream);
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, Lease::Shared(ticket))),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) if attempts < ATTEMPTS => request = unsent,
                    _ => return Err(UpstreamError::Broken(failed.into_error())),
                },
            }
            attempts += 1;
        }
    }

    /// The connection that was used last, if it can take a request now.
    fn take_idle(&self) -> Option<SendRequest<RequestBody>> {
        let now = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|i| !i.sender.is_closed() && now - i.since < KEPT);
        let ready = idle
            .iter()
            .rposition(|i| i.sender.is_ready() && now - i.since >= i.rest)?;
        Some(idle.remove(ready).sender)
    }

    /// A place for a new connection. If all are taken, one that nobody uses makes room.
    async fn place(&self) -> Option<Place> {
        let make_room = || {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if !idle.is_empty() {
                idle.remove(0);
            }
        };
        self.room.server_place(make_room).await
    }

    async fn connect(&self) -> Result<SendRequest<RequestBody>, UpstreamError> {
        let place = self.place().await;
        let dialled = dial(&self.upstream, Offer::Http1, place).await;
        let socket = dialled.map_err(UpstreamError::Connect)?.socket;
        let (sender, connection) = http1::Builder::new()
            .preserve_header_case(true)
            .max_buf_size(SEND_BUFFER)
            .max_header_size(HEADERS as usize)
            .max_headers(HEADER_LINES)
            .handshake(TokioIo::new(socket))
            .await
            .map_err(UpstreamError::Broken)?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to the model server ended");
            }
        });
        Ok(sender)
    }

    /// Whether a connection to the server can be had.
    pub(super) async fn reachable(&self) -> bool {
        dial::reachable(&self.upstream.place).await
    }
}

/// Whether an answer is a stream of events (WHATWG HTML, server-sent events).
fn is_of_events(response: &Response<Incoming>) -> bool {
    const EVENTS: &[u8] = b"text/event-stream";
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.and_then(|kind| kind.as_bytes().get(..EVENTS.len()))
        .is_some_and(|kind| kind.eq_ignore_ascii_case(EVENTS))
}
