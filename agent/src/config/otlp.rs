//! Section `sink.otlp`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most names of one's own for one attribute.
const MAX_NAMES: usize = 16;
/// Longest name of an attribute or an evaluation, in bytes.
const MAX_NAME: usize = 256;

/// How spans and events of OpenTelemetry are read (docs/ways-in.md).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SinkOtlpConfig")]
pub struct OtlpConfig {
    /// The evaluation (`gen_ai.evaluation.name`) whose results are the labels of the inferences that they
    /// judge: its score's label, or else its value. Default: none, evaluations are not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<String>,
    /// Names of attributes beside the known ones, by what they mean: `operation`, `asked_model`,
    /// `answered_model`, `response_id`, `input_tokens`, `output_tokens`, `total_tokens`, `cached_tokens`,
    /// `reasoning_tokens`, `finish_reasons`, `temperature`, `top_p`, `max_tokens`, `stream`, `error`, `status`,
    /// `evaluation`, `score_value`, `score_label`. They count before the known ones. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<Meaning, Vec<String>>,
}

/// What an attribute means.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// What was done.
    Operation,
    /// The model that was asked for.
    AskedModel,
    /// The model that answered.
    AnsweredModel,
    /// The answer's id.
    ResponseId,
    /// Tokens that went in.
    InputTokens,
    /// Tokens that came out.
    OutputTokens,
    /// Both.
    TotalTokens,
    /// Tokens of the input that had been read before.
    CachedTokens,
    /// Tokens that were thought and not said.
    ReasoningTokens,
    /// Why each answer ended.
    FinishReasons,
    /// As asked for.
    Temperature,
    /// As asked for.
    TopP,
    /// As asked for.
    MaxTokens,
    /// Whether the answer came in pieces.
    Stream,
    /// What kind of error it ended with.
    Error,
    /// The status of HTTP that it ended with.
    Status,
    /// What an evaluation is called.
    Evaluation,
    /// What it came to, as a number.
    ScoreValue,
    /// What it came to, in a word.
    ScoreLabel,
}

impl OtlpConfig {
    /// What makes it impossible to run.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let is_name = |name: &String| (1..=MAX_NAME).contains(&name.len());
        if self.evaluation.as_ref().is_some_and(|name| !is_name(name)) {
            let message = format!("must have 1 to {MAX_NAME} bytes");
            return Err(("sink.otlp.evaluation", message));
        }
        let bounded = |names: &Vec<String>| names.len() <= MAX_NAMES && names.iter().all(is_name);
        if !self.names.values().all(bounded) {
            let message =
                format!("may have {MAX_NAMES} names of 1 to {MAX_NAME} bytes for each meaning");
            return Err(("sink.otlp.names", message));
        }
        Ok(())
    }
}
