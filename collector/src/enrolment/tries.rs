//! How often somebody may try in vain. Core: time is a parameter.

use core::net::IpAddr;
use std::collections::HashMap;

use clause9_shared::time::{Span, Timestamp};

/// Tries of one address in a minute.
const OF_ONE: u32 = 10;
/// Tries of all in a minute.
const OF_ALL: u32 = 100;
const MINUTE: Span = Span::from_secs(60);

/// Tries of the minute that runs, as long as none of them came off. Holds no more addresses than tries.
#[derive(Debug)]
pub(super) struct Tries {
    since: Timestamp,
    all: u32,
    of: HashMap<IpAddr, u32>,
}

impl Default for Tries {
    fn default() -> Self {
        Self {
            since: Timestamp::EPOCH,
            all: 0,
            of: HashMap::new(),
        }
    }
}

impl Tries {
    /// Whether one more try is allowed; counted as one in vain until it came off.
    pub(super) fn begin(&mut self, who: IpAddr, now: Timestamp) -> bool {
        // A clock that was set back must not lock everybody out.
        if now >= self.since + MINUTE || now < self.since {
            *self = Self {
                since: now,
                ..Self::default()
            };
        }
        if self.all >= OF_ALL || self.of.get(&who).is_some_and(|n| *n >= OF_ONE) {
            return false;
        }
        self.all += 1;
        *self.of.entry(who).or_default() += 1;
        true
    }

    /// The last try of this address came off.
    pub(super) fn came_off(&mut self, who: IpAddr) {
        self.all = self.all.saturating_sub(1);
        if let Some(n) = self.of.get_mut(&who) {
            *n = n.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000).unwrap()
    }

    fn address(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, n])
    }

    #[test]
    fn one_address_has_ten_tries_a_minute_and_all_have_a_hundred() {
        let mut tries = Tries::default();
        let allowed = (0..30).filter(|_| tries.begin(address(1), at(100))).count();
        assert_eq!(allowed, 10);
        let allowed = (0..200)
            .filter(|n| tries.begin(address(10 + n), at(101)))
            .count();
        assert_eq!(allowed, 90);
        assert!(!tries.begin(address(2), at(159)));
        assert!(tries.begin(address(1), at(160)), "another minute");
        assert!(tries.begin(address(1), at(5)), "a clock that was set back");
    }

    #[test]
    fn what_came_off_is_no_try() {
        let mut tries = Tries::default();
        for _ in 0..1000 {
            assert!(tries.begin(address(1), at(100)));
            tries.came_off(address(1));
        }
    }
}
