//! Registers that earlier versions wrote are opened, and nothing of them is lost.

use serde_json::Value;

use crate::http::{all, get};
use crate::world::{Agents, Running, hour};

/// The tables of version 1, as that version made them.
const VERSION_1: &str = include_str!("register.v1.sql");
/// Its tables whose rows have an order, and those whose rows have a key instead.
const ORDERED: [&str; 8] = [
    "contents",
    "records",
    "systems",
    "plans",
    "compiled",
    "pending",
    "blocks",
    "standings",
];
const KEYED: [&str; 6] = [
    "batches",
    "watermarks",
    "seals",
    "windows",
    "refusals",
    "refused",
];

/// What is read of a register over the interface.
fn told(running: &Running) -> Vec<Value> {
    let lists = [
        "/v1/evidence?limit=500",
        "/v1/measurements?limit=500",
        "/v1/verdicts?limit=500",
        "/v1/nonconformities?limit=500",
    ];
    let mut told: Vec<_> = lists.map(|path| all(running.address, path)).concat();
    for path in [
        "/v1/systems/loan/panes?limit=500",
        "/v1/systems/loan/objectives",
        "/v1/refusals",
    ] {
        told.push(get(running.address, path).json());
    }
    // The start of the program itself is a record too.
    told.retain(|item| item["type"] != "started");
    told
}

#[test]
fn a_register_of_version_1_is_opened_and_goes_on() {
    let mut running = Running::start(&[1]);
    let agents = Agents::new();
    for h in 34..46 {
        assert_eq!(running.post(&agents.hourly(1, h)).status, 200);
    }
    assert_eq!(running.post(b"junk").status, 400);
    running.wait_sealed(12);
    let before = told(&running);
    assert!(
        before
            .iter()
            .any(|item| item["record"]["body"]["state"] == "candidate")
    );
    running.stop();

    // The same rows in a file as version 1 made it; what its rows did not have is taken away.
    let folder = running.files.path().join("register");
    let (old, new) = (folder.join("old"), folder.join("clause9.sqlite"));
    let connection = rusqlite::Connection::open(&old).unwrap();
    connection.execute_batch(VERSION_1).unwrap();
    let attach = format!("ATTACH '{}' AS newer", new.display());
    connection.execute_batch(&attach).unwrap();
    let ordered = ORDERED.map(|table| (table, "ORDER BY rowid"));
    let keyed = KEYED.map(|table| (table, ""));
    for (table, order) in ordered.into_iter().chain(keyed) {
        let copy = format!("INSERT INTO {table} SELECT * FROM newer.{table} {order}");
        connection.execute(&copy, []).unwrap();
    }
    connection
        .execute_batch(
            "UPDATE seals SET body = json_remove(body, '$.gaps');
             UPDATE standings SET body = json_remove(body, '$.runs');
             DETACH newer; PRAGMA user_version = 1;",
        )
        .unwrap();
    drop(connection);
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("clause9.sqlite{suffix}")));
    }
    std::fs::rename(&old, &new).unwrap();

    let running = running.again();
    assert_eq!(told(&running), before, "all of it is still told");
    // And it goes on, with what version 2 brought: hour 46 never comes.
    assert_eq!(running.post(&agents.hourly(1, 47)).status, 200);
    running.wait_sealed(14);
    let panes = all(running.address, "/v1/systems/loan/panes?limit=500");
    let last = panes.last().unwrap();
    assert_eq!(last["start"], hour(47).0.to_string());
    assert_eq!(last["gaps"][0]["reason"], "batch_lost", "{last:#}");
    let file = rusqlite::Connection::open(&new).unwrap();
    let version: i64 = file
        .query_row("PRAGMA user_version", [], |r| r.get(0))
        .unwrap();
    assert_eq!(version, 2);
}
