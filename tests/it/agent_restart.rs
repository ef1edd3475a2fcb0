//! A restart of the agent in the middle of a pane, between the real programs: what both runs saw of
//! the pane is sealed together, and nothing twice.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clause9_tests::http;
use clause9_tests::process::{Running, free_port, program, wait_until};
use serde_json::Value;

use crate::agent_world::{self, Model, infer, toy};

const PATIENCE: Duration = Duration::from_secs(30);
/// Requests of each run.
const REQUESTS: u64 = 40;

struct Ports {
    agent: u16,
    admin: u16,
    outcomes: u16,
    collector: u16,
}

#[test]
fn a_pane_in_which_the_agent_was_restarted_holds_what_both_runs_saw() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let model = Model::start(|request, _| Some(toy(request)));
    let ports = Ports {
        agent: free_port()?,
        admin: free_port()?,
        outcomes: free_port()?,
        collector: free_port()?,
    };
    configure(folder.path(), &ports, model.port)?;
    let mut collector = Running::start(
        &program("clause9-collector")?,
        folder.path(),
        &["run", "--config", "collector.yaml"],
    )?;
    collector.wait_for_port(ports.collector, PATIENCE)?;

    let mut first = start_agent(folder.path(), &ports)?;
    send(&ports, "first", "2026-01-01T00:00:10Z")?;
    terminate(&first)?;
    wait_until("the end of the first run", PATIENCE, || !first.is_running())?;
    let mut second = start_agent(folder.path(), &ports)?;
    send(&ports, "second", "2026-01-01T00:00:40Z")?;
    let answer = http::send(
        ports.admin,
        "POST",
        "/replay/clock",
        &[("content-type", "application/json")],
        br#"{"now":"2026-01-01T00:05:00Z"}"#,
    )?;
    anyhow::ensure!(answer.status() == 200, "{}", answer.text());

    let wanted = "2026-01-01T00:00:00Z";
    let sealed = || pane(ports.collector, wanted).ok().flatten();
    wait_until("the seal of the pane", PATIENCE, || sealed().is_some())?;
    let coverage = sealed().map(|p| p["coverage"].clone()).unwrap_or_default();
    let count = |what: &str| coverage[what].as_u64();
    let said = || format!("{coverage:#}\n{}\n{}", collector.end(), second.end());
    assert_eq!(count("seen"), Some(2 * REQUESTS), "{}", said());
    assert_eq!(count("sampled"), Some(2 * REQUESTS), "{}", said());
    assert!(second.is_running());
    Ok(())
}

fn configure(folder: &Path, ports: &Ports, model: u16) -> anyhow::Result<()> {
    // Objectives and baseline; the agent's own file is written anew, with ports of our choice.
    let _ = agent_world::config(folder, model, None);
    let Ports {
        agent,
        admin,
        outcomes,
        collector,
    } = ports;
    std::fs::write(
        folder.join("agent.yaml"),
        format!(
            "listen: 127.0.0.1:{agent}\nupstream: http://127.0.0.1:{model}\nobjectives: objectives.yaml\n\
             baseline: baseline.json\ncollector: http://127.0.0.1:{collector}\nadmin: 127.0.0.1:{admin}\n\
             outcomes: {{ listen: 127.0.0.1:{outcomes} }}\nstate_dir: ./state\nclock: replay\n\
             event_time_header: x-event-time\n"
        ),
    )?;
    std::fs::write(
        folder.join("collector.yaml"),
        format!(
            "listen: 127.0.0.1:{collector}\nstore: ./store\nagents: agents.yaml\nsystems:\n  \
             - {{ objectives: objectives.yaml, baseline: baseline.json, clock: replay }}\n"
        ),
    )?;
    let identity = Command::new(program("clause9-agent")?)
        .args(["identity", "--config", "agent.yaml"])
        .current_dir(folder)
        .output()?;
    anyhow::ensure!(identity.status.success(), "{identity:?}");
    let id = String::from_utf8(identity.stdout)?;
    let trusted = format!("agents: [{{ id: \"{}\", systems: [toy] }}]\n", id.trim());
    Ok(std::fs::write(folder.join("agents.yaml"), trusted)?)
}

fn start_agent(folder: &Path, ports: &Ports) -> anyhow::Result<Running> {
    let mut agent = Running::start(
        &program("clause9-agent")?,
        folder,
        &["run", "--config", "agent.yaml"],
    )?;
    agent.wait_for_port(ports.admin, PATIENCE)?;
    agent.wait_for_line("serving", PATIENCE)?;
    Ok(agent)
}

fn send(ports: &Ports, run: &str, at: &str) -> anyhow::Result<()> {
    for n in 0..REQUESTS {
        let time = format!("X-Event-Time: {at}\r\n");
        let answer = agent_world::ask(ports.agent, &infer(&format!("{run}-{n}"), 1, &time));
        anyhow::ensure!(answer.status() == 200, "{}", answer.text());
    }
    Ok(())
}

/// The signal by which a supervisor ends a program in order.
fn terminate(agent: &Running) -> anyhow::Result<()> {
    let kill = Command::new("sh")
        .args(["-c", &format!("kill -TERM {}", agent.id())])
        .status()?;
    anyhow::ensure!(kill.success(), "cannot signal the agent");
    Ok(())
}

/// A pane that is sealed, by its beginning.
fn pane(collector: u16, start: &str) -> anyhow::Result<Option<Value>> {
    let answer = http::get(collector, "/v1/systems/toy/panes?limit=100")?.json()?;
    let panes = answer["items"].as_array().cloned().unwrap_or_default();
    Ok(panes.into_iter().find(|p| p["start"] == start))
}
