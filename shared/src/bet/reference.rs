//! How far a baseline's counts may lie from the law that they were drawn from.
//!
//! For distances that obey the triangle inequality a law within `level` of the drawn one is within
//! `level + e` of the counts' smoothed law, where e is exceeded with a small chance only. For cells it
//! comes from the relative entropy of the counts' shares, which exceeds x with a chance of at most
//! `exp(-n x) (e n x / (B - 1))^(B - 1)` (Agrawal 2020); for distribution functions from the inequality
//! of Dvoretzky, Kiefer and Wolfowitz with Massart's constant.

use super::cells::smoothed;
use super::divergence::Divergence;

/// Halvings when the entropy is searched.
const HALVINGS: u32 = 80;

/// How far the smoothed law of these counts may lie from the one they were drawn from, on the scale
/// of levels (roots of squared measures), but for a chance of `error`. Nothing for measures that obey
/// no triangle inequality, for which no such figure is known, or without rows.
pub fn widening(measure: Divergence, counts: &[u64], error: f64) -> Option<f64> {
    let rows = counts.iter().fold(0_u64, |sum, c| sum.saturating_add(*c));
    if rows == 0 || counts.len() < 2 {
        return None;
    }
    let entropy = || entropy(rows as f64, counts.len() as f64 - 1.0, error);
    let drawn = match measure {
        Divergence::KolmogorovSmirnov => (libm::log(2.0 / error) / (2.0 * rows as f64)).sqrt(),
        // Pinsker's inequality; and the squared Hellinger distance is at most half the entropy.
        Divergence::TotalVariation | Divergence::Hellinger => (0.5 * entropy()).sqrt(),
        // At most twice the squared Hellinger distance, to base two.
        Divergence::JensenShannon => entropy().sqrt(),
        Divergence::Psi
        | Divergence::KullbackLeibler
        | Divergence::ChiSquare
        | Divergence::Wasserstein => return None,
    };
    let shares: Vec<f64> = counts.iter().map(|c| *c as f64 / rows as f64).collect();
    let between = measure.between(&shares, &smoothed(counts), &[]);
    let smoothing = match measure {
        Divergence::Hellinger => between.max(0.0).sqrt(),
        Divergence::JensenShannon => (between.max(0.0) / core::f64::consts::LN_2).sqrt(),
        Divergence::KolmogorovSmirnov
        | Divergence::TotalVariation
        | Divergence::Psi
        | Divergence::KullbackLeibler
        | Divergence::ChiSquare
        | Divergence::Wasserstein => between,
    };
    Some(drawn + smoothing)
}

/// The x at which `exp(-n x) (e n x / d)^d` has fallen to `error`.
fn entropy(rows: f64, degrees: f64, error: f64) -> f64 {
    let log = |x: f64| {
        let nx = rows * x;
        degrees * (1.0 + libm::log(nx / degrees)) - nx
    };
    // It is 1 at d / n and falls from there on.
    let mut low = degrees / rows;
    let mut high = low;
    while log(high) > libm::log(error) {
        high *= 2.0;
    }
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if log(middle) > libm::log(error) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_law_are_rarely_farther_from_it() {
        let law = [0.3, 0.25, 0.2, 0.15, 0.08, 0.02];
        let mut state = 3_u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / 9_007_199_254_740_992.0
        };
        let (runs, error) = (400, 0.05);
        for (measure, root) in [
            (Divergence::TotalVariation, 1.0),
            (Divergence::KolmogorovSmirnov, 1.0),
            (Divergence::Hellinger, 0.5),
            (Divergence::JensenShannon, 0.5),
        ] {
            let mut missed = 0;
            for _ in 0..runs {
                let mut counts = [0_u64; 6];
                for _ in 0..500 {
                    let (u, mut below) = (uniform(), 0.0);
                    let at = law.iter().position(|q| {
                        below += q;
                        u < below
                    });
                    counts[at.unwrap_or(5)] += 1;
                }
                let raw = measure.between(&smoothed(&counts), &law, &[]).max(0.0);
                let unit = if measure == Divergence::JensenShannon {
                    core::f64::consts::LN_2
                } else {
                    1.0
                };
                let distance = libm::pow(raw / unit, root);
                missed += u32::from(distance > widening(measure, &counts, error).unwrap());
            }
            assert!(
                f64::from(missed) <= error * f64::from(runs),
                "{measure:?} {missed}"
            );
        }
    }

    #[test]
    fn more_rows_leave_less_open_and_measures_without_triangles_have_none() {
        let few = widening(Divergence::Hellinger, &[50, 50], 0.01).unwrap();
        let many = widening(Divergence::Hellinger, &[50_000, 50_000], 0.01).unwrap();
        assert!(many < few / 20.0, "{few} {many}");
        assert_eq!(widening(Divergence::Psi, &[50, 50], 0.01), None);
        assert_eq!(widening(Divergence::TotalVariation, &[0, 0], 0.01), None);
    }
}
