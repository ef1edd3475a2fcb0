//! How long to wait after a request that failed for now: full jitter below a bound that doubles, but never shorter than the
//! receiver asked for.

use std::time::Duration;

/// The bound after the first failure.
const FIRST: Duration = Duration::from_secs(1);
/// The bound never grows beyond this.
const LAST: Duration = Duration::from_mins(1);
/// Longest wait that a receiver can ask for: what says a day may say a year.
const LONGEST_ASKED: Duration = Duration::from_mins(10);

/// How long to wait after so many failures in a row, from 1, if the receiver asked for `asked`. `chance` is uniform.
pub fn after(failures: u32, asked: Option<Duration>, chance: u32) -> Duration {
    let doubled = FIRST.saturating_mul(
        1_u32
            .checked_shl(failures.saturating_sub(1))
            .unwrap_or(u32::MAX),
    );
    let share = f64::from(chance) / f64::from(u32::MAX);
    match asked {
        // Whoever asked all for the same wait is not to be asked by all at once.
        Some(asked) => {
            let asked = asked.min(LONGEST_ASKED);
            asked + asked.mul_f64(share / 4.0)
        }
        None => doubled.min(LAST).mul_f64(share),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nobody_comes_again_before_being_asked_to(failures in 1_u32..100, asked in 0_u64..10_000, chance: u32) {
            let asked = Duration::from_secs(asked);
            let wait = after(failures, Some(asked), chance);
            prop_assert!(wait >= asked.min(LONGEST_ASKED));
            prop_assert!(wait <= LONGEST_ASKED.mul_f64(1.25) + FIRST);
        }

        #[test]
        fn waits_are_spread_below_a_bound_that_grows_to_a_minute(failures in 1_u32..100, chance: u32) {
            let bound = FIRST.saturating_mul(2_u32.saturating_pow(failures - 1)).min(LAST);
            prop_assert!(after(failures, None, chance) <= bound);
            prop_assert_eq!(after(failures, None, u32::MAX), bound);
            prop_assert_eq!(after(failures, None, 0), Duration::ZERO);
        }
    }
}
