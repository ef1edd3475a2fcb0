//! Odd answers of a model server: passed on as they are where that can be read in one way only, and
//! never as a connection that ends without a word.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::io::Write as _;
use std::time::Duration;

use crate::agent_world::{Model, Raw, Running, config, connect, read_message};

fn answer(request: &Raw) -> Vec<u8> {
    let path = request.head.split(' ').nth(1).unwrap();
    match path {
        "/both" | "/v2/models/both/infer" => "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "/known" => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 77\r\n\r\n",
        "/known-silently" => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
        "/hinted" => "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "/switched" | "/v2/models/switched/infer" => "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello",
        _ => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    }
    .into()
}

fn world() -> (tempfile::TempDir, Model, Running) {
    let model = Model::start(|request, _| Some(answer(request)));
    let folder = tempfile::tempdir().unwrap();
    let agent = Running::start(config(folder.path(), model.port, None));
    agent.set_clock("2020-01-01T00:00:30Z");
    (folder, model, agent)
}

/// What each of these answers, one after the other on one connection.
fn ask_all(port: u16, requests: &[(&str, &str)]) -> Vec<Raw> {
    let mut stream = connect(port);
    let mut ask = |(method, path): &(&str, &str)| {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: m\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let answer = read_message(&mut stream, *method == "HEAD" || path.contains("known"));
        answer.unwrap_or_else(|| panic!("no answer to {method} {path}"))
    };
    requests.iter().map(&mut ask).collect()
}

#[test]
fn an_answer_with_two_framings_is_passed_on_with_one() {
    let (_folder, _model, agent) = world();
    let answers = ask_all(
        agent.port,
        &[("GET", "/both"), ("HEAD", "/x"), ("GET", "/x")],
    );
    assert_eq!(
        (answers[0].status(), answers[0].text().as_str()),
        (200, "2\r\nok\r\n0\r\n\r\n")
    );
    assert_eq!(answers[0].header("content-length"), None);
    assert_eq!(answers[0].header("transfer-encoding"), Some("chunked"));
    assert_eq!(answers[2].text(), "ok", "the connection goes on");
    assert_eq!(agent.metric("clause9_answers_ambiguous_total"), 1);
    assert_eq!(agent.metric("clause9_upstream_errors_total"), 0);
}

#[test]
fn not_modified_keeps_the_length_of_what_the_client_has() {
    let (_folder, _model, agent) = world();
    let requests = [("GET", "/known"), ("GET", "/known-silently"), ("GET", "/x")];
    let answers = ask_all(agent.port, &requests);
    assert_eq!(answers[0].status(), 304);
    assert_eq!(answers[0].header("content-length"), Some("77"));
    assert_eq!(answers[0].header("etag"), Some("\"x\""));
    assert_eq!(answers[1].status(), 304);
    assert_eq!(answers[1].header("content-length"), None);
    assert_eq!(answers[2].text(), "ok", "the connection goes on");
}

#[test]
fn a_switch_of_protocols_that_nobody_asked_for_is_no_answer() {
    let (_folder, _model, agent) = world();
    let infer = "/v2/models/switched/infer";
    let answers = ask_all(
        agent.port,
        &[("GET", "/switched"), ("POST", infer), ("GET", "/x")],
    );
    let statuses: Vec<_> = answers.iter().map(Raw::status).collect();
    assert_eq!(statuses, [502, 502, 200]);
    assert_eq!(agent.metric("clause9_upstream_errors_total"), 2);
    agent.wait(
        "clause9_exchanges_undecodable_total{reason=\"upstream_error\"}",
        1,
    );
}

#[test]
fn hints_before_an_answer_are_left_out_and_the_answer_is_not() {
    let (_folder, _model, agent) = world();
    let answers = ask_all(agent.port, &[("GET", "/hinted"), ("GET", "/x")]);
    assert_eq!(
        (answers[0].status(), answers[0].text().as_str()),
        (200, "ok")
    );
    assert_eq!(answers[1].text(), "ok");
}

#[test]
fn a_server_that_closes_after_a_stream_and_does_not_say_so_costs_no_request() {
    let model = Model::start(|_, stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = format!("{head}9\r\ndata: a\n\n\r\n0\r\n\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
        // The client has it all; then the connection is closed.
        std::thread::sleep(Duration::from_millis(50));
        None
    });
    let folder = tempfile::tempdir().unwrap();
    let agent = Running::start(config(folder.path(), model.port, None));
    let requests = [("GET", "/stream"); 10];
    for answer in ask_all(agent.port, &requests) {
        assert_eq!(answer.status(), 200, "{}", answer.head);
    }
    assert_eq!(agent.metric("clause9_upstream_errors_total"), 0);
}
