//! The door of an agent's sink: batches are posted until they are taken, within bounds.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde::Deserialize;

use super::secure::{self, Secure};

/// How long an agent may take for an answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// The first pause before a batch is sent again; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Longest answer that is read, in bytes.
const MOST_BYTES: u64 = 1 << 20;
/// Longest token file, in bytes.
const MOST_TOKEN: usize = 4096;

/// What is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Cases, to an agent's sink.
    Records,
    /// Labels and attributes, to an agent or a collector.
    Outcomes,
}

impl What {
    const fn path(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Outcomes => "outcomes",
        }
    }

    /// What an answer says.
    fn account(self, body: &[u8]) -> Option<Account> {
        match self {
            Self::Records => serde_json::from_slice(body).ok(),
            Self::Outcomes => {
                let report: OutcomeReport = serde_json::from_slice(body).ok()?;
                Some(report.into())
            }
        }
    }
}

/// What an agent or a collector says of outcomes.
#[derive(Deserialize)]
struct OutcomeReport {
    /// At a collector, which knows no more of them yet.
    taken: Option<u64>,
    malformed: Vec<MalformedLine>,
    /// At an agent: how many had which fate.
    #[serde(flatten)]
    fates: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct MalformedLine {
    line: usize,
    error: String,
}

impl From<OutcomeReport> for Account {
    fn from(report: OutcomeReport) -> Self {
        let items = report.malformed.into_iter().map(|m| Listed {
            item: m.line.saturating_sub(1),
            fate: "refused".into(),
            why: m.error,
        });
        let items: Vec<_> = items.collect();
        Self {
            taken: report.taken.unwrap_or_else(|| report.fates.values().sum()),
            duplicate: 0,
            refused: items.len() as u64,
            of_taken: report.fates,
            items,
        }
    }
}

/// Where batches go.
pub(super) struct Door {
    what: What,
    /// Host and port.
    host: String,
    /// How it is reached by TLS, if it is.
    secure: Option<Secure>,
    path: String,
    token: Option<String>,
    attempts: u32,
}

/// What the agent said of batches.
#[derive(Debug, Default)]
pub(super) struct Posted {
    pub(super) taken: u64,
    pub(super) duplicate: u64,
    pub(super) refused: u64,
    pub(super) of_taken: BTreeMap<String, u64>,
    /// Rows worth a look, by their place in the batch.
    pub(super) items: Vec<(usize, String)>,
    pub(super) batches: u64,
    pub(super) retries: u64,
}

#[derive(Deserialize)]
struct Account {
    taken: u64,
    duplicate: u64,
    refused: u64,
    of_taken: BTreeMap<String, u64>,
    items: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    item: usize,
    fate: String,
    why: String,
}

#[derive(Deserialize)]
struct Problem {
    error: String,
}

impl Posted {
    pub(super) fn add(&mut self, other: Self) {
        self.taken += other.taken;
        self.duplicate += other.duplicate;
        self.refused += other.refused;
        self.batches += other.batches;
        self.retries += other.retries;
        for (key, count) in other.of_taken {
            *self.of_taken.entry(key).or_default() += count;
        }
    }

    /// Rows that were taken and are no case that counts.
    pub(super) fn uncounted(&self) -> u64 {
        let keys = ["undecodable", "dropped", "unknown_row", "unlisted_value"].iter();
        keys.filter_map(|key| self.of_taken.get(*key)).sum()
    }
}

/// What one attempt came to.
enum Attempt {
    Done(Account),
    /// It may be sent again, at the earliest after this.
    Again(anyhow::Error, Option<Duration>),
    Never(anyhow::Error),
}

impl Door {
    pub(super) fn new(
        (url, what): (&str, What),
        token: Option<&Path>,
        ca: Option<&Path>,
        attempts: u32,
    ) -> anyhow::Result<Self> {
        let (is_secure, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => {
                bail!("--to {url} is no address; write http://HOST:PORT or https://HOST:PORT")
            }
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = if is_secure && !has_port(host) {
            format!("{host}:443")
        } else {
            host.to_owned()
        };
        if host.starts_with(':') || host.contains('@') || !has_port(&host) {
            bail!("--to {url} does not say where; write http://HOST:PORT or https://HOST:PORT");
        }
        if ca.is_some() && !is_secure {
            bail!("--ca is for https:// alone, and --to is {url}");
        }
        let secure = is_secure.then(|| secure::to(&host, ca)).transpose()?;
        let last = what.path();
        let path = path.trim_end_matches('/');
        let before = path
            .strip_suffix(last)
            .unwrap_or(path)
            .trim_end_matches('/');
        let path = match before {
            "" => format!("/{last}"),
            before => format!("/{before}/{last}"),
        };
        let token = token.map(read_token).transpose()?;
        Ok(Self {
            what,
            host,
            secure,
            path,
            token,
            attempts,
        })
    }

    /// Posts a batch until it is taken; what became of it, or why it cannot be sent.
    pub(super) fn post(&mut self, lines: &str) -> anyhow::Result<Posted> {
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            match self.attempt(lines) {
                Attempt::Done(account) => {
                    let listed = account.items.into_iter();
                    return Ok(Posted {
                        taken: account.taken,
                        duplicate: account.duplicate,
                        refused: account.refused,
                        of_taken: account.of_taken,
                        items: listed
                            .map(|l| (l.item, format!("{}: {}", l.fate, l.why)))
                            .collect(),
                        batches: 1,
                        retries: u64::from(attempt - 1),
                    });
                }
                Attempt::Never(error) => return Err(error),
                Attempt::Again(error, _) if attempt >= self.attempts => {
                    return Err(error.context(format!("tried {attempt} times")));
                }
                Attempt::Again(error, asked) => {
                    if attempt > 2 && attempt.is_power_of_two() {
                        // Whoever waits wants to know for whom; nobody may be there to be told.
                        let _ = writeln!(std::io::stderr(), "tried {attempt} times: {error:#}");
                    }
                    std::thread::sleep(pause.max(asked.unwrap_or_default()).min(LONGEST_PAUSE));
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    attempt = attempt.saturating_add(1);
                }
            }
        }
    }

    fn attempt(&self, lines: &str) -> Attempt {
        let answer = match self.exchange(lines) {
            Ok(answer) => answer,
            Err(error) => return Attempt::Again(error, None),
        };
        let Some((status, retry_after, body)) = read_answer(&answer) else {
            let address = self.address();
            return Attempt::Again(anyhow!("{address} broke off its answer"), None);
        };
        let said = || match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => problem.error,
            Err(_) => "no reason given".to_owned(),
        };
        let problem = || anyhow!("the agent answers {status}: {}", said());
        match (status, self.what.account(body)) {
            (200 | 400, Some(account)) => Attempt::Done(account),
            (429 | 500 | 502 | 503 | 504, _) => Attempt::Again(problem(), retry_after),
            (401, _) => Attempt::Never(problem().context("name the token with --token-file")),
            (413, _) => Attempt::Never(problem().context("send fewer rows at a time with --batch")),
            (_, _) => Attempt::Never(problem()),
        }
    }

    fn exchange(&self, lines: &str) -> anyhow::Result<Vec<u8>> {
        let say = || format!("cannot post to {}", self.address());
        let stream = TcpStream::connect(&self.host).with_context(say)?;
        stream.set_read_timeout(Some(PATIENCE)).with_context(say)?;
        stream.set_write_timeout(Some(PATIENCE)).with_context(say)?;
        match &self.secure {
            None => self.over(stream, lines),
            Some(secure) => self.over(secure.over(stream).with_context(say)?, lines),
        }
    }

    /// Where it is, for messages.
    fn address(&self) -> String {
        let scheme = if self.secure.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}{}", self.host, self.path)
    }

    fn over(&self, mut stream: impl Read + Write, lines: &str) -> anyhow::Result<Vec<u8>> {
        let Self { host, path, .. } = self;
        let say = || format!("cannot post to {}", self.address());
        let token = self.token.as_ref();
        let token = token.map_or_else(String::new, |t| format!("Authorization: Bearer {t}\r\n"));
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-ndjson\r\n\
             Content-Length: {}\r\nConnection: close\r\n{token}\r\n",
            lines.len()
        );
        let sent = stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(lines.as_bytes()))
            .and_then(|()| stream.flush());
        let mut bytes = Vec::new();
        let read = stream.take(MOST_BYTES).read_to_end(&mut bytes);
        // Who refuses early answers before everything was sent.
        if bytes.is_empty() {
            sent.with_context(say)?;
            read.with_context(say)?;
        }
        Ok(bytes)
    }
}

/// Whether a host has a port behind it; the colons of an address of IPv6 stand in brackets.
fn has_port(host: &str) -> bool {
    let behind = host.rsplit_once(']').map_or(host, |(_, behind)| behind);
    behind.contains(':')
}

/// Status, when to come again, and body of an answer that came to its end.
fn read_answer(bytes: &[u8]) -> Option<(u16, Option<Duration>, &[u8])> {
    let end = bytes.windows(4).position(|end| end == b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 4..]);
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let (mut retry, mut length) = (None, None);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim().parse::<u64>().ok();
        if name.eq_ignore_ascii_case("retry-after") {
            retry = value.map(Duration::from_secs);
        } else if name.eq_ignore_ascii_case("content-length") {
            length = value.and_then(|length| usize::try_from(length).ok());
        }
    }
    let whole = length.is_none_or(|length| length == body.len());
    whole.then_some((status, retry, body))
}

fn read_token(path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {shown}"))?;
    let text = String::from_utf8(bytes).unwrap_or_default();
    let token = text.trim();
    let plain = token.bytes().all(|b| b.is_ascii_graphic());
    if token.is_empty() || token.len() > MOST_TOKEN || !plain {
        bail!("{shown} holds no token; name the sink's token file");
    }
    Ok(token.to_owned())
}
