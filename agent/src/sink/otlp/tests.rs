use clause9_shared::inference::{Owned, Values};
use clause9_shared::objective::document::Scalar;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::config::{Meaning, OtlpConfig};
use crate::sink::{Item, Record};

fn names() -> Names {
    let config = OtlpConfig {
        evaluation: Some("Relevance".into()),
        names: [(Meaning::InputTokens, vec!["our.tokens.in".to_owned()])].into(),
    };
    Names::new(&config, None)
}

fn head(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        let name = http::HeaderName::from_static(name);
        (name, HeaderValue::from_static(value))
    };
    pairs.iter().map(pair).collect()
}

/// Attributes as JSON has them, from plain values.
fn attributes(of: &Json) -> Json {
    let value = |value: &Json| match value {
        Json::String(text) => json!({ "stringValue": text }),
        Json::Bool(truth) => json!({ "boolValue": truth }),
        Json::Number(number) if number.is_i64() => json!({ "intValue": number.to_string() }),
        Json::Number(number) => json!({ "doubleValue": number }),
        Json::Array(all) => {
            let all = all.iter().map(|one| json!({ "stringValue": one }));
            json!({ "arrayValue": { "values": all.collect::<Vec<_>>() } })
        }
        Json::Null | Json::Object(_) => panic!("no plain value: {of}"),
    };
    let all = of.as_object().unwrap().iter();
    all.map(|(key, one)| json!({ "key": key, "value": value(one) }))
        .collect()
}

const TRACE: &str = "5b8efff798038103d269b633813fc60c";
const SPAN: &str = "eee19b7ec3c1b174";

fn span(of: &Json, events: &Json) -> Json {
    json!({ "resourceSpans": [{ "resource": { "attributes": [] }, "scopeSpans": [{ "scope": { "name": "s" }, "spans": [{
        "traceId": TRACE, "spanId": SPAN, "parentSpanId": "", "name": "chat m", "kind": 3,
        "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001500000000",
        "attributes": attributes(of), "events": events, "status": {} }] }] }] })
}

/// What a model's span says today.
fn chat() -> Json {
    json!({ "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-2026", "gen_ai.response.id": "r-1", "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 30, "gen_ai.response.finish_reasons": ["stop", "length"],
        "gen_ai.request.temperature": 0.5, "gen_ai.input.messages": "what somebody said" })
}

fn traces(body: &Json) -> Result<Export, Unread> {
    let body = Bytes::from(body.to_string());
    read(
        Signal::Traces,
        Form::Json,
        &HeaderMap::new(),
        body,
        1 << 20,
        &names(),
    )
}

fn record(export: &Export) -> &Record {
    match export.read.first().map(|one| one.as_deref()) {
        Some(Ok([Item::Record(record)])) => record,
        other => panic!("{other:?}"),
    }
}

/// The values of a tensor.
fn column(record: &Record, name: &str) -> Vec<Owned> {
    let tensors = record
        .inference
        .inputs
        .iter()
        .chain(&record.inference.outputs);
    let tensor = tensors.clone().find(|tensor| *tensor.name == *name);
    match tensor.map(|tensor| &tensor.values) {
        Some(Values::Mixed(values)) => values.clone(),
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_span_of_a_model_becomes_a_row_for_each_answer_in_the_columns_of_decoded_traffic() {
    let export = traces(&span(&chat(), &json!([]))).unwrap();
    let record = record(&export);
    assert_eq!(&*record.inference.model, "m");
    assert_eq!(&*record.inference.model_version, "m-2026");
    assert_eq!(record.inference.request_id.as_deref(), Some("r-1"));
    assert_eq!(record.inference.rows, 2);
    assert_eq!(record.at.unwrap().to_string(), "2023-11-14T22:13:20Z");
    assert_eq!(
        (record.served.latency, record.served.status),
        (Some(1.5), Some(200))
    );
    assert_eq!(
        column(record, "prompt_tokens"),
        [Owned::Uint(12), Owned::Missing]
    );
    assert_eq!(
        column(record, "total_tokens"),
        [Owned::Uint(42), Owned::Missing]
    );
    assert_eq!(
        column(record, "temperature"),
        [Owned::Float(0.5), Owned::Float(0.5)]
    );
    let reasons = [Owned::Text("stop".into()), Owned::Text("length".into())];
    assert_eq!(column(record, "finish_reason"), reasons);
    assert!(!format!("{record:?}").contains("somebody"));
}

#[test]
fn names_of_yesterday_and_of_other_libraries_and_ones_own_are_known_and_the_best_counts() {
    for (of, tokens) in [
        (
            json!({ "llm.request.type": "chat", "gen_ai.request.model": "m", "gen_ai.usage.prompt_tokens": 3 }),
            3,
        ),
        (
            json!({ "openinference.span.kind": "LLM", "llm.model_name": "m", "llm.token_count.prompt": 4 }),
            4,
        ),
        (
            json!({ "gen_ai.request.model": "m", "gen_ai.usage.completion_tokens": 1, "our.tokens.in": 5 }),
            5,
        ),
        (
            json!({ "gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "our.tokens.in": 6,
            "gen_ai.usage.input_tokens": 7, "gen_ai.usage.prompt_tokens": 8 }),
            6,
        ),
        (
            json!({ "gen_ai.operation.name": "chat", "gen_ai.request.model": "m",
            "gen_ai.usage.prompt_tokens": 8, "gen_ai.usage.input_tokens": 7 }),
            7,
        ),
    ] {
        let export = traces(&span(&of, &json!([]))).unwrap();
        assert_eq!(
            column(record(&export), "prompt_tokens"),
            [Owned::Uint(tokens)],
            "{of}"
        );
    }
}

#[test]
fn failures_have_a_status_and_spans_of_other_things_are_of_no_use() {
    let with = |key: &str, value: Json| {
        let mut of = chat();
        of.as_object_mut().unwrap().insert(key.to_owned(), value);
        record(&traces(&span(&of, &json!([]))).unwrap())
            .served
            .status
    };
    assert_eq!(with("error.type", json!("429")), Some(429));
    assert_eq!(with("error.type", json!("timeout")), Some(500));
    assert_eq!(with("http.response.status_code", json!(200)), Some(200));
    let mut failed = span(&chat(), &json!([]));
    failed["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["status"] =
        json!({ "code": "STATUS_CODE_ERROR" });
    assert_eq!(record(&traces(&failed).unwrap()).served.status, Some(500));
    for of in [
        json!({ "gen_ai.operation.name": "execute_tool", "gen_ai.request.model": "m" }),
        json!({ "http.request.method": "POST" }),
        json!({ "gen_ai.request.model": "m" }),
    ] {
        let export = traces(&span(&of, &json!([]))).unwrap();
        assert_eq!((export.read.len(), export.unused), (0, 1), "{of}");
    }
    let export = traces(&span(
        &json!({ "gen_ai.operation.name": "chat" }),
        &json!([]),
    ))
    .unwrap();
    let error = export.read.into_iter().next().unwrap().unwrap_err();
    assert!(error.contains("names no model"), "{error}");
}

fn evaluation(name: &str, more: &Json) -> Json {
    let mut of =
        json!({ "gen_ai.evaluation.name": name, "gen_ai.evaluation.explanation": "because" });
    of.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    attributes(&of)
}

fn label(export: &Export, at: usize) -> (String, Option<Scalar>, String) {
    match export.read.get(at).map(|one| one.as_deref()) {
        Some(Ok([Item::Outcome(outcome)])) => (
            outcome.request_id.clone(),
            outcome.label.clone(),
            outcome.available_at.unwrap().to_string(),
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn results_of_the_configured_evaluation_are_labels_of_what_they_judge() {
    let event = |name: &str, more: Json| {
        json!({ "name": "gen_ai.evaluation.result", "timeUnixNano": "1700000002000000000",
            "attributes": evaluation(name, &more) })
    };
    let events = json!([
        event("Relevance", json!({ "gen_ai.evaluation.score.value": 1 })),
        event("Toxicity", json!({ "gen_ai.evaluation.score.value": 0.2 })),
        event(
            "Relevance",
            json!({ "gen_ai.response.id": "r-9", "gen_ai.evaluation.score.value": 0.5,
            "gen_ai.evaluation.score.label": "relevant" })
        ),
        event("Relevance", json!({})),
    ]);
    let export = traces(&span(&chat(), &events)).unwrap();
    let at = "2023-11-14T22:13:22Z".to_owned();
    assert_eq!(
        label(&export, 1),
        ("r-1".into(), Some(Scalar::Number(1.0)), at.clone())
    );
    assert_eq!(
        label(&export, 2),
        (
            "r-9".into(),
            Some(Scalar::Text("relevant".into())),
            at.clone()
        )
    );
    assert!(
        export.read[3]
            .as_ref()
            .unwrap_err()
            .contains("has no score")
    );
    assert_eq!((export.read.len(), export.unused), (4, 1));
    // As a record of a log, by either name of its name; without a response, of its span.
    for named in [
        json!({ "eventName": "gen_ai.evaluation.result" }),
        json!({}),
    ] {
        let mut of = evaluation(
            "Relevance",
            &json!({ "gen_ai.evaluation.score.value": 1.0 }),
        );
        if named.get("eventName").is_none() {
            let name = json!({ "key": "event.name", "value": { "stringValue": "gen_ai.evaluation.result" } });
            of.as_array_mut().unwrap().push(name);
        }
        let mut record = json!({ "observedTimeUnixNano": "1700000002000000000", "spanId": SPAN, "traceId": TRACE,
            "attributes": of, "body": { "stringValue": "said" } });
        record
            .as_object_mut()
            .unwrap()
            .extend(named.as_object().unwrap().clone());
        let body = json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [record, { "body": {} }] }] }] });
        let body = Bytes::from(body.to_string());
        let export = read(
            Signal::Logs,
            Form::Json,
            &HeaderMap::new(),
            body,
            1 << 20,
            &names(),
        )
        .unwrap();
        assert_eq!(
            label(&export, 0),
            (SPAN.into(), Some(Scalar::Number(1.0)), at.clone())
        );
        assert_eq!((export.read.len(), export.unused), (1, 1));
    }
}

/// Writing the same in the other format, for these tests alone.
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            let [low, ..] = number.to_le_bytes();
            self.0.push(low | 0x80);
            number >>= 7;
        }
        let [last, ..] = number.to_le_bytes();
        self.0.push(last);
    }

    fn bytes(mut self, number: u64, bytes: &[u8]) -> Self {
        self.varint(number << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn eight(mut self, number: u64, value: [u8; 8]) -> Self {
        self.varint(number << 3 | 1);
        self.0.extend(value);
        self
    }

    fn number(mut self, number: u64, value: u64) -> Self {
        self.varint(number << 3);
        self.varint(value);
        self
    }
}

fn message() -> Message {
    Message(Vec::new())
}

fn value(of: &Json) -> Vec<u8> {
    match of {
        Json::String(text) => message().bytes(1, text.as_bytes()).0,
        Json::Bool(truth) => message().number(2, u64::from(*truth)).0,
        Json::Number(n) if n.is_i64() => message().number(3, n.as_i64().unwrap().cast_unsigned()).0,
        Json::Number(n) => message().eight(4, n.as_f64().unwrap().to_le_bytes()).0,
        Json::Array(all) => {
            let list = all
                .iter()
                .fold(message(), |list, one| list.bytes(1, &value(one)));
            message().bytes(5, &list.0).0
        }
        Json::Null | Json::Object(_) => panic!("no plain value: {of}"),
    }
}

fn in_protobuf(of: &Json) -> Vec<u8> {
    let hex = |text: &str| -> Vec<u8> {
        let digits = (0..text.len()).step_by(2);
        digits
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
            .collect()
    };
    let mut span = message()
        .bytes(1, &hex(TRACE))
        .bytes(2, &hex(SPAN))
        .bytes(5, b"chat m")
        .number(6, 3)
        .eight(7, 1_700_000_000_000_000_000_u64.to_le_bytes())
        .eight(8, 1_700_000_001_500_000_000_u64.to_le_bytes());
    for (key, one) in of.as_object().unwrap() {
        span = span.bytes(
            9,
            &message().bytes(1, key.as_bytes()).bytes(2, &value(one)).0,
        );
    }
    let judged =
        json!({ "gen_ai.evaluation.name": "Relevance", "gen_ai.evaluation.score.value": 1.0 });
    let mut event = message()
        .eight(1, 1_700_000_002_000_000_000_u64.to_le_bytes())
        .bytes(2, b"gen_ai.evaluation.result");
    for (key, one) in judged.as_object().unwrap() {
        event = event.bytes(
            3,
            &message().bytes(1, key.as_bytes()).bytes(2, &value(one)).0,
        );
    }
    let span = span
        .bytes(11, &event.0)
        .bytes(15, &message().number(3, 1).0);
    let scope = message().bytes(1, b"").bytes(2, &span.0);
    message().bytes(1, &message().bytes(2, &scope.0).0).0
}

#[test]
fn both_formats_say_the_same_and_damaged_bodies_are_refused_whole() {
    let events = json!([{ "name": "gen_ai.evaluation.result", "timeUnixNano": "1700000002000000000",
        "attributes": evaluation("Relevance", &json!({ "gen_ai.evaluation.score.value": 1.0 })) }]);
    let as_json = traces(&span(&chat(), &events)).unwrap();
    let bytes = in_protobuf(&chat());
    let wire = |bytes: &[u8]| {
        let body = Bytes::copy_from_slice(bytes);
        read(
            Signal::Traces,
            Form::Protobuf,
            &HeaderMap::new(),
            body,
            1 << 20,
            &names(),
        )
    };
    let as_wire = wire(&bytes).unwrap();
    assert_eq!(format!("{:?}", as_wire.read), format!("{:?}", as_json.read));
    assert!(matches!(
        wire(&bytes[..bytes.len() - 1]),
        Err(Unread::Malformed(_))
    ));
    assert!(matches!(wire(b"{}"), Err(Unread::Malformed(_))));
    assert!(matches!(traces(&json!([1])), Err(Unread::Malformed(_))));
    let no_id = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [{}] }] }] });
    assert!(matches!(traces(&no_id), Err(Unread::Malformed(_))));
    let one = json!({ "traceId": "", "spanId": "" });
    let many = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": vec![one; 10_001] }] }] });
    assert!(matches!(traces(&many), Err(Unread::Malformed(_))));
    let body = Bytes::from_static(b"x");
    let packed = head(&[("content-encoding", "gzip")]);
    let read = read(Signal::Traces, Form::Json, &packed, body, 10, &names());
    assert!(matches!(read, Err(Unread::Malformed(_))));
}

#[test]
fn metrics_are_taken_and_of_no_use_and_answers_are_as_the_protocol_has_them() {
    let body = Bytes::from_static(b"\x0a\x00");
    let export = read(
        Signal::Metrics,
        Form::Protobuf,
        &HeaderMap::new(),
        body,
        10,
        &names(),
    );
    assert_eq!(export.unwrap().unused, 1);
    assert_eq!(answer(Signal::Traces, Form::Json, 0, ""), b"{}");
    let told: Json = serde_json::from_slice(&answer(Signal::Logs, Form::Json, 2, "why")).unwrap();
    let expected = json!({ "errorMessage": "why", "rejectedLogRecords": "2" });
    assert_eq!(told, json!({ "partialSuccess": expected }));
    assert_eq!(answer(Signal::Traces, Form::Protobuf, 0, ""), b"");
    assert_eq!(
        answer(Signal::Traces, Form::Protobuf, 300, "why"),
        b"\x0a\x08\x08\xac\x02\x12\x03why"
    );
    assert_eq!(problem(Form::Protobuf, "no"), b"\x12\x02no");
    assert!(
        Form::of(&head(&[(
            "content-type",
            "application/json; charset=utf-8"
        )]))
        .is_ok()
    );
    assert!(Form::of(&head(&[("content-type", "text/plain")])).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(mut at in 0_usize..400, byte: u8, json: bool) {
        let mut bytes = if json {
            span(&chat(), &json!([])).to_string().into_bytes()
        } else {
            in_protobuf(&chat())
        };
        at %= bytes.len();
        bytes[at] = byte;
        let form = if json { Form::Json } else { Form::Protobuf };
        for signal in [Signal::Traces, Signal::Logs] {
            let body = Bytes::copy_from_slice(&bytes);
            let _ = read(signal, form, &HeaderMap::new(), body, 1 << 20, &names());
        }
    }
}
