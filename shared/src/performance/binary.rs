//! Figures of a binary decision against its label: four counts.

use super::delta::{self, Slope};
use super::multiclass::Table;
use super::{Figure, averages};

/// Labelled cases of a binary decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Binary {
    /// Positive, and decided so.
    pub tp: u64,
    /// Negative, but decided positive.
    pub fp: u64,
    /// Positive, but decided negative.
    pub fn_: u64,
    /// Negative, and decided so.
    pub tn: u64,
}

/// Cases that count, of cases.
pub type Share = (u64, u64);

/// What a case costs by how it was decided, in one unit; gains are below zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    /// Of a true positive.
    pub tp: f64,
    /// Of a false positive.
    pub fp: f64,
    /// Of a false negative.
    pub fn_: f64,
    /// Of a true negative.
    pub tn: f64,
}

impl Binary {
    /// Labelled cases.
    pub const fn cases(&self) -> u64 {
        self.tp + self.fp + self.fn_ + self.tn
    }

    /// Right decisions among all.
    pub const fn accuracy(&self) -> Share {
        (self.tp + self.tn, self.cases())
    }

    /// Wrong decisions among all.
    pub const fn error_rate(&self) -> Share {
        (self.fp + self.fn_, self.cases())
    }

    /// Positive decisions among positive cases: recall, sensitivity, true positive rate.
    pub const fn recall(&self) -> Share {
        (self.tp, self.tp + self.fn_)
    }

    /// Negative decisions among negative cases: true negative rate.
    pub const fn specificity(&self) -> Share {
        (self.tn, self.tn + self.fp)
    }

    /// Positive decisions among negative cases.
    pub const fn false_positive_rate(&self) -> Share {
        (self.fp, self.tn + self.fp)
    }

    /// Negative decisions among positive cases.
    pub const fn false_negative_rate(&self) -> Share {
        (self.fn_, self.tp + self.fn_)
    }

    /// Positive cases among positive decisions: positive predictive value.
    pub const fn precision(&self) -> Share {
        (self.tp, self.tp + self.fp)
    }

    /// Negative cases among negative decisions.
    pub const fn negative_predictive_value(&self) -> Share {
        (self.tn, self.tn + self.fn_)
    }

    /// Negative cases among positive decisions.
    pub const fn false_discovery_rate(&self) -> Share {
        (self.fp, self.tp + self.fp)
    }

    /// Positive cases among negative decisions.
    pub const fn false_omission_rate(&self) -> Share {
        (self.fn_, self.tn + self.fn_)
    }

    /// Positive and decided so, among those that are one or the other (Jaccard 1912).
    pub const fn jaccard(&self) -> Share {
        (self.tp, self.tp + self.fp + self.fn_)
    }

    /// Positive cases among all.
    pub const fn prevalence(&self) -> Share {
        (self.tp + self.fn_, self.cases())
    }

    /// Positive decisions among all labelled cases.
    pub const fn detection_prevalence(&self) -> Share {
        (self.tp + self.fp, self.cases())
    }

    /// Positive and decided so, among all.
    pub const fn detection_rate(&self) -> Share {
        (self.tp, self.cases())
    }

    /// As a table of two classes, the positive one first.
    pub fn table(&self) -> Table {
        Table::of_binary([self.tp, self.fn_, self.fp, self.tn])
    }

    /// F-beta (van Rijsbergen 1979): `(1 + b) tp / ((1 + b) tp + b fn + fp)` with b the square of
    /// beta. None without a positive case or decision.
    pub fn f_beta(&self, beta: f64) -> Option<Figure> {
        let counts = [self.tp, self.fn_, self.fp];
        let weight = beta * beta / (1.0 + beta * beta);
        let all = [self.tp, self.fn_, self.fp, self.tn];
        if counts == [0; 3] {
            return None;
        }
        delta::figure(&all, |p| {
            let below = p[0] + weight * p[1] + (1.0 - weight) * p[2];
            let value = super::over(p[0], below)?;
            Some(Slope {
                value,
                gradient: vec![
                    (1.0 - value) / below,
                    -weight * value / below,
                    -(1.0 - weight) * value / below,
                    0.0,
                ],
            })
        })
    }

    /// The mean of recall and specificity. None without both labels.
    pub fn balanced_accuracy(&self) -> Option<Figure> {
        self.both_labels()?;
        averages::macro_recall(&self.table())
    }

    /// Youden's J (1950): recall plus specificity less one. None without both labels.
    pub fn youden(&self) -> Option<Figure> {
        let balanced = self.balanced_accuracy()?;
        Some(Figure {
            value: 2.0 * balanced.value - 1.0,
            std_error: 2.0 * balanced.std_error,
        })
    }

    /// The geometric mean of recall and specificity (Kubat and Matwin 1997). None without both
    /// labels.
    pub fn g_mean(&self) -> Option<Figure> {
        self.both_labels()?;
        delta::figure(&[self.tp, self.fn_, self.fp, self.tn], |p| {
            let (positive, negative) = (p[0] + p[1], p[2] + p[3]);
            let (recall, specificity) = (p[0] / positive, p[3] / negative);
            let value = (recall * specificity).sqrt();
            // Half of the mean times the relative slopes, written so that zero rates are finite.
            let by_recall = 0.5 * super::over(specificity, value).unwrap_or(0.0);
            let by_specificity = 0.5 * super::over(recall, value).unwrap_or(0.0);
            Some(Slope {
                value,
                gradient: vec![
                    by_recall * (1.0 - recall) / positive,
                    -by_recall * recall / positive,
                    -by_specificity * specificity / negative,
                    by_specificity * (1.0 - specificity) / negative,
                ],
            })
        })
    }

    /// Matthews' correlation of decision and label (1975). None if all labels or all decisions are
    /// the same.
    pub fn matthews(&self) -> Option<Figure> {
        self.table().matthews()
    }

    /// Cohen's kappa (1960). None if all labels and all decisions are one and the same class.
    pub fn kappa(&self) -> Option<Figure> {
        self.table().kappa()
    }

    /// The mean cost of a case. None without cases.
    pub fn cost(&self, costs: Costs) -> Option<Figure> {
        delta::figure(&[self.tp, self.fn_, self.fp, self.tn], |p| {
            let gradient = vec![costs.tp, costs.fn_, costs.fp, costs.tn];
            let value = p.iter().zip(&gradient).map(|(p, g)| p * g).sum();
            Some(Slope { value, gradient })
        })
    }

    /// Nothing unless both labels occur.
    fn both_labels(&self) -> Option<()> {
        (self.tp + self.fn_ > 0 && self.fp + self.tn > 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Binary = Binary {
        tp: 60,
        fp: 22,
        fn_: 13,
        tn: 30,
    };

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }

    #[test]
    fn figures_agree_with_scikit_learn() {
        // The first 125 analysed rows of the German credit data, scikit-learn 1.9.1.
        near(FULL.f_beta(1.0).unwrap().value, 0.774_193_548_387_096_8);
        near(FULL.matthews().unwrap().value, 0.413_829_664_864_253_4);
        near(FULL.kappa().unwrap().value, 0.409_023_368_904_498_2);
        near(
            FULL.balanced_accuracy().unwrap().value,
            0.699_420_442_571_127_5,
        );
        near(FULL.youden().unwrap().value, 0.398_840_885_142_255);
        near(
            FULL.g_mean().unwrap().value,
            (0.821_917_808_219_178_1_f64 * 0.576_923_076_923_076_9).sqrt(),
        );
    }

    /// The standard error by finite differences of the value at the drawn shares.
    fn numeric(value: impl Fn([f64; 4]) -> f64, table: Binary) -> f64 {
        let counts = [table.tp, table.fn_, table.fp, table.tn];
        let p = delta::drawn_shares(&counts);
        let p: [f64; 4] = p.try_into().unwrap();
        let gradient: Vec<f64> = (0..4)
            .map(|i| {
                let (mut up, mut down) = (p, p);
                up[i] += 1e-6;
                down[i] -= 1e-6;
                (value(up) - value(down)) / 2e-6
            })
            .collect();
        delta::std_error(&p, &gradient, table.cases() as f64)
    }

    #[test]
    fn gradients_are_those_of_the_values() {
        let f2 = |p: [f64; 4]| 5.0 * p[0] / (5.0 * p[0] + 4.0 * p[1] + p[2]);
        let g_mean = |p: [f64; 4]| (p[0] / (p[0] + p[1]) * p[3] / (p[2] + p[3])).sqrt();
        let balanced = |p: [f64; 4]| 0.5 * (p[0] / (p[0] + p[1]) + p[3] / (p[2] + p[3]));
        let matthews = |[tp, fneg, fp, tn]: [f64; 4]| {
            (tp * tn - fp * fneg) / ((tp + fp) * (tp + fneg) * (tn + fp) * (tn + fneg)).sqrt()
        };
        let kappa = |[tp, fneg, fp, tn]: [f64; 4]| {
            let n = tp + fneg + fp + tn;
            let (right, chance) = (
                (tp + tn) / n,
                ((tp + fneg) * (tp + fp) + (tn + fp) * (tn + fneg)) / (n * n),
            );
            (right - chance) / (1.0 - chance)
        };
        for table in [
            FULL,
            Binary {
                tp: 5,
                fp: 0,
                fn_: 0,
                tn: 7,
            },
        ] {
            for (found, expected) in [
                (table.f_beta(2.0).unwrap(), numeric(f2, table)),
                (table.g_mean().unwrap(), numeric(g_mean, table)),
                (table.balanced_accuracy().unwrap(), numeric(balanced, table)),
                (table.matthews().unwrap(), numeric(matthews, table)),
                (table.kappa().unwrap(), numeric(kappa, table)),
            ] {
                assert!(
                    (found.std_error - expected).abs() < 1e-8 && found.std_error > 0.0,
                    "{} {expected}",
                    found.std_error
                );
            }
        }
    }

    #[test]
    fn zero_by_zero_has_no_value() {
        let none = Binary::default();
        assert_eq!((none.f_beta(1.0), none.matthews()), (None, None));
        assert_eq!((none.kappa(), none.g_mean()), (None, None));
        let all_negative = Binary { tn: 9, ..none };
        assert_eq!(all_negative.f_beta(1.0), None);
        assert_eq!(all_negative.matthews(), None);
        assert_eq!(all_negative.kappa(), None);
        let never_decided = Binary {
            fn_: 3,
            tn: 9,
            ..none
        };
        assert_eq!(never_decided.matthews(), None);
        near(never_decided.kappa().unwrap().value, 0.0);
        near(never_decided.g_mean().unwrap().value, 0.0);
    }

    #[test]
    fn costs_are_weighed_by_what_was_decided() {
        let costs = Costs {
            tp: -1.0,
            fp: 2.0,
            fn_: 10.0,
            tn: 0.0,
        };
        near(
            FULL.cost(costs).unwrap().value,
            (44.0 - 60.0 + 130.0) / 125.0,
        );
    }
}
