//! Lines of traffic that SageMaker's data capture wrote: request and answer in one, and the lines of
//! ground truth that belong to them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clause9_shared::objective::document::Scalar;
use clause9_shared::service::Served;
use clause9_shared::time::Timestamp;
use http::{HeaderValue, Method, StatusCode, Uri};
use serde::Deserialize;

use crate::exchange::Message;
use crate::sink::events::not_an_event;
use crate::sink::{Item, Key, Whole, good_id, id_header, outcome, shape};

/// Most labels of one line.
const MAX_LABELS: usize = 100_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow, default)]
    capture_data: Option<CaptureData<'a>>,
    #[serde(borrow, default)]
    ground_truth_data: Option<Content<'a>>,
    #[serde(borrow, default)]
    event_metadata: Option<Metadata<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CaptureData<'a> {
    #[serde(borrow, default)]
    endpoint_input: Option<Content<'a>>,
    #[serde(borrow, default)]
    endpoint_output: Option<Content<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content<'a> {
    #[serde(borrow, default)]
    observed_content_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Cow<'a, str>,
    encoding: Encoding,
}

/// What ground truth in JSON is.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<serde_json::Value>),
    One(serde_json::Value),
}

#[derive(Clone, Copy, Deserialize)]
enum Encoding {
    #[serde(rename = "CSV")]
    Csv,
    #[serde(rename = "JSON")]
    Json,
    #[serde(rename = "BASE64")]
    Base64,
    #[serde(rename = "NONE")]
    Plain,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow, default)]
    inference_id: Option<Cow<'a, str>>,
    #[serde(default)]
    inference_time: Option<Timestamp>,
}

/// What a line holds; none if it is not of this kind.
pub(super) fn line(text: &str) -> Option<Result<Vec<Item>, String>> {
    if !text.contains("\"captureData\"") && !text.contains("\"groundTruthData\"") {
        return None;
    }
    let line: Line<'_> = match serde_json::from_str(text) {
        Ok(line) => line,
        Err(error) => return Some(Err(not_an_event(&error))),
    };
    match (line.capture_data, line.ground_truth_data) {
        (None, None) => None,
        (capture, truth) => Some(items(capture, truth, line.event_metadata)),
    }
}

fn items(
    capture: Option<CaptureData<'_>>,
    truth: Option<Content<'_>>,
    metadata: Option<Metadata<'_>>,
) -> Result<Vec<Item>, String> {
    let metadata = metadata.ok_or("the line has no `eventMetadata`")?;
    good_id(&metadata.event_id)?;
    let named = metadata.inference_id.as_ref().unwrap_or(&metadata.event_id);
    good_id(named)?;
    let mut items = Vec::new();
    if let Some(capture) = capture {
        let request = capture.endpoint_input;
        let request = request.ok_or("the line has no `endpointInput`; capture inputs, too")?;
        let response = capture.endpoint_output.map(Content::message).transpose()?;
        let request = request.message()?;
        let bytes = |message: &Message| Some(message.body.len() as f64);
        items.push(Item::Whole(Box::new(Whole {
            key: Some(Key::new("sagemaker", &metadata.event_id)),
            at: metadata.inference_time,
            method: Method::POST,
            target: Some(Uri::from_static("/invocations")),
            service: None,
            request_id: id_header(named),
            served: Served {
                request_bytes: bytes(&request),
                response_bytes: response.as_ref().and_then(bytes),
                status: response.is_some().then_some(200),
                ..Served::default()
            },
            request,
            response: response.map(|message| (StatusCode::OK, message)),
        })));
    }
    if let Some(truth) = truth {
        // Of ground truth, the event's id is the id that the caller gave, if any.
        let labels = truth.labels()?;
        for (row, label) in labels.into_iter().enumerate() {
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            let time = metadata.inference_time;
            let outcome = outcome(
                &metadata.event_id,
                row,
                Some(label),
                std::collections::BTreeMap::default(),
                time,
            )?;
            items.push(Item::Outcome(Box::new(outcome)));
        }
    }
    Ok(items)
}

impl Content<'_> {
    fn message(self) -> Result<Message, String> {
        let default = match self.encoding {
            Encoding::Csv => "text/csv",
            Encoding::Json => "application/json",
            Encoding::Base64 | Encoding::Plain => "application/octet-stream",
        };
        let kind = self.observed_content_type.as_deref().unwrap_or(default);
        Ok(Message {
            content_type: HeaderValue::from_str(kind).ok(),
            body: shape::body(self.bytes()?),
            ..Message::default()
        })
    }

    fn bytes(&self) -> Result<Bytes, String> {
        match self.encoding {
            Encoding::Csv | Encoding::Json | Encoding::Plain => {
                Ok(Bytes::copy_from_slice(self.data.as_bytes()))
            }
            Encoding::Base64 => {
                let decoded = STANDARD.decode(self.data.as_bytes());
                decoded
                    .map(Bytes::from)
                    .map_err(|_| "`data` is not base64".into())
            }
        }
    }

    /// One label for each row of the request, in lines or separated by commas.
    fn labels(&self) -> Result<Vec<Scalar>, String> {
        let bytes = self.bytes()?;
        let text = std::str::from_utf8(&bytes).map_err(|_| "the ground truth is no text")?;
        let labels: Vec<Scalar> = match self.encoding {
            Encoding::Json => match serde_json::from_str::<OneOrMany>(text) {
                Ok(OneOrMany::Many(all)) => all.iter().filter_map(scalar).collect(),
                Ok(OneOrMany::One(one)) => scalar(&one).into_iter().collect(),
                Err(error) => return Err(not_an_event(&error)),
            },
            Encoding::Csv | Encoding::Base64 | Encoding::Plain => {
                let cells = text.split(['\n', ',']).map(str::trim);
                cells.filter(|cell| !cell.is_empty()).map(of_text).collect()
            }
        };
        if labels.is_empty() || labels.len() > MAX_LABELS {
            return Err(format!("the ground truth has not 1 to {MAX_LABELS} labels"));
        }
        Ok(labels)
    }
}

/// A label as JSON has it; nothing is one of what is no single value.
pub(super) fn scalar(value: &serde_json::Value) -> Option<Scalar> {
    match value {
        serde_json::Value::Bool(truth) => Some(Scalar::Bool(*truth)),
        serde_json::Value::Number(number) => number.as_f64().map(Scalar::Number),
        serde_json::Value::String(text) => Some(Scalar::Text(text.clone())),
        serde_json::Value::Array(all) => match all.as_slice() {
            [one] => scalar(one),
            _ => None,
        },
        serde_json::Value::Null | serde_json::Value::Object(_) => None,
    }
}

/// A label that has no type: a number if it is one.
fn of_text(cell: &str) -> Scalar {
    match cell.parse::<f64>() {
        Ok(number) if number.is_finite() => Scalar::Number(number),
        Ok(_) | Err(_) => Scalar::Text(cell.to_owned()),
    }
}

#[cfg(test)]
mod tests;
