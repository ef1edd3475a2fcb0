//! Agents come, change their key and go while the collector runs; and whose connection a batch must come over.

use clause9_collector::config::CollectorConfig;
use clause9_shared::time::{Clock, Timestamp};
use clause9_shared::wire::batch;

use crate::http::{all, get};
use crate::secure::{ask, files};
use crate::world::{Agents, Files, Running, agent, key};

const A: &str = "spiffe://example.org/ns/loans/sa/agent-a";
const CLIENTS: &str = "  clients: { roots: roots.pem, required: false }";

fn entry(n: u8, more: &str) -> String {
    format!("  - {{ id: \"{}\", systems: [loan]{more} }}\n", agent(n))
}

fn list(entries: &[String]) -> String {
    if entries.is_empty() {
        return "agents: []\n".to_owned();
    }
    format!("agents:\n{}", entries.concat())
}

fn refused(answer: &crate::http::Answer) -> (u16, String) {
    let said = answer.json();
    assert_eq!(said["refused"], "unknown_agent", "{said}");
    (answer.status, said["detail"].as_str().unwrap().to_owned())
}

#[test]
fn a_batch_of_an_agent_with_a_spiffe_id_is_taken_over_its_own_connection_only() {
    let files = files(&[], CLIENTS);
    files.put(
        "agents.yaml",
        &list(&[entry(1, &format!(", spiffe: \"{A}\""))]),
    );
    let running = Running::on(files);
    let batch = Agents::new().hourly(1, 0);
    let post = |client| ask(&running, client, "POST", "/v1/batches", "", &batch).unwrap();
    for (client, why) in [
        (None, "showed no certificate with a SPIFFE id"),
        (
            Some("client-plain"),
            "showed no certificate with a SPIFFE id",
        ),
        (Some("client-two"), "showed no certificate with a SPIFFE id"),
        (
            Some("client-b"),
            "showed spiffe://example.org/ns/loans/sa/agent-b",
        ),
    ] {
        let (status, detail) = refused(&post(client));
        assert_eq!(status, 403);
        assert!(
            detail.contains(why) && detail.contains(A),
            "{client:?}: {detail}"
        );
    }
    let answer = post(Some("client-a"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let state = crate::secure::metric(
        &running,
        None,
        "clause9_collector_batches_total{result=\"stored\"}",
    );
    assert_eq!(state, "1");
}

#[test]
fn an_agent_that_is_added_while_it_runs_may_write_and_the_register_says_since_when() {
    let running = Running::start(&[1]);
    let second = Agents::new().hourly(2, 0);
    assert_eq!(refused(&running.post(&second)).0, 403);
    running
        .files
        .put("agents.yaml", &list(&[entry(1, ""), entry(2, "")]));
    running.reload();
    assert_eq!(running.post(&second).status, 200);
    let record = wait_for_record(&running, 1);
    assert_eq!(record["body"]["added"], serde_json::json!([agent(2)]));
    assert_eq!(record["body"]["removed"], serde_json::json!([]));
    let name = record["body"]["agents"].as_str().unwrap();
    let list = get(running.address, &format!("/v1/blobs/{name}")).json();
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(list[0]["standing"], "approved");
    // The pane waits for both now.
    assert_eq!(running.post(&Agents::new().hourly(1, 0)).status, 200);
    running.wait_sealed(1);
}

/// The newest record of a change of agents, once there are so many.
fn wait_for_record(running: &Running, records: usize) -> serde_json::Value {
    for _ in 0..300 {
        let found = all(running.address, "/v1/evidence?type=agents");
        if found.len() == records {
            let name = found[records - 1]["digest"].as_str().unwrap();
            return get(running.address, &format!("/v1/evidence/{name}")).json();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no record of the change");
}

#[test]
fn a_revoked_agent_is_refused_nothing_of_it_is_stored_and_what_was_stays() {
    let running = Running::start(&[1, 2]);
    let agents = Agents::new();
    let stored = [1, 2].map(|n| agents.hourly(n, 0));
    for batch in &stored {
        assert_eq!(running.post(batch).status, 200);
    }
    running.wait_sealed(1);
    let at = "2026-01-01T00:00:00Z";
    let revoked = entry(2, &format!(", revoked_at: {at}"));
    running
        .files
        .put("agents.yaml", &list(&[entry(1, ""), revoked]));
    running.reload();
    let late = agents.hourly(2, 1);
    let (status, detail) = refused(&running.post(&late));
    assert_eq!(status, 403);
    assert!(
        detail.contains("was revoked as of 2026-01-01T00:00:00Z"),
        "{detail}"
    );
    let name = batch::digest(&late);
    assert_eq!(
        get(running.address, &format!("/v1/blobs/{name}")).status,
        404
    );
    let before = batch::digest(&stored[1]);
    assert_eq!(
        get(running.address, &format!("/v1/blobs/{before}")).status,
        200
    );
    let record = wait_for_record(&running, 1);
    assert_eq!(record["body"]["removed"], serde_json::json!([agent(2)]));
    // Nobody waits for it any more, and no gauge asks where it is.
    assert_eq!(running.post(&agents.hourly(1, 1)).status, 200);
    running.wait_sealed(2);
    let watermarks = running.series("clause9_agent_watermark_timestamp_seconds");
    assert_eq!(watermarks.len(), 1, "{watermarks:?}");
}

#[test]
fn an_agents_file_that_does_not_fit_changes_nothing_and_is_said_once() {
    let running = Running::start(&[1]);
    let failed = "clause9_collector_reloads_total{result=\"failed\",what=\"agents\"}";
    let other = entry(2, "").replace("loan", "other");
    let bad = [
        "agents: oops\n".to_owned(),
        list(&[entry(2, ""), entry(2, "")]),
        list(&[other]),
        list(&[entry(2, ", spiffe: \"https://x\"")]),
        list(&[entry(2, &format!(", previous: \"{}\"", agent(2)))]),
        list(&[entry(2, ", revoked_at: yesterday")]),
    ];
    for (times, text) in (1..).zip(bad) {
        running.files.put("agents.yaml", &text);
        running.reload();
        running.reload();
        assert_eq!(running.metric(failed), times, "{text}");
    }
    assert_eq!(running.post(&Agents::new().hourly(1, 0)).status, 200);
    std::fs::remove_file(running.files.path().join("agents.yaml")).unwrap();
    running.reload();
    assert_eq!(running.post(&Agents::new().hourly(1, 1)).status, 200);
}

#[test]
fn a_rotated_agent_s_old_key_drains_and_panes_wait_for_the_new_one_once_it_was_heard() {
    let running = Running::start(&[1]);
    let agents = Agents::new();
    assert_eq!(running.post(&agents.hourly(1, 0)).status, 200);
    running.wait_sealed(1);
    let rotated = entry(2, &format!(", previous: \"{}\"", agent(1)));
    running.files.put("agents.yaml", &list(&[rotated]));
    running.reload();
    // What the old key signed is still on its way; the new one was not heard, and nobody waits for it.
    assert_eq!(running.post(&agents.hourly(1, 1)).status, 200);
    running.wait_sealed(2);
    // From here on the new key speaks, and nobody waits for the old one.
    for h in [2, 3] {
        assert_eq!(running.post(&agents.hourly(2, h)).status, 200);
    }
    running.wait_sealed(4);
    let gaps = all(running.address, "/v1/evidence?type=gap");
    assert!(gaps.is_empty(), "{gaps:?}");
}

#[test]
fn polls_for_outcomes_are_held_against_the_same_list() {
    use clause9_shared::wire::forward::{self, Poll};
    let files = Files::on_clock("127.0.0.1:0", &[], Clock::Live);
    let at = ", revoked_at: 2026-01-01T00:00:00Z";
    files.put("agents.yaml", &list(&[entry(1, ""), entry(2, at)]));
    let running = Running::on(files);
    let status = |n: u8| {
        let poll = Poll {
            boot: clause9_shared::ids::BootId(1),
            number: 1,
            created_at: crate::world::now(),
            system: "loan".parse().unwrap(),
            salt: clause9_shared::digest::Digest::of(b"salt"),
            clock: Clock::Live,
            heard: 0,
            unfound: vec![],
            told: vec![],
        };
        let bytes = forward::seal(&poll, &key(n)).unwrap();
        let answer = crate::http::request(running.address, "POST", "/v1/outcomes", &bytes);
        answer.unwrap().status
    };
    assert_eq!((status(1), status(2), status(3)), (200, 403, 403));
}

#[test]
fn what_an_agents_file_said_before_it_says_still() {
    let files = Files::new("127.0.0.1:0", &[1]);
    let digest = || {
        CollectorConfig::read(&files.config())
            .unwrap()
            .resolve()
            .unwrap()
            .digest
    };
    let before = digest();
    let time: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    files.put(
        "agents.yaml",
        &list(&[entry(1, &format!(", revoked_at: {time}"))]),
    );
    assert_ne!(digest(), before, "a revocation is another configuration");
    files.put("agents.yaml", &list(&[entry(1, "")]));
    assert_eq!(digest(), before);
}
