//! Stored blocks, and the steps that a ledger takes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clause9_shared::digest::Digest;
use clause9_shared::metric::StreamKind;
use clause9_shared::objective::document::{Document, Objective};
use clause9_shared::sampling::{Common, Mix, Rates};
use clause9_shared::sketch::PaneSummary;
use clause9_shared::time::Span;
use clause9_shared::window::{PaneKey, PaneStart};
use clause9_shared::wire::codec::Decode as _;
use serde::Deserialize;
use serde_json::Value;

/// Longest answer of a collector that is read, and longest summary, in bytes.
pub(super) const MOST_BYTES: u64 = 64 << 20;
/// How long a collector may take for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Blocks of both streams.
pub(super) enum Stored {
    /// Windows of a folder, in their order: each is a step.
    Windows {
        traffic: Vec<PaneSummary>,
        outcomes: Vec<PaneSummary>,
    },
    /// Blocks of a register.
    Blocks { pane: Span, blocks: Vec<Block> },
}

/// What a ledger is given at once.
#[derive(Default)]
pub(super) struct Given {
    /// The counts of the objective's stream.
    pub(super) summary: PaneSummary,
    /// Those of the same pane's traffic, where cases without a label matter.
    pub(super) traffic: Option<PaneSummary>,
}

impl Given {
    const fn alone(summary: PaneSummary) -> Self {
        Self {
            summary,
            traffic: None,
        }
    }
}

/// A block of a register.
pub(crate) struct Block {
    pub(crate) names: Names,
    pub(crate) summary: PaneSummary,
}

/// What the record of a block says that matters here.
#[derive(Deserialize)]
pub(crate) struct Names {
    pub(crate) key: PaneKey,
    pub(crate) pane: PaneStart,
    sealed_with: PaneStart,
    pub(crate) stream: StreamKind,
    pub(crate) summary: Digest,
    pub(crate) coverage: Value,
}

impl Stored {
    /// Blocks of a collector's register.
    pub(super) fn from_collector(url: &str, document: &Document) -> anyhow::Result<Self> {
        Ok(Self::Blocks {
            pane: document.panes.length,
            blocks: blocks(url, document, |_| true)?,
        })
    }

    /// What a ledger of an objective is given, step by step.
    pub(super) fn steps(
        &self,
        stream: StreamKind,
        objective: &Objective,
    ) -> anyhow::Result<Vec<Given>> {
        let open = !objective.labels.is_as_observed();
        let alone = |sums: Vec<PaneSummary>| sums.into_iter().map(Given::alone).collect();
        match (self, stream) {
            (Self::Windows { traffic, .. }, StreamKind::Traffic) => Ok(alone(traffic.clone())),
            (Self::Windows { traffic, outcomes }, _) => Ok(outcomes
                .iter()
                .enumerate()
                .map(|(at, summary)| Given {
                    summary: summary.clone(),
                    traffic: traffic.get(at).filter(|_| open).cloned(),
                })
                .collect()),
            (Self::Blocks { pane, blocks }, _) if open => settled(*pane, blocks, objective),
            (Self::Blocks { pane, blocks }, _) => {
                sealed(*pane, blocks, stream, objective).map(alone)
            }
        }
    }
}

/// The blocks of a system in a collector's register that are wanted by what their records say.
pub(crate) fn blocks(
    url: &str,
    document: &Document,
    wanted: impl Fn(&Names) -> bool,
) -> anyhow::Result<Vec<Block>> {
    let host = url
        .strip_prefix("http://")
        .context("only plain http:// addresses are read; for others, copy the windows to a folder")?
        .trim_end_matches('/');
    let system = document.system.id.as_str();
    let (mut blocks, mut some) = (Vec::new(), false);
    let mut after = String::new();
    loop {
        let path = format!("/v1/evidence?type=block&system={system}&limit=500{after}");
        let page: Value = serde_json::from_slice(&get(host, &path)?)?;
        for item in page["items"].as_array().into_iter().flatten() {
            let names = names(host, item["digest"].as_str().unwrap_or_default())?;
            some = true;
            if wanted(&names) {
                blocks.push(block(host, names)?);
            }
        }
        match page["next"].as_u64() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    ensure!(some, "the collector holds no block of system `{system}`");
    Ok(blocks)
}

/// What blocks of traffic tell of the rates in each pane, by the seal that brought it.
struct Mixes(BTreeMap<PaneStart, Vec<(PaneStart, Mix)>>);

impl Mixes {
    fn of(blocks: &[Block]) -> Self {
        let mut mixes: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for Block { names, .. } in blocks {
            if names.stream == StreamKind::Traffic {
                let told = mixes.entry(names.pane).or_default();
                told.push((names.sealed_with, names.mix()));
            }
        }
        Self(mixes)
    }

    /// What blocks of some panes had in common, as far as was known at a seal.
    fn common(&self, panes: &BTreeSet<PaneStart>, seal: PaneStart) -> Common {
        let told = panes.iter().filter_map(|pane| self.0.get(pane)).flatten();
        let known = told.filter(|(sealed_with, _)| *sealed_with <= seal);
        let all = known.fold(Mix::default(), |all, (_, mix)| all.with(*mix));
        all.common()
    }
}

impl Names {
    /// What a block of traffic tells of the rate that it was sampled at.
    pub(crate) fn mix(&self) -> Mix {
        let rates: Option<Rates> = self
            .coverage
            .get("halvings")
            .and_then(|told| Rates::deserialize(told).ok());
        Mix::told(
            &self.key,
            rates,
            self.coverage["seen"].as_u64().unwrap_or(0),
        )
    }
}

/// For each seal all of the pane whose labels had had their time, as far as the seals went.
fn settled(pane: Span, blocks: &[Block], objective: &Objective) -> anyhow::Result<Vec<Given>> {
    let seals: BTreeSet<PaneStart> = blocks.iter().map(|b| b.names.sealed_with).collect();
    let (Some(first), Some(last)) = (seals.first(), seals.last()) else {
        return Ok(Vec::new());
    };
    let plan = blocks.last().map(|b| b.names.key.plan);
    let (delay, length) = (
        objective.label_delay.unwrap_or(Span::ZERO),
        pane.micros().max(1),
    );
    let behind = delay.micros() / length + i64::from(delay.micros() % length != 0);
    let behind = pane.times(u32::try_from(behind).unwrap_or(u32::MAX));
    let judges = judging(&seals, objective);
    let mixes = Mixes::of(blocks);
    let (mut given, mut seal) = (Vec::new(), *first);
    while seal <= *last {
        let of = PaneStart(seal.0 - behind);
        let mut step = Given::default();
        if judges(of) {
            let common = mixes.common(&BTreeSet::from([of]), seal);
            let known = |b: &&Block| {
                let names = &b.names;
                names.pane == of
                    && names.sealed_with <= seal
                    && Some(names.key.plan) == plan
                    && common.takes(&names.key)
            };
            for block in blocks.iter().filter(known) {
                let sum = match block.names.stream {
                    StreamKind::Traffic => step.traffic.get_or_insert_default(),
                    StreamKind::Outcomes | StreamKind::ByAttribute => &mut step.summary,
                };
                add(sum, block)?;
            }
        }
        if judges(of) || judges(seal) {
            given.push(step);
        }
        seal = seal.next(pane);
    }
    Ok(given)
}

/// Adds a block to a sum that may have nothing in it.
fn add(sum: &mut PaneSummary, block: &Block) -> anyhow::Result<()> {
    if sum.is_empty() {
        sum.clone_from(&block.summary);
        return Ok(());
    }
    sum.merge(&block.summary).with_context(|| {
        format!(
            "block {} counts something else than others of its plan",
            block.names.summary
        )
    })
}

/// Whether an objective judges a pane; each one, where it was in force for none.
fn judging(seals: &BTreeSet<PaneStart>, objective: &Objective) -> impl Fn(PaneStart) -> bool {
    let (window, from, to) = (
        objective.window,
        objective.effective_from,
        objective.effective_to,
    );
    let in_force = move |at: PaneStart| {
        let start = PaneStart::of(at.0, window).0;
        start >= from && to.is_none_or(|to| start < to)
    };
    let never = !seals.iter().any(|at| in_force(*at));
    move |at| never || in_force(at)
}

/// One sum for each seal that concerns an objective: of the blocks of its stream and of the newest plan.
/// A seal that brought none is an empty step.
fn sealed(
    pane: Span,
    blocks: &[Block],
    stream: StreamKind,
    objective: &Objective,
) -> anyhow::Result<Vec<PaneSummary>> {
    let seals: BTreeSet<PaneStart> = blocks.iter().map(|b| b.names.sealed_with).collect();
    let (Some(first), Some(last)) = (seals.first(), seals.last()) else {
        return Ok(Vec::new());
    };
    let mine = |block: &&Block| block.names.stream == stream;
    let plan = blocks
        .iter()
        .filter(mine)
        .map(|b| b.names.key.plan)
        .next_back();
    let judges = judging(&seals, objective);
    let mut sums: BTreeMap<PaneStart, PaneSummary> = BTreeMap::new();
    let mut seal = *first;
    while seal <= *last {
        if judges(seal) {
            sums.insert(seal, PaneSummary::default());
        }
        seal = seal.next(pane);
    }
    let mixes = Mixes::of(blocks);
    let mut brought: BTreeMap<PaneStart, Vec<&Block>> = BTreeMap::new();
    for block in blocks.iter().filter(mine) {
        if Some(block.names.key.plan) == plan && judges(block.names.pane) {
            let fresh = brought.entry(block.names.sealed_with).or_default();
            fresh.push(block);
        }
    }
    for (seal, fresh) in brought {
        let common = mixes.common(&fresh.iter().map(|b| b.names.pane).collect(), seal);
        let sum = sums.entry(seal).or_default();
        for block in fresh.into_iter().filter(|b| common.takes(&b.names.key)) {
            add(sum, block)?;
        }
    }
    Ok(sums.into_values().collect())
}

fn names(host: &str, name: &str) -> anyhow::Result<Names> {
    let mut record: Value = serde_json::from_slice(&get(host, &format!("/v1/evidence/{name}"))?)?;
    let names: Names = serde_json::from_value(record["body"].take())
        .with_context(|| format!("record {name} is no block as this program knows them"))?;
    if names.stream == StreamKind::ByAttribute {
        bail!("record {name} is no block as this program knows them");
    }
    Ok(names)
}

fn block(host: &str, names: Names) -> anyhow::Result<Block> {
    let of = names.summary;
    let bytes = get(host, &format!("/v1/blobs/{of}"))?;
    let summary = PaneSummary::from_bytes(&bytes).with_context(|| format!("{of} is no summary"))?;
    ensure!(summary.digest() == of, "{of} is not what it is called");
    Ok(Block { names, summary })
}

/// One answer over HTTP/1.0, which ends with the connection.
fn get(host: &str, path: &str) -> anyhow::Result<Vec<u8>> {
    let say = || format!("cannot read http://{host}{path}");
    let mut stream = TcpStream::connect(host).with_context(say)?;
    stream.set_read_timeout(Some(PATIENCE)).with_context(say)?;
    stream.set_write_timeout(Some(PATIENCE)).with_context(say)?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n").with_context(say)?;
    let mut bytes = Vec::new();
    stream
        .take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .with_context(say)?;
    let head = bytes
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .with_context(|| format!("{}: no answer in HTTP", say()))?;
    let status = String::from_utf8_lossy(&bytes[..head]);
    let status = status.lines().next().unwrap_or_default();
    ensure!(
        status.split(' ').nth(1) == Some("200"),
        "{}: {status}",
        say()
    );
    Ok(bytes.split_off(head + 4))
}
