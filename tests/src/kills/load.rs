//! What one agent goes through: requests of one pane after the other, and a kill in the midst of every second.

use std::sync::atomic::Ordering;
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use clause9_shared::time::{Span, Timestamp};

use super::{Kills, Options, PATIENCE, killed};
use crate::http::{Connection, get};
use crate::process::{Running, wait_until};
use crate::sidecar::count;
use crate::sim::random::Random;
use crate::site::Site;

/// How often it is looked whether a pane is on disk, with a millisecond between.
const MOST_LOOKS: u32 = 20_000;
/// When the first pane begins.
const BEGIN: &str = "2026-01-01T00:00:00Z";
const PANE: Span = Span::from_secs(60);
/// How long after a pane's end it is closed for sure.
const CLOSED: Span = Span::from_secs(20);
/// Most requests of a pane, in each run of the agent.
const REQUESTS: u64 = 60;
/// A kill strikes within that time of a pane's first request, in milliseconds.
const WITHIN: u64 = 80;

/// What one agent was asked in one pane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// When it began.
    pub(super) pane: Timestamp,
    /// Requests that were sent, answered or not.
    pub(super) sent: u64,
    /// Requests answered by the run that closed the pane and said that it is on disk.
    pub(super) sure: u64,
}

impl Asked {
    const fn of(pane: Timestamp) -> Self {
        Self {
            pane,
            sent: 0,
            sure: 0,
        }
    }
}

/// One agent and what is sent to it.
pub(super) struct Load<'a> {
    site: &'a Site,
    agent: usize,
    kills: &'a Kills,
    most: u64,
    chance: Random,
    running: Mutex<Running>,
}

/// The model's answer to so many rows.
pub(super) fn answer(rows: usize) -> String {
    let data = vec!["0.75"; rows].join(",");
    format!(
        r#"{{"model_name":"toy","model_version":"1","outputs":[{{"name":"p","datatype":"FP64","shape":[{rows},1],"data":[{data}]}}]}}"#
    )
}

impl<'a> Load<'a> {
    pub(super) fn new(
        site: &'a Site,
        agent: usize,
        kills: &'a Kills,
        options: Options,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            site,
            agent,
            kills,
            most: options.kills,
            chance: Random::new(&[options.seed, agent as u64]),
            running: Mutex::new(site.start_agent(agent)?),
        })
    }

    /// Goes on until there were enough kills, then until nothing waits. All agents go from pane to pane together.
    pub(super) fn run(mut self, together: &Barrier) -> anyhow::Result<Vec<Asked>> {
        let mut asked = Vec::new();
        let mut pane: Timestamp = BEGIN.parse().map_err(|e| anyhow::anyhow!("{e}"))?;
        let mut result = Ok(());
        loop {
            if together.wait().is_leader() && self.kills.all() >= self.most {
                self.kills.over.store(true, Ordering::Relaxed);
            }
            // One decides, and nobody goes on before.
            together.wait();
            if self.kills.over.load(Ordering::Relaxed) {
                break;
            }
            match self.pane(pane) {
                Ok(one) => asked.push(one),
                Err(error) => {
                    // The others must not wait for one that gave up.
                    self.kills.over.store(true, Ordering::Relaxed);
                    result = Err(error.context(format!("agent {} in {pane}", self.agent)));
                }
            }
            pane = pane + PANE;
        }
        result?;
        // One more, in peace, closes what a kill may have left open.
        let mut last = Asked::of(pane);
        through(self.site, self.agent, (pane, 1), &mut last)?;
        asked.push(last);
        self.emptied()?;
        let mut running = self.running.into_inner();
        let running = running.as_mut().unwrap_or_else(|e| e.get_mut());
        running.terminate(PATIENCE)?;
        Ok(asked)
    }

    fn pane(&mut self, pane: Timestamp) -> anyhow::Result<Asked> {
        let mut asked = Asked::of(pane);
        let after = (self.chance.below(2) == 0).then(|| self.chance.below(WITHIN));
        let (site, agent, requests) = (self.site, self.agent, 10 + self.chance.below(REQUESTS));
        let running = &self.running;
        std::thread::scope(|scope| -> anyhow::Result<()> {
            let killer = after.map(|after| {
                scope.spawn(move || {
                    std::thread::sleep(Duration::from_millis(after));
                    killed(&mut running.lock().unwrap_or_else(PoisonError::into_inner))
                })
            });
            let survived = through(site, agent, (pane, requests), &mut asked);
            match killer {
                None => survived,
                Some(killer) => killer
                    .join()
                    .map_err(|_| anyhow::anyhow!("the killer panicked"))?,
            }
        })?;
        if after.is_some() {
            self.kills.agents.fetch_add(1, Ordering::Relaxed);
            let started = self.site.start_agent(agent).context("after a kill")?;
            *self.running.lock().unwrap_or_else(PoisonError::into_inner) = started;
        }
        Ok(asked)
    }

    fn emptied(&self) -> anyhow::Result<()> {
        let admin = self.site.agent(self.agent)?.admin;
        let waiting = || {
            count(
                &get(admin, "/metrics").ok()?.text(),
                "clause9_outbox_batches",
            )
            .ok()
        };
        wait_until("an empty outbox", PATIENCE, || waiting() == Some(0))
    }
}

/// Asks so often in a pane, closes it, and waits until what it holds is on the agent's disk.
fn through(
    site: &Site,
    agent: usize,
    (pane, requests): (Timestamp, u64),
    asked: &mut Asked,
) -> anyhow::Result<()> {
    let watcher = site.agent(agent)?;
    let at = (pane + Span::from_secs(10)).to_string();
    let body = br#"{"inputs":[{"name":"x","datatype":"FP64","shape":[1,1],"data":[1.5]}]}"#;
    let headers = [
        ("content-type", "application/json"),
        ("x-event-time", at.as_str()),
    ];
    let mut connection = Connection::open(watcher.port)?;
    for _ in 0..requests {
        asked.sent += 1;
        let answer = connection.send("POST", "/v2/models/toy/infer", &headers, body)?;
        anyhow::ensure!(answer.status() == 200, "{}", answer.text());
    }
    watcher.set_clock(&(pane + PANE + CLOSED).to_string())?;
    let unwritten = || -> anyhow::Result<u64> {
        let metrics = get(watcher.admin, "/metrics")?.text();
        count(&metrics, "clause9_outbox_unwritten_bytes")
    };
    for _ in 0..MOST_LOOKS {
        if unwritten()? == 0 {
            asked.sure = requests;
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    anyhow::bail!("the agent's disk does not take the pane")
}
