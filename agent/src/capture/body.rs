//! Bodies on their way through: frames pass as they come, trailers too, and references to their
//! bytes go into the capture.

use std::error::Error as _;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::capture::announced::Opener;
use crate::capture::flight::{Direction, Ending, Flight};
use crate::capture::recorder::Recorder;
use crate::capture::upstream::Lease;

/// Why a body did not go through.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// The other side broke off.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
    /// The other side stopped before the end, without calling it an error.
    #[error("the body stopped before its end")]
    CutOff,
    /// The server answered without asking for the announced body.
    #[error("the server did not ask for the announced body")]
    NotWanted,
}

impl BodyError {
    /// Whether the body was there and could not be read, as chunks that are none. hyper's decoder of
    /// them says so by the kind of its error.
    fn is_malformed(&self) -> bool {
        let Self::Broken(error) = self else {
            return false;
        };
        let mut causes = std::iter::successors(error.source(), |error| (*error).source());
        causes.any(|cause| {
            cause.downcast_ref::<io::Error>().is_some_and(|error| {
                let kind = error.kind();
                kind == io::ErrorKind::InvalidInput || kind == io::ErrorKind::InvalidData
            })
        })
    }
}

/// Decides when an announced body (`expect: 100-continue`) may flow; true: send it.
pub(super) type Gate = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A request's body on its way to the model server.
pub(super) struct RequestBody {
    inner: Incoming,
    streamed: bool,
    recorder: Arc<Recorder>,
    flight: Option<Arc<Flight>>,
    gate: Option<Gate>,
}

impl RequestBody {
    /// `streamed`: it comes by HTTP/2.
    pub(super) fn new(
        inner: Incoming,
        streamed: bool,
        recorder: Arc<Recorder>,
        flight: Option<Arc<Flight>>,
        gate: Option<Gate>,
    ) -> Self {
        let body = Self {
            inner,
            streamed,
            recorder,
            flight,
            gate,
        };
        body.note_end();
        body
    }

    fn note_end(&self) {
        if let Some(flight) = &self.flight
            && self.inner.is_end_stream()
        {
            flight.request_ended();
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(gate) = &mut self.gate {
            if !ready!(gate.as_mut().poll(cx)) {
                return Poll::Ready(Some(Err(BodyError::NotWanted)));
            }
            self.gate = None;
        }
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let cut_off = frame.is_none() && self.streamed && !self.inner.is_end_stream();
        let frame = if cut_off {
            Some(Err(BodyError::CutOff))
        } else {
            frame.map(|f| f.map_err(BodyError::from))
        };
        if let Some(Err(error)) = &frame
            && error.is_malformed()
        {
            self.recorder.telemetry.refuse("malformed");
        }
        if let Some(flight) = &self.flight {
            match &frame {
                Some(Ok(frame)) => {
                    if let Some(piece) = frame.data_ref() {
                        flight.piece(Direction::Request, piece);
                    }
                    if let Some(trailers) = frame.trailers_ref() {
                        flight.trailers(Direction::Request, trailers);
                        flight.request_ended();
                    }
                    self.note_end();
                }
                None => flight.request_ended(),
                Some(Err(_)) => flight.request_broke(),
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A response's body on its way to the client; without `inner` it is empty.
pub(super) struct ResponseBody {
    inner: Option<Incoming>,
    streamed: bool,
    ending: Option<Ending>,
    lease: Option<Lease>,
    flight: Option<Arc<Flight>>,
    /// Nothing is said of its length.
    silent: bool,
    /// Tells an announced request body that nobody will ask for it any more.
    _gate: Option<Arc<Opener>>,
}

impl ResponseBody {
    /// Nothing, and the exchange is over.
    pub(super) fn empty(ending: Option<Ending>) -> Self {
        if let Some(ending) = ending {
            ending.complete();
        }
        Self {
            inner: None,
            streamed: false,
            ending: None,
            lease: None,
            flight: None,
            silent: false,
            _gate: None,
        }
    }

    /// `streamed`: it comes by HTTP/2.
    pub(super) fn new(
        inner: Incoming,
        streamed: bool,
        flight: Option<Arc<Flight>>,
        ending: Option<Ending>,
        lease: Lease,
        gate: Option<Arc<Opener>>,
    ) -> Self {
        let ended = inner.is_end_stream();
        let mut body = Self {
            inner: Some(inner),
            streamed,
            ending,
            lease: Some(lease),
            flight,
            silent: false,
            _gate: gate,
        };
        if ended {
            body.end();
        }
        body
    }

    /// The same, for an answer whose length is that of another one, which the client has (304): hyper
    /// keeps such a length only if the body does not say at once that there is none.
    pub(super) fn of_another(mut self) -> Self {
        self.silent = true;
        self
    }

    fn end(&mut self) {
        if let Some(ending) = self.ending.take() {
            ending.complete();
        }
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let streamed = self.streamed;
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(&mut *inner).poll_frame(cx));
        let mut ended = frame.is_none() || inner.is_end_stream();
        if frame.is_none() && streamed && !inner.is_end_stream() {
            return Poll::Ready(Some(Err(BodyError::CutOff)));
        }
        if let Some(Ok(frame)) = &frame {
            // Whoever sends trailers asks for nothing after them.
            ended |= frame.is_trailers();
            if let Some(flight) = &self.flight {
                if let Some(piece) = frame.data_ref() {
                    flight.piece(Direction::Response, piece);
                }
                if let Some(trailers) = frame.trailers_ref() {
                    flight.trailers(Direction::Response, trailers);
                }
            }
        }
        if ended && !matches!(frame, Some(Err(_))) {
            self.end();
        }
        Poll::Ready(frame.map(|f| f.map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        !self.silent && self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        if self.silent {
            return SizeHint::default();
        }
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
