//! What the collector refused is kept at the agent, and taken after all once it can be: with the real programs, over restarts of both.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::path::Path;
use std::process::{Command, Output};

use clause9_tests::http;
use clause9_tests::process::program;
use clause9_tests::sidecar::count;
use clause9_tests::site::{Layout, Site};
use serde_json::Value;

use crate::agent_world::{
    Door, Model, OBJECTIVES, Raw, Running, ask, config, documents_of, infer, toy, until,
};

#[expect(
    clippy::unnecessary_wraps,
    reason = "all model servers have one signature"
)]
fn answers(request: &Raw, _: &mut std::net::TcpStream) -> Option<Vec<u8>> {
    Some(toy(request))
}

/// Objectives that are counted by another plan.
fn newer() -> String {
    let from = "    from: { input: x }\n";
    assert!(OBJECTIVES.contains(from));
    let more = "  - name: x-again\n    type: numeric\n    unit: \"1\"\n    from: { input: x }\n";
    OBJECTIVES.replace(from, &format!("{from}{more}"))
}

/// Gives the collector the documents in that folder beside it.
fn documents_in(folder: &Path, at: &str) {
    let path = folder.join("collector.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let line = format!(
        "  - {{ objectives: {at}/objectives.yaml, baseline: {at}/baseline.json, clock: replay }}"
    );
    let lines = text.lines().map(|l| {
        if l.trim_start().starts_with("- {") {
            line.as_str()
        } else {
            l
        }
    });
    let text: Vec<&str> = lines.collect();
    std::fs::write(&path, text.join("\n") + "\n").unwrap();
}

fn command(folder: &Path, arguments: &[&str]) -> Output {
    let program = program("clause9-agent").unwrap();
    let mut command = Command::new(program);
    command.arg("quarantine").args(arguments);
    command
        .args(["--config", "agent-0.yaml"])
        .current_dir(folder);
    command.output().unwrap()
}

fn list(folder: &Path) -> Vec<Value> {
    let output = command(folder, &["list", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    list["entries"].as_array().unwrap().clone()
}

fn metric(site: &Site, series: &str) -> u64 {
    let text = http::get(site.agent(0).unwrap().admin, "/metrics")
        .unwrap()
        .text();
    count(&text, series).unwrap()
}

fn send(site: &Site, minute: u32, requests: u32) {
    for n in 0..requests {
        let told = format!("x-event-time: 2020-01-01T00:{minute:02}:10Z\r\n");
        let answer = ask(
            site.agent(0).unwrap().port,
            &infer(&format!("{minute}-{n}"), 1, &told),
        );
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }
}

fn records(site: &Site, kind: &str) -> Vec<Value> {
    let path = format!("/v1/evidence?type={kind}&limit=500");
    let listed = site.list(&path).unwrap().into_iter();
    let named = listed.map(|item| {
        let name = item["digest"].as_str().unwrap().to_owned();
        let record = site.get(&format!("/v1/evidence/{name}")).unwrap();
        serde_json::json!({ "digest": name, "record": record })
    });
    named.collect()
}

/// Exchanges in sealed panes.
fn sealed(site: &Site) -> u64 {
    let panes = site.list("/v1/systems/toy/panes?limit=100").unwrap();
    let seen = panes
        .iter()
        .map(|p| p["coverage"]["seen"].as_u64().unwrap_or(0));
    seen.sum()
}

#[test]
fn what_came_before_its_objectives_is_kept_shown_sent_again_and_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, text) in [("old", OBJECTIVES.to_owned()), ("new", newer())] {
        std::fs::create_dir(folder.join(name)).unwrap();
        documents_of(&folder.join(name), &text);
    }
    documents_of(folder, &newer());
    let layout = Layout {
        folder,
        system: "toy",
        model: Model::start(answers).port,
        clock: "replay",
        agents: 1,
        collector: "",
    };
    let site = layout.lay().unwrap();
    documents_in(folder, "old");
    let collector = site.start_collector().unwrap();
    let agent = site.start_agent(0).unwrap();
    let watcher = site.agent(0).unwrap();
    send(&site, 0, 20);
    watcher.set_clock("2020-01-01T00:01:20Z").unwrap();
    until("a batch in quarantine", || !list(folder).is_empty());
    until("an outbox without it", || {
        metric(&site, "clause9_outbox_batches") == 0
    });
    assert_eq!(
        metric(&site, "clause9_quarantine_entries"),
        list(folder).len() as u64
    );
    let entries = list(folder);
    let name = refused_and_shown(folder, &entries);
    let digits = &name["sha256:".len()..][..12];

    // Sent again too early, it is refused again, and said once in the register.
    let refusals = records(&site, "refusal").len();
    let early = command(folder, &["resend", "--all"]);
    assert_eq!(early.status.code(), Some(3), "{early:?}");
    assert_eq!(list(folder)[0]["times"], 2);
    assert_eq!(records(&site, "refusal").len(), refusals);
    assert_eq!(sealed(&site), 0);

    drop(agent);
    let _agent = site.start_agent(0).unwrap();
    let still: Vec<_> = list(folder).iter().map(|e| e["batch"].clone()).collect();
    assert!(still.contains(&Value::from(name.as_str())), "{still:?}");

    drop(collector);
    documents_in(folder, "new");
    let _collector = site.start_collector().unwrap();
    sent_again(folder, digits);
    assert_eq!(metric(&site, "clause9_quarantine_entries"), 0);
    assert_eq!(
        metric(&site, "clause9_quarantine_resent_total{result=\"stored\"}"),
        entries.len() as u64
    );
    // What came late and what comes as usual is sealed, each exchange once.
    send(&site, 2, 5);
    watcher.set_clock("2020-01-01T00:03:20Z").unwrap();
    until("sealed panes", || sealed(&site) == 25);
    says_so(&site, &name);
}

/// The first of the entries, which are all of a plan that the collector does not know.
fn refused_and_shown(folder: &Path, entries: &[Value]) -> String {
    assert!(
        entries
            .iter()
            .all(|e| e["reasons"][0]["reason"] == "unknown_plan"),
        "{entries:#?}"
    );
    let name = entries[0]["batch"].as_str().unwrap().to_owned();
    let digits = &name["sha256:".len()..][..12];
    let shown = command(folder, &["show", digits]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["contents"][0]["refused"], "unknown_plan", "{shown:#}");
    assert_eq!(shown["contents"][0]["pane"], "2020-01-01T00:00:00Z");
    let table = String::from_utf8(command(folder, &["list"]).stdout).unwrap();
    assert!(table.contains(digits), "{table}");
    name
}

fn sent_again(folder: &Path, digits: &str) {
    let sent = command(folder, &["resend", digits]);
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    let sent = command(folder, &["resend", "--all"]);
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    assert!(list(folder).is_empty());
}

/// The batch's record of now takes the place of the one that said that items were refused.
fn says_so(site: &Site, name: &str) {
    let batches = records(site, "batch");
    let of: Vec<_> = batches
        .iter()
        .filter(|item| item["record"]["body"]["batch"] == name)
        .collect();
    let [first, second] = &of[..] else {
        panic!("{of:#?}")
    };
    assert_eq!(
        second["record"]["header"]["supersedes"], first["digest"],
        "{second:#}"
    );
    assert_eq!(second["record"]["body"]["refused"], 0);
    assert_eq!(second["record"]["body"]["marks"][0], "judged_again");
}

#[test]
fn who_asks_for_what_is_not_there_is_told_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    documents_of(folder, OBJECTIVES);
    let layout = Layout {
        folder,
        system: "toy",
        model: Model::start(answers).port,
        clock: "replay",
        agents: 1,
        collector: "",
    };
    let site = layout.lay().unwrap();
    let nobody = command(folder, &["list"]);
    let said = String::from_utf8(nobody.stderr).unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    assert!(said.contains("is it running?"), "{said}");
    let _agent = site.start_agent(0).unwrap();
    let none = command(folder, &["list"]);
    assert_eq!(
        String::from_utf8(none.stdout).unwrap(),
        "nothing is in quarantine\n"
    );
    let missing = command(folder, &["forget", "0123456789ab"]);
    assert_eq!(missing.status.code(), Some(1));
    let said = String::from_utf8(missing.stderr).unwrap();
    assert!(said.contains("0 batches in quarantine"), "{said}");
    let short = command(folder, &["show", "01"]);
    let said = String::from_utf8(short.stderr).unwrap();
    assert!(said.contains("too short"), "{said}");
    // A page in a browser may not have anything forgotten or sent.
    let admin = site.agent(0).unwrap().admin;
    let asked = "POST /quarantine/resend HTTP/1.1\r\nHost: a\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(ask(admin, asked.as_bytes()).status(), 403);
    let asked = asked.replace("Origin: http://evil.example\r\n", "");
    assert_eq!(ask(admin, asked.as_bytes()).status(), 202);
    let wrong = "GET /quarantine/junk HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(ask(admin, wrong.as_bytes()).status(), 400);
    let put = "PUT /quarantine HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(ask(admin, put.as_bytes()).status(), 405);
}

#[test]
fn while_the_disk_keeps_nothing_what_is_refused_waits_and_others_go_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::start(answers);
    let door = Door::open(&[
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 48\r\n\r\n{\"refused\":\"bad_coverage\",\"detail\":\"not listed\"}",
    ]);
    std::fs::create_dir(folder.path().join("state")).unwrap();
    std::fs::write(folder.path().join("state/quarantine"), "no folder").unwrap();
    let agent = Running::start(config(folder.path(), model.port, Some(door.port)));
    agent.set_clock("2020-01-01T00:00:00Z");
    agent.set_clock("2020-01-01T00:01:10Z");
    agent.wait("clause9_items_refused_total{reason=\"bad_coverage\"}", 1);
    // Once at the start, and once when it was to be kept.
    agent.wait("clause9_state_write_failures_total{what=\"quarantine\"}", 2);
    agent.set_clock("2020-01-01T00:02:10Z");
    until("both batches", || door.batches.lock().unwrap().len() == 2);
    let sequences: Vec<u64> = door
        .batches
        .lock()
        .unwrap()
        .iter()
        .map(|b| b.sequence.0)
        .collect();
    assert_eq!(
        sequences,
        [2, 1],
        "the refused one is tried again behind the other"
    );
    agent.wait("clause9_batches_total{result=\"stored\"}", 2);
    assert_eq!(agent.metric("clause9_quarantine_entries"), 0);
}
