//! The report's format: its JSON Schema is in `docs/schema/`, printed by the program, and every report
//! of these tests is checked against it.

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
