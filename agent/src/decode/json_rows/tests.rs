use clause9_shared::inference::{Cell, Values};
use proptest::prelude::*;

use super::*;
use crate::decode::recorded::exchange;

fn decode(
    rows: &str,
    answers: &str,
    request: &str,
    response: &str,
) -> Result<Inference, UndecodableReason> {
    let protocol = JsonRows::new("/score", "m", rows, answers).unwrap();
    protocol.decode(&exchange("/score", request.to_owned(), response.to_owned()))
}

#[test]
fn rows_stand_where_the_pointer_says() {
    let inference = decode(
        "/data/0/rows",
        "/a~1b",
        r#"{"x":[1],"data":[{"y":1,"rows":[{"who":{"age":30},"sums":[1,2]},{"who":{"age":41}}]},7]}"#,
        r#"{"a/b":[{"p":0.25},{"p":0.75}],"version":"3"}"#,
    )
    .unwrap();
    assert_eq!((&*inference.model, inference.rows), ("m", 2));
    let age = &inference.input("who.age").unwrap().values;
    assert_eq!(*age, Values::Int(vec![30, 41]));
    assert_eq!(inference.input("sums").unwrap().cell(0, 1), Cell::Int(2));
    let p = &inference.output("p").unwrap().values;
    assert_eq!(*p, Values::Float(vec![0.25, 0.75]));
}

#[test]
fn a_single_object_is_one_row() {
    let one = decode("", "/score", r#"{"age":30,"sex":"f"}"#, r#"{"score":0.5}"#).unwrap();
    assert_eq!(one.rows, 1);
    assert_eq!(one.input("sex").unwrap().cell(0, 0), Cell::Text("f"));
    let score = one.output("predictions").unwrap();
    assert_eq!(score.cell(0, 0), Cell::Float(0.5));
    let lists = decode("", "", "[[1,2],[3,4]]", "[0,1]").unwrap();
    assert_eq!(lists.input("instances").unwrap().columns, 2);
}

#[test]
fn bodies_without_rows_there_are_malformed() {
    for (rows, request) in [
        ("/rows", r#"{"row":[1]}"#),
        ("/rows", "[1]"),
        ("/rows/a", r#"{"rows":7}"#),
        ("/1", "[[1]]"),
        ("/-1", "[[1]]"),
        ("/0", "[[1]"),
        ("/rows", r#"{"rows":[1]} x"#),
        ("", "x"),
    ] {
        let refused = decode(rows, "", request, "[1]");
        assert_eq!(
            refused,
            Err(UndecodableReason::Malformed),
            "{rows} {request}"
        );
    }
}

#[test]
fn paths_match_segment_by_segment() {
    let protocol = JsonRows::new("/api/*/score", "m", "", "").unwrap();
    let is = |path: &str| protocol.matches(&Method::POST, path);
    assert!(is("/api/v1/score") && is("/api/x/score"));
    for path in [
        "/api/score",
        "/api//score",
        "/api/a/b/score",
        "/api/v1/score/",
        "/api/v1",
        "",
    ] {
        assert!(!is(path), "{path}");
    }
    assert!(!protocol.matches(&Method::GET, "/api/v1/score"));
}

#[test]
fn what_cannot_be_meant_is_said() {
    let wrong =
        |path: &str, model: &str, rows: &str| JsonRows::new(path, model, rows, "").unwrap_err();
    assert_eq!(
        wrong("score", "m", ""),
        "path `score` does not begin with `/`; write /score"
    );
    assert_eq!(
        wrong("/score", "m", "rows"),
        "pointer `rows` does not begin with `/`; write /data/rows"
    );
    for message in [
        wrong("/score", "", ""),
        wrong("/score", &"m".repeat(257), ""),
        wrong(&"/a".repeat(17), "m", ""),
        wrong("/score", "m", &"/a".repeat(17)),
    ] {
        assert!(message.contains("; "), "{message}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_rows_or_none(request: Vec<u8>, response: Vec<u8>, rows in "(/[a0-9~]{0,2}){0,3}") {
        let protocol = JsonRows::new("/score", "m", &rows, "").unwrap();
        let _ = protocol.decode(&exchange("/score", request, response));
    }
}
