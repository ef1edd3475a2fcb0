//! S5: how many numbers there were, their sum and the sum of their squares.
//!
//! A value x is moved and scaled, x' = (x - centre) / 2^scale, and rounded to a multiple of 2^-40;
//! these are added as integers of 256 bits. Rounding moves a value by at most 2^-41 of the scale, so
//! mean and standard deviation agree with those of the raw values to about twelve digits wherever
//! the scale is near the spread. Values of |x'| from 2^53 on are counted apart.

use crate::sketch::wide::{Fixed, Narrow, Sums, power_of_two};
use crate::sketch::{
    MAX_SCALE_EXPONENT, MAX_VARINT, MergeError, Sketch, add_totals, bump, read_number, write_number,
};
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Count, sum and sum of squares of a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    center: f64,
    scale_exponent: i32,
    n: u64,
    beyond: u64,
    sums: Sums,
}

impl Moments {
    /// Moments of nothing. None if the centre is no finite number or the exponent of the scale is
    /// beyond [`MAX_SCALE_EXPONENT`].
    pub fn new(center: f64, scale_exponent: i32) -> Option<Self> {
        let fits = center.is_finite() && scale_exponent.abs() <= MAX_SCALE_EXPONENT;
        fits.then(|| Self {
            // Turns negative zero into zero.
            center: center + 0.0,
            scale_exponent,
            n: 0,
            beyond: 0,
            sums: Sums::default(),
        })
    }

    /// Counts a finite value. Anything else is not a value and leaves no trace here; the caller
    /// counts it as a [`Defect`](crate::sketch::Defect).
    pub fn add(&mut self, x: f64) {
        if !x.is_finite() {
            return;
        }
        self.add_moved((x - self.center) * power_of_two(-self.scale_exponent));
    }

    /// Counts a finite value that was moved and scaled.
    #[inline]
    pub(crate) fn add_moved(&mut self, moved: f64) {
        match Fixed::of(moved) {
            Some(fixed) => {
                bump(&mut self.n);
                self.sums.add(fixed);
            }
            None => bump(&mut self.beyond),
        }
    }

    /// Counts so many values that were added up already.
    pub(crate) const fn add_narrow(&mut self, n: u64, sums: &Narrow) {
        self.n = self.n.saturating_add(n);
        self.sums.add_narrow(sums);
    }

    /// Values added up.
    pub const fn n(&self) -> u64 {
        self.n
    }

    /// Values 2^53 scales or more from the centre: counted, not added up. Where there are any, the
    /// moments are those of the others.
    pub const fn beyond(&self) -> u64 {
        self.beyond
    }

    /// Values counted, added up or beyond.
    pub const fn total(&self) -> u64 {
        // Kept within 64 bits when counted, read and merged.
        self.n.saturating_add(self.beyond)
    }

    /// The centre, in the feature's unit.
    pub const fn center(&self) -> f64 {
        self.center
    }

    /// The scale is 2 to this power, in the feature's unit.
    pub const fn scale_exponent(&self) -> i32 {
        self.scale_exponent
    }

    /// The arithmetic mean, in the feature's unit. None of no values.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.center + self.scale() * (self.sums.sum() / self.n as f64))
    }

    /// The sum, in the feature's unit; 0 of no values.
    pub fn sum(&self) -> f64 {
        self.center * self.n as f64 + self.scale() * self.sums.sum()
    }

    /// The mean of the squares, in the feature's unit squared. None of no values.
    pub fn mean_square(&self) -> Option<f64> {
        let mean = self.mean()?;
        Some(mean * mean + self.central() / self.n as f64)
    }

    /// The variance with divisor n - 1, in the feature's unit squared. None of fewer than two values.
    pub fn variance(&self) -> Option<f64> {
        (self.n > 1).then(|| self.central() / (self.n - 1) as f64)
    }

    /// The variance with divisor n, in the feature's unit squared. None of no values.
    pub fn population_variance(&self) -> Option<f64> {
        (self.n > 0).then(|| self.central() / self.n as f64)
    }

    /// The standard deviation with divisor n - 1, in the feature's unit. None of fewer than two
    /// values.
    ///
    /// The root is taken in the unit of the scale: squares of very large or small values leave the range
    /// of floating point, where their root does not.
    pub fn std(&self) -> Option<f64> {
        self.variance_in_scales()
            .map(|variance| libm::sqrt(variance) * self.scale())
    }

    /// The mean less the centre, in scales. None of no values.
    pub fn mean_in_scales(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sums.sum() / self.n as f64)
    }

    /// The variance with divisor n - 1, in squared scales. None of fewer than two values.
    pub fn variance_in_scales(&self) -> Option<f64> {
        (self.n > 1).then(|| self.sums.central(self.n) / (self.n - 1) as f64)
    }

    /// What a scale is in the feature's unit.
    pub const fn unit(&self) -> f64 {
        self.scale()
    }

    /// The sum of squared distances from the mean.
    fn central(&self) -> f64 {
        self.sums.central(self.n) * self.scale() * self.scale()
    }

    const fn scale(&self) -> f64 {
        power_of_two(self.scale_exponent)
    }
}

impl Sketch for Moments {
    const MAX_BYTES: usize = 8 + 3 * MAX_VARINT + Sums::MAX_BYTES;

    fn fits(&self, other: &Self) -> Result<(), MergeError> {
        let same_scale = self.center.to_bits() == other.center.to_bits()
            && self.scale_exponent == other.scale_exponent;
        if !same_scale {
            return Err(MergeError::Different);
        }
        add_totals(self.total(), other.total())?;
        Ok(())
    }

    fn take_in(&mut self, other: &Self) {
        self.n += other.n;
        self.beyond += other.beyond;
        self.sums.merge(&other.sums);
    }
}

impl Encode for Moments {
    fn encode(&self, w: &mut Writer) {
        write_number(w, self.center);
        w.signed(self.scale_exponent.into());
        w.unsigned(self.n);
        w.unsigned(self.beyond);
        self.sums.encode(w);
    }
}

impl Decode for Moments {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let center = read_number(r, "centre of moments")?;
        let scale = Malformed::Value("scale of moments");
        let exponent = i32::try_from(r.signed()?).map_err(|_| scale)?;
        let mut read = Self::new(center, exponent).ok_or(scale)?;
        read.n = r.unsigned()?;
        read.beyond = r.unsigned()?;
        super::sum_of(&[read.n, read.beyond])?;
        read.sums = Sums::decode(r, read.n)?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(center: f64, scale: i32, values: &[f64]) -> Moments {
        let mut moments = Moments::new(center, scale).unwrap();
        for x in values {
            moments.add(*x);
        }
        moments
    }

    fn near(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        let gap = (found - expected).abs();
        assert!(
            gap <= 1e-12 * expected.abs().max(1e-3),
            "{found} is not {expected}"
        );
    }

    #[test]
    fn the_deviation_of_very_large_and_small_numbers_is_a_number() {
        for exponent in [1000, 0, -1000] {
            let mut moments = Moments::new(0.0, exponent).unwrap();
            for x in [1.0, 2.0, 3.0] {
                moments.add(libm::ldexp(x, exponent));
            }
            let std = moments.std().unwrap();
            assert_eq!(std.to_bits(), libm::ldexp(1.0, exponent).to_bits());
        }
    }

    #[test]
    fn moments_agree_with_numpy_also_far_from_the_centre() {
        // numpy: mean, var(ddof=1), mean of squares of [1, 2, 4, 8.5, -3.25].
        let values = [1.0, 2.0, 4.0, 8.5, -3.25];
        for (center, scale) in [(0.0, 0), (2.0, 3), (100.0, 1), (-40.0, -6)] {
            let moments = of(center, scale, &values);
            near(moments.mean(), 2.45);
            near(moments.variance(), 18.45);
            near(moments.mean_square(), 20.7625);
            near(moments.population_variance(), 14.76);
            assert!((moments.sum() - 12.25).abs() < 1e-9);
        }
    }

    proptest! {
        #[test]
        fn mean_and_standard_deviation_agree_with_two_passes_over_the_values(
            values in prop::collection::vec(-50.0..50.0_f64, 2..400), shift in -1e5..1e5_f64,
        ) {
            let moved: Vec<f64> = values.iter().map(|x| x + shift).collect();
            let moments = of(0.3, 4, &moved);
            let n = moved.len() as f64;
            let mean = moved.iter().sum::<f64>() / n;
            let squares = moved.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
            prop_assert!((moments.mean().unwrap() - mean).abs() <= 1e-9 * mean.abs().max(1e-3));
            let std = libm::sqrt(squares / (n - 1.0));
            prop_assert!((moments.std().unwrap() - std).abs() <= 1e-9 * std);
        }
    }

    #[test]
    fn what_has_no_moments_says_so() {
        let none = of(0.0, 0, &[f64::NAN, f64::INFINITY]);
        assert_eq!(
            (none.mean(), none.variance(), none.total()),
            (None, None, 0)
        );
        let one = of(0.0, 0, &[2.0]);
        assert_eq!((one.mean(), one.variance()), (Some(2.0), None));
        let far = of(0.0, -1000, &[1.0, f64::MAX, -f64::MAX, 0.0]);
        assert_eq!((far.n(), far.beyond(), far.mean()), (1, 3, Some(0.0)));
        let opposite = of(f64::MAX, 1000, &[-f64::MAX]);
        assert_eq!((opposite.n(), opposite.beyond()), (0, 1));
    }
}
