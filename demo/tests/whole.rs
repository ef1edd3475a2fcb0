//! The whole demonstration as a newcomer runs it, on the small case: real processes, real sockets,
//! a collector that is killed on the way.

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
