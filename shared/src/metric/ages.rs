//! How old labels were when they came: the cases of a window by age. Whoever knows when labels came
//! fills it in (the collector from the seals of outcome blocks, files from a column of times); the
//! metrics of late labels read it.
//!
//! Ages are whole steps. Up to 64 steps each has a place of its own; beyond that there are 32 places to
//! each doubling, so that there are at most [`MAX_PLACES`] however long labels take.

use std::collections::BTreeMap;

use crate::drift::tail;
use crate::performance::latency::{self, Bucket, Point};
use crate::time::Span;

/// Up to how many steps each age has a place of its own.
const FINE: u64 = 64;
/// Places to each doubling of age beyond that: two to this power.
const COARSE_BITS: u32 = 5;
/// Most places that ages can fall into.
pub const MAX_PLACES: usize = 65 + 58 * (1 << COARSE_BITS);
/// Most cases of one place that are told apart: so many of every place add up.
const MOST: u64 = u64::MAX >> 12;
/// Labels that each side of a table needs for its chi-square law.
const ENOUGH: f64 = 5.0;

/// The cases of a window by the age at which their label came, or which they have reached without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelAges {
    step: Span,
    blur: u64,
    places: BTreeMap<u64, Place>,
}

/// The cases of one age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    arrived: u64,
    open: u64,
    wrong: u64,
    judged: u64,
}

/// Whether a figure that rests on labels may still change as labels come.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Finality {
    /// Cases lack their label, and labels may still come in time.
    Provisional,
    /// Every case has its label, or the time that labels may take is over.
    Final,
}

impl Finality {
    /// Of a window of so many cases, of which some have their label, `elapsed` after its end. Labels may
    /// take as long as `allowed`; without such a limit a figure is final only once every case has its
    /// label.
    pub fn of(cases: u64, labelled: u64, elapsed: Span, allowed: Option<Span>) -> Self {
        let over = allowed.is_some_and(|allowed| elapsed >= allowed);
        if over || labelled >= cases {
            Self::Final
        } else {
            Self::Provisional
        }
    }

    /// The word used in records and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provisional => "provisional",
            Self::Final => "final",
        }
    }
}

/// The last place that is at or below an age in steps.
const fn at_or_below(steps: u64) -> u64 {
    if steps <= FINE {
        return steps;
    }
    let bits = steps.ilog2() - COARSE_BITS;
    (steps >> bits) << bits
}

/// The first place that is at or above an age in steps.
const fn at_or_above(steps: u64) -> u64 {
    if steps <= FINE {
        return steps;
    }
    let bits = (steps - 1).ilog2() - COARSE_BITS;
    ((steps - 1) >> bits).saturating_add(1) << bits
}

impl LabelAges {
    /// No cases. Ages are counted in whole `step`s; a label counted at one may have come up to `blur`
    /// steps sooner: one where ages are known and rounded up, two where only the steps are known in
    /// which prediction and label fell.
    pub fn new(step: Span, blur: u64) -> Self {
        Self {
            step: step.max(Span::from_micros(1).unwrap_or(step)),
            blur,
            places: BTreeMap::new(),
        }
    }

    fn steps(&self, age: Span) -> (u64, u64) {
        let (age, step) = (age.micros().max(0), self.step.micros().max(1));
        let whole = (age / step).unsigned_abs();
        (whole, whole + u64::from(age % step > 0))
    }

    fn span(&self, steps: u64) -> Span {
        let steps = i64::try_from(steps).unwrap_or(i64::MAX);
        Span::from_micros(self.step.micros().saturating_mul(steps)).unwrap_or(Span::ZERO)
    }

    /// Labels that came at an age.
    pub fn arrived(&mut self, age: Span, labels: u64) {
        let place = at_or_above(self.steps(age).1);
        let place = &mut self.places.entry(place).or_default().arrived;
        *place = place.saturating_add(labels);
    }

    /// Of labels that came at an age: how many showed a decision to be wrong, of how many decisions.
    pub fn showed(&mut self, age: Span, wrong: u64, decisions: u64) {
        let place = at_or_above(self.steps(age).1);
        let place = self.places.entry(place).or_default();
        place.wrong = place.wrong.saturating_add(wrong);
        place.judged = place.judged.saturating_add(decisions);
    }

    /// Cases that have reached an age without a label.
    pub fn open(&mut self, age: Span, cases: u64) {
        let place = at_or_below(self.steps(age).0);
        let place = &mut self.places.entry(place).or_default().open;
        *place = place.saturating_add(cases);
    }

    /// Adds the cases of another window, counted in the same steps; others are left out.
    pub fn add(&mut self, other: &Self) {
        if self.step != other.step {
            return;
        }
        self.blur = self.blur.max(other.blur);
        for (place, theirs) in &other.places {
            let mine = self.places.entry(*place).or_default();
            mine.arrived = mine.arrived.saturating_add(theirs.arrived);
            mine.open = mine.open.saturating_add(theirs.open);
            mine.wrong = mine.wrong.saturating_add(theirs.wrong);
            mine.judged = mine.judged.saturating_add(theirs.judged);
        }
    }

    /// All cases.
    pub fn cases(&self) -> u64 {
        let all = self.places.values();
        all.fold(0, |sum: u64, p| {
            sum.saturating_add(p.arrived.saturating_add(p.open))
        })
    }

    /// Cases whose label has come.
    pub fn labels(&self) -> u64 {
        let all = self.places.values();
        all.fold(0, |sum: u64, place| sum.saturating_add(place.arrived))
    }

    /// How many places are filled.
    pub fn places(&self) -> usize {
        self.places.len()
    }

    fn points(&self) -> Vec<Point> {
        let buckets = self.places.iter().map(|(up_to, place)| Bucket {
            up_to: *up_to,
            arrived: place.arrived.min(MOST),
            open: place.open.min(MOST),
        });
        latency::curve(&buckets.collect::<Vec<_>>())
    }

    /// The curve of arrival: by each age the share of labels that has come (Kaplan and Meier 1958), with
    /// its standard error.
    pub fn curve(&self) -> Vec<(Span, f64, f64)> {
        let points = self.points().into_iter();
        points
            .map(|point| (self.span(point.up_to), point.arrived, point.std_error))
            .collect()
    }

    /// The share of labels that has come by an age, with its standard error. None without cases, or if
    /// no case has waited that long and some have no label.
    pub fn by(&self, age: Span) -> Option<(f64, f64)> {
        let reached = self.steps(age).0;
        let points = self.points();
        let last = points.last()?;
        if last.up_to < at_or_below(reached) && last.arrived < 1.0 {
            return None;
        }
        let found = points.iter().rev().find(|point| point.up_to <= reached);
        Some(found.map_or((0.0, 0.0), |point| (point.arrived, point.std_error)))
    }

    /// Between which ages that share of labels has come. None if it has not.
    pub fn quantile(&self, share: f64) -> Option<(Span, Span)> {
        self.crossing(|point| point.arrived >= share)
            .map(|up_to| (self.span(self.sooner(up_to)), self.span(up_to)))
    }

    /// The ends of an interval for that age: where the curve's own limits, so many standard errors away,
    /// cross the share. None if the lower limit does not.
    pub fn quantile_interval(&self, share: f64, errors: f64) -> Option<(Span, Span)> {
        let from = self.crossing(|p| p.arrived + errors * p.std_error >= share)?;
        let to = self.crossing(|p| p.arrived - errors * p.std_error >= share)?;
        Some((self.span(self.sooner(from)), self.span(to)))
    }

    /// How soon a label may have come that is counted at a place.
    const fn sooner(&self, place: u64) -> u64 {
        at_or_below(place.saturating_sub(1)).saturating_sub(self.blur.saturating_sub(1))
    }

    fn crossing(&self, crossed: impl Fn(&Point) -> bool) -> Option<u64> {
        let points = self.points();
        points.iter().find(|p| crossed(p)).map(|p| p.up_to)
    }

    /// The chance of errors being spread over ages as unevenly as they are, or more so, if errors and
    /// ages have nothing to do with each other (chi-square). Neighbouring ages are put together until at
    /// least five errors and five right decisions are expected of each. None if that leaves fewer than
    /// two.
    pub fn errors_go_with_age(&self) -> Option<f64> {
        let judged = |place: &Place| {
            let judged = place.judged.min(MOST);
            (place.wrong.min(judged), judged)
        };
        let all = self.places.values().map(judged);
        let sums = all.fold((0, 0), |s: (u64, u64), p| (s.0 + p.0, s.1 + p.1));
        let share = sums.0 as f64 / sums.1.max(1) as f64;
        let enough = |judged: u64| judged as f64 * share.min(1.0 - share) >= ENOUGH;
        let mut ages: Vec<(u64, u64)> = Vec::new();
        let mut under_way = (0, 0);
        for (wrong, judged) in self.places.values().map(judged) {
            under_way.0 += wrong;
            under_way.1 += judged;
            if enough(under_way.1) {
                ages.push(std::mem::take(&mut under_way));
            }
        }
        // What is left over joins the last ones.
        let last = ages.last_mut()?;
        *last = (last.0 + under_way.0, last.1 + under_way.1);
        let (statistic, degrees) = latency::lateness_of_errors(&ages)?;
        Some(tail::chi_square(statistic, f64::from(degrees)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn days(n: u32) -> Span {
        Span::from_days(n)
    }

    #[test]
    fn cases_by_hand() {
        let mut ages = LabelAges::new(days(1), 1);
        ages.arrived(days(1), 2);
        ages.arrived("36h".parse().unwrap(), 3);
        ages.open(days(2), 1);
        ages.open("60h".parse().unwrap(), 4);
        assert_eq!((ages.cases(), ages.labels()), (10, 5));
        let curve = ages.curve();
        assert_eq!(curve.len(), 2);
        assert!((curve[0].1 - 0.2).abs() < 1e-12 && (curve[1].1 - 0.5).abs() < 1e-12);
        assert_eq!(ages.quantile(0.5), Some((days(1), days(2))));
        assert_eq!(ages.quantile(0.6), None);
        assert_eq!(ages.by(days(1)).map(|b| b.0), Some(curve[0].1));
        assert_eq!(
            ages.by("30h".parse().unwrap()).map(|b| b.0),
            Some(curve[0].1)
        );
        assert_eq!(ages.by(days(3)), None);
        assert_eq!(ages.by(Span::ZERO), Some((0.0, 0.0)));
        assert_eq!(LabelAges::new(days(1), 1).by(days(3)), None);
    }

    #[test]
    fn once_every_label_is_there_every_later_age_is_known() {
        let mut ages = LabelAges::new(days(1), 1);
        ages.arrived(days(3), 7);
        assert_eq!(ages.by(days(90)).map(|by| by.0), Some(1.0));
        assert_eq!(ages.quantile_interval(0.5, 2.0), Some((days(2), days(3))));
    }

    #[test]
    fn errors_that_come_late_are_noticed_and_even_ones_are_not() {
        let mut late = LabelAges::new(days(1), 1);
        let mut even = LabelAges::new(days(1), 1);
        for day in 1..=10 {
            late.showed(days(day), u64::from(2 * day), 40);
            even.showed(days(day), 8, 40);
        }
        assert!(late.errors_go_with_age().unwrap() < 0.001);
        assert!(even.errors_go_with_age().unwrap() > 0.99);
        let mut few = LabelAges::new(days(1), 1);
        few.showed(days(1), 1, 9);
        few.showed(days(2), 0, 9);
        assert_eq!(few.errors_go_with_age(), None);
        assert_eq!(LabelAges::new(days(1), 1).errors_go_with_age(), None);
    }

    #[test]
    fn a_figure_is_final_when_nothing_more_can_come() {
        let after = |elapsed, labelled, allowed| Finality::of(10, labelled, elapsed, allowed);
        assert_eq!(after(days(1), 9, Some(days(7))), Finality::Provisional);
        assert_eq!(after(days(7), 9, Some(days(7))), Finality::Final);
        assert_eq!(after(Span::ZERO, 10, Some(days(7))), Finality::Final);
        assert_eq!(after(days(999), 9, None), Finality::Provisional);
        assert_eq!(after(days(0), 10, None), Finality::Final);
    }

    proptest! {
        #[test]
        fn places_are_few_and_close_to_the_age(steps in 0_u64..(1 << 62)) {
            let (below, above) = (at_or_below(steps), at_or_above(steps));
            prop_assert!(below <= steps && steps <= above);
            prop_assert!((above - below) as f64 <= steps as f64 / 32.0);
            prop_assert_eq!((at_or_below(below), at_or_above(above)), (below, above));
            prop_assert_eq!(at_or_above(below), below);
        }

        #[test]
        fn windows_add_up_in_any_order(
            counts in prop::collection::vec((0_u32..400, 0_u64..9, any::<bool>()), 0..40),
            split in 0_usize..40,
        ) {
            let of = |counts: &[(u32, u64, bool)]| {
                let mut ages = LabelAges::new(Span::from_secs(60), 2);
                for (minutes, n, open) in counts {
                    let age = Span::from_secs(60 * minutes);
                    if *open { ages.open(age, *n) } else { ages.arrived(age, *n) }
                }
                ages
            };
            let (a, b) = counts.split_at(split.min(counts.len()));
            let (mut ab, mut ba) = (of(a), of(b));
            ab.add(&of(b));
            ba.add(&of(a));
            prop_assert_eq!(&ab, &ba);
            prop_assert_eq!(&ab, &of(&counts));
            let curve = ab.curve();
            prop_assert!(curve.windows(2).all(|p| p[0].1 <= p[1].1 && p[0].0 < p[1].0));
            prop_assert!(curve.iter().all(|p| (0.0..=1.0).contains(&p.1) && p.2 >= 0.0));
        }
    }
}
