//! The real program, run as a person runs it.

#![expect(
    clippy::needless_raw_string_hashes,
    clippy::unwrap_used,
    reason = "expect-test writes such strings; a test may stop where it stands"
)]

mod answers;
mod baseline;
mod check;
mod class_scores;
mod discover;
mod figures;
mod gaps;
mod late;
mod lists;
mod oracles;
mod plan;
mod profile;
mod schema;
mod send;
mod serving;
mod texts;
mod withheld;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What the program did.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the program in a folder.
fn run(folder: &Path, args: &[&str]) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_clause9"))
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap();
    Ran {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/cases")
}

/// A folder with an objectives file for the car loan data in it, as `objectives.yaml`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = include_str!("objectives.yaml");
    std::fs::write(folder.path().join("objectives.yaml"), text).unwrap();
    folder
}

#[test]
fn help_says_what_it_is_for_and_lists_the_exit_codes() {
    for args in [
        &["--help"][..],
        &["check", "--help"],
        &["baseline", "--help"],
        &["schema", "--help"],
    ] {
        let ran = run(Path::new("."), args);
        assert_eq!(ran.code, Some(0));
        assert!(
            ran.out.contains("Exit codes:\n  0  all is well\n"),
            "{}",
            ran.out
        );
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    assert_eq!(run(Path::new("."), &[]).code, Some(2));
    assert_eq!(run(Path::new("."), &["check"]).code, Some(2));
    let ran = run(Path::new("."), &["chekc", "x"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("check"), "{}", ran.err);
}
