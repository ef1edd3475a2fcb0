//! KServe's Python server: version 1, version 2, and events of the `CloudEvents` kind of version 1.

use clause9_tests::process::free_port;
use serde_json::json;

use super::{Request, Server, assert_unchanged, assert_understood, installed, rows, tensor};

const SERVE: &str = include_str!("kserve.py");
const PREDICT: &str = "/v1/models/loan:predict";
const INFER: &str = "/v2/models/loan/infer";

fn event() -> Request {
    let mut event = Request::json("a CloudEvent", PREDICT, &json!({ "instances": rows() }));
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", "rows"),
        ("ce-source", "test"),
        ("ce-type", "org.kserve.inference.request"),
    ] {
        event.headers.push((name, value.to_owned()));
    }
    event
}

#[test]
#[ignore = "slow to install: bash tests/run conformance"]
fn kserve_is_understood_and_left_as_it_is() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(mut python) = installed("kserve", "python")? else {
        return Ok(());
    };
    let (http, grpc) = (free_port()?, free_port()?);
    python.args(["-c", SERVE]);
    python.args([http, grpc].map(|port| port.to_string()));
    let _server = Server::start(python, http, "/v1/models/loan")?;

    let first = [
        Request::json("version 1", PREDICT, &json!({ "instances": rows() })),
        event(),
    ];
    assert_understood(folder.path(), http, &first)?;
    let bad = [
        Request::json(
            "no such model",
            "/v1/models/none:predict",
            &json!({ "instances": rows() }),
        ),
        Request::text(
            "no JSON",
            PREDICT,
            "application/json",
            "{\"instances\": [".to_owned(),
        ),
    ];
    assert_unchanged(folder.path(), http, &first, &bad)?;

    let second = [
        Request::json("version 2, nested", INFER, &tensor(true)),
        Request::json("version 2, flat", INFER, &tensor(false)),
    ];
    assert_understood(folder.path(), http, &second)?;
    let bad = [Request::json(
        "no such model",
        "/v2/models/none/infer",
        &tensor(true),
    )];
    assert_unchanged(folder.path(), http, &second, &bad)
}
