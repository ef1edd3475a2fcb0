//! Outcomes that find their prediction although they came to the wrong place, or after a kill: real agents
//! and a real collector.

use std::time::Duration;

use clause9_tests::http;
use clause9_tests::process::{Running, wait_until};
use clause9_tests::site::{Layout, Site};
use serde_json::Value;

use crate::agent_world::{self, Model, infer, toy};

/// Panes so short that a test can live through some.
const PANES: &str = "  length: 2s\n  lateness: 500ms\n";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const PATIENCE: Duration = Duration::from_mins(2);

fn objectives() -> String {
    let text = agent_world::OBJECTIVES
        .replace("  length: 1m\n  lateness: 5s\n", PANES)
        .replace("window: 1m", "window: 2s");
    assert!(text.contains(PANES), "the fixture is laid out otherwise");
    text
}

/// A site whose agents share the system's key and hand on what they do not know.
fn site(folder: &std::path::Path, agents: usize, model: u16) -> anyhow::Result<Site> {
    agent_world::documents_of(folder, &objectives());
    std::fs::write(folder.join("system.key"), "07".repeat(32))?;
    std::fs::write(folder.join("token"), TOKEN)?;
    let site = Layout {
        folder,
        system: "toy",
        model,
        clock: "live",
        agents,
        collector: "seal_grace: 1s\noutcomes: { token_file: token, hold: 3s }\n",
    };
    let site = site.lay()?;
    for n in 0..agents {
        let path = folder.join(format!("agent-{n}.yaml"));
        let text = std::fs::read_to_string(&path)?;
        let forwarding = text.replace(
            "outcomes: { listen:",
            "system_key_file: system.key\noutcomes: { forward: true, forward_after: 1s, listen:",
        );
        anyhow::ensure!(forwarding != text, "agents are laid out otherwise");
        std::fs::write(path, forwarding)?;
    }
    Ok(site)
}

fn ask(site: &Site, agent: usize, ids: &[String]) -> anyhow::Result<()> {
    let port = site.agent(agent)?.port;
    for id in ids {
        let answer = agent_world::ask(port, &infer(id, 1, ""));
        anyhow::ensure!(answer.status() == 200, "{}", answer.text());
    }
    Ok(())
}

fn ids(begin: &str, number: usize) -> Vec<String> {
    (0..number).map(|n| format!("{begin}-{n}")).collect()
}

fn labels<'a>(ids: impl IntoIterator<Item = &'a String>) -> String {
    ids.into_iter().fold(String::new(), |text, id| {
        text + &format!("{{\"request_id\":\"{id}\",\"label\":1}}\n")
    })
}

/// What became of outcomes at an agent, by its own account.
fn fate(site: &Site, agent: usize, fate: &str) -> anyhow::Result<u64> {
    let series = format!("clause9_outcomes_total{{fate=\"{fate}\"}} ");
    let text = http::get(site.agent(agent)?.admin, "/metrics")?.text();
    let value = text.lines().find_map(|line| line.strip_prefix(&series));
    Ok(value.unwrap_or("0").parse()?)
}

/// What became of outcomes by the panes that the collector sealed.
fn sealed(site: &Site, field: &str) -> u64 {
    let panes = site.list("/v1/systems/toy/panes?limit=1000");
    let panes = panes.unwrap_or_default();
    let counts = panes.iter().map(|p: &Value| &p["outcome_coverage"][field]);
    counts.filter_map(Value::as_u64).sum()
}

fn to_collector(site: &Site, lines: &str) -> anyhow::Result<Value> {
    let bearer = format!("Bearer {TOKEN}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/x-ndjson"),
    ];
    let path = "/v1/systems/toy/outcomes";
    http::send(site.collector, "POST", path, &headers, lines.as_bytes())?.json()
}

#[test]
fn labels_that_come_to_the_wrong_replica_or_to_the_collector_are_joined_once_and_the_others_counted()
-> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let model = Model::start(|request, _| Some(toy(request)));
    let site = site(folder.path(), 2, model.port)?;
    let collector = site.start_collector()?;
    let agents = [site.start_agent(0)?, site.start_agent(1)?];
    let (first, second) = (ids("a", 20), ids("b", 20));
    let (posted, nobodys) = (ids("c", 10), ids("nobody", 8));
    ask(&site, 0, &first)?;
    ask(&site, 1, &second)?;
    ask(&site, 1, &posted)?;
    // Each to the other one; some requests were never made.
    let crossed = labels(second.iter().chain(&nobodys[..5]));
    site.agent(0)?.post_outcomes(&crossed)?;
    site.agent(1)?.post_outcomes(&labels(&first))?;
    let answer = to_collector(&site, &labels(posted.iter().chain(&nobodys[5..])))?;
    assert_eq!(answer["taken"], 13, "{answer}");

    let sum = |of: &str| -> u64 { (0..2).map(|n| fate(&site, n, of).unwrap_or(0)).sum() };
    let told = || (sum("joined"), sum("unknown_id"));
    wait_until("every label's fate", PATIENCE, || told() == (50, 8)).map_err(|e| {
        let agents = agents.each_ref().map(Running::end).concat();
        e.context(format!("{:?}\n{}\n{agents}", told(), collector.end()))
    })?;
    assert_eq!(fate(&site, 0, "joined")?, 20, "each where it was answered");
    for other in [
        "repeated",
        "dropped",
        "forgotten",
        "unknown_row",
        "sampled_out",
    ] {
        assert_eq!(sum(other), 0, "{other}");
    }
    // The register has them, too, each once.
    let kept = || (sealed(&site, "labels"), sealed(&site, "unknown_id"));
    wait_until("the seals", PATIENCE, || kept() == (50, 8))
        .map_err(|e| e.context(format!("{:?}\n{}", kept(), collector.end())))?;
    Ok(())
}

#[test]
fn a_killed_agent_remembers_and_labels_join_what_it_predicted_before() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let model = Model::start(|request, _| Some(toy(request)));
    let site = site(folder.path(), 1, model.port)?;
    let collector = site.start_collector()?;
    let mut agent = site.start_agent(0)?;
    let known = ids("known", 30);
    ask(&site, 0, &known)?;
    let kept = || -> anyhow::Result<u64> {
        let text = http::get(site.agent(0)?.admin, "/metrics")?.text();
        let series = "clause9_remembered_disk_predictions ";
        let value = text.lines().find_map(|l| l.strip_prefix(series));
        Ok(value.unwrap_or("0").parse()?)
    };
    wait_until("predictions on disk", PATIENCE, || {
        kept().is_ok_and(|n| n == 30)
    })?;
    agent.signal("KILL")?;
    wait_until("its end", PATIENCE, || !agent.is_running())?;

    let again = site.start_agent(0)?;
    let answer = site.agent(0)?.post_outcomes(&labels(&known))?.json()?;
    assert_eq!(answer["joined"], 30, "{answer}");
    wait_until("the labels at the collector", PATIENCE, || {
        sealed(&site, "labels") == 30
    })
    .map_err(|e| e.context(format!("{}\n{}", collector.end(), again.end())))?;
    // What was predicted stands in the files, and no id does.
    let joins = folder.path().join("state-0").join("joins");
    for file in std::fs::read_dir(joins)? {
        let bytes = std::fs::read(file?.path())?;
        assert!(!bytes.windows(6).any(|w| w == b"known-"));
    }
    Ok(())
}
