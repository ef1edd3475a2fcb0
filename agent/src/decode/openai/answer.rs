//! What was answered: choices, each with its text, and the tokens used. A whole answer and the pieces of
//! a streamed one come together in the same way.

use std::collections::BTreeMap;

use clause9_shared::window::UndecodableReason;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::few::{Content, Few};
use super::request::MAX_PROMPTS;
use crate::decode::body::parse;
use crate::decode::sse::events;

/// Most answers to one request.
pub(super) const MAX_CHOICES: usize = MAX_PROMPTS;
/// Most calls of tools in one piece of an answer.
const MAX_CALLS: usize = 1024;

/// An answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    /// By their index.
    pub(super) choices: BTreeMap<u32, Choice>,
    pub(super) usage: Usage,
}

/// One answer to one prompt.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) text: Option<String>,
    pub(super) finish_reason: Option<String>,
    pub(super) tool_calls: u64,
    /// Of an embedding: how many numbers it has, and its length.
    pub(super) embedding: Option<(usize, f64)>,
}

/// Tokens, by both sets of names that are in use.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    prompt_tokens: Option<u64>,
    input_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    output_tokens: Option<u64>,
    pub(super) total_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
    input_tokens_details: Option<Details>,
    completion_tokens_details: Option<Details>,
    output_tokens_details: Option<Details>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
}

impl Usage {
    /// Tokens that went in.
    pub(super) fn prompt_tokens(&self) -> Option<u64> {
        self.prompt_tokens.or(self.input_tokens)
    }

    /// Tokens that came out.
    pub(super) fn completion_tokens(&self) -> Option<u64> {
        self.completion_tokens.or(self.output_tokens)
    }

    /// Tokens of the prompt that had been read before.
    pub(super) fn cached_tokens(&self) -> Option<u64> {
        let details = self.prompt_tokens_details.or(self.input_tokens_details);
        details?.cached_tokens
    }

    /// Tokens that were thought and not said.
    pub(super) fn reasoning_tokens(&self) -> Option<u64> {
        let details = self.completion_tokens_details;
        details.or(self.output_tokens_details)?.reasoning_tokens
    }
}

/// A whole answer, or a piece of a streamed one.
#[derive(Debug, Deserialize)]
struct Piece {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    choices: Option<Few<PieceChoice, MAX_CHOICES>>,
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PieceChoice {
    /// Its place, if it is not said.
    index: Option<u32>,
    /// Of chat.
    #[serde(alias = "delta")]
    message: Option<Said>,
    /// Of completions.
    text: Option<String>,
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    content: Content,
    tool_calls: Few<Call, MAX_CALLS>,
    function_call: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Call {
    /// Which call a piece belongs to.
    #[serde(default)]
    index: Option<u32>,
}

impl Answer {
    /// Reads a whole answer.
    pub(super) fn whole(body: &[u8]) -> Result<Self, UndecodableReason> {
        let mut answer = Self::default();
        answer.take(parse(body)?)?;
        Ok(answer.tidied())
    }

    /// Reads a stream of pieces. One that ends without saying so is no answer.
    pub(super) fn streamed(stream: &[u8]) -> Result<Self, UndecodableReason> {
        let mut answer = Self::default();
        let mut done = false;
        for data in events(stream) {
            if data.trim_ascii() == b"[DONE]" {
                done = true;
                break;
            }
            answer.take(parse(&data)?)?;
        }
        let finished = answer.choices.values().all(|c| c.finish_reason.is_some());
        if done || finished {
            Ok(answer.tidied())
        } else {
            Err(UndecodableReason::Malformed)
        }
    }

    fn take(&mut self, piece: Piece) -> Result<(), UndecodableReason> {
        if piece.error.is_some() {
            return Err(UndecodableReason::UpstreamError);
        }
        self.id = self.id.take().or(piece.id);
        self.model = self.model.take().or(piece.model);
        self.usage = piece.usage.unwrap_or(self.usage);
        for (place, choice) in (0..).zip(piece.choices.unwrap_or_default().0) {
            let known = self.choices.len();
            let entry = self.choices.entry(choice.index.unwrap_or(place));
            if known == MAX_CHOICES
                && matches!(entry, std::collections::btree_map::Entry::Vacant(_))
            {
                return Err(UndecodableReason::Unsupported);
            }
            entry.or_default().take(choice);
        }
        Ok(())
    }

    /// An empty text beside a tool's call was not said.
    fn tidied(mut self) -> Self {
        for choice in self.choices.values_mut() {
            if choice.tool_calls > 0 && choice.text.as_deref() == Some("") {
                choice.text = None;
            }
        }
        self
    }
}

impl Choice {
    fn take(&mut self, piece: PieceChoice) {
        let said = piece.message.unwrap_or_default();
        for text in [piece.text, said.content.text].into_iter().flatten() {
            match &mut self.text {
                None => self.text = Some(text),
                Some(known) => known.push_str(&text),
            }
        }
        self.finish_reason = piece.finish_reason.or_else(|| self.finish_reason.take());
        // Pieces of one call share its number; whole calls have none and are counted.
        let mut whole = 0;
        for call in said.tool_calls.0 {
            match call.index {
                Some(index) => self.tool_calls = self.tool_calls.max(u64::from(index) + 1),
                None => whole += 1,
            }
        }
        self.tool_calls += whole;
        if said.function_call.is_some() {
            self.tool_calls = self.tool_calls.max(1);
        }
    }
}
