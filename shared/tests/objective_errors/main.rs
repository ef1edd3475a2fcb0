//! Malformed objectives files: each is the valid base with one edit, the place of the mistake marked
//! in the edit. Asked of each: the mistake is reported exactly there, in exactly these words. The
//! corrected form of every case is the base, which must pass.

#![expect(
    clippy::needless_raw_string_hashes,
    clippy::unwrap_used,
    reason = "expect-test writes such strings; a test may stop where it stands"
)]

mod costs;
mod inputs;
mod levels;
mod limits;
mod objectives;
mod outputs;
mod references;
mod service;
mod strata;
mod structure;
mod system;
mod unlabelled;
mod versions;

use clause9_shared::objective::load;
use expect_test::Expect;

const BASE: &str = include_str!("base.yaml");
const MARK: &str = "«here»";

/// Replaces `from`, which must stand in the base exactly once, by `to`, which marks the place of the
/// first mistake; compares the messages, one a line.
#[track_caller]
fn case(from: &str, to: &str, expected: Expect) {
    check(&edited(from, to), expected);
}

/// As [`case`], for an edit that is reported elsewhere: `marked` is the text there, with the mark.
#[track_caller]
fn case_elsewhere(from: &str, to: &str, marked: &str, expected: Expect) {
    let edited = edited(from, to);
    let unmarked = marked.replace(MARK, "");
    assert_eq!(
        edited.matches(&unmarked).count(),
        1,
        "`{unmarked}` stands once"
    );
    check(&edited.replace(&unmarked, marked), expected);
}

#[track_caller]
fn edited(from: &str, to: &str) -> String {
    assert_eq!(
        BASE.matches(from).count(),
        1,
        "`{from}` stands in the base once"
    );
    BASE.replace(from, to)
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "as expect! makes it")]
fn check(marked: &str, expected: Expect) {
    expected.assert_eq(&messages(marked));
}

/// The messages, one a line, the first of them about the marked place.
#[track_caller]
fn messages(marked: &str) -> String {
    assert_eq!(marked.matches(MARK).count(), 1, "one mark");
    let before = &marked[..marked.find(MARK).unwrap()];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    let problems = load("base.yaml", &marked.replace(MARK, "")).expect_err("this is a mistake");
    assert_eq!(
        (problems[0].line, problems[0].column),
        (line, column),
        "place of: {}",
        problems[0]
    );
    assert!(problems.is_sorted_by_key(|p| (p.line, p.column)));
    let messages: Vec<_> = problems.iter().map(|p| p.message.as_str()).collect();
    messages.join("\n")
}

#[test]
fn the_base_passes() {
    load("base.yaml", BASE).unwrap();
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let broken = BASE
        .replace("owner: data office", "owner: ''")
        .replace("min_support: 50\n", "min_support: 0\n")
        .replace("id: A.5.4", "id: A.5.1");
    assert_eq!(load("base.yaml", &broken).unwrap_err().len(), 3);
}

#[test]
fn empty_sections_are_mistakes() {
    let (before, _) = BASE.split_once("objectives:\n").unwrap();
    let problems = load("base.yaml", &format!("{before}objectives: []\n")).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].message, "no objectives; name at least one");
}
