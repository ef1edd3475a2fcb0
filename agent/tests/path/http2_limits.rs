//! What one client of HTTP/2 may hold and do, and what happens beyond: flow control in both directions,
//! limits of a connection, floods, and the end.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::streams_world::{
    Model2, agent_for, ask2, client, eventually, futures_ready, grpc, low_byte, post, push, send,
};

/// What may lie between two ends that do not read: the receiver's window, and on our side what we let
/// the sender send ahead, what we hold for the receiver, and one read.
const BETWEEN: usize = 65_535 + 65_535 + (64 << 10) + (64 << 10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_slowly_stops_the_model_server_and_then_gets_everything() {
    let model = Model2::start().await;
    let (_folder, agent) = agent_for("h2c", model.port);
    let mut sender = client(agent.port).await;
    let (answer, _) = sender.send_request(post("/flood"), true).unwrap();
    let mut body = answer.await.unwrap().into_body();
    let (mut at, mut held_back) = (0, 0);
    while let Some(piece) = body.data().await {
        let piece = piece.unwrap();
        for (n, byte) in piece.iter().enumerate().step_by(997) {
            assert_eq!(*byte, low_byte(at + n), "byte {}", at + n);
        }
        at += piece.len();
        let ahead = model
            .sent
            .load(Ordering::SeqCst)
            .saturating_sub(at - held_back);
        assert!(ahead <= BETWEEN, "{ahead} bytes are held between the two");
        held_back += piece.len();
        if held_back >= 32 << 10 {
            if at < 1 << 20 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            body.flow_control().release_capacity(held_back).unwrap();
            held_back = 0;
        }
    }
    assert_eq!(at, 64 << 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_server_that_does_not_read_stops_the_client_and_no_other_stream() {
    let model = Model2::start().await;
    let (_folder, agent) = agent_for("h2c", model.port);
    let mut sender = client(agent.port).await;
    let taken = Arc::new(AtomicUsize::new(0));
    let mut held = Vec::new();
    // Some more than would fill a window of 1 MiB.
    for _ in 0..40 {
        futures_ready(&mut sender).await.unwrap();
        let (answer, stream) = sender.send_request(post("/never-reads"), false).unwrap();
        held.push(answer);
        let taken = Arc::clone(&taken);
        tokio::spawn(async move { push(stream, 8 << 20, &taken).await });
    }
    eventually("all to be under way", || {
        model.begun.load(Ordering::SeqCst) == 40
    })
    .await;
    for n in 0..20_u8 {
        let got = ask2(&mut sender, grpc("/echo"), &[n; 3000]).await.unwrap();
        assert_eq!(got.body, [n; 3000]);
    }
    let taken = taken.load(Ordering::SeqCst);
    assert!(
        taken <= 40 * BETWEEN,
        "{taken} bytes were taken from the client"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_streams_than_a_connection_takes_go_over_several_and_all_are_answered() {
    let model = Model2::start().await;
    let (_folder, agent) = agent_for("h2c", model.port);
    let mut sender = client(agent.port).await;
    let mut open = Vec::new();
    for _ in 0..300 {
        futures_ready(&mut sender).await.unwrap();
        open.push(sender.send_request(grpc("/chat"), false).unwrap());
    }
    for (answer, stream) in &mut open {
        let mut body = answer.await.unwrap().into_body();
        assert!(send(stream, "x".into()).await);
        assert_eq!(body.data().await.unwrap().unwrap(), "x");
    }
    let connections = model.connections.load(Ordering::SeqCst);
    assert!((3..=10).contains(&connections), "{connections} connections");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_has_limits_and_says_them() {
    let model = Model2::start().await;
    let (_folder, agent) = agent_for("h2c", model.port);
    let mut sender = client(agent.port).await;
    ask2(&mut sender, post("/echo"), b"x").await.unwrap();
    assert_eq!(sender.current_max_send_streams(), 1000);
    // A head of 60 KB passes; one of 70 KB does not, and no other request suffers.
    let with = |bytes: usize| {
        let mut request = post("/echo");
        for n in 0..bytes / 1000 {
            let name: http::HeaderName = format!("x-{n}").parse().unwrap();
            request
                .headers_mut()
                .insert(name, "v".repeat(950).parse().unwrap());
        }
        request
    };
    let got = ask2(&mut sender, with(60_000), b"x").await.unwrap();
    assert_eq!(got.head.status, 200);
    match ask2(&mut sender, with(70_000), b"x").await {
        Ok(got) => assert_eq!(got.head.status, 431),
        Err(error) => assert!(error.is_reset(), "{error}"),
    }
    assert_eq!(
        ask2(&mut sender, post("/echo"), b"x")
            .await
            .unwrap()
            .head
            .status,
        200
    );
    assert_eq!(model.seen.lock().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_two_readers_could_take_differently_are_refused_by_http2_too() {
    let model = Model2::start().await;
    let (_folder, agent) = agent_for("h2c", model.port);
    let mut sender = client(agent.port).await;
    let mut two_hosts = post("/echo");
    two_hosts
        .headers_mut()
        .insert("host", "evil.example".parse().unwrap());
    let got = ask2(&mut sender, two_hosts, b"").await.unwrap();
    assert_eq!(got.head.status, 400);
    let tunnel = Request::connect("evil.example:443").body(()).unwrap();
    let got = ask2(&mut sender, tunnel, b"").await.unwrap();
    assert_eq!(got.head.status, 405);
    let mut short = post("/echo");
    short
        .headers_mut()
        .insert("content-length", "5".parse().unwrap());
    assert!(ask2(&mut sender, short, b"body").await.is_err());
    // What a client's library would not send: fields of a connection, by hand.
    for (name, value) in [
        ("connection", "x"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "x"),
        ("keep-alive", "x"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", agent.port))
            .await
            .unwrap();
        let field = [
            &[0, length(name)][..],
            name.as_bytes(),
            &[length(value)],
            value.as_bytes(),
        ];
        let head = [&[0x83, 0x86, 0x84, 0x41, 1, b'm'][..], &field.concat()].concat();
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        stream.write_all(&frame(4, 0, 0, &[])).await.unwrap();
        stream.write_all(&frame(1, 5, 1, &head)).await.unwrap();
        // Until the stream or the connection is broken off.
        loop {
            let mut start = [0; 9];
            if stream.read_exact(&mut start).await.is_err() || matches!(start[3], 3 | 7) {
                break;
            }
            assert_ne!(start[3], 1, "{name} was answered");
            let payload = usize::from(start[1]) * 256 + usize::from(start[2]);
            stream.read_exact(&mut vec![0; payload]).await.unwrap();
        }
    }
    assert!(model.seen.lock().unwrap().is_empty());
    agent.wait("clause9_requests_refused_total{reason=\"ambiguous\"}", 1);
}

fn length(text: &str) -> u8 {
    u8::try_from(text.len()).unwrap()
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_takes_back_its_requests_without_end_is_shut_out_and_others_are_not() {
    let model = Model2::start().await;
    let (_folder, agent) = agent_for("h2c", model.port);
    let mut flood = tokio::net::TcpStream::connect(("127.0.0.1", agent.port))
        .await
        .unwrap();
    // The preface and empty settings; then frames by hand, so that each is really sent.
    flood
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    flood.write_all(&frame(4, 0, 0, &[])).await.unwrap();
    // GET / of the host `m`, from the static table (RFC 7541, appendix A).
    let get = [0x82, 0x86, 0x84, 0x41, 1, b'm'];
    let (mut stream, mut open) = (1_u32, true);
    for round in 1..=100_usize {
        for _ in 0..50 {
            open &= flood.write_all(&frame(1, 5, stream, &get)).await.is_ok();
            stream += 2;
        }
        let arrived = || model.begun.load(Ordering::SeqCst) >= round * 50;
        let mut buffer = [0; 4096];
        while open && !arrived() {
            let read = tokio::time::timeout(Duration::from_millis(5), flood.read(&mut buffer));
            open = !matches!(read.await, Ok(Ok(0) | Err(_)));
        }
        for back in (stream - 100..stream).step_by(2) {
            open &= flood
                .write_all(&frame(3, 0, back, &8_u32.to_be_bytes()))
                .await
                .is_ok();
        }
        if !open {
            break;
        }
    }
    assert!(!open, "5,000 requests were taken and taken back");
    agent.wait("clause9_requests_refused_total{reason=\"flood\"}", 1);
    let mut other = client(agent.port).await;
    assert_eq!(
        ask2(&mut other, post("/echo"), b"x").await.unwrap().body,
        b"x"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_end_clients_are_told_to_go_and_streams_under_way_finish() {
    let model = Model2::start().await;
    let (_folder, agent) = agent_for("h2c", model.port);
    let mut sender = client(agent.port).await;
    futures_ready(&mut sender).await.unwrap();
    let (answer, mut stream) = sender.send_request(grpc("/chat"), false).unwrap();
    let mut body = answer.await.unwrap().into_body();
    assert!(send(&mut stream, "before".into()).await);
    assert_eq!(body.data().await.unwrap().unwrap(), "before");
    let stopping = std::thread::spawn(move || agent.stop());
    let told = async {
        while futures_ready(&mut sender).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told)
        .await
        .expect("GOAWAY");
    assert!(send(&mut stream, "after".into()).await);
    assert_eq!(body.data().await.unwrap().unwrap(), "after");
    stream.send_data("".into(), true).unwrap();
    assert!(body.data().await.is_none());
    assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
    stopping.join().unwrap();
}
