//! One group's share against another's.

use super::table::{drawn_variance, share};
use super::{Counts, Measured};
use crate::interval;

/// The compared group's share minus the reference group's. Interval: Newcombe's hybrid score
/// (1998, method 10). Nothing if a group has no case.
pub fn difference(reference: Counts, compared: Counts) -> Option<Measured> {
    let value = share(compared)? - share(reference)?;
    let variance = drawn_variance(reference) + drawn_variance(compared);
    Some(Measured {
        value,
        interval: interval::newcombe(reference, compared),
        std_error: Some(variance.sqrt()),
    })
}

/// The compared group's share over the reference group's. Interval: Koopman's score (1984). Nothing
/// if a group has no case or the reference group no hit.
pub fn ratio(reference: Counts, compared: Counts) -> Option<Measured> {
    let (over, under) = (share(compared)?, share(reference)?);
    (under > 0.0).then(|| Measured {
        value: over / under,
        interval: interval::koopman(reference, compared),
        std_error: None,
    })
}

/// How far two groups' laws over the same classes lie apart: half the sum of absolute differences of
/// shares (total variation), from 0 to 1. Nothing if a group has no case or the lists differ in length.
pub fn law_distance(reference: &[u64], compared: &[u64]) -> Option<f64> {
    let total = |counts: &[u64]| counts.iter().map(|c| u128::from(*c)).sum::<u128>();
    let (n, m) = (total(reference), total(compared));
    if n == 0 || m == 0 || reference.len() != compared.len() {
        return None;
    }
    let apart = reference
        .iter()
        .zip(compared)
        .map(|(a, b)| (*b as f64 / m as f64 - *a as f64 / n as f64).abs());
    Some((0.5 * apart.sum::<f64>()).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_has_a_direction_and_lies_in_its_interval() {
        let found = difference((68, 170), (9, 30)).unwrap();
        assert!((found.value + 0.1).abs() < 1e-12);
        let (low, high) = found.interval.unwrap();
        assert!(low < found.value && found.value < high);
        assert!(difference((9, 30), (68, 170)).unwrap().value > 0.0);
        assert_eq!(difference((0, 0), (1, 2)), None);
        assert_eq!(difference((1, 2), (0, 0)), None);
    }

    #[test]
    fn certainty_is_never_claimed_from_few_cases() {
        let found = difference((0, 3), (3, 3)).unwrap();
        assert!((found.value - 1.0).abs() < 1e-15);
        assert!(found.std_error.unwrap() > 0.2);
        assert!(found.interval.unwrap().0 < 0.5);
    }

    #[test]
    fn a_ratio_over_nothing_is_no_number() {
        assert_eq!(ratio((0, 5), (1, 5)), None);
        assert_eq!(ratio((0, 5), (0, 5)), None);
        assert!((ratio((5, 5), (0, 5)).unwrap().value).abs() < 1e-15);
    }

    #[test]
    fn laws_are_as_far_apart_as_the_mass_that_must_move() {
        assert_eq!(law_distance(&[5, 5], &[50, 50]), Some(0.0));
        assert_eq!(law_distance(&[5, 0], &[0, 7]), Some(1.0));
        let found = law_distance(&[2, 3, 5], &[5, 3, 2]).unwrap();
        assert!((found - 0.3).abs() < 1e-15);
        assert_eq!(law_distance(&[0, 0], &[1, 1]), None);
        assert_eq!(law_distance(&[1], &[1, 1]), None);
        assert!(law_distance(&[u64::MAX, u64::MAX], &[1, 0]).is_some());
    }
}
