//! Bits of the register's files fell over. The collector does not start, and says what to do; or it
//! starts, and what it gives out is what was taken in, or an error: never something else, never less.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::reopened::Reopened;
use super::script::{Lot, Operation, groups, send};
use crate::http::{get, request};
use crate::kill;
use crate::ports::free_address;
use crate::world::{Agents, Files, wait_sealed};

const HOURS: u32 = 12;
const FILE: &str = "register/clause9.sqlite";
/// Damaged copies that are tried.
const COPIES: usize = 80;

/// A register with a history, as its collector left it when told to end.
fn history() -> (Files, Vec<Operation>) {
    let files = Files::new("127.0.0.1:0", &[1, 2]);
    let reopened = Reopened::on(&files.config()).unwrap();
    let operations: Vec<_> = groups(HOURS).into_values().flatten().flatten().collect();
    for operation in &operations {
        send(reopened.address, std::slice::from_ref(operation));
    }
    wait_sealed(reopened.address, u64::from(HOURS));
    drop(reopened);
    (files, operations)
}

/// Every record in order, and the bytes under each name that a record mentions; an error where the
/// collector says that it cannot.
type Told = BTreeMap<String, Result<Vec<u8>, u16>>;

fn told(reopened: &Reopened, names: &mut Vec<String>) -> Told {
    let ask = |path: String| {
        let answer = get(reopened.address, &path);
        let told = match answer.status {
            200 => Ok(answer.body),
            status => Err(status),
        };
        (path, told)
    };
    let list = ask("/v1/evidence?limit=1000".to_owned());
    if names.is_empty() {
        let index: Value = serde_json::from_slice(list.1.as_ref().unwrap()).unwrap();
        for item in index["items"].as_array().unwrap() {
            names.push(item["digest"].as_str().unwrap().to_owned());
        }
        // Of this start.
        names.pop();
    }
    let each = names.iter().map(|name| ask(format!("/v1/blobs/{name}")));
    let mut all: Told = each.collect();
    // The index gets longer with each start.
    let first = list.1.map(|body| {
        let index: Value = serde_json::from_slice(&body).unwrap();
        let first: Vec<_> = index["items"]
            .as_array()
            .unwrap()
            .iter()
            .take(names.len())
            .collect();
        serde_json::to_vec(&first).unwrap()
    });
    all.insert(list.0, first);
    all
}

#[test]
fn a_register_with_a_fallen_bit_is_refused_or_gives_out_what_it_took_in_or_an_error() {
    let (files, operations) = history();
    let file = files.path().join(FILE);
    let good = std::fs::read(&file).unwrap();
    let mut names = Vec::new();
    let mut reopened = Reopened::on(&files.config()).unwrap();
    let expected = told(&reopened, &mut names);
    assert!(expected.values().all(Result::is_ok));
    let (mut refused, mut noticed, mut lot) = (0, 0, Lot::new(25));
    for copy in 0..COPIES {
        drop(reopened);
        let mut bad = good.clone();
        // Some in the first page, which says what the file is.
        let at = lot.below(if copy % 8 == 0 { 100 } else { bad.len() });
        bad[at] ^= 1 << lot.below(8);
        lay(&file, &bad);
        reopened = match Reopened::on(&files.config()) {
            Ok(reopened) => reopened,
            Err(said) => {
                refused += 1;
                assert!(
                    said.contains("damaged")
                        || said.contains("changed from outside")
                        || said.contains("newer"),
                    "byte {at}: {said}"
                );
                lay(&file, &good);
                Reopened::on(&files.config()).unwrap()
            }
        };
        let found = told(&reopened, &mut names);
        let mut errors = 0;
        for (path, expected) in &expected {
            match &found[path] {
                Ok(bytes) => assert!(
                    Ok(bytes) == expected.as_ref(),
                    "byte {at}: {path} is something else"
                ),
                Err(status) => {
                    // A name that fell over is no name that is asked for.
                    let unknown = *status == 404 && path.contains("sha256:");
                    assert!(*status == 503 || unknown, "byte {at}: {path}: {status}");
                    errors += 1;
                }
            }
        }
        noticed += usize::from(errors > 0);
    }
    println!(
        "{COPIES} copies of {} bytes: {refused} refused at the start, {noticed} noticed by who reads",
        good.len()
    );
    assert!(refused > 0 && noticed > 0, "{refused} {noticed}");
    assert!(operations.len() > 20);
}

/// Puts a file in place of another, without what may stand beside it.
fn lay(file: &Path, bytes: &[u8]) {
    for end in ["-wal", "-shm"] {
        let beside = format!("{}{end}", file.display());
        if Path::new(&beside).exists() {
            std::fs::remove_file(beside).unwrap();
        }
    }
    std::fs::write(file, bytes).unwrap();
}

/// SQLite takes a damaged log for one whose end was never written. What was in it is gone, and that is
/// said, because agents number their batches.
#[test]
fn what_a_damaged_log_takes_along_shows_as_a_gap() {
    let address = free_address().unwrap();
    let files = Files::new(&address.to_string(), &[1]);
    let mut child = kill::start(&files);
    kill::alive(address);
    let agents = Agents::new();
    let sent: Vec<_> = (0..HOURS).map(|h| agents.hourly(1, h)).collect();
    for envelope in &sent {
        let answer = request(address, "POST", "/v1/batches", envelope).unwrap();
        assert_eq!(answer.status, 200);
    }
    wait_sealed(address, u64::from(HOURS));
    child.kill().unwrap();
    child.wait().unwrap();
    let log = files.path().join(format!("{FILE}-wal"));
    let mut bytes = std::fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&log, bytes).unwrap();

    let reopened = Reopened::on(&files.config()).unwrap();
    let gaps = || {
        let list = get(reopened.address, "/v1/evidence?type=gap&limit=100").json();
        list["items"].as_array().unwrap().len()
    };
    assert_eq!(gaps(), 0);
    assert_eq!(reopened.fate(&agents.hourly(1, HOURS)), "stored");
    let begun = Instant::now();
    while gaps() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody noticed");
        std::thread::sleep(Duration::from_millis(20));
    }
    let fates: Vec<_> = sent
        .iter()
        .map(|envelope| reopened.fate(envelope))
        .collect();
    assert_eq!(fates.first().map(String::as_str), Some("duplicate"));
    assert_eq!(
        fates.last().map(String::as_str),
        Some("stored"),
        "sent again, it is taken"
    );
}
