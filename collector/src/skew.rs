//! By how much an agent's wall clock is ahead of the collector's, as far as its batches tell. Core: times are parameters.
//!
//! A batch is signed at a time of the agent's clock and received at one of the collector's. What lies between is how far the
//! agent's clock is ahead, less the time that the batch took, which is never negative: each batch says that the clock is ahead
//! by *at least* so much. The largest of recent batches is the estimate, since waiting in an outbox or on the way only makes
//! it smaller. A positive one is a clock that is ahead. A negative one may be a clock that is behind, or batches that all took
//! that long: the two cannot be told apart from one side.

use std::collections::VecDeque;

use clause9_shared::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

/// Most batches that are looked back upon.
const MOST: usize = 32;
/// How far is looked back, so that a clock that was set shows: the newest batch counts however old it is.
const WITHIN: Span = Span::from_secs(3600);

/// What recent batches of one agent say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seen(VecDeque<(Timestamp, i64)>);

/// By how much a clock is ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skew {
    /// Microseconds that the agent's clock is ahead of the collector's, at least. Negative: behind, by at most so much.
    pub ahead_micros: i64,
    /// On how many batches that rests.
    pub batches: usize,
    /// When the newest of them was received.
    pub as_of: Timestamp,
}

impl Seen {
    /// Takes note of a batch.
    pub fn note(&mut self, created_at: Timestamp, received_at: Timestamp) {
        let ahead = created_at.micros() - received_at.micros();
        self.0.push_back((received_at, ahead));
        // The collector's clock may have been set back: what then lies ahead is as far away as what lies behind.
        let newest = self.0.len() - 1;
        let mut place = 0;
        self.0.retain(|(at, _)| {
            let near = *at <= received_at + WITHIN && received_at <= *at + WITHIN;
            place += 1;
            near || place > newest
        });
        while self.0.len() > MOST {
            self.0.pop_front();
        }
    }

    /// What they say together; none without any.
    pub fn skew(&self) -> Option<Skew> {
        let ahead = self.0.iter().map(|(_, ahead)| *ahead).max()?;
        Some(Skew {
            ahead_micros: ahead,
            batches: self.0.len(),
            as_of: self.0.back()?.0,
        })
    }
}

impl Skew {
    /// The same in seconds.
    pub fn seconds(&self) -> f64 {
        self.ahead_micros as f64 / 1e6
    }
}

/// How far a clock is ahead, if it is, in words for a person: to whole milliseconds.
pub fn ahead(created_at: Timestamp, received_at: Timestamp) -> Option<Span> {
    let micros = created_at.micros() - received_at.micros();
    Span::from_micros(micros / 1000 * 1000).filter(|ahead| *ahead > Span::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_000_000_000_000_000 + seconds * 1_000_000).unwrap()
    }

    /// What is estimated of a clock that is ahead by so many seconds, of batches sent at a time that took so long.
    fn estimated(ahead: i64, batches: &[(i64, i64)]) -> i64 {
        let mut seen = Seen::default();
        for (sent, took) in batches {
            seen.note(at(sent + ahead), at(sent + took));
        }
        seen.skew().unwrap().ahead_micros / 1_000_000
    }

    #[test]
    fn the_quickest_batch_counts_and_delays_never_make_a_clock_look_ahead() {
        let mixed = [(0, 300), (60, 2), (120, 900), (180, 40)];
        assert_eq!(estimated(0, &mixed), -2);
        assert_eq!(estimated(3600, &mixed), 3598);
        assert_eq!(estimated(-3600, &mixed), -3602);
        let slow = [(0, 300), (60, 600)];
        assert_eq!(
            estimated(0, &slow),
            -300,
            "as if it were behind: a bound, and no more"
        );
        for ahead in [-100, 0, 100] {
            for took in [0, 1, 1000] {
                assert!(estimated(ahead, &[(0, took)]) <= ahead);
            }
        }
    }

    #[test]
    fn a_clock_that_is_set_shows_after_an_hour_or_so_many_batches() {
        let mut seen = Seen::default();
        seen.note(at(7200), at(0));
        seen.note(at(600), at(600));
        assert_eq!(seen.skew().unwrap().ahead_micros, 7_200_000_000);
        seen.note(at(3601), at(3601));
        let skew = seen.skew().unwrap();
        assert_eq!(
            (skew.ahead_micros, skew.batches, skew.as_of),
            (0, 2, at(3601))
        );
        let mut seen = Seen::default();
        seen.note(at(7200), at(0));
        for n in 1..=32 {
            seen.note(at(n), at(n));
        }
        assert_eq!(seen.skew().unwrap().batches, MOST);
        assert_eq!(seen.skew().unwrap().ahead_micros, 0);
    }

    #[test]
    fn the_newest_batch_counts_alone_after_a_long_silence_and_when_the_collector_s_clock_is_set_back()
     {
        let mut seen = Seen::default();
        seen.note(at(1), at(0));
        seen.note(at(90_000 - 5), at(90_000));
        assert_eq!(seen.skew().unwrap().ahead_micros, -5_000_000);
        seen.note(at(10), at(10));
        assert_eq!(seen.skew().unwrap().batches, 1);
        assert_eq!(seen.skew().unwrap().ahead_micros, 0);
    }

    #[test]
    fn nothing_is_said_of_nothing_and_what_was_seen_comes_back_from_its_text() {
        assert_eq!(Seen::default().skew(), None);
        let mut seen = Seen::default();
        seen.note(at(3), at(5));
        let text = serde_json::to_string(&seen).unwrap();
        assert_eq!(serde_json::from_str::<Seen>(&text).unwrap(), seen);
    }

    #[test]
    fn only_a_clock_that_is_ahead_is_told_of() {
        assert_eq!(ahead(at(7200), at(0)), Some(Span::from_secs(7200)));
        assert_eq!(ahead(at(0), at(0)), None);
        assert_eq!(ahead(at(0), at(1)), None);
    }
}
