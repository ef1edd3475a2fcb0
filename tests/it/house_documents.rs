//! Documents and what they are about stay together: decisions, runbooks, method cards, telemetry
//! names, licences of data.

use std::collections::BTreeSet;
use std::path::Path;

use clause9_dashboards::rules::{ALERTS, rules_file};
use clause9_dashboards::telemetry::{Side, TELEMETRY};
use clause9_shared::metric::MetricId;
use clause9_tests::repository::{files, production, root, rust_files, text};

#[test]
fn generated_files_are_fresh() {
    for artefact in clause9_dashboards::artefacts() {
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(root().join(artefact.path), &artefact.text).unwrap();
        }
        let found = text(artefact.path).unwrap_or_default();
        assert!(
            found == artefact.text,
            "{} is stale: run `cargo run -p clause9-dashboards`",
            artefact.path
        );
    }
}

#[test]
fn every_decision_is_listed_and_every_listed_one_exists() -> anyhow::Result<()> {
    let index = text("docs/adr/README.md")?;
    let written: BTreeSet<_> = files()?
        .iter()
        .filter_map(|path| path.strip_prefix("docs/adr/"))
        .filter(|name| *name != "README.md")
        .map(str::to_owned)
        .collect();
    assert!(!written.is_empty());
    for name in &written {
        assert!(
            index.contains(&format!("({name})")),
            "docs/adr/README.md does not list {name}"
        );
    }
    for name in index
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
    {
        assert!(
            !name.starts_with("00") || written.contains(name),
            "docs/adr/README.md lists {name}, which does not exist"
        );
    }
    let numbers: BTreeSet<_> = written.iter().map(|name| name.get(..4)).collect();
    assert_eq!(numbers.len(), written.len(), "two decisions share a number");
    Ok(())
}

#[test]
fn every_link_between_documents_leads_somewhere() -> anyhow::Result<()> {
    let mut broken = Vec::new();
    for path in files()?
        .iter()
        .filter(|path| Path::new(path).extension().is_some_and(|e| e == "md"))
    {
        let folder = Path::new(path).parent().unwrap_or(Path::new(""));
        let page = text(path)?;
        for target in page
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = target.split('#').next().unwrap_or_default();
            let elsewhere = file.is_empty() || file.contains("://") || file.starts_with("mailto:");
            if !elsewhere && !root().join(folder).join(file).exists() {
                broken.push(format!("{path}: {target}"));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "links that lead nowhere:\n{}",
        broken.join("\n")
    );
    Ok(())
}

#[test]
fn every_promise_is_held_by_tests_that_exist() -> anyhow::Result<()> {
    let sources: Vec<String> = files()?
        .iter()
        .filter(|path| Path::new(path).extension().is_some_and(|e| e == "rs"))
        .map(|path| text(path))
        .collect::<anyhow::Result<_>>()?;
    let page = text("docs/promises.md")?;
    let mut promises = 0;
    for line in page
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains(". |"))
    {
        let named: Vec<_> = line
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| name.len() > 20)
            .collect();
        assert!(!named.is_empty(), "nothing holds: {line}");
        for name in named {
            let head = format!("fn {name}(");
            assert!(
                sources.iter().any(|source| source.contains(&head)),
                "no test is named {name}"
            );
        }
        promises += 1;
    }
    assert_eq!(promises, 30);
    Ok(())
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() -> anyhow::Result<()> {
    for alert in ALERTS {
        let page = text(&alert.runbook())?;
        assert!(
            page.starts_with(&format!("# {}\n", alert.name)),
            "{} has another title",
            alert.runbook()
        );
        for section in [
            "## Meaning",
            "## First checks",
            "## Likely causes",
            "## What to record",
        ] {
            assert!(
                page.contains(section),
                "{} lacks `{section}`",
                alert.runbook()
            );
        }
    }
    let pages: Vec<_> = files()?
        .into_iter()
        .filter(|path| path.starts_with("docs/runbooks/Clause9"))
        .collect();
    for path in pages {
        assert!(
            ALERTS.iter().any(|alert| alert.runbook() == path),
            "{path} belongs to no alert"
        );
    }
    Ok(())
}

#[test]
fn every_metric_has_a_method_card_and_a_panel() -> anyhow::Result<()> {
    let page = text("dashboards/sre/clause9-system.json")?;
    for metric in MetricId::ALL {
        let name = metric.spec().name;
        assert!(
            root().join(format!("docs/metrics/{name}.md")).is_file(),
            "docs/metrics/{name}.md does not exist"
        );
    }
    assert!(
        page.contains("\"repeat\": \"metric\""),
        "no panel is repeated for each metric in use"
    );
    Ok(())
}

/// The words that look like telemetry in a text, crates' names left out.
fn names_in(text: &str) -> BTreeSet<String> {
    let crates = [
        "agent",
        "cli",
        "collector",
        "dashboards",
        "demo",
        "shared",
        "tests",
    ];
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| {
            word.strip_prefix("clause9_")
                .is_some_and(|rest| !rest.is_empty() && !crates.contains(&rest))
        })
        .map(str::to_owned)
        .collect()
}

fn listed(side: Side) -> BTreeSet<String> {
    let here = TELEMETRY
        .iter()
        .filter(|t| t.side == side || t.side == Side::Both);
    here.map(|t| t.name.to_owned()).collect()
}

fn in_source(side: &str) -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for (_, code) in rust_files(&format!("{side}/src/"))? {
        // Names stand in quotes; what stands elsewhere is code.
        for literal in production(&code).split('"').skip(1).step_by(2) {
            found.extend(names_in(literal));
        }
    }
    Ok(found)
}

#[test]
fn the_telemetry_page_lists_what_the_programs_report() -> anyhow::Result<()> {
    for (side, folder) in [(Side::Agent, "agent"), (Side::Collector, "collector")] {
        let (listed, reported) = (listed(side), in_source(folder)?);
        let unlisted: Vec<_> = reported.difference(&listed).collect();
        let unreported: Vec<_> = listed.difference(&reported).collect();
        assert!(
            unlisted.is_empty(),
            "{folder} reports what dashboards/src/telemetry.rs does not list: {unlisted:?}"
        );
        assert!(
            unreported.is_empty(),
            "dashboards/src/telemetry.rs lists what {folder} does not report: {unreported:?}"
        );
    }
    Ok(())
}

#[test]
fn dashboards_and_rules_use_listed_telemetry_only() -> anyhow::Result<()> {
    let known: BTreeSet<_> = TELEMETRY.iter().map(|t| t.name.to_owned()).collect();
    let pages = text("dashboards/sre/clause9-system.json")? + &rules_file();
    for name in names_in(&pages) {
        assert!(
            known.contains(&name),
            "`{name}` is used on a page or in a rule, but nobody reports it"
        );
    }
    Ok(())
}

#[test]
fn data_in_the_repository_says_where_it_comes_from_and_under_which_licence() -> anyhow::Result<()> {
    let notice = text("NOTICE")?;
    let cases: Vec<_> = files()?
        .into_iter()
        .filter(|path| {
            ["demo/cases/", "tests/oracles/"]
                .iter()
                .any(|f| path.starts_with(f))
        })
        .filter(|path| path.ends_with("/case.json"))
        .collect();
    assert!(!cases.is_empty());
    for path in &cases {
        let case: serde_json::Value = serde_json::from_str(&text(path)?)?;
        for key in ["case", "origin", "licence", "changes"] {
            assert!(
                case[key].as_str().is_some_and(|text| !text.is_empty()),
                "{path} says nothing under `{key}`"
            );
        }
        let folder = path.trim_end_matches("case.json");
        assert!(notice.contains(folder), "NOTICE does not name {folder}");
        for (name, file) in case["files"].as_object().into_iter().flatten() {
            // What the demo needs, too, is kept there only.
            let file_name = file["file"].as_str().unwrap_or_default();
            let case_name = case["case"].as_str().unwrap_or_default();
            let shared = root().join("demo/cases").join(case_name).join(file_name);
            let data = Some(root().join(folder).join(file_name))
                .filter(|data| data.is_file())
                .unwrap_or(shared);
            assert_eq!(
                Some(data.metadata()?.len()),
                file["bytes_gz"].as_u64(),
                "{path}: the size of `{name}` differs"
            );
        }
    }
    for path in files()?.iter().filter(|path| path.ends_with(".csv.gz")) {
        assert!(
            cases
                .iter()
                .any(|case| path.starts_with(case.trim_end_matches("case.json"))),
            "{path} belongs to no case"
        );
    }
    Ok(())
}

#[test]
fn every_name_that_is_exported_is_documented_and_no_other() -> anyhow::Result<()> {
    let names = |text: &str, quote: char| -> BTreeSet<String> {
        let parts = text
            .split(quote)
            .filter(|part| part.starts_with("clause9."));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c);
        parts
            .filter(|part| part.chars().all(plain))
            .map(str::to_owned)
            .collect()
    };
    let (collector, agent) = ("collector/src/export/", "agent/src/export.rs");
    let code: Vec<_> = rust_files(collector)?
        .into_iter()
        .chain(rust_files(agent)?)
        .map(|(_, code)| code)
        .collect();
    let code = names(&code.concat(), '"');
    assert!(code.len() > 20, "{code:?}");
    assert_eq!(names(&text("docs/otlp.md")?, '`'), code);
    Ok(())
}
