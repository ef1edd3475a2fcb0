//! Outcomes as applications post them: one JSON object, or many lines of them. Agents and collector
//! take the same text by the same rules.

use serde::Serialize;

use crate::objective::document::Scalar;
use crate::plan::Outcome;
use crate::time::Clock;

/// Longest request id in bytes.
pub const MAX_ID: usize = 256;
/// Most attributes in one outcome.
pub const MAX_ATTRIBUTES: usize = 16;
/// Longest label text or attribute value in bytes.
pub const MAX_VALUE: usize = 256;

/// A line that is no outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Malformed {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it. Says where, never what stands there: values may be personal.
    pub error: String,
}

/// Whether a delivery of that media type has many lines; none if it is neither `application/json` nor
/// `application/x-ndjson`.
pub fn has_lines(media_type: &str) -> Option<bool> {
    match media_type
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase()
        .as_str()
    {
        "application/json" => Some(false),
        "application/x-ndjson" => Some(true),
        _ => None,
    }
}

/// The outcomes of a delivery, and the lines that are none.
pub fn parse(body: &[u8], lines: bool, clock: Clock) -> (Vec<Outcome>, Vec<Malformed>) {
    let (mut outcomes, mut malformed) = (Vec::new(), Vec::new());
    let pieces: Vec<&[u8]> = if lines {
        body.split(|b| *b == b'\n').collect()
    } else {
        vec![body]
    };
    for (index, line) in pieces.into_iter().enumerate() {
        if lines && line.trim_ascii().is_empty() {
            continue;
        }
        match one(line, clock) {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => malformed.push(Malformed {
                line: index + 1,
                error,
            }),
        }
    }
    (outcomes, malformed)
}

/// One outcome, or what is wrong with it: where, never what stands there.
pub fn one(line: &[u8], clock: Clock) -> Result<Outcome, String> {
    // The message says where, not what: values may be personal.
    let outcome: Outcome = serde_json::from_slice(line).map_err(|e| {
        let what = match e.classify() {
            serde_json::error::Category::Data => "not an outcome",
            serde_json::error::Category::Io
            | serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof => "not JSON",
        };
        format!("{what} at column {}", e.column())
    })?;
    if outcome.request_id.is_empty() || outcome.request_id.len() > MAX_ID {
        return Err(format!("request_id must have 1 to {MAX_ID} bytes"));
    }
    check(&outcome, clock)?;
    Ok(outcome)
}

/// What every outcome has to keep, however its request is named.
pub(crate) fn check(outcome: &Outcome, clock: Clock) -> Result<(), String> {
    if outcome.label.is_none() && outcome.attributes.is_empty() {
        return Err("neither label nor attributes".into());
    }
    if outcome.attributes.len() > MAX_ATTRIBUTES {
        return Err(format!("more than {MAX_ATTRIBUTES} attributes"));
    }
    let text = match &outcome.label {
        Some(Scalar::Text(text)) => text.len(),
        Some(Scalar::Number(_) | Scalar::Bool(_)) | None => 0,
    };
    if text > MAX_VALUE || outcome.attributes.values().any(|v| v.len() > MAX_VALUE) {
        return Err(format!(
            "a label or an attribute has more than {MAX_VALUE} bytes"
        ));
    }
    if clock == Clock::Replay && outcome.available_at.is_none() {
        return Err("on a replayed clock an outcome must have available_at".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_one_by_one_and_mistakes_named_without_their_values() {
        let body = b"{\"request_id\":\"a\",\"label\":1}\n\n{\"request_id\":\"secret\"}\nnonsense\n{\"request_id\":\"b\",\"row\":2,\"attributes\":{\"sex\":\"male\"}}\r\n";
        let (outcomes, malformed) = parse(body, true, Clock::Live);
        assert_eq!(outcomes.len(), 2);
        assert_eq!(outcomes[1].row, 2);
        let lines: Vec<_> = malformed
            .iter()
            .map(|m| (m.line, m.error.as_str()))
            .collect();
        assert_eq!(
            lines,
            [
                (3, "neither label nor attributes"),
                (4, "not JSON at column 2")
            ]
        );
    }

    #[test]
    fn long_labels_and_attributes_are_malformed() {
        let label = |n: usize| format!(r#"{{"request_id":"a","label":"{}"}}"#, "x".repeat(n));
        let attribute = |n: usize| {
            format!(
                r#"{{"request_id":"a","attributes":{{"sex":"{}"}}}}"#,
                "x".repeat(n)
            )
        };
        for text in [label(MAX_VALUE), attribute(MAX_VALUE)] {
            assert!(one(text.as_bytes(), Clock::Live).is_ok());
        }
        for text in [label(MAX_VALUE + 1), attribute(MAX_VALUE + 1)] {
            let error = one(text.as_bytes(), Clock::Live).unwrap_err();
            assert_eq!(error, "a label or an attribute has more than 256 bytes");
        }
    }

    #[test]
    fn replayed_outcomes_must_say_when_they_became_known() {
        let line = br#"{"request_id":"a","label":1}"#;
        assert!(one(line, Clock::Replay).is_err());
        let line = br#"{"request_id":"a","label":1,"available_at":"2019-01-01T00:00:00Z"}"#;
        assert!(one(line, Clock::Replay).is_ok());
    }
}
