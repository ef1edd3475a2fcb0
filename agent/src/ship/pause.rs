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
pub(crate) struct Pause {
    failures: u32,
}

impl Pause {
    /// Whether the last thing that happened was a failure.
    pub(crate) const fn is_after_failure(&self) -> bool {
        self.failures > 0
    }

    /// The next wait: by chance, from 0 to 1, up to a bound that doubles, and not less than asked for.
    pub(crate) fn next(&mut self, at_least: Option<Duration>, chance: f64) -> Duration {
        let bound = FIRST
            .saturating_mul(1 << self.failures.min(16))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        // Never at once: a collector that refuses connections answers in microseconds.
        let wait = bound
            .mul_f64(chance.clamp(0.0, 1.0))
            .max(Duration::from_millis(10));
        wait.max(at_least.unwrap_or_default().min(MAX_ASKED))
    }
}

/// A number from 0 to 1 that nobody can foresee; without randomness it is 1.
pub(crate) fn chance() -> f64 {
    let mut random = [0; 4];
    match getrandom::fill(&mut random) {
        Ok(()) => f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_honour_what_is_asked() {
        let mut pause = Pause::default();
        assert!(pause.next(None, 1.0) <= FIRST);
        for _ in 0..40 {
            assert!(pause.next(None, chance()) <= LONGEST);
        }
        assert!(pause.next(Some(Duration::from_secs(40)), 0.0) >= Duration::from_secs(40));
        assert!(pause.next(Some(Duration::from_hours(25)), 1.0) <= MAX_ASKED);
    }
}
