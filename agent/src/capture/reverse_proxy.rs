//! Capture mode: a reverse proxy in front of the model server. Streams both ways frame by frame, adds
//! no header, answers nothing of its own but 502 when the server cannot be reached and 400 to what is
//! ambiguous or breaks off in the middle. After a server's 101 it copies bytes blindly.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::{Body as _, Incoming};
use hyper_util::rt::TokioIo;
use tokio::sync::{mpsc, watch};

use crate::capture::announced::{Announced, gated, is_announced};
use crate::capture::blame::{Blame, blame};
use crate::capture::body::{RequestBody, ResponseBody};
use crate::capture::doors::Doors;
use crate::capture::flight::{Ending, Flight};
use crate::capture::framing;
use crate::capture::headers::{strip_hop_by_hop, wants_upgrade};
use crate::capture::panes::Admission;
use crate::capture::recorder::Recorder;
use crate::capture::room::{Place, Room};
use crate::capture::upstream::{Pool, UpstreamError};
use crate::config::{DrainConfig, Upstream};
use crate::decode::{self, Decoders};
use crate::exchange::{self, Exchange, Message, Target};

/// The proxy of one model server.
pub struct Proxy {
    pool: Arc<Pool>,
    pub(super) room: Arc<Room>,
    pub(super) recorder: Arc<Recorder>,
    decoders: Decoders,
    drain: DrainConfig,
    /// The stop signal came: answers ask their clients to connect anew.
    leaving: AtomicBool,
}

/// The model server broke off a stream; its client's is broken off for the same reason.
#[derive(Debug, thiserror::Error)]
#[error("the model server broke off the stream")]
pub(super) struct BrokenOff(#[source] h2::Error);

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").finish_non_exhaustive()
    }
}

impl Proxy {
    /// A proxy in front of that server.
    pub fn new(
        upstream: Upstream,
        recorder: Arc<Recorder>,
        decoders: Decoders,
        drain: DrainConfig,
    ) -> Self {
        let room = Arc::new(Room::of_this_process());
        Self {
            pool: Arc::new(Pool::new(upstream, Arc::clone(&room))),
            room,
            recorder,
            decoders,
            drain,
            leaving: AtomicBool::new(false),
        }
    }

    /// Serves until `stop` turns true, then lets what is under way end.
    pub async fn serve(
        self: Arc<Self>,
        doors: Doors,
        mut stop: watch::Receiver<bool>,
    ) -> std::io::Result<()> {
        let doors = doors.open()?;
        let (alive, mut all_gone) = mpsc::channel::<()>(1);
        let (drain, draining) = watch::channel(false);
        let accept = async {
            loop {
                let Some(socket) = doors.accept().await else {
                    continue;
                };
                let Some(place) = self.place().await else {
                    return;
                };
                let socket = socket.on(place);
                let certificates = doors.certificates.clone();
                let connection = super::connection::serve(
                    Arc::clone(&self),
                    socket,
                    certificates,
                    draining.clone(),
                );
                let alive = alive.clone();
                tokio::spawn(async move {
                    connection.await;
                    drop(alive);
                });
            }
        };
        tokio::select! {
            () = accept => {}
            () = self.leave(&mut stop) => {}
        }
        drop((doors, alive));
        let _ = drain.send(true);
        if tokio::time::timeout(self.drain.at_most(), all_gone.recv())
            .await
            .is_err()
        {
            tracing::warn!("exchanges still under way were broken off");
        }
        Ok(())
    }

    /// A place for the client who is there. While there is none, others wait in the listeners' backlogs.
    async fn place(&self) -> Option<Place> {
        if let Some(free) = self.room.free_place() {
            return Some(free);
        }
        self.recorder.telemetry.crowded.inc();
        self.room.next_place().await
    }

    async fn leave(&self, stop: &mut watch::Receiver<bool>) {
        let _ = stop.wait_for(|s| *s).await;
        self.leaving.store(true, Ordering::Relaxed);
        tokio::time::sleep(self.drain.quiet()).await;
    }

    /// Whether the model server takes connections.
    pub async fn upstream_reachable(&self) -> bool {
        self.pool.reachable().await
    }

    /// Answers one request; `announced`: what its connection knows of announced bodies, by HTTP/1.
    pub(super) async fn handle(
        &self,
        mut request: Request<Incoming>,
        announced: Option<&Announced>,
    ) -> Result<Response<ResponseBody>, BrokenOff> {
        let streamed = request.version() == Version::HTTP_2;
        if let Err(why) = framing::settle(&mut request) {
            tracing::debug!(?why, "a request was refused");
            self.recorder.telemetry.refuse("ambiguous");
            let mut refused = status_only(StatusCode::BAD_REQUEST, None);
            close(refused.headers_mut(), streamed);
            return Ok(refused);
        }
        let decoder = decode::find(self.decoders, request.method(), request.uri().path());
        let admission = self.recorder.arrive(request.headers(), decoder.is_some());
        let flight = match (admission, decoder) {
            (Admission::Capture(pane, at), Some(decoder)) => Some(Flight::begin(
                &self.recorder,
                begun(&request, pane, at),
                decoder,
            )),
            (
                Admission::Capture(..)
                | Admission::NotInference
                | Admission::Dropped(_)
                | Admission::Unmonitored,
                _,
            ) => None,
        };
        let ending = flight.as_ref().map(Flight::ending);
        // We are no forward proxy: a tunnel to anywhere is not ours to open.
        if request.method() == Method::CONNECT {
            let mut refused = status_only(StatusCode::METHOD_NOT_ALLOWED, None);
            close(refused.headers_mut(), streamed);
            return Ok(refused);
        }
        let mut answer = self.pass(request, announced, flight, ending).await?;
        if self.leaving.load(Ordering::Relaxed)
            && answer.status() != StatusCode::SWITCHING_PROTOCOLS
        {
            close(answer.headers_mut(), streamed);
        }
        Ok(answer)
    }

    async fn pass(
        &self,
        mut request: Request<Incoming>,
        announced: Option<&Announced>,
        flight: Option<Arc<Flight>>,
        ending: Option<Ending>,
    ) -> Result<Response<ResponseBody>, BrokenOff> {
        let streamed = request.version() == Version::HTTP_2;
        let upgrading = !streamed && wants_upgrade(request.headers());
        let client_side = upgrading.then(|| hyper::upgrade::on(&mut request));
        if !streamed {
            strip_hop_by_hop(request.headers_mut(), upgrading);
        }
        let (gate, opener) = match announced {
            Some(announced) if is_announced(&request) && !self.pool.only_http2() => {
                gated(&mut request, announced)
            }
            Some(_) | None => (None, None),
        };
        let recorder = Arc::clone(&self.recorder);
        let request =
            request.map(|body| RequestBody::new(body, streamed, recorder, flight.clone(), gate));
        match self.pool.send(request).await {
            Ok((mut response, lease)) => {
                let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
                let version = response.version();
                if switched && client_side.is_none() {
                    tracing::debug!(
                        "the model server switched protocols, and nobody had asked it to"
                    );
                    self.recorder.telemetry.upstream_errors.inc();
                    return Ok(bad_gateway(flight.as_ref(), ending));
                }
                if version != Version::HTTP_2 {
                    strip_hop_by_hop(response.headers_mut(), switched);
                    if framing::settle_answer(response.headers_mut()) {
                        self.recorder.telemetry.answers_ambiguous.inc();
                    }
                }
                if let Some(flight) = &flight {
                    let whole = response.body().is_end_stream();
                    flight.answered(response.status(), response.headers(), version, whole);
                }
                if let (true, Some(client_side)) = (switched, client_side) {
                    tokio::spawn(tunnel(client_side, hyper::upgrade::on(&mut response)));
                    return Ok(response.map(|_| ResponseBody::empty(ending)));
                }
                let from_stream = version == Version::HTTP_2;
                // The length of what the client has already.
                let tells_length = !streamed
                    && response.status() == StatusCode::NOT_MODIFIED
                    && response.headers().contains_key(header::CONTENT_LENGTH);
                Ok(response.map(|body| {
                    let body = ResponseBody::new(body, from_stream, flight, ending, lease, opener);
                    if tells_length {
                        body.of_another()
                    } else {
                        body
                    }
                }))
            }
            Err(error) => self.no_answer(&error, streamed, flight.as_ref(), ending),
        }
    }

    /// What a client gets whose request was not answered: the reason why the server broke off its
    /// stream, 400 if it was the client's own doing, else 502.
    fn no_answer(
        &self,
        error: &UpstreamError,
        streamed: bool,
        flight: Option<&Arc<Flight>>,
        ending: Option<Ending>,
    ) -> Result<Response<ResponseBody>, BrokenOff> {
        let whose = blame(error);
        let error = error as &dyn std::error::Error;
        tracing::debug!(error, ?whose, "a request got no answer");
        if whose != Blame::Client {
            self.recorder.telemetry.upstream_errors.inc();
        }
        match whose {
            Blame::Client => {
                // Not completed: the exchange counts as aborted.
                drop(ending);
                let mut refused = status_only(StatusCode::BAD_REQUEST, None);
                close(refused.headers_mut(), streamed);
                Ok(refused)
            }
            Blame::ServerReset(reason) if streamed => Err(BrokenOff(reason.into())),
            Blame::ServerReset(_) | Blame::Server => Ok(bad_gateway(flight, ending)),
        }
    }
}

/// Asks an HTTP/1 client to close; HTTP/2 has its own way.
fn close(headers: &mut HeaderMap, streamed: bool) {
    if !streamed {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
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
        target: Target::of(request.uri().path()),
        status: StatusCode::BAD_GATEWAY,
        request_id: exchange::request_id(request.headers()),
        request: Message {
            version: request.version(),
            ..Message::of(request.headers())
        },
        response: Message::default(),
    }
}

/// The server gave no answer that could be passed on.
fn bad_gateway(flight: Option<&Arc<Flight>>, ending: Option<Ending>) -> Response<ResponseBody> {
    if let Some(flight) = flight {
        let none = HeaderMap::new();
        flight.answered(StatusCode::BAD_GATEWAY, &none, Version::default(), true);
    }
    status_only(StatusCode::BAD_GATEWAY, ending)
}

fn status_only(status: StatusCode, ending: Option<Ending>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::empty(ending));
    *response.status_mut() = status;
    response
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
