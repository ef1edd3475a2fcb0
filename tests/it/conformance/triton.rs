//! NVIDIA's Triton: JSON, the binary tensor extension, gRPC.

use std::process::Command;

use clause9_tests::process::free_port;
use clause9_tests::sidecar::{Fates, Sidecar};
use serde_json::json;

use super::{LONG, Request, Server, assert_unchanged, assert_understood, installed, rows, tensor};
use crate::mlserver_grpc::ASK;
use crate::mlserver_passthrough::{OBJECTIVES, reference};

const SERVE: &str = include_str!("triton.py");
const INFER: &str = "/v2/models/loan/infer";

fn start() -> anyhow::Result<Option<(Server, u16, u16)>> {
    let Some(mut python) = installed("triton", "python")? else {
        return Ok(None);
    };
    let (http, grpc, metrics) = (free_port()?, free_port()?, free_port()?);
    python.args(["-c", SERVE]);
    python.args([http, grpc, metrics].map(|port| port.to_string()));
    let server = Server::start(python, http, "/v2/models/loan/ready")?;
    Ok(Some((server, http, grpc)))
}

/// The rows as a binary tensor behind a JSON head, with the answer's tensor binary as well or not.
fn binary(name: &'static str, binary_answer: bool) -> Request {
    let rows = rows();
    let bytes: Vec<u8> = rows
        .iter()
        .flatten()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let head = json!({
        "id": "rows",
        "inputs": [{
            "name": "predict", "shape": [rows.len(), 4], "datatype": "FP64",
            "parameters": { "binary_data_size": bytes.len() },
        }],
        "outputs": [{ "name": "decision", "parameters": { "binary_data": binary_answer } }],
    })
    .to_string();
    let mut request = Request::text(name, INFER, "application/octet-stream", head.clone());
    request
        .headers
        .push(("inference-header-content-length", head.len().to_string()));
    request.body.extend(bytes);
    request
}

#[test]
#[ignore = "slow to install: bash tests/run conformance"]
fn triton_is_understood_and_left_as_it_is() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let Some((_server, http, _)) = start()? else {
        return Ok(());
    };
    let good = [
        Request::json("nested", INFER, &tensor(true)),
        binary("binary tensors, in and out", true),
        binary("binary tensors, in only", false),
        Request::json("flat", INFER, &tensor(false)),
    ];
    assert_understood(folder.path(), http, &good)?;
    let mut wide = tensor(true);
    wide["inputs"][0]["shape"] = json!([2, 5]);
    let bad = [
        Request::json("a shape that does not fit", INFER, &wide),
        Request::json("no such model", "/v2/models/none/infer", &tensor(true)),
        Request::text(
            "no JSON",
            INFER,
            "application/json",
            "{\"inputs\": [".to_owned(),
        ),
    ];
    assert_unchanged(folder.path(), http, &good, &bad)
}

#[test]
#[ignore = "slow to install: bash tests/run conformance"]
fn triton_over_grpc_is_understood_and_left_as_it_is() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let Some((_server, _, grpc)) = start()? else {
        return Ok(());
    };
    let Some(client) = clause9_tests::tools::mlserver("python")? else {
        return Ok(());
    };
    let upstream = format!("h2c://127.0.0.1:{grpc}");
    let objectives = OBJECTIVES.replace("from: { output: predict }", "from: { output: decision }");
    let agent = Sidecar::start_with(folder.path(), &upstream, &objectives, &reference(), "")?;
    let asked = Command::new(client)
        .args(["-c", ASK, &grpc.to_string(), &agent.port.to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&asked.stdout);
    let wrong = String::from_utf8_lossy(&asked.stderr);
    anyhow::ensure!(
        asked.status.success() && said.trim() == "50 calls",
        "{said}{wrong}"
    );
    let expected = Fates {
        seen: 50,
        sampled: 48,
        sampled_out: 0,
        not_inference: 1,
        dropped: 0,
        undecodable: 1,
    };
    assert_eq!(agent.settled_fates(LONG)?, expected);
    Ok(())
}
