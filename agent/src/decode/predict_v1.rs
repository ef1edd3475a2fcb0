//! KServe's protocol version 1 and TensorFlow Serving's REST interface: `:predict` with rows (`instances`)
//! or columns (`inputs`), answered by `predictions` or `outputs`.

use clause9_shared::inference::Inference;
use clause9_shared::window::UndecodableReason;
use http::Method;

use crate::decode::Decoder;
use crate::decode::body::{text, texts};
use crate::decode::forms;
#[cfg(test)]
use crate::decode::recorded::{Recorded, recorded};
use crate::exchange::Exchange;

/// The protocol.
#[derive(Debug)]
pub(super) struct PredictV1;

impl Decoder for PredictV1 {
    fn name(&self) -> &'static str {
        "predict_v1"
    }

    fn matches(&self, method: &Method, path: &str) -> bool {
        method == Method::POST && target(path).is_some()
    }

    fn addressed<'a>(&self, path: &'a str) -> Option<&'a str> {
        target(path).map(|(model, _)| model)
    }

    fn decode(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        let (request, response) = texts(exchange)?;
        let malformed = UndecodableReason::Malformed;
        let (model, version) = target(exchange.target.path()).ok_or(malformed)?;
        let rows = forms::request(&request)?.ok_or(malformed)?;
        let answers = forms::response(&response)?.ok_or(malformed)?;
        forms::inference(exchange, model, version.unwrap_or(""), rows, answers)
    }

    fn decode_request(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        let request = text(&exchange.request)?;
        let malformed = UndecodableReason::Malformed;
        let (model, version) = target(exchange.target.path()).ok_or(malformed)?;
        let rows = forms::request(&request)?.ok_or(malformed)?;
        forms::inference(exchange, model, version.unwrap_or(""), rows, forms::NONE)
    }

    #[cfg(test)]
    fn recorded(&self) -> &'static [Recorded] {
        &[recorded!("kserve-v1-predict")]
    }
}

/// Model and version or label named by `/v1/models/{model}[/versions/{v}|/labels/{l}]:predict`.
fn target(path: &str) -> Option<(&str, Option<&str>)> {
    let rest = path.strip_prefix("/v1/models/")?.strip_suffix(":predict")?;
    let named = rest
        .split_once("/versions/")
        .or_else(|| rest.split_once("/labels/"));
    let (model, version) = match named {
        Some((model, version)) => (model, Some(version)),
        None => (rest, None),
    };
    let part = |text: &str| !text.is_empty() && !text.contains('/');
    (part(model) && version.is_none_or(part)).then_some((model, version))
}

#[cfg(test)]
mod tests;
