//! Intervals of one window's value, at 95 %. For display: verdicts rest on ledgers and confidence
//! sequences, which may be looked at again and again; these may not.

/// 97.5 % point of the normal law.
pub(crate) const Z: f64 = 1.959_963_984_540_054;
/// 95 % point of the chi-square law with one degree of freedom: the square of [`Z`].
const Z2: f64 = 3.841_458_820_694_124;
/// Halvings when an end is searched.
const HALVINGS: u32 = 80;

/// Wilson's score interval of a share. Nothing without cases.
pub fn wilson(hits: u64, of: u64) -> Option<(f64, f64)> {
    if of == 0 {
        return None;
    }
    let n = of as f64;
    let p = hits.min(of) as f64 / n;
    let centre = p + Z2 / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z2 / n;
    let low = if hits == 0 {
        0.0
    } else {
        (centre - half) / scale
    };
    let high = if hits >= of {
        1.0
    } else {
        (centre + half) / scale
    };
    Some((low.max(0.0), high.min(1.0)))
}

/// Newcombe's hybrid score interval of a difference of shares, compared minus reference (Newcombe
/// 1998, method 10): Wilson's limits of each share, put together. Nothing if a group has no cases.
pub fn newcombe(reference: (u64, u64), compared: (u64, u64)) -> Option<(f64, f64)> {
    let share = |(hits, of): (u64, u64)| hits.min(of) as f64 / of as f64;
    let (l1, u1) = wilson(compared.0, compared.1)?;
    let (l2, u2) = wilson(reference.0, reference.1)?;
    let (p1, p2) = (share(compared), share(reference));
    let root = |a: f64, b: f64| (a * a + b * b).sqrt();
    let low = p1 - p2 - root(p1 - l1, u2 - p2);
    let high = p1 - p2 + root(u1 - p1, p2 - l2);
    Some((low.max(-1.0), high.min(1.0)))
}

/// Koopman's score interval of a ratio of shares, compared over reference (Koopman 1984), by
/// bisection. Nothing if the reference group has no hit or a group has no cases.
pub fn koopman(reference: (u64, u64), compared: (u64, u64)) -> Option<(f64, f64)> {
    if reference.0 == 0 || reference.1 == 0 || compared.1 == 0 {
        return None;
    }
    let inside = |ratio: f64| koopman_statistic(ratio, reference, compared) <= Z2;
    let share = |(hits, of): (u64, u64)| hits as f64 / of as f64;
    let estimate = share(compared) / share(reference);
    let low = if compared.0 == 0 {
        0.0
    } else {
        let mut outside = estimate;
        while inside(outside) && outside > 1e-300 {
            outside *= 0.5;
        }
        boundary(outside, estimate, inside)
    };
    let mut outside = estimate.max(1.0 / reference.1 as f64);
    while inside(outside) && outside < 1e300 {
        outside *= 2.0;
    }
    Some((low, boundary(outside, estimate, inside)))
}

/// Between a value outside and one inside, where the one becomes the other; from outside.
fn boundary(mut outside: f64, mut within: f64, inside: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = 0.5 * (outside + within);
        if inside(middle) {
            within = middle;
        } else {
            outside = middle;
        }
    }
    outside
}

/// Koopman's score statistic of a hypothetical ratio.
fn koopman_statistic(ratio: f64, reference: (u64, u64), compared: (u64, u64)) -> f64 {
    let (y, n) = (reference.0 as f64, reference.1 as f64);
    let (x, m) = (compared.0 as f64, compared.1 as f64);
    // The compared share that is most likely under the ratio: the smaller root, in its stable form.
    let linear = ratio * (m + y) + x + n;
    let product = ratio * (m + n) * (x + y);
    let root = (linear * linear - 4.0 * product).max(0.0).sqrt();
    let share = 2.0 * ratio * (x + y) / (linear + root);
    score(x, m, share) + score(y, n, share / ratio)
}

/// The squared distance of hits from what a share lets expect, in variances.
fn score(hits: f64, of: f64, share: f64) -> f64 {
    let distance = hits - of * share;
    let variance = of * share * (1.0 - share);
    if variance > 0.0 {
        distance * distance / variance
    } else if distance.abs() < 1e-9 {
        0.0
    } else {
        f64::INFINITY
    }
}

/// An interval of a number within 0 to 1 from its standard error, on the logit scale. `centre` is
/// the value drawn away from 0 and 1, where the scale ends; an estimate at an end keeps it.
pub fn logit(value: f64, centre: f64, std_error: f64) -> (f64, f64) {
    let odds = libm::log(centre / (1.0 - centre));
    let half = Z * std_error / (centre * (1.0 - centre));
    let back = |x: f64| 1.0 / (1.0 + libm::exp(-x));
    (back(odds - half).min(value), back(odds + half).max(value))
}

/// The noncentralities at which an observed noncentral chi-square value lies at the 97.5 % and the
/// 2.5 % point. Up to [`EXACT_UP_TO`] from the series; beyond it by Sankaran's normal approximation.
pub fn noncentrality(observed: f64, degrees: f64) -> (f64, f64) {
    let observed = observed.max(0.0);
    if observed == 0.0 {
        return (0.0, 0.0);
    }
    let at = |point| noncentrality_at(observed, degrees, point);
    (at(0.975), at(0.025))
}

/// The noncentrality at which an observed value above 0 has this distribution function; 0 if there is
/// none. Newton's method from Sankaran's approximation, within a bracket.
fn noncentrality_at(observed: f64, degrees: f64, point: f64) -> f64 {
    let rough = zero_of(1e-4, |nc| sankaran(observed, degrees, nc) - point);
    if observed.max(rough) > 0.9 * EXACT_UP_TO {
        return zero_of(1e-12, |nc| noncentral_chi2(observed, degrees, nc) - point);
    }
    let starts_below = || noncentral_chi2(observed, degrees, 0.0) <= point;
    let (mut low, mut high, mut at) = (0.0, f64::INFINITY, rough.max(0.5));
    let mut looked = false;
    for _ in 0..HALVINGS {
        let (value, slope) = series(observed, degrees, at);
        let found = value - point;
        if found > 0.0 {
            low = at;
        } else {
            high = at;
        }
        let next = at - found / slope;
        if next > low && next < high {
            let step = (next - at).abs();
            at = next;
            // The next step would be about as much smaller as this one is small.
            if step <= 1e-7 * at {
                break;
            }
        } else if high.is_infinite() {
            at = 2.0 * at + 1.0;
        } else {
            if low == 0.0 && !looked && starts_below() {
                return 0.0;
            }
            looked = true;
            at = 0.5 * (low + high);
            if high - low <= 1e-12 * high {
                break;
            }
        }
    }
    at
}

/// Where a function that falls from 0 to infinity passes zero, to so much of it; 0 if it starts below.
fn zero_of(exact: f64, falling: impl Fn(f64) -> f64) -> f64 {
    if falling(0.0) <= 0.0 {
        return 0.0;
    }
    let mut high = 1.0;
    while falling(high) > 0.0 && high < 1e15 {
        high *= 2.0;
    }
    // Chords with the Illinois rule: an end that stays twice in a row counts half, so that both ends
    // move. Ten steps are usual; the halvings are for whatever is not.
    let (mut low, mut above, mut below) = (0.0, falling(0.0), falling(high));
    let mut side = 0_i32;
    for step in 0..HALVINGS {
        if high - low <= exact * high {
            break;
        }
        let chord = (low * below - high * above) / (below - above);
        let inside = step % 8 != 7 && chord > low && chord < high;
        let middle = if inside { chord } else { 0.5 * (low + high) };
        let found = falling(middle);
        if found == 0.0 {
            return middle;
        }
        if found > 0.0 {
            (low, above) = (middle, found);
            if side > 0 {
                below *= 0.5;
            }
            side = 1;
        } else {
            (high, below) = (middle, found);
            if side < 0 {
                above *= 0.5;
            }
            side = -1;
        }
        if found.abs() < 1e-14 {
            return middle;
        }
    }
    0.5 * (low + high)
}

/// Largest value and noncentrality for which the series is summed.
pub const EXACT_UP_TO: f64 = 4000.0;

/// Below this, densities are computed by themselves.
const TINY: f64 = 1e-280;

/// The noncentral chi-square law's distribution function.
pub fn noncentral_chi2(x: f64, degrees: f64, noncentrality: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x > EXACT_UP_TO || noncentrality > EXACT_UP_TO {
        return sankaran(x, degrees, noncentrality);
    }
    series(x, degrees, noncentrality).0
}

/// The distribution function by its series, and its derivative by the noncentrality: half of what the
/// function of two more degrees is larger.
fn series(x: f64, degrees: f64, noncentrality: f64) -> (f64, f64) {
    // A mixture over j (Poisson with mean noncentrality / 2) of central laws with degrees + 2j,
    // whose distribution functions P(degrees/2 + j, x/2) follow from each other downwards, adding
    // positive terms only.
    let (mean, y) = (noncentrality / 2.0, x / 2.0);
    let last = (mean.max(y) + 9.0 * mean.max(y).sqrt() + 30.0).floor();
    let first = (mean - 9.0 * mean.sqrt() - 30.0).max(0.0);
    let mut shape = degrees / 2.0 + last;
    let mut central = regularised_gamma(shape, y);
    // Densities follow from each other, too; far out, where they are no numbers yet, they are
    // computed by themselves.
    let density = |shape: f64| libm::exp(shape * libm::log(y) - y - libm::lgamma(shape + 1.0));
    let (mut j, mut weight, mut step) = (last, poisson(last, mean), 0.0);
    let mut sum = weight * central;
    // Sum of the weights times how much less the next law's function is.
    let mut falls = weight * density(shape);
    while j > first {
        weight = if weight > TINY {
            weight * j / mean
        } else {
            poisson(j - 1.0, mean)
        };
        j -= 1.0;
        shape -= 1.0;
        step = if step > TINY {
            step * (shape + 1.0) / y
        } else {
            density(shape)
        };
        central += step;
        sum += weight * central.min(1.0);
        falls += weight * step;
    }
    (sum.clamp(0.0, 1.0), -0.5 * falls)
}

fn poisson(j: f64, mean: f64) -> f64 {
    if mean <= 0.0 {
        return if j == 0.0 { 1.0 } else { 0.0 };
    }
    libm::exp(j * libm::log(mean) - mean - libm::lgamma(j + 1.0))
}

/// P(shape, y) by its power series; meant for a shape above y, where it converges fast.
fn regularised_gamma(shape: f64, y: f64) -> f64 {
    let mut term = libm::exp(shape * libm::log(y) - y - libm::lgamma(shape + 1.0));
    let mut sum = term;
    let mut i = 1.0;
    while term > sum * 1e-17 && i < 10_000.0 {
        term *= y / (shape + i);
        sum += term;
        i += 1.0;
    }
    sum
}

/// Sankaran's normal approximation (1959) of the noncentral chi-square law.
fn sankaran(x: f64, degrees: f64, noncentrality: f64) -> f64 {
    let sum = degrees + noncentrality;
    let twice = degrees + 2.0 * noncentrality;
    let power = 1.0 - 2.0 * sum * (degrees + 3.0 * noncentrality) / (3.0 * twice * twice);
    let scale = twice / (sum * sum);
    let skew = (power - 1.0) * (1.0 - 3.0 * power);
    let mean = 1.0 + power * scale * (power - 1.0 - 0.5 * (2.0 - power) * skew * scale);
    let deviation = power * (2.0 * scale).sqrt() * (1.0 + 0.5 * skew * scale);
    let z = (libm::pow(x / sum, power) - mean) / deviation;
    0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
}

/// The chance that a standard normal value is at most `z`.
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
}

/// The value that a standard normal one stays below with chance `p`, to about 1e-15: a rational
/// guess (Abramowitz and Stegun, 26.2.23), then Halley's method on the error function. Infinite at 0
/// and 1.
pub fn normal_quantile(p: f64) -> f64 {
    if !(p > 0.0 && p < 1.0) {
        return if p <= 0.0 {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        };
    }
    let tail = p.min(1.0 - p);
    let t = (-2.0 * libm::log(tail)).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    // Of the lower tail, where the error function keeps its digits.
    let mut z = above / below - t;
    for _ in 0..2 {
        let density = libm::exp(-0.5 * z * z) / (2.0 * std::f64::consts::PI).sqrt();
        let step = (normal_cdf(z) - tail) / density;
        z -= step / (1.0 + 0.5 * z * step);
    }
    if p <= 0.5 { z } else { -z }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64, tolerance: f64) {
        assert!(
            (found - expected).abs() <= tolerance,
            "{found} is not {expected}"
        );
    }

    #[test]
    fn wilson_gives_the_published_intervals() {
        // Newcombe 1998, table I, method 3.
        for ((hits, of), (low, high)) in [
            ((81, 263), (0.2553, 0.3662)),
            ((15, 148), (0.0624, 0.1605)),
            ((0, 20), (0.0, 0.1611)),
            ((1, 29), (0.0061, 0.1718)),
        ] {
            let found = wilson(hits, of).unwrap();
            near(found.0, low, 5e-5);
            near(found.1, high, 5e-5);
        }
        assert_eq!(wilson(0, 0), None);
        near(wilson(20, 20).unwrap().1, 1.0, 0.0);
    }

    #[test]
    fn newcombe_gives_the_published_intervals() {
        // Newcombe 1998 (differences), table II, method 10.
        for ((compared, reference), (low, high)) in [
            (((56, 70), (48, 80)), (0.0524, 0.3339)),
            (((9, 10), (3, 10)), (0.1705, 0.8090)),
            (((10, 10), (0, 20)), (0.6791, 1.0)),
            (((10, 10), (0, 10)), (0.6075, 1.0)),
            (((0, 10), (0, 10)), (-0.2775, 0.2775)),
        ] {
            let found = newcombe(reference, compared).unwrap();
            near(found.0, low, 5e-5);
            near(found.1, high, 5e-5);
        }
        assert_eq!(newcombe((0, 0), (1, 2)), None);
        assert_eq!(newcombe((1, 2), (0, 0)), None);
    }

    #[test]
    fn koopman_ends_lie_on_its_statistic_and_around_the_ratio() {
        for (reference, compared) in [
            ((36, 40), (16, 80)),
            ((68, 170), (9, 30)),
            ((5, 10), (0, 10)),
            ((10, 10), (10, 10)),
            ((1, 1000), (999, 1000)),
        ] {
            let (low, high) = koopman(reference, compared).unwrap();
            let ratio =
                (compared.0 as f64 / compared.1 as f64) / (reference.0 as f64 / reference.1 as f64);
            assert!(low <= ratio && ratio <= high, "{low} {ratio} {high}");
            if low > 0.0 {
                near(koopman_statistic(low, reference, compared), Z2, 1e-6);
            }
            near(koopman_statistic(high, reference, compared), Z2, 1e-6);
        }
        assert_eq!(koopman((0, 10), (3, 10)), None);
        // scipy, score statistic at the constrained maximum found numerically.
        let (low, high) = koopman((40, 80), (16, 40)).unwrap();
        near(low, 0.503_137_65, 1e-6);
        near(high, 1.205_344_47, 1e-6);
        let (low, high) = koopman((68, 170), (9, 30)).unwrap();
        near(low, 0.406_311_60, 1e-6);
        near(high, 1.250_005_25, 1e-6);
    }

    #[test]
    fn koopman_turned_round_is_its_reciprocal() {
        let (low, high) = koopman((30, 100), (20, 100)).unwrap();
        let (back_low, back_high) = koopman((20, 100), (30, 100)).unwrap();
        near(low * back_high, 1.0, 1e-9);
        near(high * back_low, 1.0, 1e-9);
    }

    #[test]
    fn the_noncentral_chi_square_law_agrees_with_scipy() {
        // scipy 1.17, stats.ncx2.cdf (stats.chi2.cdf where the noncentrality is 0).
        for ((x, k, nc), expected) in [
            ((5.0, 9.0, 2.0), 0.091_358_680_283_895_5),
            ((20.0, 9.0, 2.0), 0.942_941_734_192_414_6),
            ((60.0, 9.0, 40.0), 0.802_198_488_072_173_4),
            ((150.0, 10.0, 120.0), 0.817_079_416_046_583_3),
            ((0.5, 4.0, 0.1), 0.025_309_611_323_693_7),
            ((900.0, 9.0, 1000.0), 0.039_830_821_130_442_5),
            ((3500.0, 9.0, 3400.0), 0.783_236_983_705_530_2),
            ((30.0, 9.0, 0.0), 0.999_561_278_229_020_5),
        ] {
            near(noncentral_chi2(x, k, nc), expected, 1e-9);
        }
        // Beyond the series: Sankaran's approximation.
        near(
            noncentral_chi2(5000.0, 9.0, 5100.0),
            0.223_658_079_017_031_9,
            1e-5,
        );
        near(
            noncentral_chi2(2e6, 9.0, 1.999e6),
            0.637_119_102_669_530_4,
            1e-5,
        );
    }

    #[test]
    fn noncentralities_agree_with_root_finding_on_scipy() {
        for ((x, k), (low, high)) in [
            ((50.0, 9.0), (19.351_819_06, 72.499_408_96)),
            ((9.0, 9.0), (0.0, 14.101_910_28)),
            ((200.0, 10.0), (140.055_965_38, 249.670_769_31)),
            ((2.0, 9.0), (0.0, 0.0)),
            ((3000.0, 10.0), (2_780.300_698_28, 3_209.385_065_98)),
        ] {
            let found = noncentrality(x, k);
            near(found.0, low, 1e-6);
            near(found.1, high, 1e-6);
        }
    }

    #[test]
    fn the_normal_quantile_inverts_the_law_to_the_last_digits() {
        // scipy.stats.norm.ppf.
        for (p, z) in [
            (0.975, 1.959_963_984_540_054),
            (0.05, -1.644_853_626_951_472_7),
            (0.5, 0.0),
            (1e-10, -6.361_340_902_404_056),
            (0.999, 3.090_232_306_167_813),
        ] {
            let found = normal_quantile(p);
            assert!(
                (found - z).abs() <= 1e-13 * z.abs().max(1.0),
                "{p}: {found}"
            );
        }
        assert!(normal_quantile(0.0).is_infinite() && normal_quantile(1.0).is_infinite());
    }
}
