//! Which of the finest cells a value falls into, by arithmetic that has no branch.

#![expect(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "keys are within a few thousand by construction"
)]

use super::{FINEST, FIRST_EXPONENT, keys, last_key};
use crate::sketch::wide::power_of_two;

/// How many of the finest cells there are.
pub(crate) const FINEST_CELLS: usize = keys(FINEST);
/// What the bits of 2^-10 and of all larger numbers are counted from, so that the first of them is 1.
const BEFORE_FIRST: u64 = (FIRST_EXPONENT << FINEST) - 1;

/// How values are moved and scaled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    center: f64,
    factor: f64,
}

impl Moved {
    pub(super) const fn new(center: f64, scale_exponent: i32) -> Self {
        Self {
            center,
            factor: power_of_two(-scale_exponent),
        }
    }

    /// A finite value, moved and scaled.
    #[inline]
    pub(crate) const fn of(self, x: f64) -> f64 {
        (x - self.center) * self.factor
    }

    /// The finest cell of a finite value, from 0, ascending.
    #[inline]
    pub(crate) fn cell(self, x: f64) -> usize {
        Self::cell_of(self.of(x))
    }

    /// The finest cell of what [`Self::of`] gave. Positive floats ascend with their bits, and a cell's
    /// begin with the same ones.
    #[inline]
    pub(crate) fn cell_of(moved: f64) -> usize {
        let most = last_key(FINEST);
        let bits = moved.to_bits();
        let size = (bits & (u64::MAX >> 1)) >> (52 - FINEST);
        let key = size.saturating_sub(BEFORE_FIRST).min(most as u64) as i32;
        // All ones if it is negative: then this is the negative key.
        let sign = (bits as i64 >> 63) as i32;
        (((key ^ sign) - sign) + most) as usize
    }
}
