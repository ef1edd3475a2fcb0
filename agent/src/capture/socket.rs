//! A connection whichever way it came: by TCP or a Unix socket, with TLS or without; and which version
//! of HTTP begins on it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsStream;

use crate::capture::room::Place;

/// What a client that speaks HTTP/2 sends first (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A place that comes back when the socket is closed.
#[derive(Default)]
pub(crate) struct Held(#[expect(dead_code, reason = "held")] pub(super) Option<Place>);

/// A connection to a client or to the model server, with its place among those there is room for.
pub(crate) enum Socket {
    Tcp(TcpStream, #[expect(dead_code, reason = "held")] Held),
    Unix(UnixStream, #[expect(dead_code, reason = "held")] Held),
    Tls(Box<TlsStream<Socket>>),
}

impl Socket {
    /// The same, which takes that place.
    pub(super) fn on(self, place: Place) -> Self {
        match self {
            Self::Tcp(stream, _) => Self::Tcp(stream, Held(Some(place))),
            Self::Unix(stream, _) => Self::Unix(stream, Held(Some(place))),
            // What is below it has one.
            Self::Tls(stream) => Self::Tls(stream),
        }
    }
}

macro_rules! each {
    ($socket:expr, $inner:ident => $does:expr) => {
        match $socket.get_mut() {
            Socket::Tcp(inner, _) => {
                let $inner = Pin::new(inner);
                $does
            }
            Socket::Unix(inner, _) => {
                let $inner = Pin::new(inner);
                $does
            }
            Socket::Tls(inner) => {
                let $inner = Pin::new(&mut **inner);
                $does
            }
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, s => s.poll_read(cx, into))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, s => s.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, s => s.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, s => s.poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, s => s.poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(s, _) => s.is_write_vectored(),
            Self::Unix(s, _) => s.is_write_vectored(),
            Self::Tls(s) => s.is_write_vectored(),
        }
    }
}

/// A connection of which the first bytes were read to tell the version; they are read again.
pub(crate) struct Begun {
    first: [u8; PREFACE.len()],
    read: usize,
    taken: usize,
    socket: Socket,
}

impl Begun {
    /// Nothing was read yet.
    pub(crate) const fn untouched(socket: Socket) -> Self {
        Self {
            first: [0; PREFACE.len()],
            read: 0,
            taken: 0,
            socket,
        }
    }

    /// Reads until it is clear whether the client speaks HTTP/2, and says so.
    pub(crate) async fn sniffed(socket: Socket) -> io::Result<(Self, bool)> {
        let mut begun = Self::untouched(socket);
        loop {
            let read = begun.socket.read(&mut begun.first[begun.read..]).await?;
            begun.read += read;
            if read == 0 || begun.first[..begun.read] != PREFACE[..begun.read] {
                return Ok((begun, false));
            }
            if begun.read == PREFACE.len() {
                return Ok((begun, true));
            }
        }
    }
}

impl AsyncRead for Begun {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = &mut *self;
        let again = &me.first[me.taken..me.read];
        if again.is_empty() {
            return Pin::new(&mut me.socket).poll_read(cx, into);
        }
        let fits = again.len().min(into.remaining());
        into.put_slice(&again[..fits]);
        me.taken += fits;
        if into.remaining() > 0 {
            // The rest of the same head, mostly: it is then looked at once. After an error the
            // connection reads as ended.
            let _ = Pin::new(&mut me.socket).poll_read(cx, into);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
