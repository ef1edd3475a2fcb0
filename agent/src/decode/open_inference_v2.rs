//! Open Inference Protocol, version 2, REST with JSON tensors (MLServer, Triton, KServe and others).
//! The binary tensor extension and compressed bodies are not decoded here.

use clause9_shared::inference::{Inference, Tensor};
use clause9_shared::window::UndecodableReason;
use http::Method;
use serde::Deserialize;

use self::data::{Data, Datatype};
use crate::decode::json_body::{bodies, bounded, parse, request_id};
#[cfg(test)]
use crate::decode::recorded::{Recorded, recorded};
use crate::decode::{Decoder, MAX_COLUMNS, MAX_ROWS};
use crate::exchange::Exchange;

mod data;

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
        let (request_body, response_body) = bodies(exchange)?;
        let (model, version) =
            target(exchange.target.path()).ok_or(UndecodableReason::Malformed)?;
        let request: Request<'_> = parse(&request_body)?;
        let response: Response<'_> = parse(&response_body)?;

        let rows = rows_of(&request.inputs)?;
        let ids = [response.id.as_deref(), request.id.as_deref()];
        let model = response.model_name.as_deref().unwrap_or(model);
        let model_version = response.model_version.as_deref().or(version).unwrap_or("");
        Ok(Inference {
            model: bounded(model)?,
            model_version: bounded(model_version)?,
            request_id: request_id(&ids, exchange)?,
            arrived_at: exchange.arrived_at,
            rows,
            inputs: tensors(request.inputs, rows)?,
            outputs: tensors(response.outputs, rows)?,
        })
    }

    #[cfg(test)]
    fn recorded(&self) -> &'static [Recorded] {
        &[
            recorded!("mlserver-v2-infer"),
            recorded!("mlserver-v2-infer-noid"),
            recorded!("triton-v2-infer"),
            recorded!("kserve-v2-infer"),
        ]
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
