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

#[test]
fn a_rule_that_never_fires_would_be_noticed() -> anyhow::Result<()> {
    let Some(promtool) = tool("promtool")? else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    for alert in ALERTS {
        let rules = text("dashboards/rules/clause9.rules.yml")?;
        let tests = text("dashboards/rules/clause9.test.yml")?;
        let expr = serde_json::Value::from(alert.expr).to_string();
        let never = rules.replacen(&format!("expr: {expr}\n"), "expr: vector(0) > 1\n", 1);
        assert_ne!(
            rules, never,
            "{}: its expression is not in the file",
            alert.name
        );
        std::fs::write(folder.path().join("clause9.rules.yml"), never)?;
        std::fs::write(folder.path().join("clause9.test.yml"), tests)?;
        let done = Command::new(&promtool)
            .args(["test", "rules", "clause9.test.yml"])
            .current_dir(folder.path())
            .output()?;
        let said = String::from_utf8_lossy(&done.stderr).into_owned()
            + &String::from_utf8_lossy(&done.stdout);
        assert!(
            !done.status.success() && said.contains(alert.name),
            "nobody misses {}:\n{said}",
            alert.name
        );
    }
    Ok(())
}

#[test]
fn promtool_accepts_the_scrape_configuration() -> anyhow::Result<()> {
    promtool(&["check", "config", "dashboards/prometheus.yml"])?;
    Ok(())
}
