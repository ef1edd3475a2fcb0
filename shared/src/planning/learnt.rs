//! What the reference lets expect of a metric: how far it scatters, and how a breach would fall on the
//! cells that a ledger reads.

use super::Situation;
use crate::baseline::Baseline;
use crate::bet::cells::{CellBets, Conforming};
use crate::bet::normal::LEAST_CASES;
use crate::bet::{AgreementBets, Bets, Breach, NormalBets, PairBets, fixed};
use crate::judge::Compiled;
use crate::metric::{Against, Beside, Estimate, MetricId, Sample, Seen};
use crate::objective::document::Document;
use crate::sketch::{Losses, PaneSummary, ScoreCells, Summary, SummaryKey, SummaryKind, SummaryOf};

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
    let objective = &compiled.objective;
    let reads = objective.metric.reads(of.document, &objective.of);
    let lost = reads.iter().any(|key| key.kind == SummaryKind::Losses);
    let losses = labelled.scores.as_ref().filter(|_| lost).and_then(losses);
    let scores = labelled.scores.clone().map(Summary::ScoreCells);
    let scored = scores.into_iter().chain(losses.map(Summary::Losses));
    let decided = decided.map(|summary| (SummaryOf::DecisionByLabel(None), summary));
    let scored = scored.map(|summary| (SummaryOf::ScoreByLabel(None), summary));
    let entries = decided.chain(scored).map(|(of, summary)| {
        let key = SummaryKey::new(of, summary.kind());
        (key, summary)
    });
    let summary = PaneSummary::new(entries.collect());
    let found = objective.metric.measure(Seen {
        document: of.document,
        baseline: of.baseline,
        of: &objective.of,
        summary: &summary,
        beside: Beside::default(),
    });
    found.ok()
}

/// Losses of labelled cases, each at the middle of its cell where its score is not known.
fn losses(scores: &ScoreCells) -> Option<Losses> {
    let mut losses = Losses::new(1)?;
    for cell in scores.cells(Some(0)) {
        let score = cell.score.unwrap_or(f64::midpoint(cell.low, cell.high));
        for (label, cases) in [(true, cell.count.positive), (false, cell.count.negative)] {
            for _ in 0..cases {
                losses.add(Some(score), label, Some(0));
            }
        }
    }
    Some(losses)
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

/// What the best bet on a ratio of counts, a mean, a calibration error or a distance gains on an average
/// block of the breach, for each way in which the metric comes to the breach's value. Ways that start from
/// the reference's own cells need what is known of them.
pub(super) fn cells(
    bets: &CellBets,
    compiled: &Compiled,
    (at, of): (&Situation, Planned<'_>),
    known: Option<&Estimate>,
) -> Option<Vec<f64>> {
    let counts = known.and_then(|known| match &known.sample {
        Sample::Cells { counts, .. } => Some(counts.as_slice()),
        Sample::Rate { .. }
        | Sample::TwoRates { .. }
        | Sample::Normal { .. }
        | Sample::Unjudged { .. } => None,
    });
    let objective = &compiled.objective;
    let against = Against {
        document: of.document,
        baseline: of.baseline,
        of: &objective.of,
        level: at.breach,
        comparator: objective.comparator,
        reference_error: None,
    };
    let own = objective.metric.breach(against);
    let laws = own.or_else(|| edge(bets, against, objective.metric))?;
    let laws = laws.laws(counts).into_iter();
    let gain = |law: &[f64]| {
        let of_bet = |bet: &crate::bet::cells::CellBet| {
            let paid = bet.payoffs.iter().zip(law);
            paid.map(|(l, q)| fixed::to_nats(*l) * q).sum::<f64>()
        };
        bets.bets
            .iter()
            .map(of_bet)
            .fold(f64::NEG_INFINITY, f64::max)
    };
    let gains: Vec<f64> = laws
        .filter(|law| law.len() == bets.cells())
        .map(|law| at.cases as f64 * gain(&law))
        .collect();
    (!gains.is_empty()).then_some(gains)
}

/// The edge of what conforms to the breach as a level, where that is one half-space.
fn edge(bets: &CellBets, against: Against<'_>, metric: MetricId) -> Option<Breach> {
    let planes = |bets: CellBets| match bets.conforming {
        Conforming::HalfSpaces { planes } if planes.len() == 1 => Some(planes),
        Conforming::HalfSpaces { .. } | Conforming::Ball { .. } => None,
    };
    planes(bets.clone())?;
    let Ok(Bets::Cells(edge)) = metric.bets(against) else {
        return None;
    };
    planes(edge).map(Breach::Edges)
}
