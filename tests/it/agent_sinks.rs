//! The ways in beside the proxy, over real sockets: what is told is counted as what passed, the door
//! says what it took, and nothing that it took is lost or counted twice.

use std::io::{BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clause9_agent::config::{AgentConfig, OtlpConfig, SinkConfig, TlsConfig};
use clause9_agent::decode::Decoders;
use clause9_shared::time::Span;
use clause9_shared::window::DropReason;
use clause9_shared::wire::batch::Stream;
use clause9_tests::faulty::Faulty;
use clause9_tests::process::{Running as Program, free_port, program};
use clause9_tests::tools::tool;
use serde_json::{Value, json};

use crate::agent_world::{Door, Model, Raw, Running, ask, config, infer, toy, until};

const TIME: &str = "X-Event-Time: 2020-01-01T00:00:10Z\r\n";
pub(crate) const AT: &str = "2020-01-01T00:00:10Z";

/// A configuration of an agent that is a sink alone.
pub(crate) fn sink_only(folder: &Path, door: &Door) -> AgentConfig {
    let mut config = config(folder, 1, Some(door.port));
    (config.listen, config.upstream) = (None, None);
    config.sink = Some(sink());
    config
}

fn sink() -> SinkConfig {
    SinkConfig {
        listen: Some(([127, 0, 0, 1], 0).into()),
        kafka: None,
        otlp: OtlpConfig::default(),
        token_file: None,
        open: false,
        path: None,
        delivery_bytes: 1 << 20,
        joining: Span::from_secs(3600),
        joining_bytes: 1 << 20,
    }
}

pub(crate) fn token(agent: &Running) -> String {
    std::fs::read_to_string(agent.state.join("sink.token")).unwrap_or_default()
}

fn post_with(agent: &Running, path: &str, head: &str, body: &str) -> Raw {
    let length = body.len();
    let request =
        format!("POST {path} HTTP/1.1\r\nHost: a\r\n{head}Content-Length: {length}\r\n\r\n{body}");
    ask(agent.sink, request.as_bytes())
}

/// Posts with the token.
fn post(agent: &Running, path: &str, head: &str, body: &str) -> Raw {
    let head = format!("Authorization: Bearer {}\r\n{head}", token(agent));
    post_with(agent, path, &head, body)
}

fn account(answer: &Raw) -> Value {
    serde_json::from_str(&answer.text()).unwrap_or_default()
}

const LINES: &str = "Content-Type: application/x-ndjson\r\n";

pub(crate) fn record(i: u32) -> String {
    json!({ "id": format!("r-{i}"), "time": AT, "inputs": { "x": 1.5 }, "outputs": { "score": 0.75 } })
        .to_string()
}

fn event(id: &str, kind: &str) -> String {
    format!(
        "ce-specversion: 1.0\r\nce-id: {id}\r\nce-source: http://localhost:9081/\r\nce-time: {AT}\r\n\
         ce-type: org.kubeflow.serving.inference.{kind}\r\nce-inferenceservicename: toy\r\n\
         Content-Type: application/json\r\n"
    )
}

/// The bytes of what was counted of the model's traffic, once there is any.
pub(crate) fn counted(door: &Door) -> Vec<Vec<u8>> {
    until("the pane", || !door.items().is_empty());
    let items = door.items().into_iter();
    let traffic =
        items.filter(|i| matches!(i.stream, Stream::Traffic(_)) && !i.key.model.is_empty());
    traffic.map(|item| item.summary).collect()
}

/// What the proxy counts of twelve requests.
pub(crate) fn by_proxy() -> Vec<Vec<u8>> {
    #[expect(clippy::unnecessary_wraps, reason = "a model may also hang up")]
    fn answers(request: &Raw, _: &mut std::net::TcpStream) -> Option<Vec<u8>> {
        Some(toy(request))
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (model, door) = (Model::start(answers), Door::open(&[]));
    let agent = Running::start(config(folder.path(), model.port, Some(door.port)));
    agent.set_clock("2020-01-01T00:00:00Z");
    for i in 0..12 {
        assert_eq!(
            ask(agent.port, &infer(&format!("p-{i}"), 1, TIME)).status(),
            200
        );
    }
    agent.set_clock("2020-01-01T00:01:10Z");
    counted(&door)
}

pub(crate) fn body_of(i: u32) -> [String; 2] {
    let request = String::from_utf8(infer(&format!("e-{i}"), 1, "")).unwrap_or_default();
    let request = request
        .split("\r\n\r\n")
        .nth(1)
        .unwrap_or_default()
        .to_owned();
    let answer = json!({ "model_name": "toy", "id": format!("e-{i}"), "outputs": [
        { "name": "p", "datatype": "FP64", "shape": [1], "data": [0.75] } ] });
    [request, answer.to_string()]
}

#[test]
fn events_records_and_files_are_counted_as_traffic_of_the_proxy() {
    let expected = by_proxy();
    assert_eq!(expected.len(), 1);

    // As KServe's logger sends them, answers first every other time.
    let (folder, door) = (tempfile::tempdir().unwrap(), Door::open(&[]));
    let agent = Running::start(sink_only(folder.path(), &door));
    let ready = ask(agent.admin, b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(ready.status(), 200);
    agent.set_clock("2020-01-01T00:00:00Z");
    for i in 0..12 {
        let [request, answer] = body_of(i);
        let id = format!("e-{i}");
        let mut halves = [("request", request), ("response", answer)];
        if i % 2 == 0 {
            halves.reverse();
        }
        for (kind, body) in halves {
            let answer = post(&agent, "/", &event(&id, kind), &body);
            assert_eq!(answer.status(), 200, "{}", answer.text());
        }
    }
    agent.set_clock("2020-01-01T00:01:10Z");
    assert_eq!(counted(&door), expected);
    let coverage = door.coverage();
    assert_eq!(
        (coverage.seen, coverage.sampled, coverage.unidentified),
        (12, 12, 0)
    );

    // As records, as lines and as a list.
    let (folder, door) = (tempfile::tempdir().unwrap(), Door::open(&[]));
    let agent = Running::start(sink_only(folder.path(), &door));
    agent.set_clock("2020-01-01T00:00:00Z");
    let lines: Vec<_> = (0..6).map(record).collect();
    let answer = post(&agent, "/records", LINES, &lines.join("\n"));
    assert_eq!(
        account(&answer)["of_taken"]["counted"],
        6,
        "{}",
        answer.text()
    );
    let list: Vec<_> = (6..12).map(record).collect();
    let json = "Content-Type: application/json\r\n";
    let answer = post(&agent, "/records", json, &format!("[{}]", list.join(",")));
    assert_eq!(account(&answer)["taken"], 6, "{}", answer.text());
    let again = post(&agent, "/records", LINES, &lines.join("\n"));
    assert_eq!(account(&again)["duplicate"], 6, "{}", again.text());
    agent.set_clock("2020-01-01T00:01:10Z");
    assert_eq!(counted(&door), expected);
    assert_eq!(door.coverage().seen, 12);
}

#[test]
fn a_file_is_sent_by_the_command_line_and_sending_it_again_adds_nothing() -> anyhow::Result<()> {
    let (folder, door) = (tempfile::tempdir()?, Door::open(&[]));
    let agent = Running::start(sink_only(folder.path(), &door));
    agent.set_clock("2020-01-01T00:00:00Z");
    let rows = (0..12).map(|i| format!("c-{i},2020-01-01 00:00:10,1.5,0.75\n"));
    let csv = format!("id,at,x,p\n{}", rows.collect::<String>());
    std::fs::write(folder.path().join("rows.csv"), csv)?;
    let send = |file: &str, more: &[&str]| -> anyhow::Result<(Option<i32>, String, String)> {
        let output = Command::new(program("clause9")?)
            .args([
                "send",
                file,
                "--objectives",
                "objectives.yaml",
                "--timestamp",
                "at",
            ])
            .args([
                "--to",
                &format!("http://127.0.0.1:{}", agent.sink),
                "--batch",
                "5",
                "--json",
            ])
            .args(more)
            .current_dir(folder.path())
            .output()?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok((
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        ))
    };
    let token = ["--id", "id", "--token-file", "state/sink.token"];
    let (code, out, error) = send("rows.csv", &token)?;
    let said: Value = serde_json::from_str(&out).with_context(|| error.clone())?;
    assert_eq!(
        (code, &said["taken"], &said["batches"]),
        (Some(0), &json!(12), &json!(3)),
        "{error}"
    );
    let (code, out, _) = send("rows.csv", &token)?;
    let said: Value = serde_json::from_str(&out)?;
    assert_eq!(
        (code, &said["taken"], &said["duplicate"]),
        (Some(0), &json!(0), &json!(12))
    );
    let (code, _, error) = send("rows.csv", &[])?;
    assert_eq!(code, Some(2));
    assert!(
        error.contains("name the token with --token-file"),
        "{error}"
    );
    // A row without a time, and one that belongs to another pane and comes too late later on.
    std::fs::write(folder.path().join("odd.csv"), "id,at,x,p\na,never,1,0.5\n")?;
    let (code, out, _) = send("odd.csv", &token)?;
    assert_eq!(code, Some(1));
    assert!(out.contains("no point in time"), "{out}");
    agent.set_clock("2020-01-01T00:01:10Z");
    assert_eq!(counted(&door), by_proxy());
    let late = "id,at,x,p\nb,2020-01-01 00:00:30,1,0.5\n";
    std::fs::write(folder.path().join("late.csv"), late)?;
    let (code, out, _) = send("late.csv", &token)?;
    assert_eq!(code, Some(1));
    assert!(out.contains("too_late"), "{out}");
    Ok(())
}

/// A sender that follows a file, killed when it is let go.
struct Follower(Child);

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn follow(folder: &Path, to: &str) -> anyhow::Result<Follower> {
    let mut command = Command::new(program("clause9")?);
    command
        .args(["send", "rows.csv", "--follow", "--state", "send.state"])
        .args([
            "--idle",
            "2",
            "--objectives",
            "objectives.yaml",
            "--id",
            "id",
        ])
        .args(["--timestamp", "at", "--token-file", "state/sink.token"])
        .args(["--to", to, "--json"])
        .current_dir(folder)
        .stdout(Stdio::piped());
    Ok(Follower(command.spawn()?))
}

fn append(to: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.append(true).create(true).open(to)?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

/// Lines of the file that a follower is behind.
fn lines_sent(state: &Path) -> Option<u64> {
    let state: Value = serde_json::from_slice(&std::fs::read(state).ok()?).ok()?;
    state["lines"].as_u64()
}

#[test]
fn a_file_that_grows_is_followed_over_kills_and_rotation_and_no_row_counts_twice()
-> anyhow::Result<()> {
    let (folder, door) = (tempfile::tempdir()?, Door::open(&[]));
    let agent = Running::start(sink_only(folder.path(), &door));
    agent.set_clock("2020-01-01T00:00:00Z");
    let file = |name: &str| folder.path().join(name);
    let (rows, state) = (file("rows.csv"), file("send.state"));
    let row = |i: u32| format!("c-{i},2020-01-01 00:00:10,1.5,0.75\n");
    let some = |range: std::ops::Range<u32>| range.map(row).collect::<String>();
    let to = format!("http://127.0.0.1:{}", agent.sink);
    let start = || follow(folder.path(), &to);
    let lines = || lines_sent(&state);
    // The fourth row is being written.
    append(&rows, &format!("id,at,x,p\n{}c-3,2020-01-01", some(0..3)))?;
    let follower = start()?;
    until("three rows are sent", || lines() == Some(4));
    append(&rows, &format!(" 00:00:10,1.5,0.75\n{}", some(4..6)))?;
    until("the fourth to sixth are sent", || lines() == Some(7));
    drop(follower);
    append(&rows, &some(6..8))?;
    let mut follower = start()?;
    until("the next begins where the killed one was", || {
        lines() == Some(9)
    });
    // Moved away, and its last line is written after that, without an end.
    std::fs::rename(&rows, file("rows.csv.1"))?;
    append(&rows, &format!("id,at,x,p\n{}", some(9..12)))?;
    append(&file("rows.csv.1"), some(8..9).trim_end())?;
    let mut out = String::new();
    let stdout = follower.0.stdout.take().context("no standard output")?;
    BufReader::new(stdout).read_to_string(&mut out)?;
    assert!(follower.0.wait()?.success(), "{out}");
    let said: Vec<Value> = out
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let sum = |key: &str| {
        said.iter()
            .filter_map(|line| line[key].as_u64())
            .sum::<u64>()
    };
    assert_eq!(
        (sum("taken"), sum("duplicate"), sum("unreadable")),
        (6, 0, 0),
        "{out}"
    );
    agent.set_clock("2020-01-01T00:01:10Z");
    assert_eq!(counted(&door), by_proxy());
    assert_eq!(door.coverage().seen, 12);
    Ok(())
}

#[test]
fn a_file_is_sent_by_tls_to_whom_the_authority_vouches_for() -> anyhow::Result<()> {
    let certificates = clause9_tests::repository::root().join("agent/tests/certificates");
    let file = |name: &str| certificates.join(name);
    let (folder, door) = (tempfile::tempdir()?, Door::open(&[]));
    let agent = Running::start(sink_only(folder.path(), &door));
    agent.set_clock("2020-01-01T00:00:00Z");
    // A proxy before the sink speaks TLS: an agent does, like any other.
    let before = tempfile::tempdir()?;
    let mut front = config(before.path(), agent.sink, None);
    front.tls = Some(TlsConfig {
        certificate: file("first.pem"),
        key: file("first.key"),
    });
    let front = Running::start(front);
    let csv = "id,at,x,p\nc-1,2020-01-01 00:00:10,1.5,0.75\nc-2,2020-01-01 00:00:10,1.5,0.75\n";
    std::fs::write(folder.path().join("rows.csv"), csv)?;
    let send = |to: &str, ca: &str| -> anyhow::Result<(Option<i32>, String)> {
        let to = format!("https://{to}:{}", front.port);
        let ca = file(ca);
        let output = Command::new(program("clause9")?)
            .args([
                "send",
                "rows.csv",
                "--objectives",
                "objectives.yaml",
                "--timestamp",
                "at",
            ])
            .args([
                "--id",
                "id",
                "--token-file",
                "state/sink.token",
                "--attempts",
                "1",
            ])
            .args(["--to", &to, "--ca", &ca.to_string_lossy()])
            .current_dir(folder.path())
            .output()?;
        Ok((
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ))
    };
    let (code, error) = send("localhost", "authority.pem")?;
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(agent.metric("clause9_sink_items_total{fate=\"taken\"}"), 2);
    // Another name, and nobody who vouches for it.
    for (to, ca) in [("127.0.0.1", "authority.pem"), ("localhost", "second.pem")] {
        let (code, error) = send(to, ca)?;
        assert_eq!(code, Some(2), "{to} {ca}");
        assert!(
            error.contains("cannot post to https://") && error.contains("certificate"),
            "{error}"
        );
    }
    assert_eq!(agent.metric("clause9_sink_items_total{fate=\"taken\"}"), 2);
    Ok(())
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of what is refused")]
fn the_door_says_why_it_takes_nothing() {
    let (folder, door) = (tempfile::tempdir().unwrap(), Door::open(&[]));
    let agent = Running::start(sink_only(folder.path(), &door));
    agent.set_clock("2020-01-01T00:00:00Z");
    let status = |answer: Raw| (answer.status(), answer.text());
    let json = "Content-Type: application/json\r\n";
    let (code, text) = status(post_with(&agent, "/records", json, "{}"));
    assert_eq!(code, 401);
    assert!(text.contains("token"), "{text}");
    let basic = base64(&format!("any:{}", token(&agent)));
    let basic = format!("Authorization: Basic {basic}\r\n{json}");
    assert_eq!(
        post_with(&agent, "/records", &basic, &record(0)).status(),
        200
    );
    for (path, head, body, code, why) in [
        (
            "/other",
            json,
            "{}",
            404,
            "there are /, /records, /v1/... and /mirror",
        ),
        ("/records", "", "{}", 415, "application/x-ndjson"),
        (
            "/records",
            "Content-Encoding: gzip\r\nContent-Type: application/json\r\n",
            "{}",
            400,
            "content-encoding",
        ),
        (
            "/records",
            "Content-Encoding: compress\r\nContent-Type: application/json\r\n",
            "{}",
            415,
            "content-encoding",
        ),
        (
            "/",
            "Content-Type: text/plain\r\n",
            "{}",
            415,
            "ce-* headers",
        ),
        ("/records", json, "[{", 400, "not a list in JSON at line 1"),
        (
            "/records",
            json,
            "{\"id\":\"a\"}",
            400,
            "missing field `inputs`",
        ),
        ("/records", LINES, "{}\n{", 400, "not JSON at column"),
        ("/records", json, "\u{1}", 400, "not JSON"),
        ("/", json, "[]", 200, "\"taken\":0"),
        ("/", json, "[1,{}]", 400, "not an event"),
        ("/", LINES, "{\"captureData\":{}}", 400, "eventMetadata"),
        (
            "/",
            "ce-specversion: 1.0\r\nContent-Type: application/json\r\n",
            "{}",
            400,
            "ce-id",
        ),
        (
            "/",
            "ce-specversion: 0.1\r\nContent-Type: application/json\r\n",
            "{}",
            400,
            "specversion",
        ),
    ] {
        let (got, text) = status(post(&agent, path, head, body));
        assert_eq!(got, code, "{path} {body}: {text}");
        assert!(text.contains(why), "{path} {body}: {text}");
    }
    // Refused by its announced length, before anything of it is read.
    let head = format!(
        "POST /records HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n{json}Content-Length: 999999999999\r\n\r\n",
        token(&agent)
    );
    assert_eq!(ask(agent.sink, head.as_bytes()).status(), 413);
    let get = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        token(&agent)
    );
    assert_eq!(ask(agent.sink, get.as_bytes()).status(), 405);
    // One bad line spoils none of the others.
    let mixed = format!("{}\n{{\"id\":7}}\n{}\n", record(1), record(0));
    let answer = post(&agent, "/records", LINES, &mixed);
    let said = account(&answer);
    assert_eq!(
        (&said["taken"], &said["refused"], &said["duplicate"]),
        (&json!(1), &json!(1), &json!(1)),
        "{said}"
    );
    assert_eq!(said["items"][0]["item"], 1);
    assert_eq!(agent.metric("clause9_sink_items_total{fate=\"taken\"}"), 2);
    assert_eq!(
        agent.metric("clause9_sink_deliveries_total{result=\"unauthorized\"}"),
        1
    );
    assert_eq!(
        agent.metric("clause9_sink_deliveries_total{result=\"too_large\"}"),
        1
    );
    agent.set_clock("2020-01-01T00:01:10Z");
    until("the pane", || !door.items().is_empty());
    let coverage = door.coverage();
    assert_eq!((coverage.seen, coverage.sampled), (2, 2));
}

/// RFC 4648.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for three in text.as_bytes().chunks(3) {
        let byte = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let at = (bits >> (18 - 6 * digit)) & 63;
            let known = DIGITS[usize::try_from(at).unwrap_or(0)];
            encoded.push(if digit <= three.len() {
                known.into()
            } else {
                '='
            });
        }
    }
    encoded
}

#[test]
fn halves_that_stay_alone_are_counted_and_labels_find_what_was_joined() {
    let (folder, door) = (tempfile::tempdir().unwrap(), Door::open(&[]));
    let agent = Running::start(sink_only(folder.path(), &door));
    agent.set_clock("2020-01-01T00:00:00Z");
    let [request, answer] = body_of(0);
    let taken = |id: &str, kind: &str, body: &str| {
        let answer = post(&agent, "/", &event(id, kind), body);
        account(&answer)["of_taken"].clone()
    };
    assert_eq!(taken("lonely", "request", &request)["waiting"], 1);
    assert_eq!(taken("unasked", "response", &answer)["waiting"], 1);
    taken("e-0", "request", &request);
    assert_eq!(taken("e-0", "response", &answer)["counted"], 1);
    let status = ask(agent.admin, b"GET /status HTTP/1.1\r\nHost: a\r\n\r\n");
    let status: Value = serde_json::from_str(&status.text()).unwrap();
    let sink = &status["monitor"]["sink"];
    assert_eq!(
        (&sink["waiting_requests"], &sink["waiting_answers"]),
        (&json!(1), &json!(1))
    );
    agent.wait("clause9_sink_waiting", 2);
    // Seldon's feedback, by the id in the body of the protocol.
    let feedback = format!(
        "ce-specversion: 1.0\r\nce-id: f\r\nce-source: s\r\nce-type: io.seldon.serving.feedback\r\n\
         ce-requestid: e-0\r\nce-time: {AT}\r\nContent-Type: application/json\r\n"
    );
    let truth = r#"{"truth":{"data":{"ndarray":[[1]]}},"reward":1.0}"#;
    let said = account(&post(&agent, "/", &feedback, truth));
    assert_eq!(said["of_taken"]["outcomes"], 1, "{said}");
    agent.set_clock("2020-01-01T00:01:10Z");
    agent.wait("clause9_outcomes_total{fate=\"joined\"}", 1);
    until("the pane", || !door.items().is_empty());
    let coverage = door.coverage();
    assert_eq!((coverage.seen, coverage.sampled), (3, 1));
    assert_eq!(coverage.dropped[DropReason::Unanswered as usize], 1);
    assert_eq!(coverage.dropped[DropReason::Unasked as usize], 1);
    let reason = "clause9_exchanges_dropped_total{reason=\"unanswered\"}";
    assert_eq!(agent.metric(reason), 1);
}

static STALLED: AtomicBool = AtomicBool::new(false);
static STANDS: AtomicBool = AtomicBool::new(false);

fn stalled() -> bool {
    let stalled = STALLED.load(Ordering::Relaxed);
    STANDS.store(stalled, Ordering::Relaxed);
    stalled
}

static STALLS: Decoders = &[&Faulty { stalled }];

#[test]
fn a_flood_is_told_to_come_again_and_what_was_taken_is_counted_once() {
    let (folder, door) = (tempfile::tempdir().unwrap(), Door::open(&[]));
    let agent = Running::start_with(sink_only(folder.path(), &door), STALLS);
    agent.set_clock("2020-01-01T00:00:00Z");
    let [request, answer] = body_of(0);
    // A monitor that panics at one event goes on with the next.
    for kind in [("request", &request), ("response", &answer)] {
        post(&agent, "/", &event("panic", kind.0), kind.1);
    }
    agent.wait("clause9_monitor_restarts_total", 1);
    STALLED.store(true, Ordering::Relaxed);
    post(&agent, "/", &event("stall", "request"), &request);
    let (taken, busy) = std::thread::scope(|scope| {
        let stalled = scope.spawn(|| post(&agent, "/", &event("stall", "response"), &answer));
        until("the monitor to stand still", || {
            STANDS.load(Ordering::Relaxed)
        });
        let flood: Vec<_> = (0..40)
            .map(|i| {
                let agent = &agent;
                scope.spawn(move || (i, post(agent, "/records", LINES, &record(i))))
            })
            .collect();
        let series = "clause9_sink_deliveries_total{result=\"busy\"}";
        agent_busy(&agent, series);
        STALLED.store(false, Ordering::Relaxed);
        assert_eq!(stalled.join().expect("an answer").status(), 200);
        let answers = flood
            .into_iter()
            .map(|thread| thread.join().expect("an answer"));
        let (busy, taken): (Vec<_>, Vec<_>) = answers.partition(|(_, a)| a.status() == 503);
        (taken, busy)
    });
    assert!(busy.len() >= 20, "{}", busy.len());
    for (_, answer) in &busy {
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    assert!(
        taken
            .iter()
            .all(|(_, answer)| account(answer)["taken"] == 1)
    );
    // Those that were told to come again do; nothing of them was taken before.
    for (i, _) in &busy {
        let again = post(&agent, "/records", LINES, &record(*i));
        assert_eq!(account(&again)["of_taken"]["counted"], 1);
    }
    agent.set_clock("2020-01-01T00:01:10Z");
    until("the pane", || !door.items().is_empty());
    let coverage = door.coverage();
    // Forty records, the event that stalled, the one that panicked.
    assert_eq!((coverage.seen, coverage.sampled), (42, 41));
    assert_eq!(coverage.dropped[DropReason::MonitorDown as usize], 1);
}

/// Waits until the door has sent away all for whom there is no turn. `/metrics` needs no monitor.
fn agent_busy(agent: &Running, series: &str) {
    until(series, || agent.metric(series) >= 20);
}

#[test]
fn requests_that_nginx_mirrors_are_inputs_without_an_answer() -> anyhow::Result<()> {
    #[expect(clippy::unnecessary_wraps, reason = "a model may also hang up")]
    fn answers(request: &Raw, _: &mut std::net::TcpStream) -> Option<Vec<u8>> {
        Some(toy(request))
    }
    let Some(nginx) = tool("nginx")? else {
        return Ok(());
    };
    let (folder, door, model) = (tempfile::tempdir()?, Door::open(&[]), Model::start(answers));
    let agent = Running::start(sink_only(folder.path(), &door));
    agent.set_clock("2020-01-01T00:00:00Z");
    let port = free_port()?;
    let home = folder.path().join("nginx");
    std::fs::create_dir(&home)?;
    let (model, sink, token) = (model.port, agent.sink, token(&agent));
    std::fs::write(
        home.join("nginx.conf"),
        format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr warn; events {{ }}\n\
         http {{ access_log off; proxy_temp_path .; client_body_temp_path .; fastcgi_temp_path .;\n\
           uwsgi_temp_path .; scgi_temp_path .;\n\
           server {{ listen 127.0.0.1:{port};\n\
             location / {{ mirror /clause9; proxy_pass http://127.0.0.1:{model}; }}\n\
             location = /clause9 {{ internal; proxy_pass http://127.0.0.1:{sink}/mirror$request_uri;\n\
               proxy_set_header Authorization \"Bearer {token}\"; }} }} }}\n"
        ),
    )?;
    let home_text = home.to_string_lossy().into_owned();
    let mut running = Program::start(&nginx, &home, &["-p", &home_text, "-c", "nginx.conf"])?;
    running.wait_for_port(port, Duration::from_secs(10))?;
    for i in 0..12 {
        let answer = ask(port, &infer(&format!("m-{i}"), 1, TIME));
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }
    let health = ask(
        port,
        b"GET /v2/health/ready HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n",
    );
    drop(health);
    agent.wait("clause9_exchanges_seen_total", 13);
    agent.wait("clause9_exchanges_total{fate=\"sampled\"}", 12);
    agent.set_clock("2020-01-01T00:01:10Z");
    let mirrored = counted(&door);
    let coverage = door.coverage();
    assert_eq!(
        (
            coverage.sampled,
            coverage.request_only,
            coverage.not_inference
        ),
        (12, 12, 1)
    );
    // The inputs are those that the proxy counts; of the score there is nothing.
    let (mirrored, passed) = (summary(&mirrored)?, summary(&by_proxy())?);
    let mut differ = 0;
    for ((key, mirrored), (_, passed)) in mirrored.iter().zip(passed.iter()) {
        let of_feature = matches!(key.of, clause9_shared::sketch::SummaryOf::Feature(_));
        assert_eq!(mirrored == passed, of_feature, "{key:?}");
        differ += usize::from(!of_feature);
    }
    assert!(differ > 0);
    Ok(())
}

#[test]
fn what_envoy_shadows_is_known_by_its_host() {
    let (folder, door) = (tempfile::tempdir().unwrap(), Door::open(&[]));
    let mut config = sink_only(folder.path(), &door);
    if let Some(sink) = &mut config.sink {
        sink.open = true;
    }
    let agent = Running::start(config);
    agent.set_clock("2020-01-01T00:00:00Z");
    let request = String::from_utf8(infer("v-1", 1, TIME)).unwrap();
    for host in ["Host: model-shadow", "Host: model-shadow:8080"] {
        let shadowed = request.replace("Host: m", host);
        let answer = ask(agent.sink, shadowed.as_bytes());
        assert_eq!(
            account(&answer)["of_taken"]["counted"],
            1,
            "{}",
            answer.text()
        );
    }
    // Not marked as a copy: there is no model behind this door.
    assert_eq!(ask(agent.sink, request.as_bytes()).status(), 404);
    agent.set_clock("2020-01-01T00:01:10Z");
    until("the pane", || !door.items().is_empty());
    let coverage = door.coverage();
    assert_eq!((coverage.seen, coverage.request_only), (2, 2));
}

fn summary(all: &[Vec<u8>]) -> anyhow::Result<clause9_shared::sketch::PaneSummary> {
    use clause9_shared::wire::codec::Decode as _;
    let first = all.first().context("nothing was counted")?;
    Ok(clause9_shared::sketch::PaneSummary::from_bytes(first)?)
}
