//! Criteria that take several rates of a group together.

use super::compare::{difference, ratio};
use super::table::{drawn_variance, share};
use super::{Counts, Measured, Rate, Table};

/// How far a group is from equalised odds (Hardt, Price and Srebro 2016): of the true and the false
/// positive rate, the larger absolute difference from the reference group, and the smaller ratio,
/// either way round. Nothing if one of the rates is 0/0; no ratio if the two are 0.
pub fn equalised(reference: &Table, compared: &Table) -> Option<(f64, Option<f64>)> {
    let rates = [Rate::TruePositive, Rate::FalsePositive];
    let mut apart = 0.0_f64;
    let mut nearest = Some(1.0_f64);
    for rate in rates {
        let (a, b) = (rate.of(reference), rate.of(compared));
        apart = apart.max(difference(a, b)?.value.abs());
        let either = match (ratio(a, b), ratio(b, a)) {
            (Some(one), Some(other)) => Some(one.value.min(other.value)),
            (Some(zero), None) | (None, Some(zero)) => Some(zero.value),
            (None, None) => None,
        };
        nearest = nearest.zip(either).map(|(a, b)| a.min(b));
    }
    Some((apart, nearest))
}

/// Mean of the differences in true and false positive rate (Bellamy et al. 2018), and the mean of
/// their absolute values. Nothing if one of the rates is 0/0.
pub fn average_odds(reference: &Table, compared: &Table) -> Option<(Measured, f64)> {
    let [tpr, fpr] = [Rate::TruePositive, Rate::FalsePositive]
        .map(|rate| difference(rate.of(reference), rate.of(compared)));
    let (tpr, fpr) = (tpr?, fpr?);
    let variance = halves(reference, compared);
    let mean = Measured::normal(0.5 * (tpr.value + fpr.value), variance, (-1.0, 1.0));
    Some((mean, 0.5 * (tpr.value.abs() + fpr.value.abs())))
}

/// Difference in balanced error: the mean of false negative and false positive rate. Nothing if one
/// of the rates is 0/0.
pub fn balanced_error(reference: &Table, compared: &Table) -> Option<Measured> {
    let error = |table: &Table| {
        let miss = share(Rate::FalseNegative.of(table))?;
        Some(0.5 * (miss + share(Rate::FalsePositive.of(table))?))
    };
    let value = error(compared)? - error(reference)?;
    Some(Measured::normal(
        value,
        halves(reference, compared),
        (-1.0, 1.0),
    ))
}

/// The variance of half the sum of true (or false) positive and negative rate, over both groups.
fn halves(reference: &Table, compared: &Table) -> f64 {
    let variance = |table: &Table| {
        drawn_variance(Rate::TruePositive.of(table)) + drawn_variance(Rate::FalsePositive.of(table))
    };
    0.25 * (variance(reference) + variance(compared))
}

/// Treatment equality (Berk et al. 2018) on the log scale: ln(FN/FP) of the compared group minus that
/// of the reference group; variance: sum of reciprocal counts. Nothing if one of the counts is 0.
pub fn treatment_equality(reference: &Table, compared: &Table) -> Option<Measured> {
    let counts = [
        compared.false_negative,
        compared.false_positive,
        reference.false_negative,
        reference.false_positive,
    ]
    .map(|count| count as f64);
    let [fn_b, fp_b, fn_a, fp_a] = counts;
    if counts.contains(&0.0) {
        return None;
    }
    let value = libm::log(fn_b / fp_b) - libm::log(fn_a / fp_a);
    let variance = counts.iter().map(|count| 1.0 / count).sum();
    let ends = (f64::NEG_INFINITY, f64::INFINITY);
    Some(Measured::normal(value, variance, ends))
}

/// Treatment equality as a difference of FN/FP, compared minus reference. Nothing without false
/// positives in both groups.
pub fn treatment_gap(reference: &Table, compared: &Table) -> Option<Measured> {
    let odds = |table: &Table| quotient(table.false_negative, table.false_positive);
    Some(Measured::bare(odds(compared)? - odds(reference)?))
}

/// Difference in conditional acceptance: cases labelled positive for each case decided positive, of
/// the compared group minus the reference group. Nothing without positive decisions in both.
pub fn conditional_acceptance(reference: &Table, compared: &Table) -> Option<Measured> {
    let per_decision = |table: &Table| {
        let (labelled, decided) = (Rate::Base.of(table).0, Rate::Selection.of(table).0);
        quotient(labelled, decided)
    };
    Some(Measured::bare(
        per_decision(compared)? - per_decision(reference)?,
    ))
}

/// Difference in conditional rejection: cases labelled negative for each case decided negative, of
/// the compared group minus the reference group. Nothing without negative decisions in both.
pub fn conditional_rejection(reference: &Table, compared: &Table) -> Option<Measured> {
    let negative = |(hits, of): Counts| of - hits;
    let per_decision = |table: &Table| {
        let labelled = negative(Rate::Base.of(table));
        quotient(labelled, negative(Rate::Selection.of(table)))
    };
    Some(Measured::bare(
        per_decision(compared)? - per_decision(reference)?,
    ))
}

fn quotient(over: u64, under: u64) -> Option<f64> {
    (under > 0).then(|| over as f64 / under as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEMALE: Table = table(80, 15, 23, 34);
    const MALE: Table = table(220, 38, 41, 49);

    const fn table(tp: u64, fp: u64, fn_: u64, tn: u64) -> Table {
        Table {
            true_positive: tp,
            false_positive: fp,
            false_negative: fn_,
            true_negative: tn,
        }
    }

    fn near(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-12,
            "{found} is not {expected}"
        );
    }

    #[test]
    fn the_odds_of_the_reference_year_are_fairlearns_and_aif360s() {
        let (apart, ratio) = equalised(&MALE, &FEMALE).unwrap();
        near(apart, 0.130_659_160_215_810_48);
        near(ratio.unwrap(), 0.700_859_291_084_855);
        let (average, absolute) = average_odds(&MALE, &FEMALE).unwrap();
        near(average.value, -0.098_436_004_242_116_46);
        near(absolute, 0.098_436_004_242_116_46);
        let (low, high) = average.interval.unwrap();
        assert!(low < average.value && average.value < high);
    }

    #[test]
    fn treatment_equality_is_antisymmetric_and_needs_all_four_errors() {
        let found = treatment_equality(&MALE, &FEMALE).unwrap();
        let back = treatment_equality(&FEMALE, &MALE).unwrap();
        near(found.value, -back.value);
        near(found.value, libm::log((23.0 / 15.0) / (41.0 / 38.0)));
        near(
            found.std_error.unwrap(),
            (1.0_f64 / 23.0 + 1.0 / 15.0 + 1.0 / 41.0 + 1.0 / 38.0).sqrt(),
        );
        assert_eq!(treatment_equality(&MALE, &table(1, 0, 1, 1)), None);
        near(
            treatment_gap(&MALE, &FEMALE).unwrap().value,
            23.0 / 15.0 - 41.0 / 38.0,
        );
        assert_eq!(treatment_gap(&MALE, &table(1, 0, 1, 1)), None);
    }

    #[test]
    fn conditional_outcomes_are_labels_for_each_decision() {
        let found = conditional_acceptance(&MALE, &FEMALE).unwrap().value;
        near(found, 103.0 / 95.0 - 261.0 / 258.0);
        let found = conditional_rejection(&MALE, &FEMALE).unwrap().value;
        near(found, 49.0 / 57.0 - 87.0 / 90.0);
        assert_eq!(conditional_acceptance(&MALE, &table(0, 0, 1, 1)), None);
        assert_eq!(conditional_rejection(&MALE, &table(1, 1, 0, 0)), None);
    }

    #[test]
    fn an_empty_class_leaves_every_criterion_open() {
        let no_negatives = table(5, 0, 5, 0);
        assert_eq!(equalised(&MALE, &no_negatives), None);
        assert_eq!(average_odds(&MALE, &no_negatives), None);
        assert_eq!(balanced_error(&MALE, &no_negatives), None);
        let never = table(0, 0, 5, 5);
        assert_eq!(equalised(&never, &never), Some((0.0, None)));
        assert_eq!(equalised(&MALE, &never).unwrap().1, Some(0.0));
    }

    #[test]
    fn balanced_error_weighs_both_classes_alike() {
        let found = balanced_error(&MALE, &FEMALE).unwrap().value;
        let male = 0.5 * (41.0 / 261.0 + 38.0 / 87.0);
        let female = 0.5 * (23.0 / 103.0 + 15.0 / 49.0);
        near(found, female - male);
    }
}
