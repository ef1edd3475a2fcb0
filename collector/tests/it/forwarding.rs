//! Outcomes that look for their prediction: what applications and agents may say, and what is refused.

use clause9_collector::config::CollectorConfig;
use clause9_shared::digest::Digest;
use clause9_shared::ids::{BootId, Name};
use clause9_shared::time::{Clock, Span};
use clause9_shared::wire::forward::{
    self, Answer, Carried, Fate, Named, Poll, Question, Told, Unfound,
};

use crate::http::{get, request_with};
use crate::world::{Files, Running, key, now};

const TOKEN: &str = "0123456789abcdef";
const BEARER: &str = "authorization: Bearer 0123456789abcdef\r\n";
const LINES: &str = "content-type: application/x-ndjson\r\n";

fn collector(hold: &str) -> Running {
    let files = Files::on_clock("127.0.0.1:0", &[1, 2], Clock::Live);
    std::fs::write(files.path().join("token"), format!("{TOKEN}\n")).unwrap();
    let text = std::fs::read_to_string(files.config()).unwrap();
    let text = format!("{text}outcomes: {{ token_file: token, hold: {hold} }}\n");
    std::fs::write(files.config(), text).unwrap();
    Running::on(files)
}

fn poll(number: u64, heard: u64) -> Poll {
    Poll {
        boot: BootId(5),
        number,
        created_at: now(),
        system: Name::new("loan").unwrap(),
        salt: Digest::of(b"salt"),
        clock: Clock::Live,
        heard,
        unfound: vec![],
        told: vec![],
    }
}

fn say(running: &Running, poll: &Poll, by: u8) -> Answer {
    let bytes = forward::seal(poll, &key(by)).unwrap();
    let answer = request_with(running.address, "POST", "/v1/outcomes", "", &bytes).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

/// The answer to a body that is announced and never sent.
fn announced(running: &Running, path: &str, headers: &str, bytes: usize) -> String {
    let mut stream = std::net::TcpStream::connect(running.address).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}content-length: {bytes}\r\n\r\n"
    );
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    answer
}

fn refused(running: &Running, poll: &Poll, by: u8) -> u16 {
    let bytes = forward::seal(poll, &key(by)).unwrap();
    let answer = request_with(running.address, "POST", "/v1/outcomes", "", &bytes).unwrap();
    answer.status
}

#[test]
fn an_application_s_outcomes_are_offered_to_one_agent_after_the_other() {
    let running = collector("5m");
    let path = "/v1/systems/loan/outcomes";
    let lines =
        b"{\"request_id\":\"r-1\",\"label\":1}\nnonsense\n{\"request_id\":\"r-2\",\"label\":0}\n";
    let headers = format!("{BEARER}{LINES}");
    let answer = request_with(running.address, "POST", path, &headers, lines).unwrap();
    let said = answer.json();
    assert_eq!(said["taken"], 2);
    let wrong = serde_json::json!([{ "line": 2, "error": "not JSON at column 2" }]);
    assert_eq!(said["malformed"], wrong);
    let first = say(&running, &poll(1, 0), 1);
    assert_eq!(first.asked.len(), 2);
    assert!(
        say(&running, &poll(1, 0), 2).asked.is_empty(),
        "one at a time"
    );
    let fates = [Fate::Counted, Fate::Unknown];
    let told = first.asked.iter().zip(fates);
    let told = told.map(|(asked, fate)| Told {
        ticket: asked.ticket,
        fate,
    });
    let mut second = poll(2, first.number);
    second.told = told.collect();
    assert!(say(&running, &second, 1).asked.is_empty());
    let other = say(&running, &poll(2, 1), 2);
    match &other.asked[..] {
        [only] => match &only.what {
            Question::Join(Carried { request, .. }) => {
                assert_eq!(*request, Named::Id("r-2".into()));
            }
            what @ (Question::CountUnknown | Question::CountForgotten) => panic!("{what:?}"),
        },
        asked => panic!("{asked:?}"),
    }
    let metrics = get(running.address, "/metrics").text();
    for line in [
        "clause9_collector_outcomes_total{result=\"taken\"} 2",
        "clause9_collector_outcomes_total{result=\"found\"} 1",
        "clause9_collector_outcomes_total{result=\"malformed\"} 1",
        "clause9_collector_outcomes_held{system=\"loan\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[test]
fn what_nobody_knows_is_given_back_to_be_counted_once() {
    let running = collector("1ms");
    let mut first = poll(1, 0);
    first.unfound.push(Unfound {
        number: 1,
        forgotten: false,
        outcome: Carried {
            request: Named::hash([3; 16]),
            outcome: serde_json::from_str(r#"{"request_id":"","label":1}"#).unwrap(),
        },
    });
    let mut answer = say(&running, &first, 1);
    assert_eq!(answer.taken, 1);
    let mut counted = 0;
    for number in 2..10 {
        std::thread::sleep(std::time::Duration::from_millis(2));
        let mut next = poll(number, answer.number);
        for asked in &answer.asked {
            let fate = match asked.what {
                Question::Join(_) => Fate::Unknown,
                Question::CountUnknown => {
                    counted += 1;
                    Fate::Counted
                }
                Question::CountForgotten => panic!("nobody knew it"),
            };
            next.told.push(Told {
                ticket: asked.ticket,
                fate,
            });
        }
        answer = say(&running, &next, 1);
        if answer.settled == [1] {
            break;
        }
    }
    assert_eq!((counted, answer.settled), (1, vec![1]));
}

#[test]
fn who_may_not_is_told_so_and_nothing_is_taken() {
    let running = collector("5m");
    let post = |path: &str, headers: &str, body: &[u8]| {
        let answer = request_with(running.address, "POST", path, headers, body).unwrap();
        answer.status
    };
    let path = "/v1/systems/loan/outcomes";
    let one = br#"{"request_id":"r-1","label":1}"#;
    let json = "content-type: application/json\r\n";
    assert_eq!(post(path, json, one), 401);
    let wrong = format!("authorization: Bearer 0123456789abcdeg\r\n{json}");
    assert_eq!(post(path, &wrong, one), 401);
    assert_eq!(post(path, BEARER, one), 415);
    let good = format!("{BEARER}{json}");
    assert_eq!(post("/v1/systems/none/outcomes", &good, one), 404);
    assert!(announced(&running, path, &good, (8 << 20) + 1).starts_with("HTTP/1.1 413 "));
    assert_eq!(post("/v1/outcomes", "", b"noise"), 400);

    assert_eq!(refused(&running, &poll(1, 0), 9), 403, "no trusted agent");
    let mut other = poll(1, 0);
    other.system = Name::new("other").unwrap();
    assert_eq!(refused(&running, &other, 1), 403);
    let mut replay = poll(1, 0);
    replay.clock = Clock::Replay;
    assert_eq!(refused(&running, &replay, 1), 409);
    let mut ahead = poll(1, 0);
    ahead.created_at = now() + Span::from_secs(3600);
    assert_eq!(refused(&running, &ahead, 1), 409);
    say(&running, &poll(1, 0), 1);
    assert_eq!(refused(&running, &poll(1, 0), 1), 409, "said before");
    let metrics = get(running.address, "/metrics").text();
    assert!(metrics.contains("clause9_collector_outcomes_total{result=\"unauthorized\"} 2"));
    assert!(metrics.contains("clause9_collector_outcomes_total{result=\"polls_refused\"} 6"));
    assert!(metrics.contains("clause9_collector_outcomes_total{result=\"taken\"} 0"));
}

#[test]
fn without_a_token_applications_are_sent_to_an_agent_and_a_bad_one_is_no_token() {
    let running = Running::start(&[1]);
    let headers = "content-type: application/json\r\nauthorization: Bearer \r\n";
    let path = "/v1/systems/loan/outcomes";
    let answer = request_with(running.address, "POST", path, headers, b"{}").unwrap();
    assert_eq!(answer.status, 403);
    assert!(
        answer.text().contains("outcomes.token_file"),
        "{}",
        answer.text()
    );

    let files = Files::new("127.0.0.1:0", &[1]);
    std::fs::write(files.path().join("token"), "too short").unwrap();
    let text = std::fs::read_to_string(files.config()).unwrap();
    std::fs::write(
        files.config(),
        format!("{text}outcomes: {{ token_file: token }}\n"),
    )
    .unwrap();
    let plan = CollectorConfig::read(&files.config()).unwrap().resolve();
    let error = plan.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("16 to 256 characters"), "{error}");
}
