//! A real model server of somebody else, MLServer with a scikit-learn model, asked directly and
//! through the agent: the same status, headers and body to the byte, and every exchange accounted.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use clause9_tests::http::{Answer, Connection};
use clause9_tests::process::{Running, free_port};
use clause9_tests::sidecar::{Fates, Sidecar};
use clause9_tests::tools::mlserver;

/// Fits and stores the model. Its inputs are four numbers; its reference is drawn from the same law.
const TRAIN: &str = "\
import joblib, numpy
from sklearn.linear_model import LogisticRegression
x = numpy.random.default_rng(9).normal(size=(400, 4))
joblib.dump(LogisticRegression().fit(x, (x @ [1.0, -0.5, 0.25, 0.0] > 0).astype(int)), 'model.joblib')
";

const MODEL_SETTINGS: &str = r#"{
  "name": "loan",
  "implementation": "mlserver_sklearn.SKLearnModel",
  "parameters": { "uri": "./model.joblib", "version": "v1" }
}"#;

pub(crate) const OBJECTIVES: &str = include_str!("mlserver_passthrough.objectives.yaml");

/// What must become of a request at the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Sampled,
    NotInference,
    Undecodable,
}

/// One request.
struct Case {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: String,
    status: u16,
    fate: Fate,
}

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const GZIP: &[(&str, &str)] = &[
    ("content-type", "application/json"),
    ("accept-encoding", "gzip"),
];
const CLIENT: &[(&str, &str)] = &[
    ("content-type", "application/json; charset=utf-8"),
    ("x-request-id", "42"),
    ("x-empty", ""),
    ("cookie", "a=1; b=2"),
    ("user-agent", "some client/1.0"),
];

/// Rows of four numbers as a request's tensor.
fn tensor(rows: usize) -> String {
    let data: Vec<_> = (0..rows * 4)
        .map(|i| format!("{}", (i % 17) as f64 / 8.0 - 1.0))
        .collect();
    format!(
        r#"{{"name":"predict","shape":[{rows},4],"datatype":"FP64","data":[{}]}}"#,
        data.join(",")
    )
}

fn infer(extra: &str, rows: usize) -> String {
    format!(r#"{{{extra}"inputs":[{}]}}"#, tensor(rows))
}

const INFER: &str = "/v2/models/loan/infer";
const VERSIONED: &str = "/v2/models/loan/versions/v1/infer";

fn case(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    body: String,
    status: u16,
    fate: Fate,
) -> Case {
    Case {
        name,
        method,
        path,
        headers: if body.is_empty() { &[] } else { JSON },
        body,
        status,
        fate,
    }
}

fn understood() -> Vec<Case> {
    let both = r#""id":"case-3","outputs":[{"name":"predict_proba"},{"name":"predict"}],"#;
    let post = |name, path, body| case(name, "POST", path, body, 200, Fate::Sampled);
    vec![
        post("one row with an id", INFER, infer(r#""id":"case-1","#, 1)),
        post("many rows without an id", INFER, infer("", 64)),
        post(
            "a version in the path",
            VERSIONED,
            infer(r#""id":"case-2","#, 3),
        ),
        post("chosen outputs", INFER, infer(both, 5)),
        post(
            "spaces and line feeds between tokens",
            INFER,
            infer("\r\n  \"id\" :\t\"case-4\" ,\n", 2),
        ),
        Case {
            headers: CLIENT,
            ..post("headers of a client", INFER, infer(r#""id":"case-5","#, 1))
        },
        post(
            "a body of half a megabyte",
            INFER,
            infer(r#""id":"case-6","#, 25_000),
        ),
        Case {
            headers: GZIP,
            ..post(
                "a compressed answer",
                INFER,
                infer(r#""id":"case-7","#, 400),
            )
        },
    ]
}

fn not_understood() -> Vec<Case> {
    let post = |name, path, body, status| case(name, "POST", path, body, status, Fate::Undecodable);
    let wide = tensor(2).replace("[2,4]", "[2,5]");
    vec![
        post(
            "a body that is no JSON",
            INFER,
            "{\"inputs\": [".to_owned(),
            422,
        ),
        post("an empty object", INFER, "{}".to_owned(), 422),
        post(
            "a shape that does not fit the data",
            INFER,
            format!(r#"{{"inputs":[{wide}]}}"#),
            500,
        ),
        post(
            "a model that is not served",
            "/v2/models/none/infer",
            infer("", 1),
            404,
        ),
    ]
}

fn no_inferences() -> Vec<Case> {
    let get =
        |name, path, status| case(name, "GET", path, String::new(), status, Fate::NotInference);
    vec![
        get("liveness", "/v2/health/live", 200),
        get("readiness", "/v2/health/ready", 200),
        get("the server's metadata", "/v2", 200),
        get("the model's metadata", "/v2/models/loan", 200),
        get("the model's readiness", "/v2/models/loan/ready", 200),
        get(
            "a path that nobody knows, with a query",
            "/nowhere?a=1&b=%20%2F",
            404,
        ),
        case(
            "HEAD where it is not allowed",
            "HEAD",
            "/v2/health/live",
            String::new(),
            405,
            Fate::NotInference,
        ),
    ]
}

/// MLServer with the model, in a folder of its own.
pub(crate) fn start_model_server(
    folder: &Path,
    (port, grpc): (u16, u16),
) -> anyhow::Result<Option<Running>> {
    let (Some(python), Some(server)) = (mlserver("python")?, mlserver("mlserver")?) else {
        return Ok(None);
    };
    let trained = Command::new(python)
        .args(["-c", TRAIN])
        .current_dir(folder)
        .output()?;
    anyhow::ensure!(
        trained.status.success(),
        "training: {}",
        String::from_utf8_lossy(&trained.stderr)
    );
    let settings = serde_json::json!({
        "debug": false, "host": "127.0.0.1", "http_port": port, "grpc_port": grpc,
        "metrics_endpoint": null, "parallel_workers": 0,
    });
    std::fs::write(folder.join("settings.json"), settings.to_string())?;
    std::fs::write(folder.join("model-settings.json"), MODEL_SETTINGS)?;
    let mut running = Running::start(&server, folder, &["start", "."])?;
    running.wait_for_port(port, Duration::from_secs(90))?;
    clause9_tests::process::wait_until("a model that is ready", Duration::from_mins(1), || {
        clause9_tests::http::get(port, "/v2/models/loan/ready")
            .is_ok_and(|answer| answer.status() == 200)
    })
    .with_context(|| running.end())?;
    Ok(Some(running))
}

/// The answer without what MLServer makes up anew each time: the date, the id it gives to a request
/// that has none, and the time within a gzip header. All keep their length.
fn comparable(mut answer: Answer) -> Answer {
    for (name, value) in &mut answer.headers {
        if name == "date" {
            "DATE".clone_into(value);
        }
    }
    let made_up = answer
        .header("ce-id")
        .filter(|id| id.len() == 36)
        .map(str::to_owned);
    if let Some(id) = made_up {
        let placeholder = "-".repeat(id.len());
        for (_, value) in &mut answer.headers {
            *value = value.replace(&id, &placeholder);
        }
        if answer.header("content-encoding").is_none() {
            answer.body = answer.text().replace(&id, &placeholder).into_bytes();
        }
    }
    if answer.header("content-encoding") == Some("gzip") && answer.body.len() > 8 {
        answer.body[4..8].fill(0);
    }
    answer
}

fn differences(name: &str, direct: &Answer, through: &Answer) -> String {
    let mut said = String::new();
    if direct.status_line != through.status_line {
        let _ = writeln!(
            said,
            "{name}: `{}` became `{}`",
            direct.status_line, through.status_line
        );
    }
    if direct.headers != through.headers {
        let _ = writeln!(
            said,
            "{name}: headers {:?} became {:?}",
            direct.headers, through.headers
        );
    }
    if direct.body != through.body {
        let _ = writeln!(
            said,
            "{name}: body `{}` became `{}`",
            direct.text(),
            through.text()
        );
    }
    said
}

fn ask(connection: &mut Connection, case: &Case) -> anyhow::Result<Answer> {
    let answer = connection.send(case.method, case.path, case.headers, case.body.as_bytes());
    answer.map(comparable).with_context(|| case.name)
}

/// Asks both for each case and tells what differs.
fn compare(cases: &[Case], upstream: u16, agent: u16) -> anyhow::Result<String> {
    // One connection each for as long as it lasts, as clients keep them.
    let (mut to_model, mut to_agent) = (Connection::open(upstream)?, Connection::open(agent)?);
    let mut wrong = String::new();
    for case in cases {
        let (direct, through) = (ask(&mut to_model, case)?, ask(&mut to_agent, case)?);
        anyhow::ensure!(
            direct.status() == case.status,
            "{}: MLServer answers otherwise than this test knows: {} {}",
            case.name,
            direct.status_line,
            direct.text()
        );
        wrong.push_str(&differences(case.name, &direct, &through));
        if direct.status() == 500 {
            // MLServer ends the connection after a failure, without announcing it.
            (to_model, to_agent) = (Connection::open(upstream)?, Connection::open(agent)?);
        }
    }
    Ok(wrong)
}

/// Rows of a reference for the objectives.
pub(crate) fn reference() -> Vec<Vec<f64>> {
    let row = |i: i32| (0..4).map(move |c| f64::from((i * 7 + c * 3) % 101) / 50.0 - 1.0);
    (0..400).map(|i| row(i).collect()).collect()
}

#[test]
fn answers_of_a_real_model_server_are_the_same_with_and_without_the_agent() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let upstream = free_port()?;
    let Some(_model) = start_model_server(folder.path(), (upstream, free_port()?))? else {
        return Ok(());
    };
    let agent = Sidecar::start(folder.path(), upstream, OBJECTIVES, &reference())?;

    let cases: Vec<_> = understood()
        .into_iter()
        .chain(not_understood())
        .chain(no_inferences())
        .collect();
    let wrong = compare(&cases, upstream, agent.port)?;
    assert!(wrong.is_empty(), "the agent changed something:\n{wrong}");

    let number = |fate: Fate| cases.iter().filter(|case| case.fate == fate).count() as u64;
    let expected = Fates {
        seen: cases.len() as u64,
        sampled: number(Fate::Sampled),
        sampled_out: 0,
        not_inference: number(Fate::NotInference),
        dropped: 0,
        undecodable: number(Fate::Undecodable),
    };
    assert_eq!(agent.settled_fates(Duration::from_secs(20))?, expected);
    Ok(())
}

#[test]
fn a_change_of_one_byte_anywhere_is_a_difference() {
    let answer = Answer {
        status_line: "HTTP/1.1 200 OK".to_owned(),
        headers: vec![
            ("server".to_owned(), "uvicorn".to_owned()),
            ("date".to_owned(), "today".to_owned()),
        ],
        body: b"{}".to_vec(),
    };
    assert_eq!(
        differences(
            "same",
            &comparable(answer.clone()),
            &comparable(answer.clone())
        ),
        ""
    );
    let mut changed = vec![answer.clone(); 5];
    changed[0].status_line.push(' ');
    changed[1].headers[0].1.push('x');
    changed[2].headers.swap(0, 1);
    changed[3]
        .headers
        .push(("via".to_owned(), "agent".to_owned()));
    changed[4].body[0] = b'[';
    for other in changed {
        let said = differences(
            "changed",
            &comparable(answer.clone()),
            &comparable(other.clone()),
        );
        assert!(!said.is_empty(), "{other:?} passes for {answer:?}");
    }
}
