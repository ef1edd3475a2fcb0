//! How many connections there is room for. Each is an open file, and a process may have only so many:
//! beyond that, the system refuses a connection to the model server, which would fail a request that
//! was taken already. So as many are kept for the server as clients get, and clients wait before
//! they are taken, not after.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Most client connections at once, however many files may be open.
const MOST_CLIENTS: usize = 16_384;
/// Most connections to the model server.
const MOST_SERVERS: usize = 1 << 20;
/// Open files that are no connections of the data path: 64 connections each at the admin, outcomes and
/// sink addresses, the rest for listeners, runtimes, the state folder, brokers and the collector.
const RESERVED: usize = 256;
/// So few are let in wherever the limit stands.
const FEWEST: usize = 16;
/// While clients wait for room, a connection that was idle for so long is closed for them.
const IDLE: Duration = Duration::from_secs(1);

/// Raises the process's soft limit of open files (`RLIMIT_NOFILE`) to the hard one, which is there for
/// programs like this: it never calls `select`, for whose sake the soft one is low. Fails if the system
/// does not permit it; then the limit stays.
pub fn raise_open_files() -> std::io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    Ok(setrlimit(Resource::Nofile, raised)?)
}

/// How many files the process may have open.
fn open_files() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |l| usize::try_from(l).unwrap_or(usize::MAX))
}

/// How many clients, and how many connections to the server, fit into that many open files.
fn shares(files: usize) -> (usize, usize) {
    let ours = files.saturating_sub(RESERVED);
    let clients = (ours / 2).clamp(FEWEST, MOST_CLIENTS);
    let servers = ours.saturating_sub(clients).clamp(FEWEST, MOST_SERVERS);
    (clients, servers)
}

/// A place for one connection, until it is dropped: it goes with the socket.
#[derive(Debug)]
pub(crate) struct Place(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

/// The places there are.
pub(super) struct Room {
    clients: Arc<Semaphore>,
    servers: Arc<Semaphore>,
    /// Clients wait for one.
    crowded: watch::Sender<bool>,
    /// Requests that wait for a connection to the server.
    waiting: AtomicUsize,
}

impl Room {
    /// What this process's limit of open files permits.
    pub(super) fn of_this_process() -> Self {
        let (clients, servers) = shares(open_files());
        if clients < MOST_CLIENTS {
            tracing::info!(
                clients,
                "the limit of open files (LimitNOFILE, ulimit -n) bounds connections of clients"
            );
        }
        Self::with(clients, servers)
    }

    fn with(clients: usize, servers: usize) -> Self {
        Self {
            clients: Arc::new(Semaphore::new(clients)),
            servers: Arc::new(Semaphore::new(servers)),
            crowded: watch::Sender::new(false),
            waiting: AtomicUsize::new(0),
        }
    }

    /// A place for a client at once, if there is one.
    pub(super) fn free_place(&self) -> Option<Place> {
        let free = Arc::clone(&self.clients).try_acquire_owned();
        free.ok().map(Place)
    }

    /// A place for a client who waits, once there is one; meanwhile idle connections are closed. None
    /// never, since nobody closes the room.
    pub(super) async fn next_place(&self) -> Option<Place> {
        self.crowded.send_replace(true);
        let next = Arc::clone(&self.clients).acquire_owned().await;
        self.crowded.send_replace(false);
        next.ok().map(Place)
    }

    /// Ready once a connection shall be closed for others that wait: they do, and it is idle.
    pub(super) async fn gives_way(&self, used: &Used) {
        let mut crowded = self.crowded.subscribe();
        while crowded.wait_for(|c| *c).await.is_ok() {
            tokio::time::sleep(IDLE.saturating_sub(used.idle()).max(IDLE / 10)).await;
            if *crowded.borrow() && used.idle() >= IDLE {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// A place for one more connection to the server; if all are taken, `make_room` is called, and the
    /// next one that comes free is waited for.
    pub(super) async fn server_place(&self, make_room: impl FnOnce()) -> Option<Place> {
        if let Ok(free) = Arc::clone(&self.servers).try_acquire_owned() {
            return Some(Place(free));
        }
        let _waits = Waits::begin(&self.waiting);
        make_room();
        let next = Arc::clone(&self.servers).acquire_owned().await;
        next.ok().map(Place)
    }

    /// Whether a connection to the server that is not needed now is to be closed for another.
    pub(super) fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

/// One more that waits, until it is dropped.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// When a connection was used last.
#[derive(Debug)]
pub(super) struct Used {
    opened: Instant,
    /// In milliseconds after that.
    last: AtomicU64,
}

impl Used {
    /// Just opened.
    pub(super) fn now() -> Self {
        Self {
            opened: Instant::now(),
            last: AtomicU64::new(0),
        }
    }

    /// A request came, or the head of its answer went.
    pub(super) fn again(&self) {
        let at = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(at, Ordering::Relaxed);
    }

    fn idle(&self) -> Duration {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_an_open_file_for_its_request_and_some_are_kept_back() {
        for files in [1024, 4096, 20_000, 65_536, 1 << 20, usize::MAX] {
            let (clients, servers) = shares(files);
            assert!(clients <= servers && clients <= MOST_CLIENTS, "{files}");
            assert!(clients + servers + RESERVED <= files, "{files}");
        }
        assert_eq!(shares(1024), (384, 384));
        assert_eq!(shares(1 << 20).0, MOST_CLIENTS);
        assert_eq!(shares(64), (FEWEST, FEWEST));
    }

    #[tokio::test]
    async fn an_idle_connection_gives_way_once_a_client_waits_and_one_in_use_does_not() {
        let room = Room::with(1, 1);
        let place = room.free_place().unwrap();
        assert!(room.free_place().is_none());
        let (idle, busy) = (Used::now(), Used::now());
        let quiet = tokio::time::timeout(IDLE * 2, room.gives_way(&idle)).await;
        assert!(quiet.is_err(), "nobody waits");
        let works = async {
            loop {
                busy.again();
                tokio::time::sleep(IDLE / 20).await;
            }
        };
        let waits = async {
            tokio::select! {
                place = room.next_place() => drop(place),
                () = works => {}
            }
        };
        tokio::join!(waits, async {
            tokio::select! {
                () = room.gives_way(&idle) => drop(place),
                () = room.gives_way(&busy) => panic!("it is in use"),
            }
        });
        assert!(room.free_place().is_some());
    }

    #[tokio::test]
    async fn who_waits_for_a_connection_to_the_server_has_an_unused_one_closed() {
        let room = Room::with(1, 1);
        let unused = std::cell::Cell::new(room.server_place(|| {}).await);
        assert!(!room.is_waited_for());
        let make_room = || {
            assert!(room.is_waited_for());
            drop(unused.take());
        };
        assert!(room.server_place(make_room).await.is_some());
        assert!(!room.is_waited_for());
    }
}
