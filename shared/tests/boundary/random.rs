//! Chance from a seed.

/// Steele, Lea and Flood's `SplitMix64`.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Between 0 and 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0
    }

    /// Standard normal (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(self.uniform())).sqrt();
        radius * libm::cos(2.0 * std::f64::consts::PI * self.uniform())
    }

    /// How many of so many cases.
    pub(crate) fn hits(&mut self, of: u64, share: f64) -> u64 {
        (0..of).filter(|_| self.uniform() < share).count() as u64
    }

    /// Cases by cell of a law.
    pub(crate) fn cells(&mut self, of: u64, law: &[f64]) -> Vec<u64> {
        let mut counts = vec![0; law.len()];
        for _ in 0..of {
            let (u, mut below) = (self.uniform(), 0.0);
            let at = law.iter().position(|q| {
                below += q;
                u < below
            });
            counts[at.unwrap_or(law.len() - 1)] += 1;
        }
        counts
    }
}
