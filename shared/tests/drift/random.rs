//! Guaranteed bounds contain what the raw rows give, on random data of many kinds.

use clause9_shared::metric::Estimate;

use crate::system::{Column, System, named};

/// Steele, Lea and Flood's `SplitMix64`.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// A value of one of many laws: smooth, tied, skewed, far from zero, with wild values.
    fn value(&mut self, law: u64, moved: f64) -> f64 {
        match law % 7 {
            0 => self.normal() + moved,
            1 => (self.normal() * 3.0 + moved).round(),
            2 => libm::exp(1.5 * self.normal() + moved),
            3 => 1e6 + self.unit() * 1e-3 + moved * 1e-4,
            4 => {
                if self.unit() < 0.4 + 0.1 * moved {
                    0.0
                } else {
                    self.normal()
                }
            }
            5 => self.normal() * if self.unit() < 0.01 { 1e9 } else { 1.0 + moved },
            _ => -3.0 * self.unit() * self.unit() - moved,
        }
    }
}

/// What the raw rows give: Kolmogorov-Smirnov, Kuiper, Wasserstein and energy distance.
fn raw(window: &[f64], baseline: &[f64]) -> [f64; 4] {
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    let (window, baseline) = (sorted(window), sorted(baseline));
    let mut places = sorted(&[window.clone(), baseline.clone()].concat());
    places.dedup();
    let share = |of: &[f64], x: f64| of.partition_point(|y| *y <= x) as f64 / of.len() as f64;
    let (mut above, mut below, mut absolute, mut squared) = (0.0_f64, 0.0_f64, 0.0, 0.0);
    for (i, x) in places.iter().enumerate() {
        let difference = share(&window, *x) - share(&baseline, *x);
        above = above.max(difference);
        below = below.max(-difference);
        let width = places.get(i + 1).map_or(0.0, |next| next - x);
        absolute += width * difference.abs();
        squared += 2.0 * width * difference * difference;
    }
    [above.max(below), above + below, absolute, squared]
}

fn quantile(sorted: &[f64], u: f64) -> f64 {
    let position = u * (sorted.len() - 1) as f64;
    let (lower, part) = (position.floor(), position - position.floor());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in the list"
    )]
    let at = |i: f64| sorted.iter().copied().nth(i as usize).unwrap();
    at(lower) + part * (at(position.ceil()) - at(lower))
}

fn contains(estimate: &Estimate, expected: f64, what: &str) {
    let (low, high) = estimate.bound.unwrap_or((estimate.value, estimate.value));
    let slack = 1e-9 * expected.abs() + 1e-12;
    assert!(
        low - slack <= expected && expected <= high + slack,
        "{what}: {expected} is not within {low} and {high}"
    );
    assert!(low <= estimate.value && estimate.value <= high, "{what}");
}

#[test]
fn t5_guaranteed_bounds_contain_the_value_of_the_raw_rows_on_a_thousand_data_sets() {
    let mut dice = Dice(20_261_122);
    for set in 0..1000_u64 {
        let (n0, n) = (2 + dice.next() % 600, 1 + dice.next() % 300);
        let moved = if set % 3 == 0 { 0.0 } else { dice.unit() * 2.0 };
        let baseline: Vec<f64> = (0..n0).map(|_| dice.value(set, 0.0)).collect();
        let window: Vec<f64> = (0..n).map(|_| dice.value(set, moved)).collect();
        let system = System::new(&[("x".to_owned(), Column::Numbers(baseline.clone()))]);
        let pane = system.count(&[Column::Numbers(window.clone())]);
        let found = |metric: &str| system.measure(named(metric), 0, &pane).unwrap();
        let [ks, kuiper, wasserstein, energy] = raw(&window, &baseline);
        contains(&found("ks"), ks, "ks");
        contains(&found("kuiper"), kuiper, "kuiper");
        contains(
            &found("wasserstein"),
            wasserstein,
            &format!("wasserstein of set {set}"),
        );
        contains(&found("energy"), energy, "energy");
        let mut sorted = window;
        sorted.sort_by(f64::total_cmp);
        for (metric, u) in [
            ("quantile.25", 0.25),
            ("median", 0.5),
            ("quantile.75", 0.75),
        ] {
            contains(&found(metric), quantile(&sorted, u), metric);
        }
    }
}
