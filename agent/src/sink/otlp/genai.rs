//! What spans and events of language models mean: attributes under the names that are or were in use,
//! and the inference or the label that they tell.

use std::collections::BTreeMap;

use clause9_shared::inference::{Inference, Owned, Tensor, Values};
use clause9_shared::objective::document::Scalar;
use clause9_shared::service::Served;
use clause9_shared::time::Timestamp;
use clause9_shared::window::MAX_MODEL_NAME;

use crate::config::{Meaning, OtlpConfig};
use crate::sink::{Item, Key, MAX_VALUE, Record, outcome};

/// Most answers to one request.
const MAX_ANSWERS: usize = 128;
/// What an event of an evaluation is called.
const EVALUATION: &str = "gen_ai.evaluation.result";
/// Operations that are inferences, by OpenTelemetry's conventions and those before and beside them.
const INFERENCES: [&str; 8] = [
    "chat",
    "text_completion",
    "generate_content",
    "embeddings",
    "completion",
    "embedding",
    "LLM",
    "EMBEDDING",
];

/// The known names of each meaning, the present one of OpenTelemetry first, then its earlier ones, those
/// of `OpenLLMetry` and of `OpenInference`.
const KNOWN: [(Meaning, &[&str]); 19] = [
    (
        Meaning::Operation,
        &[
            "gen_ai.operation.name",
            "llm.request.type",
            "openinference.span.kind",
        ],
    ),
    (
        Meaning::AskedModel,
        &["gen_ai.request.model", "llm.model_name"],
    ),
    (Meaning::AnsweredModel, &["gen_ai.response.model"]),
    (Meaning::ResponseId, &["gen_ai.response.id"]),
    (
        Meaning::InputTokens,
        &[
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            "llm.usage.prompt_tokens",
            "llm.token_count.prompt",
        ],
    ),
    (
        Meaning::OutputTokens,
        &[
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            "llm.usage.completion_tokens",
            "llm.token_count.completion",
        ],
    ),
    (
        Meaning::TotalTokens,
        &[
            "gen_ai.usage.total_tokens",
            "llm.usage.total_tokens",
            "llm.token_count.total",
        ],
    ),
    (
        Meaning::CachedTokens,
        &[
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "llm.token_count.prompt_details.cache_read",
        ],
    ),
    (
        Meaning::ReasoningTokens,
        &[
            "gen_ai.usage.reasoning.output_tokens",
            "llm.usage.reasoning_tokens",
            "llm.token_count.completion_details.reasoning",
        ],
    ),
    (
        Meaning::FinishReasons,
        &[
            "gen_ai.response.finish_reasons",
            "gen_ai.completion.0.finish_reason",
        ],
    ),
    (Meaning::Temperature, &["gen_ai.request.temperature"]),
    (Meaning::TopP, &["gen_ai.request.top_p"]),
    (Meaning::MaxTokens, &["gen_ai.request.max_tokens"]),
    (
        Meaning::Stream,
        &["gen_ai.request.stream", "llm.is_streaming"],
    ),
    (Meaning::Error, &["error.type"]),
    (
        Meaning::Status,
        &["http.response.status_code", "http.status_code"],
    ),
    (Meaning::Evaluation, &["gen_ai.evaluation.name"]),
    (Meaning::ScoreValue, &["gen_ai.evaluation.score.value"]),
    (Meaning::ScoreLabel, &["gen_ai.evaluation.score.label"]),
];

/// By which names attributes are known, and which evaluation labels.
#[derive(Clone, Debug)]
pub struct Names {
    known: BTreeMap<Box<str>, (Meaning, usize)>,
    evaluation: Option<String>,
    /// The model of spans that name none.
    only: Option<Box<str>>,
}

impl Names {
    /// The known names and those of the configuration, which count first.
    pub fn new(config: &OtlpConfig, only: Option<Box<str>>) -> Self {
        let mut known = BTreeMap::new();
        for (meaning, names) in KNOWN {
            let own = config.names.get(&meaning).into_iter().flatten();
            let all = own.map(String::as_str).chain(names.iter().copied());
            for (rank, name) in all.enumerate() {
                known.entry(name.into()).or_insert((meaning, rank));
            }
        }
        Self {
            known,
            evaluation: config.evaluation.clone(),
            only,
        }
    }
}

/// A value that is kept of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(Box<str>),
    Int(i64),
    Float(f64),
    Bool(bool),
    Texts(Vec<Box<str>>),
}

impl Value {
    /// A text, if it is short: long ones are what somebody said.
    pub(super) fn text(text: &str) -> Option<Self> {
        (text.len() <= MAX_VALUE).then(|| Self::Text(text.into()))
    }

    /// A list of short texts.
    pub(super) fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Self> {
        let texts: Vec<_> = texts.take(MAX_ANSWERS + 1).collect();
        let short = texts.iter().all(|text| text.len() <= MAX_VALUE);
        (short && texts.len() <= MAX_ANSWERS)
            .then(|| Self::Texts(texts.into_iter().map(Into::into).collect()))
    }
}

/// The attributes that mean something.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes(BTreeMap<Meaning, (usize, Value)>);

impl Attributes {
    /// Whether an attribute of that name is kept.
    pub(super) fn wants(name: &str, names: &Names) -> bool {
        names.known.contains_key(name)
    }

    /// Keeps a value, unless there is one under a better name.
    pub(super) fn take(&mut self, name: &str, value: Option<Value>, names: &Names) {
        let (Some((meaning, rank)), Some(value)) = (names.known.get(name), value) else {
            return;
        };
        let better = self.0.get(meaning).is_some_and(|(known, _)| known <= rank);
        if !better {
            self.0.insert(*meaning, (*rank, value));
        }
    }

    fn get(&self, meaning: Meaning) -> Option<&Value> {
        self.0.get(&meaning).map(|(_, value)| value)
    }

    fn text(&self, meaning: Meaning) -> Option<&str> {
        match self.get(meaning)? {
            Value::Text(text) => Some(text),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Texts(_) => None,
        }
    }

    fn whole(&self, meaning: Meaning) -> Option<i64> {
        match self.get(meaning)? {
            Value::Int(number) => Some(*number),
            Value::Text(text) => text.parse().ok(),
            Value::Float(_) | Value::Bool(_) | Value::Texts(_) => None,
        }
    }

    fn sum(&self, one: Meaning, other: Meaning) -> Owned {
        let both = self.whole(one).zip(self.whole(other));
        let sum = both.and_then(|(one, other)| u64::try_from(one.checked_add(other)?).ok());
        sum.map_or(Owned::Missing, Owned::Uint)
    }

    /// A count of tokens as decoded traffic has it.
    fn count(&self, meaning: Meaning) -> Owned {
        let count = self
            .whole(meaning)
            .and_then(|count| u64::try_from(count).ok());
        count.map_or(Owned::Missing, Owned::Uint)
    }

    fn number(&self, meaning: Meaning) -> Owned {
        match self.get(meaning) {
            Some(Value::Float(number)) if number.is_finite() => Owned::Float(*number),
            Some(Value::Int(number)) => Owned::Float(*number as f64),
            Some(Value::Text(_) | Value::Float(_) | Value::Bool(_) | Value::Texts(_)) | None => {
                Owned::Missing
            }
        }
    }

    /// Why each answer ended.
    fn finish_reasons(&self) -> Vec<Owned> {
        match self.get(Meaning::FinishReasons) {
            Some(Value::Texts(all)) if !all.is_empty() => {
                all.iter().map(|text| Owned::Text(text.clone())).collect()
            }
            Some(Value::Text(one)) => vec![Owned::Text(one.clone())],
            Some(Value::Texts(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_)) | None => {
                vec![Owned::Missing]
            }
        }
    }
}

/// A span, or an event of a span or of a log.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// What an event is called; none of a span.
    pub(super) event: Option<Box<str>>,
    /// The trace and the span, each in hex.
    pub(super) trace: Box<str>,
    pub(super) span: Box<str>,
    /// The response that the span around an event tells of.
    pub(super) around: Option<Box<str>>,
    /// Nanoseconds since 1970.
    pub(super) start: u64,
    pub(super) end: u64,
    /// Whether the span says that it failed.
    pub(super) failed: bool,
    pub(super) attributes: Attributes,
}

impl Told {
    /// The response it tells of: what labels name.
    pub(super) fn response(&self) -> Option<&str> {
        self.attributes.text(Meaning::ResponseId)
    }

    fn at(&self) -> Option<Timestamp> {
        let micros = i64::try_from(self.start / 1000).ok()?;
        Timestamp::from_micros(micros).filter(|_| self.start > 0)
    }

    /// What it means here: an inference, a label, or nothing.
    pub(super) fn item(&self, names: &Names) -> Result<Option<Item>, String> {
        match &self.event {
            None => self.inference(names),
            Some(name) if **name == *EVALUATION => self.evaluation(names),
            Some(_) => Ok(None),
        }
    }

    fn inference(&self, names: &Names) -> Result<Option<Item>, String> {
        let attributes = &self.attributes;
        let asked = attributes.text(Meaning::AskedModel);
        let answered = attributes.text(Meaning::AnsweredModel);
        let is_inference = match attributes.text(Meaning::Operation) {
            Some(operation) => INFERENCES.contains(&operation),
            // Before there was a name for it.
            None => asked.is_some() && attributes.get(Meaning::OutputTokens).is_some(),
        };
        if !is_inference {
            return Ok(None);
        }
        let model = asked.or(answered).or(names.only.as_deref());
        let model = model.ok_or("the span names no model (gen_ai.request.model)")?;
        let version = answered.filter(|name| *name != model).unwrap_or("");
        if model.len() > MAX_MODEL_NAME || version.len() > MAX_MODEL_NAME {
            return Err(format!(
                "a model's name has more than {MAX_MODEL_NAME} bytes"
            ));
        }
        if self.span.is_empty() {
            return Err("the span has no `span_id`".into());
        }
        let reasons = attributes.finish_reasons();
        let rows = reasons.len();
        let id = self.response().unwrap_or(&self.span);
        Ok(Some(Item::Record(Box::new(Record {
            key: Some(Key::new("otlp", &format!("{}/{}", self.trace, self.span))),
            at: self.at(),
            inference: Inference {
                model: model.into(),
                model_version: version.into(),
                request_id: Some(id.into()),
                arrived_at: Timestamp::EPOCH,
                rows,
                inputs: asked_for(attributes, model, rows),
                outputs: answered_with(attributes, reasons),
            },
            answered: true,
            served: self.served(),
            outcome: None,
        }))))
    }

    fn served(&self) -> Served {
        let took = self.end.checked_sub(self.start).filter(|_| self.start > 0);
        let attributes = &self.attributes;
        let said = attributes.whole(Meaning::Status);
        let said = said.or_else(|| attributes.whole(Meaning::Error));
        let said = said.and_then(|code| u16::try_from(code).ok());
        let failed = self.failed || attributes.get(Meaning::Error).is_some();
        let code = said.filter(|code| (100..=599).contains(code));
        Served {
            latency: took.map(|nanos| nanos as f64 / 1e9),
            status: Some(if failed {
                code.filter(|code| *code >= 400).unwrap_or(500)
            } else {
                code.unwrap_or(200)
            }),
            ..Served::default()
        }
    }

    /// The result of an evaluation, as the label of what it judged.
    fn evaluation(&self, names: &Names) -> Result<Option<Item>, String> {
        let name = self.attributes.text(Meaning::Evaluation);
        if name.is_none() || name != names.evaluation.as_deref() {
            return Ok(None);
        }
        let judged = self.response().or(self.around.as_deref());
        let judged = judged.or((!self.span.is_empty()).then_some(&*self.span));
        let judged = judged.ok_or("the evaluation names no response (gen_ai.response.id)")?;
        let label = match self.attributes.get(Meaning::ScoreLabel) {
            Some(Value::Text(text)) => Some(Scalar::Text(text.to_string())),
            Some(Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Texts(_)) | None => None,
        };
        let value = || match self.attributes.get(Meaning::ScoreValue)? {
            Value::Float(number) => Some(Scalar::Number(*number)),
            Value::Int(number) => Some(Scalar::Number(*number as f64)),
            Value::Bool(truth) => Some(Scalar::Bool(*truth)),
            Value::Text(_) | Value::Texts(_) => None,
        };
        let label = label.or_else(value);
        let label = label.ok_or("the evaluation has no score (gen_ai.evaluation.score.value)")?;
        let outcome = outcome(judged, 0, Some(label), BTreeMap::new(), self.at())?;
        Ok(Some(Item::Outcome(Box::new(outcome))))
    }
}

fn tensor(name: &str, values: Vec<Owned>) -> Tensor {
    Tensor {
        name: name.into(),
        columns: 1,
        values: Values::Mixed(values),
    }
}

/// Inputs by the names of decoded traffic; what no span tells is missing.
fn asked_for(attributes: &Attributes, model: &str, rows: usize) -> Vec<Tensor> {
    let stream = match attributes.get(Meaning::Stream) {
        Some(Value::Bool(stream)) => Owned::Bool(*stream),
        Some(Value::Text(_) | Value::Int(_) | Value::Float(_) | Value::Texts(_)) | None => {
            Owned::Bool(false)
        }
    };
    let all = [
        ("prompt", Owned::Missing),
        ("system", Owned::Missing),
        ("model", Owned::Text(model.into())),
        ("messages", Owned::Missing),
        ("attachments", Owned::Missing),
        ("tools", Owned::Missing),
        ("temperature", attributes.number(Meaning::Temperature)),
        ("top_p", attributes.number(Meaning::TopP)),
        ("max_tokens", attributes.number(Meaning::MaxTokens)),
        ("stream", stream),
    ];
    all.into_iter()
        .map(|(name, value)| tensor(name, vec![value; rows]))
        .collect()
}

/// Outputs by the names of decoded traffic; tokens in the first row only.
fn answered_with(attributes: &Attributes, reasons: Vec<Owned>) -> Vec<Tensor> {
    let rows = reasons.len();
    let mut all = vec![
        tensor("finish_reason", reasons),
        tensor("text", vec![Owned::Missing; rows]),
        tensor("tool_calls", vec![Owned::Missing; rows]),
        tensor("dimensions", vec![Owned::Missing; rows]),
        tensor("norm", vec![Owned::Missing; rows]),
    ];
    let (input, output) = (Meaning::InputTokens, Meaning::OutputTokens);
    let total = match attributes.count(Meaning::TotalTokens) {
        // The present conventions have no name for it.
        Owned::Missing => attributes.sum(input, output),
        told @ (Owned::Float(_)
        | Owned::Int(_)
        | Owned::Uint(_)
        | Owned::Bool(_)
        | Owned::Text(_)) => told,
    };
    for (name, tokens) in [
        ("prompt_tokens", attributes.count(input)),
        ("completion_tokens", attributes.count(output)),
        ("total_tokens", total),
        ("cached_tokens", attributes.count(Meaning::CachedTokens)),
        (
            "reasoning_tokens",
            attributes.count(Meaning::ReasoningTokens),
        ),
    ] {
        let mut values = vec![Owned::Missing; rows];
        if let Some(first) = values.first_mut() {
            *first = tokens;
        }
        all.push(tensor(name, values));
    }
    all
}
