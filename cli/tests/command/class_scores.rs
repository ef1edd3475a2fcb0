//! Scores of several classes, named on the command line: measured without an objectives file as
//! scikit-learn measures them (`tests/oracles/classes`).

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{Ran, run, schema};

const ROLES: [&str; 4] = ["--decision", "kind", "--label", "truth"];
const SCORES: [&str; 4] = ["bike=p_bike", "bus=p_bus", "car=p_car", "truck=p_truck"];

/// A folder with the rows of the case in it.
fn case() -> (tempfile::TempDir, Value) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/oracles/classes");
    let folder = tempfile::tempdir().unwrap();
    for name in ["current.csv", "reference.csv"] {
        fs::copy(from.join(name), folder.path().join(name)).unwrap();
    }
    let golden = fs::read(from.join("golden.json")).unwrap();
    (folder, serde_json::from_slice(&golden).unwrap())
}

fn profiled(at: &Path, scores: &[&str], more: &[&str]) -> Ran {
    let files = ["profile", "current.csv", "--baseline", "reference.csv"];
    let mut args = [&files[..], more, &["--json", "report.json"]].concat();
    for score in scores {
        args.extend(["--class-score", score]);
    }
    run(at, &args)
}

fn report(at: &Path, ran: &Ran) -> Value {
    let report = fs::read(at.join("report.json"));
    let report = report.unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err));
    let report = serde_json::from_slice(&report).unwrap();
    schema::assert_valid(&report);
    report
}

/// Fails unless scikit-learn's figures lie within the bounds of the report's, and these are narrow.
fn agrees(report: &Value, golden: &Value) {
    let holds = |metric: &str, class: Option<&str>, expected: f64, widest: f64| {
        let mut rows = report["rows"].as_array().unwrap().iter();
        let row = rows.find(|r| r["metric"] == metric && r["subject"]["class"].as_str() == class);
        let row = row.unwrap_or_else(|| panic!("{metric} of {class:?}"));
        let (low, high) = (row["bound"][0].as_f64(), row["bound"][1].as_f64());
        let (low, high) = low.zip(high).unwrap_or_else(|| panic!("{row}"));
        assert!(low <= expected && expected <= high, "{expected}: {row}");
        assert!(high - low < widest, "{row}");
    };
    for (metric, widest) in [
        ("roc_auc.ovr_macro", 0.01),
        ("roc_auc.hand_till", 0.02),
        ("multiclass_log_loss", 0.05),
        ("multiclass_brier", 0.05),
    ] {
        holds(metric, None, golden[metric].as_f64().unwrap(), widest);
    }
    for (class, expected) in golden["class_roc_auc"].as_object().unwrap() {
        let expected = expected.as_f64().unwrap();
        holds("class_roc_auc", Some(class), expected, 0.02);
    }
}

#[test]
fn scores_of_classes_that_are_named_are_measured_as_scikit_learn_does() {
    let (folder, golden) = case();
    let at = folder.path();
    let more = [&ROLES[..], &["--draft-objectives", "draft.yaml"]].concat();
    let ran = profiled(at, &SCORES, &more);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    agrees(&report(at, &ran), &golden);
    let draft = fs::read_to_string(at.join("draft.yaml")).unwrap();
    assert!(
        draft.contains(r#"scores: { output: "class_scores" }"#),
        "{draft}"
    );
    // The drafted file finds the same columns by the same names.
    assert_eq!(run(at, &["check", "draft.yaml"]).code, Some(0));
    let more = ["--objectives", "draft.yaml", "--label", "truth"];
    let ran = profiled(at, &SCORES, &more);
    agrees(&report(at, &ran), &golden);
}

#[test]
fn columns_that_share_a_name_before_the_class_need_not_be_named_again() {
    let (folder, golden) = case();
    let at = folder.path();
    for name in ["current.csv", "reference.csv"] {
        let text = fs::read_to_string(at.join(name)).unwrap();
        // The decision's column has the very name that scores share.
        let text = text.replacen("kind", "p", 1).replace("p_", "p.");
        fs::write(at.join(name), text).unwrap();
    }
    let scores = ["bike=p.bike", "bus=p.bus", "car=p.car", "truck=p.truck"];
    let roles = ["--decision", "p", "--label", "truth"];
    let more = [&roles[..], &["--draft-objectives", "draft.yaml"]].concat();
    let ran = profiled(at, &scores, &more);
    agrees(&report(at, &ran), &golden);
    let draft = fs::read_to_string(at.join("draft.yaml")).unwrap();
    assert!(
        draft.contains(r#"scores: { output: "p", column: 1 }"#),
        "{draft}"
    );
    let more = ["--objectives", "draft.yaml", "--label", "truth"];
    agrees(&report(at, &profiled(at, &[], &more)), &golden);
}

#[test]
fn a_class_that_was_never_decided_is_one_if_it_has_scores() {
    let (folder, golden) = case();
    let at = folder.path();
    let text = fs::read_to_string(at.join("reference.csv")).unwrap();
    fs::write(at.join("reference.csv"), text.replace(",bike,", ",car,")).unwrap();
    let ran = profiled(at, &SCORES, &ROLES);
    agrees(&report(at, &ran), &golden);
}

#[test]
fn class_scores_that_fit_no_class_are_refused_with_what_to_do() {
    let (folder, _) = case();
    let at = folder.path();
    let refused = |scores: &[&str], more: &[&str], why: &str| {
        let ran = profiled(at, scores, more);
        let said = format!("{}{}", ran.out, ran.err);
        assert_eq!(ran.code, Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    };
    refused(
        &SCORES[..3],
        &ROLES,
        "class `truck` of column `kind` has no score",
    );
    let twice = [&SCORES[..], &["car=p_bus"]].concat();
    refused(&twice, &ROLES, "class `car` is given two columns");
    refused(
        &SCORES,
        &["--label", "truth"],
        "name their column with --decision",
    );
    refused(&["car=p_cab"], &ROLES, "has no score");
    refused(&["car"], &ROLES, "as car=p_car");
    let wrong = ["bike=p_bike", "bus=p_bus", "car=p_cab", "truck=p_truck"];
    refused(&wrong, &ROLES, "p_cab");
    let draft = [&ROLES[..], &["--draft-objectives", "draft.yaml"]].concat();
    assert_eq!(profiled(at, &SCORES, &draft).code, Some(0));
    let more = ["--objectives", "draft.yaml", "--label", "truth"];
    let unknown = [&SCORES[..], &["tram=p_car"]].concat();
    refused(&unknown, &more, "--class-score tram=p_car names no class");
    let draft = [&ROLES[..], &["--draft-objectives", "unscored.yaml"]].concat();
    assert_eq!(profiled(at, &[], &draft).code, Some(0));
    let more = ["--objectives", "unscored.yaml", "--label", "truth"];
    refused(&SCORES, &more, "add `scores` beside `classes`");
}
