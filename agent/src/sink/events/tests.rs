use http::HeaderName;

use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    pairs.iter().map(pair).collect()
}

const LOGGED: [(&str, &str); 9] = [
    ("ce-component", "predictor"),
    ("ce-id", "0f6c1f66-6a3f-4a0e-9a0e-2f5f3c1d7a10"),
    ("ce-inferenceservicename", "credit"),
    ("ce-metadata", "null"),
    ("ce-source", "http://localhost:9081/"),
    ("ce-specversion", "1.0"),
    ("ce-time", "2026-11-21T21:00:00.000000001Z"),
    ("ce-type", "org.kubeflow.serving.inference.request"),
    ("content-type", "application/json"),
];

fn half(items: Vec<Item>) -> Half {
    match <[Item; 1]>::try_from(items).unwrap() {
        [Item::Half(half)] => *half,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_event_as_kserves_logger_writes_it_is_half_an_exchange() {
    let body = Bytes::from_static(br#"{"instances":[[0.1]]}"#);
    let request = half(binary(&headers(&LOGGED), &body).unwrap().unwrap());
    assert_eq!(request.side, Side::Request);
    assert_eq!(request.service.as_deref(), Some("credit"));
    assert_eq!(
        request.request_id.as_ref().unwrap(),
        "0f6c1f66-6a3f-4a0e-9a0e-2f5f3c1d7a10"
    );
    assert_eq!(request.at.unwrap().to_string(), "2026-11-21T21:00:00Z");
    assert_eq!(request.message.body.joined(), body);
    let mut answered = headers(&LOGGED);
    answered.insert(
        "ce-type",
        HeaderValue::from_static("org.kubeflow.serving.inference.response"),
    );
    answered.insert("ce-statuscode", HeaderValue::from_static("500"));
    answered.insert(
        "ce-time",
        HeaderValue::from_static("2026-11-21T21:00:00.250Z"),
    );
    let response = half(binary(&answered, &body).unwrap().unwrap());
    assert_eq!((response.key, response.side), (request.key, Side::Response));
    assert_eq!(response.status, StatusCode::INTERNAL_SERVER_ERROR);
    let served = served(&request, &response);
    assert_eq!(served.latency, Some(0.25));
    assert_eq!(served.status, Some(500));
}

#[test]
fn the_id_that_the_caller_gave_is_preferred_if_the_logger_kept_it() {
    let mut logged = headers(&LOGGED);
    logged.insert(
        "ce-metadata",
        HeaderValue::from_static(r#"{"X-Request-Id":["mine"]}"#),
    );
    let half = half(binary(&logged, &Bytes::new()).unwrap().unwrap());
    assert_eq!(half.request_id.unwrap(), "mine");
}

#[test]
fn structured_events_say_the_same_as_binary_ones() {
    let structured = half(object(r#"{"specversion":"1.0","id":"0f6c1f66-6a3f-4a0e-9a0e-2f5f3c1d7a10",
        "source":"http://localhost:9081/","type":"org.kubeflow.serving.inference.request",
        "time":"2026-11-21T21:00:00Z","datacontenttype":"application/json","inferenceservicename":"credit",
        "statuscode":200,"metadata":"{\"x-request-id\":[\"m\"]}","unknown":[1],"data":{"instances":[[0.10]]}}"#).unwrap());
    let binary = half(binary(&headers(&LOGGED), &Bytes::new()).unwrap().unwrap());
    assert_eq!((structured.key, structured.at), (binary.key, binary.at));
    // As it was written, to the last digit.
    assert_eq!(
        &*structured.message.body.joined(),
        br#"{"instances":[[0.10]]}"#
    );
    assert_eq!(structured.request_id.unwrap(), "m");
    let text = half(
        object(
            r#"{"specversion":"1.0","id":"a","source":"b","datacontenttype":"text/csv",
        "type":"org.kubeflow.serving.inference.request","data":"1,2\n"}"#,
        )
        .unwrap(),
    );
    assert_eq!(&*text.message.body.joined(), b"1,2\n");
    let packed = half(
        object(
            r#"{"specversion":"1.0","id":"a","source":"b",
        "type":"org.kubeflow.serving.inference.response","data_base64":"AQI="}"#,
        )
        .unwrap(),
    );
    assert_eq!(&*packed.message.body.joined(), [1, 2]);
}

#[test]
fn what_is_no_event_of_an_inference_is_refused_with_the_reason() {
    for (text, why) in [
        ("{", "not JSON at column 1"),
        ("[]", "not an event but a list"),
        ("7", "not an event at column"),
        ("{}", "there is no `specversion`"),
        (r#"{"specversion":"2.0"}"#, "`specversion` is not 1.0"),
        (
            r#"{"specversion":"1.0"}"#,
            "the event's `id` must have 1 to 256 bytes",
        ),
        (
            r#"{"specversion":"1.0","id":"a"}"#,
            "the event's `source` must",
        ),
        (
            r#"{"specversion":"1.0","id":"a","source":"b"}"#,
            "the event's `type` must",
        ),
        (
            r#"{"specversion":"1.0","id":"a","source":"b","type":"c","data":1}"#,
            "the event's type is none of",
        ),
        (
            r#"{"specversion":"1.0","id":"a","source":"b","type":"c"}"#,
            "the event has neither `data` nor",
        ),
        (
            r#"{"specversion":"1.0","id":"a","source":"b","type":"c","time":"noon","data":1}"#,
            "the event's time is not",
        ),
        (
            r#"{"specversion":"1.0","id":"a","source":"b","type":"c","data_base64":"%"}"#,
            "`data_base64` is not base64",
        ),
        (
            r#"{"specversion":"1.0","id":"a","source":"b","type":"azureml.inference.inputs","data":[]}"#,
            "the line has no `correlationid`",
        ),
        (
            r#"{"specversion":"1.0","id":"a","source":"b","datacontenttype":"a\nb","data":1,"type":"c"}"#,
            "`datacontenttype` is no media type",
        ),
    ] {
        let error = object(text).unwrap_err();
        assert!(error.starts_with(why), "{text}: {error}");
    }
    let long = "x".repeat(257);
    let error = object(&format!(r#"{{"specversion":"1.0","id":"{long}"}}"#)).unwrap_err();
    assert!(error.contains("1 to 256 bytes") && !error.contains(&long));
    let without = headers(&[("ce-specversion", "1.0"), ("ce-id", "a")]);
    assert!(
        binary(&without, &Bytes::new())
            .unwrap()
            .unwrap_err()
            .contains("ce-source")
    );
    assert!(binary(&HeaderMap::new(), &Bytes::new()).is_none());
}
