//! Shares of decided cases, and what they would be if every case without a label turned out to have been
//! decided rightly, or wrongly.
//!
//! Deciding all of them rightly is the best, and wrongly the worst, that they can do to each of these
//! shares: what a case adds to hits or to the cases that count never speaks for the other side.

use super::late::{answered, cases};
use super::{decided, multiclass};
use crate::metric::{MetricId, Seen, Unmeasurable};
use crate::performance::binary::{Binary, Share};
use crate::performance::labels::Completed;

type Of = fn(&Binary) -> Share;

/// The shares of two-valued decisions, and whether each decided case counts in them whatever its label.
const SHARES: [(MetricId, Of, bool); 11] = [
    (MetricId::Accuracy, Binary::accuracy, true),
    (MetricId::ErrorRate, Binary::error_rate, true),
    (MetricId::Recall, Binary::recall, false),
    (MetricId::Specificity, Binary::specificity, false),
    (
        MetricId::FalsePositiveRate,
        Binary::false_positive_rate,
        false,
    ),
    (
        MetricId::FalseNegativeRate,
        Binary::false_negative_rate,
        false,
    ),
    (MetricId::Precision, Binary::precision, false),
    (
        MetricId::NegativePredictiveValue,
        Binary::negative_predictive_value,
        false,
    ),
    (
        MetricId::FalseDiscoveryRate,
        Binary::false_discovery_rate,
        false,
    ),
    (
        MetricId::FalseOmissionRate,
        Binary::false_omission_rate,
        false,
    ),
    (MetricId::Jaccard, Binary::jaccard, false),
];

fn two_valued(metric: MetricId) -> Option<(Of, bool)> {
    let found = SHARES.iter().find(|(known, ..)| *known == metric);
    found.map(|(_, of, all)| (*of, *all))
}

impl MetricId {
    /// Whether it is a share that cases without a label can be counted into, at their best and at their
    /// worst.
    pub fn completes(self) -> bool {
        self == Self::MulticlassAccuracy || two_valued(self).is_some()
    }

    /// Whether it is such a share of all decided cases, whatever their labels.
    pub fn is_of_all_decisions(self) -> bool {
        self == Self::MulticlassAccuracy || two_valued(self).is_some_and(|(_, all)| all)
    }

    /// The share with the cases of the traffic beside it that have no label. No data where nothing was
    /// decided; undefined where the traffic is not at hand, or the metric is no such share.
    pub fn completed(self, seen: Seen<'_>) -> Result<Completed, Unmeasurable> {
        if self == Self::MulticlassAccuracy {
            return of_classes(&seen);
        }
        let (of, _) = two_valued(self).ok_or(Unmeasurable::Undefined(
            "cases without a label cannot be counted into the metric",
        ))?;
        let known = match decided(&seen) {
            // No label has come.
            Err(Unmeasurable::NoData) => Binary::default(),
            other => other?,
        };
        let (positive, negative) = cases(&seen)?;
        let positive = positive.saturating_sub(known.tp.saturating_add(known.fp));
        let negative = negative.saturating_sub(known.tn.saturating_add(known.fn_));
        let right = Binary {
            tp: known.tp.saturating_add(positive),
            tn: known.tn.saturating_add(negative),
            ..known
        };
        let wrong = Binary {
            fp: known.fp.saturating_add(positive),
            fn_: known.fn_.saturating_add(negative),
            ..known
        };
        some(Completed {
            labelled: of(&known),
            right: of(&right),
            wrong: of(&wrong),
            known: known.cases(),
            cases: right.cases(),
        })
    }
}

fn of_classes(seen: &Seen<'_>) -> Result<Completed, Unmeasurable> {
    let right = match multiclass::table(seen) {
        // No label has come.
        Err(Unmeasurable::NoData) => 0,
        other => other?.accuracy().0,
    };
    let (known, cases) = answered(seen)?;
    some(Completed {
        labelled: (right, known),
        right: (right.saturating_add(cases.saturating_sub(known)), cases),
        wrong: (right, cases),
        known,
        cases,
    })
}

fn some(found: Completed) -> Result<Completed, Unmeasurable> {
    if found.cases == 0 {
        return Err(Unmeasurable::NoData);
    }
    Ok(found)
}
