//! Announced bodies (`expect: 100-continue`): nobody waits for longer than without the agent, and no
//! word is passed on that the server did not give.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::agent_world::{Running, connect, read_message};
use crate::streams_world::agent_of;

/// Less than the agent waits for a word of the server's.
const AT_ONCE: Duration = Duration::from_millis(700);
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn head(path: &str, framing: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: m\r\nExpect: 100-continue\r\n{framing}\r\n\r\n")
}

/// Reads until that was read.
fn read_to(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let (mut read, mut byte) = (Vec::new(), [0; 1]);
    while !read.ends_with(end) {
        stream.read_exact(&mut byte).unwrap();
        read.push(byte[0]);
    }
    read
}

/// An agent before a server that says nothing until a whole body came, and asks for it never.
fn before_a_silent_server(ends_in: &'static [u8]) -> (tempfile::TempDir, Running) {
    let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                loop {
                    read_to(&mut stream, b"\r\n\r\n");
                    read_to(&mut stream, ends_in);
                    stream.write_all(OK).unwrap();
                }
            });
        }
    });
    agent_of(|c| c.upstream = Some(format!("http://127.0.0.1:{port}")))
}

#[test]
fn a_body_that_comes_with_its_head_does_not_wait_and_nobody_is_said_to_have_asked_for_it() {
    let (_folder, agent) = before_a_silent_server(b"end");
    let mut client = connect(agent.port);
    for framing in ["Content-Length: 3", "Content-Length: 7"] {
        let body = if framing.ends_with('3') {
            "end"
        } else {
            "the end"
        };
        let begun = Instant::now();
        let whole = head("/x", framing) + body;
        client.write_all(whole.as_bytes()).unwrap();
        let answer = read_message(&mut client, false).unwrap();
        assert_eq!((answer.status(), answer.text().as_str()), (200, "ok"));
        assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    }
}

#[test]
fn a_body_in_chunks_that_comes_whole_does_not_wait() {
    let (_folder, agent) = before_a_silent_server(b"0\r\n\r\n");
    let mut client = connect(agent.port);
    let begun = Instant::now();
    let whole = head("/x", "Transfer-Encoding: chunked") + "2\r\n{}\r\n0\r\n\r\n";
    client.write_all(whole.as_bytes()).unwrap();
    assert_eq!(read_message(&mut client, false).unwrap().status(), 200);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
}

#[test]
fn a_body_that_comes_a_little_later_is_passed_on_when_it_comes() {
    let (_folder, agent) = before_a_silent_server(b"end");
    let mut client = connect(agent.port);
    for _ in 0..2 {
        let begun = Instant::now();
        client
            .write_all(head("/x", "Content-Length: 3").as_bytes())
            .unwrap();
        std::thread::sleep(Duration::from_millis(150));
        client.write_all(b"end").unwrap();
        assert_eq!(read_message(&mut client, false).unwrap().status(), 200);
        assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    }
}

#[test]
fn a_client_that_waits_is_asked_by_the_server_or_after_a_second_by_the_agent() {
    let (_folder, agent) = before_a_silent_server(b"end");
    let mut client = connect(agent.port);
    client
        .write_all(head("/x", "Content-Length: 3").as_bytes())
        .unwrap();
    let begun = Instant::now();
    assert_eq!(read_message(&mut client, true).unwrap().status(), 100);
    assert!(begun.elapsed() > AT_ONCE);
    client.write_all(b"end").unwrap();
    assert_eq!(read_message(&mut client, false).unwrap().status(), 200);

    let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    let (_folder, agent) = agent_of(|c| c.upstream = Some(format!("http://127.0.0.1:{port}")));
    let mut client = connect(agent.port);
    let begun = Instant::now();
    client
        .write_all(head("/x", "Content-Length: 3").as_bytes())
        .unwrap();
    let (mut served, _) = server.accept().unwrap();
    read_to(&mut served, b"\r\n\r\n");
    served.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    assert_eq!(read_message(&mut client, true).unwrap().status(), 100);
    client.write_all(b"end").unwrap();
    read_to(&mut served, b"end");
    served.write_all(OK).unwrap();
    assert_eq!(read_message(&mut client, false).unwrap().status(), 200);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
}
