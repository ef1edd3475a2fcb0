//! Numbers of texts: of ordinary answers, of degenerate ones, and of whatever bytes come.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeSet;
use std::time::Instant;

use clause9_shared::text::{MAX_BYTES, PatternList, Patterns, TextFeatures, TokenBag, features};
use proptest::prelude::*;

fn patterns() -> Patterns {
    Patterns::new(&[PatternList {
        name: "refusal".to_owned(),
        phrases: vec!["I cannot".to_owned(), "I'm sorry".to_owned()],
    }])
    .unwrap()
}

fn number(found: &TextFeatures, name: &str) -> f64 {
    let numbers = found.numbers();
    let (_, value) = numbers.iter().find(|(n, _)| *n == name).unwrap();
    value.unwrap()
}

#[test]
fn an_answer_that_goes_in_circles_stands_apart_from_an_ordinary_one() {
    let ordinary = "The loan was refused because the income of the last three months was below the \
                    limit set in 2019. You may apply again once [1] the contract of employment has \
                    been renewed; see https://bank.example/apply for the form.";
    let circles = "The loan was refused because the loan was refused because ".repeat(20);
    let (a, b) = (
        features(ordinary, &patterns()),
        features(&circles, &patterns()),
    );
    assert!(number(&a, "repetition") < 0.05 && number(&b, "repetition") > 0.9);
    assert!(number(&a, "compression") < 1.5 && number(&b, "compression") > 10.0);
    assert_eq!((number(&a, "urls"), number(&a, "citations")), (1.0, 1.0));
    assert!(number(&a, "is_json") < 0.5 && features("[1]", &patterns()).is_json);
    assert_eq!(features("I'm sorry, I cannot.", &patterns()).hits, [2]);
}

#[test]
fn every_number_has_a_name_of_its_own() {
    let found = features("a", &patterns()).numbers();
    let names: BTreeSet<_> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), found.len());
    let allowed = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    assert!(names.iter().all(|name| allowed(name)));
    assert!(found.len() >= 25);
}

#[test]
fn an_empty_text_has_counts_of_none_and_no_shares() {
    let found = features("", &patterns());
    for (name, value) in found.numbers() {
        let is_count = !name.ends_with("_share") && name != "repetition" && name != "compression";
        assert_eq!(value, is_count.then_some(0.0), "{name}");
    }
}

#[test]
fn a_longer_text_is_cut_at_a_character_and_said_to_be() {
    let long = "é".repeat(MAX_BYTES);
    let found = features(&long, &patterns());
    assert!(found.cut);
    assert_eq!(found.shape.bytes, MAX_BYTES as u64);
    assert!(!features("é", &patterns()).cut);
}

/// The worst inputs that came to mind, each of a mebibyte.
fn worst() -> Vec<String> {
    let fill = |unit: &str| unit.repeat(MAX_BYTES / unit.len());
    [
        "(",
        "[1",
        "@",
        "1 ",
        "a ",
        "http://",
        "```\n",
        "[",
        "DE89",
        "I canno",
        "\u{1f600}",
        " ",
        "\n",
    ]
    .into_iter()
    .map(fill)
    .chain([(0..200_000).fold(String::new(), |text, i| text + "w" + &i.to_string() + " ")])
    .collect()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test that takes the time")]
fn the_worst_mebibytes_take_a_bounded_time() {
    let patterns = patterns();
    for text in worst() {
        let start = Instant::now();
        let found = features(&text, &patterns);
        let bag = TokenBag::of(&text, &[0; 32]);
        let took = start.elapsed();
        assert!(found.shape.bytes <= MAX_BYTES as u64 && bag.total() <= 1 << 16);
        // Linear passes take some ten milliseconds; anything quadratic would take minutes.
        assert!(
            took.as_secs() < 10,
            "{:?} {took:?}",
            &text[..20.min(text.len())]
        );
    }
}

proptest! {
    #[test]
    fn any_text_has_finite_numbers_and_shares_within_one(text in "\\PC{0,200}|[ \\[\\]()0-9a-z@.]{0,200}") {
        let found = features(&text, &patterns());
        for (name, value) in found.numbers() {
            if let Some(value) = value {
                prop_assert!(value.is_finite() && value >= 0.0, "{} {}", name, value);
                if name.ends_with("_share") || name == "repetition" {
                    prop_assert!(value <= 1.0, "{} {}", name, value);
                }
            }
        }
        prop_assert_eq!(found.clone(), features(&text, &patterns()));
    }
}
