//! Connections to the model server that carry many requests at once (HTTP/2).
//!
//! Each connection's window is as large as the windows of all streams it may carry together, so no
//! client that reads slowly holds up another one's answer.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::capture::body::RequestBody;
use crate::capture::socket::Socket;
use crate::capture::streams::{HEADERS, SEND_BUFFER, STREAM_WINDOW};

/// Most requests under way on one connection; more go over another.
const STREAMS: usize = 128;
/// How long a connection without requests is used again.
const KEPT: Duration = Duration::from_mins(1);

/// One connection.
struct Carrier {
    sender: SendRequest<RequestBody>,
    load: Arc<Load>,
}

struct Load {
    under_way: AtomicUsize,
    /// How many the server takes.
    most: AtomicUsize,
    /// When the last request ended.
    since: Mutex<Instant>,
}

/// A request's place on a connection, until it is dropped.
pub(in crate::capture) struct Ticket(Arc<Load>);

impl Drop for Ticket {
    fn drop(&mut self) {
        *self.0.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Carrier {
    fn has_room(&self) -> bool {
        let most = self.load.most.load(Ordering::Relaxed);
        self.load.under_way.load(Ordering::Relaxed) < most.clamp(1, STREAMS)
    }

    fn usable(&self, now: Instant) -> bool {
        let since = *self
            .load
            .since
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let idle = self.load.under_way.load(Ordering::Relaxed) == 0;
        let stale = idle && now.saturating_duration_since(since) > KEPT;
        !self.sender.is_closed() && !stale
    }

    fn board(&self) -> (SendRequest<RequestBody>, Ticket) {
        self.load.under_way.fetch_add(1, Ordering::Relaxed);
        (self.sender.clone(), Ticket(Arc::clone(&self.load)))
    }
}

/// The connections there are.
#[derive(Default)]
pub(super) struct Carriers {
    all: Mutex<Vec<Carrier>>,
    /// Held by whoever connects, so that a burst makes one connection; when that failed last.
    dialling: tokio::sync::Mutex<Option<(Instant, io::ErrorKind)>>,
}

impl Carriers {
    fn lock(&self) -> MutexGuard<'_, Vec<Carrier>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place on a connection that has room.
    pub(super) fn board(&self) -> Option<(SendRequest<RequestBody>, Ticket)> {
        let now = Instant::now();
        let mut all = self.lock();
        all.retain(|c| c.usable(now));
        all.iter().find(|c| c.has_room()).map(Carrier::board)
    }

    /// The same; on a new connection by `dial` if none has room.
    pub(super) async fn board_or<F>(
        &self,
        dial: impl FnOnce() -> F,
    ) -> io::Result<(SendRequest<RequestBody>, Ticket)>
    where
        F: Future<Output = io::Result<Socket>>,
    {
        if let Some(place) = self.board() {
            return Ok(place);
        }
        let asked = Instant::now();
        let mut failed = self.dialling.lock().await;
        if let Some(place) = self.board() {
            return Ok(place);
        }
        // Who waited for an attempt that failed would only wait for the next to fail.
        if let Some((at, kind)) = *failed
            && at > asked
        {
            return Err(kind.into());
        }
        let made = async { handshake(dial().await?).await }.await;
        match made {
            Ok(carrier) => {
                let place = carrier.board();
                self.lock().push(carrier);
                Ok(place)
            }
            Err(error) => {
                *failed = Some((Instant::now(), error.kind()));
                Err(error)
            }
        }
    }
}

async fn handshake(socket: Socket) -> io::Result<Carrier> {
    let window = STREAM_WINDOW * u32::try_from(STREAMS).unwrap_or(1);
    // No pings, neither to keep alive nor to size windows: gRPC servers end connections for them.
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(window)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(HEADERS)
        .handshake(TokioIo::new(socket))
        .await
        .map_err(io::Error::other)?;
    let load = Arc::new(Load {
        under_way: AtomicUsize::new(0),
        most: AtomicUsize::new(connection.current_max_send_streams()),
        since: Mutex::new(Instant::now()),
    });
    let noted = Arc::clone(&load);
    tokio::spawn(async move {
        let mut connection = std::pin::pin!(connection);
        let ended = std::future::poll_fn(|cx| {
            let polled = connection.as_mut().poll(cx);
            let most = connection.current_max_send_streams();
            noted.most.store(most, Ordering::Relaxed);
            polled
        });
        if let Err(error) = ended.await {
            tracing::debug!(%error, "a connection to the model server ended");
        }
    });
    Ok(Carrier { sender, load })
}
