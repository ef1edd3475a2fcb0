//! Clients that break their own requests off in the middle, in every way they can: none of it counts
//! against the model server, since any client could then push a share of failures over its level.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use crate::agent_world::{Model, Running, config, connect, toy};
use crate::streams_world::{Model2, agent_of, client, eventually, post};

const ABORTED: &str = "clause9_exchanges_dropped_total{reason=\"aborted\"}";
const MALFORMED: &str = "clause9_requests_refused_total{reason=\"malformed\"}";

/// What must stay at zero whatever clients do.
const THE_SERVERS: [&str; 3] = [
    "clause9_upstream_errors_total",
    "clause9_exchanges_undecodable_total{reason=\"upstream_error\"}",
    "clause9_exchanges_total{fate=\"undecodable\"}",
];

fn begins(framing: &str, body: &str) -> String {
    format!("POST /v2/models/wait/infer HTTP/1.1\r\nHost: m\r\n{framing}\r\n\r\n{body}")
}

fn long() -> String {
    begins("Content-Length: 500", "{\"inst")
}

fn chunks(body: &str) -> String {
    begins("Transfer-Encoding: chunked", body)
}

/// Sends that much, ends its half of the connection and reads whatever comes.
fn half_closed(port: u16, request: &str) -> String {
    let mut stream = connect(port);
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

async fn is_the_clients(agent: &Running, aborted: u64, malformed: u64) {
    eventually("all to be aborted", || agent.metric(ABORTED) >= aborted).await;
    for series in THE_SERVERS {
        assert_eq!(agent.metric(series), 0, "{series}");
    }
    assert_eq!(agent.metric(ABORTED), aborted);
    assert_eq!(agent.metric(MALFORMED), malformed);
}

/// Breaks requests by HTTP/1 off in six ways, and one by HTTP/2 in two.
async fn break_off(agent: &Running) {
    for request in [long(), chunks("5\r\nhel"), chunks("5\r\nhello\r\n")] {
        let answer = half_closed(agent.port, &request);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    // A size that is none, at once and after a chunk, on a connection that stays open.
    for body in ["zz\r\nhello", "3\r\n{\"i\r\nzz\r\n"] {
        let mut stream = connect(agent.port);
        stream.write_all(chunks(body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    let mut reset = tokio::net::TcpStream::connect(("127.0.0.1", agent.port))
        .await
        .unwrap();
    reset.write_all(long().as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    reset.set_zero_linger().unwrap();
    drop(reset);

    // Takes one stream back, and goes away in the middle of another.
    for takes_back in [true, false] {
        let mut sender = client(agent.port).await;
        let request = post("/v2/models/wait/infer");
        let (answer, mut stream) = sender.send_request(request, false).unwrap();
        stream.send_data("{\"inst".into(), false).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        if takes_back {
            stream.send_reset(h2::Reason::CANCEL);
        }
        drop((answer, stream, sender));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_upload_that_a_client_breaks_off_is_no_failure_of_a_server_of_http1() {
    let model = Model::start(|request, _| Some(toy(request)));
    let folder = tempfile::tempdir().unwrap();
    let agent = Running::start(config(folder.path(), model.port, None));
    agent.set_clock("2020-01-01T00:00:30Z");
    break_off(&agent).await;
    is_the_clients(&agent, 8, 2).await;
    assert!(model.received.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_upload_that_a_client_breaks_off_is_no_failure_of_a_server_of_http2() {
    let model = Model2::start().await;
    let (_folder, agent) =
        agent_of(|c| c.upstream = Some(format!("h2c://127.0.0.1:{}", model.port)));
    break_off(&agent).await;
    is_the_clients(&agent, 8, 2).await;
    // And the server is told of each.
    eventually("all streams to be reset", || {
        model.resets.lock().unwrap().len() == 8
    })
    .await;
}

#[test]
fn a_server_that_refuses_before_the_upload_ended_is_heard_and_counted() {
    let server = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    let (_folder, agent) = agent_of(|c| c.upstream = Some(format!("http://127.0.0.1:{port}")));
    let mut client = connect(agent.port);
    client.write_all(long().as_bytes()).unwrap();
    let (mut served, _) = server.accept().unwrap();
    assert!(served.read(&mut [0; 4096]).unwrap() > 0);
    served
        .write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");
    agent.wait(THE_SERVERS[1], 1);
    assert_eq!(agent.metric(ABORTED), 0);
}
