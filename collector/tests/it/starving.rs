//! Whoever fails, floods or dawdles keeps nobody else waiting.

use std::io::Write as _;
use std::time::{Duration, Instant};

use clause9_shared::ids::Name;
use clause9_shared::wire::batch;

use crate::http::get;
use crate::world::{Agents, Files, Running, hour, key};

/// How many panes of a system are sealed.
fn sealed(running: &Running, system: &str) -> Option<u64> {
    get(running.address, &format!("/v1/systems/{system}")).json()["sealed_panes"].as_u64()
}

fn wait(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < limit, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_pane_that_is_overdue_is_sealed_while_others_keep_delivering() {
    let running = Running::start(&[1, 2]);
    let agents = Agents::new();
    assert_eq!(running.post(&agents.hourly(1, 0)).status, 200);
    let later = batch::seal(&agents.batch(2, 9, vec![agents.heartbeat(9)]), &key(1));
    assert_eq!(running.post(&later).status, 200);
    assert_eq!(sealed(&running, "loan"), Some(0), "agent 2 is waited for");
    // One delivery every 50 ms, so that the queue is never quiet for a second.
    wait("starved", Duration::from_secs(25), || {
        assert_eq!(running.post(b"junk").status, 400);
        sealed(&running, "loan") > Some(0)
    });
}

#[test]
fn a_system_that_cannot_be_sealed_stops_no_other() {
    let files = Files::new("127.0.0.1:0", &[1]);
    let edit = |name: &str, change: &dyn Fn(&str) -> String| {
        let path = files.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, change(&text)).unwrap();
    };
    let other = crate::world::OBJECTIVES.replace("id: loan\n", "id: car\n");
    std::fs::write(files.path().join("car.yaml"), other).unwrap();
    edit("agents.yaml", &|t| t.replace("[loan]", "[car, loan]"));
    edit("collector.yaml", &|t| {
        t.replace(
            "systems:\n",
            "systems:\n  - { objectives: car.yaml, baseline: baseline.json, clock: replay }\n",
        )
    });
    let mut running = Running::on(files);
    let agents = Agents::new();
    let mut document = crate::world::document();
    document.system.id = Name::new("car").unwrap();
    let other = Agents::of(&document);
    assert_eq!(running.post(&agents.hourly(1, 0)).status, 200);
    let first = other.batch(101, 0, vec![other.heartbeat(0)]);
    assert_eq!(running.post(&batch::seal(&first, &key(1))).status, 200);
    wait("not sealed", Duration::from_secs(10), || {
        sealed(&running, "car") == Some(1) && sealed(&running, "loan") == Some(1)
    });
    running.stop();
    let file = running.files.path().join("register/clause9.sqlite");
    let connection = rusqlite::Connection::open(file).unwrap();
    let broken = connection
        .execute("UPDATE standings SET body = 'x' WHERE system = 'car'", [])
        .unwrap();
    assert!(broken > 0);
    drop(connection);
    let running = running.again();
    assert_eq!(running.post(&agents.hourly(1, 1)).status, 200);
    wait("stopped", Duration::from_secs(10), || {
        sealed(&running, "loan") == Some(2)
    });
    let metrics = get(running.address, "/metrics").text();
    let failures = metrics
        .lines()
        .find(|l| l.starts_with("clause9_collector_seal_failures_total{system=\"car\"}"))
        .unwrap();
    assert!(!failures.ends_with(" 0"), "{failures}");
    assert_eq!(get(running.address, "/ready").status, 200);
}

#[test]
fn half_open_uploads_give_their_place_up() {
    let limit = Duration::from_secs(2);
    let running = Running::with_upload_time(Files::new("127.0.0.1:0", &[1]), limit);
    let half_open: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(running.address).unwrap();
            let head = "POST /v1/batches HTTP/1.1\r\nhost: t\r\ncontent-length: 1000\r\n\r\nC9B1";
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let envelope = Agents::new().hourly(1, 0);
    wait("none was refused", limit, || {
        let answer = running.post(b"junk");
        answer.status == 503 && answer.text().contains("8 uploads")
    });
    wait("blocked", limit * 2, || {
        running.post(&envelope).status == 200
    });
    drop(half_open);
}

/// What is missing of a window, by objective.
fn why(running: &Running, objective: &str) -> Vec<(String, String)> {
    let missing = get(running.address, "/v1/missing?system=loan").json();
    let items = missing["items"].as_array().unwrap().clone();
    let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
    items
        .iter()
        .filter(|m| m["objective"] == objective)
        .map(|m| (text(&m["start"]), text(&m["reason"])))
        .collect()
}

fn gaps(running: &Running) -> Vec<serde_json::Value> {
    crate::http::all(running.address, "/v1/evidence?type=gap&limit=100")
        .iter()
        .map(|item| {
            let name = item["digest"].as_str().unwrap();
            get(running.address, &format!("/v1/evidence/{name}")).json()["body"].clone()
        })
        .collect()
}

#[test]
fn the_time_between_two_runs_is_no_quiet_hour() {
    let running = Running::start(&[1]);
    let agents = Agents::new();
    for h in 0..4 {
        assert_eq!(running.post(&agents.hourly(1, h)).status, 200);
    }
    assert!(gaps(&running).is_empty(), "the first run leaves no gap");
    // Hours 4 to 8 nobody watched; the next run says so by when it began.
    let mut next = agents.batch(1, 9, (4..10).map(|h| agents.heartbeat(h)).collect());
    next.boot = clause9_shared::ids::BootId(2);
    next.watching_since = hour(8).0;
    assert_eq!(running.post(&batch::seal(&next, &key(1))).status, 200);
    running.wait_sealed(10);
    let gaps = gaps(&running);
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0]["reason"], "agent_not_watching");
    assert_eq!(gaps[0]["start"], hour(4).0.to_string());
    assert_eq!(gaps[0]["end"], hour(8).0.to_string());
    let panes = get(running.address, "/v1/systems/loan/panes").json();
    let touched: Vec<_> = panes["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| !p["gaps"].as_array().unwrap().is_empty())
        .map(|p| p["pane"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<_> = (4..8).map(|h| hour(h).0.to_string()).collect();
    assert_eq!(touched, expected);
    let said = why(&running, "income-missing");
    let of = |h: u32| (hour(h).0.to_string(), "agent_not_watching".to_owned());
    assert!(said.contains(&of(4)) && said.contains(&of(6)), "{said:?}");
    assert!(!said.contains(&of(8)), "{said:?}");
}

#[test]
fn a_hole_in_a_sequence_and_refused_items_are_gaps() {
    let running = Running::start(&[1]);
    let agents = Agents::new();
    assert_eq!(running.post(&agents.hourly(1, 0)).status, 200);
    assert_eq!(running.post(&agents.hourly(1, 1)).status, 200);
    // Sequence 3, which closed hour 2, never comes.
    assert_eq!(running.post(&agents.hourly(1, 3)).status, 200);
    let mut spoiled = agents.batch(5, 4, vec![agents.heartbeat(4), agents.traffic(1, 4)]);
    spoiled.items[1].summary.push(0);
    assert_eq!(running.post(&batch::seal(&spoiled, &key(1))).status, 200);
    let filled = agents.batch(6, 5, vec![agents.heartbeat(5), agents.traffic(1, 5)]);
    assert_eq!(running.post(&batch::seal(&filled, &key(1))).status, 200);
    running.wait_sealed(6);
    let reasons: Vec<_> = gaps(&running)
        .iter()
        .map(|g| (g["reason"].clone(), g["start"].clone(), g["end"].clone()))
        .collect();
    let is = |reason: &str, from: u32, to: u32| {
        let (from, to) = (hour(from).0.to_string(), hour(to).0.to_string());
        reasons.contains(&(reason.into(), from.into(), to.into()))
    };
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(is("batch_lost", 2, 4), "{reasons:?}");
    assert!(is("items_refused", 4, 5), "{reasons:?}");
}
