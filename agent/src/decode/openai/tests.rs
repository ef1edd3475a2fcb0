use clause9_shared::inference::{Cell, Owned};
use http::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::decode::recorded::exchange;

fn decode(path: &str, request: &str, response: &str) -> Result<Inference, UndecodableReason> {
    OpenAi.decode(&exchange(path, request.to_owned(), response.to_owned()))
}

fn streamed(path: &str, request: &str, stream: &str) -> Result<Inference, UndecodableReason> {
    let mut exchange = exchange(path, request.to_owned(), stream.to_owned());
    let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
    exchange.response.content_type = Some(kind);
    OpenAi.decode(&exchange)
}

const CHAT: &str = "/v1/chat/completions";

fn input<'a>(inference: &'a Inference, name: &str, row: usize) -> Cell<'a> {
    inference.input(name).unwrap().cell(row, 0)
}

fn output<'a>(inference: &'a Inference, name: &str, row: usize) -> Cell<'a> {
    inference.output(name).unwrap().cell(row, 0)
}

#[test]
fn a_chat_is_one_row() {
    let chat = OpenAi.decode(&recorded!("openai-chat").exchange()).unwrap();
    assert_eq!((&*chat.model, &*chat.model_version), ("smollm2-135m", ""));
    let id = "chatcmpl-UrKoPFahbAyljdPJ299OQfQAzoshlj2n";
    assert_eq!((chat.rows, chat.request_id.as_deref()), (1, Some(id)));
    for (name, cell) in [
        ("prompt", Cell::Text("Say hello.")),
        ("system", Cell::Text("You are terse.")),
        ("model", Cell::Text("smollm2-135m")),
        ("messages", Cell::Uint(2)),
        ("attachments", Cell::Uint(0)),
        ("tools", Cell::Uint(0)),
        ("temperature", Cell::Float(0.0)),
        ("top_p", Cell::Missing),
        ("max_tokens", Cell::Float(8.0)),
        ("stream", Cell::Bool(false)),
    ] {
        assert_eq!(input(&chat, name, 0), cell, "{name}");
    }
    for (name, cell) in [
        ("text", Cell::Text("I'm glad to make a new friend")),
        ("finish_reason", Cell::Text("length")),
        ("tool_calls", Cell::Uint(0)),
        ("prompt_tokens", Cell::Uint(22)),
        ("completion_tokens", Cell::Uint(8)),
        ("total_tokens", Cell::Uint(30)),
        ("cached_tokens", Cell::Uint(0)),
        ("reasoning_tokens", Cell::Missing),
        ("dimensions", Cell::Missing),
    ] {
        assert_eq!(output(&chat, name, 0), cell, "{name}");
    }
    let tools = OpenAi.decode(&recorded!("openai-chat-tools").exchange());
    assert_eq!(input(&tools.unwrap(), "tools", 0), Cell::Uint(1));
    let failed = OpenAi.decode(&recorded!("openai-chat-error").exchange());
    assert_eq!(failed, Err(UndecodableReason::UpstreamError));
}

/// Chat answers, decoded and counted: the share of those that decline.
#[test]
fn refusals_of_chats_are_counted_by_a_features_phrases() {
    let document: clause9_shared::objective::Document = serde_json::from_value(serde_json::json!({
        "clause9": "objectives/v1",
        "system": { "id": "chat", "name": "Chat", "intended_purpose": "Answers.", "owner": "support",
            "role": "user", "models": [{ "name": "m", "source": "own" }] },
        "panes": { "length": "1m" },
        "features": [{ "name": "answer", "type": "text", "from": { "output": "text" },
            "numbers": ["words"], "phrases": { "refusal": { "builtin": "refusals" } } }],
        "objectives": []
    }))
    .unwrap();
    let mut builder = clause9_shared::baseline::BaselineBuilder::new(&document, "reference");
    for _ in 0..4 {
        builder.observe(0, Cell::Text("Certainly."));
        builder.observe(1, Cell::Text("Certainly."));
        builder.end_row();
    }
    let baseline = builder.finish(clause9_shared::digest::Digest::of(b"reference"));
    let plan = clause9_shared::plan::CapturePlan::new(&document, &baseline.unwrap()).unwrap();
    let mut pane = plan.empty_traffic();
    for said in [
        "I'm sorry, but I can't help with that.",
        "Paris.",
        "Rome.",
        "Oslo.",
    ] {
        let answer = serde_json::json!({ "model": "m", "choices": [{ "index": 0,
            "message": { "role": "assistant", "content": said }, "finish_reason": "stop" }] });
        let request = r#"{"model":"m","messages":[{"role":"user","content":"And?"}]}"#;
        let mut chat = decode(CHAT, request, &answer.to_string()).unwrap();
        plan.prepare(&mut chat);
        plan.observe_all(&chat, &mut pane, &mut Vec::new()).unwrap();
    }
    let found = clause9_shared::metric::MetricId::FlagRate.measure(clause9_shared::metric::Seen {
        document: &document,
        baseline: plan.baseline(),
        of: &clause9_shared::objective::Subject {
            feature: Some("answer.refusal".parse().unwrap()),
            ..clause9_shared::objective::Subject::default()
        },
        summary: &pane,
        beside: clause9_shared::metric::Beside::default(),
    });
    let found = found.unwrap();
    assert_eq!(
        (found.value.to_bits(), found.support),
        (0.25_f64.to_bits(), 4)
    );
}

#[test]
fn a_streamed_chat_is_put_together() {
    let chat = OpenAi.decode(&recorded!("openai-chat-stream").exchange());
    let chat = chat.unwrap();
    assert_eq!(output(&chat, "text", 0), Cell::Text("Hello! I'sure I"));
    assert_eq!(output(&chat, "finish_reason", 0), Cell::Text("length"));
    assert_eq!(output(&chat, "prompt_tokens", 0), Cell::Uint(33));
    assert_eq!(output(&chat, "cached_tokens", 0), Cell::Uint(5));
    assert_eq!(input(&chat, "stream", 0), Cell::Bool(true));
}

#[test]
fn each_choice_is_a_row_and_tokens_are_counted_once() {
    let chat = decode(
        "/openai/deployments/d/chat/completions",
        r#"{"messages":[{"role":"developer","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
            {"role":"user","content":"first"},{"role":"assistant","content":null,"tool_calls":[]},
            {"role":"user","content":[{"type":"text","text":"second"},{"type":"image_url","image_url":{"url":"x"}}]}],
            "max_completion_tokens":5,"n":2}"#,
        r#"{"model":"m-2","choices":[{"index":1,"message":{"content":"two"},"finish_reason":"stop"},
            {"index":0,"message":{"content":"","tool_calls":[{"id":"1"},{"id":"2"}]},"finish_reason":"tool_calls"}],
            "usage":{"prompt_tokens":1,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":7}}}"#,
    )
    .unwrap();
    assert_eq!((&*chat.model, chat.rows), ("m-2", 2));
    assert_eq!(input(&chat, "system", 1), Cell::Text("a\nb"));
    assert_eq!(input(&chat, "prompt", 1), Cell::Text("second"));
    assert_eq!(input(&chat, "attachments", 0), Cell::Uint(1));
    assert_eq!(input(&chat, "messages", 0), Cell::Uint(4));
    assert_eq!(input(&chat, "max_tokens", 0), Cell::Float(5.0));
    assert_eq!(output(&chat, "text", 0), Cell::Missing);
    assert_eq!(output(&chat, "text", 1), Cell::Text("two"));
    assert_eq!(output(&chat, "tool_calls", 0), Cell::Uint(2));
    assert_eq!(output(&chat, "reasoning_tokens", 0), Cell::Uint(7));
    assert_eq!(output(&chat, "completion_tokens", 1), Cell::Missing);
}

#[test]
fn completions_of_several_prompts_go_with_their_prompts() {
    let choices = |n: usize| {
        let choice = |i: usize| format!(r#"{{"index":{i},"text":"t{i}","finish_reason":"stop"}}"#);
        (0..n).map(choice).collect::<Vec<_>>().join(",")
    };
    let response = format!(r#"{{"model":"m-1","choices":[{}]}}"#, choices(4));
    let request = r#"{"model":"m","prompt":["a","b"],"n":2}"#;
    let two = decode("/v1/completions", request, &response).unwrap();
    assert_eq!((&*two.model, &*two.model_version), ("m", "m-1"));
    let prompts: Vec<_> = (0..4).map(|row| input(&two, "prompt", row)).collect();
    assert_eq!(prompts, ["a", "a", "b", "b"].map(Cell::Text));
    assert_eq!(output(&two, "text", 3), Cell::Text("t3"));
    assert_eq!(input(&two, "messages", 0), Cell::Missing);
    let tokens = r#"{"model":"m","prompt":[1,2,3]}"#;
    let response = format!(r#"{{"choices":[{}]}}"#, choices(1));
    let one = decode("/v1/completions", tokens, &response).unwrap();
    assert_eq!(input(&one, "prompt", 0), Cell::Missing);
}

#[test]
fn embeddings_are_a_row_for_each_text() {
    let request = r#"{"model":"e","input":["a","b"]}"#;
    let response = r#"{"model":"e","data":[{"index":1,"embedding":"AACAPwAAAEA="},
        {"index":0,"embedding":[3,4.0,0]}],"usage":{"prompt_tokens":2,"total_tokens":2}}"#;
    let two = decode("/v1/embeddings", request, response).unwrap();
    assert_eq!(two.rows, 2);
    assert_eq!(input(&two, "prompt", 1), Cell::Text("b"));
    assert_eq!(output(&two, "dimensions", 0), Cell::Uint(3));
    assert_eq!(output(&two, "norm", 0), Cell::Float(5.0));
    assert_eq!(output(&two, "dimensions", 1), Cell::Uint(2));
    assert_eq!(output(&two, "norm", 1), Cell::Float(5.0_f64.sqrt()));
    assert_eq!(output(&two, "prompt_tokens", 1), Cell::Missing);
    let unnumbered = response
        .replace("\"index\":1,", "")
        .replace("\"index\":0,", "");
    let unnumbered = decode("/v1/embeddings", request, &unnumbered).unwrap();
    assert_eq!(output(&unnumbered, "dimensions", 0), Cell::Uint(2));
    assert_eq!(output(&unnumbered, "dimensions", 1), Cell::Uint(3));
    let half = response.replace("AACAPwAAAEA=", "AACA");
    let refused = decode("/v1/embeddings", request, &half);
    assert_eq!(refused, Err(UndecodableReason::Malformed));
}

const ASKED: &str = r#"{"model":"m","instructions":"be kind","input":[{"role":"user","content":
    [{"type":"input_text","text":"hi"}]}],"max_output_tokens":9}"#;
const RESPONSE: &str = r#"{"id":"resp_1","object":"response","model":"m","status":"incomplete",
    "incomplete_details":{"reason":"max_output_tokens"},"output":[{"type":"reasoning","summary":[]},
    {"type":"message","content":[{"type":"output_text","text":"hello","annotations":[]}]},
    {"type":"function_call","name":"f"}],"usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7,
    "input_tokens_details":{"cached_tokens":1},"output_tokens_details":{"reasoning_tokens":2}}}"#;

#[test]
fn responses_are_read_whole_or_from_the_last_event() {
    use UndecodableReason::{Malformed, Unsupported, UpstreamError};

    let whole = decode("/v1/responses", ASKED, RESPONSE).unwrap();
    assert_eq!(whole.request_id.as_deref(), Some("resp_1"));
    assert_eq!(input(&whole, "prompt", 0), Cell::Text("hi"));
    assert_eq!(input(&whole, "system", 0), Cell::Text("be kind"));
    assert_eq!(input(&whole, "max_tokens", 0), Cell::Float(9.0));
    assert_eq!(output(&whole, "text", 0), Cell::Text("hello"));
    let reason = Cell::Text("max_output_tokens");
    assert_eq!(output(&whole, "finish_reason", 0), reason);
    assert_eq!(output(&whole, "tool_calls", 0), Cell::Uint(1));
    for (name, tokens) in [
        ("prompt_tokens", 3),
        ("completion_tokens", 4),
        ("total_tokens", 7),
        ("cached_tokens", 1),
        ("reasoning_tokens", 2),
    ] {
        assert_eq!(output(&whole, name, 0), Cell::Uint(tokens), "{name}");
    }
    let one_line = RESPONSE.replace('\n', "");
    let stream = format!(
        "event: response.created\ndata: {{\"type\":\"response.created\",\"response\":{{\"id\":\"resp_1\"}}}}\n\n\
         data: {{\"type\":\"response.output_text.delta\",\"delta\":\"hello\"}}\n\n\
         data: {{\"type\":\"response.incomplete\",\"response\":{one_line}}}\n\n"
    );
    let read = streamed("/v1/responses", ASKED, &stream).unwrap();
    assert_eq!(read, whole);
    let said = decode("/v1/responses", r#"{"input":"hi"}"#, RESPONSE).unwrap();
    assert_eq!(input(&said, "prompt", 0), Cell::Text("hi"));

    for (status, reason) in [("failed", UpstreamError), ("in_progress", Unsupported)] {
        let response = format!(r#"{{"status":"{status}"}}"#);
        assert_eq!(decode("/v1/responses", ASKED, &response), Err(reason));
    }
    let broken = "data: {\"type\":\"response.created\"}\n\n";
    assert_eq!(streamed("/v1/responses", ASKED, broken), Err(Malformed));
    let error = "data: {\"type\":\"error\",\"message\":\"x\"}\n\n";
    assert_eq!(streamed("/v1/responses", ASKED, error), Err(UpstreamError));
}

#[test]
fn broken_streams_and_empty_answers_have_their_reason() {
    use UndecodableReason::{Malformed, UpstreamError};
    let request = r#"{"model":"m","messages":[]}"#;
    let piece = r#"data: {"choices":[{"index":0,"delta":{"content":"a"}}]}"#;
    for (stream, reason) in [
        (format!("{piece}\n\n"), Malformed),
        (
            format!("{piece}\n\ndata: {{\"error\":{{\"code\":500}}}}\n\n"),
            UpstreamError,
        ),
        (format!("{piece}\n\ndata: {{\"choices\":\n\n"), Malformed),
        ("data: [DONE]\n\n".to_owned(), Malformed),
        (String::new(), Malformed),
    ] {
        assert_eq!(streamed(CHAT, request, &stream), Err(reason), "{stream}");
    }
    for (asked, answered, reason) in [
        (request, r#"{"choices":[]}"#, Malformed),
        (request, "{}", Malformed),
        (request, r#"{"error":{"message":"x"}}"#, UpstreamError),
        (r#"{"messages":"oops"}"#, "{}", Malformed),
        ("[]", "{}", Malformed),
        (
            r#"{"input":[1,{"role":"user","content":"x"}]}"#,
            "{}",
            Malformed,
        ),
    ] {
        assert_eq!(
            decode(CHAT, asked, answered),
            Err(reason),
            "{asked} {answered}"
        );
    }
}

#[test]
fn more_choices_or_prompts_than_the_bound_are_refused() {
    let many = format!(
        r#"{{"choices":[{}{{}}]}}"#,
        "{},".repeat(answer::MAX_CHOICES)
    );
    let refused = decode(CHAT, "{}", &many);
    assert_eq!(refused, Err(UndecodableReason::Malformed));
    let piece = |i| format!("data: {{\"choices\":[{{\"index\":{i}}}]}}\n\n");
    let pieces: Vec<_> = (0..=answer::MAX_CHOICES).map(piece).collect();
    let pieces = pieces.concat();
    let refused = streamed(CHAT, "{}", &pieces);
    assert_eq!(refused, Err(UndecodableReason::Unsupported));
    let prompts = format!(
        r#"{{"prompt":[{}"a"]}}"#,
        "\"a\",".repeat(request::MAX_PROMPTS)
    );
    let refused = decode("/v1/completions", &prompts, r#"{"choices":[{}]}"#);
    assert_eq!(refused, Err(UndecodableReason::Malformed));
}

#[test]
fn paths_match_by_their_end() {
    let is = |path: &str| OpenAi.matches(&Method::POST, path);
    for path in [
        CHAT,
        "/completions",
        "/openai/v1/embeddings",
        "/v1/responses",
    ] {
        assert!(is(path), "{path}");
    }
    for path in [
        "/v1/models",
        "/v1/chat",
        "/v1/responses/resp_1",
        "/v1/audio/speech",
        "/",
    ] {
        assert!(!is(path), "{path}");
    }
    assert!(!OpenAi.matches(&Method::GET, CHAT));
}

proptest! {
    #[test]
    fn an_answer_is_the_same_streamed_or_not(
        parts in proptest::collection::vec("[a-z é\n\"]{0,6}", 1..8),
        tools in 0_usize..3,
        crlf: bool,
    ) {
        let text = parts.concat();
        let calls: Vec<_> = (0..tools).map(|i| format!(r#"{{"id":"{i}"}}"#)).collect();
        let whole = format!(
            r#"{{"id":"c","model":"m","choices":[{{"message":{{"content":{},"tool_calls":[{}]}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":4}}}}"#,
            serde_json::to_string(&text).unwrap(),
            calls.join(",")
        );
        let end = if crlf { "\r\n" } else { "\n" };
        let mut stream = String::new();
        let mut event = |choice: String, usage: &str| {
            let event = format!(r#"data: {{"id":"c","model":"m","choices":[{choice}],"usage":{usage}}}{end}{end}"#);
            stream.push_str(&event);
        };
        for part in &parts {
            let part = serde_json::to_string(part).unwrap();
            event(format!(r#"{{"index":0,"delta":{{"content":{part}}}}}"#), "null");
        }
        for i in 0..tools {
            for _ in 0..2 {
                event(format!(r#"{{"index":0,"delta":{{"tool_calls":[{{"index":{i}}}]}}}}"#), "null");
            }
        }
        event(r#"{"index":0,"delta":{},"finish_reason":"stop"}"#.to_owned(), "null");
        event(String::new(), r#"{"prompt_tokens":4}"#);
        stream += "data: [DONE]";
        let request = r#"{"model":"m","messages":[{"role":"user","content":"q"}]}"#;
        let whole = decode(CHAT, request, &whole).unwrap();
        prop_assert_eq!(&streamed(CHAT, request, &stream).unwrap(), &whole);
        let said = if text.is_empty() && tools > 0 { Owned::Missing } else { Owned::Text(text.into()) };
        prop_assert_eq!(&whole.output("text").unwrap().values, &clause9_shared::inference::Values::Mixed(vec![said]));
    }
}
