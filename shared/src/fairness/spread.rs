//! How far all groups lie apart, without a reference group: the aggregates of fairlearn.

use super::Counts;
use super::table::share;

/// The smallest and largest share among groups that have one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Smallest share.
    pub least: f64,
    /// Largest share.
    pub most: f64,
    /// Groups whose share is 0/0; they are left out.
    pub without_value: usize,
}

impl Spread {
    /// Of these groups. Nothing if fewer than two have a share.
    pub fn of(groups: &[Counts]) -> Option<Self> {
        let shares: Vec<f64> = groups.iter().filter_map(|counts| share(*counts)).collect();
        if shares.len() < 2 {
            return None;
        }
        Some(Self {
            least: shares.iter().copied().fold(f64::INFINITY, f64::min),
            most: shares.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            without_value: groups.len() - shares.len(),
        })
    }

    /// Largest minus smallest.
    pub fn difference(&self) -> f64 {
        self.most - self.least
    }

    /// Smallest over largest. Nothing if all are 0.
    pub fn ratio(&self) -> Option<f64> {
        (self.most > 0.0).then(|| self.least / self.most)
    }
}

/// How far the farthest group lies from all listed groups together: largest absolute difference, and
/// smallest ratio either way round (fairlearn's `to_overall`). Nothing if fewer than two groups have
/// a share; no ratio if the overall share or a group's is 0/0 of it.
pub fn to_overall(groups: &[Counts]) -> Option<(f64, Option<f64>)> {
    Spread::of(groups)?;
    let all = groups.iter().fold((0_u64, 0_u64), |sum, group| {
        (sum.0.saturating_add(group.0), sum.1.saturating_add(group.1))
    });
    let overall = share(all)?;
    let shares = || groups.iter().filter_map(|counts| share(*counts));
    let farthest = shares()
        .map(|share| (share - overall).abs())
        .fold(0.0, f64::max);
    let ratio = (overall > 0.0).then(|| {
        shares()
            .map(|share| (share / overall).min(overall / share))
            .fold(1.0, f64::min)
    });
    Some((farthest, ratio))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_over_groups_that_have_a_share() {
        let spread = Spread::of(&[(1, 4), (0, 0), (3, 4)]).unwrap();
        assert_eq!((spread.least, spread.most), (0.25, 0.75));
        assert_eq!(spread.without_value, 1);
        assert!((spread.difference() - 0.5).abs() < 1e-15);
        assert!((spread.ratio().unwrap() - 1.0 / 3.0).abs() < 1e-15);
        assert_eq!(Spread::of(&[(1, 4), (0, 0)]), None);
        assert_eq!(Spread::of(&[(0, 4), (0, 9)]).unwrap().ratio(), None);
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn the_farthest_group_counts_in_either_direction() {
        let (farthest, ratio) = to_overall(&[(10, 100), (30, 100)]).unwrap();
        assert!((farthest - 0.1).abs() < 1e-15);
        assert!((ratio.unwrap() - 0.5).abs() < 1e-15);
        let (_, ratio) = to_overall(&[(0, 100), (30, 100)]).unwrap();
        assert_eq!(ratio, Some(0.0));
        assert_eq!(to_overall(&[(0, 1), (0, 1)]), Some((0.0, None)));
    }
}
