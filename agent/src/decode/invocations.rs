//! `POST /invocations`, which two families of servers answer: MLflow's scoring server and containers for
//! Amazon SageMaker. They share path and address, so what a body is, is told by its content type:
//! JSON in any envelope of [`forms`], comma-separated values, or JSON Lines.
//!
//! Comma-separated values have a first line of names for MLflow and none for SageMaker. Which it is, the
//! answer tells: it has as many entries as there are rows.

use clause9_shared::inference::Inference;
use clause9_shared::window::UndecodableReason;
use http::Method;

use crate::decode::Decoder;
use crate::decode::body::{answered_well, text};
use crate::decode::delimited::Lines;
use crate::decode::forms::{self, INPUT, OUTPUT, Rows};
#[cfg(test)]
use crate::decode::recorded::{Recorded, recorded};
use crate::decode::table::Table;
use crate::exchange::{Exchange, Message};

/// What the model is called, which neither request nor answer names.
pub(super) const MODEL: &str = "invocations";

/// The protocol.
#[derive(Debug)]
pub(super) struct Invocations;

impl Decoder for Invocations {
    fn name(&self) -> &'static str {
        "invocations"
    }

    fn matches(&self, method: &Method, path: &str) -> bool {
        method == Method::POST && path == "/invocations"
    }

    fn addressed<'a>(&self, _: &'a str) -> Option<&'a str> {
        Some(MODEL)
    }

    fn decode(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        answered_well(exchange)?;
        let (request, response) = (text(&exchange.request)?, text(&exchange.response)?);
        let answers = match Form::of(&exchange.response, &response) {
            Form::Delimited => Lines::new(&response)?.bare(OUTPUT)?,
            Form::Lines => lines(OUTPUT, &response)?,
            Form::Json => match forms::response(&response)? {
                Some(rows) => rows,
                None => one(OUTPUT, &response)?,
            },
        };
        let (rows, answers) = match Form::of(&exchange.request, &request) {
            Form::Delimited => delimited(&request, answers)?,
            Form::Lines => {
                let rows = lines(INPUT, &request)?;
                let count = rows.0;
                (rows, one_each(answers, count))
            }
            Form::Json => {
                let rows = forms::request(&request)?;
                let rows = rows.map_or_else(|| one(INPUT, &request), Ok)?;
                let count = rows.0;
                (rows, one_each(answers, count))
            }
        };
        forms::inference(exchange, MODEL, "", rows, answers)
    }

    fn decode_request(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        let request = text(&exchange.request)?;
        let rows = match Form::of(&exchange.request, &request) {
            // No answer tells whether the first line is names: it is, if it can be.
            Form::Delimited => {
                let lines = Lines::new(&request)?;
                if lines.first_can_be_names() {
                    lines.named()?
                } else {
                    lines.bare(INPUT)?
                }
            }
            Form::Lines => lines(INPUT, &request)?,
            Form::Json => {
                let rows = forms::request(&request)?;
                rows.map_or_else(|| one(INPUT, &request), Ok)?
            }
        };
        forms::inference(exchange, MODEL, "", rows, forms::NONE)
    }

    #[cfg(test)]
    fn recorded(&self) -> &'static [Recorded] {
        &[
            recorded!("mlflow-invocations-split"),
            recorded!("mlflow-invocations-records"),
            recorded!("mlflow-invocations-instances"),
            recorded!("mlflow-invocations-inputs"),
            recorded!("mlflow-invocations-csv"),
        ]
    }
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Lines,
    Delimited,
}

impl Form {
    /// As the content type says; where that says nothing of use, as the text begins.
    fn of(message: &Message, text: &[u8]) -> Self {
        let lines = [
            "application/jsonlines",
            "application/x-jsonlines",
            "application/jsonl",
            "application/x-ndjson",
            "application/ndjson",
        ];
        if message.is("text/csv") {
            Self::Delimited
        } else if lines.iter().any(|kind| message.is(kind)) {
            Self::Lines
        } else if message.is("application/json") || matches!(first(text), Some(b'{' | b'[')) {
            Self::Json
        } else {
            Self::Delimited
        }
    }
}

fn first(text: &[u8]) -> Option<u8> {
    text.trim_ascii_start().first().copied()
}

/// Rows that stand one after the other.
fn lines(bare: &'static str, text: &[u8]) -> Result<Rows, UndecodableReason> {
    let mut table = Table::new(bare);
    table.lines(text)?;
    table.finish()
}

/// A single row outside of any envelope.
fn one(bare: &'static str, text: &[u8]) -> Result<Rows, UndecodableReason> {
    let mut table = Table::new(bare);
    table.one(text)?;
    table.finish()
}

/// Comma-separated values with or without names, by how many answers there are; and the answers.
fn delimited(text: &[u8], answers: Rows) -> Result<(Rows, Rows), UndecodableReason> {
    let lines = Lines::new(text)?;
    let without = lines.count();
    let below = without.saturating_sub(1);
    let named = lines.first_can_be_names() && (fits(&answers, below) || !fits(&answers, without));
    let rows = if named {
        lines.named()?
    } else {
        lines.bare(INPUT)?
    };
    let answers = one_each(answers, rows.0);
    Ok((rows, answers))
}

/// Whether there is an answer for each row.
fn fits(answers: &Rows, rows: usize) -> bool {
    answers.0 == rows || in_one_line(answers, rows)
}

/// Whether the answers for all rows stand in one line, as some containers write them.
fn in_one_line((count, tensors): &Rows, rows: usize) -> bool {
    *count == 1 && rows > 1 && matches!(tensors.as_slice(), [one] if one.columns == rows)
}

/// Answers, each in a row of its own.
fn one_each(mut answers: Rows, rows: usize) -> Rows {
    if in_one_line(&answers, rows)
        && let [only] = answers.1.as_mut_slice()
        && *only.name == *OUTPUT
    {
        answers.0 = rows;
        only.columns = 1;
    }
    answers
}

#[cfg(test)]
mod tests;
