//! What was counted at the socket, per open pane: every request that came in has a pane at once, and
//! is accounted for even if the monitor never hears of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use clause9_shared::time::{Span, Timestamp};
use clause9_shared::window::{DropReason, PaneStart};

/// Most panes open at once; requests beyond are counted in the oldest one.
const MAX_OPEN_PANES: usize = 4096;

pub use crate::engine::SocketCounts;

/// What is to be done with a request that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Capture it; it belongs to this pane.
    Capture(PaneStart, Timestamp),
    /// It is accounted for already: no inference.
    NotInference,
    /// It is accounted for already: let go.
    Dropped(DropReason),
}

/// The open panes.
#[derive(Debug)]
pub struct PaneTable {
    length: Span,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Every pane that ends at or before is closed.
    watermark: Option<Timestamp>,
    open: BTreeMap<PaneStart, SocketCounts>,
    /// From when on anybody looks: set once.
    watching_since: Option<Timestamp>,
    /// Requests from before anybody told the replayed time; added to the first pane.
    timeless: SocketCounts,
}

impl PaneTable {
    /// No pane is open yet.
    pub fn new(length: Span) -> Self {
        Self {
            length,
            inner: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request that came in at that time.
    pub fn arrive(&self, at: Option<Timestamp>, inference: bool) -> Admission {
        let mut inner = self.lock();
        let (counts, admission) = match at {
            None => (&mut inner.timeless, Admission::Dropped(DropReason::TooLate)),
            Some(at) => inner.admit(at, self.length),
        };
        counts.seen += 1;
        if !inference {
            counts.not_inference += 1;
            return Admission::NotInference;
        }
        if let Admission::Dropped(reason) = admission {
            counts.dropped[reason as usize] += 1;
        }
        admission
    }

    /// Counts an exchange that is let go. After its pane was closed it is counted there already, as
    /// unfinished, and nothing changes.
    pub fn drop_one(&self, pane: PaneStart, reason: DropReason) {
        if let Some(counts) = self.lock().open.get_mut(&pane) {
            counts.dropped[reason as usize] += 1;
        }
    }

    /// Notes that from now on every request is seen; what was noted first stays. Without it, looking
    /// begins with the first pane that is opened.
    pub fn watch_from(&self, now: Timestamp) {
        self.lock().watching_since.get_or_insert(now);
    }

    /// From when on every request was seen; none before the first pane was opened.
    pub fn watching_since(&self) -> Option<Timestamp> {
        self.lock().watching_since
    }

    /// Makes sure that time up to `now` has panes, so that idle ones are closed, too.
    pub fn reach(&self, now: Timestamp) {
        let mut inner = self.lock();
        if inner.watermark.is_none() && inner.open.is_empty() {
            let counts = std::mem::take(&mut inner.timeless);
            let first = PaneStart::of(now, self.length);
            inner.watching_since.get_or_insert(first.0);
            inner.open.insert(first, counts);
        }
    }

    /// The oldest pane that is over for `lateness`, if any.
    pub fn next_due(&self, now: Timestamp, lateness: Span) -> Option<PaneStart> {
        let oldest = self.oldest()?;
        (oldest.end(self.length) + lateness <= now).then_some(oldest)
    }

    /// Whether no request was counted in a pane so far: then none of it can be on its way either, since
    /// requests are counted when they come in.
    pub fn is_idle(&self, pane: PaneStart) -> bool {
        !self.lock().open.contains_key(&pane)
    }

    /// The oldest open pane.
    pub fn oldest(&self) -> Option<PaneStart> {
        let inner = self.lock();
        match inner.watermark {
            Some(watermark) => Some(PaneStart(watermark)),
            None => inner.open.keys().next().copied(),
        }
    }

    /// Closes the oldest open pane, which must be this one, and tells what was counted in it.
    pub fn close(&self, pane: PaneStart) -> SocketCounts {
        let mut inner = self.lock();
        inner.watermark = inner.watermark.max(Some(pane.end(self.length)));
        let mut counts = inner.open.remove(&pane).unwrap_or_default();
        counts.add(&std::mem::take(&mut inner.timeless));
        counts
    }

    /// Takes what was counted so far in every open pane, oldest first, and leaves them open.
    pub fn take_open(&self) -> Vec<(PaneStart, SocketCounts)> {
        let mut inner = self.lock();
        let all = inner.open.iter_mut();
        all.map(|(pane, counts)| (*pane, std::mem::take(counts)))
            .collect()
    }

    /// What was counted so far in every open pane, oldest first.
    pub fn open(&self) -> Vec<(PaneStart, SocketCounts)> {
        let inner = self.lock();
        inner
            .open
            .iter()
            .map(|(pane, counts)| (*pane, counts.clone()))
            .collect()
    }
}

impl Inner {
    fn admit(&mut self, at: Timestamp, length: Span) -> (&mut SocketCounts, Admission) {
        let pane = PaneStart::of(at, length);
        let closed = self.watermark.filter(|w| pane.end(length) <= *w);
        let full = self.open.len() >= MAX_OPEN_PANES && !self.open.contains_key(&pane);
        let (counted_in, admission) = match closed {
            Some(watermark) => (
                PaneStart(watermark),
                Admission::Dropped(DropReason::TooLate),
            ),
            None if full => {
                let oldest = self.open.keys().next().copied().unwrap_or(pane);
                (oldest, Admission::Dropped(DropReason::CaptureBudget))
            }
            None => (pane, Admission::Capture(pane, at)),
        };
        if self.watermark.is_none() && self.open.is_empty() {
            let timeless = std::mem::take(&mut self.timeless);
            self.watching_since.get_or_insert(counted_in.0);
            self.open.insert(counted_in, timeless);
        }
        (self.open.entry(counted_in).or_default(), admission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Span = Span::from_secs(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    #[test]
    fn every_request_is_counted_in_exactly_one_pane() {
        let table = PaneTable::new(MINUTE);
        assert_eq!(
            table.arrive(None, true),
            Admission::Dropped(DropReason::TooLate)
        );
        assert_eq!(
            table.arrive(Some(at(5)), true),
            Admission::Capture(PaneStart(at(0)), at(5))
        );
        assert_eq!(table.arrive(Some(at(65)), false), Admission::NotInference);
        assert!(!table.is_idle(PaneStart(at(0))) && table.is_idle(PaneStart(at(120))));
        table.drop_one(PaneStart(at(0)), DropReason::QueueFull);
        let first = table.close(PaneStart(at(0)));
        assert_eq!((first.seen, first.dropped_total()), (2, 2));
        // Late: its own pane is closed, so it is counted in the oldest open one.
        assert_eq!(
            table.arrive(Some(at(59)), true),
            Admission::Dropped(DropReason::TooLate)
        );
        table.drop_one(PaneStart(at(0)), DropReason::QueueFull);
        let second = table.close(PaneStart(at(60)));
        assert_eq!(
            (second.seen, second.not_inference, second.dropped_total()),
            (2, 1, 1)
        );
        assert!(table.open().is_empty());
    }

    #[test]
    fn panes_fall_due_in_order_and_idle_ones_too() {
        let table = PaneTable::new(MINUTE);
        table.reach(at(10));
        assert_eq!(table.next_due(at(69), Span::from_secs(10)), None);
        assert_eq!(
            table.next_due(at(70), Span::from_secs(10)),
            Some(PaneStart(at(0)))
        );
        table.close(PaneStart(at(0)));
        assert_eq!(
            table.next_due(at(500), Span::from_secs(10)),
            Some(PaneStart(at(60)))
        );
    }

    #[test]
    fn watching_begins_once_with_the_first_pane_or_when_told() {
        let replayed = PaneTable::new(MINUTE);
        assert_eq!(replayed.watching_since(), None);
        replayed.arrive(Some(at(125)), true);
        replayed.arrive(Some(at(65)), true);
        replayed.reach(at(500));
        assert_eq!(replayed.watching_since(), Some(at(120)));
        let live = PaneTable::new(MINUTE);
        live.watch_from(at(130));
        live.reach(at(131));
        live.watch_from(at(132));
        assert_eq!(live.watching_since(), Some(at(130)));
        let idle = PaneTable::new(MINUTE);
        idle.reach(at(70));
        assert_eq!(idle.watching_since(), Some(at(60)));
    }

    #[test]
    fn times_from_nowhere_cannot_open_panes_without_end() {
        let table = PaneTable::new(MINUTE);
        for i in 0..5000 {
            table.arrive(Some(at(i * 60)), true);
        }
        let open = table.open();
        assert_eq!(open.len(), MAX_OPEN_PANES);
        assert_eq!(open.iter().map(|(_, c)| c.seen).sum::<u64>(), 5000);
        assert_eq!(open[0].1.dropped[DropReason::CaptureBudget as usize], 904);
    }
}
