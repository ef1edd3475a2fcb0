//! KSWIN: whether the newest values of a window have another distribution than a random choice of the
//! older ones, by the two-sample Kolmogorov-Smirnov test (Raab, Heusinger and Schleif 2020).
//!
//! The choice is seeded, so a stream gives the same positions each time; another seed gives others.

use std::collections::VecDeque;

use super::{BadSetting, Detector, Signal};

/// Most values of a window.
const MAX_WINDOW: usize = 100_000;
/// Distance that the two must have at least, whatever the test says.
const LEAST_DISTANCE: f64 = 0.1;

/// Settings of [`Kswin`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KswinSettings {
    /// Chance of a false drift in one test, between 0 and 1.
    pub alpha: f64,
    /// Values of the window.
    pub window: usize,
    /// Newest values that are compared, and older ones that are chosen.
    pub newest: usize,
    /// Seed of the choice.
    pub seed: u64,
}

impl Default for KswinSettings {
    fn default() -> Self {
        Self {
            alpha: 0.005,
            window: 100,
            newest: 30,
            seed: 42,
        }
    }
}

/// Kolmogorov-Smirnov windowing.
#[derive(Clone, Debug)]
pub struct Kswin {
    settings: KswinSettings,
    window: VecDeque<f64>,
    state: u64,
    /// Room for the choice and for the two sorted samples.
    places: Vec<usize>,
    older: Vec<f64>,
    newer: Vec<f64>,
    /// Distances, in steps of 1 / newest, from which the test rejects.
    rejects_from: usize,
}

impl Kswin {
    /// A detector with nothing seen.
    pub fn new(settings: KswinSettings) -> Result<Self, BadSetting> {
        let refuse = |setting, expected| {
            Err(BadSetting {
                detector: "kswin",
                setting,
                expected,
            })
        };
        if !(settings.alpha > 0.0 && settings.alpha < 1.0) {
            return refuse("alpha", "write a number between 0 and 1");
        }
        if !(2..=MAX_WINDOW).contains(&settings.window) {
            return refuse("window", "write 2 to 100000");
        }
        if settings.newest == 0 || settings.newest > settings.window / 2 {
            return refuse("newest", "write 1 up to half of the window");
        }
        Ok(Self::of(settings))
    }

    pub(super) fn of(settings: KswinSettings) -> Self {
        let rejects_from = (1..=settings.newest)
            .find(|steps| p_value(*steps, settings.newest) <= settings.alpha)
            .unwrap_or(settings.newest + 1);
        Self {
            settings,
            window: VecDeque::with_capacity(settings.window),
            state: settings.seed,
            places: (0..settings.window - settings.newest).collect(),
            older: Vec::with_capacity(settings.newest),
            newer: Vec::with_capacity(settings.newest),
            rejects_from,
        }
    }

    /// The next number of the `SplitMix64` sequence (Steele, Lea and Flood 2014).
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Fills the two samples: older values chosen without replacement, and the newest ones.
    fn choose(&mut self) {
        let (n, old) = (self.settings.newest, self.places.len());
        self.older.clear();
        for i in 0..n {
            // Which of the places that are left: the high half of a product, as good as even.
            let left = (old - i) as u64;
            let step = (u128::from(self.random()) * u128::from(left)) >> 64;
            let j = i + usize::try_from(step).unwrap_or(0);
            self.places.swap(i, j);
            self.older.push(self.window[self.places[i]]);
        }
        self.newer.clear();
        self.newer.extend(self.window.range(old..));
        self.older.sort_by(f64::total_cmp);
        self.newer.sort_by(f64::total_cmp);
    }

    /// The largest distance of the two distribution functions, in steps of 1 / newest.
    fn distance(&self) -> usize {
        let (a, b) = (&self.older, &self.newer);
        let (mut i, mut j, mut largest) = (0, 0, 0);
        while i < a.len() && j < b.len() {
            let value = a[i].min(b[j]);
            while i < a.len() && a[i] <= value {
                i += 1;
            }
            while j < b.len() && b[j] <= value {
                j += 1;
            }
            largest = largest.max(i.abs_diff(j));
        }
        largest
    }
}

/// The exact chance of a distance of at least `steps` / n between two samples of n without ties:
/// 2 sum (-1)^(j-1) C(2n, n - j steps) / C(2n, n) (Gnedenko and Korolyuk 1951).
fn p_value(steps: usize, n: usize) -> f64 {
    let mut sum = 0.0;
    let mut sign = 1.0;
    for j in 1..=n / steps.max(1) {
        // C(2n, n - k) / C(2n, n) is the product of (n - i) / (n + i + 1) for i below k.
        let k = j * steps;
        let ratio: f64 = (0..k)
            .map(|i| (n - i) as f64 / (n + i + 1) as f64)
            .product();
        sum += sign * ratio;
        sign = -sign;
    }
    (2.0 * sum).clamp(0.0, 1.0)
}

impl Detector for Kswin {
    fn update(&mut self, value: f64) -> Signal {
        if !value.is_finite() {
            return Signal::Quiet;
        }
        if self.window.len() == self.settings.window {
            self.window.pop_front();
        }
        self.window.push_back(value);
        if self.window.len() < self.settings.window {
            return Signal::Quiet;
        }
        self.choose();
        let steps = self.distance();
        let apart = steps as f64 / self.settings.newest as f64;
        if steps >= self.rejects_from && apart > LEAST_DISTANCE {
            *self = Self::of(self.settings);
            Signal::Drift
        } else {
            Signal::Quiet
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_chance_is_scipys() {
        // scipy 1.17, stats.ks_2samp, method "exact", two samples of 30 without ties.
        for (steps, expected) in P_VALUES {
            let found = p_value(steps, 30);
            assert!(
                (found - expected).abs() < 1e-9 * expected,
                "{steps}: {found}"
            );
        }
        assert!((p_value(1, 1) - 1.0).abs() < 1e-15);
    }

    const P_VALUES: [(usize, f64); 3] = [
        (5, 0.807_963_154_090_164_3),
        (12, 0.015_643_390_496_754_332),
        (20, 1.275_006_034_239_434_1e-6),
    ];
}
