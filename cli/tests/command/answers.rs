//! Answers, decisions and labels as files spell them, and answers that are of no use.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{Ran, folder, run, schema};

/// Rows of a score, a label, a truth value and a number, all made up.
fn csv(rows: std::ops::Range<u64>, of: impl Fn(u64) -> [String; 4]) -> String {
    let mut text = String::from("score,label,member,x\n");
    for i in rows {
        writeln!(text, "{}", of(i).join(",")).unwrap();
    }
    text
}

fn score(i: u64) -> f64 {
    (i.wrapping_mul(2_654_435_761) % 1000) as f64 / 1000.0
}

fn plain(i: u64) -> [String; 4] {
    let truth = i.is_multiple_of(3);
    let label = u8::from(score(i.wrapping_mul(7)) < score(i));
    [
        score(i).to_string(),
        label.to_string(),
        if truth { "True" } else { "False" }.to_owned(),
        (i % 97).to_string(),
    ]
}

fn world(of: impl Fn(u64) -> [String; 4]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("reference.csv"), csv(0..1000, plain)).unwrap();
    fs::write(folder.path().join("current.csv"), csv(1000..2000, of)).unwrap();
    folder
}

fn profile(at: &Path, more: &[&str]) -> Ran {
    let args = ["profile", "current.csv", "--baseline", "reference.csv"];
    run(at, &[&args[..], more].concat())
}

fn report(at: &Path, more: &[&str]) -> Value {
    let ran = profile(at, &[more, &["--json", "-"]].concat());
    assert!(matches!(ran.code, Some(0 | 1)), "{}{}", ran.out, ran.err);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    schema::assert_valid(&report);
    report
}

fn value(report: &Value, metric: &str, of: impl Fn(&Value) -> bool) -> f64 {
    let rows = report["rows"].as_array().unwrap();
    let found = rows
        .iter()
        .find(|row| row["metric"] == metric && of(&row["subject"]));
    let found = found.unwrap_or_else(|| panic!("no {metric}"));
    let value = found["value"].as_f64();
    value.unwrap_or_else(|| panic!("{found}"))
}

fn overall(report: &Value, metric: &str) -> f64 {
    value(report, metric, |of| of.as_object().unwrap().is_empty())
}

fn objective(id: &str, on: &str, action: f64) -> String {
    format!(
        "\n  - id: {id}\n    version: 1\n    statement: It stays as it is.\n    policy: AI policy 4.1\n    {on}\n    \
         levels: {{ action: {action} }}\n    window: 7d\n    min_support: 50\n    evaluate_every: 28d\n    \
         owner: head of consumer credit\n    approver: model risk committee\n    \
         effective_from: 2018-10-01T00:00:00Z\n    references:\n      \
         - {{ scheme: iso42001_clause, id: \"9.1\", edition: \"2023\", claim: evidences }}\n"
    )
}

const ROLES: [&str; 4] = ["--score", "score", "--label", "label"];

#[test]
fn cases_whose_score_is_none_are_counted_wherever_they_are_missing() {
    // A model that answers nonsense exactly where it would have been wrong.
    let wrong = |i: u64| (score(i) >= 0.5) != (plain(i)[1] == "1");
    let folder = world(|i| {
        let mut row = plain(i);
        if wrong(i) {
            "1.5".clone_into(&mut row[0]);
        }
        row
    });
    let at = folder.path();
    let hidden = (1000..2000).filter(|i| wrong(*i)).count() as f64;
    assert!(hidden > 100.0);
    let draft = [&ROLES[..], &["--draft-objectives", "draft.yaml"]].concat();
    let found = report(at, &draft);
    assert_eq!(found["coverage"]["unusable_answers"].as_f64(), Some(hidden));
    assert!(found["notes"].to_string().contains("have no usable answer"));
    // What is left looks perfect, and what it rests on is said.
    assert_eq!(overall(&found, "accuracy").to_bits(), 1_f64.to_bits());
    for (metric, expected) in [
        ("unusable_answer_rate", hidden / 1000.0),
        ("label_coverage", 1.0 - hidden / 1000.0),
        ("accuracy.lowest", 1.0 - hidden / 1000.0),
        ("accuracy.highest", 1.0),
    ] {
        let found = overall(&found, metric);
        assert!((found - expected).abs() < 1e-12, "{metric}: {found}");
    }
    let mut objectives = fs::read_to_string(at.join("draft.yaml")).unwrap();
    assert!(objectives.contains("objectives:"), "{objectives}");
    objectives.push_str(&objective(
        "right",
        "metric: accuracy\n    comparator: at_least\n    label_delay: 28d",
        0.8,
    ));
    fs::write(at.join("draft.yaml"), objectives).unwrap();
    let judged = report(at, &["--objectives", "draft.yaml"]);
    let verdicts = judged["verdicts"].as_array().unwrap();
    let right = verdicts.iter().find(|v| v["objective"] == "right").unwrap();
    let because = right["because"].as_str().unwrap();
    assert!(
        because.contains("of the window's 1000 cases have no usable answer and are not in it"),
        "{because}"
    );
}

#[test]
fn a_column_that_holds_no_scores_is_refused() {
    let folder = world(|i| {
        let mut row = plain(i);
        row[0] = format!("{}", score(i) * 100.0);
        row
    });
    let ran = profile(folder.path(), &ROLES);
    assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
    let expected = "of the numbers in column `score` lie outside 0 to 1, so it holds no scores";
    assert!(ran.out.contains(expected), "{}", ran.out);
}

#[test]
fn truth_values_are_the_same_however_a_file_spells_them() {
    let folder = world(|i| {
        let mut row = plain(i);
        row[2] = row[2].to_uppercase();
        row
    });
    let at = folder.path();
    let attribute = [&ROLES[..], &["--attribute", "member"]].concat();
    let found = report(at, &attribute);
    let of_member = |of: &Value| of["feature"] == "member";
    assert!(value(&found, "psi", of_member) < 0.02);
    assert!(value(&found, "unseen", of_member).abs() < f64::EPSILON);
    let known = |of: &Value| of["attribute"] == "member";
    assert!(value(&found, "unknown_group_rate", known).abs() < f64::EPSILON);
    // JSON's own truth values beside pandas' words.
    let rows: Vec<String> = (1000..2000)
        .map(|i| {
            let [score, label, member, x] = plain(i);
            let member = member == "True";
            format!(r#"{{"score":{score},"label":{label},"member":{member},"x":{x}}}"#)
        })
        .collect();
    fs::write(at.join("current.jsonl"), rows.join("\n")).unwrap();
    let args = ["profile", "current.jsonl", "--baseline", "reference.csv"];
    let ran = run(at, &[&args[..], &attribute, &["--json", "-"]].concat());
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(value(&found, "psi", of_member) < 0.02);
    assert!(value(&found, "unknown_group_rate", known).abs() < f64::EPSILON);
}

#[test]
fn what_means_positive_may_be_said_for_each_column_and_need_not_occur_in_the_reference() {
    let folder = world(plain);
    let at = folder.path();
    let spelled = |rows: std::ops::Range<u64>, one_class: bool| {
        let mut text = String::from("decision,label,x\n");
        for i in rows {
            let [_, label, _, x] = plain(i);
            let decided = if score(i) >= 0.5 { "Accept" } else { "Reject" };
            let came = if label == "1" && !one_class {
                "good"
            } else {
                "bad"
            };
            writeln!(text, "{decided},{came},{x}").unwrap();
        }
        text
    };
    fs::write(at.join("reference.csv"), spelled(0..1000, true)).unwrap();
    fs::write(at.join("current.csv"), spelled(1000..2000, false)).unwrap();
    let columns = ["--decision", "decision", "--label", "label"];
    let said = ["--positive", "Accept", "--positive", "good"];
    let ran = profile(at, &[&columns[..], &["--positive", "Accept"]].concat());
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    fs::write(at.join("reference.csv"), spelled(0..1000, false)).unwrap();
    let found = report(at, &[&columns[..], &said].concat());
    let right = (1000..2000).filter(|i| (score(*i) >= 0.5) == (plain(*i)[1] == "1"));
    let expected = right.count() as f64 / 1000.0;
    assert!((overall(&found, "accuracy") - expected).abs() < 1e-12);
    for (said, expected) in [
        (
            &["--positive", "Accept"][..],
            "none of which --positive names",
        ),
        (
            &["--positive", "Accept", "--positive", "Reject"],
            "are said to mean positive",
        ),
        (&[], "say `--positive` with"),
    ] {
        let ran = profile(at, &[&columns[..], said].concat());
        assert_eq!(ran.code, Some(2), "{said:?}");
        assert!(ran.out.contains(expected), "{said:?}: {}", ran.out);
    }
}

#[test]
fn the_report_for_people_says_how_good_and_how_fair() {
    let folder = world(plain);
    let attribute = [&ROLES[..], &["--attribute", "member"]].concat();
    let ran = profile(folder.path(), &attribute);
    for title in ["Accuracy ", "Area under the ROC curve", "Brier", "member"] {
        assert!(ran.out.contains(title), "{title}: {}", ran.out);
    }
}

#[test]
fn an_objective_that_will_never_be_judged_is_named_by_the_check() {
    let folder = folder();
    let path = folder.path().join("objectives.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let of = "metric: mean\n    of: { feature: car_value }\n    comparator: at_most";
    let more = objective("mean-of-value", of, 90_000.0);
    fs::write(&path, text + &more).unwrap();
    let ran = run(folder.path(), &["check", "objectives.yaml"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let all = format!("{}{}", ran.out, ran.err);
    assert!(
        all.contains("the metric of objective mean-of-value is shown, never judged"),
        "{all}"
    );
    let ran = run(folder.path(), &["check", "--json", "objectives.yaml"]);
    assert!(
        ran.out.contains(r#""never_judged":["mean-of-value"]"#),
        "{}",
        ran.out
    );
}

#[test]
fn what_cannot_be_compared_is_said_in_its_own_words() {
    let folder = world(plain);
    let at = folder.path();
    // More values than an attribute has groups.
    let found = report(at, &[&ROLES[..], &["--attribute", "x"]].concat());
    let notes = found["notes"].to_string();
    assert!(
        notes.contains("attribute `x` has more than 64 values"),
        "{notes}"
    );
    // A stream by its column's name, and one that is none.
    let found = report(at, &[&ROLES[..], &["--detectors", "x"]].concat());
    let detectors = found["detectors"].as_array().unwrap();
    assert!(detectors.iter().any(|d| d["values"] == 1000));
    let ran = profile(at, &["--detectors", "y"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.out.contains("name a numeric feature (") && ran.out.contains("`x`"),
        "{}",
        ran.out
    );
    fs::write(at.join("reference.csv"), "score,label,member,x\n").unwrap();
    let ran = profile(at, &ROLES);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.out.contains("reference.csv: there is no row in it"),
        "{}",
        ran.out
    );
}
