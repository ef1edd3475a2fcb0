//! From an exchange to an inference. One file per protocol; the first row whose `matches` says yes
//! decodes. No I/O, no clock.

use clause9_shared::inference::Inference;
use clause9_shared::window::UndecodableReason;
use http::Method;

pub use self::any_json::Mapping;
pub(crate) use self::any_json::{AnyPost, NAME as ANY_POST, mapping};
pub use self::json_rows::JsonRows;
pub(crate) use self::openai::Few;
pub(crate) use self::protobuf::{Fields, Wire};
#[cfg(feature = "fuzzing")]
pub(crate) use self::sse::events as sse_events;
#[cfg(feature = "fuzzing")]
pub(crate) use self::unpack::unpack as without_encoding;
pub(crate) use self::unpack::unpack_within as unpacked_within;
use crate::exchange::Exchange;

mod any_json;
mod body;
mod delimited;
mod forms;
mod invocations;
mod json_rows;
mod no_numbers;
mod open_inference_grpc;
mod open_inference_v2;
mod openai;
mod predict_v1;
mod protobuf;
mod sse;
mod table;
mod torchserve;
mod unpack;
mod values;

#[cfg(test)]
pub(crate) mod agreement;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod mutations;
#[cfg(test)]
pub(crate) mod recorded;

#[cfg(feature = "fuzzing")]
pub(crate) const UNPACKED_AT_MOST: usize = unpack::MAX_UNPACKED;

/// Most rows in one request.
const MAX_ROWS: usize = 100_000;
/// Most columns over all tensors of one direction.
const MAX_COLUMNS: usize = 2048;

/// A protocol of model servers.
pub trait Decoder: Sync {
    /// Name of the protocol, for status pages.
    fn name(&self) -> &'static str;

    /// Whether a request is an inference of this protocol. Runs on the data path for each request:
    /// looks at method and path only, allocates nothing.
    fn matches(&self, method: &Method, path: &str) -> bool;

    /// The model that a request of this protocol is to, as far as its path tells; for exchanges that
    /// cannot be understood otherwise.
    fn addressed<'a>(&self, path: &'a str) -> Option<&'a str>;

    /// Understands a whole exchange, or says why it cannot be understood.
    fn decode(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason>;

    /// Understands a request whose answer is never told, or says why it cannot: its inputs are those that
    /// [`decode`](Self::decode) finds, and there are no outputs. By default, no protocol can be read so.
    fn decode_request(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        let _ = exchange;
        Err(UndecodableReason::Unsupported)
    }

    /// At least one recorded exchange of this protocol that decodes; `laws` hold for each.
    #[cfg(test)]
    fn recorded(&self) -> &'static [recorded::Recorded];
}

/// A body as its sender meant it, if it is whole and can be unpacked.
pub(crate) fn unpacked(
    message: &crate::exchange::Message,
) -> Result<bytes::Bytes, UndecodableReason> {
    body::whole(message)
}

/// A list of protocols, asked in order.
pub type Decoders = &'static [&'static dyn Decoder];

/// Every protocol that is decoded.
pub static DECODERS: Decoders = &[
    &open_inference_v2::OpenInferenceV2,
    &open_inference_grpc::OpenInferenceGrpc,
    &predict_v1::PredictV1,
    &invocations::Invocations,
    &torchserve::TorchServe,
    &openai::OpenAi,
];

/// Every protocol that is decoded, after these of one's own. Agents are put together once and stay, so
/// their protocols do, too.
pub fn with(own: &[JsonRows]) -> Decoders {
    if own.is_empty() {
        return DECODERS;
    }
    let own = own
        .iter()
        .map(|one| -> &'static dyn Decoder { Box::leak(Box::new(one.clone())) });
    Box::leak(own.chain(DECODERS.iter().copied()).collect())
}

/// The protocol that a request is an inference of, if any.
pub fn find(decoders: Decoders, method: &Method, path: &str) -> Option<&'static dyn Decoder> {
    decoders.iter().find(|d| d.matches(method, path)).copied()
}
