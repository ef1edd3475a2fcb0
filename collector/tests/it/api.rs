//! The shape of every answer of the JSON interface, as a file that a change has to change.

use std::fmt::Write as _;

use clause9_shared::time::Timestamp;
use clause9_shared::verdict::VerdictState;
use clause9_shared::wire::batch;
use serde_json::{Map, Value};

use crate::http::{Answer, get, request};
use crate::world::{Agents, Running, key};

/// What is described by a schema of its own or by the types of the core: told by name only.
const ELSEWHERE: [&str; 6] = [
    "objective",
    "describes",
    "sample",
    "step",
    "running",
    "verdicts",
];
/// Records that have a list of their own.
const LISTED: [&str; 3] = ["measurement", "verdict", "nonconformity"];
/// Longer than any word of an enumeration.
const WORD: usize = 24;

/// A value as a shape: digests, times, numbers and sentences by their kind; words as they are; of a
/// list what its items have in common, with what differs.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => value.clone(),
        Value::Bool(_) => "(truth)".into(),
        Value::Number(_) => "(number)".into(),
        Value::String(text) => word(text).into(),
        Value::Array(items) => items.iter().map(shape).reduce(merge).into_iter().collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let told = ELSEWHERE.contains(&name.as_str()) && value.is_object();
                let value = if told {
                    "(elsewhere)".into()
                } else {
                    shape(value)
                };
                (name.clone(), value)
            })
            .collect::<Map<_, _>>()
            .into(),
    }
}

fn word(text: &str) -> &str {
    let bits = |text: &str| text.len() == 16 && u64::from_str_radix(text, 16).is_ok();
    match text {
        _ if text.starts_with("sha256:") => "(digest)",
        _ if text.parse::<Timestamp>().is_ok() => "(time)",
        _ if text.len() > WORD || text.contains(' ') => "(text)",
        _ if bits(text) => "(bits)",
        _ if text.parse::<i64>().is_ok() => "(digits)",
        _ if VerdictState::ALL.iter().any(|s| s.as_str() == text) => "(verdict state)",
        word => word,
    }
}

/// Two shapes in one: `?` after names that are not always there, `|` between what may stand there.
fn merge(one: Value, other: Value) -> Value {
    match (one, other) {
        (one, other) if one == other => one,
        (Value::Object(one), Value::Object(other)) => merge_fields(one, other).into(),
        (Value::Array(one), Value::Array(other)) => one
            .into_iter()
            .chain(other)
            .reduce(merge)
            .into_iter()
            .collect(),
        (Value::Null, Value::Object(mut fields)) | (Value::Object(mut fields), Value::Null) => {
            fields.insert("(or null)".to_owned(), Value::Null);
            fields.into()
        }
        (one, other) => {
            let mut words: Vec<_> = [&one, &other]
                .map(told)
                .join(" | ")
                .split(" | ")
                .map(str::to_owned)
                .collect();
            words.sort_unstable();
            words.dedup();
            words.join(" | ").into()
        }
    }
}

fn told(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn merge_fields(one: Map<String, Value>, mut other: Map<String, Value>) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in one {
        let plain = name.trim_end_matches('?');
        let maybe = format!("{plain}?");
        match other
            .remove(plain)
            .map(|v| (false, v))
            .or_else(|| Some((true, other.remove(&maybe)?)))
        {
            Some((false, theirs)) => all.insert(name, merge(value, theirs)),
            Some((true, theirs)) => all.insert(maybe, merge(value, theirs)),
            None if name == "(or null)" => all.insert(name, value),
            None => all.insert(maybe, value),
        };
    }
    for (name, value) in other {
        let maybe = format!("{}?", name.trim_end_matches('?'));
        all.insert(if name == "(or null)" { name } else { maybe }, value);
    }
    all
}

fn write(page: &mut String, what: &str, answer: &Answer) {
    let media = answer
        .head
        .lines()
        .find_map(|l| l.strip_prefix("content-type: "));
    writeln!(page, "# {what}\n{} {}", answer.status, media.unwrap_or("-")).unwrap();
    match media {
        Some("application/json") => writeln!(page, "{:#}\n", shape(&answer.json())).unwrap(),
        _ => writeln!(page, "{}\n", answer.text().trim_end()).unwrap(),
    }
}

/// Hours in the midst of which incomes go missing, with a hole in the agent's sequence, a refused
/// item and a refused batch.
fn lived() -> Running {
    let running = Running::start(&[1]);
    let agents = Agents::new();
    for h in 34..48 {
        if h == 37 {
            continue;
        }
        assert_eq!(running.post(&agents.hourly(1, h)).status, 200);
    }
    let mut spoiled = agents.batch(49, 48, vec![agents.heartbeat(48), agents.traffic(1, 48)]);
    spoiled.items[1].summary.push(0);
    assert_eq!(running.post(&batch::seal(&spoiled, &key(1))).status, 200);
    assert_eq!(running.post(b"junk").status, 400);
    running.wait_sealed(15);
    running
}

#[test]
fn every_answer_has_the_shape_that_is_written_down() {
    let running = lived();
    let mut page =
        "What the collector answers, by shape. Written by the test; read it as a reference.\n\n"
            .to_owned();
    for path in [
        "/live",
        "/ready",
        "/v1/agents",
        "/v1/systems",
        "/v1/systems/loan",
        "/v1/systems/loan/objectives",
        "/v1/systems/loan/plan",
        "/v1/systems/loan/panes?limit=100",
        "/v1/measurements?limit=100",
        "/v1/verdicts?limit=100",
        "/v1/nonconformities?system=loan",
        "/v1/missing?system=loan",
        "/v1/refusals",
        "/v1/evidence?limit=3",
        "/v1/systems/none",
        "/v1/measurements?limit=0",
    ] {
        write(
            &mut page,
            &format!("GET {path}"),
            &get(running.address, path),
        );
    }
    let listed = get(running.address, "/v1/evidence?limit=1000").json();
    let mut told = Vec::new();
    for item in listed["items"].as_array().unwrap() {
        let kind = item["type"].as_str().unwrap();
        if told.contains(&kind) {
            continue;
        }
        told.push(kind);
        if LISTED.contains(&kind) {
            continue;
        }
        let name = item["digest"].as_str().unwrap();
        let answer = get(running.address, &format!("/v1/evidence/{name}"));
        write(&mut page, &format!("GET /v1/evidence/(a {kind})"), &answer);
    }
    assert_eq!(told.len(), 12, "a record of each type: {told:?}");
    let agents = Agents::new();
    let posts = [
        ("a batch", agents.hourly(1, 49)),
        ("the same batch", agents.hourly(1, 49)),
        ("junk", b"junk".to_vec()),
    ];
    for (what, body) in posts {
        let answer = request(running.address, "POST", "/v1/batches", &body).unwrap();
        write(&mut page, &format!("POST /v1/batches ({what})"), &answer);
    }
    expect_test::expect_file!["api.txt"].assert_eq(&page);
}
