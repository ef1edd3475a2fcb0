//! JSON that no protocol knows: where in two bodies rows and what was answered to them seem to stand. For
//! learning from traffic; an agent in service is told ([`JsonRows`](super::JsonRows)).

use clause9_shared::window::UndecodableReason;
use http::Method;
use serde_json::Value;

use crate::decode::Decoder;
use crate::decode::body::{parse, texts};
#[cfg(test)]
use crate::decode::recorded::Recorded;
use crate::exchange::Exchange;
use clause9_shared::inference::Inference;

/// Deepest step that is looked at.
const MAX_DEPTH: usize = 6;
/// Most members of an object that are looked into.
const MAX_MEMBERS: usize = 256;

/// Takes every POST that no other protocol takes, and understands none.
pub(crate) struct AnyPost;

/// Its name.
pub(crate) const NAME: &str = "any_post";

impl Decoder for AnyPost {
    fn name(&self) -> &'static str {
        NAME
    }

    fn matches(&self, method: &Method, _: &str) -> bool {
        method == Method::POST
    }

    fn addressed<'a>(&self, _: &'a str) -> Option<&'a str> {
        None
    }

    fn decode(&self, _: &Exchange) -> Result<Inference, UndecodableReason> {
        Err(UndecodableReason::Unsupported)
    }

    #[cfg(test)]
    fn recorded(&self) -> &'static [Recorded] {
        &[]
    }
}

/// Where rows and answers stand, as JSON Pointers (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mapping {
    /// In requests.
    pub rows: String,
    /// In answers.
    pub answers: String,
}

/// What may be rows: what is likelier comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Objects,
    Lists,
    Object,
    Values,
}

impl Kind {
    const fn is_list(self) -> bool {
        match self {
            Self::Objects | Self::Lists | Self::Values => true,
            Self::Object => false,
        }
    }
}

struct Place {
    kind: Kind,
    rows: usize,
    depth: usize,
    pointer: String,
}

/// Where in an exchange's bodies there are as many rows as answers: lists of objects before lists of lists, one
/// object and lists of values, and what stands higher first; lists are answered by lists. None if there is no such pair.
pub(crate) fn mapping(exchange: &Exchange) -> Result<Mapping, UndecodableReason> {
    let (request, response) = texts(exchange)?;
    let (request, response): (Value, Value) = (parse(&request)?, parse(&response)?);
    let (rows, answers) = (places(&request), places(&response));
    let pair = rows.iter().find_map(|row| {
        // A list of one row is answered by a list, even where the answer is an object, too.
        let unlike = |answer: &&Place| answer.kind.is_list() != row.kind.is_list();
        let as_many = answers.iter().filter(|answer| answer.rows == row.rows);
        Some((row, as_many.min_by_key(unlike)?))
    });
    let (row, answer) = pair.ok_or(UndecodableReason::Unsupported)?;
    Ok(Mapping {
        rows: row.pointer.clone(),
        answers: answer.pointer.clone(),
    })
}

fn places(body: &Value) -> Vec<Place> {
    let mut found = Vec::new();
    look(body, "", 0, &mut found);
    found.sort_by_key(|place| (place.kind, place.depth));
    found
}

fn look(value: &Value, pointer: &str, depth: usize, into: &mut Vec<Place>) {
    let mut may_be = |kind: Kind, rows: usize| {
        into.push(Place {
            kind,
            rows,
            depth,
            pointer: pointer.to_owned(),
        });
    };
    match value {
        Value::Array(all) if all.is_empty() => {}
        Value::Array(all) if all.iter().all(Value::is_object) => may_be(Kind::Objects, all.len()),
        Value::Array(all) if all.iter().all(is_values) => may_be(Kind::Lists, all.len()),
        Value::Array(all) if all.iter().all(is_value) => may_be(Kind::Values, all.len()),
        Value::Object(members) => {
            if members.values().any(|v| is_value(v) || is_values(v)) {
                may_be(Kind::Object, 1);
            }
            if depth < MAX_DEPTH {
                for (name, member) in members.iter().take(MAX_MEMBERS) {
                    let step = name.replace('~', "~0").replace('/', "~1");
                    look(member, &format!("{pointer}/{step}"), depth + 1, into);
                }
            }
        }
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A single value.
fn is_value(value: &Value) -> bool {
    matches!(
        value,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)
    )
}

/// A list of such.
fn is_values(value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|all| !all.is_empty() && all.iter().all(is_value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::JsonRows;
    use crate::decode::recorded::exchange;

    fn found(request: &str, response: &str) -> Option<(String, String)> {
        let exchange = exchange("/score", request.to_owned(), response.to_owned());
        let mapping = mapping(&exchange).ok()?;
        // What was found is what an agent that is told so reads.
        let rows = JsonRows::new("/score", "m", &mapping.rows, &mapping.answers).unwrap();
        rows.decode(&exchange).unwrap();
        Some((mapping.rows, mapping.answers))
    }

    #[test]
    fn rows_are_found_with_as_many_answers() {
        for (request, response, rows, answers) in [
            (
                r#"{"request":{"applicants":[{"age":30},{"age":40}]}}"#,
                r#"{"scores":[0.25,0.5],"took":3}"#,
                "/request/applicants",
                "/scores",
            ),
            (
                r#"{"request":{"applicants":[{"age":30}]}}"#,
                r#"{"scores":[0.25],"version":3}"#,
                "/request/applicants",
                "/scores",
            ),
            (r#"{"age":30,"city":"Ulm"}"#, r#"{"score":0.25}"#, "", ""),
            (r#"{"id":"a","data":[[1,2],[3,4]]}"#, "[0,1]", "/data", ""),
            (
                r#"{"features":[1,2,3]}"#,
                r#"{"out":{"p":0.5}}"#,
                "",
                "/out",
            ),
            (r#"[{"a":1},{"a":2}]"#, r#"[{"p":1},{"p":0}]"#, "", ""),
            (r#"{"a/b":[{"x":1}]}"#, r#"{"y":[1]}"#, "/a~1b", "/y"),
        ] {
            let expected = Some((rows.to_owned(), answers.to_owned()));
            let found = found(request, response);
            assert_eq!(found, expected, "{request} {response}");
        }
    }

    #[test]
    fn what_does_not_pair_is_not_guessed() {
        assert_eq!(found(r#"[{"a":1},{"a":2}]"#, r#"{"p":1}"#), None);
        assert_eq!(found("[]", "[]"), None);
        assert_eq!(found("not JSON", "{}"), None);
    }
}
