//! Pages, rules and telemetry beside the running demonstration, scraped by a real Prometheus: every
//! expression of every panel answers, every rule evaluates, the alerts that should fire do, and
//! promtool finds nothing to object to in what the programs report.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use clause9_tests::http::{get, percent_encoded};
use clause9_tests::process::{Running, free_port, program, wait_until};
use clause9_tests::repository::{files, root, text};
use clause9_tests::tools::tool;
use serde_json::Value;

/// How long the demonstration may take to replay both cases.
const REPLAY: Duration = Duration::from_mins(5);
/// What it says when its files are written and its collector runs.
const STARTED: &str = "collector: http://";
/// What it says when it is done and keeps running.
const READY: &str = "everything keeps running";
/// How long it waits after each pane, so that several scrapes see the replay on the fastest machine.
const PACE: &str = "400ms";
/// Systems that the demonstration replays, by the folders it makes for them.
const SYSTEMS: [&str; 2] = ["car-loan", "german-credit"];
/// In place of Grafana's interval: some scrapes.
const RATE_INTERVAL: &str = "10s";

/// The demonstration, from the beginning of its replay.
struct Demonstration {
    running: Running,
    collector: u16,
    agents: Vec<u16>,
}

fn demonstrate(folder: &Path) -> anyhow::Result<Demonstration> {
    let collector = free_port()?;
    let folder = folder.join("demo");
    let arguments = [
        "--dir".into(),
        folder.display().to_string(),
        "--port".into(),
        collector.to_string(),
        "--pace".into(),
        PACE.into(),
    ];
    let mut running = Running::start(&program("clause9-demo")?, root(), &arguments)?;
    running.wait_for_line(STARTED, REPLAY)?;
    let mut agents = Vec::new();
    for system in SYSTEMS {
        for replica in ["replica-1", "replica-2"] {
            agents.push(admin_port(
                &folder.join(system).join(format!("{replica}.yaml")),
            )?);
        }
    }
    Ok(Demonstration {
        running,
        collector,
        agents,
    })
}

/// The port behind `admin:` in an agent's configuration.
fn admin_port(config: &Path) -> anyhow::Result<u16> {
    let text = std::fs::read_to_string(config)
        .with_context(|| format!("cannot read {}", config.display()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("admin: "));
    let port = line.and_then(|address| address.trim_matches('"').rsplit(':').next());
    port.and_then(|port| port.parse().ok())
        .with_context(|| format!("no admin port in {}", config.display()))
}

/// A Prometheus that scrapes the demonstration twice a second under our rules.
fn scrape(
    prometheus: &Path,
    folder: &Path,
    demo: &Demonstration,
) -> anyhow::Result<(u16, Running)> {
    let port = free_port()?;
    let agents: Vec<_> = demo
        .agents
        .iter()
        .map(|port| format!("\"127.0.0.1:{port}\""))
        .collect();
    let job = |name: &str, targets: &str| {
        format!(
            "  - job_name: {name}\n    static_configs:\n      - targets: [{targets}]\n        \
             labels: {{ environment: demo }}\n"
        )
    };
    let config = format!(
        "global: {{ scrape_interval: 500ms, evaluation_interval: 1s }}\nrule_files: [\"{}\"]\nscrape_configs:\n{}{}",
        root().join("dashboards/rules/clause9.rules.yml").display(),
        job(
            "clause9-collector",
            &format!("\"127.0.0.1:{}\"", demo.collector)
        ),
        job("clause9-agent", &agents.join(", ")),
    );
    std::fs::write(folder.join("prometheus.yml"), config)?;
    let arguments = [
        "--config.file=prometheus.yml".to_owned(),
        "--storage.tsdb.path=series".to_owned(),
        format!("--web.listen-address=127.0.0.1:{port}"),
    ];
    let mut running = Running::start(prometheus, folder, &arguments)?;
    running.wait_for_port(port, Duration::from_secs(30))?;
    Ok((port, running))
}

/// Waits until the replay is over and every target was scraped often enough for rates.
fn wait_for_the_end(port: u16, demo: &mut Demonstration) -> anyhow::Result<()> {
    demo.running.wait_for_line(READY, REPLAY)?;
    let targets = demo.agents.len() + 1;
    wait_until(
        "five scrapes of every target",
        Duration::from_mins(1),
        || {
            query(port, "count(sum_over_time(up[1m]) >= 5)")
                .is_ok_and(|found| found == [targets as f64])
        },
    )
}

fn ask(port: u16, path: &str) -> anyhow::Result<Value> {
    let answer = get(port, path)?.json()?;
    anyhow::ensure!(answer["status"] == "success", "{}", answer["error"]);
    Ok(answer["data"].clone())
}

/// Values of an instant query.
fn query(port: u16, expr: &str) -> anyhow::Result<Vec<f64>> {
    let data = ask(
        port,
        &format!("/api/v1/query?query={}", percent_encoded(expr)),
    )?;
    let series = data["result"].as_array().context("no result")?;
    Ok(series
        .iter()
        .filter_map(|s| s["value"][1].as_str()?.parse().ok())
        .collect())
}

/// How many series with a number a query over the whole replay has. The last panes hold late
/// records only, so that what is measured on traffic has no newest value at the end.
fn series(port: u16, expr: &str, since: u64) -> anyhow::Result<usize> {
    let now = SystemTime::UNIX_EPOCH.elapsed()?.as_secs();
    let path = format!(
        "/api/v1/query_range?query={}&start={}&end={now}&step=1",
        percent_encoded(expr),
        since
    );
    let data = ask(port, &path).with_context(|| format!("`{expr}`"))?;
    let number = |point: &Value| {
        point[1]
            .as_str()
            .and_then(|v| v.parse::<f64>().ok())
            .is_some_and(|v| !v.is_nan())
    };
    let found = data["result"].as_array().into_iter().flatten();
    Ok(found
        .filter(|s| s["values"].as_array().into_iter().flatten().any(number))
        .count())
}

/// Every query of every panel: page and panel, expression.
fn queries() -> anyhow::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let pages = files()?;
    for path in pages.iter().filter(|p| p.starts_with("dashboards/sre/")) {
        let page: Value = serde_json::from_str(&text(path)?)?;
        for panel in page["panels"].as_array().into_iter().flatten() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let (title, expr) = (
                    panel["title"].as_str().unwrap_or_default(),
                    target["expr"].as_str(),
                );
                found.push((
                    format!("{path}, `{title}`"),
                    expr.context("a query without an expression")?.to_owned(),
                ));
            }
        }
    }
    anyhow::ensure!(found.len() > 20, "only {} queries found", found.len());
    Ok(found)
}

/// Queries without an answer. A panel of one metric has to answer for the systems whose objectives
/// name that metric, and there has to be one; every other panel answers for each system.
fn unanswered(port: u16, since: u64) -> anyhow::Result<String> {
    let mut wrong = String::new();
    for (panel, expr) in queries()? {
        let mut answers = BTreeMap::new();
        for system in SYSTEMS {
            let filled = expr
                .replace("$__rate_interval", RATE_INTERVAL)
                .replace("$system", system)
                .replace("$objective", ".+")
                .replace("$metric", ".+");
            anyhow::ensure!(
                !filled.contains('$'),
                "{panel}: a variable is left in `{filled}`"
            );
            answers.insert(system, series(port, &filled, since)?);
        }
        // Systems need not be held to every metric, nor to one metric on several features.
        let of_some = expr.contains("metric=\"") || expr.contains("named_together");
        let enough = if of_some {
            answers.values().any(|n| *n > 0)
        } else {
            answers.values().all(|n| *n > 0)
        };
        if !enough {
            let _ = writeln!(wrong, "{panel}: `{expr}` has no answer: {answers:?}");
        }
    }
    Ok(wrong)
}

/// Rules that do not evaluate, and alerts that fire.
fn rules(port: u16) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let data = ask(port, "/api/v1/rules")?;
    let (mut ill, mut firing) = (Vec::new(), Vec::new());
    for rule in data["groups"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|g| g["rules"].as_array().into_iter().flatten())
    {
        let name = rule["name"].as_str().unwrap_or_default().to_owned();
        if rule["health"] != "ok" {
            ill.push(format!("{name}: {} {}", rule["health"], rule["lastError"]));
        }
        if rule["state"] == "firing" {
            firing.push(name);
        }
    }
    Ok((ill, firing))
}

/// What promtool objects to in a /metrics page.
fn objections(promtool: &Path, port: u16) -> anyhow::Result<String> {
    let metrics = get(port, "/metrics")?.text();
    let mut lint = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    lint.stdin
        .take()
        .context("no standard input")?
        .write_all(metrics.as_bytes())?;
    let done = lint.wait_with_output()?;
    let said =
        String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    Ok(if done.status.success() {
        String::new()
    } else {
        said
    })
}

#[test]
fn every_panel_answers_and_every_rule_evaluates_beside_the_running_demonstration()
-> anyhow::Result<()> {
    let (Some(prometheus), Some(promtool)) = (tool("prometheus")?, tool("promtool")?) else {
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let since = SystemTime::UNIX_EPOCH.elapsed()?.as_secs();
    let mut demo = demonstrate(folder.path())?;
    let (port, prometheus) = scrape(&prometheus, folder.path(), &demo)?;
    wait_for_the_end(port, &mut demo).with_context(|| prometheus.end())?;

    let wrong = unanswered(port, since)?;
    assert!(wrong.is_empty(), "panels without an answer:\n{wrong}");

    let (ill, firing) = rules(port)?;
    assert!(ill.is_empty(), "rules that do not evaluate: {ill:?}");
    assert!(
        firing.contains(&"Clause9Nonconforming".to_owned()),
        "the demonstration's breach fires no alert: {firing:?}"
    );
    assert!(
        !firing.contains(&"Clause9ReplayClockInProduction".to_owned()),
        "a demonstration is taken for production"
    );

    for port in std::iter::once(demo.collector).chain(demo.agents) {
        let said = objections(&promtool, port)?;
        assert!(
            said.is_empty(),
            "promtool objects to the metrics on port {port}:\n{said}"
        );
    }
    Ok(())
}
