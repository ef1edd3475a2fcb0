//! A restart of the agent in the middle of a pane, between the real programs: what both runs saw of
//! the pane is sealed together, and nothing twice.

use std::time::Duration;

use clause9_tests::process::wait_until;
use clause9_tests::site::{Layout, Site};

use crate::agent_world::{self, Model, infer, toy};

const PATIENCE: Duration = Duration::from_secs(30);
/// Requests of each run.
const REQUESTS: u64 = 40;

#[test]
fn a_pane_in_which_the_agent_was_restarted_holds_what_both_runs_saw() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let model = Model::start(|request, _| Some(toy(request)));
    agent_world::documents(folder.path());
    let site = Layout {
        folder: folder.path(),
        system: "toy",
        model: model.port,
        clock: "replay",
        agents: 1,
        collector: "",
    };
    let site = site.lay()?;
    let collector = site.start_collector()?;

    let mut first = site.start_agent(0)?;
    send(&site, "first", "2026-01-01T00:00:10Z")?;
    first.terminate(PATIENCE)?;
    let mut second = site.start_agent(0)?;
    send(&site, "second", "2026-01-01T00:00:40Z")?;
    site.agent(0)?.set_clock("2026-01-01T00:05:00Z")?;

    let sealed = || {
        let panes = site.list("/v1/systems/toy/panes?limit=100").ok()?;
        let mut panes = panes.into_iter();
        panes.find(|p| p["start"] == "2026-01-01T00:00:00Z")
    };
    wait_until("the seal of the pane", PATIENCE, || sealed().is_some())?;
    let coverage = sealed().map(|p| p["coverage"].clone()).unwrap_or_default();
    let count = |what: &str| coverage[what].as_u64();
    let said = || format!("{coverage:#}\n{}\n{}", collector.end(), second.end());
    assert_eq!(count("seen"), Some(2 * REQUESTS), "{}", said());
    assert_eq!(count("sampled"), Some(2 * REQUESTS), "{}", said());
    assert!(second.is_running());
    Ok(())
}

#[test]
fn a_pane_in_which_the_agent_was_killed_holds_what_was_put_by_and_says_so() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let model = Model::start(|request, _| Some(toy(request)));
    agent_world::documents(folder.path());
    let site = Layout {
        folder: folder.path(),
        system: "toy",
        model: model.port,
        clock: "replay",
        agents: 1,
        collector: "",
    };
    let site = site.lay()?;
    let collector = site.start_collector()?;

    let mut first = site.start_agent(0)?;
    send(&site, "first", "2026-01-01T00:00:10Z")?;
    let sent = std::time::SystemTime::now();
    let outbox = site.agent(0)?.state().join("outbox");
    let put_by = || {
        let files = std::fs::read_dir(&outbox).into_iter().flatten().flatten();
        let mut open = files.filter(|f| f.file_name().to_string_lossy().starts_with("open-"));
        open.any(|f| {
            f.metadata()
                .and_then(|m| m.modified())
                .is_ok_and(|at| at > sent)
        })
    };
    wait_until("open panes to be put by", PATIENCE, put_by)?;
    first.signal("KILL")?;
    wait_until("the end of the first run", PATIENCE, || !first.is_running())?;
    let second = site.start_agent(0)?;
    send(&site, "second", "2026-01-01T00:00:40Z")?;
    site.agent(0)?.set_clock("2026-01-01T00:05:00Z")?;

    let sealed = || {
        let panes = site.list("/v1/systems/toy/panes?limit=100").ok()?;
        let mut panes = panes.into_iter();
        panes.find(|p| p["start"] == "2026-01-01T00:00:00Z")
    };
    wait_until("the seal of the pane", PATIENCE, || sealed().is_some())?;
    let coverage = sealed().map(|p| p["coverage"].clone()).unwrap_or_default();
    let said = || format!("{coverage:#}\n{}\n{}", collector.end(), second.end());
    assert_eq!(coverage["seen"].as_u64(), Some(2 * REQUESTS), "{}", said());
    assert_eq!(
        coverage["sampled"].as_u64(),
        Some(2 * REQUESTS),
        "{}",
        said()
    );
    let gaps = site.list("/v1/evidence?type=gap&limit=100")?;
    let crashed = gaps.iter().filter_map(|gap| gap["digest"].as_str());
    let mut crashed = crashed.filter_map(|digest| site.get(&format!("/v1/evidence/{digest}")).ok());
    let found = crashed.any(|record| record["body"]["reason"] == "agent_crashed");
    assert!(found, "{gaps:?}\n{}", said());
    Ok(())
}

fn send(site: &Site, run: &str, at: &str) -> anyhow::Result<()> {
    let port = site.agent(0)?.port;
    for n in 0..REQUESTS {
        let time = format!("X-Event-Time: {at}\r\n");
        let answer = agent_world::ask(port, &infer(&format!("{run}-{n}"), 1, &time));
        anyhow::ensure!(answer.status() == 200, "{}", answer.text());
    }
    Ok(())
}
