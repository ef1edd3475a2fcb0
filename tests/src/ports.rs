//! Ports for servers that are told where to listen before they start.
//!
//! A port that the kernel itself picks lies where it also takes the ports of outgoing connections:
//! on a busy machine one of those has it before the server does. So ports are taken from below that
//! range, each once in a process, and processes begin far apart.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// The ports to choose from: above those of well-known servers, below the kernel's own (`ip(7)`,
/// `ip_local_port_range`, which begins at 32768 unless it was configured).
const FIRST: u16 = 15_000;
const COUNT: u16 = 15_000;

static TAKEN: AtomicU32 = AtomicU32::new(0);

/// An address of this machine where nothing listens, given once only.
///
/// # Errors
///
/// When every port of the range is in use.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    // A prime stride, so that processes started one after another do not share their ports.
    let begin = u64::from(std::process::id()) * 7919;
    for _ in 0..COUNT {
        let next = TAKEN.fetch_add(1, Ordering::Relaxed);
        let offset = (begin + u64::from(next)) % u64::from(COUNT);
        let port = FIRST + u16::try_from(offset).unwrap_or(0);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        format!("no port from {FIRST} to {} is free", FIRST + COUNT - 1),
    ))
}
