//! The repository as files: what is tracked, and texts by their path from the root.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// The root of the repository these tests were built from.
pub fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// The text of a file, by its path from the root.
pub fn text(path: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(root().join(path)).with_context(|| format!("cannot read `{path}`"))
}

/// Every file that is tracked or about to be, by its path from the root, sorted.
pub fn files() -> anyhow::Result<Vec<String>> {
    let listed = Command::new("git")
        .args([
            "-c",
            // The clone may belong to somebody else than the one who runs the tests.
            "safe.directory=*",
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root())
        .output()
        .context("cannot run git: house rules look at tracked files")?;
    anyhow::ensure!(
        listed.status.success(),
        "git ls-files failed: {}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let listed = String::from_utf8(listed.stdout).context("a path is no UTF-8")?;
    let mut files: Vec<_> = listed
        .split('\0')
        .filter(|path| !path.is_empty() && root().join(path).is_file())
        .map(str::to_owned)
        .collect();
    files.sort();
    Ok(files)
}

/// The Rust files below a folder, with their texts.
pub fn rust_files(under: &str) -> anyhow::Result<Vec<(String, String)>> {
    files()?
        .into_iter()
        .filter(|path| {
            path.starts_with(under) && PathBuf::from(path).extension().is_some_and(|e| e == "rs")
        })
        .map(|path| text(&path).map(|text| (path, text)))
        .collect()
}

/// A Rust text without its test module and without comments: what is built into a program.
///
/// By layout, not by grammar: a test module stands last in its file, behind `#[cfg(test)]`.
pub fn production(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(text);
    let mut kept = String::new();
    for line in code.lines() {
        let line = if line.trim_start().starts_with("//") {
            ""
        } else {
            line
        };
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}
