//! Shares of small groups, drawn towards those of their siblings, for ranking and display only:
//! verdicts rest on the counts themselves.

use statrs::distribution::{Beta, ContinuousCDF};

use super::Counts;
use super::table::share;

/// A share drawn towards those of sibling groups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shrunk {
    /// Mean of the share after the group's own cases.
    pub mean: f64,
    /// What holds 90 % of the belief, 5 % on either side.
    pub interval: (f64, f64),
}

/// Least and most weight of the siblings, in cases: the moments of few or of equal groups would give
/// a weight without bound, or a negative one.
const WEIGHT: (f64, f64) = (1.0, 1e6);

/// The siblings' mean stays this far from 0 and 1.
const EDGE: f64 = 1e-9;

/// Each group's share under a beta law fitted to all groups by moments: mean and variance of the
/// groups' shares, their sampling variance taken off (Morris 1983, method of moments; ours weighs
/// groups alike). A group without cases has the siblings' mean. Nothing if no group has a case.
pub fn shrink(groups: &[Counts]) -> Option<Vec<Shrunk>> {
    let shares: Vec<(f64, f64)> = groups
        .iter()
        .filter_map(|counts| share(*counts).map(|share| (share, counts.1 as f64)))
        .collect();
    if shares.is_empty() {
        return None;
    }
    let n = shares.len() as f64;
    let (hits, of) = groups.iter().fold((0.0, 0.0), |sum, (hits, of)| {
        (sum.0 + *hits.min(of) as f64, sum.1 + *of as f64)
    });
    // Drawn away from 0 and 1, where a beta law ends.
    let mean = ((hits + 0.5) / (of + 1.0)).clamp(EDGE, 1.0 - EDGE);
    let spread = mean * (1.0 - mean);
    let squares: f64 = shares.iter().map(|(s, _)| (s - mean) * (s - mean)).sum();
    let sampling: f64 = shares.iter().map(|(_, of)| spread / of).sum::<f64>() / n;
    let between = squares / (n - 1.0).max(1.0) - sampling;
    let weight = if between > 0.0 {
        (spread / between - 1.0).clamp(WEIGHT.0, WEIGHT.1)
    } else {
        WEIGHT.1
    };
    let (a, b) = (weight * mean, weight * (1.0 - mean));
    groups
        .iter()
        .map(|counts| posterior(*counts, a, b))
        .collect()
}

fn posterior((hits, of): Counts, a: f64, b: f64) -> Option<Shrunk> {
    let hits = hits.min(of);
    let (a, b) = (a + hits as f64, b + (of - hits) as f64);
    let law = Beta::new(a, b).ok()?;
    Some(Shrunk {
        mean: a / (a + b),
        interval: (quantile(&law, 0.05), quantile(&law, 0.95)),
    })
}

/// Where a beta law has this much below it, by halving.
fn quantile(law: &Beta, level: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if law.cdf(middle) < level {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_groups_are_drawn_further_than_large_ones() {
        let groups = [(400, 1000), (0, 3), (900, 1000), (550, 1000)];
        let found = shrink(&groups).unwrap();
        assert!(found[1].mean > 0.1, "{found:?}");
        assert!((found[0].mean - 0.4).abs() < 0.01);
        for shrunk in &found {
            assert!(shrunk.interval.0 < shrunk.mean && shrunk.mean < shrunk.interval.1);
        }
        assert!(found[1].interval.1 - found[1].interval.0 > 0.1);
    }

    #[test]
    fn equal_groups_share_their_mean_and_an_empty_one_has_it() {
        let found = shrink(&[(30, 100), (30, 100), (0, 0)]).unwrap();
        for shrunk in found {
            assert!((shrunk.mean - 30.0 / 100.0).abs() < 0.01);
        }
    }

    #[test]
    fn the_interval_is_the_beta_laws() {
        // scipy.stats.beta.ppf([.05, .95], 9, 5); one group alone: its weight is the largest.
        let law = Beta::new(9.0, 5.0).unwrap();
        assert!((quantile(&law, 0.05) - 0.427_380_66).abs() < 1e-6);
        assert!((quantile(&law, 0.95) - 0.834_340_57).abs() < 1e-6);
    }

    #[test]
    fn no_case_no_share_and_all_or_none_stays_finite() {
        assert_eq!(shrink(&[]), None);
        assert_eq!(shrink(&[(0, 0)]), None);
        for groups in [
            [(0, 5), (0, 9)],
            [(5, 5), (9, 9)],
            [(u64::MAX, u64::MAX), (0, 1)],
        ] {
            for shrunk in shrink(&groups).unwrap() {
                assert!(shrunk.mean > 0.0 && shrunk.mean <= 1.0, "{shrunk:?}");
            }
        }
    }
}
