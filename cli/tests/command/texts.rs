//! A file of texts, measured as numbers of them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{Ran, run, schema};

/// Answers before, and answers now: longer, and with an address in each third of them.
fn world() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (mut before, mut now) = (String::from("id,answer\n"), String::from("id,answer\n"));
    for i in 0..400_u32 {
        let words = |n: u32| {
            let words: Vec<String> = (0..n).map(|w| format!("word{}", w % 17)).collect();
            words.join(" ")
        };
        writeln!(before, "a{i},\"Answer {i}: {}\"", words(5 + i % 7)).unwrap();
        let address = if i % 3 == 0 {
            " ask me@example.org"
        } else {
            ""
        };
        writeln!(now, "b{i},\"Answer {i}: {}{address}\"", words(15 + i % 7)).unwrap();
    }
    fs::write(folder.path().join("before.csv"), before).unwrap();
    fs::write(folder.path().join("now.csv"), now).unwrap();
    folder
}

fn profile(at: &Path, more: &[&str]) -> (Ran, Option<Value>) {
    let args = [
        "profile",
        "now.csv",
        "--baseline",
        "before.csv",
        "--json",
        "report.json",
    ];
    let ran = run(at, &[&args[..], more].concat());
    let report = fs::read(at.join("report.json")).ok();
    let report = report.map(|bytes| serde_json::from_slice(&bytes).unwrap());
    report.iter().for_each(schema::assert_valid);
    (ran, report)
}

fn value(report: &Value, metric: &str, feature: &str) -> Option<f64> {
    let mut rows = report["rows"].as_array().unwrap().iter();
    let row = rows.find(|r| r["metric"] == metric && r["subject"]["feature"] == feature);
    row.unwrap_or_else(|| panic!("{metric} of {feature}"))["value"].as_f64()
}

#[test]
fn texts_are_measured_by_their_column_alone() {
    let folder = world();
    let (ran, report) = profile(folder.path(), &["--text", "answer", "--html", "page.html"]);
    let report = report.unwrap();
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(value(&report, "psi", "answer.words") > Some(1.0));
    assert!(value(&report, "mean_shift", "answer.words") > Some(2.0));
    assert_eq!(
        value(&report, "mean", "answer.email_addresses"),
        Some(134.0 / 400.0)
    );
    let ibans = value(&report, "mean", "answer.ibans").unwrap();
    assert!(ibans.abs() < 1e-12, "{ibans}");
    let column = report["columns"][1].clone();
    assert_eq!(column["name"], "answer");
    assert!(
        !column["taken_for"].as_array().unwrap().is_empty(),
        "{column}"
    );
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    let json = report.to_string();
    for text in [&ran.out, &page, &json] {
        assert!(!text.contains("word16"), "no text is told");
    }
}

#[test]
fn without_the_role_a_column_of_texts_is_left_out_and_the_note_says_how_to_watch_it() {
    let folder = world();
    let mut rows = String::from("n,answer\n");
    for i in 0..200_u32 {
        writeln!(rows, "{},words of answer {}", i % 7, i * 31 % 199).unwrap();
    }
    for name in ["before.csv", "now.csv"] {
        fs::write(folder.path().join(name), &rows).unwrap();
    }
    let (ran, _) = profile(folder.path(), &[]);
    assert!(
        ran.err.contains("--text watches numbers of them"),
        "{}",
        ran.err
    );
}

#[test]
fn the_draft_of_a_profile_of_texts_passes_check_and_measures_the_same() {
    let folder = world();
    let draft = ["--text", "answer", "--draft-objectives", "draft.yaml"];
    let (_, inferred) = profile(folder.path(), &draft);
    let ran = run(folder.path(), &["check", "draft.yaml"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let (_, given) = profile(folder.path(), &["--objectives", "draft.yaml"]);
    let (inferred, given) = (inferred.unwrap(), given.unwrap());
    for metric in ["psi", "mean", "ks"] {
        for number in ["words", "bytes", "compression"] {
            let feature = format!("answer.{number}");
            assert_eq!(
                value(&inferred, metric, &feature),
                value(&given, metric, &feature)
            );
        }
    }
}

#[test]
fn a_role_of_texts_that_fits_nothing_is_refused() {
    let folder = world();
    for (more, said) in [
        (
            &["--text", "question"][..],
            "there is no column `question`, which was given as --text",
        ),
        (
            &["--text", "answer", "--text", "answer"],
            "--text answer is there twice",
        ),
    ] {
        let (ran, _) = profile(folder.path(), more);
        assert_eq!(ran.code, Some(2));
        assert!(
            ran.out.contains(said) || ran.err.contains(said),
            "{}{}",
            ran.out,
            ran.err
        );
    }
}

const REFUSALS: &str = "clause9: objectives/v1
system:
  id: chat
  name: Chat
  intended_purpose: Answers what customers ask.
  owner: head of support
  role: user
  models: [{ name: chat, source: vendor }]
panes: { length: 1d }
features:
  - name: answer
    type: text
    from: { output: answer }
    numbers: [words]
    phrases:
      refusal: { builtin: refusals, also: [ask a lawyer] }
objectives:
  - id: refusals
    version: 1
    statement: Few questions are refused.
    policy: '4.1'
    metric: flag_rate
    of: { feature: answer.refusal }
    comparator: at_most
    levels: { action: 0.1 }
    window: 1d
    min_support: 50
    evaluate_every: 7d
    owner: head of support
    approver: the board
    effective_from: 2024-01-01T00:00:00Z
    references: [{ scheme: iso42001_clause, id: '9.1', claim: evidences }]
outputs: {}
";

#[test]
fn refusals_are_a_rate_that_an_objective_holds_down() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("objectives.yaml"), REFUSALS).unwrap();
    let before = "Here it is.\nOf course.\n".repeat(100);
    fs::write(at.join("before.csv"), format!("answer\n{before}")).unwrap();
    for (each, rate, state) in [(50, 0.02, "conforming"), (2, 0.5, "nonconforming")] {
        let mut now = String::from("answer\n");
        for i in 0..2000 {
            let answer = match (i % each, i % 3) {
                (0, 0) => "\"I\u{2019}m sorry, but I can\u{2019}t help with that.\"",
                (0, _) => "Ask a lawyer.",
                _ => "Here it is.",
            };
            writeln!(now, "{answer}").unwrap();
        }
        fs::write(at.join("now.csv"), now).unwrap();
        let more = ["--objectives", "objectives.yaml", "--window", "rows:500"];
        let (ran, report) = profile(at, &more);
        let report = report.unwrap_or_else(|| panic!("{}{}", ran.out, ran.err));
        assert_eq!(value(&report, "flag_rate", "answer.refusal"), Some(rate));
        let verdicts = report["verdicts"].as_array().unwrap();
        assert_eq!(verdicts.last().unwrap()["state"], state, "{verdicts:?}");
        assert!(!report.to_string().contains("lawyer"), "no text is told");
    }
}
