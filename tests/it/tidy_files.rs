//! Rules about single files: how long, how opened, and what no file may say.

use clause9_tests::repository::{files, production, root, rust_files, text};

/// Longest production part of a Rust file, in lines of code.
const LONGEST: usize = 500;

/// Files beyond that, each with the reason. The list shrinks.
const LONGER_BECAUSE: &[(&str, &str)] = &[
    (
        "dashboards/src/rules/alerts.rs",
        "one table; splitting it would part alerts that are read together",
    ),
    (
        "dashboards/src/telemetry.rs",
        "one table of every name, in the order in which they are documented",
    ),
];

/// Files of the workspace's crates, tests left out.
fn sources() -> anyhow::Result<Vec<(String, String)>> {
    let mut sources = Vec::new();
    for side in [
        "agent/",
        "cli/",
        "collector/",
        "dashboards/",
        "demo/",
        "otlp/",
        "shared/",
        "tests/src/",
    ] {
        sources.extend(rust_files(side)?);
    }
    sources.retain(|(path, _)| {
        !path.contains("/tests/") && !path.ends_with("tests.rs") || path.starts_with("tests/src/")
    });
    Ok(sources)
}

/// Lines of code: comments do not count, or documentation would be what is cut first.
fn production_lines(code: &str) -> usize {
    production(code)
        .lines()
        .filter(|line| !line.trim().is_empty())
        .count()
}

#[test]
fn no_file_is_too_long_to_be_read_at_once() -> anyhow::Result<()> {
    let mut long = Vec::new();
    for (path, code) in sources()? {
        let (lines, excused) = (
            production_lines(&code),
            LONGER_BECAUSE.iter().any(|(file, _)| *file == path),
        );
        if lines > LONGEST && !excused {
            long.push(format!("{path}: {lines} lines"));
        }
    }
    assert!(
        long.is_empty(),
        "split these, or list them with a reason (at most {LONGEST} lines):\n{}",
        long.join("\n")
    );
    Ok(())
}

#[test]
fn every_excuse_for_a_long_file_is_still_needed() -> anyhow::Result<()> {
    for (path, reason) in LONGER_BECAUSE {
        assert!(
            production_lines(&text(path)?) > LONGEST,
            "{path} is short now; its excuse can go: {reason}"
        );
    }
    Ok(())
}

#[test]
fn every_rust_file_opens_with_what_it_is_for() -> anyhow::Result<()> {
    for (path, code) in sources()?.into_iter().chain(rust_files("tests/it/")?) {
        let first = code.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("//! ") && first.len() > 12,
            "{path} begins with `{first}` instead of a `//!` sentence"
        );
    }
    Ok(())
}

#[test]
fn no_code_is_unsafe() -> anyhow::Result<()> {
    let words = [
        "unsafe {",
        "unsafe fn",
        "unsafe impl",
        "unsafe extern",
        "allow(unsafe",
        "expect(unsafe",
    ];
    for (path, code) in sources()? {
        let code = production(&code);
        let found = words.iter().find(|word| code.contains(**word));
        assert_eq!(found, None, "{path}: the workspace is safe Rust");
    }
    let manifest = text("Cargo.toml")?;
    assert!(
        manifest.contains("unsafe_code = \"deny\"")
            || manifest.contains("unsafe_code = \"forbid\"")
    );
    Ok(())
}

/// What would tie a file to one machine or to how the work is done. Written in pieces, so that
/// this file does not contain what it looks for.
fn forbidden() -> Vec<String> {
    let pieces = [
        ["/ho", "me/"],
        ["/ro", "ot/"],
        ["/Use", "rs/"],
        ["/wo", "rk/"],
        ["shared/", "design"],
        ["work", "tree add"],
        ["registry.", "npmjs"],
        ["index.", "crates.io-"],
        ["files.", "pythonhosted"],
        ["py", "pi.org"],
        ["deb.", "debian.org"],
        ["localhost", ".localdomain"],
    ];
    pieces.iter().map(|pair| pair.concat()).collect()
}

#[test]
fn no_file_names_a_machine_or_a_registry() -> anyhow::Result<()> {
    let forbidden = forbidden();
    let mut wrong = Vec::new();
    for path in files()? {
        // Packed data is no text.
        let Ok(content) = std::fs::read_to_string(root().join(&path)) else {
            continue;
        };
        for (number, line) in content.lines().enumerate() {
            for word in forbidden.iter().filter(|word| line.contains(word.as_str())) {
                wrong.push(format!("{path}:{}: `{word}`", number + 1));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "machine paths, hosts and the like have no place here:\n{}",
        wrong.join("\n")
    );
    Ok(())
}

#[test]
fn no_tracked_file_is_large() -> anyhow::Result<()> {
    for path in files()? {
        let bytes = root().join(&path).metadata()?.len();
        assert!(
            bytes <= 2_000_000,
            "{path} has {bytes} bytes: too large for the repository"
        );
    }
    Ok(())
}
