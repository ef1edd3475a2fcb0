//! Inequality of benefits over cases (Speicher et al. 2018). A case's benefit is decision - label + 1:
//! 2 if wrongly favoured, 1 if rightly decided, 0 if wrongly refused.

use super::Table;

/// How many cases have which benefit.
fn benefits(table: &Table) -> [(f64, f64); 3] {
    let right = table.true_positive as f64 + table.true_negative as f64;
    [
        (0.0, table.false_negative as f64),
        (1.0, right),
        (2.0, table.false_positive as f64),
    ]
}

/// Number of cases and their mean benefit. Nothing if there is no benefit at all.
fn mean(table: &Table) -> Option<(f64, f64)> {
    let n: f64 = benefits(table).iter().map(|(_, count)| count).sum();
    let sum: f64 = benefits(table).iter().map(|(b, count)| b * count).sum();
    (sum > 0.0).then(|| (n, sum / n))
}

/// The generalised entropy index with exponent 2: half the squared coefficient of variation of
/// benefits. Nothing if no case has a benefit.
pub fn generalised_entropy(table: &Table) -> Option<f64> {
    let (n, mean) = mean(table)?;
    let sum: f64 = benefits(table)
        .iter()
        .map(|(b, count)| count * ((b / mean) * (b / mean) - 1.0))
        .sum();
    Some((sum / (2.0 * n)).max(0.0))
}

/// The Theil index, that is, exponent 1: mean of b ln b over benefits b in units of their mean.
/// Nothing if no case has a benefit.
pub fn theil(table: &Table) -> Option<f64> {
    let (n, mean) = mean(table)?;
    let sum: f64 = benefits(table)
        .iter()
        .filter(|(b, _)| *b > 0.0)
        .map(|(b, count)| count * (b / mean) * libm::log(b / mean))
        .sum();
    Some((sum / n).max(0.0))
}

/// The part of the generalised entropy (exponent 2) that lies between groups: the index if each case
/// had its group's mean benefit. Groups without cases have no part in it. Nothing if no case has a
/// benefit.
pub fn between_groups(groups: &[Table]) -> Option<f64> {
    let all = groups
        .iter()
        .fold(Table::default(), |sum, group| sum.plus(group));
    let (n, overall) = mean(&all)?;
    let sum: f64 = groups
        .iter()
        .filter(|group| group.total() > 0)
        .map(|group| {
            let share = mean(group).map_or(0.0, |(_, mean)| mean / overall);
            group.total() as f64 * (share * share - 1.0)
        })
        .sum();
    Some((sum / (2.0 * n)).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(tp: u64, fp: u64, fn_: u64, tn: u64) -> Table {
        Table {
            true_positive: tp,
            false_positive: fp,
            false_negative: fn_,
            true_negative: tn,
        }
    }

    #[test]
    fn equal_benefits_have_no_entropy() {
        let fair = table(5, 0, 0, 5);
        assert_eq!(generalised_entropy(&fair), Some(0.0));
        assert_eq!(theil(&fair), Some(0.0));
        assert_eq!(between_groups(&[fair, fair]), Some(0.0));
    }

    #[test]
    fn the_indices_are_those_of_the_single_benefits() {
        // numpy over the benefits 0, 0, 1, 1, 1, 2: mean 5/6.
        let found = generalised_entropy(&table(2, 1, 2, 1)).unwrap();
        let by_hand = ((0.0 + 3.0 * 1.44 + 5.76) / 6.0 - 1.0) / 2.0;
        assert!((found - by_hand).abs() < 1e-12);
        let found = theil(&table(2, 1, 2, 1)).unwrap();
        let by_hand = (3.0 * 1.2 * libm::log(1.2) + 2.4 * libm::log(2.4)) / 6.0;
        assert!((found - by_hand).abs() < 1e-12);
    }

    #[test]
    fn the_part_between_groups_is_at_most_the_whole() {
        let groups = [table(3, 4, 1, 2), table(1, 0, 5, 3), table(0, 0, 0, 0)];
        let all = groups[0].plus(&groups[1]);
        let between = between_groups(&groups).unwrap();
        assert!(between > 0.0 && between < generalised_entropy(&all).unwrap());
    }

    #[test]
    fn without_any_benefit_there_is_nothing_to_share_out() {
        assert_eq!(generalised_entropy(&table(0, 0, 9, 0)), None);
        assert_eq!(theil(&Table::default()), None);
        assert_eq!(between_groups(&[]), None);
    }
}
