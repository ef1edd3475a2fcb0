//! Agents' batches, signed beforehand, and a real collector that takes them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clause9_shared::digest::Digest;
use clause9_shared::ids::{AgentId, BootId, Sequence};
use clause9_shared::objective::Document;
use clause9_shared::objective::document::Scalar;
use clause9_shared::plan::{CapturePlan, Outcome};
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::window::{Coverage, OutcomeCoverage, PaneKey, PaneStart};
use clause9_shared::wire::batch::{self, Batch, ClosedWindow, Envelope, Stream};
use clause9_shared::wire::codec::Encode;
use ed25519_dalek::SigningKey;
use serde_json::json;

use super::{Contender, Moderate, Run, WINDOWS, raw};
use crate::bench::{meter, observe, quantile};
use crate::http::Connection;
use crate::process::{Running, free_port, program, wait_until};

/// Rows in a window.
const ROWS: usize = 400;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// Least time that a sync takes on a disk that does sync, in microseconds.
const LEAST_SYNC: u64 = 20;

/// What all contenders take.
pub(in crate::bench) struct Ground {
    folder: PathBuf,
    plan: CapturePlan,
    agents: usize,
    panes: usize,
    /// By pane, then by agent.
    batches: Vec<Vec<Vec<u8>>>,
    /// The encoded windows of each batch.
    windows: Vec<Vec<u8>>,
}

/// A collector with a folder of its own.
struct Collecting {
    folder: tempfile::TempDir,
    port: u16,
    running: Running,
}

fn key(agent: usize) -> SigningKey {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&(agent as u64 + 1).to_le_bytes());
    SigningKey::from_bytes(&bytes)
}

/// The plan with one objective, since a collector takes no system without.
fn judged(plan: &CapturePlan) -> anyhow::Result<CapturePlan> {
    let mut document = serde_json::to_value(plan.document())?;
    document["objectives"] = json!([{
        "id": "missing", "version": 1, "statement": "Values are given.", "policy": "none",
        "metric": "missing_rate", "of": { "feature": "n00" }, "comparator": "at_most",
        "levels": { "action": 0.1 }, "window": "1d", "min_support": 50, "evaluate_every": "7d",
        "owner": "nobody", "approver": "somebody", "effective_from": "1970-01-01T00:00:00Z",
        "references": [{ "scheme": "iso42001_clause", "id": "9.1", "claim": "evidences" }],
    }]);
    let document: Document = serde_json::from_value(document)?;
    Ok(CapturePlan::new(&document, plan.baseline())?)
}

impl Ground {
    /// Fills windows once and signs every batch. Files go where this program is: memory is no disk.
    pub(in crate::bench) fn new(agents: usize, panes: usize) -> anyhow::Result<Self> {
        let this = std::env::current_exe()?;
        let folder = this.parent().context("a program lies in a folder")?;
        let plan = judged(&observe::plan(true)?)?;
        let whole = observe::exchange(ROWS, 2);
        let (mut traffic, mut outcomes) = (plan.empty_traffic(), plan.empty_outcomes());
        let mut known = Vec::new();
        plan.observe_all(&whole, &mut traffic, &mut known)?;
        for (row, prediction) in known.iter_mut().enumerate() {
            let outcome = Outcome {
                request_id: String::new(),
                row: 0,
                label: Some(Scalar::Number((row / 3 % 2) as f64)),
                attributes: std::collections::BTreeMap::new(),
                available_at: None,
            };
            plan.join(prediction, &outcome, &mut outcomes);
        }
        let mut ground = Self {
            folder: folder.to_owned(),
            agents,
            panes,
            batches: Vec::new(),
            windows: Vec::new(),
            plan,
        };
        let summaries = [traffic.to_bytes(), outcomes.to_bytes()];
        ground.batches = (0..panes)
            .map(|pane| {
                let both = ground.items(pane, &summaries);
                let of = |agent| ground.batch(agent, pane, both.clone());
                (0..agents).map(of).collect()
            })
            .collect();
        ground.windows = ground
            .items(0, &summaries)
            .iter()
            .map(Encode::to_bytes)
            .collect();
        Ok(ground)
    }

    /// Where files go.
    pub(in crate::bench) fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many batches each agent has.
    pub(in crate::bench) const fn panes(&self) -> usize {
        self.panes
    }

    /// The batches of the first agent.
    pub(in crate::bench) fn of_one_agent(&self) -> impl Iterator<Item = &[u8]> {
        let first = self.batches.iter().filter_map(|batches| batches.first());
        first.map(Vec::as_slice)
    }

    /// What the first agent says of a pane, to be signed.
    pub(in crate::bench) fn said(&self, pane: usize) -> anyhow::Result<Batch> {
        let batch = self.batches.get(pane).and_then(|batches| batches.first());
        let batch = batch.context("no such pane")?;
        Ok(Envelope::parse(batch)?.read_again()?)
    }

    pub(in crate::bench) fn batch_bytes(&self) -> usize {
        self.batches
            .first()
            .and_then(|b| b.first())
            .map_or(0, Vec::len)
    }

    fn at(&self, pane: usize) -> PaneStart {
        let length = self.plan.document().panes.length;
        PaneStart(Timestamp::EPOCH + length.times(20_000 + u32::try_from(pane).unwrap_or(0)))
    }

    fn items(&self, pane: usize, summaries: &[Vec<u8>; 2]) -> Vec<ClosedWindow> {
        let rows = ROWS as u64;
        let traffic = Stream::Traffic(Coverage {
            seen: rows,
            sampled: rows,
            rows,
            ..Coverage::default()
        });
        let outcomes = Stream::Outcomes {
            arrival: self.at(pane),
            coverage: OutcomeCoverage {
                labels: rows,
                ..OutcomeCoverage::default()
            },
        };
        let key = PaneKey {
            system: self.plan.document().system.id.clone(),
            model: "model".into(),
            model_version: "".into(),
            baseline: self.plan.baseline().digest(),
            plan: self.plan.digest(),
            salt: Digest::of(b"salt"),
            clock: Clock::Replay,
            pane: self.plan.document().panes.length,
            shell: None,
        };
        let window = |(stream, summary): (Stream, &Vec<u8>)| ClosedWindow {
            key: key.clone(),
            pane: self.at(pane),
            stream,
            summary: summary.clone(),
        };
        [traffic, outcomes]
            .into_iter()
            .zip(summaries)
            .map(window)
            .collect()
    }

    fn batch(&self, agent: usize, pane: usize, items: Vec<ClosedWindow>) -> Vec<u8> {
        let closed = self.at(pane).end(self.plan.document().panes.length);
        let batch = Batch {
            boot: BootId(1),
            sequence: Sequence(pane as u64 + 1),
            created_at: closed,
            clock: Clock::Replay,
            system: self.plan.document().system.id.clone(),
            watermark: closed,
            watching_since: Timestamp::EPOCH,
            items,
            losses: Vec::new(),
            restored: None,
        };
        batch::seal(&batch, &key(agent))
    }

    /// One contender's run.
    pub(super) fn run(&self, contender: Contender, round: usize) -> anyhow::Result<Run> {
        let windows = self.agents * self.panes * self.windows.len();
        let empty = Run {
            round,
            contender,
            windows,
            points: windows * self.plan.document().features.len(),
            seconds: 0.0,
            merged_seconds: None,
            cpu_seconds: 0.0,
        };
        let me = std::process::id();
        // Of this thread, which is the one that writes: finer than what is known of a process.
        let before = meter::cpu_nanoseconds(me)?;
        let folder = tempfile::tempdir_in(&self.folder)?;
        let groups = (self.panes, self.agents);
        let seconds = match contender {
            Contender::Collector => return self.collect(empty),
            Contender::Sqlite => raw::sqlite(folder.path(), groups, &self.windows)?,
            Contender::File => raw::file(folder.path(), groups, &self.windows)?,
        };
        Ok(Run {
            seconds,
            cpu_seconds: (meter::cpu_nanoseconds(me)? - before) as f64 / 1e9,
            ..empty
        })
    }

    fn collect(&self, empty: Run) -> anyhow::Result<Run> {
        let collecting = self.start()?;
        let process = collecting.running.id();
        let before = meter::read(process)?;
        let begun = Instant::now();
        self.send_all(collecting.port, None)?;
        let seconds = begun.elapsed().as_secs_f64();
        collecting.merged(self.panes)?;
        let merged_seconds = Some(begun.elapsed().as_secs_f64());
        let after = meter::read(process)?;
        collecting.holds(self.agents * self.panes)?;
        Ok(Run {
            seconds,
            merged_seconds,
            cpu_seconds: after.cpu_seconds - before.cpu_seconds,
            ..empty
        })
    }

    fn start(&self) -> anyhow::Result<Collecting> {
        let folder = tempfile::tempdir_in(&self.folder)?;
        let port = free_port()?;
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write(
            "objectives.yaml",
            &serde_json::to_string(self.plan.document())?,
        )?;
        write("baseline.json", &self.plan.baseline().to_json()?)?;
        let ids = (0..self.agents).map(|agent| {
            let id = AgentId::of_key(key(agent).verifying_key().as_bytes());
            format!("  - {{ id: \"{id}\", systems: [bench] }}\n")
        });
        write(
            "agents.yaml",
            &format!("agents:\n{}", ids.collect::<String>()),
        )?;
        write(
            "collector.yaml",
            &format!(
                "listen: 127.0.0.1:{port}\nstore: ./store\nagents: agents.yaml\nsystems:\n  \
                 - {{ objectives: objectives.yaml, baseline: baseline.json, clock: replay }}\n"
            ),
        )?;
        let arguments = ["run", "--config", "collector.yaml"];
        let mut running =
            Running::start(&program("clause9-collector")?, folder.path(), &arguments)?;
        running.wait_for_port(port, PATIENCE)?;
        Ok(Collecting {
            folder,
            port,
            running,
        })
    }

    /// Sends everything, each agent on a connection of its own; at a rate in all, or as fast as answers
    /// come. How long each answer took, in microseconds.
    fn send_all(&self, port: u16, per_second: Option<usize>) -> anyhow::Result<Vec<u64>> {
        let begun = Instant::now();
        let times = std::thread::scope(|scope| {
            let senders: Vec<_> = (0..self.agents)
                .map(|agent| {
                    scope.spawn(move || -> anyhow::Result<Vec<u64>> {
                        let mut connection = Connection::open(port)?;
                        let mut times = Vec::with_capacity(self.panes);
                        for (pane, batches) in self.batches.iter().enumerate() {
                            if let Some(rate) = per_second {
                                let due = (pane * self.agents + agent) as f64 / rate as f64;
                                let due = Duration::from_secs_f64(due);
                                std::thread::sleep(due.saturating_sub(begun.elapsed()));
                            }
                            let body = batches.get(agent).context("a batch of each agent")?;
                            times.push(deliver(&mut connection, body)?);
                        }
                        Ok(times)
                    })
                })
                .collect();
            let times = senders.into_iter().map(|sender| {
                sender
                    .join()
                    .map_err(|_| anyhow::anyhow!("a sender panicked"))?
            });
            times.collect::<anyhow::Result<Vec<_>>>()
        })?;
        Ok(times.concat())
    }

    /// Acknowledgements at a moderate rate, and syncs alone at the same.
    pub(super) fn moderate(&self, round: usize, per_second: usize) -> anyhow::Result<Moderate> {
        let folder = tempfile::tempdir_in(&self.folder)?;
        let count = self.agents * self.panes;
        let synced = raw::syncs(folder.path(), count, per_second, self.batch_bytes())?;
        let collecting = self.start()?;
        let acknowledged = self.send_all(collecting.port, Some(per_second))?;
        collecting.merged(self.panes)?;
        let summary = |mut times: Vec<u64>| -> anyhow::Result<[u64; 2]> {
            times.sort_unstable();
            let at = |share| quantile(&times, share).context("no time was taken");
            Ok([at(0.5)?, at(0.99)?])
        };
        let (acknowledged, synced) = (summary(acknowledged)?, summary(synced)?);
        anyhow::ensure!(
            synced[0] >= LEAST_SYNC,
            "a sync took {} us: {} is on no disk, and nothing was measured",
            synced[0],
            self.folder.display()
        );
        Ok(Moderate {
            round,
            acknowledged,
            synced,
        })
    }
}

/// Delivers one batch; how long its receipt took.
fn deliver(connection: &mut Connection, body: &[u8]) -> anyhow::Result<u64> {
    let begun = Instant::now();
    let answer = connection.send("POST", "/v1/batches", &[], body)?;
    let took = u64::try_from(begun.elapsed().as_micros())?;
    let stored = answer.text().matches("\"stored\"").count();
    anyhow::ensure!(
        answer.status() == 200 && stored == WINDOWS,
        "a batch was not stored: {}",
        answer.text()
    );
    Ok(took)
}

impl Collecting {
    /// Waits until so many panes are sealed.
    fn merged(&self, panes: usize) -> anyhow::Result<()> {
        let sealed = || -> Option<u64> {
            let answer = crate::http::get(self.port, "/v1/systems/bench").ok()?;
            answer.json().ok()?["sealed_panes"].as_u64()
        };
        wait_until("the last seal", PATIENCE, || sealed() == Some(panes as u64))
    }

    /// Whether the register has so many batches, in what is on disk.
    fn holds(&self, batches: usize) -> anyhow::Result<()> {
        let file: &Path = &self.folder.path().join("store/clause9.sqlite");
        let db = rusqlite::Connection::open(file)?;
        let count: i64 = db.query_row("SELECT count(*) FROM batches", [], |r| r.get(0))?;
        anyhow::ensure!(
            usize::try_from(count)? == batches,
            "{count} batches were stored of {batches}"
        );
        Ok(())
    }
}
