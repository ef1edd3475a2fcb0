use clause9_shared::objective::document::Scalar;

use super::*;

fn reshaped(text: &str, side: Side) -> Result<String, String> {
    let mut message = Message {
        body: shape::body(text.to_owned()),
        ..Message::default()
    };
    reshape(&mut message, side)?;
    Ok(String::from_utf8(message.body.joined().to_vec()).unwrap())
}

#[test]
fn rows_stand_under_their_names_or_by_place() {
    let named = r#"{"data":{"names":["a","b"],"ndarray":[[1,"x"],[2.5,null]]},"meta":{}}"#;
    assert_eq!(
        reshaped(named, Side::Request).unwrap(),
        r#"{"instances":[{"a":1,"b":"x"},{"a":2.5,"b":null}]}"#
    );
    let dense = r#"{"data":{"tensor":{"shape":[2,2],"values":[1,2,3,4]}}}"#;
    assert_eq!(
        reshaped(dense, Side::Response).unwrap(),
        r#"{"predictions":[[1,2],[3,4]]}"#
    );
    // Names that are not one for each value name nothing; other protocols pass as they are.
    let odd = r#"{"data":{"names":["a"],"ndarray":[[1,2]]}}"#;
    assert_eq!(
        reshaped(odd, Side::Request).unwrap(),
        r#"{"instances":[[1,2]]}"#
    );
    let other = r#"{"instances":[[1]]}"#;
    assert_eq!(reshaped(other, Side::Request).unwrap(), other);
    for wrong in [
        r#"{"data":{"tensor":{"shape":[3,2],"values":[1,2,3,4]}}}"#,
        r#"{"data":{"tensor":{"shape":[0],"values":[]}}}"#,
        r#"{"data":{}}"#,
    ] {
        reshaped(wrong, Side::Request).unwrap_err();
    }
}

#[test]
fn feedback_is_a_label_of_the_request_it_names() {
    let labels = |text: &str, request: Option<&str>| {
        let attributes = Attributes {
            request: request.map(Into::into),
            ..Attributes::default()
        };
        let message = Message {
            body: shape::body(text.to_owned()),
            ..Message::default()
        };
        let items = feedback(&attributes, &message)?.into_iter();
        let items = items.map(|item| match item {
            Item::Outcome(o) => (o.request_id, o.row, o.label.unwrap()),
            other @ (Item::Half(_) | Item::Whole(_) | Item::Record(_)) => panic!("{other:?}"),
        });
        Ok::<Vec<_>, String>(items.collect())
    };
    let truth = r#"{"request":{},"response":{"meta":{"puid":"p-1"}},"reward":1.0,"truth":{"data":{"ndarray":[[1],[0]]}}}"#;
    let number = |id: &str, row, n: f64| (id.to_owned(), row, Scalar::Number(n));
    assert_eq!(
        labels(truth, None).unwrap(),
        [number("p-1", 0, 1.0), number("p-1", 1, 0.0)]
    );
    assert_eq!(labels(truth, Some("q")).unwrap()[0].0, "q");
    let text = r#"{"truth":{"strData":"good"}}"#;
    assert_eq!(
        labels(text, Some("q")).unwrap()[0].2,
        Scalar::Text("good".into())
    );
    for (wrong, why) in [
        (r#"{"reward":1.0}"#, "the feedback has no `truth`"),
        (r#"{"truth":{}}"#, "the feedback's `truth` is empty"),
        (
            r#"{"truth":{"data":{"ndarray":[[1,2]]}}}"#,
            "the feedback's `truth` is not one value",
        ),
        ("[", "not JSON"),
    ] {
        let error = labels(wrong, Some("q")).unwrap_err();
        assert!(error.starts_with(why), "{wrong}: {error}");
    }
    assert!(
        labels(r#"{"truth":{"strData":"x"}}"#, None)
            .unwrap_err()
            .contains("requestid")
    );
}
