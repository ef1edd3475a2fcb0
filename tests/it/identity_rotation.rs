//! Agent and collector speak mutual TLS, and both have their certificates replaced while batches flow: no delivery fails.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside of `#[test]` functions"
)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clause9_tests::process::{Running, free_port, program, run_to_end};

use crate::agent_world::{Model, Raw, ask, documents, infer, toy, until};

const START: Duration = Duration::from_secs(20);
const SPIFFE: &str = "spiffe://example.org/ns/loans/sa/agent-a";
/// Batches that are sent, one for each minute of replayed time.
const BATCHES: u64 = 120;
/// How long certificates stay.
const STAY: Duration = Duration::from_millis(150);

#[expect(
    clippy::unnecessary_wraps,
    reason = "all model servers have one signature"
)]
fn answers(request: &Raw, _: &mut std::net::TcpStream) -> Option<Vec<u8>> {
    Some(toy(request))
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/identity")
        .join(name)
}

/// Puts a file in its place at once, as whoever renews certificates does.
fn put(folder: &Path, name: &str, what: &str) {
    let next = folder.join(format!("{name}.next"));
    std::fs::copy(fixture(what), &next).unwrap();
    std::fs::rename(next, folder.join(name)).unwrap();
}

fn put_pair(folder: &Path, name: &str, what: &str) {
    put(folder, &format!("{name}.pem"), &format!("{what}.pem"));
    put(folder, &format!("{name}.key"), &format!("{what}.key"));
}

struct Ports {
    collector: u16,
    data: u16,
    admin: u16,
}

/// Both configurations and their certificates; the agent is trusted over connections of its SPIFFE id.
fn lay(folder: &Path, model: u16) -> Ports {
    documents(folder);
    put_pair(folder, "server", "server-1");
    put_pair(folder, "client", "client-a");
    put(folder, "roots.pem", "authority.pem");
    let [collector, data, admin] = [(); 3].map(|()| free_port().unwrap());
    let agent = format!(
        "listen: 127.0.0.1:{data}\nupstream: http://127.0.0.1:{model}\nobjectives: objectives.yaml\nbaseline: baseline.json\n\
         collector: https://localhost:{collector}\n\
         collector_tls: {{ roots: roots.pem, certificate: client.pem, key: client.key }}\n\
         admin: 127.0.0.1:{admin}\noutcomes: {{ listen: 127.0.0.1:0 }}\nstate_dir: state\nclock: replay\n\
         event_time_header: x-event-time\n"
    );
    std::fs::write(folder.join("agent.yaml"), agent).unwrap();
    let id = run_to_end("clause9-agent", folder, "identity --config agent.yaml").unwrap();
    let agents = format!(
        "agents:\n  - {{ id: \"{}\", systems: [toy], spiffe: \"{SPIFFE}\" }}\n",
        id.trim()
    );
    std::fs::write(folder.join("agents.yaml"), agents).unwrap();
    let text = format!(
        "listen: 127.0.0.1:{collector}\nstore: ./store\nagents: agents.yaml\n\
         systems:\n  - {{ objectives: objectives.yaml, baseline: baseline.json, clock: replay }}\n\
         tls: {{ certificate: server.pem, key: server.key, clients: {{ roots: roots.pem }} }}\n"
    );
    std::fs::write(folder.join("collector.yaml"), text).unwrap();
    Ports {
        collector,
        data,
        admin,
    }
}

fn start(name: &str, folder: &Path, config: &str) -> Running {
    Running::start(
        &program(name).unwrap(),
        folder,
        &["run", "--config", config],
    )
    .unwrap()
}

fn metric(port: u16, series: &str) -> u64 {
    let text = ask(port, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").text();
    let value = text
        .lines()
        .find_map(|l| l.strip_prefix(series)?.strip_prefix(' '));
    let value = value.unwrap_or_else(|| panic!("no {series} in\n{text}"));
    value.parse().unwrap()
}

/// Time passes for the agent, minute by minute, each with a request: one batch each.
fn batches(ports: &Ports) {
    for minute in 0..=BATCHES {
        let at = format!("2020-01-01T{:02}:{:02}", minute / 60, minute % 60);
        let clock = format!(r#"{{"now":"{at}:06Z"}}"#);
        let told = format!(
            "POST /replay/clock HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{clock}",
            clock.len()
        );
        assert_eq!(ask(ports.admin, told.as_bytes()).status(), 200);
        let request = infer(
            &format!("r-{minute}"),
            1,
            &format!("X-Event-Time: {at}:30Z\r\n"),
        );
        assert_eq!(ask(ports.data, &request).status(), 200);
        std::thread::sleep(Duration::from_millis(15));
    }
}

#[test]
fn certificates_of_both_sides_are_rotated_under_load_and_no_send_fails() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::start(answers);
    let ports = lay(folder.path(), model.port);
    let mut collector = start("clause9-collector", folder.path(), "collector.yaml");
    collector.wait_for_port(ports.collector, START).unwrap();
    let mut agent = start("clause9-agent", folder.path(), "agent.yaml");
    agent.wait_for_line("serving", START).unwrap();
    agent.wait_for_port(ports.admin, START).unwrap();

    let done = AtomicBool::new(false);
    let rotations = std::thread::scope(|scope| {
        let rotating = scope.spawn(|| {
            let mut times = 0;
            while !done.load(Ordering::Relaxed) {
                times += 1;
                let (server, client) = match times % 2 {
                    0 => ("server-1", "client-a"),
                    _ => ("server-2", "client-a2"),
                };
                put_pair(folder.path(), "server", server);
                collector.signal("HUP").unwrap();
                put_pair(folder.path(), "client", client);
                agent.signal("HUP").unwrap();
                std::thread::sleep(STAY);
            }
            times
        });
        batches(&ports);
        let stored = "clause9_batches_total{result=\"stored\"}";
        until("every batch", || metric(ports.admin, stored) >= BATCHES);
        done.store(true, Ordering::Relaxed);
        rotating.join().unwrap()
    });
    let count = |series: &str| metric(ports.admin, series);
    assert_eq!(count("clause9_batches_total{result=\"failed\"}"), 0);
    assert_eq!(count("clause9_batches_total{result=\"refused\"}"), 0);
    assert_eq!(count("clause9_outbox_batches"), 0);
    let loaded = count("clause9_client_certificate_reloads_total{result=\"loaded\"}");
    assert!(rotations >= 10, "{rotations}");
    // Two signals may be one, and a reload may see two changes.
    assert!(loaded * 2 >= rotations, "{loaded} of {rotations}");
    let taken = collector
        .lines()
        .iter()
        .filter(|l| l.contains("read again"))
        .count() as u64;
    assert!(taken * 2 >= rotations, "{taken} of {rotations}");

    // A certificate that nobody vouches for: deliveries wait, and go on once it is replaced.
    put_pair(folder.path(), "client", "client-stranger");
    agent.signal("HUP").unwrap();
    until("the certificate", || {
        count("clause9_client_certificate_reloads_total{result=\"loaded\"}") > loaded
    });
    let stored = count("clause9_batches_total{result=\"stored\"}");
    let clock = r#"{"now":"2020-01-01T04:00:00Z"}"#;
    let told = format!(
        "POST /replay/clock HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{clock}",
        clock.len()
    );
    assert_eq!(ask(ports.admin, told.as_bytes()).status(), 200);
    until("a failure", || {
        count("clause9_batches_total{result=\"failed\"}") > 0
    });
    assert_eq!(count("clause9_batches_total{result=\"stored\"}"), stored);
    put_pair(folder.path(), "client", "client-a");
    agent.signal("HUP").unwrap();
    until("the rest", || count("clause9_outbox_batches") == 0);
    assert!(count("clause9_batches_total{result=\"stored\"}") > stored);
}
