//! What the front page tells a newcomer to type exists: flags of the demonstration, configurations.

use std::process::Command;

use clause9_agent::config::AgentConfig;
use clause9_collector::config::{AgentsFile, CollectorConfig};
use clause9_shared::{objective, yaml};
use clause9_tests::process::program;
use clause9_tests::repository::text;

/// The long flags after `cargo demo` in a line, without values.
fn flags(line: &str) -> Vec<&str> {
    let commands = line.split("cargo demo").skip(1);
    // In a table or in running text the command ends with its backtick.
    let arguments = commands.filter_map(|rest| rest.split('`').next());
    let words = arguments.flat_map(str::split_whitespace);
    words
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .filter_map(|word| word.split('=').next())
        .collect()
}

/// The text of every fenced block in that language, its indentation taken away.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        if line.trim() != format!("```{language}") {
            continue;
        }
        let inside = lines.by_ref().take_while(|l| l.trim() != "```");
        found.push(
            inside
                .map(|l| l.get(indent..).unwrap_or("").to_owned() + "\n")
                .collect(),
        );
    }
    found
}

#[test]
fn every_flag_of_the_demonstration_that_the_readme_names_exists() -> anyhow::Result<()> {
    let readme = text("README.md")?;
    let named: Vec<_> = readme.lines().flat_map(flags).collect();
    assert!(named.len() >= 5, "found only {named:?}");
    let output = Command::new(program("clause9-demo")?)
        .arg("--help")
        .output()?;
    anyhow::ensure!(output.status.success(), "clause9-demo --help failed");
    let help = String::from_utf8(output.stdout)?;
    let known: Vec<_> = help
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| word.starts_with("--"))
        .collect();
    for flag in named {
        assert!(
            known.contains(&flag),
            "clause9-demo knows no {flag}: {known:?}"
        );
    }
    Ok(())
}

#[test]
fn every_yaml_block_in_the_readme_is_the_configuration_that_it_claims_to_be() -> anyhow::Result<()>
{
    let readme = text("README.md")?;
    let mut found = Vec::new();
    for block in blocks(&readme, "yaml") {
        let (name, problem) = match block.lines().next() {
            Some("# objectives.yaml") => {
                let read = objective::load("objectives.yaml", &block);
                ("objectives.yaml", read.err().map(|p| format!("{p:#?}")))
            }
            Some("# agent.yaml") => {
                let read = yaml::from_str::<AgentConfig>("agent.yaml", &block);
                ("agent.yaml", read.err().map(|p| p.to_string()))
            }
            Some("# collector.yaml") => {
                let read = yaml::from_str::<CollectorConfig>("collector.yaml", &block);
                ("collector.yaml", read.err().map(|p| p.to_string()))
            }
            Some("# agents.yaml") => {
                let read = yaml::from_str::<AgentsFile>("agents.yaml", &block);
                ("agents.yaml", read.err().map(|p| p.to_string()))
            }
            first => anyhow::bail!(
                "a YAML block in README.md begins with {first:?}; let its first line be the name of its file"
            ),
        };
        assert!(problem.is_none(), "{name} in README.md: {problem:?}");
        found.push(name);
    }
    let expected = [
        "objectives.yaml",
        "agent.yaml",
        "collector.yaml",
        "agents.yaml",
    ];
    assert_eq!(found, expected);
    Ok(())
}

#[test]
fn flags_and_blocks_are_found_where_they_stand() {
    assert_eq!(
        flags("| `cargo demo --exit --summary what.json` | ends `--other` |"),
        ["--exit", "--summary"]
    );
    assert_eq!(flags("cargo demo"), Vec::<&str>::new());
    let page = "1. do\n   ```yaml\n   # a.yaml\n   b:\n     c: 1\n   ```\n```sh\nx\n```\n";
    assert_eq!(blocks(page, "yaml"), ["# a.yaml\nb:\n  c: 1\n"]);
}
