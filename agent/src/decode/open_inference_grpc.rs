//! Open Inference Protocol, version 2, over gRPC: `inference.GRPCInferenceService/ModelInfer`, with typed
//! or raw contents. `ModelStreamInfer`, which only some servers have, is not decoded.

use std::borrow::Cow;

use bytes::Bytes;
use clause9_shared::inference::Inference;
use clause9_shared::window::UndecodableReason;
use http::{HeaderValue, Method};

use self::messages::Infer;
use crate::decode::Decoder;
use crate::decode::body::{answered_well, bounded, packed, request_id};
use crate::decode::open_inference_v2::tensors;
#[cfg(test)]
use crate::decode::recorded::{Recorded, recorded};
use crate::decode::unpack;
use crate::exchange::{Exchange, Message};

mod messages;

/// The one method that is decoded.
const PATH: &str = "/inference.GRPCInferenceService/ModelInfer";
/// Bytes before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// The protocol.
#[derive(Debug)]
pub(super) struct OpenInferenceGrpc;

impl Decoder for OpenInferenceGrpc {
    fn name(&self) -> &'static str {
        "open_inference_grpc"
    }

    fn matches(&self, method: &Method, path: &str) -> bool {
        method == Method::POST && path == PATH
    }

    fn addressed<'a>(&self, _: &'a str) -> Option<&'a str> {
        None
    }

    fn decode(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        answered_well(exchange)?;
        let trailers = exchange.response.trailers.as_ref();
        let status = trailers.and_then(|trailers| trailers.get("grpc-status"));
        if status.is_some_and(|status| status != "0") {
            return Err(UndecodableReason::UpstreamError);
        }
        let request_body = message(&exchange.request)?.ok_or(UndecodableReason::Malformed)?;
        // A call that succeeded has an answer.
        let response_body = message(&exchange.response)?.ok_or(UndecodableReason::UpstreamError)?;
        let request = Infer::request(&request_body)?;
        let response = Infer::response(&response_body)?;

        let rows = tensors::rows_of(&request.tensors)?;
        let either = |answered: Cow<'_, str>, asked: Cow<'_, str>| {
            bounded(if answered.is_empty() {
                &asked
            } else {
                &answered
            })
        };
        let ids = [Some(&*response.id), Some(&*request.id)];
        let request_id = request_id(&ids, exchange)?;
        Ok(Inference {
            model: either(response.model, request.model)?,
            model_version: either(response.version, request.version)?,
            request_id,
            arrived_at: exchange.arrived_at,
            rows,
            inputs: tensors::kept(request.tensors, rows)?,
            outputs: tensors::kept(response.tensors, rows)?,
        })
    }

    fn decode_request(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        let body = message(&exchange.request)?.ok_or(UndecodableReason::Malformed)?;
        let request = Infer::request(&body)?;
        let rows = tensors::rows_of(&request.tensors)?;
        Ok(Inference {
            model: bounded(&request.model)?,
            model_version: bounded(&request.version)?,
            request_id: request_id(&[Some(&*request.id)], exchange)?,
            arrived_at: exchange.arrived_at,
            rows,
            inputs: tensors::kept(request.tensors, rows)?,
            outputs: Vec::new(),
        })
    }

    #[cfg(test)]
    fn recorded(&self) -> &'static [Recorded] {
        &[
            recorded!(grpc "mlserver-v2-grpc"),
            recorded!(grpc "mlserver-v2-grpc-raw"),
        ]
    }
}

/// The one message of one direction of a call; none if none came.
fn message(message: &Message) -> Result<Option<Bytes>, UndecodableReason> {
    let body = packed(message)?;
    let bytes = |value: &Option<HeaderValue>| {
        let value = value.as_ref().map(HeaderValue::as_bytes);
        value.unwrap_or_default().to_vec()
    };
    let encoding = bytes(&message.grpc_encoding);
    // The call as a whole is never compressed.
    let outer = bytes(&message.content_encoding);
    if !unpack::is_known(&encoding) || !matches!(&*outer, b"" | b"identity") {
        return Err(UndecodableReason::Unsupported);
    }
    let Some((prefix, _)) = body.split_first_chunk::<PREFIX>() else {
        return if body.is_empty() {
            Ok(None)
        } else {
            Err(UndecodableReason::Malformed)
        };
    };
    let [compressed, length @ ..] = *prefix;
    let length = u64::from(u32::from_be_bytes(length));
    if length != (body.len() - PREFIX) as u64 {
        // Less than was announced, or a second message, which a call of one does not have.
        return Err(UndecodableReason::Malformed);
    }
    let body = body.slice(PREFIX..);
    match compressed {
        0 => Ok(Some(body)),
        1 => unpack::unpack(&encoding, body).map(Some),
        _ => Err(UndecodableReason::Malformed),
    }
}

#[cfg(test)]
mod tests;
