//! The interface: refusals are answered and recorded, lists are bounded, pages need nothing else.

use clause9_shared::time::{Clock, Span};
use clause9_shared::window::PaneStart;
use clause9_shared::wire::batch;

use crate::http::{all, get, request};
use crate::world::{Agents, Files, HOUR, Running, hour, key, now};

#[test]
fn each_refusal_is_answered_with_its_reason_and_recorded() {
    let running = Running::start(&[1]);
    let agents = Agents::new();
    let good = agents.hourly(1, 0);
    assert_eq!(running.post(&good).status, 200);

    let mut flipped = agents.hourly(1, 1);
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let unknown = batch::seal(&agents.batch(1, 1, vec![agents.heartbeat(1)]), &key(9));
    let replayed = batch::seal(&agents.batch(1, 1, vec![agents.heartbeat(1)]), &key(1));
    let mut ahead = agents.batch(2, 1, vec![agents.heartbeat(1)]);
    ahead.created_at = now() + Span::from_days(1);
    let mut half = agents.batch(3, 2, vec![agents.heartbeat(2), agents.traffic(1, 2)]);
    half.items[1].summary.push(0);

    for (bytes, status, reason) in [
        (b"no envelope".to_vec(), 400, "malformed"),
        (flipped.clone(), 400, "bad_signature"),
        (unknown, 403, "unknown_agent"),
        (replayed, 409, "replayed_sequence"),
    ] {
        let answer = running.post(&bytes);
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.json()["refused"], reason);
    }
    let answer = running.post(&batch::seal(&ahead, &key(1)));
    assert_eq!(answer.json()["marks"][0], "clock_ahead");
    let answer = running.post(&batch::seal(&half, &key(1))).json();
    assert_eq!(answer["items"][0]["status"], "stored");
    assert_eq!(answer["items"][1]["reason"], "bad_summary");
    for _ in 0..5 {
        assert_eq!(running.post(&flipped).status, 400);
    }

    let reasons: Vec<_> = all(running.address, "/v1/evidence?type=refusal&limit=100")
        .iter()
        .map(|item| {
            let name = item["digest"].as_str().unwrap();
            let record = get(running.address, &format!("/v1/evidence/{name}")).json();
            record["body"]["reason"].as_str().unwrap().to_owned()
        })
        .collect();
    let expected = [
        "malformed",
        "bad_signature",
        "unknown_agent",
        "replayed_sequence",
        "bad_summary",
    ];
    assert_eq!(reasons, expected, "one record each; repeats are counted");
    let counted = get(running.address, "/v1/refusals").json();
    let bad = counted["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["reason"] == "bad_signature")
        .unwrap();
    assert_eq!(bad["count"], 6);
    let batches = all(running.address, "/v1/evidence?type=batch&limit=10");
    let marked = batches[1]["digest"].as_str().unwrap();
    let record = get(running.address, &format!("/v1/evidence/{marked}")).json();
    assert_eq!(
        record["body"]["marks"][0], "clock_ahead",
        "the mark is kept with the batch"
    );
    let metrics = get(running.address, "/metrics").text();
    assert!(metrics.contains("clause9_collector_refusals_total{reason=\"bad_signature\"} 6"));
    assert!(metrics.contains("clause9_collector_batches_total{result=\"refused\"} 9"));
}

#[test]
fn a_watermark_ahead_of_the_wall_clock_moves_nothing() {
    let files = Files::on_clock("127.0.0.1:0", &[1], Clock::Live);
    let running = Running::on(files);
    let live = Agents {
        clock: Clock::Live,
        ..Agents::new()
    };
    let open = PaneStart::of(now(), HOUR);
    let pane = PaneStart::of(open.0 - HOUR, HOUR);
    let batch_at = |sequence, pane, watermark| {
        let mut item = live.heartbeat(0);
        item.pane = pane;
        let mut batch = live.batch(sequence, 0, vec![item]);
        batch.watermark = watermark;
        batch
    };
    // A day-old watermark first, so that there is something that could move.
    let day = Span::from_days(1);
    let mut good = batch_at(1, pane, open.0 - day);
    good.created_at = now() + day;
    let answer = running.post(&batch::seal(&good, &key(1)));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["marks"][0], "clock_ahead");
    // Until it was heard, its watermark is shown as zero.
    let heard = format!(" {}", (open.0 - day).seconds_f64());
    running.wait_line("clause9_agent_watermark_timestamp_seconds", &heard);
    let before = running.wait_series("clause9_agent_watermark_timestamp_seconds");
    for ahead in [
        batch_at(2, pane, open.0 + day),
        batch_at(2, PaneStart::of(open.0 + day, HOUR), open.0),
    ] {
        let answer = running.post(&batch::seal(&ahead, &key(1)));
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["refused"], "clock_ahead");
    }
    let replayed = Agents::new().batch(2, 0, Vec::new());
    let answer = running.post(&batch::seal(&replayed, &key(1)));
    assert_eq!(answer.json()["refused"], "clock_mixed");
    let after = running.wait_series("clause9_agent_watermark_timestamp_seconds");
    assert_eq!(before, after);
    let batches = all(running.address, "/v1/evidence?type=batch&limit=10");
    assert_eq!(batches.len(), 1, "nothing of the refused ones is stored");
    let refusals = all(running.address, "/v1/evidence?type=refusal&limit=10");
    assert_eq!(refusals.len(), 3, "each is recorded");
}

#[test]
fn a_body_beyond_the_limit_is_refused_before_it_is_read() {
    let running = Running::start(&[1]);
    let mut stream = std::net::TcpStream::connect(running.address).unwrap();
    std::io::Write::write_all(
        &mut stream,
        b"POST /v1/batches HTTP/1.1\r\nhost: t\r\ncontent-length: 99999999999\r\n\r\n",
    )
    .unwrap();
    let mut answer = [0; 4096];
    let read = std::io::Read::read(&mut stream, &mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("too_large"), "{answer}");
}

#[test]
fn what_a_request_asks_wrongly_is_said_in_json() {
    let running = Running::start(&[1]);
    for (path, status, says) in [
        ("/v1/measurements?limit=0", 400, "1 to 1000"),
        ("/v1/measurements?limit=1001", 400, "1 to 1000"),
        ("/v1/measurements?limit=x", 400, "limit"),
        ("/v1/measurements?colour=red", 400, "colour"),
        ("/v1/measurements?system=car", 404, "no system"),
        ("/v1/missing", 400, "system"),
        ("/v1/evidence?type=rumour", 400, "rumour"),
        ("/v1/evidence/sha256:00", 400, "not a digest"),
        ("/v1/systems/car", 404, "no system"),
        ("/nowhere", 404, "nothing"),
    ] {
        let answer = get(running.address, path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(says), "{path}: {error}");
    }
    let absent = format!("/v1/evidence/sha256:{}", "0".repeat(64));
    assert_eq!(get(running.address, &absent).status, 404);
    let post = request(running.address, "POST", "/v1/measurements", b"").unwrap();
    assert_eq!(post.status, 405, "nothing but batches can be written");
}

#[test]
fn what_was_not_measured_is_listed_with_its_reason() {
    let running = Running::start(&[1, 2]);
    let agents = Agents::new();
    for h in 0..12 {
        for n in [1, 2] {
            let quiet = (4..8).contains(&h);
            let items = if quiet {
                vec![agents.heartbeat(h)]
            } else {
                vec![agents.heartbeat(h), agents.traffic(n, h)]
            };
            let envelope = batch::seal(&agents.batch(u64::from(h) + 1, h, items), &key(n));
            assert_eq!(running.post(&envelope).status, 200);
        }
    }
    running.wait_sealed(12);
    let missing = get(running.address, "/v1/missing?system=loan").json();
    let items = missing["items"].as_array().unwrap();
    let of = |objective: &str, status: &str| {
        items
            .iter()
            .filter(|m| m["objective"] == objective && m["status"] == status)
            .map(|m| (m["start"].as_str().unwrap().to_owned(), m["reason"].clone()))
            .collect::<Vec<_>>()
    };
    let start = |h: u32| hour(h).0.to_string();
    let quiet = serde_json::json!("not_measured");
    assert_eq!(
        of("income-missing", "missing"),
        [(start(6), quiet.clone()), (start(4), quiet.clone())]
    );
    assert_eq!(of("grade-drift", "missing"), [(start(4), quiet.clone())]);
    assert_eq!(of("accuracy", "missing"), [(start(0), quiet.clone())]);
    assert_eq!(
        of("accuracy", "pending"),
        [(start(4), quiet)],
        "its labels may still come"
    );
    assert_eq!(missing["missing"], 4, "pending ones are not missing");
    running.wait_line("clause9_missing_measurements{system=\"loan\"}", " 4");
}

#[test]
fn pages_need_no_script_and_ask_nobody_else() {
    let running = Running::start(&[1]);
    let agents = Agents::new();
    for h in 0..9 {
        assert_eq!(running.post(&agents.hourly(1, h)).status, 200);
    }
    running.wait_sealed(9);
    for path in ["/", "/systems/loan"] {
        let page = get(running.address, path);
        assert_eq!(page.status, 200);
        let head = page.head.to_ascii_lowercase();
        assert!(
            head.contains("content-security-policy: default-src 'none'"),
            "{head}"
        );
        let text = page.text();
        assert!(text.contains("REPLAY"), "replayed time is said plainly");
        for forbidden in ["<script", "http://", "https://", "@import", "url("] {
            let found = text.match_indices(forbidden).next();
            assert!(found.is_none(), "{path} has {forbidden}");
        }
    }
    assert_eq!(get(running.address, "/systems/car").status, 404);
}

#[test]
fn the_register_refuses_changes_even_from_whoever_holds_the_file() {
    let mut running = Running::start(&[1]);
    assert_eq!(running.post(&Agents::new().hourly(1, 0)).status, 200);
    running.wait_sealed(1);
    running.stop();
    let file = running.files.path().join("register/clause9.sqlite");
    let connection = rusqlite::Connection::open(file).unwrap();
    for statement in [
        "UPDATE contents SET bytes = x'00'",
        "DELETE FROM contents",
        "UPDATE records SET created_at = 0",
        "DELETE FROM records",
        "INSERT INTO records SELECT leaf + 100, randomblob(32), type, system, objective, version, created_at, received_at FROM records",
    ] {
        let error = connection.execute(statement, []).unwrap_err().to_string();
        assert!(
            error.contains("append-only") || error.contains("without holes"),
            "{statement}: {error}"
        );
    }
}
