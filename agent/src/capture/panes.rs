//! What was counted at the socket, per open pane: every request that came in has a pane at once, and
//! is accounted for even if the monitor never hears of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use clause9_shared::time::{Span, Timestamp};
use clause9_shared::window::{DropReason, PaneStart};

use crate::capture::grid::{Grid, NoCommonBeginning};

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
    /// Nobody knows yet what is to be counted: it is passed on, and belongs to no pane.
    Unmonitored,
}

/// The open panes.
#[derive(Debug)]
pub struct PaneTable {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Where panes begin and end; none as long as nobody knows.
    grid: Option<Grid>,
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
        let table = Self::unmonitored();
        table.begin(length);
        table
    }

    /// No pane can be opened before it is told how long they are.
    pub fn unmonitored() -> Self {
        Self {
            inner: Mutex::default(),
        }
    }

    /// From now on panes are of this length.
    pub fn begin(&self, length: Span) {
        self.lock().grid = Some(Grid::new(length));
    }

    /// Panes are to be of this length from a point on that lies behind every pane that was opened, and at which a pane
    /// of either length begins: that point, or none if no pane was opened and it is so at once.
    pub fn change(
        &self,
        length: Span,
        now: Option<Timestamp>,
    ) -> Result<Option<Timestamp>, NoCommonBeginning> {
        let mut inner = self.lock();
        let newest = inner.open.keys().next_back().copied();
        let begun = newest.map(|pane| pane.0).max(inner.watermark);
        let (Some(grid), Some(begun)) =
            (&mut inner.grid, begun.max(now.filter(|_| begun.is_some())))
        else {
            inner.grid = Some(Grid::new(length));
            return Ok(None);
        };
        grid.change(length, begun).map(Some)
    }

    /// Whether every pane that ends at or before this point is closed.
    pub fn is_closed_until(&self, point: Timestamp) -> bool {
        self.lock().watermark.is_some_and(|w| point <= w)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request that came in at that time.
    pub fn arrive(&self, at: Option<Timestamp>, inference: bool) -> Admission {
        let mut inner = self.lock();
        let Some(grid) = inner.grid else {
            return Admission::Unmonitored;
        };
        let (counts, admission) = match at {
            None => (&mut inner.timeless, Admission::Dropped(DropReason::TooLate)),
            Some(at) => inner.admit(at, grid),
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
        let Some(grid) = inner.grid else { return };
        if inner.watermark.is_none() && inner.open.is_empty() {
            let counts = std::mem::take(&mut inner.timeless);
            let first = grid.pane(now);
            inner.watching_since.get_or_insert(first.0);
            inner.open.insert(first, counts);
        }
    }

    /// The oldest pane that is over for `lateness`, if any.
    pub fn next_due(&self, now: Timestamp, lateness: Span) -> Option<PaneStart> {
        let oldest = self.oldest()?;
        let end = self.lock().grid?.end(oldest);
        (end + lateness <= now).then_some(oldest)
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
        let end = inner.grid.map(|grid| grid.end(pane));
        inner.watermark = inner.watermark.max(end);
        let watermark = inner.watermark;
        if let (Some(grid), Some(watermark)) = (&mut inner.grid, watermark) {
            grid.pass(watermark);
        }
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
    fn admit(&mut self, at: Timestamp, grid: Grid) -> (&mut SocketCounts, Admission) {
        let pane = grid.pane(at);
        let closed = self.watermark.filter(|w| grid.end(pane) <= *w);
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
    fn nothing_is_counted_before_anybody_knows_what() {
        let table = PaneTable::unmonitored();
        table.reach(at(5));
        assert_eq!(table.arrive(Some(at(5)), true), Admission::Unmonitored);
        assert_eq!(table.next_due(at(500), MINUTE), None);
        table.begin(MINUTE);
        table.watch_from(at(70));
        assert_eq!(
            table.arrive(Some(at(71)), true),
            Admission::Capture(PaneStart(at(60)), at(71))
        );
        assert_eq!(table.watching_since(), Some(at(70)));
        assert_eq!(
            table.close(PaneStart(at(60))).seen,
            1,
            "what came before is in no pane"
        );
    }

    #[test]
    fn panes_change_their_length_behind_every_open_one() {
        let table = PaneTable::new(MINUTE);
        assert_eq!(
            table.change(MINUTE, Some(at(0))),
            Ok(None),
            "none was opened"
        );
        table.arrive(Some(at(65)), true);
        let from = table.change(Span::from_secs(40), Some(at(70))).unwrap();
        assert_eq!(
            from,
            Some(at(120)),
            "where a minute and two thirds of it begin"
        );
        let panes = [119, 120, 165].map(|s| table.arrive(Some(at(s)), true));
        let begin = |s, t| Admission::Capture(PaneStart(at(s)), at(t));
        assert_eq!(panes, [begin(60, 119), begin(120, 120), begin(160, 165)]);
        assert_eq!(table.next_due(at(120), Span::ZERO), Some(PaneStart(at(60))));
        assert_eq!(table.close(PaneStart(at(60))).seen, 2);
        assert!(table.is_closed_until(at(120)) && !table.is_closed_until(at(121)));
        assert_eq!(table.next_due(at(159), Span::ZERO), None);
        assert_eq!(
            table.next_due(at(160), Span::ZERO),
            Some(PaneStart(at(120)))
        );
        table.close(PaneStart(at(120)));
        assert_eq!(table.oldest(), Some(PaneStart(at(160))));
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
