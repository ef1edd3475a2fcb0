//! A batch of which something was refused, delivered again: what was refused is judged by what is known by then, and taken once.

use std::collections::BTreeSet;

use clause9_collector::known::Known;
use clause9_collector::verify::{self, Admitted, Before};
use clause9_shared::digest::Digest;
use clause9_shared::time::Clock;
use clause9_shared::wire::batch::{self, ItemReceipt, RefusalReason};
use serde_json::Value;

use crate::http::{all, get};
use crate::verifying::SKEW;
use crate::world::{
    Agents, Files, OBJECTIVES, Running, baseline, document, hour, key, known, known_of, loaded, now,
};

/// Objectives that are counted by another plan.
fn newer() -> String {
    let grade = OBJECTIVES
        .lines()
        .find(|l| l.contains("name: grade"))
        .unwrap();
    let more =
        "  - { name: income-again, type: numeric, unit: \"[EUR]\", from: { input: income } }";
    OBJECTIVES.replace(grade, &format!("{grade}\n{more}"))
}

/// A batch of hour 1: what the present plan counts, and what the newer one counts of the same hour.
fn mixed() -> Vec<u8> {
    let (agents, ahead) = (Agents::new(), Agents::of(&loaded(&newer())));
    let items = vec![agents.heartbeat(1), ahead.traffic(1, 1)];
    batch::seal(&agents.batch(2, 1, items), &key(1))
}

/// What a delivery was answered, item by item.
fn statuses(running: &Running, envelope: &[u8]) -> Vec<String> {
    let answer = running.post(envelope);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let items = answer.json()["items"].as_array().unwrap().clone();
    items
        .iter()
        .map(|i| i["status"].as_str().unwrap().to_owned())
        .collect()
}

/// Records of a kind that speak of a batch, oldest first, with their names.
fn records(running: &Running, kind: &str, of: Digest) -> Vec<(String, Value)> {
    let path = format!("/v1/evidence?type={kind}&limit=500");
    let named = all(running.address, &path).into_iter().map(|item| {
        let name = item["digest"].as_str().unwrap().to_owned();
        let record = get(running.address, &format!("/v1/evidence/{name}")).json();
        (name, record)
    });
    let of = of.to_string();
    named
        .filter(|(_, record)| record["body"]["batch"] == of.as_str())
        .collect()
}

/// Gives the collector the newer objectives at its next start.
fn give(files: &Files) {
    files.put("objectives.yaml", &newer());
    let text = baseline(&loaded(&newer())).to_json().unwrap();
    files.put("baseline.json", &text);
}

/// Reasons for which something is missing of an hour.
fn gaps_of(running: &Running, h: u32) -> Vec<String> {
    let panes = all(running.address, "/v1/systems/loan/panes?limit=100");
    let start = hour(h).0.to_string();
    let pane = panes.iter().find(|p| p["start"] == start.as_str()).unwrap();
    let gaps = pane["gaps"].as_array().cloned().unwrap_or_default();
    gaps.iter()
        .map(|g| g["reason"].as_str().unwrap().to_owned())
        .collect()
}

fn seen(running: &Running, h: u32) -> u64 {
    let panes = all(running.address, "/v1/systems/loan/panes?limit=100");
    let start = hour(h).0.to_string();
    let pane = panes.iter().find(|p| p["start"] == start.as_str()).unwrap();
    pane["coverage"]["seen"].as_u64().unwrap()
}

#[test]
fn an_item_that_came_before_its_objectives_is_taken_once_when_they_are_known() {
    let running = Running::start(&[1]);
    let agents = Agents::new();
    assert_eq!(running.post(&agents.hourly(1, 0)).status, 200);
    let envelope = mixed();
    let name = batch::digest(&envelope);
    assert_eq!(statuses(&running, &envelope), ["stored", "refused"]);
    for _ in 0..3 {
        assert_eq!(statuses(&running, &envelope), ["duplicate", "refused"]);
    }
    assert_eq!(records(&running, "refusal", name).len(), 1, "said once");
    assert_eq!(records(&running, "batch", name).len(), 1);
    // The seal of hour 1 is made as soon as the agent has closed it.
    running.wait_sealed(2);
    assert_eq!(gaps_of(&running, 1), ["items_refused"]);
    let before = records_of_panes(&running);
    give(&running.files);
    let running = running.again().again();
    assert_eq!(statuses(&running, &envelope), ["duplicate", "stored"]);
    for _ in 0..3 {
        assert_eq!(statuses(&running, &envelope), ["duplicate", "duplicate"]);
    }
    let of = records(&running, "batch", name);
    let [(first, _), (_, second)] = &of[..] else {
        panic!("{of:#?}")
    };
    assert_eq!(second["header"]["supersedes"], first.as_str());
    assert_eq!(second["body"]["taken"], 2);
    assert_eq!(second["body"]["refused"], 0);
    let refs = second["header"]["refs"].as_array().unwrap();
    assert!(refs.iter().any(|r| r["role"] == "gap_closed"), "{refs:#?}");
    // It goes into the next seal, once; what was sealed before is as it was.
    let ahead = Agents::of(&loaded(&newer()));
    let next = ahead.batch(3, 2, vec![ahead.heartbeat(2)]);
    assert_eq!(running.post(&batch::seal(&next, &key(1))).status, 200);
    running.wait_sealed(3);
    assert_eq!(seen(&running, 1), 3, "the seal says what it said");
    let after = records_of_panes(&running);
    assert!(before.is_subset(&after), "a block was changed");
    let late = after.difference(&before).filter(|name| {
        let block = get(running.address, &format!("/v1/evidence/{name}")).json();
        block["body"]["late"] == true
            && block["body"]["coverage"]["seen"] == 1
            && block["body"]["origins"][0]["batch"] == name_of(&envelope)
    });
    assert_eq!(late.count(), 1);
    assert_eq!(statuses(&running, &envelope), ["duplicate", "duplicate"]);
}

fn name_of(envelope: &[u8]) -> String {
    batch::digest(envelope).to_string()
}

fn records_of_panes(running: &Running) -> BTreeSet<String> {
    let blocks = all(running.address, "/v1/evidence?type=block&limit=500");
    blocks
        .iter()
        .map(|b| b["digest"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_was_taken_is_not_judged_again_though_nobody_knows_its_plan_any_more() {
    let (old, new) = (document(), loaded(&newer()));
    let agents = Agents::of(&old);
    let ahead = Agents::of(&new);
    let items = vec![agents.traffic(1, 1), ahead.traffic(1, 1)];
    let envelope = batch::seal(&agents.batch(2, 1, items), &key(1));
    let before = Before::StoredInPart(batch::digest(&envelope), [1].into());
    let again = |known: &Known| {
        let opened = verify::open(&envelope, known, None).unwrap();
        match verify::admit(opened, before.clone(), Clock::Replay, now(), SKEW).unwrap() {
            Admitted::Again(again) => again,
            Admitted::Duplicate(_) | Admitted::New(_) => panic!("it is stored in part"),
        }
    };
    let still = again(&known(&[1]));
    let items = still.receipt().items;
    assert_eq!(items[0], ItemReceipt::Duplicate);
    assert!(matches!(
        items[1],
        ItemReceipt::Refused {
            reason: RefusalReason::UnknownPlan,
            ..
        }
    ));
    assert!(!still.is_news() && still.verified().refusals().len() == 1);
    let now_known = again(&known_of(new, &[1]));
    assert_eq!(
        now_known.receipt().items,
        [ItemReceipt::Duplicate, ItemReceipt::Stored]
    );
    let taken: Vec<usize> = now_known.taken().map(|(place, _)| place).collect();
    assert_eq!((taken, now_known.verified().refusals()), (vec![1], vec![]));
}

#[test]
fn other_bytes_under_the_number_of_a_batch_that_is_stored_in_part_are_a_replay() {
    let agents = Agents::new();
    let one = batch::seal(&agents.batch(2, 1, vec![agents.heartbeat(1)]), &key(1));
    let other = batch::seal(&agents.batch(2, 1, vec![agents.traffic(1, 1)]), &key(1));
    let before = Before::StoredInPart(batch::digest(&one), [0].into());
    let opened = verify::open(&other, &known(&[1]), None).unwrap();
    let refused = verify::admit(opened, before.clone(), Clock::Replay, now(), SKEW).unwrap_err();
    assert_eq!(refused.reason, RefusalReason::ReplayedSequence);
    let opened = verify::open(&one, &known(&[1]), None).unwrap();
    let mixed = verify::admit(opened, before, Clock::Live, now(), SKEW).unwrap_err();
    assert_eq!(mixed.reason, RefusalReason::ClockMixed);
}

#[test]
fn the_same_bytes_refused_for_a_clock_that_is_ahead_are_one_record_however_often_they_are_tried() {
    let running = Running::on(Files::on_clock("127.0.0.1:0", &[1], Clock::Live));
    let mut ahead = Agents::new().batch(1, 0, Vec::new());
    ahead.clock = Clock::Live;
    ahead.watermark = now() + clause9_shared::time::Span::from_days(1);
    let envelope = batch::seal(&ahead, &key(1));
    let mut details = BTreeSet::new();
    for _ in 0..3 {
        let answer = running.post(&envelope);
        assert_eq!(answer.status, 400);
        details.insert(answer.json()["detail"].as_str().unwrap().to_owned());
    }
    assert_eq!(details.len(), 3, "each says when it was received");
    let name = batch::digest(&envelope);
    assert_eq!(records(&running, "refusal", name).len(), 1);
    let register = running.register();
    let count: i64 = register
        .query_row(
            "SELECT count FROM refused WHERE batch = ?1",
            [name.as_bytes()],
            |r| r.get(0),
        )
        .unwrap();
    assert_eq!(count, 3, "they are counted");
}

#[test]
fn what_was_refused_by_an_earlier_version_is_taken_too() {
    let mut running = Running::start(&[1]);
    assert_eq!(running.post(&Agents::new().hourly(1, 0)).status, 200);
    let envelope = mixed();
    assert_eq!(statuses(&running, &envelope), ["stored", "refused"]);
    running.wait_sealed(2);
    running.stop();
    let set_back = "ALTER TABLE pending ADD COLUMN item BLOB NOT NULL DEFAULT x'';
         DROP TABLE refused_items; DROP TABLE cosignatures; DROP TABLE checkpoints; DROP TABLE tiles;
         PRAGMA user_version = 4;
         UPDATE refused SET detail = 'item 1: the capture plan is not known; give agent and collector the same';";
    running.register().execute_batch(set_back).unwrap();
    give(&running.files);
    let running = running.again();
    assert_eq!(statuses(&running, &envelope), ["duplicate", "stored"]);
    assert_eq!(statuses(&running, &envelope), ["duplicate", "duplicate"]);
}
