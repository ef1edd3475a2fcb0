//! Bounds on what one connection of a client may hold and do.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Most bytes of a body that the other side may send ahead on one stream.
pub(super) const STREAM_WINDOW: u32 = 65_535;
/// Most bytes of a body that wait in the agent for the other side to take them.
pub(super) const SEND_BUFFER: usize = 64 << 10;
/// Most bytes of one head, as HTTP/2 counts them (RFC 9113, section 6.5.2) or as HTTP/1 sends them.
pub(super) const HEADERS: u32 = 64 << 10;
/// Most lines in a head.
pub(super) const HEADER_LINES: usize = 256;
/// Most requests under way on one connection of a client.
pub(super) const STREAMS: u32 = 1000;
/// Most bytes of bodies that a client may send ahead on all streams of a connection.
pub(super) const CONNECTION_WINDOW: u32 = 16 << 20;

/// A request that is taken back so soon was not meant.
const SOON: Duration = Duration::from_secs(1);
/// From so many of them on a connection is judged by them.
const MANY: u32 = 500;

/// What a client's connection asked for and took back (rapid resets, CVE-2023-44487).
#[derive(Debug, Default)]
pub(super) struct Taken {
    asked: AtomicU32,
    taken_back: AtomicU32,
}

/// A request that is not answered yet; dropped before it is, it was taken back.
pub(super) struct Asked<'a> {
    taken: &'a Taken,
    at: Instant,
    answered: bool,
}

impl Taken {
    /// Notes a request.
    pub(super) fn ask(&self) -> Asked<'_> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Asked {
            taken: self,
            at: Instant::now(),
            answered: false,
        }
    }

    /// Whether the connection serves to keep us busy: of many requests, half and more were taken back
    /// as soon as they were made.
    pub(super) fn is_flood(&self) -> bool {
        let taken_back = self.taken_back.load(Ordering::Relaxed);
        taken_back >= MANY && taken_back >= self.asked.load(Ordering::Relaxed) / 2
    }
}

impl Asked<'_> {
    /// The answer's head is there.
    pub(super) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.answered && self.at.elapsed() < SOON {
            self.taken.taken_back.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_takes_back_most_requests_floods_and_one_that_takes_back_some_does_not() {
        let taken = Taken::default();
        for _ in 0..MANY - 1 {
            drop(taken.ask());
        }
        assert!(!taken.is_flood());
        drop(taken.ask());
        assert!(taken.is_flood());
        for _ in 0..2 * MANY {
            taken.ask().answered();
        }
        drop(taken.ask());
        assert!(!taken.is_flood(), "most were meant");
    }
}
