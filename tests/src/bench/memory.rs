//! Resident memory of a real agent under what would make a careless one grow without end, as the kernel counts
//! it. The bound is what the agent had at the start, what its limits permit, and a little for the work itself.

use std::io::Write;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::faults::ground::{Ground, PATIENCE, Under, metric, reach, set_clock};
use super::{Bench, load, meter};
use crate::http::{self, Connection};
use crate::process::allow_open_files;
use crate::sidecar::Sidecar;

const MIB: u64 = 1 << 20;
/// `limits` of the agent, in bytes: queue, remembered predictions, outbox.
const LIMITS: [u64; 3] = [8 * MIB, 4 * MIB, 4 * MIB];
/// What may come to that: for outcomes, 4 MiB of those that wait and one delivery of 4 MiB with what it is
/// read into; for names, 64 models and 2 bytes for each prediction on disk. Each has a trial of its
/// own, since together they may hold more.
const BESIDE: u64 = 8 * MIB;
/// Outcomes of one delivery.
const DELIVERY: usize = 50_000;
/// What a connection that has been served and now is idle may hold: the buffers of both directions.
pub const IDLE_CONNECTION: u64 = 24 << 10;

/// What is asked for.
#[derive(Args, Clone, Copy, Debug, Serialize)]
pub struct Options {
    /// Length of long bodies in MiB.
    #[arg(long, default_value_t = 64)]
    pub body_mib: usize,
    /// Idle connections, each of which was served once.
    #[arg(long, default_value_t = 5000)]
    pub connections: usize,
    /// Bodies that unpack to more than may be.
    #[arg(long, default_value_t = 200)]
    pub bombs: usize,
    /// Different request ids, model names and outcomes.
    #[arg(long, default_value_t = 1_000_000)]
    pub names: usize,
    /// Hours of panes that no collector takes.
    #[arg(long, default_value_t = 5000)]
    pub hours: usize,
}

/// What one trial came to.
#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    /// What was done.
    pub name: &'static str,
    /// Most resident memory meanwhile, in bytes.
    pub peak: u64,
    /// How much it may have been.
    pub bound: u64,
    /// How it showed that it happened.
    pub shown: String,
}

/// An agent that is tried.
struct Tried {
    ground: Ground,
    agent: Sidecar,
    start: u64,
}

type Try = fn(&Tried, &Options) -> anyhow::Result<String>;

/// Runs every trial, each with an agent of its own.
pub fn measure(options: &Options, told: &mut dyn FnMut(&Trial)) -> anyhow::Result<Vec<Trial>> {
    let trials: [(&'static str, Try); 6] = [
        ("long bodies", long_bodies),
        ("idle connections", idle_connections),
        ("bodies that unpack to too much", bombs),
        ("ids and names without end", names),
        ("outcomes without end", outcomes),
        ("no collector", no_collector),
    ];
    // Agents inherit it, and ask at their start how many clients they may take.
    allow_open_files(std::process::id(), options.connections * 2 + 2000)?;
    let mut all = Vec::new();
    for (name, trial) in trials {
        let mut ground = Ground::lay()?;
        let [queue, remembered, outbox] = LIMITS;
        let more = format!(
            "limits: {{ queue_bytes: {queue}, remembered_bytes: {remembered}, outbox_bytes: {outbox} }}\n"
        );
        let agent = ground.start(Under::Nothing, "replay", &more)?;
        let start = meter::read(agent.running.id())?.resident_kib * 1024;
        let tried = Tried {
            ground,
            agent,
            start,
        };
        let shown = trial(&tried, options).with_context(|| format!("the trial `{name}`"))?;
        let peak = meter::read(tried.agent.running.id())?.peak_kib * 1024;
        let connections = match name {
            "idle connections" => options.connections as u64 * IDLE_CONNECTION,
            _ => 0,
        };
        let bound = tried.start + LIMITS.iter().sum::<u64>() + BESIDE + connections;
        let done = Trial {
            name,
            peak,
            bound,
            shown,
        };
        told(&done);
        all.push(done);
        drop(tried.ground);
    }
    Ok(all)
}

const PATH: &str = "/v2/models/loan/infer";
const JSON: (&str, &str) = ("content-type", "application/json");

fn long_bodies(tried: &Tried, options: &Options) -> anyhow::Result<String> {
    let body = vec![b' '; options.body_mib << 20];
    std::thread::scope(|scope| {
        let port = tried.agent.port;
        let body = &body;
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(move || -> anyhow::Result<()> {
                    let mut connection = Connection::open(port)?;
                    for _ in 0..2 {
                        let answer = connection.send("POST", PATH, &[JSON], body)?;
                        anyhow::ensure!(answer.status() == 200, "{}", answer.status_line);
                    }
                    Ok(())
                })
            })
            .collect();
        for client in clients {
            client
                .join()
                .map_err(|_| anyhow::anyhow!("a client failed"))??;
        }
        anyhow::Ok(())
    })?;
    let truncated = "clause9_exchanges_undecodable_total{reason=\"truncated\"}";
    let truncated = reach(&tried.agent, truncated, 8)?;
    Ok(format!(
        "{truncated} bodies of {} MiB passed",
        options.body_mib
    ))
}

fn idle_connections(tried: &Tried, options: &Options) -> anyhow::Result<String> {
    let descriptors = options.connections * 2 + 1000;
    allow_open_files(tried.agent.running.id(), descriptors)?;
    let body = load::request(1, "a");
    let mut kept = Vec::new();
    for _ in 0..options.connections {
        let mut connection = Connection::open(tried.agent.port)?;
        let answer = connection.send("POST", PATH, &[JSON], body.as_bytes())?;
        anyhow::ensure!(answer.status() == 200, "{}", answer.status_line);
        kept.push(connection);
    }
    let each = meter::read(tried.agent.running.id())?.resident_kib * 1024;
    let each = each.saturating_sub(tried.start) / options.connections.max(1) as u64;
    Ok(format!("{} connections, {each} bytes each", kept.len()))
}

fn bombs(tried: &Tried, options: &Options) -> anyhow::Result<String> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..256 {
        packed.write_all(&vec![0; 1 << 20])?;
    }
    let packed = packed.finish()?;
    let mut connection = Connection::open(tried.agent.port)?;
    for _ in 0..options.bombs {
        let headers = [JSON, ("content-encoding", "gzip")];
        let answer = connection.send("POST", PATH, &headers, &packed)?;
        anyhow::ensure!(answer.status() == 200, "{}", answer.status_line);
    }
    let oversized = "clause9_exchanges_undecodable_total{reason=\"oversized\"}";
    // Where the monitor is slow, some are let go before they are looked at.
    let oversized = reach(&tried.agent, oversized, 1)?;
    let fates = tried.agent.settled_fates(PATIENCE)?;
    anyhow::ensure!(fates.undecodable + fates.dropped == fates.seen, "{fates:?}");
    Ok(format!(
        "{oversized} bodies of {} KiB that unpack to 256 MiB (oversized)",
        packed.len() >> 10
    ))
}

fn names(tried: &Tried, options: &Options) -> anyhow::Result<String> {
    let each = options.names / 8;
    std::thread::scope(|scope| {
        let port = tried.agent.port;
        let clients: Vec<_> = (0..8)
            .map(|client| {
                scope.spawn(move || -> anyhow::Result<()> {
                    let mut connection = Connection::open(port)?;
                    for number in 0..each {
                        let name = format!("{client}-{number}");
                        // Every other one to a model of its own.
                        let path = match number % 2 {
                            0 => PATH.to_owned(),
                            _ => format!("/v2/models/m-{name}/infer"),
                        };
                        let body = load::request(1, &name);
                        let answer = connection.send("POST", &path, &[JSON], body.as_bytes())?;
                        anyhow::ensure!(answer.status() == 200, "{}", answer.status_line);
                    }
                    Ok(())
                })
            })
            .collect();
        for client in clients {
            client
                .join()
                .map_err(|_| anyhow::anyhow!("a client failed"))??;
        }
        anyhow::Ok(())
    })?;
    let seen = metric(&tried.agent, "clause9_exchanges_seen_total")?;
    Ok(format!("{seen} requests, half to models of their own"))
}

/// Posts outcomes of requests that nobody made.
fn outcomes(tried: &Tried, options: &Options) -> anyhow::Result<String> {
    let number = options.names;
    let token = std::fs::read_to_string(tried.ground.folder().join("state/outcomes.token"))?;
    let bearer = format!("Bearer {}", token.trim());
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/x-ndjson"),
    ];
    let mut first = 0;
    while first < number {
        let last = number.min(first + DELIVERY);
        let lines = (first..last).map(|n| {
            format!(
                "{{\"request_id\":\"unknown-{n}\",\"label\":1,\"available_at\":\"2026-01-01T00:00:00Z\"}}\n"
            )
        });
        let body: String = lines.collect();
        let answer = http::send(
            tried.ground.outcomes,
            "POST",
            "/outcomes",
            &headers,
            body.as_bytes(),
        )?;
        match answer.status() {
            200 => first = last,
            429 => std::thread::sleep(Duration::from_millis(100)),
            _ => anyhow::bail!("outcomes: {} {}", answer.status_line, answer.text()),
        }
    }
    Ok(format!("{number} outcomes of unknown requests"))
}

fn no_collector(tried: &Tried, options: &Options) -> anyhow::Result<String> {
    let mut connection = Connection::open(tried.agent.port)?;
    for hour in 1..=options.hours {
        let body = load::request(8, &hour.to_string());
        let headers = [JSON, ("x-rows", "8")];
        let answer = connection.send("POST", PATH, &headers, body.as_bytes())?;
        anyhow::ensure!(answer.status() == 200, "{}", answer.status_line);
        let (year, month) = (2026 + hour / 8064, hour / 672 % 12 + 1);
        let (day, hour) = (hour / 24 % 28 + 1, hour % 24);
        set_clock(
            &tried.agent,
            &format!("{year}-{month:02}-{day:02}T{hour:02}:10:00Z"),
        )?;
    }
    let waiting = metric(&tried.agent, "clause9_outbox_bytes")?;
    let dropped = metric(
        &tried.agent,
        "clause9_outbox_dropped_total{reason=\"outbox_full\"}",
    )?;
    anyhow::ensure!(waiting > 0, "nothing waits");
    anyhow::ensure!(waiting <= LIMITS[2], "{waiting} bytes wait");
    Ok(format!(
        "{waiting} bytes of batches wait, {dropped} batches let go (full)"
    ))
}

/// That every trial stayed within its bound.
pub fn check(trials: &[Trial]) -> anyhow::Result<()> {
    let beyond: Vec<_> = trials
        .iter()
        .filter(|t| t.peak > t.bound)
        .map(line)
        .collect();
    anyhow::ensure!(beyond.is_empty(), "{}", beyond.join("\n"));
    Ok(())
}

fn line(trial: &Trial) -> String {
    let mib = |bytes: u64| bytes as f64 / MIB as f64;
    format!(
        "{}: at most {:.1} MiB resident, bound {:.1} MiB; {}",
        trial.name,
        mib(trial.peak),
        mib(trial.bound),
        trial.shown
    )
}

impl Bench for Options {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let trials = measure(self, &mut |trial| {
            let _ = writeln!(out, "{}", line(trial));
        })?;
        writeln!(out, "built with the profile `{}`", super::profile()?)?;
        check(&trials)
    }
}
