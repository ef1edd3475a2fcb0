//! Streams of events, uploads and downloads through the agent: passed on piece by piece, never held,
//! never kept whole.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

use crate::agent_world::{Running, connect, until};
use crate::streams_world::{PATIENCE, agent_of};

const TRUNCATED: &str = "clause9_exchanges_undecodable_total{reason=\"truncated\"}";
const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

fn head_of(stream: &mut TcpStream) -> Vec<u8> {
    let (mut head, mut byte) = (Vec::new(), [0; 1]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    head
}

/// Reads a request with a body of two bytes: what is left unread would break the connection off.
fn request_of(stream: &mut TcpStream) {
    head_of(stream);
    stream.read_exact(&mut [0; 2]).unwrap();
}

/// The next connection through a new agent: the client's end and the model server's.
fn both_ends(request: &[u8]) -> (tempfile::TempDir, Running, TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (folder, agent) = agent_of(|c| c.upstream = Some(format!("http://127.0.0.1:{port}")));
    let mut client = connect(agent.port);
    client.write_all(request).unwrap();
    let (server, _) = listener.accept().unwrap();
    server.set_nodelay(true).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    (folder, agent, client, server)
}

fn chunk(data: &str) -> String {
    format!("{:X}\r\n{data}\r\n", data.len())
}

#[test]
fn each_event_is_with_the_client_before_the_server_sends_the_next_in_the_chunk_it_came_in() {
    let request = b"POST /v2/models/toy/infer HTTP/1.1\r\nHost: m\r\nContent-Length: 2\r\n\r\n{}";
    let (_folder, _agent, mut client, mut server) = both_ends(request);
    request_of(&mut server);
    server.write_all(HEAD).unwrap();
    assert_eq!(head_of(&mut client), HEAD);
    for n in 0..100 {
        let event = chunk(&format!("data: {n} {}\n\n", "x".repeat(n * 37)));
        server.write_all(event.as_bytes()).unwrap();
        let mut arrived = vec![0; event.len()];
        client.read_exact(&mut arrived).unwrap();
        assert_eq!(String::from_utf8(arrived).unwrap(), event);
    }
    // Several in one write stay several.
    let three: String = ["a", "bc", "def"].map(chunk).concat();
    server
        .write_all(format!("{three}0\r\n\r\n").as_bytes())
        .unwrap();
    let mut arrived = vec![0; three.len() + 5];
    client.read_exact(&mut arrived).unwrap();
    assert_eq!(
        String::from_utf8(arrived).unwrap(),
        format!("{three}0\r\n\r\n")
    );
}

#[test]
fn the_server_has_the_beginning_of_a_body_before_the_client_sends_its_end() {
    let request =
        b"POST /v2/models/toy/infer HTTP/1.1\r\nHost: m\r\nContent-Length: 10\r\n\r\nfirst";
    let (_folder, _agent, mut client, mut server) = both_ends(request);
    head_of(&mut server);
    let mut half = [0; 5];
    server.read_exact(&mut half).unwrap();
    assert_eq!(&half, b"first");
    client.write_all(b"other").unwrap();
    server.read_exact(&mut half).unwrap();
    assert_eq!(&half, b"other");
}

#[test]
fn a_stream_longer_than_is_captured_passes_whole_and_is_said_to_be_truncated() {
    let request = b"POST /v2/models/toy/infer HTTP/1.1\r\nHost: m\r\nContent-Length: 2\r\n\r\n{}";
    let (_folder, agent, mut client, mut server) = both_ends(request);
    let events: String = (0..3000)
        .map(|n| chunk(&format!("data: {n:01000}\n\n")))
        .collect();
    let whole = [HEAD, events.as_bytes(), b"0\r\n\r\n"].concat();
    let sent = whole.clone();
    let writer = std::thread::spawn(move || {
        request_of(&mut server);
        server.write_all(&sent).unwrap();
    });
    let mut arrived = vec![0; whole.len()];
    client.read_exact(&mut arrived).unwrap();
    writer.join().unwrap();
    // A chunk that lay across two reads may have become two; the events are the same.
    let data = |bytes: &[u8]| bytes.iter().filter(|b| b.is_ascii_digit()).count();
    assert!(data(&arrived) > 2_900_000);
    drop(client);
    agent.wait(TRUNCATED, 1);
    until("budget given back", || {
        agent.metric("clause9_capture_queue_bytes") == 0
    });
}

#[test]
fn a_client_that_does_not_read_stops_the_server_and_nothing_piles_up_in_the_agent() {
    const WHOLE: usize = 256 << 20;
    let request = b"POST /v2/models/toy/infer HTTP/1.1\r\nHost: m\r\nContent-Length: 2\r\n\r\n{}";
    let (_folder, agent, mut client, mut server) = both_ends(request);
    let written = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&written);
    let writer = std::thread::spawn(move || {
        request_of(&mut server);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {WHOLE}\r\n\r\n");
        server.write_all(head.as_bytes()).unwrap();
        let block = vec![b'x'; 1 << 16];
        for _ in 0..WHOLE / block.len() {
            server.write_all(&block).unwrap();
            counted.fetch_add(block.len(), Ordering::SeqCst);
        }
    });
    // What the kernel holds for four sockets is some megabytes each; the rest has to wait.
    let mut before = usize::MAX;
    until("the server to be stopped", || {
        let now = written.load(Ordering::SeqCst);
        let still = now > 0 && now == std::mem::replace(&mut before, now);
        std::thread::sleep(Duration::from_millis(200));
        still
    });
    assert!(
        before < WHOLE / 4,
        "{before} bytes were taken from the server"
    );
    assert!(agent.metric("clause9_capture_queue_bytes") <= 2 << 20);
    head_of(&mut client);
    let mut rest = vec![0; 1 << 20];
    let mut read = 0;
    while read < WHOLE {
        match client.read(&mut rest).unwrap() {
            0 => panic!("the answer broke off after {read} bytes"),
            n => read += n,
        }
    }
    writer.join().unwrap();
    agent.wait(TRUNCATED, 1);
}

#[test]
fn a_client_that_leaves_a_stream_takes_the_servers_connection_with_it() {
    let request = b"GET /events HTTP/1.1\r\nHost: m\r\n\r\n";
    let (_folder, _agent, mut client, mut server) = both_ends(request);
    head_of(&mut server);
    server.write_all(HEAD).unwrap();
    head_of(&mut client);
    client.shutdown(Shutdown::Both).unwrap();
    drop(client);
    let mut byte = [0; 1];
    assert!(
        matches!(server.read(&mut byte), Ok(0) | Err(_)),
        "the connection ended"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes 4,000 sockets; run it by name"]
async fn a_thousand_streams_of_events_at_once_each_get_every_event_in_time() {
    const STREAMS: usize = 1000;
    const EVENTS: usize = 20;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (next, told) = watch::channel(0);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut told = told.clone();
            tokio::spawn(async move {
                let mut head = [0; 1024];
                let _ = stream.read(&mut head).await.unwrap();
                stream.write_all(HEAD).await.unwrap();
                for n in 1..=EVENTS {
                    told.wait_for(|t| *t >= n).await.unwrap();
                    stream.write_all(event(n).as_bytes()).await.unwrap();
                }
                stream.write_all(b"0\r\n\r\n").await.unwrap();
            });
        }
    });
    let (_folder, agent) = agent_of(|c| c.upstream = Some(format!("http://127.0.0.1:{port}")));
    let request = b"POST /v2/models/toy/infer HTTP/1.1\r\nHost: m\r\nContent-Length: 2\r\n\r\n{}";
    let mut clients = Vec::new();
    for _ in 0..STREAMS {
        let address = ("127.0.0.1", agent.port);
        let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
        client.write_all(request).await.unwrap();
        clients.push(client);
    }
    for client in &mut clients {
        let mut head = vec![0; HEAD.len()];
        client.read_exact(&mut head).await.unwrap();
        assert_eq!(head, HEAD);
    }
    for n in 1..=EVENTS {
        next.send(n).unwrap();
        for client in &mut clients {
            let mut arrived = vec![0; event(n).len()];
            client.read_exact(&mut arrived).await.unwrap();
            assert_eq!(arrived, event(n).as_bytes());
        }
        assert!(agent.metric("clause9_capture_queue_bytes") <= 32 << 20);
    }
    drop(clients);
    until("budget given back", || {
        agent.metric("clause9_capture_queue_bytes") == 0
    });
}

fn event(n: usize) -> String {
    chunk(&format!("data: {n} {}\n\n", "y".repeat(200)))
}
