//! S9: sums of standardised numbers and of their products, by which means and covariances of
//! features together are known.
//!
//! A number comes moved and scaled by the baseline's mean and deviation, is clipped to 16 deviations
//! and rounded to a multiple of 2^-26; sums are integers of 128 bits, so that merging is exact.

use super::{MergeError, Sketch, add_totals, bump, fixed_point, read_wide, write_wide};
use crate::digest::Digest;
use crate::drift::jacobi::Symmetric;
use crate::drift::joint::JointMoments;
use crate::wire::codec::{Decode, Encode, Malformed, Reader, Writer};

/// Most numbers that are looked at together.
pub const MAX_DIMENSIONS: usize = 64;
/// Deviations from the mean beyond which a number is clipped.
pub const CLIP: f64 = 16.0;
/// Binary digits after the point.
const DIGITS: i32 = 26;
/// The largest standardised number as an integer: 16 in steps of 2^-26.
const MOST: i128 = 1 << 30;

/// Sums of standardised numbers and of their products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gram {
    /// What the numbers are and how they were standardised.
    space: Digest,
    n: u64,
    sums: Vec<i128>,
    /// On and above the diagonal, by rows.
    products: Vec<i128>,
}

impl Gram {
    /// Sums of nothing. None unless there are 1 to [`MAX_DIMENSIONS`] numbers to a case. `space` names
    /// what they are and how they are standardised.
    pub fn new(space: Digest, dimensions: usize) -> Option<Self> {
        (1..=MAX_DIMENSIONS).contains(&dimensions).then(|| Self {
            space,
            n: 0,
            sums: vec![0; dimensions],
            products: vec![0; dimensions * (dimensions + 1) / 2],
        })
    }

    /// Counts a case by its standardised numbers. What is no number counts as the mean. A case of
    /// other dimensions is none of this space and leaves no trace.
    pub fn add(&mut self, case: &[f64]) {
        if case.len() != self.sums.len() {
            return;
        }
        let mut fixed = [0_i64; MAX_DIMENSIONS];
        for (fixed, z) in fixed.iter_mut().zip(case) {
            *fixed = fixed_point(z.clamp(-CLIP, CLIP), DIGITS);
        }
        let fixed = &fixed[..case.len()];
        let mut products = self.products.iter_mut();
        for (i, (sum, x)) in self.sums.iter_mut().zip(fixed).enumerate() {
            *sum += i128::from(*x);
            // In this order: the shorter side ends the row without taking a product.
            for (y, product) in fixed[i..].iter().zip(products.by_ref()) {
                // At most 2^60.
                *product += i128::from(x * y);
            }
        }
        bump(&mut self.n);
    }

    /// Cases.
    pub const fn n(&self) -> u64 {
        self.n
    }

    /// How many numbers to a case.
    pub const fn dimensions(&self) -> usize {
        self.sums.len()
    }

    /// What the numbers are and how they were standardised.
    pub const fn space(&self) -> Digest {
        self.space
    }

    /// Means and covariances in standardised units. None without cases.
    pub fn moments(&self) -> Option<JointMoments> {
        if self.n == 0 {
            return None;
        }
        let n = self.n as f64;
        let mean: Vec<f64> = self
            .sums
            .iter()
            .map(|sum| libm::ldexp(*sum as f64 / n, -DIGITS))
            .collect();
        let size = mean.len();
        let covariance = Symmetric::new(size, |i, j| {
            let place = i * size - i * (i + 1) / 2 + j;
            let product = libm::ldexp(self.products[place] as f64 / n, -2 * DIGITS);
            product - mean[i] * mean[j]
        });
        Some(JointMoments {
            n: self.n,
            mean,
            covariance,
        })
    }
}

impl Sketch for Gram {
    const MAX_BYTES: usize = 32
        + 2
        + super::MAX_VARINT
        + 16 * (MAX_DIMENSIONS + MAX_DIMENSIONS * (MAX_DIMENSIONS + 1) / 2);

    fn max_bytes(&self) -> usize {
        32 + 2 + super::MAX_VARINT + 16 * (self.sums.len() + self.products.len())
    }

    fn fits(&self, other: &Self) -> Result<(), MergeError> {
        if self.space != other.space || self.sums.len() != other.sums.len() {
            return Err(MergeError::Different);
        }
        add_totals(self.n, other.n)?;
        Ok(())
    }

    fn take_in(&mut self, other: &Self) {
        self.n += other.n;
        let sums = self.sums.iter_mut().zip(&other.sums);
        let products = self.products.iter_mut().zip(&other.products);
        // Within 2^124, by the number of cases and what each can add.
        for (mine, theirs) in sums.chain(products) {
            *mine += theirs;
        }
    }
}

impl Encode for Gram {
    fn encode(&self, w: &mut Writer) {
        w.raw(self.space.as_bytes());
        w.unsigned(self.sums.len() as u64);
        w.unsigned(self.n);
        for sum in self.sums.iter().chain(&self.products) {
            write_wide(w, *sum);
        }
    }
}

impl Decode for Gram {
    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let space = Digest::from_bytes(r.array()?);
        let dimensions = r.count(MAX_DIMENSIONS)?;
        let mut gram = Self::new(space, dimensions).ok_or(Malformed::Value("dimensions"))?;
        gram.n = r.unsigned()?;
        let most = i128::from(gram.n) * MOST;
        for sum in &mut gram.sums {
            *sum = read_wide(r, most)?;
        }
        for product in &mut gram.products {
            *product = read_wide(r, most * MOST)?;
        }
        Ok(gram)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_each_pair() {
        let cases = [
            [1.0, -2.0, 0.5],
            [0.25, 4.0, -1.0],
            [3.0, 0.0, 2.0],
            [-1.0, 1.0, f64::NAN],
        ];
        let mut gram = Gram::new(Digest::of(b"test"), 3).unwrap();
        for case in &cases {
            gram.add(case);
        }
        let found = gram.moments().unwrap();
        let value = |case: &[f64; 3], i: usize| if case[i].is_nan() { 0.0 } else { case[i] };
        let mean = |of: &dyn Fn(&[f64; 3]) -> f64| cases.iter().map(of).sum::<f64>() / 4.0;
        for i in 0..3 {
            let mean_i = mean(&|case| value(case, i));
            assert!((found.mean[i] - mean_i).abs() < 1e-12);
            for j in 0..3 {
                let product = mean(&|case| value(case, i) * value(case, j));
                let expected = product - mean_i * mean(&|case| value(case, j));
                assert!(
                    (found.covariance.at(i, j) - expected).abs() < 1e-12,
                    "{i} {j}"
                );
            }
        }
    }
}
