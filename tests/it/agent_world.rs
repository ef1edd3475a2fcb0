//! What the agent's tests share: an agent in this process, a model server written on bare sockets so
//! that every byte is known, and a collector's door that answers as told. No test lives here.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clause9_agent::config::{AgentConfig, AgentPlan};
use clause9_agent::decode::{DECODERS, Decoders};
use clause9_shared::baseline::BaselineBuilder;
use clause9_shared::digest::Digest;
use clause9_shared::inference::Cell;
use clause9_shared::objective;
use clause9_shared::window::Coverage;
use clause9_shared::wire::batch::{
    self, Batch, ClosedWindow, Envelope, ItemReceipt, Receipt, Stream,
};

pub(crate) const OBJECTIVES: &str = include_str!("../fixtures/agent/objectives.yaml");
const PATIENCE: Duration = Duration::from_secs(30);

/// An HTTP message as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Raw {
    pub(crate) head: String,
    /// As framed: chunk sizes and trailers included.
    pub(crate) body: Vec<u8>,
}

impl Raw {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.split("\r\n").skip(1).find_map(|line| {
            let (n, value) = line.split_once(':')?;
            n.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn status(&self) -> u16 {
        self.head
            .split(' ')
            .nth(1)
            .and_then(|s| s.parse().ok())
            .unwrap_or(0)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Reads one message; nothing if the other side closed before it began.
pub(crate) fn read_message(stream: &mut TcpStream, no_body: bool) -> Option<Raw> {
    let mut bytes = Vec::new();
    let mut byte = [0; 1];
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            _ => return None,
        }
    }
    let head = String::from_utf8(bytes[..bytes.len() - 4].to_vec()).unwrap();
    let mut raw = Raw {
        head,
        body: Vec::new(),
    };
    if no_body || matches!(raw.status(), 100 | 101 | 204 | 304) {
        return Some(raw);
    }
    let mut body = Vec::new();
    if raw.header("transfer-encoding").is_some() {
        while !ends_chunked(&body) {
            stream.read_exact(&mut byte).ok()?;
            body.push(byte[0]);
        }
    } else if let Some(length) = raw.header("content-length") {
        body.resize(length.parse().unwrap(), 0);
        stream.read_exact(&mut body).ok()?;
    } else if raw.head.starts_with("HTTP/") {
        stream.read_to_end(&mut body).ok()?;
    }
    raw.body = body;
    Some(raw)
}

/// Whether a chunked body ends here: after the last chunk and its trailers.
fn ends_chunked(body: &[u8]) -> bool {
    if !body.ends_with(b"\r\n\r\n") {
        return false;
    }
    let mut rest = body;
    while let Some(end) = rest.windows(2).position(|w| w == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return true;
        }
        match rest.get(end + 2 + size + 2..) {
            Some(next) => rest = next,
            None => return false,
        }
    }
    false
}

pub(crate) fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends bytes over a connection of its own and reads one answer.
pub(crate) fn ask(port: u16, request: &[u8]) -> Raw {
    let mut stream = connect(port);
    stream.write_all(request).unwrap();
    read_message(&mut stream, request.starts_with(b"HEAD")).expect("an answer")
}

pub(crate) fn infer(id: &str, rows: usize, more_headers: &str) -> Vec<u8> {
    let data = vec!["1.5"; rows].join(",");
    let body = format!(
        r#"{{"id":"{id}","inputs":[{{"name":"x","datatype":"FP64","shape":[{rows},1],"data":[{data}]}}]}}"#
    );
    let length = body.len();
    format!("POST /v2/models/toy/infer HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n{more_headers}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// What a model server answers to a request; `None`: hangs up.
pub(crate) type Answering = fn(&Raw, &mut TcpStream) -> Option<Vec<u8>>;

/// A model server on bare sockets.
pub(crate) struct Model {
    pub(crate) port: u16,
    /// What it received, byte for byte.
    pub(crate) received: Arc<Mutex<Vec<Raw>>>,
}

impl Model {
    pub(crate) fn start(answer: Answering) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                std::thread::spawn(move || serve(stream, answer, &log));
            }
        });
        Self { port, received }
    }
}

fn serve(mut stream: TcpStream, answer: Answering, log: &Mutex<Vec<Raw>>) {
    stream.set_nodelay(true).unwrap();
    while let Some(head) = read_head_only(&mut stream) {
        if head.header("expect").is_some() && head.head.contains(" /refuse ") {
            log.lock().unwrap().push(head);
            let _ =
                stream.write_all(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno");
            return;
        }
        if head.header("expect").is_some() {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        }
        let Some(request) = read_body(&mut stream, head) else {
            return;
        };
        log.lock().unwrap().push(request.clone());
        match answer(&request, &mut stream) {
            Some(bytes) if stream.write_all(&bytes).is_ok() => {}
            _ => {
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
        }
        if request.head.contains("/close") {
            return;
        }
    }
}

fn read_head_only(stream: &mut TcpStream) -> Option<Raw> {
    read_message(stream, true)
}

fn read_body(stream: &mut TcpStream, mut head: Raw) -> Option<Raw> {
    if head.header("transfer-encoding").is_some() {
        let mut byte = [0; 1];
        while !ends_chunked(&head.body) {
            stream.read_exact(&mut byte).ok()?;
            head.body.push(byte[0]);
        }
    } else if let Some(length) = head.header("content-length") {
        head.body.resize(length.parse().unwrap(), 0);
        stream.read_exact(&mut head.body).ok()?;
    }
    Some(head)
}

/// The model `toy`: the probability of each row is 0.75.
pub(crate) fn toy(request: &Raw) -> Vec<u8> {
    let asked: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    let rows = asked["inputs"][0]["shape"][0].as_u64().unwrap();
    let data = vec!["0.75"; usize::try_from(rows).unwrap()].join(",");
    let id = &asked["id"];
    let body = format!(
        r#"{{"model_name":"toy","model_version":"1","id":{id},"outputs":[{{"name":"p","datatype":"FP64","shape":[{rows},1],"data":[{data}]}}]}}"#
    );
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A collector's door: keeps verified batches and answers as told.
pub(crate) struct Door {
    pub(crate) port: u16,
    pub(crate) batches: Arc<Mutex<Vec<Batch>>>,
}

impl Door {
    pub(crate) fn open(script: &[&'static str]) -> Self {
        Self::open_at(0, script)
    }

    pub(crate) fn open_at(port: u16, script: &[&'static str]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let batches = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(script.iter().copied().collect::<VecDeque<_>>()));
        let door = Self {
            port,
            batches: Arc::clone(&batches),
        };
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (batches, script) = (Arc::clone(&batches), Arc::clone(&script));
                std::thread::spawn(move || {
                    while let Some(request) = read_message(&mut stream, false) {
                        let answer = receipt(&request, &batches, &script);
                        if stream.write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        door
    }

    /// Every item received, in order.
    pub(crate) fn items(&self) -> Vec<ClosedWindow> {
        self.batches
            .lock()
            .unwrap()
            .iter()
            .flat_map(|b| b.items.clone())
            .collect()
    }

    /// The sum of all traffic coverage received.
    pub(crate) fn coverage(&self) -> Coverage {
        let mut sum = Coverage::default();
        for item in self.items() {
            if let Stream::Traffic(coverage) = item.stream {
                assert!(coverage.adds_up(), "{coverage:?}");
                sum.merge(&coverage).unwrap();
            }
        }
        sum
    }
}

fn receipt(
    request: &Raw,
    batches: &Mutex<Vec<Batch>>,
    script: &Mutex<VecDeque<&'static str>>,
) -> String {
    assert!(
        request.head.starts_with("POST /v1/batches HTTP/1.1"),
        "{}",
        request.head
    );
    assert_eq!(request.header("content-type"), Some(batch::MEDIA_TYPE));
    if let Some(told) = script.lock().unwrap().pop_front() {
        return told.to_owned();
    }
    let opened = Envelope::parse(&request.body)
        .unwrap()
        .open()
        .expect("a valid signature");
    let items = opened.items.iter().map(|_| ItemReceipt::Stored).collect();
    batches.lock().unwrap().push(opened);
    let receipt = Receipt {
        batch: batch::digest(&request.body),
        items,
        marks: vec![],
    };
    let body = serde_json::to_string(&receipt).unwrap();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A running agent.
pub(crate) struct Running {
    pub(crate) port: u16,
    pub(crate) admin: u16,
    pub(crate) outcomes: u16,
    /// 0 without one.
    pub(crate) sink: u16,
    pub(crate) state: PathBuf,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

/// Writes `objectives.yaml` and `baseline.json` of the system `toy`.
pub(crate) fn documents(folder: &Path) {
    documents_of(folder, OBJECTIVES);
}

/// The same with other objectives of the same features and outputs.
pub(crate) fn documents_of(folder: &Path, objectives: &str) {
    let document = objective::load("objectives.yaml", objectives).unwrap();
    let mut builder = BaselineBuilder::new(&document, "reference");
    for i in 0..100 {
        builder.observe(0, Cell::Float(f64::from(i)));
        builder.observe_score(f64::from(i) / 100.0);
        builder.end_row();
    }
    let baseline = builder
        .finish(Digest::of(b"reference"))
        .unwrap()
        .to_json()
        .unwrap();
    std::fs::write(folder.join("objectives.yaml"), objectives).unwrap();
    std::fs::write(folder.join("baseline.json"), baseline).unwrap();
}

/// A configuration for tests: replayed clock, free ports, everything in the folder.
pub(crate) fn config(folder: &Path, upstream: u16, collector: Option<u16>) -> AgentConfig {
    documents(folder);
    let collector = collector.map_or(String::new(), |port| {
        format!("collector: http://127.0.0.1:{port}\n")
    });
    let text = format!(
        "listen: 127.0.0.1:0\nupstream: http://127.0.0.1:{upstream}\nobjectives: objectives.yaml\nbaseline: baseline.json\n\
         admin: 127.0.0.1:0\noutcomes: {{ listen: 127.0.0.1:0 }}\nstate_dir: state\nclock: replay\n\
         event_time_header: x-event-time\nthreads: 2\n{collector}"
    );
    let path = folder.join("agent.yaml");
    std::fs::write(&path, text).unwrap();
    AgentConfig::from_file(&path).unwrap()
}

impl Running {
    pub(crate) fn start(config: AgentConfig) -> Self {
        Self::start_with(config, DECODERS)
    }

    pub(crate) fn start_with(config: AgentConfig, decoders: Decoders) -> Self {
        let state = config.state_dir.clone();
        let agent = clause9_agent::build_with(AgentPlan::new(config).unwrap(), decoders).unwrap();
        let port = |address: std::io::Result<SocketAddr>| address.map_or(0, |a| a.port());
        let (data, admin) = (port(agent.data_address()), port(agent.admin_address()));
        let (outcomes, sink) = (port(agent.outcomes_address()), port(agent.sink_address()));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            agent.run(async {
                let _ = stopped.await;
            })
        });
        Self {
            port: data,
            admin,
            outcomes,
            sink,
            state,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.thread.take().unwrap().join().unwrap().unwrap();
    }

    /// The value of one series of /metrics.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        let text = ask(self.admin, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").text();
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no series {series} in\n{text}"))
            .parse()
            .unwrap()
    }

    pub(crate) fn wait(&self, series: &str, at_least: u64) {
        until(series, || self.metric(series) >= at_least);
    }

    /// Sets the replayed clock; returns the answer's text.
    pub(crate) fn set_clock(&self, to: &str) -> String {
        let body = format!(r#"{{"now":"{to}"}}"#);
        let request = format!(
            "POST /replay/clock HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = ask(self.admin, request.as_bytes());
        assert_eq!(answer.status(), 200, "{}", answer.text());
        answer.text()
    }

    pub(crate) fn post_outcomes(&self, token: &str, media: &str, body: &str) -> Raw {
        let request = format!(
            "POST /outcomes HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Type: {media}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        ask(self.outcomes, request.as_bytes())
    }

    pub(crate) fn token(&self) -> String {
        std::fs::read_to_string(self.state.join("outcomes.token")).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

/// Waits for something to become true. In an asynchronous test the tasks of this thread, which that may
/// depend on, are done by another meanwhile.
pub(crate) fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begin = Instant::now();
    tokio::task::block_in_place(|| {
        while !is() {
            assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    });
}
