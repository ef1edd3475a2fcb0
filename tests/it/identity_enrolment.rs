//! An agent lets itself in by a token, is approved, changes its key and is revoked: with the real programs, as people do it.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clause9_tests::process::{Running, free_port, program, run_to_end};

use crate::agent_world::{Model, Raw, ask, documents, toy, until};

const START: Duration = Duration::from_secs(20);

#[expect(
    clippy::unnecessary_wraps,
    reason = "all model servers have one signature"
)]
fn answers(request: &Raw, _: &mut std::net::TcpStream) -> Option<Vec<u8>> {
    Some(toy(request))
}

/// The value of a series of a program's /metrics.
fn metric(port: u16, series: &str) -> u64 {
    let text = ask(port, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").text();
    let value = text
        .lines()
        .find_map(|l| l.strip_prefix(series)?.strip_prefix(' '));
    let value = value.unwrap_or_else(|| panic!("no {series} in\n{text}"));
    value.parse().unwrap()
}

/// A site whose collector knows no agent.
struct Ground {
    folder: tempfile::TempDir,
    collector: u16,
    admin: u16,
}

impl Ground {
    fn lay() -> Self {
        let folder = tempfile::tempdir().unwrap();
        documents(folder.path());
        let model = Model::start(answers).port;
        let [collector, data, admin] = [(); 3].map(|()| free_port().unwrap());
        let agent = format!(
            "listen: 127.0.0.1:{data}\nupstream: http://127.0.0.1:{model}\nobjectives: objectives.yaml\nbaseline: baseline.json\n\
             collector: http://127.0.0.1:{collector}\nadmin: 127.0.0.1:{admin}\noutcomes: {{ listen: 127.0.0.1:0 }}\n\
             state_dir: state\nclock: replay\nevent_time_header: x-event-time\n"
        );
        let text = format!(
            "listen: 127.0.0.1:{collector}\nstore: ./store\nagents: agents.yaml\n\
             systems:\n  - {{ objectives: objectives.yaml, baseline: baseline.json, clock: replay }}\n"
        );
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        put("agent.yaml", &agent);
        put("collector.yaml", &text);
        put("agents.yaml", "agents: []\n");
        Self {
            folder,
            collector,
            admin,
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn collector(&self, arguments: &str) -> String {
        run_to_end("clause9-collector", self.path(), arguments).unwrap()
    }

    fn agent(&self, arguments: &str) -> String {
        run_to_end("clause9-agent", self.path(), arguments).unwrap()
    }

    /// What a program says when it does not do what it is told.
    fn refused(&self, name: &str, arguments: &str) -> String {
        let ran = Command::new(program(name).unwrap())
            .args(arguments.split(' '))
            .current_dir(self.path())
            .output()
            .unwrap();
        assert!(!ran.status.success(), "{arguments} was done");
        String::from_utf8(ran.stderr).unwrap()
    }

    fn start(&self, name: &str, config: &str, port: u16) -> Running {
        let arguments = ["run", "--config", config];
        let mut running = Running::start(&program(name).unwrap(), self.path(), &arguments).unwrap();
        running.wait_for_port(port, START).unwrap();
        running
    }

    /// Lets the agent's replayed clock pass a minute more: it ships a batch.
    fn minute(&self, minute: u64) {
        let clock = format!(r#"{{"now":"2020-01-01T00:{minute:02}:10Z"}}"#);
        let told = format!(
            "POST /replay/clock HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{clock}",
            clock.len()
        );
        assert_eq!(ask(self.admin, told.as_bytes()).status(), 200);
    }

    fn wait_stored(&self, batches: u64) {
        let series = "clause9_collector_batches_total{result=\"stored\"}";
        until("stored batches", || {
            metric(self.collector, series) >= batches
        });
    }
}

#[test]
fn an_agent_comes_in_by_a_token_changes_its_key_and_goes() {
    let ground = Ground::lay();
    let collector = ground.start("clause9-collector", "collector.yaml", ground.collector);
    let unknown = ground.refused("clause9-agent", "identity rotate --config agent.yaml");
    assert!(unknown.contains("there is no key"), "{unknown}");

    let token = ground.collector("enrol --config collector.yaml --system toy --valid 10m");
    std::fs::write(ground.path().join("token"), &token).unwrap();
    let enrol = "enrol --config agent.yaml --token-file token";
    let said = ground.agent(enrol);
    let id = said.split_whitespace().next().unwrap().to_owned();
    assert!(
        said.contains("it waits for `clause9-collector agents approve`"),
        "{said}"
    );
    let list = "agents list --config collector.yaml";
    assert_eq!(
        ground.collector(list).trim(),
        format!("{id}  pending  toy  enrolled")
    );

    let mut agent = ground.start("clause9-agent", "agent.yaml", ground.admin);
    ground.minute(0);
    ground.minute(1);
    until("a refusal", || {
        let refused = "clause9_items_refused_total{reason=\"unknown_agent\"}";
        metric(ground.admin, refused) > 0
    });
    ground.collector(&format!("agents approve --config collector.yaml {id}"));
    collector.signal("HUP").unwrap();
    ground.wait_stored(1);
    assert!(
        ground.agent(enrol).contains("it may write"),
        "asked again, it is the same"
    );

    // A new key: the agent that runs goes on with the old one until it is started again.
    let said = ground.agent("identity rotate --config agent.yaml");
    let new = said.split_whitespace().next().unwrap().to_owned();
    assert_ne!(new, id);
    ground.minute(2);
    ground.wait_stored(2);
    agent.terminate(START).unwrap();
    assert_eq!(ground.agent("identity --config agent.yaml").trim(), new);
    let _agent = ground.start("clause9-agent", "agent.yaml", ground.admin);
    ground.minute(3);
    ground.minute(4);
    ground.wait_stored(3);
    until("the seals of both keys' panes", || {
        let sealed = "clause9_collector_sealed_panes_total{system=\"toy\"}";
        metric(ground.collector, sealed) >= 2
    });

    ground.collector(&format!("agents revoke --config collector.yaml {new}"));
    collector.signal("HUP").unwrap();
    until("the revocation", || {
        let loaded = "clause9_collector_reloads_total{result=\"loaded\",what=\"agents\"}";
        metric(ground.collector, loaded) >= 4
    });
    let refusals = "clause9_collector_refusals_total{reason=\"unknown_agent\"}";
    let before = metric(ground.collector, refusals);
    ground.minute(5);
    until("another refusal", || {
        metric(ground.collector, refusals) > before
    });
    assert!(
        ground
            .collector(list)
            .contains(&format!("{new}  revoked as of"))
    );
    let used = ground.refused("clause9-agent", enrol);
    assert!(
        used.contains("refuses (403") && used.contains("was revoked"),
        "{used}"
    );
}

#[test]
fn tokens_for_agents_go_nowhere_in_the_open_and_wrong_ones_are_said_so() {
    let ground = Ground::lay();
    std::fs::write(ground.path().join("token"), "c9e_wrong\n").unwrap();
    let enrol = "enrol --config agent.yaml --token-file token";
    let away = ground.refused(
        "clause9-agent",
        &format!("{enrol} --collector http://192.0.2.1:9300"),
    );
    assert!(away.contains("in the open"), "{away}");
    let nobody = ground.refused("clause9-agent", enrol);
    assert!(nobody.contains("gave no answer"), "{nobody}");
    let _collector = ground.start("clause9-collector", "collector.yaml", ground.collector);
    let wrong = ground.refused("clause9-agent", enrol);
    assert!(wrong.contains("the token is not known"), "{wrong}");
    let other = ground.refused(
        "clause9-collector",
        "enrol --config collector.yaml --system other",
    );
    assert!(
        other.contains("not among the configured systems"),
        "{other}"
    );
    let never = ground.refused(
        "clause9-collector",
        &format!(
            "agents approve --config collector.yaml sha256:{}",
            "0".repeat(64)
        ),
    );
    assert!(never.contains("was not enrolled"), "{never}");
}
