//! Distances that integrate the difference between two distribution functions.

use super::distance::Bracketed;
use super::grid::{Grid, Span};

/// What rounding can have moved sums of a few thousand terms by, relatively.
const ROUNDING: f64 = 1e-12;

/// Integrals of the difference d of the two distribution functions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Integrals {
    /// Of |d|: the first Wasserstein distance, in the feature's unit.
    pub absolute: Bracketed,
    /// Of d squared, twice: the energy distance (Szekely and Rizzo 2013), in the feature's unit.
    pub energy: Bracketed,
}

/// Least, estimated and most.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    least: f64,
    value: f64,
    most: f64,
}

impl Sums {
    fn add(&mut self, width: f64, least: f64, value: f64, most: f64) {
        // An empty cell beyond the last place has no width to speak of.
        let part = |height: f64| if height == 0.0 { 0.0 } else { width * height };
        self.least += part(least);
        self.value += part(value);
        self.most += part(most);
    }
}

impl Grid {
    /// The integrals. Inside a cell both functions rise by what is in it, nobody knows where; the
    /// value takes them as rising evenly.
    ///
    /// `shift` is between which values the window's mean minus the baseline's lies, if known. It
    /// tightens the first: d integrates to minus the shift, so that its positive part alone decides,
    /// and where one function lies above the other throughout, the distance is the shift.
    ///
    /// Mass beyond the first or the last place counts as lying there, and no most is known.
    pub fn integrals(&self, shift: Option<(f64, f64)>) -> Integrals {
        let (mut absolute, mut above, mut below, mut squared) = (
            Sums::default(),
            Sums::default(),
            Sums::default(),
            Sums::default(),
        );
        let spans = self.spans().filter(|span| span.from < span.to);
        for span in spans {
            let ends = Ends::of(&span);
            absolute.add(ends.width, ends.least, ends.mean_absolute(), ends.most());
            above.add(ends.width, ends.lowest.max(0.0), 0.0, ends.highest.max(0.0));
            below.add(
                ends.width,
                (-ends.highest).max(0.0),
                0.0,
                (-ends.lowest).max(0.0),
            );
            let square = |x: f64| x * x;
            squared.add(
                ends.width,
                square(ends.least),
                ends.mean_square(),
                square(ends.most()),
            );
        }
        let (mut low, mut high) = (absolute.least, absolute.most);
        if let Some((from, to)) = shift.filter(|_| self.is_bounded()) {
            // Above minus below is minus the shift, and their sum is the distance.
            let slack = ROUNDING * (from.abs().max(to.abs()) + above.most + below.most);
            low = low
                .max(2.0 * above.least + from - slack)
                .max(2.0 * below.least - to - slack)
                .max(from - slack)
                .max(-to - slack);
            high = high
                .min(2.0 * above.most + to + slack)
                .min(2.0 * below.most - from + slack);
        }
        Integrals {
            absolute: bracket(absolute.value, low, high),
            energy: bracket(2.0 * squared.value, 2.0 * squared.least, 2.0 * squared.most),
        }
    }
}

fn bracket(value: f64, low: f64, high: f64) -> Bracketed {
    let low = (low * (1.0 - ROUNDING)).max(0.0);
    let high = (high * (1.0 + ROUNDING)).max(low);
    Bracketed {
        value: value.clamp(low, high),
        low,
        high,
    }
}

/// What the difference of the two functions can be inside a cell.
struct Ends {
    width: f64,
    before: f64,
    after: f64,
    /// Lowest and highest difference that can reach over the whole cell.
    lowest: f64,
    highest: f64,
    /// Least absolute difference throughout.
    least: f64,
}

impl Ends {
    fn of(span: &Span) -> Self {
        let unbounded = span.from.is_infinite() || span.to.is_infinite();
        let empty = span.window == 0.0 && span.baseline == 0.0;
        let (lowest, highest) = (span.before - span.baseline, span.before + span.window);
        // Beyond the last place the difference is what it is only up to where the values lie.
        let least = if unbounded {
            0.0
        } else {
            lowest.max(-highest).max(0.0)
        };
        // Rounding must not make a difference where both functions have ended.
        let nothing = unbounded && empty;
        Self {
            width: if unbounded {
                f64::INFINITY
            } else {
                span.to - span.from
            },
            before: if unbounded { 0.0 } else { span.before },
            after: if unbounded { 0.0 } else { span.after },
            lowest: if nothing { 0.0 } else { lowest },
            highest: if nothing { 0.0 } else { highest },
            least,
        }
    }

    const fn most(&self) -> f64 {
        self.highest.abs().max(self.lowest.abs())
    }

    /// The mean of |d| if d runs evenly from one end to the other.
    fn mean_absolute(&self) -> f64 {
        let (a, b) = (self.before, self.after);
        if a * b >= 0.0 {
            0.5 * (a + b).abs()
        } else {
            0.5 * (a * a + b * b) / (a.abs() + b.abs())
        }
    }

    /// The mean of d squared if d runs evenly from one end to the other.
    fn mean_square(&self) -> f64 {
        let (a, b) = (self.before, self.after);
        (a * a + a * b + b * b) / 3.0
    }
}

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    reason = "these values are exact: equal to the bit or wrong"
)]
mod tests {
    use super::super::grid::tests::exact;
    use super::super::grid::{Grid, Place};

    const WINDOW: [f64; 10] = [1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 4.0, 5.0, 7.0, 8.0];
    const BASELINE: [f64; 15] = [
        2.0, 3.0, 3.0, 4.0, 5.0, 6.0, 6.0, 6.0, 7.0, 7.0, 8.0, 8.0, 9.0, 9.0, 10.0,
    ];

    fn near(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() <= 1e-9,
            "{found} is not {expected}"
        );
    }

    #[test]
    fn exact_knowledge_gives_scipys_distances() {
        // scipy 1.17, stats.wasserstein_distance and the square of stats.energy_distance.
        let found = exact(&WINDOW, &BASELINE).integrals(None);
        near(found.absolute.value, 2.2);
        near(found.absolute.high - found.absolute.low, 0.0);
        near(found.energy.value, 1.36);
        near(found.energy.high - found.energy.low, 0.0);
    }

    #[test]
    fn a_known_shift_decides_where_one_function_lies_above_the_other() {
        let place = |at, window, baseline| Place {
            at,
            window,
            baseline,
        };
        // Two cells apart: everything of the window in the first, of the baseline in the last.
        let places = vec![
            place(0.0, 0, 0),
            place(1.0, 5, 0),
            place(2.0, 5, 0),
            place(3.0, 5, 9),
        ];
        let grid = Grid::new(places, 5, 9).unwrap();
        let unknown = grid.integrals(None).absolute;
        near(unknown.low, 1.0);
        near(unknown.high, 3.0);
        let known = grid.integrals(Some((-2.25, -2.25))).absolute;
        near(known.low, 2.25);
        near(known.high, 2.25);
        near(known.value, 2.25);
    }

    #[test]
    fn values_beyond_the_last_place_leave_no_most() {
        let place = |at, window, baseline| Place {
            at,
            window,
            baseline,
        };
        let grid = Grid::new(vec![place(0.0, 0, 0), place(1.0, 1, 2)], 2, 2).unwrap();
        let found = grid.integrals(Some((0.0, 0.0))).absolute;
        assert_eq!(found.high, f64::INFINITY);
        assert!(found.value.is_finite());
    }
}
