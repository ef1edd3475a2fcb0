use clause9_shared::inference::Values;

use super::*;

fn names(rows: &Rows) -> Vec<&str> {
    rows.1.iter().map(|t| &*t.name).collect()
}

#[test]
fn rows_are_found_whatever_stands_beside_them() {
    let read = request(br#"{"signature_name":"s","params":{"k":[1]},"instances":[1,2]}"#);
    assert_eq!(read.unwrap().unwrap().0, 2);
    assert_eq!(request(br#"{"x":1}"#), Ok(None));
    for text in ["{}", "7", "0.5", "true", "null", "\"instances\""] {
        assert_eq!(request(text.as_bytes()), Ok(None), "{text}");
    }
    assert_eq!(request(b"[[1,2]]").unwrap().unwrap().1[0].columns, 2);
    assert_eq!(response(br#"{"outputs":{"a":[1]}}"#).unwrap().unwrap().0, 1);
    assert_eq!(response(br#"{"instances":[1]}"#), Ok(None));
}

#[test]
fn a_split_frame_may_have_its_keys_in_any_order() {
    for text in [
        r#"{"dataframe_split":{"columns":["a",7],"data":[[1,"x"],[2,null]]}}"#,
        r#"{"dataframe_split":{"data":[[1,"x"],[2,null]],"index":[4,5],"columns":["a",7]}}"#,
    ] {
        let rows = request(text.as_bytes()).unwrap().unwrap();
        assert_eq!(rows.0, 2);
        assert_eq!(names(&rows), ["a", "7"]);
        assert_eq!(rows.1[0].values, Values::Int(vec![1, 2]));
    }
    let none = request(br#"{"dataframe_split":{"columns":["a"],"data":[]}}"#);
    assert_eq!(none.unwrap().unwrap().0, 0);
}

#[test]
fn what_is_no_envelope_is_malformed() {
    for text in [
        r#"{"instances":[1],"inputs":[1]}"#,
        r#"{"instances":[1],"instances":[1]}"#,
        r#"{"dataframe_split":{"columns":["a"]}}"#,
        r#"{"dataframe_split":{"data":[[1]]}}"#,
        r#"{"dataframe_split":{"columns":["a"],"data":[[1]],"data":[[1]]}}"#,
        r#"{"dataframe_split":{"columns":["a","b"],"data":[[1]]}}"#,
        r#"{"dataframe_split":{"columns":[null],"data":[[1]]}}"#,
        r#"{"dataframe_split":{"columns":["a"],"data":[{"a":1}, 2]}}"#,
        r#"{"dataframe_split":[]}"#,
        "7 7",
        "",
    ] {
        let refused = request(text.as_bytes());
        assert_eq!(refused, Err(UndecodableReason::Malformed), "{text}");
    }
}
