//! One group's labelled decisions and the rates that are read from them.

/// Cases that count and all cases of a share: (hits, of).
pub type Counts = (u64, u64);

/// One group's cases by what was decided and what turned out to be true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Decided positive, and truly so.
    pub true_positive: u64,
    /// Decided positive, wrongly.
    pub false_positive: u64,
    /// Decided negative, wrongly.
    pub false_negative: u64,
    /// Decided negative, and truly so.
    pub true_negative: u64,
}

/// The rates by which groups are compared. Each is a share of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Positive decisions among all.
    Selection,
    /// Positive labels among all.
    Base,
    /// Right decisions among all.
    Accuracy,
    /// Positive decisions among positive labels (sensitivity, recall).
    TruePositive,
    /// Positive decisions among negative labels.
    FalsePositive,
    /// Negative decisions among negative labels (specificity).
    TrueNegative,
    /// Negative decisions among positive labels.
    FalseNegative,
    /// Positive labels among positive decisions (precision).
    PositivePredictive,
    /// Negative labels among negative decisions.
    NegativePredictive,
    /// Negative labels among positive decisions.
    FalseDiscovery,
    /// Positive labels among negative decisions.
    FalseOmission,
}

impl Rate {
    /// Every rate.
    pub const ALL: [Self; 11] = [
        Self::Selection,
        Self::Base,
        Self::Accuracy,
        Self::TruePositive,
        Self::FalsePositive,
        Self::TrueNegative,
        Self::FalseNegative,
        Self::PositivePredictive,
        Self::NegativePredictive,
        Self::FalseDiscovery,
        Self::FalseOmission,
    ];

    /// Its two counts.
    pub const fn of(self, table: &Table) -> Counts {
        let Table {
            true_positive: tp,
            false_positive: fp,
            false_negative: fn_,
            true_negative: tn,
        } = *table;
        let all = add(add(tp, fp), add(fn_, tn));
        match self {
            Self::Selection => (add(tp, fp), all),
            Self::Base => (add(tp, fn_), all),
            Self::Accuracy => (add(tp, tn), all),
            Self::TruePositive => (tp, add(tp, fn_)),
            Self::FalsePositive => (fp, add(fp, tn)),
            Self::TrueNegative => (tn, add(fp, tn)),
            Self::FalseNegative => (fn_, add(tp, fn_)),
            Self::PositivePredictive => (tp, add(tp, fp)),
            Self::NegativePredictive => (tn, add(tn, fn_)),
            Self::FalseDiscovery => (fp, add(tp, fp)),
            Self::FalseOmission => (fn_, add(tn, fn_)),
        }
    }
}

/// Sums of counts stay within 64 bits in summaries; elsewhere they stop there.
const fn add(a: u64, b: u64) -> u64 {
    a.saturating_add(b)
}

impl Table {
    /// All cases.
    pub const fn total(&self) -> u64 {
        Rate::Selection.of(self).1
    }

    /// The cases of both.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            true_positive: add(self.true_positive, other.true_positive),
            false_positive: add(self.false_positive, other.false_positive),
            false_negative: add(self.false_negative, other.false_negative),
            true_negative: add(self.true_negative, other.true_negative),
        }
    }
}

/// A share, if there are cases.
pub(super) fn share((hits, of): Counts) -> Option<f64> {
    (of > 0).then(|| hits.min(of) as f64 / of as f64)
}

/// The variance of a share, drawn a little towards one half, so that a share of 0 or 1 in few cases
/// does not count as certain (Agresti and Caffo 2000: one hit and one miss more).
pub(super) fn drawn_variance((hits, of): Counts) -> f64 {
    let n = of as f64 + 2.0;
    let p = (hits.min(of) as f64 + 1.0) / n;
    p * (1.0 - p) / n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_their_complements_share_a_denominator() {
        let table = Table {
            true_positive: 80,
            false_positive: 15,
            false_negative: 23,
            true_negative: 34,
        };
        for (rate, other) in [
            (Rate::TruePositive, Rate::FalseNegative),
            (Rate::FalsePositive, Rate::TrueNegative),
            (Rate::PositivePredictive, Rate::FalseDiscovery),
            (Rate::NegativePredictive, Rate::FalseOmission),
        ] {
            let ((hits, of), (misses, same)) = (rate.of(&table), other.of(&table));
            assert_eq!((hits + misses, of), (of, same));
        }
        assert_eq!(Rate::Selection.of(&table), (95, 152));
        assert_eq!(Rate::Base.of(&table), (103, 152));
        assert_eq!(Rate::Accuracy.of(&table), (114, 152));
    }

    #[test]
    fn counts_at_the_end_of_64_bits_do_not_wrap() {
        let most = Table {
            true_positive: u64::MAX,
            false_positive: u64::MAX,
            false_negative: 1,
            true_negative: 1,
        };
        assert_eq!(most.total(), u64::MAX);
        for rate in Rate::ALL {
            assert!((0.0..=1.0).contains(&share(rate.of(&most)).unwrap()));
        }
        assert_eq!(share((0, 0)), None);
    }
}
