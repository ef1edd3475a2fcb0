//! `clause9 profile` of how a model was served, and of texts.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{run, schema};

/// What people wrote; none of it may be found in what is written.
const TEXTS: [&str; 4] = ["please pay", "late again, sorry", "no", "who are you?"];

/// Answers that take 1, 2, ... 100 hundredths of a second times a factor, of which every 25th fails.
fn csv(rows: u32, factor: f64) -> String {
    let mut text = "message,took,status,sent\n".to_owned();
    for i in 0..rows {
        let took = f64::from(i % 100 + 1) / 100.0 * factor;
        let status = if i % 25 == 0 { 503 } else { 200 };
        let message = TEXTS[usize::try_from(i % 4).unwrap()];
        let sent = if status == 200 { i % 2 * 100 } else { 0 };
        writeln!(text, "\"{message}\",{took},{status},{sent}").unwrap();
    }
    text
}

const OBJECTIVES: &str = r#"clause9: objectives/v1
system:
  id: helper
  name: Helper
  intended_purpose: Answers customers.
  owner: head of customer service
  role: user
  models: [{ name: helper, source: own }]
panes: { length: 1d }
features:
  - { name: message, type: text, from: { input: message } }
service:
  slow_after: 0.5
  limits: { latency: [0.8] }
objectives:
  - id: latency
    version: 1
    statement: Nine of ten answers take no longer than 0.8 s.
    policy: AI policy 4.3
    metric: latency.p90
    of: {}
    comparator: at_most
    levels: { action: LEVEL }
    window: 1d
    min_support: 50
    evaluate_every: 7d
    owner: head of customer service
    approver: data office
    effective_from: 2020-01-01T00:00:00Z
    references: [{ scheme: iso42001_clause, id: "9.1", claim: evidences }]
"#;

const SERVED: [&str; 6] = [
    "--latency",
    "took",
    "--status",
    "status",
    "--response-bytes",
    "sent",
];

fn world(factor: f64, level: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    put("reference.csv", csv(400, 1.0));
    put("current.csv", csv(1000, factor));
    put("objectives.yaml", OBJECTIVES.replace("LEVEL", level));
    folder
}

fn report(at: &Path) -> Value {
    let args = [
        "profile",
        "current.csv",
        "--baseline",
        "reference.csv",
        "--objectives",
        "objectives.yaml",
        "--json",
        "-",
    ];
    let ran = run(at, &[&args[..], &SERVED].concat());
    for text in TEXTS.iter().filter(|text| text.len() > 2) {
        assert!(!ran.out.contains(text), "a text is in the report: {text}");
    }
    let report: Value =
        serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err));
    schema::assert_valid(&report);
    report
}

fn value(report: &Value, metric: &str, feature: Option<&str>) -> Value {
    let rows = report["rows"].as_array().unwrap().iter();
    let mut of =
        rows.filter(|r| r["metric"] == metric && r["subject"]["feature"].as_str() == feature);
    let found = of.next().unwrap_or_else(|| panic!("no row of {metric}"));
    assert!(of.next().is_none(), "{metric} is there twice");
    found.clone()
}

#[test]
fn answers_in_a_file_are_measured_as_those_of_a_server() {
    let folder = world(1.0, "0.8");
    let report = report(folder.path());
    let within = |metric: &str, raw: f64| {
        let row = value(&report, metric, None);
        let ends = &row["bound"];
        let (low, high) = (ends[0].as_f64().unwrap(), ends[1].as_f64().unwrap());
        assert!(low <= raw && raw <= high, "{row}");
        assert!(high - low <= raw / 16.0, "{row}");
    };
    // Quantiles as the smallest value that so many do not exceed.
    within("latency.p50", 0.5);
    within("latency.p99", 0.99);
    let exactly = |metric: &str, wanted: f64| {
        let found = value(&report, metric, None)["value"].as_f64().unwrap();
        assert!((found - wanted).abs() < 1e-9, "{metric}: {found}");
    };
    exactly("latency.mean", 0.505);
    exactly("slow_rate", 0.5);
    exactly("server_error_rate", 0.04);
    exactly("client_error_rate", 0.0);
    // Half of the answers have no body; failures do not claim to be answers.
    exactly("empty_answer_rate", 0.48);
}

#[test]
fn an_objective_on_a_quantile_is_judged_by_the_share_beyond_it() {
    let verdict = |factor: f64| {
        let folder = world(factor, "0.8");
        let report = report(folder.path());
        report["verdicts"][0]["state"].as_str().unwrap().to_owned()
    };
    // One in five takes longer than 0.8 s; of the others none does.
    assert_eq!(verdict(1.0), "nonconforming");
    assert_eq!(verdict(0.7), "conforming");
}

#[test]
fn a_level_at_which_nothing_is_counted_is_refused_with_what_to_add() {
    let folder = world(1.0, "0.7");
    let ran = run(
        folder.path(),
        &[
            "profile",
            "current.csv",
            "--baseline",
            "reference.csv",
            "--objectives",
            "objectives.yaml",
        ],
    );
    let said = format!("{}{}", ran.out, ran.err);
    assert!(said.contains("add it to `limits.latency`"), "{said}");
}

#[test]
fn texts_are_watched_as_numbers_of_them() {
    let folder = world(1.0, "0.8");
    let report = report(folder.path());
    let words = value(&report, "psi", Some("message.words"));
    // The law is the same; what chance adds is taken off, which can leave less than none.
    assert!(words["value"].as_f64().unwrap().abs() < 0.03, "{words}");
    assert_eq!(words["n"], 1000);
    let wide = fs::read_to_string(folder.path().join("current.csv")).unwrap();
    let longer = wide.replace("please pay", "please pay what you owe us at once");
    fs::write(folder.path().join("current.csv"), longer).unwrap();
    let report = self::report(folder.path());
    let words = value(&report, "psi", Some("message.words"));
    assert!(words["value"].as_f64().unwrap() > 0.25, "{words}");
}
