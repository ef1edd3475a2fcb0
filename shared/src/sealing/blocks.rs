//! The blocks that a seal makes of all replicas' contributions. Order of arrival leaves no trace in a block.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::ids::{AgentId, BootId, Sequence};
use crate::sketch::PaneSummary;
use crate::window::{Coverage, OutcomeCoverage, PaneKey, PaneStart};
use crate::wire::batch::{ClosedWindow, Stream};
use crate::wire::codec::Decode;

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
