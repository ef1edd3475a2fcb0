//! The windows in the making: those that rows fall into, and those without rows: between others, and the one
//! of a file without any.

use std::collections::BTreeMap;

use clause9_shared::plan::CapturePlan;
use clause9_shared::time::Timestamp;

use super::counting::{Counting, Tally, Window};
use super::late;
use super::windowing::{Bounds, Windowing};
use crate::data::bad;

/// Most memory that the windows' summaries may come to take, in bytes.
pub(super) const MAX_WINDOWS_BYTES: usize = 2 << 30;
/// Most windows without rows that are listed, for each way of cutting.
pub(super) const MAX_EMPTY_WINDOWS: u64 = 200;

/// The windows in the making.
pub(super) struct Windows {
    pub(super) all: Vec<Window>,
    /// By way of cutting: the window of the last row, which mostly is the next one's, too.
    pub(super) last: Vec<Option<usize>>,
    /// By way of cutting and beginning.
    pub(super) index: BTreeMap<(usize, i128), usize>,
}

impl Windows {
    /// The window of a row, made if it is the first one of it.
    pub(super) fn of(
        &mut self,
        plan: &CapturePlan,
        way: usize,
        windowing: Windowing,
        row: u64,
        at: Option<Timestamp>,
    ) -> anyhow::Result<&mut Window> {
        let place = match self.last[way].filter(|i| self.all[*i].bounds.hold(row, at)) {
            Some(place) => place,
            None => self.place(plan, way, windowing, row, at)?,
        };
        self.last[way] = Some(place);
        Ok(&mut self.all[place])
    }

    fn place(
        &mut self,
        plan: &CapturePlan,
        way: usize,
        windowing: Windowing,
        row: u64,
        at: Option<Timestamp>,
    ) -> anyhow::Result<usize> {
        let Some(bounds) = windowing.bounds(row, at) else {
            return bad(
                "a row's time is beyond the years 0 to 9999; correct the column of --timestamp",
            );
        };
        self.make(plan, way, windowing, bounds)
    }

    /// The window of these bounds, made if it is not there.
    fn make(
        &mut self,
        plan: &CapturePlan,
        way: usize,
        windowing: Windowing,
        bounds: Bounds,
    ) -> anyhow::Result<usize> {
        let key = (way, beginning(&bounds));
        if let Some(place) = self.index.get(&key) {
            return Ok(*place);
        }
        let (traffic, outcomes) = (plan.empty_traffic(), plan.empty_outcomes());
        let most = (traffic.max_bytes() + outcomes.max_bytes()).saturating_mul(self.all.len() + 1);
        if most > MAX_WINDOWS_BYTES && !self.all.is_empty() {
            return bad(format!(
                "{} windows of this plan could take more than {} MiB; cut longer windows with --window",
                self.all.len() + 1,
                MAX_WINDOWS_BYTES >> 20
            ));
        }
        self.all.push(Window {
            windowing,
            bounds,
            rows: 0,
            labelled: 0,
            times: None,
            traffic,
            outcomes,
            ages: late::none(plan.document()),
        });
        self.index.insert(key, self.all.len() - 1);
        Ok(self.all.len() - 1)
    }

    /// Adds the windows without rows that lie between others, and of no rows at all one without any.
    pub(super) fn fill(
        &mut self,
        counting: &Counting<'_>,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        for (way, windowing) in counting.windowings.iter().enumerate() {
            let of_way = self.all.iter().filter(|w| w.windowing == *windowing);
            let mut times: Vec<(Timestamp, Timestamp)> = of_way
                .filter_map(|w| match w.bounds {
                    Bounds::Time(start, end) => Some((start, end)),
                    Bounds::Rows(..) => None,
                })
                .collect();
            times.sort_unstable();
            let mut left = MAX_EMPTY_WINDOWS;
            for pair in times.windows(2) {
                let mut next = pair[0].1;
                while next < pair[1].0 {
                    let bounds = windowing.bounds(0, Some(next));
                    let Some(Bounds::Time(start, end)) = bounds.filter(|_| left > 0) else {
                        tally.left_out += 1;
                        break;
                    };
                    self.make(counting.plan, way, *windowing, Bounds::Time(start, end))?;
                    tally.empty += 1;
                    left -= 1;
                    next = end;
                }
            }
        }
        if let (true, Some(first)) = (self.all.is_empty(), counting.windowings.first()) {
            let bounds = first.bounds(0, None).unwrap_or(Bounds::Rows(0, u64::MAX));
            self.make(counting.plan, 0, *first, bounds)?;
        }
        Ok(())
    }
}

/// Where a window begins, for their order.
pub(super) fn beginning(bounds: &Bounds) -> i128 {
    match bounds {
        Bounds::Rows(first, _) => i128::from(*first),
        Bounds::Time(start, _) => i128::from(start.micros()),
    }
}
