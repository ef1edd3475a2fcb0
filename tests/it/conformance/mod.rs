//! The conformance run: servers that take long to install and to start, asked as clients ask them. For
//! each, what the agent understood of a request is what was sent, whatever its form; and answers are the
//! same with and without the agent. `bash tests/run conformance` installs them and runs these tests.

mod kserve;
mod mlflow;
mod triton;

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use clause9_tests::http::{Answer, Connection};
use clause9_tests::process::{Running, free_port, program, wait_until};
use clause9_tests::sidecar::{Fates, Sidecar, baseline, http};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_mins(2);

/// A server with everything that it starts.
struct Server(Running);

impl Server {
    /// Starts it as the first of a group of its own, and waits until a path of it answers.
    fn start(mut command: Command, port: u16, ready: &str) -> anyhow::Result<Self> {
        command.process_group(0);
        let mut server = Self(Running::spawn(command)?);
        server.0.wait_for_port(port, LONG)?;
        let answers = || clause9_tests::http::get(port, ready).is_ok_and(|a| a.status() == 200);
        wait_until("a model that is ready", LONG, answers).with_context(|| server.0.end())?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What it started in its turn is in the same group.
        let group = format!("kill -KILL -{}", self.0.id());
        let _ = Command::new("sh").args(["-c", &group]).status();
    }
}

/// A request for some rows in one of a server's forms.
struct Request {
    name: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Request {
    fn json(name: &'static str, path: &'static str, body: &Value) -> Self {
        Self::text(name, path, "application/json", body.to_string())
    }

    fn text(name: &'static str, path: &'static str, kind: &str, body: String) -> Self {
        Self {
            name,
            path,
            headers: vec![("content-type", kind.to_owned())],
            body: body.into_bytes(),
        }
    }

    fn ask(&self, connection: &mut Connection) -> anyhow::Result<Answer> {
        let headers: Vec<_> = self.headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        connection
            .send("POST", self.path, &headers, &self.body)
            .with_context(|| self.name)
    }
}

/// Rows that every server is asked for: no number is round in binary, none appears twice in a column.
fn rows() -> Vec<[f64; 4]> {
    let at = |row: u32, column: u32| f64::from((row * 37 + column * 11) % 101) / 7.0 - 3.3;
    (0..24)
        .map(|row| [0, 1, 2, 3].map(|column| at(row, column)))
        .collect()
}

const NAMES: [&str; 4] = ["income", "debt", "tenure", "age"];

/// One row as an object of named numbers.
fn named(row: &[f64; 4]) -> Value {
    let members = NAMES
        .iter()
        .zip(row)
        .map(|(name, value)| ((*name).to_owned(), json!(value)));
    Value::Object(members.collect())
}

/// Asks for all rows in one form through `clause9 discover`, and answers what it took each column to hold.
fn learned(folder: &Path, upstream: u16, requests: &[Request]) -> anyhow::Result<(String, Value)> {
    let port = free_port()?;
    for file in ["objectives.yaml", "baseline.json"] {
        // What another form left; there is none before the first.
        let _ = std::fs::remove_file(folder.join(file));
    }
    let command = format!(
        "discover --upstream {} --listen 127.0.0.1:{port} --exchanges {} --out objectives.yaml --baseline baseline.json",
        http(upstream),
        requests.len()
    );
    let arguments: Vec<&str> = command.split(' ').collect();
    let mut discover = Running::start(&program("clause9")?, folder, &arguments)?;
    discover.wait_for_port(port, LONG)?;
    let mut connection = Connection::open(port)?;
    for request in requests {
        let answer = request.ask(&mut connection)?;
        anyhow::ensure!(
            answer.status() == 200,
            "{}: {}",
            request.name,
            answer.text()
        );
    }
    wait_until("the end of discovering", LONG, || !discover.is_running())
        .with_context(|| discover.end())?;
    let draft =
        std::fs::read_to_string(folder.join("objectives.yaml")).with_context(|| discover.end())?;
    let frozen =
        std::fs::read_to_string(folder.join("baseline.json")).with_context(|| discover.end())?;
    Ok((draft, serde_json::from_str(&frozen)?))
}

/// What was understood of each form is what was sent: a baseline of the observed traffic holds the
/// summaries that one made of the rows themselves holds.
fn assert_understood(folder: &Path, upstream: u16, forms: &[Request]) -> anyhow::Result<()> {
    let sent: Vec<Vec<f64>> = rows().iter().map(|row| row.to_vec()).collect();
    for form in forms {
        let (draft, observed) = learned(folder, upstream, std::slice::from_ref(form))?;
        let expected: Value = serde_json::from_str(&baseline(&draft, &sent)?)?;
        assert_eq!(observed["features"], expected["features"], "{}", form.name);
        let count = observed["features"]
            .as_object()
            .map_or(0, serde_json::Map::len);
        assert_eq!(count, 4, "{}: {draft}", form.name);
    }
    Ok(())
}

/// An answer without what a server makes up anew each time; all keep their length.
fn comparable(mut answer: Answer) -> Answer {
    for (name, value) in &mut answer.headers {
        if matches!(name.as_str(), "date" | "ce-id" | "ce-time") {
            *value = "-".repeat(value.len());
        }
    }
    answer
}

/// Asks for everything directly and through an agent that runs with what was drafted last, and expects the
/// same answers; the agent must have understood the first so many.
fn assert_unchanged(
    folder: &Path,
    upstream: u16,
    understood: &[Request],
    refused: &[Request],
) -> anyhow::Result<()> {
    let agent = Sidecar::run(folder, &http(upstream), "")?;
    let all: Vec<_> = understood.iter().chain(refused).collect();
    for request in &all {
        // A connection for each: a server may end one after a failure.
        let direct = comparable(request.ask(&mut Connection::open(upstream)?)?);
        let through = comparable(request.ask(&mut Connection::open(agent.port)?)?);
        assert_eq!(direct, through, "{}", request.name);
        let good = understood.iter().any(|one| one.name == request.name);
        assert_eq!(
            direct.status() == 200,
            good,
            "{}: {}",
            request.name,
            direct.text()
        );
    }
    let expected = Fates {
        seen: all.len() as u64,
        sampled: understood.len() as u64,
        sampled_out: 0,
        not_inference: 0,
        dropped: 0,
        undecodable: refused.len() as u64,
    };
    assert_eq!(agent.settled_fates(LONG)?, expected);
    Ok(())
}

/// A program of a server's own environment.
fn installed(server: &str, program: &str) -> anyhow::Result<Option<Command>> {
    let Some(found) = clause9_tests::tools::environment(server, program)? else {
        return Ok(None);
    };
    let path = std::env::var("PATH").unwrap_or_default();
    let own = found.parent().context("no folder")?.display().to_string();
    let mut command = Command::new(found);
    // Servers start helpers of their own by name.
    command.env("PATH", format!("{own}:{path}"));
    Ok(Some(command))
}

/// Rows as the request of the Open Inference Protocol, version 2, nested or flat.
fn tensor(nested: bool) -> Value {
    let rows = rows();
    let data = if nested {
        json!(rows)
    } else {
        json!(rows.concat())
    };
    json!({
        "id": "rows",
        "inputs": [{ "name": "predict", "shape": [rows.len(), 4], "datatype": "FP64", "data": data }],
    })
}
