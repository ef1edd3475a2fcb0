//! Small pieces of an exchange's two bodies, copied into one allocation. A held piece keeps its whole read
//! buffer alive; to copy what is so much smaller costs less than a new buffer for the next message.

use bytes::Bytes;

use crate::capture::flight::Direction;
use crate::exchange::{Body, Exchange};

/// Room for the answer, allocated with the request: most are not longer.
const ROOM: usize = 512;
/// Most bytes together: what grows further would keep as much again free.
const MOST: usize = 4 << 10;

/// What was copied: first of the request, then of the response.
#[derive(Debug, Default)]
pub(crate) struct Small {
    bytes: Vec<u8>,
    /// How many are the request's.
    request: usize,
}

impl Small {
    /// How much is held of a body.
    pub(super) fn len(&self, direction: Direction) -> usize {
        match direction {
            Direction::Request => self.request,
            Direction::Response => self.bytes.len() - self.request,
        }
    }

    /// Appends to a body; false if the response has begun and it is the request's, or if it is too much.
    pub(super) fn push(&mut self, direction: Direction, piece: &[u8]) -> bool {
        if self.bytes.len() + piece.len() > MOST {
            return false;
        }
        match direction {
            Direction::Request if self.request < self.bytes.len() => return false,
            Direction::Request => self.request += piece.len(),
            Direction::Response => {}
        }
        if self.bytes.capacity() == 0 {
            self.bytes.reserve_exact(piece.len() + ROOM);
        }
        self.bytes.extend_from_slice(piece);
        true
    }

    /// Lets go of a body.
    pub(super) fn forget(&mut self, direction: Direction) {
        match direction {
            Direction::Request => {
                self.bytes.drain(..self.request);
                self.request = 0;
            }
            Direction::Response => self.bytes.truncate(self.request),
        }
    }

    /// Takes a body out, to go on elsewhere.
    pub(super) fn leave(&mut self, direction: Direction) -> Bytes {
        let bytes = match direction {
            Direction::Request => Bytes::copy_from_slice(&self.bytes[..self.request]),
            Direction::Response => Bytes::copy_from_slice(&self.bytes[self.request..]),
        };
        self.forget(direction);
        bytes
    }

    /// Puts the bodies where they belong. Runs in the monitor: sharing the allocation costs another.
    pub(crate) fn settle(self, exchange: &mut Exchange) {
        let mut request = Bytes::from(self.bytes);
        let response = request.split_off(self.request);
        put(&mut exchange.request.body, request);
        put(&mut exchange.response.body, response);
    }
}

fn put(body: &mut Body, bytes: Bytes) {
    // A body is here or there, never in parts.
    if !bytes.is_empty() {
        body.push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{Request, Response};

    #[test]
    fn two_bodies_share_an_allocation_and_come_apart_again() {
        let mut small = Small::default();
        assert!(small.push(Request, b"ab") && small.push(Request, b"c"));
        assert!(small.push(Response, b"xy"));
        assert!(!small.push(Request, b"d"), "the answer has begun");
        assert_eq!((small.len(Request), small.len(Response)), (3, 2));
        assert!(!small.push(Response, &[0; MOST]), "too much");
        let mut other = Small::default();
        assert!(other.push(Request, b"ab") && other.push(Response, b"xy"));
        other.forget(Request);
        assert_eq!((other.len(Request), other.len(Response)), (0, 2));
        assert_eq!(other.leave(Response), "xy");
        assert_eq!(other.len(Response), 0);
        assert_eq!(small.leave(Request), "abc");
        assert_eq!((small.len(Request), small.len(Response)), (0, 2));
    }
}
