//! Seldon Core 1's own messages: rows and names as it writes them, put into an envelope that the
//! protocols know, and feedback, which becomes labels.

use http::HeaderValue;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::decode::unpacked;
use crate::exchange::Message;
use crate::sink::attributes::Attributes;
use crate::sink::captured::scalar;
use crate::sink::events::not_an_event;
use crate::sink::{Item, Side, outcome, shape};

#[derive(Deserialize)]
struct SeldonMessage {
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    meta: Option<Meta>,
    #[serde(default, rename = "jsonData")]
    json: Option<Value>,
    #[serde(default, rename = "strData")]
    text: Option<String>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    ndarray: Option<Vec<Value>>,
    #[serde(default)]
    tensor: Option<Dense>,
}

#[derive(Deserialize)]
struct Dense {
    shape: Vec<usize>,
    values: Vec<Value>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    puid: Option<String>,
}

#[derive(Deserialize)]
struct Feedback {
    #[serde(default)]
    request: Option<SeldonMessage>,
    #[serde(default)]
    response: Option<SeldonMessage>,
    #[serde(default)]
    truth: Option<SeldonMessage>,
}

impl Data {
    /// Rows, each a list of values or a value.
    fn rows(self) -> Result<(Vec<String>, Vec<Value>), String> {
        let rows = match (self.ndarray, self.tensor) {
            (Some(rows), _) => rows,
            (None, Some(Dense { shape, values })) => {
                let rows = shape.first().copied().unwrap_or(0);
                let columns = values.len().checked_div(rows).unwrap_or(0);
                if columns == 0 || shape.iter().product::<usize>() != values.len() {
                    return Err("the tensor's shape is not that of its values".into());
                }
                let rows = values.chunks(columns);
                rows.map(|row| Value::Array(row.to_vec())).collect()
            }
            (None, None) => return Err("the message has neither `ndarray` nor `tensor`".into()),
        };
        Ok((self.names, rows))
    }
}

/// Puts a message in Seldon's own form into the envelope of rows; others stay as they are.
pub(super) fn reshape(message: &mut Message, side: Side) -> Result<(), String> {
    let Ok(body) = unpacked(message) else {
        return Ok(());
    };
    let Ok(SeldonMessage {
        data: Some(data), ..
    }) = serde_json::from_slice(&body)
    else {
        return Ok(());
    };
    let (names, rows) = data.rows()?;
    let rows: Vec<Value> = rows.into_iter().map(|row| named(&names, row)).collect();
    let envelope = match side {
        Side::Request => json!({ "instances": rows }),
        Side::Response => json!({ "predictions": rows }),
    };
    message.body = shape::body(envelope.to_string());
    message.content_encoding = None;
    message.content_type = Some(HeaderValue::from_static("application/json"));
    Ok(())
}

/// A row under its names, if there is one for each value.
fn named(names: &[String], row: Value) -> Value {
    let values = row.as_array().filter(|values| values.len() == names.len());
    let Some(values) = values.filter(|values| !values.is_empty()) else {
        return row;
    };
    let pairs = names.iter().cloned().zip(values.iter().cloned());
    Value::Object(pairs.collect::<Map<_, _>>())
}

/// The labels in a feedback event, one for each row of `truth`.
pub(super) fn feedback(attributes: &Attributes, message: &Message) -> Result<Vec<Item>, String> {
    let body = unpacked(message).map_err(|_| "the feedback cannot be unpacked")?;
    let feedback: Feedback = serde_json::from_slice(&body).map_err(|e| not_an_event(&e))?;
    let puid = |message: Option<SeldonMessage>| message?.meta?.puid;
    let id = attributes.request.clone();
    let id = id
        .or_else(|| puid(feedback.response))
        .or_else(|| puid(feedback.request));
    let id = id.ok_or("the feedback does not say of which request it is (`requestid`)")?;
    let truth = feedback
        .truth
        .ok_or("the feedback has no `truth`; a reward alone says nothing of what was true")?;
    let labels = match (truth.data, truth.json, truth.text) {
        (Some(data), _, _) => data.rows()?.1,
        (None, Some(value), _) => vec![value],
        (None, None, Some(text)) => vec![Value::String(text)],
        (None, None, None) => return Err("the feedback's `truth` is empty".into()),
    };
    let labels = labels.iter().enumerate().map(|(row, value)| {
        let label = scalar(value).ok_or("the feedback's `truth` is not one value for each row")?;
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        let none = std::collections::BTreeMap::default();
        let outcome = outcome(&id, row, Some(label), none, attributes.time)?;
        Ok(Item::Outcome(Box::new(outcome)))
    });
    labels.collect()
}

#[cfg(test)]
mod tests;
