//! Figures that balance two kinds of error: means of rates of the confusion table.

use super::{DECIDED, by_cells, decided, decided_key, normal, of_labelled};
use crate::bet::half_space::{self, Fraction};
use crate::bet::{Bets, DifferenceBets, NoBet};
use crate::interval;
use crate::metric::{
    Against, Estimate, Grade, Measurement, Metric, MetricSpec, Sample, SampleKind, Seen,
    Unmeasurable,
};
use crate::objective::document::{Document, Subject};
use crate::performance::Figure;
use crate::performance::binary::Binary;
use crate::sketch::SummaryKey;

/// Correct positive decisions count so much more than errors of either kind: F-beta as a ratio of
/// weighted counts of (TP, FP, FN, TN).
pub(super) fn f_bets(beta: f64, against: Against<'_>) -> Result<Bets, NoBet> {
    let weight = 1.0 + beta * beta;
    let of = Fraction {
        numerator: &[weight, 0.0, 0.0, 0.0],
        denominator: &[weight, 1.0, beta * beta, 0.0],
    };
    half_space::fraction(of, against.level, against.comparator).map(Bets::Cells)
}

/// What a ledger of F-beta reads. Without a true positive, where the logit scale ends and tells nothing, the
/// interval is Wilson's of Jaccard's J = TP / (TP + FP + FN), carried over with the errors as they are.
fn f_sample(beta: f64, found: Estimate, table: &Binary) -> Estimate {
    let weight = beta * beta;
    let wrong = table.fp as f64 + weight * table.fn_ as f64;
    let errors = (table.fp + table.fn_) as f64;
    let share = |jaccard: f64| {
        let right = (1.0 + weight) * jaccard * errors;
        right / (right + (1.0 - jaccard) * wrong)
    };
    let wilson = interval::wilson(table.tp, table.tp + table.fp + table.fn_);
    let of_jaccard = wilson.filter(|_| table.tp == 0);
    let by_it = of_jaccard.map(|(low, high)| (share(low), share(high)));
    let interval = by_it.or(found.interval);
    let counts = vec![table.tp, table.fp, table.fn_, table.tn];
    by_cells(Estimate { interval, ..found }, counts)
}

/// Youden's J is the difference between the shares of positive decisions among cases of the two
/// labels.
fn youden_bets(against: Against<'_>) -> Result<Bets, NoBet> {
    DifferenceBets::new(against.level, against.comparator).map(Bets::Difference)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "one type for what counts every figure"
)]
fn youden_sample(found: Estimate, table: &Binary) -> Estimate {
    Estimate {
        sample: Sample::TwoRates {
            reference: (table.fp, table.fp + table.tn),
            compared: (table.tp, table.tp + table.fn_),
        },
        ..found
    }
}

fn by_estimate(found: Estimate, _: &Binary) -> Estimate {
    found
}

fn normal_bets(against: Against<'_>) -> Result<Bets, NoBet> {
    Bets::new(SampleKind::Normal, against.level, against.comparator)
}

macro_rules! means {
    ($($type:ident {
        $name:literal, $title:literal, $range:expr, of: $figure:expr, $formula:literal,
        none: $none:literal, $reference:literal,
        $meaning:literal, cannot: $cannot:literal,
        judged: $grade:ident by $sample:ident($bets:expr, $counts:expr), $ledger:literal $(,)?
    })*) => {$(
        #[doc = $meaning]
        #[derive(Debug)]
        pub(in crate::metric) struct $type;

        impl Metric for $type {
            const SPEC: MetricSpec = MetricSpec {
                name: $name,
                title: $title,
                range: $range,
                meaning: $meaning,
                formula: concat!(
                    $formula,
                    ", over rows whose label and decision are both known. Standard error: \
                     multinomial delta method with the exact gradient, at shares drawn inwards by \
                     two cases spread over the four cells, so that few cases without an error do \
                     not look certain. Interval: 95 % on the logit scale of the range. ",
                    $ledger
                ),
                edge_cases: concat!(
                    "No labelled rows: no data; ", $none, ": undefined, where libraries often say \
                     0. Rows without a label yet are left out."
                ),
                cannot_tell: of_labelled!($cannot),
                reference: concat!($reference, ": to 1e-9 relative."),
                grade: Grade::$grade,
                sample: SampleKind::$sample,
                ..DECIDED
            };

            fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
                vec![decided_key()]
            }

            fn measure(seen: Seen<'_>) -> Measurement {
                let table = decided(&seen)?;
                let figure: fn(&Binary) -> Option<Figure> = $figure;
                let found = figure(&table).ok_or(Unmeasurable::Undefined($none))?;
                let least = (table.tp + table.fn_).min(table.fp + table.tn);
                let found = normal(found, $range, table.cases(), least);
                let counted: fn(Estimate, &Binary) -> Estimate = $counts;
                Ok(counted(found, &table))
            }

            fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
                let bets: fn(Against<'_>) -> Result<Bets, NoBet> = $bets;
                bets(against)
            }
        }
    )*};
}

means! {
    F1 {
        "f1", "F1", (0.0, 1.0), of: |table| table.f_beta(1.0), "2 TP / (2 TP + FP + FN)",
        none: "neither a positive case nor a positive decision", "scikit-learn 1.9, `f1_score`",
        "The harmonic mean of precision and recall: high only if both are.",
        cannot: "Anything about true negatives, which it leaves out. Which of the two errors is made.",
        judged: A by Cells(|against| f_bets(1.0, against), |found, table| f_sample(1.0, found, table)),
        "Without a true positive: Wilson's interval of TP / (TP + FP + FN), carried over. The ledger reads \
         the four counts alone: conforming is where the weighted counts \
         above the line less the level times those below add up to no less than 0 in \
         expectation; exact at any number of cases.",
    }
    F0_5 {
        "f0_5", "F0.5", (0.0, 1.0), of: |table| table.f_beta(0.5),
        "1.25 TP / (1.25 TP + FP + 0.25 FN)",
        none: "neither a positive case nor a positive decision", "scikit-learn 1.9, `fbeta_score`",
        "The harmonic mean of precision and recall, precision weighing four times as much.",
        cannot: "Anything about true negatives, which it leaves out. Which of the two errors is made.",
        judged: A by Cells(|against| f_bets(0.5, against), |found, table| f_sample(0.5, found, table)),
        "Without a true positive: Wilson's interval of TP / (TP + FP + FN), carried over. The ledger reads \
         the four counts alone: conforming is where the weighted counts \
         above the line less the level times those below add up to no less than 0 in \
         expectation; exact at any number of cases.",
    }
    F2 {
        "f2", "F2", (0.0, 1.0), of: |table| table.f_beta(2.0), "5 TP / (5 TP + FP + 4 FN)",
        none: "neither a positive case nor a positive decision", "scikit-learn 1.9, `fbeta_score`",
        "The harmonic mean of precision and recall, recall weighing four times as much.",
        cannot: "Anything about true negatives, which it leaves out. Which of the two errors is made.",
        judged: A by Cells(|against| f_bets(2.0, against), |found, table| f_sample(2.0, found, table)),
        "Without a true positive: Wilson's interval of TP / (TP + FP + FN), carried over. The ledger reads \
         the four counts alone: conforming is where the weighted counts \
         above the line less the level times those below add up to no less than 0 in \
         expectation; exact at any number of cases.",
    }
    BalancedAccuracy {
        "balanced_accuracy", "Balanced accuracy", (0.0, 1.0), of: Binary::balanced_accuracy,
        "(TP / (TP + FN) + TN / (TN + FP)) / 2", none: "only one label occurs",
        "scikit-learn 1.9, `balanced_accuracy_score`",
        "The mean of recall and specificity: accuracy as if both labels were equally frequent.",
        cannot: "How often decisions are wrong in practice, where one label is rarer. Which of the two \
                 errors is made.",
        judged: B by Normal(normal_bets, by_estimate),
        "The ledger rests on the same standard error. An objective on `youden_j` at twice the level \
         less 1 says the same and is judged exactly.",
    }
    YoudenJ {
        "youden_j", "Youden's J", (-1.0, 1.0), of: Binary::youden,
        "TP / (TP + FN) + TN / (TN + FP) - 1", none: "only one label occurs",
        "scikit-learn 1.9, twice `balanced_accuracy_score` less 1",
        "Recall plus specificity less one: informedness. 0 is as good as chance, 1 is without error.",
        cannot: "How often decisions are wrong in practice, where one label is rarer.",
        judged: A by TwoRates(youden_bets, youden_sample),
        "The ledger reads the shares of positive decisions among positive and among negative \
         cases, whose difference it is: exact at any number of cases.",
    }
    GMean {
        "g_mean", "Geometric mean", (0.0, 1.0), of: Binary::g_mean,
        "sqrt(TP / (TP + FN) * TN / (TN + FP))", none: "only one label occurs",
        "imbalanced-learn 0.14, `geometric_mean_score`",
        "The geometric mean of recall and specificity: 0 as soon as one label is never found.",
        cannot: "How often decisions are wrong in practice, where one label is rarer.",
        judged: B by Normal(normal_bets, by_estimate),
        "The ledger rests on the same standard error.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_errors_and_no_hit_leave_f_near_zero() {
        let table = Binary {
            tp: 0,
            fp: 1200,
            fn_: 1909,
            tn: 891,
        };
        for beta in [0.5, 1.0, 2.0] {
            let found = normal(table.f_beta(beta).unwrap(), (0.0, 1.0), table.cases(), 0);
            let (low, high) = f_sample(beta, found, &table).interval.unwrap();
            assert!(
                low.to_bits() == 0 && high > 0.0 && high < 0.01,
                "{beta}: {high}"
            );
        }
        // 2 J / (1 + J) of Wilson's end for F1.
        let found = normal(table.f_beta(1.0).unwrap(), (0.0, 1.0), table.cases(), 0);
        let (_, high) = f_sample(1.0, found, &table).interval.unwrap();
        let (_, jaccard) = interval::wilson(0, 3109).unwrap();
        assert!((high - 2.0 * jaccard / (1.0 + jaccard)).abs() < 1e-12);
    }
}
