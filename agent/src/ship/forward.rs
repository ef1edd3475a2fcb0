//! Asking other replicas, by way of the collector, for the requests of outcomes that are not known here;
//! and looking for those that others ask about.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clause9_shared::digest::Digest;
use clause9_shared::ids::{BootId, SystemId};
use clause9_shared::time::Clock;
use clause9_shared::wire::forward::{
    self, Answer, Carried, Fate, MAX_CARRIED, MEDIA_TYPE, Named, Poll, Told,
};
use ed25519_dalek::SigningKey;
use reqwest::{StatusCode, Url, header};
use tokio::sync::{mpsc, oneshot};

use super::client::Client;
use super::pause::{self, Pause};
use super::{OnTheWay, ShipError, bounded_by};
use crate::clock;
use crate::engine::{Asked, Question};
use crate::monitor::Command;
use crate::sample::Tag;
use crate::telemetry::Telemetry;

/// How often the collector is asked when there is nothing to hurry.
const PERIOD: Duration = Duration::from_secs(1);
/// How long a collector is left alone that knows nothing of this.
const STRANGER: Duration = Duration::from_secs(30);

/// What asking is set up with.
pub struct Asking {
    /// The agent's signing key.
    pub key: SigningKey,
    /// Which run.
    pub boot: BootId,
    /// The AI system.
    pub system: SystemId,
    /// The public name of its key.
    pub salt: Digest,
    /// Which clock it is on.
    pub clock: Clock,
    /// What is handed over.
    pub on_the_way: Arc<OnTheWay>,
    /// Who looks for what others ask about.
    pub monitor: mpsc::Sender<Command>,
    /// The agent's own figures.
    pub telemetry: Telemetry,
}

/// Asks the collector again and again.
pub struct Forwarder {
    asking: Asking,
    client: Arc<Client>,
    url: Url,
    state: Mutex<State>,
}

impl std::fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwarder")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    polls: u64,
    heard: u64,
    collector: Option<u64>,
    told: Vec<Told>,
}

/// Why there is no answer.
enum Unanswered {
    /// Try again after a while.
    Failed(String),
    /// Whoever answers does not know what is asked, or does not let this agent in.
    Stranger(StatusCode),
}

impl Forwarder {
    pub(super) fn new(
        asking: Asking,
        client: Arc<Client>,
        batches: &Url,
    ) -> Result<Self, ShipError> {
        let url = batches
            .join("outcomes")
            .map_err(|_| ShipError::Address(batches.clone()))?;
        Ok(Self {
            asking,
            client,
            url,
            state: Mutex::default(),
        })
    }

    /// Asks until dropped.
    pub(super) async fn run(&self) {
        let mut pause = Pause::default();
        loop {
            match self.poll().await {
                Ok(more) => {
                    pause = Pause::default();
                    if !more {
                        tokio::time::sleep(PERIOD).await;
                    }
                }
                Err(unanswered) => {
                    let failed = self
                        .asking
                        .telemetry
                        .forwarded
                        .with_label_values(&["failed"]);
                    failed.inc();
                    let wait = match unanswered {
                        Unanswered::Failed(error) => {
                            tracing::debug!(error, "other replicas cannot be asked");
                            None
                        }
                        Unanswered::Stranger(status) => {
                            tracing::warn!(%status, "the collector does not forward outcomes for this agent");
                            Some(STRANGER)
                        }
                    };
                    tokio::time::sleep(pause.next(wait, pause::chance())).await;
                }
            }
        }
    }

    /// One poll; whether there is more to do at once.
    async fn poll(&self) -> Result<bool, Unanswered> {
        let unfound = self.asking.on_the_way.next();
        let sent: Vec<u64> = unfound.iter().map(|u| u.number).collect();
        let poll = {
            let mut state = self.state();
            state.polls += 1;
            Poll {
                boot: self.asking.boot,
                number: state.polls,
                created_at: clock::wall(),
                system: self.asking.system.clone(),
                salt: self.asking.salt,
                clock: self.asking.clock,
                heard: state.heard,
                unfound,
                told: state.told.clone(),
            }
        };
        let answer = self.exchange(&poll).await?;
        let taken = answer.taken.min(sent.len());
        {
            let mut state = self.state();
            state.told.clear();
            state.heard = answer.number;
            if state.collector.replace(answer.boot) != Some(answer.boot) {
                self.asking.on_the_way.again();
            }
        }
        if let Some(last) = taken.checked_sub(1).and_then(|last| sent.get(last)) {
            self.asking.on_the_way.taken(*last, taken as u64);
        }
        self.asking.on_the_way.settled(&answer.settled);
        let told = self.look(answer).await;
        let more = taken == MAX_CARRIED || !told.is_empty();
        self.state().told = told;
        Ok(more)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn exchange(&self, poll: &Poll) -> Result<Answer, Unanswered> {
        let failed = |why: &dyn std::fmt::Display| Unanswered::Failed(why.to_string());
        let body = forward::seal(poll, &self.asking.key).map_err(|e| failed(&e))?;
        let request = self.client.current().post(self.url.clone());
        let request = request.header(header::CONTENT_TYPE, MEDIA_TYPE).body(body);
        let response = request.send().await.map_err(|e| failed(&e))?;
        let status = response.status();
        let refused = [
            StatusCode::NOT_FOUND,
            StatusCode::METHOD_NOT_ALLOWED,
            StatusCode::FORBIDDEN,
            StatusCode::CONFLICT,
            StatusCode::BAD_REQUEST,
        ];
        if refused.contains(&status) {
            return Err(Unanswered::Stranger(status));
        }
        if status != StatusCode::OK {
            return Err(failed(&status));
        }
        let answer = bounded_by(response, forward::MAX_POLL).await;
        let answer = answer.ok_or_else(|| failed(&"the answer is too long or broke off"))?;
        serde_json::from_slice(&answer).map_err(|e| failed(&e))
    }

    /// Has the monitor look for what others ask about.
    async fn look(&self, answer: Answer) -> Vec<Told> {
        let number = answer.asked.len() as u64;
        if number == 0 {
            return Vec::new();
        }
        let questions: Vec<Asked> = answer.asked.into_iter().map(question).collect();
        let tickets: Vec<u64> = questions.iter().map(|q| q.ticket).collect();
        let (send, told) = oneshot::channel();
        let command = Command::Asked(questions, send);
        if self.asking.monitor.send(command).await.is_err() {
            return Vec::new();
        }
        // Without an answer nothing is said, and the collector asks again.
        let fates = told.await.unwrap_or_default();
        let found = fates.iter().filter(|f| **f == Fate::Counted).count() as u64;
        let forwarded = &self.asking.telemetry.forwarded;
        forwarded.with_label_values(&["asked"]).inc_by(number);
        forwarded.with_label_values(&["found"]).inc_by(found);
        let told = tickets.into_iter().zip(fates);
        told.map(|(ticket, fate)| Told { ticket, fate }).collect()
    }
}

fn question(asked: forward::Asked) -> Asked {
    let question = match asked.what {
        forward::Question::Join(Carried { request, outcome }) => join(request, outcome),
        forward::Question::CountUnknown => Question::CountUnknown,
        forward::Question::CountForgotten => Question::CountForgotten,
    };
    Asked {
        ticket: asked.ticket,
        question,
    }
}

fn join(request: Named, mut outcome: clause9_shared::plan::Outcome) -> Question {
    match request {
        Named::Hash(hex) => {
            let tag = Named::hash_bytes(&hex).map(Tag::from_bytes);
            // What is no hash names no request: nobody has it.
            let tag = tag.unwrap_or_else(|| Tag::from_bytes([0; 16]));
            Question::Join(Some(tag), outcome)
        }
        Named::Id(id) => {
            outcome.request_id = id;
            Question::Join(None, outcome)
        }
    }
}
