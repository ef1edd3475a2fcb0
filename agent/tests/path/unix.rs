//! Unix sockets on both sides of the agent.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};

use tokio::net::UnixListener as AsyncListener;

use crate::agent_world::{ask, infer};
use crate::streams_world::{Model2, agent_of, ask2, client, client_on, grpc};

const ANSWER: &str = "HTTP/1.1 200 OK\r\nX-Case: Kept\r\nContent-Length: 2\r\n\r\nok";

/// Reads a request that has no body from each connection, and answers it.
fn model(path: &std::path::Path) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0; 1];
                while stream.read_exact(&mut byte).is_ok() {
                    head.push(byte[0]);
                    if head.ends_with(b"\r\n\r\n") {
                        assert!(head.starts_with(b"GET /x HTTP/1.1\r\n"));
                        stream.write_all(ANSWER.as_bytes()).unwrap();
                        head.clear();
                    }
                }
            });
        }
    });
}

#[test]
fn a_model_server_behind_a_unix_socket_is_reached_and_so_is_the_agent_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let (server, door) = (
        folder.path().join("model.sock"),
        folder.path().join("agent.sock"),
    );
    model(&server);
    let (_state, agent) = agent_of(|c| {
        c.upstream = Some(format!("unix:{}", server.display()));
        c.listen_unix = Some(door.clone());
    });
    let request = b"GET /x HTTP/1.1\r\nHost: m\r\n\r\n";
    for _ in 0..3 {
        let answer = ask(agent.port, request);
        assert_eq!(
            (answer.header("X-Case"), &*answer.text()),
            (Some("Kept"), "ok")
        );
    }
    let mut stream = UnixStream::connect(&door).unwrap();
    for _ in 0..3 {
        stream.write_all(request).unwrap();
        let mut answer = vec![0; ANSWER.len()];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(String::from_utf8(answer).unwrap(), ANSWER);
    }
    assert_eq!(agent.metric("clause9_exchanges_seen_total"), 6);
    let ready = ask(agent.admin, b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(ready.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grpc_passes_over_unix_sockets_with_and_without_saying_so() {
    for scheme in ["unix", "unix+h2c"] {
        let folder = tempfile::tempdir().unwrap();
        let (path, door) = (
            folder.path().join("model.sock"),
            folder.path().join("agent.sock"),
        );
        let listener = AsyncListener::bind(&path).unwrap();
        let model = Model2::start().await;
        let served = model.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(served.clone().serve(stream));
            }
        });
        let (_state, agent) = agent_of(|c| {
            c.upstream = Some(format!("{scheme}:{}", path.display()));
            c.listen_unix = Some(door.clone());
        });
        let mut by_tcp = client(agent.port).await;
        let stream = tokio::net::UnixStream::connect(&door).await.unwrap();
        let mut by_unix = client_on(stream).await;
        for sender in [&mut by_tcp, &mut by_unix] {
            let got = ask2(sender, grpc("/echo"), b"hello").await.unwrap();
            assert_eq!(got.body, b"hello");
            assert_eq!(got.trailers.unwrap()["grpc-status"], "0");
        }
    }
}

#[test]
fn a_socket_that_nobody_listens_on_is_502_and_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let (_state, agent) = agent_of(|c| {
        c.upstream = Some(format!(
            "unix:{}",
            folder.path().join("nobody.sock").display()
        ));
    });
    assert_eq!(ask(agent.port, &infer("a", 1, "")).status(), 502);
    let ready = ask(agent.admin, b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(ready.status(), 503);
}
