//! Which blocks of some panes add up to a sample at one rate. Their blocks of traffic tell the rates.

use std::collections::BTreeMap;

use crate::sampling::{Common, Mix};
use crate::window::PaneStart;

use super::PastBlock;
use crate::sealing::blocks::{Block, BlockCoverage};

/// What is known of the rates in each pane.
pub type Mixes = BTreeMap<PaneStart, Mix>;

/// What the blocks of a seal tell.
pub(super) fn told(blocks: &[Block]) -> Mixes {
    let mut mixes = Mixes::new();
    for block in blocks {
        if let BlockCoverage::Traffic(coverage) = &block.coverage {
            let mix = mixes.entry(block.pane).or_default();
            *mix = mix.with(Mix::of(&block.key, coverage));
        }
    }
    mixes
}

/// What blocks have in common.
pub(super) fn common_of<'a>(blocks: impl Iterator<Item = &'a PastBlock>) -> Common {
    mix_of(blocks).common()
}

fn mix_of<'a>(blocks: impl Iterator<Item = &'a PastBlock>) -> Mix {
    blocks.fold(Mix::default(), |mix, block| match &block.coverage {
        BlockCoverage::Traffic(coverage) => mix.with(Mix::of(&block.key, coverage)),
        BlockCoverage::Outcomes(_) => mix,
    })
}

/// What the blocks of some panes have in common: of those that are kept, and of those of the seal at hand.
pub fn common(
    kept: &BTreeMap<PaneStart, Vec<PastBlock>>,
    fresh: &Mixes,
    panes: impl Iterator<Item = PaneStart>,
) -> Common {
    let mut mix = Mix::default();
    for pane in panes {
        let known = fresh.get(&pane).copied().unwrap_or_default();
        mix = mix
            .with(known)
            .with(mix_of(kept.get(&pane).into_iter().flatten()));
    }
    mix.common()
}
