//! From traffic to signed batches at the collector's door: panes, outcomes, refusals, restarts.

#![expect(
    clippy::unnecessary_wraps,
    reason = "all model servers have one signature"
)]

use std::time::Duration;

use clause9_shared::time::Timestamp;
use clause9_shared::window::{DropReason, UndecodableReason};
use clause9_shared::wire::batch::Stream;

use crate::agent_world::{Door, Model, Raw, Running, ask, config, infer, toy, until};

fn answers(request: &Raw, _: &mut std::net::TcpStream) -> Option<Vec<u8>> {
    if request.head.starts_with("POST /v2/models/toy/infer") {
        return Some(toy(request));
    }
    Some(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec())
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a point in time")
}

fn timed(id: &str, rows: usize, time: &str) -> Vec<u8> {
    infer(id, rows, &format!("X-Event-Time: {time}\r\n"))
}

fn twenty_requests_and_a_health_check(agent: &Running) {
    for i in 0..20 {
        let answer = ask(
            agent.port,
            &timed(&format!("r-{i}"), 2, "2020-01-01T00:00:10Z"),
        );
        assert_eq!(answer.status(), 200);
    }
    ask(
        agent.port,
        b"GET /v2/health/ready HTTP/1.1\r\nHost: m\r\nX-Event-Time: 2020-01-01T00:00:11Z\r\n\r\n",
    );
}

/// A label for the second row of each of the first `n` requests, one per line.
fn labels(n: usize) -> String {
    let label = |i| {
        serde_json::json!({
            "request_id": format!("r-{i}"),
            "row": 1,
            "label": 1,
            "available_at": "2020-01-01T00:01:20Z",
        })
    };
    (0..n).fold(String::new(), |text, i| text + &label(i).to_string() + "\n")
}

#[test]
fn a_panes_traffic_and_late_outcomes_arrive_signed_and_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let (model, door) = (Model::start(answers), Door::open(&[]));
    let agent = Running::start(config(folder.path(), model.port, Some(door.port)));
    agent.set_clock("2020-01-01T00:00:00Z");
    twenty_requests_and_a_health_check(&agent);
    let answer = agent.set_clock("2020-01-01T00:01:05Z");
    assert_eq!(answer, r#"{"watermark":"2020-01-01T00:01:00Z","closed":1}"#);
    // Late for its pane: counted in the one that is open.
    ask(agent.port, &timed("late", 1, "2020-01-01T00:00:59Z"));

    let labels = labels(10);
    let token = agent.token();
    let report = agent.post_outcomes(&token, "application/x-ndjson", &format!("{labels}oops\n"));
    assert_eq!(
        report.text(),
        r#"{"joined":10,"repeated":0,"waiting":0,"unknown_row":0,"unlisted_value":0,"dropped":0,"sampled_out":0,"malformed":[{"line":11,"error":"not JSON at column 1"}]}"#
    );
    assert_eq!(
        agent
            .post_outcomes("wrong", "application/json", "{}")
            .status(),
        401
    );
    agent.set_clock("2020-01-01T00:03:05Z");
    until("three panes", || door.items().len() >= 5);

    let coverage = door.coverage();
    assert_eq!(
        (coverage.seen, coverage.sampled, coverage.rows),
        (22, 20, 40)
    );
    assert_eq!(
        (
            coverage.not_inference,
            coverage.dropped[DropReason::TooLate as usize]
        ),
        (1, 1)
    );
    let outcome = door.items().into_iter().find_map(|item| match item.stream {
        Stream::Outcomes { arrival, coverage } => Some((item.pane.0, arrival.0, coverage.labels)),
        Stream::Traffic(_) => None,
    });
    assert_eq!(
        outcome,
        Some((at("2020-01-01T00:00:00Z"), at("2020-01-01T00:01:00Z"), 10))
    );
    let batches = door.batches.lock().unwrap().clone();
    assert!(batches.iter().zip(1..).all(|(b, n)| b.sequence.0 == n));
    assert_eq!(
        batches.last().unwrap().watermark,
        at("2020-01-01T00:03:00Z")
    );
    assert_eq!(
        agent.metric("clause9_outcomes_total{fate=\"unauthorized\"}"),
        1
    );
    assert_eq!(agent.metric("clause9_metric_support{metric=\"accuracy\",objective=\"right-enough\",scope=\"replica\",system=\"toy\"}"), 0);
    until("an empty outbox", || {
        agent.metric("clause9_outbox_batches") == 0
    });
    assert_eq!(agent.metric("clause9_outbox_unwritten_bytes"), 0);
}

#[test]
fn a_collector_that_is_away_or_busy_gets_everything_later_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::start(answers);
    let busy = "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
    let stranger = "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello";
    let free = Door::open(&[]).port;
    // Nobody listens there yet.
    let port = clause9_tests::process::free_port().unwrap();
    assert_ne!(free, port);
    let agent = Running::start(config(folder.path(), model.port, Some(port)));
    agent.set_clock("2020-01-01T00:00:00Z");
    for minute in 0..4 {
        assert_eq!(
            ask(
                agent.port,
                &timed(
                    &format!("m-{minute}"),
                    1,
                    &format!("2020-01-01T00:0{minute}:30Z")
                )
            )
            .status(),
            200
        );
        agent.set_clock(&format!("2020-01-01T00:0{}:10Z", minute + 1));
    }
    agent.wait("clause9_batches_total{result=\"failed\"}", 1);
    assert_eq!(agent.metric("clause9_outbox_batches"), 4);
    let door = Door::open_at(port, &[busy, stranger]);
    until("all batches", || door.batches.lock().unwrap().len() == 4);
    let order: Vec<u64> = door
        .batches
        .lock()
        .unwrap()
        .iter()
        .map(|b| b.sequence.0)
        .collect();
    // A batch that was answered in a strange way a while ago lets others go first.
    let mut order = order;
    order.sort_unstable();
    assert_eq!(order, [1, 2, 3, 4]);
    assert_eq!((door.coverage().seen, door.coverage().sampled), (4, 4));
    assert!(agent.metric("clause9_batches_total{result=\"failed\"}") >= 3);
}

#[test]
fn a_restart_sends_again_what_was_not_stored_and_open_panes_are_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::start(answers);
    let agent = Running::start(config(folder.path(), model.port, Some(1)));
    agent.set_clock("2020-01-01T00:00:00Z");
    ask(agent.port, &timed("a", 1, "2020-01-01T00:00:30Z"));
    agent.set_clock("2020-01-01T00:01:05Z");
    ask(agent.port, &timed("b", 1, "2020-01-01T00:01:30Z"));
    agent.stop();
    let door = Door::open(&[]);
    let again = Running::start(config(folder.path(), model.port, Some(door.port)));
    until("both batches", || door.batches.lock().unwrap().len() == 2);
    let batches = door.batches.lock().unwrap().clone();
    assert_eq!(door.coverage().sampled, 2);
    // The pane that was open when the agent stopped is not claimed to be closed.
    assert!(
        batches
            .iter()
            .all(|b| b.watermark == at("2020-01-01T00:01:00Z"))
    );
    assert_eq!(
        again.metric("clause9_outbox_dropped_total{reason=\"outbox_full\"}"),
        0
    );
}

#[test]
fn an_agent_that_is_not_known_yet_keeps_its_batches_until_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::start(answers);
    let unknown = "HTTP/1.1 403 Forbidden\r\nContent-Length: 49\r\n\r\n{\"refused\":\"unknown_agent\",\"detail\":\"not listed\"}";
    let door = Door::open(&[unknown, unknown]);
    let agent = Running::start(config(folder.path(), model.port, Some(door.port)));
    agent.set_clock("2020-01-01T00:00:00Z");
    agent.set_clock("2020-01-01T00:01:10Z");
    agent.wait("clause9_items_refused_total{reason=\"unknown_agent\"}", 2);
    until("the batch", || door.batches.lock().unwrap().len() == 1);
    assert_eq!(door.batches.lock().unwrap()[0].sequence.0, 1);
    let status = ask(agent.admin, b"GET /status HTTP/1.1\r\nHost: a\r\n\r\n");
    let status: serde_json::Value = serde_json::from_slice(&status.body).unwrap();
    assert_eq!(status["refused"].as_array().map(Vec::len), Some(1));
    assert_eq!(status["refused"][0]["reason"], "unknown_agent");
}

#[test]
fn what_the_collector_refuses_is_shown_and_not_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::start(answers);
    let body = r#"{"refused":"bad_coverage","detail":"not listed"}"#;
    assert_eq!(body.len(), 48);
    let door = Door::open(&[
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 48\r\n\r\n{\"refused\":\"bad_coverage\",\"detail\":\"not listed\"}",
    ]);
    let agent = Running::start(config(folder.path(), model.port, Some(door.port)));
    agent.set_clock("2020-01-01T00:00:00Z");
    agent.set_clock("2020-01-01T00:01:10Z");
    agent.wait("clause9_items_refused_total{reason=\"bad_coverage\"}", 1);
    agent.set_clock("2020-01-01T00:02:10Z");
    until("the next batch", || door.batches.lock().unwrap().len() == 1);
    assert_eq!(door.batches.lock().unwrap()[0].sequence.0, 2);
    let status = ask(agent.admin, b"GET /status HTTP/1.1\r\nHost: a\r\n\r\n");
    let status: serde_json::Value = serde_json::from_slice(&status.body).unwrap();
    assert_eq!(status["refused"][0]["reason"], "bad_coverage");
    assert_eq!(
        (&status["system"], &status["clock"]),
        (&"toy".into(), &"replay".into())
    );
}

/// Three MiB of nothing in three KiB.
fn bomb() -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packed, &vec![0; 3 << 20]).expect("memory takes it");
    packed.finish().expect("memory takes it")
}

#[test]
fn undecodable_exchanges_have_their_reasons_at_the_collector() {
    fn answers(request: &Raw, _: &mut std::net::TcpStream) -> Option<Vec<u8>> {
        let model = request.header("x-answer").unwrap();
        Some(match model {
            "error" => b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_vec(),
            "noise" => b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{{{{".to_vec(),
            "packed" => {
                b"HTTP/1.1 200 OK\r\nContent-Encoding: pack200\r\nContent-Length: 4\r\n\r\n{{{{"
                    .to_vec()
            }
            "bomb" => {
                let bomb = bomb();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
                    bomb.len()
                );
                [head.as_bytes(), &bomb].concat()
            }
            "other" => String::from_utf8(toy(request))
                .unwrap()
                .replace("\"toy\"", "\"yot\"")
                .into_bytes(),
            "lacks" => String::from_utf8(toy(request))
                .unwrap()
                .replace("\"p\"", "\"q\"")
                .into_bytes(),
            _ => toy(request),
        })
    }
    let folder = tempfile::tempdir().unwrap();
    let (model, door) = (Model::start(answers), Door::open(&[]));
    let mut small = config(folder.path(), model.port, Some(door.port));
    small.limits.body_bytes = 4096;
    let agent = Running::start(small);
    agent.set_clock("2020-01-01T00:00:00Z");
    for (rows, answer) in [
        (1, "error"),
        (1, "noise"),
        (1, "packed"),
        (1, "bomb"),
        (1, "other"),
        (1, "lacks"),
        (2000, "toy"),
        (1, "toy"),
    ] {
        let headers = format!("X-Answer: {answer}\r\nX-Event-Time: 2020-01-01T00:00:10Z\r\n");
        ask(agent.port, &infer(answer, rows, &headers));
    }
    agent.set_clock("2020-01-01T00:01:10Z");
    until("the pane", || !door.items().is_empty());
    let coverage = door.coverage();
    assert_eq!((coverage.seen, coverage.sampled), (8, 1));
    for reason in UndecodableReason::ALL {
        assert_eq!(
            coverage.undecodable[*reason as usize],
            1,
            "{}",
            reason.as_str()
        );
    }
    assert_eq!((coverage.truncated, coverage.upstream_errors), (1, 1));
}

#[test]
fn the_replay_clock_is_refused_on_a_live_agent() {
    let folder = tempfile::tempdir().unwrap();
    let mut live = config(folder.path(), 1, None);
    live.clock = clause9_shared::time::Clock::Live;
    let agent = Running::start(live);
    let body = r#"{"now":"2020-01-01T00:00:00Z"}"#;
    let request = format!(
        "POST /replay/clock HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(ask(agent.admin, request.as_bytes()).status(), 409);
    std::thread::sleep(Duration::from_millis(10));
    agent.stop();
}
