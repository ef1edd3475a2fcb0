//! A window's sum and what is measured on it. The same functions serve the collector and whoever
//! computes a record again from the register.

use std::collections::BTreeSet;

use crate::digest::Digest;
use crate::evidence::RecordKind;
use crate::judge::{Compiled, LedgerState, Step};
use crate::metric::{Beside, Estimate, Measurement, Seen, StreamKind, Unmeasurable};
use crate::objective::Objective;
use crate::sampling::{Common, UNEQUAL};
use crate::sketch::PaneSummary;

use super::System;
use super::windows::Window;
use super::{
    KeptBlock, Past, PastBlock, Seal, SumOf, WindowRow, about, as_json, became_so, coverages,
};
use super::{labels, mixing};
use crate::evidence::body::{BlockRef, Exact, MeasurementBody, ModelSeen, Shown, Status};
use crate::evidence::pen::{Pen, Unwritable, Written, reference};

/// Version of every metric's method as this build computes it.
pub(super) const METHOD: u32 = 1;

/// Why a sum cannot be formed.
pub const OVERFLOW: Unmeasurable = Unmeasurable::Undefined("a counter of the sum would overflow");

/// Why cases of different rates are not added.
pub const UNEQUAL_RATES: Unmeasurable = Unmeasurable::Undefined(UNEQUAL);

/// What a caller of the planner did wrong.
const UNSUMMED: &str = "a window that is to be measured was not asked for among the sums";

/// The sum of blocks of one stream, from nothing.
pub fn sum_of<'a>(
    system: &System,
    stream: StreamKind,
    summaries: impl Iterator<Item = &'a PaneSummary>,
) -> Result<PaneSummary, Unmeasurable> {
    let mut sum = match stream {
        StreamKind::Traffic => system.plan.empty_traffic(),
        StreamKind::Outcomes | StreamKind::ByAttribute => system.plan.empty_outcomes(),
    };
    for summary in summaries {
        sum.merge(summary).map_err(|_| OVERFLOW)?;
    }
    Ok(sum)
}

/// Gives a ledger the sum of blocks; answers with the metric on it and the step.
pub fn take_block<'a>(
    system: &System,
    compiled: &Compiled,
    state: &mut LedgerState,
    summaries: impl Iterator<Item = &'a PaneSummary>,
) -> (Measurement, Step) {
    let objective = &compiled.objective;
    match sum_of(system, system.stream(objective), summaries) {
        Ok(sum) => {
            let seen = Seen {
                document: &system.document,
                baseline: &system.baseline,
                of: &objective.of,
                summary: &sum,
                beside: Beside::default(),
            };
            compiled.take(state, seen)
        }
        Err(why) => {
            let nothing = Err(why);
            let step = compiled.step(state, &nothing);
            (nothing, step)
        }
    }
}

/// Gives a ledger all of a pane whose labels have had their time, where its objective assumes something of
/// cases that have none.
pub fn take_settled(
    system: &System,
    compiled: &Compiled,
    state: &mut LedgerState,
    outcomes: &Result<PaneSummary, Unmeasurable>,
    traffic: &Result<PaneSummary, Unmeasurable>,
) -> (Measurement, Step) {
    match (outcomes, traffic) {
        (Ok(outcomes), Ok(traffic)) => {
            let seen = Seen {
                document: &system.document,
                baseline: &system.baseline,
                of: &compiled.objective.of,
                summary: outcomes,
                beside: Beside {
                    traffic: Some(traffic),
                    ..Beside::default()
                },
            };
            compiled.take(state, seen)
        }
        (Err(why), _) | (_, Err(why)) => {
            let nothing = Err(why.clone());
            let step = compiled.step(state, &nothing);
            (nothing, step)
        }
    }
}

/// The metric on the sum of blocks.
pub fn measured_block<'a>(
    system: &System,
    objective: &Objective,
    summaries: impl Iterator<Item = &'a PaneSummary>,
) -> Measurement {
    let sum = sum_of(system, system.stream(objective), summaries)?;
    measured(system, objective, Beside::default(), &sum)
}

/// The metric on a sum, and on what stands beside it.
fn measured(
    system: &System,
    objective: &Objective,
    beside: Beside<'_>,
    sum: &PaneSummary,
) -> Result<Estimate, Unmeasurable> {
    objective.metric.measure(Seen {
        document: &system.document,
        baseline: &system.baseline,
        of: &objective.of,
        summary: sum,
        beside,
    })
}

/// Adds what a seal brings to the sum of what was sealed before. Merging is exact and free of order,
/// so it is the sum of all blocks to the byte.
pub(super) fn add(
    system: &System,
    (of, common): (SumOf, Common),
    sum: &mut Result<PaneSummary, Unmeasurable>,
    fresh: &[KeptBlock],
) {
    if common == Common::Nothing {
        *sum = Err(UNEQUAL_RATES);
    }
    let mine = |b: &&KeptBlock| of.takes(system, b) && common.takes(&b.key);
    for block in fresh.iter().filter(mine) {
        if let Ok(all) = sum
            && all.merge(&block.summary).is_err()
        {
            *sum = Err(OVERFLOW);
        }
    }
}

/// Whether a block can be added for judging: of the stream and of the plan in use.
pub(super) fn counts_for(system: &System, stream: StreamKind, block: &KeptBlock) -> bool {
    block.stream() == stream && block.key.plan == system.plan.digest()
}

/// A measured window.
pub(super) struct Measured {
    pub(super) written: Written,
    pub(super) row: WindowRow,
    pub(super) shown: Shown,
}

/// Measures one complete window.
pub(super) fn measure(
    seal: &Seal<'_>,
    compiled: &Compiled,
    window: Window,
    past: &Past,
    pen: &Pen,
) -> Result<Measured, Unwritable> {
    let objective = &compiled.objective;
    let stream = seal.system.stream(objective);
    let all: Vec<&PastBlock> = window
        .panes(seal.system.pane())
        .filter_map(|p| past.blocks.get(&p))
        .flatten()
        .collect();
    let common = mixing::common_of(all.iter().copied());
    let (mine, set_aside): (Vec<_>, Vec<_>) = all
        .iter()
        .copied()
        .filter(|b| b.stream() == stream && b.key.plan == seal.system.plan.digest())
        .partition(|b| common.takes(&b.key));
    let sum = |stream| past.sums.get(&SumOf::new(window, stream));
    let ages = labels::ages(seal, stream, &all);
    let beside = Beside {
        length: Some(objective.window),
        traffic: match stream {
            StreamKind::Traffic => None,
            StreamKind::Outcomes | StreamKind::ByAttribute => {
                sum(StreamKind::Traffic).and_then(|sum| sum.as_ref().ok())
            }
        },
        ages: ages.as_ref(),
    };
    let result = match sum(stream) {
        Some(Ok(sum)) => measured(seal.system, objective, beside, sum),
        Some(Err(why)) => Err(why.clone()),
        None => return Err(Unwritable::new("measurement", UNSUMMED.to_owned())),
    };
    let mut body = body(seal, compiled, window, &all, &mine, &result, past);
    body.set_aside = set_aside.iter().map(|b| b.names.clone()).collect();
    body.labels = ages.map(|ages| labels::told(seal, objective, window, &ages));
    let mut about = about(seal);
    about.supersedes = past
        .windows
        .get(&(objective.id.clone(), objective.version, window.start))
        .copied();
    about.refs = refs(&body);
    let written = pen.write(RecordKind::Measurement, became_so(seal), about, &body)?;
    Ok(Measured {
        row: row(&body, written.digest, window, quiet(&body, &all)),
        shown: Shown::of(result),
        written,
    })
}

fn refs(body: &MeasurementBody) -> Vec<crate::evidence::Ref> {
    let mut refs = vec![
        reference("objectives", body.document),
        reference("compiled", body.compiled),
        reference("baseline", body.baseline),
    ];
    refs.extend(body.blocks.iter().map(|b| reference("block", b.block)));
    refs
}

fn body(
    seal: &Seal<'_>,
    compiled: &Compiled,
    window: Window,
    all: &[&PastBlock],
    mine: &[&PastBlock],
    result: &Result<Estimate, Unmeasurable>,
    past: &Past,
) -> MeasurementBody {
    let objective = &compiled.objective;
    let system = seal.system;
    let stream = system.stream(objective);
    let (coverage, outcomes) = coverages(all.iter().map(|b| &b.coverage));
    let gaps: Vec<_> = past
        .gaps
        .iter()
        .filter(|g| g.touches(window.start, window.end))
        .collect();
    let (status, reason) = status(objective, result, coverage.rows);
    let reason = reason.map(|said| match gaps.first() {
        Some(gap) => format!("{said}; and not all was seen: {}", gap.reason),
        None => said,
    });
    let salts: BTreeSet<_> = mine.iter().map(|b| b.key.salt).collect();
    let mine_models = models(mine);
    let estimate = result.as_ref().ok();
    let silent: BTreeSet<_> = window
        .panes(system.pane())
        .filter_map(|p| past.silent.get(&p))
        .flatten()
        .copied()
        .collect();
    MeasurementBody {
        objective: objective.id.clone(),
        version: objective.version,
        document: system.document_digest,
        compiled: compiled.digest(),
        start: window.start,
        end: window.end,
        metric: objective.metric,
        method: METHOD,
        grade: objective.metric.spec().grade,
        stream,
        status,
        reason,
        value: estimate.map(|e| Exact::new(e.value)),
        interval: estimate
            .and_then(|e| e.interval)
            .map(|(low, high)| [Exact::new(low), Exact::new(high)]),
        support: estimate.map_or(0, |e| e.support),
        min_support: objective.min_support,
        sample: estimate.map(|e| e.sample.clone()),
        labelled: (stream == StreamKind::Outcomes && coverage.rows > 0)
            .then(|| outcomes.labels as f64 / coverage.rows as f64),
        labels: None,
        coverage: as_json(&coverage),
        outcome_coverage: as_json(&outcomes),
        blocks: mine.iter().map(|b| b.names.clone()).collect(),
        other_plans: others(system, stream, all),
        set_aside: Vec::new(),
        baseline: system.baseline_digest,
        plan: system.plan.digest(),
        models: models(all),
        silent_agents: silent.into_iter().collect(),
        gaps: gaps.iter().map(|g| g.record).collect(),
        salts: several(salts.into_iter().collect()),
        model_versions: several(mine_models),
    }
}

/// A list worth showing: one that has more than one entry.
fn several<T>(list: Vec<T>) -> Vec<T> {
    if list.len() > 1 { list } else { Vec::new() }
}

fn others(system: &System, stream: StreamKind, all: &[&PastBlock]) -> Vec<BlockRef> {
    all.iter()
        .filter(|b| b.stream() == stream && b.key.plan != system.plan.digest())
        .map(|b| b.names.clone())
        .collect()
}

fn models(all: &[&PastBlock]) -> Vec<ModelSeen> {
    let seen: BTreeSet<_> = all
        .iter()
        .filter(|b| !b.key.model.is_empty())
        .map(|b| ModelSeen {
            model: b.key.model.to_string(),
            version: b.key.model_version.to_string(),
        })
        .collect();
    seen.into_iter().collect()
}

fn status(
    objective: &Objective,
    result: &Result<Estimate, Unmeasurable>,
    rows: u64,
) -> (Status, Option<String>) {
    match result {
        Ok(e) if e.support >= objective.min_support => (Status::Measured, None),
        Ok(e) => (
            Status::Insufficient,
            Some(format!(
                "{} cases, {} are asked for",
                e.support, objective.min_support
            )),
        ),
        Err(Unmeasurable::NoData) if rows == 0 => (
            Status::NotMeasured,
            Some("no traffic in the window".to_owned()),
        ),
        Err(Unmeasurable::NoData) => (
            Status::NotMeasured,
            Some("no case of the window has what the metric reads".to_owned()),
        ),
        Err(
            e @ (Unmeasurable::Undefined(_)
            | Unmeasurable::NoReferenceHits { .. }
            | Unmeasurable::LacksSummary(_)),
        ) => (Status::NotMeasured, Some(e.to_string())),
    }
}

impl Shown {
    /// Keeps what was measured.
    pub fn of(result: Result<Estimate, Unmeasurable>) -> Self {
        match result {
            Ok(estimate) => Self::Estimate(estimate),
            Err(Unmeasurable::NoData) => Self::NoData,
            Err(Unmeasurable::Undefined(UNEQUAL)) => Self::UnequalRates,
            Err(Unmeasurable::Undefined(_)) => Self::Undefined,
            Err(Unmeasurable::NoReferenceHits {
                reference,
                compared,
            }) => Self::NoReferenceHits {
                reference,
                compared,
            },
            Err(Unmeasurable::LacksSummary(of)) => Self::LacksSummary(of),
        }
    }

    /// The value or the reason for its absence, as the judge takes it.
    pub fn as_result(&self) -> Result<Estimate, Unmeasurable> {
        match self {
            Self::Estimate(e) => Ok(e.clone()),
            Self::NoData => Err(Unmeasurable::NoData),
            Self::UnequalRates => Err(UNEQUAL_RATES),
            Self::Undefined => Err(Unmeasurable::Undefined("a class or group has no cases")),
            Self::NoReferenceHits {
                reference,
                compared,
            } => Err(Unmeasurable::NoReferenceHits {
                reference: *reference,
                compared: *compared,
            }),
            Self::LacksSummary(of) => Err(Unmeasurable::LacksSummary(of.clone())),
        }
    }
}

/// Whether nothing was asked of the system in a window that was watched all the time. What was seen
/// and not measured, for whatever reason, is no quiet.
fn quiet(body: &MeasurementBody, all: &[&PastBlock]) -> bool {
    let (traffic, outcomes) = coverages(all.iter().map(|b| &b.coverage));
    body.status == Status::NotMeasured
        && traffic.seen == traffic.not_inference
        && outcomes.labels == 0
        && !all.is_empty()
        && body.silent_agents.is_empty()
        && body.gaps.is_empty()
}

fn row(body: &MeasurementBody, measurement: Digest, window: Window, quiet: bool) -> WindowRow {
    WindowRow {
        objective: body.objective.clone(),
        version: body.version,
        window,
        measurement,
        status: body.status,
        reason: body.reason.clone(),
        value: body.value.as_ref().map(|v| v.value),
        interval: body.interval.as_ref().map(|[l, h]| (l.value, h.value)),
        support: body.support,
        quiet,
    }
}
