//! What a body is, where nobody says it: inference loggers leave out the path, the encoding, and the
//! content type of answers. Reading a body's outline tells; decoding is the protocols' task.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, Uri};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::decode::unpacked;
use crate::exchange::{Body, Message, is_grpc};
use crate::sink::Whole;

/// The longest name of a service that goes into a path.
const MAX_SERVICE: usize = 256;
/// How a body begins that is compressed by gzip (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// How bodies without a path are read.
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    /// The path that all of them were posted to, in the two parts around the service's name.
    path: Option<(Box<str>, Option<Box<str>>)>,
    /// The model where nobody names one: the only one there is.
    only: Option<Box<str>>,
}

impl Shapes {
    /// With a path as configured (`*` stands for the service), and the model that stands for no name.
    /// The error says what is wrong and what to do.
    pub fn new(path: Option<&str>, only: Option<&str>) -> Result<Self, String> {
        let path = match path {
            None => None,
            Some(path) if !path.starts_with('/') || path.parse::<Uri>().is_err() => {
                return Err(format!("`{path}` is not a path; write /predictions/*"));
            }
            Some(path) => Some(match path.split_once('*') {
                Some((_, after)) if after.contains('*') => {
                    return Err(format!(
                        "`{path}` has more than one `*`, which stands for the service's name; write one"
                    ));
                }
                Some((before, after)) => (before.into(), Some(after.into())),
                None => (path.into(), None),
            }),
        };
        let only = only.map(Into::into);
        Ok(Self { path, only })
    }

    /// Fills in what an exchange does not say of itself; the path that it was posted to, if it can be
    /// known.
    pub fn settle(&self, whole: &mut Whole) -> Option<Uri> {
        sniff(&mut whole.request, false);
        if let Some((_, response)) = &mut whole.response {
            sniff(response, true);
        }
        if let Some(target) = &whole.target {
            return Some(target.clone());
        }
        let service = whole.service.as_deref().or(self.only.as_deref());
        let service = service.filter(|name| can_be_in_a_path(name));
        let path = match &self.path {
            Some((path, None)) => path.to_string(),
            Some((before, Some(after))) => format!("{before}{}{after}", service?),
            None => by_body(whole, service)?,
        };
        path.parse().ok()
    }
}

fn can_be_in_a_path(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    !name.is_empty() && name.len() <= MAX_SERVICE && name.bytes().all(plain)
}

/// Corrects what describes a body by the body itself.
fn sniff(message: &mut Message, is_answer: bool) {
    if message.body.truncated || message.content_type.as_ref().is_some_and(is_grpc) {
        return;
    }
    let body = message.body.joined();
    if message.content_encoding.is_none() && body.starts_with(&GZIP) {
        message.content_encoding = Some(HeaderValue::from_static("gzip"));
    }
    let Some(body) = text_of(message) else { return };
    let first = body.trim_ascii_start();
    if first.starts_with(b"data:") || first.starts_with(b"event:") {
        message.content_type = Some(HeaderValue::from_static("text/event-stream"));
        return;
    }
    if !matches!(first.first(), Some(b'{' | b'[')) {
        return;
    }
    let mut values = serde_json::Deserializer::from_slice(&body).into_iter::<IgnoredAny>();
    if !matches!(values.next(), Some(Ok(_))) {
        return;
    }
    let end = values.byte_offset();
    let rest = &body[end..];
    if rest.trim_ascii().is_empty() {
        // Loggers write the request's type on both.
        if is_answer || message.is("application/octet-stream") {
            message.content_type = Some(HeaderValue::from_static("application/json"));
        }
    } else if message.json_length.is_none() && message.is("application/octet-stream") {
        // Tensors stand behind the JSON; the header that said where was not kept.
        message.json_length = Some(end.into());
    }
}

/// A body, unpacked if it is compressed and can be.
fn text_of(message: &Message) -> Option<Bytes> {
    match &message.content_encoding {
        None => Some(message.body.joined()),
        Some(_) => unpacked(message).ok(),
    }
}

/// The path of the protocol that a body is in.
fn by_body(whole: &Whole, service: Option<&str>) -> Option<String> {
    let request = &whole.request;
    if request.content_type.as_ref().is_some_and(is_grpc) {
        return Some("/inference.GRPCInferenceService/ModelInfer".into());
    }
    let body = text_of(request)?;
    let begins = body.trim_ascii_start().first().copied();
    let mut values = serde_json::Deserializer::from_slice(&body).into_iter::<Outline>();
    let outline = match (begins, values.next()) {
        (Some(b'{'), Some(Ok(outline))) => outline,
        // Lists, comma-separated values.
        _ => Outline::default(),
    };
    let path = match outline {
        Outline { tensors: true, .. } => format!("/v2/models/{}/infer", service?),
        Outline { rows: true, .. } => format!("/v1/models/{}:predict", service?),
        Outline { messages: true, .. } => "/v1/chat/completions".into(),
        Outline { prompt: true, .. } => "/v1/completions".into(),
        Outline { input: true, .. } if answers_with_a_list(whole) => "/v1/embeddings".into(),
        Outline { input: true, .. } => "/v1/responses".into(),
        _ => "/invocations".into(),
    };
    Some(path)
}

/// OpenAI's embeddings say that they are a list.
fn answers_with_a_list(whole: &Whole) -> bool {
    let Some((_, response)) = &whole.response else {
        return false;
    };
    let body = text_of(response).unwrap_or_default();
    serde_json::from_slice::<Outline>(&body).is_ok_and(|outline| outline.data)
}

/// Which keys an object has.
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key that is there or not"
)]
struct Outline {
    /// `inputs` that are tensors with types.
    tensors: bool,
    /// `instances`, or `inputs` that are rows or columns.
    rows: bool,
    messages: bool,
    prompt: bool,
    input: bool,
    data: bool,
    datatype: bool,
}

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Outline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Outline;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outline, A::Error> {
                let mut outline = Outline::default();
                while let Some(Key(key)) = map.next_key()? {
                    match &*key {
                        "inputs" => {
                            let tensors = are_tensors(map.next_value::<&RawValue>()?);
                            outline.tensors |= tensors;
                            outline.rows |= !tensors;
                            continue;
                        }
                        "instances" => outline.rows = true,
                        "messages" => outline.messages = true,
                        "prompt" => outline.prompt = true,
                        "input" => outline.input = true,
                        "data" => outline.data = true,
                        "datatype" => outline.datatype = true,
                        _ => {}
                    }
                    map.next_value::<IgnoredAny>()?;
                }
                Ok(outline)
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// Whether it is a list of objects of which the first has a `datatype`.
fn are_tensors(inputs: &RawValue) -> bool {
    let Some(list) = inputs.get().trim_start().strip_prefix('[') else {
        return false;
    };
    let mut values = serde_json::Deserializer::from_str(list).into_iter::<Outline>();
    matches!(values.next(), Some(Ok(Outline { datatype: true, .. })))
}

/// A body of this text.
pub(super) fn body(text: impl Into<Bytes>) -> Body {
    Body::from_iter([text.into()])
}

#[cfg(test)]
mod tests;
