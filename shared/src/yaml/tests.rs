use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only how it is read is of interest")]
struct Example {
    /// The role that answers for it. Not a person.
    owner: String,
    /// How many.
    count: u32,
    #[serde(default)]
    share: f64,
    #[serde(default)]
    list: Vec<Item>,
    #[serde(default)]
    kind: Kind,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only how it is read is of interest")]
struct Item {
    /// ISO name of the thing. Short.
    name: String,
    #[serde(default)]
    rule: Option<Rule>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Small,
    Large,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "only how it is read is of interest")]
enum Rule {
    AtLeast(f64),
    Named { from: String },
}

fn value(text: &str) -> Value {
    from_str::<Value>("t", text).unwrap().value
}

#[expect(clippy::needless_pass_by_value, reason = "as expect! makes it")]
fn refused(text: &str, expected: Expect) {
    expected.assert_eq(&from_str::<Value>("t", text).unwrap_err().to_string());
}

#[expect(clippy::needless_pass_by_value, reason = "as expect! makes it")]
fn wrong(text: &str, expected: Expect) {
    let problem = from_str_documented::<Example>("t", text).unwrap_err();
    expected.assert_eq(&problem.to_string());
}

#[test]
fn plain_scalars_follow_the_core_schema_and_quoted_ones_are_texts() {
    assert_eq!(
        value(
            "{a: 1, b: -2, c: +3, d: 1e3, e: .5, f: 1., g: true, h: ~, i: null, j: '1', k: \"true\"}"
        ),
        json!({"a": 1, "b": -2, "c": 3, "d": 1000.0, "e": 0.5, "f": 1.0, "g": true, "h": null, "i": null, "j": "1", "k": "true"})
    );
    assert_eq!(
        value(
            "{a: yes, b: no, c: on, d: 1:30, e: 2018-10-01, f: 1_000, g: e5, h: '.', i: 0, j: 0.10, l: 1e}"
        ),
        json!({"a": "yes", "b": "no", "c": "on", "d": "1:30", "e": "2018-10-01", "f": "1_000", "g": "e5", "h": ".", "i": 0, "j": 0.1, "l": "1e"})
    );
    assert_eq!(
        value("[18446744073709551615, -9223372036854775808]"),
        json!([u64::MAX, i64::MIN])
    );
    assert_eq!(
        value("a: >-\n  one\n  two\nb: |\n  x\n  y\n"),
        json!({"a": "one two", "b": "x\ny\n"})
    );
}

#[test]
fn what_readers_disagree_about_is_refused_at_its_place() {
    refused(
        "a: 010",
        expect![[
            "t:1:4: `010` is read differently by different programs; write the number in plain decimal, or put a text in quotes"
        ]],
    );
    refused(
        "a: 0x1F",
        expect![[
            "t:1:4: `0x1F` is read differently by different programs; write the number in plain decimal, or put a text in quotes"
        ]],
    );
    refused(
        "a: .nan",
        expect!["t:1:4: `.nan` is no number that can be compared; write a finite one"],
    );
    refused(
        "a: -.inf",
        expect!["t:1:4: `-.inf` is no number that can be compared; write a finite one"],
    );
    refused(
        "a: 1e999",
        expect![[
            "t:1:4: the number 1e999 is beyond the range of 64-bit floats; write a smaller one"
        ]],
    );
    refused(
        "a: 18446744073709551616",
        expect![[
            "t:1:4: the whole number 18446744073709551616 does not fit 64 bits; write a smaller one, or put a text in quotes"
        ]],
    );
}

#[test]
fn what_has_no_place_in_evidence_is_refused() {
    refused(
        "a: 1\nb: 2\na: 3",
        expect!["t:3:1: the key `a` stands here twice; keep one"],
    );
    refused(
        "a: &x 1\nb: *x",
        expect![[
            "t:1:7: anchors are not read; remove it and write the value out where it is needed"
        ]],
    );
    refused(
        "b: *x",
        expect![[
            "t:1:4: not YAML: while parsing node, found unknown anchor; check the indentation (spaces, no tabs) and quote texts that hold `: ` or ` #`"
        ]],
    );
    refused(
        "a: !!str 1",
        expect![[
            "t:1:10: tags are not read; remove it, and put texts in quotes that look like numbers"
        ]],
    );
    refused(
        "1: a",
        expect!["t:1:1: a key must be a text; put it in quotes if this is its name"],
    );
    refused(
        "[a]: b",
        expect!["t:1:1: a key must be a text, not a list or a mapping"],
    );
    refused(
        "<<: {a: 1}",
        expect!["t:1:1: merge keys are not read; write the values out where they are needed"],
    );
}

#[test]
fn what_is_no_single_document_is_refused() {
    refused(
        "a: 1\n---\nb: 2",
        expect!["t:2:1: a second document begins here; write one document per file"],
    );
    refused(
        "",
        expect!["t:1:1: the file is empty; write a mapping, as `key: value`"],
    );
    refused(
        "# only a comment\n",
        expect!["t:1:1: the file is empty; write a mapping, as `key: value`"],
    );
    refused(
        "a: b: c",
        expect![[
            "t:1:5: not YAML: mapping values are not allowed in this context; check the indentation (spaces, no tabs) and quote texts that hold `: ` or ` #`"
        ]],
    );
    refused(
        "a:\n\t- b",
        expect![[
            "t:2:2: not YAML: tabs disallowed within this context (block indentation); check the indentation (spaces, no tabs) and quote texts that hold `: ` or ` #`"
        ]],
    );
    refused(
        "a: [1, 2",
        expect![[
            "t:2:1: not YAML: while parsing a flow sequence, expected ',' or ']'; check the indentation (spaces, no tabs) and quote texts that hold `: ` or ` #`"
        ]],
    );
    refused(
        "ä: {ö: 1, ö: 2}",
        expect!["t:1:11: the key `ö` stands here twice; keep one"],
    );
}

#[test]
fn size_and_depth_are_bounded() {
    let long = format!("a: {}", "x".repeat(MAX_BYTES));
    refused(
        &long,
        expect![[
            "t:1:1: the file has 1048579 bytes, the limit is 1048576; split it or remove what is not needed"
        ]],
    );
    let deep = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    assert!(from_str::<Value>("t", &deep(MAX_DEPTH - 1)).is_ok());
    refused(
        &deep(MAX_DEPTH),
        expect!["t:1:65: nested more than 64 levels deep; write it flatter"],
    );
    let block: Vec<_> = (0..=MAX_DEPTH).map(|i| " ".repeat(i) + "a:\n").collect();
    let block = block.concat();
    refused(
        &block,
        expect!["t:64:64: nested more than 64 levels deep; write it flatter"],
    );
}

#[test]
fn mistakes_of_structure_say_what_to_do() {
    wrong(
        "owner: x\ncout: 1",
        expect![[
            "t:2:1: unknown key `cout`; did you mean `count`? known keys: owner, count, share, list, kind"
        ]],
    );
    wrong(
        "owner: x\ncount: 1\nzebra: 1",
        expect!["t:3:1: unknown key `zebra`; known keys: owner, count, share, list, kind"],
    );
    wrong(
        "count: 1",
        expect!["t:1:1: missing key `owner`; add it: the role that answers for it"],
    );
    wrong(
        "owner: x\ncount: 1\nlist:\n  - name: a\n  - rule: null",
        expect!["t:5:5: missing key `name`; add it: ISO name of the thing"],
    );
}

#[test]
fn wrong_kinds_of_values_say_what_is_expected() {
    wrong(
        "owner: 2023\ncount: 1",
        expect!["t:1:8: expected a text, found the number `2023`; put it in quotes"],
    );
    wrong(
        "owner: x\ncount: -1",
        expect!["t:2:8: expected a whole number from 0 to 4294967295, found the number `-1`"],
    );
    wrong(
        "owner: x\ncount: 1.5",
        expect!["t:2:8: expected a whole number from 0 to 4294967295, found the number `1.5`"],
    );
    wrong(
        "owner: x\ncount: '1'",
        expect![[
            "t:2:8: expected a whole number from 0 to 4294967295, found the text `1`; remove the quotes"
        ]],
    );
    wrong(
        "owner: x\ncount:",
        expect!["t:2:1: expected a whole number from 0 to 4294967295, found nothing"],
    );
    wrong(
        "owner: [x]\ncount: 1",
        expect!["t:1:8: expected a text, found a list"],
    );
    wrong(
        "owner: x\ncount: 1\nshare: much",
        expect!["t:3:8: expected a number, found the text `much`"],
    );
    wrong(
        "owner: x\ncount: 1\nlist: 3",
        expect![[
            "t:3:7: expected a list, found the number `3`; write `[a, b]`, or lines that begin with `- `"
        ]],
    );
    wrong(
        "owner: x\ncount: 1\nlist: [3]",
        expect![[
            "t:3:8: expected a mapping, found the number `3`; write `key: value` lines under it"
        ]],
    );
}

#[test]
fn mistakes_in_choices_name_the_choices() {
    wrong(
        "owner: x\ncount: 1\nkind: medium",
        expect!["t:3:7: unknown value `medium`; possible values: small, large"],
    );
    wrong(
        "owner: x\ncount: 1\nkind: Large",
        expect![[
            "t:3:7: unknown value `Large`; did you mean `large`? possible values: small, large"
        ]],
    );
    wrong(
        "owner: x\ncount: 1\nlist:\n  - name: a\n    rule: {at_least: x}",
        expect!["t:5:22: expected a number, found the text `x`"],
    );
    wrong(
        "owner: x\ncount: 1\nlist:\n  - name: a\n    rule: {at_most: 1}",
        expect!["t:5:12: unknown value `at_most`; possible values: at_least, named"],
    );
    wrong(
        "owner: x\ncount: 1\nlist:\n  - name: a\n    rule: {named: {form: 1}}",
        expect!["t:5:20: unknown key `form`; known keys: from"],
    );
    wrong(
        "owner: x\ncount: 1\nlist:\n  - name: a\n    rule: {}",
        expect!["t:5:11: expected a mapping with exactly one key, found a mapping"],
    );
}

#[test]
fn structures_are_read_from_mappings_only() {
    wrong(
        "- a",
        expect!["t:1:1: expected a mapping, found a list; write `key: value` lines under it"],
    );
    wrong(
        "owner: x\ncount: 1\nlist: [[a]]",
        expect!["t:3:8: expected a mapping, found a list; write `key: value` lines under it"],
    );
    wrong(
        "owner: x\ncount: 1\nlist:\n  - name: a\n    rule: {named: [x]}",
        expect!["t:5:19: expected a mapping, found a list; write `key: value` lines under it"],
    );
    wrong(
        "owner: x\ncount: 1\nkind: 3",
        expect!["t:3:7: expected a text or a mapping, found the number `3`"],
    );
    wrong(
        "just words",
        expect![[
            "t:1:1: expected a mapping, found the text `just words`; write `key: value` lines under it"
        ]],
    );
}

#[test]
fn places_are_found_by_pointer_and_fall_back_to_what_is_around() {
    let read = from_str::<Value>("f", "a:\n  - b: 1\n    c/d: 'x'\nä: {é: 2, z: 3}\n").unwrap();
    assert_eq!(read.place(""), (1, 1));
    assert_eq!(read.place("/a/0/b"), (2, 8));
    assert_eq!(read.key_place("/a/0/b"), (2, 5));
    assert_eq!(read.place("/a/0/c~1d"), (3, 10));
    assert_eq!(read.place("/ä/z"), (4, 14));
    assert_eq!(read.place("/ä/none/deeper"), (4, 4));
    assert_eq!(read.place("/a/7"), read.place("/a"));
    assert_eq!(read.problem("/a/0/b", "m").to_string(), "f:2:8: m");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_within_itself(text in "[a-c:\\-\\[\\]{},\"'#&*!|>%@?~ \n\t0-9.é]{0,60}") {
        let lines = text.split('\n').count() + 1;
        if let Err(problem) = from_str::<Value>("t", &text) {
            prop_assert!(problem.line >= 1 && problem.line <= lines);
            prop_assert!(problem.column >= 1);
        }
    }

    #[test]
    fn json_reads_as_itself(a in any::<i64>(), b in -1e300_f64..1e300, c in "\\PC{0,20}") {
        let json = json!({"a": a, "b": b, "c": [c, null, true]});
        prop_assert_eq!(value(&json.to_string()), json);
    }
}
