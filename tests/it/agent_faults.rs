//! Faults of the monitoring: the model's clients see nothing of them, each is counted, and each test
//! proves that its fault bit.

#![expect(
    clippy::unnecessary_wraps,
    reason = "all model servers have one signature"
)]

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clause9_agent::decode::Decoders;
use clause9_shared::window::{DropReason, UndecodableReason};
use clause9_tests::faulty::Faulty;

use crate::agent_world::{
    Door, Model, Raw, Running, ask, config, connect, infer, read_message, toy, until,
};

fn answers(request: &Raw, stream: &mut TcpStream) -> Option<Vec<u8>> {
    if request.header("x-slow").is_some() {
        std::thread::sleep(Duration::from_millis(1500));
    }
    let _ = stream;
    Some(toy(request))
}

static STALLED: AtomicBool = AtomicBool::new(false);

fn stalled() -> bool {
    STALLED.load(Ordering::Relaxed)
}

static FAULTY: Decoders = &[&Faulty { stalled }];
const TIME: &str = "X-Event-Time: 2020-01-01T00:00:10Z\r\n";

#[test]
fn a_panicking_monitor_costs_one_exchange_and_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let (model, door) = (Model::start(answers), Door::open(&[]));
    let agent = Running::start_with(config(folder.path(), model.port, Some(door.port)), FAULTY);
    agent.set_clock("2020-01-01T00:00:00Z");
    let mut stream = connect(agent.port);
    for i in 0..30 {
        let extra = if i % 3 == 0 {
            "X-Request-Id: panic\r\n"
        } else {
            ""
        };
        std::io::Write::write_all(
            &mut stream,
            &infer(&format!("p-{i}"), 1, &format!("{TIME}{extra}")),
        )
        .unwrap();
        assert_eq!(read_message(&mut stream, false).unwrap().status(), 200);
    }
    agent.set_clock("2020-01-01T00:01:10Z");
    agent.wait("clause9_monitor_restarts_total", 10);
    until("the pane", || !door.items().is_empty());
    let coverage = door.coverage();
    assert_eq!((coverage.seen, coverage.sampled), (30, 20));
    assert_eq!(coverage.dropped[DropReason::MonitorDown as usize], 10);
}

#[test]
fn a_stalled_monitor_sheds_and_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (model, door) = (Model::start(answers), Door::open(&[]));
    let mut small = config(folder.path(), model.port, Some(door.port));
    small.limits.queue_exchanges = 8;
    let agent = Running::start_with(small, FAULTY);
    agent.set_clock("2020-01-01T00:00:00Z");
    STALLED.store(true, Ordering::Relaxed);
    ask(
        agent.port,
        &infer("s", 1, &format!("{TIME}X-Request-Id: stall\r\n")),
    );
    std::thread::sleep(Duration::from_millis(50));
    for i in 0..40 {
        assert_eq!(
            ask(agent.port, &infer(&format!("s-{i}"), 1, TIME)).status(),
            200
        );
    }
    let full = agent.metric("clause9_exchanges_dropped_total{reason=\"queue_full\"}");
    STALLED.store(false, Ordering::Relaxed);
    assert!(full >= 30, "{full}");
    agent.set_clock("2020-01-01T00:01:10Z");
    until("the pane", || !door.items().is_empty());
    let coverage = door.coverage();
    assert_eq!(coverage.seen, 41);
    assert_eq!(coverage.dropped[DropReason::QueueFull as usize], full);
    assert_eq!(coverage.sampled + coverage.dropped_total(), 41);
}

#[test]
fn bodies_beyond_the_byte_budget_pass_and_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (model, door) = (Model::start(answers), Door::open(&[]));
    let mut small = config(folder.path(), model.port, Some(door.port));
    small.limits.queue_bytes = 12_000;
    small.limits.body_bytes = 12_000;
    let agent = Running::start(small);
    agent.set_clock("2020-01-01T00:00:00Z");
    assert_eq!(ask(agent.port, &infer("a", 2000, TIME)).status(), 200);
    agent.set_clock("2020-01-01T00:01:10Z");
    until("the pane", || !door.items().is_empty());
    assert_eq!(
        door.coverage().dropped[DropReason::CaptureBudget as usize],
        1
    );
    assert_eq!(agent.metric("clause9_capture_queue_bytes"), 0);
}

#[test]
fn a_long_upload_under_way_keeps_nobody_else_out_of_the_budget() {
    let folder = tempfile::tempdir().unwrap();
    let (model, door) = (Model::start(answers), Door::open(&[]));
    let mut small = config(folder.path(), model.port, Some(door.port));
    small.limits.body_bytes = 32 << 10;
    small.limits.queue_bytes = 40 << 10;
    let agent = Running::start(small);
    agent.set_clock("2020-01-01T00:00:00Z");
    let long = infer("long", 250_000, TIME);
    let mut upload = connect(agent.port);
    let (begun, rest) = long.split_at(300_000);
    upload.write_all(begun).unwrap();
    // Beyond what is captured of a body: nothing is held of it any more.
    until("the upload is beyond its bound", || {
        agent.metric("clause9_capture_queue_bytes") == 0
    });
    assert_eq!(ask(agent.port, &infer("a", 2000, TIME)).status(), 200);
    upload.write_all(rest).unwrap();
    assert_eq!(read_message(&mut upload, false).unwrap().status(), 200);
    agent.set_clock("2020-01-01T00:01:10Z");
    until("the pane", || !door.items().is_empty());
    let coverage = door.coverage();
    assert_eq!(coverage.dropped_total(), 0, "{coverage:?}");
    assert_eq!((coverage.seen, coverage.sampled), (2, 1));
    assert_eq!(
        coverage.undecodable[UndecodableReason::Truncated as usize],
        1
    );
}

#[test]
fn an_exchange_still_under_way_when_its_pane_closes_is_unfinished() {
    let folder = tempfile::tempdir().unwrap();
    let (model, door) = (Model::start(answers), Door::open(&[]));
    let agent = Running::start(config(folder.path(), model.port, Some(door.port)));
    agent.set_clock("2020-01-01T00:00:00Z");
    let port = agent.port;
    let slow =
        std::thread::spawn(move || ask(port, &infer("slow", 1, &format!("{TIME}X-Slow: 1\r\n"))));
    std::thread::sleep(Duration::from_millis(300));
    agent.set_clock("2020-01-01T00:01:10Z");
    assert_eq!(slow.join().unwrap().status(), 200);
    agent.wait("clause9_late_exchanges_total", 1);
    until("the pane", || !door.items().is_empty());
    let coverage = door.coverage();
    assert_eq!(
        (
            coverage.seen,
            coverage.dropped[DropReason::Unfinished as usize]
        ),
        (1, 1)
    );
}

/// Traffic and two panes while the state folder takes no writes.
fn with_a_bad_outbox(agent: &Running, door: &Door) {
    agent.set_clock("2020-01-01T00:00:00Z");
    for i in 0..10 {
        assert_eq!(
            ask(agent.port, &infer(&format!("d-{i}"), 1, TIME)).status(),
            200
        );
    }
    agent.set_clock("2020-01-01T00:02:10Z");
    until("the panes", || door.coverage().sampled == 10);
    agent.wait("clause9_state_write_failures_total{what=\"outbox\"}", 1);
}

#[test]
fn a_state_folder_that_takes_no_files_is_counted_and_batches_arrive_from_memory() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::start(answers);
    let busy = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    let door = Door::open(&[busy, busy]);
    let config = config(folder.path(), model.port, Some(door.port));
    std::fs::create_dir_all(&config.state_dir).unwrap();
    std::fs::write(config.state_dir.join("outbox"), "in the way").unwrap();
    let agent = Running::start(config);
    with_a_bad_outbox(&agent, &door);
}

#[test]
fn four_deliveries_of_outcomes_are_read_at_once_and_a_fifth_waits_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::start(answers);
    let agent = Running::start(config(folder.path(), model.port, None));
    let body = r#"{"request_id":"a","label":1,"available_at":"2026-01-01T00:00:00Z"}"#;
    let (begun, rest) = body.split_at(10);
    let head = format!(
        "POST /outcomes HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        agent.token(),
        body.len()
    );
    let slow = || {
        let mut stream = connect(agent.outcomes);
        stream.write_all((head.clone() + begun).as_bytes()).unwrap();
        stream
    };
    let mut slow: Vec<_> = (0..4).map(|_| slow()).collect();
    // Long enough for the four to be at it.
    std::thread::sleep(Duration::from_millis(300));
    let mut fifth = connect(agent.outcomes);
    fifth.write_all((head.clone() + body).as_bytes()).unwrap();
    fifth
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    assert!(fifth.peek(&mut [0]).is_err(), "it had to wait");
    slow[0].write_all(rest.as_bytes()).unwrap();
    fifth
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    for stream in [&mut slow[0], &mut fifth] {
        assert_eq!(read_message(stream, false).unwrap().status(), 200);
    }
    agent.stop();
}
