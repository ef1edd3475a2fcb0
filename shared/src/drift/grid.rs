//! The common refinement of two distributions: every place at which both are known exactly.
//!
//! A histogram says how many values lie below each edge of its cells, a cut how many lie below it, an
//! atom how many lie below it and how many are it. All of these are one kind of knowledge: a *place*
//! v with the number of values below v, on both sides. Between two places nothing is known but the
//! two counts. A cell whose only value is one number (an atom) has no inside, so that tied data is
//! known exactly.

use super::distance::Bracketed;

/// A place with how many values lie below it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// The place: values equal to it lie above.
    pub at: f64,
    /// Values of the window below it.
    pub window: u64,
    /// Values of the baseline below it.
    pub baseline: u64,
}

/// What lies between two neighbouring places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridCell {
    /// Smallest value that it can hold; minus infinity for the first cell.
    pub low: f64,
    /// Largest value that it can hold; infinity for the last cell. Equal to `low` for an atom.
    pub high: f64,
    /// The window's values in it.
    pub window: u64,
    /// The baseline's values in it.
    pub baseline: u64,
}

/// Two distributions on their common refinement.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    places: Vec<Place>,
    window: u64,
    baseline: u64,
}

/// A cell with what is known at its two ends, as the distances read it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// From where to where; infinite at the ends of the grid.
    pub(super) from: f64,
    /// Where the next cell begins.
    pub(super) to: f64,
    /// Share of the window in it.
    pub(super) window: f64,
    /// Share of the baseline in it.
    pub(super) baseline: f64,
    /// The window's distribution function minus the baseline's where the cell begins.
    pub(super) before: f64,
    /// The same where it ends.
    pub(super) after: f64,
    /// Whether the two functions can cross over inside it unseen: both have values in it, and it can
    /// hold more than one number.
    pub(super) mixed: bool,
}

impl Grid {
    /// A grid of places and totals. None unless places are numbers that strictly ascend, counts do
    /// not fall, no place has more below it than there is, and both sides have values.
    pub fn new(mut places: Vec<Place>, window: u64, baseline: u64) -> Option<Self> {
        for place in &mut places {
            // Turns negative zero into zero.
            place.at += 0.0;
        }
        let numbers = places.iter().all(|place| place.at.is_finite());
        let ascending = places.windows(2).all(|pair| {
            pair[0].at < pair[1].at
                && pair[0].window <= pair[1].window
                && pair[0].baseline <= pair[1].baseline
        });
        let within = places
            .last()
            .is_none_or(|last| last.window <= window && last.baseline <= baseline);
        let fits = numbers && ascending && within && window > 0 && baseline > 0;
        fits.then_some(Self {
            places,
            window,
            baseline,
        })
    }

    /// Values of the window and of the baseline.
    pub const fn totals(&self) -> (u64, u64) {
        (self.window, self.baseline)
    }

    /// The effective number of cases of a comparison: n n0 / (n + n0).
    pub fn effective(&self) -> f64 {
        let (n, n0) = (self.window as f64, self.baseline as f64);
        n * n0 / (n + n0)
    }

    /// All cells, ascending, empty ones too: one more than places.
    pub fn cells(&self) -> impl Iterator<Item = GridCell> {
        self.ends().map(|(from, to)| GridCell {
            low: from.at,
            high: if to.at.is_finite() {
                to.at.next_down()
            } else {
                to.at
            },
            window: to.window - from.window,
            baseline: to.baseline - from.baseline,
        })
    }

    /// Whether nothing lies beyond the first and the last place, where no distance is bounded.
    pub fn is_bounded(&self) -> bool {
        let first = self.places.first();
        let last = self.places.last();
        first.is_some_and(|place| place.window == 0 && place.baseline == 0)
            && last.is_some_and(|p| p.window == self.window && p.baseline == self.baseline)
    }

    /// The baseline's quantile of level `u`: the middle of the cell that holds the value of rank
    /// ⌈u·n0⌉. None if it lies beyond the first or the last place.
    pub fn baseline_quantile(&self, u: f64) -> Option<f64> {
        let rank = (u * self.baseline as f64).ceil().max(1.0);
        let mut below = 0;
        let cell = self.cells().find(|cell| {
            below += cell.baseline;
            below as f64 >= rank
        })?;
        let middle = 0.5 * cell.low + 0.5 * cell.high;
        middle.is_finite().then_some(middle)
    }

    /// The window's quantile of level `u`, between the values of rank ⌊u(n-1)⌋ + 1 and the next one,
    /// interpolated linearly. None if `u` is no level or a rank lies beyond the first or last place.
    pub fn window_quantile(&self, u: f64) -> Option<Bracketed> {
        if !(0.0..=1.0).contains(&u) {
            return None;
        }
        let position = u * (self.window - 1) as f64;
        let (lower, part) = (position.floor(), position - position.floor());
        let (from, to) = (self.window_cell(lower)?, self.window_cell(position.ceil())?);
        let between = |a: f64, b: f64| a + part * (b - a);
        let middle = |cell: GridCell| 0.5 * cell.low + 0.5 * cell.high;
        let found = Bracketed {
            value: between(middle(from), middle(to)),
            low: between(from.low, to.low),
            high: between(from.high, to.high),
        };
        found.value.is_finite().then_some(found)
    }

    /// The cell that holds the window's value of a rank, from 0.
    fn window_cell(&self, rank: f64) -> Option<GridCell> {
        let mut below = 0;
        self.cells().find(|cell| {
            below += cell.window;
            below as f64 > rank
        })
    }

    pub(super) fn spans(&self) -> impl Iterator<Item = Span> {
        let (n, n0) = (self.window as f64, self.baseline as f64);
        let difference = move |place: Place| place.window as f64 / n - place.baseline as f64 / n0;
        self.ends().map(move |(from, to)| {
            let (window, baseline) = (to.window - from.window, to.baseline - from.baseline);
            Span {
                from: from.at,
                to: to.at,
                window: window as f64 / n,
                baseline: baseline as f64 / n0,
                before: difference(from),
                after: difference(to),
                mixed: window > 0 && baseline > 0 && from.at.next_up() < to.at,
            }
        })
    }

    /// Neighbouring places, with the two that lie beyond all numbers.
    fn ends(&self) -> impl Iterator<Item = (Place, Place)> {
        let end = |at, window, baseline| Place {
            at,
            window,
            baseline,
        };
        let first = end(f64::NEG_INFINITY, 0, 0);
        let last = end(f64::INFINITY, self.window, self.baseline);
        let from = std::iter::once(first).chain(self.places.iter().copied());
        let to = self.places.iter().copied().chain(std::iter::once(last));
        from.zip(to)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A grid that knows every value.
    pub(in super::super) fn exact(window: &[f64], baseline: &[f64]) -> Grid {
        let mut values = [window, baseline].concat();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let below = |of: &[f64], at: f64| of.iter().filter(|x| **x < at).count() as u64;
        let place = |at: f64| place(at, below(window, at), below(baseline, at));
        let mut places = Vec::new();
        for value in values {
            if places.last().is_none_or(|last: &Place| last.at < value) {
                places.push(place(value));
            }
            places.push(place(value.next_up()));
        }
        Grid::new(places, window.len() as u64, baseline.len() as u64).unwrap()
    }

    fn place(at: f64, window: u64, baseline: u64) -> Place {
        Place {
            at,
            window,
            baseline,
        }
    }

    #[test]
    fn cells_lie_between_places_and_atoms_have_no_inside() {
        let places = vec![
            place(1.0, 0, 0),
            place(1.0_f64.next_up(), 3, 1),
            place(2.0, 3, 4),
        ];
        let grid = Grid::new(places, 5, 4).unwrap();
        let cells: Vec<_> = grid
            .cells()
            .map(|c| (c.low, c.high, c.window, c.baseline))
            .collect();
        assert_eq!(cells[1], (1.0, 1.0, 3, 1));
        assert_eq!(cells[3], (2.0, f64::INFINITY, 2, 0));
        assert_eq!(cells.len(), 4);
        assert!(!grid.is_bounded());
        assert!(grid.spans().all(|span| !span.mixed));
    }

    #[test]
    fn what_contradicts_itself_is_no_grid() {
        assert_eq!(Grid::new(vec![], 0, 1), None);
        assert_eq!(Grid::new(vec![place(f64::NAN, 0, 0)], 1, 1), None);
        assert_eq!(
            Grid::new(vec![place(0.0, 0, 0), place(-0.0, 1, 1)], 1, 1),
            None
        );
        assert_eq!(
            Grid::new(vec![place(0.0, 1, 1), place(1.0, 0, 1)], 1, 1),
            None
        );
        assert_eq!(Grid::new(vec![place(0.0, 2, 0)], 1, 1), None);
        assert!(Grid::new(vec![], 1, 1).is_some());
    }
}
