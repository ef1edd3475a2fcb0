//! Few open files: clients wait for room before they are taken, and no request fails for want of it.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use crate::agent_world::{Model, ask, connect, documents, read_message};
use crate::handover::Program;
use crate::streams_world::{ask2, client, post};

const ASK: &[u8] = b"GET /x HTTP/1.1\r\nHost: m\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn metric(agent: &Program, series: &str) -> u64 {
    let text = ask(agent.admin, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").text();
    let mut lines = text.lines();
    let value = lines.find_map(|l| l.strip_prefix(series)?.strip_prefix(' '));
    value.unwrap().parse().unwrap()
}

fn is_served(client: &mut TcpStream) {
    client.write_all(ASK).unwrap();
    assert_eq!(read_message(client, false).unwrap().status(), 200);
}

#[test]
fn a_program_takes_as_many_open_files_as_it_may_have() {
    let model = Model::start(|_, _| Some(OK.to_vec()));
    let folder = tempfile::tempdir().unwrap();
    documents(folder.path());
    let agent = Program::start_limited(folder.path(), model.port, [300, 700]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", agent.id())).unwrap();
    let files = limits.lines().find(|l| l.starts_with("Max open files"));
    let told: Vec<_> = files.unwrap().split_whitespace().skip(3).take(2).collect();
    assert_eq!(told, ["700", "700"]);
}

#[test]
fn idle_clients_that_use_up_the_open_files_cost_no_request() {
    let model = Model::start(|_, _| Some(OK.to_vec()));
    let folder = tempfile::tempdir().unwrap();
    documents(folder.path());
    // Room for 72 clients and 72 connections to the server.
    let agent = Program::start_limited(folder.path(), model.port, [400, 400]);
    let mut first: Vec<_> = (0..70).map(|_| connect(agent.port)).collect();
    first.iter_mut().for_each(is_served);
    let mut more: Vec<_> = (0..70).map(|_| connect(agent.port)).collect();
    // Who is idle gives way to who comes: nobody waits until idle ones would be closed anyhow.
    let begun = std::time::Instant::now();
    more.iter_mut().for_each(is_served);
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(metric(&agent, "clause9_connections_crowded_total") > 0);
    assert_eq!(metric(&agent, "clause9_upstream_errors_total"), 0);
    assert!(!agent.said("cannot take a connection"), "{}", agent.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_one_connection_wait_for_connections_to_the_server() {
    let model = Model::start(|_, _| {
        std::thread::sleep(Duration::from_millis(200));
        Some(OK.to_vec())
    });
    let folder = tempfile::tempdir().unwrap();
    documents(folder.path());
    let agent = Program::start_limited(folder.path(), model.port, [400, 400]);
    let mut sender = client(agent.port).await;
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..300 {
        crate::streams_world::futures_ready(&mut sender)
            .await
            .unwrap();
        let mut sender = sender.clone();
        asked.spawn(async move { ask2(&mut sender, post("/x"), b"").await.unwrap() });
    }
    while let Some(answer) = asked.join_next().await {
        assert_eq!(answer.unwrap().head.status, 200);
    }
    assert_eq!(metric(&agent, "clause9_upstream_errors_total"), 0);
}
