//! A small world: one system, two agents, hours of made traffic that goes wrong at a known hour.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use clause9_collector::config::CollectorConfig;
use clause9_collector::known::{Known, KnownSystem};
use clause9_collector::{Collector, Limits, Reloading};
use clause9_shared::baseline::{Baseline, BaselineBuilder};
use clause9_shared::digest::Digest;
use clause9_shared::ids::{AgentId, BootId, Sequence};
use clause9_shared::inference::{Cell, Inference, Owned, Tensor, Values};
use clause9_shared::objective::document::Scalar;
use clause9_shared::objective::{self, Document};
use clause9_shared::plan::{Answer, CapturePlan, Outcome};
use clause9_shared::time::{Clock, Span, Timestamp};
use clause9_shared::window::{Coverage, DropReason, OutcomeCoverage, PaneKey, PaneStart};
use clause9_shared::wire::batch::{self, Batch, ClosedWindow, Stream};
use clause9_shared::wire::codec::Encode;
use ed25519_dalek::SigningKey;

pub(crate) const OBJECTIVES: &str = include_str!("objectives.yaml");
pub(crate) const HOUR: Span = Span::from_secs(3600);
/// From this hour on, one income in three is missing.
pub(crate) const WRONG_FROM: u32 = 40;

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn beginning() -> Timestamp {
    at("2026-01-01T00:00:00Z")
}

pub(crate) fn hour(n: u32) -> PaneStart {
    PaneStart(beginning() + HOUR.times(n))
}

pub(crate) fn document() -> Document {
    loaded(OBJECTIVES)
}

pub(crate) fn loaded(objectives: &str) -> Document {
    objective::load("objectives.yaml", objectives).unwrap_or_else(|p| panic!("{p:#?}"))
}

pub(crate) fn baseline(document: &Document) -> Baseline {
    let mut builder = BaselineBuilder::new(document, "reference.csv");
    for i in 0..1000_u32 {
        builder.observe(0, Cell::Float(f64::from(i % 97)));
        builder.observe(1, Cell::Text(["a", "b", "c"][i as usize % 3]));
        builder.observe_score(f64::from(i % 10) / 10.0);
        builder.end_row();
    }
    builder.finish(Digest::of(b"reference")).unwrap()
}

pub(crate) fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

pub(crate) fn agent(n: u8) -> AgentId {
    AgentId::of_key(key(n).verifying_key().as_bytes())
}

pub(crate) fn known(agents: &[u8]) -> Known {
    known_of(document(), agents)
}

pub(crate) fn known_of(document: Document, agents: &[u8]) -> Known {
    let baseline = baseline(&document);
    let id = document.system.id.clone();
    let mut known = Known::default();
    let mut system = KnownSystem::new(document, baseline).unwrap();
    system.clock = Clock::Replay;
    known.add(system).unwrap();
    for n in agents {
        assert!(known.trust(agent(*n), &id));
    }
    known
}

/// What agents say.
pub(crate) struct Agents {
    pub(crate) plan: CapturePlan,
    pub(crate) clock: Clock,
    /// Rows per agent and hour.
    pub(crate) rows: usize,
}

impl Agents {
    pub(crate) fn new() -> Self {
        Self::of(&document())
    }

    pub(crate) fn of(document: &Document) -> Self {
        let baseline = baseline(document);
        Self {
            plan: CapturePlan::new(document, &baseline).unwrap(),
            clock: Clock::Replay,
            rows: 50,
        }
    }

    pub(crate) fn key(&self, model: &str) -> PaneKey {
        PaneKey {
            system: self.plan.document().system.id.clone(),
            model: model.into(),
            model_version: if model.is_empty() { "" } else { "3" }.into(),
            baseline: self.plan.baseline().digest(),
            plan: self.plan.digest(),
            salt: Digest::of(b"salt"),
            clock: self.clock,
            pane: HOUR,
            shell: None,
        }
    }

    /// The predictions of an agent in an hour: deterministic, different for each.
    fn inference(&self, n: u8, h: u32) -> Inference {
        let mut state = u64::from(n) * 1_000_003 + u64::from(h) * 7919 + 12345;
        let mut next = move |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        let rows = self.rows;
        let tensor = |name: &str, values| Tensor {
            name: name.into(),
            columns: 1,
            values,
        };
        let missing_one_in = if h >= WRONG_FROM { 3 } else { 100 };
        let incomes = (0..rows).map(|_| {
            if next(missing_one_in) == 0 {
                Owned::Missing
            } else {
                Owned::Float(next(97) as f64)
            }
        });
        let incomes = incomes.collect();
        let grades = (0..rows).map(|_| ["a", "b", "c"][usize::try_from(next(3)).unwrap()].into());
        let grades = grades.collect();
        let scores = (0..rows).map(|_| next(1000) as f64 / 1000.0).collect();
        Inference {
            model: "loan".into(),
            model_version: "3".into(),
            request_id: Some(format!("{n}-{h}").into()),
            arrived_at: hour(h).0,
            rows,
            inputs: vec![
                tensor("income", Values::Mixed(incomes)),
                tensor("grade", Values::Text(grades)),
            ],
            outputs: vec![tensor("probability", Values::Float(scores))],
        }
    }

    pub(crate) fn traffic(&self, n: u8, h: u32) -> ClosedWindow {
        let inference = self.inference(n, h);
        let mut summary = self.plan.empty_traffic();
        for observation in self.plan.observations(&inference).unwrap() {
            self.plan.observe(observation, &mut summary);
        }
        ClosedWindow {
            key: self.key("loan"),
            pane: hour(h),
            stream: Stream::Traffic(Coverage {
                seen: 1,
                sampled: 1,
                rows: inference.rows as u64,
                ..Coverage::default()
            }),
            summary: summary.to_bytes(),
        }
    }

    /// The unattributed item of every pane: here two exchanges lost, one of no inference.
    pub(crate) fn heartbeat(&self, h: u32) -> ClosedWindow {
        let mut coverage = Coverage {
            seen: 3,
            not_inference: 1,
            ..Coverage::default()
        };
        coverage.count_dropped(DropReason::QueueFull);
        coverage.count_dropped(DropReason::QueueFull);
        ClosedWindow {
            key: self.key(""),
            pane: hour(h),
            stream: Stream::Traffic(coverage),
            summary: self.plan.empty_traffic().to_bytes(),
        }
    }

    /// Labels for the predictions of hour `h`, right nine times in ten, arriving in another hour.
    pub(crate) fn outcomes(&self, n: u8, h: u32, arrival: u32) -> ClosedWindow {
        let inference = self.inference(n, h);
        let mut traffic = self.plan.empty_traffic();
        let mut summary = self.plan.empty_outcomes();
        let mut labels = 0;
        for (row, observation) in self.plan.observations(&inference).unwrap().enumerate() {
            let mut prediction = self.plan.observe(observation, &mut traffic);
            let decided = prediction.decision.and_then(Answer::sign).unwrap();
            let label = if row % 10 == 0 { !decided } else { decided };
            let outcome = Outcome {
                request_id: format!("{n}-{h}"),
                row: u32::try_from(row).unwrap(),
                label: Some(Scalar::Number(f64::from(u8::from(label)))),
                attributes: std::collections::BTreeMap::new(),
                available_at: Some(hour(arrival).0),
            };
            labels += self
                .plan
                .join(&mut prediction, &outcome, &mut summary)
                .labels;
        }
        assert_eq!(labels, inference.rows as u64, "every label joins");
        ClosedWindow {
            key: self.key("loan"),
            pane: hour(h),
            stream: Stream::Outcomes {
                arrival: hour(arrival),
                coverage: OutcomeCoverage {
                    labels,
                    ..OutcomeCoverage::default()
                },
            },
            summary: summary.to_bytes(),
        }
    }

    pub(crate) fn batch(&self, sequence: u64, h: u32, items: Vec<ClosedWindow>) -> Batch {
        Batch {
            boot: BootId(1),
            sequence: Sequence(sequence),
            created_at: now(),
            clock: self.clock,
            system: self.plan.document().system.id.clone(),
            watermark: hour(h).end(HOUR),
            watching_since: Timestamp::EPOCH,
            items,
            losses: Vec::new(),
            restored: None,
        }
    }

    /// What an agent ships when it closes an hour: traffic, heartbeat, labels of three hours ago.
    pub(crate) fn hourly(&self, n: u8, h: u32) -> Vec<u8> {
        let mut items = vec![self.heartbeat(h), self.traffic(n, h)];
        if h >= 3 {
            items.push(self.outcomes(n, h - 3, h));
        }
        batch::seal(&self.batch(u64::from(h) + 1, h, items), &key(n))
    }
}

pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap()).unwrap()
}

/// A folder with everything that a collector reads.
pub(crate) struct Files {
    pub(crate) folder: tempfile::TempDir,
}

impl Files {
    pub(crate) fn new(listen: &str, agents: &[u8]) -> Self {
        Self::on_clock(listen, agents, Clock::Replay)
    }

    pub(crate) fn on_clock(listen: &str, agents: &[u8], clock: Clock) -> Self {
        Self::of(listen, agents, clock, OBJECTIVES)
    }

    /// With another objectives file.
    pub(crate) fn of(listen: &str, agents: &[u8], clock: Clock, objectives: &str) -> Self {
        let document = loaded(objectives);
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("objectives.yaml", objectives);
        write("baseline.json", &baseline(&document).to_json().unwrap());
        let mut list = if agents.is_empty() {
            "agents: []\n"
        } else {
            "agents:\n"
        }
        .to_owned();
        for n in agents {
            list.push_str("  - { id: \"");
            list.push_str(&agent(*n).to_string());
            list.push_str(
                "\", systems: [loan] }
",
            );
        }
        write("agents.yaml", &list);
        write(
            "collector.yaml",
            &format!(
                "listen: {listen}\nstore: ./register\nsystems:\n  - {{ objectives: objectives.yaml, baseline: baseline.json, clock: {clock} }}\nagents: agents.yaml\n",
                clock = clock.as_str()
            ),
        );
        Self { folder }
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("collector.yaml")
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Adds lines to the configuration.
    pub(crate) fn and(self, more: &str) -> Self {
        let text = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), format!("{text}{more}\n")).unwrap();
        self
    }

    /// Writes a file beside the configuration.
    pub(crate) fn put(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    /// Copies one of the certificates or keys of the tests beside the configuration.
    pub(crate) fn copy(&self, name: &str, what: &str) {
        std::fs::copy(identity(what), self.path().join(name)).unwrap();
    }
}

/// A certificate or key of the tests.
pub(crate) fn identity(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures/identity")
        .join(name)
}

/// A collector in this process.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    reloading: Reloading,
    pub(crate) files: Files,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(agents: &[u8]) -> Self {
        Self::on(Files::new("127.0.0.1:0", agents))
    }

    pub(crate) fn on(files: Files) -> Self {
        Self::with_limits(files, Limits::default())
    }

    pub(crate) fn with_limits(files: Files, limits: Limits) -> Self {
        let config = CollectorConfig::read(&files.config()).unwrap();
        let collector = Collector::build(&config).unwrap().with_limits(limits);
        let address = collector.address();
        let reloading = collector.reloading();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            collector
                .run(async {
                    drop(stopped.await);
                })
                .unwrap();
        });
        Self {
            address,
            reloading,
            files,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Has it read its files again, as SIGHUP does.
    pub(crate) fn reload(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(self.reloading.asked());
    }

    /// Starts it again on the same files, after [`Self::stop`].
    pub(crate) fn again(mut self) -> Self {
        self.stop();
        let empty = Files {
            folder: tempfile::tempdir().unwrap(),
        };
        Self::on(std::mem::replace(&mut self.files, empty))
    }

    /// Ends it and waits until it has ended.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// The value of one series of /metrics.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        let text = crate::http::get(self.address, "/metrics").text();
        let value = text
            .lines()
            .find_map(|l| l.strip_prefix(series)?.strip_prefix(' '));
        let value = value.unwrap_or_else(|| panic!("no series {series} in\n{text}"));
        value.parse().unwrap()
    }

    /// The lines of /metrics that begin so.
    pub(crate) fn series(&self, name: &str) -> Vec<String> {
        let text = crate::http::get(self.address, "/metrics").text();
        let lines = text.lines().filter(|l| l.starts_with(name));
        lines.map(str::to_owned).collect()
    }

    /// Waits until a line of /metrics that begins so ends so.
    pub(crate) fn wait_line(&self, begins: &str, ends: &str) {
        for _ in 0..300 {
            if self.series(begins).iter().any(|l| l.ends_with(ends)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("no {begins}…{ends}: {:?}", self.series(begins));
    }

    /// The register's file, of a collector that has ended.
    pub(crate) fn register(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.files.path().join("register/clause9.sqlite")).unwrap()
    }

    /// The first line of a series of /metrics, waiting until it is there: what is shown of a system
    /// follows the answer to a batch.
    pub(crate) fn wait_series(&self, name: &str) -> String {
        for _ in 0..300 {
            let text = crate::http::get(self.address, "/metrics").text();
            if let Some(line) = text.lines().find(|l| l.starts_with(name)) {
                return line.to_owned();
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("no series {name}");
    }

    pub(crate) fn post(&self, envelope: &[u8]) -> crate::http::Answer {
        crate::http::request(self.address, "POST", "/v1/batches", envelope).unwrap()
    }

    /// Waits until so many panes are sealed.
    pub(crate) fn wait_sealed(&self, panes: u64) {
        wait_sealed(self.address, panes);
    }
}

/// Waits until a collector has sealed so many panes.
pub(crate) fn wait_sealed(address: SocketAddr, panes: u64) {
    let sealed = sealed_within(address, panes, std::time::Duration::from_secs(30));
    assert!(sealed, "{panes} panes were not sealed");
}

/// Whether a collector seals so many panes within some time.
pub(crate) fn sealed_within(address: SocketAddr, panes: u64, time: std::time::Duration) -> bool {
    let begun = std::time::Instant::now();
    loop {
        let system = crate::http::get(address, "/v1/systems/loan").json();
        if system["sealed_panes"].as_u64() == Some(panes) {
            return true;
        }
        if begun.elapsed() > time {
            return false;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}
