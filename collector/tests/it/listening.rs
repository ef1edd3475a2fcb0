//! Whoever dawdles at the listener is cut or gives way, is counted, and keeps no batch out.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use clause9_collector::Limits;

use crate::world::{Agents, Files, Running};

/// A head of an upload that announces much, and the first bytes of it.
const HALF_UPLOAD: &str =
    "POST /v1/batches HTTP/1.1\r\nhost: t\r\ncontent-length: 16000000\r\n\r\nC9B1";
const HALF_HEAD: &str = "POST /v1/batches HTTP/1.1\r\nhost:";

fn dawdle(running: &Running, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(running.address).unwrap();
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).unwrap();
    stream.set_write_timeout(patience).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    stream
}

fn start(limits: Limits) -> Running {
    Running::with_limits(Files::new("127.0.0.1:0", &[1]), limits)
}

/// What comes until the other side ends.
fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    // A connection may also be reset; what came before counts.
    let _ = stream.read_to_end(&mut all);
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn more_dawdlers_than_places_keep_no_batch_out() {
    let running = start(Limits {
        connections: 12,
        ..Limits::default()
    });
    let agents = Agents::new();
    let mut held = Vec::new();
    for (h, text) in ["", HALF_HEAD, HALF_UPLOAD].into_iter().enumerate() {
        held.extend((0..16).map(|_| dawdle(&running, text)));
        let begun = Instant::now();
        let envelope = agents.hourly(1, u32::try_from(h).unwrap());
        assert_eq!(running.post(&envelope).status, 200);
        assert!(begun.elapsed() < Duration::from_secs(20), "it had to wait");
    }
    let displaced = running.metric("clause9_collector_connections_cut_total{reason=\"displaced\"}");
    assert!(displaced >= 36, "{displaced}");
    assert!(running.metric("clause9_collector_connections") <= 12);
    assert_eq!(rest(&mut held[0]), "", "the first one was cut");
}

#[test]
fn a_client_that_does_not_read_its_answers_gives_way_too() {
    let running = start(Limits {
        connections: 4,
        ..Limits::default()
    });
    // So many answers that they fit into no buffer on the way.
    let greedy = "GET /systems/loan HTTP/1.1\r\nhost: t\r\n\r\n".repeat(2000);
    let held: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = TcpStream::connect(running.address).unwrap();
            let patience = Duration::from_secs(2);
            stream.set_write_timeout(Some(patience)).unwrap();
            let _ = stream.write_all(greedy.as_bytes());
            stream
        })
        .collect();
    let begun = Instant::now();
    assert_eq!(running.post(&Agents::new().hourly(1, 0)).status, 200);
    assert!(begun.elapsed() < Duration::from_secs(20), "it had to wait");
    drop(held);
}

#[test]
fn idle_connections_are_cut_and_counted() {
    let running = start(Limits {
        idle: Duration::from_millis(500),
        ..Limits::default()
    });
    let begun = Instant::now();
    let mut held: Vec<_> = ["", HALF_HEAD, "", HALF_HEAD]
        .map(|text| dawdle(&running, text))
        .into();
    // One that was answered and then falls silent is idle as well.
    held.push(dawdle(&running, "GET /live HTTP/1.1\r\nhost: t\r\n\r\n"));
    for stream in &mut held {
        rest(stream);
    }
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(300), "{waited:?}");
    assert!(waited < Duration::from_secs(10), "{waited:?}");
    let idle = running.metric("clause9_collector_connections_cut_total{reason=\"idle\"}");
    assert_eq!(idle, 5);
}

#[test]
fn slow_uploads_are_answered_counted_and_in_nobodys_way() {
    let running = start(Limits {
        upload: Duration::from_secs(1),
        ..Limits::default()
    });
    let mut held: Vec<_> = (0..40).map(|_| dawdle(&running, HALF_UPLOAD)).collect();
    assert_eq!(running.post(&Agents::new().hourly(1, 0)).status, 200);
    for stream in &mut held {
        let answer = rest(stream);
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    let slow = running.metric("clause9_collector_connections_cut_total{reason=\"slow_body\"}");
    assert_eq!(slow, 40);
}

#[test]
fn the_memory_that_bodies_take_is_bounded_and_comes_back() {
    // So long that a slow machine has sent all of them before the first one is given up.
    let running = start(Limits {
        upload: Duration::from_mins(2),
        ..Limits::default()
    });
    let body = vec![0; 15_900_000];
    // Nine of them are more than there is room for; none is complete.
    let held: Vec<_> = (0..9)
        .map(|_| {
            let mut stream = dawdle(&running, HALF_UPLOAD);
            let _ = stream.write_all(&body);
            stream
        })
        .collect();
    let unavailable = "clause9_collector_batches_total{result=\"unavailable\"}";
    let begun = Instant::now();
    while running.metric(unavailable) == 0 {
        assert!(begun.elapsed() < Duration::from_mins(1), "all had room");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(held);
    let envelope = Agents::new().hourly(1, 0);
    while running.post(&envelope).status != 200 {
        assert!(
            begun.elapsed() < Duration::from_mins(1),
            "no room came back"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}
