//! A connection whichever way it came: by TCP or a Unix socket, with TLS or without; and which version
//! of HTTP begins on it.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsStream;

use crate::capture::announced::{ASKING, Announced, goes_on};
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

    /// Ready once more can be read, or the other side ended. Nothing is read: the caller may not want
    /// to be asked for it yet. With TLS, the next record may hold nothing that concerns a reader.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let looked = match self {
                Self::Tcp(stream, _) => {
                    let _ = ready!(stream.poll_read_ready(cx));
                    stream.try_io(Interest::READABLE, || peek(&*stream))
                }
                Self::Unix(stream, _) => {
                    let _ = ready!(stream.poll_read_ready(cx));
                    stream.try_io(Interest::READABLE, || peek(&*stream))
                }
                Self::Tls(stream) => return stream.get_mut().0.poll_more(cx),
            };
            // What was ready may have been read before; then the system says when more comes.
            match looked {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}

fn peek(socket: impl AsFd) -> io::Result<()> {
    rustix::net::recv(socket, &mut [0; 1], RecvFlags::PEEK)?;
    Ok(())
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
    /// Bytes follow what was read as the end of a head.
    goes_on: bool,
    announced: Option<Arc<Announced>>,
}

impl Begun {
    /// Nothing was read yet.
    pub(crate) const fn untouched(socket: Socket) -> Self {
        Self {
            first: [0; PREFACE.len()],
            read: 0,
            taken: 0,
            socket,
            goes_on: false,
            announced: None,
        }
    }

    /// The same, which tells what it sees of announced bodies.
    pub(super) fn with_announced(mut self) -> (Self, Arc<Announced>) {
        let announced = Arc::<Announced>::default();
        self.announced = Some(Arc::clone(&announced));
        (self, announced)
    }

    /// Looks whether an announced body has begun to come; woken when it does.
    fn look_for_body(&mut self, cx: &mut Context<'_>) {
        if let Some(announced) = &self.announced
            && announced.is_awaited()
            && (self.goes_on || self.socket.poll_more(cx).is_ready())
        {
            announced.came();
        }
    }

    /// How much of what is about to be written is only said to have been.
    fn kept_back(&self, bytes: &[u8]) -> Option<usize> {
        let announced = self.announced.as_ref()?;
        announced.is_idle_talk(bytes).then_some(ASKING.len())
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
        let before = into.filled().len();
        if again.is_empty() {
            ready!(Pin::new(&mut me.socket).poll_read(cx, into))?;
            me.goes_on = goes_on(&into.filled()[before..]);
            return Poll::Ready(Ok(()));
        }
        let fits = again.len().min(into.remaining());
        into.put_slice(&again[..fits]);
        me.taken += fits;
        if into.remaining() > 0 {
            // The rest of the same head, mostly: it is then looked at once. After an error the
            // connection reads as ended.
            let _ = Pin::new(&mut me.socket).poll_read(cx, into);
        }
        me.goes_on = goes_on(&into.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(kept_back) = self.kept_back(bytes) {
            return Poll::Ready(Ok(kept_back));
        }
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.look_for_body(cx);
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
        if let Some(kept_back) = pieces.first().and_then(|first| self.kept_back(first)) {
            return Poll::Ready(Ok(kept_back));
        }
        Pin::new(&mut self.socket).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
