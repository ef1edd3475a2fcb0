//! What is told of agents' clocks: by what they sign and when it comes.

use clause9_shared::time::{Clock, Span, Timestamp};
use clause9_shared::window::PaneStart;
use clause9_shared::wire::batch;
use serde_json::Value;

use crate::http::{Answer, get};
use crate::world::{Agents, Files, HOUR, Running, agent, key, now};

/// A second in microseconds.
const SECOND: i64 = 1_000_000;

/// Sends a batch that was signed at a time of the agent's clock, and speaks of an hour that begins then.
fn post(running: &Running, n: u8, sequence: u64, signed_at: Timestamp, of: Timestamp) -> Answer {
    let live = Agents {
        clock: Clock::Live,
        ..Agents::new()
    };
    let mut item = live.heartbeat(0);
    item.pane = PaneStart::of(of, HOUR);
    let mut batch = live.batch(sequence, 0, vec![item]);
    batch.watermark = batch.items[0].pane.0;
    batch.created_at = signed_at;
    running.post(&batch::seal(&batch, &key(n)))
}

/// What is told of an agent.
fn told(running: &Running, n: u8) -> Value {
    let list = get(running.address, "/v1/agents").json();
    let items = list["items"].as_array().unwrap();
    let id = agent(n).to_string();
    items
        .iter()
        .find(|a| a["id"] == id.as_str())
        .unwrap()
        .clone()
}

fn ahead(running: &Running, n: u8) -> i64 {
    told(running, n)["clock"]["ahead_micros"].as_i64().unwrap()
}

#[test]
fn a_clock_that_is_off_is_told_of_and_delays_are_not_taken_for_it() {
    let running = Running::on(Files::on_clock("127.0.0.1:0", &[1, 2, 3], Clock::Live));
    assert_eq!(told(&running, 1)["clock"], Value::Null, "nothing was heard");
    assert_eq!(told(&running, 1)["standing"], "approved");
    let past = now() - HOUR - HOUR;
    let two_minutes = Span::from_secs(120);
    // Ahead by two minutes, which is within what is allowed; some of it came late.
    for (sequence, late) in [(1, 600), (2, 0), (3, 1800)] {
        let signed = now() + two_minutes - Span::from_secs(late);
        let answer = post(&running, 1, sequence, signed, past);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let found = ahead(&running, 1);
    assert!((60 * SECOND..=120 * SECOND).contains(&found), "{found}");
    assert_eq!(told(&running, 1)["clock"]["batches"], 3);
    // Right, and now and then late.
    for (sequence, late) in [(1, 600), (2, 0)] {
        let signed = now() - Span::from_secs(late);
        assert_eq!(post(&running, 2, sequence, signed, past).status, 200);
    }
    let found = ahead(&running, 2);
    assert!((-60 * SECOND..=0).contains(&found), "{found}");
    // Behind.
    assert_eq!(post(&running, 3, 1, now() - HOUR, past).status, 200);
    let found = ahead(&running, 3);
    assert!(
        (-3660 * SECOND..=-3600 * SECOND).contains(&found),
        "{found}"
    );

    let short = agent(1).digest().short();
    let series = format!("clause9_agent_clock_ahead_seconds{{agent=\"{short}\"}}");
    let line = running.wait_series(&series);
    let seconds: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((60.0..=120.0).contains(&seconds), "{line}");

    let running = running.again();
    let found = ahead(&running, 1);
    assert!(
        (60 * SECOND..=120 * SECOND).contains(&found),
        "after a restart: {found}"
    );
    running.wait_series(&series);
}

#[test]
fn who_is_refused_for_a_clock_that_is_ahead_is_told_by_how_much() {
    let running = Running::on(Files::on_clock("127.0.0.1:0", &[1], Clock::Live));
    let day = Span::from_days(1);
    let answer = post(&running, 1, 1, now() + day, now() + day);
    assert_eq!(answer.status, 400);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("the agent's clock is ahead by 86"),
        "{detail}"
    );
    assert!(detail.contains("set the agent's wall clock"), "{detail}");
    let found = ahead(&running, 1);
    assert!(
        (86_300 * SECOND..=86_400 * SECOND).contains(&found),
        "nothing of it was stored: {found}"
    );
    let answer = post(&running, 1, 2, now(), now() + day);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("was set back since"), "{detail}");
    // The same bytes again say nothing new, nor does what was put by before a crash.
    let before = told(&running, 1);
    let mut restored = Agents::new().batch(3, 0, Vec::new());
    restored.clock = Clock::Live;
    restored.created_at = now() + day;
    restored.restored = Some(now());
    restored.watermark = now() - HOUR;
    running.post(&batch::seal(&restored, &key(1)));
    assert_eq!(told(&running, 1), before);
}

#[test]
fn the_list_of_agents_comes_in_pages() {
    let running = Running::start(&[1, 2, 3]);
    let first = get(running.address, "/v1/agents?limit=2").json();
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let next = first["next"].as_str().unwrap();
    let rest = get(running.address, &format!("/v1/agents?limit=2&after={next}")).json();
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert_eq!(rest["next"], Value::Null);
    assert_eq!(get(running.address, "/v1/agents?limit=0").status, 400);
    assert_eq!(get(running.address, "/v1/agents?after=x").status, 400);
}
