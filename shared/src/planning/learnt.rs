//! What the reference's own labelled rows let expect of a metric: how far it scatters, and how a breach
//! would fall on the cells of a ratio of counts.

use super::Situation;
use crate::baseline::Baseline;
use crate::bet::cells::{CellBets, Conforming};
use crate::bet::normal::LEAST_CASES;
use crate::bet::{AgreementBets, Bets, NormalBets, PairBets, fixed};
use crate::judge::Compiled;
use crate::metric::{Against, Beside, Estimate, Sample, Seen};
use crate::objective::document::Document;
use crate::sketch::{PaneSummary, Summary, SummaryKey, SummaryOf};

/// The system and the reference that an objective is planned against.
#[derive(Clone, Copy, Debug)]
pub struct Planned<'a> {
    /// The system.
    pub document: &'a Document,
    /// The reference.
    pub baseline: &'a Baseline,
}

/// The metric on the reference's labelled rows. Nothing where the baseline does not keep what it reads.
pub(super) fn of_reference(compiled: &Compiled, of: Planned<'_>) -> Option<Estimate> {
    let labelled = of.baseline.labelled.as_ref()?;
    let decided = [
        labelled.decisions.clone().map(Summary::Confusion),
        labelled.classes.clone().map(Summary::ClassTable),
    ];
    let decided = decided.into_iter().flatten();
    let scored = labelled.scores.clone().map(Summary::ScoreCells).into_iter();
    let decided = decided.map(|summary| (SummaryOf::DecisionByLabel(None), summary));
    let scored = scored.map(|summary| (SummaryOf::ScoreByLabel(None), summary));
    let entries = decided.chain(scored).map(|(of, summary)| {
        let key = SummaryKey::new(of, summary.kind());
        (key, summary)
    });
    let summary = PaneSummary::new(entries.collect());
    let objective = &compiled.objective;
    let found = objective.metric.measure(Seen {
        document: of.document,
        baseline: of.baseline,
        of: &objective.of,
        summary: &summary,
        beside: Beside::default(),
    });
    found.ok()
}

/// What scatters around the value: the standard error of so many cases, and how many of them are of the
/// rarest kind that matters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scatter {
    pub(super) std_error: f64,
    pub(super) least: f64,
}

/// The scatter of a block, if its cases are like the reference's.
pub(super) fn scatter(known: &Estimate, cases: u64) -> Option<Scatter> {
    let (std_error, least) = match &known.sample {
        Sample::Normal {
            std_error, least, ..
        }
        | Sample::Cells {
            std_error, least, ..
        } => (*std_error, *least),
        Sample::Rate { .. } | Sample::TwoRates { .. } | Sample::Unjudged { .. } => return None,
    };
    let times = cases as f64 / known.support.max(1) as f64;
    (std_error > 0.0 && times > 0.0).then(|| Scatter {
        std_error: std_error / times.sqrt(),
        least: least as f64 * times,
    })
}

/// What the best bet on a normal estimate gains on an average block of the breach. Blocks too small for
/// the approximation are pooled, as the ledger pools them.
pub(super) fn normal(
    bets: &NormalBets,
    compiled: &Compiled,
    at: &Situation,
    known: &Estimate,
) -> Option<f64> {
    let scatter = scatter(known, at.cases)?;
    let least = LEAST_CASES as f64 / scatter.least.max(1e-9);
    let enough = compiled.objective.min_support.max(LEAST_CASES) as f64 / at.cases as f64;
    let blocks = least.max(enough).ceil().max(1.0);
    let z = bets.distance(at.breach, scatter.std_error / blocks.sqrt())?;
    let gains = bets.gains(z).into_iter().map(fixed::to_nats);
    Some(gains.fold(f64::NEG_INFINITY, f64::max) / blocks)
}

/// What the best bet on pairs gains on an average block of the breach.
pub(super) fn pairs(bets: &PairBets, at: &Situation, known: &Estimate) -> Option<f64> {
    let pairs = scatter(known, at.cases)?.least;
    let gains = bets.payoffs.iter().map(|[right, wrong]| {
        pairs * (at.breach * fixed::to_nats(*right) + (1.0 - at.breach) * fixed::to_nats(*wrong))
    });
    Some(gains.fold(f64::NEG_INFINITY, f64::max))
}

/// What the best bet on an agreement gains on a block of the breach: the reference's table, of which so
/// many cases were decided by chance that its agreement is the breach's. Labels and decisions keep their
/// frequencies, so that kappa and correlation fall alike.
pub(super) fn agreement(bets: &AgreementBets, at: &Situation, known: &Estimate) -> Option<f64> {
    let Sample::Cells { counts, .. } = &known.sample else {
        return None;
    };
    let kept = at.breach / known.value;
    if !(-1.0..=1.0).contains(&kept) || known.support == 0 {
        return None;
    }
    let classes = counts.len().isqrt();
    let of = |cells: &mut dyn Iterator<Item = &u64>| cells.sum::<u64>() as f64;
    let all = known.support as f64;
    let drawn = counts.iter().enumerate().map(|(cell, count)| {
        let label = of(&mut counts.iter().skip(cell / classes * classes).take(classes));
        let decision = of(&mut counts.iter().skip(cell % classes).step_by(classes));
        let by_chance = label * decision / all;
        let share = (kept * *count as f64 + (1.0 - kept) * by_chance) / all;
        let cases = (share * at.cases as f64).clamp(0.0, 1e9);
        u64::try_from(fixed::round(cases).saturating_add(fixed::ONE / 2) >> 32).ok()
    });
    let drawn: Option<Vec<u64>> = drawn.collect();
    let gains = bets.gains(&drawn?)?.into_iter().map(fixed::to_nats);
    Some(gains.fold(f64::NEG_INFINITY, f64::max))
}

/// What the best bet on a ratio of counts, a mean or a quantile gains on an average block of the breach:
/// of all laws of the cells that have the breach's value, the one that is nearest to the reference's
/// (in relative entropy).
pub(super) fn cells(
    bets: &CellBets,
    compiled: &Compiled,
    (at, of): (&Situation, Planned<'_>),
    known: &Estimate,
) -> Option<f64> {
    let Sample::Cells { counts, .. } = &known.sample else {
        return None;
    };
    let plane = |bets: &CellBets| match &bets.conforming {
        Conforming::HalfSpaces { planes } if planes.len() == 1 => planes.first().cloned(),
        Conforming::HalfSpaces { .. } | Conforming::Ball { .. } => None,
    };
    plane(bets)?;
    // The laws with the breach's value are those on the edge of what conforms to it as a level.
    let objective = &compiled.objective;
    let edge = objective.metric.bets(Against {
        document: of.document,
        baseline: of.baseline,
        of: &objective.of,
        level: at.breach,
        comparator: objective.comparator,
        reference_error: None,
    });
    let Ok(Bets::Cells(edge)) = edge else {
        return None;
    };
    let law = tilted(counts, &plane(&edge)?)?;
    let gain = |bet: &crate::bet::cells::CellBet| {
        let paid = bet.payoffs.iter().zip(&law);
        paid.map(|(l, q)| fixed::to_nats(*l) * q).sum::<f64>()
    };
    let best = bets.bets.iter().map(gain).fold(f64::NEG_INFINITY, f64::max);
    Some(at.cases as f64 * best)
}

/// The law `p_b exp(t w_b)`, normed, with mean 0 of w; p with half a case in each cell. None if w does not
/// have both signs.
fn tilted(counts: &[u64], plane: &[f64]) -> Option<Vec<f64>> {
    if counts.len() != plane.len() {
        return None;
    }
    let largest = plane.iter().fold(0.0_f64, |most, w| most.max(w.abs()));
    let (below, above) = (
        plane.iter().any(|w| *w < 0.0),
        plane.iter().any(|w| *w > 0.0),
    );
    if !(below && above && largest.is_finite()) {
        return None;
    }
    let law = |t: f64| {
        let weights: Vec<f64> = counts
            .iter()
            .zip(plane)
            // The largest exponent of any t tried stays far from overflow.
            .map(|(n, w)| (*n as f64 + 0.5) * libm::exp(t * w / largest))
            .collect();
        let all: f64 = weights.iter().sum();
        weights.into_iter().map(|x| x / all).collect::<Vec<f64>>()
    };
    let mean = |law: &[f64]| law.iter().zip(plane).map(|(q, w)| q * w).sum::<f64>();
    let (mut low, mut high) = (-600.0, 600.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        // The mean rises with t.
        if mean(&law(middle)) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    let found = law(0.5 * (low + high));
    (mean(&found).abs() < 1e-6 * largest).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tilted_law_has_the_mean_and_keeps_ratios_within_a_level_of_the_function() {
        let plane = [0.4, 0.4, -0.1, 0.0];
        let law = tilted(&[100, 50, 800, 50], &plane).unwrap();
        assert!((law.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let mean: f64 = law.iter().zip(plane).map(|(q, w)| q * w).sum();
        assert!(mean.abs() < 1e-9);
        assert!((law[0] / law[1] - 100.5 / 50.5).abs() < 1e-9);
        assert_eq!(tilted(&[1, 1], &[1.0, 0.5]), None);
        assert_eq!(tilted(&[1, 1], &[1.0]), None);
    }
}
