//! Agents that let themselves in by a token, or take the place of their old key.

use clause9_collector::config::CollectorConfig;
use clause9_collector::enrolment::{self, NewOffer};
use clause9_shared::time::Span;
use clause9_shared::wire::enrol::{self, HandOver, Request};
use ed25519_dalek::SigningKey;

use crate::http::{Answer, request};
use crate::world::{Agents, Files, Running, agent, key};

fn offer(running: &Running, valid: &str, approved: bool) -> String {
    let wanted = NewOffer {
        system: "loan".parse().unwrap(),
        valid: valid.parse().unwrap(),
        approved,
        spiffe: None,
    };
    enrolment::offer(&config(running), wanted).unwrap()
}

fn config(running: &Running) -> CollectorConfig {
    CollectorConfig::read(&running.files.config()).unwrap()
}

fn send(running: &Running, envelope: &[u8]) -> Answer {
    request(running.address, "POST", "/v1/agents", envelope).unwrap()
}

fn show(running: &Running, token: &str, by: u8) -> Answer {
    let request = Request::Token(token.to_owned());
    send(running, &enrol::seal(&request, &key(by)).unwrap())
}

fn hand_over(running: &Running, old: &SigningKey, new: u8) -> Answer {
    let over = HandOver::new(old, &key(new).verifying_key());
    send(
        running,
        &enrol::seal(&Request::HandOver(over), &key(new)).unwrap(),
    )
}

fn counted(running: &Running, result: &str) -> u64 {
    running.metric(&format!(
        "clause9_collector_enrolments_total{{result=\"{result}\"}}"
    ))
}

fn standing(running: &Running, n: u8) -> String {
    let list = enrolment::list(&config(running)).unwrap();
    let line = list.lines().find(|l| l.starts_with(&agent(n).to_string()));
    line.map_or_else(String::new, |l| l.split("  ").nth(1).unwrap().to_owned())
}

#[test]
fn a_token_that_approves_lets_one_agent_in_at_once_and_again_is_no_other() {
    let running = Running::start(&[]);
    let batch = Agents::new().hourly(1, 0);
    assert_eq!(running.post(&batch).status, 403);
    let token = offer(&running, "1h", true);
    for result in ["approved", "repeated"] {
        let answer = show(&running, &token, 1);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let wanted = serde_json::json!({ "agent": agent(1), "state": "approved" });
        assert_eq!(answer.json(), wanted);
        assert_eq!(counted(&running, result), 1);
    }
    assert_eq!(running.post(&batch).status, 200);
    running.wait_sealed(1);
    // Another key with the same token.
    assert_eq!(show(&running, &token, 2).status, 409);
    assert_eq!(counted(&running, "used"), 1);
    assert_eq!(running.post(&Agents::new().hourly(2, 0)).status, 403);
    // It is still known after a restart.
    let running = running.again();
    assert_eq!(running.post(&Agents::new().hourly(1, 1)).status, 200);
    assert_eq!(standing(&running, 1), "approved");
}

#[test]
fn a_pending_agent_waits_until_somebody_approves_it() {
    let running = Running::start(&[]);
    let token = offer(&running, "1h", false);
    assert_eq!(show(&running, &token, 1).json()["state"], "pending");
    assert_eq!(counted(&running, "pending"), 1);
    let batch = Agents::new().hourly(1, 0);
    let refused = running.post(&batch);
    assert_eq!(refused.status, 403);
    let why = format!("`clause9-collector agents approve {}`", agent(1));
    assert!(refused.text().contains(&why), "{}", refused.text());
    assert_eq!(standing(&running, 1), "pending");
    enrolment::approve(&config(&running), agent(1)).unwrap();
    running.reload();
    assert_eq!(running.post(&batch).status, 200);
    assert_eq!(standing(&running, 1), "approved");
    let unknown = enrolment::approve(&config(&running), agent(9)).unwrap_err();
    assert!(
        unknown.to_string().contains("was not enrolled"),
        "{unknown}"
    );
}

#[test]
fn a_revoked_agent_does_not_come_back_by_another_token() {
    let running = Running::start(&[]);
    let token = offer(&running, "1h", true);
    assert_eq!(show(&running, &token, 1).status, 200);
    enrolment::revoke(&config(&running), agent(1), None).unwrap();
    running.reload();
    let refused = running.post(&Agents::new().hourly(1, 0));
    assert_eq!(refused.status, 403);
    assert!(
        refused.text().contains("was revoked as of"),
        "{}",
        refused.text()
    );
    for token in [token, offer(&running, "1h", true)] {
        assert_eq!(show(&running, &token, 1).status, 403);
    }
    assert_eq!(counted(&running, "untrusted"), 2);
    let error = enrolment::approve(&config(&running), agent(1)).unwrap_err();
    assert!(error.to_string().contains("was revoked"), "{error}");
    assert!(standing(&running, 1).starts_with("revoked as of"));
}

#[test]
fn wrong_late_and_damaged_requests_let_nobody_in() {
    let running = Running::start(&[]);
    let good = offer(&running, "1h", true);
    let late = offer(&running, "1ms", true);
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(show(&running, "c9e_00", 1).status, 403);
    assert_eq!(show(&running, &late, 1).status, 403);
    assert!(show(&running, &late, 1).text().contains("has expired"));
    let mut damaged = enrol::seal(&Request::Token(good), &key(1)).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(send(&running, &damaged).status, 400);
    assert_eq!(send(&running, &vec![0; enrol::MAX_REQUEST + 1]).status, 400);
    assert_eq!(send(&running, b"").status, 400);
    for (result, times) in [
        ("unknown_token", 1),
        ("expired", 2),
        ("malformed", 3),
        ("approved", 0),
    ] {
        assert_eq!(counted(&running, result), times, "{result}");
    }
    assert_eq!(running.post(&Agents::new().hourly(1, 0)).status, 403);
}

#[test]
fn who_tries_in_vain_too_often_has_to_wait_and_is_counted() {
    let running = Running::start(&[]);
    let good = offer(&running, "1h", true);
    let statuses: Vec<_> = (0..15)
        .map(|n| show(&running, &format!("c9e_{n}"), 1).status)
        .collect();
    assert_eq!(&statuses[..10], [403; 10]);
    // The minute may end among the last ones, once.
    assert!(
        statuses[10..].iter().filter(|s| **s == 429).count() >= 4,
        "{statuses:?}"
    );
    assert!(counted(&running, "limited") >= 4);
    let answer = show(&running, &good, 1);
    assert!(matches!(answer.status, 200 | 429), "{}", answer.status);
}

#[test]
fn a_key_hands_its_place_over_once_and_only_if_it_is_believed() {
    let running = Running::start(&[1]);
    let agents = Agents::new();
    assert_eq!(running.post(&agents.hourly(1, 0)).status, 200);
    running.wait_sealed(1);
    assert_eq!(
        hand_over(&running, &key(9), 2).status,
        403,
        "nobody knows the old key"
    );
    for _ in 0..2 {
        assert_eq!(hand_over(&running, &key(1), 2).json()["state"], "approved");
    }
    assert_eq!(hand_over(&running, &key(1), 3).status, 409, "a second heir");
    let stolen = HandOver::new(&key(1), &key(2).verifying_key());
    let stolen = enrol::seal(&Request::HandOver(stolen), &key(4)).unwrap();
    assert_eq!(send(&running, &stolen).status, 400, "handed to another key");
    assert_eq!(
        running.post(&agents.hourly(1, 1)).status,
        200,
        "the old key drains"
    );
    assert_eq!(running.post(&agents.hourly(2, 2)).status, 200);
    running.wait_sealed(3);
    assert_eq!(running.post(&agents.hourly(2, 3)).status, 200);
    running.wait_sealed(4);
    for n in [3, 4] {
        assert_eq!(running.post(&agents.hourly(n, 4)).status, 403);
    }
}

#[test]
fn what_a_stolen_key_handed_over_goes_with_it_unless_it_was_before() {
    for (since, stays) in [(Span::from_secs(3600), false), (Span::ZERO, true)] {
        let running = Running::start(&[]);
        assert_eq!(show(&running, &offer(&running, "1h", true), 1).status, 200);
        assert_eq!(hand_over(&running, &key(1), 2).status, 200);
        std::thread::sleep(std::time::Duration::from_millis(2));
        let now = crate::world::now().micros();
        let at = clause9_shared::time::Timestamp::from_micros(now - since.micros());
        enrolment::revoke(&config(&running), agent(1), at).unwrap();
        running.reload();
        assert_eq!(running.post(&Agents::new().hourly(1, 0)).status, 403);
        let status = running.post(&Agents::new().hourly(2, 0)).status;
        assert_eq!(status == 200, stays, "{status}");
    }
}

#[test]
fn a_damaged_claim_counts_for_nothing_and_keeps_nobody_else_out() {
    let running = Running::start(&[1]);
    let token = offer(&running, "1h", true);
    assert_eq!(show(&running, &token, 2).status, 200);
    let claims = running.files.path().join("register/enrolment/claims");
    let files: Vec<_> = std::fs::read_dir(&claims)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1);
    let text = std::fs::read_to_string(&files[0]).unwrap();
    assert!(!text.contains(&token), "no secret on disk: {text}");
    std::fs::write(&files[0], "{").unwrap();
    running.reload();
    assert_eq!(running.post(&Agents::new().hourly(2, 0)).status, 403);
    assert_eq!(running.post(&Agents::new().hourly(1, 0)).status, 200);
}

#[test]
fn a_token_is_made_for_a_system_that_there_is_and_for_some_time() {
    let running = Running::on(Files::new("127.0.0.1:0", &[]));
    for (system, valid, why) in [
        ("other", "1h", "not among the configured systems"),
        ("loan", "0s", "would never be good"),
    ] {
        let wanted = NewOffer {
            system: system.parse().unwrap(),
            valid: valid.parse().unwrap_or(Span::ZERO),
            approved: true,
            spiffe: None,
        };
        let error = enrolment::offer(&config(&running), wanted).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}
