//! What was asked, of any of the tasks; what a task does not have is not there.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::few::{Content, Count};

/// Most prompts in one request, as OpenAI's own service has it for embeddings.
pub(super) const MAX_PROMPTS: usize = 2048;

/// A request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Request {
    pub(super) model: Option<String>,
    messages: Option<Turns>,
    prompt: Option<Input>,
    input: Option<Input>,
    instructions: Option<Content>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    max_tokens: Option<f64>,
    max_completion_tokens: Option<f64>,
    max_output_tokens: Option<f64>,
    pub(super) stream: Option<bool>,
    tools: Option<Count>,
}

impl Request {
    /// Texts that were asked about: what the user said last, or each prompt.
    pub(super) fn prompts(&self) -> Vec<Option<&str>> {
        let turns = self.turns().map(|turns| vec![turns.user.as_deref()]);
        let prompts = || match self.prompt.as_ref().or(self.input.as_ref())? {
            Input::Prompts(prompts) => Some(prompts.iter().map(Option::as_deref).collect()),
            Input::Turns(_) => None,
        };
        turns.or_else(prompts).unwrap_or_else(|| vec![None])
    }

    fn turns(&self) -> Option<&Turns> {
        self.messages.as_ref().or(match &self.input {
            Some(Input::Turns(turns)) => Some(turns),
            Some(Input::Prompts(_)) | None => None,
        })
    }

    /// What the model was told before.
    pub(super) fn system(&self) -> Option<&str> {
        let told = self.instructions.as_ref().and_then(|c| c.text.as_deref());
        told.or_else(|| self.turns()?.system.as_deref())
    }

    /// How many messages the conversation has.
    pub(super) fn messages(&self) -> Option<u64> {
        self.turns().map(|turns| turns.count)
    }

    /// Parts of messages that are no text.
    pub(super) fn attachments(&self) -> Option<u64> {
        self.turns().map(|turns| turns.attachments)
    }

    /// Most tokens of an answer.
    pub(super) fn max_tokens(&self) -> Option<f64> {
        let newer = self.max_completion_tokens.or(self.max_output_tokens);
        newer.or(self.max_tokens)
    }

    /// How many tools the model may call.
    pub(super) fn tools(&self) -> u64 {
        self.tools.map_or(0, |tools| tools.0)
    }
}

/// A conversation, of which only the last and the first words are kept.
#[derive(Debug, Default)]
pub(super) struct Turns {
    user: Option<String>,
    system: Option<String>,
    count: u64,
    attachments: u64,
}

#[derive(Deserialize)]
struct Turn<'a> {
    #[serde(borrow, default)]
    role: Option<Cow<'a, str>>,
    #[serde(default)]
    content: Content,
}

impl Turns {
    fn take(&mut self, turn: Turn<'_>) {
        self.count += 1;
        self.attachments += turn.content.attachments;
        match turn.role.as_deref() {
            Some("user") => self.user = turn.content.text,
            Some("system" | "developer") if self.system.is_none() => {
                self.system = turn.content.text;
            }
            Some(_) | None => {}
        }
    }
}

impl<'de> Deserialize<'de> for Turns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Turns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of messages")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Turns, A::Error> {
                let mut turns = Turns::default();
                while let Some(turn) = seq.next_element()? {
                    turns.take(turn);
                }
                Ok(turns)
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// `prompt` or `input`: texts, tokens in place of texts, or a conversation.
#[derive(Debug)]
enum Input {
    /// Each text; none of one that came as tokens.
    Prompts(Vec<Option<String>>),
    Turns(Turns),
}

/// One entry of a list in `input`.
enum Entry<'a> {
    Text(String),
    /// One token of the only prompt.
    Token,
    /// The tokens of a prompt.
    Tokens,
    Turn(Turn<'a>),
}

impl<'de> Deserialize<'de> for Entry<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Entry<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, tokens or a message")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Entry<'de>, E> {
                Ok(Entry::Text(text.to_owned()))
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Entry<'de>, E> {
                Ok(Entry::Token)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entry<'de>, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Entry::Tokens)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry<'de>, A::Error> {
                let map = serde::de::value::MapAccessDeserializer::new(map);
                Turn::deserialize(map).map(Entry::Turn)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrList;
        impl<'de> Visitor<'de> for TextOrList {
            type Value = Input;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Input, E> {
                Ok(Input::Prompts(vec![Some(text.to_owned())]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Input, A::Error> {
                let (mut prompts, mut turns) = (Vec::new(), None);
                while let Some(entry) = seq.next_element()? {
                    match entry {
                        Entry::Text(text) => prompts.push(Some(text)),
                        Entry::Tokens => prompts.push(None),
                        Entry::Token if prompts.is_empty() => prompts.push(None),
                        Entry::Token => {}
                        Entry::Turn(turn) => turns.get_or_insert_with(Turns::default).take(turn),
                    }
                    if prompts.len() > MAX_PROMPTS {
                        return Err(A::Error::invalid_length(prompts.len(), &self));
                    }
                }
                match turns {
                    None => Ok(Input::Prompts(prompts)),
                    Some(turns) if prompts.is_empty() => Ok(Input::Turns(turns)),
                    Some(_) => Err(A::Error::custom("texts and messages in one list")),
                }
            }
        }
        deserializer.deserialize_any(TextOrList)
    }
}
