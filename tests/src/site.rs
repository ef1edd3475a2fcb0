//! A site: agents before a model server, and a collector that trusts them, as real programs in a folder.
//! The objectives file and the baseline are the caller's: `objectives.yaml`, `baseline.json`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::http::{self, Answer};
use crate::process::{Running, free_port, program, run_to_end};

/// How long a program may take to start.
const START: Duration = Duration::from_secs(20);

/// What a site is made of.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// Where its files are.
    pub folder: &'a Path,
    /// The id of the AI system in the objectives file.
    pub system: &'a str,
    /// The model server's port.
    pub model: u16,
    /// `live` or `replay`; replayed time comes in the header `x-event-time`.
    pub clock: &'a str,
    /// How many agents the collector trusts.
    pub agents: usize,
    /// Further lines of the collector's configuration.
    pub collector: &'a str,
}

/// A site whose files are written. Nothing runs yet.
#[derive(Debug)]
pub struct Site {
    folder: PathBuf,
    /// The collector's port.
    pub collector: u16,
    /// Its agents.
    pub agents: Vec<Watcher>,
}

/// An agent of a site.
#[derive(Debug)]
pub struct Watcher {
    config: String,
    state: PathBuf,
    /// Its id, as the collector knows it.
    pub id: String,
    /// Port of the data path.
    pub port: u16,
    /// Port of /metrics, /status and the replayed clock.
    pub admin: u16,
    /// Port of /outcomes.
    pub outcomes: u16,
}

impl Layout<'_> {
    /// Writes every configuration file. The collector trusts the keys it is told to trust.
    pub fn lay(&self) -> anyhow::Result<Site> {
        let collector = free_port()?;
        let agents = (0..self.agents)
            .map(|n| self.lay_agent(n, collector))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let trusted = agents
            .iter()
            .map(|a| format!("  - {{ id: \"{}\", systems: [{}] }}\n", a.id, self.system));
        let trusted: String = std::iter::once("agents:\n".to_owned())
            .chain(trusted)
            .collect();
        std::fs::write(self.folder.join("agents.yaml"), trusted)?;
        let text = format!(
            "listen: 127.0.0.1:{collector}\nstore: ./store\nagents: agents.yaml\nsystems:\n  \
             - {{ objectives: objectives.yaml, baseline: baseline.json, clock: {} }}\n{}",
            self.clock, self.collector
        );
        std::fs::write(self.folder.join("collector.yaml"), text)?;
        Ok(Site {
            folder: self.folder.to_owned(),
            collector,
            agents,
        })
    }

    fn lay_agent(&self, n: usize, collector: u16) -> anyhow::Result<Watcher> {
        let [port, admin, outcomes] = [free_port()?, free_port()?, free_port()?];
        let event_time = match self.clock {
            "replay" => "event_time_header: x-event-time\n",
            _ => "",
        };
        let config = format!("agent-{n}.yaml");
        let text = format!(
            "listen: 127.0.0.1:{port}\nupstream: http://127.0.0.1:{model}\nobjectives: objectives.yaml\n\
             baseline: baseline.json\ncollector: http://127.0.0.1:{collector}\nadmin: 127.0.0.1:{admin}\n\
             outcomes: {{ listen: 127.0.0.1:{outcomes} }}\nstate_dir: ./state-{n}\nclock: {clock}\n{event_time}",
            model = self.model,
            clock = self.clock,
        );
        std::fs::write(self.folder.join(&config), text)?;
        let id = run_to_end(
            "clause9-agent",
            self.folder,
            &format!("identity --config {config}"),
        )?;
        Ok(Watcher {
            state: self.folder.join(format!("state-{n}")),
            id: id.trim().to_owned(),
            config,
            port,
            admin,
            outcomes,
        })
    }
}

impl Site {
    /// Starts the collector.
    pub fn start_collector(&self) -> anyhow::Result<Running> {
        let arguments = ["run", "--config", "collector.yaml"];
        let mut running = Running::start(&program("clause9-collector")?, &self.folder, &arguments)?;
        running.wait_for_port(self.collector, START)?;
        Ok(running)
    }

    /// Adds lines to an agent's configuration.
    pub fn configure(&self, n: usize, lines: &str) -> anyhow::Result<()> {
        let path = self.folder.join(&self.agent(n)?.config);
        let before = std::fs::read_to_string(&path)?;
        Ok(std::fs::write(path, before + lines)?)
    }

    /// Starts an agent.
    pub fn start_agent(&self, n: usize) -> anyhow::Result<Running> {
        let agent = self.agent(n)?;
        let arguments = ["run", "--config", &agent.config];
        let mut running = Running::start(&program("clause9-agent")?, &self.folder, &arguments)?;
        running.wait_for_line("serving", START)?;
        for port in [agent.port, agent.admin, agent.outcomes] {
            running.wait_for_port(port, START)?;
        }
        Ok(running)
    }

    /// An agent, by its number from 0.
    pub fn agent(&self, n: usize) -> anyhow::Result<&Watcher> {
        self.agents
            .get(n)
            .with_context(|| format!("the site has no agent {n}"))
    }

    /// What the collector answers.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        http::get(self.collector, path)?.json()
    }

    /// The items of one of the collector's lists.
    pub fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let answer = self.get(path)?;
        let items = answer["items"].as_array();
        Ok(items.with_context(|| format!("no list: {answer}"))?.clone())
    }

    /// The record that a record names in that role.
    pub fn follow(&self, record: &Value, role: &str) -> anyhow::Result<Value> {
        self.get(&format!("/v1/evidence/{}", named(record, role)?))
    }
}

/// What a record names in that role.
pub fn named(record: &Value, role: &str) -> anyhow::Result<String> {
    let refs = record["header"]["refs"].as_array();
    let mut refs = refs.into_iter().flatten();
    let found = refs.find(|r| r["role"] == role);
    found
        .and_then(|r| r["digest"].as_str())
        .map(str::to_owned)
        .with_context(|| format!("no reference to a {role} in {record:#}"))
}

impl Watcher {
    /// Where it keeps what it has to keep.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Sets the replayed clock; the answer tells what was closed by it.
    pub fn set_clock(&self, now: &str) -> anyhow::Result<Value> {
        let body = json!({ "now": now }).to_string();
        let headers = [("content-type", "application/json")];
        let answer = http::send(
            self.admin,
            "POST",
            "/replay/clock",
            &headers,
            body.as_bytes(),
        )?;
        anyhow::ensure!(answer.status() == 200, "{now}: {}", answer.text());
        answer.json()
    }

    /// Delivers outcomes, one a line.
    pub fn post_outcomes(&self, lines: &str) -> anyhow::Result<Answer> {
        let token = std::fs::read_to_string(self.state.join("outcomes.token"))?;
        let bearer = format!("Bearer {}", token.trim());
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/x-ndjson"),
        ];
        http::send(
            self.outcomes,
            "POST",
            "/outcomes",
            &headers,
            lines.as_bytes(),
        )
    }
}
