//! Asking a running agent what it has in quarantine, and telling it what to do about it: over its admin address, for people at
//! a terminal.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use clause9_shared::digest::Digest;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::Listed;
use crate::config::AgentConfig;
use crate::ship::bounded_by;

/// How long the agent may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const MAX_ANSWER: usize = 32 << 20;
/// Fewest digits that name a batch.
const FEWEST_DIGITS: usize = 6;
/// Pause before it is looked again what became of what is sent again.
const LOOK: Duration = Duration::from_millis(200);

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum CommandProblem {
    /// There is nobody to ask.
    #[error("no agent answers at {0} (`admin` in the configuration); is it running?")]
    NoAnswer(SocketAddr, #[source] reqwest::Error),
    /// What answers is no agent, or an older one.
    #[error("what answers at {0} tells nothing of a quarantine; is the agent of an older version?")]
    Strange(SocketAddr),
    /// The agent says no.
    #[error("{0}")]
    Refused(String),
    /// No batch, or more than one, has that name.
    #[error(
        "{number} batches in quarantine are named `{name}...`; `quarantine list` says which there are"
    )]
    Name {
        /// What was asked for.
        name: String,
        /// How many it fits.
        number: usize,
    },
    /// So few digits may fit any.
    #[error("`{0}` is too short for a batch's name; give {FEWEST_DIGITS} digits or more")]
    Short(String),
    /// Nothing can be asked.
    #[error("cannot set up a client")]
    Client(#[source] std::io::Error),
}

#[derive(Deserialize)]
struct List {
    entries: Vec<Listed>,
}

/// A running agent.
#[derive(Debug)]
pub struct Desk {
    address: SocketAddr,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
}

impl Desk {
    /// The agent of that configuration.
    pub fn of(config: &AgentConfig) -> Result<Self, CommandProblem> {
        let mut address = config.admin;
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build();
        // The client wants one though it stays on this machine; an error means that one is there already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(ANSWER)
            .no_proxy()
            .build();
        Ok(Self {
            address,
            runtime: runtime.map_err(CommandProblem::Client)?,
            client: client.map_err(|e| CommandProblem::NoAnswer(address, e))?,
        })
    }

    fn ask(&self, method: Method, path: &str) -> Result<Value, CommandProblem> {
        let url = format!("http://{}/quarantine{path}", self.address);
        self.runtime.block_on(async {
            let response = self.client.request(method, url).send().await;
            let response = response.map_err(|e| CommandProblem::NoAnswer(self.address, e))?;
            let status = response.status();
            let body = bounded_by(response, MAX_ANSWER).await.unwrap_or_default();
            let strange = CommandProblem::Strange(self.address);
            let value: Value = serde_json::from_slice(&body).map_err(|_| strange)?;
            if status == StatusCode::OK || status == StatusCode::ACCEPTED {
                return Ok(value);
            }
            let why = value["error"]
                .as_str()
                .unwrap_or("the agent does not say why");
            Err(CommandProblem::Refused(why.chars().take(300).collect()))
        })
    }

    /// Everything in quarantine, as the agent says it.
    pub fn list(&self) -> Result<Value, CommandProblem> {
        self.ask(Method::GET, "")
    }

    fn entries(&self) -> Result<Vec<Listed>, CommandProblem> {
        let list: List = serde_json::from_value(self.list()?)
            .map_err(|_| CommandProblem::Strange(self.address))?;
        Ok(list.entries)
    }

    /// The batch whose name begins so.
    fn named(&self, name: &str) -> Result<Digest, CommandProblem> {
        let digits = name.strip_prefix("sha256:").unwrap_or(name);
        if digits.len() < FEWEST_DIGITS {
            return Err(CommandProblem::Short(name.to_owned()));
        }
        let begins = format!("sha256:{}", digits.to_ascii_lowercase());
        let entries = self.entries()?;
        let names = entries.iter().map(|entry| entry.batch);
        let fitting: Vec<_> = names
            .filter(|b| b.to_string().starts_with(&begins))
            .collect();
        match fitting[..] {
            [batch] => Ok(batch),
            _ => Err(CommandProblem::Name {
                name: digits.to_owned(),
                number: fitting.len(),
            }),
        }
    }

    /// One batch with what it says.
    pub fn show(&self, name: &str) -> Result<Value, CommandProblem> {
        let batch = self.named(name)?;
        self.ask(Method::GET, &format!("/{batch}"))
    }

    /// Forgets one batch for good.
    pub fn forget(&self, name: &str) -> Result<Value, CommandProblem> {
        let batch = self.named(name)?;
        self.ask(Method::DELETE, &format!("/{batch}"))
    }

    /// Has batches sent again, all of them if none is named, and waits for as long what comes of it: how many, and those that are
    /// still in quarantine.
    pub fn resend(
        &self,
        names: &[String],
        wait: Duration,
    ) -> Result<(usize, Vec<Listed>), CommandProblem> {
        let chosen = if names.is_empty() {
            let all: Vec<_> = self.entries()?.iter().map(|entry| entry.batch).collect();
            self.ask(Method::POST, "/resend")?;
            all
        } else {
            let named = names.iter().map(|name| self.named(name));
            let named = named.collect::<Result<Vec<_>, _>>()?;
            for batch in &named {
                self.ask(Method::POST, &format!("/{batch}/resend"))?;
            }
            named
        };
        let begun = Instant::now();
        loop {
            let mut left = self.entries()?;
            left.retain(|entry| chosen.contains(&entry.batch));
            let open = left.iter().any(|entry| entry.resending);
            if !open || begun.elapsed() >= wait {
                return Ok((chosen.len(), left));
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// The list as a table.
pub fn table(list: &Value) -> String {
    let Ok(List { entries }) = serde_json::from_value::<List>(list.clone()) else {
        return list.to_string();
    };
    if entries.is_empty() {
        return "nothing is in quarantine\n".to_owned();
    }
    let head = [
        "BATCH",
        "AGE",
        "REFUSED",
        "REASON",
        "PANES FROM",
        "BYTES",
        "",
    ];
    let rows = entries.iter().map(|entry| {
        let reasons: Vec<_> = entry.reasons.iter().map(|r| r.reason.as_str()).collect();
        let panes = entry
            .panes
            .map_or_else(|| "-".to_owned(), |p| p.first.to_string());
        [
            entry.batch.to_string().chars().skip(7).take(12).collect(),
            age(entry.age_seconds),
            format!("{} of {}", entry.refused, entry.items),
            reasons.join(","),
            panes,
            entry.bytes.to_string(),
            if entry.resending { "being sent" } else { "" }.to_owned(),
        ]
    });
    let rows: Vec<[String; 7]> = std::iter::once(head.map(str::to_owned))
        .chain(rows)
        .collect();
    let width = |at: usize| rows.iter().map(|row| row[at].len()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let line = |row: &[String; 7]| {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    let mut text: String = rows.iter().map(line).collect();
    for entry in &entries {
        for reason in &entry.reasons {
            let name: String = entry.batch.to_string().chars().skip(7).take(12).collect();
            text.extend([&name, ": ", &plain(&reason.detail), "\n"]);
        }
    }
    text
}

/// Words of somebody else, without what a terminal would obey.
fn plain(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).collect()
}

fn age(seconds: i64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
