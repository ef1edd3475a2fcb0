//! What labels that are late, or that come for some cases only, leave open.
//!
//! Throughout, a metric is a share of right cases, and `labelled` holds (right, labelled) of `cases`
//! in all; the coverage is labelled over cases.

use super::binary::Share;
use super::{Figure, over};
use crate::objective::document::Comparator;

/// A share (hits, cases that count) of labelled cases, and with those that have no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completed {
    /// Of labelled cases alone.
    pub labelled: Share,
    /// If every case without a label was decided rightly.
    pub right: Share,
    /// If every case without a label was decided wrongly.
    pub wrong: Share,
    /// Decided cases that have a label.
    pub known: u64,
    /// Decided cases.
    pub cases: u64,
}

/// The level that the labelled share itself must breach before the worst case confirms a breach of
/// `level`. None if no share of labelled cases can: too few are labelled.
pub fn worst_case_level(level: f64, coverage: f64, comparator: Comparator) -> Option<f64> {
    let needed = match comparator {
        Comparator::AtLeast => over(level - (1.0 - coverage), coverage)?,
        Comparator::AtMost => over(level, coverage)?,
    };
    (needed > 0.0 && needed < 1.0).then_some(needed)
}

/// Where the verdict flips: the share of right cases among unlabelled ones at which the share of all
/// is exactly the level. Below 0 or above 1 nothing that unlabelled cases do can flip it. None if
/// every case is labelled.
pub fn tipping_point(labelled: (u64, u64), cases: u64, level: f64) -> Option<f64> {
    let without = cases.saturating_sub(labelled.1) as f64;
    over(level * cases as f64 - labelled.0 as f64, without)
}

/// The level that labelled cases must keep for all cases to keep `level`, if the odds of unlabelled
/// ones are `gamma` times those of labelled ones (after Rosenbaum's sensitivity analysis). None
/// unless gamma is above 0 and the coverage and the level are shares.
pub fn gamma_level(level: f64, coverage: f64, gamma: f64) -> Option<f64> {
    let shares = [level, coverage];
    if !(gamma > 0.0 && gamma.is_finite() && shares.iter().all(|s| (0.0..=1.0).contains(s))) {
        return None;
    }
    let overall = |share: f64| {
        let odds = gamma * share;
        coverage * share + (1.0 - coverage) * odds / (odds + 1.0 - share)
    };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if overall(middle) < level {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(0.5 * (low + high))
}

/// One stratum: all its cases, its labelled ones, the right ones among these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stratum {
    /// Cases, labelled or not.
    pub cases: u64,
    /// Labelled cases.
    pub labelled: u64,
    /// Right ones among the labelled.
    pub right: u64,
}

/// The share of right cases, each stratum weighed by all its cases. Unbiased if within a stratum it
/// is chance who gets a label; the same as a prediction-powered estimate with the stratum's mean as
/// predictor (Angelopoulos et al. 2023). A stratum without labels joins the next one, the last ones
/// the one before. None if nothing is labelled.
pub fn post_stratified(strata: &[Stratum]) -> Option<Figure> {
    let mut joined: Vec<Stratum> = Vec::new();
    let mut waiting = 0_u64;
    for stratum in strata {
        if stratum.labelled == 0 {
            waiting += stratum.cases;
        } else {
            joined.push(Stratum {
                cases: stratum.cases + std::mem::take(&mut waiting),
                ..*stratum
            });
        }
    }
    joined.last_mut()?.cases += waiting;
    let all = joined.iter().fold(0.0, |sum, s| sum + s.cases as f64);
    let (mut value, mut variance) = (0.0, 0.0);
    for stratum in &joined {
        let weight = over(stratum.cases as f64, all)?;
        let labelled = stratum.labelled as f64;
        value += weight * stratum.right as f64 / labelled;
        // Drawn away from 0 and 1, so that a stratum of few labels does not look certain.
        let drawn = (stratum.right as f64 + 0.5) / (labelled + 1.0);
        variance += weight * weight * drawn * (1.0 - drawn) / labelled;
    }
    Some(Figure {
        value,
        std_error: variance.sqrt(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_case_level_is_where_all_cases_meet_the_level() {
        let needed = worst_case_level(0.85, 0.6, Comparator::AtLeast).unwrap();
        assert!((0.6 * needed + 0.4 - 0.85).abs() < 1e-12);
        assert_eq!(worst_case_level(0.85, 0.1, Comparator::AtLeast), None);
        let needed = worst_case_level(0.2, 0.5, Comparator::AtMost).unwrap();
        assert!((needed - 0.4).abs() < 1e-12);
        assert_eq!(worst_case_level(0.2, 0.1, Comparator::AtMost), None);
        assert_eq!(worst_case_level(0.2, 0.0, Comparator::AtMost), None);
    }

    #[test]
    fn at_the_tipping_point_all_cases_meet_the_level() {
        let point = tipping_point((50, 60), 100, 0.8).unwrap();
        assert!((50.0 + 40.0 * point - 80.0).abs() < 1e-12);
        assert_eq!(tipping_point((50, 60), 60, 0.8), None);
        assert!(tipping_point((60, 60), 100, 0.5).unwrap() < 0.0);
    }

    #[test]
    fn a_gamma_of_one_changes_nothing_and_others_shift_the_level() {
        assert!((gamma_level(0.8, 0.3, 1.0).unwrap() - 0.8).abs() < 1e-12);
        assert!(gamma_level(0.8, 0.3, 0.5).unwrap() > 0.8);
        assert!(gamma_level(0.8, 0.3, 2.0).unwrap() < 0.8);
        let needed = gamma_level(0.8, 0.3, 0.5).unwrap();
        let odds = 0.5 * needed / (1.0 - needed);
        assert!((0.3 * needed + 0.7 * odds / (1.0 + odds) - 0.8).abs() < 1e-12);
        assert_eq!(gamma_level(0.8, 0.3, 0.0), None);
        assert_eq!(gamma_level(0.8, f64::NAN, 1.0), None);
    }

    #[test]
    fn strata_are_weighed_by_all_their_cases() {
        let stratum = |cases, labelled, right| Stratum {
            cases,
            labelled,
            right,
        };
        let found = post_stratified(&[stratum(800, 10, 9), stratum(200, 90, 45)]).unwrap();
        assert!((found.value - (0.8 * 0.9 + 0.2 * 0.5)).abs() < 1e-12);
        // Strata without labels join a neighbour.
        let joined = post_stratified(&[
            stratum(300, 0, 0),
            stratum(500, 10, 9),
            stratum(150, 90, 45),
            stratum(50, 0, 0),
        ])
        .unwrap();
        assert!((joined.value - found.value).abs() < 1e-12);
        assert_eq!(post_stratified(&[stratum(5, 0, 0)]), None);
        assert_eq!(post_stratified(&[]), None);
    }
}
