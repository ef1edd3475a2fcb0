//! Connecting to the model server.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::{TlsConnector, TlsStream};

use crate::capture::room::Place;
use crate::capture::socket::{Held, Socket};
use crate::capture::tls::{H2, Offer};
use crate::config::{Place as Address, Speaks, Upstream};

/// How long connecting may take, and a TLS handshake after it.
const CONNECT: Duration = Duration::from_secs(1);

/// A connection, and whether the server chose HTTP/2 by ALPN.
pub(super) struct Dialled {
    pub(super) socket: Socket,
    pub(super) chose_http2: bool,
}

/// Connects, which takes that place; `offer` matters with TLS only.
pub(super) async fn dial(
    upstream: &Upstream,
    offer: Offer,
    place: Option<Place>,
) -> io::Result<Dialled> {
    let plain = within(plain(&upstream.place, place)).await?;
    let (name, config) = match &upstream.speaks {
        Speaks::Http1 | Speaks::Http2 => {
            return Ok(Dialled {
                socket: plain,
                chose_http2: false,
            });
        }
        Speaks::Tls(tls) => tls.offering(offer),
    };
    let connector = TlsConnector::from(config);
    let tls = within(connector.connect(name, plain)).await?;
    let chose_http2 = tls.get_ref().1.alpn_protocol() == Some(H2);
    if offer == Offer::Http2 && !chose_http2 {
        let message = "the model server does not speak HTTP/2";
        return Err(io::Error::new(io::ErrorKind::Unsupported, message));
    }
    Ok(Dialled {
        socket: Socket::Tls(Box::new(TlsStream::Client(tls))),
        chose_http2,
    })
}

async fn plain(address: &Address, place: Option<Place>) -> io::Result<Socket> {
    match address {
        Address::Tcp { host, port } => {
            let stream = TcpStream::connect((&**host, *port)).await?;
            stream.set_nodelay(true)?;
            Ok(Socket::Tcp(stream, Held(place)))
        }
        Address::Unix(path) => Ok(Socket::Unix(UnixStream::connect(path).await?, Held(place))),
    }
}

async fn within<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(CONNECT, work)
        .await
        .map_err(|_| io::ErrorKind::TimedOut)?
}

/// Whether the server takes connections.
pub(super) async fn reachable(address: &Address) -> bool {
    within(plain(address, None)).await.is_ok()
}
