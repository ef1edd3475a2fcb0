//! Confidence sequences: intervals of a running mean that hold at every time at once, so that they
//! may be looked at after each block (statistics, section 5.5). From sums alone.
//!
//! The mean is that of the blocks' true values so far, which may change from block to block; it is
//! not a claim about the newest block.

use serde::{Deserialize, Serialize};

use crate::bet::fixed;
use crate::bet::normal::{LEAST_CASES, Pooled};
use crate::verdict::Running;

/// Strengths 2^-1 to 2^-12 of the empirical Bernstein mixture.
const STRENGTHS: i32 = 12;
/// Halvings of an interval within 0 to 1: beyond a double's precision.
const HALVINGS: u32 = 60;
/// Steps towards a root before the halvings.
const STEPS: u32 = 24;
/// What a function may be wrong by, of the size of its largest values: many times a double's precision.
const CLEAR: f64 = 1e-14;

/// Sums of cases that are hits or misses, as a rate's confidence sequence needs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateSequence {
    /// Cases.
    #[serde(with = "fixed::exact_count")]
    pub of: u64,
    /// Hits among them.
    #[serde(with = "fixed::exact_count")]
    pub hits: u64,
    /// Sum of squared distances from the centres, in 2^-64.
    #[serde(with = "fixed::text")]
    pub spread: u128,
    /// The centre for the next block, in 2^-32: the mean of the blocks before it. Fixed before the
    /// block is seen, and an integer, so that the spread can be recomputed to the bit.
    pub centre: u64,
}

impl RateSequence {
    /// Nothing seen. The first centre is a guess; any guess is valid, a near one gives a narrow
    /// interval sooner.
    pub fn new(guess: f64) -> Self {
        let centre = fixed::round(guess.clamp(0.0, 1.0));
        Self {
            of: 0,
            hits: 0,
            spread: 0,
            centre: u64::try_from(centre).unwrap_or(0),
        }
    }

    /// Takes a block.
    pub fn add(&mut self, hits: u64, of: u64) {
        let hits = hits.min(of);
        let below = u128::from(self.centre);
        let above = (1_u128 << 32) - below.min(1 << 32);
        let added = u128::from(hits)
            .saturating_mul(above * above)
            .saturating_add(u128::from(of - hits).saturating_mul(below * below));
        self.spread = self.spread.saturating_add(added);
        self.of = self.of.saturating_add(of);
        self.hits = self.hits.saturating_add(hits);
        if let Some(mean) = (u128::from(self.hits) << 32).checked_div(u128::from(self.of)) {
            self.centre = u64::try_from(mean).unwrap_or(1 << 32);
        }
    }

    /// The running mean with ends that hold at every time at once with confidence `1 - alpha`, if at
    /// most `cluster` cases of a block depend on each other: exponents are divided by it, as the
    /// ledger's gains are.
    pub fn running(&self, alpha: f64, cluster: u32) -> Option<Running> {
        if self.of == 0 {
            return None;
        }
        let together = f64::from(cluster.max(1));
        let (n, sum) = (self.of as f64, self.hits as f64);
        let spread = self.spread as f64 / 18_446_744_073_709_551_616.0;
        let enough = libm::log(2.0 / alpha * f64::from(STRENGTHS));
        let mixture = Mixture::new(spread, together);
        // Both ends are roots of decreasing functions of the distance from the far end of 0 to 1.
        let end = |sum: f64| {
            first_plausible(&|mean| {
                let (value, slope) = mixture.at(sum - n * mean);
                (value - enough, -n * slope)
            })
        };
        let low = end(sum);
        let high = 1.0 - end(n - sum);
        let mean = sum / n;
        Some(Running {
            mean,
            low: low.min(mean),
            high: high.max(mean),
        })
    }
}

/// ln of the sum over strengths s of exp((s excess - psi(s) spread) / together), as a function of the
/// excess.
struct Mixture {
    /// Each strength with what the spread costs it.
    terms: [(f64, f64); STRENGTHS as usize],
    together: f64,
}

impl Mixture {
    fn new(spread: f64, together: f64) -> Self {
        let mut strength = 1.0;
        let terms = [(); STRENGTHS as usize].map(|()| {
            strength *= 0.5;
            let psi = -libm::log1p(-strength) - strength;
            (strength, psi * spread)
        });
        Self { terms, together }
    }

    /// The value and its slope.
    fn at(&self, excess: f64) -> (f64, f64) {
        let exponents = self
            .terms
            .map(|(strength, cost)| (strength * excess - cost) / self.together);
        let top = exponents.iter().copied().fold(f64::MIN, f64::max);
        let (mut sum, mut steep) = (0.0, 0.0);
        for ((strength, _), exponent) in self.terms.iter().zip(exponents) {
            let weight = libm::exp(exponent - top);
            sum += weight;
            steep += weight * strength;
        }
        (top + libm::log(sum), steep / (sum * self.together))
    }
}

/// The smallest value in 0 to 1 at which a function that falls, and ever less steeply, is below zero,
/// rounded down. The answer is that of [`HALVINGS`] halvings, to the bit; most of them are decided without
/// asking, by two points near the root at which the function is clearly on either side.
fn first_plausible(beyond: &dyn Fn(f64) -> (f64, f64)) -> f64 {
    let at_zero = beyond(0.0);
    if at_zero.0 < 0.0 {
        return 0.0;
    }
    let (above, below) = near_the_root(beyond, at_zero);
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        // A middle that is one of the ends has been asked before.
        let plausible = if middle <= above || middle <= low {
            false
        } else {
            middle >= below || middle >= high || beyond(middle).0 < 0.0
        };
        if plausible {
            high = middle;
        } else {
            low = middle;
        }
    }
    low
}

/// Two points near the root at which the function is above and below zero by more than its rounding could
/// be wrong; 0 and beyond 1 where none are found. Newton's steps come near from below and never pass.
fn near_the_root(beyond: &dyn Fn(f64) -> (f64, f64), at_zero: (f64, f64)) -> (f64, f64) {
    // What is subtracted in the exponents is of the size of the function at zero.
    let clear = CLEAR * (1.0 + at_zero.0);
    let (mut above, mut below) = (0.0, f64::INFINITY);
    let (mut at, (mut value, mut slope)) = (0.0_f64, at_zero);
    for _ in 0..STEPS {
        if !(value > clear && slope < 0.0) {
            break;
        }
        above = f64::max(above, at);
        at -= value / slope;
        (value, slope) = beyond(at);
    }
    if slope < 0.0 {
        let step = 4.0 * clear / -slope;
        if beyond(at - step).0 > clear {
            above = f64::max(above, at - step);
        }
        if beyond(at + step).0 < -clear {
            below = at + step;
        }
    }
    (above, below)
}

/// The running ratio of two groups' shares, each of which holds at half the error, so that both do.
/// Without an upper end (no share of the reference group above zero can be claimed yet) it is
/// `largest`. Nothing while the reference group has no hit.
pub fn running_ratio(under: Running, over: Running, largest: f64) -> Option<Running> {
    if under.mean <= 0.0 {
        return None;
    }
    let mean = (over.mean / under.mean).min(largest);
    let high = if under.low > 0.0 {
        (over.high / under.low).min(largest)
    } else {
        largest
    };
    Some(Running {
        mean,
        low: (over.low / under.high).min(mean),
        high: high.max(mean),
    })
}

/// The running difference of two groups' shares, compared less reference; each holds at half the
/// error.
pub fn running_difference(reference: Running, compared: Running) -> Running {
    Running {
        mean: compared.mean - reference.mean,
        low: compared.low - reference.high,
        high: compared.high - reference.low,
    }
}

/// Sums of estimates that are about normal: an asymptotic confidence sequence (grade B;
/// Waudby-Smith and others 2024) of their mean, weighted by cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NormalSequence {
    /// Cases.
    #[serde(with = "fixed::exact_count")]
    pub of: u64,
    /// Sum of cases times estimate.
    pub weighted: f64,
    /// Sum of squared cases times squared standard error.
    pub variance: f64,
}

impl NormalSequence {
    /// Takes blocks that were pooled until the approximation holds.
    pub fn add(&mut self, pooled: &Pooled) {
        let weight = pooled.cases as f64;
        self.of = self.of.saturating_add(pooled.cases);
        self.weighted += weight * pooled.estimate;
        self.variance += weight * weight * pooled.std_error * pooled.std_error;
    }

    /// The running mean with ends that hold at every time at once with confidence about
    /// `1 - alpha`; narrowest where ten times `min_support` cases have been seen. Where up to
    /// `cluster` cases depend on each other, the variance is taken that many times.
    pub fn running(&self, alpha: f64, min_support: u64, cluster: u32) -> Option<Running> {
        if self.of == 0 {
            return None;
        }
        let n = self.of as f64;
        let mean = self.weighted / n;
        let twice = -2.0 * libm::log(alpha);
        let narrowest_at = 10.0 * min_support.max(LEAST_CASES) as f64;
        let tuned = (twice + libm::log(twice.max(1.0)) + 1.0) / narrowest_at;
        let grown = n * tuned + 1.0;
        let per_case = self.variance * f64::from(cluster.max(1)) / n;
        let half = (per_case * grown / (n * n * tuned)
            * (libm::log(grown) - 2.0 * libm::log(alpha)))
        .sqrt();
        Some(Running {
            mean,
            low: mean - half,
            high: mean + half,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct SplitMix64(u64);

    impl SplitMix64 {
        fn uniform(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0
        }
    }

    #[test]
    fn the_mean_of_changing_shares_stays_inside_at_every_time() {
        let mut random = SplitMix64(5);
        let mut missed = 0;
        let runs = 300;
        for _ in 0..runs {
            let mut sequence = RateSequence::new(0.5);
            let mut truth = 0.0;
            let mut inside = true;
            for block in 1..=60 {
                let share = 0.2 + 0.15 * libm::sin(f64::from(block) / 5.0);
                let hits = (0..50).filter(|_| random.uniform() < share).count();
                sequence.add(hits as u64, 50);
                truth += share;
                let running = sequence.running(0.05, 1).unwrap();
                let mean = truth / f64::from(block);
                inside &= (running.low..=running.high).contains(&mean);
            }
            missed += u32::from(!inside);
        }
        assert!(f64::from(missed) / f64::from(runs) <= 0.05, "{missed}");
    }

    /// The same search by halvings alone.
    fn by_halving(beyond: &dyn Fn(f64) -> f64) -> f64 {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            if beyond(middle) < 0.0 {
                high = middle;
            } else {
                low = middle;
            }
        }
        low
    }

    #[test]
    fn ends_are_those_of_halving_to_the_bit_for_half_the_questions() {
        let mut random = SplitMix64(11);
        let (mut asked, mut ends) = (0_u32, 0_u32);
        while ends < 4000 {
            let n = libm::exp(25.0 * random.uniform()).floor();
            let sum = (n * libm::pow(random.uniform(), 3.0)).floor();
            let spread = n * 0.25 * libm::pow(random.uniform(), 2.0);
            let together = 1.0 + (4.0 * random.uniform()).floor();
            let enough = libm::log(24.0 / libm::pow(0.1, 1.0 + 5.0 * random.uniform()));
            let mixture = Mixture::new(spread, together);
            let beyond = |mean: f64| {
                let (value, slope) = mixture.at(sum - n * mean);
                (value - enough, -n * slope)
            };
            if beyond(0.0).0 < 0.0 {
                continue;
            }
            let count = std::cell::Cell::new(0);
            let found = first_plausible(&|mean| {
                count.set(count.get() + 1);
                beyond(mean)
            });
            let expected = by_halving(&|mean| beyond(mean).0);
            assert_eq!(
                found.to_bits(),
                expected.to_bits(),
                "{n} {sum} {spread} {together}"
            );
            asked += count.get();
            ends += 1;
        }
        // Beside one at zero, halving alone asks sixty.
        assert!(2 * asked < 61 * ends, "{asked} for {ends}");
    }

    #[test]
    fn it_is_about_twice_as_wide_as_an_interval_for_one_look() {
        let mut sequence = RateSequence::new(0.85);
        for _ in 0..100 {
            sequence.add(176, 200);
        }
        let running = sequence.running(0.05, 1).unwrap();
        let once = 2.0 * 1.96 * (0.88 * 0.12 / 20_000.0_f64).sqrt();
        let factor = (running.high - running.low) / once;
        assert!((1.5..2.3).contains(&factor), "{factor}");
    }

    #[test]
    fn a_block_counts_the_same_in_whatever_parts_it_was_added() {
        let mut one = RateSequence::new(0.9);
        one.add(170, 200);
        let mut other = RateSequence::new(0.9);
        other.add(60 + 110, 80 + 120);
        assert_eq!(one, other);
        assert!(one.spread > 0);
    }

    #[test]
    fn a_rate_of_zero_is_bounded_and_the_ends_stay_within_zero_and_one() {
        let mut sequence = RateSequence::new(0.01);
        sequence.add(0, 10_000);
        let running = sequence.running(0.05, 1).unwrap();
        assert_eq!(running.low.to_bits(), 0.0_f64.to_bits());
        assert!(running.high < 0.003, "{running:?}");
        let mut all = RateSequence::new(0.5);
        all.add(3, 3);
        let running = all.running(0.05, 1).unwrap();
        assert!(running.low >= 0.0 && running.high <= 1.0, "{running:?}");
    }

    #[test]
    fn without_a_hit_in_the_reference_group_there_is_no_ratio() {
        let mut reference = RateSequence::new(0.5);
        let mut compared = RateSequence::new(0.5);
        reference.add(0, 10);
        compared.add(5, 10);
        let each = |sums: &RateSequence| sums.running(0.025, 1).unwrap();
        assert_eq!(
            running_ratio(each(&reference), each(&compared), 100.0),
            None
        );
        reference.add(1, 1);
        let running = running_ratio(each(&reference), each(&compared), 100.0).unwrap();
        let apart = running_difference(each(&reference), each(&compared));
        assert!(apart.low < apart.mean && apart.mean < apart.high);
        assert!(running.high.is_finite() && running.high <= 100.0);
        assert!(running.low <= running.mean);
    }

    #[test]
    fn the_mean_of_normal_estimates_stays_inside_at_every_time() {
        let mut random = SplitMix64(6);
        let mut missed = 0;
        for _ in 0..300 {
            let mut sequence = NormalSequence::default();
            let mut inside = true;
            for _ in 0..100 {
                let sum: f64 = (0..12).map(|_| random.uniform()).sum();
                sequence.add(&Pooled {
                    estimate: 0.8 + 0.03 * (sum - 6.0),
                    std_error: 0.03,
                    cases: 100,
                    least: 100,
                });
                let running = sequence.running(0.05, 100, 1).unwrap();
                inside &= (running.low..=running.high).contains(&0.8);
            }
            missed += u32::from(!inside);
        }
        assert!(missed <= 15, "{missed}");
    }
}
