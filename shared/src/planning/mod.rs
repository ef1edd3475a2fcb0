//! What an objective will be able to tell, before it is in force: after how many windows a given
//! breach is confirmed, how many false alarms a cycle may have, how much data shows that it is kept.
//! And what it would have told: a candidate run over blocks that were stored.

use serde::Serialize;

mod learnt;

pub use learnt::Planned;

use crate::baseline::Baseline;
use crate::bet::cells::{Conforming, smoothed};
use crate::bet::normal::Pooled;
use crate::bet::{Bets, CellBets, RateBets, RateSums, directions, fixed};
use crate::confidence::{NormalSequence, RateSequence};
use crate::judge::{Compiled, Step};
use crate::metric::{Estimate, Seen};
use crate::objective::Unlabelled;
use crate::objective::document::{Comparator, Document};
use crate::performance::labels::gamma_level;
use crate::sketch::PaneSummary;
use crate::verdict::Verdict;

/// Most blocks that are ever forecast.
const MOST_BLOCKS: u64 = 1 << 20;
/// Rows behind a group's rate when payoffs of a comparison of groups are forecast.
const KNOWN_WELL: u64 = 100_000;

/// What is assumed of the time ahead.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Situation {
    /// Cases in a block, labelled or not.
    pub cases: u64,
    /// The share of them whose label (or late attribute) comes; 1 for metrics that wait for none.
    pub labelled: f64,
    /// The value that a breach has.
    pub breach: f64,
    /// The value while the objective is kept.
    pub kept: f64,
    /// For two groups: the reference group's rate.
    pub reference_rate: f64,
    /// For two groups: the compared group's share of the two groups' cases.
    pub compared_share: f64,
}

/// What an objective will be able to tell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// Bets that share the evidence.
    pub bets: usize,
    /// Blocks in a surveillance cycle.
    pub steps_per_cycle: u32,
    /// Chance of any false nonconformity in a cycle is at most this.
    pub false_nonconformity: f64,
    /// False warnings in a cycle, on average at most.
    pub false_warnings: f64,
    /// Blocks from the breach's begin to its confirmation, about; of drift and of calibration for the shape
    /// that is found first. Nothing if this breach is not confirmed at all.
    pub blocks_to_confirm: Option<u64>,
    /// The same for the shape that is found last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks_to_confirm_slowest: Option<u64>,
    /// Blocks that pass before a block's labels have had their time (the objective's `label_delay`): as
    /// much later than said here is a breach found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks_of_delay: Option<u64>,
    /// Blocks from the breach's begin to a warning.
    pub blocks_to_warn: Option<u64>,
    /// Cases from the breach's begin to its confirmation.
    pub cases_to_confirm: Option<u64>,
    /// Blocks until `conforming` can be said, if the value is as assumed. None: never, or, if
    /// `conforming_forecast` is false, not known.
    pub blocks_to_conform: Option<u64>,
    /// Whether `blocks_to_conform` can be forecast: not for what compares two groups.
    pub conforming_forecast: bool,
}

/// What an objective will be able to tell. How an estimate scatters, and how a breach falls on the cells
/// of a ratio of counts, of losses or of a calibration error, is learnt from the reference's labelled rows,
/// scores at the middles of their cells; how values are carried, from the law of the feature's numbers.
/// Nothing where the reference does not keep what the metric reads.
pub fn forecast(compiled: &Compiled, at: &Situation, of: Planned<'_>) -> Option<Forecast> {
    let known = learnt::of_reference(compiled, of);
    let (all, at) = (at.cases, &labelled(at));
    let mut growths = growths(compiled, (at, all), of, known.as_ref())?;
    growths.sort_by(|a, b| b.total_cmp(a));
    let cluster = f64::from(compiled.objective.cluster.max(1));
    let price = fixed::to_nats(fixed::threshold(compiled.action.len().max(1) as f64));
    let blocks = |growth: f64, threshold: i64| {
        let needed = (fixed::to_nats(threshold) + price) / (growth / cluster);
        let found = growth > 0.0 && needed < MOST_BLOCKS as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive and below a million"
        )]
        let blocks = found.then(|| needed.ceil().max(1.0) as u64);
        blocks
    };
    let quickest = *growths.first()?;
    let confirm = blocks(quickest, compiled.nonconformity_at);
    // Where no level is left, too few cases have a label, and that is known.
    let conforming_forecast = assumed_level(compiled, at)
        .is_none_or(|level| clears(compiled, (at, level), known.as_ref(), 1).is_some());
    Some(Forecast {
        bets: compiled.action.len(),
        steps_per_cycle: compiled.steps_per_cycle,
        false_nonconformity: compiled.objective.alpha,
        false_warnings: 1.0,
        blocks_to_confirm: confirm,
        blocks_to_confirm_slowest: (growths.len() > 1)
            .then(|| growths.last().copied())
            .flatten()
            .and_then(|growth| blocks(growth, compiled.nonconformity_at)),
        blocks_of_delay: compiled.blocks_of_delay(of.document).filter(|n| *n > 0),
        blocks_to_warn: blocks(quickest, compiled.warning_at),
        cases_to_confirm: confirm.map(|blocks| blocks.saturating_mul(all)),
        blocks_to_conform: to_conform(compiled, at, known.as_ref()),
        conforming_forecast,
    })
}

/// The same with the cases whose label comes.
fn labelled(at: &Situation) -> Situation {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count"
    )]
    let cases = (at.cases as f64 * at.labelled.clamp(0.0, 1.0)).round() as u64;
    Situation { cases, ..*at }
}

/// The bets on a share that a block of the breach is entered for, with its cases and their share of hits:
/// by what the objective assumes of cases without a label.
fn of_assumed(
    bets: &RateBets,
    compiled: &Compiled,
    (at, all): (&Situation, u64),
) -> Option<(RateBets, f64, f64)> {
    let most = compiled.objective.comparator == Comparator::AtMost;
    let known = at.labelled.clamp(0.0, 1.0);
    let labelled = at.cases as f64;
    match compiled.objective.labels {
        Unlabelled::AsObserved => Some((bets.clone(), labelled, at.breach)),
        // Each case without a label speaks for the objective.
        Unlabelled::WorstCase => {
            let others = if most { 0.0 } else { 1.0 - known };
            Some((bets.clone(), all as f64, known * at.breach + others))
        }
        Unlabelled::Sensitivity(factor) => {
            let factor = if most { factor.recip() } else { factor };
            let level = gamma_level(bets.level, known, factor)?;
            let shifted = RateBets::new(level, bets.comparator).ok()?;
            Some((shifted, labelled, at.breach))
        }
    }
}

/// The level that labelled cases must clear for the objective to be kept, whatever is assumed of the
/// others. None where they cannot.
fn assumed_level(compiled: &Compiled, at: &Situation) -> Option<f64> {
    let objective = &compiled.objective;
    let (most, known) = (
        objective.comparator == Comparator::AtMost,
        at.labelled.clamp(0.0, 1.0),
    );
    let lenient = if most {
        objective.levels.action + objective.margin
    } else {
        objective.levels.action - objective.margin
    };
    match objective.labels {
        Unlabelled::AsObserved => Some(lenient),
        // Each case without a label speaks against it.
        Unlabelled::WorstCase => {
            let others = if most { 1.0 - known } else { 0.0 };
            let level = (lenient - others) / known;
            (0.0..=1.0).contains(&level).then_some(level)
        }
        Unlabelled::Sensitivity(factor) => {
            let factor = if most { factor } else { factor.recip() };
            gamma_level(lenient, known, factor)
        }
    }
}

/// What the best bet gains on an average block of the breach, in nats; for drift and calibration, shape by
/// shape.
fn growths(
    compiled: &Compiled,
    (at, all): (&Situation, u64),
    of: Planned<'_>,
    known: Option<&Estimate>,
) -> Option<Vec<f64>> {
    let best = |gains: Vec<f64>| gains.into_iter().fold(f64::NEG_INFINITY, f64::max);
    match &compiled.action {
        Bets::Rate(bets) => {
            let (bets, n, breach) = of_assumed(bets, compiled, (at, all))?;
            let share = |[hit, miss]: &[i64; 2]| {
                breach * fixed::to_nats(*hit) + (1.0 - breach) * fixed::to_nats(*miss)
            };
            Some(vec![n * best(bets.payoffs.iter().map(share).collect())])
        }
        Bets::TwoRates(bets) => {
            let (sizes, earlier) = groups(at, at.kept * at.reference_rate)?;
            let rows = bets.payoffs(&earlier, sizes.0, sizes.1)?;
            Some(vec![best(of_groups(
                &rows,
                sizes,
                at,
                at.breach * at.reference_rate,
            ))])
        }
        Bets::Difference(bets) => {
            let (sizes, earlier) = groups(at, at.kept + at.reference_rate)?;
            let rows = bets.payoffs(&earlier, sizes.0, sizes.1)?;
            Some(vec![best(of_groups(
                &rows,
                sizes,
                at,
                at.breach + at.reference_rate,
            ))])
        }
        Bets::Cells(bets) => match &bets.conforming {
            Conforming::Ball { .. } => drifted(bets, at).filter(|growths| !growths.is_empty()),
            Conforming::HalfSpaces { .. } => learnt::cells(bets, compiled, (at, of), known),
        },
        Bets::Pairs(bets) => learnt::pairs(bets, at, known?).map(|growth| vec![growth]),
        Bets::Agreement(bets) => learnt::agreement(bets, at, known?).map(|growth| vec![growth]),
        Bets::Normal(bets) => learnt::normal(bets, compiled, at, known?).map(|growth| vec![growth]),
    }
}

/// Group sizes of a block, and counts of blocks before it while the objective is kept.
fn groups(at: &Situation, compared_rate: f64) -> Option<((u64, u64), RateSums)> {
    let share = at.compared_share.clamp(0.0, 1.0);
    let whole = |x: f64| u64::try_from(fixed::round(x.clamp(0.0, 1e9)) >> 32).ok();
    let compared = whole(at.cases as f64 * share)?;
    let hits = |rate: f64| whole(KNOWN_WELL as f64 * rate.clamp(0.0, 1.0));
    let earlier = RateSums {
        reference: (hits(at.reference_rate)?, KNOWN_WELL),
        compared: (hits(compared_rate)?, KNOWN_WELL),
    };
    Some(((at.cases.checked_sub(compared)?, compared), earlier))
}

fn of_groups(rows: &[[i64; 4]], sizes: (u64, u64), at: &Situation, compared: f64) -> Vec<f64> {
    let compared = compared.clamp(0.0, 1.0);
    let counts = [
        sizes.0 as f64 * at.reference_rate,
        sizes.0 as f64 * (1.0 - at.reference_rate),
        sizes.1 as f64 * compared,
        sizes.1 as f64 * (1.0 - compared),
    ];
    let dot = |row: &[i64; 4]| {
        row.iter()
            .zip(counts)
            .map(|(l, c)| fixed::to_nats(*l) * c)
            .sum()
    };
    rows.iter().map(dot).collect()
}

/// What the best bet gains for each shape of drift that reaches the breach's distance.
fn drifted(bets: &CellBets, at: &Situation) -> Option<Vec<f64>> {
    let Conforming::Ball {
        divergence,
        baseline,
        radius,
        positions,
    } = &bets.conforming
    else {
        return None;
    };
    let law = smoothed(baseline);
    // The breach on the divergence's own scale: levels and radii are in proportion, or in squares.
    let times = at.breach / bets.level;
    let same = (radius - bets.level).abs() <= 1e-12 * bets.level;
    let distance = radius * if same { times } else { times * times };
    let laws = directions::drifted(*divergence, &law, positions, distance);
    let gain = |law: &Vec<f64>| {
        let of = |bet: &crate::bet::cells::CellBet| {
            let paid = bet.payoffs.iter().zip(law);
            paid.map(|(l, q)| fixed::to_nats(*l) * q).sum::<f64>()
        };
        at.cases as f64 * bets.bets.iter().map(of).fold(f64::NEG_INFINITY, f64::max)
    };
    Some(laws.iter().map(gain).collect())
}

/// Blocks until the confidence sequence of the assumed value clears the level.
fn to_conform(compiled: &Compiled, at: &Situation, known: Option<&Estimate>) -> Option<u64> {
    let level = assumed_level(compiled, at)?;
    let clears = |blocks: u64| clears(compiled, (at, level), known, blocks);
    let mut high = 1_u64;
    while !clears(high)? {
        high *= 2;
        if high > MOST_BLOCKS {
            return None;
        }
    }
    let mut low = high / 2;
    while high - low > 1 {
        let middle = u64::midpoint(low, high);
        if clears(middle)? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

/// Whether so many blocks of the assumed value clear the level. Nothing if that is not known.
fn clears(
    compiled: &Compiled,
    (at, level): (&Situation, f64),
    known: Option<&Estimate>,
    blocks: u64,
) -> Option<bool> {
    let objective = &compiled.objective;
    let cases = at.cases.checked_mul(blocks)?;
    let running = match &compiled.action {
        Bets::Rate(_) => {
            let mut sums = RateSequence::new(at.kept);
            let hits = fixed::round(at.kept.clamp(0.0, 1.0) * cases as f64 / 65536.0) >> 16;
            sums.add(u64::try_from(hits).ok()?, cases);
            sums.running(objective.alpha, objective.cluster)?
        }
        Bets::Cells(CellBets {
            conforming: Conforming::HalfSpaces { .. },
            ..
        })
        | Bets::Normal(_)
        | Bets::Pairs(_)
        | Bets::Agreement(_) => {
            let scatter = learnt::scatter(known?, at.cases)?;
            around(at, scatter.std_error, blocks).running(
                objective.alpha,
                objective.min_support,
                objective.cluster,
            )?
        }
        Bets::Cells(CellBets {
            conforming: Conforming::Ball { baseline, .. },
            ..
        }) => {
            // Blocks wait for each other until their cells are supported.
            let enough = compiled.approximates_from.max(1);
            let together = enough.div_ceil(at.cases.max(1));
            if blocks < together {
                return Some(false);
            }
            let at = &Situation {
                cases: at.cases.saturating_mul(together),
                ..*at
            };
            let rows = baseline.iter().sum::<u64>() as f64;
            let effective = at.cases as f64 * rows / (at.cases as f64 + rows);
            let degrees = baseline.len() as f64 - 1.0;
            around(at, (2.0 * degrees).sqrt() / effective, blocks / together).running(
                objective.alpha,
                objective.min_support,
                objective.cluster,
            )?
        }
        Bets::TwoRates(_) | Bets::Difference(_) => return None,
    };
    Some(
        match objective.comparator {
            Comparator::AtLeast => running.low >= level,
            Comparator::AtMost => running.high <= level,
        } && cases >= objective.min_support,
    )
}

/// So many blocks of the assumed value.
fn around(at: &Situation, std_error: f64, blocks: u64) -> NormalSequence {
    let mut sums = NormalSequence::default();
    for _ in 0..blocks.min(4096) {
        sums.add(&Pooled {
            estimate: at.kept,
            std_error,
            cases: at.cases,
            least: at.cases,
        });
    }
    sums
}

/// A breach worth catching where none is named, and the value while the objective is kept.
pub fn usual(compiled: &Compiled) -> (f64, f64) {
    let objective = &compiled.objective;
    let level = objective.levels.action;
    let better = objective.levels.target;
    match (&compiled.action, objective.comparator) {
        (Bets::Rate(_), Comparator::AtMost) => (odds(level, 2.0), better.unwrap_or(0.5 * level)),
        (Bets::Rate(_), Comparator::AtLeast) => {
            (odds(level, 0.5), better.unwrap_or(odds(level, 1.5)))
        }
        (Bets::TwoRates(_), Comparator::AtLeast) => (0.75 * level, better.unwrap_or(1.0)),
        (Bets::TwoRates(_), Comparator::AtMost) => (level / 0.75, better.unwrap_or(1.0)),
        (Bets::Difference(_), Comparator::AtLeast) => (level - 0.1, better.unwrap_or(0.0)),
        (Bets::Difference(_), Comparator::AtMost) => (level + 0.1, better.unwrap_or(0.0)),
        (
            Bets::Cells(_) | Bets::Normal(_) | Bets::Pairs(_) | Bets::Agreement(_),
            Comparator::AtMost,
        ) => (2.0 * level, 0.0),
        (
            Bets::Cells(_) | Bets::Normal(_) | Bets::Pairs(_) | Bets::Agreement(_),
            Comparator::AtLeast,
        ) => (0.9 * level, better.unwrap_or(1.05 * level)),
    }
}

/// A share whose odds are a multiple of another's.
fn odds(share: f64, times: f64) -> f64 {
    let odds = times * share / (1.0 - share);
    odds / (1.0 + odds)
}

/// One block of a candidate's run over stored blocks.
#[derive(Clone, Debug, Serialize)]
pub struct Replayed {
    /// The value measured, if there is one.
    pub value: Option<f64>,
    /// Cases it rests on.
    pub support: u64,
    /// Why there is no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
    /// The ledger's step.
    pub step: Step,
    /// The verdict after it.
    pub verdict: Verdict,
}

/// What a candidate would have told of stored blocks, in their order, each with its traffic where the
/// objective needs that beside outcomes. Each block's own measurement is shown; a ledger ends with its
/// cycle and begins anew.
pub fn replay<'a>(
    compiled: &Compiled,
    document: &Document,
    baseline: &Baseline,
    blocks: impl Iterator<Item = (&'a PaneSummary, Option<&'a PaneSummary>)>,
) -> Vec<Replayed> {
    let mut state = compiled.start();
    let each = blocks.map(|(summary, traffic)| {
        if compiled.cycle_is_over(&state) && state.confirmed_at.is_none() {
            state = compiled.start();
        }
        let seen = Seen {
            document,
            baseline,
            of: &compiled.objective.of,
            summary,
            beside: crate::metric::Beside {
                traffic,
                ..crate::metric::Beside::default()
            },
        };
        let (measured, step) = compiled.take(&mut state, seen);
        let verdict = compiled.verdict(&state, &measured);
        let estimate = measured.as_ref().ok();
        Replayed {
            value: estimate.map(|e| e.value),
            support: estimate.map_or(0, |e| e.support),
            undefined: measured.as_ref().err().map(ToString::to_string),
            step,
            verdict,
        }
    });
    each.collect()
}
