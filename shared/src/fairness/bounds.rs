//! What a disparity can be, whatever groups the cases of unknown membership belong to (Manski 1989:
//! bounds without assumptions). Any case may belong to the compared group, to the reference group or
//! to none of them, so the bounds are reached, and no narrower ones hold.

use super::Counts;
use super::table::share;

/// Least and greatest difference (compared minus reference). Nothing if a group could still be empty
/// of cases where the bound is reached.
pub fn difference_bounds(
    reference: Counts,
    compared: Counts,
    unknown: Counts,
) -> Option<(f64, f64)> {
    let least = with(compared, misses(unknown))? - with(reference, hits(unknown))?;
    let greatest = with(compared, hits(unknown))? - with(reference, misses(unknown))?;
    Some((least, greatest))
}

/// Least and greatest ratio (compared over reference). Nothing if the reference group's share could
/// be 0, for then there is no greatest one.
pub fn ratio_bounds(reference: Counts, compared: Counts, unknown: Counts) -> Option<(f64, f64)> {
    let over = |over: f64, under: f64| (under > 0.0).then(|| over / under);
    let least = over(
        with(compared, misses(unknown))?,
        with(reference, hits(unknown))?,
    )?;
    let greatest = over(
        with(compared, hits(unknown))?,
        with(reference, misses(unknown))?,
    )?;
    Some((least, greatest))
}

/// The unknown cases that are hits.
fn hits(unknown: Counts) -> Counts {
    (unknown.0, unknown.0)
}

/// The unknown cases that are none.
fn misses(unknown: Counts) -> Counts {
    (0, unknown.1.saturating_sub(unknown.0))
}

/// The share of a group if these cases belonged to it.
fn with(group: Counts, more: Counts) -> Option<f64> {
    share((
        group.0.saturating_add(more.0),
        group.1.saturating_add(more.1),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way to give unknown cases to the two groups or to neither.
    fn all_ways(reference: Counts, compared: Counts, unknown: Counts) -> (f64, f64) {
        let mut found = (f64::INFINITY, f64::NEG_INFINITY);
        let (good, bad) = (unknown.0, unknown.1 - unknown.0);
        for a in 0..=good {
            for b in 0..=good - a {
                for c in 0..=bad {
                    for d in 0..=bad - c {
                        let p = share((reference.0 + a, reference.1 + a + c)).unwrap();
                        let q = share((compared.0 + b, compared.1 + b + d)).unwrap();
                        found = (found.0.min(q - p), found.1.max(q - p));
                    }
                }
            }
        }
        found
    }

    #[test]
    fn no_assignment_of_unknown_cases_leaves_the_bounds_and_some_reach_them() {
        for (reference, compared, unknown) in [
            ((4, 10), (2, 6), (3, 7)),
            ((1, 1), (0, 2), (2, 2)),
            ((0, 3), (3, 3), (0, 4)),
            ((5, 9), (5, 9), (0, 0)),
        ] {
            let (least, greatest) = difference_bounds(reference, compared, unknown).unwrap();
            let all = all_ways(reference, compared, unknown);
            assert!((least - all.0).abs() < 1e-15 && (greatest - all.1).abs() < 1e-15);
        }
    }

    #[test]
    fn without_unknown_cases_the_bounds_are_the_value() {
        assert_eq!(ratio_bounds((4, 8), (1, 4), (0, 0)), Some((0.5, 0.5)));
        let (least, greatest) = ratio_bounds((4, 8), (1, 4), (1, 2)).unwrap();
        assert!(least < 0.5 && 0.5 < greatest);
    }

    #[test]
    fn an_empty_group_or_no_greatest_ratio_is_open() {
        assert_eq!(difference_bounds((0, 0), (1, 2), (0, 0)), None);
        assert_eq!(ratio_bounds((0, 8), (1, 4), (0, 0)), None);
    }
}
