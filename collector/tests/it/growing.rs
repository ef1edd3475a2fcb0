//! A register that has grown for long: what it says stays true, and costs what it did at first.

use std::collections::BTreeSet;

use clause9_shared::time::Clock;
use clause9_shared::wire::batch;
use serde_json::Value;

use crate::http::{all, get};
use crate::recompute::{Register, measured_again};
use crate::world::{Agents, Files, HOUR, OBJECTIVES, Running, agent, hour, key, loaded};

/// Windows of four hours that a register is grown by: more than are looked through for one answer.
const WINDOWS: u32 = 10_500;

/// Sets a stopped register forward as if every window of `grade-drift` had been measured since.
fn grow(running: &Running) {
    let mut file = running.register();
    let tx = file.transaction().unwrap();
    let body: String = tx
        .query_row(
            "SELECT body FROM seals ORDER BY pane DESC LIMIT 1",
            [],
            |r| r.get(0),
        )
        .unwrap();
    let mut body: Value = serde_json::from_str(&body).unwrap();
    let last = hour(4 * WINDOWS - 1);
    body["pane"] = serde_json::json!(last);
    body["end"] = serde_json::json!(last.end(HOUR));
    let seal = "INSERT INTO seals(system, pane, body) VALUES('loan', ?1, ?2)";
    tx.execute(seal, (last.0.micros(), body.to_string()))
        .unwrap();
    // Past the lateness, so that the last window is due.
    let heard = hour(4 * WINDOWS).end(HOUR).micros();
    tx.execute("UPDATE watermarks SET watermark = ?1", [heard])
        .unwrap();
    for n in 1..WINDOWS {
        tx.execute(
            "INSERT INTO windows(system, objective, version, start, end, measurement, status, support)
             VALUES('loan', 'grade-drift', 1, ?1, ?2, zeroblob(32), 'measured', 100)",
            [hour(4 * n).0.micros(), hour(4 * n + 4).0.micros()],
        )
        .unwrap();
    }
    tx.execute("DELETE FROM tallies", []).unwrap();
    tx.commit().unwrap();
}

#[test]
fn a_long_register_invents_no_missing_measurements_and_lists_all_that_there_are() {
    let mut running = Running::start(&[1]);
    let agents = Agents::new();
    for h in 0..4 {
        assert_eq!(running.post(&agents.hourly(1, h)).status, 200);
    }
    running.wait_sealed(4);
    running.stop();
    grow(&running);
    // One window in the middle has too few cases, one was never measured.
    let file = running.register();
    let (few, none) = (hour(4 * 200).0.micros(), hour(4 * 300).0.micros());
    let changed = file
        .execute(
            "UPDATE windows SET status = 'insufficient' WHERE start = ?1",
            [few],
        )
        .unwrap();
    assert_eq!(changed, 1);
    file.execute("DELETE FROM windows WHERE start = ?1", [none])
        .unwrap();
    drop(file);

    let running = running.again();
    let first = get(running.address, "/v1/missing?system=loan&limit=100").json();
    let listed = all(running.address, "/v1/missing?system=loan&limit=1000");
    let of = |objective: &str| -> Vec<_> {
        listed
            .iter()
            .filter(|m| m["objective"] == objective && m["status"] == "missing")
            .map(|m| (m["start"].as_str().unwrap().to_owned(), m["reason"].clone()))
            .collect()
    };
    let expected = [(300, "sealed_before"), (200, "insufficient")]
        .map(|(n, reason)| (hour(4 * n).0.to_string(), reason.into()));
    assert_eq!(of("grade-drift"), expected);
    // Of the others, everything but the first hours is missing: each window once, and all that are
    // counted are listed.
    let places: BTreeSet<_> = listed
        .iter()
        .map(|m| [&m["objective"], &m["version"], &m["start"]].map(Value::to_string))
        .collect();
    assert_eq!(places.len(), listed.len(), "each once");
    let missing = listed.iter().filter(|m| m["status"] == "missing").count();
    assert_eq!(first["missing"], missing);
    assert!(missing > 20_000, "{missing}");
    assert_eq!(first["items"].as_array().unwrap().len(), 100);
    assert!(first["next"].is_string(), "{}", first["next"]);
    let shown = format!(" {missing}");
    running.wait_line("clause9_missing_measurements{system=\"loan\"}", &shown);
    let wrong = get(running.address, "/v1/missing?system=loan&after=x");
    assert_eq!(wrong.status, 400, "{}", wrong.text());
}

/// Objectives whose accuracy is measured by the day, with labels that come for a day.
fn daily() -> String {
    let (before, rest) = OBJECTIVES.split_once("metric: accuracy").unwrap();
    let rest = rest.replacen("window: 4h", "window: 24h", 1);
    let rest = rest.replacen("label_delay: 4h", "label_delay: 24h", 1);
    format!("{before}metric: accuracy{rest}")
}

/// A day and more of traffic with labels three hours later, then labels for the first hours.
fn day(running: &Running, agents: &Agents, hours: std::ops::Range<u32>) {
    // Other labels than those before, or their counts would lie under one name with these.
    let late = Agents {
        plan: agents.plan.clone(),
        clock: agents.clock,
        rows: 20,
    };
    for h in hours.clone() {
        let mut items = vec![agents.heartbeat(h), agents.traffic(1, h)];
        if (3..26).contains(&h) {
            items.push(agents.outcomes(1, h - 3, h));
        }
        if h >= 26 {
            items.push(late.outcomes(1, h - 26, h));
        }
        let envelope = batch::seal(&agents.batch(u64::from(h) + 1, h, items), &key(1));
        assert_eq!(running.post(&envelope).status, 200);
    }
    running.wait_sealed(u64::from(hours.end));
}

/// What the records of measurements say, without what differs from run to run.
fn bodies(running: &Running) -> Vec<Value> {
    let all = all(running.address, "/v1/measurements?limit=1000");
    let bodies = all.into_iter().map(|mut item| {
        let mut body = item["record"]["body"].take();
        // Names of blocks hold the batches' times of signing.
        for of in ["blocks", "gaps"] {
            let number = body[of].as_array().map(Vec::len);
            body[of] = serde_json::json!(number);
        }
        body
    });
    bodies.collect()
}

#[test]
fn a_late_label_reads_no_block_again_that_is_in_its_windows_sum() {
    let objectives = daily();
    let agents = Agents::of(&loaded(&objectives));
    let start = || {
        let running = Running::on(Files::of("127.0.0.1:0", &[1], Clock::Replay, &objectives));
        day(&running, &agents, 0..28);
        running
    };
    let (whole, mut cut) = (start(), start());
    cut.stop();
    // What is in a sum is not to be had any more: whoever read it again would fail.
    let file = cut.register();
    let sums: i64 = file
        .query_row("SELECT count(*) FROM sums", [], |r| r.get(0))
        .unwrap();
    assert_eq!(sums, 2, "of the first day, one of each stream");
    file.execute_batch("DROP TRIGGER contents_keep").unwrap();
    let lost = file
        .execute(
            "UPDATE contents SET bytes = x'00' WHERE digest IN (SELECT b.summary FROM blocks b JOIN sums s
             ON s.stream = b.stream AND b.pane >= s.start AND b.pane < s.end AND b.rowid <= s.through)
             AND digest NOT IN (SELECT summary FROM blocks WHERE pane >= ?1)",
            [hour(23).0.micros()],
        )
        .unwrap();
    assert!(lost > 40, "{lost}");
    drop(file);
    let cut = cut.again();
    for running in [&whole, &cut] {
        day(running, &agents, 28..34);
    }
    let (expected, said) = (bodies(&whole), bodies(&cut));
    assert_eq!(said, expected);
    let restated = said
        .iter()
        .filter(|b| b["objective"] == "accuracy" && b["status"] == "measured")
        .count();
    assert!(restated >= 8, "{restated}");
    // And the sums are those of the blocks: computed again from the register, to the bit.
    let (_, valued) = measured_again(&Register(whole.address));
    assert!(valued >= restated, "{valued}");
}

#[test]
fn a_window_without_traffic_is_counted_apart_unless_nobody_watched() {
    let running = Running::start(&[1, 2]);
    let agents = Agents::new();
    for h in 0..12 {
        for n in [1, 2] {
            // Nothing but a health check in hours 4 to 7; in hours 8 to 11 answers were dropped.
            let mut beat = agents.heartbeat(h);
            let coverage = clause9_shared::window::Coverage {
                seen: 1,
                not_inference: 1,
                ..Default::default()
            };
            if h < 8 {
                beat.stream = batch::Stream::Traffic(coverage);
            }
            let mut items = vec![beat];
            if h < 4 {
                items.push(agents.traffic(n, h));
            }
            let envelope = batch::seal(&agents.batch(u64::from(h) + 1, h, items), &key(n));
            assert_eq!(running.post(&envelope).status, 200);
        }
    }
    running.wait_sealed(12);
    let missing = get(running.address, "/v1/missing?system=loan").json();
    let of = |status: &str| -> Vec<_> {
        let items = missing["items"].as_array().unwrap().iter();
        let items = items.filter(|m| m["objective"] == "income-missing" && m["status"] == status);
        items
            .map(|m| m["start"].as_str().unwrap().to_owned())
            .collect()
    };
    let start = |h: u32| hour(h).0.to_string();
    assert_eq!(of("no_traffic"), [start(6), start(4)]);
    assert_eq!(
        of("missing"),
        [start(8)],
        "of the last, the lateness is not over"
    );
    // Two of `income-missing` and one of `grade-drift`; labels of those hours are not due.
    assert_eq!(missing["no_traffic"], 3);
    running.wait_line("clause9_windows_without_traffic{system=\"loan\"}", " 3");
    let shown = format!(" {}", missing["missing"]);
    running.wait_line("clause9_missing_measurements{system=\"loan\"}", &shown);
    let page = get(running.address, "/systems/loan").text();
    assert!(page.contains("no traffic"), "{page}");
}

#[test]
fn the_series_of_an_objective_are_those_of_the_version_that_judges() {
    // The second version has another metric and no alert level.
    let (before, second) = OBJECTIVES.split_once("version: 2").unwrap();
    let second = second
        .replacen("metric: missing_rate", "metric: psi", 1)
        .replacen(
            "target: 0.01, alert: 0.04, action: 0.08",
            "target: 0.02, action: 0.2",
            1,
        );
    let objectives = format!("{before}version: 2{second}");
    let agents = Agents::of(&loaded(&objectives));
    let running = Running::on(Files::of("127.0.0.1:0", &[1], Clock::Replay, &objectives));
    let of = |name: &str, label: &str| {
        let lines = running.series(&format!(
            "clause9_{name}{{{label}objective=\"income-missing\""
        ));
        lines.len()
    };
    let shown = || {
        [
            of("objective_value", "metric=\"missing_rate\","),
            of("objective_value", "metric=\"psi\","),
            of("objective_level", "level=\"alert\","),
            of("objective_level", "level=\"target\","),
        ]
    };
    let sealed = |hours: std::ops::Range<u32>, version: &str| {
        let number = u64::from(hours.end - 20);
        for h in hours {
            assert_eq!(running.post(&agents.hourly(1, h)).status, 200);
        }
        running.wait_sealed(number);
        // What is shown follows the seal.
        let until = "clause9_sealed_until_timestamp_seconds{system=\"loan\"}";
        let end = hour(19 + u32::try_from(number).unwrap())
            .end(HOUR)
            .seconds_f64();
        running.wait_line(until, &format!(" {end}"));
        running.wait_line(
            "clause9_objective_version{objective=\"income-missing\"",
            version,
        );
    };
    sealed(20..24, " 1");
    assert_eq!(shown(), [1, 0, 1, 1]);
    sealed(24..27, " 2");
    assert_eq!(shown(), [0, 1, 0, 1]);
    let in_force = running.series("clause9_objective_in_force{objective=\"income-missing\"");
    assert!(in_force[0].ends_with(" 1"), "{in_force:?}");
}

#[test]
fn a_trusted_agent_that_was_never_heard_has_a_watermark_of_zero() {
    let running = Running::start(&[1, 2]);
    let of = |n: u8| {
        format!(
            "clause9_agent_watermark_timestamp_seconds{{agent=\"{}\"",
            agent(n).digest().short()
        )
    };
    for n in [1, 2] {
        let line = running.wait_series(&of(n));
        assert!(line.ends_with(" 0"), "{line}");
    }
    assert!(
        running.series("clause9_seal_due").is_empty(),
        "nothing is to be sealed"
    );
    assert_eq!(running.post(&Agents::new().hourly(1, 0)).status, 200);
    // Five minutes of lateness, five of grace.
    let due = running.wait_series("clause9_seal_due_timestamp_seconds");
    let expected = (hour(0).end(HOUR) + "10m".parse().unwrap()).seconds_f64();
    assert!(due.ends_with(&format!(" {expected}")), "{due}");
    let heard = running.wait_series(&of(1));
    assert!(!heard.ends_with(" 0"), "{heard}");
    let silent = running.wait_series(&of(2));
    assert!(silent.ends_with(" 0"), "{silent}");
    let free = running.wait_series("clause9_collector_store_free_bytes");
    let free: f64 = free.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(free > 0.0, "{free}");
}
