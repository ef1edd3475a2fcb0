//! The report's format: its JSON Schema is in `docs/schema/`, printed by the program, and every report
//! of these tests is checked against it.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;

use crate::run;

const NAME: &str = "profile.v1.schema.json";

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let text = std::fs::read_to_string(folder().join(NAME)).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
});

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema")
}

/// Fails unless a report is what its schema says.
pub(crate) fn assert_valid(report: &Value) {
    let errors: Vec<String> = SCHEMA
        .iter_errors(report)
        .take(5)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn the_schema_is_what_the_program_prints() {
    let ran = run(Path::new("."), &["schema", "profile"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let path = folder().join(NAME);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &ran.out).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == ran.out,
        "docs/schema/{NAME} is stale; run UPDATE_EXPECT=1 cargo test -p clause9 --test command schema"
    );
}

#[test]
fn a_report_with_a_key_too_many_is_not_valid() {
    let report = serde_json::json!({ "clause9": "profile/v1", "more": 1 });
    assert!(!SCHEMA.is_valid(&report));
}

/// A report with a value that has an interval, one that has none and one that is not there.
fn measured() -> Value {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let rows = |label: bool| {
        let mut text = String::from("x,score,label\n");
        for i in 0..300_u32 {
            let x = (i * 7919) % 301;
            let y = u32::from(label && (i * 104_729) % 307 < x);
            writeln!(text, "{x},{},{y}", f64::from(x) / 301.0).unwrap();
        }
        text
    };
    std::fs::write(at.join("reference.csv"), rows(true)).unwrap();
    std::fs::write(at.join("current.csv"), rows(false)).unwrap();
    let roles = ["--score", "score", "--label", "label"];
    let files = ["profile", "current.csv", "--baseline", "reference.csv"];
    let how = ["--resamples", "0", "--json", "report.json"];
    let ran = run(at, &[&files[..], &roles[..], &how[..]].concat());
    let report = std::fs::read(at.join("report.json"));
    serde_json::from_slice(&report.unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err))).unwrap()
}

#[test]
fn a_value_that_lacks_any_of_its_keys_is_not_valid() {
    let mut report = measured();
    assert_valid(&report);
    let rows = report["rows"].as_array().unwrap().clone();
    let first = |kind: &dyn Fn(&Value) -> bool| rows.iter().find(|r| kind(r)).unwrap();
    let kinds = [
        first(&|r| r["interval"].is_array()),
        first(&|r| r["value"].is_number() && r["interval"].is_null()),
        first(&|r| r["value"].is_null()),
    ];
    for row in kinds {
        report["rows"] = Value::Array(vec![row.clone()]);
        assert_valid(&report);
        let keys: Vec<String> = row.as_object().unwrap().keys().cloned().collect();
        let all = [
            "value",
            "interval",
            "interval_from",
            "no_interval",
            "bound",
            "n",
            "grade",
            "unit",
            "finality",
            "undefined",
            "window",
            "start",
            "end",
            "subject",
            "metric",
        ];
        assert_eq!(keys.len(), all.len(), "{keys:?}");
        for key in all {
            let mut less = row.clone();
            assert!(less.as_object_mut().unwrap().remove(key).is_some(), "{key}");
            report["rows"] = Value::Array(vec![less]);
            assert!(!SCHEMA.is_valid(&report), "without {key}: {row}");
        }
    }
}

#[test]
fn a_value_or_an_interval_that_is_missing_without_a_reason_is_not_valid() {
    let mut report = measured();
    let rows = report["rows"].as_array().unwrap().clone();
    let with = rows.iter().find(|r| r["interval"].is_array()).unwrap();
    let none = rows.iter().find(|r| r["value"].is_null()).unwrap();
    let spoilt: [(&Value, &[&str]); 5] = [
        (with, &["value"]),
        (with, &["interval"]),
        (with, &["interval", "interval_from"]),
        (with, &["n"]),
        (none, &["undefined"]),
    ];
    for (row, nulls) in spoilt {
        let mut less = row.clone();
        for key in nulls {
            less[key] = Value::Null;
        }
        report["rows"] = Value::Array(vec![less]);
        assert!(!SCHEMA.is_valid(&report), "{nulls:?} null: {row}");
    }
}
