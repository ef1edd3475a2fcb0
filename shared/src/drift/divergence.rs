//! Divergences between the shares of cells.
//!
//! Each is a sum over cells of a function of the two shares, taken in the cells' order, so that the
//! same counts give the same bits. Where nothing has moved, with both samples drawn from one law,
//! `ne PSI`, `8 ne JS`, `8 ne H^2`, G and Pearson's statistic all follow about a chi-square law with
//! B - 1 degrees of freedom (Yurdakul and Naranjo 2020 for the first).

use super::cells::{Cells, Shares};

/// Population stability index: the sum of (q - p) ln(q / p). Infinite where one side alone is zero.
pub fn psi(shares: &Shares) -> f64 {
    sum(shares, |q, p| {
        if q == 0.0 && p == 0.0 {
            0.0
        } else {
            (q - p) * libm::log(q / p)
        }
    })
}

/// Kullback-Leibler divergence of the window from the baseline, in nats: the sum of q ln(q / p).
pub fn kullback_leibler(shares: &Shares) -> f64 {
    sum(shares, relative)
}

/// Jensen-Shannon divergence in nats: half the two divergences from the mean of both.
pub fn jensen_shannon(shares: &Shares) -> f64 {
    let divergence = sum(shares, |q, p| {
        let middle = 0.5 * (q + p);
        0.5 * relative(q, middle) + 0.5 * relative(p, middle)
    });
    divergence.max(0.0)
}

/// Jensen-Shannon distance with logarithms to base two: within 0 and 1.
pub fn jensen_shannon_distance(shares: &Shares) -> f64 {
    libm::sqrt(jensen_shannon(shares) / core::f64::consts::LN_2)
}

/// Hellinger distance: the square root of half the sum of squared differences of square roots.
pub fn hellinger(shares: &Shares) -> f64 {
    let squares = sum(shares, |q, p| {
        let difference = libm::sqrt(q) - libm::sqrt(p);
        difference * difference
    });
    libm::sqrt(0.5 * squares)
}

/// Total variation distance: half the sum of absolute differences.
pub fn total_variation(shares: &Shares) -> f64 {
    0.5 * sum(shares, |q, p| (q - p).abs())
}

/// Largest absolute difference of a cell's shares.
pub fn l_infinity(shares: &Shares) -> f64 {
    shares
        .pairs()
        .map(|(q, p)| (q - p).abs())
        .fold(0.0, f64::max)
}

/// What the total variation distance is about to be where nothing has moved: half the sum of
/// sqrt(2 p (1 - p) / (pi ne)), with the shares p of both samples together.
pub fn total_variation_by_chance(cells: &Cells) -> f64 {
    let (n, n0) = cells.totals();
    let (all, effective) = ((n as f64) + (n0 as f64), cells.effective());
    let both = cells.window().iter().zip(cells.baseline());
    let sum: f64 = both
        .map(|(c, a)| {
            let p = (*c as f64 + *a as f64) / all;
            libm::sqrt(2.0 * p * (1.0 - p) / (core::f64::consts::PI * effective))
        })
        .sum();
    0.5 * sum
}

/// A divergence of the smoothed shares with its bias under no change and its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smoothed {
    /// As it comes out of the smoothed shares.
    pub value: f64,
    /// What it is expected to be where nothing has moved.
    pub bias: f64,
    /// Standard error: delta method over both samples, and what remains where nothing has moved.
    pub std_error: f64,
}

/// The divergence's own term and its slopes in q and in p.
type Term = fn(f64, f64) -> (f64, f64, f64);

/// The population stability index. `ne PSI` is about chi-square where nothing has moved.
pub fn smoothed_psi(cells: &Cells) -> Smoothed {
    let term: Term = |q, p| {
        let log = libm::log(q / p);
        ((q - p) * log, log + 1.0 - p / q, 1.0 - q / p - log)
    };
    smoothed(cells, 1.0, term)
}

/// The index of the window's shares as counted from the baseline's smoothed law. It has no end where a
/// cell is empty: None if the law expects `supported` cases or more there. An empty cell that expects fewer counts half
/// a case, or what it expects if that is less.
pub fn counted_psi(cells: &Cells, supported: f64) -> Option<f64> {
    let (n, _) = cells.totals();
    let n = n as f64;
    let mut shares = cells.against_law();
    for (q, p) in shares.window.iter_mut().zip(&shares.baseline) {
        if *q == 0.0 {
            if n * p >= supported {
                return None;
            }
            *q = p.min(0.5 / n);
        }
    }
    Some(psi(&shares))
}

/// The chi-square distance of shares from a law: the sum of (q - p)^2 / p, where p is above zero.
pub fn chi_square(shares: &Shares) -> f64 {
    sum(shares, |q, p| (q - p) * (q - p) / p)
}

/// The Kullback-Leibler divergence of the window from the baseline; `2 ne KL` is about chi-square.
pub fn smoothed_kullback_leibler(cells: &Cells) -> Smoothed {
    let term: Term = |q, p| {
        let log = libm::log(q / p);
        (q * log, log + 1.0, -q / p)
    };
    smoothed(cells, 2.0, term)
}

/// The Jensen-Shannon divergence in nats; `8 ne JS` is about chi-square.
pub fn smoothed_jensen_shannon(cells: &Cells) -> Smoothed {
    let term: Term = |q, p| {
        let middle = 0.5 * (q + p);
        let (window, baseline) = (libm::log(q / middle), libm::log(p / middle));
        let value = 0.5 * (q * window + p * baseline);
        (value, 0.5 * window, 0.5 * baseline)
    };
    smoothed(cells, 8.0, term)
}

/// The squared Hellinger distance; `8 ne H^2` is about chi-square.
pub fn smoothed_hellinger_squared(cells: &Cells) -> Smoothed {
    let term: Term = |q, p| {
        let difference = libm::sqrt(q) - libm::sqrt(p);
        let slope = |ratio: f64| 0.5 * (1.0 - libm::sqrt(ratio));
        (0.5 * difference * difference, slope(p / q), slope(q / p))
    };
    smoothed(cells, 8.0, term)
}

/// The chi-square distance of the window from the baseline: the sum of (q - p)^2 / p. `ne` times it is
/// about chi-square.
pub fn smoothed_chi_square(cells: &Cells) -> Smoothed {
    let term: Term = |q, p| {
        let ratio = q / p;
        (
            (q - p) * (ratio - 1.0),
            2.0 * (ratio - 1.0),
            1.0 - ratio * ratio,
        )
    };
    smoothed(cells, 1.0, term)
}

/// The total variation distance as counted, with its standard error by the signs of the differences:
/// the delta method over both samples, and its mean where nothing has moved.
pub fn total_variation_error(cells: &Cells) -> f64 {
    let (n, n0) = cells.totals();
    let (mut mean, mut there) = (0.0, 0.0);
    for (q, p) in cells.plain().pairs() {
        let sign = if q > p { 1.0 } else { -1.0 };
        mean += q * sign;
        there += p * sign;
    }
    let chance = total_variation_by_chance(cells);
    let variance = 0.25 * ((1.0 - mean * mean) / n as f64 + (1.0 - there * there) / n0 as f64);
    libm::sqrt(variance.max(0.0) + chance * chance)
}

fn smoothed(cells: &Cells, per_chi_square: f64, term: Term) -> Smoothed {
    let (n, n0) = cells.totals();
    let (mut value, mut mean, mut squares) = (0.0, [0.0; 2], [0.0; 2]);
    for (q, p) in cells.smoothed().pairs() {
        let (part, slope_q, slope_p) = term(q, p);
        value += part;
        for (i, (share, slope)) in [(q, slope_q), (p, slope_p)].into_iter().enumerate() {
            mean[i] += share * slope;
            squares[i] += share * slope * slope;
        }
    }
    let spread = |i: usize, n: u64| (squares[i] - mean[i] * mean[i]).max(0.0) / n as f64;
    let degrees = cells.len() as f64 - 1.0;
    let scale = per_chi_square * cells.effective();
    let variance = spread(0, n) + spread(1, n0) + 2.0 * degrees / (scale * scale);
    Smoothed {
        value,
        bias: degrees / scale,
        std_error: libm::sqrt(variance),
    }
}

/// q ln(q / p), zero for q = 0, infinite for p = 0 below it.
fn relative(q: f64, p: f64) -> f64 {
    if q == 0.0 { 0.0 } else { q * libm::log(q / p) }
}

fn sum(shares: &Shares, of: impl Fn(f64, f64) -> f64) -> f64 {
    shares.pairs().map(|(q, p)| of(q, p)).sum()
}

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    reason = "these values are exact: equal to the bit or wrong"
)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-12,
            "{found} is not {expected}"
        );
    }

    fn example() -> Cells {
        Cells::new(
            vec![120, 90, 100, 110, 80, 0],
            vec![900, 1100, 1000, 1000, 1000, 20],
        )
        .unwrap()
    }

    #[test]
    fn divergences_agree_with_scipy() {
        // scipy 1.17: spatial.distance.jensenshannon, special.rel_entr; numpy for the others.
        let plain = example().plain();
        near(jensen_shannon(&plain), JS);
        near(jensen_shannon_distance(&plain), JS_DISTANCE);
        near(hellinger(&plain), HELLINGER);
        near(total_variation(&plain), TV);
        near(l_infinity(&plain), L_INFINITY);
        near(kullback_leibler(&example().smoothed()), KL);
        near(psi(&example().floored(1e-4)), PSI_FLOOR);
    }

    const JS: f64 = 0.005_877_180_550_308_437;
    const JS_DISTANCE: f64 = 0.092_081_372_895_602_78;
    const HELLINGER: f64 = 0.080_586_824_706_976_17;
    const TV: f64 = 0.082_310_756_972_111_56;
    const L_INFINITY: f64 = 0.060_717_131_474_103_57;
    const KL: f64 = 0.019_722_329_391_302_085;
    const PSI_FLOOR: f64 = 0.050_376_499_907_025_53;

    #[test]
    fn smoothed_values_are_those_of_the_smoothed_shares() {
        let cells = example();
        let shares = cells.smoothed();
        near(smoothed_psi(&cells).value, psi(&shares));
        near(smoothed_chi_square(&cells).value, chi_square(&shares));
        near(
            smoothed_kullback_leibler(&cells).value,
            kullback_leibler(&shares),
        );
        near(
            smoothed_jensen_shannon(&cells).value,
            jensen_shannon(&shares),
        );
        let distance = hellinger(&shares);
        near(
            smoothed_hellinger_squared(&cells).value,
            distance * distance,
        );
    }

    #[test]
    fn an_empty_cell_that_expects_cases_leaves_the_index_without_an_end() {
        let rare = Cells::new(vec![500, 0], vec![9900, 100]).unwrap();
        assert_eq!(counted_psi(&rare, 5.0), None);
        // 3.01 cases are expected of 300: it counts half a case.
        let rarer = Cells::new(vec![300, 0], vec![9900, 100]).unwrap();
        let found = counted_psi(&rarer, 5.0).unwrap();
        let (p, q) = (100.5 / 10_001.0, 0.5 / 300.0);
        let expected = (q - p) * libm::log(q / p) + p * libm::log(1.0 / (1.0 - p));
        near(found, expected);
        let none = Cells::new(vec![300, 0], vec![9900, 0]).unwrap();
        assert!(counted_psi(&none, 5.0).unwrap().abs() < 1e-8);
    }

    #[test]
    fn equal_shares_are_no_distance_at_all() {
        let cells = Cells::new(vec![2, 0, 6], vec![1, 0, 3]).unwrap();
        let shares = cells.plain();
        for distance in [
            psi,
            kullback_leibler,
            jensen_shannon,
            hellinger,
            total_variation,
            l_infinity,
        ] {
            assert_eq!(distance(&shares), 0.0);
        }
    }

    #[test]
    fn separate_cells_are_the_largest_distance() {
        let shares = Cells::new(vec![4, 0], vec![0, 9]).unwrap().plain();
        near(jensen_shannon_distance(&shares), 1.0);
        near(hellinger(&shares), 1.0);
        near(total_variation(&shares), 1.0);
        assert_eq!(kullback_leibler(&shares), f64::INFINITY);
        assert_eq!(psi(&shares), f64::INFINITY);
    }
}
