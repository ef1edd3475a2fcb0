//! A frozen frame for cases of many numbers: how they are standardised, and directions drawn once
//! from a seed along which every case is looked at.
//!
//! Whoever has the seed draws the same directions, on every machine: `SplitMix64`, and the normal law
//! by Box and Muller's method from `libm`.

use super::dice::Dice;
use super::jacobi::dot;

/// How many directions cases are projected on.
pub const DIRECTIONS: usize = 16;
/// How many waves there are, each with two phases.
pub const WAVES: usize = 32;

/// What cases are seen by.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    means: Vec<f64>,
    deviations: Vec<f64>,
    directions: Vec<Vec<f64>>,
    waves: Vec<Vec<f64>>,
}

impl Frame {
    /// The frame of a seed. Means and deviations are those of the reference, one for each number.
    pub fn new(means: &[f64], deviations: &[f64], seed: u64) -> Self {
        let size = means.len();
        let mut dice = Dice::new(seed);
        let directions = (0..DIRECTIONS)
            .map(|_| {
                let drawn = dice.normals(size);
                let length = libm::sqrt(dot(&drawn, &drawn));
                drawn.iter().map(|x| x / length.max(1e-300)).collect()
            })
            .collect();
        // Waves as long as cases are apart: distances between standardised cases grow with the
        // root of the number of dimensions.
        let short = 1.0 / libm::sqrt(size.max(1) as f64);
        let waves = (0..WAVES)
            .map(|_| dice.normals(size).iter().map(|x| x * short).collect())
            .collect();
        Self {
            means: means.to_vec(),
            deviations: deviations.to_vec(),
            directions,
            waves,
        }
    }

    /// Numbers to a case.
    pub const fn dimensions(&self) -> usize {
        self.means.len()
    }

    /// A number of a case in deviations from the reference's mean, clipped. One that is missing, or
    /// of a dimension that does not vary, counts as the mean.
    pub fn standardise(&self, dimension: usize, x: f64, clip: f64) -> f64 {
        let of = self
            .means
            .get(dimension)
            .zip(self.deviations.get(dimension));
        let of = of.filter(|(_, deviation)| **deviation > 0.0);
        let z = of.map_or(0.0, |(mean, deviation)| (x - mean) / deviation);
        if z.is_nan() {
            0.0
        } else {
            z.clamp(-clip, clip)
        }
    }

    /// A standardised case along one of the directions.
    pub fn along(&self, direction: usize, case: &[f64]) -> f64 {
        self.directions.get(direction).map_or(0.0, |d| dot(d, case))
    }

    /// The random Fourier features of a standardised case (Rahimi and Recht 2007): cosine and sine of
    /// each wave, scaled so that their squares add up to one.
    pub fn features(&self, case: &[f64], into: &mut [f64; 2 * WAVES]) {
        let scale = 1.0 / libm::sqrt(WAVES as f64);
        for (wave, pair) in self.waves.iter().zip(into.chunks_exact_mut(2)) {
            let (sine, cosine) = libm::sincos(dot(wave, case));
            pair[0] = cosine * scale;
            pair[1] = sine * scale;
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    reason = "these values are exact: equal to the bit or wrong"
)]
mod tests {
    use super::*;

    #[test]
    fn directions_have_length_one_and_features_too() {
        let frame = Frame::new(&[1.0, -2.0, 0.0], &[2.0, 1.0, 5.0], 7);
        let case: Vec<f64> = (0..3).map(|i| frame.standardise(i, 3.0, 16.0)).collect();
        assert_eq!(case, [1.0, 5.0, 0.6]);
        for direction in &frame.directions {
            assert!((dot(direction, direction) - 1.0).abs() < 1e-12);
        }
        let mut features = [0.0; 2 * WAVES];
        frame.features(&case, &mut features);
        assert!((dot(&features, &features) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_missing_or_does_not_vary_is_the_mean() {
        let frame = Frame::new(&[1.0, 4.0], &[2.0, 0.0], 7);
        assert_eq!(frame.standardise(0, f64::NAN, 16.0), 0.0);
        assert_eq!(frame.standardise(1, 5.0, 16.0), 0.0);
        assert_eq!(frame.standardise(0, f64::INFINITY, 16.0), 16.0);
        assert_eq!(frame.standardise(5, 1.0, 16.0), 0.0);
    }

    /// By Python's `math` from the same seed.
    const FROZEN: f64 = 0.002_413_480_754_836_296_3;

    #[test]
    fn the_same_seed_draws_the_same_bits() {
        let (a, b) = (
            Frame::new(&[0.0; 4], &[1.0; 4], 9),
            Frame::new(&[0.0; 4], &[1.0; 4], 9),
        );
        assert_eq!(a, b);
        assert_ne!(a, Frame::new(&[0.0; 4], &[1.0; 4], 10));
        // Frozen: summaries of one baseline must be added for years.
        assert!((a.along(0, &[1.0, 0.0, 0.0, 0.0]) - FROZEN).abs() < 1e-14);
    }
}
