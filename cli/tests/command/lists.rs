//! A file of ranked lists, and one of scores of classes, measured and judged by their documents.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{Ran, run, schema};

const HEAD: &str = "clause9: objectives/v1
system:
  id: shop
  name: Shop
  intended_purpose: Orders what people look for.
  owner: head of the shop
  role: user
  models: [{ name: shop, source: own }]
panes: { length: 1d }
features:
  - { name: age, type: numeric, unit: a, from: { input: age } }
";

const RANKED: &str = "outputs:
  ranking: { from: { output: items }, at: 3 }
  label: { type: relevance }
objectives:
  - id: found
    version: 1
    statement: What people look for stands near the top.
    policy: '4.1'
    metric: mrr_at_k
    comparator: at_least
    levels: { action: 0.5 }
    window: 1d
    min_support: 50
    label_delay: 1d
    evaluate_every: 7d
    owner: head of the shop
    approver: the board
    effective_from: 2024-01-01T00:00:00Z
    references: [{ scheme: iso42001_clause, id: '9.1', claim: evidences }]
";

const SCORED: &str = "outputs:
  decision:
    rule: { class: { from: { output: kind }, classes: [a, b], scores: { output: p } } }
  label: { type: class }
objectives:
  - id: ranked
    version: 1
    statement: Classes are told apart.
    policy: '4.1'
    metric: roc_auc.hand_till
    comparator: at_least
    levels: { action: 0.5 }
    window: 1d
    min_support: 50
    label_delay: 1d
    evaluate_every: 7d
    owner: head of the shop
    approver: the board
    effective_from: 2024-01-01T00:00:00Z
    references: [{ scheme: iso42001_clause, id: '9.1', claim: evidences }]
";

fn profile(at: &Path, document: &str, more: &[&str]) -> (Ran, Value) {
    fs::write(at.join("objectives.yaml"), format!("{HEAD}{document}")).unwrap();
    let args = [
        "profile",
        "now.csv",
        "--baseline",
        "before.csv",
        "--objectives",
        "objectives.yaml",
        "--json",
        "report.json",
        "--html",
        "page.html",
    ];
    let ran = run(at, &[&args[..], more].concat());
    let report =
        fs::read(at.join("report.json")).unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err));
    let report = serde_json::from_slice(&report).unwrap();
    schema::assert_valid(&report);
    (ran, report)
}

fn before(at: &Path) {
    let mut rows = String::from("age\n");
    for i in 0..200 {
        writeln!(rows, "{}", 20 + i % 50).unwrap();
    }
    fs::write(at.join("before.csv"), rows).unwrap();
}

fn value(report: &Value, metric: &str) -> Option<f64> {
    let mut rows = report["rows"].as_array().unwrap().iter();
    let row = rows.find(|r| r["metric"] == metric);
    row.unwrap_or_else(|| panic!("{metric}"))["value"].as_f64()
}

/// Means of fixed-point numbers are right to 2^-32 of the range.
fn near(report: &Value, metric: &str, expected: f64) {
    let found = value(report, metric).unwrap();
    assert!((found - expected).abs() < 1e-9, "{metric} is {found}");
}

/// In three of four queries what was looked for stands first while all is well; in one of four afterwards.
fn lists(good: bool) -> String {
    let mut rows = String::from("age,items,label\n");
    for i in 0..2000_u32 {
        let label = if (i % 4 == 0) == good {
            "coat"
        } else {
            "shoe=2 sock"
        };
        writeln!(rows, "{},\"shoe hat 'glove'\",{label}", 20 + i % 50).unwrap();
    }
    rows
}

#[test]
fn a_file_of_ranked_lists_is_measured_and_judged() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    before(at);
    for (good, expected, state) in [(true, 0.75, "conforming"), (false, 0.25, "nonconforming")] {
        fs::write(at.join("now.csv"), lists(good)).unwrap();
        let (ran, report) = profile(at, RANKED, &["--window", "rows:500"]);
        assert!(ran.err.is_empty(), "{}", ran.err);
        near(&report, "mrr_at_k", expected);
        near(&report, "hit_rate_at_k", expected);
        near(&report, "precision_at_k", expected / 3.0);
        assert_eq!(value(&report, "label_coverage"), Some(1.0));
        let verdicts = report["verdicts"].as_array().unwrap();
        assert_eq!(verdicts.last().unwrap()["state"], state, "{verdicts:?}");
        let page = fs::read_to_string(at.join("page.html")).unwrap();
        assert!(page.contains("mrr_at_k") && !page.contains("glove"));
    }
}

#[test]
fn a_list_may_stand_in_one_column_for_each_place() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    before(at);
    let mut rows = String::from("age,items.0,items.1,items.2,label\n");
    for i in 0..100_u32 {
        writeln!(
            rows,
            "{},a,b,,{}",
            20 + i % 50,
            if i % 2 == 0 { "b" } else { "a" }
        )
        .unwrap();
    }
    fs::write(at.join("now.csv"), rows).unwrap();
    let (_, report) = profile(at, RANKED, &[]);
    near(&report, "mrr_at_k", 0.75);
    near(&report, "recall_at_k", 1.0);
}

#[test]
fn a_file_of_scores_of_classes_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    before(at);
    let mut rows = String::from("age,kind,p.a,p.b,label\n");
    for i in 0..100_u32 {
        let label = if i % 2 == 0 { "a" } else { "b" };
        let score = if i % 10 == 1 {
            0.9
        } else {
            0.2 + 0.6 * f64::from(1 - i % 2)
        };
        writeln!(
            rows,
            "{},a,{score:.1},{:.1},{label}",
            20 + i % 50,
            1.0 - score
        )
        .unwrap();
    }
    fs::write(at.join("now.csv"), rows).unwrap();
    let (_, report) = profile(at, SCORED, &[]);
    // A fifth of the cases of b have a higher score of a than any case of a.
    for metric in ["roc_auc.ovr_macro", "roc_auc.hand_till"] {
        let found = value(&report, metric).unwrap();
        assert!((found - 0.8).abs() < 1e-12, "{metric} {found}");
    }
}
