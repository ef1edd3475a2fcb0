//! What follows from one seal: block, measurement, verdict, gap and nonconformity records, and the
//! ledgers' new states, as a list of [`Action`]s. Core: everything that is known is a parameter,
//! nothing is written here. The same seal and the same past give the same actions.

pub mod blocks;
pub mod due;
mod judging;
mod labels;
mod measuring;
mod mixing;
mod system;
mod together;
mod windows;

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::evidence::RecordKind;
use crate::ids::{AgentId, ObjectiveId};
use crate::judge::LedgerState;
use crate::metric::{StreamKind, Unmeasurable};
use crate::sketch::PaneSummary;
use crate::time::{Clock, Timestamp};
use crate::verdict::Verdict;
use crate::window::{Coverage, OutcomeCoverage, PaneKey, PaneStart};
use crate::wire::codec::Encode;
use serde::{Deserialize, Serialize};

use crate::evidence::body::{BlockBody, BlockRef, GapBody, Shown, Status};
use crate::evidence::pen::{About, Pen, Unwritable, Written, reference};
use crate::sealing::blocks::{Block, BlockCoverage, Sealed};
use crate::sealing::due::Due;

pub use blocks::Origin;
pub use measuring::{OVERFLOW, UNEQUAL_RATES, measured_block, sum_of, take_block, take_settled};
pub use mixing::{Mixes, common};
pub use system::{System, WithTexts};
pub use windows::{Window, in_force, judges};

/// Domain of a ledger state's digest.
pub const LEDGER_DOMAIN: &str = "clause9/ledger-state/v1";

/// One thing to do. All actions of a seal are done in one transaction.
#[derive(Clone, Debug)]
pub enum Action {
    /// Keep bytes under their name.
    Keep {
        /// The name.
        digest: Digest,
        /// What kind of thing it is.
        kind: &'static str,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Append a record.
    Append {
        /// The record.
        written: Box<Written>,
        /// The objective it is about, for finding it.
        of: Option<(ObjectiveId, u32)>,
    },
    /// Remember a block for later windows.
    Block(Box<KeptBlock>),
    /// Remember how a ledger stands.
    Stand {
        /// Which ledger.
        of: (ObjectiveId, u32),
        /// How it stands.
        standing: Box<Standing>,
    },
    /// Remember the newest measurement of a window.
    Window(Box<WindowRow>),
    /// The pane is sealed.
    Seal(Box<SealRow>),
}

/// A sealed block as it is kept.
#[derive(Clone, Debug)]
pub struct KeptBlock {
    /// Its record and its counts.
    pub names: BlockRef,
    /// What it may be added to.
    pub key: PaneKey,
    /// The pane of the predictions.
    pub pane: PaneStart,
    /// The pane whose seal made it.
    pub sealed_with: PaneStart,
    /// What it covers.
    pub coverage: BlockCoverage,
    /// The counts.
    pub summary: PaneSummary,
}

impl KeptBlock {
    /// Which stream it belongs to.
    pub const fn stream(&self) -> StreamKind {
        stream_covered(&self.coverage)
    }
}

/// A block of an earlier seal: all that a record says of it, without its counts.
#[derive(Clone, Debug)]
pub struct PastBlock {
    /// Its record and its counts.
    pub names: BlockRef,
    /// What it may be added to.
    pub key: PaneKey,
    /// The pane of the predictions.
    pub pane: PaneStart,
    /// The pane whose seal made it.
    pub sealed_with: PaneStart,
    /// What it covers.
    pub coverage: BlockCoverage,
}

impl PastBlock {
    /// What is kept in mind of a block.
    pub fn of(block: &KeptBlock) -> Self {
        Self {
            names: block.names.clone(),
            key: block.key.clone(),
            pane: block.pane,
            sealed_with: block.sealed_with,
            coverage: block.coverage.clone(),
        }
    }

    /// Which stream it belongs to.
    pub const fn stream(&self) -> StreamKind {
        stream_covered(&self.coverage)
    }
}

/// How one objective version stands between seals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The ledger.
    pub ledger: LedgerState,
    /// The last verdict.
    pub last: Option<Verdict>,
    /// The record of the last verdict.
    pub verdict: Option<Digest>,
    /// The measurement that is shown beside the verdict.
    pub shown: Option<ShownWindow>,
    /// The candidate that was raised in this epoch.
    pub candidate: Option<Digest>,
    /// How many later seals found the breach still there.
    pub seen_again: u32,
    /// The last of them, on the system's clock.
    pub seen_last: Option<Timestamp>,
    /// Which surveillance cycle the ledger is in, from 1.
    pub epoch: u32,
    /// Where blocks of the epoch lie: from this block on, panes in order from this one.
    #[serde(default)]
    pub runs: Vec<(u32, PaneStart)>,
    /// Whether it is named as broken among the features of its metric, once that was ever said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<Together>,
}

/// What was last said of an objective together with those of its metric on other features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Together {
    /// Whether it is named as broken.
    pub named: bool,
    /// The record that says so.
    pub record: Digest,
}

/// The measurement shown beside a verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShownWindow {
    /// First point of the window.
    pub start: Timestamp,
    /// Its record.
    pub measurement: Digest,
    /// Whether there is a value on enough cases.
    pub status: Status,
    /// What the verdict was given.
    pub value: Shown,
}

/// The newest measurement of one window.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowRow {
    /// The objective.
    pub objective: ObjectiveId,
    /// Its version.
    pub version: u32,
    /// The window.
    pub window: Window,
    /// The record.
    pub measurement: Digest,
    /// Whether there is a value.
    pub status: Status,
    /// Why not.
    pub reason: Option<String>,
    /// The value.
    pub value: Option<f64>,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
    /// Cases it rests on.
    pub support: u64,
    /// Whether there is no value because nothing was asked of the system, as far as it was watched
    /// all the time.
    pub quiet: bool,
}

/// What is shown of a sealed pane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SealRow {
    /// The pane.
    pub pane: PaneStart,
    /// First point after it.
    pub end: Timestamp,
    /// What happened to every exchange of the traffic blocks in this seal.
    pub coverage: serde_json::Value,
    /// Exchanges seen, and those whose fate is no loss (sampled, sampled out, no inference).
    pub covered: (u64, u64),
    /// What became of the outcomes in this seal.
    pub outcomes: serde_json::Value,
    /// Agents whose counts are in it.
    pub heard: Vec<AgentId>,
    /// Agents that had not closed the pane.
    pub missing: Vec<AgentId>,
    /// Why else not everything of the pane may be known, as far as it was known at the seal.
    #[serde(default)]
    pub gaps: Vec<GapRow>,
    /// The records of its blocks.
    pub blocks: Vec<Digest>,
}

/// A stretch of time of which not everything is known, besides agents silent at a seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapRow {
    /// Why: `agent_not_watching`, `agent_crashed`, `agent_lost`, `batch_lost` or `items_refused`.
    pub reason: String,
    /// First point.
    pub start: Timestamp,
    /// First point after it.
    pub end: Timestamp,
    /// Whose knowledge is missing.
    pub agent: AgentId,
    /// What exactly.
    pub detail: String,
    /// The record that says so.
    pub record: Digest,
}

impl GapRow {
    /// Whether it touches a stretch.
    pub fn touches(&self, start: Timestamp, end: Timestamp) -> bool {
        self.start < end && start < self.end
    }
}

/// What the past must tell the planner, as the seal asks for it.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Panes of the windows that may be measured.
    pub panes: BTreeSet<PaneStart>,
    /// Windows whose counts are summed, by stream.
    pub sums: BTreeSet<SumOf>,
    /// Windows that may be measured again.
    pub windows: BTreeSet<(ObjectiveId, u32, Timestamp)>,
    /// The stretch whose gaps matter: of the pane and the windows together.
    pub stretch: Option<(Timestamp, Timestamp)>,
    /// What the blocks of the seal tell of the rates of sampling.
    pub mixes: Mixes,
}

/// What is summed: a window's blocks of one stream, of the plan in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SumOf {
    /// The window.
    pub window: Window,
    /// Whether of the stream of outcomes, not of traffic.
    pub outcomes: bool,
}

impl SumOf {
    /// A window's sum of a stream, as [`System::stream`] names it.
    pub const fn new(window: Window, stream: StreamKind) -> Self {
        let outcomes = match stream {
            StreamKind::Traffic => false,
            StreamKind::Outcomes | StreamKind::ByAttribute => true,
        };
        Self { window, outcomes }
    }

    /// The stream.
    pub const fn stream(self) -> StreamKind {
        if self.outcomes {
            StreamKind::Outcomes
        } else {
            StreamKind::Traffic
        }
    }

    /// Whether a block belongs to it.
    pub fn takes(self, system: &System, block: &KeptBlock) -> bool {
        measuring::counts_for(system, self.stream(), block)
            && self.window.start <= block.pane.0
            && block.pane.0 < self.window.end
    }
}

/// What the past tells.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Blocks sealed before, by prediction pane.
    pub blocks: BTreeMap<PaneStart, Vec<PastBlock>>,
    /// The sums that were asked for, of the blocks sealed before.
    pub sums: BTreeMap<SumOf, Result<PaneSummary, Unmeasurable>>,
    /// Agents that were silent when a pane was sealed.
    pub silent: BTreeMap<PaneStart, Vec<AgentId>>,
    /// Gaps that touch the pane that is sealed, or a window that is measured.
    pub gaps: Vec<GapRow>,
    /// The newest measurement of windows.
    pub windows: BTreeMap<(ObjectiveId, u32, Timestamp), Digest>,
    /// How the ledgers stand.
    pub standings: BTreeMap<(ObjectiveId, u32), Standing>,
}

/// One seal, ready to be judged.
#[derive(Debug)]
pub struct Seal<'a> {
    /// The system.
    pub system: &'a System,
    /// Which clock it is on.
    pub clock: Clock,
    /// The pane.
    pub due: &'a Due,
    /// The system's clock.
    pub now: Timestamp,
}

/// What must be known of the past before [`plan`] can be called.
pub fn needs(seal: &Seal<'_>, sealed: &Sealed) -> Needs {
    let mut needs = Needs::default();
    for compiled in &seal.system.objectives {
        let objective = &compiled.objective;
        let stream = seal.system.stream(objective);
        let panes = sealed
            .blocks
            .iter()
            .filter(|b| stream_of(b) == stream)
            .map(|b| b.pane);
        for window in windows::to_measure(objective, seal.system.pane(), seal.due.pane, panes) {
            needs.panes.extend(window.panes(seal.system.pane()));
            // Metrics of outcomes are held against the traffic of their window.
            for stream in [stream, StreamKind::Traffic] {
                needs.sums.insert(SumOf::new(window, stream));
            }
            needs
                .windows
                .insert((objective.id.clone(), objective.version, window.start));
        }
        if let Some(settled) = windows::settled(objective, seal.system.pane(), seal.due.pane) {
            needs.panes.extend(settled.panes(seal.system.pane()));
            for stream in [stream, StreamKind::Traffic] {
                needs.sums.insert(SumOf::new(settled, stream));
            }
        }
    }
    let length = seal.system.pane();
    let first = needs.panes.first().copied().unwrap_or(seal.due.pane);
    let last = needs.panes.last().copied().unwrap_or(seal.due.pane);
    needs.stretch = Some((
        first.min(seal.due.pane).0,
        last.max(seal.due.pane).end(length),
    ));
    // At which rates the cases were sampled that outcomes came for.
    needs.panes.extend(sealed.blocks.iter().map(|b| b.pane));
    needs.mixes = mixing::told(&sealed.blocks);
    needs
}

const fn stream_of(block: &Block) -> StreamKind {
    stream_covered(&block.coverage)
}

const fn stream_covered(coverage: &BlockCoverage) -> StreamKind {
    match coverage {
        BlockCoverage::Traffic(_) => StreamKind::Traffic,
        BlockCoverage::Outcomes(_) => StreamKind::Outcomes,
    }
}

/// Everything that follows from a seal.
pub fn plan(
    seal: &Seal<'_>,
    sealed: Sealed,
    mut past: Past,
    pen: &Pen,
) -> Result<Vec<Action>, Unwritable> {
    let mut actions = Vec::new();
    if !seal.due.silent.is_empty() {
        actions.push(gap(seal, pen)?);
        past.silent.insert(seal.due.pane, seal.due.silent.clone());
    }
    let heard: BTreeSet<_> = sealed.blocks.iter().flat_map(Block::agents).collect();
    let fresh = write_blocks(seal, sealed, pen, &mut actions)?;
    actions.push(Action::Seal(Box::new(seal_row(seal, &fresh, heard, &past))));
    for block in &fresh {
        past.blocks
            .entry(block.pane)
            .or_default()
            .push(PastBlock::of(block));
    }
    for (of, sum) in &mut past.sums {
        let panes = of.window.panes(seal.system.pane());
        // What is fresh is among the blocks by now.
        let common = common(&past.blocks, &Mixes::new(), panes);
        measuring::add(seal.system, (*of, common), sum, &fresh);
    }
    for compiled in &seal.system.objectives {
        judging::judge(seal, compiled, &fresh, &mut past, pen, &mut actions)?;
    }
    together::look(seal, &past, pen, &mut actions)?;
    Ok(actions)
}

/// When what a seal tells became so: the same whatever the order of arrival was.
fn became_so(seal: &Seal<'_>) -> Timestamp {
    seal.due.pane.end(seal.system.pane()) + seal.system.document.panes.lateness
}

fn about(seal: &Seal<'_>) -> About {
    About {
        system: Some(seal.system.id().clone()),
        clock: seal.clock,
        ..About::default()
    }
}

fn gap(seal: &Seal<'_>, pen: &Pen) -> Result<Action, Unwritable> {
    let body = GapBody {
        reason: "agent_silent".to_owned(),
        start: seal.due.pane.0,
        end: seal.due.pane.end(seal.system.pane()),
        agents: seal.due.silent.clone(),
        detected_at: seal.now,
        detail: None,
    };
    let written = pen.write(RecordKind::Gap, became_so(seal), about(seal), &body)?;
    Ok(Action::Append {
        written: Box::new(written),
        of: None,
    })
}

fn write_blocks(
    seal: &Seal<'_>,
    sealed: Sealed,
    pen: &Pen,
    actions: &mut Vec<Action>,
) -> Result<Vec<KeptBlock>, Unwritable> {
    let mut kept = Vec::new();
    for (i, block) in sealed.blocks.into_iter().enumerate() {
        let summary = block.summary.digest();
        let body = BlockBody {
            key: block.key.clone(),
            pane: block.pane,
            sealed_with: seal.due.pane,
            stream: stream_of(&block),
            late: block.late,
            coverage: coverage_json(&block.coverage),
            summary,
            origins: block.origins.clone(),
            overflowing: if i == 0 {
                sealed.overflowing.clone()
            } else {
                Vec::new()
            },
        };
        let mut about = about(seal);
        let batches: BTreeSet<_> = block.origins.iter().map(|o| o.batch).collect();
        about.refs = batches.into_iter().map(|d| reference("batch", d)).collect();
        let written = pen.write(RecordKind::Block, became_so(seal), about, &body)?;
        let names = BlockRef {
            block: written.digest,
            summary,
        };
        actions.push(Action::Keep {
            digest: summary,
            kind: "summary",
            bytes: block.summary.to_bytes(),
        });
        actions.push(Action::Append {
            written: Box::new(written),
            of: None,
        });
        let block = KeptBlock {
            names,
            key: block.key,
            pane: block.pane,
            sealed_with: seal.due.pane,
            coverage: block.coverage,
            summary: block.summary,
        };
        actions.push(Action::Block(Box::new(block.clone())));
        kept.push(block);
    }
    Ok(kept)
}

/// A coverage as records show it.
pub fn coverage_json(coverage: &BlockCoverage) -> serde_json::Value {
    match coverage {
        BlockCoverage::Traffic(c) => as_json(c),
        BlockCoverage::Outcomes(c) => as_json(c),
    }
}

/// Counters have no value that JSON cannot hold, so this does not fail for them.
fn as_json<T: Serialize>(value: &T) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or(serde_json::Value::Null)
}

fn seal_row(
    seal: &Seal<'_>,
    fresh: &[KeptBlock],
    heard: BTreeSet<AgentId>,
    past: &Past,
) -> SealRow {
    let (coverage, outcomes) = coverages(fresh.iter().map(|b| &b.coverage));
    SealRow {
        pane: seal.due.pane,
        end: seal.due.pane.end(seal.system.pane()),
        covered: (
            coverage.seen,
            coverage.sampled + coverage.sampled_out + coverage.not_inference,
        ),
        coverage: as_json(&coverage),
        outcomes: as_json(&outcomes),
        heard: heard.into_iter().collect(),
        missing: seal.due.silent.clone(),
        gaps: past
            .gaps
            .iter()
            .filter(|g| g.touches(seal.due.pane.0, seal.due.pane.end(seal.system.pane())))
            .cloned()
            .collect(),
        blocks: fresh.iter().map(|b| b.names.block).collect(),
    }
}

/// The sums of coverage over blocks. What would overflow is left out: it cannot come from counting.
fn coverages<'a>(covered: impl Iterator<Item = &'a BlockCoverage>) -> (Coverage, OutcomeCoverage) {
    let mut traffic = Coverage::default();
    let mut outcomes = OutcomeCoverage::default();
    for coverage in covered {
        match coverage {
            BlockCoverage::Traffic(c) => drop(traffic.merge(c)),
            BlockCoverage::Outcomes(c) => drop(outcomes.merge(c)),
        }
    }
    (traffic, outcomes)
}
