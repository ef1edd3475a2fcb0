//! The same model server over gRPC, asked by its own client library: directly and through the agent.

use std::process::Command;
use std::time::Duration;

use clause9_tests::process::free_port;
use clause9_tests::sidecar::{Fates, Sidecar, count};
use clause9_tests::tools::mlserver;

use crate::mlserver_passthrough::{OBJECTIVES, reference, start_model_server};

/// Asks both addresses, and fails with what differs: answers to the byte, metadata, codes and words of
/// failures, and a stream of calls on one connection.
pub(crate) const ASK: &str = include_str!("mlserver_grpc.py");

#[test]
fn answers_over_grpc_are_the_same_with_and_without_the_agent_and_understood() -> anyhow::Result<()>
{
    let folder = tempfile::tempdir()?;
    let (http, grpc) = (free_port()?, free_port()?);
    let Some(_model) = start_model_server(folder.path(), (http, grpc))? else {
        return Ok(());
    };
    let Some(python) = mlserver("python")? else {
        return Ok(());
    };
    let upstream = format!("h2c://127.0.0.1:{grpc}");
    let agent = Sidecar::start_with(folder.path(), &upstream, OBJECTIVES, &reference(), "")?;
    let asked = Command::new(python)
        .args(["-c", ASK, &grpc.to_string(), &agent.port.to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&asked.stdout).into_owned();
    anyhow::ensure!(
        asked.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&asked.stderr)
    );
    // 24 calls with typed and 24 with raw contents, 3 rows each; one to no model, one to the server itself.
    anyhow::ensure!(said.trim() == "50 calls", "{said}");
    let fates = agent.settled_fates(Duration::from_secs(20))?;
    let expected = Fates {
        seen: 50,
        sampled: 48,
        sampled_out: 0,
        not_inference: 1,
        dropped: 0,
        undecodable: 1,
    };
    assert_eq!(fates, expected);
    assert_eq!(
        count(&agent.metrics()?, "clause9_remembered_predictions")?,
        48 * 3
    );
    Ok(())
}
