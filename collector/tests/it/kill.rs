//! The real program, killed in the middle of its work, again and again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::http::{self, all, get};
use crate::world::{Agents, Files, Running};

const HOURS: u32 = 48;

fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn start(files: &Files) -> Child {
    Command::new(env!("CARGO_BIN_EXE_clause9-collector"))
        .args(["run", "--config"])
        .arg(files.config())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until it answers: a kill while nothing is under way proves nothing.
fn alive(address: SocketAddr) {
    for _ in 0..3000 {
        if http::request(address, "GET", "/live", b"").is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it does not start");
}

/// Sends until the batch is answered: what an agent's outbox does.
fn deliver(to: SocketAddr, envelope: &[u8], resent: &AtomicU32) {
    for attempt in 0..6000 {
        match http::request(to, "POST", "/v1/batches", envelope) {
            Ok(answer) if answer.status == 200 => return,
            Ok(answer) if answer.status == 503 => {}
            Ok(answer) => panic!("{}: {}", answer.status, answer.text()),
            Err(_) => {
                resent.fetch_add(1, Ordering::Relaxed);
            }
        }
        assert!(attempt < 5999, "nobody answers");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What is in a register, apart from when it was written and by whom it was received.
fn essence(at: SocketAddr) -> (BTreeMap<String, usize>, Vec<String>) {
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

/// Delivers everything while the collector is killed and started again. How often it was killed,
/// and how many sends met nobody.
fn deliver_and_kill(address: SocketAddr, files: &Files, batches: &[Vec<u8>]) -> (u64, u32) {
    let (done, resent) = (AtomicBool::new(false), AtomicU32::new(0));
    let kills = std::thread::scope(|scope| {
        scope.spawn(|| {
            for batch in batches {
                deliver(address, batch, &resent);
            }
            done.store(true, Ordering::Relaxed);
        });
        let mut kills = 0;
        let mut child = start(files);
        while !done.load(Ordering::Relaxed) {
            alive(address);
            std::thread::sleep(Duration::from_millis(90 + 37 * (kills % 5)));
            if done.load(Ordering::Relaxed) {
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            child = start(files);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills
    });
    (kills, resent.into_inner())
}

#[test]
fn a_killed_collector_loses_nothing_and_takes_nothing_twice() {
    let agents = Agents::new();
    let batches: Vec<_> = (0..HOURS)
        .flat_map(|h| [agents.hourly(1, h), agents.hourly(2, h)])
        .collect();
    let undisturbed = Running::start(&[1, 2]);
    for batch in &batches {
        assert_eq!(undisturbed.post(batch).status, 200);
    }
    undisturbed.wait_sealed(u64::from(HOURS));

    let address = free_address();
    let files = Files::new(&address.to_string(), &[1, 2]);
    let (kills, resent) = deliver_and_kill(address, &files, &batches);
    assert!(
        kills >= 3,
        "killed {kills} times: too rarely to prove anything"
    );
    assert!(resent > 0, "no kill met a batch on its way");

    let mut last = start(&files);
    alive(address);
    for attempt in 0..400 {
        let sealed = http::request(address, "GET", "/v1/systems/loan", b"")
            .ok()
            .and_then(|a| a.json()["sealed_panes"].as_u64());
        if sealed == Some(u64::from(HOURS)) {
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
    println!("killed {kills} times, {resent} sends repeated");
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
