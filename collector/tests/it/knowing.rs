//! What the register does not know, or was told twice, it says: gaps and their reasons, proofs,
//! notes, and breaches that are seen again.

use clause9_shared::ids::{BootId, Sequence};
use clause9_shared::time::Span;
use clause9_shared::wire::batch;
use clause9_shared::wire::loss::{Loss, LossReason, Place};

use crate::http::get;
use crate::world::{Agents, Running, agent, hour, key};

/// What is missing of a window, by objective.
fn why(running: &Running, objective: &str) -> Vec<(String, String)> {
    let missing = get(running.address, "/v1/missing?system=loan").json();
    let items = missing["items"].as_array().unwrap().clone();
    let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
    items
        .iter()
        .filter(|m| m["objective"] == objective)
        .map(|m| (text(&m["start"]), text(&m["reason"])))
        .collect()
}

fn gaps(running: &Running) -> Vec<serde_json::Value> {
    crate::http::all(running.address, "/v1/evidence?type=gap&limit=100")
        .iter()
        .map(|item| {
            let name = item["digest"].as_str().unwrap();
            get(running.address, &format!("/v1/evidence/{name}")).json()["body"].clone()
        })
        .collect()
}

#[test]
fn the_time_between_two_runs_is_no_quiet_hour() {
    let running = Running::start(&[1]);
    let agents = Agents::new();
    for h in 0..4 {
        assert_eq!(running.post(&agents.hourly(1, h)).status, 200);
    }
    assert!(gaps(&running).is_empty(), "the first run leaves no gap");
    // Hours 4 to 8 nobody watched; the next run says so by when it began.
    let mut next = agents.batch(1, 9, (4..10).map(|h| agents.heartbeat(h)).collect());
    next.boot = BootId(2);
    next.watching_since = hour(8).0;
    assert_eq!(running.post(&batch::seal(&next, &key(1))).status, 200);
    running.wait_sealed(10);
    let gaps = gaps(&running);
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0]["reason"], "agent_not_watching");
    assert_eq!(gaps[0]["start"], hour(4).0.to_string());
    assert_eq!(gaps[0]["end"], hour(8).0.to_string());
    let panes = get(running.address, "/v1/systems/loan/panes").json();
    let touched: Vec<_> = panes["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| !p["gaps"].as_array().unwrap().is_empty())
        .map(|p| p["start"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<_> = (4..8).map(|h| hour(h).0.to_string()).collect();
    assert_eq!(touched, expected);
    let said = why(&running, "income-missing");
    let of = |h: u32| (hour(h).0.to_string(), "agent_not_watching".to_owned());
    assert!(said.contains(&of(4)) && said.contains(&of(6)), "{said:?}");
    assert!(!said.contains(&of(8)), "{said:?}");
}

#[test]
fn a_hole_in_a_sequence_and_refused_items_are_gaps() {
    let running = Running::start(&[1]);
    // So few rows that an hour alone is too little for a window of two.
    let agents = Agents {
        rows: 30,
        ..Agents::new()
    };
    assert_eq!(running.post(&agents.hourly(1, 0)).status, 200);
    assert_eq!(running.post(&agents.hourly(1, 1)).status, 200);
    // Sequence 3, which closed hour 2, never comes.
    assert_eq!(running.post(&agents.hourly(1, 3)).status, 200);
    let mut spoiled = agents.batch(5, 4, vec![agents.heartbeat(4), agents.traffic(1, 4)]);
    spoiled.items[1].summary.push(0);
    assert_eq!(running.post(&batch::seal(&spoiled, &key(1))).status, 200);
    let filled = agents.batch(6, 5, vec![agents.heartbeat(5), agents.traffic(1, 5)]);
    assert_eq!(running.post(&batch::seal(&filled, &key(1))).status, 200);
    // One hour more, so that the window of hours 4 and 5 is due.
    assert_eq!(running.post(&agents.hourly(1, 6)).status, 200);
    running.wait_sealed(7);
    let reasons: Vec<_> = gaps(&running)
        .iter()
        .map(|g| (g["reason"].clone(), g["start"].clone(), g["end"].clone()))
        .collect();
    let is = |reason: &str, from: u32, to: u32| {
        let (from, to) = (hour(from).0.to_string(), hour(to).0.to_string());
        reasons.contains(&(reason.into(), from.into(), to.into()))
    };
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(is("batch_lost", 2, 4), "{reasons:?}");
    assert!(is("items_refused", 4, 5), "{reasons:?}");
    // Each window that lacks a value because of it says so, and names the agent.
    let said = why(&running, "income-missing");
    let of = |h: u32, reason: &str| (hour(h).0.to_string(), reason.to_owned());
    assert_eq!(said, [of(4, "items_refused"), of(2, "batch_lost")]);
    let missing = get(running.address, "/v1/missing?system=loan").json();
    let mut items = missing["items"].as_array().unwrap().iter();
    let lost = items.find(|m| m["reason"] == "batch_lost").unwrap();
    assert_eq!(lost["agents"][0], agent(1).to_string());
    let detail = lost["detail"].as_str().unwrap();
    assert!(detail.contains("between sequence 2 and 4"), "{detail}");
    let page = get(running.address, "/systems/loan").text();
    assert!(page.contains("lost a batch"), "{page}");
    assert!(page.contains("had items refused"), "{page}");
}

#[test]
fn a_batch_that_was_overtaken_is_waited_for_and_no_gap() {
    let running = Running::start(&[1]);
    let agents = Agents::new();
    for h in [0, 1, 3, 4] {
        assert_eq!(running.post(&agents.hourly(1, h)).status, 200);
    }
    running.wait_sealed(2);
    assert_eq!(running.post(&agents.hourly(1, 2)).status, 200);
    running.wait_sealed(5);
    assert_eq!(gaps(&running), Vec::<serde_json::Value>::new());
    let panes = get(running.address, "/v1/systems/loan/panes").json();
    let third = &panes["items"][2];
    assert_eq!(third["start"], hour(2).0.to_string());
    assert_eq!(
        third["coverage"]["seen"],
        panes["items"][1]["coverage"]["seen"]
    );
}

#[test]
fn what_an_agent_says_it_lost_is_a_gap_once_however_often_it_is_told() {
    let running = Running::start(&[1]);
    let agents = Agents::new();
    let place = |sequence| {
        Some(Place {
            boot: BootId(1),
            sequence: Sequence(sequence),
        })
    };
    let loss = Loss {
        reason: LossReason::OutboxFull,
        first: 2,
        last: 5,
        batches: 4,
        after: place(1),
        before: place(6),
        noticed_at: hour(2).0,
    };
    assert_eq!(running.post(&agents.hourly(1, 0)).status, 200);
    for (sequence, h) in [(6, 5), (7, 6)] {
        let mut batch = agents.batch(sequence, h, vec![agents.heartbeat(h), agents.traffic(1, h)]);
        batch.losses = vec![loss];
        assert_eq!(running.post(&batch::seal(&batch, &key(1))).status, 200);
    }
    running.wait_sealed(7);
    let told = |g: &&serde_json::Value| g["reason"] == "agent_lost";
    let gaps = gaps(&running);
    let lost: Vec<_> = gaps.iter().filter(told).collect();
    assert_eq!(lost.len(), 1, "{gaps:?}");
    assert_eq!(lost[0]["start"], hour(1).0.to_string());
    assert_eq!(lost[0]["end"], hour(6).0.to_string());
    let detail = lost[0]["detail"].as_str().unwrap();
    assert!(
        detail.contains("4 batches of its outbox (2 to 5)"),
        "{detail}"
    );
    let page = get(running.address, "/systems/loan").text();
    assert!(page.contains("lost batches of its outbox"), "{page}");
}

#[test]
fn open_panes_of_a_crashed_run_are_counted_once_and_say_what_they_lack() {
    let running = Running::start(&[1]);
    let agents = Agents::new();
    assert_eq!(running.post(&agents.hourly(1, 0)).status, 200);
    let mut restored = agents.batch(2, 1, vec![agents.traffic(1, 1)]);
    restored.restored = Some(hour(1).0 + Span::from_secs(60));
    restored.watermark = hour(1).0;
    let restored = batch::seal(&restored, &key(1));
    let receipt = running.post(&restored).json();
    assert_eq!(receipt["items"][0]["status"], "stored");
    assert_eq!(
        running.post(&restored).json()["items"][0]["status"],
        "duplicate"
    );
    let gaps = gaps(&running);
    assert_eq!(
        (gaps.len(), &gaps[0]["reason"]),
        (1, &"agent_crashed".into()),
        "{gaps:?}"
    );
    let detail = gaps[0]["detail"].as_str().unwrap();
    assert!(detail.contains("is as of"), "{detail}");
    // A run that had shipped it after all: what was put by before is not counted beside it.
    assert_eq!(running.post(&agents.hourly(1, 2)).status, 200);
    let mut late = agents.batch(3, 2, vec![agents.traffic(1, 2)]);
    late.restored = Some(hour(2).0 + Span::from_secs(60));
    let receipt = running.post(&batch::seal(&late, &key(1))).json();
    assert_eq!(receipt["items"][0]["status"], "duplicate");
    assert_eq!(receipt["marks"][0], "superseded");
    let refusals = crate::http::all(running.address, "/v1/evidence?type=refusal&limit=10");
    assert_eq!(refusals.len(), 0, "nobody is accused");
}

/// Two batches that one agent signed under one sequence number.
#[test]
fn an_agent_that_says_two_things_under_one_number_is_proved_to() {
    let running = Running::start(&[1]);
    let agents = Agents::new();
    let first = agents.hourly(1, 0);
    let second = batch::seal(&agents.batch(1, 1, vec![agents.heartbeat(1)]), &key(1));
    assert_eq!(running.post(&first).status, 200);
    for _ in 0..3 {
        let answer = running.post(&second);
        assert_eq!(answer.status, 409);
        assert_eq!(answer.json()["refused"], "replayed_sequence");
    }
    let refusals = crate::http::all(running.address, "/v1/evidence?type=refusal&limit=10");
    assert_eq!(refusals.len(), 1, "said once, however often it is tried");
    let name = refusals[0]["digest"].as_str().unwrap();
    let record = get(running.address, &format!("/v1/evidence/{name}")).json();
    let body = &record["body"];
    assert_eq!(body["agent"], agent(1).to_string());
    assert_eq!(body["bytes"], "kept");
    let refused = body["batch"].as_str().unwrap();
    let detail = body["detail"].as_str().unwrap();
    let kept = detail
        .split(' ')
        .find(|w| w.starts_with("sha256:"))
        .unwrap();
    // Whoever has the two envelopes needs to trust nobody: both signatures verify.
    let opened = [kept, refused].map(|name| {
        let bytes = get(running.address, &format!("/v1/blobs/{name}")).body;
        let envelope = batch::Envelope::parse(&bytes).unwrap();
        assert_eq!(envelope.agent(), agent(1));
        (envelope.open().unwrap(), bytes)
    });
    let number = |i: usize| (opened[i].0.boot, opened[i].0.sequence);
    assert_eq!(number(0), number(1));
    assert_eq!((&opened[0].1, &opened[1].1), (&first, &second));
    assert_ne!(first, second);
}

#[test]
fn counts_of_several_sampling_keys_and_model_versions_say_so() {
    let running = Running::start(&[1, 2]);
    let agents = Agents::new();
    let post = |n: u8, h: u32, item| {
        let items = vec![agents.heartbeat(h), item];
        let envelope = batch::seal(&agents.batch(u64::from(h) + 1, h, items), &key(n));
        assert_eq!(running.post(&envelope).status, 200);
    };
    for h in 0..4 {
        post(1, h, agents.traffic(1, h));
        let mut other = agents.traffic(2, h);
        if h >= 2 {
            other.key.salt = clause9_shared::digest::Digest::of(b"another");
            other.key.model_version = "4".into();
        }
        post(2, h, other);
    }
    running.wait_sealed(4);
    let list = get(running.address, "/v1/measurements?objective=income-missing").json();
    let bodies = list["items"].as_array().unwrap().iter();
    let bodies: Vec<_> = bodies.map(|i| i["record"]["body"].clone()).collect();
    assert_eq!(bodies.len(), 2, "{list:#}");
    for note in ["salts", "model_versions"] {
        assert!(bodies[0].get(note).is_none(), "one is not worth a word");
        assert_eq!(bodies[1][note].as_array().unwrap().len(), 2, "{note}");
    }
    let versions: Vec<_> = (0..2)
        .map(|i| &bodies[1]["model_versions"][i]["version"])
        .collect();
    assert_eq!(versions, ["3", "4"]);
    assert_eq!(
        bodies[1]["support"],
        4 * agents.rows,
        "they were added all the same"
    );
    let page = get(running.address, "/systems/loan").text();
    assert!(page.contains("2 sampling keys"), "{page}");
}

#[test]
fn a_breach_is_seen_again_only_by_steps_that_show_it() {
    let running = Running::start(&[1]);
    let agents = Agents::new();
    let mut next = 0;
    let mut sealed = |items: Vec<batch::ClosedWindow>| {
        let envelope = batch::seal(&agents.batch(u64::from(next) + 1, next, items), &key(1));
        assert_eq!(running.post(&envelope).status, 200);
        next += 1;
        running.wait_sealed(u64::from(next));
        let all = get(running.address, "/v1/systems/loan/objectives").json();
        let all = all["items"].as_array().unwrap().clone();
        let is = |o: &&serde_json::Value| {
            o["objective"]["id"] == "income-missing" && o["objective"]["version"] == 1
        };
        let one = all.iter().find(is).unwrap();
        let raised = !one["nonconformity"].is_null();
        (raised, one["seen_again"].as_u64().unwrap())
    };
    // What the hours hold: nothing, incomes as they should be, or one in three missing.
    let at = |h: u32, like: u32| {
        let mut item = agents.traffic(1, like);
        item.pane = hour(h);
        vec![agents.heartbeat(h), item]
    };
    let wrong = crate::world::WRONG_FROM;
    let mut h = 0;
    while !sealed(at(h, wrong + h)).0 {
        h += 1;
        assert!(h < 10, "never raised");
    }
    let mut step = |like: Option<u32>| {
        h += 1;
        let items = like.map_or_else(|| vec![agents.heartbeat(h)], |like| at(h, like));
        sealed(items).1
    };
    assert_eq!(step(Some(wrong + 20)), 1, "another bad hour");
    assert_eq!(step(None), 1, "an hour without cases shows nothing");
    assert_eq!(step(Some(3)), 1, "a good hour speaks against it");
    assert_eq!(step(None), 1);
    assert_eq!(step(Some(wrong + 21)), 2, "and there it is again");
    let page = get(running.address, "/systems/loan").text();
    assert!(page.contains("with the pane from 2026-01-01"), "{page}");
    let because = page.split("class=\"because\"").nth(1).unwrap();
    let because = because.split("</p>").next().unwrap();
    assert!(
        !because.contains(" block 1"),
        "panes, not block numbers: {because}"
    );
}
