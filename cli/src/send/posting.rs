//! The door of an agent's sink: batches are posted until they are taken, within bounds.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde::Deserialize;

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

/// Where batches go.
pub(super) struct Door {
    host: String,
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
        let keys = ["undecodable", "dropped"].iter();
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
    pub(super) fn new(url: &str, token: Option<&Path>, attempts: u32) -> anyhow::Result<Self> {
        let rest = url.strip_prefix("http://").with_context(|| {
            format!("--to {url} is no plain http:// address; write http://HOST:PORT, or put a proxy before an agent that is far away")
        })?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.is_empty() || host.contains('@') || !host.contains(':') {
            bail!("--to {url} does not say where; write http://HOST:PORT");
        }
        let path = match path.trim_end_matches('/') {
            "" | "records" => "/records".to_owned(),
            before => format!("/{}/records", before.trim_end_matches("/records")),
        };
        let token = token.map(read_token).transpose()?;
        Ok(Self {
            host: host.to_owned(),
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
                Attempt::Again(_, asked) => {
                    std::thread::sleep(pause.max(asked.unwrap_or_default()).min(LONGEST_PAUSE));
                    pause *= 2;
                    attempt += 1;
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
            let host = &self.host;
            return Attempt::Again(anyhow!("http://{host} broke off its answer"), None);
        };
        let said = || match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => problem.error,
            Err(_) => "no reason given".to_owned(),
        };
        let problem = || anyhow!("the agent answers {status}: {}", said());
        match (status, serde_json::from_slice::<Account>(body)) {
            (200 | 400, Ok(account)) => Attempt::Done(account),
            (429 | 500 | 502 | 503 | 504, _) => Attempt::Again(problem(), retry_after),
            (401, _) => Attempt::Never(problem().context("name the token with --token-file")),
            (413, _) => Attempt::Never(problem().context("send fewer rows at a time with --batch")),
            (_, _) => Attempt::Never(problem()),
        }
    }

    fn exchange(&self, lines: &str) -> anyhow::Result<Vec<u8>> {
        let Self { host, path, .. } = self;
        let say = || format!("cannot post to http://{host}{path}");
        let mut stream = TcpStream::connect(host).with_context(say)?;
        stream.set_read_timeout(Some(PATIENCE)).with_context(say)?;
        stream.set_write_timeout(Some(PATIENCE)).with_context(say)?;
        let token = self.token.as_ref();
        let token = token.map_or_else(String::new, |t| format!("Authorization: Bearer {t}\r\n"));
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-ndjson\r\n\
             Content-Length: {}\r\nConnection: close\r\n{token}\r\n",
            lines.len()
        );
        let sent = stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(lines.as_bytes()));
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
