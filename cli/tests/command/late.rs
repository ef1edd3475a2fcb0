//! How late labels come, and what that leaves open.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{Ran, run, schema};

/// Rows of ten days, one each hour; every other label comes after three days, the others after ten. The
/// decision is wrong for every tenth row.
fn world() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (mut rows, mut labels) = (
        String::from("id,x,score,at\n"),
        String::from("id,truth,available_at\n"),
    );
    for i in 0..240_u32 {
        let positive = i % 2 == 0;
        let score = if positive == (i % 10 != 7) { 0.8 } else { 0.2 };
        let at = |days: u32| format!("2024-01-{:02} {:02}:00:00", 1 + days + i / 24, i % 24);
        writeln!(rows, "r{i},{},{score},{}", i % 7, at(0)).unwrap();
        let came = at(if i % 4 < 2 { 3 } else { 10 });
        writeln!(labels, "r{i},{},{came}", u8::from(positive)).unwrap();
    }
    fs::write(folder.path().join("current.csv"), &rows).unwrap();
    fs::write(folder.path().join("labels.csv"), labels).unwrap();
    let mut reference = String::from("id,x,score,at,truth\n");
    for i in 0..200_u32 {
        writeln!(
            reference,
            "q{i},{},0.{},2023-12-01,{}",
            i % 7,
            1 + i % 9,
            i % 2
        )
        .unwrap();
    }
    fs::write(folder.path().join("reference.csv"), reference).unwrap();
    folder
}

fn profile(at: &Path, more: &[&str]) -> (Ran, Value) {
    let args = [
        "profile",
        "current.csv",
        "--baseline",
        "reference.csv",
        "--score",
        "score",
        "--label",
        "truth",
        "--labels",
        "labels.csv",
        "--id",
        "id",
        "--timestamp",
        "at",
        "--json",
        "report.json",
    ];
    let ran = run(at, &[&args[..], more].concat());
    let report = fs::read(at.join("report.json"));
    let report = report.unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err));
    let report = serde_json::from_slice(&report).unwrap();
    schema::assert_valid(&report);
    (ran, report)
}

fn row<'a>(report: &'a Value, metric: &str) -> &'a Value {
    let mut rows = report["rows"].as_array().unwrap().iter();
    rows.find(|row| row["metric"] == metric).unwrap()
}

#[test]
fn once_every_label_is_there_figures_are_final_and_the_delays_are_known() {
    let folder = world();
    let (ran, report) = profile(folder.path(), &["--html", "page.html", "--csv", "rows.csv"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(!ran.out.contains("provisional"), "{}", ran.out);
    let window = &report["windows"][0];
    assert_eq!(window["finality"], "final");
    assert_eq!(window["arrival"].as_array().unwrap().len(), 2);
    assert_eq!(window["arrival"][1]["share"], 1.0);
    for (metric, value) in [
        ("label_delay.p50", 3.0 * 86_400.0),
        ("label_delay.p90", 10.0 * 86_400.0),
        ("label_coverage", 1.0),
        ("accuracy", 0.9),
    ] {
        let row = row(&report, metric);
        assert_eq!(row["value"].as_f64(), Some(value), "{row}");
        assert_eq!(row["finality"], "final");
    }
    assert_eq!(row(&report, "psi")["finality"], Value::Null);
    let said = row(&report, "labelled_in_time")["undefined"]
        .as_str()
        .unwrap();
    assert_eq!(said, "undefined: no objective has a `label_delay`");
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.contains("Share of labels that has come, by age"));
    assert!(page.contains("by 10"), "{page}");
    let rows = fs::read_to_string(folder.path().join("rows.csv")).unwrap();
    let mut columns = rows.lines().next().unwrap().split(',');
    assert!(columns.any(|column| column == "finality"), "{rows}");
}

#[test]
fn while_labels_are_missing_figures_are_provisional_and_open_cases_count_as_waiting() {
    let folder = world();
    let more = ["--as-of", "2024-01-11", "--html", "page.html"];
    let (ran, report) = profile(folder.path(), &more);
    assert!(ran.out.contains("(1 window provisional)"), "{}", ran.out);
    let window = &report["windows"][0];
    assert_eq!(window["finality"], "provisional");
    assert_eq!(row(&report, "accuracy")["finality"], "provisional");
    // Half of the rows of seven days and their first hour have their label; a few rows that are exactly ten
    // days old, too.
    let coverage = row(&report, "label_coverage");
    assert!(coverage["value"].as_f64().unwrap() < 0.4, "{coverage}");
    // Of those that have waited three days half have their label, whatever the others do.
    assert_eq!(row(&report, "label_delay.p50")["value"], 3.0 * 86_400.0);
    let p90 = row(&report, "label_delay.p90");
    assert_eq!(
        p90["undefined"], "undefined: so large a share of labels has not come yet",
        "{p90}"
    );
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.contains(", provisional") || page.contains(">provisional<"));
}

#[test]
fn labels_without_times_leave_the_delay_open_and_nothing_else() {
    let folder = world();
    let labels = fs::read_to_string(folder.path().join("labels.csv")).unwrap();
    let labels = labels.replace("available_at", "known");
    fs::write(folder.path().join("labels.csv"), labels).unwrap();
    let (_, report) = profile(folder.path(), &[]);
    assert_eq!(row(&report, "accuracy")["finality"], "final");
    assert_eq!(report["windows"][0]["arrival"], Value::Array(Vec::new()));
    let said = row(&report, "label_delay.p50")["undefined"]
        .as_str()
        .unwrap();
    assert_eq!(said, "undefined: it is not known when labels came");
}

const OBJECTIVES: &str = r#"clause9: objectives/v1
system:
  id: late
  name: Late labels
  intended_purpose: A test.
  owner: head
  role: user
  models: [{ name: m, source: own }]
panes: { length: 1d }
features: [{ name: x, type: numeric, unit: "1", from: { input: x } }]
outputs:
  score: { from: { output: score } }
  decision: { rule: { score_at_least: 0.5 }, positive_means: yes }
  label: { positive: 1, negative: 0 }
objectives:
  - id: accuracy
    version: 1
    statement: Right often enough.
    policy: "4"
    metric: accuracy
    comparator: at_least
    levels: { action: 0.5 }
    window: 1d
    min_support: 10
    label_delay: 30d
    labels: worst_case
    evaluate_every: 7d
    owner: head
    approver: committee
    effective_from: 2023-01-01T00:00:00Z
    references: [{ scheme: iso42001_clause, id: "9.1", claim: evidences }]
"#;

#[test]
fn what_an_objective_assumes_of_cases_without_a_label_is_in_the_verdict() {
    let folder = world();
    let more = ["--objectives", "objectives.yaml", "--as-of", "2024-01-11"];
    let last = |text: &str| {
        fs::write(folder.path().join("objectives.yaml"), text).unwrap();
        let page = [&more[..], &["--html", "page.html"]].concat();
        let (ran, report) = profile(folder.path(), &page);
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
        let verdict = report["verdicts"][0].clone();
        assert!(
            ran.out.contains(verdict["because"].as_str().unwrap()),
            "{}",
            ran.out
        );
        verdict
    };
    let worst = last(OBJECTIVES);
    let (known, cases) = (&worst["labels"]["known"], &worst["labels"]["cases"]);
    let (known, cases) = (known.as_f64().unwrap(), cases.as_f64().unwrap());
    assert_eq!(cases.to_bits(), 240.0_f64.to_bits());
    assert!(known > 60.0 && known < 120.0, "{worst}");
    // So few have one that neither a breach nor conformity can be shown.
    assert_eq!(worst["labels"]["breached_at"], Value::Null);
    assert!(worst["state"] != "conforming", "{worst}");
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.contains("so few have a label that no breach can be confirmed"));
    let observed = last(&OBJECTIVES.replace("    labels: worst_case\n", ""));
    assert_eq!(observed["labels"], Value::Null);
    assert_eq!(observed["state"], "conforming", "{observed}");
    fs::write(
        folder.path().join("objectives.yaml"),
        OBJECTIVES.replace("labels: worst_case", "labels: { sensitivity: 0.5 }"),
    )
    .unwrap();
    let ran = run(folder.path(), &["check", "objectives.yaml"]);
    assert!(
        ran.out.contains("objectives.yaml:26:28: a factor of 0.5"),
        "{}{}",
        ran.out,
        ran.err
    );
}
