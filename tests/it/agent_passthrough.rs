//! The agent in the path: clients see the bytes that they would see without it, and the model server
//! gets the bytes that it would get without it.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::agent_world::{
    Model, Raw, Running, ask, config, connect, infer, read_message, toy, until,
};

const LARGE: usize = 64 << 20;

/// A large body that is not the same everywhere.
fn large() -> Vec<u8> {
    (0..LARGE)
        .map(|i| u8::try_from((i * 31 + i / 4099) % 251).unwrap())
        .collect()
}

/// So many header lines.
fn lines(count: usize) -> String {
    (0..count).fold(String::new(), |all, i| all + &format!("X-L-{i}: {i}\r\n"))
}

fn answers(request: &Raw, stream: &mut TcpStream) -> Option<Vec<u8>> {
    let path = request.head.split(' ').nth(1).unwrap();
    let fixed = |text: &str| Some(text.as_bytes().to_vec());
    match path {
        "/odd" => fixed(
            "HTTP/1.1 203 Quite So\r\nX-ODD-Case: 1\r\nserver: tiny\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nx-Latin: \u{e9}\r\nContent-Length: 4\r\n\r\nbody",
        ),
        "/lines" => {
            let more = lines(200);
            let got = request.head.matches("\r\nX-L-").count();
            Some(
                format!("HTTP/1.1 200 OK\r\n{more}X-Got: {got}\r\nContent-Length: 2\r\n\r\nok")
                    .into_bytes(),
            )
        }
        "/chunked" => fixed(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-After: 1\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
        ),
        "/trailers" => fixed(
            "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n",
        ),
        "/head" => fixed("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: \"x\"\r\n\r\n"),
        "/204" => fixed("HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"),
        "/304" => fixed("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"),
        "/close" => fixed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        "/hang-up" => None,
        "/upgrade" => {
            stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n").unwrap();
            let mut buffer = [0; 64];
            while let Ok(n @ 1..) = stream.read(&mut buffer) {
                stream.write_all(&buffer[..n].to_ascii_uppercase()).unwrap();
            }
            None
        }
        "/v2/models/large/infer" => {
            let same = request.body == large();
            let mut answer =
                format!("HTTP/1.1 200 OK\r\nX-Same: {same}\r\nContent-Length: {LARGE}\r\n\r\n")
                    .into_bytes();
            answer.extend(large());
            Some(answer)
        }
        "/v2/models/text/infer" => fixed(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nnot\0 JSON",
        ),
        "/v2/models/slow/infer" => {
            std::thread::sleep(Duration::from_millis(400));
            fixed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        }
        "/v2/models/half/infer" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                .unwrap();
            None
        }
        "/v2/models/toy/infer" => Some(toy(request)),
        _ => fixed("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    }
}

struct Path {
    model: Model,
    agent: Running,
    _folder: tempfile::TempDir,
}

fn path() -> Path {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::start(answers);
    let agent = Running::start(config(folder.path(), model.port, None));
    agent.set_clock("2020-01-01T00:00:30Z");
    Path {
        model,
        agent,
        _folder: folder,
    }
}

impl Path {
    /// What a request gets straight from the model server, and what it gets through the agent.
    fn both(&self, request: &[u8]) -> (Raw, Raw) {
        (ask(self.model.port, request), ask(self.agent.port, request))
    }
}

#[test]
fn heads_of_many_lines_pass_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::start(answers);
    let agent = Running::start(config(folder.path(), model.port, None));
    let more = lines(200);
    let request = format!("GET /lines HTTP/1.1\r\nHost: m\r\n{more}\r\n");
    let direct = ask(model.port, request.as_bytes());
    let through = ask(agent.port, request.as_bytes());
    assert_eq!(direct.header("x-got"), Some("200"));
    assert_eq!(through, direct);
    // Beyond what is read of a head: refused by name, and counted.
    let more = lines(400);
    let request = format!("GET /lines HTTP/1.1\r\nHost: m\r\n{more}\r\n");
    assert_eq!(ask(agent.port, request.as_bytes()).status(), 431);
}

#[test]
fn answers_are_the_same_byte_for_byte_with_and_without_the_agent() {
    let path = path();
    for request in [
        "GET /odd HTTP/1.1\r\nHost: m\r\n\r\n",
        "GET /chunked HTTP/1.1\r\nHost: m\r\n\r\n",
        "HEAD /head HTTP/1.1\r\nHost: m\r\n\r\n",
        "GET /204 HTTP/1.1\r\nHost: m\r\n\r\n",
        "GET /304 HTTP/1.1\r\nHost: m\r\nIf-None-Match: \"x\"\r\n\r\n",
        "GET /nowhere HTTP/1.1\r\nHost: m\r\n\r\n",
        "POST /odd HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "POST /v2/models/text/infer HTTP/1.1\r\nHost: m\r\nContent-Length: 3\r\n\r\nabc",
    ] {
        let (direct, through) = path.both(request.as_bytes());
        assert_eq!(direct, through, "{request}");
    }
    let (direct, through) = path.both(&infer("a", 3, ""));
    assert_eq!(direct, through);
}

#[test]
fn trailers_pass_for_clients_that_take_them() {
    let path = path();
    let (direct, through) = path.both(b"GET /trailers HTTP/1.1\r\nHost: m\r\nTE: trailers\r\n\r\n");
    assert_eq!(direct.head, through.head);
    // hyper writes names of trailers in lower case; they mean the same.
    assert_eq!(direct.text().to_ascii_lowercase(), through.text());
}

#[test]
fn the_model_server_gets_the_request_byte_for_byte_but_for_the_connection() {
    let path = path();
    let request = "POST /odd?q=%20a&b HTTP/1.1\r\nhOsT: model.example\r\nX-UPPER: 1\r\nauthorization: Bearer s\r\ntraceparent: 00-1-2-01\r\nAccept: */*\r\nConnection: keep-alive, X-Hop\r\nX-Hop: gone\r\nContent-Length: 4\r\n\r\nbody";
    ask(path.agent.port, request.as_bytes());
    let received = path.model.received.lock().unwrap().pop().unwrap();
    let expected = "POST /odd?q=%20a&b HTTP/1.1\r\nhOsT: model.example\r\nX-UPPER: 1\r\nauthorization: Bearer s\r\ntraceparent: 00-1-2-01\r\nAccept: */*\r\nContent-Length: 4";
    assert_eq!(
        (received.head.as_str(), received.text().as_str()),
        (expected, "body")
    );
}

#[test]
fn a_body_of_64_mib_passes_both_ways_and_its_capture_is_given_up() {
    let path = path();
    let mut request = format!(
        "POST /v2/models/large/infer HTTP/1.1\r\nHost: m\r\nContent-Length: {LARGE}\r\n\r\n"
    )
    .into_bytes();
    request.extend(large());
    let mut stream = connect(path.agent.port);
    let mut writing = stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || writing.write_all(&request).unwrap());
    let answer = read_message(&mut stream, false).unwrap();
    writer.join().unwrap();
    assert_eq!(answer.header("x-same"), Some("true"));
    assert!(answer.body == large(), "the body was changed on its way");
    path.agent.wait(
        "clause9_exchanges_undecodable_total{reason=\"truncated\"}",
        1,
    );
    assert!(path.agent.metric("clause9_capture_queue_bytes") < 2_000_000);
}

#[test]
fn a_connection_serves_many_requests_and_so_does_the_one_behind_it() {
    let path = path();
    let mut stream = connect(path.agent.port);
    for i in 0..50 {
        stream.write_all(&infer(&format!("k-{i}"), 1, "")).unwrap();
        assert_eq!(read_message(&mut stream, false).unwrap().status(), 200);
    }
    // Two requests in one write: answered in order.
    let two = [infer("p-1", 1, ""), infer("p-2", 1, "")].concat();
    stream.write_all(&two).unwrap();
    for id in ["p-1", "p-2"] {
        assert!(
            read_message(&mut stream, false)
                .unwrap()
                .text()
                .contains(id)
        );
    }
    path.agent
        .wait("clause9_exchanges_total{fate=\"sampled\"}", 52);
    assert_eq!(path.agent.metric("clause9_rows_observed_total"), 52);
}

#[test]
fn a_server_that_closes_after_each_answer_costs_no_request() {
    let path = path();
    let mut stream = connect(path.agent.port);
    for _ in 0..30 {
        stream
            .write_all(b"GET /close HTTP/1.1\r\nHost: m\r\n\r\n")
            .unwrap();
        assert_eq!(read_message(&mut stream, false).unwrap().text(), "ok");
        std::thread::sleep(Duration::from_millis(3));
    }
}

#[test]
fn no_answer_from_the_server_is_502_and_counted() {
    let path = path();
    let answer = ask(path.agent.port, b"GET /hang-up HTTP/1.1\r\nHost: m\r\n\r\n");
    assert_eq!((answer.status(), answer.body.len()), (502, 0));
    assert_eq!(path.agent.metric("clause9_upstream_errors_total"), 1);
    let asked = path.model.received.lock().unwrap().len();
    assert_eq!(
        asked, 1,
        "a request that may have been read is not sent again"
    );

    let folder = tempfile::tempdir().unwrap();
    let agent = Running::start(config(folder.path(), 1, None));
    assert_eq!(ask(agent.port, &infer("a", 1, "")).status(), 502);
    let ready = ask(agent.admin, b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(ready.status(), 503);
}

#[test]
fn after_101_bytes_pass_blindly_both_ways() {
    let path = path();
    let mut stream = connect(path.agent.port);
    stream
        .write_all(
            b"GET /upgrade HTTP/1.1\r\nHost: m\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
        )
        .unwrap();
    let answer = read_message(&mut stream, true).unwrap();
    assert_eq!(
        (answer.status(), answer.header("upgrade")),
        (101, Some("echo"))
    );
    let mut buffer = [0; 5];
    for word in ["hello", "there"] {
        stream.write_all(word.as_bytes()).unwrap();
        stream.read_exact(&mut buffer).unwrap();
        assert_eq!(buffer, *word.to_ascii_uppercase().as_bytes());
    }
}

#[test]
fn nothing_is_tunnelled_before_the_server_says_101() {
    let path = path();
    let mut stream = connect(path.agent.port);
    stream
        .write_all(b"GET /odd HTTP/1.1\r\nHost: m\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        .unwrap();
    assert_eq!(read_message(&mut stream, false).unwrap().status(), 203);
    stream
        .write_all(b"GET /204 HTTP/1.1\r\nHost: m\r\n\r\n")
        .unwrap();
    assert_eq!(read_message(&mut stream, false).unwrap().status(), 204);
}

#[test]
fn an_announced_body_waits_for_the_servers_word() {
    let path = path();
    let head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: m\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        )
    };
    let mut stream = connect(path.agent.port);
    stream.write_all(head("/odd").as_bytes()).unwrap();
    assert_eq!(read_message(&mut stream, true).unwrap().status(), 100);
    stream.write_all(b"body").unwrap();
    assert_eq!(read_message(&mut stream, false).unwrap().status(), 203);
    let refused = ask(path.agent.port, head("/refuse").as_bytes());
    assert_eq!((refused.status(), refused.text().as_str()), (417, "no"));
}

#[test]
fn ambiguous_framing_never_reaches_the_model_server() {
    let path = path();
    for request in [
        "POST /odd HTTP/1.1\r\nHost: m\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST /odd HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: gzip\r\n\r\nabcd",
        "POST /odd HTTP/1.1\r\nHost: m\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabcd",
        "CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n",
    ] {
        let mut stream = connect(path.agent.port);
        stream.write_all(request.as_bytes()).unwrap();
        let status = read_message(&mut stream, true).map_or(0, |a| a.status());
        assert!(matches!(status, 400 | 405), "{request}: {status}");
    }
    assert!(path.model.received.lock().unwrap().is_empty());
}

#[test]
fn a_client_or_server_that_goes_away_is_counted_as_aborted() {
    let path = path();
    let aborted = "clause9_exchanges_dropped_total{reason=\"aborted\"}";
    let mut stream = connect(path.agent.port);
    stream
        .write_all(b"POST /v2/models/slow/infer HTTP/1.1\r\nHost: m\r\nContent-Length: 2\r\n\r\n{}")
        .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    stream.shutdown(Shutdown::Both).unwrap();
    drop(stream);
    path.agent.wait(aborted, 1);
    let mut stream = connect(path.agent.port);
    stream
        .write_all(b"POST /v2/models/half/infer HTTP/1.1\r\nHost: m\r\nContent-Length: 2\r\n\r\n{}")
        .unwrap();
    assert!(
        read_message(&mut stream, false).is_none(),
        "a broken answer must not look whole"
    );
    path.agent.wait(aborted, 2);
    until("budget given back", || {
        path.agent.metric("clause9_capture_queue_bytes") == 0
    });
}
