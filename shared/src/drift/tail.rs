//! Upper tails of the laws that test statistics follow where nothing has moved. For display: a
//! verdict never rests on a p-value. Small tails keep their relative precision; what is below the
//! smallest float is zero.

#![expect(
    clippy::many_single_char_names,
    reason = "as the formulas are written in the literature"
)]

use core::f64::consts::PI;

/// Most terms of a series or a continued fraction; each converges far earlier where it is used.
const MOST: u32 = 10_000;
/// Where a series is taken as summed.
const NEGLIGIBLE: f64 = 1e-17;

/// P(X >= x) of the chi-square law: the upper regularised incomplete gamma function.
pub fn chi_square(x: f64, degrees: f64) -> f64 {
    if x.is_nan() || degrees.is_nan() || degrees <= 0.0 {
        return f64::NAN;
    }
    if x <= 0.0 {
        return 1.0;
    }
    let (shape, y) = (0.5 * degrees, 0.5 * x);
    if y.is_infinite() {
        return 0.0;
    }
    let front = libm::exp(shape * libm::log(y) - y - libm::lgamma(shape));
    if y < shape + 1.0 {
        // The power series of the lower function.
        let (mut term, mut sum, mut i) = (1.0 / shape, 1.0 / shape, 1.0);
        for _ in 0..MOST {
            term *= y / (shape + i);
            sum += term;
            i += 1.0;
            if term < sum * NEGLIGIBLE {
                break;
            }
        }
        return (1.0 - front * sum).clamp(0.0, 1.0);
    }
    (front * gamma_fraction(shape, y)).clamp(0.0, 1.0)
}

/// The continued fraction of the upper incomplete gamma function, by Lentz' method.
fn gamma_fraction(shape: f64, y: f64) -> f64 {
    let mut b = y + 1.0 - shape;
    let mut c = 1e300;
    let mut d = 1.0 / b;
    let mut h = d;
    let mut i = 1.0;
    for _ in 0..MOST {
        let a = -i * (i - shape);
        b += 2.0;
        d = 1.0 / away_from_zero(a * d + b);
        c = away_from_zero(b + a / c);
        h *= d * c;
        i += 1.0;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    h
}

/// P(|Z| >= z) of the standard normal law.
pub fn normal_two_sided(z: f64) -> f64 {
    libm::erfc(z.abs() / core::f64::consts::SQRT_2)
}

/// P(|T| >= t) of Student's law.
pub fn student_two_sided(t: f64, degrees: f64) -> f64 {
    if t.is_nan() || degrees.is_nan() || degrees <= 0.0 {
        return f64::NAN;
    }
    if t.is_infinite() {
        return 0.0;
    }
    beta(
        degrees / (degrees + t * t),
        t * t / (degrees + t * t),
        0.5 * degrees,
        0.5,
    )
}

/// P(F >= f) of Fisher's law.
pub fn fisher(f: f64, between: f64, within: f64) -> f64 {
    let degrees = between.min(within);
    if f.is_nan() || degrees.is_nan() || degrees <= 0.0 {
        return f64::NAN;
    }
    if f <= 0.0 {
        return 1.0;
    }
    let sum = within + between * f;
    beta(within / sum, between * f / sum, 0.5 * within, 0.5 * between)
}

/// The regularised incomplete beta function of x = 1 - y.
fn beta(x: f64, y: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    let front = libm::exp(
        libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b)
            + a * log_of(x, y)
            + b * log_of(y, x),
    );
    if x < (a + 1.0) / (a + b + 2.0) {
        (front * beta_fraction(x, a, b) / a).clamp(0.0, 1.0)
    } else {
        (1.0 - front * beta_fraction(y, b, a) / b).clamp(0.0, 1.0)
    }
}

/// ln x where x = 1 - y, precise on both sides.
fn log_of(x: f64, y: f64) -> f64 {
    if x > 0.5 {
        libm::log1p(-y)
    } else {
        libm::log(x)
    }
}

/// The continued fraction of the incomplete beta function, by Lentz' method.
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    let mut m = 1.0;
    for _ in 0..MOST {
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        h *= d * c;
        m += 1.0;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    h
}

const fn away_from_zero(x: f64) -> f64 {
    if x.abs() < 1e-300 { 1e-300 } else { x }
}

/// Kolmogorov's limit law: P(K >= x) for x = sqrt(ne) D.
pub fn kolmogorov(x: f64) -> f64 {
    if x.is_nan() {
        return f64::NAN;
    }
    if x <= 0.04 {
        // The other tail is below 1e-300 there.
        return 1.0;
    }
    if x < 1.0 {
        // Jacobi's transformation of the series below.
        let root = libm::sqrt(2.0 * PI) / x;
        let mut sum = 0.0;
        for k in 1..=20 {
            let odd = 2.0 * f64::from(k) - 1.0;
            sum += libm::exp(-odd * odd * PI * PI / (8.0 * x * x));
        }
        return (1.0 - root * sum).clamp(0.0, 1.0);
    }
    let (mut sum, mut sign) = (0.0, 1.0);
    for k in 1..=20 {
        let k = f64::from(k);
        sum += sign * libm::exp(-2.0 * k * k * x * x);
        sign = -sign;
    }
    (2.0 * sum).clamp(0.0, 1.0)
}

/// Kuiper's limit law: P(V >= v) for x = (sqrt(ne) + 0.155 + 0.24 / sqrt(ne)) V (Stephens 1970).
pub fn kuiper(x: f64) -> f64 {
    if x.is_nan() {
        return f64::NAN;
    }
    if x < 0.4 {
        return 1.0;
    }
    let mut sum = 0.0;
    for k in 1..=30 {
        let square = f64::from(k * k) * x * x;
        sum += (4.0 * square - 1.0) * libm::exp(-2.0 * square);
    }
    (2.0 * sum).clamp(0.0, 1.0)
}

/// The limit law of the Cramer-von Mises statistic: P(W >= x), by Smirnov's alternating series of
/// integrals over ((2j - 1) pi, 2 j pi). The inner substitution takes the roots at both ends out, so
/// that the midpoint rule converges exponentially.
pub fn cramer_von_mises(x: f64) -> f64 {
    const NODES: u32 = 64;
    if x.is_nan() {
        return f64::NAN;
    }
    if x <= 0.01 {
        // P(W < 0.01) is below 1e-5.
        return 1.0;
    }
    let (mut sum, mut sign) = (0.0, 1.0);
    for j in 1..=40 {
        let middle = (2.0 * f64::from(j) - 0.5) * PI;
        let mut part = 0.0;
        for node in 0..NODES {
            let angle = PI * (f64::from(node) + 0.5) / f64::from(NODES);
            let (sine, cosine) = libm::sincos(angle);
            // u = middle - pi/2 cos(angle); -sin(u) = cos(pi/2 cos(angle)).
            let u = middle - 0.5 * PI * cosine;
            let curve = libm::sqrt(u / libm::cos(0.5 * PI * cosine));
            part += curve * libm::exp(-0.5 * x * u * u) / u * sine;
        }
        let part = part * PI / f64::from(NODES);
        sum += sign * part;
        sign = -sign;
        if part < sum.abs() * NEGLIGIBLE {
            break;
        }
    }
    sum.clamp(0.0, 1.0)
}

/// The levels of the published critical values of Anderson and Darling's statistic.
pub(super) const LEVELS: [f64; 7] = [0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.001];

/// The level of a k-sample Anderson-Darling statistic for two samples, standardised, by a parabola
/// through the logarithms of the published critical values (Scholz and Stephens 1987, table 1):
/// within 0.001 and 0.25, and held there beyond.
pub fn anderson_darling(statistic: f64) -> f64 {
    const CRITICAL: [f64; 7] = [
        0.325,
        1.226,
        1.961,
        1.96 + 1.149 - 0.391,
        3.752,
        4.592,
        6.546,
    ];
    if statistic.is_nan() {
        return f64::NAN;
    }
    if statistic < CRITICAL[0] {
        return LEVELS[0];
    }
    if statistic > CRITICAL[6] {
        return LEVELS[6];
    }
    let [c0, c1, c2] = parabola(&CRITICAL, &LEVELS.map(libm::log));
    libm::exp(c0 + statistic * (c1 + statistic * c2))
}

/// The least-squares parabola through points, by its normal equations, centred for precision.
fn parabola(x: &[f64; 7], y: &[f64; 7]) -> [f64; 3] {
    let centre = x.iter().sum::<f64>() / 7.0;
    let moment = |power: i32| -> f64 { x.iter().map(|x| integer_power(x - centre, power)).sum() };
    let mixed = |power: i32| -> f64 {
        let pairs = x.iter().zip(y);
        pairs
            .map(|(x, y)| integer_power(x - centre, power) * y)
            .sum()
    };
    let (s0, s2, s3, s4) = (7.0, moment(2), moment(3), moment(4));
    let (t0, t1, t2) = (mixed(0), mixed(1), mixed(2));
    // The first moment is zero: eliminate the linear and the constant coefficient.
    let curvature = (t2 - s2 * t0 / s0 - s3 * t1 / s2) / (s4 - s2 * s2 / s0 - s3 * s3 / s2);
    let slope = (t1 - s3 * curvature) / s2;
    let level = (t0 - s2 * curvature) / s0;
    [
        level - slope * centre + curvature * centre * centre,
        slope - 2.0 * curvature * centre,
        curvature,
    ]
}

fn integer_power(x: f64, power: i32) -> f64 {
    (0..power).fold(1.0, |product, _| product * x)
}

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    reason = "these values are exact: equal to the bit or wrong"
)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64, tolerance: f64) {
        let distance = (found - expected).abs();
        assert!(
            distance <= tolerance * expected,
            "{found} is not {expected}"
        );
    }

    #[test]
    fn chi_square_tails_agree_with_scipy() {
        for (x, degrees, expected) in [
            (0.1, 1.0, 0.751_829_634_045_849_2),
            (3.84, 1.0, 0.050_043_521_248_705_19),
            (30.0, 9.0, 0.000_438_721_770_979_479_36),
            (1400.0, 9.0, 7.730_994_243_998_953e-296),
            (5.0, 200.0, 1.0),
            (250.0, 200.0, 0.009_379_131_668_826_098),
            (0.001, 5.0, 0.999_999_998_318_512_3),
        ] {
            near(chi_square(x, degrees), expected, 1e-10);
        }
        assert_eq!(chi_square(f64::INFINITY, 3.0), 0.0);
        assert!(chi_square(1.0, 0.0).is_nan());
    }

    #[test]
    fn kolmogorov_tails_agree_with_scipy() {
        for (x, expected) in [
            (0.3, 0.999_990_694_198_665_5),
            (0.5, 0.963_945_243_664_875_1),
            (0.8, 0.544_142_411_574_198_1),
            (1.0, 0.269_999_671_677_354_56),
            (1.36, 0.049_485_876_755_377_876),
            (3.0, 3.045_995_948_942_526e-8),
            (15.0, 7.387_766_136_974_512e-196),
        ] {
            near(kolmogorov(x), expected, 1e-12);
        }
        near(kolmogorov(1.0 - 1e-12), kolmogorov(1.0), 1e-10);
    }

    #[test]
    fn student_and_fisher_tails_agree_with_scipy() {
        for (t, degrees, expected) in [
            (0.5, 3.0, 0.651_447_964_848_151),
            (2.1, 17.3, 0.050_688_223_022_867_525),
            (8.0, 5000.0, 1.533_987_188_691_488_4e-15),
            (0.01, 1e6, 0.992_021_289_365_547_5),
        ] {
            near(student_two_sided(t, degrees), expected, 1e-9);
            near(fisher(t * t, 1.0, degrees), expected, 1e-9);
        }
        for (f, between, within, expected) in [
            (0.5, 3.0, 10.0, 0.690_622_245_533_557_7),
            (2.1, 17.0, 1000.0, 0.005_612_762_906_944_704_5),
            (8.0, 5.0, 50.0, 1.336_057_510_075_169_3e-5),
        ] {
            near(fisher(f, between, within), expected, 1e-9);
        }
    }

    #[test]
    fn cramer_von_mises_tails_agree_with_scipy() {
        for (x, expected) in [
            (0.02, 0.996_999_385_698_398_1),
            (0.05, 0.876_280_931_041_351),
            (0.1, 0.584_873_438_406_797_1),
            (0.2, 0.267_470_430_540_777_1),
            (0.461, 0.050_107_127_201_758_47),
            (0.743, 0.010_025_523_981_498_807),
            (1.16, 0.001_042_813_109_312_867_9),
        ] {
            near(cramer_von_mises(x), expected, 1e-7);
        }
    }

    #[test]
    fn kuipers_tail_has_its_published_points() {
        // Stephens 1970: 1.747 at 5 %, 2.001 at 1 %.
        near(kuiper(1.747), 0.05, 5e-3);
        near(kuiper(2.001), 0.01, 1e-2);
        assert_eq!(kuiper(0.0), 1.0);
    }

    #[test]
    fn every_tail_falls_and_stays_within_zero_and_one() {
        let tails: [fn(f64) -> f64; 6] = [
            kolmogorov,
            kuiper,
            cramer_von_mises,
            normal_two_sided,
            |x| chi_square(x, 4.0),
            |x| student_two_sided(x, 4.0),
        ];
        for tail in tails {
            let mut last = 1.0;
            for i in 0..2000 {
                let found = tail(f64::from(i) * 0.01);
                assert!((0.0..=1.0).contains(&found), "{found} at {i}");
                assert!(found <= last + 1e-9, "{found} after {last} at {i}");
                last = found;
            }
            assert!(tail(f64::NAN).is_nan());
        }
    }
}
