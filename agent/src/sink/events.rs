//! Events of inference loggers: those of KServe, of Seldon Core 1 and of Azure's collector, as
//! `CloudEvents` in HTTP's binary, structured and batched mode, or as lines of a log.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clause9_shared::service::Served;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::exchange::Message;
use crate::sink::attributes::{Attributes, Structured};
use crate::sink::{Half, Item, Key, Side, captured, id_header, seldon, shape};

/// What an event's type says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    KServe(Side),
    Seldon(Side),
    SeldonFeedback,
    Azure(Side),
}

impl Kind {
    fn of(kind: &str) -> Result<Self, String> {
        Ok(match kind {
            "org.kubeflow.serving.inference.request" => Self::KServe(Side::Request),
            "org.kubeflow.serving.inference.response" => Self::KServe(Side::Response),
            "io.seldon.serving.inference.request" => Self::Seldon(Side::Request),
            "io.seldon.serving.inference.response" => Self::Seldon(Side::Response),
            "io.seldon.serving.feedback" => Self::SeldonFeedback,
            "azureml.inference.inputs" | "azureml.inference.model_inputs" => {
                Self::Azure(Side::Request)
            }
            "azureml.inference.outputs" | "azureml.inference.model_outputs" => {
                Self::Azure(Side::Response)
            }
            _ => {
                return Err(
                    "the event's type is none of an inference logger; see docs/ways-in.md".into(),
                );
            }
        })
    }
}

/// The event in a request by HTTP's binary mode; none if it is none.
pub(super) fn binary(headers: &HeaderMap, body: &Bytes) -> Option<Result<Vec<Item>, String>> {
    let attributes = match Attributes::of_headers(headers)? {
        Ok(attributes) => attributes,
        Err(error) => return Some(Err(error)),
    };
    let mut message = Message::of(headers);
    message.body = shape::body(body.clone());
    Some(items(attributes, message))
}

/// One event as a JSON object, or one line of a log: an event, or captured traffic.
pub(super) fn object(text: &str) -> Result<Vec<Item>, String> {
    // A list would be read as the values of an object without its keys.
    if text.trim_start().starts_with('[') {
        return Err("not an event but a list".into());
    }
    if let Some(items) = captured::line(text) {
        return items;
    }
    let mut event: Structured<'_> = serde_json::from_str(text).map_err(|e| not_an_event(&e))?;
    let attributes = Attributes::of_object(&mut event)?;
    let content_type = event.datacontenttype.as_deref();
    let mut message = Message {
        content_type: content_type
            .map(HeaderValue::from_str)
            .transpose()
            .map_err(|_| "`datacontenttype` is no media type")?,
        ..Message::default()
    };
    message.body = shape::body(data(&event)?);
    items(attributes, message)
}

/// Where, not what: values may be personal.
pub(super) fn not_an_event(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => "not an event",
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => "not JSON",
    };
    format!("{what} at column {}", error.column())
}

/// The bytes of an event's data: of JSON as they stand there, of a text that is another type its content.
fn data(event: &Structured<'_>) -> Result<Bytes, String> {
    if let Some(encoded) = &event.data_base64 {
        let decoded = STANDARD.decode(encoded.as_bytes());
        return decoded
            .map(Bytes::from)
            .map_err(|_| "`data_base64` is not base64".into());
    }
    let Some(raw) = event.data else {
        return Err("the event has neither `data` nor `data_base64`".into());
    };
    let kind = event.datacontenttype.as_deref().unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    let is_json = kind.is_empty() || kind.ends_with("/json") || kind.ends_with("+json");
    match (is_json, raw.get().starts_with('"')) {
        (false, true) => {
            let text: String = serde_json::from_str(raw.get()).map_err(|e| not_an_event(&e))?;
            Ok(text.into())
        }
        (true | false, _) => Ok(Bytes::copy_from_slice(raw.get().as_bytes())),
    }
}

fn items(attributes: Attributes, mut message: Message) -> Result<Vec<Item>, String> {
    let kind = Kind::of(&attributes.kind)?;
    let (key, own_id, side) = match kind {
        Kind::SeldonFeedback => return seldon::feedback(&attributes, &message),
        Kind::KServe(side) => {
            let key = Key::new(&attributes.source, &attributes.id);
            (key, &attributes.id, side)
        }
        Kind::Seldon(side) => {
            let id = attributes.request.as_ref().unwrap_or(&attributes.id);
            seldon::reshape(&mut message, side)?;
            (Key::new("seldon", id), id, side)
        }
        Kind::Azure(side) => {
            let id = attributes.correlation.as_ref();
            let id =
                id.ok_or("the line has no `correlationid`, which says what belongs together")?;
            message.body = shape::body(in_envelope(side, &message.body.joined()));
            message.content_type = Some(HeaderValue::from_static("application/json"));
            (Key::new("azure", id), id, side)
        }
    };
    super::good_id(own_id)?;
    let request_id = attributes.header_id.as_deref().unwrap_or(own_id);
    Ok(vec![Item::Half(Box::new(Half {
        key,
        side,
        at: attributes.time,
        status: attributes.status.unwrap_or(StatusCode::OK),
        request_id: id_header(request_id),
        service: attributes.service,
        message,
    }))])
}

/// Rows as Azure's collector logs them, in the envelope that model servers put them in.
fn in_envelope(side: Side, rows: &[u8]) -> Vec<u8> {
    let key: &[u8] = match side {
        Side::Request => b"{\"instances\":",
        Side::Response => b"{\"predictions\":",
    };
    [key, rows, b"}"].concat()
}

/// How an exchange of two events was served: the answer's time after the request's, if both were told
/// and there is any; the bodies' lengths as they were logged.
pub(crate) fn served(request: &Half, response: &Half) -> Served {
    let latency = request.at.zip(response.at);
    let latency = latency.map(|(asked, answered)| answered.since(asked).micros());
    Served {
        latency: latency.filter(|l| *l > 0).map(|micros| micros as f64 / 1e6),
        first_byte: None,
        request_bytes: Some(request.message.body.len() as f64),
        response_bytes: Some(response.message.body.len() as f64),
        status: Some(response.status.as_u16()),
    }
}

#[cfg(test)]
mod tests;
