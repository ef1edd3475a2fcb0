//! `clause9 send`, to a door that answers as told. That an agent takes what is sent is tested beside a
//! real one (`tests/it/agent_sinks.rs`).

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::{Ran, run};

const OBJECTIVES: &str = include_str!("../../../tests/fixtures/agent/objectives.yaml");

/// A door that gives these answers in turn, an empty one by hanging up; what it was sent.
fn door(answers: &[&'static str]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers = answers.to_vec();
    let thread = std::thread::spawn(move || {
        let mut received = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = Vec::new();
            let mut buffer = [0; 4096];
            let whole = |bytes: &[u8]| {
                let text = String::from_utf8_lossy(bytes).into_owned();
                let (head, body) = text.split_once("\r\n\r\n")?;
                let length = head.split("Content-Length: ").nth(1)?;
                let length: usize = length.split("\r\n").next()?.parse().ok()?;
                (body.len() >= length).then_some(text)
            };
            let text = loop {
                if let Some(text) = whole(&bytes) {
                    break text;
                }
                let read = stream.read(&mut buffer).unwrap();
                bytes.extend_from_slice(&buffer[..read]);
            };
            received.push(text);
            stream.write_all(answer.as_bytes()).unwrap();
        }
        received
    });
    (url, thread)
}

const TAKEN: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\
    {\"taken\":2,\"duplicate\":0,\"refused\":0,\"of_taken\":{\"counted\":2},\"items\":[]}";
const BUSY: &str =
    "HTTP/1.1 503 Busy\r\nretry-after: 0\r\nconnection: close\r\n\r\n{\"error\":\"come again\"}";
const CSV: &str = "key,x,p,label\na,1.5,0.75,1\nb,,0.25,\n";

fn send(csv: &str, url: &str, more: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("objectives.yaml"), OBJECTIVES).unwrap();
    fs::write(folder.path().join("rows.csv"), csv).unwrap();
    fs::write(folder.path().join("token"), "s3cret\n").unwrap();
    let args = [
        "send",
        "rows.csv",
        "--objectives",
        "objectives.yaml",
        "--to",
        url,
    ];
    run(folder.path(), &[&args, more].concat())
}

#[test]
fn rows_go_as_records_and_again_until_they_are_taken() {
    // The agent is behind, then the connection breaks, then it takes them.
    let (url, door) = door(&[BUSY, "", TAKEN]);
    let ran = send(
        CSV,
        &url,
        &["--id", "key", "--token-file", "token", "--json"],
    );
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let said: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&said["rows"], &said["taken"], &said["retries"]),
        (&2.into(), &2.into(), &2.into())
    );
    let received = door.join().unwrap();
    assert!(received[0] == received[1] && received[1] == received[2]);
    let (head, body) = received[2].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /records HTTP/1.1\r\n"), "{head}");
    let shown = |line: &str| line == "Authorization: Bearer s3cret";
    assert!(head.lines().any(shown), "{head}");
    let read = |line: &str| -> Value { serde_json::from_str(line).unwrap() };
    let lines: Vec<_> = body.lines().map(read).collect();
    assert_eq!(
        lines,
        [
            json!({ "id": "a", "inputs": { "x": 1.5 }, "label": 1, "outputs": { "score": 0.75 } }),
            json!({ "id": "b", "inputs": { "x": null }, "outputs": { "score": 0.25 } }),
        ]
    );
}

#[test]
fn a_file_that_grows_is_read_to_where_its_rows_are_whole() {
    let (url, door) = door(&[TAKEN]);
    let csv = "key,x,p\na,1.5,0.75\n\"b\nc\",,0.25\nd,1";
    let ran = send(csv, &url, &["--id", "key", "--follow", "--idle", "1"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.starts_with("2 rows: 2 taken"), "{}", ran.out);
    let received = door.join().unwrap();
    assert!(received[0].contains(r#""id":"b\nc""#), "{}", received[0]);
    assert!(!received[0].contains(r#""id":"d""#), "{}", received[0]);
}

#[test]
fn what_cannot_be_followed_is_said_before_anything_is_sent() {
    let nowhere = "http://127.0.0.1:9";
    let ran = send(CSV, nowhere, &["--follow"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("--id"), "{}", ran.err);
    let ran = send(CSV, nowhere, &["rows.csv", "--id", "key", "--follow"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains("--follow goes on with one file"),
        "{}",
        ran.err
    );
    let ran = send(
        CSV,
        nowhere,
        &["--id", "key", "--follow", "--state", "token"],
    );
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains("does not say how far sending is"),
        "{}",
        ran.err
    );
    let ran = send(CSV, nowhere, &["--id", "no", "--follow"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("there is no column `no`"), "{}", ran.err);
}

#[test]
fn sending_ends_after_so_many_attempts_and_says_where_to_go_on() {
    let (url, door) = door(&[TAKEN, BUSY, BUSY]);
    let csv = "x,p\n1,0.5\n2,0.5\n3,0.5\n4,0.5\n";
    let ran = send(csv, &url, &["--batch", "2", "--attempts", "2"]);
    assert_eq!(ran.code, Some(2));
    for part in [
        "--from 4",
        "tried 2 times",
        "the agent answers 503: come again",
    ] {
        assert!(ran.err.contains(part), "{}", ran.err);
    }
    // Ids of their own: file and line, the same whenever they are sent.
    let received = door.join().unwrap();
    assert!(
        received[1].contains(r#""id":"rows.csv:4""#),
        "{}",
        received[1]
    );
}

#[test]
fn from_a_line_on_the_rest_is_sent() {
    let (url, door) = door(&[TAKEN]);
    let csv = "x,p\n1,0.5\n2,0.5\n3,0.5\n4,0.5\n";
    let ran = send(csv, &url, &["--from", "4"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let received = door.join().unwrap();
    assert!(received[0].contains("rows.csv:4") && received[0].contains("rows.csv:5"));
    assert!(!received[0].contains("rows.csv:3"), "{}", received[0]);
}

#[test]
fn what_the_agent_did_not_count_is_shown_with_its_line() {
    let refused = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\
        {\"taken\":1,\"duplicate\":0,\"refused\":1,\"of_taken\":{\"counted\":0,\"dropped\":1},\
        \"items\":[{\"item\":0,\"fate\":\"dropped\",\"why\":\"too_late\"},{\"item\":1,\"fate\":\"refused\",\"why\":\"odd\"}]}";
    let (url, door) = door(&[refused]);
    let ran = send(CSV, &url, &[]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.out.contains("rows.csv:2: dropped: too_late"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("rows.csv:3: refused: odd"), "{}", ran.out);
    assert!(
        ran.out
            .contains("2 rows: 1 taken, of which 0 counted, 1 let go"),
        "{}",
        ran.out
    );
    door.join().unwrap();
}

#[test]
fn what_cannot_be_sent_at_all_is_said_at_once() {
    let unauthorized = "HTTP/1.1 401 No\r\nconnection: close\r\n\r\n{\"error\":\"show the token\"}";
    let (url, door) = door(&[unauthorized]);
    let ran = send(CSV, &url, &[]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains("--token-file") && ran.err.contains("show the token"),
        "{}",
        ran.err
    );
    door.join().unwrap();
    for (url, more, part) in [
        (
            "ftp://x:1",
            &[][..],
            "is no address; write http://HOST:PORT",
        ),
        ("http://x", &[], "does not say where"),
        ("https://a@x", &[], "does not say where"),
        (
            "http://x:1",
            &["--ca", "rows.csv"],
            "--ca is for https:// alone",
        ),
        (
            "https://x",
            &["--ca", "rows.csv"],
            "holds no certificates in PEM",
        ),
        (
            "https://x",
            &["--ca", "absent.pem"],
            "cannot read absent.pem",
        ),
        (
            "http://127.0.0.1:1",
            &["--id", "nobody"],
            "there is no column `nobody`",
        ),
        (
            "http://127.0.0.1:1",
            &["--model", "other"],
            "must be one of the objectives file's models: `toy`",
        ),
        ("http://127.0.0.1:1", &["--attempts", "1"], "cannot post to"),
        (
            "http://127.0.0.1:1",
            &["--token-file", "rows.csv"],
            "holds no token",
        ),
    ] {
        let ran = send(CSV, url, more);
        assert_eq!(ran.code, Some(2), "{url} {more:?}: {}", ran.out);
        assert!(ran.err.contains(part), "{}", ran.err);
        assert!(!ran.err.contains("s3cret"), "{}", ran.err);
    }
}

/// What an agent says of outcomes, and what a collector does.
const JOINED: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\
    {\"joined\":1,\"repeated\":0,\"waiting\":1,\"unknown_row\":0,\"unlisted_value\":0,\"dropped\":0,\"sampled_out\":0,\"malformed\":[]}";
const HELD: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"taken\":2,\"malformed\":[]}";
const LABELS: &str = "key,n,known,label\na,0,2026-01-31T12:00:00Z,1\nb,3,2026-01-31T12:00:01Z,0\n";

#[test]
fn labels_go_as_outcomes_to_an_agent_or_to_a_collector() {
    for (answer, below, path, said) in [
        (
            JOINED,
            "",
            "/outcomes",
            "2 outcomes: 2 taken, 1 joined, 1 whose request is not known yet; 0 refused",
        ),
        (
            HELD,
            "/v1/systems/toy/outcomes",
            "/v1/systems/toy/outcomes",
            "2 outcomes: 2 taken; 0 refused",
        ),
    ] {
        let (url, door) = door(&[answer]);
        let to = format!("{url}{below}");
        let more = [
            "--outcomes",
            "--id",
            "key",
            "--row",
            "n",
            "--timestamp",
            "known",
        ];
        let ran = send(LABELS, &to, &more);
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
        assert!(ran.out.starts_with(said), "{}", ran.out);
        let received = door.join().unwrap();
        let (head, body) = received[0].split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with(&format!("POST {path} HTTP/1.1\r\n")),
            "{head}"
        );
        let read = |line: &str| -> Value { serde_json::from_str(line).unwrap() };
        let lines: Vec<_> = body.lines().map(read).collect();
        assert_eq!(
            lines,
            [
                json!({ "request_id": "a", "row": 0, "available_at": "2026-01-31T12:00:00Z", "label": 1 }),
                json!({ "request_id": "b", "row": 3, "available_at": "2026-01-31T12:00:01Z", "label": 0 }),
            ]
        );
    }
}

#[test]
fn outcomes_without_an_id_a_row_or_a_value_are_not_sent() {
    let url = "http://127.0.0.1:1";
    let ran = send(LABELS, url, &["--outcomes"]);
    assert_eq!(ran.code, Some(2), "{}", ran.out);
    assert!(ran.err.contains("--id"), "{}", ran.err);
    let wrong = "key,n,label\na,-1,1\nb,0,\n";
    let ran = send(wrong, url, &["--outcomes", "--id", "key", "--row", "n"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("no whole number from 0"), "{}", ran.out);
    assert!(
        ran.out.contains("neither a label nor an attribute"),
        "{}",
        ran.out
    );
}
