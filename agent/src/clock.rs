//! The system's clock as the shell reads it: the wall clock, or a replayed one that is told the time.
//! Neither ever goes back, so that no pane is opened again. Nor is a leap of the wall clock followed at
//! once: it would close panes into the future, which cannot be opened again when the leap is taken back.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clause9_shared::time::{Clock, Timestamp};

/// A clock that all threads share.
#[derive(Debug)]
pub struct SystemClock {
    kind: Clock,
    latest: AtomicI64,
    begun: Instant,
    /// Microseconds by which the wall clock, as it is followed, is ahead of the time since the beginning.
    ahead: AtomicI64,
    leap: Mutex<Leap>,
}

/// Before anybody told the time.
const UNSET: i64 = i64::MIN;
/// A wall clock further ahead of elapsed time than this has leapt, in microseconds.
const LEAP: i64 = 60_000_000;
/// How long a leap must last before it is followed, in microseconds of elapsed time.
const LASTING: i64 = 300_000_000;

/// A leap of the wall clock that is not yet believed.
#[derive(Debug, Default)]
struct Leap {
    /// Since when, and when it was last there, in microseconds from the beginning.
    seen: Option<(i64, i64)>,
}

impl Leap {
    /// By how much the wall clock is to be followed as ahead of elapsed time. `ahead`: by how much so far.
    fn follow(&mut self, ahead: i64, elapsed: i64, wall: i64) -> i64 {
        let now = wall.saturating_sub(elapsed);
        if ahead == UNSET || now.saturating_sub(ahead) <= LEAP {
            self.seen = None;
            return now;
        }
        // A leap that was not there for a while was taken back.
        let earlier = self
            .seen
            .filter(|(_, last)| elapsed.saturating_sub(*last) < LASTING / 2);
        let since = earlier.map_or(elapsed, |(since, _)| since);
        if earlier.is_none() {
            tracing::warn!(
                seconds = now.saturating_sub(ahead) / 1_000_000,
                "the wall clock leapt ahead; it is followed if it stays there"
            );
        }
        self.seen = Some((since, elapsed));
        if elapsed.saturating_sub(since) < LASTING {
            return ahead;
        }
        self.seen = None;
        now
    }
}

impl SystemClock {
    /// A clock of that kind; a replayed one has no time yet.
    pub fn new(kind: Clock) -> Self {
        Self {
            kind,
            latest: AtomicI64::new(UNSET),
            begun: Instant::now(),
            ahead: AtomicI64::new(UNSET),
            leap: Mutex::default(),
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
            Clock::Live => Some(self.advance(self.followed(wall()))),
            Clock::Replay => match self.latest.load(Ordering::Acquire) {
                UNSET => None,
                micros => Timestamp::from_micros(micros),
            },
        }
    }

    /// The wall clock, but for leaps that have not lasted. Waits for nobody: who finds another thread at it
    /// goes by what that one had.
    fn followed(&self, wall: Timestamp) -> Timestamp {
        let elapsed = i64::try_from(self.begun.elapsed().as_micros()).unwrap_or(i64::MAX);
        let before = self.ahead.load(Ordering::Acquire);
        let steady = wall.micros().saturating_sub(elapsed);
        // Nearly always: no leap, and none was going on.
        if before != UNSET && (steady.saturating_sub(before)).abs() <= LEAP / 2 {
            return wall;
        }
        let ahead = match self.leap.try_lock() {
            Ok(mut leap) => leap.follow(before, elapsed, wall.micros()),
            Err(std::sync::TryLockError::Poisoned(leap)) => {
                PoisonError::into_inner(leap).follow(before, elapsed, wall.micros())
            }
            Err(std::sync::TryLockError::WouldBlock) if before == UNSET => steady,
            Err(std::sync::TryLockError::WouldBlock) => before,
        };
        self.ahead.store(ahead, Ordering::Release);
        Timestamp::from_micros(ahead.saturating_add(elapsed)).unwrap_or(wall)
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

    /// Times in seconds; what the clock says at each, in seconds.
    fn told(times: &[(i64, i64)]) -> Vec<i64> {
        let (mut leap, mut ahead) = (Leap::default(), UNSET);
        let said = times.iter().map(|(elapsed, wall)| {
            ahead = leap.follow(ahead, elapsed * 1_000_000, wall * 1_000_000);
            ahead / 1_000_000 + elapsed
        });
        said.collect()
    }

    #[test]
    fn a_leap_of_the_wall_clock_is_followed_only_if_it_lasts() {
        // A day ahead for two minutes, then back.
        let taken_back = told(&[
            (0, 1000),
            (60, 1060),
            (61, 87_461),
            (180, 87_580),
            (181, 1181),
        ]);
        assert_eq!(taken_back, [1000, 1060, 1061, 1180, 1181]);
        // An hour ahead for good, as after a machine slept.
        let lasting = told(&[
            (0, 1000),
            (10, 4610),
            (120, 4720),
            (200, 4800),
            (311, 4911),
            (312, 4912),
        ]);
        assert_eq!(lasting, [1000, 1010, 1120, 1200, 4911, 4912]);
        // Two short ones, an hour apart, are not one that lasts.
        let twice = told(&[(0, 1000), (1, 5000), (3600, 4600), (3601, 9000)]);
        assert_eq!(twice, [1000, 1001, 4600, 4601]);
        // Small steps are followed at once.
        assert_eq!(
            told(&[(0, 1000), (10, 1040), (20, 1090)]),
            [1000, 1040, 1090]
        );
    }

    #[test]
    fn live_time_goes_on() {
        let clock = SystemClock::new(Clock::Live);
        let first = clock.now().unwrap();
        let second = clock.now().unwrap();
        assert!(first <= second && second <= wall());
    }

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
