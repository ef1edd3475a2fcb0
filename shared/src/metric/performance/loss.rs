//! Losses of the score: means over labelled cases, exact.

use super::{SCORED, around, fine_counts, losses, losses_key, of_labelled, scored_key};
use crate::bet::{Bets, Breach, NoBet, half_space, scores};
use crate::metric::{
    Against, Estimate, Grade, Measurement, Metric, MetricSpec, Sample, SampleKind, Seen,
    Unmeasurable,
};
use crate::objective::document::{Comparator, Document, Subject};
use crate::sketch::{GroupLosses, SummaryKey};

/// The mean log loss of the score.
#[derive(Debug)]
pub(in crate::metric) struct LogLoss;

/// The mean Brier loss of the score.
#[derive(Debug)]
pub(in crate::metric) struct Brier;

/// A mean of losses with the standard error of a mean.
fn mean(
    seen: &Seen<'_>,
    mean: fn(&GroupLosses) -> Option<f64>,
    variance: fn(&GroupLosses) -> Option<f64>,
) -> Measurement {
    let losses = losses(seen)?;
    let value = mean(losses).ok_or(Unmeasurable::NoData)?;
    let of = losses.n();
    let std_error = (variance(losses).unwrap_or(0.0) / of as f64).sqrt();
    let (low, high) = around(value, std_error);
    Ok(Estimate {
        value,
        interval: Some((low.max(0.0), high)),
        bound: None,
        support: of,
        sample: Sample::Cells {
            counts: fine_counts(seen)?,
            estimate: value,
            std_error,
            least: of,
        },
    })
}

/// Least and largest loss in each fine cell of scores, for a positive case, then for a negative one.
fn ends(of: fn(f64) -> f64) -> Vec<(f64, f64)> {
    // A loss falls as the score comes nearer to the label.
    let each = scores::fine()
        .into_iter()
        .flat_map(|(low, high)| [(of(1.0 - high), of(1.0 - low)), (of(low), of(high))]);
    each.collect()
}

/// Bets on a mean loss from what it is at least, and at most, in each cell.
pub(super) fn bets(of: fn(f64) -> f64, against: Against<'_>) -> Result<Bets, NoBet> {
    let cells = ends(of);
    let found = match against.comparator {
        Comparator::AtMost => {
            let lows: Vec<f64> = cells.iter().map(|(low, _)| *low).collect();
            half_space::mean_at_most(&lows, against.level)
        }
        Comparator::AtLeast => half_space::mean_between(&cells, against.level, Comparator::AtLeast),
    };
    found.map(Bets::Cells)
}

/// Where the mean loss is the level, each case in the middle of its cell: bets take the end that pays least,
/// and a breach would seem smaller than it is.
fn breach(of: fn(f64) -> f64, level: f64) -> Breach {
    let each = scores::fine().into_iter().flat_map(|(low, high)| {
        let middle = f64::midpoint(low, high);
        [of(1.0 - middle) - level, of(middle) - level]
    });
    Breach::Edges(vec![each.collect()])
}

/// The log loss of a score at this distance from the label, clipped as losses are.
pub(super) fn log_of(gap: f64) -> f64 {
    -libm::log((1.0 - gap).clamp(f64::EPSILON, 1.0 - f64::EPSILON))
}

pub(super) fn square_of(gap: f64) -> f64 {
    gap * gap
}

impl Metric for LogLoss {
    const SPEC: MetricSpec = MetricSpec {
        name: "log_loss",
        title: "Log loss",
        unit: "1",
        good: Comparator::AtMost,
        range: (0.0, 36.1),
        meaning: "How surprised one is by the labels who believes the scores: the mean of minus the \
                  natural logarithm of the probability that was given to what came. 0 is best; always \
                  answering one half gives 0.693.",
        formula: "Mean over labelled rows with a score of -ln(score) if positive, else -ln(1 - score), \
                  the score clipped to 2^-52 from its ends; losses are rounded to 2^-40 and added up as \
                  integers. Interval: 95 % normal, from the variance of the losses. The ledger reads labelled \
                  cases by score cell and takes each cell's least loss: exact at any number of cases, \
                  and blind to differences within a cell (6 % of the odds).",
        edge_cases: "No labelled rows: no data. A score of 0 or 1 that turns out wrong costs 36 nats and \
                     can rule the mean: the clipping is part of the definition.",
        cannot_tell: of_labelled!(
            "Whether scores rank badly or are badly calibrated; it pays for both."
        ),
        reference: "scikit-learn 1.9, `log_loss`: to 1e-9 relative.",
        grade: Grade::A,
        sample: SampleKind::Cells,
        ..SCORED
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![losses_key(), scored_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        mean(&seen, GroupLosses::log_loss, GroupLosses::log_loss_variance)
    }

    fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
        bets(log_of, against)
    }

    fn breach(against: Against<'_>) -> Option<Breach> {
        Some(breach(log_of, against.level))
    }
}

impl Metric for Brier {
    const SPEC: MetricSpec = MetricSpec {
        name: "brier",
        title: "Brier score",
        good: Comparator::AtMost,
        meaning: "The squared distance between the score and what came (1 or 0), in the mean over \
                  labelled cases. 0 is best; always answering one half gives 0.25.",
        formula: "Mean over labelled rows with a score of (score - label)^2 (Brier 1950); losses are \
                  rounded to 2^-40 and added up as integers. Interval: 95 % normal, from the variance \
                  of the losses. The ledger reads labelled cases by score cell and takes each cell's \
                  least loss: exact at any number of cases, and blind to differences within a cell (6 % \
                  of the odds).",
        edge_cases: "No labelled rows: no data. Rows without a score within 0 to 1 are left out.",
        cannot_tell: of_labelled!(
            "Whether scores rank badly or are badly calibrated; its parts (`brier_reliability`, \
             `brier_resolution`) can. Values of populations with other prevalences cannot be compared."
        ),
        reference: "scikit-learn 1.9, `brier_score_loss`: to 1e-9 relative.",
        grade: Grade::A,
        sample: SampleKind::Cells,
        ..SCORED
    };

    fn reads(_: &Document, _: &Subject) -> Vec<SummaryKey> {
        vec![losses_key(), scored_key()]
    }

    fn measure(seen: Seen<'_>) -> Measurement {
        mean(&seen, GroupLosses::brier, GroupLosses::brier_variance)
    }

    fn bets(against: Against<'_>) -> Result<Bets, NoBet> {
        bets(square_of, against)
    }

    fn breach(against: Against<'_>) -> Option<Breach> {
        Some(breach(square_of, against.level))
    }
}
