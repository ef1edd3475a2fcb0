//! How long to wait before trying again: longer each time, and at random, so that replicas do not
//! come back all at once.

use std::time::Duration;

/// Longest wait after the first failure.
const FIRST: Duration = Duration::from_millis(200);
/// Longest wait after many.
const LONGEST: Duration = Duration::from_secs(30);
/// Longest wait that the other side may ask for.
const MAX_ASKED: Duration = Duration::from_mins(5);

/// Failures in a row so far.
#[derive(Debug, Default)]
pub(super) struct Pause {
    failures: u32,
}

impl Pause {
    /// The next wait: at random up to a bound that doubles, and not less than asked for.
    pub(super) fn next(&mut self, at_least: Option<Duration>) -> Duration {
        let bound = FIRST
            .saturating_mul(1 << self.failures.min(16))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let mut random = [0; 4];
        // Without randomness the wait is the bound.
        let share = match getrandom::fill(&mut random) {
            Ok(()) => f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX),
            Err(_) => 1.0,
        };
        // Never at once: a collector that refuses connections answers in microseconds.
        let wait = bound.mul_f64(share).max(Duration::from_millis(10));
        wait.max(at_least.unwrap_or_default().min(MAX_ASKED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_honour_what_is_asked() {
        let mut pause = Pause::default();
        assert!(pause.next(None) <= FIRST);
        for _ in 0..40 {
            assert!(pause.next(None) <= LONGEST);
        }
        assert!(pause.next(Some(Duration::from_secs(40))) >= Duration::from_secs(40));
        assert!(pause.next(Some(Duration::from_hours(25))) <= MAX_ASKED);
    }
}
