//! The real program, killed in the middle of its work, again and again.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clause9_shared::digest::Digest;
use clause9_shared::wire::batch;

use crate::durable::agreed;
use crate::http::{self, all, get};
use crate::ports::free_address;
use crate::world::{Agents, Files, Running};

/// Hours of traffic; the collector is killed in two of three. 450 make some 300 kills
/// (`CLAUSE9_KILL_HOURS=450`).
const HOURS: u32 = 60;

fn hours() -> u32 {
    let asked = std::env::var("CLAUSE9_KILL_HOURS").ok();
    asked.map_or(HOURS, |hours| hours.parse().unwrap())
}

pub(crate) fn start(files: &Files) -> Child {
    Command::new(env!("CARGO_BIN_EXE_clause9-collector"))
        .args(["run", "--config"])
        .arg(files.config())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until it answers: a kill while nothing is under way proves nothing.
pub(crate) fn alive(address: SocketAddr) {
    for _ in 0..3000 {
        if http::request(address, "GET", "/live", b"").is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it does not start");
}

/// Sends until the batch is answered: what an agent's outbox does. How long the answer took.
fn deliver(to: SocketAddr, envelope: &[u8]) -> Duration {
    for _ in 0..6000 {
        let began = Instant::now();
        match http::request(to, "POST", "/v1/batches", envelope) {
            Ok(answer) if answer.status == 200 => return began.elapsed(),
            Ok(answer) if answer.status == 503 => {}
            Ok(answer) => panic!("{}: {}", answer.status, answer.text()),
            Err(problem) => panic!("nobody killed it, and still: {problem}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it stays busy");
}

/// When a collector is killed, seen from a batch that is on its way to it.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Only half of the batch has been sent.
    HalfSent,
    /// All of it has been sent, and this share of the time that an answer takes has passed.
    Answering(f64),
}

/// Hours in whose midst the collector is killed, and the moments: the same in every run, apart from
/// how long answers take on the machine at hand.
fn schedule(hours: u32) -> Vec<(u32, Moment)> {
    let mut state = 9_u64;
    let mut next = move |below: u32| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((state >> 33) % u64::from(below)).unwrap()
    };
    let (mut kills, mut at) = (Vec::new(), 1);
    while at < hours {
        let moment = match kills.len() % 4 {
            0 => Moment::HalfSent,
            1 => Moment::Answering(f64::from(next(100)) / 100.0),
            _ => Moment::Answering(0.0),
        };
        kills.push((at, moment));
        at += 1 + next(2);
    }
    kills
}

/// Begins to send a batch and does not wait for an answer.
fn begin(to: SocketAddr, envelope: &[u8], moment: Moment) -> TcpStream {
    let mut stream = TcpStream::connect(to).unwrap();
    let head = format!(
        "POST /v1/batches HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        envelope.len()
    );
    let sent = match moment {
        Moment::HalfSent => &envelope[..envelope.len() / 2],
        Moment::Answering(_) => envelope,
    };
    stream.write_all(&[head.as_bytes(), sent].concat()).unwrap();
    stream
}

/// Whether the answer came before the kill.
fn answered(mut stream: TcpStream) -> bool {
    let mut answer = Vec::new();
    // A broken connection is what is looked for.
    let _ = stream.read_to_end(&mut answer);
    answer.starts_with(b"HTTP/1.1 200")
}

/// What is in a register, apart from when it was written and by whom it was received.
pub(crate) fn essence(at: SocketAddr) -> (BTreeMap<String, usize>, Vec<String>) {
    let index = all(at, "/v1/evidence?limit=1000");
    for (i, item) in index.iter().enumerate() {
        assert_eq!(
            item["leaf"].as_u64(),
            Some(i as u64),
            "leaves have no holes"
        );
    }
    let mut counts = BTreeMap::new();
    let mut summaries = Vec::new();
    for item in &index {
        let kind = item["type"].as_str().unwrap();
        *counts.entry(kind.to_owned()).or_insert(0) += 1;
        if kind == "block" {
            let name = item["digest"].as_str().unwrap();
            let block = get(at, &format!("/v1/evidence/{name}")).json();
            summaries.push(block["body"]["summary"].as_str().unwrap().to_owned());
        }
    }
    counts.remove("started");
    (counts, summaries)
}

/// Delivers everything, both agents' batches of an hour after each other, while the collector is
/// killed and started again. How often it was killed, and how many wholly sent batches
/// found no answer.
fn deliver_and_kill(address: SocketAddr, files: &Files, batches: &[Vec<u8>]) -> (usize, usize) {
    let kills = schedule(u32::try_from(batches.len() / 2).unwrap());
    let mut child = start(files);
    alive(address);
    let (mut broken, mut typical) = (0, Duration::ZERO);
    let mut acknowledged = Vec::new();
    for (hour, both) in (0..).zip(batches.chunks(2)) {
        if let Some((_, moment)) = kills.iter().find(|(at, _)| *at == hour) {
            let sends: Vec<_> = both.iter().map(|b| begin(address, b, *moment)).collect();
            if let Moment::Answering(share) = moment {
                std::thread::sleep(typical.mul_f64(*share));
            }
            child.kill().unwrap();
            child.wait().unwrap();
            left_behind(files, &acknowledged);
            let unanswered = sends.into_iter().map(answered).filter(|a| !a);
            broken += match moment {
                // These cannot have been answered, and so do not count.
                Moment::HalfSent => 0,
                Moment::Answering(_) => unanswered.count(),
            };
            child = start(files);
            alive(address);
        }
        for batch in both {
            typical = deliver(address, batch);
            acknowledged.push(batch::digest(batch));
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    (kills.len(), broken)
}

/// What a killed collector left is whole, and has everything that was acknowledged. Looked at in a copy:
/// to open a register is to mend it.
fn left_behind(files: &Files, acknowledged: &[Digest]) {
    let copy = tempfile::tempdir().unwrap();
    for end in ["", "-wal"] {
        let name = format!("clause9.sqlite{end}");
        let from = files.path().join("register").join(&name);
        if from.exists() {
            std::fs::copy(from, copy.path().join(name)).unwrap();
        }
    }
    let kept = agreed(&copy.path().join("clause9.sqlite")).unwrap();
    for name in acknowledged {
        assert!(kept.contains(name), "{name} was acknowledged and is lost");
    }
}

#[test]
fn a_killed_collector_loses_nothing_and_takes_nothing_twice() {
    let (agents, hours) = (Agents::new(), hours());
    let batches: Vec<_> = (0..hours)
        .flat_map(|h| [agents.hourly(1, h), agents.hourly(2, h)])
        .collect();
    let undisturbed = Running::start(&[1, 2]);
    for batch in &batches {
        assert_eq!(undisturbed.post(batch).status, 200);
    }
    undisturbed.wait_sealed(u64::from(hours));

    let address = free_address().unwrap();
    let files = Files::new(&address.to_string(), &[1, 2]);
    let (kills, broken) = deliver_and_kill(address, &files, &batches);
    assert!(
        kills >= 35,
        "killed {kills} times: too rarely to prove anything"
    );
    assert!(
        broken >= 10,
        "of {kills} kills too few met a batch in the midst of its ingest: {broken} found no answer"
    );

    let mut last = start(&files);
    alive(address);
    for attempt in 0..400 {
        let sealed = http::request(address, "GET", "/v1/systems/loan", b"")
            .ok()
            .and_then(|a| a.json()["sealed_panes"].as_u64());
        if sealed == Some(u64::from(hours)) {
            break;
        }
        assert!(attempt < 399, "sealed {sealed:?}");
        std::thread::sleep(Duration::from_millis(25));
    }
    let before = all(address, "/v1/evidence?limit=1000").len();
    for batch in &batches {
        let answer = http::request(address, "POST", "/v1/batches", batch)
            .unwrap()
            .json();
        for item in answer["items"].as_array().unwrap() {
            assert_eq!(item["status"], "duplicate");
        }
    }
    assert_eq!(all(address, "/v1/evidence?limit=1000").len(), before);
    let (counts, summaries) = essence(address);
    assert_eq!(counts["batch"], batches.len());
    assert_eq!((counts, summaries), essence(undisturbed.address));
    last.kill().unwrap();
    last.wait().unwrap();
    println!(
        "killed {kills} times, {broken} of {} sends broken off",
        2 * kills
    );
}

#[test]
fn a_bad_configuration_ends_with_78_and_says_where() {
    let files = Files::new("127.0.0.1:0", &[1]);
    let check = |expected: i32, says: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_clause9-collector"))
            .args(["check", "--config"])
            .arg(files.config())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(expected), "{said}");
        assert!(said.contains(says), "{said}");
    };
    check(0, "good");
    let good = std::fs::read_to_string(files.config()).unwrap();
    let write = |name: &str, text: &str| std::fs::write(files.path().join(name), text).unwrap();
    write("collector.yaml", &format!("{good}colour: red\n"));
    check(78, "collector.yaml:6:1");
    write("collector.yaml", &good.replace("127.0.0.1", "0.0.0.0"));
    check(78, "loopback");
    write("collector.yaml", &good);
    write(
        "agents.yaml",
        "agents: [{ id: \"sha256:00\", systems: [] }]\n",
    );
    check(78, "agents.yaml:1:");
}
