//! Prometheus' own tools on our rules and configuration.

use std::process::Command;

use clause9_dashboards::rules::ALERTS;
use clause9_tests::repository::{root, text};
use clause9_tests::tools::tool;

/// Runs promtool and answers what it said; fails if it does.
fn promtool(arguments: &[&str]) -> anyhow::Result<Option<String>> {
    let Some(promtool) = tool("promtool")? else {
        return Ok(None);
    };
    let done = Command::new(promtool)
        .args(arguments)
        .current_dir(root())
        .output()?;
    let said =
        String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "promtool {arguments:?}:\n{said}");
    Ok(Some(said))
}

#[test]
fn promtool_accepts_the_rules() -> anyhow::Result<()> {
    if let Some(said) = promtool(&["check", "rules", "dashboards/rules/clause9.rules.yml"])? {
        assert!(
            said.contains(&format!("{} rules found", ALERTS.len())),
            "{said}"
        );
    }
    Ok(())
}

#[test]
fn every_alert_fires_when_it_should_and_stays_silent_when_not() -> anyhow::Result<()> {
    let tests = text("dashboards/rules/clause9.test.yml")?;
    for alert in ALERTS {
        for what in ["fires", "stays silent"] {
            assert!(
                tests.contains(&format!("- name: {} {what}\n", alert.name)),
                "{} lacks a test that it {what}",
                alert.name
            );
        }
    }
    promtool(&["test", "rules", "dashboards/rules/clause9.test.yml"])?;
    Ok(())
}

/// Runs the tests with every expression replaced; answers what promtool said.
fn with_every_expression(expr: &str) -> anyhow::Result<Option<String>> {
    let Some(promtool) = tool("promtool")? else {
        return Ok(None);
    };
    let mut rules = String::new();
    for line in text("dashboards/rules/clause9.rules.yml")?.lines() {
        let replaced = format!("        expr: {expr}");
        rules.push_str(if line.trim_start().starts_with("expr: ") {
            &replaced
        } else {
            line
        });
        rules.push('\n');
    }
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("clause9.rules.yml"), rules)?;
    std::fs::write(
        folder.path().join("clause9.test.yml"),
        text("dashboards/rules/clause9.test.yml")?,
    )?;
    let done = Command::new(promtool)
        .args(["test", "rules", "clause9.test.yml"])
        .current_dir(folder.path())
        .output()?;
    anyhow::ensure!(
        !done.status.success(),
        "promtool accepts rules whose expressions are all `{expr}`"
    );
    Ok(Some(
        String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr),
    ))
}

#[test]
fn the_tests_notice_every_alert_that_never_fires() -> anyhow::Result<()> {
    if let Some(said) = with_every_expression("vector(0) > 1")? {
        for alert in ALERTS {
            assert!(
                said.contains(&format!("name: {} fires", alert.name)),
                "nobody misses {}:\n{said}",
                alert.name
            );
        }
    }
    Ok(())
}

#[test]
fn the_tests_notice_every_alert_that_always_fires() -> anyhow::Result<()> {
    if let Some(said) = with_every_expression("vector(1)")? {
        for alert in ALERTS {
            let name = format!("name: {} stays silent", alert.name);
            assert!(
                said.contains(&name),
                "nobody notices {} crying wolf:\n{said}",
                alert.name
            );
        }
    }
    Ok(())
}

#[test]
fn promtool_accepts_the_scrape_configuration() -> anyhow::Result<()> {
    promtool(&["check", "config", "dashboards/prometheus.yml"])?;
    Ok(())
}
