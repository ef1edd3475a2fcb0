//! The system's clock as the shell reads it: the wall clock, or a replayed one that is told the time.
//! Neither ever goes back, so that no pane is opened again.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use clause9_shared::time::{Clock, Timestamp};

/// A clock that all threads share.
#[derive(Debug)]
pub struct SystemClock {
    kind: Clock,
    latest: AtomicI64,
}

/// Before anybody told the time.
const UNSET: i64 = i64::MIN;

impl SystemClock {
    /// A clock of that kind; a replayed one has no time yet.
    pub const fn new(kind: Clock) -> Self {
        Self {
            kind,
            latest: AtomicI64::new(UNSET),
        }
    }

    /// Which kind it is.
    pub const fn kind(&self) -> Clock {
        self.kind
    }

    /// The time; none if it is replayed and nobody told it yet. If the wall clock is set back, time
    /// stands still until it is reached again.
    pub fn now(&self) -> Option<Timestamp> {
        match self.kind {
            Clock::Live => Some(self.advance(wall())),
            Clock::Replay => match self.latest.load(Ordering::Acquire) {
                UNSET => None,
                micros => Timestamp::from_micros(micros),
            },
        }
    }

    /// Sets the clock forward; an earlier time changes nothing. Returns the time after.
    pub fn advance(&self, to: Timestamp) -> Timestamp {
        let before = self.latest.fetch_max(to.micros(), Ordering::AcqRel);
        Timestamp::from_micros(before.max(to.micros())).unwrap_or(to)
    }
}

/// The wall clock, whichever clock the system runs on.
pub fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::after_epoch(since.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replayed_time_stands_until_told_and_never_goes_back() {
        let clock = SystemClock::new(Clock::Replay);
        assert_eq!(clock.now(), None);
        let at = |s: &str| s.parse::<Timestamp>().unwrap();
        clock.advance(at("2018-02-01T00:00:00Z"));
        clock.advance(at("2018-01-01T00:00:00Z"));
        assert_eq!(clock.now(), Some(at("2018-02-01T00:00:00Z")));
    }
}
