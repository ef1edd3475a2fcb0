//! How two samples of vectors differ, from their first and second moments alone.

use super::jacobi::{Eigen, Symmetric, dot};
use super::tail;

/// Share of the baseline's variance that the kept principal components explain.
const EXPLAINED: f64 = 0.65;
/// Eigenvalues below this share of the largest one count as zero: the features depend on each other.
const RANK: f64 = 1e-9;

/// A sample of vectors by its first two moments.
#[derive(Clone, Debug, PartialEq)]
pub struct JointMoments {
    /// Cases.
    pub n: u64,
    /// Mean by dimension.
    pub mean: Vec<f64>,
    /// Covariance with divisor n.
    pub covariance: Symmetric,
}

/// The distance of the means in the measure of the pooled covariance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mahalanobis {
    /// The distance.
    pub distance: f64,
    /// The area under the ROC curve of the best linear classifier that tells the two samples apart,
    /// were both normal with that covariance.
    pub auc: f64,
    /// Hotelling's statistic.
    pub hotelling: f64,
    /// Its p-value; None with too few cases for the dimensions.
    pub p_value: Option<f64>,
}

/// The pair of dimensions whose correlation has changed most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CorrelationChange {
    /// The two dimensions.
    pub pair: (usize, usize),
    /// The change of the correlation coefficient.
    pub change: f64,
    /// The change on Fisher's scale, in standard errors.
    pub z: f64,
    /// For the largest of all pairs, after Bonferroni.
    pub p_value: f64,
}

/// Mean squared errors of reconstruction from the baseline's leading principal components.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reconstruction {
    /// How many components are kept.
    pub components: usize,
    /// The window's error.
    pub window: f64,
    /// The baseline's own error.
    pub baseline: f64,
}

/// The squared Fréchet distance of the two normal laws with these moments (Dowson and Landau 1982).
pub fn frechet(window: &JointMoments, baseline: &JointMoments) -> f64 {
    let root = baseline.covariance.root();
    let middle = root.around(&window.covariance).eigen();
    let roots: f64 = middle.values.iter().map(|v| libm::sqrt(v.max(0.0))).sum();
    let traces = window.covariance.trace() + baseline.covariance.trace();
    let shift = shift(window, baseline);
    (dot(&shift, &shift) + traces - 2.0 * roots).max(0.0)
}

/// What is lost if cases are described by the baseline's mean and its leading principal components,
/// as many as explain 65 % of its variance.
pub fn reconstruction(window: &JointMoments, baseline: &JointMoments) -> Reconstruction {
    let Eigen { values, vectors } = baseline.covariance.eigen();
    let total: f64 = values.iter().map(|v| v.max(0.0)).sum();
    let (mut components, mut explained) = (0, 0.0);
    while components < values.len() && explained < EXPLAINED * total {
        explained += values[components].max(0.0);
        components += 1;
    }
    let shift = shift(window, baseline);
    let kept: f64 = vectors[..components]
        .iter()
        .map(|vector| {
            let along = dot(vector, &shift);
            dot(vector, &window.covariance.times(vector)) + along * along
        })
        .sum();
    let all = window.covariance.trace() + dot(&shift, &shift);
    Reconstruction {
        components,
        window: (all - kept).max(0.0),
        baseline: (baseline.covariance.trace() - explained).max(0.0),
    }
}

/// The distance of the means, and what a linear classifier makes of it. None with fewer than three
/// cases together, or if nothing varies.
pub fn mahalanobis(window: &JointMoments, baseline: &JointMoments) -> Option<Mahalanobis> {
    let (n, n0) = (window.n as f64, baseline.n as f64);
    if window.n == 0 || baseline.n == 0 || n + n0 < 3.0 {
        return None;
    }
    let pooled = Symmetric::new(baseline.covariance.size(), |i, j| {
        (n * window.covariance.at(i, j) + n0 * baseline.covariance.at(i, j)) / (n + n0 - 2.0)
    });
    let Eigen { values, vectors } = pooled.eigen();
    let least = RANK * values.first().copied().filter(|largest| *largest > 0.0)?;
    let shift = shift(window, baseline);
    let parts = values
        .iter()
        .zip(&vectors)
        .filter(|(value, _)| **value > least);
    let (mut square, mut rank) = (0.0, 0.0);
    for (value, vector) in parts {
        let along = dot(vector, &shift);
        square += along * along / value;
        rank += 1.0;
    }
    let hotelling = n * n0 / (n + n0) * square;
    let degrees = n + n0 - rank - 1.0;
    let f = degrees / ((n + n0 - 2.0) * rank) * hotelling;
    let distance = libm::sqrt(square);
    Some(Mahalanobis {
        distance,
        // The normal law's distribution function at half the distance times the root of two.
        auc: 0.5 * libm::erfc(-0.5 * distance),
        hotelling,
        p_value: (degrees > 0.0).then(|| tail::fisher(f, rank, degrees)),
    })
}

/// The largest change of a correlation between two dimensions. None with fewer than four cases on a
/// side, or if no pair varies on both.
pub fn correlation_change(
    window: &JointMoments,
    baseline: &JointMoments,
) -> Option<CorrelationChange> {
    if window.n < 4 || baseline.n < 4 {
        return None;
    }
    let error = libm::sqrt(1.0 / (window.n - 3) as f64 + 1.0 / (baseline.n - 3) as f64);
    let (mut most, mut pairs): (Option<CorrelationChange>, u32) = (None, 0);
    for i in 0..baseline.mean.len() {
        for j in i + 1..baseline.mean.len() {
            let both = correlation(window, i, j).zip(correlation(baseline, i, j));
            let Some((here, there)) = both else { continue };
            pairs += 1;
            let z = (libm::atanh(here) - libm::atanh(there)).abs() / error;
            if most.is_none_or(|most| z > most.z) {
                most = Some(CorrelationChange {
                    pair: (i, j),
                    change: here - there,
                    z,
                    p_value: 1.0,
                });
            }
        }
    }
    most.map(|most| CorrelationChange {
        p_value: (f64::from(pairs) * tail::normal_two_sided(most.z)).min(1.0),
        ..most
    })
}

/// A correlation drawn so little away from its ends that Fisher's scale stays finite.
fn correlation(of: &JointMoments, i: usize, j: usize) -> Option<f64> {
    const MOST: f64 = 1.0 - 1e-12;
    let product = of.covariance.at(i, i) * of.covariance.at(j, j);
    (product > 0.0).then(|| (of.covariance.at(i, j) / libm::sqrt(product)).clamp(-MOST, MOST))
}

/// The cosine of the angle between two vectors. None if one has no length.
pub fn cosine(a: &[f64], b: &[f64]) -> Option<f64> {
    let lengths = libm::sqrt(dot(a, a)) * libm::sqrt(dot(b, b));
    (lengths > 0.0 && lengths.is_finite()).then(|| (dot(a, b) / lengths).clamp(-1.0, 1.0))
}

/// The squared maximum mean discrepancy from the means of unit-length random features (Rahimi and
/// Recht 2007), without bias: around zero where nothing has moved, and sometimes below. None with
/// fewer than two cases on a side.
pub fn mean_discrepancy(window: (&[f64], u64), baseline: (&[f64], u64)) -> Option<f64> {
    let ((here, n), (there, n0)) = (window, baseline);
    if n < 2 || n0 < 2 || here.len() != there.len() {
        return None;
    }
    let squares = |features: &[f64]| dot(features, features);
    let distance: f64 = here.iter().zip(there).map(|(a, b)| (a - b) * (a - b)).sum();
    let excess = |features: &[f64], n: u64| (1.0 - squares(features)) / (n - 1) as f64;
    Some(distance - excess(here, n) - excess(there, n0))
}

fn shift(window: &JointMoments, baseline: &JointMoments) -> Vec<f64> {
    let means = window.mean.iter().zip(&baseline.mean);
    means.map(|(here, there)| here - there).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(n: u64, mean: [f64; 3], c: [f64; 6]) -> JointMoments {
        let index = [[0, 1, 2], [1, 3, 4], [2, 4, 5]];
        JointMoments {
            n,
            mean: mean.to_vec(),
            covariance: Symmetric::new(3, |i, j| c[index[i][j]]),
        }
    }

    fn window() -> JointMoments {
        moments(200, [0.3, -0.1, 0.2], [1.2, 0.4, -0.2, 0.9, 0.1, 1.5])
    }

    fn baseline() -> JointMoments {
        moments(1000, [0.0, 0.0, 0.0], [1.0, 0.2, 0.1, 1.0, 0.3, 1.0])
    }

    fn near(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-9 * (1.0 + expected.abs()),
            "{found} is not {expected}"
        );
    }

    #[test]
    fn distances_agree_with_numpy_and_scipy() {
        near(frechet(&window(), &baseline()), 0.279_469_630_316_539_7);
        let found = reconstruction(&window(), &baseline());
        assert_eq!(found.components, 2);
        near(found.window, 0.903_766_656_771_087_4);
        near(found.baseline, 0.679_808_822_332_129_5);
        let found = mahalanobis(&window(), &baseline()).unwrap();
        near(found.distance, 0.412_396_688_706_839_5);
        near(found.auc, 0.614_707_010_276_358_4);
        near(found.hotelling, 28.345_171_476_060_973);
        near(found.p_value.unwrap(), 3.667_428_083_960_903e-6);
        let found = correlation_change(&window(), &baseline()).unwrap();
        assert_eq!(found.pair, (0, 2));
        near(found.z, 3.213_149_105_663_064);
        near(found.p_value, 0.003_938_643_371_558_029_5);
    }

    #[test]
    fn a_sample_does_not_differ_from_itself() {
        let same = baseline();
        assert!(frechet(&same, &same) < 1e-12);
        near(mahalanobis(&same, &same).unwrap().auc, 0.5);
        near(mahalanobis(&same, &same).unwrap().p_value.unwrap(), 1.0);
        near(correlation_change(&same, &same).unwrap().p_value, 1.0);
        let found = reconstruction(&same, &same);
        near(found.window, found.baseline);
    }

    #[test]
    fn dependent_and_constant_dimensions_are_left_out() {
        let flat = moments(100, [0.0; 3], [1.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
        let moved = moments(100, [1.0, 1.0, 0.0], [1.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
        let found = mahalanobis(&moved, &flat).unwrap();
        assert!(found.distance.is_finite() && found.distance > 0.9);
        let nothing = moments(100, [0.0; 3], [0.0; 6]);
        assert_eq!(mahalanobis(&nothing, &nothing), None);
        assert_eq!(correlation_change(&nothing, &nothing), None);
    }

    #[test]
    fn the_discrepancy_of_means_has_its_bias_removed() {
        let (here, there) = ([0.6, 0.2], [0.5, 0.3]);
        near(
            mean_discrepancy((&here, 11), (&there, 101)).unwrap(),
            0.02 - (1.0 - 0.4) / 10.0 - (1.0 - 0.34) / 100.0,
        );
        assert_eq!(mean_discrepancy((&here, 1), (&there, 9)), None);
    }
}
