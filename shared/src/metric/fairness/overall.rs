//! Fairlearn's figures over a whole attribute that are not of one rate alone, or are against the overall
//! rate.

use super::spread::{SPREAD, counts, support};
use super::{key, labelled, shown};
use crate::fairness::{Rate, Spread, to_overall};
use crate::metric::{CasesOfGroups, Measurement, MetricSpec, Seen, StreamKind, Unmeasurable};
use crate::objective::document::Comparator;

const ODDS: MetricSpec = MetricSpec {
    edge_cases: "Groups without cases of a label are left out of that rate; with fewer than two left \
                 it is undefined. A rate of 0 in every group: no ratio. Rows whose attribute is \
                 unknown or not listed are left out.",
    cannot_tell: "Which group fares worse, by which rate and in which direction. Whether the distance \
                  is more than chance: it is shown, never judged.",
    ..SPREAD
};

const RATIO: MetricSpec = MetricSpec {
    good: Comparator::AtLeast,
    ..ODDS
};

/// True and false positive rates' spreads, and the cases behind them.
#[inline(never)]
fn spreads(seen: &Seen<'_>) -> Result<([Spread; 2], u64), Unmeasurable> {
    let rates = [Rate::TruePositive, Rate::FalsePositive];
    let [positive, negative] = rates.map(|rate| counts(seen, rate));
    let (positive, negative) = (positive?, negative?);
    let cases = support(&positive).saturating_add(support(&negative));
    let spread = |counts: &[_]| Spread::of(counts).ok_or(Unmeasurable::NoData);
    Ok(([spread(&positive)?, spread(&negative)?], cases))
}

#[inline(never)]
fn difference(seen: &Seen<'_>, both: fn(f64, f64) -> f64) -> Measurement {
    let ([tpr, fpr], cases) = spreads(seen)?;
    Ok(shown(both(tpr.difference(), fpr.difference()), None, cases))
}

#[inline(never)]
fn ratio(seen: &Seen<'_>, both: fn(f64, f64) -> f64) -> Measurement {
    let ([tpr, fpr], cases) = spreads(seen)?;
    let ratios = tpr.ratio().zip(fpr.ratio());
    let zero = Unmeasurable::Undefined("a rate is 0 in every group");
    let (tpr, fpr) = ratios.ok_or(zero)?;
    Ok(shown(both(tpr, fpr), None, cases))
}

fn mean(a: f64, b: f64) -> f64 {
    0.5 * (a + b)
}

metric! {
    /// Worst spread of the true and false positive rates.
    EqualisedOddsSpreadDifference, labelled,
    |seen: Seen<'_>| difference(&seen, f64::max), ODDS, {
        name: "equalised_odds_difference.spread",
        title: "Equalised odds difference between all groups",
        meaning: "The larger of the spreads (largest minus smallest) of true and of false positive \
                  rate over all groups of the attribute. 0 is parity.",
        formula: "max(max TPR - min TPR, max FPR - min FPR) over groups; fairlearn's \
                  equalized_odds_difference.",
    }
}

metric! {
    /// Mean spread of the true and false positive rates.
    EqualisedOddsSpreadDifferenceMean, labelled, |seen: Seen<'_>| difference(&seen, mean), ODDS, {
        name: "equalised_odds_difference.spread_mean",
        title: "Equalised odds difference between all groups (mean)",
        meaning: "The mean of the spreads (largest minus smallest) of true and of false positive rate \
                  over all groups of the attribute. 0 is parity.",
        formula: "((max TPR - min TPR) + (max FPR - min FPR)) / 2 over groups; fairlearn's \
                  equalized_odds_difference with agg=\"mean\".",
    }
}

metric! {
    /// Worst ratio of the true and false positive rates.
    EqualisedOddsSpreadRatio, labelled, |seen: Seen<'_>| ratio(&seen, f64::min), RATIO, {
        name: "equalised_odds_ratio.spread",
        title: "Equalised odds ratio between all groups",
        meaning: "The smaller of the ratios (smallest over largest) of true and of false positive \
                  rate over all groups of the attribute. 1 is parity.",
        formula: "min(min TPR / max TPR, min FPR / max FPR) over groups; fairlearn's \
                  equalized_odds_ratio.",
    }
}

metric! {
    /// Mean ratio of the true and false positive rates.
    EqualisedOddsSpreadRatioMean, labelled, |seen: Seen<'_>| ratio(&seen, mean), RATIO, {
        name: "equalised_odds_ratio.spread_mean",
        title: "Equalised odds ratio between all groups (mean)",
        meaning: "The mean of the ratios (smallest over largest) of true and of false positive rate \
                  over all groups of the attribute. 1 is parity.",
        formula: "(min TPR / max TPR + min FPR / max FPR) / 2 over groups; fairlearn's \
                  equalized_odds_ratio with agg=\"mean\".",
    }
}

/// The farthest group from the overall rate, by difference and by ratio.
#[inline(never)]
fn farthest(seen: &Seen<'_>, rate: Rate) -> Result<(f64, Option<f64>, u64), Unmeasurable> {
    let counts = counts(seen, rate)?;
    let (apart, ratio) = to_overall(&counts).ok_or(Unmeasurable::NoData)?;
    Ok((apart, ratio, support(&counts)))
}

const SELECTION: MetricSpec = MetricSpec {
    stream: StreamKind::ByAttribute,
    needs_label: false,
    edge_cases: "Groups without a decision are left out; with fewer than two left it is undefined. \
                 Overall means all listed groups together: rows whose attribute is unknown or not \
                 listed are left out. An overall rate of 0: no ratio.",
    ..ODDS
};

metric! {
    /// Largest distance of a group's selection rate from the overall one.
    DemographicParityToOverallDifference, |of| key(Rate::Selection, of), |seen: Seen<'_>| {
        let (apart, _, cases) = farthest(&seen, Rate::Selection)?;
        Ok(shown(apart, None, cases))
    }, SELECTION, {
        groups: CasesOfGroups::AddedUp,
        name: "demographic_parity_difference.to_overall",
        title: "Demographic parity difference to the overall rate",
        meaning: "The largest distance of a group's rate of positive decisions from the rate of all \
                  groups together. 0 is parity.",
        formula: "max over groups of |rate - overall rate|; fairlearn's \
                  demographic_parity_difference with method=\"to_overall\".",
    }
}

metric! {
    /// Smallest ratio of a group's selection rate to the overall one, either way round.
    DemographicParityToOverallRatio, |of| key(Rate::Selection, of), |seen: Seen<'_>| {
        let (_, ratio, cases) = farthest(&seen, Rate::Selection)?;
        let zero = Unmeasurable::Undefined("the rate is 0 in every group");
        Ok(shown(ratio.ok_or(zero)?, None, cases))
    }, SELECTION, {
        groups: CasesOfGroups::AddedUp,
        name: "demographic_parity_ratio.to_overall",
        title: "Demographic parity ratio to the overall rate",
        good: Comparator::AtLeast,
        meaning: "The smallest ratio of a group's rate of positive decisions to the rate of all \
                  groups together, the smaller always over the larger. 1 is parity.",
        formula: "min over groups of min(rate / overall, overall / rate); fairlearn's \
                  demographic_parity_ratio with method=\"to_overall\".",
    }
}

metric! {
    /// Largest distance of a group's true or false positive rate from the overall one.
    EqualisedOddsToOverallDifference, labelled, |seen: Seen<'_>| {
        let (tpr, _, positives) = farthest(&seen, Rate::TruePositive)?;
        let (fpr, _, negatives) = farthest(&seen, Rate::FalsePositive)?;
        Ok(shown(tpr.max(fpr), None, positives.saturating_add(negatives)))
    }, ODDS, {
        groups: CasesOfGroups::AddedUp,
        name: "equalised_odds_difference.to_overall",
        title: "Equalised odds difference to the overall rates",
        meaning: "The largest distance of a group's true or false positive rate from that of all \
                  groups together. 0 is parity.",
        formula: "max over groups and over TPR and FPR of |rate - overall rate|; fairlearn's \
                  equalized_odds_difference with method=\"to_overall\".",
    }
}
