//! `clause9 check`.

use std::fs;
use std::path::Path;

use expect_test::{Expect, expect};

use crate::{folder, run};

/// Replaces a part of the folder's objectives file.
fn edit(folder: &Path, from: &str, to: &str) {
    let path = folder.join("objectives.yaml");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches(from).count(), 1, "`{from}`");
    fs::write(&path, text.replace(from, to)).unwrap();
}

#[expect(clippy::needless_pass_by_value, reason = "as expect! makes it")]
fn checked(folder: &Path, args: &[&str], code: i32, expected: Expect) {
    let args: Vec<_> = ["check"].iter().chain(args).copied().collect();
    let ran = run(folder, &args);
    expected.assert_eq(&ran.out);
    assert_eq!(ran.code, Some(code), "{}", ran.err);
}

#[test]
fn a_good_file_is_named_by_its_digest() {
    let folder = folder();
    checked(
        folder.path(),
        &["objectives.yaml"],
        0,
        expect![[r#"
        objectives.yaml: ok: system car-loan, 4 features, 2 objectives (2 versions), digest sha256:5d5fd97db4b7c47ee459c353164393ee80e728aac713828761f1d549d8342c0c
    "#]],
    );
    checked(
        folder.path(),
        &["--json", "objectives.yaml"],
        0,
        expect![[r#"
            {"files":[{"file":"objectives.yaml","ok":true,"system":"car-loan","features":4,"objectives":2,"versions":2,"never_judged":[],"digest":"sha256:5d5fd97db4b7c47ee459c353164393ee80e728aac713828761f1d549d8342c0c"}]}
        "#]],
    );
}

#[test]
fn every_mistake_is_shown_with_its_line_and_a_caret() {
    let folder = folder();
    edit(folder.path(), "alert: 0.1, ", "alert: 0.3, ");
    edit(folder.path(), "    label_delay: 90d\n", "");
    edit(
        folder.path(),
        "    unit: mo\n",
        "    unit: \"m o\" # months\n",
    );
    checked(
        folder.path(),
        &["objectives.yaml"],
        1,
        expect![[r#"
        objectives.yaml:36:11: `m o` is not a unit in UCUM: it has a space or a character outside ASCII; write one, as `mo`, `kg/m2` or `[EUR]`
        36 |     unit: "m o" # months
           |           ^
        objectives.yaml:57:36: the alert level 0.3 must be on the good side of the action level 0.2, so below it; it warns before a breach
        57 |     levels: { target: 0.02, alert: 0.3, action: 0.2 }
           |                                    ^
        objectives.yaml:68:5: metric `accuracy` waits for outcomes here; add `label_delay`, how long they may take
        68 |   - id: accuracy
           |     ^
    "#]],
    );
    checked(
        folder.path(),
        &["objectives.yaml", "--json"],
        1,
        expect![[r#"
            {"files":[{"file":"objectives.yaml","ok":false,"problems":[{"line":36,"column":11,"message":"`m o` is not a unit in UCUM: it has a space or a character outside ASCII; write one, as `mo`, `kg/m2` or `[EUR]`"},{"line":57,"column":36,"message":"the alert level 0.3 must be on the good side of the action level 0.2, so below it; it warns before a breach"},{"line":68,"column":5,"message":"metric `accuracy` waits for outcomes here; add `label_delay`, how long they may take"}]}]}
        "#]],
    );
}

#[test]
fn a_mistake_of_structure_is_shown_alone() {
    let folder = folder();
    edit(folder.path(), "alert: 0.1, ", "alrt: 0.3, ");
    edit(folder.path(), "    label_delay: 90d\n", "");
    checked(
        folder.path(),
        &["objectives.yaml"],
        1,
        expect![[r#"
        objectives.yaml:57:29: unknown key `alrt`; did you mean `alert`? known keys: target, action, alert
        57 |     levels: { target: 0.02, alrt: 0.3, action: 0.2 }
           |                             ^
    "#]],
    );
}

#[test]
fn files_that_cannot_be_read_end_with_2_and_do_not_hide_the_others() {
    let folder = folder();
    let ran = run(folder.path(), &["check", "none.yaml", "objectives.yaml"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.out.starts_with("objectives.yaml: ok:"), "{}", ran.out);
    assert!(
        ran.err.starts_with("error: cannot read none.yaml: "),
        "{}",
        ran.err
    );
}

#[test]
fn bytes_that_are_no_text_are_a_mistake_with_a_place() {
    let folder = folder();
    fs::write(
        folder.path().join("b.yaml"),
        b"clause9: objectives/v1\nsystem: \xff\n",
    )
    .unwrap();
    checked(
        folder.path(),
        &["b.yaml"],
        1,
        expect![[r#"
        b.yaml:2:9: not UTF-8 here; save the file in UTF-8
    "#]],
    );
    fs::write(folder.path().join("b.yaml"), b"").unwrap();
    checked(
        folder.path(),
        &["b.yaml"],
        1,
        expect![[r#"
        b.yaml:1:1: the file is empty; write a mapping, as `key: value`
    "#]],
    );
}

#[test]
fn what_files_say_cannot_redraw_the_terminal() {
    let folder = folder();
    edit(
        folder.path(),
        "metric: accuracy",
        "metric: \"\\e[2Jaccuracy\"",
    );
    let ran = run(folder.path(), &["check", "objectives.yaml"]);
    assert_eq!(ran.code, Some(1));
    assert!(!ran.out.contains('\x1b'), "{:?}", ran.out);
}
