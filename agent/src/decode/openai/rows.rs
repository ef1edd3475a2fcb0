//! What was asked and answered, as tensors: one row for each answer.

use std::sync::Arc;

use clause9_shared::inference::{Named, Owned, Tensor, Values};

use super::answer::{Answer, Choice};
use super::request::Request;

/// Stands for no text.
const NONE: u32 = u32::MAX;

fn tensor(name: &str, values: Values) -> Tensor {
    Tensor {
        name: name.into(),
        columns: 1,
        values,
    }
}

fn number(number: Option<f64>) -> Owned {
    number.map_or(Owned::Missing, Owned::Float)
}

fn count(count: Option<u64>) -> Owned {
    count.map_or(Owned::Missing, Owned::Uint)
}

fn text(text: Option<&str>) -> Owned {
    text.map_or(Owned::Missing, |text| Owned::Text(text.into()))
}

/// Texts of which each row has one; each is kept once, however many rows have it.
fn texts(texts: &[Option<&str>], of_row: impl Fn(usize) -> usize, rows: usize) -> Values {
    let mut names = Vec::new();
    let places: Vec<u32> = texts
        .iter()
        .map(|text| {
            let place = u32::try_from(names.len()).unwrap_or(NONE);
            text.map_or(NONE, |text| {
                names.push(text.into());
                place
            })
        })
        .collect();
    let code = |row| places.get(of_row(row)).copied().unwrap_or(NONE);
    Values::Named(Named {
        codes: (0..rows).map(code).collect(),
        names: Arc::new(names),
    })
}

/// The inputs of each row. Answers to several prompts come prompt by prompt.
pub(super) fn asked(request: &Request, answer: &Answer) -> Vec<Tensor> {
    let rows = answer.choices.len();
    let prompts = request.prompts();
    let each = (rows / prompts.len().max(1)).max(1);
    let indices: Vec<_> = answer.choices.keys().copied().collect();
    let prompt = |row: usize| {
        let index = indices.get(row).copied().unwrap_or(NONE);
        usize::try_from(index).map_or(usize::MAX, |index| index / each)
    };
    let same = |value: Owned| Values::Mixed(vec![value; rows]);
    vec![
        tensor("prompt", texts(&prompts, prompt, rows)),
        tensor("system", texts(&[request.system()], |_| 0, rows)),
        tensor("model", texts(&[request.model.as_deref()], |_| 0, rows)),
        tensor("messages", same(count(request.messages()))),
        tensor("attachments", same(count(request.attachments()))),
        tensor("tools", same(Owned::Uint(request.tools()))),
        tensor("temperature", same(number(request.temperature))),
        tensor("top_p", same(number(request.top_p))),
        tensor("max_tokens", same(number(request.max_tokens()))),
        tensor(
            "stream",
            Values::Bool(vec![request.stream == Some(true); rows]),
        ),
    ]
}

/// The outputs of each row; tokens in the first one only.
pub(super) fn answered(answer: &Answer) -> Vec<Tensor> {
    let each =
        |of: &dyn Fn(&Choice) -> Owned| Values::Mixed(answer.choices.values().map(of).collect());
    let once = |tokens: Option<u64>| {
        let mut values = vec![Owned::Missing; answer.choices.len()];
        if let Some(first) = values.first_mut() {
            *first = count(tokens);
        }
        Values::Mixed(values)
    };
    let usage = &answer.usage;
    let dimensions = |choice: &Choice| choice.embedding.map(|(n, _)| n as u64);
    let norm = |choice: &Choice| choice.embedding.map(|(_, norm)| norm);
    vec![
        tensor("text", each(&|c| text(c.text.as_deref()))),
        tensor("finish_reason", each(&|c| text(c.finish_reason.as_deref()))),
        tensor("tool_calls", each(&|c| Owned::Uint(c.tool_calls))),
        tensor("dimensions", each(&|c| count(dimensions(c)))),
        tensor("norm", each(&|c| number(norm(c)))),
        tensor("prompt_tokens", once(usage.prompt_tokens())),
        tensor("completion_tokens", once(usage.completion_tokens())),
        tensor("total_tokens", once(usage.total_tokens)),
        tensor("cached_tokens", once(usage.cached_tokens())),
        tensor("reasoning_tokens", once(usage.reasoning_tokens())),
    ]
}
