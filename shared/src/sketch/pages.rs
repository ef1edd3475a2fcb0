//! Counters by place, of which most are zero: kept in pages that are made when something is counted
//! there, 32 bits to a counter, and what goes beyond that apart.

#![expect(
    clippy::cast_possible_truncation,
    reason = "places and pages are within a few hundred thousand by construction"
)]

use std::collections::BTreeMap;

/// What is moved to the counters of the higher bits at once. Half of what a counter holds, so that one
/// that has counted never looks like one that has not.
const CARRY: u64 = 1 << 31;

/// Counters by place. Equal if all counts are, whenever pages were made.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages<const PAGE: usize> {
    /// By page, one more than its position; 0 for those that are not made yet.
    made: Box<[u16]>,
    counters: Vec<[u32; PAGE]>,
    /// Multiples of [`CARRY`] by place.
    carried: BTreeMap<u32, u64>,
}

impl<const PAGE: usize> Pages<PAGE> {
    /// So many counters at zero.
    pub(super) fn new(places: usize) -> Self {
        Self {
            made: vec![0; places.div_ceil(PAGE)].into(),
            counters: Vec::new(),
            carried: BTreeMap::new(),
        }
    }

    /// So many counters, those at some places, ascending, counted to more than zero: with no more memory than they need.
    pub(super) fn of(places: usize, counts: &[(usize, u64)]) -> Self {
        let mut pages = Self::new(places);
        let together = counts.chunk_by(|(a, _), (b, _)| a / PAGE == b / PAGE);
        pages.counters.reserve_exact(together.count());
        for (place, count) in counts {
            pages.add(*place, *count);
        }
        pages
    }

    /// Counts one more; whether it was the first one there.
    #[inline]
    pub(super) fn bump(&mut self, place: usize) -> bool {
        let counter = self.counter(place);
        let first = *counter == 0;
        if let Some(more) = counter.checked_add(1) {
            *counter = more;
        } else {
            self.add(place, 1);
        }
        first
    }

    /// Counts so many more; whether they were the first ones there. The caller keeps sums within 64
    /// bits.
    pub(super) fn add(&mut self, place: usize, more: u64) -> bool {
        if more == 0 {
            return false;
        }
        let counter = self.counter(place);
        if let Some(sum) = u32::try_from(more)
            .ok()
            .and_then(|m| counter.checked_add(m))
        {
            let first = *counter == 0;
            *counter = sum;
            return first;
        }
        let before = self.get(place);
        let sum = before + more;
        let high = (sum >> 31).saturating_sub(1);
        *self.counter(place) = (sum - high * CARRY) as u32;
        if high > 0 {
            self.carried.insert(place as u32, high);
        }
        before == 0
    }

    /// What was counted at a place.
    pub(super) fn get(&self, place: usize) -> u64 {
        let made = self.made.get(place / PAGE).map_or(0, |at| usize::from(*at));
        let page = made.checked_sub(1).and_then(|at| self.counters.get(at));
        page.map_or(0, |page| self.whole(place, page[place % PAGE]))
    }

    /// Places where something was counted, ascending, with how much.
    pub(super) fn filled(&self) -> impl Iterator<Item = (usize, u64)> {
        let made = self.made.iter().enumerate().filter(|(_, at)| **at > 0);
        made.flat_map(move |(number, at)| {
            let counters = self.counters[usize::from(*at) - 1].iter().enumerate();
            counters
                .filter(|(_, low)| **low > 0)
                .map(move |(step, low)| {
                    let place = number * PAGE + step;
                    (place, self.whole(place, *low))
                })
        })
    }

    /// As [`Self::filled`], of one page.
    pub(super) fn filled_in(&self, page: usize) -> impl Iterator<Item = (usize, u64)> {
        let at = self.made.get(page).map_or(0, |at| usize::from(*at));
        let found = at.checked_sub(1).and_then(|at| self.counters.get(at));
        let counters = found.into_iter().flatten().enumerate();
        counters
            .filter(|(_, low)| **low > 0)
            .map(move |(step, low)| {
                let place = page * PAGE + step;
                (place, self.whole(place, *low))
            })
    }

    fn whole(&self, place: usize, low: u32) -> u64 {
        if self.carried.is_empty() {
            return u64::from(low);
        }
        let high = self.carried.get(&(place as u32)).copied();
        u64::from(low) + high.unwrap_or_default() * CARRY
    }

    #[inline]
    fn counter(&mut self, place: usize) -> &mut u32 {
        let page = place / PAGE;
        if self.made[page] == 0 {
            self.make(page);
        }
        &mut self.counters[usize::from(self.made[page]) - 1][place % PAGE]
    }

    #[cold]
    fn make(&mut self, page: usize) {
        self.counters.reserve_exact(1);
        self.counters.push([0; PAGE]);
        self.made[page] = self.counters.len() as u16;
    }
}

impl<const PAGE: usize> PartialEq for Pages<PAGE> {
    fn eq(&self, other: &Self) -> bool {
        self.made.len() == other.made.len() && self.filled().eq(other.filled())
    }
}

impl<const PAGE: usize> Eq for Pages<PAGE> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_goes_on_beyond_32_bits() {
        let mut pages = Pages::<4>::new(10);
        assert!(pages.add(7, u64::from(u32::MAX) - 1));
        assert!(!pages.bump(7) && !pages.bump(7) && !pages.bump(7));
        assert_eq!(pages.get(7), u64::from(u32::MAX) + 2);
        assert!(!pages.add(7, 1 << 60));
        assert!(pages.bump(2));
        let filled = [(2, 1), (7, (1 << 60) + u64::from(u32::MAX) + 2)];
        assert_eq!(pages.filled().collect::<Vec<_>>(), filled);
        let mut other = Pages::<4>::new(10);
        other.add(7, filled[1].1);
        other.add(2, 1);
        assert_eq!(pages, other, "whichever page came first");
        assert_eq!(Pages::<4>::of(10, &filled), pages, "read at once");
        let mut most = Pages::<4>::new(10);
        most.add(0, u64::MAX);
        assert_eq!((most.get(0), most.get(1)), (u64::MAX, 0));
    }
}
