//! One exchange under way: what was captured of it so far. Shared by its two bodies.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clause9_shared::service::Served;
use clause9_shared::window::DropReason;
use http::{HeaderMap, StatusCode, Version};

use crate::capture::budget::Reservation;
use crate::capture::recorder::{Captured, Recorder};
use crate::capture::small::Small;
use crate::exchange::{Body, Exchange, Message};

/// A held piece keeps its whole read buffer alive; hyper's first one has this many bytes.
const READ_BUFFER: usize = 8 << 10;
/// A piece that is so much smaller than the buffer is copied: that costs less than a new buffer for
/// the next message, and a waiting exchange then takes what it weighs.
const COPIED: usize = READ_BUFFER / 4;

/// Which body of an exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Direction {
    Request,
    Response,
}

/// One exchange under way.
pub(super) struct Flight {
    recorder: Arc<Recorder>,
    arrived: Instant,
    state: Mutex<State>,
}

struct State {
    /// Gone once the exchange is accounted for.
    captured: Option<Captured>,
    request_ended: bool,
    /// The client broke it off: whatever is answered then, it is no failure of the server's.
    request_broke: bool,
    /// When the answer's body began.
    first_byte: Option<Duration>,
    /// Bytes of the two bodies, captured or not.
    bytes: [u64; 2],
    /// What each of them has reserved.
    charged: [usize; 2],
    /// The budget was used up: the exchange will be let go.
    over_budget: bool,
}

/// Ends the exchange when dropped: as complete if it was, else as aborted.
pub(super) struct Ending {
    flight: Arc<Flight>,
    complete: bool,
}

impl Flight {
    /// Begins to capture.
    pub(super) fn begin(
        recorder: &Arc<Recorder>,
        exchange: Exchange,
        decoder: &'static dyn crate::decode::Decoder,
    ) -> Arc<Self> {
        let held = Reservation::new(Arc::clone(&recorder.budget));
        Arc::new(Self {
            recorder: Arc::clone(recorder),
            arrived: Instant::now(),
            state: Mutex::new(State {
                captured: Some(Captured {
                    exchange,
                    decoder,
                    held,
                    small: Small::default(),
                    served: Served::default(),
                }),
                request_ended: false,
                request_broke: false,
                first_byte: None,
                bytes: [0; 2],
                charged: [0; 2],
                over_budget: false,
            }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever holds the ending decides when the exchange is over.
    pub(super) fn ending(self: &Arc<Self>) -> Ending {
        Ending {
            flight: Arc::clone(self),
            complete: false,
        }
    }

    /// Notes the response's head; `whole`: nothing follows it.
    pub(super) fn answered(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        version: Version,
        whole: bool,
    ) {
        if let Some(captured) = &mut self.lock().captured {
            captured.exchange.status = status;
            let response = &mut captured.exchange.response;
            *response = Message::of(headers);
            response.version = version;
            if whole && headers.contains_key("grpc-status") {
                response.end_with(headers);
            }
        }
    }

    /// Notes what came after a body.
    pub(super) fn trailers(&self, direction: Direction, trailers: &HeaderMap) {
        if let Some(captured) = &mut self.lock().captured {
            match direction {
                Direction::Request => captured.exchange.request.end_with(trailers),
                Direction::Response => captured.exchange.response.end_with(trailers),
            }
        }
    }

    /// Holds a reference to a piece of a body, within the bounds.
    pub(super) fn piece(&self, direction: Direction, piece: &Bytes) {
        let state = &mut *self.lock();
        state.bytes[direction as usize] += piece.len() as u64;
        if matches!(direction, Direction::Response)
            && state.first_byte.is_none()
            && !piece.is_empty()
        {
            state.first_byte = Some(self.arrived.elapsed());
        }
        let Some(captured) = &mut state.captured else {
            return;
        };
        let body = match direction {
            Direction::Request => &mut captured.exchange.request.body,
            Direction::Response => &mut captured.exchange.response.body,
        };
        if body.truncated || state.over_budget || piece.is_empty() {
            return;
        }
        let copied = captured.small.len(direction);
        if body.len() + copied + piece.len() > self.recorder.body_bytes {
            body.discard();
            captured.small.forget(direction);
            // A long upload must not keep others out with what it no longer holds.
            let reserved = &mut state.charged[direction as usize];
            captured.held.shrink(std::mem::take(reserved));
            return;
        }
        let small = piece.len() <= COPIED;
        let charge = if body.is_empty() && copied == 0 && !small {
            piece.len().max(READ_BUFFER)
        } else {
            piece.len()
        };
        if captured.held.grow(charge) {
            state.charged[direction as usize] += charge;
            let together = small && body.is_empty() && captured.small.push(direction, piece);
            if !together {
                if copied > 0 {
                    body.push(captured.small.leave(direction));
                }
                body.push(if small {
                    Bytes::copy_from_slice(piece)
                } else {
                    piece.clone()
                });
            }
        } else {
            state.over_budget = true;
            captured.small = Small::default();
            captured.exchange.request.body = Body::default();
            captured.exchange.response.body = Body::default();
            captured.held.release();
        }
    }

    /// The whole request went through.
    pub(super) fn request_ended(&self) {
        self.lock().request_ended = true;
    }

    /// The request broke off before its end, which is the client's doing.
    pub(super) fn request_broke(&self) {
        self.lock().request_broke = true;
    }

    fn end(&self, complete: bool) {
        let mut state = self.lock();
        let Some(mut captured) = state.captured.take() else {
            return;
        };
        let latency = self.arrived.elapsed();
        let first_byte = state.first_byte.unwrap_or(latency);
        let [request, response] = state.bytes;
        captured.served = Served {
            latency: Some(latency.as_secs_f64()),
            first_byte: Some(first_byte.as_secs_f64()),
            request_bytes: Some(request as f64),
            response_bytes: Some(response as f64),
            status: Some(captured.exchange.outcome().as_u16()),
        };
        // Who refuses a request need not have read it to its end; gRPC says so behind a status of 200.
        let answered = state.request_ended || !captured.exchange.outcome().is_success();
        let whole = complete && answered && !state.request_broke;
        let over_budget = state.over_budget;
        drop(state);
        if !whole {
            self.recorder
                .let_go(captured.exchange.pane, DropReason::Aborted);
        } else if over_budget {
            self.recorder
                .let_go(captured.exchange.pane, DropReason::CaptureBudget);
        } else {
            self.recorder.hand_over(captured);
        }
    }
}

impl Ending {
    /// The response went through to its end: accounts for the exchange now, before the client can
    /// have seen the last byte.
    pub(super) fn complete(mut self) {
        self.complete = true;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.flight.end(self.complete);
    }
}
