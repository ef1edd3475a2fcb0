use clause9_shared::service::Served;
use http::{Method, StatusCode};

use super::*;

fn told(kind: &'static str, request: &str, response: &str) -> Whole {
    let message = |text: &str| Message {
        content_type: Some(HeaderValue::from_static(kind)),
        body: body(text.to_owned()),
        ..Message::default()
    };
    Whole {
        key: None,
        at: None,
        method: Method::POST,
        target: None,
        service: Some("credit".into()),
        request_id: None,
        request: message(request),
        response: Some((StatusCode::OK, message(response))),
        served: Served::default(),
    }
}

fn path(kind: &'static str, request: &str, response: &str) -> String {
    let path = Shapes::default().settle(&mut told(kind, request, response));
    path.map_or_else(|| "none".into(), |path| path.to_string())
}

#[test]
fn a_body_tells_its_protocol() {
    let json = "application/json";
    for (request, expected) in [
        (r#"{"instances":[[1,2]]}"#, "/v1/models/credit:predict"),
        (r#" {"inputs":[[1,2]]}"#, "/v1/models/credit:predict"),
        (
            r#"{"inputs":{"datatype":[1]}}"#,
            "/v1/models/credit:predict",
        ),
        (
            r#"{"id":"a","inputs":[{"name":"x","datatype":"FP32"}]}"#,
            "/v2/models/credit/infer",
        ),
        (r#"{"dataframe_split":{}}"#, "/invocations"),
        (r#"{"model":"m","messages":[]}"#, "/v1/chat/completions"),
        (r#"{"model":"m","prompt":"a"}"#, "/v1/completions"),
        (r#"{"model":"m","input":"a"}"#, "/v1/responses"),
        ("1,2\n3,4", "/invocations"),
        ("[1,2]", "/invocations"),
        ("", "/invocations"),
        ("{", "/invocations"),
    ] {
        assert_eq!(path(json, request, "{}"), expected, "{request}");
    }
    let embedded = r#"{"object":"list","data":[]}"#;
    assert_eq!(path(json, r#"{"input":"a"}"#, embedded), "/v1/embeddings");
    let call = "/inference.GRPCInferenceService/ModelInfer";
    assert_eq!(path("application/grpc", "\0\0\0\0\0", ""), call);
}

#[test]
fn content_types_are_corrected_by_the_body() {
    let kind = |message: &Message| message.content_type.clone().unwrap();
    let shapes = Shapes::default();
    let mut csv = told("text/csv", "1,2", r#"{"predictions":[1]}"#);
    shapes.settle(&mut csv);
    assert_eq!(kind(&csv.request), "text/csv");
    assert_eq!(kind(&csv.response.unwrap().1), "application/json");
    let mut streamed = told("application/json", r#"{"messages":[]}"#, "data: {}\n\n");
    shapes.settle(&mut streamed);
    assert_eq!(kind(&streamed.response.unwrap().1), "text/event-stream");
    let mut lines = told("application/jsonlines", "{}\n{}", "{}\n{}");
    shapes.settle(&mut lines);
    assert_eq!(kind(&lines.response.unwrap().1), "application/jsonlines");
    // Raw tensors behind JSON: where they begin was not kept.
    let mut raw = told(
        "application/octet-stream",
        "{\"inputs\":[]}\u{1}\u{2}",
        "{}",
    );
    shapes.settle(&mut raw);
    assert_eq!(raw.request.json_length.unwrap(), "13");
    let (_, answer) = raw.response.unwrap();
    assert_eq!(
        (kind(&answer), answer.json_length),
        ("application/json".parse().unwrap(), None)
    );
}

#[test]
fn a_configured_path_is_taken_and_services_that_cannot_stand_in_it_are_not() {
    let shapes = |path| Shapes::new(Some(path), None).unwrap();
    let mut one = told("text/csv", "1,2", "3");
    let path = shapes("/predictions/*/1.0").settle(&mut one).unwrap();
    assert_eq!(path, "/predictions/credit/1.0");
    assert_eq!(
        shapes("/invocations").settle(&mut one).unwrap(),
        "/invocations"
    );
    for service in ["", "a/b", "a b", "a?b", "..%2f"] {
        one.service = Some(service.into());
        assert_eq!(shapes("/predictions/*").settle(&mut one), None, "{service}");
    }
    one.service = None;
    let only = Shapes::new(None, Some("credit")).unwrap();
    one.request = told("application/json", r#"{"instances":[]}"#, "").request;
    assert_eq!(only.settle(&mut one).unwrap(), "/v1/models/credit:predict");
    let wrong = |path| Shapes::new(Some(path), None).unwrap_err();
    assert!(wrong("score").contains("is not a path"));
    assert!(wrong("/*/*").contains("more than one"));
}
