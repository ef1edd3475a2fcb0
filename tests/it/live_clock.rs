//! Live time, between the real programs: a pane is sealed by the wall clock although a trusted agent
//! says nothing, and the register names who was silent.

use std::time::Duration;

use clause9_shared::time::Timestamp;
use clause9_tests::process::wait_until;
use clause9_tests::site::{Layout, Site};
use serde_json::Value;

use crate::agent_world::{self, Model, infer, toy};

/// Panes so short that a test can live through some.
const PANES: &str = "  length: 2s\n  lateness: 500ms\n";
const REQUESTS: u64 = 25;
/// The grace, and what the collector gives each silence besides (see `seal::PATIENCE`).
const GRACE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);

fn objectives() -> String {
    let text = agent_world::OBJECTIVES
        .replace("  length: 1m\n  lateness: 5s\n", PANES)
        .replace("window: 1m", "window: 2s");
    assert!(text.contains(PANES), "the fixture is laid out otherwise");
    text
}

fn time(value: &Value) -> anyhow::Result<Timestamp> {
    Ok(value.as_str().unwrap_or_default().parse()?)
}

#[test]
fn on_the_live_clock_a_pane_is_sealed_without_the_agent_that_is_silent() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let model = Model::start(|request, _| Some(toy(request)));
    agent_world::documents_of(folder.path(), &objectives());
    let site = Layout {
        folder: folder.path(),
        system: "toy",
        model: model.port,
        clock: "live",
        agents: 2,
        collector: "seal_grace: 1s\n",
    };
    let site = site.lay()?;
    let collector = site.start_collector()?;
    // The second agent is trusted, and never started.
    let agent = site.start_agent(0)?;
    let (port, silent) = (site.agent(0)?.port, &site.agent(1)?.id);
    for n in 0..REQUESTS {
        let answer = agent_world::ask(port, &infer(&format!("live-{n}"), 1, ""));
        anyhow::ensure!(answer.status() == 200, "{}", answer.text());
    }
    let panes = || {
        site.list("/v1/systems/toy/panes?limit=1000")
            .unwrap_or_default()
    };
    let seen = || {
        panes()
            .iter()
            .filter_map(|p| p["coverage"]["seen"].as_u64())
            .sum::<u64>()
    };
    wait_until("the seal by the clock", Duration::from_mins(1), || {
        seen() == REQUESTS
    })
    .map_err(|e| {
        e.context(format!(
            "{:#?}\n{}\n{}",
            panes(),
            collector.end(),
            agent.end()
        ))
    })?;

    for pane in panes() {
        assert_eq!(
            pane["agents_missing"],
            serde_json::json!([silent]),
            "{pane:#}"
        );
        let length = time(&pane["end"])?.since(time(&pane["start"])?);
        assert_eq!(length.micros(), 2_000_000);
    }
    it_was_waited_for(&site, silent)?;
    // Live time is no replay: nothing warns of it, and nothing says what nobody measured.
    let system = site.get("/v1/systems/toy")?;
    assert_eq!(system["clock"], "live");
    assert_eq!(system["agents"].as_array().map(Vec::len), Some(2));
    Ok(())
}

/// The register says who was silent, when, and that the silence was waited for as long as promised.
fn it_was_waited_for(site: &Site, silent: &str) -> anyhow::Result<()> {
    let panes = site.list("/v1/systems/toy/panes?limit=1000")?;
    let gaps = site.list("/v1/evidence?type=gap&limit=1000")?;
    assert!(
        gaps.len() >= panes.len() - 1,
        "one for each pane: {}",
        gaps.len()
    );
    let name = gaps[0]["digest"].as_str().unwrap_or_default();
    let record = site.get(&format!("/v1/evidence/{name}"))?;
    assert_eq!(record["header"]["clock"], "live");
    let body = &record["body"];
    assert_eq!(body["reason"], "agent_silent");
    assert_eq!(body["agents"], serde_json::json!([silent]));
    assert_eq!(body["start"], panes[0]["start"]);
    // It was waited for as long as was promised, by the wall clock.
    let waited = time(&body["detected_at"])?
        .since(time(&body["end"])?)
        .micros();
    let promised = GRACE + Duration::from_millis(500);
    assert!(waited >= i64::try_from(promised.as_micros())?, "{waited}");
    assert!(
        waited <= i64::try_from((promised + 3 * PATIENCE).as_micros())?,
        "{waited}"
    );
    Ok(())
}
