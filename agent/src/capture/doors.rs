//! Where clients come in: a TCP address, or a listening socket that was handed over, and perhaps a
//! Unix socket.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use listenfd::ListenFd;

use crate::capture::socket::{Held, Socket};
use crate::capture::tls::Certificates;

/// Most connections that wait to be taken, if the system permits as many (`net.core.somaxconn` on Linux:
/// 4096 mostly). A burst beyond costs its clients a second each, until they ask again.
const BACKLOG: i32 = 4096;

/// What is listened on, bound.
#[derive(Debug)]
pub struct Doors {
    tcp: TcpListener,
    unix: Option<UnixListener>,
    certificates: Option<Arc<Certificates>>,
}

/// The same once it serves.
pub(super) struct OpenDoors {
    tcp: tokio::net::TcpListener,
    unix: Option<tokio::net::UnixListener>,
    pub(super) certificates: Option<Arc<Certificates>>,
}

impl Doors {
    /// Binds the address, unless a listening socket was handed over by whoever started the program
    /// (`LISTEN_FDS`, `LISTEN_PID`): that one outlives this process, and connections wait in it for
    /// the next.
    pub fn tcp(address: SocketAddr, certificates: Option<Arc<Certificates>>) -> io::Result<Self> {
        let tcp = match ListenFd::from_env().take_tcp_listener(0)? {
            Some(handed) => {
                tracing::info!(address = ?handed.local_addr().ok(), "listening on the socket that was handed over");
                handed
            }
            None => listening(address)?,
        };
        tcp.set_nonblocking(true)?;
        Ok(Self {
            tcp,
            unix: None,
            certificates,
        })
    }

    /// Binds a Unix socket, too. One that nobody listens on any more is replaced.
    pub fn and_unix(mut self, path: &Path) -> io::Result<Self> {
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
                std::fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            bound => bound?,
        };
        listener.set_nonblocking(true)?;
        self.unix = Some(listener);
        Ok(self)
    }

    /// The TCP address.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    pub(super) fn open(self) -> io::Result<OpenDoors> {
        Ok(OpenDoors {
            tcp: tokio::net::TcpListener::from_std(self.tcp)?,
            unix: self
                .unix
                .map(tokio::net::UnixListener::from_std)
                .transpose()?,
            certificates: self.certificates,
        })
    }
}

/// Listens on an address. The standard library lets 128 connections wait; asking again changes that.
fn listening(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

fn is_abandoned(path: &Path) -> bool {
    let socket = std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket());
    let refused = |e: io::Error| e.kind() == io::ErrorKind::ConnectionRefused;
    socket && UnixStream::connect(path).is_err_and(refused)
}

impl OpenDoors {
    /// The next connection; none if it cannot be taken now.
    pub(super) async fn accept(&self) -> Option<Socket> {
        let accepted = tokio::select! {
            tcp = self.tcp.accept() => tcp.map(|(stream, _)| {
                let _ = stream.set_nodelay(true);
                Socket::Tcp(stream, Held::default())
            }),
            unix = accept_unix(self.unix.as_ref()) => unix.map(|stream| Socket::Unix(stream, Held::default())),
        };
        match accepted {
            Ok(socket) => Some(socket),
            Err(error) => {
                // Out of file descriptors, mostly: wait for some to come back.
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                None
            }
        }
    }
}

async fn accept_unix(
    listener: Option<&tokio::net::UnixListener>,
) -> io::Result<tokio::net::UnixStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_burst_of_clients_waits_to_be_taken_and_none_has_to_ask_again() {
        let doors = Doors::tcp(SocketAddr::from(([127, 0, 0, 1], 0)), None).unwrap();
        let address = doors.address().unwrap();
        let permitted = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let burst = permitted.trim().parse::<usize>().unwrap().min(1000);
        // Nobody accepts; who finds no room would be heard a second later.
        let soon = Duration::from_millis(900);
        let clients: Vec<_> = (0..burst)
            .map(|_| std::net::TcpStream::connect_timeout(&address, soon).unwrap())
            .collect();
        assert_eq!(clients.len(), burst);
    }

    #[test]
    fn a_socket_file_that_nobody_listens_on_is_replaced_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let open = |path: &Path| {
            Doors::tcp(SocketAddr::from(([127, 0, 0, 1], 0)), None)
                .unwrap()
                .and_unix(path)
        };
        let path = folder.path().join("agent.sock");
        let first = open(&path).unwrap();
        let taken = open(&path).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        drop(first);
        open(&path).unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "kept").unwrap();
        assert!(open(&file).is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"kept");
    }
}
