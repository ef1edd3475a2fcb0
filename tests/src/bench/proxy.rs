//! What the agent adds to a request, beside what others add: the same load straight to a trivial model
//! server, through nginx, through a proxy that logs as users' loggers do today, through the agent with nothing
//! sampled and with everything sampled, in turns. The
//! model server answers in no time, so that the difference is the proxy's own. Clients and model run on one
//! processor, the proxy in question on another.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::load::{self, Asking, Seen};
use super::{Bench, meter, proxy_report};
use crate::process::{Running, free_port};
use crate::sidecar::{Fates, Sidecar, http};
use crate::tools::tool;

/// The objectives under which benchmarks measure: drift, fairness, how it is served.
pub const OBJECTIVES: &str = include_str!("proxy.objectives.yaml");
/// Bodies of about so many bytes.
const BODIES: [usize; 2] = [1 << 10, 64 << 10];
/// The processor of clients and model, and that of proxies.
pub const PROCESSORS: [usize; 2] = [0, 1];
/// At a rate that everybody can keep up with, at least this share must be captured.
pub const LEAST_CAPTURED: f64 = 0.99;

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Contender {
    /// The model server itself.
    Direct,
    /// nginx as a plain reverse proxy with one worker.
    Nginx,
    /// A proxy that reads everything whole and logs it through a queue that blocks.
    Logger,
    /// The agent with nothing sampled.
    AgentOff,
    /// The agent with everything sampled.
    Agent,
}

impl Contender {
    /// Everybody, in the order of the first round.
    pub const ALL: [Self; 5] = [
        Self::Direct,
        Self::Nginx,
        Self::Logger,
        Self::AgentOff,
        Self::Agent,
    ];
}

/// One contender in one round.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Run {
    /// About how many bytes a request's body has.
    pub body: usize,
    /// Requests in a second that clients sent; none: as fast as answers came.
    pub per_second: Option<f64>,
    /// Which round, from 1.
    pub round: usize,
    /// Who was asked.
    pub contender: Contender,
    /// What clients saw.
    #[serde(flatten)]
    pub seen: Seen,
    /// Processor time of the process that was asked for each right answer, in microseconds.
    pub cpu_us_per_answer: f64,
    /// Its resident memory after the run, in KiB.
    pub resident_kib: u64,
    /// Share of the requests that was captured and counted; of the agent only.
    pub captured: Option<f64>,
}

/// What is asked for.
#[derive(Args, Clone, Copy, Debug, Serialize)]
pub struct Options {
    /// Rounds; each contender runs once in each.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of load in each run.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Client connections, each with one request at a time.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

/// A trivial model server in a process of its own: this program once more.
pub fn start_upstream(folder: &Path) -> anyhow::Result<(u16, Running)> {
    let port = free_port()?;
    let this = std::env::current_exe().context("cannot find this program's own file")?;
    let mut running = Running::start(
        &this,
        folder,
        &["upstream".to_owned(), "--port".to_owned(), port.to_string()],
    )?;
    running.wait_for_port(port, Duration::from_secs(10))?;
    Ok((port, running))
}

/// The logging proxy in a process of its own.
fn start_logger(folder: &Path, upstream: u16, sink: u16) -> anyhow::Result<(u16, Running)> {
    let port = free_port()?;
    let this = std::env::current_exe().context("cannot find this program's own file")?;
    let command = format!("logger-proxy --port {port} --upstream {upstream} --sink {sink}");
    let arguments: Vec<&str> = command.split(' ').collect();
    let mut running = Running::start(&this, folder, &arguments)?;
    running.wait_for_port(port, Duration::from_secs(10))?;
    Ok((port, running))
}

/// Rows of a reference for [`OBJECTIVES`].
pub fn reference() -> Vec<Vec<f64>> {
    (0..400)
        .map(|i| {
            (0..4)
                .map(|c| f64::from((i * 7 + c * 3) % 101) / 50.0 - 1.0)
                .collect()
        })
        .collect()
}

/// Everybody, running.
struct World {
    _folder: tempfile::TempDir,
    model: (u16, Running),
    nginx: (u16, Running),
    logger: (u16, Running),
    /// Where the logger posts its events: on the clients' processor, as if far away.
    _sink: (u16, Running),
    off: Sidecar,
    on: Sidecar,
}

impl World {
    fn start() -> anyhow::Result<Self> {
        let [clients, proxies] = PROCESSORS;
        pin(std::process::id(), clients)?;
        let folder = tempfile::tempdir()?;
        let model = start_upstream(folder.path())?;
        let agent = |name: &str, rate: f64| {
            let home = folder.path().join(name);
            std::fs::create_dir(&home)?;
            let more = format!("sampling: {{ rate: {rate} }}\n");
            let agent =
                Sidecar::start_with(&home, &http(model.0), OBJECTIVES, &reference(), &more)?;
            pin(agent.running.id(), proxies)?;
            anyhow::Ok(agent)
        };
        let (off, on) = (agent("off", 0.0)?, agent("on", 1.0)?);
        let nginx = start_nginx(folder.path(), model.0, "")?;
        pin(nginx.1.id(), proxies)?;
        let sink = start_upstream(folder.path())?;
        let logger = start_logger(folder.path(), model.0, sink.0)?;
        pin(logger.1.id(), proxies)?;
        Ok(Self {
            _folder: folder,
            model,
            nginx,
            logger,
            _sink: sink,
            off,
            on,
        })
    }

    /// Port and process of whom is asked.
    fn of(&self, contender: Contender) -> (u16, u32) {
        match contender {
            Contender::Direct => (self.model.0, self.model.1.id()),
            Contender::Nginx => (self.nginx.0, self.nginx.1.id()),
            Contender::Logger => (self.logger.0, self.logger.1.id()),
            Contender::AgentOff => (self.off.port, self.off.running.id()),
            Contender::Agent => (self.on.port, self.on.running.id()),
        }
    }

    fn fates(&self, contender: Contender) -> anyhow::Result<Option<Fates>> {
        let agent = match contender {
            Contender::Direct | Contender::Nginx | Contender::Logger => return Ok(None),
            Contender::AgentOff => &self.off,
            Contender::Agent => &self.on,
        };
        agent.settled_fates(Duration::from_mins(1)).map(Some)
    }

    fn once(
        &self,
        contender: Contender,
        body: usize,
        round: usize,
        asking: Asking,
    ) -> anyhow::Result<Run> {
        let (port, process) = self.of(contender);
        let fates = self.fates(contender)?;
        let before = meter::read(process)?;
        let seen = Asking { port, ..asking }.run()?;
        let after = meter::read(process)?;
        let cpu_seconds = after.cpu_seconds - before.cpu_seconds;
        let what = format!("{body} bytes, round {round}, {contender:?}");
        anyhow::ensure!(
            seen.missing == 0,
            "{what}: {} answers are missing or wrong",
            seen.missing
        );
        anyhow::ensure!(seen.answers > 0, "{what}: no answers");
        anyhow::ensure!(
            cpu_seconds > 0.0,
            "{what}: process {process} used no processor time: is it the right one?"
        );
        let captured = match (fates, self.fates(contender)?) {
            (Some(before), Some(after)) => {
                anyhow::ensure!(
                    after.seen - before.seen == seen.answers,
                    "{what}: clients count {} answers, the agent {} exchanges",
                    seen.answers,
                    after.seen - before.seen
                );
                let sampled = after.sampled - before.sampled;
                Some(sampled as f64 / seen.answers as f64)
            }
            (None, _) | (_, None) => None,
        };
        Ok(Run {
            body,
            per_second: asking.per_second,
            round,
            contender,
            seen,
            cpu_us_per_answer: cpu_seconds * 1e6 / seen.answers as f64,
            resident_kib: after.resident_kib,
            captured: captured.filter(|_| contender == Contender::Agent),
        })
    }
}

/// Keeps all threads of a process on one processor.
pub fn pin(process: u32, processor: usize) -> anyhow::Result<()> {
    let (process, processor) = (process.to_string(), processor.to_string());
    let once = || {
        let mut taskset = Command::new("taskset");
        taskset.args(["-a", "-p", "-c", &processor, &process]);
        let pinned = taskset.output();
        pinned.context("`taskset` is not installed; it is part of util-linux")
    };
    // A thread that ends while it is looked at counts as a failure: once more, then.
    let pinned = once()?.status.success() || once()?.status.success();
    anyhow::ensure!(
        pinned,
        "process {process} cannot be kept on processor {processor}; the benchmark needs two"
    );
    Ok(())
}

/// nginx with one worker before a model server; with more for the place that passes everything on.
pub fn start_nginx(folder: &Path, upstream: u16, more: &str) -> anyhow::Result<(u16, Running)> {
    let program: PathBuf =
        tool("nginx")?.context("nginx is not installed: apt-get install nginx-light")?;
    let port = free_port()?;
    let home = folder.join("nginx");
    std::fs::create_dir(&home)?;
    let config = format!(
        "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr warn;\n\
         events {{ worker_connections 8192; }}\n\
         http {{ access_log off; keepalive_requests 1000000000; client_max_body_size 0;\n\
           client_body_buffer_size 256k; proxy_temp_path .; client_body_temp_path .; fastcgi_temp_path .;\n\
           uwsgi_temp_path .; scgi_temp_path .;\n\
           upstream model {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}\n\
           server {{ listen 127.0.0.1:{port};\n\
             location / {{ proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection \"\"; {more} }} }} }}\n"
    );
    std::fs::write(home.join("nginx.conf"), config)?;
    let home_text = home.to_string_lossy().into_owned();
    let arguments = ["-p", &home_text, "-c", "nginx.conf"];
    let mut running = Running::start(&program, &home, &arguments)?;
    running.wait_for_port(port, Duration::from_secs(10))?;
    Ok((port, running))
}

/// Rows whose request is about so long.
fn rows(bytes: usize) -> usize {
    let one = load::request(1, "").len();
    let each = (load::request(101, "").len() - one) / 100;
    1 + bytes.saturating_sub(one) / each
}

/// Measures.
pub fn measure(options: Options, told: &mut dyn FnMut(&Run)) -> anyhow::Result<Vec<Run>> {
    let world = World::start()?;
    let mut runs: Vec<Run> = Vec::new();
    let mut name = 0;
    for body in BODIES {
        let mut per_second = None;
        for _ in 0..2 {
            let first = runs.len();
            for round in 1..=options.rounds {
                for turn in 0..Contender::ALL.len() {
                    // Nobody always goes first.
                    let contender = Contender::ALL[(turn + round - 1) % Contender::ALL.len()];
                    name += 1;
                    let asking = Asking {
                        port: 0,
                        connections: options.connections,
                        rows: rows(body),
                        duration: Duration::from_secs(options.seconds),
                        per_second,
                        run: name,
                    };
                    let run = world.once(contender, body, round, asking)?;
                    told(&run);
                    runs.push(run);
                }
            }
            let slowest = runs[first..].iter().map(|run| run.seen.per_second());
            // Half of what the slowest can do.
            per_second = slowest.reduce(f64::min).map(|rate| (rate / 2.0).round());
        }
    }
    Ok(runs)
}

impl Bench for Options {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let runs = measure(*self, &mut |run| {
            if !self.json {
                let _ = writeln!(out, "{}", proxy_report::line(run));
            }
        })?;
        let report = proxy_report::report(*self, runs)?;
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
        } else {
            report.print(out)?;
        }
        report.check()
    }
}
