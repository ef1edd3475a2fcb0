//! From the deserializer's error to a place and a message that says what to do.
//!
//! The deserializer speaks of structs and fields to programmers; the reader of these messages wrote
//! a YAML file. A message in none of the known forms comes from our own types and is passed on.

use super::hints::Hints;
use super::tree::{Place, Position};

/// Where a mistake stands and what to do, from the deserializer's message and the path to it.
pub(super) fn explain(
    message: &str,
    path: &[String],
    root: &Place,
    hints: &Hints,
) -> (Position, String) {
    let (here, _) = root.follow(path);
    if let Some(rest) = message.strip_prefix("missing field ") {
        let key = quoted(rest).unwrap_or(rest);
        let steps = path.iter().map(String::as_str).chain([key]);
        let purpose = match hints.purpose(steps) {
            Some(purpose) => format!("add it: {purpose}"),
            None => "add it".to_owned(),
        };
        return (here.value, format!("missing key `{key}`; {purpose}"));
    }
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let key = quoted(rest).unwrap_or(rest);
        let around = match path.split_last() {
            Some((last, around)) if last == key => around,
            _ => path,
        };
        let (at, _) = root.follow(around.iter().map(String::as_str).chain([key]));
        return (
            at.key_or_value(),
            not_one_of("unknown key", key, rest, "known keys"),
        );
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let word = quoted(rest).unwrap_or(rest);
        let under_key = root.follow(path.iter().map(String::as_str).chain([word]));
        let at = if under_key.1 {
            under_key.0.key_or_value()
        } else {
            here.value
        };
        return (
            at,
            not_one_of("unknown value", word, rest, "possible values"),
        );
    }
    for form in ["invalid type: ", "invalid value: ", "invalid length "] {
        if let Some(rest) = message.strip_prefix(form)
            && let Some((found, expected)) = rest.split_once(", expected ")
        {
            if (found, expected) == ("unit variant", "newtype variant") {
                let message = "this word needs a value; write it as a key with its value behind it";
                return (here.value, message.to_owned());
            }
            let form = hints.form(path).filter(|_| !found.starts_with("string "));
            return (here.value, wrong_kind(found, expected, form));
        }
    }
    (here.value, message.to_owned())
}

/// The text between the first two backticks.
fn quoted(text: &str) -> Option<&str> {
    text.split('`').nth(1)
}

/// The words in backticks behind `expected`.
fn alternatives(text: &str) -> Vec<&str> {
    let listed = text
        .split_once(", expected")
        .map_or("", |(_, listed)| listed);
    listed.split('`').skip(1).step_by(2).collect()
}

fn not_one_of(what: &str, word: &str, rest: &str, list: &str) -> String {
    let known = alternatives(rest);
    let all = known.join(", ");
    match nearest(word, &known) {
        Some(near) => format!("{what} `{word}`; did you mean `{near}`? {list}: {all}"),
        None if known.is_empty() => format!("{what} `{word}`; remove it, nothing is read here"),
        None => format!("{what} `{word}`; {list}: {all}"),
    }
}

/// The known word that a misspelt one most likely stands for.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    known
        .iter()
        .map(|k| (distance(word, k), *k))
        .filter(|(d, k)| *d <= 1.max(k.chars().count() / 3))
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| k)
}

/// Least number of letters to insert, remove or replace.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

fn wrong_kind(found: &str, expected: &str, form: Option<String>) -> String {
    let wanted = form.unwrap_or_else(|| kind_expected(expected));
    let found_kind = kind_found(found);
    let do_this = match wanted.as_str() {
        "a text" if is_plain_scalar(found) => "; put it in quotes",
        "a list" => "; write `[a, b]`, or lines that begin with `- `",
        "a mapping" => "; write `key: value` lines under it",
        number if number.contains("number") && holds_number(found) => "; remove the quotes",
        _ => "",
    };
    format!("expected {wanted}, found {found_kind}{do_this}")
}

fn is_plain_scalar(found: &str) -> bool {
    ["integer", "floating point", "boolean"]
        .iter()
        .any(|kind| found.starts_with(kind))
}

fn holds_number(found: &str) -> bool {
    found
        .strip_prefix("string ")
        .is_some_and(|text| text.trim_matches('"').parse::<f64>().is_ok())
}

fn kind_found(found: &str) -> String {
    let forms = [
        ("string ", "the text "),
        ("integer ", "the number "),
        ("floating point ", "the number "),
        ("boolean ", "the truth value "),
    ];
    for (theirs, ours) in forms {
        if let Some(value) = found.strip_prefix(theirs) {
            let value = value.trim_matches(|c| matches!(c, '`' | '"'));
            let short: String = value.chars().take(60).collect();
            return format!("{ours}`{short}`");
        }
    }
    match found {
        "null" | "unit value" => "nothing".to_owned(),
        "map" => "a mapping".to_owned(),
        "sequence" => "a list".to_owned(),
        other => other.to_owned(),
    }
}

fn kind_expected(expected: &str) -> String {
    let known = match expected {
        "a string" | "string" | "a borrowed string" => "a text",
        "a boolean" => "true or false",
        "f64" | "f32" => "a number",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "a sequence" => "a list",
        "a map" => "a mapping",
        "string or map" => "a text or a mapping",
        other if other.starts_with("struct ") => "a mapping",
        other if other.starts_with("map with a single key") => "a mapping with exactly one key",
        other => other,
    };
    known.to_owned()
}
