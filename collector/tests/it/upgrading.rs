//! Registers that earlier versions wrote are opened, and nothing of them is lost.

use serde_json::Value;

use crate::http::{all, get};
use crate::world::{Agents, Running, hour};

/// The tables of earlier versions, as those versions made them.
const VERSION_1: &str = include_str!("register.v1.sql");
const VERSION_2: &str = include_str!("register.v2.sql");
/// The version that is written now.
const PRESENT: i64 = 7;
/// Its tables whose rows have an order, and those whose rows have a key instead.
const ORDERED: [&str; 7] = [
    "contents",
    "records",
    "systems",
    "plans",
    "compiled",
    "blocks",
    "standings",
];
const KEYED: [&str; 5] = ["batches", "watermarks", "seals", "refusals", "refused"];
/// Those that version 2 added.
const BY_2: [&str; 2] = ["gaps", "holes"];
/// The columns of `pending` before version 6, where nothing waits.
const PENDING: &str = "*, x''";
/// Gives those that wait a copy of what they wait with, as it was before version 6.
const COPIES: &str = "ALTER TABLE pending ADD COLUMN item BLOB NOT NULL DEFAULT x'';";
/// The columns of `windows` before version 3.
const WINDOWS: &str = "system, objective, version, start, end, measurement, status, reason, value, low, high, support";

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
        "/v1/missing?system=loan",
    ] {
        told.push(get(running.address, path).json());
    }
    // The start of the program itself is a record too.
    told.retain(|item| item["type"] != "started");
    told
}

/// Takes out of a register what came after version 3.
fn set_back_to_3(running: &Running) {
    let set_back = "DROP TABLE skews; DROP TABLE refused_items; DROP TABLE cosignatures; DROP TABLE checkpoints; DROP TABLE tiles;
        PRAGMA user_version = 3;";
    let register = running.register();
    register.execute_batch(COPIES).unwrap();
    register.execute_batch(set_back).unwrap();
}

/// Puts the rows of a register into a file as an earlier version made it.
fn set_back(running: &Running, version: i64) {
    if version == 3 {
        return set_back_to_3(running);
    }
    let folder = running.files.path().join("register");
    let (old, new) = (folder.join("old"), folder.join("clause9.sqlite"));
    let connection = rusqlite::Connection::open(&old).unwrap();
    let tables = if version == 1 { VERSION_1 } else { VERSION_2 };
    connection.execute_batch(tables).unwrap();
    let attach = format!("ATTACH '{}' AS newer", new.display());
    connection.execute_batch(&attach).unwrap();
    let ordered = ORDERED.map(|table| (table, "*", "ORDER BY rowid"));
    let keyed = KEYED.map(|table| (table, "*", ""));
    let by_2 = BY_2.map(|table| (table, "*", ""));
    let rows = ordered
        .into_iter()
        .chain(keyed)
        .chain([("pending", PENDING, ""), ("windows", WINDOWS, "")]);
    for (table, columns, order) in rows.chain(by_2.into_iter().filter(|_| version == 2)) {
        let copy = format!("INSERT INTO {table} SELECT {columns} FROM newer.{table} {order}");
        connection.execute(&copy, []).unwrap();
    }
    if version == 1 {
        connection
            .execute_batch(
                "UPDATE seals SET body = json_remove(body, '$.gaps');
                 UPDATE standings SET body = json_remove(body, '$.runs');",
            )
            .unwrap();
    }
    let end = format!("DETACH newer; PRAGMA user_version = {version};");
    connection.execute_batch(&end).unwrap();
    drop(connection);
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("clause9.sqlite{suffix}")));
    }
    std::fs::rename(&old, &new).unwrap();
}

fn is_opened_and_goes_on(version: i64) {
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
    set_back(&running, version);
    let running = running.again();
    assert_eq!(told(&running), before, "all of it is still told");
    // And it goes on, with what later versions brought: hour 46 never comes.
    assert_eq!(running.post(&agents.hourly(1, 47)).status, 200);
    running.wait_sealed(14);
    let panes = all(running.address, "/v1/systems/loan/panes?limit=500");
    let last = panes.last().unwrap();
    assert_eq!(last["start"], hour(47).0.to_string());
    assert_eq!(last["gaps"][0]["reason"], "batch_lost", "{last:#}");
    let file = running.register();
    let found: i64 = file
        .query_row("PRAGMA user_version", [], |r| r.get(0))
        .unwrap();
    assert_eq!(found, PRESENT);
    let counted: i64 = file
        .query_row("SELECT sum(measured) FROM tallies", [], |r| r.get(0))
        .unwrap();
    assert!(counted > 0, "{counted}");
}

#[test]
fn a_register_of_version_1_is_opened_and_goes_on() {
    is_opened_and_goes_on(1);
}

#[test]
fn a_register_of_version_2_is_opened_and_goes_on() {
    is_opened_and_goes_on(2);
}

#[test]
fn a_register_of_version_3_is_opened_and_goes_on() {
    is_opened_and_goes_on(3);
}

#[test]
fn what_waits_in_a_register_of_version_5_is_sealed_from_its_batch() {
    let mut running = Running::start(&[1, 2]);
    let agents = Agents::new();
    for h in 0..3 {
        assert_eq!(running.post(&agents.hourly(1, h)).status, 200);
    }
    running.stop();
    let register = running.register();
    let waiting: i64 = register
        .query_row("SELECT count(*) FROM pending", [], |r| r.get(0))
        .unwrap();
    assert!(waiting > 0, "nothing waits for the other agent");
    register.execute_batch(COPIES).unwrap();
    register.execute_batch("DROP TABLE cosignatures; DROP TABLE checkpoints; DROP TABLE tiles; PRAGMA user_version = 5").unwrap();
    drop(register);
    let running = running.again();
    for h in 0..3 {
        assert_eq!(running.post(&agents.hourly(2, h)).status, 200);
    }
    running.wait_sealed(3);
    let other = Running::start(&[1, 2]);
    for n in [1, 2] {
        for h in 0..3 {
            assert_eq!(other.post(&agents.hourly(n, h)).status, 200);
        }
    }
    other.wait_sealed(3);
    let panes = |running: &Running| all(running.address, "/v1/systems/loan/panes?limit=500");
    let coverage = |running: &Running| {
        let panes = panes(running).into_iter();
        panes
            .map(|pane| pane["coverage"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(coverage(&running), coverage(&other));
}
