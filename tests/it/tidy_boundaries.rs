//! Who may use what: the directions between the crates, and what the core must never touch.

use std::process::Command;

use clause9_tests::repository::{production, root, rust_files, text};

/// What `shared` may depend on. Each of them computes, parses or encodes; none does I/O.
const SHARED_MAY_USE: &[&str] = &[
    "aho-corasick",
    "base64",
    "ed25519-dalek",
    "hmac",
    "libm",
    "saphyr-parser",
    "schemars",
    "serde",
    "serde_json",
    "serde_json_canonicalizer",
    "serde_path_to_error",
    "sha2",
    "statrs",
    "subtle",
    "thiserror",
    "time",
];

/// What must not come into `shared` by way of others either.
const NEVER_IN_THE_CORE: &[&str] = &[
    "tokio",
    "mio",
    "socket2",
    "hyper",
    "reqwest",
    "axum",
    "rustls",
    "rusqlite",
    "prometheus",
    "tracing-subscriber",
    "getrandom",
    "rand",
];

/// What only the collector or the demo needs and the sidecar must not carry.
const NEVER_IN_THE_AGENT: &[&str] = &[
    "clause9-collector",
    "clause9-demo",
    "rusqlite",
    "libsqlite3-sys",
    "axum",
    "maud",
    "arrow",
    "parquet",
];

/// Files and folders that hold pure code outside `shared`.
const CORE: &[&str] = &[
    "shared/src/",
    "agent/src/decode/",
    "agent/src/engine/",
    "agent/src/sample.rs",
    "collector/src/access/mod.rs",
    "collector/src/enrolment/tries.rs",
    "collector/src/export/events.rs",
    "collector/src/export/figures.rs",
    "collector/src/known.rs",
    "collector/src/missing.rs",
    "collector/src/log/custody.rs",
    "collector/src/spiffe.rs",
    "collector/src/tls/certificate.rs",
    "collector/src/trust.rs",
    "collector/src/verify.rs",
    "otlp/src/message.rs",
    "otlp/src/pause.rs",
    "otlp/src/reply.rs",
    "otlp/src/trace.rs",
    "otlp/src/waiting.rs",
];

/// What pure code does not mention: runtimes, sockets, files, environment, clocks, randomness.
const NEVER_IN_CORE_CODE: &[&str] = &[
    "tokio::",
    "hyper::",
    "reqwest::",
    "std::net",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "getrandom::",
    "rusqlite::",
];

fn dependencies(manifest: &str) -> anyhow::Result<Vec<String>> {
    let manifest = text(manifest)?;
    let mut inside = false;
    let mut found = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside && let Some((name, _)) = line.split_once(['.', '=', ' ']) {
            found.push(name.trim().to_owned());
        }
    }
    anyhow::ensure!(
        !found.is_empty(),
        "no dependencies found: is the manifest laid out as before?"
    );
    Ok(found)
}

/// Names of all crates that are linked into a package, however far away.
fn linked_into(package: &str) -> anyhow::Result<Vec<String>> {
    let arguments = [
        "tree",
        "--locked",
        "--offline",
        "-e",
        "normal",
        "--prefix",
        "none",
        "-f",
        "{p}",
        "-p",
        package,
    ];
    let tree = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .output()?;
    anyhow::ensure!(
        tree.status.success(),
        "cargo tree: {}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let names: Vec<_> = String::from_utf8(tree.stdout)?
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect();
    anyhow::ensure!(
        names.iter().any(|name| name == package),
        "cargo tree does not list {package} itself"
    );
    Ok(names)
}

#[test]
fn shared_depends_only_on_listed_crates() -> anyhow::Result<()> {
    for name in dependencies("shared/Cargo.toml")? {
        assert!(
            SHARED_MAY_USE.contains(&name.as_str()),
            "shared depends on `{name}`: the core computes and does no I/O; list it here if that stays true"
        );
    }
    Ok(())
}

#[test]
fn no_runtime_reaches_shared_through_others() -> anyhow::Result<()> {
    let linked = linked_into("clause9-shared")?;
    for name in NEVER_IN_THE_CORE {
        assert!(
            !linked.iter().any(|l| l == name),
            "`{name}` is linked into shared: see `cargo tree -p clause9-shared -i {name}`"
        );
    }
    Ok(())
}

#[test]
fn the_sidecar_does_not_carry_what_only_others_need() -> anyhow::Result<()> {
    let linked = linked_into("clause9-agent")?;
    for name in NEVER_IN_THE_AGENT {
        assert!(
            !linked.iter().any(|l| l == name),
            "`{name}` is linked into the agent: see `cargo tree -p clause9-agent -i {name}`"
        );
    }
    Ok(())
}

#[test]
fn agent_and_collector_never_import_each_other() -> anyhow::Result<()> {
    for (side, other) in [("agent", "collector"), ("collector", "agent")] {
        let manifest = text(&format!("{side}/Cargo.toml"))?;
        assert!(
            !manifest.contains(&format!("clause9-{other}")),
            "{side}/Cargo.toml names clause9-{other}"
        );
        for (path, code) in rust_files(&format!("{side}/src/"))? {
            assert!(
                !code.contains(&format!("clause9_{other}::")),
                "{path} uses clause9_{other}"
            );
        }
    }
    Ok(())
}

#[test]
fn nobody_on_a_requests_path_knows_of_the_exporter() -> anyhow::Result<()> {
    let words = ["clause9_otlp", "export::"];
    for (path, code) in rust_files("agent/src/capture/")? {
        for word in words {
            assert!(!production(&code).contains(word), "{path} uses `{word}`");
        }
    }
    // The words are found where they stand.
    let others = rust_files("agent/src/outbox.rs")?;
    assert!(
        others
            .iter()
            .any(|(_, code)| production(code).contains(words[1]))
    );
    Ok(())
}

#[test]
fn nothing_reads_the_dashboards_but_tests() -> anyhow::Result<()> {
    for side in [
        "agent",
        "cli",
        "collector",
        "demo",
        "otlp",
        "shared",
        "verify",
    ] {
        let manifest = text(&format!("{side}/Cargo.toml"))?;
        assert!(
            !manifest.contains("clause9-dashboards"),
            "{side}/Cargo.toml names clause9-dashboards"
        );
    }
    Ok(())
}

#[test]
fn core_code_mentions_no_runtime_clock_file_or_socket() -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for place in CORE {
        for (path, code) in rust_files(place)? {
            if path.ends_with("tests.rs") {
                continue;
            }
            let code = production(&code);
            for (number, line) in code.lines().enumerate() {
                for word in NEVER_IN_CORE_CODE
                    .iter()
                    .filter(|word| line.contains(**word))
                {
                    wrong.push(format!("{path}:{}: `{word}`", number + 1));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "core code does I/O; time, bytes and seeds are parameters there:\n{}",
        wrong.join("\n")
    );
    Ok(())
}

#[test]
fn every_listed_place_of_core_code_exists() -> anyhow::Result<()> {
    for place in CORE {
        assert!(
            !rust_files(place)?.is_empty(),
            "`{place}` holds no Rust file: the list of core code is out of date"
        );
    }
    Ok(())
}

#[test]
fn the_words_that_core_code_must_not_have_are_found_where_they_are() -> anyhow::Result<()> {
    let shell = ["agent/src/", "collector/src/", "demo/src/"];
    for word in [
        "tokio::",
        "std::fs",
        "std::net",
        "hyper::",
        "SystemTime",
        "rusqlite::",
    ] {
        let mut found = false;
        for folder in shell {
            found |= rust_files(folder)?
                .iter()
                .any(|(_, code)| production(code).contains(word));
        }
        assert!(
            NEVER_IN_CORE_CODE.contains(&word) && found,
            "no program uses `{word}`: is the search broken?"
        );
    }
    Ok(())
}
