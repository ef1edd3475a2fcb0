//! Open Inference Protocol, version 2, REST (MLServer, Triton, KServe and others): tensors as JSON, or
//! raw behind it (the binary tensor extension).

use std::borrow::Cow;

use bytes::Bytes;
use clause9_shared::inference::Inference;
use clause9_shared::window::UndecodableReason;
use http::Method;
use serde::Deserialize;

use self::data::{Data, Datatype};
use self::tensors::{Contents, WireTensor};
use crate::decode::Decoder;
use crate::decode::body::{answered_well, bounded, parse, request_id, text, whole};
#[cfg(test)]
use crate::decode::recorded::{Recorded, recorded};
use crate::exchange::{Exchange, Message};

pub(super) mod data;
pub(super) mod raw;
pub(super) mod tensors;

/// The protocol.
#[derive(Debug)]
pub(super) struct OpenInferenceV2;

impl Decoder for OpenInferenceV2 {
    fn name(&self) -> &'static str {
        "open_inference_v2"
    }

    fn matches(&self, method: &Method, path: &str) -> bool {
        method == Method::POST && target(path).is_some()
    }

    fn addressed<'a>(&self, path: &'a str) -> Option<&'a str> {
        target(path).map(|(model, _)| model)
    }

    fn decode(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        answered_well(exchange)?;
        let (request_body, response_body) =
            (Body::of(&exchange.request)?, Body::of(&exchange.response)?);
        let (model, version) =
            target(exchange.target.path()).ok_or(UndecodableReason::Malformed)?;
        let request: Request<'_> = parse(request_body.json())?;
        let response: Response<'_> = parse(response_body.json())?;

        let inputs = request_body.tensors(request.inputs)?;
        let outputs = response_body.tensors(response.outputs)?;
        let rows = tensors::rows_of(&inputs)?;
        let ids = [response.id.as_deref(), request.id.as_deref()];
        let model = response.model_name.as_deref().unwrap_or(model);
        let model_version = response.model_version.as_deref().or(version).unwrap_or("");
        Ok(Inference {
            model: bounded(model)?,
            model_version: bounded(model_version)?,
            request_id: request_id(&ids, exchange)?,
            arrived_at: exchange.arrived_at,
            rows,
            inputs: tensors::kept(inputs, rows)?,
            outputs: tensors::kept(outputs, rows)?,
        })
    }

    fn decode_request(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        let body = Body::of(&exchange.request)?;
        let (model, version) =
            target(exchange.target.path()).ok_or(UndecodableReason::Malformed)?;
        let request: Request<'_> = parse(body.json())?;
        let inputs = body.tensors(request.inputs)?;
        let rows = tensors::rows_of(&inputs)?;
        Ok(Inference {
            model: bounded(model)?,
            model_version: bounded(version.unwrap_or(""))?,
            request_id: request_id(&[request.id.as_deref()], exchange)?,
            arrived_at: exchange.arrived_at,
            rows,
            inputs: tensors::kept(inputs, rows)?,
            outputs: Vec::new(),
        })
    }

    #[cfg(test)]
    fn recorded(&self) -> &'static [Recorded] {
        &[
            recorded!("mlserver-v2-infer"),
            recorded!("mlserver-v2-infer-noid"),
            recorded!("triton-v2-infer"),
            recorded!("triton-v2-infer-binary"),
            recorded!("kserve-v2-infer"),
        ]
    }
}

/// Model and version named by `/v2/models/{model}[/versions/{version}]/infer`.
fn target(path: &str) -> Option<(&str, Option<&str>)> {
    let rest = path.strip_prefix("/v2/models/")?.strip_suffix("/infer")?;
    let (model, version) = match rest.split_once('/') {
        Some((model, rest)) => (model, Some(rest.strip_prefix("versions/")?)),
        None => (rest, None),
    };
    let part = |text: &str| !text.is_empty() && !text.contains('/');
    (part(model) && version.is_none_or(part)).then_some((model, version))
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    inputs: Vec<JsonTensor<'a>>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    model_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    model_version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    outputs: Vec<JsonTensor<'a>>,
}

#[derive(Deserialize)]
struct JsonTensor<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    shape: Vec<u64>,
    datatype: Datatype,
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    parameters: Option<Parameters>,
}

/// What is read of a tensor's parameters.
#[derive(Deserialize)]
struct Parameters {
    #[serde(default)]
    binary_data_size: Option<u64>,
}

/// A body: JSON, and the raw tensors after it.
struct Body {
    whole: Bytes,
    json: usize,
}

impl Body {
    fn of(message: &Message) -> Result<Self, UndecodableReason> {
        let Some(length) = &message.json_length else {
            let whole = text(message)?;
            let json = whole.len();
            return Ok(Self { whole, json });
        };
        let whole = whole(message)?;
        let length = length.to_str().ok().and_then(|text| text.parse().ok());
        match length {
            // The JSON is left out altogether: names and types are known to the server only.
            Some(0) => Err(UndecodableReason::Unsupported),
            Some(json) if json <= whole.len() => Ok(Self { whole, json }),
            Some(_) | None => Err(UndecodableReason::Malformed),
        }
    }

    fn json(&self) -> &[u8] {
        &self.whole[..self.json]
    }

    /// Tensors with their values, from the JSON or from what follows it; nothing may be left over.
    fn tensors<'a>(
        &'a self,
        tensors: Vec<JsonTensor<'a>>,
    ) -> Result<Vec<WireTensor<'a>>, UndecodableReason> {
        let malformed = UndecodableReason::Malformed;
        let mut rest = &self.whole[self.json..];
        let mut all = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            let size = tensor.parameters.and_then(|p| p.binary_data_size);
            let values = match (tensor.data, size) {
                (Some(data), None) => Contents::Json(data),
                (None, Some(size)) => {
                    let size = usize::try_from(size).map_err(|_| malformed)?;
                    let (raw, after) = rest.split_at_checked(size).ok_or(malformed)?;
                    rest = after;
                    Contents::Raw(raw)
                }
                (Some(_), Some(_)) | (None, None) => return Err(malformed),
            };
            all.push(WireTensor {
                name: tensor.name,
                shape: tensor.shape,
                datatype: tensor.datatype,
                values,
            });
        }
        if rest.is_empty() {
            Ok(all)
        } else {
            Err(malformed)
        }
    }
}

#[cfg(test)]
mod tests;
