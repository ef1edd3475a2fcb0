use clause9_shared::inference::{Cell, Values};
use http::HeaderValue;

use super::*;
use crate::decode::recorded::exchange;

fn sent(kind: &'static str, request: &str, answer: &'static str, response: &str) -> Exchange {
    let mut exchange = exchange("/invocations", request.to_owned(), response.to_owned());
    exchange.request.content_type = Some(HeaderValue::from_static(kind));
    exchange.response.content_type = Some(HeaderValue::from_static(answer));
    exchange
}

const CSV: &str = "text/csv";
const JSON: &str = "application/json";
const LINES: &str = "application/jsonlines";

fn decode(
    kind: &'static str,
    request: &str,
    answer: &'static str,
    response: &str,
) -> Result<Inference, UndecodableReason> {
    Invocations.decode(&sent(kind, request, answer, response))
}

#[test]
fn mlflow_answers_each_of_its_forms() {
    for recorded in Invocations.recorded() {
        let inference = Invocations.decode(&recorded.exchange()).unwrap();
        assert_eq!(&*inference.model, "invocations");
        for (name, value) in [
            ("age", 0.1),
            ("income", 0.2),
            ("debt", 0.3),
            ("tenure", 0.4),
        ] {
            let input = inference.input(name).unwrap();
            assert_eq!(input.cell(0, 0), Cell::Float(value), "{}", recorded.name);
        }
        let output = inference.output("predictions").unwrap();
        assert_eq!(output.cell(0, 0), Cell::Int(1), "{}", recorded.name);
    }
    let csv = Invocations.decode(&recorded!("mlflow-invocations-csv").exchange());
    let csv = csv.unwrap();
    assert_eq!(csv.rows, 2);
    assert_eq!(
        csv.input("tenure").unwrap().values,
        Values::Float(vec![0.4, 1.0])
    );
    for failed in [
        recorded!("mlflow-invocations-missing-column"),
        recorded!("mlflow-invocations-bad-json"),
    ] {
        let refused = Invocations.decode(&failed.exchange());
        assert_eq!(refused, Err(UndecodableReason::UpstreamError));
    }
}

#[test]
fn how_many_answers_there_are_tells_whether_the_first_line_is_names() {
    let rows = |request: &str, response: &str| {
        let inference = decode(CSV, request, CSV, response).unwrap();
        let bare = inference.input("instances").is_some();
        (inference.rows, bare, inference.outputs.len())
    };
    assert_eq!(rows("a,b\n1,2\n3,4", "0\n1"), (2, false, 1));
    assert_eq!(rows("1,2\n3,4", "0\n1"), (2, true, 1));
    // Texts, but as many answers as lines.
    assert_eq!(rows("a,b\nc,d", "0\n1"), (2, true, 1));
    assert_eq!(rows("a,b\nc,d", "0"), (1, false, 1));
    // Answers in one line.
    assert_eq!(rows("1,2\n3,4\n5,6", "0,1,1"), (3, true, 1));
    assert_eq!(rows("a,b\n3,4\n5,6", "0,1"), (2, false, 1));
    // Scores of classes, row by row.
    assert_eq!(rows("1,2\n3,4\n5,6", "0,1\n1,0\n0,1"), (3, true, 1));
    // Answers that fit neither are left out.
    assert_eq!(rows("a,b\n3,4\n5,6", "0\n0\n0\n0"), (2, false, 0));
}

#[test]
fn sagemaker_answers_lines_in_several_forms() {
    for (answer, response) in [
        (LINES, "{\"score\":0.25}\n{\"score\":0.75}\n"),
        (JSON, r#"{"predictions":[{"score":0.25},{"score":0.75}]}"#),
        (JSON, r#"[{"score":0.25},{"score":0.75}]"#),
    ] {
        let request = "{\"features\":[1,2]}\n{\"features\":[3,4]}";
        let inference = decode("application/x-jsonlines", request, answer, response).unwrap();
        assert_eq!(inference.rows, 2);
        assert_eq!(
            inference.input("features").unwrap().cell(1, 0),
            Cell::Int(3)
        );
        let score = inference.output("score").unwrap();
        assert_eq!(score.values, Values::Float(vec![0.25, 0.75]));
    }
    let one = decode(JSON, r#"{"features":[1,2]}"#, JSON, r#"{"score":0.5}"#).unwrap();
    assert_eq!(one.rows, 1);
    assert_eq!(one.output("score").unwrap().cell(0, 0), Cell::Float(0.5));
}

#[test]
fn a_body_without_a_content_type_is_told_by_how_it_begins() {
    let json = exchange("/invocations", r#" {"instances":[1]}"#, "[7]");
    assert_eq!(Invocations.decode(&json).unwrap().rows, 1);
    let csv = exchange("/invocations", "1,2\n3,4", "0\n1");
    assert_eq!(Invocations.decode(&csv).unwrap().rows, 2);
}

#[test]
fn what_is_not_of_its_form_is_refused() {
    use UndecodableReason::{Malformed, Unsupported};
    for (kind, request, answer, response, reason) in [
        (CSV, "1,2\n3", CSV, "0\n1", Malformed),
        (JSON, "1,2", JSON, "[0]", Malformed),
        (LINES, "{\"a\":1}\n{\"a\":", LINES, "1\n2", Malformed),
        (JSON, r#"{"instances":[1]}"#, JSON, "", Malformed),
        (
            "application/x-recordio-protobuf",
            "x",
            JSON,
            "[1]",
            Unsupported,
        ),
        ("application/x-protobuf", "x", JSON, "[1]", Unsupported),
        ("image/jpeg", "x", JSON, "[1]", Unsupported),
    ] {
        let refused = decode(kind, request, answer, response);
        assert_eq!(refused, Err(reason), "{kind} {request}");
    }
}

#[test]
fn sagemakers_header_gives_the_request_id() {
    let mut headers = http::HeaderMap::new();
    headers.insert("x-amzn-sagemaker-inference-id", "i-7".parse().unwrap());
    let mut exchange = sent(CSV, "1\n2", CSV, "0\n1");
    exchange.request_id = crate::exchange::request_id(&headers);
    let inference = Invocations.decode(&exchange).unwrap();
    assert_eq!(inference.request_id.as_deref(), Some("i-7"));
    headers.insert("x-request-id", "r-1".parse().unwrap());
    assert_eq!(crate::exchange::request_id(&headers).unwrap(), "r-1");
}
