//! Windows without rows are windows.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{run, schema};

/// A report of a file of one number a row, with the rows' times.
fn measured(at: &Path, times: &[&str], more: &[&str]) -> Value {
    let rows = |times: &[&str]| {
        let mut text = String::from("at,x\n");
        for (i, time) in times.iter().enumerate() {
            for j in 0..20 {
                writeln!(text, "{time},{}", i * 7 + j % 11).unwrap();
            }
        }
        text
    };
    let reference: Vec<String> = (1..=28).map(|day| format!("2025-02-{day:02}")).collect();
    let reference: Vec<&str> = reference.iter().map(String::as_str).collect();
    fs::write(at.join("reference.csv"), rows(&reference)).unwrap();
    fs::write(at.join("current.csv"), rows(times)).unwrap();
    let args = [
        "profile",
        "current.csv",
        "--baseline",
        "reference.csv",
        "--timestamp",
        "at",
        "--json",
        "report.json",
    ];
    let ran = run(at, &[&args[..], more].concat());
    let report = fs::read(at.join("report.json"));
    let report = report.unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err));
    let report: Value = serde_json::from_slice(&report).unwrap();
    schema::assert_valid(&report);
    report
}

fn names(report: &Value) -> Vec<(String, u64)> {
    let windows = report["windows"].as_array().unwrap().iter();
    windows
        .map(|w| {
            (
                w["window"].as_str().unwrap().to_owned(),
                w["rows"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn a_month_without_rows_is_there_with_no_data() {
    let folder = tempfile::tempdir().unwrap();
    let times = ["2025-01-05", "2025-02-05", "2025-05-05"];
    let report = measured(folder.path(), &times, &["--window", "month"]);
    let rows = [("01", 20), ("02", 20), ("03", 0), ("04", 0), ("05", 20)];
    let expected = rows.map(|(month, rows)| (format!("period:2025-{month}"), rows));
    assert_eq!(names(&report), expected);
    let rows = report["rows"].as_array().unwrap();
    let empty = rows.iter().filter(|r| r["window"] == "period:2025-03");
    let empty: Vec<_> = empty.filter(|r| r["metric"] == "psi").collect();
    assert!(!empty.is_empty());
    assert!(
        empty.iter().all(|r| r["undefined"] == "no data"),
        "{empty:?}"
    );
}

#[test]
fn a_gap_of_thousands_of_windows_is_cut_short_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let times = ["2000-01-05", "2025-02-05"];
    let report = measured(folder.path(), &times, &["--window", "7d"]);
    assert_eq!(names(&report).len(), 202);
    let notes = report["notes"].to_string();
    assert!(notes.contains("no more than 200"), "{notes}");
}

#[test]
fn no_rows_are_one_window_without_rows() {
    let folder = tempfile::tempdir().unwrap();
    for (cut, name) in [("all", "all"), ("rows:50", "size:0:partial"), ("7d", "all")] {
        let report = measured(folder.path(), &[], &["--window", cut]);
        assert_eq!(names(&report), [(name.to_owned(), 0)], "{cut}");
        assert!(!report["rows"].as_array().unwrap().is_empty());
    }
}
