//! TorchServe's inference interface: `POST /predictions/{model}[/{version}]` with any body, answered by
//! what the model's handler gives.
//!
//! What a handler takes and gives is its own affair, so this is what most do: a request is JSON in an
//! envelope of [`forms`] or one object of names, or else (an image, a text) one case without inputs that
//! can be watched. An answer is JSON, one entry for each case; of one case, a list is its values.

use clause9_shared::inference::Inference;
use clause9_shared::window::UndecodableReason;
use http::Method;

use crate::decode::body::{answered_well, is_binary, text, whole};
use crate::decode::forms::{self, INPUT, OUTPUT, Rows};
#[cfg(test)]
use crate::decode::recorded::{Recorded, recorded};
use crate::decode::table::Table;
use crate::decode::{Decoder, MAX_COLUMNS};
use crate::exchange::Exchange;

/// The protocol.
#[derive(Debug)]
pub(super) struct TorchServe;

impl Decoder for TorchServe {
    fn name(&self) -> &'static str {
        "torchserve"
    }

    fn matches(&self, method: &Method, path: &str) -> bool {
        method == Method::POST && target(path).is_some()
    }

    fn addressed<'a>(&self, path: &'a str) -> Option<&'a str> {
        target(path).map(|(model, _)| model)
    }

    fn decode(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        answered_well(exchange)?;
        let (model, version) =
            target(exchange.target.path()).ok_or(UndecodableReason::Malformed)?;
        let rows = asked(exchange)?;
        let response = text(&exchange.response)?;
        let answers = forms::response(&response)?;
        let answers = answers.map_or_else(|| one(OUTPUT, &response), Ok)?;
        let answers = of_one_case(answers, rows.0);
        forms::inference(exchange, model, version.unwrap_or(""), rows, answers)
    }

    fn decode_request(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        let (model, version) =
            target(exchange.target.path()).ok_or(UndecodableReason::Malformed)?;
        let rows = asked(exchange)?;
        forms::inference(exchange, model, version.unwrap_or(""), rows, forms::NONE)
    }

    #[cfg(test)]
    fn recorded(&self) -> &'static [Recorded] {
        &[recorded!("torchserve-predictions.CONSTRUCTED")]
    }
}

/// Model and version named by `/predictions/{model}[/{version}]`.
fn target(path: &str) -> Option<(&str, Option<&str>)> {
    let rest = path.strip_prefix("/predictions/")?;
    let (model, version) = match rest.split_once('/') {
        Some((model, version)) => (model, Some(version)),
        None => (rest, None),
    };
    let part = |text: &str| !text.is_empty() && !text.contains('/');
    (part(model) && version.is_none_or(part)).then_some((model, version))
}

/// The rows of a request; of one that is no JSON, one without inputs.
fn asked(exchange: &Exchange) -> Result<Rows, UndecodableReason> {
    let body = whole(&exchange.request)?;
    if is_binary(&exchange.request) || !is_json(&body) {
        return Ok((1, Vec::new()));
    }
    let rows = forms::request(&body)?;
    rows.map_or_else(|| one(INPUT, &body), Ok)
}

fn is_json(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// A single row outside of any envelope.
fn one(bare: &'static str, text: &[u8]) -> Result<Rows, UndecodableReason> {
    let mut table = Table::new(bare);
    table.one(text)?;
    table.finish()
}

/// A list that answers one case is its values.
fn of_one_case(mut answers: Rows, rows: usize) -> Rows {
    if let (1, 2..=MAX_COLUMNS, [only]) = (rows, answers.0, answers.1.as_mut_slice())
        && only.columns == 1
        && *only.name == *OUTPUT
    {
        only.columns = answers.0;
        answers.0 = 1;
    }
    answers
}

#[cfg(test)]
mod tests;
