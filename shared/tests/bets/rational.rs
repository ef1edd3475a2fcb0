//! Rational arithmetic with error control. Payoffs are integers, but `e^payoff` is irrational: it is
//! bounded from above by a rational, logarithms and roots from both sides, with 192 binary digits
//! after the point. Everything else is exact.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};

/// Binary digits after the point of all bounds.
pub(crate) const BITS: u32 = 192;

/// 1 in that scale.
pub(crate) fn one() -> BigInt {
    BigInt::one() << BITS
}

/// A float as the rational it is.
pub(crate) fn exact(x: f64) -> BigRational {
    BigRational::from_float(x).unwrap()
}

/// The least integer of 2^-192 that is not below a rational.
pub(crate) fn up(x: &BigRational) -> BigInt {
    (x * BigRational::from_integer(one())).ceil().to_integer()
}

/// The largest integer of 2^-192 that is not above a rational.
pub(crate) fn down(x: &BigRational) -> BigInt {
    (x * BigRational::from_integer(one())).floor().to_integer()
}

/// Division by a positive number, rounded up.
fn div_up(a: &BigInt, b: &BigInt) -> BigInt {
    -((-a).div_floor_by(b))
}

trait DivFloor {
    fn div_floor_by(&self, b: &BigInt) -> BigInt;
}

impl DivFloor for BigInt {
    fn div_floor_by(&self, b: &BigInt) -> BigInt {
        let quotient = self / b;
        if (self % b).is_negative() {
            quotient - 1
        } else {
            quotient
        }
    }
}

/// An upper bound of `e^(payoff / 2^32)`, in 2^-192. The argument is halved until it is below 2^-8,
/// the series is cut with its remainder bounded, and the result is squared back, always upwards.
pub(crate) fn exp_up(payoff: i128) -> BigInt {
    const HALVINGS: u32 = 24;
    // |payoff| is below 2^48: 40 nats for a case, a few thousand for a block of an enumeration.
    assert!(payoff.unsigned_abs() < 1 << 48);
    let y = BigInt::from(payoff) << (BITS - 32 - HALVINGS);
    let scale = one();
    let (mut term, mut sum) = (scale.clone(), scale.clone());
    for n in 1..=40_u32 {
        term = div_up(&(&term * &y), &(&scale * BigInt::from(n)));
        sum += &term;
    }
    // |y| is at most 2^-8, so what was cut is below 2 * 2^-328 / 41!, and each term was rounded by
    // less than one unit more than its predecessor's error.
    sum += 128;
    for _ in 0..HALVINGS {
        sum = div_up(&(&sum * &sum), &scale);
    }
    sum
}

/// Bounds of `ln x` for a positive rational, in 2^-192.
pub(crate) fn ln(x: &BigRational) -> (BigInt, BigInt) {
    assert!(x.is_positive());
    let (three_quarters, two) = (
        BigRational::new(BigInt::from(3), BigInt::from(4)),
        BigRational::from_integer(BigInt::from(2)),
    );
    let (mut m, mut halvings) = (x.clone(), 0_i64);
    while m > &three_quarters * &two {
        m /= &two;
        halvings += 1;
    }
    while m <= three_quarters {
        m *= &two;
        halvings -= 1;
    }
    let (low, high) = atanh_twice(&((&m - BigRational::one()) / (&m + BigRational::one())));
    let third = BigRational::new(BigInt::one(), BigInt::from(3));
    let (low2, high2) = atanh_twice(&third);
    let n = BigInt::from(halvings);
    if halvings >= 0 {
        (low + &n * low2, high + &n * high2)
    } else {
        (low + &n * high2, high + &n * low2)
    }
}

/// Bounds of `2 atanh z` for |z| at most 1/3: `2 (z + z^3/3 + z^5/5 + ...)`.
fn atanh_twice(z: &BigRational) -> (BigInt, BigInt) {
    // Rounded once to the scale; the error of the argument is one unit, of the sum below 4.
    let z = down(z);
    let scale = one();
    let square = &z * &z / &scale;
    let (mut power, mut sum) = (z.clone(), BigInt::zero());
    for k in 0..64_u32 {
        sum += &power / BigInt::from(2 * k + 1);
        power = &power * &square / &scale;
    }
    // 64 terms, each off by at most a few units; what was cut is below 3^-129.
    let slack = BigInt::from(1024);
    let twice = sum * 2;
    (&twice - &slack, twice + slack)
}

/// Bounds of the square root of a rational that is not negative, in 2^-192.
pub(crate) fn sqrt(x: &BigRational) -> (BigInt, BigInt) {
    let scaled = (x * BigRational::from_integer(one() * one()))
        .floor()
        .to_integer();
    let root = scaled.sqrt();
    (root.clone(), root + 1)
}

#[test]
fn bounds_hold_and_are_tight() {
    let near = |found: &BigInt, x: f64| {
        let found = BigRational::new(found.clone(), one());
        let off = (found - exact(x)).abs();
        assert!(off < exact(4e-16 * x.abs().max(1.0)), "{x}");
    };
    for payoff in [0, 1 << 32, -(1 << 32), 20 << 32, -(20 << 32), 123_456_789] {
        let x = payoff as f64 / 4_294_967_296.0;
        let bound = exp_up(payoff);
        let off = BigRational::new(bound, one()) / exact(libm::exp(x)) - BigRational::one();
        assert!(off.abs() < exact(1e-15), "{payoff}");
    }
    assert!(exp_up(0) >= one());
    for x in [1.0, 2.0, 0.1, 1e-9, 12345.678] {
        let (low, high) = ln(&exact(x));
        assert!(low < high && &high - &low < BigInt::one() << 30);
        near(&low, libm::log(x));
        near(&sqrt(&exact(x)).0, x.sqrt());
    }
    // e^ln(2) is 2, seen through both.
    let (low, _) = ln(&exact(2.0));
    let payoff: BigInt = low >> (BITS - 32);
    let bound = exp_up(i128::try_from(payoff).unwrap());
    assert!(bound < one() * 2 && bound > one() * 2 - (one() >> 30));
}
