//! Hits of configured phrases: refusals, safety flags, names that must not leak. Counted only; neither
//! the text nor where it was found is kept.

use aho_corasick::{AhoCorasick, MatchKind};

use super::bounded;

/// Most phrases of all lists together.
pub const MAX_PATTERNS: usize = 1024;
/// Longest phrase in bytes.
pub const MAX_PATTERN_BYTES: usize = 256;

/// A named list of phrases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternList {
    /// The name under which hits are counted, as `refusal`.
    pub name: String,
    /// Phrases, found as they are written but for the case of ASCII letters.
    pub phrases: Vec<String>,
}

/// Lists of phrases, ready to be looked for in one pass over a text.
#[derive(Clone, Debug)]
pub struct Patterns {
    automaton: AhoCorasick,
    /// The list of each phrase.
    list_of: Vec<usize>,
    lists: Vec<String>,
}

/// Why lists of phrases were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPatterns {
    /// A phrase is empty or too long.
    #[error("list `{0}`: a phrase has {1} bytes; write 1 to {MAX_PATTERN_BYTES}")]
    Length(String, usize),
    /// There are too many phrases.
    #[error("{0} phrases are more than can be looked for at once; write at most {MAX_PATTERNS}")]
    TooMany(usize),
    /// The search could not be built.
    #[error("the search for the phrases cannot be built: {0}")]
    Unbuilt(String),
}

impl Patterns {
    /// Prepares lists of phrases.
    pub fn new(lists: &[PatternList]) -> Result<Self, BadPatterns> {
        let phrases: Vec<(usize, &String)> = lists
            .iter()
            .enumerate()
            .flat_map(|(i, list)| list.phrases.iter().map(move |phrase| (i, phrase)))
            .collect();
        if phrases.len() > MAX_PATTERNS {
            return Err(BadPatterns::TooMany(phrases.len()));
        }
        for (i, phrase) in &phrases {
            if phrase.is_empty() || phrase.len() > MAX_PATTERN_BYTES {
                return Err(BadPatterns::Length(lists[*i].name.clone(), phrase.len()));
            }
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(phrases.iter().map(|(_, phrase)| phrase.as_bytes()))
            .map_err(|e| BadPatterns::Unbuilt(e.to_string()))?;
        Ok(Self {
            automaton,
            list_of: phrases.iter().map(|(i, _)| *i).collect(),
            lists: lists.iter().map(|list| list.name.clone()).collect(),
        })
    }

    /// Names of the lists, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.lists.iter().map(String::as_str)
    }

    /// Whether any phrase stands in the part of a text that is looked at.
    pub fn any(&self, text: &str) -> bool {
        self.automaton.is_match(bounded(text).0)
    }

    /// Hits of each list, in order. Of hits that overlap the first counts, the longest of those that
    /// begin together; a phrase that stands in two lists counts for the first.
    pub fn count(&self, text: &str) -> Vec<u64> {
        let mut hits = vec![0; self.lists.len()];
        for found in self.automaton.find_iter(text) {
            if let Some(list) = self.list_of.get(found.pattern().as_usize()) {
                hits[*list] += 1;
            }
        }
        hits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(name: &str, phrases: &[&str]) -> PatternList {
        PatternList {
            name: name.to_owned(),
            phrases: phrases.iter().map(|p| (*p).to_owned()).collect(),
        }
    }

    #[test]
    fn hits_are_counted_by_list_whatever_the_case() {
        let patterns = Patterns::new(&[
            list("refusal", &["I cannot", "I can't help", "as an AI"]),
            list("secret", &["project x"]),
            list("empty", &[]),
        ])
        .unwrap();
        let text = "i CANNOT say. I can't help you, as an ai. Project X! I cannot.";
        assert_eq!(patterns.count(text), [4, 1, 0]);
        assert_eq!(patterns.count(""), [0, 0, 0]);
        assert_eq!(
            patterns.names().collect::<Vec<_>>(),
            ["refusal", "secret", "empty"]
        );
    }

    #[test]
    fn the_programs_refusals_are_found_in_refusals_and_not_in_help() {
        let patterns = Patterns::new(&[PatternList {
            name: "refusal".to_owned(),
            phrases: crate::text::refusals(),
        }])
        .unwrap();
        for refusal in [
            "I'm sorry, but I can't share that.",
            "I\u{2019}m unable to help with weapons.",
            "Unfortunately I CANNOT ASSIST WITH this request.",
            "I must decline: it would harm people.",
        ] {
            assert!(patterns.any(refusal), "{refusal}");
        }
        for help in [
            "Sorry for the delay; here is the table.",
            "You can't divide by zero, but the limit exists.",
            "I can help with that.",
            "",
        ] {
            assert!(!patterns.any(help), "{help}");
        }
        let far = format!("{}i must decline", "x".repeat(crate::text::MAX_BYTES));
        assert!(!patterns.any(&far), "what is cut is not looked at");
    }

    #[test]
    fn the_longest_of_overlapping_phrases_counts_once() {
        let patterns = Patterns::new(&[list("a", &["ab"]), list("b", &["abc", "bcd"])]).unwrap();
        assert_eq!(patterns.count("abcd ab bcd"), [1, 2]);
    }

    #[test]
    fn lists_that_cannot_be_looked_for_say_why() {
        let said = |lists: &[PatternList]| Patterns::new(lists).unwrap_err().to_string();
        assert_eq!(
            said(&[list("a", &[""])]),
            "list `a`: a phrase has 0 bytes; write 1 to 256"
        );
        let many = vec!["x"; MAX_PATTERNS + 1];
        assert!(said(&[list("a", &many)]).starts_with("1025 phrases"));
        assert!(said(&[list("a", &[&"x".repeat(257)])]).contains("257 bytes"));
        assert_eq!(Patterns::new(&[]).unwrap().count("x"), [0_u64; 0]);
    }
}
