//! `clause9 replay`: what a candidate objective would have told of windows that were stored.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clause9_shared::baseline::Baseline;
use clause9_shared::digest::Digest;
use clause9_shared::judge::Compiled;
use clause9_shared::metric::StreamKind;
use clause9_shared::objective::document::{Document, Objective};
use clause9_shared::planning::{self, Replayed};
use clause9_shared::sketch::PaneSummary;
use clause9_shared::wire::codec::Decode as _;
use serde_json::{Value, json};

use crate::terminal::Terminal;
use crate::{Ended, check, plan, read};

/// Longest answer of a collector that is read, and longest summary, in bytes.
const MOST_BYTES: u64 = 64 << 20;
/// How long a collector may take for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Run candidate objectives over stored windows and show what they would have told.
///
/// Windows come from a folder that `clause9 profile --windows-out` wrote, or from a collector's
/// register over plain HTTP. Each stored block is a step of the ledger, in the order of its seal, as
/// it was for the objectives in force. A candidate can only read what was counted: the summaries of
/// the plan of its time.
#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    /// The objectives file with the candidates.
    #[arg(long, value_name = "FILE")]
    objectives: PathBuf,
    /// Only this objective; all without it.
    #[arg(long, value_name = "ID")]
    objective: Option<String>,
    /// The baseline. Of a folder of windows its own if none is named.
    #[arg(long, value_name = "FILE", required_unless_present = "windows")]
    baseline: Option<PathBuf>,
    /// A folder of windows.
    #[arg(long, value_name = "DIR", required_unless_present = "collector")]
    windows: Option<PathBuf>,
    /// A collector's address, as `http://127.0.0.1:9181`.
    #[arg(long, value_name = "URL", conflicts_with = "windows")]
    collector: Option<String>,
    /// Answer in JSON, for programs, with every step.
    #[arg(long)]
    json: bool,
}

/// Stored blocks of both streams, in their order.
#[derive(Default)]
struct Stored {
    traffic: Vec<PaneSummary>,
    outcomes: Vec<PaneSummary>,
}

pub(crate) fn run(args: &Replay, terminal: &mut Terminal) -> anyhow::Result<Ended> {
    let file = read::objectives(&args.objectives)?;
    let Ok(document) = &file.checked else {
        check::show(&file, terminal)?;
        return Ok(Ended::WithProblems);
    };
    let (stored, baseline) = stored(args, document)?;
    let (mut rows, mut ended) = (Vec::new(), Ended::Well);
    let wanted = |o: &&Objective| {
        args.objective
            .as_deref()
            .is_none_or(|id| id == o.id.as_str())
    };
    for objective in document.objectives.iter().filter(wanted) {
        let compiled = match Compiled::new(document, objective, &baseline) {
            Ok(compiled) => compiled,
            Err(error) => {
                ended = Ended::WithProblems;
                rows.push(json!({ "objective": objective.id, "refused": error.to_string() }));
                if !args.json {
                    terminal.line(&error.to_string())?;
                }
                continue;
            }
        };
        let blocks = match stream(document, objective) {
            StreamKind::Traffic => &stored.traffic,
            StreamKind::Outcomes | StreamKind::ByAttribute => &stored.outcomes,
        };
        let told = planning::replay(&compiled, document, &baseline, blocks.iter());
        if !args.json {
            let id = format!("{} version {}", objective.id, objective.version);
            terminal.good(&id, "replayed", &said(&told))?;
        }
        rows.push(json!({
            "objective": objective.id, "version": objective.version,
            "compiled": compiled.digest(), "blocks": told,
        }));
    }
    ensure!(!rows.is_empty(), "no objective of that name is in the file");
    if args.json {
        terminal.json(&json!({ "ok": ended == Ended::Well, "objectives": rows }))?;
    }
    Ok(ended)
}

/// Which stream an objective reads.
fn stream(document: &Document, objective: &Objective) -> StreamKind {
    let stream = objective.metric.spec().stream;
    let late = document
        .attributes
        .iter()
        .any(|a| Some(&a.name) == objective.of.attribute.as_ref() && document.comes_late(a));
    match stream {
        StreamKind::ByAttribute if late => StreamKind::Outcomes,
        StreamKind::ByAttribute => StreamKind::Traffic,
        StreamKind::Traffic | StreamKind::Outcomes => stream,
    }
}

fn said(told: &[Replayed]) -> String {
    let measured = told.iter().filter(|block| block.value.is_some()).count();
    let Some(last) = told.last() else {
        return "no stored block".to_owned();
    };
    let confirmed = told.iter().position(|b| b.verdict.confirmed_at.is_some());
    let confirmed = confirmed.map_or_else(
        || "never confirmed a breach".to_owned(),
        |at| format!("confirmed a breach at block {}", at + 1),
    );
    format!(
        "{} blocks, {measured} with a value; {confirmed}; at the end {}: {}",
        told.len(),
        last.verdict.state.as_str(),
        last.verdict.because
    )
}

fn stored(args: &Replay, document: &Document) -> anyhow::Result<(Stored, Baseline)> {
    if let Some(folder) = &args.windows {
        let own = folder.join("baseline.json");
        let baseline = plan::baseline(args.baseline.as_deref().unwrap_or(&own))?;
        return Ok((from_folder(folder)?, baseline));
    }
    let (Some(url), Some(baseline)) = (&args.collector, &args.baseline) else {
        bail!("name a folder with --windows, or a --collector and a --baseline");
    };
    let stored = from_collector(url, document.system.id.as_str())?;
    Ok((stored, plan::baseline(baseline)?))
}

/// Windows of a folder, by the numbers in their names.
fn from_folder(folder: &Path) -> anyhow::Result<Stored> {
    let shown = folder.display();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {shown}"))? {
        names.push(
            entry
                .with_context(|| format!("cannot read {shown}"))?
                .path(),
        );
    }
    names.sort();
    let mut stored = Stored::default();
    for path in names {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let list = if name.ends_with(".traffic.bin") {
            &mut stored.traffic
        } else if name.ends_with(".outcomes.bin") {
            &mut stored.outcomes
        } else {
            continue;
        };
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {name}"))?;
        list.push(
            PaneSummary::from_bytes(&bytes).with_context(|| format!("{name} is no summary"))?,
        );
    }
    let found = stored.traffic.len() + stored.outcomes.len();
    ensure!(
        found > 0,
        "{shown} holds no windows; write some with `clause9 profile --windows-out`"
    );
    Ok(stored)
}

/// Blocks of a collector's register, in the order of their seals.
fn from_collector(url: &str, system: &str) -> anyhow::Result<Stored> {
    let host = url
        .strip_prefix("http://")
        .context("only plain http:// addresses are read; for others, copy the windows to a folder")?
        .trim_end_matches('/');
    let mut stored = Stored::default();
    let mut after = String::new();
    loop {
        let path = format!("/v1/evidence?type=block&system={system}&limit=500{after}");
        let page: Value = serde_json::from_slice(&get(host, &path)?)?;
        for item in page["items"].as_array().into_iter().flatten() {
            let name = item["digest"].as_str().unwrap_or_default();
            let record: Value =
                serde_json::from_slice(&get(host, &format!("/v1/evidence/{name}"))?)?;
            let body = &record["body"];
            let list = match body["stream"].as_str() {
                Some("traffic") => &mut stored.traffic,
                Some("outcomes") => &mut stored.outcomes,
                _ => bail!("record {name} is no block as this program knows them"),
            };
            let summary: Digest = serde_json::from_value(body["summary"].clone())
                .with_context(|| format!("record {name} names no summary"))?;
            let bytes = get(host, &format!("/v1/blobs/{summary}"))?;
            let pane = PaneSummary::from_bytes(&bytes)
                .with_context(|| format!("{summary} is no summary"))?;
            ensure!(
                pane.digest() == summary,
                "{summary} is not what it is called"
            );
            list.push(pane);
        }
        match page["next"].as_u64() {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(stored),
        }
    }
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
