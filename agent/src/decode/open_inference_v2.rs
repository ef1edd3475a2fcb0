//! Open Inference Protocol, version 2, REST with JSON tensors (MLServer, Triton, KServe and others).
//! The binary tensor extension and compressed bodies are not decoded here.

use clause9_shared::inference::{Inference, Tensor};
use clause9_shared::window::{MAX_MODEL_NAME, UndecodableReason};
use http::{HeaderValue, Method};
use serde::Deserialize;

use self::data::{Data, Datatype};
use crate::decode::Decoder;
use crate::exchange::{Exchange, Message};

mod data;

/// Most rows in one request.
const MAX_ROWS: usize = 100_000;
/// Most columns over all tensors of one direction.
const MAX_COLUMNS: usize = 2048;
/// Longest tensor name, request id or model name in bytes.
const MAX_TEXT: usize = MAX_MODEL_NAME;

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

    fn decode(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        if !exchange.status.is_success() {
            return Err(UndecodableReason::UpstreamError);
        }
        let (model, version) =
            target(exchange.target.path()).ok_or(UndecodableReason::Malformed)?;
        let request_body = readable(&exchange.request)?;
        let response_body = readable(&exchange.response)?;
        let request: Request<'_> = parse(&request_body)?;
        let response: Response<'_> = parse(&response_body)?;

        let rows = rows_of(&request.inputs)?;
        let header_id = exchange.request_id.as_ref().and_then(|v| v.to_str().ok());
        let id = [response.id.as_deref(), request.id.as_deref(), header_id];
        let model = response.model_name.as_deref().unwrap_or(model);
        let model_version = response.model_version.as_deref().or(version).unwrap_or("");
        Ok(Inference {
            model: bounded(model)?,
            model_version: bounded(model_version)?,
            request_id: match id.into_iter().flatten().find(|id| !id.is_empty()) {
                Some(id) => Some(bounded(id)?),
                None => None,
            },
            arrived_at: exchange.arrived_at,
            rows,
            inputs: tensors(request.inputs, rows)?,
            outputs: tensors(response.outputs, rows)?,
        })
    }
}

/// Model and version named by `/v2/models/{model}[/versions/{version}]/infer`.
fn target(path: &str) -> Option<(&str, Option<&str>)> {
    let rest = path.strip_prefix("/v2/models/")?.strip_suffix("/infer")?;
    let (model, version) = match rest.split_once("/versions/") {
        Some((model, version)) => (model, Some(version)),
        None => (rest, None),
    };
    let part = |text: &str| !text.is_empty() && !text.contains('/');
    (part(model) && version.is_none_or(part)).then_some((model, version))
}

/// A body as JSON text, if it can be one.
fn readable(message: &Message) -> Result<bytes::Bytes, UndecodableReason> {
    let encoded = message.content_encoding.as_ref();
    if message.binary_tail
        || encoded.is_some_and(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(UndecodableReason::Unsupported);
    }
    if message.content_type.as_ref().is_some_and(is_binary) {
        return Err(UndecodableReason::Unsupported);
    }
    if message.body.truncated {
        return Err(UndecodableReason::Truncated);
    }
    Ok(message.body.joined())
}

/// Servers take JSON under many content types; only those that cannot be JSON are refused unread.
fn is_binary(content_type: &HeaderValue) -> bool {
    let text = content_type.as_bytes();
    [
        &b"application/octet-stream"[..],
        b"application/grpc",
        b"application/x-protobuf",
        b"multipart/",
    ]
    .iter()
    .any(|kind| text.len() >= kind.len() && text[..kind.len()].eq_ignore_ascii_case(kind))
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, UndecodableReason> {
    serde_json::from_slice(body).map_err(|_| UndecodableReason::Malformed)
}

fn bounded(text: &str) -> Result<Box<str>, UndecodableReason> {
    if text.len() > MAX_TEXT {
        return Err(UndecodableReason::Unsupported);
    }
    Ok(text.into())
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, default)]
    id: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    inputs: Vec<WireTensor<'a>>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    id: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    model_name: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    model_version: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    outputs: Vec<WireTensor<'a>>,
}

#[derive(Deserialize)]
struct WireTensor<'a> {
    #[serde(borrow)]
    name: std::borrow::Cow<'a, str>,
    shape: Vec<u64>,
    datatype: Datatype,
    data: Data,
}

impl WireTensor<'_> {
    /// Rows and columns, if the tensor has a first dimension.
    fn layout(&self) -> Result<Option<(usize, usize)>, UndecodableReason> {
        let Some((first, others)) = self.shape.split_first() else {
            return Ok(None);
        };
        let columns = others
            .iter()
            .try_fold(1_u64, |product, n| product.checked_mul(*n));
        let cells = columns.and_then(|c| c.checked_mul(*first));
        if cells != Some(self.data.len() as u64) {
            return Err(UndecodableReason::Malformed);
        }
        match (usize::try_from(*first), columns.map(usize::try_from)) {
            (Ok(rows), Some(Ok(columns))) if rows <= MAX_ROWS && columns <= MAX_COLUMNS => {
                Ok(Some((rows, columns)))
            }
            _ => Err(UndecodableReason::Unsupported),
        }
    }
}

/// The first input says how many cases there are.
fn rows_of(inputs: &[WireTensor<'_>]) -> Result<usize, UndecodableReason> {
    let first = inputs.first().ok_or(UndecodableReason::Malformed)?;
    let (rows, _) = first.layout()?.ok_or(UndecodableReason::Unsupported)?;
    Ok(rows)
}

/// The tensors that hold one entry per case; others (scalars, per-batch figures) are left out, and
/// an objective that points at one finds it absent.
fn tensors(wire: Vec<WireTensor<'_>>, rows: usize) -> Result<Vec<Tensor>, UndecodableReason> {
    let mut kept = Vec::with_capacity(wire.len().min(MAX_COLUMNS));
    let mut total = 0_usize;
    for tensor in wire {
        match tensor.layout()? {
            Some((n, columns)) if n == rows => {
                total = total.saturating_add(columns);
                if total > MAX_COLUMNS {
                    return Err(UndecodableReason::Unsupported);
                }
                kept.push(Tensor {
                    name: bounded(&tensor.name)?,
                    columns,
                    values: tensor.data.typed(tensor.datatype)?,
                });
            }
            Some(_) | None => {}
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests;
