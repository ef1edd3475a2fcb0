//! An agent before some model server, without a collector: its files in a folder, its ports, its
//! process, and its own account of what it saw.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clause9_shared::baseline::BaselineBuilder;
use clause9_shared::digest::Digest;
use clause9_shared::inference::Cell;
use clause9_shared::objective::document::Document;
use clause9_shared::yaml;

use crate::process::{Running, free_port, program};

/// How long an agent may take to start.
const START: Duration = Duration::from_secs(20);

/// A model server on a port of this machine, over HTTP/1.1.
pub fn http(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// A running agent.
#[derive(Debug)]
pub struct Sidecar {
    /// Port of the data path.
    pub port: u16,
    /// Port of /metrics, /status and the like.
    pub admin: u16,
    /// The process.
    pub running: Running,
}

/// Counts of exchanges by fate, as /metrics tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fates {
    /// Seen at the socket.
    pub seen: u64,
    /// Kept and counted.
    pub sampled: u64,
    /// Left out by sampling.
    pub sampled_out: u64,
    /// No inference of any known protocol.
    pub not_inference: u64,
    /// Let go.
    pub dropped: u64,
    /// Not understood.
    pub undecodable: u64,
}

impl Fates {
    /// All exchanges whose fate is known.
    pub const fn known(&self) -> u64 {
        self.sampled + self.sampled_out + self.not_inference + self.dropped + self.undecodable
    }
}

impl Sidecar {
    /// Starts an agent in a folder, before a model server on a port of this machine.
    ///
    /// `reference` holds the baseline's rows, one number for each feature of the objectives file.
    pub fn start(
        folder: &Path,
        upstream: u16,
        objectives: &str,
        reference: &[Vec<f64>],
    ) -> anyhow::Result<Self> {
        Self::start_with(folder, &http(upstream), objectives, reference, "")
    }

    /// The same before a model server at an address of any kind, with more lines of configuration.
    pub fn start_with(
        folder: &Path,
        upstream: &str,
        objectives: &str,
        reference: &[Vec<f64>],
        more: &str,
    ) -> anyhow::Result<Self> {
        documents(folder, objectives, reference)?;
        Self::run(folder, upstream, more)
    }

    /// Starts an agent in a folder that has objectives and a baseline already.
    pub fn run(folder: &Path, upstream: &str, more: &str) -> anyhow::Result<Self> {
        let (port, admin, outcomes) = (free_port()?, free_port()?, free_port()?);
        let config = folder.join("agent.yaml");
        let text = format!(
            "listen: 127.0.0.1:{port}\nupstream: {upstream}\nobjectives: objectives.yaml\n\
             baseline: baseline.json\nadmin: 127.0.0.1:{admin}\noutcomes: {{ listen: 127.0.0.1:{outcomes} }}\n\
             state_dir: ./state\n{more}"
        );
        std::fs::write(&config, text)?;
        let arguments = [PathBuf::from("run"), "--config".into(), config];
        let mut running = Running::start(&program("clause9-agent")?, folder, &arguments)?;
        running.wait_for_port(admin, START)?;
        running.wait_for_port(port, START)?;
        Ok(Self {
            port,
            admin,
            running,
        })
    }

    /// The text of /metrics.
    pub fn metrics(&self) -> anyhow::Result<String> {
        let answer = crate::http::get(self.admin, "/metrics")?;
        anyhow::ensure!(
            answer.status() == 200,
            "/metrics answers {}",
            answer.status_line
        );
        Ok(answer.text())
    }

    /// What became of the exchanges.
    pub fn fates(&self) -> anyhow::Result<Fates> {
        let metrics = self.metrics()?;
        let fate = |fate: &str| {
            count(
                &metrics,
                &format!("clause9_exchanges_total{{fate=\"{fate}\"}}"),
            )
        };
        Ok(Fates {
            seen: count(&metrics, "clause9_exchanges_seen_total")?,
            sampled: fate("sampled")?,
            sampled_out: fate("sampled_out")?,
            not_inference: fate("not_inference")?,
            dropped: fate("dropped")?,
            undecodable: fate("undecodable")?,
        })
    }

    /// What became of the exchanges, once the fate of each is known.
    pub fn settled_fates(&self, patience: Duration) -> anyhow::Result<Fates> {
        let mut fates = self.fates()?;
        let settled = crate::process::wait_until("the fate of each exchange", patience, || {
            fates = self.fates().unwrap_or(fates);
            fates.known() == fates.seen
        });
        settled.with_context(|| format!("{fates:?}"))?;
        Ok(fates)
    }
}

/// The value of one series in the text format.
pub fn count(metrics: &str, series: &str) -> anyhow::Result<u64> {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let value = line.with_context(|| format!("/metrics has no series {series}"))?;
    value
        .trim()
        .parse()
        .with_context(|| format!("{series} is `{value}`, no count"))
}

/// Writes `objectives.yaml` and `baseline.json` into a folder; the reference as for [`Sidecar::start`].
pub fn documents(folder: &Path, objectives: &str, reference: &[Vec<f64>]) -> anyhow::Result<()> {
    std::fs::write(folder.join("objectives.yaml"), objectives)?;
    let baseline = baseline(objectives, reference)?;
    Ok(std::fs::write(folder.join("baseline.json"), baseline)?)
}

/// A baseline of rows for an objectives file, as its JSON; the reference as for [`Sidecar::start`].
pub fn baseline(objectives: &str, reference: &[Vec<f64>]) -> anyhow::Result<String> {
    let document = yaml::from_str::<Document>("objectives.yaml", objectives)
        .map_err(|p| anyhow::anyhow!("{p}"))?;
    let mut builder = BaselineBuilder::new(&document.value, "reference");
    for row in reference {
        for (feature, value) in row.iter().enumerate() {
            builder.observe(feature, Cell::Float(*value));
        }
        builder.end_row();
    }
    let bytes: Vec<u8> = reference
        .iter()
        .flatten()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    Ok(builder.finish(Digest::of(&bytes))?.to_json()?)
}
