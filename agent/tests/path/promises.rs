//! What monitoring must never do to a request, where no other file of these tests asks for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clause9_agent::decode::{Decoder, Decoders};
use clause9_agent::exchange::Exchange;
use clause9_shared::inference::Inference;
use clause9_shared::window::UndecodableReason;
use http::Method;

use crate::agent_world::{Model, Running, ask, config, documents, toy, until};
use crate::handover::Program;
use crate::streams_world::{Model2, agent_of, ask2, client, post};

static STALLED: AtomicBool = AtomicBool::new(true);

/// Does not come to an end.
struct Stalling;

impl Decoder for Stalling {
    fn name(&self) -> &'static str {
        "stalling"
    }

    fn matches(&self, _: &Method, path: &str) -> bool {
        path == "/echo"
    }

    fn addressed<'a>(&self, _: &'a str) -> Option<&'a str> {
        None
    }

    fn decode(&self, _: &Exchange) -> Result<Inference, UndecodableReason> {
        while STALLED.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(UndecodableReason::Malformed)
    }
}

static STALLING: Decoders = &[&Stalling];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_waits_for_a_monitor_that_stands_still_and_what_it_misses_is_counted() {
    let model = Model2::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path(), 1, None);
    config.upstream = Some(format!("h2c://127.0.0.1:{}", model.port));
    config.limits.queue_exchanges = 4;
    let agent = Running::start_with(config, STALLING);
    agent.set_clock("2020-01-01T00:00:30Z");
    let mut sender = client(agent.port).await;
    for n in 0..100_u8 {
        assert_eq!(
            ask2(&mut sender, post("/echo"), &[n]).await.unwrap().body,
            [n]
        );
    }
    // One in the monitor's hands and those that wait; the others were let go.
    let full = "clause9_exchanges_dropped_total{reason=\"queue_full\"}";
    let dropped = agent.metric(full);
    assert!((90..=96).contains(&dropped), "{dropped}");
    let live = ask(agent.admin, b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n");
    let ready = ask(agent.admin, b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        (live.status(), ready.status()),
        (200, 200),
        "a slow monitor keeps no traffic away"
    );
    STALLED.store(false, Ordering::SeqCst);
    agent.wait(
        "clause9_exchanges_total{fate=\"undecodable\"}",
        100 - dropped,
    );
}

#[test]
fn neither_secrets_nor_payloads_come_into_logs_or_labels() {
    let model = Model::start(|request, _| {
        let asked = request.head.contains("/v2/models/toy/infer");
        asked.then(|| toy(request))
    });
    let folder = tempfile::tempdir().unwrap();
    documents(folder.path());
    // All that the agent itself would ever log.
    let agent = Program::start(folder.path(), model.port, "", None);
    let secret = |path: &str, body: &str| {
        let length = body.len();
        format!("POST {path}?key=secret-q HTTP/1.1\r\nHost: m\r\nAuthorization: Bearer secret-a\r\nCookie: s=secret-c\r\nX-Request-Id: secret-i\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    };
    let good = r#"{"id":"secret-b","inputs":[{"name":"secret-n","datatype":"FP64","shape":[1,1],"data":[1.5]}]}"#;
    assert_eq!(
        ask(agent.port, &secret("/v2/models/toy/infer", good)).status(),
        200
    );
    // No JSON, to a server that hangs up; an unknown model; two hosts.
    assert_eq!(
        ask(agent.port, &secret("/v2/models/secret-m/infer", "secret-p")).status(),
        502
    );
    let refused = b"POST /secret-t HTTP/1.1\r\nHost: secret-h\r\nHost: b\r\n\r\n";
    assert_eq!(ask(agent.port, refused).status(), 400);
    let metrics = || ask(agent.admin, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").text();
    until("both to be counted", || {
        metrics().contains("clause9_exchanges_total{fate=\"undecodable\"} ")
    });
    let status = ask(agent.admin, b"GET /status HTTP/1.1\r\nHost: a\r\n\r\n").text();
    let said = format!("{}\n{}\n{status}", agent.log(), metrics());
    assert!(
        said.contains("a request was refused"),
        "the log is as full as it gets"
    );
    assert!(!said.contains("secret"), "{said}");
    assert!(agent.terminate().success());
}

#[cfg(target_os = "linux")]
#[test]
fn the_monitors_threads_yield_to_those_that_serve() {
    let model = Model::start(|request, _| Some(toy(request)));
    let folder = tempfile::tempdir().unwrap();
    documents(folder.path());
    let agent = Program::start(
        folder.path(),
        model.port,
        "collector: http://127.0.0.1:9\n",
        None,
    );
    // By name: how nice each thread is (proc(5), field 19 of stat).
    let niceness = |name: &str| -> Option<i32> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", agent.id())).ok()?;
        tasks.flatten().find_map(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
            let (head, rest) = stat.rsplit_once(") ")?;
            head.ends_with(name)
                .then(|| rest.split(' ').nth(16)?.parse().ok())?
        })
    };
    // The kernel keeps the first 15 letters of a name.
    until("the data path", || niceness("clause9-data").is_some());
    let serving = niceness("clause9-data").unwrap();
    until("lower priorities", || {
        niceness("clause9-monitor") == Some(serving + 5)
            && niceness("clause9-ship") == Some(serving + 5)
    });
    assert_eq!(niceness("clause9-admin"), Some(serving));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "is silent for 90 seconds; run it by name"]
async fn an_answer_may_be_silent_for_longer_than_any_time_limit_of_the_agent() {
    let model = Model2::start().await;
    for scheme in ["h2c", "http"] {
        let (_folder, agent) =
            agent_of(|c| c.upstream = Some(format!("{scheme}://127.0.0.1:{}", model.port)));
        let mut sender = client(agent.port).await;
        let (answer, mut stream) = sender
            .send_request(crate::streams_world::grpc("/chat"), false)
            .unwrap();
        let mut body = answer.await.unwrap().into_body();
        tokio::time::sleep(Duration::from_secs(90)).await;
        stream.send_data("late".into(), true).unwrap();
        assert_eq!(body.data().await.unwrap().unwrap(), "late");
        assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
    }
}
