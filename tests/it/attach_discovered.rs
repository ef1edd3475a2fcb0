//! Attaching to a model server as somebody new to it does: `clause9 discover` learns from it or from
//! its traffic, and an agent runs with what that wrote. Beside real servers: a language model by
//! llama.cpp, and MLServer.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use clause9_tests::http::{Answer, Connection};
use clause9_tests::process::{Running, free_port, program, wait_until};
use clause9_tests::sidecar::{Fates, Sidecar, http};
use clause9_tests::tools::llama;
use serde_json::{Value, json};

use crate::mlserver_passthrough::start_model_server;

const LONG: Duration = Duration::from_mins(1);
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// Runs `clause9` to its end in a folder.
fn clause9(folder: &Path, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let ran = Command::new(program("clause9")?)
        .args(arguments)
        .current_dir(folder)
        .output()?;
    let said = [ran.stdout, ran.stderr].concat();
    Ok((ran.status.code(), String::from_utf8(said)?))
}

/// `clause9 discover` in front of a model server, serving.
fn watching(
    folder: &Path,
    upstream: u16,
    exchanges: usize,
    more: &[&str],
) -> anyhow::Result<(Running, u16)> {
    let port = free_port()?;
    let command = format!(
        "discover --upstream {} --listen 127.0.0.1:{port} --exchanges {exchanges} --out objectives.yaml --baseline baseline.json",
        http(upstream)
    );
    let arguments: Vec<&str> = command.split(' ').chain(more.iter().copied()).collect();
    let mut running = Running::start(&program("clause9")?, folder, &arguments)?;
    running.wait_for_port(port, LONG)?;
    Ok((running, port))
}

fn ended(mut discover: Running) -> anyhow::Result<String> {
    wait_until("the end of discovering", LONG, || !discover.is_running())?;
    // Its last words may still be on their way.
    discover.wait_for_line("frozen", LONG)?;
    Ok(discover.end())
}

fn start_llama(folder: &Path) -> anyhow::Result<Option<(Running, u16)>> {
    let Some(llama) = llama()? else {
        return Ok(None);
    };
    let port = free_port()?;
    let mut command = Command::new(llama.server.join("llama-server"));
    command
        .env("LD_LIBRARY_PATH", &llama.server)
        .arg("-m")
        .arg(&llama.model)
        .args("--alias smollm2 -ngl 0 -t 1 -c 1024 --host 127.0.0.1 --port".split(' '))
        .arg(port.to_string())
        .current_dir(folder);
    let mut running = Running::spawn(command)?;
    running.wait_for_port(port, LONG)?;
    let ready = || clause9_tests::http::get(port, "/health").is_ok_and(|a| a.status() == 200);
    wait_until("the model to be loaded", LONG, ready)?;
    Ok(Some((running, port)))
}

/// A request whose answer does not depend on chance.
fn chat(question: &str, stream: bool) -> Value {
    let mut body = json!({
        "model": "smollm2", "messages": [{ "role": "user", "content": question }],
        "max_tokens": 12, "temperature": 0, "seed": 9, "cache_prompt": false, "stream": stream,
    });
    if stream {
        body["stream_options"] = json!({ "include_usage": true });
    }
    body
}

const QUESTIONS: [&str; 6] = [
    "Name a colour.",
    "What is two and two?",
    "Say hello to a friend who comes home late.",
    "Is water wet?",
    "Which animal barks?",
    "Tell me what a contract is.",
];

fn ask(port: u16, body: &Value) -> anyhow::Result<Answer> {
    let mut connection = Connection::open(port)?;
    let answer = connection.send(
        "POST",
        "/v1/chat/completions",
        JSON,
        body.to_string().as_bytes(),
    )?;
    anyhow::ensure!(
        answer.status() == 200,
        "{}: {}",
        answer.status_line,
        answer.text()
    );
    Ok(answer)
}

/// An answer without what differs each time: ids, times, and how long it took.
fn lasting(answer: &Answer) -> anyhow::Result<Vec<Value>> {
    let text = answer.text();
    let events: Vec<&str> = if text.contains("data: ") {
        let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
        events.filter(|event| *event != "[DONE]").collect()
    } else {
        vec![&text]
    };
    let read = events.into_iter().map(|event| {
        let mut event: Value = serde_json::from_str(event).context(event.to_owned())?;
        for key in ["id", "created", "timings"] {
            event.as_object_mut().context("no object")?.remove(key);
        }
        Ok(event)
    });
    read.collect()
}

#[test]
fn a_language_model_is_attached_with_what_discover_wrote() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let Some((_model, upstream)) = start_llama(folder)? else {
        return Ok(());
    };
    // It says which models it has, and what is watched of them is known.
    let address = http(upstream);
    let (code, said) = clause9(
        folder,
        &["discover", "--upstream", &address, "--out", "asked.yaml"],
    )?;
    assert_eq!(code, Some(0), "{said}");
    let asked = std::fs::read_to_string(folder.join("asked.yaml"))?;
    assert!(asked.contains("- name: \"smollm2\""), "{asked}");
    assert!(asked.contains("input: \"prompt\""), "{asked}");

    // Its traffic says the same, and more; it is passed on.
    let (discover, port) = watching(folder, upstream, QUESTIONS.len(), &[])?;
    for (number, question) in QUESTIONS.iter().enumerate() {
        ask(port, &chat(question, number % 2 == 1))?;
    }
    let said = ended(discover)?;
    assert!(said.contains("model smollm2"), "{said}");
    let (code, said) = clause9(folder, &["check", "objectives.yaml"])?;
    assert_eq!(code, Some(0), "{said}");

    let agent = Sidecar::run(folder, &address, "")?;
    for (number, question) in QUESTIONS.iter().enumerate() {
        let body = chat(question, number % 2 == 0);
        let (direct, through) = (ask(upstream, &body)?, ask(agent.port, &body)?);
        assert_eq!(lasting(&direct)?, lasting(&through)?);
        // What a server says of its connection is no business of the client's.
        let headers = |a: &Answer| -> Vec<String> {
            let names = a.headers.iter().map(|(name, _)| name.clone());
            names.filter(|name| name != "keep-alive").collect()
        };
        assert_eq!(headers(&direct), headers(&through));
    }
    let expected = Fates {
        seen: QUESTIONS.len() as u64,
        sampled: QUESTIONS.len() as u64,
        sampled_out: 0,
        not_inference: 0,
        dropped: 0,
        undecodable: 0,
    };
    assert_eq!(agent.settled_fates(LONG)?, expected);
    Ok(())
}

/// A request of one row to the model that MLServer serves in these tests.
fn row(number: usize) -> String {
    let at = |column: usize| ((number * 7 + column * 3) % 101) as f64 / 50.0 - 1.0;
    let data: Vec<String> = (0..4).map(|column| at(column).to_string()).collect();
    format!(
        r#"{{"inputs":[{{"name":"predict","shape":[1,4],"datatype":"FP64","data":[{}]}}]}}"#,
        data.join(",")
    )
}

fn infer(connection: &mut Connection, number: usize) -> anyhow::Result<()> {
    let answer = connection.send(
        "POST",
        "/v2/models/loan/infer",
        JSON,
        row(number).as_bytes(),
    )?;
    anyhow::ensure!(answer.status() == 200, "{}", answer.text());
    Ok(())
}

#[test]
fn a_model_whose_server_says_nothing_of_it_is_learned_from_its_traffic() -> anyhow::Result<()> {
    const EXCHANGES: usize = 60;
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let upstream = free_port()?;
    let Some(_model) = start_model_server(folder, (upstream, free_port()?))? else {
        return Ok(());
    };
    let address = http(upstream);
    let asked = ["discover", "--upstream", &address, "--out", "asked.yaml"];
    let (code, said) = clause9(folder, &asked)?;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("`loan`") && said.contains("--listen"),
        "{said}"
    );
    assert!(!folder.join("asked.yaml").exists());

    let (discover, port) = watching(folder, upstream, EXCHANGES, &[])?;
    let mut connection = Connection::open(port)?;
    for number in 0..EXCHANGES {
        infer(&mut connection, number)?;
    }
    let said = ended(discover)?;
    assert!(said.contains("model loan, 4 features"), "{said}");
    assert!(said.contains("60 rows"), "{said}");

    let agent = Sidecar::run(folder, &address, "")?;
    let mut connection = Connection::open(agent.port)?;
    for number in 0..20 {
        infer(&mut connection, number)?;
    }
    let fates = agent.settled_fates(LONG)?;
    assert_eq!((fates.seen, fates.sampled), (20, 20));
    Ok(())
}

/// A request to a server of one's own, of two rows.
fn score(connection: &mut Connection, number: usize) -> anyhow::Result<()> {
    let applicant = |n: usize| {
        let city = ["Ulm", "Köln"][n % 2];
        json!({ "income": n % 100, "home": { "city": city } })
    };
    let body = json!({ "request": { "applicants": [applicant(number), applicant(number + 7)] } });
    let answer = connection.send("POST", "/score", JSON, body.to_string().as_bytes())?;
    anyhow::ensure!(answer.status() == 200, "{}", answer.text());
    Ok(())
}

#[test]
fn a_server_of_ones_own_is_attached_by_the_path_that_discover_found() -> anyhow::Result<()> {
    const EXCHANGES: usize = 40;
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let upstream = free_port()?;
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/own_server.py");
    let mut command = Command::new("python3");
    command.arg(server).arg(upstream.to_string());
    let mut running = Running::spawn(command)?;
    running.wait_for_port(upstream, LONG)?;

    // Nothing is learned from paths that nobody named, but they are told.
    let (mut discover, port) = watching(folder, upstream, EXCHANGES, &["--for", "3s"])?;
    let mut connection = Connection::open(port)?;
    for number in 0..5 {
        score(&mut connection, number)?;
    }
    wait_until("the end of discovering", LONG, || !discover.is_running())?;
    let said = discover.end();
    assert!(
        said.contains("/score (5)") && said.contains("--path"),
        "{said}"
    );

    let (discover, port) = watching(folder, upstream, EXCHANGES, &["--path", "/score"])?;
    let mut connection = Connection::open(port)?;
    for number in 0..EXCHANGES {
        connection.send("POST", "/login", JSON, br#"{"user":"u","password":"p"}"#)?;
        score(&mut connection, number)?;
    }
    let said = ended(discover)?;
    let line = r#"protocols: [{ path: "/score", model: "score", rows: "/request/applicants", answers: "/scores" }]"#;
    assert!(said.contains(line), "{said}");
    let draft = std::fs::read_to_string(folder.join("objectives.yaml"))?;
    for part in ["home.city", "income"] {
        assert!(draft.contains(part), "{draft}");
    }
    let baseline = std::fs::read_to_string(folder.join("baseline.json"))?;
    assert!(!draft.contains("password") && !baseline.contains("password"));

    let agent = Sidecar::run(folder, &http(upstream), &format!("{line}\n"))?;
    let mut connection = Connection::open(agent.port)?;
    for number in 0..20 {
        score(&mut connection, number)?;
    }
    let fates = agent.settled_fates(LONG)?;
    assert_eq!((fates.seen, fates.sampled), (20, 20));
    Ok(())
}
