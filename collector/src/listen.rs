//! Takes connections, a bounded number, and answers them. A connection holds its place for good only
//! while its request is worked on; whoever keeps the collector waiting (for a head, for a body, or for
//! an answer to be read) gives way to whoever comes, the longest wait first. So dawdlers, however
//! many, keep nobody out.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::TlsConfig;
use crate::held::Held;
use crate::spiffe::SpiffeId;
use crate::telemetry::{Cut, Telemetry};
use crate::tls;

/// Most bytes of a request's head, and of what is read ahead of a body.
const READ_AHEAD: usize = 64 << 10;

/// What a listener bears.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once. Default: 256.
    pub connections: usize,
    /// How long a connection may stay without a complete request head. Default: 30 s.
    pub idle: Duration,
    /// How long the body of an upload may take to come. Default: 30 s.
    pub upload: Duration,
    /// How long a TLS handshake may take. Default: 10 s.
    pub handshake: Duration,
    /// From which age on a connection is ended with its next answer, so that whoever stays connected is asked again who they
    /// are. Default: 10 min.
    pub age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            idle: Duration::from_secs(30),
            upload: Duration::from_secs(30),
            handshake: Duration::from_secs(10),
            age: Duration::from_mins(10),
        }
    }
}

/// Connections that keep the collector waiting, the longest wait first.
#[derive(Debug, Default)]
struct Waiting(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    waits: BTreeMap<u64, Arc<Notify>>,
}

impl Waiting {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, cut: &Arc<Notify>) -> u64 {
        let mut queue = self.queue();
        queue.next += 1;
        let number = queue.next;
        queue.waits.insert(number, Arc::clone(cut));
        number
    }

    fn remove(&self, number: u64) {
        self.queue().waits.remove(&number);
    }

    /// Cuts the connection that has waited longest; false if none waits.
    fn cut_one(&self) -> bool {
        let first = self.queue().waits.pop_first();
        first.map(|(_, cut)| cut.notify_one()).is_some()
    }
}

/// A connection's place among those that may be cut. Requests carry it, so that who reads a body can
/// say when it is complete.
#[derive(Clone, Debug)]
pub(crate) struct Place(Arc<PlaceInner>);

#[derive(Debug)]
struct PlaceInner {
    waiting: Arc<Waiting>,
    cut: Arc<Notify>,
    number: Mutex<Option<u64>>,
}

impl Place {
    fn new(waiting: &Arc<Waiting>) -> Self {
        let place = Self(Arc::new(PlaceInner {
            waiting: Arc::clone(waiting),
            cut: Arc::default(),
            number: Mutex::new(None),
        }));
        place.wait();
        place
    }

    /// From now on it is the client that is waited for.
    fn wait(&self) {
        let mut number = self.0.number();
        if number.is_none() {
            *number = Some(self.0.waiting.add(&self.0.cut));
        }
    }

    /// The request is complete: it is worked on and gives way to nobody.
    pub(crate) fn work(&self) {
        if let Some(number) = self.0.number().take() {
            self.0.waiting.remove(number);
        }
    }
}

impl PlaceInner {
    fn number(&self) -> MutexGuard<'_, Option<u64>> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PlaceInner {
    fn drop(&mut self) {
        if let Some(number) = self.number().take() {
            self.waiting.remove(number);
        }
    }
}

/// Who a connection's certificate says is there. Requests carry it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    pub(crate) spiffe: Option<Arc<SpiffeId>>,
}

impl Caller {
    fn of(session: &rustls::ServerConnection) -> Self {
        let own = session.peer_certificates().and_then(<[_]>::first);
        let spiffe = own.and_then(|own| tls::spiffe_id(own)).map(Arc::new);
        Self { spiffe }
    }
}

/// What connections are served with.
pub(crate) struct Door {
    pub(crate) routes: Router,
    /// What connections begin with, if they are encrypted.
    pub(crate) tls: Option<Arc<Held<TlsConfig>>>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) limits: Limits,
}

impl Door {
    /// Serves until `shutdown` completes, then lets requests under way be answered, at most for
    /// `farewell`.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
        farewell: Duration,
    ) {
        let (drain, draining) = watch::channel(false);
        let (alive, mut all_gone) = mpsc::channel::<Infallible>(1);
        tokio::select! {
            () = self.accept(&listener, &draining, &alive) => {}
            () = shutdown => {}
        }
        drop((listener, alive));
        drain.send_replace(true);
        if tokio::time::timeout(farewell, all_gone.recv())
            .await
            .is_err()
        {
            tracing::warn!("requests under way were broken off");
        }
    }

    async fn accept(
        &self,
        listener: &TcpListener,
        draining: &watch::Receiver<bool>,
        alive: &mpsc::Sender<Infallible>,
    ) {
        let slots = Arc::new(Semaphore::new(self.limits.connections));
        let waiting = Arc::new(Waiting::default());
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, mostly: wait for some to come back.
                    tracing::warn!(%error, "cannot take a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Some(slot) = self.slot(&slots, &waiting).await else {
                return;
            };
            let place = Place::new(&waiting);
            let connection = self.connection(stream, peer, place, draining.clone());
            let alive = alive.clone();
            tokio::spawn(async move {
                connection.await;
                drop((slot, alive));
            });
        }
    }

    /// A place for one more connection. If all are taken, one that waits is cut; if none waits, all
    /// are worked on, and the first to be done makes room.
    async fn slot(
        &self,
        slots: &Arc<Semaphore>,
        waiting: &Waiting,
    ) -> Option<OwnedSemaphorePermit> {
        /// Looked again at this pace: a connection that was worked on may wait by then.
        const AGAIN: Duration = Duration::from_millis(50);
        loop {
            if let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
                return Some(slot);
            }
            if waiting.cut_one() {
                self.telemetry.count_cut(Cut::Displaced);
            }
            let free = Arc::clone(slots).acquire_owned();
            if let Ok(slot) = tokio::time::timeout(AGAIN, free).await {
                return slot.ok();
            }
        }
    }

    fn connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        place: Place,
        draining: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let talk = Talk {
            telemetry: Arc::clone(&self.telemetry),
            routes: TowerToHyperService::new(self.routes.clone()),
            limits: self.limits,
            begun: Instant::now(),
            peer,
            place,
            draining,
        };
        let tls = self.tls.as_ref().map(|tls| Arc::clone(&tls.now().config));
        async move {
            let telemetry = Arc::clone(&talk.telemetry);
            telemetry.connections.inc();
            match tls {
                None => talk.serve(stream, Caller::default()).await,
                Some(config) => {
                    if let Some(stream) = talk.handshake(stream, config).await {
                        let caller = Caller::of(stream.get_ref().1);
                        talk.serve(stream, caller).await;
                    }
                }
            }
            telemetry.connections.dec();
        }
    }
}

/// What one connection needs.
struct Talk {
    telemetry: Arc<Telemetry>,
    routes: TowerToHyperService<Router>,
    limits: Limits,
    begun: Instant,
    peer: SocketAddr,
    place: Place,
    draining: watch::Receiver<bool>,
}

impl Talk {
    /// Who dawdles or fails here is nobody yet: counted, and given no answer.
    async fn handshake(
        &self,
        stream: TcpStream,
        config: Arc<rustls::ServerConfig>,
    ) -> Option<TlsStream<TcpStream>> {
        let accepting = TlsAcceptor::from(config).accept(stream);
        let cut = Arc::clone(&self.place.0.cut);
        let accepted = tokio::select! {
            accepted = tokio::time::timeout(self.limits.handshake, accepting) => accepted,
            () = cut.notified() => return None,
        };
        match accepted {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, peer = %self.peer, "a TLS handshake failed");
                self.telemetry.handshakes_failed.inc();
            }
            Err(_) => self.telemetry.count_cut(Cut::Handshake),
        }
        None
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        self,
        stream: S,
        caller: Caller,
    ) {
        let Self {
            telemetry,
            routes,
            limits,
            begun,
            peer,
            place,
            mut draining,
        } = self;
        let cut = Arc::clone(&place.0.cut);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(caller.clone());
            let answered = answer(routes.clone(), request, place.clone());
            async move {
                let mut response = answered.await;
                if begun.elapsed() >= limits.age {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.idle)
            .max_buf_size(READ_AHEAD)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = cut.notified() => Ok(()),
            () = async { drop(draining.wait_for(|d| *d).await); } => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            if error.is_timeout() {
                telemetry.count_cut(Cut::Idle);
            }
            tracing::debug!(%error, "a connection ended");
        }
    }
}

async fn answer(
    routes: TowerToHyperService<Router>,
    mut request: Request<Incoming>,
    place: Place,
) -> Response<Body> {
    if request.body().is_end_stream() {
        place.work();
    }
    request.extensions_mut().insert(place.clone());
    let Ok(response) = routes.call(request).await;
    place.wait();
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waited_longest_gives_way_and_who_is_worked_on_does_not() {
        let waiting = Arc::new(Waiting::default());
        let places: Vec<_> = (0..3).map(|_| Place::new(&waiting)).collect();
        places[0].work();
        places[0].wait();
        places[1].work();
        let numbers = || -> Vec<_> { waiting.queue().waits.keys().copied().collect() };
        assert_eq!(numbers(), [3, 4], "the first waits anew, the second works");
        assert!(waiting.cut_one());
        assert_eq!(numbers(), [4], "the third waited longest");
        drop(places);
        assert!(!waiting.cut_one(), "who is gone is not waited for");
    }
}
