//! The rate of each pane under a cap. A pane's rate follows from how many exchanges came in the pane
//! before it, never from anything in the pane itself: whoever bets on a pane knows its rate beforehand.

use std::collections::BTreeMap;

use clause9_shared::sampling::Halvings;
use clause9_shared::time::{Span, Timestamp};
use clause9_shared::window::PaneStart;

/// Share of a cap that must suffice before the rate is raised again, so that it does not go to and fro.
const ROOM: f64 = 0.75;

/// What is kept at most, on average over a pane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cap {
    /// The rate below which ids are never let go for it: what is declared.
    pub declared: Halvings,
    /// Exchanges in a second.
    pub exchanges_per_second: Option<f64>,
    /// Bytes of requests and answers in a second.
    pub bytes_per_second: Option<f64>,
}

impl Cap {
    /// Whether what came in so many seconds is below this share of the cap, at a rate.
    fn holds(&self, came: Came, seconds: f64, rate: Halvings, share: f64) -> bool {
        let within = |count: u64, most: Option<f64>| {
            most.is_none_or(|most| count as f64 / seconds * rate.rate() <= most * share)
        };
        within(came.exchanges, self.exchanges_per_second)
            && within(came.bytes, self.bytes_per_second)
    }

    /// The rate of a pane, by what came in the one before it and that one's rate: the highest that fits.
    fn rate(&self, came: Came, seconds: f64, before: Halvings) -> Halvings {
        let fits = |rate: &Halvings| {
            let share = if *rate < before { ROOM } else { 1.0 };
            self.holds(came, seconds, *rate, share)
        };
        (self.declared.count()..=Halvings::MOST.count())
            .filter_map(Halvings::new)
            .find(fits)
            .unwrap_or(Halvings::MOST)
    }
}

/// What came in a pane, kept or not.
#[derive(Clone, Copy, Debug, Default)]
struct Came {
    exchanges: u64,
    bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Paced {
    rate: Halvings,
    came: Came,
}

/// The rates of open panes, and of the last one that was closed.
#[derive(Clone, Debug)]
pub(super) struct Pacing {
    cap: Cap,
    length: Span,
    panes: BTreeMap<PaneStart, Paced>,
    /// The last pane with each rate, by number of halvings.
    last: [Option<PaneStart>; Halvings::MOST.count() as usize + 1],
}

impl Pacing {
    pub(super) const fn new(cap: Cap, length: Span) -> Self {
        Self {
            cap,
            length,
            panes: BTreeMap::new(),
            last: [None; Halvings::MOST.count() as usize + 1],
        }
    }

    /// The rate of a pane; decided when it is first asked for.
    pub(super) fn rate(&mut self, pane: PaneStart) -> Halvings {
        self.paced(pane).rate
    }

    /// The rate of the newest pane that was asked for.
    pub(super) fn newest(&self) -> Halvings {
        let newest = self.panes.values().next_back();
        newest.map_or(self.cap.declared, |paced| paced.rate)
    }

    /// Counts an exchange that came in a pane, with its bytes.
    pub(super) fn count(&mut self, pane: PaneStart, bytes: u64) {
        let came = &mut self.paced(pane).came;
        came.exchanges += 1;
        came.bytes = came.bytes.saturating_add(bytes);
    }

    fn paced(&mut self, pane: PaneStart) -> &mut Paced {
        let before = PaneStart(pane.0 - self.length);
        let before = self.panes.get(&before).copied();
        let (cap, last) = (&self.cap, &mut self.last);
        let seconds = self.length.micros() as f64 / 1e6;
        self.panes.entry(pane).or_insert_with(|| {
            let rate = before.map_or(cap.declared, |b| cap.rate(b.came, seconds, b.rate));
            let seen = &mut last[usize::from(rate.count())];
            *seen = (*seen).max(Some(pane));
            Paced {
                rate,
                came: Came::default(),
            }
        })
    }

    /// Forgets what no later pane asks for, once a pane is closed.
    pub(super) fn close(&mut self, pane: PaneStart) {
        self.panes = self.panes.split_off(&pane);
    }

    /// The lowest rate that was in force in any pane from that time on.
    pub(super) fn lowest_since(&self, since: Timestamp) -> Halvings {
        (0..=Halvings::MOST.count())
            .rev()
            .filter_map(Halvings::new)
            .find(|h| self.last[usize::from(h.count())].is_some_and(|pane| pane.0 >= since))
            .unwrap_or(self.cap.declared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Span = Span::from_secs(60);

    fn pane(n: i64) -> PaneStart {
        PaneStart(Timestamp::from_micros(n * MINUTE.micros()).unwrap())
    }

    fn pacing(exchanges_per_second: Option<f64>, bytes_per_second: Option<f64>) -> Pacing {
        let cap = Cap {
            declared: Halvings::NONE,
            exchanges_per_second,
            bytes_per_second,
        };
        Pacing::new(cap, MINUTE)
    }

    fn come(pacing: &mut Pacing, n: i64, exchanges: u64, bytes: u64) -> u8 {
        for _ in 0..exchanges {
            pacing.count(pane(n), bytes);
        }
        pacing.rate(pane(n)).count()
    }

    #[test]
    fn a_panes_rate_follows_from_the_pane_before_it_alone() {
        let mut pacing = pacing(Some(1.0), None);
        assert_eq!(come(&mut pacing, 0, 60, 0), 0);
        assert_eq!(come(&mut pacing, 1, 61, 0), 0, "60 a minute fit");
        assert_eq!(come(&mut pacing, 2, 100_000, 0), 1, "61 do not");
        assert_eq!(come(&mut pacing, 3, 0, 0), 8, "as low as it gets");
        assert_eq!(come(&mut pacing, 4, 10, 0), 0, "nothing came");
        assert_eq!(come(&mut pacing, 6, 10, 0), 0, "nothing is known of pane 5");
    }

    #[test]
    fn bytes_are_capped_as_exchanges_are() {
        let mut pacing = pacing(Some(1000.0), Some(100.0));
        assert_eq!(come(&mut pacing, 0, 30, 1000), 0);
        assert_eq!(come(&mut pacing, 1, 0, 0), 3, "500 a second, at most 100");
    }

    #[test]
    fn a_rate_is_raised_again_once_there_is_room_for_more() {
        let mut pacing = pacing(Some(1.0), None);
        assert_eq!(come(&mut pacing, 0, 100, 0), 0);
        assert_eq!(come(&mut pacing, 1, 55, 0), 1);
        assert_eq!(come(&mut pacing, 2, 45, 0), 1, "55 of 60 is too near");
        assert_eq!(come(&mut pacing, 3, 0, 0), 0, "45 of 60 is not");
    }

    #[test]
    fn what_was_once_let_go_is_known_for_a_while() {
        let mut pacing = pacing(Some(1.0), None);
        assert_eq!(come(&mut pacing, 0, 200, 0), 0);
        assert_eq!(come(&mut pacing, 1, 0, 0), 2);
        assert_eq!(come(&mut pacing, 2, 0, 0), 0);
        pacing.close(pane(1));
        assert_eq!(
            pacing.panes.len(),
            2,
            "the last one closed, and the open one"
        );
        assert_eq!(pacing.lowest_since(pane(0).0).count(), 2);
        assert_eq!(pacing.lowest_since(pane(1).0).count(), 2);
        assert_eq!(pacing.lowest_since(pane(2).0).count(), 0);
    }
}
