//! Whether scores are right as probabilities: groups of cases with what was expected and what came.

use super::cells::Cell;
use super::{Bracketed, over};

/// Cases with nearby scores.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Group {
    /// Cases.
    pub cases: f64,
    /// Cases whose label is positive.
    pub positives: f64,
    /// The sum of their scores.
    pub scores: f64,
    /// How far that sum may be off.
    pub open: f64,
}

impl Group {
    /// Adds a cell, its middle as the score of all its cases.
    fn add(&mut self, cell: &Cell) {
        let cases = cell.cases();
        self.cases += cases;
        self.positives += cell.positive as f64;
        self.scores += cases * cell.middle();
        self.open += cases * 0.5 * (cell.high - cell.low);
    }

    /// Expected positives minus observed ones, per case; by how much that may be off.
    fn gap(&self) -> (f64, f64) {
        let distance = (self.positives - self.scores).abs() / self.cases;
        (distance, self.open / self.cases)
    }
}

/// The cells as so many groups of equal width between 0 and 1, by their middles. Groups without
/// cases are left out; groups are of whole cells, so that an inner edge is that of a cell.
pub fn equal_width(cells: &[Cell], groups: u32) -> Vec<Group> {
    let mut found: Vec<(u32, Group)> = Vec::new();
    let last = groups.saturating_sub(1);
    for cell in cells.iter().filter(|cell| cell.cases() > 0.0) {
        let scaled = cell.middle() * f64::from(groups);
        let at = (0..last)
            .find(|i| scaled < f64::from(i + 1))
            .unwrap_or(last);
        match found.last_mut() {
            Some((group, sum)) if *group == at => sum.add(cell),
            Some(_) | None => {
                let mut group = Group::default();
                group.add(cell);
                found.push((at, group));
            }
        }
    }
    found.into_iter().map(|(_, group)| group).collect()
}

/// The cells as up to so many groups of about as many cases each: a group is closed with the cell
/// by which all cases so far reach its share of the whole.
pub fn equal_mass(cells: &[Cell], groups: u32) -> Vec<Group> {
    let total = cells.iter().fold(0.0, |sum, cell| sum + cell.cases());
    let (mut found, mut group, mut below) = (Vec::new(), Group::default(), 0.0);
    let mut share = 1.0;
    for cell in cells.iter().filter(|cell| cell.cases() > 0.0) {
        group.add(cell);
        below += cell.cases();
        if below * f64::from(groups) >= share * total {
            found.push(std::mem::take(&mut group));
            share = (below * f64::from(groups) / total).floor() + 1.0;
        }
    }
    if group.cases > 0.0 {
        found.push(group);
    }
    found
}

/// The expected calibration error (Naeini, Cooper and Hauskrecht 2015): the mean over cases of the
/// distance between the share of positives and the mean score of their group. None without cases.
pub fn expected_error(groups: &[Group]) -> Option<Bracketed> {
    let cases = cases(groups);
    let sum = |of: &dyn Fn(f64, f64) -> f64| {
        groups.iter().fold(0.0, |sum, group| {
            let (gap, open) = group.gap();
            sum + group.cases * of(gap, open)
        })
    };
    Some(Bracketed {
        value: over(sum(&|gap, _| gap), cases)?,
        low: sum(&|gap, open| (gap - open).max(0.0)) / cases,
        high: sum(&|gap, open| gap + open) / cases,
    })
}

/// The largest such distance of any group. None without cases.
pub fn largest_error(groups: &[Group]) -> Option<Bracketed> {
    let largest = |of: &dyn Fn(f64, f64) -> f64| {
        groups.iter().fold(0.0_f64, |most, group| {
            let (gap, open) = group.gap();
            most.max(of(gap, open))
        })
    };
    (cases(groups) > 0.0).then(|| Bracketed {
        value: largest(&|gap, _| gap),
        low: largest(&|gap, open| (gap - open).max(0.0)),
        high: largest(&|gap, open| gap + open),
    })
}

/// The squared calibration error without the bias of small groups (Kumar, Liang and Ma 2019): from
/// each group's squared distance the variance of its share of positives is taken off. May be below
/// zero. None if no group has two cases; groups of one case are left out.
pub fn debiased_square(groups: &[Group]) -> Option<Bracketed> {
    let (mut cases, mut value, mut low, mut high) = (0.0, 0.0, 0.0, 0.0);
    for group in groups.iter().filter(|group| group.cases > 1.0) {
        let (gap, open) = group.gap();
        let share = group.positives / group.cases;
        let chance = share * (1.0 - share) / (group.cases - 1.0);
        let near = (gap - open).max(0.0);
        cases += group.cases;
        value += group.cases * (gap * gap - chance);
        low += group.cases * (near * near - chance);
        high += group.cases * ((gap + open) * (gap + open) - chance);
    }
    Some(Bracketed {
        value: over(value, cases)?,
        low: low / cases,
        high: high / cases,
    })
}

/// Brier's score taken apart (Murphy 1973): `score = reliability - resolution + uncertainty +
/// within`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brier {
    /// Mean squared distance between a group's mean score and its share of positives. 0 is best.
    pub reliability: f64,
    /// Mean squared distance between a group's share of positives and that of all. High is best.
    pub resolution: f64,
    /// What labels alone leave open: share of positives times share of negatives.
    pub uncertainty: f64,
}

/// The parts of Brier's score over groups. What is missing to the score itself varies within the
/// groups. None without cases.
pub fn brier_parts(groups: &[Group]) -> Option<Brier> {
    let cases = cases(groups);
    let positives = groups.iter().fold(0.0, |sum, group| sum + group.positives);
    let overall = over(positives, cases)?;
    let (mut reliability, mut resolution) = (0.0, 0.0);
    for group in groups {
        let (share, expected) = (group.positives / group.cases, group.scores / group.cases);
        reliability += group.cases * (expected - share) * (expected - share);
        resolution += group.cases * (share - overall) * (share - overall);
    }
    Some(Brier {
        reliability: reliability / cases,
        resolution: resolution / cases,
        uncertainty: overall * (1.0 - overall),
    })
}

/// Observed positives over expected ones. None if no positive is expected.
pub fn observed_over_expected(groups: &[Group]) -> Option<Bracketed> {
    let sum = |of: &dyn Fn(&Group) -> f64| groups.iter().fold(0.0, |sum, group| sum + of(group));
    let (observed, expected) = (sum(&|g| g.positives), sum(&|g| g.scores));
    let open = sum(&|g| g.open);
    Some(Bracketed {
        value: over(observed, expected)?,
        low: observed / (expected + open),
        high: over(observed, expected - open).unwrap_or(f64::MAX),
    })
}

/// The standard error of observed over expected positives at its value: of a ratio of sums.
pub fn ratio_error(cells: &[Cell], ratio: f64) -> f64 {
    let (mut expected, mut square) = (0.0, 0.0);
    for cell in cells {
        let score = cell.middle();
        let (right, wrong) = (1.0 - ratio * score, ratio * score);
        expected += cell.cases() * score;
        square += cell.positive as f64 * right * right + cell.negative as f64 * wrong * wrong;
    }
    over(square.sqrt(), expected).unwrap_or(0.0)
}

fn cases(groups: &[Group]) -> f64 {
    groups.iter().fold(0.0, |sum, group| sum + group.cases)
}

#[cfg(test)]
mod tests {
    use super::super::cells::of_rows;
    use super::*;

    /// Scores 0.05, 0.15, ... with k positives among ten cases in the k-th.
    fn calibrated() -> Vec<Cell> {
        let of = |i: u32| Cell::point(0.1 * f64::from(i) + 0.05, u64::from(i), u64::from(10 - i));
        (0..10).map(of).collect()
    }

    #[test]
    fn errors_by_hand() {
        let groups = equal_width(&calibrated(), 10);
        assert_eq!(groups.len(), 10);
        assert!((expected_error(&groups).unwrap().value - 0.05).abs() < 1e-12);
        assert!((largest_error(&groups).unwrap().value - 0.05).abs() < 1e-12);
        let ratio = observed_over_expected(&groups).unwrap();
        assert!((ratio.value - 45.0 / 50.0).abs() < 1e-12);
    }

    #[test]
    fn briers_parts_add_up_where_scores_do_not_vary_within_groups() {
        let groups = equal_width(&calibrated(), 10);
        let parts = brier_parts(&groups).unwrap();
        let score: f64 = calibrated()
            .iter()
            .map(|c| {
                c.positive as f64 * (1.0 - c.low) * (1.0 - c.low)
                    + c.negative as f64 * c.low * c.low
            })
            .sum::<f64>()
            / 100.0;
        let sum = parts.reliability - parts.resolution + parts.uncertainty;
        assert!((score - sum).abs() < 1e-12, "{score} {sum}");
    }

    #[test]
    fn groups_of_equal_mass_hold_about_as_many_cases() {
        let rows: Vec<_> = (0..1000)
            .map(|i| (f64::from(i) / 1000.0, i % 3 == 0))
            .collect();
        let groups = equal_mass(&of_rows(&rows), 15);
        assert_eq!(groups.len(), 15);
        assert!(groups.iter().all(|g| (66.0..=67.0).contains(&g.cases)));
        // One heavy score takes the place of several groups.
        let heavy = [Cell::point(0.0, 0, 900), Cell::point(0.5, 50, 50)];
        assert_eq!(equal_mass(&heavy, 15).len(), 2);
        assert!(equal_mass(&[], 15).is_empty());
    }

    #[test]
    fn the_debiased_error_of_a_calibrated_score_is_zero_in_the_mean() {
        // All 2^4 outcomes of a group of four with score one half, each as likely.
        let mean: f64 = (0..16_u32)
            .map(|bits| {
                let positive = u64::from(bits.count_ones());
                let cell = Cell::point(0.5, positive, 4 - positive);
                debiased_square(&equal_width(&[cell], 10)).unwrap().value / 16.0
            })
            .sum();
        assert!(mean.abs() < 1e-15, "{mean}");
        assert_eq!(
            debiased_square(&equal_width(&[Cell::point(0.5, 1, 0)], 10)),
            None
        );
    }

    #[test]
    fn without_cases_nothing_has_a_value() {
        assert_eq!(expected_error(&[]), None);
        assert_eq!(largest_error(&[]), None);
        assert_eq!(brier_parts(&[]), None);
        assert_eq!(observed_over_expected(&[]), None);
    }
}
