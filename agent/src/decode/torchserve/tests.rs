use clause9_shared::inference::{Cell, Values};
use http::HeaderValue;

use super::*;
use crate::decode::recorded::exchange;

const PATH: &str = "/predictions/m/2.0";

#[test]
fn rows_of_names_are_answered_by_rows_of_names() {
    let inference = TorchServe.decode(&TorchServe.recorded()[0].exchange());
    let inference = inference.unwrap();
    assert_eq!((&*inference.model, inference.rows), ("credit", 1));
    assert_eq!(
        inference.input("debt").unwrap().cell(0, 0),
        Cell::Float(0.3)
    );
    let probability = inference.output("probability").unwrap();
    assert_eq!(probability.cell(0, 0), Cell::Float(0.737_211_23));
}

#[test]
fn an_image_is_one_case_whose_answer_is_watched() {
    let image = bytes::Bytes::from_static(b"\x89PNG\r\n\x1a\n");
    let response = r#"{"tabby":0.5,"tiger_cat":0.25}"#;
    let mut exchange = exchange(PATH, image, response);
    exchange.request.content_type = Some(HeaderValue::from_static("image/png"));
    let inference = TorchServe.decode(&exchange).unwrap();
    assert_eq!((inference.rows, inference.inputs.len()), (1, 0));
    assert_eq!(&*inference.model_version, "2.0");
    assert_eq!(
        inference.output("tabby").unwrap().cell(0, 0),
        Cell::Float(0.5)
    );
}

#[test]
fn a_list_that_answers_one_case_is_its_values() {
    let decode = |request: &'static str, response: &'static str| {
        TorchServe
            .decode(&exchange(PATH, request, response))
            .unwrap()
    };
    let text = decode("a text", "[0.25, 0.75]");
    let output = text.output("predictions").unwrap();
    assert_eq!((output.columns, text.rows), (2, 1));
    assert_eq!(output.values, Values::Float(vec![0.25, 0.75]));
    let named = decode(r#"{"data":[1,2,3]}"#, "7");
    assert_eq!(named.input("data").unwrap().columns, 3);
    assert_eq!(
        named.output("predictions").unwrap().cell(0, 0),
        Cell::Int(7)
    );
    let rows = decode("[[1],[2]]", "[0.25, 0.75]");
    assert_eq!(
        (rows.rows, rows.output("predictions").unwrap().columns),
        (2, 1)
    );
}

#[test]
fn answers_that_are_no_json_are_refused() {
    use UndecodableReason::{Malformed, Unsupported};
    let refused = TorchServe.decode(&exchange(PATH, "x", "cat"));
    assert_eq!(refused, Err(Malformed));
    let mut image = exchange(PATH, "x", "[1]");
    image.response.content_type = Some(HeaderValue::from_static("image/png"));
    assert_eq!(TorchServe.decode(&image), Err(Unsupported));
}

#[test]
fn only_predictions_match() {
    let is = |path: &str| TorchServe.matches(&Method::POST, path);
    assert!(is("/predictions/m") && is(PATH));
    for path in [
        "/predictions",
        "/predictions/",
        "/predictions/m/",
        "/predictions/a/b/c",
        "/models/m",
    ] {
        assert!(!is(path), "{path}");
    }
    assert_eq!(TorchServe.addressed(PATH), Some("m"));
}
