//! The admin address: whether the agent lives and is ready, its figures, its state, what the collector refused, and the replayed
//! clock. Loopback by default; changes nothing about traffic.

use std::sync::Arc;
use std::time::Duration;

use clause9_shared::ids::{AgentId, BootId, SystemId};
use clause9_shared::time::{Clock, Timestamp};
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use crate::capture::reverse_proxy::Proxy;
use crate::monitor::{Command, MonitorStatus};
use crate::outbox::Outbox;
use crate::pull::{PlanStatus, Standing};
use crate::service::{self, Answer, problem};
use crate::ship::{Refusals, RefusedItem};
use crate::telemetry::Telemetry;

mod quarantine;

/// How long the monitor may take to tell how things stand. It may be stuck, and who asks again and again
/// must not keep others from this address.
const STATUS: Duration = Duration::from_secs(2);
/// Longest body of a request here.
const MAX_BODY: usize = 4096;

/// What the admin address tells about.
#[derive(Debug)]
pub struct Admin {
    /// Which agent.
    pub agent: AgentId,
    /// Which run.
    pub boot: BootId,
    /// Which AI system.
    pub system: SystemId,
    /// Which clock.
    pub clock: Clock,
    /// The agent's own figures.
    pub telemetry: Telemetry,
    /// Batches that wait; none without a collector.
    pub outbox: Option<Arc<Outbox>>,
    /// What the collector refused.
    pub refused: Refusals,
    /// How things stand with the objectives.
    pub standing: Arc<Standing>,
    /// The data path; none of an agent that is a sink only.
    pub proxy: Option<Arc<Proxy>>,
    /// The monitor.
    pub monitor: mpsc::Sender<Command>,
    /// Whether the agent was told to stop.
    pub stopping: watch::Receiver<bool>,
}

#[derive(Serialize)]
struct Status {
    agent: AgentId,
    boot: BootId,
    version: &'static str,
    system: SystemId,
    clock: Clock,
    plan: PlanStatus,
    /// None if the monitor does not answer within 2 seconds, and as long as there are no objectives.
    monitor: Option<MonitorStatus>,
    outbox: Option<OutboxStatus>,
    quarantine: Option<QuarantineStatus>,
    refused: Vec<RefusedItem>,
}

#[derive(Serialize)]
struct QuarantineStatus {
    entries: usize,
    bytes: u64,
}

#[derive(Serialize)]
struct OutboxStatus {
    batches: usize,
    bytes: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetClock {
    now: Timestamp,
}

impl Admin {
    /// Answers one request.
    pub(crate) async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        let get = request.method() == Method::GET || request.method() == Method::HEAD;
        if let Some(rest) = request.uri().path().strip_prefix(quarantine::PATH)
            && (rest.is_empty() || rest.starts_with('/'))
        {
            let asked = (request.method(), rest);
            return quarantine::handle(self.refused.kept.clone(), asked, request.headers()).await;
        }
        match (request.uri().path(), get, request.method() == Method::POST) {
            ("/live", true, _) => service::answer(StatusCode::OK, "text/plain", "live\n"),
            ("/ready", true, _) => self.ready().await,
            ("/metrics", true, _) => {
                let media = "text/plain; version=0.0.4; charset=utf-8";
                service::answer(StatusCode::OK, media, self.telemetry.render())
            }
            ("/status", true, _) => self.status().await,
            ("/replay/clock", _, true) => self.set_clock(request).await,
            ("/live" | "/ready" | "/metrics" | "/status" | "/replay/clock", _, _) => problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "this method is not offered here",
            ),
            _ => problem(
                StatusCode::NOT_FOUND,
                "there are /live, /ready, /metrics, /status, /quarantine and /replay/clock",
            ),
        }
    }

    /// A degraded monitor is no reason to keep traffic away.
    async fn ready(&self) -> Answer {
        if *self.stopping.borrow() {
            return service::answer(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "stopping\n");
        }
        let reachable = match &self.proxy {
            Some(proxy) => proxy.upstream_reachable().await,
            None => true,
        };
        if reachable {
            // Traffic passes all the same.
            let text = if self.standing.is_awaited() {
                "ready; nothing is monitored before the collector gives objectives\n"
            } else {
                "ready\n"
            };
            service::answer(StatusCode::OK, "text/plain", text)
        } else {
            let text = "the model server takes no connections\n";
            service::answer(StatusCode::SERVICE_UNAVAILABLE, "text/plain", text)
        }
    }

    async fn status(&self) -> Answer {
        let (answer, told) = oneshot::channel();
        let monitor = match self.monitor.try_send(Command::Status(answer)) {
            Ok(()) => tokio::time::timeout(STATUS, told)
                .await
                .ok()
                .and_then(Result::ok),
            Err(_) => None,
        };
        let outbox = self.outbox.as_ref().map(|outbox| {
            let (batches, bytes) = outbox.size();
            OutboxStatus { batches, bytes }
        });
        let quarantine = self.refused.kept.as_ref().map(|quarantine| {
            let (entries, bytes) = quarantine.size();
            QuarantineStatus { entries, bytes }
        });
        let status = Status {
            agent: self.agent,
            boot: self.boot,
            version: env!("CARGO_PKG_VERSION"),
            system: self.system.clone(),
            clock: self.clock,
            plan: self.standing.status(),
            monitor,
            outbox,
            quarantine,
            refused: self.refused.last.list(),
        };
        service::json(StatusCode::OK, &status)
    }

    async fn set_clock(&self, request: Request<Incoming>) -> Answer {
        if self.clock == Clock::Live {
            let text = "this agent runs on the wall clock; set `clock: replay` to replay";
            return problem(StatusCode::CONFLICT, text);
        }
        let body = match service::body(request, MAX_BODY).await {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        let SetClock { now } = match serde_json::from_slice(&body) {
            Ok(set) => set,
            Err(error) => return problem(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        let (answer, told) = oneshot::channel();
        if self
            .monitor
            .send(Command::SetClock(now, answer))
            .await
            .is_err()
        {
            return problem(StatusCode::SERVICE_UNAVAILABLE, "the monitor has stopped");
        }
        match told.await {
            Ok(answer) => service::json(StatusCode::OK, &answer),
            Err(_) => problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the monitor failed; see its log",
            ),
        }
    }
}
