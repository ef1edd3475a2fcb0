//! `NaN`, `Infinity` and `-Infinity`, which Python's programs write into JSON and read from it, although it
//! has no such words (RFC 8259, section 6). An exchange that was answered well is understood as its server
//! understood it: requests with missing numbers are not to be lost of all.

use bytes::Bytes;
use clause9_shared::inference::Owned;
use memchr::memmem;

/// In place of the words, texts of no more than a byte longer; a control character, which no sender writes
/// of a value, begins them.
const WORDS: [(&[u8], &[u8], f64); 3] = [
    (b"NaN", b"\"\x7fn\"", f64::NAN),
    (b"Infinity", b"\"\x7fp\"", f64::INFINITY),
    (b"-Infinity", b"\"\x7fm\"", f64::NEG_INFINITY),
];
/// What some programs begin a text with (Unicode, section 23.8); RFC 8259, section 8.1, lets readers pass over it.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A body in which such words, if it is JSON and has any, are texts that [`value`] knows.
pub(super) fn put_aside(body: Bytes) -> Bytes {
    let body = if body.starts_with(MARK) {
        body.slice(MARK.len()..)
    } else {
        body
    };
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let json = matches!(first, Some(b'{' | b'['));
    let any = |word: &[u8]| memmem::find(&body, word).is_some();
    if json && (any(b"NaN") || any(b"Infinity")) {
        replaced(&body).into()
    } else {
        body
    }
}

/// The same with every such word that stands outside of texts replaced.
fn replaced(body: &[u8]) -> Vec<u8> {
    let mut all = Vec::with_capacity(body.len() + body.len() / 3);
    let mut rest = body;
    let mut within = false;
    while let Some(byte) = rest.first() {
        let word = WORDS
            .iter()
            .find(|(word, ..)| !within && rest.starts_with(word));
        let taken = if let Some((word, text, _)) = word {
            all.extend_from_slice(text);
            word.len()
        } else {
            // What is escaped does not end a text.
            let taken = if within && *byte == b'\\' { 2 } else { 1 };
            within ^= *byte == b'"';
            let taken = taken.min(rest.len());
            all.extend_from_slice(&rest[..taken]);
            taken
        };
        rest = &rest[taken..];
    }
    all
}

/// What a text says: itself, or the number that stood in its place.
pub(super) fn value(text: &str) -> Owned {
    let meant = |(_, put, _): &&(&[u8], &[u8], f64)| put[1..put.len() - 1] == *text.as_bytes();
    match WORDS.iter().find(meant) {
        Some((_, _, number)) => Owned::Float(*number),
        None => Owned::Text(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str) -> String {
        String::from_utf8(put_aside(Bytes::copy_from_slice(text.as_bytes())).to_vec()).unwrap()
    }

    #[test]
    fn words_outside_of_texts_are_put_aside_and_nothing_else() {
        assert_eq!(
            put(r#" {"a": [NaN, -Infinity,Infinity, "NaN", "\"NaN", "\\", NaN], "NaN": -1}"#),
            " {\"a\": [\"\x7fn\", \"\x7fm\",\"\x7fp\", \"NaN\", \"\\\"NaN\", \"\\\\\", \"\x7fn\"], \"NaN\": -1}"
        );
        for same in [
            "a,b\nNaN,1\n",
            r#"{"a": 1}"#,
            r#"{"a": "NaN"}"#,
            "",
            "[",
            r#"["\"#,
        ] {
            assert_eq!(put(same), same);
        }
    }

    #[test]
    fn a_mark_of_the_byte_order_is_passed_over() {
        assert_eq!(put("\u{feff}{}"), "{}");
    }

    #[test]
    fn what_was_put_aside_is_the_number_again() {
        for (word, _, number) in WORDS {
            let body = [b"[", word, b"]"].concat();
            let read: Vec<String> = serde_json::from_slice(&put_aside(body.into())).unwrap();
            let Owned::Float(x) = value(&read[0]) else {
                panic!("a number");
            };
            assert_eq!(x.to_bits(), number.to_bits());
        }
        assert_eq!(value("NaN"), Owned::Text("NaN".into()));
    }
}
