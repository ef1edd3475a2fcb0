//! Many streams of events at once, as chats with a language model are: straight to a model server that
//! speaks of nothing, through nginx unbuffered, and through the agent with everything sampled, in turns. Every
//! event says when it was sent; clients and model server are this program and so have one clock.

use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::proxy::{PROCESSORS, pin, start_nginx};
use super::{Bench, median, meter, quantile};
use crate::process::{Running, allow_open_files};
use crate::sidecar::{Sidecar, http};

const OBJECTIVES: &str = include_str!("streams.objectives.yaml");
/// A connection serves one stream, and says so: whoever kept it would find nobody there in the next round.
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
/// What a stream may add to the agent's memory, in KiB.
const HELD_AT_MOST: f64 = 64.0;

/// What is asked for.
#[derive(Args, Clone, Copy, Debug, Serialize)]
pub struct Options {
    /// Rounds; each contender runs once in each.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Streams at once.
    #[arg(long, default_value_t = 1000)]
    streams: usize,
    /// Events of each stream.
    #[arg(long, default_value_t = 40)]
    events: usize,
    /// Milliseconds between two events of a stream.
    #[arg(long, default_value_t = 200)]
    every_ms: u64,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Contender {
    Direct,
    Nginx,
    Agent,
}

const ALL: [Contender; 3] = [Contender::Direct, Contender::Nginx, Contender::Agent];

/// One contender in one round; times in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
struct Run {
    round: usize,
    contender: Contender,
    events: u64,
    /// Chunks that did not hold exactly the event that was sent in one.
    moved: u64,
    first_byte_p50: f64,
    first_byte_p99: f64,
    event_p50: f64,
    event_p99: f64,
    /// What the process asked grew by for each stream while all were open, in KiB.
    held_kib: f64,
    /// Share of the streams that was captured and counted; of the agent only.
    captured: Option<f64>,
}

/// What the clients of one run saw; times in nanoseconds.
#[derive(Debug, Default)]
struct Seen {
    first_bytes: Vec<u64>,
    events: Vec<u64>,
    moved: u64,
}

#[derive(Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn now(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Everybody, running.
struct World {
    _folder: tempfile::TempDir,
    clock: Clock,
    model: u16,
    nginx: (u16, Running),
    agent: Sidecar,
    accepted: Arc<AtomicU64>,
}

impl World {
    async fn start(options: Options) -> anyhow::Result<Self> {
        let [clients, proxies] = PROCESSORS;
        let folder = tempfile::tempdir()?;
        let (clock, accepted) = (Clock(Instant::now()), Arc::new(AtomicU64::new(0)));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let model = listener.local_addr()?.port();
        tokio::spawn(serve(listener, options, clock, Arc::clone(&accepted)));
        pin(std::process::id(), clients)?;
        allow_open_files(std::process::id(), options.streams * 2 + 1000)?;
        let nginx = start_nginx(folder.path(), model, "proxy_buffering off;")?;
        pin(nginx.1.id(), proxies)?;
        let home = folder.path().join("agent");
        std::fs::create_dir(&home)?;
        let reference: Vec<Vec<f64>> = (1..=100).map(|i| vec![f64::from(i); 2]).collect();
        let agent = Sidecar::start_with(&home, &http(model), OBJECTIVES, &reference, "")?;
        pin(agent.running.id(), proxies)?;
        for process in [nginx.1.id(), agent.running.id()] {
            allow_open_files(process, options.streams * 2 + 1000)?;
        }
        Ok(Self {
            _folder: folder,
            clock,
            model,
            nginx,
            agent,
            accepted,
        })
    }

    /// Port and process of whom is asked.
    fn of(&self, contender: Contender) -> (u16, u32) {
        match contender {
            Contender::Direct => (self.model, std::process::id()),
            Contender::Nginx => (self.nginx.0, self.nginx.1.id()),
            Contender::Agent => (self.agent.port, self.agent.running.id()),
        }
    }

    async fn once(&self, contender: Contender, round: usize, o: Options) -> anyhow::Result<Run> {
        let (port, process) = self.of(contender);
        let accepted = self.accepted.load(Ordering::Relaxed);
        let (fates, before) = (self.agent.fates()?, meter::read(process)?);
        let every = Duration::from_millis(o.every_ms);
        let clients: Vec<_> = (0..o.streams)
            .map(|n| {
                // Spread over one interval: models do not speak all at once.
                let begin = every.mul_f64(n as f64 / o.streams as f64);
                tokio::spawn(ask(port, begin, o.events, self.clock))
            })
            .collect();
        // By then all are open, and none has ended.
        tokio::time::sleep(every.mul_f64(o.events as f64 / 2.0)).await;
        let during = meter::read(process)?;
        let mut seen = Seen::default();
        for client in clients {
            let its = client.await??;
            seen.first_bytes.extend(its.first_bytes);
            seen.events.extend(its.events);
            seen.moved += its.moved;
        }
        anyhow::ensure!(
            self.accepted.load(Ordering::Relaxed) - accepted == o.streams as u64,
            "{contender:?}, round {round}: not every stream came to the model"
        );
        let captured = match contender {
            Contender::Direct | Contender::Nginx => None,
            Contender::Agent => {
                let after = self.agent.settled_fates(Duration::from_mins(1))?;
                Some((after.sampled - fates.sampled) as f64 / o.streams as f64)
            }
        };
        let grown = during.resident_kib as f64 - before.resident_kib as f64;
        Ok(seen.told(round, contender, grown / o.streams as f64, captured))
    }
}

impl Seen {
    fn told(
        mut self,
        round: usize,
        contender: Contender,
        held_kib: f64,
        captured: Option<f64>,
    ) -> Run {
        self.first_bytes.sort_unstable();
        self.events.sort_unstable();
        let us = |of: &[u64], share| quantile(of, share).unwrap_or(0) as f64 / 1e3;
        Run {
            round,
            contender,
            events: self.events.len() as u64,
            moved: self.moved,
            first_byte_p50: us(&self.first_bytes, 0.5),
            first_byte_p99: us(&self.first_bytes, 0.99),
            event_p50: us(&self.events, 0.5),
            event_p99: us(&self.events, 0.99),
            held_kib,
            captured,
        }
    }
}

async fn serve(listener: TcpListener, options: Options, clock: Clock, accepted: Arc<AtomicU64>) {
    while let Ok((stream, _)) = listener.accept().await {
        accepted.fetch_add(1, Ordering::Relaxed);
        // A client that leaves ends its stream and nothing else.
        tokio::spawn(async move { speak(stream, options, clock).await });
    }
}

/// Reads one request and answers with events that hold the time at which they were sent.
async fn speak(stream: TcpStream, options: Options, clock: Clock) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        anyhow::ensure!(stream.read_line(&mut line).await? > 0, "no request");
        let Some((name, value)) = line.trim_end().split_once(':') else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        }
    }
    stream.read_exact(&mut vec![0; length]).await?;
    stream.write_all(HEAD.as_bytes()).await?;
    let mut tick = tokio::time::interval(Duration::from_millis(options.every_ms));
    for _ in 0..options.events {
        tick.tick().await;
        let event = event(&clock.now().to_string(), "null");
        stream.write_all(chunk(&event).as_bytes()).await?;
    }
    let end = chunk(&event("", r#""stop""#)) + &chunk("data: [DONE]\n\n") + "0\r\n\r\n";
    stream.write_all(end.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(())
}

fn event(content: &str, finish: &str) -> String {
    format!(
        r#"data: {{"id":"c","object":"chat.completion.chunk","created":1,"model":"chat","choices":[{{"index":0,"delta":{{"content":"{content} "}},"finish_reason":{finish}}}]}}"#
    ) + "\n\n"
}

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

/// One client: one stream, read to its end.
async fn ask(port: u16, begin: Duration, events: usize, clock: Clock) -> anyhow::Result<Seen> {
    tokio::time::sleep(begin).await;
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let body = r#"{"model":"chat","stream":true,"messages":[{"role":"user","content":"What time is it?"}]}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: model.test\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let sent = clock.now();
    stream.write_all(request.as_bytes()).await?;
    let (mut seen, mut line) = (Seen::default(), String::new());
    stream.read_line(&mut line).await?;
    seen.first_bytes.push(clock.now() - sent);
    anyhow::ensure!(line.starts_with("HTTP/1.1 200"), "the answer is {line}");
    while !line.trim_end().is_empty() {
        line.clear();
        stream.read_line(&mut line).await?;
    }
    let mut data = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let size = usize::from_str_radix(line.trim_end(), 16).context("no size of a chunk")?;
        data.resize(size + 2, 0);
        stream.read_exact(&mut data).await?;
        if size == 0 {
            break;
        }
        seen.take(&String::from_utf8_lossy(&data[..size]), clock.now());
    }
    anyhow::ensure!(
        seen.events.len() == events,
        "{} of {events} events came",
        seen.events.len()
    );
    Ok(seen)
}

impl Seen {
    /// A chunk: one event, or it was joined or split on its way.
    fn take(&mut self, data: &str, now: u64) {
        let whole = data.starts_with("data: ") && data.ends_with("\n\n");
        self.moved += u64::from(!whole || data.matches("\n\n").count() != 1);
        for after in data.split(r#""content":""#).skip(1) {
            let sent = after
                .split(' ')
                .next()
                .and_then(|text| text.parse::<u64>().ok());
            self.events
                .extend(sent.map(|sent| now.saturating_sub(sent)));
        }
    }
}

async fn measure(options: Options, told: &mut dyn FnMut(&Run)) -> anyhow::Result<Vec<Run>> {
    let world = World::start(options).await?;
    let mut runs = Vec::new();
    for round in 1..=options.rounds {
        for turn in 0..ALL.len() {
            // Nobody always goes first.
            let contender = ALL[(turn + round - 1) % ALL.len()];
            let run = world.once(contender, round, options).await?;
            told(&run);
            runs.push(run);
        }
    }
    Ok(runs)
}

/// The middle over rounds of a contender's figure less that of asking the model itself.
fn added(runs: &[Run], contender: Contender, figure: impl Fn(&Run) -> f64) -> Option<f64> {
    let of = |who: Contender| runs.iter().filter(move |run| run.contender == who);
    let mut both: Vec<_> = of(contender).collect();
    both.sort_by_key(|run| run.round);
    let mut direct: Vec<_> = of(Contender::Direct).collect();
    direct.sort_by_key(|run| run.round);
    median(
        both.iter()
            .zip(direct)
            .map(|(a, b)| figure(a) - figure(b))
            .collect(),
    )
}

fn line(run: &Run) -> String {
    let captured = run.captured.map_or_else(String::new, |share| {
        format!(", {:.2} % captured", share * 100.0)
    });
    format!(
        "round {} {:?}: first byte p50 {:.0} us p99 {:.0} us; event p50 {:.0} us p99 {:.0} us; {} events, {} moved; {:.1} KiB for each stream{captured}",
        run.round,
        run.contender,
        run.first_byte_p50,
        run.first_byte_p99,
        run.event_p50,
        run.event_p99,
        run.events,
        run.moved,
        run.held_kib
    )
}

fn check(runs: &[Run]) -> anyhow::Result<()> {
    for run in runs.iter().filter(|run| run.contender == Contender::Agent) {
        anyhow::ensure!(
            run.moved == 0,
            "round {}: {} chunks were joined or split",
            run.round,
            run.moved
        );
        anyhow::ensure!(
            run.held_kib <= HELD_AT_MOST,
            "round {}: {:.1} KiB for each stream, at most {HELD_AT_MOST} may be",
            run.round,
            run.held_kib
        );
    }
    Ok(())
}

impl Bench for Options {
    fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let runs = runtime.block_on(measure(*self, &mut |run| {
            if !self.json {
                let _ = writeln!(out, "{}", line(run));
            }
        }))?;
        if self.json {
            let told =
                serde_json::json!({ "profile": super::profile()?, "options": self, "runs": runs });
            writeln!(out, "{}", serde_json::to_string_pretty(&told)?)?;
            return check(&runs);
        }
        writeln!(
            out,
            "built with the profile `{}`; added to the model's own, medians over rounds:",
            super::profile()?
        )?;
        for contender in [Contender::Nginx, Contender::Agent] {
            let of = |figure: fn(&Run) -> f64| added(&runs, contender, figure).unwrap_or(f64::NAN);
            writeln!(
                out,
                "{contender:?}: first byte p50 {:+.0} us p99 {:+.0} us; event p50 {:+.0} us p99 {:+.0} us",
                of(|run| run.first_byte_p50),
                of(|run| run.first_byte_p99),
                of(|run| run.event_p50),
                of(|run| run.event_p99)
            )?;
        }
        check(&runs)
    }
}
