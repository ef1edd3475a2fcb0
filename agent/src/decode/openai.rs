//! OpenAI's interface to language models, as many servers speak it: chat, completions, embeddings and
//! responses, streamed or not.
//!
//! There is one row for each answer (choice) of a request, since an answer is what people see, judge and
//! label; most requests have one. What was asked stands in each row. What is known of the request only
//! (its tokens) stands in its first row, so that sums over rows are sums over requests. Of embeddings
//! there is one row for each text.
//!
//! Texts are tensors here, so that features of type text can be taken of them; the plan summarises them
//! as numbers and nothing keeps them.

use bytes::Bytes;
use clause9_shared::inference::Inference;
use clause9_shared::window::UndecodableReason;
use http::Method;

use self::answer::Answer;
use self::request::Request;
use crate::decode::Decoder;
use crate::decode::body::{answered_well, bounded, parse, request_id, text};
#[cfg(test)]
use crate::decode::recorded::{Recorded, recorded};
use crate::exchange::Exchange;

pub(crate) use self::few::Few;

mod answer;
mod embeddings;
mod few;
mod request;
mod responses;
mod rows;

/// The protocol.
#[derive(Debug)]
pub(super) struct OpenAi;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// Chat or completions, whose answers are alike.
    Complete,
    Embed,
    Respond,
}

impl Decoder for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn matches(&self, method: &Method, path: &str) -> bool {
        method == Method::POST && task(path).is_some()
    }

    fn addressed<'a>(&self, _: &'a str) -> Option<&'a str> {
        None
    }

    fn decode(&self, exchange: &Exchange) -> Result<Inference, UndecodableReason> {
        answered_well(exchange)?;
        let (asked, answered) = (text(&exchange.request)?, text(&exchange.response)?);
        let request: Request = parse(&asked)?;
        let task = task(exchange.target.path()).ok_or(UndecodableReason::Malformed)?;
        let answer = answer(task, exchange, &answered)?;
        inference(exchange, &request, &answer)
    }

    #[cfg(test)]
    fn recorded(&self) -> &'static [Recorded] {
        &[
            recorded!("openai-chat"),
            recorded!("openai-chat-tools"),
            recorded!("openai-chat-stream"),
        ]
    }
}

/// What a path asks for, whatever stands before its end: `/v1`, `/openai/v1`, a deployment's name.
fn task(path: &str) -> Option<Task> {
    if path.ends_with("/completions") {
        Some(Task::Complete)
    } else if path.ends_with("/embeddings") {
        Some(Task::Embed)
    } else if path.ends_with("/responses") {
        Some(Task::Respond)
    } else {
        None
    }
}

fn answer(task: Task, exchange: &Exchange, body: &Bytes) -> Result<Answer, UndecodableReason> {
    let streamed = exchange.response.is("text/event-stream");
    match (task, streamed) {
        (Task::Complete, false) => Answer::whole(body),
        (Task::Complete, true) => Answer::streamed(body),
        (Task::Respond, false) => responses::whole(body),
        (Task::Respond, true) => responses::streamed(body),
        (Task::Embed, false) => embeddings::whole(body),
        (Task::Embed, true) => Err(UndecodableReason::Unsupported),
    }
}

fn inference(
    exchange: &Exchange,
    request: &Request,
    answer: &Answer,
) -> Result<Inference, UndecodableReason> {
    if answer.choices.is_empty() {
        return Err(UndecodableReason::Malformed);
    }
    // What was asked for is the model; what answered is its version, if it is called otherwise.
    let asked = request.model.as_deref().filter(|name| !name.is_empty());
    let answered = answer.model.as_deref().unwrap_or("");
    let model = asked.unwrap_or(answered);
    let version = if model == answered { "" } else { answered };
    Ok(Inference {
        model: bounded(model)?,
        model_version: bounded(version)?,
        request_id: request_id(&[answer.id.as_deref()], exchange)?,
        arrived_at: exchange.arrived_at,
        rows: answer.choices.len(),
        inputs: rows::asked(request, answer),
        outputs: rows::answered(answer),
    })
}

#[cfg(test)]
mod tests;
