//! Answers of the newer interface, `responses`: one answer made of items. Of a stream, the last event
//! holds all of it.

use std::borrow::Cow;
use std::fmt;

use clause9_shared::window::UndecodableReason;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::answer::{Answer, Choice, Usage};
use super::few::Content;
use crate::decode::body::parse;
use crate::decode::sse::events;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Response {
    id: Option<String>,
    model: Option<String>,
    status: Option<String>,
    output: Items,
    usage: Option<Usage>,
    incomplete_details: Option<Incomplete>,
}

#[derive(Debug, Deserialize)]
struct Incomplete {
    #[serde(default)]
    reason: Option<String>,
}

/// What items come to.
#[derive(Debug, Default)]
struct Items {
    text: Option<String>,
    calls: u64,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    content: Option<Content>,
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Items;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items, A::Error> {
                let mut items = Items::default();
                while let Some(item) = seq.next_element::<Item<'_>>()? {
                    let kind = item.kind.as_deref().unwrap_or("");
                    if kind.ends_with("_call") {
                        items.calls += 1;
                    } else if kind == "message"
                        && let Some(said) = item.content.and_then(|content| content.text)
                    {
                        match &mut items.text {
                            None => items.text = Some(said),
                            Some(text) => {
                                text.push('\n');
                                text.push_str(&said);
                            }
                        }
                    }
                }
                Ok(items)
            }
        }
        deserializer.deserialize_seq(List)
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    response: Option<Response>,
}

/// Reads a whole answer.
pub(super) fn whole(body: &[u8]) -> Result<Answer, UndecodableReason> {
    answer(parse(body)?)
}

/// Reads the last event of a stream.
pub(super) fn streamed(stream: &[u8]) -> Result<Answer, UndecodableReason> {
    let mut last = None;
    for data in events(stream) {
        if data.trim_ascii() == b"[DONE]" {
            break;
        }
        let event: Event<'_> = parse(&data)?;
        match event.kind.as_deref() {
            Some("response.completed" | "response.incomplete" | "response.failed") => {
                last = event.response;
            }
            Some("error") => return Err(UndecodableReason::UpstreamError),
            Some(_) | None => {}
        }
    }
    answer(last.ok_or(UndecodableReason::Malformed)?)
}

fn answer(response: Response) -> Result<Answer, UndecodableReason> {
    let finish_reason = match response.status.as_deref() {
        Some("failed" | "cancelled") => return Err(UndecodableReason::UpstreamError),
        // Answered later, to another request.
        Some("queued" | "in_progress") => return Err(UndecodableReason::Unsupported),
        Some("incomplete") => response.incomplete_details.and_then(|why| why.reason),
        Some(_) | None => None,
    };
    let choice = Choice {
        text: response.output.text,
        finish_reason: finish_reason.or(response.status),
        tool_calls: response.output.calls,
        embedding: None,
    };
    Ok(Answer {
        id: response.id,
        model: response.model,
        choices: [(0, choice)].into(),
        usage: response.usage.unwrap_or_default(),
    })
}
