//! How well the score ranks, apart from the area under the ROC curve.

use super::roc_auc::{across, area, estimate};
use super::{SCORED, of_labelled, scored, scored_key, shown_within};
use crate::metric::{
    Estimate, IntervalFrom, Measurement, Metric, MetricSpec, Sample, SampleKind, Seen, Unmeasurable,
};
use crate::objective::document::{Document, Subject};
use crate::performance::cells::{Cell, totals};
use crate::performance::precision_recall::average_precision;
use crate::performance::{Bracketed, ranking};
use crate::sketch::SummaryKey;

/// Average precision of the score.
#[derive(Debug)]
pub(in crate::metric) struct AveragePrecision;

/// Gini's coefficient of the score.
#[derive(Debug)]
pub(in crate::metric) struct Gini;

/// The Kolmogorov-Smirnov distance between the scores of both labels.
#[derive(Debug)]
pub(in crate::metric) struct ScoreSeparation;

/// The share of positive cases in the tenth of highest score.
#[derive(Debug)]
pub(in crate::metric) struct Gain10;

/// How many times more positive cases the tenth of highest score holds than any tenth.
#[derive(Debug)]
pub(in crate::metric) struct Lift10;

/// The share of the list at which gain and lift are taken.
const TOP: f64 = 0.1;
const NO_POSITIVE: Unmeasurable = Unmeasurable::Undefined("no positive case");

impl Metric for AveragePrecision {
    const SPEC: MetricSpec = MetricSpec {
        name: "average_precision",
        title: "Average precision",
        meaning: "The precision at each positive case, counting down from the highest score, in the \
                  mean over positive cases: the area under the precision-recall curve. A ranking by \
                  chance has the prevalence.",
        formula: "Sum over score cells from the top of (gained recall) times (precision so far), a \
                  cell as one step. Interval: 95 % on the logit scale with variance AP (1 - AP) / \
                  n+ (Boyd, Eng and Page 2013), drawn inwards by half a case; over the whole bound, as \
                  for `roc_auc`. Bound: the positives \
                  of each cell all before its negatives, and all after them one by one.",
        edge_cases: "No labelled rows: no data. No positive case: undefined. No negative case: 1. \
                     Cases in one cell count as ties.",
        cannot_tell: of_labelled!(
            "Whether scores are right as probabilities. Values of populations with other \
             prevalences cannot be compared."
        ),
        reference: "scikit-learn 1.9, `average_precision_score` of the raw scores lies within the \
                    bound.",
        sample: SampleKind::Normal,
        ..SCORED
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![scored_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let found = average_precision(&scored(&seen)?).ok_or(NO_POSITIVE)?;
        let (of, value) = (found.positives + found.negatives, found.precision.value);
        Ok(Estimate {
            value,
            interval: Some(across(
                &found.precision,
                (found.drawn, found.std_error),
                found.ends,
            )),
            bound: Some((found.precision.low, found.precision.high)),
            support: of,
            sample: Sample::Normal {
                estimate: value,
                std_error: found.std_error,
                of,
                least: found.positives,
            },
        })
    }
}

impl Metric for Gini {
    const SPEC: MetricSpec = MetricSpec {
        name: "gini",
        title: "Gini coefficient of the score",
        range: (-1.0, 1.0),
        meaning: "How well the score ranks, as credit scoring has it: 1 is a perfect ranking, 0 is \
                  none. Also called accuracy ratio or Somers' D.",
        formula: "2 AUC - 1, with interval, standard error and bound of `roc_auc` carried over.",
        edge_cases: "No labelled rows: no data. No positive or no negative case: undefined. Cases in \
                     one score cell count as ties.",
        cannot_tell: of_labelled!(
            "Whether scores are right as probabilities, or how decisions at one threshold fare."
        ),
        reference: "scikit-learn 1.9, `roc_auc_score` doubled less 1 lies within the bound.",
        sample: SampleKind::Normal,
        ..SCORED
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![scored_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let found = area(&seen)?;
        let base = estimate(&found);
        let both = |(low, high)| (ranking::gini(low), ranking::gini(high));
        let value = ranking::gini(base.value);
        Ok(Estimate {
            value,
            interval: base.interval.map(both),
            bound: base.bound.map(both),
            support: base.support,
            sample: Sample::Normal {
                estimate: value,
                std_error: 2.0 * found.std_error,
                of: base.support,
                least: found.positives.min(found.negatives),
            },
        })
    }
}

impl Metric for ScoreSeparation {
    const SPEC: MetricSpec = MetricSpec {
        name: "score_separation",
        interval: IntervalFrom::Recounting,
        title: "Separation of scores (KS)",
        meaning: "The largest distance between the distribution functions of the positive cases' and \
                  of the negative cases' scores: how far one threshold can tell the labels apart. \
                  Called the KS statistic in credit scoring.",
        formula: "Largest |F+ - F-| at the edges of score cells. Bound: within a cell the one may rise \
                  before the other.",
        edge_cases: "No labelled rows: no data. No positive or no negative case: undefined. Never \
                     judged: its chance law at a level is not known well enough.",
        cannot_tell: of_labelled!("Which threshold that is, and whether it is the one in use."),
        reference: "scipy 1.17, `ks_2samp` of the raw scores by label lies within the bound.",
        ..SCORED
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![scored_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        let of = area(&seen)?;
        let found = ranking::separation(&scored(&seen)?).ok_or(NO_POSITIVE)?;
        Ok(shown_within(found, of.positives + of.negatives))
    }
}

/// A figure of the top of the list.
fn of_top(seen: &Seen<'_>, figure: fn(&[Cell], f64) -> Option<Bracketed>) -> Measurement {
    let cells = scored(seen)?;
    let (positives, negatives) = totals(&cells);
    let found = figure(&cells, TOP).ok_or(NO_POSITIVE)?;
    Ok(shown_within(found, positives + negatives))
}

impl Metric for Gain10 {
    const SPEC: MetricSpec = MetricSpec {
        name: "gain_10",
        interval: IntervalFrom::Recounting,
        title: "Gain at 10 %",
        meaning: "Of the positive cases, the share that is among the tenth of cases with the highest \
                  scores: the recall of acting on every tenth case.",
        formula: "Positive cases in the top tenth / positive cases. The score cell that the cut falls \
                  into gives its cases in proportion. Bound: its positives first, and last.",
        edge_cases: "No labelled rows: no data. No positive case: undefined. A tenth need not be a \
                     whole number of cases.",
        cannot_tell: of_labelled!("How the rest of the list is ranked."),
        reference: "Counted on the sorted raw scores, ties in proportion: within the bound.",
        ..SCORED
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![scored_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        of_top(&seen, ranking::gain)
    }
}

impl Metric for Lift10 {
    const SPEC: MetricSpec = MetricSpec {
        name: "lift_10",
        interval: IntervalFrom::Recounting,
        title: "Lift at 10 %",
        range: (0.0, 10.0),
        meaning: "How many times more positive cases the tenth of cases with the highest scores holds \
                  than a tenth chosen by chance. 1 is chance, 10 the most there can be.",
        formula: "`gain_10` / 0.1, its bound carried over.",
        edge_cases: "No labelled rows: no data. No positive case: undefined. Where more than a tenth \
                     of cases is positive, the most there can be is one over their share.",
        cannot_tell: of_labelled!("How the rest of the list is ranked."),
        reference: "Counted on the sorted raw scores, ties in proportion: within the bound.",
        ..SCORED
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![scored_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        of_top(&seen, ranking::lift)
    }
}
