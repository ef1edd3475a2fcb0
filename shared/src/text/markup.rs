//! Marks in a text: code fences, addresses, citations; and whether all of it is JSON.

use serde::de::IgnoredAny;

/// Counts of marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Markup {
    /// Blocks of code between fences (three backquotes or tildes); one that is not closed counts.
    pub code_fences: u64,
    /// Web addresses.
    pub urls: u64,
    /// Citations: numbers in brackets as [3] or [1, 2], and years at the end of parentheses as
    /// (Berk, 2018).
    pub citations: u64,
}

impl Markup {
    /// Of a text.
    pub fn of(text: &str) -> Self {
        Self {
            code_fences: fences(text),
            urls: urls(text),
            citations: citations(text),
        }
    }
}

fn fences(text: &str) -> u64 {
    let mut blocks = 0;
    let mut open: Option<&str> = None;
    for line in text.lines() {
        let line = line.trim_start();
        let fence = ["```", "~~~"].into_iter().find(|f| line.starts_with(f));
        match (open, fence) {
            (None, Some(fence)) => {
                open = Some(fence);
                blocks += 1;
            }
            (Some(opened), Some(fence)) if opened == fence => open = None,
            (Some(_) | None, _) => {}
        }
    }
    blocks
}

fn urls(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let starts = |at: usize, what: &[u8]| {
        bytes
            .get(at..at + what.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(what))
    };
    let mut found = 0;
    let mut at = 0;
    while at < bytes.len() {
        let prefix = [&b"https://"[..], b"http://", b"www."]
            .into_iter()
            .find(|prefix| starts(at, prefix));
        let Some(prefix) = prefix else {
            at += 1;
            continue;
        };
        // A prefix inside a word, as in `awww.`, begins no address.
        let inside = at > 0 && bytes[at - 1].is_ascii_alphanumeric();
        let begun = at + prefix.len();
        let rest = &bytes[begun..];
        let length = rest
            .iter()
            .position(|b| b.is_ascii_whitespace() || matches!(b, b'<' | b'>' | b'"'))
            .unwrap_or(rest.len());
        if !inside && rest.first().is_some_and(u8::is_ascii_alphanumeric) {
            found += 1;
        }
        at = begun + length;
    }
    found
}

/// Longest citation, in bytes.
const LONGEST: usize = 120;

fn citations(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let marks = bytes
        .iter()
        .enumerate()
        .filter_map(|(at, byte)| match byte {
            b'[' => Some((at, b']')),
            b'(' => Some((at, b')')),
            _ => None,
        });
    let count = marks.filter(|(at, close)| {
        let rest = &bytes[at + 1..bytes.len().min(at + LONGEST)];
        let end = rest
            .iter()
            .position(|b| matches!(b, b'[' | b'(' | b']' | b')' | b'\n'));
        end.is_some_and(|end| {
            let inside = &rest[..end];
            rest[end] == *close
                && if *close == b']' {
                    is_numbers(inside)
                } else {
                    ends_in_year(inside)
                }
        })
    });
    count.count() as u64
}

/// Whether all of it is numbers of up to three digits, between commas or dashes.
fn is_numbers(inside: &[u8]) -> bool {
    !inside.is_empty()
        && inside.split(|b| matches!(b, b',' | b'-')).all(|part| {
            let part = part.trim_ascii();
            (1..=3).contains(&part.len()) && part.iter().all(u8::is_ascii_digit)
        })
}

/// Whether it is letters and then a year from 1500 to 2099, perhaps with a letter after it.
fn ends_in_year(inside: &[u8]) -> bool {
    let letter = inside.last().is_some_and(u8::is_ascii_lowercase);
    let inside = &inside[..inside.len() - usize::from(letter)];
    let Some((before, year)) = inside.split_last_chunk::<4>() else {
        return false;
    };
    let begins = matches!(year, [b'1', b'5'..=b'9', ..] | [b'2', b'0', ..]);
    begins
        && year.iter().all(u8::is_ascii_digit)
        && before.last().is_some_and(|b| matches!(b, b' ' | b','))
        && before.iter().any(u8::is_ascii_alphabetic)
}

/// Whether the whole text, spaces around it aside, is one JSON value.
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_open_and_close_by_their_own_kind() {
        assert_eq!(fences("a\n```rust\nx\n~~~\n```\nb\n  ```\ny\n```"), 2);
        assert_eq!(fences("```\nnever closed"), 1);
        assert_eq!(fences("`` ` ``"), 0);
    }

    #[test]
    fn addresses_are_counted_once_each() {
        let text = "See https://a.example/x?u=http://b.example, <http://c.example>www.d.example \
                    awww.no http:// HTTPS://E.EXAMPLE";
        assert_eq!(urls(text), 4);
        assert_eq!(urls(""), 0);
    }

    #[test]
    fn citations_are_numbers_in_brackets_or_years_in_parentheses() {
        let text = "As [1] and [2, 3] and [4-6] say (Berk et al., 2018), (Hardt 2016a); not [x], \
                    [1234], [], (2018), f(x), [1";
        assert_eq!(citations(text), 5);
    }

    #[test]
    fn json_is_all_or_nothing_however_deep_it_begins() {
        for text in ["{}", " [1, 2]\n", "\"a\"", "12"] {
            assert!(is_json(text), "{text}");
        }
        for text in ["", "{", "{} {}", "{a: 1}", "NaN", "```\n{}\n```"] {
            assert!(!is_json(text), "{text}");
        }
        assert!(!is_json(&"[".repeat(1 << 20)));
    }
}
