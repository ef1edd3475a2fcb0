//! What the register must say after the kills.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::Context as _;
use clause9_shared::time::Timestamp;
use clause9_shared::window::Coverage;
use clause9_shared::wire::codec::Decode as _;
use serde_json::Value;

use super::load::Asked;
use super::{Kills, PATIENCE};
use crate::process::wait_until;
use crate::site::Site;

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Kills of agents.
    pub agent_kills: u64,
    /// Kills of the collector.
    pub collector_kills: u64,
    /// Panes, and how many of them hold exactly what was asked.
    pub panes: u64,
    /// Panes in which no request is missing.
    pub whole: u64,
    /// Requests that were sent.
    pub sent: u64,
    /// Requests whose counts had been kept when the agent was killed, or was not.
    pub sure: u64,
    /// Requests in the blocks of sealed panes.
    pub sealed: u64,
    /// Those among them that came after their pane's seal.
    pub late: u64,
    /// Batches in the register, and the runs of agents that they are of.
    pub batches: u64,
    /// Runs of agents.
    pub runs: u64,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lost = self.sent - self.sealed;
        writeln!(
            f,
            "{} kills of agents, {} of the collector; {} panes, {} of them whole",
            self.agent_kills, self.collector_kills, self.panes, self.whole
        )?;
        writeln!(
            f,
            "{} requests sent, {} counted in sealed panes ({} after the seal), {} of them had to be; {lost} were in \
             open panes of a killed agent or not answered",
            self.sent, self.sealed, self.late, self.sure
        )?;
        write!(
            f,
            "{} batches of {} runs in the register, none missing between, none refused, none waiting",
            self.batches, self.runs
        )
    }
}

/// Waits until all is sealed, and compares.
pub(super) fn settle(
    site: &Site,
    folder: &Path,
    kills: &Kills,
    asked: &[Vec<Asked>],
) -> anyhow::Result<Report> {
    let mut panes: BTreeMap<Timestamp, (u64, u64)> = BTreeMap::new();
    for one in asked.iter().flatten() {
        let (sent, sure) = panes.entry(one.pane).or_default();
        *sent += one.sent;
        *sure += one.sure;
    }
    let last = panes.keys().last().context("no pane was asked for")?;
    let mut sealed = BTreeMap::new();
    wait_until("the last seal", PATIENCE, || {
        sealed = coverages(site).unwrap_or_default();
        sealed.contains_key(last)
    })?;
    let mut report = Report {
        agent_kills: kills.agents.load(Ordering::Relaxed),
        collector_kills: kills.collector.load(Ordering::Relaxed),
        panes: panes.len() as u64,
        ..Report::default()
    };
    let counted = in_blocks(folder)?;
    let mut by_seals = 0;
    for (pane, (sent, sure)) in &panes {
        let coverage = sealed
            .get(pane)
            .with_context(|| format!("{pane} is not sealed"))?;
        let sealed = adds_up(coverage).with_context(|| format!("{pane}"))?;
        let seen = counted.get(pane).copied().unwrap_or(0);
        // What comes late is covered by the seal that took it in.
        report.late += seen.saturating_sub(sealed);
        by_seals += sealed;
        anyhow::ensure!(
            (*sure..=*sent).contains(&seen),
            "{pane} holds {seen} exchanges: {sent} were sent, and {sure} had been kept"
        );
        report.whole += u64::from(seen == *sent);
        report.sent += sent;
        report.sure += sure;
        report.sealed += seen;
    }
    anyhow::ensure!(
        report.sealed == by_seals,
        "blocks hold {} exchanges, and seals cover {by_seals}",
        report.sealed
    );
    (report.batches, report.runs) = numbered(folder)?;
    Ok(report)
}

/// What sealed panes cover, each as it was sealed.
fn coverages(site: &Site) -> anyhow::Result<BTreeMap<Timestamp, Value>> {
    let mut found = BTreeMap::new();
    let mut after = String::new();
    loop {
        let page = site.get(&format!("/v1/systems/toy/panes?limit=100{after}"))?;
        for item in page["items"].as_array().into_iter().flatten() {
            let start: Timestamp = serde_json::from_value(item["start"].clone())?;
            found.insert(start, item["coverage"].clone());
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(found),
        }
    }
}

/// Exchanges of each pane in all of its blocks, those among them that came after its seal.
fn in_blocks(folder: &Path) -> anyhow::Result<BTreeMap<Timestamp, u64>> {
    let db = rusqlite::Connection::open(folder.join("store/clause9.sqlite"))?;
    let mut blocks = db.prepare("SELECT pane, coverage FROM blocks WHERE stream = 1")?;
    let mut rows = blocks.query([])?;
    let mut found: BTreeMap<Timestamp, u64> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let pane = Timestamp::from_micros(row.get(0)?).context("no point in time")?;
        let coverage = Coverage::from_bytes(&row.get::<_, Vec<u8>>(1)?)?;
        *found.entry(pane).or_default() += coverage.seen;
    }
    Ok(found)
}

/// The exchanges seen, if the parts add up to them.
fn adds_up(coverage: &Value) -> anyhow::Result<u64> {
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    let by_reason = |what: &str| -> u64 {
        let reasons = coverage[what].as_object();
        reasons.into_iter().flatten().map(|(_, n)| count(n)).sum()
    };
    let seen = count(&coverage["seen"]);
    let parts = count(&coverage["sampled"])
        + count(&coverage["sampled_out"])
        + count(&coverage["not_inference"])
        + by_reason("dropped")
        + by_reason("undecodable");
    anyhow::ensure!(seen == parts, "{coverage:#}");
    Ok(seen)
}

/// Batches and runs in the register; an error if one is missing between others, or something was refused.
fn numbered(folder: &Path) -> anyhow::Result<(u64, u64)> {
    let db = rusqlite::Connection::open(folder.join("store/clause9.sqlite"))?;
    let mut runs = db.prepare(
        "SELECT count(*), min(sequence), max(sequence) FROM batches GROUP BY agent, boot",
    )?;
    let runs = runs.query_map([], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, i64>(2)?,
        ))
    })?;
    let (mut batches, mut count) = (0, 0);
    for run in runs {
        let (number, first, last) = run?;
        anyhow::ensure!(
            first == 1 && last == number,
            "a run has {number} batches, numbered from {first} to {last}"
        );
        batches += u64::try_from(number)?;
        count += 1;
    }
    let refused: i64 = db.query_row(
        "SELECT count(*) FROM records WHERE type = 'refusal'",
        [],
        |row| row.get(0),
    )?;
    anyhow::ensure!(refused == 0, "{refused} batches or items were refused");
    Ok((batches, count))
}
