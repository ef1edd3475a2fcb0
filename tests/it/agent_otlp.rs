//! OpenTelemetry's protocol, beside a real collector of it: what a program tells of a model reaches the
//! agent by way of that collector, which packs and batches it, and is counted as cases with their labels.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clause9_agent::config::{AgentConfig, OtlpConfig};
use clause9_shared::window::UndecodableReason;
use clause9_tests::process::{Running as Program, free_port};
use clause9_tests::tools;
use serde_json::{Value, json};

use crate::agent_sinks::{sink_only, token};
use crate::agent_world::{Door, OBJECTIVES, Raw, Running, ask, documents_of, until};

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

/// 2020-01-01T00:00:10Z.
const START: u64 = 1_577_836_810_000_000_000;

/// A call of the model, as OpenTelemetry's conventions write it.
fn span(i: u64, model: &str) -> Value {
    json!({ "traceId": format!("{:032x}", i + 1), "spanId": format!("{:016x}", i + 1), "name": "chat toy", "kind": 3,
        "startTimeUnixNano": START.to_string(), "endTimeUnixNano": (START + 250_000_000).to_string(),
        "attributes": [text("gen_ai.operation.name", "chat"), text("gen_ai.request.model", model),
            text("gen_ai.response.id", &format!("r-{i}")), number("gen_ai.usage.input_tokens", 7),
            number("gen_ai.usage.output_tokens", 9), number("gen_ai.usage.reasoning.output_tokens", 1)],
        "events": [], "status": {} })
}

fn judged(i: u64) -> Value {
    json!({ "timeUnixNano": (START + 5_000_000_000).to_string(), "eventName": "gen_ai.evaluation.result",
        "traceId": "", "spanId": "",
        "attributes": [text("event.name", "gen_ai.evaluation.result"), text("gen_ai.evaluation.name", "Right"),
            text("gen_ai.response.id", &format!("r-{i}")), number("gen_ai.evaluation.score.value", 1)] })
}

fn post(port: u16, path: &str, head: &str, body: &Value) -> Raw {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\n{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    ask(port, request.as_bytes())
}

fn traces(spans: &[Value]) -> Value {
    json!({ "resourceSpans": [{ "resource": { "attributes": [] },
        "scopeSpans": [{ "scope": { "name": "t" }, "spans": spans }] }] })
}

/// A sink that reads a feature and a score that spans tell, and labels of evaluations.
fn config(folder: &Path, door: &Door) -> AgentConfig {
    let mut config = sink_only(folder, door);
    let objectives = OBJECTIVES.replace("input: x", "output: completion_tokens");
    let objectives = objectives.replace("output: p ", "output: reasoning_tokens ");
    documents_of(folder, &objectives);
    if let Some(sink) = &mut config.sink {
        sink.otlp = OtlpConfig {
            evaluation: Some("Right".into()),
            ..OtlpConfig::default()
        };
    }
    config
}

#[test]
fn what_a_collector_passes_on_is_counted_and_judged() -> anyhow::Result<()> {
    passed_on("http")
}

#[test]
fn what_a_collector_passes_on_by_grpc_is_counted_and_judged_alike() -> anyhow::Result<()> {
    passed_on("grpc")
}

#[test]
fn what_opentelemetrys_own_exporter_sends_by_grpc_is_counted_and_judged() -> anyhow::Result<()> {
    let Some(python) = tools::mlserver("python")? else {
        return Ok(());
    };
    let (folder, door) = (tempfile::tempdir()?, Door::open(&[]));
    let agent = Running::start(config(folder.path(), &door));
    agent.set_clock("2020-01-01T00:00:00Z");
    let script = clause9_tests::repository::root().join("tests/it/otlp_grpc.py");
    let export = |token: &str, first: &str, compression: &str| -> anyhow::Result<String> {
        let output = Command::new(&python)
            .arg(&script)
            .args([&agent.sink.to_string(), token, first, "6", compression])
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        anyhow::ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    };
    assert_eq!(export("not the token", "0", "NoCompression")?, "FAILURE");
    assert_eq!(agent.metric("clause9_sink_items_total{fate=\"taken\"}"), 0);
    assert_eq!(export(&token(&agent), "0", "NoCompression")?, "SUCCESS");
    agent.wait("clause9_exchanges_total{fate=\"sampled\"}", 6);
    assert_eq!(export(&token(&agent), "6", "Gzip")?, "SUCCESS");
    agent.wait("clause9_outcomes_total{fate=\"joined\"}", 12);
    agent.wait("clause9_sink_deliveries_total{result=\"taken\"}", 2);
    assert_eq!(
        agent.metric("clause9_sink_deliveries_total{result=\"unauthorized\"}"),
        1
    );
    agent.set_clock("2020-01-01T00:01:10Z");
    until("the pane", || !door.items().is_empty());
    assert_eq!(door.coverage().sampled, 12);
    Ok(())
}

/// What a collector of OpenTelemetry's exports by this protocol.
fn passed_on(protocol: &str) -> anyhow::Result<()> {
    let Some(rotel) = tools::rotel()? else {
        return Ok(());
    };
    let (folder, door) = (tempfile::tempdir()?, Door::open(&[]));
    let agent = Running::start(config(folder.path(), &door));
    agent.set_clock("2020-01-01T00:00:00Z");
    let (port, grpc) = (free_port()?, free_port()?);
    let arguments = format!(
        "start --otlp-http-endpoint 127.0.0.1:{port} --otlp-grpc-endpoint 127.0.0.1:{grpc} --exporter otlp \
         --otlp-exporter-endpoint http://127.0.0.1:{} --otlp-exporter-protocol {protocol}",
        agent.sink
    );
    let mut arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
    arguments.push("--otlp-exporter-custom-headers".into());
    arguments.push(format!("Authorization=Bearer {}", token(&agent)));
    let mut collector = Program::start(&rotel, folder.path(), &arguments)?;
    collector.wait_for_port(port, Duration::from_secs(30))?;
    let mut spans: Vec<_> = (0..12).map(|i| span(i, "toy")).collect();
    spans.push(span(12, "other"));
    let mut tool = span(13, "toy");
    tool["attributes"] = json!([text("gen_ai.operation.name", "execute_tool")]);
    spans.push(tool);
    assert_eq!(post(port, "/v1/traces", "", &traces(&spans)).status(), 200);
    agent.wait("clause9_exchanges_total{fate=\"sampled\"}", 12);
    let logs: Vec<_> = (0..12).map(judged).collect();
    let logs = json!({ "resourceLogs": [{ "resource": { "attributes": [] },
        "scopeLogs": [{ "scope": { "name": "t" }, "logRecords": logs }] }] });
    assert_eq!(post(port, "/v1/logs", "", &logs).status(), 200);
    agent.wait("clause9_sink_items_total{fate=\"taken\"}", 25);
    let metrics = json!({ "resourceMetrics": [{ "resource": { "attributes": [] }, "scopeMetrics": [{ "scope": { "name": "t" }, "metrics": [{
        "name": "gen_ai.client.token.usage", "unit": "{token}", "histogram": { "aggregationTemporality": 2,
            "dataPoints": [{ "timeUnixNano": START.to_string(), "count": "1", "sum": 3.0,
                "bucketCounts": ["0", "1"], "explicitBounds": [1.0], "attributes": [] }] } }] }] }] });
    agent.wait("clause9_sink_otlp_unused_total{signal=\"traces\"}", 1);
    // Straight to the door: metrics, and the same spans once more, of which nothing is counted twice.
    let show = format!("Authorization: Bearer {}\r\n", token(&agent));
    let answer = post(agent.sink, "/v1/metrics", &show, &metrics);
    assert_eq!(answer.status(), 200);
    agent.wait("clause9_sink_otlp_unused_total{signal=\"metrics\"}", 1);
    let answer = post(agent.sink, "/v1/traces", &show, &traces(&spans));
    assert_eq!((answer.status(), answer.text().as_str()), (200, "{}"));
    assert_eq!(
        agent.metric("clause9_sink_items_total{fate=\"duplicate\"}"),
        13
    );
    agent.set_clock("2020-01-01T00:01:10Z");
    agent.wait("clause9_outcomes_total{fate=\"joined\"}", 12);
    until("the pane", || !door.items().is_empty());
    let coverage = door.coverage();
    assert_eq!((coverage.seen, coverage.sampled), (13, 12));
    assert_eq!(
        coverage.undecodable[UndecodableReason::UnknownModel as usize],
        1
    );
    Ok(())
}

#[test]
fn what_cannot_be_read_is_refused_as_the_protocol_asks() {
    let folder = tempfile::tempdir().expect("a folder");
    let door = Door::open(&[]);
    let agent = Running::start(sink_only(folder.path(), &door));
    agent.set_clock("2020-01-01T00:00:00Z");
    let show = format!("Authorization: Bearer {}\r\n", token(&agent));
    assert_eq!(
        post(agent.sink, "/v1/traces", "", &traces(&[])).status(),
        401
    );
    let answer = post(agent.sink, "/v1/traces", &show, &json!([]));
    assert_eq!(answer.status(), 400);
    assert!(answer.text().contains("\"message\""), "{}", answer.text());
    assert_eq!(
        post(agent.sink, "/v1/profiles", &show, &json!({})).status(),
        404
    );
    // One span without a model among good ones.
    let mut nameless = span(1, "toy");
    nameless["attributes"] = json!([text("gen_ai.operation.name", "chat")]);
    let only = Vec::from([span(0, "toy"), nameless]);
    let answer = post(agent.sink, "/v1/traces", &show, &traces(&only));
    assert_eq!(answer.status(), 200);
    // There is one model only: it is meant.
    assert_eq!(answer.text(), "{}");
    let mut nobody = span(2, "toy");
    nobody["spanId"] = json!("");
    let answer = post(agent.sink, "/v1/traces", &show, &traces(&[nobody]));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let said: Value = serde_json::from_str(&answer.text()).unwrap_or_default();
    assert_eq!(said["partialSuccess"]["rejectedSpans"], "1", "{said}");
}
