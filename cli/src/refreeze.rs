//! A baseline from panes that a collector holds.

use std::cell::Cell;
use std::collections::BTreeSet;

use anyhow::Context as _;
use clause9_shared::baseline::{Baseline, Source};
use clause9_shared::digest::Digest;
use clause9_shared::metric::StreamKind;
use clause9_shared::objective::Document;
use clause9_shared::sampling::{Common, Mix, UNEQUAL};
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::Timestamp;
use clause9_shared::window::PaneStart;

use crate::args::Baseline as Args;
use crate::data::bad;
use crate::replay::stored::{Block, Names, blocks};
use crate::terminal::Terminal;

/// Adds up the panes of the stretch, and freezes what they hold.
pub(crate) fn of_panes(
    args: &Args,
    document: &Document,
    url: &str,
    terminal: &mut Terminal,
) -> anyhow::Result<Baseline> {
    let (Some(path), Some(since), Some(until)) = (&args.basis, args.since, args.until) else {
        return bad("--live needs --basis, --since and --until");
    };
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    let basis = match Baseline::from_json(&text) {
        Ok(basis) => basis,
        Err(error) => return bad(format!("{shown}: {error}")),
    };
    let digest = basis.digest();
    let others = Cell::new(0_u64);
    let length = document.panes.length;
    let within = |names: &Names| names.pane.0 >= since && names.pane.end(length) <= until;
    let found = blocks(url, document, |names| {
        let wanted = names.stream == StreamKind::Traffic && within(names);
        let ours = names.key.baseline == digest && names.key.pane == length;
        others.set(others.get() + u64::from(wanted && !ours));
        wanted && ours
    })?;
    let Some(plan) = found.last().map(|block| block.names.key.plan) else {
        return bad(format!(
            "the collector holds no pane from {since} to {until} that was counted with {shown} ({} were counted with others)",
            others.get()
        ));
    };
    let (mine, older): (Vec<Block>, Vec<Block>) =
        found.into_iter().partition(|b| b.names.key.plan == plan);
    let mix = |mix: Mix, block: &Block| mix.with(block.names.mix());
    let common = mine.iter().fold(Mix::default(), mix).common();
    if common == Common::Nothing {
        return bad(UNEQUAL.to_owned());
    }
    // Every case had the same chance to be in what is left.
    let mine: Vec<Block> = mine
        .into_iter()
        .filter(|block| common.takes(&block.names.key))
        .collect();
    let left_out = others.get() + older.len() as u64;
    if left_out > 0 {
        terminal.note(&format!(
            "{left_out} blocks of that time were counted otherwise and are left out"
        ))?;
    }
    tell(&mine, (since, until), document, terminal)?;
    let source = Source {
        name: format!("panes from {since} to {until}"),
        digest: names(&mine),
    };
    let frozen = basis.refrozen(&sum(&mine)?, source);
    frozen.or_else(|error| bad(error.to_string()))
}

fn sum(blocks: &[Block]) -> anyhow::Result<PaneSummary> {
    let mut sum = PaneSummary::default();
    for block in blocks {
        if sum.is_empty() {
            sum.clone_from(&block.summary);
        } else {
            let of = block.names.summary;
            sum.merge(&block.summary)
                .with_context(|| format!("block {of} cannot be added to the others"))?;
        }
    }
    Ok(sum)
}

/// One name for all the summaries, in the order of the register.
fn names(blocks: &[Block]) -> Digest {
    let names = blocks.iter().map(|b| format!("{}\n", b.names.summary));
    Digest::tagged("clause9/panes/v1", names.collect::<String>().as_bytes())
}

/// Says what whoever approves should know: how much was seen, how much of it was counted, which panes
/// are not there, and whether more than one version of the model answered.
fn tell(
    blocks: &[Block],
    (since, until): (Timestamp, Timestamp),
    document: &Document,
    terminal: &mut Terminal,
) -> anyhow::Result<()> {
    let count = |key: &str| -> u64 {
        let each = blocks.iter().filter_map(|b| b.names.coverage[key].as_u64());
        each.sum()
    };
    let inferences = count("seen").saturating_sub(count("not_inference"));
    terminal.note(&format!(
        "{} of {inferences} inferences were counted, {} rows",
        count("sampled"),
        count("rows")
    ))?;
    let length = document.panes.length;
    let there: BTreeSet<PaneStart> = blocks.iter().map(|b| b.names.pane).collect();
    let (mut pane, mut holes) = (PaneStart::of(since, length), 0_u64);
    if pane.0 < since {
        pane = pane.next(length);
    }
    while pane.end(length) <= until {
        holes += u64::from(!there.contains(&pane));
        pane = pane.next(length);
    }
    if holes > 0 {
        terminal.note(&format!("{holes} panes of that time are not there"))?;
    }
    let key = |b: &Block| (b.names.key.model.clone(), b.names.key.model_version.clone());
    let models: BTreeSet<_> = blocks.iter().map(key).collect();
    if models.len() > 1 {
        let shown = models
            .iter()
            .map(|(model, version)| format!("`{model} {version}`"));
        let shown = shown.take(5).collect::<Vec<_>>().join(", ");
        terminal.note(&format!(
            "{} models or versions answered: {shown}; a baseline is of what was approved",
            models.len()
        ))?;
    }
    Ok(())
}
