//! `clause9 discover`, before what real servers answered (recorded in `tests/fixtures/wire`), and on
//! signatures as MLflow saves them. In front of servers that run: `tests/it/attach_discovered.rs`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use expect_test::expect;

use crate::run;

const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A recorded answer, whole.
fn recorded(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/wire");
    std::fs::read(folder.join(format!("{name}.response.http"))).unwrap()
}

fn ok(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").into()
}

/// Gives these answers to requests of these methods and paths, and 404 to others.
fn server(answers: Vec<(&'static str, Vec<u8>)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let mut asked = String::new();
            let mut length = 0;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
                    break;
                }
                let lower = line.to_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if asked.is_empty() {
                    asked.push_str(line.rsplit_once(' ').unwrap().0);
                }
            }
            let mut body = vec![0; length];
            let _ = reader.read_exact(&mut body);
            let found = answers.iter().find(|(path, _)| *path == asked);
            let answer = found.map_or(NOT_FOUND.as_bytes(), |(_, answer)| answer);
            let _ = reader.get_mut().write_all(answer);
        }
    });
    address
}

/// The part of a draft from its features up to its objectives.
fn features_and_outputs(draft: &str) -> &str {
    let (begin, end) = (
        draft.find("features:").unwrap(),
        draft.find("# How the model is served"),
    );
    &draft[begin..end.unwrap()]
}

#[test]
fn what_triton_says_of_a_model_becomes_a_draft_that_passes_check() {
    let folder = tempfile::tempdir().unwrap();
    let index = ok(r#"[{"name":"credit","version":"1","state":"READY"}]"#);
    let address = server(vec![
        ("POST /v2/repository/index", index),
        (
            "GET /v2/models/credit",
            recorded("triton-v2-model-metadata"),
        ),
    ]);
    let ran = run(
        folder.path(),
        &["discover", "--upstream", &address, "--out", "o.yaml"],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    expect![[r#"
        o.yaml: drafted: model credit, 4 features; read and correct it
    "#]]
    .assert_eq(&ran.out);
    let draft = std::fs::read_to_string(folder.path().join("o.yaml")).unwrap();
    expect![[r#"
        features:
          - name: "x.0"
            type: numeric
            unit: "1"
            from: { input: "x" }
          - name: "x.1"
            type: numeric
            unit: "1"
            from: { input: "x", column: 1 }
          - name: "x.2"
            type: numeric
            unit: "1"
            from: { input: "x", column: 2 }
          - name: "x.3"
            type: numeric
            unit: "1"
            from: { input: "x", column: 3 }

        outputs:
          # A probability of the positive class, from 0 to 1.
          score:
            from: { output: "proba", column: 1 }
          decision:
            rule: { output: { from: { output: "label" }, positive: 1 } }
            # What a positive decision means, for people.
            positive_means: "positive"
          label:
            positive: 1
            negative: 0
    "#]]
    .assert_eq(features_and_outputs(&draft));
    let checked = run(folder.path(), &["check", "o.yaml"]);
    assert_eq!(checked.code, Some(0), "{}{}", checked.out, checked.err);
    // What people have written meanwhile is never lost.
    let again = run(
        folder.path(),
        &["discover", "--upstream", &address, "--out", "o.yaml"],
    );
    assert_eq!(again.code, Some(2));
    expect![[r#"
        error: o.yaml exists; remove it, or name another file
    "#]]
    .assert_eq(&again.err);
}

#[test]
fn what_a_server_of_language_models_lists_becomes_a_draft() {
    let folder = tempfile::tempdir().unwrap();
    let address = server(vec![("GET /v1/models", recorded("openai-models"))]);
    let ran = run(folder.path(), &["discover", "--upstream", &address]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    expect![[r#"
        features:
          - name: "prompt"
            type: text
            numbers: [words, repetition]
            from: { input: "prompt" }
          - name: "text"
            type: text
            numbers: [words, repetition]
            from: { output: "text" }
          - name: "finish_reason"
            type: categorical
            from: { output: "finish_reason" }
          - name: "prompt_tokens"
            type: numeric
            unit: "1"
            from: { output: "prompt_tokens" }
          - name: "completion_tokens"
            type: numeric
            unit: "1"
            from: { output: "completion_tokens" }

        # No score, decision or label was named.
        outputs: {}
    "#]]
    .assert_eq(features_and_outputs(&ran.out));
}

#[test]
fn what_tensorflow_serving_says_is_read_under_the_names_that_rows_have() {
    let folder = tempfile::tempdir().unwrap();
    let said = r#"{"model_spec":{"name":"half","signature_name":"","version":"1"},"metadata":{"signature_def":{"signature_def":{
        "serving_default":{"inputs":{"x":{"dtype":"DT_FLOAT","tensor_shape":{"dim":[{"size":"-1","name":""},{"size":"2","name":""}],"unknown_rank":false},"name":"x:0"}},
        "outputs":{"risk_score":{"dtype":"DT_FLOAT","tensor_shape":{"dim":[{"size":"-1","name":""}],"unknown_rank":false},"name":"y:0"}},"method_name":"tensorflow/serving/predict"}}}}}"#;
    let address = server(vec![("GET /v1/models/half/metadata", ok(said))]);
    let ran = run(
        folder.path(),
        &["discover", "--upstream", &address, "--model", "half"],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    expect![[r#"
        features:
          - name: "instances.0"
            type: numeric
            unit: "1"
            from: { input: "instances" }
          - name: "instances.1"
            type: numeric
            unit: "1"
            from: { input: "instances", column: 1 }

        outputs:
          # A probability of the positive class, from 0 to 1.
          score:
            from: { output: "predictions" }
          decision:
            rule: { score_at_least: 0.5 }
            # What a positive decision means, for people.
            positive_means: "positive"
          label:
            positive: 1
            negative: 0
    "#]]
    .assert_eq(features_and_outputs(&ran.out));
}

#[test]
fn servers_that_say_too_little_end_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let many = ok(r#"[{"name":"b"},{"name":"a"}]"#);
    let cases = [
        vec![
            (
                "POST /v2/repository/index",
                recorded("mlserver-v2-repository-index"),
            ),
            (
                "GET /v2/models/credit",
                recorded("mlserver-v2-model-metadata"),
            ),
        ],
        vec![("POST /v2/repository/index", many)],
        vec![("GET /v1/models", ok(r#"{"models":["sklearn-iris"]}"#))],
        vec![("GET /v1/models", recorded("openai-unauthorized"))],
        vec![("GET /v1/models", ok("<html>"))],
        vec![],
    ];
    let mut said = String::new();
    for answers in cases {
        let address = server(answers);
        let ran = run(folder.path(), &["discover", "--upstream", &address]);
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        assert_eq!(ran.out, "");
        said.push_str(&ran.err.replace(&address, "http://SERVER"));
    }
    expect![[r#"
        error: the metadata of http://SERVER/ says nothing of what model `credit` is given and answers; learn from traffic: add --listen ADDRESS, and send some clients there
        error: the server has 2 models: `a`, `b`; choose one with --model
        error: http://SERVER/ says nothing of model `sklearn-iris`; see how clients call it, or learn from traffic with --listen
        error: http://SERVER/ wants to know who asks (401); ask where it trusts you, or learn from traffic with --listen
        error: http://SERVER/ lists no models; name one with --model, or learn from traffic with --listen
        error: http://SERVER/ lists no models; name one with --model, or learn from traffic with --listen
    "#]].assert_eq(&said);
}

#[test]
fn a_signature_of_columns_and_one_of_tensors_become_drafts() {
    let folder = tempfile::tempdir().unwrap();
    let columns = r#"artifact_path: model
signature:
  inputs: '[{"type":"long","name":"age","required":true},{"type":"double","name":"income (EUR)","required":true},{"type":"string","name":"home"},{"type":"datetime","name":"opened"}]'
  outputs: '[{"type":"long","name":"predicted_class"}]'
  params: null
"#;
    let tensors = r#"signature:
  inputs: '[{"type":"tensor","tensor-spec":{"dtype":"float64","shape":[-1,2]}}]'
  outputs: '[{"type":"tensor","tensor-spec":{"dtype":"float64","shape":[-1]}}]'
"#;
    let mut drafts = String::new();
    for text in [columns, tensors] {
        std::fs::write(folder.path().join("MLmodel"), text).unwrap();
        let ran = run(folder.path(), &["discover", "--mlmodel", "."]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        drafts.push_str(&ran.err);
        drafts.push_str(features_and_outputs(&ran.out));
    }
    expect![[r#"
        note: that `predictions` is 1 for a positive decision is a guess
        note: `opened` holds points in time; it is left out
        features:
          - name: "age"
            type: numeric
            unit: "1"
            from: { input: "age" }
          - name: "income__eur_"
            type: numeric
            unit: "1"
            from: { input: "income (EUR)" }
          - name: "home"
            type: categorical
            from: { input: "home" }

        outputs:
          decision:
            rule: { output: { from: { output: "predictions" }, positive: 1 } }
            # What a positive decision means, for people.
            positive_means: "positive"
          label:
            positive: 1
            negative: 0
        features:
          - name: "instances.0"
            type: numeric
            unit: "1"
            from: { input: "instances" }
          - name: "instances.1"
            type: numeric
            unit: "1"
            from: { input: "instances", column: 1 }

        outputs:
          # A predicted number, in the unit that labels are in.
          value:
            from: { output: "predictions" }
            unit: "1"
          label:
            type: numeric
    "#]]
    .assert_eq(&drafts);
}

#[test]
fn signatures_that_are_none_and_servers_that_are_away_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut said = String::new();
    for text in [
        "flavors: {}\n",
        "signature: {inputs: '{', outputs: null}\n",
        "signature: [\n",
    ] {
        std::fs::write(folder.path().join("MLmodel"), text).unwrap();
        let ran = run(folder.path(), &["discover", "--mlmodel", "MLmodel"]);
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        said.push_str(&ran.err);
    }
    for (args, code) in [
        (&["discover", "--mlmodel", "nowhere"][..], 2),
        (&["discover", "--upstream", "unix:/run/model.sock"], 2),
        (&["discover"], 2),
        (&["discover", "--upstream", "http://a", "--mlmodel", "b"], 2),
    ] {
        let ran = run(folder.path(), args);
        assert_eq!(ran.code, Some(code), "{}", ran.err);
        said.push_str(ran.err.lines().next().unwrap_or_default());
        said.push('\n');
    }
    expect![[r#"
        error: MLmodel: the model was saved without a signature; save it with one, or learn from traffic with --listen
        error: MLmodel: its signature is no list of columns
        error: MLmodel:2:1: not YAML: while parsing a node, did not find expected node content; check the indentation (spaces, no tabs) and quote texts that hold `: ` or ` #`
        error: cannot read nowhere: No such file or directory (os error 2)
        error: `unix:/run/model.sock` cannot be asked; write http://HOST:PORT or https://HOST:PORT, or add --listen to learn from traffic
        error: the following required arguments were not provided:
        error: the argument '--upstream <ADDRESS>' cannot be used with '--mlmodel <PATH>'
    "#]].assert_eq(&said);
}
