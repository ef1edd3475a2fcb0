//! Agents that are given their objectives by the collector: at the start, without it, and while they run. With the real
//! programs.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::path::Path;
use std::time::Duration;

use clause9_tests::process::{Running, free_port, program, run_to_end};
use serde_json::Value;

use crate::agent_world::{Model, OBJECTIVES, Raw, ask, documents_of, infer, toy, until};

const START: Duration = Duration::from_secs(20);

#[expect(
    clippy::unnecessary_wraps,
    reason = "all model servers have one signature"
)]
fn answers(request: &Raw, _: &mut std::net::TcpStream) -> Option<Vec<u8>> {
    Some(toy(request))
}

fn get(port: u16, path: &str) -> Raw {
    ask(
        port,
        format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(),
    )
}

/// A site whose agent has no objectives of its own.
struct Ground {
    folder: tempfile::TempDir,
    collector: u16,
    data: u16,
    admin: u16,
    outcomes: u16,
}

impl Ground {
    fn lay() -> Self {
        let folder = tempfile::tempdir().unwrap();
        documents_of(folder.path(), OBJECTIVES);
        let model = Model::start(answers).port;
        let [collector, data, admin, outcomes] = [(); 4].map(|()| free_port().unwrap());
        let this = Self {
            folder,
            collector,
            data,
            admin,
            outcomes,
        };
        this.put(
            "agent.yaml",
            &format!(
                "listen: 127.0.0.1:{data}\nupstream: http://127.0.0.1:{model}\nsystem: toy\npull: {{ every: 1s }}\n\
                 collector: http://127.0.0.1:{collector}\nadmin: 127.0.0.1:{admin}\noutcomes: {{ listen: 127.0.0.1:{outcomes} }}\n\
                 state_dir: state\nclock: replay\nevent_time_header: x-event-time\n"
            ),
        );
        this.put(
            "collector.yaml",
            &format!(
                "listen: 127.0.0.1:{collector}\nstore: ./store\nagents: agents.yaml\n\
                 systems:\n  - {{ objectives: objectives.yaml, baseline: baseline.json, clock: replay }}\n"
            ),
        );
        let id = run_to_end("clause9-agent", this.path(), "identity --config agent.yaml").unwrap();
        this.trust(&id);
        this
    }

    fn trust(&self, id: &str) {
        let line = format!("agents:\n  - {{ id: \"{}\", systems: [toy] }}\n", id.trim());
        self.put("agents.yaml", &line);
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn start(&self, name: &str, config: &str, port: u16) -> Running {
        let arguments = ["run", "--config", config];
        let mut running = Running::start(&program(name).unwrap(), self.path(), &arguments).unwrap();
        running.wait_for_port(port, START).unwrap();
        running
    }

    fn collector(&self) -> Running {
        self.start("clause9-collector", "collector.yaml", self.collector)
    }

    fn agent(&self) -> Running {
        self.start("clause9-agent", "agent.yaml", self.admin)
    }

    fn metric(&self, series: &str) -> u64 {
        let text = get(self.admin, "/metrics").text();
        let value = text
            .lines()
            .find_map(|l| l.strip_prefix(series)?.strip_prefix(' '));
        let value = value.unwrap_or_else(|| panic!("no series {series} in\n{text}"));
        value.parse().unwrap()
    }

    /// How things stand with the objectives.
    fn plan(&self) -> Value {
        let status: Value = serde_json::from_slice(&get(self.admin, "/status").body).unwrap();
        status["plan"].clone()
    }

    fn wait_source(&self, source: &str) {
        until(source, || self.plan()["source"] == source);
    }

    /// The documents that the collector has, if it answers.
    fn of_collector(&self) -> Value {
        let answer = get(self.collector, "/v1/systems/toy/plan");
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Sends one request of that time through the agent.
    fn send(&self, id: &str, time: &str) {
        let told = format!("x-event-time: 2020-01-01T{time}Z\r\n");
        let answer = ask(self.data, &infer(id, 1, &told));
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }

    fn set_clock(&self, time: &str) {
        let clock = format!(r#"{{"now":"2020-01-01T{time}Z"}}"#);
        let told = format!(
            "POST /replay/clock HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{clock}",
            clock.len()
        );
        assert_eq!(ask(self.admin, told.as_bytes()).status(), 200);
    }

    /// Exchanges in sealed panes, and those of them that were counted into summaries.
    fn sealed(&self) -> (u64, u64) {
        let answer = get(self.collector, "/v1/systems/toy/panes?limit=100");
        let panes: Value = serde_json::from_slice(&answer.body).unwrap();
        let of = |what: &str| {
            let items = panes["items"].as_array().unwrap().iter();
            items
                .map(|p| p["coverage"][what].as_u64().unwrap_or(0))
                .sum()
        };
        (of("seen"), of("sampled"))
    }

    /// Changes the objectives that the collector is to have.
    fn change(&self, from: &str, to: &str) {
        let path = self.path().join("objectives.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        documents_of(self.path(), &text.replace(from, to));
    }
}

#[test]
fn an_agent_passes_traffic_without_objectives_and_monitors_once_it_is_given_them() {
    let ground = Ground::lay();
    let agent = ground.agent();
    let ready = get(ground.admin, "/ready");
    assert_eq!(ready.status(), 200, "traffic passes");
    assert!(
        ready.text().contains("nothing is monitored"),
        "{}",
        ready.text()
    );
    ground.send("early", "00:00:10");
    assert_eq!(ground.metric("clause9_plan_awaited"), 1);
    assert_eq!(
        ground.metric("clause9_exchanges_total{fate=\"unmonitored\"}"),
        1
    );
    let token = std::fs::read_to_string(ground.path().join("state/outcomes.token")).unwrap();
    let body = r#"{"request_id":"early","label":1,"available_at":"2020-01-01T00:00:20Z"}"#;
    let label = format!(
        "POST /outcomes HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = ask(ground.outcomes, label.as_bytes());
    assert_eq!(
        (answer.status(), answer.header("retry-after")),
        (503, Some("1"))
    );
    until("a failed pull", || {
        ground.metric("clause9_plan_pulls_total{result=\"failed\"}") > 0
    });
    let problem = ground.plan()["problem"].as_str().unwrap().to_owned();
    assert!(
        problem.contains("the collector gives no documents"),
        "{problem}"
    );

    let collector = ground.collector();
    ground.wait_source("collector");
    let (has, told) = (ground.plan(), ground.of_collector());
    assert_eq!(
        (&has["objectives"], &has["baseline"]),
        (&told["objectives"], &told["baseline"])
    );
    assert_eq!(get(ground.admin, "/ready").text(), "ready\n");
    for second in 10..15 {
        ground.send(&format!("r-{second}"), &format!("00:01:{second}"));
    }
    ground.set_clock("00:02:10");
    until("a sealed pane", || ground.sealed() == (5, 5));
    until("a look without news", || {
        ground.metric("clause9_plan_pulls_total{result=\"unchanged\"}") > 0
    });
    drop((agent, collector));
}

#[test]
fn an_agent_goes_on_by_the_last_good_objectives_and_notices_if_they_are_damaged() {
    let ground = Ground::lay();
    let mut collector = ground.collector();
    let mut agent = ground.agent();
    ground.wait_source("collector");
    until("a kept copy", || !ground.plan()["checked_at"].is_null());
    let objectives = ground.plan()["objectives"].clone();
    let checked = run_to_end("clause9-agent", ground.path(), "check --config agent.yaml").unwrap();
    assert!(checked.contains(objectives.as_str().unwrap()), "{checked}");
    agent.terminate(START).unwrap();
    collector.terminate(START).unwrap();

    let mut agent = ground.agent();
    ground.wait_source("cache");
    assert_eq!(ground.plan()["objectives"], objectives);
    ground.send("r-1", "00:00:10");
    ground.set_clock("00:01:10");
    until("a pane without the collector", || {
        ground.metric("clause9_panes_closed_total") == 1
    });
    agent.terminate(START).unwrap();

    let cache = ground.path().join("state/plan.cache");
    let mut bytes = std::fs::read(&cache).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    std::fs::write(&cache, &bytes).unwrap();
    let _agent = ground.agent();
    until("the damage", || {
        ground.metric("clause9_plan_cache_damaged_total") == 1
    });
    assert_eq!(
        ground.metric("clause9_plan_awaited"),
        1,
        "no damaged objectives are used"
    );
    let _collector = ground.collector();
    ground.wait_source("collector");
    until("another copy", || std::fs::read(&cache).unwrap() != bytes);
}

#[test]
fn other_objectives_are_taken_up_between_two_panes_and_no_exchange_is_lost() {
    let ground = Ground::lay();
    let mut collector = ground.collector();
    let agent = ground.agent();
    ground.wait_source("collector");
    let before = ground.plan()["objectives"].clone();
    for second in 10..14 {
        ground.send(&format!("a-{second}"), &format!("00:00:{second}"));
    }
    collector.terminate(START).unwrap();
    // What is counted is another thing, and not only what is judged of it.
    ground.change("    from: { input: x }\n", "    from: { input: x }\n  - name: x-again\n    type: numeric\n    unit: \"1\"\n    from: { input: x }\n");
    let mut collector = ground.collector();
    assert_ne!(ground.of_collector()["objectives"], before);
    until("what comes next", || !ground.plan()["next_from"].is_null());
    assert_eq!(ground.plan()["next_from"], "2020-01-01T00:01:00Z");
    assert_eq!(
        ground.plan()["objectives"],
        before,
        "the pane that is open is counted as before"
    );

    // Late ones of the old pane and early ones of the new one, in turn, within the lateness.
    for n in 0..5 {
        ground.send(&format!("b-{n}"), &format!("00:00:5{n}"));
        ground.send(&format!("c-{n}"), &format!("00:01:0{n}"));
    }
    until("the new objectives in force", || {
        ground.set_clock("00:01:30");
        ground.plan()["objectives"] != before
    });
    assert_eq!(
        ground.plan()["objectives"],
        ground.of_collector()["objectives"]
    );
    ground.send("d", "00:01:40");
    ground.set_clock("00:02:10");
    until("both panes", || {
        ground.sealed() == (4 + 5 + 5 + 1, 4 + 5 + 5 + 1)
    });
    let refused = get(ground.collector, "/v1/refusals");
    let refused: Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!(
        refused["items"],
        Value::Array(vec![]),
        "nothing of it was refused"
    );
    assert_eq!(ground.metric("clause9_late_exchanges_total"), 0);
    collector.terminate(START).unwrap();
    drop(agent);
}

#[test]
fn an_agent_without_a_grant_is_told_why_and_what_is_in_force_stays() {
    let ground = Ground::lay();
    ground.trust(&format!("sha256:{}", "0".repeat(64)));
    let collector = ground.collector();
    let _agent = ground.agent();
    until("a refusal", || {
        ground.metric("clause9_plan_pulls_total{result=\"denied\"}") > 0
    });
    let problem = ground.plan()["problem"].as_str().unwrap().to_owned();
    assert!(
        problem.contains("is not among the trusted agents"),
        "{problem}"
    );
    ground.send("r-1", "00:00:10");
    let id = run_to_end(
        "clause9-agent",
        ground.path(),
        "identity --config agent.yaml",
    )
    .unwrap();
    ground.trust(&id);
    collector.signal("HUP").unwrap();
    ground.wait_source("collector");
    ground.trust(&format!("sha256:{}", "0".repeat(64)));
    collector.signal("HUP").unwrap();
    until("another refusal", || !ground.plan()["problem"].is_null());
    assert_eq!(ground.plan()["source"], "collector");
    assert_eq!(ground.metric("clause9_plan_awaited"), 0);
}
