//! The whole demonstration as a newcomer runs it, on the small case: real processes, real sockets,
//! a collector that is killed on the way. Then the large one, whose story the README tells.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::io::{Read, Write};
use std::process::Command;

use serde_json::Value;

#[test]
fn the_credit_case_survives_a_killed_collector_and_every_count_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let summary = folder.path().join("summary.json");
    let output = Command::new(env!("CARGO_BIN_EXE_clause9-demo"))
        .args(["--case", "german-credit", "--kill-collector", "--exit"])
        .arg("--dir")
        .arg(folder.path().join("work"))
        .arg("--summary")
        .arg(&summary)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(
        said.contains("dates and delays below are synthetic"),
        "{said}"
    );

    let summary: Value = serde_json::from_slice(&std::fs::read(summary).unwrap()).unwrap();
    let case = &summary["cases"]["german-credit"];
    let coverage = &case["coverage"];
    assert_eq!(coverage["adds_up"], true);
    assert_eq!(coverage["equals_client"], true);
    assert_eq!(coverage["client"]["rows"], 500);
    assert_eq!(coverage["collector"]["rows"], 500);
    assert_eq!(case["outcome_coverage"]["labels"], 500);
    assert_eq!(case["outcome_coverage"]["attributes"], 500);
    assert_eq!(case["windows"].as_array().unwrap().len(), 6);
    assert_eq!(case["verdicts"].as_array().unwrap().len(), 8);
    assert_eq!(case["nonconformities"], serde_json::json!([]));
    for restart in ["lost", "twice"] {
        assert_eq!(case["restart"][restart], 0, "{restart}");
    }
    assert!(case["restart"]["records_before"].as_u64().unwrap() > 0);
    for batch in ["twice", "left_out"] {
        assert_eq!(case["batches"][batch], 0, "{batch}");
    }
}

#[test]
fn a_change_that_nobody_knows_of_cannot_be_moved() {
    let output = Command::new(env!("CARGO_BIN_EXE_clause9-demo"))
        .args(["--case", "german-credit", "--drift-at", "5", "--exit"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        complained.starts_with("error: --drift-at: "),
        "{complained}"
    );
}

/// Whether it answers: from then on, it listens for signals too.
fn is_live(address: &str) -> bool {
    let Ok(mut stream) = std::net::TcpStream::connect(address) else {
        return false;
    };
    let mut answer = String::new();
    let asked = stream.write_all(b"GET /live HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    asked.is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

#[test]
fn a_program_of_the_demonstration_stops_in_order_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("work");
    let demo = || Command::new(env!("CARGO_BIN_EXE_clause9-demo"));
    let ended = demo()
        .args([
            "--case",
            "german-credit",
            "--until",
            "20",
            "--exit",
            "--dir",
        ])
        .arg(&work)
        .output()
        .unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );

    let config = std::fs::read_to_string(work.join("collector.yaml")).unwrap();
    let address = config
        .lines()
        .find_map(|l| l.strip_prefix("listen: "))
        .unwrap();
    let mut collector = demo()
        .args(["collector", "--config"])
        .arg(work.join("collector.yaml"))
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut attempts = 0;
    while !is_live(address) {
        attempts += 1;
        assert!(attempts < 500, "the collector does not answer");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let sent = Command::new("kill")
        .args(["-TERM", &collector.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    assert_eq!(
        collector.wait().unwrap().code(),
        Some(0),
        "killed by the signal"
    );
}

#[test]
fn a_case_that_begins_after_the_end_is_left_out_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_clause9-demo"))
        .args(["--until", "2018-11-05T00:00:00Z", "--exit", "--dir"])
        .arg(folder.path().join("work"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(said.contains("german-credit is left out"), "{said}");
    assert!(said.contains("what happened to car-loan"), "{said}");
}

/// What happened in the case of car loans, with these arguments.
fn car_loan(arguments: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let summary = folder.path().join("summary.json");
    let output = Command::new(env!("CARGO_BIN_EXE_clause9-demo"))
        .args(["--case", "car-loan", "--exit"])
        .args(arguments)
        .arg("--dir")
        .arg(folder.path().join("work"))
        .arg("--summary")
        .arg(&summary)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    let summary: Value = serde_json::from_slice(&std::fs::read(summary).unwrap()).unwrap();
    let case = summary["cases"]["car-loan"].clone();
    assert_eq!(case["coverage"]["adds_up"], true);
    assert_eq!(case["coverage"]["equals_client"], true);
    case
}

/// Objectives in that state when last judged.
fn in_state<'a>(case: &'a Value, state: &str) -> Vec<&'a str> {
    let verdicts = case["verdicts"].as_array().unwrap().iter();
    let found = verdicts.filter(|v| v["state"] == state);
    found.map(|v| v["objective"].as_str().unwrap()).collect()
}

/// What breaks when the applicants change: four inputs, and the model's decisions.
const BROKEN: [&str; 5] = [
    "car-value-drift",
    "salary-range-drift",
    "loan-length-drift",
    "repaid-loan-on-prev-car-drift",
    "accuracy",
];

fn broken_after_the_change(case: &Value) {
    assert_eq!(in_state(case, "nonconforming"), BROKEN);
    let found = case["nonconformities"].as_array().unwrap();
    let mut named: Vec<_> = found
        .iter()
        .map(|n| n["objective"].as_str().unwrap())
        .collect();
    named.sort_unstable();
    let mut wanted = BROKEN;
    wanted.sort_unstable();
    assert_eq!(named, wanted);
    for one in found {
        assert_eq!(one["onset"]["before_change"], false, "{one:#}");
    }
}

#[test]
fn the_change_of_the_applicants_is_noticed_and_not_before_it_began() {
    let case = car_loan(&[]);
    assert_eq!(case["drift_at"], 25_000);
    broken_after_the_change(&case);
    assert_eq!(in_state(&case, "conforming").len(), 6);
}

#[test]
fn a_change_that_comes_later_is_noticed_later() {
    let case = car_loan(&["--drift-at", "40000"]);
    assert_eq!(case["drift_at"], 40_000);
    broken_after_the_change(&case);
}

#[test]
fn without_the_change_every_objective_conforms_by_proof() {
    let case = car_loan(&["--until", "25000"]);
    assert_eq!(in_state(&case, "conforming").len(), 11);
    assert_eq!(case["nonconformities"], serde_json::json!([]));
}
