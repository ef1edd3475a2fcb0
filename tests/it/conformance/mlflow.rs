//! MLflow's scoring server: every form of `/invocations`.

use std::fmt::Write as _;

use clause9_tests::process::free_port;
use serde_json::{Value, json};

use super::{NAMES, Request, Server, assert_unchanged, assert_understood, installed, named, rows};

const TRAIN: &str = include_str!("mlflow.py");
const INVOCATIONS: &str = "/invocations";

fn csv() -> String {
    let mut text = NAMES.join(",");
    for [a, b, c, d] in rows() {
        let _ = write!(text, "\n{a},{b},{c},{d}");
    }
    text + "\n"
}

/// Names in the order of the alphabet, as objects keep them here: what is learned is then in that order.
fn forms() -> Vec<Request> {
    let records: Vec<Value> = rows().iter().map(named).collect();
    let columns: serde_json::Map<String, Value> = NAMES
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let column: Vec<f64> = rows().iter().map(|row| row[at]).collect();
            ((*name).to_owned(), json!(column))
        })
        .collect();
    let post = |name, body: Value| Request::json(name, INVOCATIONS, &body);
    vec![
        post(
            "dataframe_split",
            json!({ "dataframe_split": { "columns": NAMES, "data": rows() } }),
        ),
        post("dataframe_records", json!({ "dataframe_records": records })),
        post("instances", json!({ "instances": records })),
        post("inputs", json!({ "inputs": columns })),
        Request::text("csv", INVOCATIONS, "text/csv", csv()),
    ]
}

#[test]
#[ignore = "slow to install: bash tests/run conformance"]
fn mlflow_is_understood_and_left_as_it_is() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (Some(mut python), Some(mut serve)) = (
        installed("mlflow", "python")?,
        installed("mlflow", "mlflow")?,
    ) else {
        return Ok(());
    };
    let trained = python
        .args(["-c", TRAIN])
        .current_dir(folder.path())
        .output()?;
    anyhow::ensure!(
        trained.status.success(),
        "{}",
        String::from_utf8_lossy(&trained.stderr)
    );
    let port = free_port()?;
    serve
        .args("models serve -m model --env-manager local -h 127.0.0.1 -p".split(' '))
        .arg(port.to_string())
        .current_dir(folder.path());
    let _server = Server::start(serve, port, "/ping")?;

    let good = forms();
    assert_understood(folder.path(), port, &good)?;
    let bad = [
        Request::text(
            "no JSON",
            INVOCATIONS,
            "application/json",
            "{\"inputs\": [".to_owned(),
        ),
        Request::json(
            "a column too few",
            INVOCATIONS,
            &json!({ "dataframe_records": [{ "age": 1.5 }] }),
        ),
    ];
    assert_unchanged(folder.path(), port, &good, &bad)
}
