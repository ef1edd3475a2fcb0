//! Connections to the model server: kept alive, reused, and never used twice for one request whose
//! body may have been sent.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::capture::body::RequestBody;
use crate::config::Upstream;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(1);
/// How long an unused connection is kept: less than what common model servers wait (5 s).
const KEPT: Duration = Duration::from_secs(4);
/// Most unused connections kept.
const MAX_IDLE: usize = 1024;

/// Why the model server gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpstreamError {
    /// No connection.
    #[error("cannot connect")]
    Connect(#[source] std::io::Error),
    /// The connection broke.
    #[error("no answer")]
    Broken(#[source] hyper::Error),
}

struct Idle {
    sender: SendRequest<RequestBody>,
    since: Instant,
}

/// Connections to one server.
pub(super) struct Pool {
    upstream: Upstream,
    idle: Mutex<Vec<Idle>>,
}

/// A connection in use; comes back to the pool when the exchange went through.
pub(super) struct Lease {
    pool: Arc<Pool>,
    sender: SendRequest<RequestBody>,
}

impl Lease {
    /// Puts the connection back for the next request.
    pub(super) fn give_back(self) {
        if self.sender.is_closed() {
            return;
        }
        let now = Instant::now();
        let mut idle = self
            .pool
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // The oldest stand in front.
        let fresh = idle
            .iter()
            .position(|i| now - i.since < KEPT)
            .unwrap_or(idle.len());
        idle.drain(..fresh);
        if idle.len() < MAX_IDLE {
            idle.push(Idle {
                sender: self.sender,
                since: now,
            });
        }
    }
}

impl Pool {
    pub(super) const fn new(upstream: Upstream) -> Self {
        Self {
            upstream,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Sends a request. Tried again on another connection only if not a byte of it was sent.
    pub(super) async fn send(
        self: &Arc<Self>,
        mut request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Lease), UpstreamError> {
        while let Some(mut sender) = self.take_idle() {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, self.lease(sender))),
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
        Ok((response, self.lease(sender)))
    }

    fn lease(self: &Arc<Self>, sender: SendRequest<RequestBody>) -> Lease {
        Lease {
            pool: Arc::clone(self),
            sender,
        }
    }

    /// The connection that was used last, if it can take a request now.
    fn take_idle(&self) -> Option<SendRequest<RequestBody>> {
        let now = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|i| !i.sender.is_closed() && now - i.since < KEPT);
        let ready = idle.iter().rposition(|i| i.sender.is_ready())?;
        Some(idle.remove(ready).sender)
    }

    async fn connect(&self) -> Result<SendRequest<RequestBody>, UpstreamError> {
        let target = (&*self.upstream.host, self.upstream.port);
        let stream = tokio::time::timeout(CONNECT, TcpStream::connect(target))
            .await
            .map_err(|_| UpstreamError::Connect(std::io::ErrorKind::TimedOut.into()))?
            .map_err(UpstreamError::Connect)?;
        stream.set_nodelay(true).map_err(UpstreamError::Connect)?;
        let (sender, connection) = http1::Builder::new()
            .preserve_header_case(true)
            .handshake(TokioIo::new(stream))
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
        let target = (&*self.upstream.host, self.upstream.port);
        matches!(
            tokio::time::timeout(CONNECT, TcpStream::connect(target)).await,
            Ok(Ok(_))
        )
    }
}
