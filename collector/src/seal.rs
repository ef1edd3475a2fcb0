//! Which pane can be sealed next, and the blocks that its seal makes of all replicas' contributions.
//! Core: the time is a parameter. Order of arrival leaves no trace in a block.

use std::collections::{BTreeMap, BTreeSet};

use clause9_shared::digest::Digest;
use clause9_shared::ids::{AgentId, BootId, Sequence};
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::{Clock, Span, Timestamp};
use clause9_shared::window::{Coverage, OutcomeCoverage, PaneKey, PaneStart};
use clause9_shared::wire::batch::{ClosedWindow, Stream};
use clause9_shared::wire::codec::Decode;
use serde::{Deserialize, Serialize};

/// How far a system has come.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The pane that was sealed last.
    pub sealed: Option<PaneStart>,
    /// The earliest pane that something waits for.
    pub pending: Option<PaneStart>,
    /// How far each trusted agent has closed its panes; none: never heard.
    pub watermarks: BTreeMap<AgentId, Option<Timestamp>>,
    /// The system's clock, by [`system_now`].
    pub now: Timestamp,
}

/// Lengths of time that sealing depends on.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Length of a pane.
    pub pane: Span,
    /// How long a pane stays open after its end.
    pub lateness: Span,
    /// How long silent agents are waited for after that.
    pub grace: Span,
}

/// A pane that can be sealed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The pane.
    pub pane: PaneStart,
    /// Agents that have not closed it. Not empty: the seal is forced by the clock, and a gap.
    pub silent: Vec<AgentId>,
}

/// The time on a system's clock: the wall clock, or the furthest that a replay has come.
pub fn system_now<'a>(
    clock: Clock,
    wall: Timestamp,
    watermarks: impl Iterator<Item = &'a Timestamp>,
) -> Timestamp {
    match clock {
        Clock::Live => wall,
        Clock::Replay => watermarks.max().copied().unwrap_or(Timestamp::EPOCH),
    }
}

/// The next pane in order, if it can be sealed.
pub fn next_due(progress: &Progress, timing: Timing) -> Option<Due> {
    let pane = match progress.sealed {
        Some(last) => last.next(timing.pane),
        None => progress.pending?,
    };
    let end = pane.end(timing.pane);
    let silent: Vec<_> = progress
        .watermarks
        .iter()
        .filter(|(_, watermark)| watermark.is_none_or(|w| w < end))
        .map(|(agent, _)| *agent)
        .collect();
    let heard = progress.watermarks.len() > silent.len();
    let forced = progress.now >= end + timing.lateness + timing.grace;
    ((silent.is_empty() && heard) || forced).then_some(Due { pane, silent })
}

/// Wall time that agents are still given once the system's clock alone would seal a pane without
/// them: after a restart of the collector, or in a fast replay, their batches may be on their way.
pub const PATIENCE: Span = Span::from_secs(10);

/// Since when agents have kept a system waiting, on the wall clock. Each silence is waited for once.
#[derive(Clone, Debug, Default)]
pub struct Patience {
    since: BTreeMap<AgentId, Timestamp>,
}

impl Patience {
    /// Whether every silent agent was waited for long enough. Whoever speaks again is waited for anew.
    pub fn is_over(&mut self, silent: &[AgentId], wall: Timestamp) -> bool {
        self.since.retain(|agent, _| silent.contains(agent));
        for agent in silent {
            self.since.entry(*agent).or_insert(wall);
        }
        self.since.values().all(|since| *since + PATIENCE <= wall)
    }
}

/// One agent's item that waits for its seal, with where it came from.
#[derive(Clone, Debug)]
pub struct Contribution {
    /// Where it came from.
    pub origin: Origin,
    /// What it says.
    pub item: ClosedWindow,
}

/// Provenance of a contribution. Stands outside the merged bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// Who counted.
    pub agent: AgentId,
    /// In which run.
    pub boot: BootId,
    /// In which batch of the run.
    pub sequence: Sequence,
    /// At which place in the batch, from 0.
    pub index: u32,
    /// The batch as received.
    pub batch: Digest,
}

/// Coverage of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockCoverage {
    /// Of exchanges.
    Traffic(Coverage),
    /// Of outcomes.
    Outcomes(OutcomeCoverage),
}

/// What one seal adds to one pane: all replicas' counts under one key.
#[derive(Clone, Debug)]
pub struct Block {
    /// What it may be added to.
    pub key: PaneKey,
    /// The pane of the predictions.
    pub pane: PaneStart,
    /// Whether it came for a pane that was sealed before (or, outcomes, that arrived before it was).
    pub late: bool,
    /// What it covers, by stream.
    pub coverage: BlockCoverage,
    /// The merged counts.
    pub summary: PaneSummary,
    /// Whose counts they are.
    pub origins: Vec<Origin>,
}

/// The blocks of a seal, and contributions that could not be added to any.
#[derive(Clone, Debug, Default)]
pub struct Sealed {
    /// The blocks, in the order of their keys.
    pub blocks: Vec<Block>,
    /// Contributions whose counts would overflow the block's; kept as evidence, counted in none.
    pub overflowing: Vec<Origin>,
}

/// The pane whose seal a contribution waits for.
pub fn waits_for(item: &ClosedWindow) -> PaneStart {
    match &item.stream {
        Stream::Traffic(_) => item.pane,
        Stream::Outcomes { arrival, .. } => *arrival,
    }
}

/// Adds the contributions of a seal, whatever order they came in.
pub fn blocks(pane: PaneStart, mut contributions: Vec<Contribution>) -> Sealed {
    contributions.sort_by_key(|c| c.origin);
    let mut merged: BTreeMap<(PaneStart, bool, PaneKey, bool), Block> = BTreeMap::new();
    let mut overflowing = Vec::new();
    for Contribution { origin, item } in contributions {
        let late = waits_for(&item) < pane;
        let outcomes = matches!(item.stream, Stream::Outcomes { .. });
        let place = (item.pane, outcomes, item.key.clone(), late);
        let added = match merged.get_mut(&place) {
            Some(block) => add(block, &item),
            None => first(&item, late).map(|block| {
                merged.insert(place.clone(), block);
            }),
        };
        match (added, merged.get_mut(&place)) {
            (Some(()), Some(block)) => block.origins.push(origin),
            (Some(()) | None, _) => overflowing.push(origin),
        }
    }
    Sealed {
        blocks: merged.into_values().collect(),
        overflowing,
    }
}

fn first(item: &ClosedWindow, late: bool) -> Option<Block> {
    Some(Block {
        key: item.key.clone(),
        pane: item.pane,
        late,
        coverage: match &item.stream {
            Stream::Traffic(coverage) => BlockCoverage::Traffic(coverage.clone()),
            Stream::Outcomes { coverage, .. } => BlockCoverage::Outcomes(coverage.clone()),
        },
        summary: PaneSummary::from_bytes(&item.summary).ok()?,
        origins: Vec::new(),
    })
}

/// All of the item or nothing of it.
fn add(block: &mut Block, item: &ClosedWindow) -> Option<()> {
    let mut coverage = block.coverage.clone();
    match (&mut coverage, &item.stream) {
        (BlockCoverage::Traffic(mine), Stream::Traffic(theirs)) => mine.merge(theirs).ok()?,
        (BlockCoverage::Outcomes(mine), Stream::Outcomes { coverage, .. }) => {
            mine.merge(coverage).ok()?;
        }
        (BlockCoverage::Traffic(_), Stream::Outcomes { .. })
        | (BlockCoverage::Outcomes(_), Stream::Traffic(_)) => return None,
    }
    let summary = PaneSummary::from_bytes(&item.summary).ok()?;
    block.summary.merge(&summary).ok()?;
    block.coverage = coverage;
    Some(())
}

impl Block {
    /// The agents whose counts are in it.
    pub fn agents(&self) -> BTreeSet<AgentId> {
        self.origins.iter().map(|o| o.agent).collect()
    }
}
