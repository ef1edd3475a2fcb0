//! Whoever fails, floods or dawdles keeps nobody else waiting.

use std::time::{Duration, Instant};

use clause9_shared::ids::Name;
use clause9_shared::wire::batch;

use crate::http::get;
use crate::world::{Agents, Files, Running, key};

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
    let mut document = crate::world::document();
    document.system.id = Name::new("car").unwrap();
    let text = crate::world::baseline(&document).to_json().unwrap();
    std::fs::write(files.path().join("car.json"), text).unwrap();
    edit("agents.yaml", &|t| t.replace("[loan]", "[car, loan]"));
    edit("collector.yaml", &|t| {
        t.replace(
            "systems:\n",
            "systems:\n  - { objectives: car.yaml, baseline: car.json, clock: replay }\n",
        )
    });
    let mut running = Running::on(files);
    let agents = Agents::new();
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
