//! Integers of 256 bits, and sums of fixed-point numbers in them: adding rounds nothing, so sums of
//! numbers merge exactly and in any order.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "limbs are taken apart and put together, and bounds are checked where numbers come in"
)]

use crate::sketch::Malformed;
use crate::wire::codec::{Reader, Writer};

/// Longest encoding of an integer in bytes.
pub(super) const MAX_WIDE: usize = 33;

/// Fraction bits of a fixed-point number: its resolution is 2^-40.
pub(crate) const FRACTION: u32 = 40;
/// Bits of a fixed-point number without its sign: absolute values are below 2^53.
const BITS: u32 = 53 + FRACTION;

/// A signed integer of 256 bits in two's complement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wide {
    high: i128,
    low: u128,
}

impl Wide {
    pub(super) const ZERO: Self = Self { high: 0, low: 0 };

    const fn of(x: i128) -> Self {
        Self {
            high: x >> 127,
            low: x as u128,
        }
    }

    /// The sum, which the caller keeps within 256 bits.
    pub(super) const fn plus(self, other: Self) -> Self {
        let (low, carry) = self.low.overflowing_add(other.low);
        Self {
            high: self
                .high
                .wrapping_add(other.high)
                .wrapping_add(carry as i128),
            low,
        }
    }

    const fn negated(self) -> Self {
        let (low, carry) = (!self.low).overflowing_add(1);
        Self {
            high: (!self.high).wrapping_add(carry as i128),
            low,
        }
    }

    pub(super) const fn is_negative(self) -> bool {
        self.high < 0
    }

    /// The absolute value; the caller rules out the one number that has none.
    const fn magnitude(self) -> Self {
        if self.is_negative() {
            self.negated()
        } else {
            self
        }
    }

    /// The lowest 256 bits of the product.
    fn times(self, factor: i128) -> Self {
        let a = self.magnitude();
        let b = factor.unsigned_abs();
        let a = [
            a.low as u64,
            (a.low >> 64) as u64,
            a.high as u64,
            (a.high as u128 >> 64) as u64,
        ];
        let mut limbs = [0_u64; 4];
        for (shift, b) in [b as u64, (b >> 64) as u64].into_iter().enumerate() {
            let mut carry = 0_u128;
            for (limb, a) in limbs.iter_mut().skip(shift).zip(a) {
                carry += u128::from(a) * u128::from(b) + u128::from(*limb);
                *limb = carry as u64;
                carry >>= 64;
            }
        }
        let product = Self {
            high: (u128::from(limbs[2]) | u128::from(limbs[3]) << 64) as i128,
            low: u128::from(limbs[0]) | u128::from(limbs[1]) << 64,
        };
        if self.is_negative() == (factor < 0) {
            product
        } else {
            product.negated()
        }
    }

    /// The nearest float.
    pub(super) fn to_f64(self) -> f64 {
        let size = self.magnitude();
        let high = size.high as u128;
        let float = if high == 0 {
            size.low as f64
        } else {
            let shift = high.leading_zeros();
            // What is shifted out only matters as whether there was any.
            let (carried, rest) = match shift {
                0 => (0, size.low),
                _ => (size.low >> (128 - shift), size.low << shift),
            };
            let top = (high << shift) | carried | u128::from(rest != 0);
            top as f64 * power_of_two(128 - shift as i32)
        };
        if self.is_negative() { -float } else { float }
    }

    /// Whether the absolute value is at most `n` times 2^`bits`.
    pub(super) fn is_at_most(self, n: u64, bits: u32) -> bool {
        let size = self.magnitude();
        let limit = Self::of(i128::from(n)).times(1 << (bits / 2));
        let limit = limit.times(1 << (bits - bits / 2));
        size.high >= 0 && (size.high, size.low) <= (limit.high, limit.low)
    }

    pub(super) fn encode(self, w: &mut Writer) {
        let bytes = self.bytes();
        let len = self.shortest(&bytes);
        w.byte(len as u8);
        w.raw(&bytes[..len]);
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let len = usize::from(r.byte()?);
        if len > 32 {
            return Err(Malformed::TooLong);
        }
        let given = r.raw(len)?;
        let negative = given.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut bytes = [if negative { 0xff } else { 0 }; 32];
        bytes[..len].copy_from_slice(given);
        let (low, high) = bytes.split_at(16);
        let half = |half: &[u8]| half.try_into().map(u128::from_le_bytes);
        let (low, high) = (half(low), half(high));
        let (Ok(low), Ok(high)) = (low, high) else {
            return Err(Malformed::Short);
        };
        let read = Self {
            high: high as i128,
            low,
        };
        if read.shortest(&bytes) == len {
            Ok(read)
        } else {
            Err(Malformed::Integer)
        }
    }

    fn bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.low.to_le_bytes());
        bytes[16..].copy_from_slice(&self.high.to_le_bytes());
        bytes
    }

    /// How many of its bytes say all, the sign included; zero has none.
    fn shortest(self, bytes: &[u8; 32]) -> usize {
        let (fill, sign) = if self.is_negative() {
            (0xff, 0x80)
        } else {
            (0, 0)
        };
        let len = 32 - bytes.iter().rev().take_while(|byte| **byte == fill).count();
        match len {
            0 if fill == 0 => 0,
            len if len > 0 && bytes[len - 1] & 0x80 == sign => len,
            len => len + 1,
        }
    }
}

/// 2 to a power within ±1022, exactly.
pub(crate) const fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

/// A number in fixed point: the nearest multiple of 2^-40, ties to even.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fixed(i128);

impl Fixed {
    /// None if the absolute value is 2^53 or more, or if it is not a number.
    pub(crate) fn of(x: f64) -> Option<Self> {
        /// From here on a float's step is a half.
        const FINE: f64 = 2_251_799_813_685_248.0;
        let scaled = x * power_of_two(FRACTION as i32);
        if scaled.abs() < FINE {
            Some(Self(i128::from(nearest(scaled))))
        } else if scaled.abs() < power_of_two(BITS as i32) {
            Some(Self(scaled.round_ties_even() as i128))
        } else {
            None
        }
    }

    pub(super) const fn wide(self) -> Wide {
        Wide::of(self.0)
    }

    pub(super) const fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// The product, in multiples of 2^-80.
    pub(super) fn times(self, other: Self) -> Wide {
        Wide::of(self.0).times(other.0)
    }
}

/// The integer nearest to a number below 2^51 in size, ties to even: adding 1.5 * 2^52 leaves it in
/// the lowest mantissa bits.
pub(crate) const fn nearest(x: f64) -> i64 {
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    (x + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits()) as i64
}

/// The sum of at most 2^20 small fixed-point numbers and of their squares: within 128 bits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Narrow {
    sum: i128,
    squares: u128,
}

impl Narrow {
    /// The sums of up to 2^10 numbers; none if one is 2^11 or more in size.
    #[inline]
    pub(crate) fn of(few: &[f64]) -> Option<Self> {
        const MOST: f64 = 2048.0;
        let mut small = few.len() <= 1 << 10;
        for x in few {
            small &= x.abs() < MOST;
        }
        if !small {
            return None;
        }
        // Each is at most 2^51.
        let (mut sum, mut squares) = (0_i64, 0_u128);
        for x in few {
            let fixed = nearest(x * power_of_two(FRACTION as i32));
            sum = sum.wrapping_add(fixed);
            let size = u128::from(fixed.unsigned_abs());
            squares = squares.wrapping_add(size * size);
        }
        Some(Self {
            sum: i128::from(sum),
            squares,
        })
    }

    /// Adds a number of less than 2^11 in size; of others says that it did not.
    #[inline]
    pub(crate) fn add(&mut self, x: f64) -> bool {
        const MOST: f64 = 2048.0;
        let small = x.abs() < MOST;
        if small {
            let fixed = nearest(x * power_of_two(FRACTION as i32));
            self.sum += i128::from(fixed);
            let size = u128::from(fixed.unsigned_abs());
            self.squares += size * size;
        }
        small
    }
}

/// The sum of fixed-point numbers and of their squares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    sum: Wide,
    squares: Wide,
}

impl Sums {
    /// Longest encoding in bytes.
    pub(super) const MAX_BYTES: usize = 2 * MAX_WIDE;
    /// Sums of nothing.
    pub(super) const ZERO: Self = Self {
        sum: Wide::ZERO,
        squares: Wide::ZERO,
    };

    /// Adds sums of numbers and of their squares that were taken in 128 bits.
    pub(crate) const fn add_narrow(&mut self, of: &Narrow) {
        let squares = Wide {
            high: 0,
            low: of.squares,
        };
        self.sum = self.sum.plus(Wide::of(of.sum));
        self.squares = self.squares.plus(squares);
    }

    /// Adds a number.
    #[inline]
    pub(crate) fn add(&mut self, x: Fixed) {
        let x = x.0;
        self.sum = self.sum.plus(Wide::of(x));
        let square = if x.unsigned_abs() < 1 << 63 {
            Wide::of(x * x)
        } else {
            Wide::of(x).times(x)
        };
        self.squares = self.squares.plus(square);
    }

    pub(super) const fn merge(&mut self, other: &Self) {
        self.sum = self.sum.plus(other.sum);
        self.squares = self.squares.plus(other.squares);
    }

    /// The sum.
    pub(crate) fn sum(&self) -> f64 {
        self.sum.to_f64() * power_of_two(-(FRACTION as i32))
    }

    /// The sum of squares.
    pub(crate) fn squares(&self) -> f64 {
        self.squares.to_f64() * power_of_two(-2 * FRACTION as i32)
    }

    /// The sum of products of the distances of `n` pairs of numbers from their means, from the sum of
    /// their products.
    pub(super) fn common(a: &Self, b: &Self, products: Wide, n: u64) -> f64 {
        let (near_a, from_a) = a.around(n);
        let (near_b, from_b) = b.around(n);
        // sum of (a - m)(b - k) = sum of ab - m (sum of b) - k (sum of a - n m)
        let common = products.plus(b.sum.times(near_a).negated());
        let common = common.plus(from_a.times(near_b).negated()).to_f64();
        let rest = from_a.to_f64() * from_b.to_f64() / n as f64;
        (common - rest) * power_of_two(-2 * FRACTION as i32)
    }

    /// An integer near the mean of `n` numbers, and the sum of their distances from it.
    fn around(&self, n: u64) -> (i128, Wide) {
        let near = (self.sum.to_f64() / n as f64).round_ties_even() as i128;
        let shift = Wide::of(i128::from(n)).times(near);
        (near, self.sum.plus(shift.negated()))
    }

    /// The sum of squared distances from the mean of `n` numbers. Distances are first taken from an
    /// integer near the mean, exactly, so that little is lost however far the mean is from zero.
    pub(crate) fn central(&self, n: u64) -> f64 {
        if n == 0 {
            return 0.0;
        }
        let (near, around) = self.around(n);
        // sum of (q - m)^2 = sum of q^2 - m (sum of q) - m (sum of q - n m)
        let squares = self.squares.plus(self.sum.times(near).negated());
        let squares = squares.plus(around.times(near).negated()).to_f64();
        let rest = around.to_f64();
        (squares - rest * rest / n as f64).max(0.0) * power_of_two(-2 * FRACTION as i32)
    }

    pub(super) fn encode(&self, w: &mut Writer) {
        self.sum.encode(w);
        self.squares.encode(w);
    }

    /// Reads sums of `n` numbers: what so many cannot add up to is refused, so that adding what was
    /// read never overflows.
    pub(super) fn decode(r: &mut Reader<'_>, n: u64) -> Result<Self, Malformed> {
        let read = Self {
            sum: Wide::decode(r)?,
            squares: Wide::decode(r)?,
        };
        let possible = read.sum.is_at_most(n, BITS)
            && !read.squares.is_negative()
            && read.squares.is_at_most(n, 2 * BITS);
        if possible {
            Ok(read)
        } else {
            Err(Malformed::Value("sum of numbers"))
        }
    }

    /// Reads a sum of products of `n` pairs of numbers.
    pub(super) fn decode_product(r: &mut Reader<'_>, n: u64) -> Result<Wide, Malformed> {
        let read = Wide::decode(r)?;
        if read.is_at_most(n, 2 * BITS) {
            Ok(read)
        } else {
            Err(Malformed::Value("sum of products"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::codec::Reader;

    fn read_back(x: Wide) -> Result<Wide, Malformed> {
        let mut w = Writer::default();
        x.encode(&mut w);
        let bytes = w.into_bytes();
        let mut r = Reader::new(&bytes);
        let read = Wide::decode(&mut r);
        r.finish()?;
        read
    }

    proptest! {
        #[test]
        fn wide_integers_are_as_narrow_ones_where_both_are(a: i64, b: i64, c: i64) {
            let [x, y, z] = [a, b, c].map(|n| Wide::of(i128::from(n)));
            let expected = i128::from(a) * i128::from(b) + i128::from(c);
            prop_assert_eq!(x.times(i128::from(b)).plus(z), Wide::of(expected));
            prop_assert_eq!(y.times(i128::from(a)).plus(z), Wide::of(expected));
            prop_assert_eq!(Wide::of(expected).negated(), Wide::of(-expected));
            prop_assert_eq!(Wide::of(expected).to_f64().to_bits(), (expected as f64).to_bits());
            prop_assert_eq!(read_back(z), Ok(z));
        }

        #[test]
        fn products_distribute_over_sums_beyond_128_bits(a: i128, b: i128, c in -(1_i128 << 90)..1 << 90) {
            let (x, y) = (Wide::of(a).times(c), Wide::of(b).times(c));
            prop_assert_eq!(Wide::of(a).plus(Wide::of(b)).times(c), x.plus(y));
            prop_assert_eq!(read_back(x), Ok(x));
            let near = (a as f64) * (c as f64);
            prop_assert!((x.to_f64() - near).abs() <= near.abs() * 1e-15);
        }

        #[test]
        fn fixed_point_is_the_nearest_multiple(x in prop_oneof![-1e4..1e4_f64, -9e15..9e15_f64]) {
            let Fixed(fixed) = Fixed::of(x).unwrap();
            let scaled = x * 1_099_511_627_776.0;
            prop_assert!((fixed as f64 - scaled).abs() <= 0.5);
        }
    }

    #[test]
    fn what_is_too_large_has_no_fixed_point() {
        assert_eq!(Fixed::of(9_007_199_254_740_992.0), None);
        assert_eq!(Fixed::of(f64::NAN), None);
        assert_eq!(Fixed::of(f64::NEG_INFINITY), None);
        assert!(Fixed::of(-9_007_199_254_740_991.0).is_some());
    }
}
